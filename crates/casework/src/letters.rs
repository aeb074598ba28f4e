//! Letters about a case, put into the outbox in the transaction of the step that they tell: a step that is rolled back leaves no
//! letter. A case that nobody from outside asked for has none, and neither has one whose filing was erased.
//!
//! Not here: their words and how they leave (`obelus-notify`).

use anyhow::{Context as _, Result};
use obelus_core::Timestamp;
use obelus_ledger::canonical;
use obelus_notify::{
    Block, Line, Lines, Link, Mailbox,
    letter::{
        Case, Certificate, Complaint, CounterNotice, Day, Decision, Execution, Extension, Failure, Matter, Moment,
        OneTimeLink, Operator, Part, Question, Receipt, Reference, Refusal, Residual, Restoration, Sources, Withdrawal,
        compose, compose_link,
    },
};
use obelus_policy::{Regime, RegimeFiles, day_of};
use obelus_store::{
    Read, Write,
    case_questions::QuestionKind,
    filings, outbox,
    requests::{self, Request},
};

use crate::{Deps, clocks, filing::Filing, triage::NotGranted};

/// Whom to complain to where a regime names nobody.
const ANY_AUTHORITY: &str = "the authority that supervises us";

/// What happens after tests that did not confirm a removal.
const AFTER_FAILURE: &str = "The sources stay switched off. What was found is examined, what remains is removed where it can \
                             be, and the tests are run again. You are told what they find.";

/// What became of a verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Certified.
    Certified,
    /// Certified, and something remains.
    WithResidual,
    /// Not verified.
    Failed,
}

/// Tells that a request was received, in the words of whoever asked.
pub(crate) async fn received(deps: &Deps, write: &Write, reference: &str) -> Result<()> {
    tell(deps, write, reference, async |filing, _| {
        let asked = [filing.subject.as_str(), &filing.statement, &filing.sources.join("\n"), &filing.passage];
        let asked: Vec<_> = asked.into_iter().filter(|text| !text.trim().is_empty()).collect();
        Ok(Matter::Receipt(Receipt { asked: Block::new(&asked.join("\n\n")) }))
    })
    .await
}

/// Tells what must be known.
pub(crate) async fn asked(
    deps: &Deps,
    write: &Write,
    reference: &str,
    kind: QuestionKind,
    question: &str,
) -> Result<()> {
    tell(deps, write, reference, async |_, request| {
        let clock_pauses = clocks::pauses(request, kind)?;
        let question = Question { asked: Block::new(question), until: None, clock_pauses };
        Ok(match kind {
            QuestionKind::Identity => Matter::IdentityNeeded(question),
            QuestionKind::Scope => Matter::ScopeNeeded(question),
        })
    })
    .await
}

/// Passes a counter-notice on. A regime that does not say when the sources are put back leaves it to whoever works on the case.
pub(crate) async fn objected(deps: &Deps, write: &Write, reference: &str, words: &str) -> Result<()> {
    let request = requests::get(write, reference).await?.context("a letter is about a request")?;
    let running = clocks::read(deps, write, &request).await?.map(|clocks| clocks.running).unwrap_or_default();
    let put_back = running.into_iter().find_map(|clock| clock.not_before.zip(clock.statutory));
    let Some((not_before, not_after)) = put_back else { return Ok(()) };
    let (not_before, not_after) = (Day(not_before.parse()?), Day(not_after.parse()?));
    let copy = Block::new(words);
    tell(deps, write, reference, async |_, _| {
        Ok(Matter::CounterNoticeReceived(CounterNotice { copy, not_before, not_after }))
    })
    .await
}

/// Tells that a complaint came.
pub(crate) async fn complained(deps: &Deps, write: &Write, reference: &str, words: &str) -> Result<()> {
    let (complaint, received) = (Block::new(words), today(deps)?);
    // What the law gives is a day for the receipt, which this is, and none for the answer.
    tell(deps, write, reference, async |_, _| {
        Ok(Matter::ComplaintReceived(Complaint { complaint, received, answer_by: None }))
    })
    .await
}

/// Tells that it takes longer, and why. A regime that extends no clock with a last day has nothing to tell.
pub(crate) async fn extended(deps: &Deps, write: &Write, reference: &str, reasons: &str) -> Result<()> {
    tell(deps, write, reference, async |_, request| {
        let (answer_by, _) = days(deps, write, request).await?;
        let answer_by = answer_by.context("an extended clock has a last day")?;
        Ok(Matter::Extension(Extension { reasons: Block::new(reasons), answer_by }))
    })
    .await
}

/// Tells that the sources are switched off.
pub(crate) async fn suppressed(deps: &Deps, write: &Write, reference: &str) -> Result<()> {
    tell(deps, write, reference, async |_, _| {
        Ok(Matter::Suppressed(Sources { sources: sources(write, reference).await? }))
    })
    .await
}

/// Tells that the sources are used again.
pub(crate) async fn restored(deps: &Deps, write: &Write, reference: &str, reason: &str) -> Result<()> {
    tell(deps, write, reference, async |_, _| {
        let (sources, on) = (sources(write, reference).await?, today(deps)?);
        Ok(Matter::Restored(Restoration { sources, reason: Block::new(reason), on }))
    })
    .await
}

/// Tells that the request is refused, and why.
pub(crate) async fn refused(deps: &Deps, write: &Write, reference: &str, code: &str, reason: &str) -> Result<()> {
    tell(deps, write, reference, async |_, _| {
        Ok(Matter::Refused(Refusal { code: Line::new(code), reason: Block::new(reason) }))
    })
    .await
}

/// Tells for which sources it is refused.
pub(crate) async fn partly(deps: &Deps, write: &Write, reference: &str, not: &[NotGranted]) -> Result<()> {
    tell(deps, write, reference, async |_, _| {
        let ids = requests::sources(write, reference).await?;
        let granted: Vec<_> = ids.into_iter().filter(|id| not.iter().all(|not| not.source != *id)).collect();
        let refused: Vec<_> = not.iter().map(|not| not.source.as_str()).collect();
        let mut codes: Vec<_> = not.iter().map(|not| not.code.as_str()).collect();
        codes.dedup();
        let reasons: Vec<_> = not.iter().map(|not| format!("{}: {}", not.source, not.reason)).collect();
        Ok(Matter::PartiallyGranted(Part {
            granted: Block::new(&granted.join("\n")),
            refused: Block::new(&refused.join("\n")),
            code: Line::new(&codes.join(", ")),
            reason: Block::new(&reasons.join("\n")),
        }))
    })
    .await
}

/// Tells that the request was withdrawn.
pub(crate) async fn withdrawn(deps: &Deps, write: &Write, reference: &str) -> Result<()> {
    tell(deps, write, reference, async |_, _| Ok(Matter::Withdrawn(Withdrawal { on: today(deps)? }))).await
}

/// Tells that the request is granted, and from when on anything is zeroed.
pub(crate) async fn decided(deps: &Deps, write: &Write, reference: &str, window_end: Timestamp) -> Result<()> {
    tell(deps, write, reference, async |_, _| {
        let sources = sources(write, reference).await?;
        let not_before = (window_end > deps.now()).then(|| day(deps, window_end)).transpose()?;
        Ok(Matter::Decided(Decision { sources, not_before }))
    })
    .await
}

/// Tells that the sources' rows are zero.
///
/// # Errors
/// When the database fails, or a time zone or regime cannot be read.
pub async fn executed(deps: &Deps, write: &Write, reference: &str) -> Result<()> {
    tell(deps, write, reference, async |_, request| {
        let (sources, models) = (sources(write, reference).await?, Lines::new([&request.model]));
        Ok(Matter::Executed(Execution { sources, models, on: today(deps)? }))
    })
    .await
}

/// Tells what the verification came to, with what it found where something remains.
///
/// # Errors
/// When the database fails, or a time zone or regime cannot be read.
pub async fn concluded(
    deps: &Deps,
    write: &Write,
    reference: &str,
    outcome: Outcome,
    certificate: (&str, Timestamp),
    findings: &[String],
) -> Result<()> {
    tell(deps, write, reference, async |_, _| {
        let (id, until) = certificate;
        let (certificate, valid_until) = (Reference::new(id)?, day(deps, until)?);
        let found = Block::new(&findings.join("\n"));
        Ok(match outcome {
            Outcome::Certified => Matter::Certified(Certificate { certificate, valid_until }),
            Outcome::WithResidual => {
                Matter::CertifiedWithResidual(Residual { certificate, valid_until, residual: found })
            }
            Outcome::Failed => Matter::VerificationFailed(Failure { finding: found, next: Block::new(AFTER_FAILURE) }),
        })
    })
    .await
}

/// Tells that a repeated test does not confirm the removal any more, so that its certificate is suspended.
///
/// # Errors
/// When the database fails, or a time zone or regime cannot be read.
pub async fn reopened(deps: &Deps, write: &Write, reference: &str, certificate: &str) -> Result<()> {
    tell(deps, write, reference, async |_, _| {
        let finding = format!("A repeated test found more than the certificate {certificate} says. It is suspended.");
        let (finding, next) = (Block::new(&finding), Block::new(AFTER_FAILURE));
        Ok(Matter::VerificationFailed(Failure { finding, next }))
    })
    .await
}

/// Sends a link that opens the page of a request once.
///
/// # Errors
/// When the link cannot be one, or the database fails.
pub async fn link(
    deps: &Deps,
    write: &Write,
    reference: &str,
    to: &Mailbox,
    link: &str,
    until: Timestamp,
) -> Result<()> {
    let link =
        OneTimeLink { reference: Some(Reference::new(reference)?), link: Link::new(link)?, until: Moment(until) };
    let letter = compose_link(&operator(deps), &link, to, deps.now())?;
    outbox::enqueue(write, letter, deps.now()).await?;
    Ok(())
}

/// Puts a letter into the outbox, where there is somebody to write to.
async fn tell(
    deps: &Deps,
    write: &Write,
    reference: &str,
    matter: impl AsyncFnOnce(&Filing, &Request) -> Result<Matter>,
) -> Result<()> {
    let document = filings::get(write, reference).await?.and_then(|filing| filing.document);
    let Some(document) = document else { return Ok(()) };
    let filing: Filing = canonical::from_bytes(&document).context("what was filed cannot be read any more")?;
    let Some(requester) = &filing.requester else { return Ok(()) };
    let to: Mailbox = requester.email.parse().context("the requester's address")?;
    let request = requests::get(write, reference).await?.context("a letter is about a request")?;
    let matter = matter(&filing, &request).await?;
    let letter = compose(&operator(deps), &about(deps, write, &request).await?, &matter, &to, deps.now())?;
    outbox::enqueue(write, letter, deps.now()).await?;
    Ok(())
}

fn operator(deps: &Deps) -> Operator {
    let settings = &deps.settings;
    let from = settings.smtp.as_ref().map(|smtp| smtp.from.as_str());
    let contact = settings.contact.as_deref().or(from).unwrap_or(&settings.operator);
    Operator { name: Line::new(&settings.operator), contact: Line::new(contact) }
}

async fn about(deps: &Deps, db: &impl Read, request: &Request) -> Result<Case> {
    let regime = regime(request)?;
    let title = regime.as_ref().map_or(request.regime.as_str(), |regime| &regime.title);
    let authority = regime.as_ref().and_then(|regime| regime.complaints_to.as_deref()).unwrap_or(ANY_AUTHORITY);
    let (answer_by, aim) = days(deps, db, request).await?;
    Ok(Case {
        reference: Reference::new(&request.reference)?,
        regime: Line::new(title),
        received: day(deps, request.received_at.0)?,
        answer_by,
        aim,
        authority: Line::new(authority),
        page: page(deps, &request.reference)?,
    })
}

/// The requester's page, where the settings say how the portal is seen.
fn page(deps: &Deps, reference: &str) -> Result<Option<Link>> {
    let link = deps.settings.portal.as_deref().map(|portal| format!("{}/r/{reference}", portal.trim_end_matches('/')));
    link.map(|link| Link::new(&link).context("portal in obelus.toml")).transpose()
}

fn regime(request: &Request) -> Result<Option<Regime>> {
    let files = request.regime_file.as_deref().zip(request.calendar_file.as_deref());
    Ok(files.map(|(regime, calendar)| Regime::parse(RegimeFiles { regime, calendar })).transpose()?)
}

/// The last day of the answer, and the one that is safe on every reading.
async fn days(deps: &Deps, db: &impl Read, request: &Request) -> Result<(Option<Day>, Option<Day>)> {
    let clocks = clocks::read(deps, db, request).await?;
    let answer = clocks.and_then(|clocks| clocks.running.into_iter().find(|clock| clock.clock == "answer"));
    let Some(answer) = answer else { return Ok((None, None)) };
    let day = |text: Option<String>| text.map(|text| text.parse().map(Day)).transpose();
    Ok((day(answer.statutory)?, day(answer.conservative)?))
}

async fn sources(db: &impl Read, reference: &str) -> Result<Lines> {
    Ok(Lines::new(requests::sources(db, reference).await?))
}

fn day(deps: &Deps, at: Timestamp) -> Result<Day> {
    Ok(Day(day_of(at.as_micros(), deps.settings.time_zone.as_deref())?))
}

fn today(deps: &Deps) -> Result<Day> {
    day(deps, deps.now())
}
