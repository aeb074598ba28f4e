//! As much of W3C WebDriver as one page needs: chromedriver is started, headless Chromium opened, and spoken to over
//! plain HTTP, so that tests need no library and no network. Not here: what is tested (`browser.rs`).

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

/// The name under which WebDriver gives the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one window. Closed when dropped.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    /// Chromium's own files, removed at the end.
    profile: std::path::PathBuf,
}

impl Browser {
    /// Starts one; None where chromedriver is not installed.
    pub fn start(name: &str) -> Option<Self> {
        let driver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut driver = driver.ok()?;
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port =
            lines.find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
        // Whoever closes the other end of the pipe ends the driver with its next line.
        std::thread::spawn(move || lines.for_each(drop));
        let profile = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chromium-{name}-{}", std::process::id()));
        let mut browser =
            Self { driver, port: port.expect("chromedriver says its port"), session: String::new(), profile };
        let flags = "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-dev-shm-usage \
                     --disable-background-networking --disable-component-update --disable-sync --window-size=1000,1500";
        let mut args: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
        args.push(format!("--user-data-dir={}", browser.profile.display()));
        let capabilities = json!({ "browserName": "chrome", "goog:chromeOptions": { "args": args },
            "goog:loggingPrefs": { "performance": "ALL" } });
        let session = browser.call("", &json!({ "capabilities": { "alwaysMatch": capabilities } }));
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        Some(browser)
    }

    /// One command of the protocol; gives its value.
    fn call(&self, command: &str, body: &Value) -> Value {
        let path = if self.session.is_empty() {
            "/session".to_owned()
        } else {
            format!("/session/{}/{command}", self.session)
        };
        let method = if body.is_null() { "GET" } else { "POST" };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n", self.port);
        write!(stream, "{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).unwrap();
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).unwrap();
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(found) = line.strip_prefix("content-length:") {
                length = found.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body).unwrap();
        let mut answer: Value = serde_json::from_slice(&body).unwrap();
        let value = answer["value"].take();
        assert!(value.get("error").is_none(), "{method} {path}: {value}");
        value
    }

    pub fn open(&self, url: &str) {
        self.call("url", &json!({ "url": url }));
    }

    /// Puts files into the page's file input, as if they had been chosen.
    pub fn choose(&self, input: &str, files: &[impl AsRef<Path>]) {
        let found = self.call("element", &json!({ "using": "css selector", "value": input }));
        let id = found[ELEMENT].as_str().unwrap();
        let paths: Vec<_> = files.iter().map(|file| file.as_ref().to_str().unwrap()).collect();
        self.call(&format!("element/{id}/value"), &json!({ "text": paths.join("\n") }));
    }

    /// What a function body returns in the page.
    pub fn run(&self, script: &str) -> Value {
        self.call("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Asks until the answer is neither null nor empty.
    pub fn wait_for(&self, script: &str) -> String {
        let start = Instant::now();
        loop {
            match self.run(script).as_str() {
                Some(found) if !found.is_empty() => return found.to_owned(),
                _ => assert!(start.elapsed() < PATIENCE, "nothing came of: {script}"),
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Addresses of every request that was begun since this was last asked, but those of the browser's own first page, which
    /// stay inside it.
    pub fn requests(&self) -> Vec<String> {
        let log = self.call("se/log", &json!({ "type": "performance" }));
        let messages =
            log.as_array().unwrap().iter().filter_map(|entry| serde_json::from_str(entry["message"].as_str()?).ok());
        let begun = messages.filter(|one: &Value| one["message"]["method"] == "Network.requestWillBeSent");
        begun
            .map(|one| one["message"]["params"]["request"]["url"].as_str().unwrap().to_owned())
            .filter(|url| !["chrome:", "chrome-untrusted:", "data:"].iter().any(|inside| url.starts_with(inside)))
            .collect()
    }

    pub fn picture(&self, file: &Path) {
        let picture = self.call("screenshot", &Value::Null);
        std::fs::write(file, STANDARD.decode(picture.as_str().unwrap()).unwrap()).unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // The driver is about to end; whether it says goodbye properly does not matter.
            let _ = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut stream| {
                write!(
                    stream,
                    "DELETE /session/{} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
                    self.session
                )?;
                stream.set_read_timeout(Some(Duration::from_secs(5)))?;
                stream.read(&mut [0; 1024])
            });
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = std::fs::remove_dir_all(&self.profile);
    }
}
