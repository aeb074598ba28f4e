//! What those who look from outside take along: exports of cases and samples, opened with tools that others wrote.
//!
//! Not here: whether a real certificate in one verifies (the journey by pages, in `tests/`).

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use obelus_casework::{
    grants::{self, Granting},
    sampling::{self, Wanted},
    triage,
};
use obelus_core::{Digest, Timestamp};
use obelus_ledger::{canonical, verify};
use obelus_portal::Token;
use obelus_store::{audit, case_questions::QuestionKind};
use obelus_testkit::outsiders::{Folder, program, said};
use serde_json::Value;

use crate::{
    browser::{Browser, Page},
    case,
    house::{House, on_each},
    requests::{asked, with_model},
};

const DAY_US: i64 = 86_400_000_000;
/// What is personal in a case of [`asked`], and in the question that is asked here.
const PERSONAL: [&str; 5] = ["Ada Lovelace", "ada@example.org", "stormy night", "Which Ada", "Take them out"];

/// Somebody who looks from outside.
async fn outsider(house: &House, name: &str, role: &str) -> Token {
    let person = house.person(name, &[role]).await;
    house.session(person).await
}

/// A grant for two days from now on, given by Abe. Gives its number.
async fn grant(house: &House, to: &str, cases: &[&str], draws: u32) -> i64 {
    let (from, work) = (house.now(), &house.deps.work);
    if obelus_store::persons::named(&work.db, "abe").await.unwrap().is_none() {
        house.person("abe", &["legal_approver"]).await;
    }
    let until = Timestamp::from_micros(from.as_micros() + 2 * DAY_US);
    let cases = cases.iter().map(|case| (*case).to_owned()).collect();
    let new = Granting { to: to.to_owned(), matter: "File 7".to_owned(), cases, from, until, draws };
    grants::give(work, "abe", &new).await.unwrap().id
}

/// The files of an archive that `unzip` finds whole, and whose list `sha256sum` accepts.
fn unpacked(page: &Page) -> BTreeMap<String, Vec<u8>> {
    let folder = Folder::new("export");
    let archive = folder.write("export.zip", &page.bytes);
    let Some(mut unzip) = program("unzip", "-v") else { return BTreeMap::new() };
    let tested = unzip.arg("-tq").arg(&archive).output().unwrap();
    assert!(tested.status.success(), "{}", said(&tested));
    let mut unzip = program("unzip", "-v").unwrap();
    let output = unzip.arg("-q").arg(&archive).arg("-d").arg(folder.path("files")).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let mut sums = program("sha256sum", "--version").unwrap();
    let checked = sums.args(["--check", "--strict", "SHA256SUMS"]).current_dir(folder.path("files")).output().unwrap();
    assert!(checked.status.success(), "{}", said(&checked));
    let files = below(&folder.path("files"));
    assert_eq!(said(&checked).lines().count(), files.len() - 1, "every file but the list itself is listed");
    files
}

fn below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut found, mut waiting) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

fn index(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Value> {
    let index: Value = canonical::from_bytes(&files["index.json"]).unwrap();
    let cases = index["cases"].as_array().unwrap().iter();
    cases.map(|case| (case["reference"].as_str().unwrap().to_owned(), case.clone())).collect()
}

fn nothing_personal(files: &BTreeMap<String, Vec<u8>>) {
    for (path, bytes) in files {
        let text = String::from_utf8_lossy(bytes);
        for secret in PERSONAL {
            assert!(!text.contains(secret), "{secret} in {path}");
        }
    }
}

/// What was handed out to somebody, oldest first: of which subject, and the SHA-256 that was noted.
async fn handed_out(house: &House, to: &str) -> Vec<(String, String)> {
    let events = audit::page(&house.deps.work.db, None, 0, 10_000).await.unwrap();
    let own = events.into_iter().filter(|event| event.actor == to && event.action == "hand_out");
    let noted = |detail: &str| serde_json::from_str::<Value>(detail).unwrap()["sha256"].as_str().unwrap().to_owned();
    own.map(|event| (event.subject.clone(), noted(&event.detail))).collect()
}

#[actix_web::test]
async fn a_regulator_takes_the_case_of_a_grant_along_and_no_other() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let certificate = case::certificate(&house).await;
        let certified = certificate.request.clone();
        let (_, open) = asked(&service).await;
        triage::ask(&house.deps.work, "rita", &open, QuestionKind::Identity, "Which Ada are you?").await.unwrap();
        let mut dora = Browser::new(&service).with_session(&outsider(&house, "dora", "regulator").await);
        let mut otto = Browser::new(&service).with_session(&outsider(&house, "otto", "regulator").await);
        let export = |reference: &str| format!("/cases/{reference}/export");
        assert_eq!(dora.get(&export(&certified)).await.status, 403, "before a grant");
        grant(&house, "dora", &[&certified], 0).await;
        grant(&house, "otto", &[&open], 0).await;

        // Of a certificate every file is there as it was handed out.
        dora.get(&format!("/cases/{certified}")).await.is(200).says(&export(&certified));
        let page = dora.get(&export(&certified)).await.is(200);
        assert_eq!(page.header("content-type"), "application/zip");
        let name = format!("attachment; filename=\"{certified}.export.zip\"");
        assert_eq!(page.header("content-disposition"), name);
        assert_eq!(dora.get(&export(&certified)).await.is(200).bytes, page.bytes, "one content has one archive");
        let files = unpacked(&page);
        for end in [".pdf", ".json", ".evidence.json", ".tlog-proof", ".rowproof.json"] {
            let name = format!("{}{end}", certificate.id);
            let public = dora.get(&format!("/c/{}/files/{name}", certificate.id)).await.is(200);
            assert_eq!(files[&format!("cases/{certified}/certificates/{name}")], public.bytes, "{name}");
        }
        assert!(files.keys().any(|path| path.ends_with(".protocol.toml")));
        let line = &index(&files)[&certified];
        assert_eq!(line["certificates"][0]["id"], *certificate.id);
        assert_eq!((line["included"].as_bool(), line["note"].as_str()), (Some(true), Some("")));

        // One regulator's cases are no other's.
        assert_eq!(dora.get(&export(&open)).await.status, 403);
        assert_eq!(otto.get(&export(&certified)).await.status, 403);
        assert_eq!(otto.get("/cases/OB-1999-000001/export").await.status, 404);
        let page = otto.get(&export(&open)).await.is(200);
        let files = unpacked(&page);
        nothing_personal(&files);
        assert!(files.keys().all(|path| !path.starts_with("cases/") || path.starts_with(&format!("cases/{open}/"))));
        assert_eq!(index(&files)[&open]["note"], "no certificate was issued yet");
        let csv = String::from_utf8(files["index.csv"].clone()).unwrap();
        assert!(
            csv.contains(&format!("{open},yes,identity_pending,"))
                && csv.ends_with("no certificate was issued yet\r\n")
        );

        // Each signed statement verifies, under the keys that verifiers are given.
        let work = &house.deps.work;
        let trust = work.keys.trusted_root(&work.settings.log_origin).unwrap();
        let signed = files.iter().filter(|(path, _)| path.contains("/steps/") || path.ends_with("/receipt.json"));
        let mut verified = 0;
        for (path, bytes) in signed {
            let input = verify::Input { file: bytes, document: None, proofs: &[] };
            let report = verify::verify(&input, &trust).unwrap();
            assert!(report.ok, "{path}: {report:?}");
            verified += 1;
        }
        assert_eq!(verified, index(&files)[&open]["steps"].as_array().unwrap().len() + 1);

        // It is known who has what.
        let noted = handed_out(&house, "otto").await;
        assert_eq!(noted, [(open.clone(), Digest::sha256(&page.bytes).to_string())]);
        let nina = outsider(&house, "nina", "auditor").await;
        let mut nina = Browser::new(&service).with_session(&nina);
        nina.get(&format!("/audit/access?subject={open}")).await.is(200).says("otto").says("hand out");
        nina.get(&export(&open)).await.is(200);
        let mut root = Browser::new(&service).with_session(&outsider(&house, "root", "admin").await);
        assert_eq!(root.get(&export(&open)).await.status, 403, "an admin has no power over cases");
    })
    .await;
}

#[actix_web::test]
async fn a_file_that_is_not_where_it_should_be_is_said_to_be_missing() {
    on_each(async |database| {
        let house = House::on(database).await;
        let service = house.service().await;
        let certificate = case::certificate(&house).await;
        fs::remove_file(house.deps.work.data.certificates().join(format!("{}.pdf", certificate.id))).unwrap();
        let mut nina = Browser::new(&service).with_session(&outsider(&house, "nina", "auditor").await);
        let page = nina.get(&format!("/cases/{}/export", certificate.request)).await.is(200);
        let files = unpacked(&page);
        let said = &index(&files)[&certificate.request]["certificates"][0];
        assert_eq!(said["missing"], serde_json::json!([format!("{}.pdf", certificate.id)]));
        assert_eq!(said["files"].as_array().unwrap().len(), 4);
    })
    .await;
}

#[actix_web::test]
async fn a_sample_is_taken_along_with_what_draws_it_again_and_what_the_grant_still_covers() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let certified = case::certificate(&house).await.request;
        let mut all = vec![certified.clone()];
        for _ in 0..2 {
            all.push(asked(&service).await.1);
        }
        let work = &house.deps.work;
        let mut dora = Browser::new(&service).with_session(&outsider(&house, "dora", "regulator").await);
        let mut otto = Browser::new(&service).with_session(&outsider(&house, "otto", "regulator").await);
        let first = grant(&house, "dora", &[], 3).await;
        grant(&house, "otto", &[&certified], 1).await;
        let seed = "c0ffee".repeat(10);
        let wanted = Wanted { seed_digest: Digest::sha256(&seed), size: 3, closed: false, from: None, until: None };
        let sample = sampling::commit(work, "dora", &wanted).await.unwrap();
        let export = format!("/audit/sample/{}/export", sample.id);
        assert_eq!(dora.get(&export).await.status, 409, "nothing is drawn yet");
        dora.get(&format!("/audit/sample/{}", sample.id)).await.is(200).never_says(&export);
        sampling::reveal(work, "dora", &sample.id, &seed).await.unwrap();
        dora.get(&format!("/audit/sample/{}", sample.id)).await.is(200).says(&export);
        let page = dora.get(&export).await.is(200);
        let files = unpacked(&page);
        nothing_personal(&files);
        assert_eq!(index(&files).keys().collect::<Vec<_>>(), all.iter().collect::<Vec<_>>());
        assert!(index(&files).values().all(|case| case["included"] == true));
        assert_eq!(files["sample/population.json"], sample.population);
        let record: Value = canonical::from_bytes(&files["sample/record.json"]).unwrap();
        assert_eq!(record["populationDigest"], sample.population_digest.to_string());
        assert_eq!(files["log/checkpoint"], fs::read(work.data.log().join("checkpoint")).unwrap());

        // The program in it draws what the portal drew.
        if let Some(mut python) = program("python3", "--version") {
            let folder = Folder::new("drawn");
            let [script, population] =
                ["sample/draw.py", "sample/population.json"].map(|name| folder.write(name, &files[name]));
            let output = python.arg(script).arg(population).arg(&seed).output().unwrap();
            let sample: Value = canonical::from_bytes(&files["sample/sample.json"]).unwrap();
            let drawn: Vec<&str> =
                sample["drawn"].as_array().unwrap().iter().map(|case| case.as_str().unwrap()).collect();
            assert_eq!(said(&output).lines().skip(1).collect::<Vec<_>>(), drawn);
        }
        let noted: Vec<String> = handed_out(&house, "dora").await.into_iter().map(|(subject, _)| subject).collect();
        let mut expected = all.clone();
        expected.push(sample.id.clone());
        expected.sort();
        assert_eq!(
            {
                let mut noted = noted;
                noted.sort();
                noted
            },
            expected
        );

        // It is nobody else's, and under another grant it has the cases of that one alone.
        assert_eq!(otto.get(&export).await.status, 404);
        grants::revoke(work, "abe", first).await.unwrap();
        assert_eq!(dora.get(&export).await.status, 403);
        grant(&house, "dora", &[&all[1]], 1).await;
        let files = unpacked(&dora.get(&export).await.is(200));
        for (reference, line) in index(&files) {
            let covered = reference == all[1];
            assert_eq!(line["included"], covered, "{line}");
            assert_eq!(files.keys().any(|path| path.starts_with(&format!("cases/{reference}/"))), covered);
            assert!(covered || line.get("state").is_none() && line["note"].as_str().unwrap().contains("may not see"));
        }
    })
    .await;
}
