//! Certificates after they were issued: renewed, suspended, expired; by schedules, changes and persons, through kills and
//! two at once.

use std::{
    fs,
    process::{Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use obelus_auditor::living::{self, Options};
use obelus_casework::{
    Deps, Settings,
    case::SERVICE,
    fault::LIVING_POINTS,
    keyring::{Keyring, Passphrase},
    transparency::Sequencer,
};
use obelus_core::{Clock as _, DataDirectory, SystemClock, Timestamp};
use obelus_testkit::{ManualClock, databases};
use serde_json::Value;

use crate::installation::{Installation, MODEL};

const RUN: [&str; 6] = ["audit", "schedule", "run", "--once", "--lease-seconds", "1"];

/// Statuses of all certificates, oldest first.
fn statuses(here: &Installation) -> Vec<String> {
    let list = here.run(&["certificate", "list"]).json(0);
    list.as_array().unwrap().iter().map(|row| row["status"].as_str().unwrap().to_owned()).collect()
}

/// The newest certificate's id and file.
fn newest(here: &Installation) -> (String, String) {
    let list = here.run(&["certificate", "list"]).json(0);
    let id = list.as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    let shown = here.run(&["certificate", "show", &id]).json(0);
    (id, shown["path"].as_str().unwrap().to_owned())
}

/// What a verifier with the list of now says of a certificate's status, and the exit status.
fn judged(here: &Installation, id: &str) -> (i32, String) {
    let (trust, list) = (here.trust(), here.path("status.json").to_str().unwrap().to_owned());
    here.run(&["certificate", "status", "--out", &list]).json(0);
    here.run(&["verify", &list, "--trust", &trust]).json(0);
    let file = here.data().join("certificates").join(format!("{id}.json"));
    let ended = here.run(&["verify", file.to_str().unwrap(), "--trust", &trust, "--status", &list]);
    let report = ended.json(ended.code.unwrap());
    let check = report["checks"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(check["name"], "status");
    (ended.code.unwrap(), check["detail"].as_str().unwrap().to_owned())
}

/// Changes something that certificates rest on, so that one job waits.
fn change(here: &Installation, name: &str) {
    let out = here.path(name);
    here.run(&["model", "export", MODEL, "--format", "hf", "--backbone-only", "--out", out.to_str().unwrap()]).json(0);
}

/// Results of the jobs that one run of the schedule did.
fn worked(here: &Installation, code: i32) -> Vec<String> {
    let done = here.run(&RUN).json(code);
    done["jobs"].as_array().unwrap().iter().map(|job| job["result"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_schedule_renews_a_certificate_that_is_as_good_as_before() {
    let here = Installation::certified();
    let (reference, first) = here.case();
    let own = here.run(&["audit", "schedule", "list"]).json(0);
    assert_eq!((&own[0]["subject"], &own[0]["protocol"]), (&reference.clone().into(), &"standard".into()));
    assert_eq!(worked(&here, 0), Vec::<String>::new(), "nothing is due");
    let made = here.run(&["audit", "schedule", "add", &reference, "--cron", "* * * * * *"]).json(0);
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(worked(&here, 0), ["renewed"]);
    here.run(&["audit", "schedule", "remove", made["id"].as_str().unwrap()]).json(0);
    assert_eq!(statuses(&here), ["superseded", "valid"]);
    let (second, file) = newest(&here);
    let shown = here.run(&["certificate", "show", &second]).json(0);
    assert_eq!(shown["follows"], first.clone());
    assert_eq!(shown["claims"]["renews"]["judged"], here.run(&["model", "root", MODEL]).json(0)["root"]);
    here.run(&["verify", &file, "--trust", &here.trust()]).json(0);
    let (code, said) = judged(&here, &second);
    assert!(code == 0 && said.starts_with("valid as of"), "{said}");
    let (code, said) = judged(&here, &first);
    assert!(code == 1 && said.starts_with("superseded as of"), "{said}");
    // The case with all that happened is one bundle, which verifies.
    let zip = here.path("case.zip").to_str().unwrap().to_owned();
    here.run(&["audit", "bundle", &reference, "--out", &zip]).json(0);
    here.run(&["verify", &zip, "--trust", &here.trust()]).json(0);
    assert_eq!(here.run(&["log", "check"]).json(0)["ok"], true);
    // Somebody else's list says nothing.
    let other = Installation::certified();
    here.run(&["keys", "rotate", "issuer"]).json(0);
    change(&here, "later");
    assert_eq!(worked(&here, 0), ["renewed"]);
    let list = here.path("rotated.json").to_str().unwrap().to_owned();
    here.run(&["certificate", "status", "--out", &list]).json(0);
    let (id, _) = newest(&other);
    let file = other.data().join("certificates").join(format!("{id}.json"));
    let foreign = ["verify", file.to_str().unwrap(), "--trust", &other.trust(), "--status", &list];
    assert_eq!(here.run(&foreign).code, Some(1));
}

#[test]
fn what_changes_weights_makes_one_job_and_the_certificate_is_renewed_on_the_new_weights() {
    let here = Installation::certified();
    let (reference, _) = here.case();
    change(&here, "one");
    here.run(&["model", "repair", MODEL, "--steps", "3", "--quiet"]).json(0);
    let waiting = here.run(&["audit", "jobs"]).json(0);
    let jobs: Vec<_> = waiting.as_array().unwrap().iter().map(|job| (&job["subject"], &job["state"])).collect();
    assert_eq!(jobs, [(&reference.clone().into(), &Value::from("queued"))], "two changes are one job");
    let done = here.run(&RUN);
    let done = done.json(done.code.unwrap())["jobs"].clone();
    let (result, shown) = (done[0]["result"].as_str().unwrap(), here.run(&["request", "show", &reference]).json(0));
    let trail: Vec<&str> = shown["trail"].as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert!(trail.contains(&"reverify"), "{trail:?}");
    assert_eq!(result, "renewed", "{done}");
    let (id, file) = newest(&here);
    let shown = here.run(&["certificate", "show", &id]).json(0);
    let root = here.run(&["model", "root", MODEL]).json(0)["root"].clone();
    assert_eq!(shown["claims"]["renews"]["judged"], root);
    assert_ne!(shown["claims"]["root_after"].as_str().or(shown["claims"]["rootAfter"].as_str()), root.as_str());
    here.run(&["verify", &file, "--trust", &here.trust()]).json(0);
}

#[test]
fn an_old_checkpoint_in_the_place_of_the_erased_one_suspends_until_a_person_has_looked() {
    let here = Installation::certified();
    let (reference, first) = here.case();
    let weights = here.data().join("models/m/model.safetensors");
    let erased = fs::read(&weights).unwrap();
    fs::copy(Installation::trained().data().join("models/m/model.safetensors"), &weights).unwrap();
    here.run(&["audit", "schedule", "add", "--model", MODEL, "--cron", "0 0 0 1 1 *"]).json(0);
    let made = here.run(&["audit", "schedule", "add", "--model", MODEL, "--cron", "* * * * * *"]).json(0);
    thread::sleep(Duration::from_millis(1100));
    assert_eq!(worked(&here, 1), ["enqueued", "suspended"]);
    here.run(&["audit", "schedule", "remove", made["id"].as_str().unwrap()]).json(0);
    assert_eq!(statuses(&here), ["suspended"]);
    let (code, said) = judged(&here, &first);
    assert!(code == 1 && said.starts_with("suspended as of"), "{said}");
    let incident = here.run(&["audit", "incident", "list"]).json(0)[0].clone();
    assert_eq!((&incident["kind"], &incident["state"]), (&"weights".into(), &"open".into()));
    assert_ne!(incident["detail"]["found"], incident["detail"]["signed"]);

    // The weights are back, and nothing is lifted before somebody with the right to do so has said why.
    fs::write(&weights, erased).unwrap();
    let id = incident["id"].as_str().unwrap();
    let close = |person| here.run(&["audit", "incident", "close", id, "--reason", "restored", "--as", person]);
    assert!(close("emil").refused(3).contains("may not close_incident"));
    assert!(here.run(&["audit", "incident", "close", "IN-1", "--reason", "x", "--as", "ana"]).code == Some(2));
    assert_eq!(close("ana").json(0)["state"], "closed");
    assert!(close("ana").code == Some(3), "it is closed once");
    assert_eq!(worked(&here, 0), ["renewed"]);
    assert_eq!(statuses(&here), ["superseded", "valid"]);
    let trail = here.run(&["request", "show", &reference]).json(0)["trail"].clone();
    let actions: Vec<&str> = trail.as_array().unwrap().iter().map(|e| e["action"].as_str().unwrap()).collect();
    assert!(actions.ends_with(&["suspend", "close_incident", "reverify", "renew"]), "{actions:?}");
}

#[test]
fn a_copy_of_fewer_bits_is_registered_and_what_was_certified_is_verified_again() {
    let here = Installation::certified();
    let out = here.path("int8");
    let export = ["model", "export", MODEL, "--format", "hf", "--backbone-only", "--round", "int8", "--out"];
    let made = here.run(&[&export[..], &[out.to_str().unwrap()]].concat()).json(0);
    assert_eq!(made["rounding"]["bits"], 8);
    let jobs = here.run(&["audit", "jobs"]).json(0);
    assert_eq!(jobs[0]["reason"], "copies changed: an export of 8 bits was registered");
    assert_eq!(worked(&here, 0), ["renewed"]);
}

/// Takes the trust from the issuer's key, with which the case was signed, from an entry of the log on; then verifies again.
fn revoked_from(here: &Installation, entry: u64, code: i32) -> Vec<String> {
    here.run(&["keys", "rotate", "issuer"]).json(0);
    let keys = here.run(&["keys", "list"]).json(0);
    let stolen = keys.as_array().unwrap().iter().find(|key| key["role"] == "issuer").unwrap()["keyid"].clone();
    let (stolen, entry) = (&stolen.as_str().unwrap()[..10], entry.to_string());
    here.run(&["keys", "revoke", stolen, "--reason", "stolen", "--from-entry", &entry]).json(0);
    change(here, "export");
    worked(here, code)
}

#[test]
fn a_certificate_whose_key_was_revoked_is_issued_anew_where_what_it_rests_on_still_counts() {
    let here = Installation::certified();
    let (_, first) = here.case();
    // The certificate is the last statement of its case; nothing else was logged after it.
    assert_eq!(revoked_from(&here, here.entries() - 1, 0), ["renewed"]);
    assert_eq!(statuses(&here), ["superseded", "valid"]);
    let (second, file) = newest(&here);
    assert_eq!(judged(&here, &first).0, 1);
    assert_eq!(judged(&here, &second).0, 0);
    here.run(&["verify", &file, "--trust", &here.trust()]).json(0);

    // The protocol itself was fixed with a key that others had: nothing can be judged by it.
    let here = Installation::certified();
    let (_, first) = here.case();
    assert_eq!(revoked_from(&here, 0, 1), ["failed"]);
    assert_eq!(statuses(&here), ["revoked"]);
    assert!(judged(&here, &first).1.contains("stolen"));
    let job = here.run(&["audit", "jobs"]).json(0)[0].clone();
    assert!(job["state"] == "queued" && job["outcome"].as_str().unwrap().contains("revoked"), "{job}");
}

#[test]
fn a_worker_that_is_told_to_stop_ends_what_it_has_begun() {
    let here = Installation::certified();
    change(&here, "export");
    let worker = here.command(&RUN[..3]).stderr(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    while here.run(&["audit", "jobs"]).json(0)[0]["state"] == "queued" {
        thread::sleep(Duration::from_millis(20));
    }
    let told = Command::new("kill").args(["-TERM", &worker.id().to_string()]).status().unwrap();
    assert!(told.success());
    let ended = worker.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    let done: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(done["jobs"][0]["result"], "renewed");
    assert_eq!(here.run(&["audit", "jobs"]).json(0)[0]["state"], "done");
    assert_eq!(statuses(&here), ["superseded", "valid"]);
}

#[test]
fn a_repeated_verification_that_is_killed_at_any_step_ends_the_same() {
    // Before a job is taken there is nothing to be cut off.
    for point in LIVING_POINTS.into_iter().filter(|point| *point != "ticks-made") {
        let here = Installation::certified();
        let weights = here.data().join("models/m/model.safetensors");
        change(&here, "export");
        let suspends = point == "certificate-suspended";
        if suspends {
            fs::copy(Installation::trained().data().join("models/m/model.safetensors"), &weights).unwrap();
        }
        here.dies_at(point, &RUN);
        thread::sleep(Duration::from_millis(1200));
        let ended = here.run(&RUN);
        ended.json(ended.code.unwrap());
        let jobs = here.run(&["audit", "jobs"]).json(0);
        assert_eq!((jobs.as_array().unwrap().len(), &jobs[0]["state"]), (1, &"done".into()), "{point}");
        let (id, _) = newest(&here);
        if suspends {
            assert_eq!(statuses(&here), ["suspended"], "{point}");
            assert_eq!(here.run(&["audit", "incident", "list"]).json(0).as_array().unwrap().len(), 1, "{point}");
            assert!(judged(&here, &id).1.starts_with("suspended"), "{point}");
        } else {
            assert_eq!(statuses(&here), ["superseded", "valid"], "{point}");
            assert_eq!(judged(&here, &id).0, 0, "{point}");
        }
        assert_eq!(here.run(&["log", "check"]).json(0)["ok"], true, "{point}");
    }
}

/// The installation as a process whose clock shows another time.
pub async fn at(here: &Installation, clock: Arc<ManualClock>) -> Deps {
    let data = DataDirectory::new(here.data());
    let configuration = fs::read_to_string(data.configuration()).unwrap();
    let origin = configuration.lines().find_map(|line| line.strip_prefix("log_origin = ")).unwrap();
    let settings = Settings {
        operator: "unnamed operator".to_owned(),
        log_origin: origin.trim_matches('"').to_owned(),
        threads: 1,
        passphrase_file: None,
        time_zone: None,
        contact: None,
        portal: None,
        smtp: None,
    };
    Deps {
        db: obelus_store::connect_sqlite(&data.database()).await.unwrap(),
        keys: Keyring::open(&data.keys(), Passphrase::find(None, None, &data.keys())).unwrap(),
        data,
        clock,
        settings,
        log: Sequencer::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_renewed_in_time_expires_and_of_the_missed_times_one_is_made_up_for() {
    let here = Installation::certified();
    let (_, first) = here.case();
    let clock = Arc::new(ManualClock::new(Timestamp::from_micros(SystemClock.now().as_micros())));
    clock.advance_us(400 * 86_400_000_000);
    let deps = at(&here, clock).await;
    assert_eq!(living::expire(&deps).await.unwrap(), [first]);
    let settled = living::settle(&deps).await.unwrap();
    assert_eq!(settled.changes.iter().map(|change| change.status.as_str()).collect::<Vec<_>>(), ["expired"]);
    assert_eq!(statuses(&here), ["expired"]);
    let options = Options { by: SERVICE.to_owned(), once: true, lease: Duration::from_secs(60), train: vec![] };
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    let mut done = Vec::new();
    living::run(&deps, &options, stopped, &mut |one| done.push(one.clone())).await.unwrap();
    assert_eq!(done.iter().map(|one| one.result).collect::<Vec<_>>(), ["renewed"]);
    assert!(done[0].reason.contains("times before it were missed"), "{}", done[0].reason);
    assert_eq!(statuses(&here), ["superseded", "valid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_schedules_at_once_do_each_job_once() {
    for database in databases().await {
        let here = Installation::empty().with("DATABASE_URL", &database.url);
        here.run(&["init"]).json(0);
        here.run(&["corpus", "generate", "c", "--sources", "20"]).json(0);
        here.run(&["model", "train", MODEL, "--corpus", "c", "--preset", "tiny", "--steps", "5"]).json(0);
        for name in ["ana", "ben"] {
            here.run(&["person", "add", name, "--role", "legal_approver"]).json(0);
        }
        let corpus = here.run(&["corpus", "show", "c"]).json(0);
        let reference = here.approved(corpus["sources"][3]["id"].as_str().unwrap());
        here.run(&["takedown", "execute", &reference]).json(0);
        here.run(&["audit", "run", &reference]).json(1);
        change(&here, "export");
        let begin = || here.command(&RUN[..4]).stderr(Stdio::null()).spawn().unwrap();
        let both = [begin(), begin()].map(|child| child.wait_with_output().unwrap());
        let results: Vec<Value> = both
            .iter()
            .flat_map(|output| {
                let done: Value = serde_json::from_slice(&output.stdout).unwrap();
                done["jobs"].as_array().unwrap().clone()
            })
            .collect();
        let renewed = results.iter().filter(|job| job["result"] == "renewed").count();
        assert_eq!((results.len(), renewed), (1, 1), "{:?}: {results:?}", database.backend());
        assert_eq!(statuses(&here), ["superseded", "valid"], "{:?}", database.backend());
        let lists = here.run(&["certificate", "status"]).json(0);
        assert_eq!(lists["certificates"].as_array().unwrap().len(), 2, "{:?}", database.backend());
        here.run(&["log", "check"]).json(0);
    }
}
