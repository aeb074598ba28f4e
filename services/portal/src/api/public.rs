//! What is public, for programs: certificates as they stand today, and the log's newest checkpoint. Not here: the files, which
//! are served as they lie.

use obelus_store::certificates::Certificate as Row;
use schemars::JsonSchema;
use serde::Serialize;

use super::{ApiCall, Reply};
use crate::{
    log_file::no_checkpoint,
    pages::{certificates, log},
    problem::Problem,
};

/// How a certificate stands today.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Line {
    /// Its name.
    id: String,
    #[schemars(extend("enum" = ["valid", "superseded", "suspended", "expired", "revoked"]))]
    standing: &'static str,
    /// The model that it is about.
    model: String,
    /// The source that was struck.
    source: String,
    /// The level reached, such as L3.
    level: String,
    /// What its verification found.
    verdict: String,
    /// When it was issued, in UTC.
    #[schemars(extend("format" = "date-time"))]
    issued_at: String,
    /// Until when it is valid, in UTC.
    #[schemars(extend("format" = "date-time"))]
    valid_until: Option<String>,
    /// The certificate that it renews.
    follows: Option<String>,
    /// SHA-256 of the signed statement.
    statement: String,
}

/// A page of certificates.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Certificates {
    /// By name, the first issued first.
    certificates: Vec<Line>,
    /// What to send as `after` for the next page; none on the last.
    next: Option<String>,
}

/// A certificate with its files.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Certificate {
    #[serde(flatten)]
    line: Line,
    /// What the standing means, in words.
    means: &'static str,
    files: Vec<File>,
}

/// A file by which a certificate is checked without trusting this answer.
#[derive(Debug, Serialize, JsonSchema)]
struct File {
    /// Where it is.
    path: String,
    /// What it is.
    what: &'static str,
}

/// The newest checkpoint of the log.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Log {
    /// The log's name.
    origin: String,
    /// How many entries it covers.
    size: u64,
    /// The root of the tree, in base64.
    root: String,
    /// The signed note (C2SP tlog-checkpoint) byte for byte, by which the three above are checked.
    checkpoint: String,
}

fn line(row: &Row, standing: &certificates::Standing) -> Line {
    Line {
        id: row.id.clone(),
        standing: standing.word,
        model: row.model.clone(),
        source: row.source_id.clone(),
        level: row.level.clone(),
        verdict: row.verdict.clone(),
        issued_at: row.issued_at.0.to_string(),
        valid_until: row.valid_until.map(|until| until.0.to_string()),
        follows: row.follows.clone(),
        statement: row.statement.to_string(),
    }
}

/// `GET /api/v1/certificates`.
pub(crate) async fn certificates(call: ApiCall) -> Result<Reply<Certificates>, Problem> {
    let (after, limit) = call.page()?;
    let db = &call.portal.deps.work.db;
    let mut rows = obelus_store::certificates::page(db, after.as_deref(), limit + 1).await?;
    let more = rows.len() as u64 > limit;
    rows.truncate(usize::try_from(limit).map_err(anyhow::Error::from)?);
    let mut lines = Vec::new();
    for row in &rows {
        lines.push(line(row, &certificates::standing(&call.portal, row, call.now()).await?));
    }
    let next = rows.pop().filter(|_| more).map(|last| last.id);
    Ok(Reply::ok(Certificates { certificates: lines, next }))
}

/// `GET /api/v1/certificates/{id}`.
pub(crate) async fn certificate(call: ApiCall) -> Result<Reply<Certificate>, Problem> {
    let row = certificates::named(&call.portal, call.request.match_info().get("id").unwrap_or_default()).await?;
    let standing = certificates::standing(&call.portal, &row, call.now()).await?;
    let files = certificates::files(&call.portal, &row).await?;
    let file = |(name, what): (String, &'static str)| File { path: format!("/c/{}/files/{name}", row.id), what };
    let files = files.into_iter().map(file).collect();
    Ok(Reply::ok(Certificate { line: line(&row, &standing), means: standing.sentence, files }))
}

/// `GET /api/v1/log`.
pub(crate) async fn log(call: ApiCall) -> Result<Reply<Log>, Problem> {
    let (checkpoint, size) = log::published(&call.portal).await?.ok_or_else(no_checkpoint)?;
    let mut lines = checkpoint.lines();
    let origin = lines.next().unwrap_or_default().to_owned();
    let root = lines.nth(1).unwrap_or_default().to_owned();
    Ok(Reply::ok(Log { origin, size, root, checkpoint }))
}
