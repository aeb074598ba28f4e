//! A whole case in the hands of verifiers that others wrote, as the program hands it out: each accepts the real file with
//! nothing but the exported trust, and refuses it after one flipped byte. Not here: every way in which a file can be
//! changed (`crates/ledger/tests/outsiders/`), and what an audit bundle holds and must not hold (`unpacked.rs`).

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use obelus_testkit::outsiders::{Folder, check, flipped, go, independent, judges, node, openssl, pdf, python, said};
use serde_json::Value;

use crate::installation::{Installation, copy};

/// The members of a bundle in which sigstore must notice a flipped character, and how far in.
pub const SIGNED_MEMBERS: [(&str, usize); 2] = [("\"payload\":\"", 41), ("\"sig\":\"", 11)];
const LOGGED_MEMBERS: [(&str, usize); 2] = [("\"canonicalizedBody\":\"", 33), ("\"checkpoint\":{\"envelope\":\"", 70)];

/// The bytes with one bit turned behind a text that they hold.
pub fn flipped_behind(bytes: &[u8], marker: &str, offset: usize) -> Vec<u8> {
    let found = bytes.windows(marker.len()).position(|window| window == marker.as_bytes());
    flipped(bytes, found.unwrap_or_else(|| panic!("{marker} is not in the file")) + marker.len() + offset)
}

/// What a case hands out: its certificate as downloaded, and the keys.
struct Case {
    here: Installation,
    folder: Folder,
    id: String,
    trust: PathBuf,
}

impl Case {
    fn new(name: &str) -> Self {
        let here = Installation::certified();
        let folder = Folder::new(name);
        let (_, id) = here.case();
        let out = folder.path("out");
        here.run(&["certificate", "download", &id, "--out", out.to_str().unwrap()]).json(0);
        let trust = PathBuf::from(here.trust());
        Self { here, folder, id, trust }
    }

    /// A file of the certificate.
    fn file(&self, end: &str) -> PathBuf {
        self.folder.path(&format!("out/{}{end}", self.id))
    }

    fn read(&self, end: &str) -> Vec<u8> {
        fs::read(self.file(end)).unwrap()
    }

    /// The certificate as it is, which must be accepted, and with each of these characters flipped.
    fn bundles(&self, members: &[(&str, usize)]) -> Vec<(String, bool)> {
        let good = self.read(".json");
        let mut expected = vec![(self.file(".json").to_str().unwrap().to_owned(), true)];
        for (number, (marker, offset)) in members.iter().enumerate() {
            let name = format!("flipped-{number}.json");
            self.folder.write(&name, flipped_behind(&good, marker, *offset));
            expected.push((name, false));
        }
        expected
    }
}

#[test]
fn sigstore_and_securesystemslib_accept_the_certificate_of_a_case() {
    let case = Case::new("case-envelope");
    if let Some(mut sigstore) = node("check_bundle.mjs") {
        sigstore.arg(&case.trust);
        check(sigstore, &case.folder, &case.bundles(&[&SIGNED_MEMBERS[..], &LOGGED_MEMBERS].concat()));
    }
    if let Some(mut securesystemslib) = python("check_dsse.py") {
        securesystemslib.arg(case.trust.join("issuer.pem"));
        check(securesystemslib, &case.folder, &case.bundles(&SIGNED_MEMBERS));
    }
}

#[test]
fn openssl_verifies_the_signature_of_a_case() {
    let case = Case::new("case-signature");
    let bundle: Value = serde_json::from_slice(&case.read(".json")).unwrap();
    let raw =
        |member: &str| STANDARD.decode(bundle["dsseEnvelope"].pointer(member).unwrap().as_str().unwrap()).unwrap();
    let (payload, signature) = (raw("/payload"), raw("/signatures/0/sig"));
    // DSSE's encoding, written down once more: whoever checks with openssl builds it from the specification.
    let beginning = format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len());
    let signed = [beginning.as_bytes(), &payload].concat();
    for (signed, signature, accepted) in [
        (signed.clone(), signature.clone(), true),
        (flipped(&signed, signed.len() / 2), signature.clone(), false),
        (signed, flipped(&signature, 20), false),
    ] {
        let Some(mut command) = openssl() else { return };
        command.args(["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey"]).arg(case.trust.join("issuer.pem"));
        command.arg("-in").arg(case.folder.write("signed", signed));
        command.arg("-sigfile").arg(case.folder.write("signature", signature));
        let output = command.output().unwrap();
        let wanted = if accepted { "Signature Verified Successfully" } else { "Signature Verification Failure" };
        assert!(output.status.success() == accepted && said(&output).contains(wanted), "{}", said(&output));
    }
}

#[test]
fn go_reads_the_log_in_which_a_case_stands() {
    let case = Case::new("case-log");
    let Some(mut command) = go("check_log.go", &case.folder) else { return };
    command.arg(case.trust.join("log.vkey"));
    let log = case.here.data().join("log");
    let mut expected = vec![(log.to_str().unwrap().to_owned(), true)];
    let size = case.here.entries();
    let files = ["checkpoint".to_owned(), format!("tile/0/000.p/{size}"), format!("tile/entries/000.p/{size}")];
    for (number, file) in files.iter().enumerate() {
        let name = format!("log-{number}");
        copy(&log, &case.folder.path(&name));
        let bytes = fs::read(log.join(file)).unwrap();
        case.folder.write(&format!("{name}/{file}"), flipped(&bytes, bytes.len() / 2));
        expected.push((name, false));
    }
    let proof = case.read(".tlog-proof");
    expected.push((case.file(".tlog-proof").to_str().unwrap().to_owned(), true));
    for at in [60, proof.len() / 2, proof.len() - 20] {
        let name = format!("{at}.tlog-proof");
        case.folder.write(&name, flipped(&proof, at));
        expected.push((name, false));
    }
    check(command, &case.folder, &expected);
}

#[test]
fn qpdf_and_poppler_find_the_certificate_in_its_pdf() {
    let case = Case::new("case-pdf");
    let Some(mut command) = pdf() else { return };
    let (good, file) = (case.read(".pdf"), case.file(".json"));
    let mut expected = Vec::new();
    let mut add = |pdf: PathBuf, file: &Path, accepted| {
        command.arg(&pdf).arg(file);
        expected.push((pdf.to_str().unwrap().to_owned(), accepted));
    };
    add(case.file(".pdf"), &file, true);
    // A byte of the attachment, and the one that says how the page's text is compressed: qpdf compares no checksums, so a bit
    // further in may only show another letter; what is signed is the attachment.
    let after = |word: &[u8], from: usize| {
        from + good[from..].windows(word.len()).position(|window| window == word).unwrap() + word.len()
    };
    let attached = after(b"stream\n", after(b"/EmbeddedFile", 0));
    let contents = after(b"/Contents ", 0);
    let number = good[contents..].split(|byte| *byte == b' ').next().unwrap();
    let page = after(b"stream\n", after(&[b"\n", number, b" 0 obj"].concat(), 0));
    for at in [attached + 50, page] {
        add(case.folder.write(&format!("{at}.pdf"), flipped(&good, at)), &file, false);
    }
    let other = case.folder.write("other.json", flipped(&case.read(".json"), 300));
    add(case.folder.write("same.pdf", &good), &other, false);
    judges(command, &case.folder, &expected);
}

/// Runs a verifier on a file of the certificate, and on it with one bit turned in several places.
#[track_caller]
fn accepts_and_refuses(case: &Case, end: &str, command: impl Fn(&Path) -> Option<Command>) {
    let good = case.read(end);
    let run = |path: &Path| Some(command(path)?.output().unwrap());
    let Some(output) = run(&case.file(end)) else { return };
    assert_eq!(output.status.code(), Some(0), "{end}: {}", said(&output));
    for part in 1..6 {
        let at = good.len() * part / 6;
        let changed = case.folder.write(&format!("changed/{}{end}", case.id), flipped(&good, at));
        let output = run(&changed).unwrap();
        assert!(matches!(output.status.code(), Some(1 | 2)), "byte {at} of {end}: {}", said(&output));
    }
}

#[test]
fn independent_verifiers_rebuild_what_a_case_proves() {
    let case = Case::new("case-independent");
    let (root, vkey) = (case.trust.join("trusted_root.json"), case.trust.join("log.vkey"));
    let ends = [".json", ".evidence.json", ".rowproof.json"];
    for end in ends {
        // The others as they are, this one given.
        let given = |path: &Path| ends.map(|other| if other == end { path.to_owned() } else { case.file(other) });
        accepts_and_refuses(&case, end, |path| {
            let [bundle, evidence, proof] = given(path);
            let mut command = independent("python3", "python/check_row_proof.py")?;
            command.args([&evidence, &proof, &root, &bundle]);
            Some(command)
        });
        accepts_and_refuses(&case, end, |path| {
            let mut command = independent("node", "javascript/check.mjs")?;
            command.args(given(path)).arg("--trust").arg(&case.trust);
            Some(command)
        });
    }
    accepts_and_refuses(&case, ".tlog-proof", |path| {
        let mut command = independent("python3", "python/check_log.py")?;
        command.args([path, &vkey, &case.file(".json")]);
        Some(command)
    });
}

#[test]
fn our_own_verifier_takes_each_file_alone() {
    let case = Case::new("case-alone");
    let verify = |path: &Path, beside: Option<&str>| {
        let alone = Folder::new("case-alone-file");
        let file = alone.path(path.file_name().unwrap().to_str().unwrap());
        for from in [Some(path.to_owned()), beside.map(|end| case.file(end))].into_iter().flatten() {
            fs::copy(&from, alone.path(from.file_name().unwrap().to_str().unwrap())).unwrap();
        }
        let mut command =
            case.here.command(&["verify", file.to_str().unwrap(), "--trust", case.trust.to_str().unwrap()]);
        (command.output().unwrap(), alone)
    };
    // A row proof says which rows changed; only the evidence says which were to.
    for (end, beside) in
        [(".json", None), (".evidence.json", None), (".tlog-proof", None), (".rowproof.json", Some(".evidence.json"))]
    {
        let good = case.read(end);
        let (output, _) = verify(&case.file(end), beside);
        assert_eq!(output.status.code(), Some(0), "{end}: {}", said(&output));
        for part in 1..4 {
            let at = good.len() * part / 4;
            let changed = case.folder.write(&format!("changed/{}{end}", case.id), flipped(&good, at));
            let (output, _) = verify(&changed, beside);
            assert!(matches!(output.status.code(), Some(1 | 2)), "byte {at} of {end}: {}", said(&output));
        }
    }
    for (end, status, says) in [(".rowproof.json", 1, "says nothing alone"), (".pdf", 2, "not a certificate")] {
        let (output, _) = verify(&case.file(end), None);
        assert!(output.status.code() == Some(status) && said(&output).contains(says), "{end}: {}", said(&output));
    }
}
