//! The audit bundle of a case, unpacked with tools that others wrote: what it holds stands without us, and nothing of what
//! was struck is in it. Not here: certificates by themselves (`outsiders.rs`), kills and revoked keys (`bundles.rs`).

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use obelus_corpus::Corpus;
use obelus_testkit::outsiders::{Folder, check, flipped, node, program, python, said};
use serde_json::Value;

use crate::{
    installation::{CORPUS, Installation},
    outsiders::{SIGNED_MEMBERS, flipped_behind},
};

/// Bytes of a text that are looked for at once. Shorter texts are looked for whole.
const WINDOW_BYTES: usize = 24;

/// A bundle and what `unzip` makes of it.
struct Unpacked {
    here: Installation,
    folder: Folder,
    archive: PathBuf,
    trust: PathBuf,
}

impl Unpacked {
    /// None where `unzip` is missing.
    fn new(name: &str) -> Option<Self> {
        let here = Installation::certified();
        let folder = Folder::new(name);
        let (reference, _) = here.case();
        let [archive, again] = ["case.zip", "again.zip"].map(|name| folder.path(name));
        for out in [&archive, &again] {
            here.run(&["audit", "bundle", &reference, "--out", out.to_str().unwrap()]).json(0);
        }
        assert!(fs::read(&archive).unwrap() == fs::read(again).unwrap(), "one case has one bundle");
        let trust = PathBuf::from(here.trust());
        let mut unzip = program("unzip", "-v")?;
        let output = unzip.arg("-q").arg(&archive).arg("-d").arg(folder.path("case")).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        Some(Self { here, folder, archive, trust })
    }

    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        files_below(&self.folder.path("case"))
    }
}

/// Every file of a folder by its path in it.
fn files_below(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
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

#[test]
fn others_unpack_a_bundle_and_find_every_file_that_its_manifest_lists() {
    let Some(unpacked) = Unpacked::new("unpacked-files") else { return };
    let files = unpacked.files();
    if let Some(mut zipfile) = program("python3", "--version") {
        let script = "import sys, zipfile\nzipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])";
        let output = zipfile.args(["-c", script]).arg(&unpacked.archive).arg(unpacked.folder.path("python")).output();
        assert!(output.as_ref().unwrap().status.success(), "{}", said(&output.unwrap()));
        assert!(files_below(&unpacked.folder.path("python")) == files);
    }
    let manifest: Value = serde_json::from_slice(&files["MANIFEST.json"]).unwrap();
    let text = |file: &Value, field: &str| file[field].as_str().unwrap().to_owned();
    let listed = manifest["files"].as_array().unwrap();
    let own = ["MANIFEST.json", "MANIFEST.sigstore.json"].map(str::to_owned);
    let all: BTreeSet<String> = listed.iter().map(|file| text(file, "path")).chain(own).collect();
    assert!(files.keys().eq(&all));
    let sums: String = listed.iter().map(|f| format!("{}  {}\n", text(f, "sha256"), text(f, "path"))).collect();
    let sums = unpacked.folder.write("sums", sums);
    let sha256sum = || {
        let mut command = program("sha256sum", "--version")?;
        let output = command.args(["--check", "--quiet"]).arg(&sums).current_dir(unpacked.folder.path("case")).output();
        Some(output.unwrap().status.success())
    };
    if let Some(same) = sha256sum() {
        assert!(same);
        unpacked.folder.write("case/case/timeline.json", flipped(&files["case/timeline.json"], 30));
        assert_eq!(sha256sum(), Some(false));
    }
}

#[test]
fn the_steps_of_a_case_are_a_chain_that_others_can_follow() {
    let Some(unpacked) = Unpacked::new("unpacked-steps") else { return };
    let readme = String::from_utf8(unpacked.files()["README.txt"].clone()).unwrap();
    let script = readme.split("<<'END'\n").nth(1).unwrap().split("END\n").next().unwrap();
    let follow = |paths: &[&str]| {
        let mut python = program("python3", "--version")?;
        Some(python.args(["-c", script]).args(paths).current_dir(unpacked.folder.path("case")).output().unwrap())
    };
    let files = unpacked.files();
    let steps: Vec<&str> = files.keys().filter(|path| path.starts_with("case/steps/")).map(String::as_str).collect();
    assert_eq!(steps.len(), 11, "from filing to the certificate: {steps:?}");
    let Some(whole) = follow(&steps) else { return };
    assert!(whole.status.success() && String::from_utf8_lossy(&whole.stdout).contains("approve approved_once"));
    for left_out in 0..steps.len() - 1 {
        let without: Vec<&str> =
            steps.iter().enumerate().filter(|(at, _)| *at != left_out).map(|(_, path)| *path).collect();
        assert!(!follow(&without).unwrap().status.success(), "without {}", steps[left_out]);
    }
    if let Some(mut dsse) = python("check_dsse.py") {
        let paths = steps.iter().chain(&["case/receipt.json"]);
        let pem = unpacked.trust.join("registrar.pem");
        let output = dsse.arg(pem).args(paths).current_dir(unpacked.folder.path("case")).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
    }
}

#[test]
fn one_flipped_byte_of_a_bundle_is_noticed_by_unzip_and_by_us() {
    let Some(unpacked) = Unpacked::new("unpacked-flipped") else { return };
    let good = fs::read(&unpacked.archive).unwrap();
    let verify = |path: &Path| {
        let trust = unpacked.trust.to_str().unwrap();
        unpacked.here.run(&["verify", path.to_str().unwrap(), "--trust", trust]).code
    };
    let tested = |path: &Path| program("unzip", "-v").unwrap().arg("-tqq").arg(path).output().unwrap().status.success();
    assert!(tested(&unpacked.archive) && verify(&unpacked.archive) == Some(0));
    // In the contents of the files in between, which is what `unzip` has checksums of.
    for (path, contents) in unpacked.files() {
        let at = good.windows(contents.len()).position(|window| window == contents).unwrap() + contents.len() / 2;
        let changed = unpacked.folder.write("changed.zip", flipped(&good, at));
        assert!(!tested(&changed), "{path}");
        assert!(matches!(verify(&changed), Some(1 | 2)), "{path}");
    }
}

#[test]
fn every_statement_of_a_bundle_stands_alone_with_the_exported_trust() {
    let Some(unpacked) = Unpacked::new("unpacked-statements") else { return };
    let files = unpacked.files();
    let certificate = |path: &str| path.starts_with("certificates/") && path.matches('.').count() == 1;
    let bundles: Vec<&String> = files
        .keys()
        .filter(|path| path.starts_with("statements/") || *path == "MANIFEST.sigstore.json")
        .chain(files.keys().filter(|path| certificate(path) && path.ends_with(".json")))
        .collect();
    assert_eq!(bundles.len(), 8, "six statements, the certificate, and the one about the bundle: {bundles:?}");
    let mut expected = Vec::new();
    for path in &bundles {
        expected.push((format!("case/{path}"), true));
        for (number, (marker, offset)) in SIGNED_MEMBERS.into_iter().enumerate() {
            let name = format!("changed/{number}/{path}");
            unpacked.folder.write(&name, flipped_behind(&files[*path], marker, offset));
            expected.push((name, false));
        }
    }
    if let Some(mut sigstore) = node("check_bundle.mjs") {
        sigstore.arg(&unpacked.trust);
        check(sigstore, &unpacked.folder, &expected);
    }
    let signer = |path: &str| match path {
        path if path.contains("campaign") || path.contains("source-manifest") => "registrar",
        path if path.contains("training-run") => "model",
        _ => "issuer",
    };
    for role in ["registrar", "model", "issuer"] {
        let Some(mut securesystemslib) = python("check_dsse.py") else { return };
        securesystemslib.arg(unpacked.trust.join(format!("{role}.pem")));
        // What others signed is refused with this key, however good it is.
        let expected: Vec<_> =
            expected.iter().map(|(path, good)| (path.clone(), *good && signer(path) == role)).collect();
        check(securesystemslib, &unpacked.folder, &expected);
    }
}

/// Every text of a file that somebody could read: the file, what is packed in it, and what its JSON holds as base64.
fn texts(path: &Path, bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut found = vec![bytes.to_vec()];
    let unpacked = |name: &str, trial: &str, arguments: &[&str]| {
        let output = program(name, trial)?.args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        Some(output.stdout)
    };
    let shown = path.to_str().unwrap();
    if bytes.starts_with(b"\x1f\x8b") {
        found.extend(unpacked("gzip", "--version", &["-dc", "--suffix", "", shown]));
    }
    if bytes.starts_with(b"%PDF") {
        found.extend(unpacked("pdftotext", "-v", &[shown, "-"]));
    }
    let mut waiting: Vec<Value> = serde_json::from_slice(bytes).into_iter().collect();
    while let Some(next) = waiting.pop() {
        match next {
            Value::Array(values) => waiting.extend(values),
            Value::Object(members) => waiting.extend(members.into_iter().map(|(_, value)| value)),
            Value::String(text) => {
                let decoded = STANDARD.decode(text).ok().filter(|decoded| std::str::from_utf8(decoded).is_ok());
                waiting.extend(decoded.iter().filter_map(|bytes| serde_json::from_slice::<Value>(bytes).ok()));
                found.extend(decoded);
            }
            _ => {}
        }
    }
    found
}

/// What is there whatever was struck, and so not looked for: a year or another number is among lengths and digits, and the
/// language of the rules has the name of a tree that the generator knows.
fn by_chance(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) || text == "cedar"
}

/// What is looked for.
struct Needles<'a> {
    windows: HashSet<&'a [u8]>,
    words: Vec<&'a str>,
}

impl<'a> Needles<'a> {
    fn new(texts: &BTreeSet<&'a str>) -> Self {
        let long = |text: &&&'a str| text.len() >= WINDOW_BYTES;
        let windows = texts.iter().filter(long).flat_map(|text| text.as_bytes().windows(WINDOW_BYTES)).collect();
        let words = texts.iter().copied().filter(|text| text.len() < WINDOW_BYTES && !by_chance(text)).collect();
        Self { windows, words }
    }

    /// The first of them in a text.
    fn found(&self, text: &[u8]) -> Option<String> {
        let window = text.windows(WINDOW_BYTES).find(|window| self.windows.contains(window));
        if let Some(window) = window {
            return Some(String::from_utf8_lossy(window).into_owned());
        }
        let bounded = |at: usize| text.get(at).is_none_or(|byte| !byte.is_ascii_alphanumeric());
        let is_there = |word: &str| {
            let mut places = text.windows(word.len()).enumerate().filter(|(_, found)| *found == word.as_bytes());
            places.any(|(at, _)| bounded(at.wrapping_sub(1)) && bounded(at + word.len()))
        };
        self.words.iter().find(|word| is_there(word)).map(|word| (*word).to_owned())
    }
}

#[test]
fn nothing_of_what_was_struck_is_in_its_bundle() {
    let Some(unpacked) = Unpacked::new("unpacked-texts") else { return };
    let struck = &unpacked.here.panel()[0];
    let corpus = Corpus::open(&unpacked.here.data().join("corpora").join(CORPUS)).unwrap();
    let documents = corpus.documents().iter().filter(|document| document.source == *struck);
    let probes = corpus.probes().iter().filter(|probe| probe.source == *struck);
    let asked = probes.flat_map(|probe| [&probe.prompt, &probe.answer].into_iter().chain(&probe.wrong));
    let wanted: BTreeSet<&str> = documents.map(|document| &document.text).chain(asked).map(String::as_str).collect();
    let needles = Needles::new(&wanted);
    assert!(needles.windows.len() > 1000 && needles.words.len() > 10, "there is something to look for");

    let mut read = 0;
    for (path, bytes) in unpacked.files() {
        for text in texts(&unpacked.folder.path("case").join(&path), &bytes) {
            read += text.len();
            assert_eq!(needles.found(&text), None, "{path}");
        }
    }
    assert!(read > 100_000, "only {read} bytes were looked through");

    // It would be found, in a payload too.
    for text in &wanted {
        let statement = format!("{{\"payload\":\"{}\"}}", STANDARD.encode(format!("{{\"said\":\"{text}\"}}")));
        let read = texts(Path::new("statement.json"), statement.as_bytes());
        assert_eq!(read.iter().any(|read| needles.found(read).is_some()), !by_chance(text), "{text}");
    }
}
