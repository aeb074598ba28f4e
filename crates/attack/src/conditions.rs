//! Scoring a source, or several that are struck together, under the conditions of a verification.

use obelus_model::{ModelError, SourceMask};
use obelus_verdict::{
    Asked, Condition, Instrument, Lighting, Measures, MembershipScore, PassageScore, Protocol, Scope, Scores, Variant,
};

use crate::{
    GradientAttackError, Material, Materials, Rows, Salt, Stand, Step, Strike, Watch,
    gradient_norm::gradient_norms,
    instruments::read,
    reader::{EVERY_KIND, Reader},
    strike::Conditioned,
    variants::{altered, asked_otherwise},
};

/// Why a condition cannot be scored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttackError {
    /// The corpus has no text of the source.
    #[error("source {0} has no document in the corpus, so it cannot be routed or scored")]
    NoMaterial(String),
    /// The model was not trained on the source, or may not light it.
    #[error("source {0} has no mask in this model: it was not trained on it, or the source is revoked")]
    NoMask(String),
    /// Every source is struck.
    #[error("no other source is left to route to")]
    NoOther,
    /// A retrain condition without a retrain.
    #[error("condition {0} needs a baseline; name one with --baseline")]
    NoBaseline(Condition),
    /// A condition of a transformer without it.
    #[error(
        "condition {0} needs an ordinary transformer that was made to forget the sources; train one with obelus model \
         train --control"
    )]
    NoPostHoc(Condition),
    /// An attack on the weights cannot be made.
    #[error("{0}")]
    Gradient(String),
}

impl From<GradientAttackError> for AttackError {
    fn from(error: GradientAttackError) -> Self {
        Self::Gradient(error.to_string())
    }
}

impl From<ModelError> for AttackError {
    fn from(error: ModelError) -> Self {
        Self::Gradient(error.to_string())
    }
}

/// Whether variants and instruments are read under a condition too: before, after, on the retrain, and on transformers that
/// were made to forget after the fact, which the same attacks are told apart by.
const fn is_compared(condition: Condition) -> bool {
    matches!(condition, Condition::On | Condition::Zeroed | Condition::RetrainNone) || condition.is_post_hoc()
}

/// Names of others that take the place of a source's own.
const STRANGERS: usize = 8;

/// What is measured, and how.
#[derive(Clone, Copy)]
pub struct Measurement<'a> {
    /// What is struck.
    pub strike: Strike<'a>,
    /// What sources are asked and read.
    pub materials: &'a Materials<'a>,
    /// The protocol.
    pub protocol: &'a Protocol,
    /// Whether a source of the panel is struck, or the one that the takedown is about.
    pub scope: Scope,
    /// Salt of item digests.
    pub salt: &'a Salt,
    /// Told of every step of attacks that train or search.
    pub watch: &'a Watch<'a>,
}

impl Measurement<'_> {
    /// The conditions that a protocol measures in a scope, whether or not what they need is there.
    pub fn conditions(protocol: &Protocol, scope: Scope) -> Vec<Condition> {
        let lit = |lighting: &Lighting| lighting.conditions();
        let post_hoc = Condition::ALL.into_iter().filter(|condition| condition.is_post_hoc());
        Condition::USUAL
            .into_iter()
            .chain(protocol.measures(scope).lighting.iter().flat_map(lit))
            .chain(post_hoc)
            .collect()
    }

    /// Scores questions and texts of the struck sources as they are.
    ///
    /// # Errors
    /// When a source has no text or mask, or a condition cannot be scored on what is given.
    pub fn score(&self, conditions: &[Condition]) -> Result<Scores, AttackError> {
        self.plainly(conditions, true)
    }

    /// Scores questions alone, as they are, and no text.
    ///
    /// # Errors
    /// As [`Measurement::score`].
    pub fn questions(&self, conditions: &[Condition]) -> Result<Scores, AttackError> {
        self.plainly(conditions, false)
    }

    fn plainly(&self, conditions: &[Condition], texts: bool) -> Result<Scores, AttackError> {
        let mut scores = Scores { plain: self.ask(conditions, 0, texts)?, ..Scores::default() };
        let of_retrains: Vec<Condition> = conditions.iter().copied().filter(|c| c.needs_baseline()).collect();
        for retrain in 1..self.strike.retrains.len() {
            scores.further_retrains.push(self.ask(&of_retrains, retrain, texts)?);
        }
        Ok(scores)
    }

    fn ask(&self, conditions: &[Condition], retrain: usize, texts: bool) -> Result<Asked, AttackError> {
        let mut asked = Asked::default();
        for &condition in conditions {
            let under = self.strike.under(condition, retrain, self.protocol)?;
            for (i, source) in self.strike.sources.iter().enumerate() {
                let material = self.material(source)?;
                let mask = under.mask(i, self.materials)?;
                let membership = if is_compared(condition) { &self.measures().membership[..] } else { &[] };
                let stand = under.stand(mask.as_ref());
                let reader = Reader { stand, salt: self.salt, protocol: self.protocol, membership };
                asked.facts.entry(condition).or_default().extend(reader.facts(material));
                if !texts {
                    continue;
                }
                let mut passages = Vec::new();
                for reading in under.reading(i, self.materials, mask.as_ref())? {
                    let stand = under.stand(reading.mask.as_ref());
                    passages.extend(Reader { stand, ..reader }.passages(material, reading.kinds));
                }
                if membership.contains(&MembershipScore::GradNorm) {
                    self.add_gradient_norms(stand, material, &mut passages)?;
                }
                asked.passages.entry(condition).or_default().extend(passages);
            }
        }
        Ok(asked)
    }

    /// Everything that the protocol runs. `before` are the rows of the struck sources as they were, one entry a source.
    ///
    /// # Errors
    /// As [`Measurement::score`], and when an attack cannot be made on a source.
    pub fn run(&self, conditions: &[Condition], before: &[Rows]) -> Result<Scores, AttackError> {
        let mut scores = self.score(conditions)?;
        for &condition in conditions.iter().filter(|condition| is_compared(**condition)) {
            let under = self.strike.under(condition, 0, self.protocol)?;
            for &variant in &self.measures().variants {
                let altered = altered(variant, under.model())?;
                let asked = scores.variants.entry(variant).or_default();
                for (i, source) in self.strike.sources.iter().enumerate() {
                    let mask = under.mask(i, self.materials)?;
                    let mut stand = under.stand(mask.as_ref());
                    stand.model = altered.as_ref().unwrap_or(stand.model);
                    self.ask_otherwise(variant, condition, stand, self.material(source)?, asked);
                }
            }
            for &instrument in &self.measures().instruments {
                let mut readings = Vec::new();
                for (i, source) in self.strike.sources.iter().enumerate() {
                    if instrument == Instrument::RowsLeft {
                        let rows = (self.strike.masks.get(i), before.get(i), condition == Condition::Zeroed);
                        if let (Some(mask), Some(before), true) = rows {
                            readings.extend(Rows::of(under.model(), mask).left_of(before, source, self.salt));
                        }
                        continue;
                    }
                    let material = self.material(source)?;
                    let mask = self.lit(instrument, &under, i, material)?;
                    let stand = under.stand(mask.as_ref());
                    let watch = |part, done| (self.watch)(&Step { instrument, condition, source, part, done });
                    readings.extend(read(instrument, stand, material, source, self.protocol, self.salt, &watch)?);
                }
                scores.readings.entry(instrument).or_default().insert(condition, readings);
            }
        }
        Ok(scores)
    }

    fn add_gradient_norms(
        &self,
        stand: Stand<'_>,
        material: &Material<'_>,
        passages: &mut [PassageScore],
    ) -> Result<(), AttackError> {
        let norms = gradient_norms(stand, material, self.protocol.most_passages, self.salt)?;
        for (passage, norm) in passages.iter_mut().zip(norms) {
            passage.membership.insert(MembershipScore::GradNorm, norm.norm);
        }
        Ok(())
    }

    /// The sinks that an instrument is about; the model before is read with the source's own, so that there is something to
    /// lose.
    fn lit(
        &self,
        instrument: Instrument,
        under: &Conditioned<'_>,
        source: usize,
        material: &Material<'_>,
    ) -> Result<Option<SourceMask>, AttackError> {
        // A transformer that is offered as the erased model has nothing to light.
        if under.model().config().sinks() == 0 {
            return Ok(None);
        }
        let own = self.strike.masks.get(source).cloned();
        match (instrument, under.condition()) {
            (_, Condition::On) => Ok(own),
            (Instrument::RelearningBackbone, _) => Ok(None),
            // There the rows belong to others alone, and whoever trains the retrain does better without them.
            (Instrument::RelearningOwn, Condition::RetrainNone) => Ok(None),
            (Instrument::RelearningOwn | Instrument::SinkReadout, _) => Ok(own),
            (Instrument::RelearningNeighbour, _) => {
                let id = self.strike.sources.get(source).map_or("", String::as_str);
                under.nearest(id, material).map(Some)
            }
            _ => under.mask(source, self.materials),
        }
    }

    fn ask_otherwise(
        &self,
        variant: Variant,
        condition: Condition,
        stand: Stand<'_>,
        material: &Material<'_>,
        asked: &mut Asked,
    ) {
        let reader = Reader { stand, salt: self.salt, protocol: self.protocol, membership: &[] };
        let (protocol, strangers) = (self.protocol, self.materials.strangers(material, STRANGERS));
        let plain = reader.facts(material);
        let facts =
            asked_otherwise(variant, stand, material, plain, &strangers, protocol.steering.as_ref(), protocol.seed);
        asked.facts.entry(condition).or_default().extend(facts);
        if variant.alters_weights() {
            asked.passages.entry(condition).or_default().extend(reader.passages(material, EVERY_KIND));
        }
    }

    fn material(&self, source: &str) -> Result<&Material<'_>, AttackError> {
        self.materials.of(source).ok_or_else(|| AttackError::NoMaterial(source.to_owned()))
    }

    fn measures(&self) -> &Measures {
        self.protocol.measures(self.scope)
    }

    /// The rows of the struck sources' sinks as they are in the model that is struck.
    pub fn rows(&self) -> Vec<Rows> {
        self.strike.masks.iter().map(|mask: &SourceMask| Rows::of(&self.strike.subject.model, mask)).collect()
    }
}
