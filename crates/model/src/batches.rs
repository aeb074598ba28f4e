//! Training rows and their order: documents cut into windows, sorted by a keyed digest, padded into batches.

use obelus_core::Digest;
use tch::{Device, Kind, Tensor};

use crate::{ActiveSinks, ModelError, SourceMask};

/// One document to train on.
#[derive(Clone, Debug)]
pub struct TrainingDocument {
    /// Stable identity; the order of a run depends on it and on nothing else of the corpus.
    pub id: String,
    /// Index of the source in [`TrainingSet::masks`].
    pub source: usize,
    /// Token ids with the beginning-of-text token first and the end-of-text token last.
    pub tokens: Vec<u32>,
    /// For each token after the first: whether weights outside the sinks learn from it (1.0) or not (0.0).
    pub support: Vec<f32>,
}

/// Everything a run trains on.
pub struct TrainingSet {
    documents: Vec<TrainingDocument>,
    masks: Vec<Option<SourceMask>>,
    /// `(document, first token)` of every window, in document order.
    windows: Vec<Vec<usize>>,
    context: usize,
    batch_rows: usize,
}

/// One padded batch. `rows` rows of `tokens` tokens.
pub struct Batch {
    /// Inputs, int64 `[rows, tokens]`.
    pub inputs: Tensor,
    /// Targets, int64 `[rows, tokens]`; -100 where there is none.
    pub targets: Tensor,
    /// Support weights, float32 `[rows, tokens]`; absent when every weight is one.
    pub support: Option<Tensor>,
    /// Number of targets.
    pub count: usize,
    /// The rows' sinks.
    pub sinks: ActiveSinks,
}

impl TrainingSet {
    /// Cuts documents into windows of at most `context` targets. `masks[source]` is none for an ordinary transformer.
    ///
    /// # Errors
    /// When a document is empty, its support has another length, or there is no document at all.
    pub fn new(
        documents: Vec<TrainingDocument>,
        masks: Vec<Option<SourceMask>>,
        context: u32,
        batch_rows: u32,
    ) -> Result<Self, ModelError> {
        if documents.is_empty() {
            return Err(ModelError::Data("there is no document to train on".into()));
        }
        for d in &documents {
            if d.tokens.len() < 2 || d.support.len() + 1 != d.tokens.len() || d.source >= masks.len() {
                return Err(ModelError::Data(format!(
                    "document {} has {} tokens, {} support weights and source number {}",
                    d.id,
                    d.tokens.len(),
                    d.support.len(),
                    d.source
                )));
            }
        }
        let context = context as usize;
        let windows = documents.iter().map(|d| (0..d.tokens.len() - 1).step_by(context).collect()).collect();
        Ok(Self { documents, masks, windows, context, batch_rows: batch_rows as usize })
    }

    /// Steps in one pass over the corpus.
    pub fn steps_per_epoch(&self) -> u64 {
        let rows: usize = self.windows.iter().map(Vec::len).sum();
        rows.div_ceil(self.batch_rows) as u64
    }

    /// Targets in one pass over the corpus.
    pub fn tokens(&self) -> u64 {
        self.documents.iter().map(|d| d.tokens.len() as u64 - 1).sum()
    }

    /// The windows of one epoch in training order: documents sorted by SHA-256 of seed, epoch and document id, so
    /// that leaving a source out does not reshuffle the rest.
    pub fn order(&self, seed: u64, epoch: u64) -> Vec<(usize, usize)> {
        let mut keyed: Vec<(Digest, usize)> = (0..self.documents.len())
            .map(|i| {
                let mut key = Vec::with_capacity(64);
                key.extend_from_slice(&seed.to_be_bytes());
                key.extend_from_slice(&epoch.to_be_bytes());
                key.extend_from_slice(self.documents[i].id.as_bytes());
                (Digest::sha256(&key), i)
            })
            .collect();
        keyed.sort_unstable();
        keyed.into_iter().flat_map(|(_, i)| self.windows[i].iter().map(move |from| (i, *from))).collect()
    }

    /// Pads windows into one batch on `device`.
    pub fn batch(&self, windows: &[(usize, usize)], device: Device) -> Batch {
        let length = |&(doc, from): &(usize, usize)| (self.documents[doc].tokens.len() - 1 - from).min(self.context);
        let width = windows.iter().map(length).max().unwrap_or(0);
        let cells = windows.len() * width;
        let (mut inputs, mut targets) = (vec![0i64; cells], vec![-100i64; cells]);
        let mut support = vec![0f32; cells];
        let mut count = 0;
        let mut full = true;
        for (row, window) in windows.iter().enumerate() {
            let (doc, from) = *window;
            let document = &self.documents[doc];
            for i in 0..length(window) {
                let cell = row * width + i;
                inputs[cell] = i64::from(document.tokens[from + i]);
                targets[cell] = i64::from(document.tokens[from + i + 1]);
                support[cell] = document.support[from + i];
                full &= support[cell] == 1.0;
                count += 1;
            }
        }
        let shape = [windows.len() as i64, width as i64];
        let masks: Option<Vec<&SourceMask>> =
            windows.iter().map(|(doc, _)| self.masks[self.documents[*doc].source].as_ref()).collect();
        Batch {
            inputs: Tensor::from_slice(&inputs).view(shape).to_device(device),
            targets: Tensor::from_slice(&targets).view(shape).to_device(device),
            support: (!full).then(|| Tensor::from_slice(&support).view(shape).to_kind(Kind::Float).to_device(device)),
            count,
            sinks: masks.map_or_else(ActiveSinks::none, |m| ActiveSinks::rows(&m, device)),
        }
    }

    /// Rows of a batch.
    pub fn batch_rows(&self) -> usize {
        self.batch_rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[&str]) -> TrainingSet {
        let documents = ids
            .iter()
            .map(|id| TrainingDocument {
                id: (*id).to_owned(),
                source: 0,
                tokens: (0..10).collect(),
                support: vec![1.0; 9],
            })
            .collect();
        TrainingSet::new(documents, vec![None], 4, 2).unwrap()
    }

    #[test]
    fn leaving_a_document_out_keeps_the_order_of_the_rest() {
        let all = ["a", "b", "c", "d", "e"];
        let with: Vec<&str> = set(&all).order(7, 1).iter().filter(|w| w.1 == 0).map(|w| all[w.0]).collect();
        let without = ["a", "b", "d", "e"];
        let rest: Vec<&str> = set(&without).order(7, 1).iter().filter(|w| w.1 == 0).map(|w| without[w.0]).collect();
        assert_eq!(with.into_iter().filter(|id| *id != "c").collect::<Vec<_>>(), rest);
        assert_ne!(set(&all).order(7, 1), set(&all).order(7, 2));
    }

    #[test]
    fn windows_cover_every_target_once() {
        let set = set(&["a"]);
        let windows = set.order(0, 0);
        assert_eq!(windows, [(0, 0), (0, 4), (0, 8)]);
        let batch = set.batch(&windows, Device::Cpu);
        assert_eq!(batch.count, 9);
        let targets = Vec::<i64>::try_from(batch.targets.view([-1])).unwrap();
        assert_eq!(targets, [1, 2, 3, 4, 5, 6, 7, 8, 9, -100, -100, -100]);
    }
}
