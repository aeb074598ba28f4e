//! `obelus serve`: pages and worker in one process over a certified case, from its start to SIGTERM. Not here: what each page
//! says (`obelus-portal`), and what the worker does (`living.rs`).

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::installation::Installation;

/// For the server to answer, and to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that is stopped when a test ends.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have stopped by itself.
        let _ = self.child.kill();
    }
}

impl Server {
    fn start(here: &Installation) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let listen = format!("127.0.0.1:{port}");
        let mut command = here.command(&["serve", "--listen", &listen]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let server = Self { child, port };
        let begun = Instant::now();
        while server.get("/ready").is_none_or(|(status, _)| status != 200) {
            assert!(begun.elapsed() < PATIENCE, "it does not become ready");
            thread::sleep(Duration::from_millis(100));
        }
        server
    }

    /// Status and body; none while nobody listens.
    fn get(&self, path: &str) -> Option<(u16, Vec<u8>)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n", self.port);
        stream.write_all(head.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let split = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let status = std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()?;
        Some((status, answer[split + 4..].to_vec()))
    }

    fn page(&self, path: &str) -> String {
        let (status, body) = self.get(path).unwrap();
        assert_eq!(status, 200, "{path}");
        String::from_utf8(body).unwrap()
    }

    /// What it said on standard error until it stopped.
    fn stop(mut self) -> String {
        let told = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(told.success());
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(begun.elapsed() < PATIENCE, "it does not stop"),
            }
            thread::sleep(Duration::from_millis(100));
        };
        assert_eq!(status.code(), Some(0));
        let said = BufReader::new(self.child.stderr.take().unwrap());
        said.lines().map(|line| line.unwrap() + "\n").collect()
    }
}

#[test]
fn one_process_serves_certificates_and_log_and_works_until_it_is_told_to_stop() {
    let here = Installation::certified();
    let (_, certificate) = here.case();
    let server = Server::start(&here);
    assert_eq!(server.get("/health").unwrap().0, 200);
    assert!(server.page("/").contains("<html lang=\"en\""));
    assert!(server.page("/certificates").contains(&certificate));
    assert!(server.page(&format!("/c/{certificate}")).contains(&certificate));
    let bundle = here.data().join(format!("certificates/{certificate}.json"));
    let served = server.get(&format!("/c/{certificate}/files/{certificate}.json")).unwrap();
    assert_eq!(served, (200, fs::read(bundle).unwrap()));
    let checkpoint = fs::read(here.data().join("log/checkpoint")).unwrap();
    assert_eq!(server.get("/log-files/checkpoint").unwrap(), (200, checkpoint));
    assert_eq!(server.get("/log-files/tile/../../obelus.toml").unwrap().0, 404);
    // What needs a person is refused to a program; a browser is led to the sign-in.
    assert_eq!(server.get("/audit").unwrap().0, 401);
    assert_eq!(server.get("/settings/people").unwrap().0, 401);

    // A change that another process makes while it runs is worked on by it.
    here.run(&["model", "repair", "m", "--steps", "3", "--quiet"]).json(0);
    let begun = Instant::now();
    while !server.page("/certificates").contains("superseded") {
        assert!(begun.elapsed() < 3 * PATIENCE, "the worker has not renewed the certificate");
        thread::sleep(Duration::from_millis(500));
    }
    let said = server.stop();
    let links = said.lines().filter(|line| line.contains("/setup/")).count();
    assert_eq!(links, 1, "one link to make the first account: {said}");
}
