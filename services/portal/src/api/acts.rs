//! The steps of a case, by programs. Whether they may is asked by the room of cases, on the case, as for pages. Approving and
//! releasing stand in the table to be refused: they take a password that was just entered.

use anyhow::Result;
use obelus_casework::{
    Deps, case, decision,
    triage::{self as finding, NotGranted},
};
use obelus_store::case_questions::QuestionKind;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    ApiCall, Reply,
    cases::{Standing, standing},
};
use crate::problem::Problem;

type Stands = Result<Reply<Standing>, Problem>;

/// Takes a step and says how the case stands.
async fn done(call: &ApiCall, step: impl AsyncFnOnce(&Deps, &str, &str) -> Result<()>) -> Stands {
    let (work, by, reference) = (&call.portal.deps.work, &call.program()?.name, call.reference()?);
    step(work, by, reference).await.map_err(Problem::of_case)?;
    let request = case::existing(work, reference).await.map_err(Problem::of_case)?;
    Ok(Reply::ok(standing(call, &request).await?))
}

/// Lines end as in the portal's own forms.
pub(super) fn tidy(text: &str) -> String {
    text.replace("\r\n", "\n").trim().to_owned()
}

/// Nothing: `{}`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// What is asked about.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum About {
    Identity,
    Scope,
}

/// A question to the requester.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asking {
    /// Who they are, or what they mean.
    kind: About,
    /// As the requester reads it.
    #[schemars(length(min = 1))]
    question: String,
}

/// `POST /api/v1/cases/{reference}/ask`.
pub(crate) async fn ask(call: ApiCall, Asking { kind, question }: Asking) -> Stands {
    let (kind, question) = match kind {
        About::Identity => (QuestionKind::Identity, tidy(&question)),
        About::Scope => (QuestionKind::Scope, tidy(&question)),
    };
    done(&call, async |work, by, reference| finding::ask(work, by, reference, kind, &question).await).await
}

/// An answer that came by another way.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answering {
    #[schemars(length(min = 1))]
    answer: String,
}

/// `POST /api/v1/cases/{reference}/answer`.
pub(crate) async fn answer(call: ApiCall, body: Answering) -> Stands {
    let answer = tidy(&body.answer);
    done(&call, async |work, by, reference| finding::answer(work, by, reference, &answer).await).await
}

/// Sources that the request means.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sources {
    /// Their ids, as the portal finds them.
    #[schemars(length(min = 1, max = 1000), inner(length(min = 1)))]
    sources: Vec<String>,
}

/// `POST /api/v1/cases/{reference}/sources`.
pub(crate) async fn match_sources(call: ApiCall, Sources { sources }: Sources) -> Stands {
    ids(&sources)?;
    if sources.is_empty() {
        return Err(Problem::unfit("Name at least one source."));
    }
    done(&call, async |work, by, reference| finding::match_sources(work, by, reference, &sources).await).await
}

/// Makes sure that texts can be ids, and are not more than anybody means.
pub(super) fn ids(sources: &[String]) -> Result<(), Problem> {
    if sources.len() > 1000 {
        return Err(Problem::unfit("There are more than 1000 sources. Name them in several steps."));
    }
    if sources.iter().any(|id| id.is_empty() || id.contains(char::is_control)) {
        return Err(Problem::unfit("An id of a source is not empty and holds no control characters."));
    }
    Ok(())
}

fn is_code(code: &str) -> Result<(), Problem> {
    let missing = || {
        Problem::unfit("`code` is none of the codes by which requests are refused; /api/v1/openapi.json lists them.")
    };
    decision::REFUSAL_CODES.contains(&code).then_some(()).ok_or_else(missing)
}

/// `POST /api/v1/cases/{reference}/triage`.
pub(crate) async fn triage(call: ApiCall, _: Nothing) -> Stands {
    done(&call, async |work, by, reference| finding::triage(work, by, reference).await).await
}

/// Sources for which the request is refused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Partly {
    #[schemars(length(min = 1, max = 1000), inner(length(min = 1)))]
    sources: Vec<String>,
    #[schemars(extend("enum" = decision::REFUSAL_CODES))]
    code: String,
    /// As the requester reads it.
    #[schemars(length(min = 1))]
    reason: String,
}

/// `POST /api/v1/cases/{reference}/partially`.
pub(crate) async fn partially(call: ApiCall, Partly { sources, code, reason }: Partly) -> Stands {
    ids(&sources)?;
    is_code(&code)?;
    let reason = tidy(&reason);
    let not = |source| NotGranted { source, code: code.clone(), reason: reason.clone() };
    let refused: Vec<NotGranted> = sources.into_iter().map(not).collect();
    done(&call, async |work, by, reference| finding::grant_partially(work, by, reference, &refused).await).await
}

/// `POST /api/v1/cases/{reference}/suppress`.
pub(crate) async fn suppress(call: ApiCall, _: Nothing) -> Stands {
    done(&call, async |work, by, reference| finding::suppress(work, by, reference).await).await
}

/// Why it takes longer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Longer {
    /// As the requester reads them.
    #[schemars(length(min = 1))]
    reasons: String,
}

/// `POST /api/v1/cases/{reference}/extend`.
pub(crate) async fn extend(call: ApiCall, body: Longer) -> Stands {
    let reasons = tidy(&body.reasons);
    done(&call, async |work, by, reference| decision::extend(work, by, reference, &reasons).await).await
}

/// `POST /api/v1/cases/{reference}/hold`.
pub(crate) async fn hold(call: ApiCall, _: Nothing) -> Stands {
    done(&call, async |work, by, reference| decision::hold(work, by, reference).await.map(drop)).await
}

/// Another request that asks for the same.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Same {
    /// Its reference.
    #[schemars(regex(pattern = "^[A-Za-z0-9-]{1,40}$"))]
    of: String,
}

/// `POST /api/v1/cases/{reference}/duplicate`.
pub(crate) async fn duplicate(call: ApiCall, Same { of }: Same) -> Stands {
    done(&call, async |work, by, reference| decision::mark_duplicate(work, by, reference, &of).await).await
}

/// `POST /api/v1/cases/{reference}/withdraw`.
pub(crate) async fn withdraw(call: ApiCall, _: Nothing) -> Stands {
    done(&call, async |work, by, reference| decision::withdraw(work, by, reference).await).await
}

/// Why a request is refused.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refusal {
    #[schemars(extend("enum" = decision::REFUSAL_CODES))]
    code: String,
    /// As the requester reads it.
    #[schemars(length(min = 1))]
    reason: String,
}

/// `POST /api/v1/cases/{reference}/refuse`.
pub(crate) async fn refuse(call: ApiCall, Refusal { code, reason }: Refusal) -> Stands {
    is_code(&code)?;
    let reason = tidy(&reason);
    done(&call, async |work, by, reference| decision::refuse(work, by, reference, &code, &reason).await).await
}

/// `POST /api/v1/cases/{reference}/undo`.
pub(crate) async fn undo(call: ApiCall, _: Nothing) -> Stands {
    done(&call, async |work, by, reference| decision::undo(work, by, reference).await).await
}

/// What takes a person: it is refused before it is read (`entrance.rs`).
pub(crate) async fn by_a_person(_: ApiCall, _: Nothing) -> Stands {
    Err(Problem::not_by_token())
}
