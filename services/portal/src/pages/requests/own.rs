//! A request for whoever made it: where it stands, by when they have an answer, what they are asked, and taking it back.

use actix_web::{
    HttpResponse,
    http::header::{CONTENT_DISPOSITION, CONTENT_TYPE},
};
use askama::Template;
use obelus_casework::{case, clocks, decision, exhibits, notices, triage};
use obelus_ledger::statement::RequestReceipt;
use obelus_policy::{Regime, RegimeFiles};
use obelus_store::{
    case_notices::{self, NoticeKind},
    case_questions, certificates, filings,
    requests::{RequestState, is_reversible},
};

use crate::{
    dispatch::{Call, see_other},
    page::{self, Layout},
    problem::Problem,
    route::Answer,
    shown::Shown,
};

#[derive(Template)]
#[template(path = "request.html")]
struct OwnPage {
    layout: Layout,
    reference: Shown,
    received: String,
    /// Where it stands, and what happens next.
    stands: &'static str,
    next: &'static str,
    reason: Option<Shown>,
    answer_by: Option<String>,
    question: Option<Shown>,
    has_receipt: bool,
    certificates: Vec<Shown>,
    may_withdraw: bool,
    /// A complaint that is looked into.
    complaint: Option<Shown>,
    /// Whom else to complain to.
    authority: Option<Shown>,
}

/// `GET /r/{reference}`.
pub(crate) async fn show(call: Call) -> Answer {
    let (work, reference) = (&call.portal.deps.work, call.reference()?);
    let request = case::existing(work, reference).await.map_err(Problem::of_case)?;
    let (stands, next) = in_words(request.state);
    let open = case_questions::of_request(&work.db, reference).await?;
    let open = open.into_iter().find(|question| question.answered_at.is_none());
    let running = clocks::of(work, &request).await?.map(|clocks| clocks.running).unwrap_or_default();
    let answer = running.into_iter().find(|clock| clock.clock == "answer").and_then(|clock| clock.statutory);
    let receipt = filings::get(&work.db, reference).await?.and_then(|filing| filing.receipt);
    let issued = certificates::of_request(&work.db, reference).await?;
    let complaint = case_notices::open(&work.db, reference, NoticeKind::Complaint).await?;
    let regime = request.regime_file.as_deref().zip(request.calendar_file.as_deref());
    let regime = regime.and_then(|(regime, calendar)| Regime::parse(RegimeFiles { regime, calendar }).ok());
    let page = OwnPage {
        layout: call.form_layout(&format!("Your request {reference}"))?,
        reference: Shown::new(reference),
        received: page::time(request.received_at.0),
        stands,
        next,
        reason: request.refusal_reason.as_deref().map(Shown::new),
        answer_by: answer.filter(|_| is_reversible(request.state)).map(|day| page::day(&day)),
        question: open.map(|question| Shown::new(&question.question)),
        has_receipt: receipt.is_some(),
        certificates: issued.iter().map(|row| Shown::new(&row.id)).collect(),
        may_withdraw: is_reversible(request.state),
        complaint: complaint.map(|notice| Shown::new(&notice.words)),
        authority: regime.and_then(|regime| regime.complaints_to).map(|authority| Shown::new(&authority)),
    };
    call.show(&page)
}

#[derive(Template)]
#[template(path = "request_sent.html")]
struct SentPage {
    layout: Layout,
    reference: Shown,
    has_receipt: bool,
    answer_by: Option<String>,
}

/// `GET /r/{reference}/sent`: the reference, for whoever has just got it.
pub(crate) async fn sent(call: Call) -> Answer {
    let (work, reference) = (&call.portal.deps.work, call.reference()?);
    let request = case::existing(work, reference).await.map_err(Problem::of_case)?;
    let running = clocks::of(work, &request).await?.map(|clocks| clocks.running).unwrap_or_default();
    let answer = running.into_iter().find(|clock| clock.clock == "answer").and_then(|clock| clock.statutory);
    let receipt = filings::get(&work.db, reference).await?.and_then(|filing| filing.receipt);
    call.show(&SentPage {
        layout: call.layout("Your request is sent")?,
        reference: Shown::new(reference),
        has_receipt: receipt.is_some(),
        answer_by: answer.map(|day| page::day(&day)),
    })
}

/// Where a request stands and what happens next, for somebody who has never heard of models.
fn in_words(state: RequestState) -> (&'static str, &'static str) {
    use RequestState::*;
    match state {
        Received | Acknowledged => ("We have your request.", "We find out what it is about, and may ask you."),
        IdentityPending => ("We need to know who asks.", "Answer the question below; then we go on."),
        ScopePending => ("We need to know what is meant.", "Answer the question below; then we go on."),
        Triaged => ("We know what your request is about.", "The sources are switched off, then people decide."),
        PartiallyGranted => ("Your request is granted in part.", "A letter says what is refused, and why."),
        Suppressed | ImpactAssessed => ("The sources are switched off.", "Two people have to approve the removal."),
        ApprovedOnce => ("One person has approved the removal.", "A second person has to approve it."),
        ApprovedTwice | WindowOpen => {
            ("Your request is granted.", "The removal begins once the time for objections is over.")
        }
        Zeroing => ("The removal is under way.", "Then it is tested whether it worked."),
        Verifying => ("The removal is done.", "It is being tested whether it worked."),
        Certified => ("The removal is certified.", "The certificate can be checked without us."),
        CertifiedWithResidual => {
            ("The removal is certified, and something remains.", "The certificate says what was still found.")
        }
        VerificationFailed => ("The tests did not confirm the removal.", "What was found is examined."),
        Refused => ("Your request is refused.", "A letter says why, and what you can do."),
        Withdrawn => ("You have taken your request back.", "Nothing more happens."),
        DuplicateOf => ("Another request asks for the same.", "That one is gone on with."),
        Restored => ("The sources are used again.", "A letter says why."),
    }
}

/// `POST /r/{reference}/answer`.
pub(crate) async fn answer(call: Call) -> Answer {
    let (work, reference) = (&call.portal.deps.work, call.reference()?);
    let answer = call.text("answer")?;
    triage::answer(work, case::PORTAL, reference, &answer).await.map_err(Problem::of_case)?;
    Ok(see_other(&format!("/r/{reference}")))
}

/// `POST /r/{reference}/complain`.
pub(crate) async fn complain(call: Call) -> Answer {
    let (work, reference) = (&call.portal.deps.work, call.reference()?);
    let words = call.text("words")?;
    notices::complaint(work, case::PORTAL, reference, "", &words).await.map_err(Problem::of_case)?;
    Ok(see_other(&format!("/r/{reference}")))
}

/// `POST /r/{reference}/withdraw`.
pub(crate) async fn withdraw(call: Call) -> Answer {
    let (work, reference) = (&call.portal.deps.work, call.reference()?);
    decision::withdraw(work, case::PORTAL, reference).await.map_err(Problem::of_case)?;
    Ok(see_other(&format!("/r/{reference}")))
}

/// `GET /r/{reference}/receipt`: the signed receipt with its place in the log.
pub(crate) async fn receipt(call: Call) -> Answer {
    let (work, reference) = (&call.portal.deps.work, call.reference()?);
    let missing = || Problem::not_found("There is no receipt yet. Open the page of your request again in a minute.");
    let receipt = filings::get(&work.db, reference).await?.and_then(|filing| filing.receipt).ok_or_else(missing)?;
    let bundle = exhibits::bundled::<RequestReceipt>(work, &receipt.0).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{reference}-receipt.json\"")))
        .body(bundle))
}
