//! A model that answers over HTTP while it is struck: what is suppressed is refused, what is struck is zero in memory, and a
//! host that is gone or asleep holds nothing up and is not let back.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    adaptations::{add, with_later},
    installation::{Installation, MODEL},
    server::{PATIENCE, free_port},
};

/// A running `obelus host`, killed when a test ends.
struct Host {
    child: Child,
    port: u16,
    token: String,
    said: std::path::PathBuf,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.signal("CONT");
        // It may have stopped by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Host {
    fn start(here: &Installation) -> Self {
        let port = free_port();
        let said = here.path(&format!("host-{port}"));
        let mut command = here.command(&["host", MODEL, "--listen", &format!("127.0.0.1:{port}")]);
        let child = command.stdout(Stdio::null()).stderr(File::create(&said).unwrap()).spawn().unwrap();
        let mut host = Self { child, port, token: String::new(), said };
        let begun = Instant::now();
        while host.ask("GET", "/ready", "").is_none_or(|(status, _)| status != 200) {
            assert!(host.child.try_wait().unwrap().is_none(), "{}", host.said());
            assert!(begun.elapsed() < PATIENCE, "it does not become ready: {}", host.said());
            thread::sleep(Duration::from_millis(50));
        }
        host.token = fs::read_to_string(here.data().join("host-token")).unwrap().trim().to_owned();
        host
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    /// Status and document; none while nobody answers.
    fn ask(&self, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.get(9..12)?.parse().ok()?, serde_json::from_str(body).unwrap_or(Value::Null)))
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.ask("POST", path, &body.to_string()).unwrap()
    }

    fn complete(&self, source: &str) -> (u16, Value) {
        self.post("/v1/complete", &json!({ "prompt": "The", "source": source, "tokens": 8 }))
    }

    fn score(&self, source: Option<&str>) -> f64 {
        let (status, scored) = self.post("/v1/score", &json!({ "prompt": "The", "answer": "river", "source": source }));
        assert_eq!(status, 200, "{scored}");
        scored["log_prob_mean"].as_f64().unwrap()
    }

    fn signal(&self, name: &str) {
        Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
    }

    fn ends(&mut self) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end: {}", self.said());
            thread::sleep(Duration::from_millis(50));
        }
    }
}

fn hosts_of(here: &Installation, reference: &str) -> Vec<Value> {
    let shown = here.run(&["request", "show", reference]).json(0);
    let targets = shown["targets"].as_array().unwrap().clone();
    targets.into_iter().filter(|target| target["kind"] == "host").collect()
}

#[test]
fn what_is_struck_is_refused_and_zero_in_every_host() {
    let here = Installation::trained();
    let mut panel = here.panel();
    let (struck, second, other) = (panel.remove(0), panel.remove(0), panel.remove(0));
    let (mut host, gone) = (Host::start(&here), Host::start(&here));

    // Who shows no token is told nothing, and what cannot be meant is refused in words.
    let mut stranger = Host::start(&here);
    stranger.token = "x".repeat(64);
    assert_eq!(stranger.complete(&other).0, 401);
    drop(stranger);
    assert_eq!(host.complete("nobody").0, 404);
    assert_eq!(host.post("/v1/complete", &json!({ "prompt": "x", "tokens": 100_000 })).0, 422);
    assert_eq!(host.ask("POST", "/v1/complete", "{").unwrap().0, 400);

    // The same as the command says, which reads the weights itself.
    let (status, completed) = host.complete(&struck);
    assert_eq!((status, &completed["source"]), (200, &Value::from(struck.clone())));
    let command = here.run(&["generate", MODEL, "The", "--source", &struck, "--tokens", "8"]).json(0);
    assert_eq!(completed["text"], command["text"]);
    let (before, backbone) = (host.score(Some(&other)), host.score(None));

    // Suppressed: refused within a second by every host, and no text is routed there.
    let reference = here.approved(&struck);
    for host in [&host, &gone] {
        let begun = Instant::now();
        while host.complete(&struck).0 != 403 {
            assert!(begun.elapsed() < Duration::from_secs(10), "it goes on answering with what is suppressed");
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(host.complete(&other).0, 200);
    }
    let (status, routed) = host.post("/v1/complete", &json!({ "prompt": "The", "route": "nearest", "tokens": 4 }));
    assert_eq!(status, 200);
    assert_ne!(routed["source"], Value::from(struck.clone()));

    // One dies without a word: the takedown goes on when its lease is over.
    gone.signal("KILL");
    let executed = here.run(&["takedown", "execute", &reference, "--as", "emil"]).json(0);
    let targets = hosts_of(&here, &reference);
    let outcomes: Vec<&Value> = targets.iter().map(|target| &target["evidence"]["outcome"]).collect();
    let by = |outcome: &str| outcomes.iter().filter(|found| ***found == outcome).count();
    assert_eq!((by("zeroed_in_memory"), by("ended")), (1, outcomes.len() - 1), "{targets:?}");
    let zeroed = targets.iter().find(|target| target["evidence"]["outcome"] == "zeroed_in_memory").unwrap();
    assert_eq!(zeroed["evidence"]["memory"].as_str().unwrap().len(), 64);
    assert!(zeroed["evidence"]["rows"].as_u64().unwrap() > 0);
    assert_eq!(host.complete(&struck).0, 403);
    // The backbone is what it was, and a neighbour has what it has in the weights on disk.
    assert_eq!(host.score(None), backbone);
    let after = host.score(Some(&other));
    let fresh = Host::start(&here);
    assert!((fresh.score(Some(&other)) - after).abs() < 1e-5, "{after}, {before} before");
    assert_ne!(executed["root_after"], executed["root_before"]);
    drop(fresh);

    // One sleeps through a whole takedown: when it wakes up it answers nothing.
    here.run(&["audit", "run", &reference]);
    let reference = here.approved(&second);
    host.signal("STOP");
    here.run(&["takedown", "execute", &reference, "--as", "emil"]).json(0);
    host.signal("CONT");
    if let Some((status, _)) =
        host.ask("POST", "/v1/complete", &json!({ "prompt": "The", "source": second }).to_string())
    {
        assert!(matches!(status, 403 | 503), "{status}");
    }
    assert_eq!(host.ends(), Some(3), "{}", host.said());
    assert!(host.said().contains("a takedown went on without it"));
}

#[test]
fn a_host_loads_what_was_changed_and_stops_when_it_is_told() {
    let (here, new) = with_later();
    assert!(here.run(&["host", "nothing"]).refused(2).contains("nothing"));
    let mut host = Host::start(&here);
    assert_eq!(host.complete(&new[0]).0, 404);
    add(&here, &[&new[0]], &[]).json(0);
    let begun = Instant::now();
    while host.complete(&new[0]).0 != 200 {
        assert!(begun.elapsed() < PATIENCE, "it does not load the other weights: {}", host.said());
        thread::sleep(Duration::from_millis(50));
    }
    host.signal("TERM");
    assert_eq!(host.ends(), Some(0), "{}", host.said());
}
