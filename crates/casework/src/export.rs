//! What somebody who looks from outside takes along: a case, or the cases that a sample drew, as one ZIP that is checked
//! offline. It is made of files and statements that there are already; nothing is signed for it, and nothing personal is in it.
//!
//! Not here: the signed archive of one case (`audit_bundle.rs` of `obelus-auditor`), and who may (`obelus-policy`).

use std::{
    fs::File,
    io::{self, Seek as _, SeekFrom},
    path::PathBuf,
};

use anyhow::{Context as _, Result};
use obelus_core::Digest;
use obelus_ledger::{
    archive::{self, ArchiveWriter},
    bundle::Place,
    canonical,
    keys::Role,
    statement::{CaseEvent, Predicate as _, RequestReceipt},
};
use obelus_policy::{Action, Refusal};
use obelus_store::{
    audit, case_events, certificates, filings, log,
    samples::{self, Sample},
    verifications,
};
use serde_json::json;

use crate::{
    Deps, NotThere,
    case::{existing, permitted},
    exhibits, sampling, transparency,
};

mod index;

use index::{Certified, Index, Line, Step};

const README: &str = include_str!("export/README.txt");
/// What the audit trail calls what was handed out.
pub const HANDED_OUT: &str = "hand_out";
/// How the names of a certificate's files end, beside each other: the statements, the certificate, the page, the row proof and
/// the log proof.
const ENDS: [&str; 5] = [".evidence.json", ".json", ".pdf", ".rowproof.json", ".tlog-proof"];
const NOT_COVERED: &str = "not in this export: you may not see this case";
const NO_CERTIFICATE: &str = "no certificate was issued yet";

/// An archive that was made, in a file that is gone when it is closed.
#[derive(Debug)]
pub struct Export {
    /// The archive, at its beginning.
    pub file: File,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub digest: Digest,
}

/// What is put into an archive under a path.
enum Content {
    Bytes(Vec<u8>),
    File(PathBuf),
}

type Contents = Vec<(String, Content)>;

/// Makes the export of a case and notes who has it.
///
/// # Errors
/// When there is no such case, or the person may not.
pub async fn of_case(deps: &Deps, by: &str, reference: &str) -> Result<Export> {
    let person = permitted(deps, by, Action::HandOut, Some(reference)).await?;
    let archive = make(deps, &person.name, None, &[reference.to_owned()]).await?;
    note(deps, &person.name, &[(reference.to_owned(), json!({ "sha256": archive.digest, "export": "case" }))]).await?;
    Ok(archive)
}

/// Makes the export of what a sample drew, as far as the person may see it, and notes who has it.
///
/// # Errors
/// When there is no such sample that the person may see, or its seed is not revealed.
pub async fn of_sample(deps: &Deps, by: &str, id: &str) -> Result<Export> {
    let person = permitted(deps, by, Action::SampleCases, None).await?;
    let whole = is_permitted(deps, by, Action::ReadAudit, None).await?;
    let sample = samples::get(&deps.db, id).await?.filter(|sample| whole || sample.person == person.id);
    let sample = sample.ok_or_else(|| NotThere::sample(id))?;
    let drawn = sampling::drawn(&sample)?;
    let drawn = drawn.with_context(|| format!("the seed of {id} is not revealed, so nothing was drawn yet"))?;
    let archive = make(deps, &person.name, Some(&sample), &drawn).await?;
    let mut events = vec![(sample.id.clone(), json!({ "sha256": archive.digest, "export": "sample" }))];
    for reference in drawn {
        if is_permitted(deps, by, Action::HandOut, Some(&reference)).await? {
            events.push((reference, json!({ "sha256": archive.digest, "export": "sample", "sample": sample.id })));
        }
    }
    note(deps, &person.name, &events).await?;
    Ok(archive)
}

async fn is_permitted(deps: &Deps, by: &str, action: Action, reference: Option<&str>) -> Result<bool> {
    match permitted(deps, by, action, reference).await {
        Ok(_) => Ok(true),
        Err(error) if error.is::<Refusal>() => Ok(false),
        Err(error) => Err(error),
    }
}

async fn note(deps: &Deps, by: &str, events: &[(String, serde_json::Value)]) -> Result<()> {
    let write = deps.db.write().await?;
    for (subject, detail) in events {
        audit::append(&write, deps.now(), by, HANDED_OUT, subject, &detail.to_string()).await?;
    }
    Ok(write.commit().await?)
}

/// Writes the archive case by case: in memory is one case without the files of its certificates.
async fn make(deps: &Deps, by: &str, sample: Option<&Sample>, references: &[String]) -> Result<Export> {
    // Of the data directory's disk there is enough; what a system keeps for temporary files may be memory.
    let file = tempfile::tempfile_in(deps.data.root()).context("cannot make a file for the export")?;
    let mut archive = ArchiveWriter::new(file);
    archive = put(archive, vec![("README.txt".to_owned(), Content::Bytes(README.as_bytes().to_vec()))]).await?;
    let mut index = Index::new(sample.map(|sample| sample.id.clone()));
    let mut ascending = references.to_vec();
    ascending.sort_unstable();
    for reference in &ascending {
        if is_permitted(deps, by, Action::HandOut, Some(reference)).await? {
            let (line, contents) = case(deps, reference).await?;
            index.cases.push(line);
            archive = put(archive, contents).await?;
        } else {
            index.cases.push(Line::left_out(reference, NOT_COVERED));
        }
    }
    let mut rest = vec![
        ("index.csv".to_owned(), Content::Bytes(index.to_csv().into_bytes())),
        ("index.json".to_owned(), Content::Bytes(canonical::to_bytes(&index)?)),
    ];
    if let Some((_, note)) = transparency::checkpoint(deps).await? {
        rest.push(("log/checkpoint".to_owned(), Content::Bytes(note.into_bytes())));
    }
    if let Some(sample) = sample {
        rest.extend(of_the_sample(sample)?);
    }
    archive = put(archive, rest).await?;
    tokio::task::spawn_blocking(move || ended(archive)).await?
}

/// Adds contents, which are sorted here, away from the threads that answer.
async fn put(mut archive: ArchiveWriter<File>, mut contents: Contents) -> Result<ArchiveWriter<File>> {
    contents.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let work = move || -> Result<ArchiveWriter<File>> {
        for (path, content) in contents {
            match content {
                Content::Bytes(bytes) => archive.add(&path, bytes.as_slice())?,
                Content::File(from) => {
                    let file = File::open(&from).with_context(|| format!("cannot read {}", from.display()))?;
                    archive.add(&path, file).with_context(|| format!("cannot read {}", from.display()))?
                }
            };
        }
        Ok(archive)
    };
    tokio::task::spawn_blocking(work).await?
}

fn ended(archive: ArchiveWriter<File>) -> Result<Export> {
    let mut file = archive.finish()?;
    file.seek(SeekFrom::Start(0))?;
    let (digest, bytes) = archive::copied(&file, &mut io::sink(), u64::MAX).context("cannot read the export again")?;
    file.seek(SeekFrom::Start(0))?;
    Ok(Export { file, bytes, digest })
}

/// One case: its line of the index, and its files.
async fn case(deps: &Deps, reference: &str) -> Result<(Line, Contents)> {
    let request = existing(deps, reference).await?;
    let folder = format!("cases/{reference}");
    let mut contents = Contents::new();
    let mut signed = Vec::new();
    let mut steps = Vec::new();
    for event in case_events::of_request(&deps.db, reference).await? {
        let statement = event.statement.0;
        signed.push((format!("{folder}/steps/{:03}.{}", event.sequence, event.action), CaseEvent::ROLE, statement));
        steps.push(Step {
            sequence: event.sequence,
            action: event.action,
            to: event.to_state.to_string(),
            happened_at: event.happened_at.0,
            statement,
            log_entry: log::index_of(&deps.db, &statement).await?,
        });
    }
    if let Some(receipt) = filings::get(&deps.db, reference).await?.and_then(|filing| filing.receipt) {
        signed.push((format!("{folder}/receipt"), RequestReceipt::ROLE, receipt.0));
    }
    contents.extend(statements(deps, signed).await?);
    if let Some(plan) = &request.plan {
        contents.push((format!("{folder}/plan.json"), Content::Bytes(plan.clone())));
    }
    let mut certified = Vec::new();
    for row in certificates::of_request(&deps.db, reference).await? {
        let beside = deps.data.resolve(&row.path)?;
        let (mut files, mut missing) = (Vec::new(), Vec::new());
        for end in ENDS {
            let name = format!("{}{end}", row.id);
            let path = beside.with_file_name(&name);
            if path.try_exists().with_context(|| format!("cannot read {}", path.display()))? {
                contents.push((format!("{folder}/certificates/{name}"), Content::File(path)));
                files.push(name);
            } else {
                missing.push(name);
            }
        }
        certified.push(Certified {
            id: row.id,
            status: row.status.to_string(),
            level: row.level,
            verdict: row.verdict,
            issued_at: row.issued_at.0,
            valid_until: row.valid_until.map(|until| until.0),
            files,
            missing,
        });
    }
    for run in verifications::of_request(&deps.db, reference).await? {
        let parts = [("before.json", run.scores_before), ("results.json", run.results)];
        contents.push((format!("{folder}/verification/{}.protocol.toml", run.id), Content::Bytes(run.protocol)));
        for (name, bytes) in parts.into_iter().filter_map(|(name, bytes)| Some((name, bytes?))) {
            contents.push((format!("{folder}/verification/{}.{name}", run.id), Content::Bytes(bytes)));
        }
    }
    let line = Line {
        reference: reference.to_owned(),
        included: true,
        note: if certified.is_empty() { NO_CERTIFICATE.to_owned() } else { String::new() },
        state: Some(request.state.to_string()),
        held: request.held_at.is_some(),
        regime: Some(request.regime),
        model: Some(request.model),
        received_at: Some(request.received_at.0),
        steps,
        certificates: certified,
    };
    Ok((line, contents))
}

/// Signed statements, each with its place in the log where it has one already.
async fn statements(deps: &Deps, signed: Vec<(String, Role, Digest)>) -> Result<Contents> {
    let (mut contents, mut logged, mut indices) = (Contents::new(), Vec::new(), Vec::new());
    let size = transparency::checkpoint(deps).await?.map_or(0, |(checkpoint, _)| checkpoint.size);
    for (path, role, digest) in signed {
        let envelope = exhibits::envelope(deps, &digest).await?;
        match log::index_of(&deps.db, &digest).await?.filter(|index| *index < size) {
            Some(index) => {
                indices.push(index);
                logged.push((path, role, envelope));
            }
            None => contents.push((format!("{path}.envelope.json"), Content::Bytes(canonical::to_bytes(&envelope)?))),
        }
    }
    if indices.is_empty() {
        return Ok(contents);
    }
    let proofs = transparency::prove(deps, &indices).await?;
    for ((name, role, envelope), (index, path)) in logged.into_iter().zip(indices.into_iter().zip(proofs.paths)) {
        let bundle = exhibits::bundle(deps, role, envelope, &Place { index, path }, &proofs.note)?;
        contents.push((format!("{name}.json"), Content::Bytes(canonical::to_bytes(&bundle)?)));
    }
    Ok(contents)
}

/// What fixes a sample, and draws it again.
fn of_the_sample(sample: &Sample) -> Result<Contents> {
    // What is damaged is not handed out as what was committed to.
    sampling::Population::of(sample)?;
    let drawn = sampling::document(sample)?.context("the seed is revealed")?;
    let record = json!({
        "sample": sample.id,
        "seedDigest": sample.seed_digest.0,
        "populationDigest": sample.population_digest.0,
        "size": sample.size,
        "committedAt": sample.committed_at.0,
        "revealedAt": sample.revealed_at.map(|at| at.0),
        "seed": sample.seed,
    });
    let file = |name: &str, bytes: Vec<u8>| (format!("sample/{name}"), Content::Bytes(bytes));
    Ok(vec![
        file("draw.py", sampling::DRAW.as_bytes().to_vec()),
        file("population.json", sample.population.clone()),
        file("record.json", canonical::to_bytes(&record)?),
        file("sample.json", drawn),
    ])
}
