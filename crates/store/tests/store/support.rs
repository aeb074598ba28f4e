//! What nearly every test needs before it can begin: a database of each kind, and the rows that others point to.
//!
//! Not here: assertions about behaviour.

use obelus_core::{Digest, Timestamp};
use obelus_store::{
    Bytes32, Db, Micros, Names, Sha256, Write,
    campaigns::{self, Campaign},
    corpora::{self, Corpus},
    models::{self, Model, ModelStatus, Trained},
    persons,
    requests::{self, NewRequest, RequestState},
    statements,
};
use obelus_testkit::{TestDatabase, databases};
use sea_orm::{ConnectionTrait, Database, Statement};

/// A day in September 2026.
pub const NOW: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);
/// A minute after [`NOW`].
pub const LATER: Timestamp = Timestamp::from_micros(1_790_000_060_000_000);

/// The lineage, the corpus and the model that [`house`] makes.
pub const LINEAGE: &str = "kea";
pub const CORPUS: &str = "letters";
pub const MODEL: &str = "kea-1";

/// Every table in which a case leaves rows.
pub const TABLES: &[&str] = &[
    "statements",
    "log_leaves",
    "campaigns",
    "sources",
    "manifests",
    "registrations",
    "corpora",
    "models",
    "copies",
    "pool_extensions",
    "adaptations",
    "persons",
    "person_roles",
    "reference_numbers",
    "requests",
    "request_sources",
    "approvals",
    "case_events",
    "case_extensions",
    "case_notices",
    "hosts",
    "host_acknowledgements",
    "case_questions",
    "filings",
    "erasures",
    "erasure_targets",
    "verification_runs",
    "certificates",
    "incidents",
    "status_lists",
    "audit_schedules",
    "jobs",
    "baselines",
    "blind_challenges",
    "accounts",
    "sessions",
    "one_time_links",
    "request_drafts",
    "api_tokens",
    "outbox",
    "access_grants",
    "access_grant_cases",
    "samples",
    "audit_events",
];

/// Fails unless the result is an error of this shape.
macro_rules! refused {
    ($result:expr, $pattern:pat $(if $guard:expr)?) => {
        match $result {
            Err($pattern) $(if $guard)? => {}
            other => panic!("expected {}, found {other:?}", stringify!(Err($pattern) $(if $guard)?)),
        }
    };
}
pub(crate) use refused;

/// Runs a test on each database in turn. The last line that it prints names the one on which it failed.
pub async fn on_each(test: impl AsyncFn(&TestDatabase)) {
    for database in databases().await {
        eprintln!("on {:?}", database.backend());
        test(&database).await;
    }
}

/// What happens in one transaction, which is kept.
pub async fn kept<T>(db: &Db, change: impl AsyncFnOnce(&Write) -> T) -> T {
    let write = db.write().await.unwrap();
    let result = change(&write).await;
    write.commit().await.unwrap();
    result
}

/// What happens in one transaction, which is dropped, as everybody must after an error.
pub async fn dropped<T>(db: &Db, change: impl AsyncFnOnce(&Write) -> T) -> T {
    let write = db.write().await.unwrap();
    change(&write).await
}

/// Runs SQL past the store, as a superuser with a database shell could, and gives what the database says if it refuses.
pub async fn sql(database: &TestDatabase, sql: &str) -> Result<u64, String> {
    let shell = Database::connect(&database.superuser_url).await.unwrap();
    let result = shell.execute_unprepared(sql).await;
    shell.close().await.unwrap();
    result.map(|done| done.rows_affected()).map_err(|error| error.to_string())
}

/// The first column of what a query gives, as text.
pub async fn select(database: &TestDatabase, query: &str) -> Vec<String> {
    let shell = Database::connect(&database.superuser_url).await.unwrap();
    let rows = shell.query_all_raw(Statement::from_string(shell.get_database_backend(), query)).await.unwrap();
    shell.close().await.unwrap();
    rows.into_iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Fails unless the database refuses the SQL and says so in these words, whatever their case.
pub async fn sql_refused(database: &TestDatabase, statement: &str, because: &str) {
    match sql(database, statement).await {
        Err(said) => {
            assert!(said.to_lowercase().contains(because), "{statement}\nrefused for another reason: {said}");
        }
        Ok(rows) => panic!("{statement}\nwas not refused; it changed {rows} rows"),
    }
}

/// A digest that stands for something.
pub fn digest(of: &str) -> Digest {
    Digest::sha256(of)
}

/// A stored statement.
pub async fn statement(write: &Write, text: &str) -> Digest {
    statements::put(write, "test/v1", text.as_bytes().to_vec(), NOW).await.unwrap()
}

/// A campaign, and its statement.
pub async fn campaign(write: &Write, lineage: &str) {
    let statement = Sha256(statement(write, &format!("campaign {lineage}")).await);
    let campaign = Campaign {
        lineage: lineage.to_owned(),
        salt: Bytes32([1; 32]),
        segments: "[]".to_owned(),
        manifest_key: Bytes32([2; 32]),
        statement,
        created_at: Micros(NOW),
    };
    campaigns::create(write, campaign).await.unwrap();
}

/// A corpus that is not stored yet.
pub fn new_corpus(name: &str) -> Corpus {
    let (path, created_at) = (format!("corpora/{name}"), Micros(NOW));
    Corpus { name: name.to_owned(), path, documents: 3, sources: 2, tokens: None, created_at }
}

/// A model of [`LINEAGE`] that is not stored yet, as it is while its first weights are made.
pub fn new_model(name: &str) -> Model {
    Model {
        name: name.to_owned(),
        lineage: LINEAGE.to_owned(),
        corpus: CORPUS.to_owned(),
        preset: "tiny".to_owned(),
        generation: 0,
        checkpoint: String::new(),
        baseline_of: None,
        control: None,
        excluded: Names::default(),
        weight_root: None,
        layout_digest: None,
        training_statement: None,
        status: ModelStatus::Training,
        created_at: Micros(NOW),
    }
}

/// What a training of `name` has made; its statement is stored.
pub async fn trained(write: &Write, name: &str) -> Trained {
    Trained {
        weight_root: digest("weights of generation 1"),
        layout_digest: digest("layout"),
        checkpoint: format!("models/{name}/1"),
        statement: statement(write, &format!("training {name}")).await,
    }
}

/// A person with a role.
pub async fn person(write: &Write, name: &str) -> i64 {
    persons::add(write, name, "reviewer", NOW).await.unwrap().id
}

/// A campaign, a corpus, and a model whose training has ended.
pub async fn house(db: &Db) {
    kept(db, async |write| {
        campaign(write, LINEAGE).await;
        corpora::create(write, new_corpus(CORPUS)).await.unwrap();
        models::create(write, new_model(MODEL)).await.unwrap();
        models::finish_training(write, MODEL, &trained(write, MODEL).await).await.unwrap();
    })
    .await;
}

/// A request about [`MODEL`], filed by Nils; gives its reference.
pub async fn request(write: &Write) -> String {
    let filed_by = person(write, "nils").await;
    let (regime, sources) = ("gdpr-art17".to_owned(), vec!["anna".to_owned()]);
    let request =
        NewRequest { regime, regime_file: None, calendar_file: None, model: MODEL.to_owned(), filed_by, sources };
    file(write, request, NOW).await.reference
}

/// Files a request under the next reference.
pub async fn file(write: &Write, request: NewRequest, now: Timestamp) -> requests::Request {
    let reference = requests::reserve(write, now).await.unwrap();
    requests::file(write, reference, request, now).await.unwrap()
}

/// A request whose sources are suppressed.
pub async fn suppressed_request(write: &Write) -> String {
    use RequestState::{Acknowledged, Received, Suppressed, Triaged};
    let reference = request(write).await;
    for (from, to) in [(Received, Acknowledged), (Acknowledged, Triaged), (Triaged, Suppressed)] {
        requests::advance(write, &reference, from, to).await.unwrap();
    }
    reference
}

/// A request whose plan Mara and Ilse have approved.
pub async fn approved_request(write: &Write) -> String {
    let reference = suppressed_request(write).await;
    requests::set_plan(write, &reference, b"plan".to_vec()).await.unwrap();
    for name in ["mara", "ilse"] {
        let person = person(write, name).await;
        obelus_store::approvals::approve(write, &reference, person, &digest("plan"), NOW).await.unwrap();
    }
    reference
}

/// A request whose rows are being zeroed.
pub async fn zeroing_request(write: &Write) -> String {
    let reference = approved_request(write).await;
    begin_zeroing(write, &reference).await;
    reference
}

/// Takes an approved request through a window of no length.
pub async fn begin_zeroing(write: &Write, reference: &str) {
    requests::open_window(write, reference, NOW).await.unwrap();
    requests::begin_zeroing(write, reference, NOW).await.unwrap();
}
