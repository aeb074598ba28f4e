//! Training rows and their order: documents cut into windows, sorted by a keyed digest, packed end to end.

use obelus_core::Digest;
use tch::{Device, Tensor};

use crate::{ModelError, SourceMask, packing::Packing};

/// Tokens of one forward pass on a GPU: what its activations take fits beside the weights of the released model.
const GPU_TOKENS: usize = 1 << 15;

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

/// The rows of one optimizer step.
pub struct Batch<'a> {
    /// What is computed together.
    pub(crate) parts: Vec<Part<'a>>,
    /// Number of targets in all parts.
    pub count: usize,
}

/// Documents packed end to end for one forward pass, those of one source beside each other.
pub(crate) struct Part<'a> {
    /// Inputs, int64 `[tokens]`.
    pub inputs: Tensor,
    /// Targets, int64 `[tokens]`; -100 where there is none.
    pub targets: Tensor,
    /// What a target's loss counts in the gradient of the sinks, float32 `[tokens]`: one over the targets of the step.
    pub share: Tensor,
    /// The same for weights outside the sinks, where the support filter makes a difference.
    pub share_outside: Option<Tensor>,
    /// Where documents and groups lie.
    pub packing: Packing,
    /// The mask of each group; none for an ordinary transformer.
    pub masks: Option<Vec<&'a SourceMask>>,
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

    /// Lays windows out for one step on `device`.
    ///
    /// On a CPU they are packed without padding: windows of one source beside each other, so that its sinks are gathered
    /// once. A GPU wants few large products: there windows are sorted by length, cut into parts, and padded to the
    /// longest of their part.
    pub fn batch(&self, windows: &[(usize, usize)], device: Device) -> Batch<'_> {
        let mut windows = windows.to_vec();
        let source = |w: &(usize, usize)| self.documents[w.0].source;
        if device == Device::Cpu {
            windows.sort_by_key(|w| (source(w), self.length(w)));
        } else {
            windows.sort_by_key(|w| (self.length(w), source(w)));
        }
        let count: usize = windows.iter().map(|w| self.length(w)).sum();
        let mut parts = Vec::new();
        let mut rest = &windows[..];
        while let Some(longest) = rest.last().map(|w| self.length(w)) {
            let rows = if device == Device::Cpu { rest.len() } else { (GPU_TOKENS / longest).clamp(1, rest.len()) };
            let (others, mut part) = rest.split_at(rest.len() - rows);
            let mut sorted = part.to_vec();
            if device != Device::Cpu {
                sorted.sort_by_key(source);
                part = &sorted;
            }
            parts.push(self.part(part, (device != Device::Cpu).then_some(longest), count, device));
            rest = others;
        }
        Batch { parts, count }
    }

    fn length(&self, (document, from): &(usize, usize)) -> usize {
        (self.documents[*document].tokens.len() - 1 - from).min(self.context)
    }

    /// Packs windows of a step with `count` targets, each padded to `width` if one is given. Windows of one source are
    /// beside each other.
    fn part(&self, windows: &[(usize, usize)], width: Option<usize>, count: usize, device: Device) -> Part<'_> {
        let (mut inputs, mut targets, mut support): (Vec<i64>, Vec<i64>, Vec<f32>) = (vec![], vec![], vec![]);
        let mut lengths = Vec::with_capacity(windows.len());
        let mut sources: Vec<usize> = Vec::new();
        let mut groups: Vec<usize> = Vec::new();
        for window in windows {
            let document = &self.documents[window.0];
            let (from, to) = (window.1, window.1 + self.length(window));
            inputs.extend(document.tokens[from..to].iter().map(|t| i64::from(*t)));
            targets.extend(document.tokens[from + 1..=to].iter().map(|t| i64::from(*t)));
            support.extend_from_slice(&document.support[from..to]);
            let padded = width.unwrap_or(to - from);
            let end = inputs.len() + padded - (to - from);
            inputs.resize(end, 0);
            targets.resize(end, -100);
            support.resize(end, 1.0);
            lengths.push(padded as i64);
            if sources.last() == Some(&document.source) {
                groups.last_mut().into_iter().for_each(|g| *g += 1);
            } else {
                sources.push(document.source);
                groups.push(1);
            }
        }
        let masks: Option<Vec<&SourceMask>> = sources.iter().map(|s| self.masks[*s].as_ref()).collect();
        // Groups whose masks differ in size from their neighbour's are computed apart.
        let mut kinds = vec![0; groups.len()];
        for i in 1..masks.as_ref().map_or(0, Vec::len) {
            let alike = masks.as_ref().is_some_and(|m| m[i].same_size(m[i - 1]));
            kinds[i] = kinds[i - 1] + usize::from(!alike);
        }
        let full = support.iter().all(|w| *w == 1.0);
        let share = |weight: &dyn Fn(usize) -> f32| {
            let of = |(i, target): (usize, &i64)| if *target < 0 { 0.0 } else { weight(i) / count as f32 };
            Tensor::from_slice(&targets.iter().enumerate().map(of).collect::<Vec<f32>>()).to_device(device)
        };
        Part {
            inputs: Tensor::from_slice(&inputs).to_device(device),
            targets: Tensor::from_slice(&targets).to_device(device),
            share_outside: (!full).then(|| share(&|i| support[i])),
            share: share(&|_| 1.0),
            packing: Packing::new(&lengths, &groups, &kinds),
            masks,
        }
    }

    /// Whether every source that is trained on has a mask.
    pub(crate) fn masked(&self) -> bool {
        self.documents.iter().all(|d| self.masks[d.source].is_some())
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
        assert_eq!((batch.count, batch.parts.len()), (9, 1));
        let targets = Vec::<i64>::try_from(&batch.parts[0].targets).unwrap();
        assert_eq!(targets, [9, 1, 2, 3, 4, 5, 6, 7, 8], "the shortest window comes first, and nothing is padded");
        assert_eq!(batch.parts[0].packing.tokens(), 9);
    }
}
