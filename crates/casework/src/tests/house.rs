//! The house that cases are tried in: a trained model `m` of the sources `a`, `b` and `c`, as rows without weights, and people
//! who have every role.

use std::sync::Arc;

use obelus_core::{Clock as _, DataDirectory, ManualClock};
use obelus_store::persons;
use obelus_testkit::{TestDatabase, trained_model};
use tempfile::TempDir;

use crate::{
    Deps, Settings,
    keyring::{Keyring, Passphrase},
    transparency::Sequencer,
};

/// When everything begins.
const NOON: &str = "2026-07-01T12:00:00.000000Z";
const EVERY_ROLE: [&str; 6] = ["requester", "intake", "legal_reviewer", "legal_approver", "executor", "hold_officer"];
/// The people.
pub const PEOPLE: [&str; 4] = ["ana", "ben", "cem", "dee"];

/// An installation with a trained model `m` of three sources, and people who have every role.
pub async fn house(database: &TestDatabase, folder: &TempDir) -> (Arc<Deps>, Arc<ManualClock>) {
    let data = DataDirectory::new(folder.path());
    let passphrase = || Passphrase::find(None, None, &data.keys());
    Keyring::create(&data.keys(), passphrase()).unwrap();
    let keys = Keyring::open(&data.keys(), passphrase()).unwrap();
    let settings = Settings {
        operator: "tests".to_owned(),
        log_origin: "log.example/obelus".to_owned(),
        threads: 1,
        passphrase_file: None,
        time_zone: None,
        contact: None,
        portal: Some("https://obelus.example.org".to_owned()),
        smtp: None,
    };
    let clock = Arc::new(ManualClock::new(NOON.parse().unwrap()));
    let (db, now) = (database.db.clone(), clock.now());
    let write = db.write().await.unwrap();
    trained_model(&write, now).await;
    for person in PEOPLE {
        for role in EVERY_ROLE {
            persons::add(&write, person, role, now).await.unwrap();
        }
    }
    write.commit().await.unwrap();
    let clock_of_deps: Arc<ManualClock> = Arc::clone(&clock);
    (Arc::new(Deps { db, data, keys, clock: clock_of_deps, settings, log: Sequencer::default() }), clock)
}
