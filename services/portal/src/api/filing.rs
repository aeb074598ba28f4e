//! Filing a request by a program, for whoever asks: checked like the form, and once for each key. Not here: the form
//! (`pages/requests/wizard.rs`).

use actix_web::http::header::HeaderName;
use obelus_casework::{
    NotThere, case,
    filing::{FORMAT, Filing, Requester},
};
use obelus_core::{Digest, Timestamp};
use obelus_ledger::canonical;
use obelus_store::{
    filings,
    one_time_links::{self, NewLink, Purpose},
    requests::Request,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    ApiCall, Reply,
    acts::{ids, tidy},
    cases::{Standing, standing},
    json,
};
use crate::{pages::requests::unfit, problem::Problem};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// How long the same key gives the same answer.
const KEY_US: i64 = 24 * 3_600_000_000;

/// A request to be filed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRequest {
    /// The law that the requester relies on: gdpr-art17, uk-gdpr, ccpa, dmca-512 or lgpd.
    #[schemars(length(min = 1))]
    regime: String,
    /// The model that it is about.
    #[schemars(length(min = 1))]
    model: String,
    #[serde(deserialize_with = "json::object")]
    requester: Asker,
    /// Sources that it names, where their ids are known.
    #[serde(default)]
    #[schemars(length(max = 1000), inner(length(min = 1)))]
    sources: Vec<String>,
    /// The work or person that it is about.
    #[serde(default)]
    subject: String,
    /// What is asked, and why, in the requester's words.
    #[serde(default)]
    statement: String,
    /// Text of the work, as the requester has it. One of sources, subject and passage must be there.
    #[serde(default)]
    passage: String,
}

/// Who asks.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Asker {
    #[schemars(length(min = 1, max = 320))]
    name: String,
    /// An address of electronic mail, where letters go.
    #[schemars(length(min = 3, max = 254), extend("format" = "email"))]
    email: String,
    #[schemars(extend("enum" = ["person", "rightsholder", "agent"]))]
    capacity: String,
    /// What gives an agent the right to act for somebody else.
    #[serde(default)]
    #[schemars(length(max = 320))]
    authority: String,
}

/// `POST /api/v1/requests`.
pub(crate) async fn file(call: ApiCall, body: NewRequest) -> Result<Reply<Standing>, Problem> {
    ids(&body.sources)?;
    let filing = filing(&call, body);
    let errors = unfit(&filing)?;
    if !errors.is_empty() {
        return Err(Problem::unfit_fields(&errors));
    }
    let (work, by, now) = (&call.portal.deps.work, &call.program()?.name, call.now());
    let Some(key) = key(&call)? else {
        let request = case::file(work, by, &filing).await.map_err(of_filing)?;
        return created(&call, &request).await;
    };
    if let Some(request) = filed_before(&call, &key, &filing).await? {
        return Ok(Reply::ok(standing(&call, &request).await?));
    }
    let expires_at = Timestamp::from_micros(now.as_micros().saturating_add(KEY_US));
    let filed = case::file_with(work, by, &filing, async |write, reference| {
        let (purpose, subject) = (Purpose::Filing, reference.to_owned());
        // In the same transaction: of two who file with the key at once, one does.
        one_time_links::make(write, NewLink { token_hash: key, purpose, subject, expires_at }, now).await?;
        Ok(())
    })
    .await;
    match filed {
        Ok(request) => created(&call, &request).await,
        Err(error) => match filed_before(&call, &key, &filing).await? {
            Some(request) => Ok(Reply::ok(standing(&call, &request).await?)),
            None => Err(of_filing(error)),
        },
    }
}

async fn created(call: &ApiCall, request: &Request) -> Result<Reply<Standing>, Problem> {
    let at = format!("/api/v1/cases/{}", request.reference);
    Ok(Reply::created(at, standing(call, request).await?))
}

fn filing(call: &ApiCall, body: NewRequest) -> Filing {
    let line = |text: String| text.trim().to_owned();
    let requester = Requester {
        name: line(body.requester.name),
        email: line(body.requester.email),
        capacity: body.requester.capacity,
        authority: line(body.requester.authority),
    };
    Filing {
        format: FORMAT.to_owned(),
        regime: body.regime,
        model: body.model,
        sources: body.sources,
        requester: Some(requester),
        statement: tidy(&body.statement),
        subject: tidy(&body.subject),
        passage: tidy(&body.passage),
        declarations: Vec::new(),
        received_at: call.now(),
    }
}

/// What the rules of cases say to a filing: a law, model or source that is not there is wrong in the body.
fn of_filing(error: anyhow::Error) -> Problem {
    match error.downcast_ref::<NotThere>() {
        Some(missing) => Problem::unfit(format!("{missing}.")),
        None => Problem::of_case(error),
    }
}

/// What is kept of the key that was sent, which is that of one token alone.
fn key(call: &ApiCall) -> Result<Option<Digest>, Problem> {
    let mut given = call.request.headers().get_all(KEY);
    let Some(key) = given.next() else { return Ok(None) };
    let fits = key.as_bytes().iter().all(u8::is_ascii_graphic) && (1..=200).contains(&key.len());
    if !fits || given.next().is_some() {
        let detail = "There is one Idempotency-Key, of 1 to 200 characters of ASCII without spaces. A UUID is good.";
        return Err(Problem::unreadable(detail));
    }
    let mut text = format!("obelus/filing/v1 {} ", call.program()?.token.id).into_bytes();
    text.extend_from_slice(key.as_bytes());
    Ok(Some(Digest::sha256(text)))
}

/// What was filed with a key; none when nothing was.
async fn filed_before(call: &ApiCall, key: &Digest, filing: &Filing) -> Result<Option<Request>, Problem> {
    let work = &call.portal.deps.work;
    let Some(used) = one_time_links::of_token(&work.db, key).await? else { return Ok(None) };
    if used.purpose != Purpose::Filing || used.expires_at.0 <= call.now() {
        return Err(Problem::key_reused());
    }
    let document = filings::get(&work.db, &used.subject).await?.and_then(|filed| filed.document);
    // One that is erased cannot be compared, and is not filed again.
    if let Some(document) = document {
        let before: Filing = canonical::from_bytes(&document).map_err(anyhow::Error::from)?;
        if (Filing { received_at: filing.received_at, ..before }) != *filing {
            return Err(Problem::key_reused());
        }
    }
    // It may have been cut off before its receipt was signed.
    case::acknowledge(work, &used.subject).await.map_err(Problem::of_case)?;
    case::existing(work, &used.subject).await.map(Some).map_err(Problem::of_case)
}
