//! Saving a run so that it continues bit for bit: weights, moments and position in one folder.

use std::path::Path;

use obelus_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{ModelError, Trainer, load_tensors, save_tensors};

const WEIGHTS: &str = "weights.safetensors";
const MOMENTS: &str = "optimizer.safetensors";

/// The state that a resumable run keeps in its folder, beside the two tensor files.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedState {
    step: u64,
    steps: u64,
    /// Digest of everything that fixes the result; a run with other settings must not continue from this state.
    run: Digest,
}

impl Trainer {
    /// Saves weights, moments and position so that `resume` continues bit for bit.
    ///
    /// # Errors
    /// When a file cannot be written; an earlier state then stays valid.
    pub fn save_state(&mut self, folder: &Path) -> Result<(), ModelError> {
        let step = self.steps_done;
        let partial = folder.with_extension("partial");
        let _ = std::fs::remove_dir_all(&partial);
        std::fs::create_dir_all(&partial).map_err(ModelError::io("cannot create", &partial))?;
        self.save_weights(&partial.join(WEIGHTS), &partial.join(MOMENTS))?;
        let state = SavedState { step, steps: self.settings.steps, run: self.run };
        let text = serde_json::to_string(&state).map_err(|e| ModelError::Data(e.to_string()))?;
        let path = partial.join("state.json");
        std::fs::write(&path, text).map_err(ModelError::io("cannot write", &path))?;
        // The state folder is replaced as a whole: weights of one step with moments of another would resume wrongly.
        let old = folder.with_extension("old");
        let _ = std::fs::remove_dir_all(&old);
        if folder.exists() {
            std::fs::rename(folder, &old).map_err(ModelError::io("cannot set aside", folder))?;
        }
        std::fs::rename(&partial, folder).map_err(ModelError::io("cannot put in place", folder))?;
        let _ = std::fs::remove_dir_all(&old);
        Ok(())
    }

    /// Continues from a state that `save_state` left in `folder`; returns the step, 0 when there is none.
    ///
    /// # Errors
    /// When the state is damaged or belongs to a run with other settings.
    pub fn resume(&mut self, folder: &Path) -> Result<u64, ModelError> {
        let old = folder.with_extension("old");
        if !folder.exists() && old.exists() {
            // Killed between the two renames of `save_state`: the older state is whole.
            std::fs::rename(&old, folder).map_err(ModelError::io("cannot put back", &old))?;
        }
        let path = folder.join("state.json");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !folder.exists() => return Ok(0),
            Err(e) => return Err(ModelError::io("cannot read", path)(e)),
        };
        let state: SavedState = serde_json::from_str(&text)
            .map_err(|e| ModelError::Checkpoint { path: path.clone(), reason: e.to_string() })?;
        if state.run != self.run {
            return Err(ModelError::Data(format!(
                "{} was saved by a run with another configuration, corpus, seed or thread count; give the model \
                 another name, or remove the folder to start again",
                folder.display()
            )));
        }
        for file in [WEIGHTS, MOMENTS] {
            self.restore(&load_tensors(&folder.join(file), self.settings.device)?, state.step);
        }
        Ok(state.step)
    }

    /// Writes the weights and the optimizer's moments as two checkpoint files.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn save_weights(&mut self, weights: &Path, moments: &Path) -> Result<(), ModelError> {
        save_tensors(weights, &self.weights())?;
        save_tensors(moments, &self.moments())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ElementType, Form, Preset, RunSettings, Trained};

    #[test]
    fn states_saved_before_settings_had_names_are_still_continued() {
        let preset = Preset::named("tiny").unwrap();
        let settings = RunSettings {
            seed: 3,
            steps: 20,
            identity: Digest::sha256("a run"),
            device: tch::Device::Cpu,
            compute: ElementType::Float32,
            form: Form::Gathered,
            trained: Trained::All,
        };
        let run = |trained| Trainer::new(&preset, RunSettings { trained, ..settings }).unwrap().run;
        // Written out as it was when everything was always trained and every pool was shared.
        let written = format!(
            "{} 3 20 ModelConfig {{ layers: 2, d_model: 32, heads: 2, kv_heads: 1, head_dim: 16, n_gen: 32, n_pool: 64, \
             n_source: 8, vocab: 512, context: 128, rope_base: 10000, tied: true, same_mask_in_all_layers: false, \
             segments: [PoolSegment {{ base: 0, n: 64, k: 8 }}] }} {:?} Float32",
            settings.identity, preset.training
        );
        assert_eq!(run(Trained::All), Digest::sha256(written));
        assert_ne!(run(Trained::All), run(Trained::Sinks));
    }
}
