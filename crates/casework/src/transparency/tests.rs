//! Statements from many hands at once, on both databases. Killed and failing processes are in the journeys.

use std::{collections::BTreeSet, fs, pin::pin, sync::Arc};

use obelus_core::{DataDirectory, SystemClock};
use obelus_ledger::statement::{KeyRevocation, Subject};
use obelus_store::{Db, connect_sqlite, persons};
use obelus_testkit::{TestDatabase, databases};
use tempfile::TempDir;
use tokio::{task::JoinSet, task::yield_now};

use super::*;
use crate::{
    Settings, custody,
    keyring::{Keyring, Passphrase},
};

/// An installation without a model.
fn installation(database: &TestDatabase, folder: &TempDir) -> Arc<Deps> {
    installation_on(database.db.clone(), folder)
}

fn installation_on(db: Db, folder: &TempDir) -> Arc<Deps> {
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
        portal: None,
        smtp: None,
    };
    Arc::new(Deps { db, data, keys, clock: Arc::new(SystemClock), settings, log: Sequencer::default() })
}

/// Some statement of the registrar's; the number tells them apart.
fn statement(deps: &Deps, number: u64) -> Signed {
    let predicate = KeyRevocation {
        role: Role::Issuer,
        keyid: Digest::sha256(number.to_be_bytes()),
        reason: "a test".to_owned(),
        compromised_since: deps.now(),
        first_distrusted_entry: number,
        successor: Digest::sha256(b"successor"),
        revoked_at: deps.now(),
        salt: deps.salt().unwrap(),
    };
    sign(deps, &Statement::new(Subject::sha256("a key", Digest::sha256(number.to_be_bytes())), predicate)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn statements_that_come_together_get_places_of_their_own_without_gap() {
    for database in databases().await {
        let folder = TempDir::new().unwrap();
        let deps = installation(&database, &folder);
        let mut appended = JoinSet::new();
        for number in 0..300 {
            let deps = deps.clone();
            appended.spawn(async move {
                let signed = statement(&deps, number);
                let digest = signed.digest().unwrap();
                // Some with a change of their own, as most statements have.
                let position = match number % 10 {
                    0 => publish(&deps, signed, async |_, _| Ok(())).await.unwrap(),
                    _ => append(&deps, signed).await.unwrap(),
                };
                assert_eq!(position.digest, digest);
                position.index
            });
        }
        let places: BTreeSet<u64> = appended.join_all().await.into_iter().collect();
        assert_eq!(places, (0..300).collect(), "{:?}", database.backend());
        assert_eq!(check(&deps).await.unwrap().size, 300);
        assert!(queue::pending(&deps.db, 1).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn those_who_waited_for_somebody_who_was_cut_off_get_their_places() {
    for database in databases().await {
        let folder = TempDir::new().unwrap();
        let deps = installation(&database, &folder);
        let busy = deps.log.edge.lock().await;
        let mut first = Box::pin(append(&deps, statement(&deps, 0)));
        let mut second = pin!(append(&deps, statement(&deps, 1)));
        // Both wait, the first before the second.
        tokio::select! { biased; _ = &mut first => unreachable!(), _ = &mut second => unreachable!(), () = yield_now() => {} }
        drop(busy);
        // The first begins to serve both, waits for the database, and is gone.
        tokio::select! { biased; _ = &mut first => unreachable!(), () = yield_now() => {} }
        assert!(deps.log.waiting.lock().unwrap().is_empty(), "the first has not begun");
        drop(first);
        let place = second.await.unwrap();
        assert!(place.index < 2, "{place:?}");
        settle(&deps).await.unwrap();
        let size = check(&deps).await.unwrap().size;
        // Whether the first's statement was stored before it was cut off is chance; nothing is there twice.
        assert!(size == place.index + 1 || size == 2, "{size}");
    }
}

#[tokio::test]
async fn a_statement_of_a_replaced_key_is_refused_and_those_beside_it_are_not() {
    for database in databases().await {
        let folder = TempDir::new().unwrap();
        let deps = installation(&database, &folder);
        let late = statement(&deps, 0);
        let write = deps.db.write().await.unwrap();
        persons::add(&write, "kim", "key_custodian", deps.now()).await.unwrap();
        write.commit().await.unwrap();
        custody::rotate(&deps, "kim", Role::Registrar).await.unwrap();
        let before = check(&deps).await.unwrap().size;
        let busy = deps.log.edge.lock().await;
        let both = async { tokio::join!(append(&deps, late), append(&deps, statement(&deps, 1))) };
        let mut both = pin!(both);
        tokio::select! { biased; _ = &mut both => unreachable!(), () = yield_now() => {} }
        assert_eq!(deps.log.waiting.lock().unwrap().len(), 2);
        drop(busy);
        let (late, other) = both.await;
        assert!(late.unwrap_err().to_string().contains("was replaced while this ran"));
        assert_eq!(other.unwrap().index, before);
        assert_eq!(check(&deps).await.unwrap().size, before + 1);
    }
}

/// Where `what` stands in `file`; deleted rows leave copies behind.
fn places(file: &[u8], what: &[u8]) -> Vec<usize> {
    file.windows(what.len()).enumerate().filter(|(_, window)| *window == what).map(|(at, _)| at).collect()
}

#[tokio::test]
async fn every_flipped_byte_of_a_log_row_and_its_statement_is_noticed() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("obelus.db");
    let db = connect_sqlite(&path).await.unwrap();
    db.migrate().await.unwrap();
    let deps = installation_on(db, &folder);
    for number in 0..3 {
        append(&deps, statement(&deps, number)).await.unwrap();
    }
    let leaf = queue::leaf(&deps.db, 1).await.unwrap().unwrap();
    let envelope = statements::get(&deps.db, &leaf.statement).await.unwrap().unwrap().envelope;
    let note = queue::head(&deps.db).await.unwrap().note;
    deps.db.clone().close().await.unwrap();
    let whole = fs::read(&path).unwrap();
    let digest = leaf.statement.to_string();
    let cells: [(&str, &[u8]); 5] = [
        ("body", &leaf.body),
        ("leaf hash", leaf.leaf_hash.as_bytes()),
        ("statement's digest", digest.as_bytes()),
        ("envelope", &envelope),
        ("note", &note),
    ];
    for (name, cell) in cells {
        let found = places(&whole, cell);
        assert!(!found.is_empty(), "the {name} is not in the file as it is");
        for byte in 0..cell.len() {
            let mut bad = whole.clone();
            for at in &found {
                bad[at + byte] ^= if byte % 2 == 0 { 0x01 } else { 0x80 };
            }
            fs::write(&path, bad).unwrap();
            let deps = installation_on(connect_sqlite(&path).await.unwrap(), &folder);
            assert!(check(&deps).await.is_err(), "byte {byte} of the {name}");
            deps.db.clone().close().await.unwrap();
        }
    }
    fs::write(&path, whole).unwrap();
    check(&installation_on(connect_sqlite(&path).await.unwrap(), &folder)).await.unwrap();
}
