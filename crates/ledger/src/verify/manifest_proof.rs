//! Presence and absence of a source checked from the document's bytes to the root that was signed and logged. Not here: the
//! form of the documents (`manifest_proof.rs` of the crate), and what is done with a source's neurons (`registration.rs`).

use obelus_core::Digest;

use super::{
    Checks, Report,
    bundle::{self, OpenedBundle},
    opened_checkpoint,
};
use crate::{
    bundle::Bundle,
    canonical,
    manifest::SourceRecord,
    manifest_proof::{ABSENCE_FORMAT, AbsenceDocument, PRESENCE_FORMAT, PresenceDocument},
    statement::{SourceManifest, SourceProvenance, Statement},
    trust::TrustedRoot,
};

/// A manifest whose signature and place in the log are right.
struct Manifest {
    opened: OpenedBundle<SourceManifest>,
    count: u64,
    root: Digest,
}

impl Manifest {
    fn open(bundle: &Bundle, trust: &TrustedRoot, checks: &mut Checks) -> Result<Self, String> {
        let note = bundle.note().map_err(|e| e.to_string())?;
        opened_checkpoint(note, trust, checks)?;
        let opened = bundle::open::<SourceManifest>(bundle, trust)?;
        let predicate = &opened.statement.predicate;
        let root = opened.statement.subject().digest.sha256.ok_or("the manifest has no root")?;
        let count = predicate.count;
        let said = format!(
            "{count} records of {} under the root {root}, entry {} of the log",
            predicate.lineage, opened.index
        );
        checks.add("manifest", Ok(said));
        Ok(Self { opened, count, root })
    }
}

pub(super) fn presence(file: &[u8], trust: &TrustedRoot) -> Report {
    let mut checks = Checks(vec![]);
    if let Err(reason) = check_presence(file, trust, &mut checks) {
        checks.add("presence", Err(reason));
    }
    checks.report("presence")
}

/// A presence document that holds.
struct Present {
    document: PresenceDocument,
    manifest: Manifest,
    record: SourceRecord,
}

fn check_presence(file: &[u8], trust: &TrustedRoot, checks: &mut Checks) -> Result<Present, String> {
    let document: PresenceDocument = canonical::from_bytes(file).map_err(|e| e.to_string())?;
    canonical_form(&document.format, PRESENCE_FORMAT, checks)?;
    let manifest = Manifest::open(&document.manifest, trust, checks)?;
    let verified = document.presence.verify(manifest.count, &manifest.root).map_err(|e| e.to_string())?;
    let record = verified.ok_or("the record's path does not lead to the manifest's root")?;
    if record.source != document.source {
        return Err(format!("the record is that of {:?}, the document says {:?}", record.source, document.source));
    }
    let said = format!(
        "the record of {} is number {} of {}; mask seed {}",
        record.source, document.presence.index, manifest.count, record.seed
    );
    checks.add("presence", Ok(said));
    let left_out = "left out: the campaign is not in this file, so that the seed is as signed, not recomputed";
    checks.add("seed", Ok(left_out.to_owned()));
    Ok(Present { document, manifest, record })
}

pub(super) fn absence(file: &[u8], trust: &TrustedRoot) -> Report {
    let mut checks = Checks(vec![]);
    if let Err(reason) = check_absence(file, trust, &mut checks) {
        checks.add("absence", Err(reason));
    }
    checks.report("absence")
}

fn check_absence(file: &[u8], trust: &TrustedRoot, checks: &mut Checks) -> Result<(), String> {
    let document: AbsenceDocument = canonical::from_bytes(file).map_err(|e| e.to_string())?;
    canonical_form(&document.format, ABSENCE_FORMAT, checks)?;
    let manifest = Manifest::open(&document.manifest, trust, checks)?;
    let (key, source, absence) = (document.manifest_key.as_bytes(), &document.source, &document.absence);
    if !absence.verify(key, source, manifest.count, &manifest.root).map_err(|e| e.to_string())? {
        return Err(format!(
            "the records in the document are not two neighbours of the manifest with the place of {source:?} between them"
        ));
    }
    let between = match (&absence.before, &absence.after) {
        (Some(before), Some(after)) => format!("between its records {} and {}", before.index, after.index),
        (Some(before), None) => format!("after its last record, {}", before.index),
        (None, Some(_)) => "before its first record".to_owned(),
        (None, None) => "in it, for it is empty".to_owned(),
    };
    let said = format!("the manifest has no source {source:?}: the place of that name is {between}");
    checks.add("absence", Ok(said));
    Ok(())
}

fn canonical_form(found: &str, format: &str, checks: &mut Checks) -> Result<(), String> {
    if found != format {
        return Err(format!("unknown format {found:?}"));
    }
    checks.add("canonical form", Ok("the file is exactly the bytes that its contents give".to_owned()));
    Ok(())
}

/// What a statement of provenance and the presence document beside it must say of each other.
pub(super) fn provenance(
    statement: &Statement<SourceProvenance>,
    beside: Option<&[u8]>,
    trust: &TrustedRoot,
    checks: &mut Checks,
) {
    let Some(beside) = beside else {
        let detail = "left out: no presence document lies beside the statement, and manifest, root, path, record and seed \
                      are as stated";
        checks.add("presence", Ok(detail.to_owned()));
        return;
    };
    let mut under = Checks(vec![]);
    let checked = check_presence(beside, trust, &mut under);
    checks.0.extend(under.0.into_iter().map(|mut check| {
        check.name = format!("presence: {}", check.name);
        check
    }));
    let agreed = checked.and_then(|present| agrees(statement, &present));
    checks.add("presence", agreed);
}

fn agrees(statement: &Statement<SourceProvenance>, present: &Present) -> Result<String, String> {
    let (p, presence, record) = (&statement.predicate, &present.document.presence, &present.record);
    let rules = [
        ("the statement cites another manifest", p.manifest == present.manifest.opened.digest),
        ("the statement names another root", p.manifest_root == present.manifest.root),
        ("the statement names another place", p.manifest_index == presence.index && p.manifest_path == presence.path),
        ("the statement cites another record", p.record == Digest::sha256(presence.record.as_bytes())),
        ("the statement is about another source", p.source == record.source),
        ("the statement has another seed than the record", p.mask_seed == record.seed),
        (
            "publisher, licence or number of documents are not those of the record",
            p.publisher == record.publisher && p.license == record.license && p.documents == record.documents,
        ),
        (
            "the statement's subject is not the content of the record",
            statement.subject().digest.sha256 == Some(record.content_digest),
        ),
        ("the statement is older than the manifest", {
            present.manifest.opened.statement.predicate.created_at <= p.issued_at
        }),
    ];
    match rules.iter().find(|(_, holds)| !holds) {
        Some((broken, _)) => Err((*broken).to_owned()),
        None => Ok("manifest, root, place, record and seed are those of the document beside it".to_owned()),
    }
}
