//! A running `obelus serve`, and what a browser is to it: cookies, forms with their code. Not here: assertions about pages.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::installation::Installation;

/// For the server to answer, and to stop.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A server that is killed when a test ends.
pub struct Server {
    child: Child,
    port: u16,
    said: std::path::PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have stopped by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    pub fn start(here: &Installation) -> Self {
        Self::start_on(here, free_port())
    }

    /// On a port of the caller's, so that links of an earlier one are still good.
    pub fn start_on(here: &Installation, port: u16) -> Self {
        let (listen, said) = (format!("127.0.0.1:{port}"), here.path("said"));
        let mut command = here.command(&["serve", "--listen", &listen]);
        let child = command.stdout(Stdio::null()).stderr(File::create(&said).unwrap()).spawn().unwrap();
        let mut server = Self { child, port, said };
        let begun = Instant::now();
        while server.get("/ready").is_none_or(|(status, _)| status != 200) {
            assert!(server.child.try_wait().unwrap().is_none(), "{}", server.said());
            assert!(begun.elapsed() < PATIENCE, "it does not become ready");
            thread::sleep(Duration::from_millis(100));
        }
        server
    }

    /// Status and body; none while nobody listens.
    pub fn get(&self, path: &str) -> Option<(u16, Vec<u8>)> {
        let answer = self.exchange(&format!("GET {path} HTTP/1.1\r\n"), "")?;
        Some((answer.status, answer.body))
    }

    fn exchange(&self, head: &str, body: &str) -> Option<Answer> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let head = format!("{head}Host: localhost:{}\r\nConnection: close\r\n\r\n{body}", self.port);
        stream.write_all(head.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let split = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&answer[..split]).ok()?;
        let status = head.get(9..12)?.parse().ok()?;
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        Some(Answer { status, headers, body: answer[split + 4..].to_vec() })
    }

    pub fn page(&self, path: &str) -> String {
        let (status, body) = self.get(path).unwrap();
        assert_eq!(status, 200, "{path}");
        String::from_utf8(body).unwrap()
    }

    /// What it has said on standard error.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }

    /// Waits until it is gone by itself, as one that is killed.
    pub fn dies(mut self) {
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not die: {}", self.said());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops it as a service manager does. Gives what it said on standard error.
    pub fn stop(mut self) -> String {
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
        self.said()
    }
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// Somebody with a browser: it keeps cookies, and sends the code of the form that it has last seen.
pub struct Visitor {
    cookies: BTreeMap<String, String>,
    code: String,
}

impl Visitor {
    pub fn new() -> Self {
        Self { cookies: BTreeMap::new(), code: String::new() }
    }

    /// Who has chosen a password by a link, which may be a whole address.
    pub fn by_link(server: &Server, link: &str, fields: &[(&str, &str)]) -> Self {
        let (mut visitor, path) = (Self::new(), path_of(link));
        visitor.get(server, &path);
        let password = "a long phrase that nobody guesses";
        let fields = [&[("new_password", password), ("again", password)], fields].concat();
        visitor.post(server, &path, &fields);
        visitor
    }

    fn ask(&mut self, server: &Server, head: &str, body: &str) -> Answer {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let head = format!("{head}Accept: text/html\r\nCookie: {}\r\n", cookies.join("; "));
        let answer = server.exchange(&head, body).unwrap();
        for (_, cookie) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        if let Some((_, after)) = String::from_utf8_lossy(&answer.body).split_once("name=\"form_code\" value=\"") {
            self.code = after.split('"').next().unwrap().to_owned();
        }
        answer
    }

    /// A page as text.
    #[track_caller]
    pub fn get(&mut self, server: &Server, path: &str) -> String {
        String::from_utf8(self.download(server, path)).unwrap()
    }

    /// A file.
    #[track_caller]
    pub fn download(&mut self, server: &Server, path: &str) -> Vec<u8> {
        let answer = self.ask(server, &format!("GET {path} HTTP/1.1\r\n"), "");
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.body
    }

    /// The status of a page.
    pub fn status(&mut self, server: &Server, path: &str) -> u16 {
        self.ask(server, &format!("GET {path} HTTP/1.1\r\n"), "").status
    }

    /// Sends a form; gives where it leads, or without that the page that it gave.
    pub fn send(&mut self, server: &Server, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let code = self.code.clone();
        let fields = fields.iter().copied().chain([("form_code", code.as_str())]);
        let body: Vec<String> = fields.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let body = body.join("&");
        let head = format!(
            "POST {path} HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n",
            body.len()
        );
        let answer = self.ask(server, &head, &body);
        let location = answer.headers.iter().find(|(name, _)| name == "location").map(|(_, path)| path.clone());
        (answer.status, location.unwrap_or_else(|| String::from_utf8(answer.body).unwrap()))
    }

    /// Sends a form that is accepted; gives where it leads, or the page that it gave.
    #[track_caller]
    pub fn post(&mut self, server: &Server, path: &str, fields: &[(&str, &str)]) -> String {
        let (status, answer) = self.send(server, path, fields);
        assert!(status < 400, "{path}: {answer}");
        answer
    }
}

/// The path in an address.
pub fn path_of(link: &str) -> String {
    let rest = link.split_once("://").map_or(link, |(_, rest)| rest);
    rest[rest.find('/').unwrap()..].trim().to_owned()
}

fn encoded(value: &str) -> String {
    let byte = |b: u8| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") };
    value.bytes().map(byte).collect()
}
