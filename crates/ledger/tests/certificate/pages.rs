//! Every field of every statement is explained on its page in `docs/attestation/`, and no page explains a field that is
//! not there. Not here: whether the explanation is right.

use std::{collections::BTreeSet, fs, path::Path};

use obelus_core::{Digest, Timestamp};
use obelus_ledger::{
    keys::Role,
    statement::{SourceProvenance, Statement, Subject},
};
use serde_json::Value;

use crate::fixture::{key, make};

#[test]
fn every_field_has_its_line_on_the_predicates_page() {
    let provenance = SourceProvenance {
        source: "a".into(),
        publisher: String::new(),
        license: String::new(),
        documents: 1,
        mask_seed: Digest::sha256("seed"),
        manifest: Digest::sha256("manifest"),
        manifest_root: Digest::sha256("root"),
        manifest_index: 0,
        manifest_path: vec![],
        record: Digest::sha256("record"),
        issued_at: Timestamp::from_micros(0),
        salt: "00".repeat(16),
    };
    let provenance = Statement::new(Subject::sha256("a", Digest::sha256("a")), provenance);
    let mut envelopes = vec![provenance.sign(&key(Role::Registrar, 0)).unwrap()];
    envelopes.extend(make(&["b"], "verified").document.exhibits.into_iter().map(|e| e.envelope));
    assert_eq!(envelopes.len(), 8);
    for envelope in envelopes {
        let statement: Value = serde_json::from_slice(&envelope.payload().unwrap()).unwrap();
        let name =
            statement["predicateType"].as_str().unwrap().rsplit_once("/attestation/").unwrap().1.replace('/', "-");
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/attestation/{name}.md"));
        let page = fs::read_to_string(&page).unwrap_or_else(|e| panic!("{}: {e}", page.display()));
        let explained: BTreeSet<&str> =
            page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        let stated: BTreeSet<&str> = statement["predicate"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(explained, stated, "{name}");
    }
}
