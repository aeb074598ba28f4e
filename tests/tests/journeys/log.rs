//! The transparency log under kills, failures, crowds and hands that change its files. Not here: its formats, and what
//! other people's programs say of them.

use std::{collections::BTreeSet, fs, path::Path};

use obelus_casework::fault::LOG_POINTS;
use obelus_testkit::databases;
use serde_json::Value;

use crate::installation::{CORPUS, Ended, Installation, MODEL};

/// Puts one statement into the log.
fn append(here: &Installation, out: &str) -> Ended {
    statement(here, &first_source(here, CORPUS), out)
}

fn statement(here: &Installation, source: &str, out: &str) -> Ended {
    here.run(&["source", "statement", MODEL, source, "--out", here.path(out).to_str().unwrap()])
}

fn first_source(here: &Installation, corpus: &str) -> String {
    here.run(&["corpus", "show", corpus]).json(0)["sources"][0]["id"].as_str().unwrap().to_owned()
}

fn size(here: &Installation) -> u64 {
    here.run(&["log", "checkpoint"]).json(0)["size"].as_u64().unwrap()
}

/// The log agrees with itself, and a monitor that knows only the public folder agrees too.
#[track_caller]
fn is_whole(here: &Installation, after: &str) {
    let checked = here.run(&["log", "check"]);
    assert_eq!(checked.code, Some(0), "after {after}: {}", checked.stderr);
    here.trust();
    let followed = follow(here, &here.data().join("log"));
    assert_eq!(followed.code, Some(0), "after {after}: {}{}", followed.stdout, followed.stderr);
}

/// Follows a folder and remembers its checkpoint.
fn follow(here: &Installation, folder: &Path) -> Ended {
    let (folder, seen) = (folder.to_str().unwrap(), here.path("seen"));
    let seen = seen.to_str().unwrap();
    let trust = here.path("trust");
    here.run(&["log", "check", "--folder", folder, "--trust", trust.to_str().unwrap(), "--remember", seen])
}

#[test]
fn an_append_that_is_killed_or_fails_anywhere_twice_is_whole_after_the_next() {
    let here = Installation::trained();
    let source = first_source(&here, CORPUS);
    let mut before = size(&here);
    for point in LOG_POINTS {
        for variable in ["OBELUS_DIE_AT", "OBELUS_FAIL_AT"] {
            for _ in 0..2 {
                let out = here.path("cut-off.json");
                let mut command = here.command(&["source", "statement", MODEL, &source]);
                let ended = command.args(["--out", out.to_str().unwrap()]).env(variable, point).output().unwrap();
                let wanted = if variable == "OBELUS_DIE_AT" { None } else { Some(3) };
                assert_eq!(ended.status.code(), wanted, "{point}: {}", String::from_utf8_lossy(&ended.stderr));
            }
            statement(&here, &source, "next.json").json(0);
            is_whole(&here, &format!("{variable}={point}"));
            // What was stored before the cut is in the log now, once; what was not, is not. The second run comes to some
            // points already while it does what the first left undone, before it stores anything of its own.
            let stored = match point {
                "log-leaf-insert" => 0,
                "log-leaf-inserted" | "log-committed" => 2,
                _ => 1,
            };
            let now = size(&here);
            assert_eq!(now, before + stored + 1, "{variable}={point}");
            before = now;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_leave_no_gap_and_give_no_place_twice() {
    for database in databases().await {
        let here = Installation::empty().with("DATABASE_URL", &database.url);
        here.run(&["init"]).json(0);
        here.run(&["corpus", "generate", CORPUS, "--sources", "20"]).json(0);
        here.run(&["model", "train", MODEL, "--corpus", CORPUS, "--preset", "tiny", "--steps", "1"]).json(0);
        let before = size(&here);
        let source = first_source(&here, CORPUS);
        let (processes, rounds) = (6, 3);
        for round in 0..rounds {
            let out = |process: u64| here.path(&format!("{round}-{process}.json")).to_str().unwrap().to_owned();
            let start =
                |process| here.command(&["source", "statement", MODEL, &source, "--out", &out(process)]).spawn();
            let running: Vec<_> = (0..processes).map(|process| start(process).unwrap()).collect();
            for child in running {
                let ended = child.wait_with_output().unwrap();
                assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
            }
        }
        assert_eq!(size(&here), before + processes * rounds);
        let entry = |index: u64| here.run(&["log", "prove", &index.to_string()]).json(0)["entry"].clone();
        let entries: BTreeSet<String> = (before..size(&here)).map(|i| entry(i).to_string()).collect();
        assert_eq!(entries.len() as u64, processes * rounds, "{:?}", database.backend());
        is_whole(&here, "many processes");
    }
}

#[test]
fn tiles_that_are_damaged_are_noticed_by_everybody_and_made_again_by_the_next_append() {
    let here = Installation::trained();
    append(&here, "one.json").json(0);
    let log = here.data().join("log");
    let trusted = here.trust();
    let files = files_below(&log);
    assert!(
        files.iter().any(|f| f.contains("tile/entries/")) && files.iter().any(|f| f.contains("tile/0/")),
        "{files:?}"
    );
    let width = size(&here).to_string();
    let now: Vec<_> = files.iter().filter(|f| f.ends_with(&format!(".p/{width}")) || *f == "checkpoint").collect();
    assert_eq!(now.len(), 3, "{files:?}");
    for name in now {
        let (copy, path) = (here.path("copy"), here.path("copy").join(name));
        let _ = fs::remove_dir_all(&copy);
        copy_folder(&log, &copy);
        let whole = fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(whole.len().div_ceil(12)) {
            let mut bad = whole.clone();
            bad[at] ^= 4;
            fs::write(&path, &bad).unwrap();
            let folder = copy.to_str().unwrap();
            let found = here.run(&["log", "check", "--folder", folder, "--trust", &trusted]);
            assert_eq!(found.code, Some(1), "byte {at} of {name}: {}", found.stdout);
        }
    }
    for name in files.iter().filter(|name| name.contains("tile/0/")) {
        fs::write(log.join(name), b"damaged").unwrap();
    }
    assert!(here.run(&["log", "check"]).refused(3).contains("tile/0/"));
    append(&here, "two.json").json(0);
    is_whole(&here, "damaged tiles");
}

#[test]
fn a_log_that_was_rewritten_or_cut_is_shown_by_two_signed_notes() {
    let here = Installation::trained();
    let (database, log) = (here.data().join("obelus.db"), here.data().join("log"));
    let old = fs::read(&database).unwrap();
    copy_folder(&log, &here.path("old-log"));
    append(&here, "one.json").json(0);
    is_whole(&here, "an append");
    copy_folder(&log, &here.path("first-history"));
    let first = fs::read_to_string(log.join("checkpoint")).unwrap();
    // Yesterday's log, shown to somebody who has seen today's.
    let cut = follow(&here, &here.path("old-log")).json(1);
    assert!(failure(&cut).contains("shorter") && failure(&cut).contains(first.trim_end()), "{cut}");
    // Everything put back, the guard too, and another statement signed in the place of the first.
    for part in ["obelus.db-wal", "obelus.db-shm"] {
        let _ = fs::remove_file(here.data().join(part));
    }
    fs::write(&database, old).unwrap();
    fs::remove_dir_all(&log).unwrap();
    copy_folder(&here.path("old-log"), &log);
    append(&here, "other.json").json(0);
    let second = fs::read_to_string(log.join("checkpoint")).unwrap();
    let forked = follow(&here, &log).json(1);
    let said = failure(&forked);
    assert!(said.contains(first.trim_end()) && said.contains(second.trim_end()), "{said}");
    // The log itself, when the world has the first history: it signs nothing.
    fs::remove_dir_all(&log).unwrap();
    copy_folder(&here.path("first-history"), &log);
    let refused = append(&here, "third.json");
    let said = refused.refused(3);
    assert!(said.contains("refuses to sign") && said.contains(first.trim_end()) && said.contains(second.trim_end()));
}

fn failure(report: &Value) -> String {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().filter(|check| check["ok"] == false).map(|check| check["detail"].as_str().unwrap()).collect()
}

fn files_below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => waiting.push(path),
                false => found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned()),
            }
        }
    }
    found
}

fn copy_folder(from: &Path, to: &Path) {
    for name in files_below(from) {
        fs::create_dir_all(to.join(&name).parent().unwrap()).unwrap();
        fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}
