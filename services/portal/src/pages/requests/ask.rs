//! Sending a request. Whoever sends it gets a session for this one request, and a signed receipt by letter. Not here: the
//! questions (`wizard.rs`).

use obelus_casework::{
    NotThere, case,
    filing::{Filing, Requester},
};
use obelus_core::Timestamp;
use obelus_store::{
    models,
    one_time_links::{self, NewLink, Purpose},
    request_drafts,
};

use super::{answers::Answers, draft, open::begin, wizard};
use crate::{
    cookie::{self, Kind},
    dispatch::Call,
    form::FieldErrors,
    pages::sign_in::signed_in,
    problem::Problem,
    route::Answer,
    token::Token,
};

/// How long answers that were sent are known again.
const SENT_US: i64 = 24 * 3_600_000_000;

/// As whom somebody asks: what is kept, and what is shown.
pub(super) const CAPACITIES: &[(&str, &str)] = &[
    ("person", "I am the person whom the data is about"),
    ("rightsholder", "I hold the rights to the work"),
    ("agent", "I act for somebody else"),
];

/// `POST /request/new`: files what the pages have asked.
pub(crate) async fn file(call: Call) -> Answer {
    wizard::outsiders(&call)?;
    let token = draft::token(&call);
    let Some((token, answers)) = token.clone().zip(draft::answers(&call).await?) else {
        // They were sent already, or there are none.
        return match sent(&call, token.as_ref()).await? {
            Some(reference) => enter(&call, &reference).await,
            None => wizard::check_again(&call, &Answers::default()).await,
        };
    };
    let models = models::list(&call.portal.deps.work.db).await?;
    if !answers.errors(&models, call.now())?.is_empty() {
        return wizard::check_again(&call, &answers).await;
    }
    match file_once(&call, &token, &answers.filing(call.now())).await {
        Ok(reference) => enter(&call, &reference).await,
        // The model has gone since its name was looked at.
        Err(error) if error.is::<NotThere>() => wizard::check_again(&call, &answers).await,
        Err(error) => Err(Problem::of_case(error)),
    }
}

/// The way to a request for whoever has just sent it.
async fn enter(call: &Call, reference: &str) -> Answer {
    let session = begin(call, reference).await?;
    let mut answer = signed_in(call, session, &format!("/r/{reference}/sent"));
    let cookie = cookie::without(&call.portal.deps.settings.origin, Kind::Draft);
    answer.add_cookie(&cookie).map_err(anyhow::Error::from)?;
    Ok(answer)
}

/// The request that a browser's answers have become.
async fn sent(call: &Call, token: Option<&Token>) -> Result<Option<String>, Problem> {
    let Some(token) = token else { return Ok(None) };
    let link = one_time_links::of_token(&call.portal.deps.work.db, &draft::key(token)).await?;
    Ok(link.map(|link| link.subject))
}

/// Files a request once for each draft, and removes it: whoever presses the button twice is led to what the first press has
/// made. Gives its reference.
async fn file_once(call: &Call, token: &Token, filing: &Filing) -> anyhow::Result<String> {
    let (work, now) = (&call.portal.deps.work, call.now());
    let key = draft::key(token);
    let expires_at = Timestamp::from_micros(now.as_micros().saturating_add(SENT_US));
    let filed = case::file_with(work, case::PORTAL, filing, async |write, reference| {
        let (purpose, subject) = (Purpose::Filing, reference.to_owned());
        one_time_links::make(write, NewLink { token_hash: key, purpose, subject, expires_at }, now).await?;
        request_drafts::remove(write, &token.hash()).await?;
        Ok(())
    })
    .await;
    match filed {
        Ok(request) => Ok(request.reference),
        // The other press was faster.
        Err(error) => one_time_links::of_token(&work.db, &key).await?.map(|link| link.subject).ok_or(error),
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
    for bad in filing.faults()? {
        if errors.of(bad.field).is_none() {
            errors.add(bad.field, format!("{}: {}", label(bad.field), bad.reason));
        }
    }
    Ok(errors)
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
