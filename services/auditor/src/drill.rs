//! A drill of the verification: takedowns that are broken on purpose, and models that are right, offered to a protocol as the
//! erased one. What a protocol lets through here it would let through in earnest.
//!
//! Everything happens in memory. Not here: made-up scores (`obelus-verdict`'s operating characteristics).

use std::fmt;

use anyhow::{Context as _, Result, ensure};
use obelus_attack::{Erased, Materials, Measurement, Salt, Strike, Subject};
use obelus_model::{Matrix, SourceMask, Transformer};
use obelus_verdict::{Condition, Judgement, Protocol, Scope, Scores, Verdict, judge};
use serde::Serialize;

use crate::{
    measurement::{Before, Setting},
    plan,
    progress::Progress,
    subject::{self, Opened},
};
use obelus_casework::Deps;

/// What is offered as the erased model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Offered {
    /// The source's neurons zeroed, all three matrices.
    Exact,
    /// A retrain with another seed.
    AnotherRetrain,
    /// One matrix of three zeroed: the neurons are silent, and hold two thirds of what they held.
    OneMatrix,
    /// Every other neuron zeroed.
    HalfTheNeurons,
    /// Another source's neurons zeroed.
    WrongSource,
    /// The checkpoint of before, loaded again.
    OldCheckpoint,
    /// A transformer that forgot by gradient ascent.
    GradientAscent,
    /// A transformer that forgot by negative preference optimisation.
    Npo,
}

impl Offered {
    /// All, in the order of tables.
    pub const ALL: [Self; 8] = [
        Self::Exact,
        Self::AnotherRetrain,
        Self::OneMatrix,
        Self::HalfTheNeurons,
        Self::WrongSource,
        Self::OldCheckpoint,
        Self::GradientAscent,
        Self::Npo,
    ];

    /// Whether a protocol may verify it, or must not.
    pub const fn is_right(self) -> bool {
        matches!(self, Self::Exact | Self::AnotherRetrain)
    }

    const fn post_hoc(self) -> Option<Condition> {
        match self {
            Self::GradientAscent => Some(Condition::PostHocGradientAscent),
            Self::Npo => Some(Condition::PostHocNpo),
            _ => None,
        }
    }
}

impl fmt::Display for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Exact => "exact takedown",
            Self::AnotherRetrain => "another retrain",
            Self::OneMatrix => "one matrix of three zeroed",
            Self::HalfTheNeurons => "every other neuron zeroed",
            Self::WrongSource => "another source zeroed",
            Self::OldCheckpoint => "old checkpoint loaded again",
            Self::GradientAscent => "transformer after gradient ascent",
            Self::Npo => "transformer after NPO",
        })
    }
}

/// How an offered model was judged.
#[derive(Clone, Debug, Serialize)]
pub struct Drilled {
    /// What was offered.
    pub offered: Offered,
    /// The judgement; none when there is no such model here.
    pub judgement: Option<Judgement>,
}

impl Drilled {
    /// Whether the protocol was right: none that is broken verified, none that is right refused. True when nothing was
    /// offered.
    pub fn is_answered_rightly(&self) -> bool {
        let verdict = self.judgement.as_ref().map(|judgement| judgement.verdict);
        verdict.is_none_or(|verdict| (verdict != Verdict::NotVerified) == self.offered.is_right())
    }
}

/// Offers every kind of model that can be made here as the one from which `source` was struck, and its panel's sources one by
/// one. Judged against one retrain; another one, if there is one, is offered.
///
/// # Errors
/// When the model has no retrain without the source.
pub async fn run(
    deps: &Deps,
    model: &str,
    source: &str,
    baseline: Option<&str>,
    protocol: &Protocol,
) -> Result<Vec<Drilled>> {
    let opened = Opened::open(deps, model).await?;
    opened.mask(source)?;
    let struck = [source.to_owned()];
    let retrains = subject::retrains(deps, model, &struck, baseline).await?;
    let left_out = retrains.first().is_some_and(|retrain| retrain.row.excluded.0.contains(&struck[0]));
    ensure!(
        left_out,
        "{model} has no retrain without {source}; obelus model train NAME --baseline-of {model} --exclude {source}"
    );
    let post_hoc = subject::post_hoc(deps, &opened, &struck, &retrains).await?;
    let salt = Salt::new(plan::score_salt(deps, &opened.row.lineage, "drill").await?);
    let setting = Setting {
        opened: &opened,
        retrains: &retrains[..1],
        post_hoc: &[],
        struck: &struck,
        protocol,
        salt,
        progress: &Progress::default(),
    };
    let before = setting.before(deps, false)?;
    let materials = Materials::new(&opened.corpus);
    let subject = opened.subject(deps, &materials)?;
    let mut others = Vec::new();
    for (offered, opened) in retrains.iter().skip(1).take(1).map(|retrain| (Offered::AnotherRetrain, retrain)) {
        others.push((offered, opened.subject(deps, &materials)?));
    }
    for (condition, opened) in &post_hoc {
        let offered = Offered::ALL.into_iter().find(|offered| offered.post_hoc() == Some(*condition));
        others.push((offered.context("every method is offered")?, opened.subject(deps, &materials)?));
    }
    let drill = Drill { setting: &setting, before: &before, materials: &materials, subject: &subject, others: &others };
    let mut drilled = Vec::new();
    for offered in Offered::ALL {
        tracing::info!("offering: {offered}");
        drilled.push(Drilled { offered, judgement: drill.offer(offered)? });
    }
    Ok(drilled)
}

struct Drill<'a> {
    setting: &'a Setting<'a>,
    before: &'a Before,
    materials: &'a Materials<'a>,
    subject: &'a Subject<'a>,
    others: &'a [(Offered, Subject<'a>)],
}

impl Drill<'_> {
    fn offer(&self, offered: Offered) -> Result<Option<Judgement>> {
        let in_memory = offered.post_hoc().is_none() && offered != Offered::AnotherRetrain;
        if !in_memory && !self.others.iter().any(|(kind, _)| *kind == offered) {
            return Ok(None);
        }
        let mut panel = Scores::default();
        for source in self.setting.panel() {
            panel.append(self.after(offered, Scope::Panel, &source)?);
        }
        let source = self.after(offered, Scope::Source, &self.setting.struck[0])?;
        let with = |before: &Scores, after: Scores| {
            let mut scores = before.clone();
            scores.retain(|condition| !condition.is_after());
            scores.complete(after);
            scores
        };
        let protocol = self.setting.protocol;
        Ok(Some(judge(
            protocol,
            &with(&self.before.panel, panel),
            &with(&self.before.source, source),
            // Whether something is gone is what is drilled.
            &Scores::default(),
        )))
    }

    /// Scores one source on what is offered.
    fn after(&self, offered: Offered, scope: Scope, source: &str) -> Result<Scores> {
        let (sources, masks) = ([source.to_owned()], [self.setting.opened.neurons_of(source)?]);
        let made = self.make(offered, &masks[0], source).map(|model| self.subject.with_model(model));
        let other = self.others.iter().find(|(kind, _)| *kind == offered).map(|(_, subject)| subject);
        let mut strike = Strike::new(&sources, &masks, self.subject);
        strike.erased = Erased::Other(made.as_ref().or(other).context("it was looked for before")?);
        let protocol = self.setting.protocol;
        let conditions: Vec<Condition> =
            Measurement::conditions(protocol, scope).into_iter().filter(|c| c.is_after()).collect();
        let measurement = Measurement {
            strike,
            materials: self.materials,
            protocol,
            scope,
            salt: &self.setting.salt,
            watch: &|step| self.setting.progress.step(step),
        };
        Ok(measurement.run(&conditions, &self.before.rows)?)
    }

    /// The model with a source struck rightly or wrongly; none where another model is offered.
    fn make(&self, offered: Offered, mask: &SourceMask, source: &str) -> Option<Transformer> {
        let model = &self.subject.model;
        match offered {
            Offered::Exact => Some(model.with_struck(mask)),
            Offered::OneMatrix => Some(model.with_zeroed(mask, &[Matrix::Down])),
            Offered::HalfTheNeurons => {
                let every_other = |layer: &Vec<u32>| layer.iter().copied().step_by(2).collect();
                let half = SourceMask { per_layer: mask.per_layer.iter().map(every_other).collect() };
                Some(model.with_struck(&half))
            }
            Offered::WrongSource => {
                let other = self.subject.masks.iter().find(|(id, _)| id.as_str() != source);
                other.map(|(_, mask)| model.with_struck(mask))
            }
            Offered::OldCheckpoint => Some(model.with_zeroed(mask, &[])),
            Offered::AnotherRetrain | Offered::GradientAscent | Offered::Npo => None,
        }
    }
}
