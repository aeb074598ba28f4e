//! Status lists: whether a certificate stands, as a file from outside says it.

use std::sync::LazyLock;

use obelus_ledger::{
    bundle::{Bundle, Place},
    canonical,
    certificate::Exhibit,
    keys::{Role, Signer as _},
    log_entry, merkle,
    statement::{CertificateStatus, Statement, StatusEntry, Subject},
    status_list::{FORMAT, SUBJECT, StatusDocument, StatusList},
    verify::{Input, verify, verify_with_status},
};

use crate::{
    FIXTURE, SIGNED,
    fixture::{ORIGIN, at, checkpoint_of, private_key, salt},
};

/// A signed and logged status list on which the certificate stands.
pub static STATUS_LIST: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let certificate = FIXTURE.bundle(Exhibit::Certificate);
    let entry = StatusEntry {
        id: "OB-2026-0001".to_owned(),
        statement: certificate.dsse_envelope.digest().expect("it was made here"),
        status: "valid".to_owned(),
        since: at(7),
        valid_until: at(7 + 365 * 24 * 60),
    };
    let list = StatusList::new(1, vec![entry.clone()]);
    let said = CertificateStatus {
        sequence: 1,
        previous: None,
        count: 1,
        changes: vec![entry],
        stated_at: at(10),
        next_update: at(20),
        salt: salt("status"),
    };
    let subject = Subject::sha256(SUBJECT, list.digest().expect("it is text and numbers"));
    let (issuer, log_key) = (private_key(Role::Issuer), private_key(Role::Log).public_key());
    let envelope = Statement::new(subject, said).sign(&issuer).expect("it is small");
    let issuer = issuer.public_key();
    let mut log = FIXTURE.log.clone();
    log.push(log_entry::leaf(&envelope, &issuer).expect("it was signed here"));
    let index = log.len() - 1;
    let path = merkle::inclusion_proof(&log, index).expect("it is in the log");
    let place = Place { index: index as u64, path };
    let bundle = Bundle::new(envelope, &issuer, &place, &checkpoint_of(&log), ORIGIN, &log_key);
    let document = StatusDocument { format: FORMAT.to_owned(), bundle: bundle.expect("it was made here"), list };
    canonical::to_bytes(&document).expect("it was made here")
});

/// What is handed over as a status list: the certificate stands on the one that was signed, to the byte, and on no other.
pub fn status_list(data: &[u8]) {
    let certificate = canonical::to_bytes(&FIXTURE.bundle(Exhibit::Certificate)).expect("it was made here");
    let input = Input { file: &certificate, ..Input::default() };
    if let Ok(report) = verify_with_status(&input, data, at(15), &FIXTURE.trust) {
        assert_eq!(report.ok, data == *STATUS_LIST, "a status list that nobody signed, or one that is refused");
    }
    if let Ok(report) = verify(&Input { file: data, ..Input::default() }, &FIXTURE.trust) {
        assert!(!report.ok || report.kind == "checkpoint" || data == *STATUS_LIST || SIGNED.iter().any(|f| f == data));
    }
}
