//! What is struck, and with what it is compared: from a condition to the weights that are asked and the sinks that are lit.

use std::collections::BTreeSet;

use obelus_core::Digest;
use obelus_model::{SourceMask, Transformer};
use obelus_verdict::{Condition, Passage, Protocol};

use crate::{
    AttackError, Material, Materials, Salt, Stand, Subject,
    reader::EVERY_KIND,
    worst_mask::{Aim, worst_mask},
};

/// Where the model with the zeroed sinks comes from.
#[derive(Clone, Copy, Default)]
pub enum Erased<'a> {
    /// The model with the struck rows zeroed in memory.
    #[default]
    InMemory,
    /// The model itself: its rows are zero already, so only the conditions after a takedown can be scored.
    AsItIs,
    /// Another model that is offered as the erased one.
    Other(&'a Subject<'a>),
}

/// What is struck, and against what it is compared.
#[derive(Clone, Copy)]
pub struct Strike<'a> {
    /// The sources struck together.
    pub sources: &'a [String],
    /// The masks that their rows have; the same for every source of the model, struck or not.
    pub masks: &'a [SourceMask],
    /// The model.
    pub subject: &'a Subject<'a>,
    /// The model after the takedown.
    pub erased: Erased<'a>,
    /// Retrains without the sources, which differ in their seed.
    pub retrains: &'a [Subject<'a>],
    /// Ordinary transformers that were made to forget the sources after the fact, by condition.
    pub post_hoc: &'a [(Condition, Subject<'a>)],
}

impl<'a> Strike<'a> {
    /// Strikes in memory, with nothing to compare with.
    pub fn new(sources: &'a [String], masks: &'a [SourceMask], subject: &'a Subject<'a>) -> Self {
        Self { sources, masks, subject, erased: Erased::InMemory, retrains: &[], post_hoc: &[] }
    }

    /// Prepares the weights of a condition, which all sources share; `retrain` says which one where it is a retrain's.
    ///
    /// # Errors
    /// When a retrain or transformer is needed and there is none, or no other source is left.
    pub(crate) fn under(
        &self,
        condition: Condition,
        retrain: usize,
        protocol: &Protocol,
    ) -> Result<Conditioned<'_>, AttackError> {
        let struck: Vec<&str> = self.sources.iter().map(String::as_str).collect();
        let others: Vec<&str> =
            self.subject.masks.keys().map(String::as_str).filter(|id| !struck.contains(id)).collect();
        let drawn = drawn(&others, self.sources, protocol.seed);
        let (subject, altered) = match (condition, self.erased) {
            _ if condition.is_post_hoc() => {
                let found = self.post_hoc.iter().find(|(of, _)| *of == condition).map(|(_, subject)| subject);
                (found.ok_or(AttackError::NoPostHoc(condition))?, None)
            }
            _ if condition.needs_baseline() => {
                (self.retrains.get(retrain).ok_or(AttackError::NoBaseline(condition))?, None)
            }
            (Condition::Placebo, _) => {
                let masks = drawn.iter().filter_map(|id| self.subject.masks.get(*id));
                (self.subject, without(&self.subject.model, masks))
            }
            (after, Erased::InMemory) if after.is_after() => {
                (self.subject, without(&self.subject.model, self.masks.iter()))
            }
            (after, Erased::Other(other)) if after.is_after() => (other, None),
            _ => (self.subject, None),
        };
        let most_passages = protocol.most_passages as usize;
        Ok(Conditioned { strike: self, condition, subject, altered, struck, drawn, most_passages })
    }
}

/// A condition with its weights.
pub(crate) struct Conditioned<'a> {
    strike: &'a Strike<'a>,
    condition: Condition,
    subject: &'a Subject<'a>,
    /// The subject's weights in memory, altered.
    altered: Option<Transformer>,
    struck: Vec<&'a str>,
    drawn: Vec<&'a str>,
    most_passages: usize,
}

/// Texts that are read with the same sinks lit.
pub(crate) struct Reading {
    /// Their kinds.
    pub(crate) kinds: &'static [Passage],
    /// The sinks.
    pub(crate) mask: Option<SourceMask>,
}

impl Conditioned<'_> {
    /// Which condition it is.
    pub(crate) fn condition(&self) -> Condition {
        self.condition
    }

    /// The weights.
    pub(crate) fn model(&self) -> &Transformer {
        self.altered.as_ref().unwrap_or(&self.subject.model)
    }

    /// The stand with a mask of the caller's choice.
    pub(crate) fn stand<'s>(&'s self, mask: Option<&'s SourceMask>) -> Stand<'s> {
        Stand { model: self.model(), tokenizer: self.subject.tokenizer, mask }
    }

    /// The sinks that are lit for a struck source, by its place in the strike, when its questions are asked.
    ///
    /// # Errors
    /// When the source has no text or mask, or no other source is left.
    pub(crate) fn mask(&self, source: usize, materials: &Materials<'_>) -> Result<Option<SourceMask>, AttackError> {
        self.mask_for(Aim::Answers, source, materials)
    }

    /// Those that are lit when its texts are read; `asked` are those for its questions.
    ///
    /// # Errors
    /// As [`Conditioned::mask`].
    pub(crate) fn reading(
        &self,
        source: usize,
        materials: &Materials<'_>,
        asked: Option<&SourceMask>,
    ) -> Result<Vec<Reading>, AttackError> {
        match self.condition {
            Condition::ZeroedWorst | Condition::RetrainWorst => {
                let worst = |kinds: &'static [Passage]| {
                    Ok(Reading { kinds, mask: self.mask_for(Aim::Texts(kinds[0]), source, materials)? })
                };
                EVERY_KIND.chunks(1).map(worst).collect()
            }
            _ => Ok(vec![Reading { kinds: EVERY_KIND, mask: asked.cloned() }]),
        }
    }

    fn mask_for(&self, aim: Aim, source: usize, materials: &Materials<'_>) -> Result<Option<SourceMask>, AttackError> {
        let id = self.strike.sources.get(source).map_or("", String::as_str);
        let material = materials.of(id).ok_or_else(|| AttackError::NoMaterial(id.to_owned()))?;
        if self.model().config().sinks() == 0 {
            return Ok(None);
        }
        let own = || self.strike.masks.get(source).ok_or_else(|| AttackError::NoMask(id.to_owned()));
        Ok(match self.condition {
            Condition::On | Condition::Zeroed | Condition::Placebo => Some(own()?.clone()),
            Condition::OffNearest | Condition::ZeroedNearest | Condition::RetrainNearest => {
                Some(self.nearest(id, material)?)
            }
            Condition::OffRandom => {
                let drawn = self.drawn.get(source).ok_or(AttackError::NoOther)?;
                self.strike.subject.masks.get(*drawn).cloned()
            }
            Condition::OffNone | Condition::RetrainNone | Condition::PostHocGradientAscent | Condition::PostHocNpo => {
                None
            }
            Condition::ZeroedAll | Condition::RetrainAll => Some(SourceMask::whole(self.model().config())),
            Condition::ZeroedUnion | Condition::RetrainUnion => {
                let own = own()?;
                let sharing = self.survivors().filter(|mask| mask.lost_fraction(own) > 0.0);
                Some(SourceMask::union(sharing.chain([own])))
            }
            Condition::ZeroedWorst | Condition::RetrainWorst => {
                let masks: Vec<&SourceMask> = self.survivors().collect();
                let worst = worst_mask(&self.stand(None), &masks, material, aim, self.most_passages);
                Some(worst.ok_or(AttackError::NoOther)?.clone())
            }
        })
    }

    /// The sinks of the source that a struck source's own text is routed to.
    pub(crate) fn nearest(&self, id: &str, material: &Material<'_>) -> Result<SourceMask, AttackError> {
        let nearest = self.subject.nearest(id, material, &self.struck)?.to_owned();
        self.subject.masks.get(&nearest).cloned().ok_or(AttackError::NoMask(nearest))
    }

    /// The masks of the sources that are not struck.
    fn survivors(&self) -> impl Iterator<Item = &SourceMask> {
        self.subject.masks.iter().filter(|(id, _)| !self.struck.contains(&id.as_str())).map(|(_, mask)| mask)
    }
}

/// The model with the rows of every mask zero, in memory; none for no masks.
fn without<'m>(model: &Transformer, masks: impl Iterator<Item = &'m SourceMask>) -> Option<Transformer> {
    masks.fold(None, |struck, mask| Some(struck.as_ref().unwrap_or(model).with_struck(mask)))
}

/// Other sources drawn by chance, as many as are struck: fixed by the protocol's seed and the struck sources' names.
fn drawn<'o>(others: &[&'o str], struck: &[String], seed: u64) -> Vec<&'o str> {
    let salt = Salt::new(*Digest::sha256(seed.to_be_bytes()).as_bytes());
    let mut taken = BTreeSet::new();
    let mut drawn = Vec::new();
    for source in struck {
        let pick = others.iter().filter(|o| !taken.contains(*o)).min_by_key(|o| salt.digest(&[source, o]));
        if let Some(pick) = pick {
            taken.insert(pick);
            drawn.push(*pick);
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_sources_are_different_and_fixed() {
        let others = ["a", "b", "c"];
        let struck = ["x".to_owned(), "y".to_owned()];
        let first = drawn(&others, &struck, 1);
        assert_eq!(first.len(), 2);
        assert_ne!(first[0], first[1]);
        assert_eq!(first, drawn(&others, &struck, 1));
        assert_eq!(drawn(&others[..1], &struck, 1).len(), 1);
    }
}
