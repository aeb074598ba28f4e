//! The answers of somebody who asks, and the request that they make. Not here: where they are kept in between (`draft.rs`), and
//! which page asks what (`question.rs`).

use obelus_casework::{
    declarations,
    filing::{FORMAT, FORMAT_DECLARED, Filing, Requester},
    public_match::PublicMatch,
};
use obelus_core::Timestamp;
use obelus_store::models::{Model, ModelStatus};
use serde::{Deserialize, Serialize};

use super::{ask::unfit, question::Question};
use crate::{
    form::{FieldErrors, Fields},
    problem::Problem,
};

/// All answers. Nothing prints them: they are personal data.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Answers {
    pub(super) name: String,
    pub(super) email: String,
    pub(super) regime: String,
    pub(super) model: String,
    pub(super) subject: String,
    pub(super) passage: String,
    pub(super) capacity: String,
    pub(super) authority: String,
    pub(super) statement: String,
    /// Names of what is declared.
    pub(super) declared: Vec<String>,
    /// What the register said to the model and subject as they are; none where nobody has looked.
    pub(super) matches: Option<Vec<PublicMatch>>,
}

impl Answers {
    /// Puts what a question's form says in the place of earlier answers to it.
    pub(super) fn take(&mut self, question: Question, fields: &Fields) {
        let line = |name: &str| fields.get(name).trim().to_owned();
        let text = |name: &str| fields.get(name).replace("\r\n", "\n").trim().to_owned();
        match question {
            Question::Who => (self.name, self.email) = (line("name"), line("email")),
            Question::Right => self.regime = line("regime"),
            Question::Model => self.model = line("model"),
            Question::Work => (self.subject, self.passage) = (text("subject"), text("passage")),
            Question::Authority => (self.capacity, self.authority) = (line("capacity"), line("authority")),
            Question::Statements => {
                self.statement = text("statement");
                self.declared = fields.all("declared").map(str::to_owned).collect();
            }
        }
    }

    /// The request that they make.
    pub(super) fn filing(&self, received_at: Timestamp) -> Filing {
        let declared = declarations::of(&self.regime).iter().filter(|one| self.declared.iter().any(|d| d == one.name));
        let declarations: Vec<String> = declared.map(|one| one.words.to_owned()).collect();
        let format = if declarations.is_empty() { FORMAT } else { FORMAT_DECLARED };
        Filing {
            format: format.to_owned(),
            regime: self.regime.clone(),
            model: self.model.clone(),
            sources: Vec::new(),
            requester: Some(Requester {
                name: self.name.clone(),
                email: self.email.clone(),
                capacity: self.capacity.clone(),
                authority: self.authority.clone(),
            }),
            statement: self.statement.clone(),
            subject: self.subject.clone(),
            passage: self.passage.clone(),
            declarations,
            received_at,
        }
    }

    /// What is wrong with them, all of it at once. `models` are all that there are.
    pub(super) fn errors(&self, models: &[Model], now: Timestamp) -> Result<FieldErrors, Problem> {
        let filing = self.filing(now);
        let mut errors = unfit(&filing)?;
        if !self.regime.is_empty() && !super::question::rights().any(|right| right.name == self.regime) {
            errors.add("regime", "Choose a law of the list");
        }
        if !self.model.is_empty() && !offered(models).any(|model| model.name == self.model) {
            errors.add("model", "Choose a model of the list");
        }
        if filing.declarations.len() < declarations::of(&self.regime).len() {
            errors.add("declared", "Read each statement and tick it, or do not send the request");
        }
        Ok(errors)
    }
}

/// The models that something can be taken out of: neither retrains to compare with nor controls.
pub(super) fn offered(models: &[Model]) -> impl Iterator<Item = &Model> {
    let stands = models.iter().filter(|model| model.baseline_of.is_none() && model.control.is_none());
    stands.filter(|model| !matches!(model.status, ModelStatus::Training | ModelStatus::Refused))
}
