//! What is done in a case, each by a form on its page; afterwards the page is shown again. Whether somebody may is asked by
//! the room of cases, on the case. Not here: what a worker does for a case (`work.rs`).

use anyhow::Result;
use obelus_casework::{
    Deps, decision, notices,
    triage::{self as finding, NotGranted},
};
use obelus_store::case_questions::QuestionKind;

use crate::{
    dispatch::{Call, see_other},
    problem::Problem,
    route::Answer,
};

/// Takes a step and leads back to the case.
pub(super) async fn done(call: &Call, step: impl AsyncFnOnce(&Deps, &str, &str) -> Result<()>) -> Answer {
    let (work, by, reference) = (&call.portal.deps.work, &call.person()?.name, call.reference()?);
    step(work, by, reference).await.map_err(Problem::of_case)?;
    Ok(see_other(&format!("/cases/{reference}")))
}

/// `POST /cases/{reference}/ask`.
pub(crate) async fn ask(call: Call) -> Answer {
    let kind = match call.fields.get("kind") {
        "identity" => QuestionKind::Identity,
        "scope" => QuestionKind::Scope,
        _ => return Err(Problem::unreadable("Choose whether you ask who it is or what is meant.")),
    };
    let question = call.text("question")?;
    done(&call, async |work, by, reference| finding::ask(work, by, reference, kind, &question).await).await
}

/// `POST /cases/{reference}/answer`: one that came by another way.
pub(crate) async fn answer(call: Call) -> Answer {
    let answer = call.text("answer")?;
    done(&call, async |work, by, reference| finding::answer(work, by, reference, &answer).await).await
}

/// `POST /cases/{reference}/sources`: one id on each line, and those that are ticked.
pub(crate) async fn match_sources(call: Call) -> Answer {
    let written = call.text("sources")?;
    let ids = written.lines().chain(call.fields.all("source"));
    let ids: Vec<String> = ids.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty()).collect();
    if ids.iter().any(|id| id.contains(char::is_control)) {
        return Err(Problem::unreadable("An id of a source holds no control characters. Choose one that is listed."));
    }
    if ids.is_empty() {
        return Err(Problem::unreadable("Name at least one source, one on each line."));
    }
    done(&call, async |work, by, reference| finding::match_sources(work, by, reference, &ids).await).await
}

/// `POST /cases/{reference}/triage`.
pub(crate) async fn triage(call: Call) -> Answer {
    done(&call, async |work, by, reference| finding::triage(work, by, reference).await).await
}

/// `POST /cases/{reference}/partially`: for the ticked sources it is refused.
pub(crate) async fn partially(call: Call) -> Answer {
    let (code, reason) = (call.text("code")?, call.text("reason")?);
    let refused: Vec<NotGranted> = call
        .fields
        .all("source")
        .map(|source| NotGranted { source: source.to_owned(), code: code.clone(), reason: reason.clone() })
        .collect();
    done(&call, async |work, by, reference| finding::grant_partially(work, by, reference, &refused).await).await
}

/// `POST /cases/{reference}/suppress`.
pub(crate) async fn suppress(call: Call) -> Answer {
    done(&call, async |work, by, reference| finding::suppress(work, by, reference).await).await
}

/// `POST /cases/{reference}/approve`: of the plan whose digest the page has shown, and of no other.
pub(crate) async fn approve(call: Call) -> Answer {
    let seen = call.text("plan")?;
    done(&call, async |work, by, reference| {
        let now = obelus_casework::case::existing(work, reference).await?.plan_digest;
        let same = now.is_some_and(|digest| digest.to_string() == seen);
        anyhow::ensure!(same, "The plan is not the one that you have read; read the case again");
        decision::approve(work, by, reference).await.map(drop)
    })
    .await
}

/// `POST /cases/{reference}/refuse`.
pub(crate) async fn refuse(call: Call) -> Answer {
    let (code, reason) = (call.text("code")?, call.text("reason")?);
    done(&call, async |work, by, reference| decision::refuse(work, by, reference, &code, &reason).await).await
}

/// `POST /cases/{reference}/extend`.
pub(crate) async fn extend(call: Call) -> Answer {
    let reasons = call.text("reasons")?;
    done(&call, async |work, by, reference| decision::extend(work, by, reference, &reasons).await).await
}

/// `POST /cases/{reference}/hold`.
pub(crate) async fn hold(call: Call) -> Answer {
    done(&call, async |work, by, reference| decision::hold(work, by, reference).await.map(drop)).await
}

/// `POST /cases/{reference}/release`.
pub(crate) async fn release(call: Call) -> Answer {
    done(&call, async |work, by, reference| decision::release(work, by, reference).await.map(drop)).await
}

/// `POST /cases/{reference}/undo`.
pub(crate) async fn undo(call: Call) -> Answer {
    done(&call, async |work, by, reference| decision::undo(work, by, reference).await).await
}

/// `POST /cases/{reference}/duplicate`.
pub(crate) async fn duplicate(call: Call) -> Answer {
    let other = call.text("other")?;
    done(&call, async |work, by, reference| decision::mark_duplicate(work, by, reference, &other).await).await
}

/// `POST /cases/{reference}/objection`: a counter-notice that came.
pub(crate) async fn objection(call: Call) -> Answer {
    let (sender, words) = (call.text("sender")?, call.text("words")?);
    done(&call, async |work, by, reference| notices::counter_notice(work, by, reference, &sender, &words).await).await
}

/// `POST /cases/{reference}/complaint`: one that came by another way than the requester's page.
pub(crate) async fn complaint(call: Call) -> Answer {
    let words = call.text("words")?;
    done(&call, async |work, by, reference| notices::complaint(work, by, reference, "", &words).await).await
}

/// `POST /cases/{reference}/settle`: what came of a notice.
pub(crate) async fn settle(call: Call) -> Answer {
    let outcome = call.text("outcome")?;
    let number = call.fields.get("notice").parse();
    let number =
        number.map_err(|_| Problem::unreadable("Choose the notice that is settled, on the page of its case."))?;
    done(&call, async |work, by, reference| notices::settle(work, by, reference, number, &outcome).await).await
}
