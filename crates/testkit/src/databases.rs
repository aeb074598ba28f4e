//! Both databases for a test: SQLite in a file of its own, and PostgreSQL as a copy of a migrated template, on a server
//! that the tests of a process share and that ends with the last of them. Not here: tables and rows.

use std::{
    env,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Once, Weak,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use obelus_store::{
    Backend, Db, connect, connect_sqlite,
    privileges::{Role, Roles, grant_all},
};
use pgtemp::{PgTempDB, PgTempDBBuilder};
use tempfile::TempDir;
use tokio::{
    sync::{Mutex, OnceCell},
    task::spawn_blocking,
};

/// The database that every test's PostgreSQL database is copied from.
const TEMPLATE: &str = "obelus_template";
/// Who logs in where a test does what the programs do: a user that has the application's role and nothing else.
const APPLICATION: &str = "test_application";
/// What brings PostgreSQL to a Debian-like machine. sudo, because it refuses to run as root.
const INSTALL: &str = "apt-get install --no-install-recommends postgresql sudo";
/// How long a server may take to start on a machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(60);

/// A migrated database that no other test sees. Keep it for as long as the test uses [`TestDatabase::db`].
#[derive(Debug)]
pub struct TestDatabase {
    /// The open database. On PostgreSQL the user has the application's role and no other.
    pub db: Db,
    /// Its address, to open it a second time as the same user.
    pub url: String,
    /// Its address for somebody who may do everything: to make a damage, and to look at the catalogue.
    pub superuser_url: String,
    _keeps: Keeps,
}

/// What goes away with the test.
#[derive(Debug)]
enum Keeps {
    Directory { _directory: TempDir },
    Server { _server: Arc<Server> },
}

impl TestDatabase {
    /// Which of the two it is, for messages.
    pub fn backend(&self) -> Backend {
        self.db.backend()
    }
}

/// One migrated database of each kind.
///
/// Without PostgreSQL's programs there is SQLite alone, and a notice; where `CI` is `true` that is a failure.
///
/// # Panics
/// When a database cannot be made: a test that cannot run has failed.
pub async fn databases() -> Vec<TestDatabase> {
    let mut databases = vec![sqlite().await];
    databases.extend(postgres().await);
    databases
}

/// One on SQLite, for a test of something else than queries.
///
/// # Panics
/// When it cannot be made: a test that cannot run has failed.
pub async fn sqlite() -> TestDatabase {
    let directory = TempDir::with_prefix("obelus-test-").expect("a test needs a temporary directory");
    let path = directory.path().join("obelus.db");
    let db = connect_sqlite(&path).await.expect("a new SQLite file can be opened");
    db.migrate().await.expect("the migrations apply on SQLite");
    let url = format!("sqlite://{}", path.display());
    TestDatabase { db, superuser_url: url.clone(), url, _keeps: Keeps::Directory { _directory: directory } }
}

async fn postgres() -> Option<TestDatabase> {
    let server = Server::shared().await?;
    server.template.get_or_init(|| server.make_template()).await;
    let name = format!("test_{}", server.copies.fetch_add(1, Ordering::Relaxed));
    server.create(&name, TEMPLATE).await;
    let (url, superuser_url) = (server.url(APPLICATION, &name), server.url(server.running.db_user(), &name));
    let db = connect(&url).await.expect("a copy of the template can be opened");
    Some(TestDatabase { db, url, superuser_url, _keeps: Keeps::Server { _server: server } })
}

/// A running server, stopped and removed when the last test lets go of it.
#[derive(Debug)]
struct Server {
    programs: PathBuf,
    running: PgTempDB,
    template: OnceCell<()>,
    copies: AtomicU32,
    /// PostgreSQL copies a template for one session at a time.
    copying: Mutex<()>,
}

impl Server {
    /// The server of this process, started if none runs. None where PostgreSQL is not installed.
    async fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Server>> = Mutex::const_new(Weak::new());
        let mut shared = SHARED.lock().await;
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = spawn_blocking(Self::start).await.expect("the server starts")?;
        let server = Arc::new(server);
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            let problem = format!("PostgreSQL is not installed; `{INSTALL}` installs it");
            assert!(env::var("CI").as_deref() != Ok("true"), "{problem}");
            // Once and not by `eprintln!`, of which nothing is seen when a test passes. A notice that cannot be written
            // is no reason to fail.
            static NOTICE: Once = Once::new();
            NOTICE.call_once(|| {
                let _ = writeln!(io::stderr(), "\n*** {problem}. Until then tests run on SQLite ALONE. ***\n");
            });
            return None;
        };
        // A socket in the server's own directory and no port: a port found free now may be another server's when this
        // one has started, and the test would talk to that.
        let running = PgTempDBBuilder::new()
            .with_bin_path(&programs)
            // As servers are: in UTF-8, and sorting by a language. With this machine's settings it might sort by bytes,
            // and a column that must would not show that it does not. PostgreSQL has known the last two since 15.
            .with_initdb_arg("encoding", "UTF8")
            .with_initdb_arg("locale-provider", "icu")
            .with_initdb_arg("icu-locale", "en-US")
            .with_config_param("listen_addresses", "")
            .with_config_param("max_connections", "200")
            // What a test has written need not outlive the machine. Without these a test waits for the disk more than it works.
            .with_config_param("fsync", "off")
            .with_config_param("synchronous_commit", "off")
            .with_config_param("full_page_writes", "off")
            // Nobody reads the server's output until it ends, and a full pipe would stop it.
            .with_config_param("log_min_messages", "fatal")
            .start();
        let (template, copies, copying) = (OnceCell::new(), AtomicU32::new(0), Mutex::new(()));
        Some(Self { programs, running, template, copies, copying })
    }

    /// The server trusts whoever reaches its socket: the password is that of its superuser, and of nobody else.
    fn url(&self, user: &str, database: &str) -> String {
        let (password, port) = (self.running.db_pass(), self.running.db_port());
        format!("postgres://{user}:{password}@localhost:{port}/{database}?host={}", self.running.data_dir().display())
    }

    async fn make_template(&self) {
        self.create(TEMPLATE, "template0").await;
        let url = self.url(self.running.db_user(), TEMPLATE);
        let db = connect(&url).await.expect("the template can be opened");
        db.migrate().await.expect("the migrations apply on PostgreSQL");
        let roles = Roles::default();
        grant_all(&db, &roles).await.expect("the roles can be made and given what is theirs");
        // A database with open connections cannot be copied.
        db.close().await.expect("connections can be closed");
        self.administer("createuser", &["--role", &roles.name(Role::Application), APPLICATION]).await;
    }

    /// Makes a database as a copy of another, once the server has started.
    async fn create(&self, database: &str, template: &str) {
        let _turn = self.copying.lock().await;
        self.administer("createdb", &["--template", template, database]).await;
    }

    /// Runs one of PostgreSQL's programs as the superuser, until the server has started.
    async fn administer(&self, program: &str, arguments: &[&str]) {
        let mut command = Command::new(self.programs.join(program));
        command
            .arg("--host")
            .arg(self.running.data_dir())
            .args(["--port", &self.running.db_port().to_string()])
            .args(["--username", self.running.db_user(), "--no-password"])
            .args(arguments)
            .env("PGPASSWORD", self.running.db_pass());
        let shown = format!("{program} {}", arguments.join(" "));
        let run = move || {
            let until = Instant::now() + PATIENCE;
            loop {
                let output = command.output().expect("it is installed with PostgreSQL's other programs");
                if output.status.success() {
                    return Ok(());
                }
                if Instant::now() > until {
                    return Err(String::from_utf8_lossy(&output.stderr).into_owned());
                }
                thread::sleep(Duration::from_millis(100));
            }
        };
        let done = spawn_blocking(run).await.expect("the program is waited for");
        if let Err(said) = done {
            panic!("{shown} failed: {said}");
        }
    }
}

/// The folder of PostgreSQL's programs: where PATH finds `initdb`, or the newest one of a Debian system, which keeps
/// them out of PATH.
fn programs() -> Option<PathBuf> {
    let holds = |folder: &PathBuf| {
        ["initdb", "postgres", "createdb", "createuser"].iter().all(|name| folder.join(name).is_file())
    };
    let path = env::var_os("PATH").unwrap_or_default();
    if let Some(folder) = env::split_paths(&path).find(holds) {
        return Some(folder);
    }
    let mut versions: Vec<(u32, PathBuf)> = Path::new("/usr/lib/postgresql")
        .read_dir()
        .ok()?
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| holds(folder))
        .collect();
    versions.sort();
    versions.pop().map(|(_, folder)| folder)
}
