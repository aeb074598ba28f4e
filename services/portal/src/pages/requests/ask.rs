//! The form of a request. Whoever sends it gets a session for this one request, and a signed receipt by letter.

use askama::Template;
use obelus_casework::{
    NotThere, case,
    filing::{BadFiling, FORMAT, Filing, Requester},
};
use obelus_core::{Digest, Timestamp};
use obelus_policy::{Regime, Start};
use obelus_store::{
    models::{self, ModelStatus},
    one_time_links::{self, NewLink, Purpose},
};

use super::open::begin;
use crate::{
    caller::Caller, dispatch::Call, forgery, form::FieldErrors, page::Layout, pages::sign_in::signed_in,
    problem::Problem, route::Answer, shown::Shown,
};

/// How long a form that was sent is known again.
const FORM_US: i64 = 24 * 3_600_000_000;

/// As whom somebody asks: what is kept, and what is shown.
const CAPACITIES: &[(&str, &str)] = &[
    ("person", "I am the person whom the data is about"),
    ("rightsholder", "I hold the rights to the work"),
    ("agent", "I act for somebody else"),
];

#[derive(Template)]
#[template(path = "request_new.html")]
struct AskPage {
    layout: Layout,
    errors: FieldErrors,
    regimes: Vec<Choice>,
    models: Vec<Choice>,
    capacities: Vec<Choice>,
    name: Shown,
    email: Shown,
    authority: Shown,
    subject: Shown,
    statement: Shown,
    passage: Shown,
}

struct Choice {
    value: String,
    words: Shown,
    chosen: bool,
}

/// `GET /request/new`.
pub(crate) async fn form(call: Call) -> Answer {
    call.show(&page(&call, FieldErrors::default()).await?)
}

async fn page(call: &Call, errors: FieldErrors) -> Result<AskPage, Problem> {
    let field = |name: &str| Shown::new(call.fields.get(name));
    let choice = |name: &str, value: &str, words: &str| Choice {
        value: value.to_owned(),
        words: Shown::new(words),
        chosen: call.fields.get(name) == value,
    };
    let mut regimes = Vec::new();
    for name in Regime::shipped_names() {
        let regime = Regime::shipped(name).and_then(|files| Regime::parse(files).ok());
        // One that knows standing duties only is nothing to file under.
        let Some(regime) = regime.filter(|regime| regime.clocks.iter().any(|c| c.starts == Start::Receipt)) else {
            continue;
        };
        regimes.push(choice("regime", name, &regime.title));
    }
    let models = models::list(&call.portal.deps.work.db).await?;
    // What stands for itself: neither a retrain to compare with nor a control.
    let offered = models.iter().filter(|m| m.baseline_of.is_none() && m.control.is_none());
    let offered = offered.filter(|m| !matches!(m.status, ModelStatus::Training | ModelStatus::Refused));
    let models = offered.map(|m| choice("model", &m.name, &m.name)).collect();
    Ok(AskPage {
        layout: call.form_layout("Ask for something to be taken out of a model")?,
        errors,
        regimes,
        models,
        capacities: CAPACITIES.iter().map(|(value, words)| choice("capacity", value, words)).collect(),
        name: field("name"),
        email: field("email"),
        authority: field("authority"),
        subject: field("subject"),
        statement: field("statement"),
        passage: field("passage"),
    })
}

/// `POST /request/new`.
pub(crate) async fn file(call: Call) -> Answer {
    if matches!(call.caller, Caller::Person(_)) {
        let detail = "You are signed in as somebody who works here. Sign out to ask for yourself; requests that came by \
                      another way are filed by obelus request file.";
        return Err(Problem::forbidden(detail));
    }
    let filing = filing(&call);
    let mut errors = unfit(&filing)?;
    if !errors.is_empty() {
        return call.show_again(&page(&call, errors).await?);
    }
    let reference = match file_once(&call, &filing).await {
        Err(error) if error.is::<NotThere>() => {
            errors.add("model", "Choose a law and a model of the lists");
            return call.show_again(&page(&call, errors).await?);
        }
        filed => filed.map_err(Problem::of_case)?,
    };
    let session = begin(&call, &reference).await?;
    Ok(signed_in(&call, session, &format!("/r/{reference}")))
}

/// Files a request once for each form that was shown: whoever presses the button twice is led to what the first press has made.
/// Gives its reference.
async fn file_once(call: &Call, filing: &Filing) -> anyhow::Result<String> {
    let (work, now) = (&call.portal.deps.work, call.now());
    // The code of a form is different each time that it is shown.
    let key = Digest::sha256(format!("obelus/filing-form/v1 {}", call.fields.get(forgery::FIELD)));
    let before =
        async || Ok::<_, anyhow::Error>(one_time_links::of_token(&work.db, &key).await?.map(|used| used.subject));
    if let Some(reference) = before().await? {
        return Ok(reference);
    }
    let expires_at = Timestamp::from_micros(now.as_micros().saturating_add(FORM_US));
    let filed = case::file_with(work, case::PORTAL, filing, async |write, reference| {
        let (purpose, subject) = (Purpose::Filing, reference.to_owned());
        one_time_links::make(write, NewLink { token_hash: key, purpose, subject, expires_at }, now).await?;
        Ok(())
    })
    .await;
    match filed {
        Ok(request) => Ok(request.reference),
        // The other press was faster.
        Err(error) => before().await?.ok_or(error),
    }
}

/// What is wrong with the fields of a filing by somebody from outside, each under its name in the form, and all of it at once.
pub(crate) fn unfit(filing: &Filing) -> Result<FieldErrors, Problem> {
    let mut errors = FieldErrors::default();
    for (field, given, what) in
        [("regime", &filing.regime, "Choose the law that you rely on"), ("model", &filing.model, "Choose the model")]
    {
        if given.is_empty() {
            errors.add(field, what);
        }
    }
    if filing.sources.is_empty() && [&filing.subject, &filing.passage].into_iter().all(String::is_empty) {
        errors.add("subject", "Say what it is about, or paste a passage of it");
    }
    let nobody = Requester::default();
    let who = filing.requester.as_ref().unwrap_or(&nobody);
    if !CAPACITIES.iter().any(|(value, _)| *value == who.capacity) {
        errors.add("capacity", "Choose as whom you ask");
    }
    if who.capacity == "agent" && who.authority.is_empty() {
        errors.add("authority", "Say for whom you act, and what gives you the right to");
    }
    for (field, given) in [("name", &who.name), ("email", &who.email)] {
        if given.is_empty() {
            errors.add(field, format!("{}: it is missing", label(field)));
        }
    }
    if let Err(error) = filing.to_bytes() {
        let bad: BadFiling = error.downcast()?;
        if errors.of(bad.field).is_none() {
            errors.add(bad.field, format!("{}: {}", label(bad.field), bad.reason));
        }
    }
    Ok(errors)
}

fn filing(call: &Call) -> Filing {
    let line = |name: &str| call.fields.get(name).trim().to_owned();
    let text = |name: &str| call.fields.get(name).replace("\r\n", "\n").trim().to_owned();
    Filing {
        format: FORMAT.to_owned(),
        regime: line("regime"),
        model: line("model"),
        sources: Vec::new(),
        requester: Some(Requester {
            name: line("name"),
            email: line("email"),
            capacity: line("capacity"),
            authority: line("authority"),
        }),
        statement: text("statement"),
        subject: text("subject"),
        passage: text("passage"),
        received_at: call.now(),
    }
}

/// A field as its form calls it.
fn label(field: &str) -> &'static str {
    match field {
        "name" => "Your name",
        "email" => "Your email address",
        "authority" => "For whom you act",
        "subject" => "What it is about",
        "statement" => "What you ask, and why",
        "passage" => "A passage of it",
        _ => "A field",
    }
}
