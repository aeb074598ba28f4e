//! What a takedown does to an exported LLaMA: the struck neurons among its own become zero in place, or the whole of it
//! is overwritten and removed. Which of the two is the caller's to say.
//!
//! Both may be cut off and done again. Not here: strikes on checkpoints (`strike.rs`).

use std::{fs::File, path::Path};

use crate::{Llama, ModelError, SourceMask, StrikeReport, WeightFile, llama::projection};

/// Bytes read back at once.
const RUN_BYTES: u64 = 4 << 20;

impl Llama {
    /// Rows of this export that belong to neurons of `struck`: a gate row, an up row and a down column for each.
    pub fn rows_of(&self, struck: &SourceMask) -> u64 {
        (0..self.lit.len()).map(|layer| 3 * self.places(layer, struck).len() as u64).sum()
    }

    /// Zeroes in place what the export holds of the neurons of `struck`, flushes, and reads it back.
    ///
    /// # Errors
    /// When the file is not this export, cannot be read or written, or does not read back as zeros.
    pub fn zero(&self, export: &Path, struck: &SourceMask) -> Result<StrikeReport, ModelError> {
        let file = self.open(export)?;
        let mut report = StrikeReport { rows: self.rows_of(struck), bytes: 0 };
        for layer in 0..self.lit.len() {
            for place in self.places(layer, struck) {
                report.bytes += file.zero_row(&projection(layer, "gate"), place)?;
                report.bytes += file.zero_row(&projection(layer, "up"), place)?;
                report.bytes += file.zero_column(&projection(layer, "down"), place)?;
            }
        }
        file.flush()?;
        if self.zeroed(export, struck)? { Ok(report) } else { Err(unchanged(export)) }
    }

    /// Whether everything that the export holds of the neurons of `struck` is exactly zero.
    ///
    /// # Errors
    /// When the file is not this export or cannot be read.
    pub fn zeroed(&self, export: &Path, struck: &SourceMask) -> Result<bool, ModelError> {
        let file = self.open(export)?;
        let (neurons, mut buffer) = (self.neurons() as usize, Vec::new());
        for layer in 0..self.lit.len() {
            let places = self.places(layer, struck);
            for part in ["gate", "up"] {
                for place in &places {
                    file.read_rows(&projection(layer, part), *place, 1, &mut buffer)?;
                    if buffer.iter().any(|b| *b != 0) {
                        return Ok(false);
                    }
                }
            }
            file.read_rows(&projection(layer, "down"), 0, u64::from(self.config.d_model), &mut buffer)?;
            let values = buffer.as_chunks::<4>().0;
            if values.chunks(neurons).any(|row| places.iter().any(|place| row[*place as usize] != [0; 4])) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Overwrites every weight of the export with zeros, flushes, reads back, and removes the file.
    ///
    /// # Errors
    /// As [`Llama::zero`].
    pub fn destroy(&self, export: &Path) -> Result<(), ModelError> {
        let file = self.open(export)?;
        for (name, tensor) in file.tensors() {
            for row in 0..tensor.rows() {
                file.zero_row(name, row)?;
            }
        }
        file.flush()?;
        let mut buffer = Vec::new();
        for (name, tensor) in file.tensors() {
            let run = (RUN_BYTES / tensor.row_bytes.max(1)).max(1);
            for first in (0..tensor.rows()).step_by(run as usize) {
                file.read_rows(name, first, run.min(tensor.rows() - first), &mut buffer)?;
                if buffer.iter().any(|b| *b != 0) {
                    return Err(unchanged(export));
                }
            }
        }
        std::fs::remove_file(export).map_err(ModelError::io("cannot remove", export))?;
        let folder = export.parent().unwrap_or(Path::new("."));
        File::open(folder).and_then(|f| f.sync_all()).map_err(ModelError::io("cannot flush", folder))
    }

    /// Where the neurons of `struck` are among this export's own.
    fn places(&self, layer: usize, struck: &SourceMask) -> Vec<u64> {
        let struck = struck.per_layer.get(layer).map_or(&[][..], Vec::as_slice);
        let lit = (u64::from(self.config.n_gen)..).zip(&self.lit[layer]);
        lit.filter(|(_, neuron)| struck.binary_search(neuron).is_ok()).map(|(place, _)| place).collect()
    }

    /// Opens a file for writing if it has exactly the tensors of this export: nothing else is ever overwritten.
    fn open(&self, export: &Path) -> Result<WeightFile, ModelError> {
        let file = WeightFile::open_for_writing(export).map_err(|error| match error {
            ModelError::Checkpoint { path, .. } => ModelError::NotThisExport(path),
            other => other,
        })?;
        let own = self.tensors();
        let is_own = file.tensors().len() == own.len()
            && file.tensors().iter().all(|(name, t)| t.dtype == "F32" && own.get(name) == Some(&t.shape));
        if is_own { Ok(file) } else { Err(ModelError::NotThisExport(export.into())) }
    }
}

fn unchanged(export: &Path) -> ModelError {
    ModelError::Checkpoint { path: export.into(), reason: "what was overwritten does not read back as zeros".into() }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::PathBuf};

    use safetensors::{Dtype, tensor::TensorView};

    use super::*;
    use crate::{ModelConfig, Preset};

    fn config() -> ModelConfig {
        Preset::named("tiny").unwrap().model
    }

    fn mask(first: u32) -> SourceMask {
        SourceMask { per_layer: vec![(first..first + 8).collect(); 2] }
    }

    /// A checkpoint whose values are 1, 2, 3, ... in the order of their tensors' names, as float32 or as bfloat16.
    fn checkpoint(folder: &Path, bfloat16: bool) -> PathBuf {
        let mut value = 0f32;
        let mut tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)> = BTreeMap::new();
        for (name, shape) in config().tensors() {
            let shape: Vec<usize> = shape.iter().map(|n| *n as usize).collect();
            let mut bytes = Vec::new();
            for _ in 0..shape.iter().product::<usize>() {
                value += 1.0;
                let exact = value.to_le_bytes();
                bytes.extend_from_slice(if bfloat16 { &exact[2..] } else { &exact });
            }
            tensors.insert(name, (shape, bytes));
        }
        let dtype = if bfloat16 { Dtype::BF16 } else { Dtype::F32 };
        let view = |name, (shape, bytes)| (name, TensorView::new(dtype, shape, bytes).unwrap());
        let views = tensors.iter().map(|(name, (shape, bytes))| view(name, (shape.clone(), &bytes[..])));
        let path = folder.join(format!("{bfloat16}.checkpoint"));
        safetensors::serialize_to_file(views, None, &path).unwrap();
        path
    }

    fn export(lit: Option<&SourceMask>, bfloat16: bool) -> (tempfile::TempDir, Llama, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let llama = Llama::new(&config(), lit).unwrap();
        let path = folder.path().join("model.safetensors");
        llama.write(&checkpoint(folder.path(), bfloat16), &path).unwrap();
        (folder, llama, path)
    }

    #[test]
    fn an_export_is_float32_and_readable_whatever_the_checkpoint_is() {
        for bfloat16 in [false, true] {
            let (_keep, llama, path) = export(Some(&mask(3)), bfloat16);
            // The library's own reader, which knows nothing of ours.
            let bytes = std::fs::read(&path).unwrap();
            let read = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            assert_eq!(read.len(), llama.tensors().len());
            let down = read.tensor("model.layers.1.mlp.down_proj.weight").unwrap();
            assert_eq!((down.dtype(), down.shape()), (Dtype::F32, &[32, 40][..]));
            let up = read.tensor("model.layers.1.mlp.up_proj.weight").unwrap();
            assert!(up.data().as_chunks::<4>().0.is_sorted_by_key(|b| f32::from_le_bytes(*b)), "rows out of order");
        }
    }

    #[test]
    fn only_what_is_shared_becomes_zero_and_doing_it_again_changes_nothing() {
        let (_keep, llama, path) = export(Some(&mask(3)), false);
        let (other, stranger) = (mask(9), mask(40));
        let before = std::fs::read(&path).unwrap();
        assert_eq!(llama.zero(&path, &stranger).unwrap(), StrikeReport { rows: 0, bytes: 0 });
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert!(!llama.zeroed(&path, &other).unwrap());
        // Neurons 9 and 10 are both masks' own: in 2 layers, 3 matrices, 32 numbers of 4 bytes each.
        let report = StrikeReport { rows: 12, bytes: 12 * 32 * 4 };
        assert_eq!((llama.zero(&path, &other).unwrap(), llama.rows_of(&other)), (report, 12));
        let after = std::fs::read(&path).unwrap();
        assert!(llama.zeroed(&path, &other).unwrap() && after != before);
        assert_eq!(llama.zero(&path, &other).unwrap(), report);
        assert_eq!(std::fs::read(&path).unwrap(), after);
    }

    #[test]
    fn an_export_from_before_the_pool_grew_is_struck_all_the_same() {
        let (_keep, before, path) = export(Some(&mask(3)), false);
        let grown = Llama::new(&config().grown(2).unwrap(), Some(&mask(3))).unwrap();
        assert_eq!((grown.tensors(), grown.neurons()), (before.tensors(), before.neurons()));
        // A source that came later shares nothing with it; one in its own segment does.
        let later = SourceMask::derive(&[1; 32], 1, &config().grown(2).unwrap()).unwrap();
        assert_eq!((grown.rows_of(&later), grown.rows_of(&mask(9))), (0, 12));
        assert_eq!(grown.zero(&path, &mask(9)).unwrap().rows, 12);
        assert!(before.zeroed(&path, &mask(9)).unwrap() && !before.zeroed(&path, &mask(3)).unwrap());
        grown.destroy(&path).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_destroyed_export_is_gone_and_another_file_is_left_alone() {
        let (keep, llama, path) = export(Some(&mask(3)), false);
        let backbone = Llama::new(&config(), None).unwrap();
        for refused in [backbone.destroy(&path), backbone.zero(&path, &mask(3)).map(drop)] {
            assert!(matches!(refused, Err(ModelError::NotThisExport(_))), "{refused:?}");
        }
        // A second name of the file, to see what is under it afterwards.
        let second = keep.path().join("second");
        std::fs::hard_link(&path, &second).unwrap();
        llama.destroy(&path).unwrap();
        assert!(!path.exists());
        assert!(llama.zeroed(&second, &mask(3)).unwrap());
        let file = WeightFile::open(&second).unwrap();
        let mut bytes = Vec::new();
        file.read_rows("model.embed_tokens.weight", 0, 512, &mut bytes).unwrap();
        assert!(bytes.iter().all(|b| *b == 0));
    }

    #[test]
    fn masks_of_other_models_are_refused() {
        for per_layer in [vec![], vec![vec![1], vec![1, 2]], vec![vec![2, 1]; 2], vec![vec![64]; 2]] {
            assert!(Llama::new(&config(), Some(&SourceMask { per_layer })).is_err());
        }
    }
}
