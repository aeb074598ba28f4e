//! The pages in `docs/attestation/` against the predicates: each page states every field, and no field that is not
//! there. Not here: whether what a page says about a field is true.
#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report")]

use std::{collections::BTreeSet, path::Path};

use obelus_ledger::{
    canonical,
    dsse::LARGEST_PAYLOAD_BYTES,
    statement::{
        AuditBundle, BlindChallenge, BlindChallengeResult, Campaign, CaseEvent, Certificate, CertificateStatus,
        Erasure, KeyRevocation, KeyRotation, PoolExtension, Predicate, RequestReceipt, SourceManifest,
        SourceProvenance, Statement, TrainingRun, VerificationProtocol, VerificationRun,
    },
};
use serde_json::Value;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/attestation")
}

fn file_of<P: Predicate>() -> String {
    format!("{}.md", P::NAME.replace('/', "-"))
}

/// Names of fields as pages write them: `field`, `list[]` of texts, `list[].field` and `object.field` of objects.
fn names(value: &Value, prefix: &str, found: &mut BTreeSet<String>) {
    for (name, value) in value.as_object().unwrap() {
        match value.as_array().map(|items| items.first().expect("an example list has an element")) {
            Some(item) if item.is_object() => names(item, &format!("{prefix}{name}[]."), found),
            Some(_) => drop(found.insert(format!("{prefix}{name}[]"))),
            None if value.is_object() => names(value, &format!("{prefix}{name}."), found),
            None => drop(found.insert(format!("{prefix}{name}"))),
        }
    }
}

/// First cells of the table in the section `## Fields`; every row has four cells with something in them.
fn stated_fields(page: &str) -> Vec<String> {
    let section = page.split("\n## Fields\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        assert!(cells.len() == 4 && cells.iter().all(|cell| !cell.is_empty()), "{row}");
        cells[0].trim_matches('`').to_owned()
    })
    .collect()
}

/// Compares a page with its predicate; says what is wrong.
fn differences<P: Predicate>(page: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for section in ["Purpose", "Subject", "Fields", "What a verifier checks", "What it does not prove", "Example"] {
        if !page.contains(&format!("\n## {section}\n")) {
            wrong.push(format!("no section {section:?}"));
        }
    }
    let signer = format!("`https://obelus.dev/attestation/{}`. Signed by the `{}` key", P::NAME, P::ROLE);
    if !page.contains(&signer) {
        wrong.push(format!("does not say {signer:?}"));
    }
    let example = page.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    // Read and written once, so that a field which may be missing from the example is in the comparison all the same.
    let statement: Statement<P> = match serde_json::from_str(example) {
        Ok(statement) => statement,
        Err(e) => return vec![format!("the example is not a statement of this predicate: {e}")],
    };
    let value = serde_json::to_value(&statement).unwrap();
    if serde_json::from_str::<Value>(example).unwrap() != value {
        wrong.push("the example lacks a field".to_owned());
    }
    if value["predicateType"] != format!("https://obelus.dev/attestation/{}", P::NAME) {
        wrong.push("the example has another predicate type".to_owned());
    }
    if canonical::to_bytes(&statement).unwrap().len() > LARGEST_PAYLOAD_BYTES {
        wrong.push("the example is too large to be signed".to_owned());
    }
    let mut wanted = BTreeSet::new();
    names(&value["predicate"], "", &mut wanted);
    let listed = stated_fields(page);
    let stated: BTreeSet<String> = listed.iter().cloned().collect();
    if stated.len() != listed.len() {
        wrong.push("a field is stated twice".to_owned());
    }
    wrong.extend(wanted.difference(&stated).map(|name| format!("{name} is not on the page")));
    wrong.extend(stated.difference(&wanted).map(|name| format!("{name} is not in the predicate")));
    wrong
}

fn check<P: Predicate>() {
    let file = file_of::<P>();
    let page = std::fs::read_to_string(folder().join(&file)).unwrap_or_else(|e| panic!("docs/attestation/{file}: {e}"));
    assert_eq!(differences::<P>(&page), Vec::<String>::new(), "docs/attestation/{file}");
}

#[test]
fn every_predicate_has_a_page_that_states_exactly_its_fields() {
    check::<Campaign>();
    check::<PoolExtension>();
    check::<SourceManifest>();
    check::<SourceProvenance>();
    check::<TrainingRun>();
    check::<VerificationProtocol>();
    check::<Erasure>();
    check::<VerificationRun>();
    check::<Certificate>();
    check::<AuditBundle>();
    check::<BlindChallenge>();
    check::<BlindChallengeResult>();
    check::<CertificateStatus>();
    check::<RequestReceipt>();
    check::<CaseEvent>();
    check::<KeyRotation>();
    check::<KeyRevocation>();
}

/// A field that may be missing would be missed by the comparison, were it missing from the example and the page.
#[test]
fn fields_that_may_be_missing_are_on_their_pages() {
    let stated = |file: String| stated_fields(&std::fs::read_to_string(folder().join(file)).unwrap());
    for (page, field) in [
        (stated(file_of::<PoolExtension>()), "previous"),
        (stated(file_of::<SourceManifest>()), "extension"),
        (stated(file_of::<TrainingRun>()), "adaptation.kind"),
        (stated(file_of::<VerificationRun>()), "repetition.previous"),
        (stated(file_of::<Certificate>()), "renews.judged"),
        (stated(file_of::<Certificate>()), "challenges.count"),
        (stated(file_of::<CertificateStatus>()), "previous"),
        (stated(file_of::<CaseEvent>()), "previous"),
        (stated(file_of::<CaseEvent>()), "from"),
        (stated(file_of::<TrainingRun>()), "adaptation.grown"),
        (stated(file_of::<TrainingRun>()), "adaptation.measurement"),
    ] {
        assert!(page.iter().any(|stated| stated == field), "{field}");
    }
}

#[test]
fn a_missing_and_an_invented_field_are_noticed() {
    let page = std::fs::read_to_string(folder().join(file_of::<Erasure>())).unwrap();
    let spoiled = |from: &str, to: &str| {
        assert!(page.contains(from), "{from}");
        differences::<Erasure>(&page.replacen(from, to, 1))
    };
    assert_eq!(spoiled("| `salt` |", "| `pepper` |").len(), 2);
    assert_eq!(spoiled("| `targets[].rows` |", "| `targets[].columns` |").len(), 2);
    assert_eq!(spoiled("\"salt\":", "\"pepper\":").len(), 1);
    assert_eq!(spoiled("`issuer` key", "`model` key").len(), 1);
    assert_eq!(spoiled("## Purpose", "## Aim").len(), 1);
}

#[test]
fn the_readme_leads_to_every_page_of_the_folder() {
    let readme = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let pages = [
        file_of::<Campaign>(),
        file_of::<PoolExtension>(),
        file_of::<SourceManifest>(),
        file_of::<SourceProvenance>(),
        file_of::<TrainingRun>(),
        file_of::<VerificationProtocol>(),
        file_of::<Erasure>(),
        file_of::<VerificationRun>(),
        file_of::<Certificate>(),
        file_of::<CertificateStatus>(),
        file_of::<AuditBundle>(),
        file_of::<BlindChallenge>(),
        file_of::<BlindChallengeResult>(),
        file_of::<RequestReceipt>(),
        file_of::<CaseEvent>(),
        file_of::<KeyRotation>(),
        file_of::<KeyRevocation>(),
        "certificate-document.md".to_owned(),
        "adaptation-document.md".to_owned(),
        "presence-document.md".to_owned(),
        "absence-document.md".to_owned(),
    ];
    let mut found = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name != "README.md" {
            assert!(pages.contains(&name), "{name} is about no predicate");
            assert!(readme.contains(&format!("({name})")), "README.md does not lead to {name}");
            found += 1;
        }
    }
    assert_eq!(found, pages.len());
}
