//! What workers do for a case: ordered by a form, shown with how far it is, and told while it goes on to a page that is open.
//! Not here: the work, and who may order it (`obelus_casework::orders`).

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use actix_web::{
    HttpResponse,
    body::{BodySize, MessageBody},
    http::header::CONTENT_TYPE,
    web::Bytes,
};
use obelus_casework::{
    Deps, case,
    orders::{self, Order},
};
use obelus_policy::Action;
use obelus_store::{
    erasures,
    erasures::TargetState,
    jobs::{Job, JobState},
};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::mpsc;

use super::acts::done;
use crate::{dispatch::Call, page, problem::Problem, route::Answer, shown::Shown};

/// Whether there is news is looked for this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A stream ends after this long and the browser opens another: what its reader may see is asked anew, and a server that is to
/// stop waits no longer for it.
const STREAM_LASTS: Duration = Duration::from_secs(10);

/// A piece of work as a page shows it.
pub(super) struct Work {
    pub(super) what: &'static str,
    /// `waits`, `goes on`, `is done` or `failed`.
    pub(super) state: &'static str,
    pub(super) look: &'static str,
    pub(super) reason: Shown,
    pub(super) at: String,
    /// How far it is, or what came of it.
    pub(super) said: Shown,
    pub(super) is_open: bool,
}

impl From<Job> for Work {
    fn from(job: Job) -> Self {
        let outcome = job.outcome.unwrap_or_default();
        let (state, look) = match job.state {
            JobState::Queued => ("waits for a worker", "open"),
            JobState::Running => ("goes on", "open"),
            JobState::Done if outcome.starts_with("not-done") => ("not done", "bad"),
            JobState::Done => ("done", "good"),
            JobState::Dead => ("failed, and waits for a person", "bad"),
        };
        // The word that scripts go by is for them.
        let outcome = outcome.strip_prefix("not-done ").unwrap_or(&outcome);
        let said = match (job.state, &job.progress) {
            (JobState::Queued, _) if outcome.is_empty() => "A worker begins it within seconds; obelus serve has one.",
            (_, Some(progress)) => progress,
            (_, None) => outcome,
        };
        Self {
            what: orders::what(job.kind),
            state,
            look,
            reason: Shown::new(&job.reason),
            at: page::time(job.finished_at.unwrap_or(job.enqueued_at).0),
            said: Shown::new(said),
            is_open: matches!(job.state, JobState::Queued | JobState::Running),
        }
    }
}

/// The work of a case, newest first.
pub(super) async fn of_case(work: &Deps, reference: &str) -> Result<Vec<Work>, Problem> {
    Ok(orders::of_case(work, reference).await?.into_iter().map(Work::from).collect())
}

/// A copy that a takedown erases.
pub(super) struct Target {
    pub(super) kind: Shown,
    pub(super) path: Shown,
    pub(super) state: String,
    pub(super) look: &'static str,
    pub(super) at: String,
    /// What is known of it now, or why it failed.
    pub(super) evidence: Shown,
}

/// What targets have found, as far as it is shown.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Evidence {
    /// `zeroed`, `destroyed`, `not_found`, `keys_destroyed`, `zeroed_in_memory` or `ended`; evidence from before there were others does not name it.
    outcome: String,
    /// Rows of struck neurons that were overwritten.
    rows: u64,
}

/// The copies that the takedown of a case erases.
pub(super) async fn targets(work: &Deps, reference: &str) -> Result<Vec<Target>, Problem> {
    let target = |row: erasures::Target| {
        let evidence = row.evidence.unwrap_or_default();
        let failed: Option<String> = serde_json::from_str(&evidence).ok();
        Target {
            kind: Shown::new(&page::words(&row.kind).replace('-', " ")),
            path: Shown::new(&row.path),
            state: row.state.to_string(),
            look: match row.state {
                TargetState::Done => "good",
                TargetState::Failed => "bad",
                TargetState::Pending => "open",
            },
            at: page::time(row.changed_at.0),
            evidence: Shown::new(&failed.unwrap_or_else(|| found(&evidence))),
        }
    };
    Ok(erasures::targets(&work.db, reference).await?.into_iter().map(target).collect())
}

fn found(evidence: &str) -> String {
    let Ok(Evidence { outcome, rows }) = serde_json::from_str(evidence) else { return String::new() };
    match outcome.as_str() {
        "destroyed" => "overwritten and removed".to_owned(),
        "keys_destroyed" => "the keys of the sources' text are destroyed".to_owned(),
        "zeroed_in_memory" => format!("{rows} rows are zero in its memory"),
        "ended" => "ended, or answers nothing any more".to_owned(),
        "not_found" => "not found in its place, so neither zeroed nor destroyed".to_owned(),
        _ if rows == 0 => "holds none of the neurons".to_owned(),
        _ => format!("{rows} rows zeroed and read back"),
    }
}

/// `POST /cases/{reference}/plan`: of the protocol that is chosen; none for the one chosen before.
pub(crate) async fn plan(call: Call) -> Answer {
    let protocol = Some(call.text("protocol")?).filter(|name| !name.is_empty());
    done(&call, async |work, by, reference| orders::place(work, by, reference, &Order::Plan(protocol.clone())).await)
        .await
}

/// `POST /cases/{reference}/execute`.
pub(crate) async fn execute(call: Call) -> Answer {
    done(&call, async |work, by, reference| orders::place(work, by, reference, &Order::Execute).await).await
}

/// `POST /cases/{reference}/verify`.
pub(crate) async fn verify(call: Call) -> Answer {
    done(&call, async |work, by, reference| orders::place(work, by, reference, &Order::Verify).await).await
}

/// `GET /cases/{reference}/progress`: server-sent events while work goes on. `work` says how far it is, `end` that the page has
/// news.
pub(crate) async fn progress(call: Call) -> Answer {
    let (work, person) = (&call.portal.deps.work, call.person()?);
    let reference = call.reference()?.to_owned();
    case::permitted(work, &person.name, Action::ReadCase, Some(&reference)).await.map_err(Problem::of_case)?;
    let (tell, told) = mpsc::channel(4);
    let portal = call.portal.clone();
    actix_web::rt::spawn(async move {
        if let Err(error) = follow(&portal.deps.work, &reference, &tell).await {
            tracing::warn!("how far {reference} is cannot be told: {error:#}");
        }
    });
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/event-stream")).body(Told(told)))
}

/// Tells what is new until nothing is under way, nobody listens, or it has lasted long enough.
async fn follow(work: &Deps, reference: &str, tell: &mpsc::Sender<Bytes>) -> anyhow::Result<()> {
    let (began, mut last) = (Instant::now(), None);
    while began.elapsed() < STREAM_LASTS {
        let jobs = orders::of_case(work, reference).await?;
        let Some(job) = jobs.into_iter().map(Work::from).find(|job| job.is_open) else {
            // Who does not listen any more needs no end.
            let _ = tell.send(event("end", &json!({}))).await;
            return Ok(());
        };
        let now = json!({ "what": job.what, "state": job.state, "said": job.said.to_string() });
        // An unchanged one is told too: that is how a listener who has gone is noticed.
        let text = if last.as_ref() == Some(&now) { Bytes::from_static(b":\n\n") } else { event("work", &now) };
        if tell.send(text).await.is_err() {
            return Ok(());
        }
        last = Some(now);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

/// One event, whose data is one line: JSON has none of its own.
fn event(name: &str, data: &serde_json::Value) -> Bytes {
    Bytes::from(format!("retry: 1000\nevent: {name}\ndata: {data}\n\n"))
}

/// A body that goes on as long as somebody has something to say.
struct Told(mpsc::Receiver<Bytes>);

impl MessageBody for Told {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.0.poll_recv(context).map(|bytes| bytes.map(Ok))
    }
}
