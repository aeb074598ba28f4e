//! A portal over a fresh database and an empty data directory, with a clock that stands still. Not here: browsers.

use std::sync::Arc;

use actix_http::Request;
use actix_web::{
    Error,
    body::MessageBody,
    dev::{Service, ServiceResponse},
    test,
};
use obelus_casework::{
    keyring::{Keyring, Passphrase},
    transparency::Sequencer,
};
use obelus_core::{Clock as _, DataDirectory, ManualClock, Timestamp};
use obelus_portal::{Deps, Portal, Scope, Settings, Token, app};
use obelus_store::{
    accounts,
    api_tokens::{self, NewToken},
    persons,
    sessions::{self, Holder, NewSession},
};
use obelus_testkit::{TestDatabase, databases};
use tempfile::TempDir;

use crate::browser::Browser;

/// Under what address browsers see it, if nothing else is said.
pub const ORIGIN: &str = "http://localhost:8080";
/// A password that may be chosen.
pub const PASSWORD: &str = "correct horse battery";
const MINUTE_US: i64 = 60_000_000;
/// Of the right form, and of no password that anybody knows.
const NOBODYS_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A portal and what it stands on.
pub struct House {
    pub deps: Deps,
    pub portal: Arc<Portal>,
    clock: Arc<ManualClock>,
    _directory: TempDir,
}

impl House {
    /// One that browsers see under `origin`.
    pub async fn under(database: &TestDatabase, origin: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_micros(1_790_000_000_000_000)));
        let settings = Settings {
            listen: "127.0.0.1:0".parse().unwrap(),
            origin: origin.parse().unwrap(),
            proxy: None,
            metrics_token: None,
        };
        let (db, data) = (database.db.clone(), DataDirectory::new(directory.path()));
        let passphrase = || Passphrase::find(None, None, &data.keys());
        Keyring::create(&data.keys(), passphrase()).unwrap();
        let keys = Keyring::open(&data.keys(), passphrase()).unwrap();
        let of_installation = obelus_casework::Settings {
            operator: "tests".to_owned(),
            log_origin: "log.example/obelus".to_owned(),
            threads: 1,
            passphrase_file: None,
            time_zone: None,
            contact: None,
            portal: None,
            smtp: None,
        };
        let log = Sequencer::default();
        let work = obelus_casework::Deps { db, data, keys, clock: clock.clone(), settings: of_installation, log };
        let deps = Deps { work: Arc::new(work), settings };
        let portal = Arc::new(Portal::new(deps.clone()).await.unwrap());
        Self { deps, portal, clock, _directory: directory }
    }

    pub async fn on(database: &TestDatabase) -> Self {
        Self::under(database, ORIGIN).await
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets time pass.
    pub fn pass_minutes(&self, minutes: i64) {
        self.clock.advance_us(minutes * MINUTE_US);
    }

    /// What actix runs.
    pub async fn service(&self) -> impl Service<Request, Response = ServiceResponse<impl MessageBody>, Error = Error> {
        test::init_service(app(Arc::clone(&self.portal))).await
    }

    /// Somebody with these roles and an account whose password nobody knows.
    pub async fn person(&self, name: &str, roles: &[&str]) -> i64 {
        let write = self.deps.work.db.write().await.unwrap();
        let mut id = None;
        for role in roles {
            id = Some(persons::add(&write, name, role, self.now()).await.unwrap().id);
        }
        let id = id.unwrap();
        accounts::create(&write, id, NOBODYS_HASH, self.now()).await.unwrap();
        write.commit().await.unwrap();
        id
    }

    /// The token of a new session of a person.
    pub async fn session(&self, person: i64) -> Token {
        let (token, now) = (Token::random().unwrap(), self.now());
        let expires_at = Timestamp::from_micros(now.as_micros() + 12 * 60 * MINUTE_US);
        let (token_hash, holder, user_agent) = (token.hash(), Holder::Person(person), "a test".to_owned());
        let write = self.deps.work.db.write().await.unwrap();
        sessions::begin(&write, NewSession { token_hash, holder, expires_at, user_agent }, now).await.unwrap();
        write.commit().await.unwrap();
        token
    }

    /// A token of a person that works for an hour.
    pub async fn token(&self, person: i64, scopes: &[Scope]) -> Token {
        let (token, now) = (Token::random().unwrap(), self.now());
        let expires_at = Timestamp::from_micros(now.as_micros() + 60 * MINUTE_US);
        let scopes = scopes.iter().map(ToString::to_string).collect();
        let new = NewToken { person, name: "a program".to_owned(), token_hash: token.hash(), scopes, expires_at };
        let write = self.deps.work.db.write().await.unwrap();
        api_tokens::issue(&write, new, now).await.unwrap();
        write.commit().await.unwrap();
        token
    }
}

/// Runs a test on each database in turn. The last line that it prints names the one on which it failed.
pub async fn on_each(test: impl AsyncFn(&TestDatabase)) {
    for database in databases().await {
        eprintln!("on {:?}", database.backend());
        test(&database).await;
    }
}

/// The first admin, Ana, who has just come through the set-up link.
pub async fn set_up<'s, S, B>(house: &House, service: &'s S) -> Browser<'s, S>
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let link = obelus_portal::setup_link(&house.deps).await.unwrap().unwrap();
    let path = link.strip_prefix(ORIGIN).unwrap().to_owned();
    let mut browser = Browser::new(service);
    browser.get(&path).await.is(200);
    let fields = [("name", "ana"), ("new_password", PASSWORD), ("again", PASSWORD)];
    browser.post(&path, &fields).await.leads_to("/account");
    browser
}
