//! As much of W3C WebDriver as tests of pages need: chromedriver is started, headless Chromium opened, and spoken to over
//! plain HTTP, so that they need no library and no network. Not here: what a page must be for everybody
//! (`accessibility.rs`), and what is tested.

use std::{
    cell::Cell,
    fmt, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::outsiders::missing;

/// The name under which WebDriver gives the id of an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const PATIENCE: Duration = Duration::from_secs(60);
const FLAGS: &str = "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-dev-shm-usage \
    --disable-background-networking --disable-component-update --disable-sync --window-size=1000,1500";
/// Why a command that the protocol does not know so is a failure.
const PROTOCOL: &str = "chromedriver answers as WebDriver says";

/// The key that goes on to the next field.
pub const TAB: char = '\u{e004}';
/// The key that sends a form or follows a link.
pub const ENTER: char = '\u{e007}';
/// The key that chooses the next one of a few.
pub const DOWN: char = '\u{e015}';
/// The key that ticks a box.
pub const SPACE: char = ' ';

/// A browser with one window, closed when dropped. Elements are named by CSS, or by XPath where the name begins with `//`.
///
/// Each of its functions panics where the browser does not do what it is told: a test that cannot run has failed.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
    runs_scripts: Cell<bool>,
    /// Chromium's own files, removed at the end.
    profile: TempDir,
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").field("port", &self.port).field("session", &self.session).finish_non_exhaustive()
    }
}

impl Browser {
    /// Starts one. None where Chromium or its driver is not installed, after saying so; under CI that is a failure.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Starts one that shows under an address of this machine what listens on another of its ports.
    pub fn start_mapped(seen: &str, listens: SocketAddr) -> Option<Self> {
        Self::start_with(&[format!("--host-resolver-rules=MAP {seen} {listens}")])
    }

    fn start_with(flags: &[String]) -> Option<Self> {
        let driver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let Ok(mut driver) = driver else { return missing("chromium or chromedriver is missing") };
        let mut lines = BufReader::new(driver.stdout.take().expect(PROTOCOL)).lines().map_while(Result::ok);
        let port =
            lines.find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
        // Whoever closes the other end of the pipe ends the driver with its next line.
        thread::spawn(move || lines.for_each(drop));
        let profile = TempDir::with_prefix("obelus-chromium-").expect("a test needs a temporary directory");
        let (port, session, runs_scripts) = (port.expect("chromedriver says its port"), String::new(), Cell::new(true));
        let mut browser = Self { driver, port, session, runs_scripts, profile };
        let mut args: Vec<String> = FLAGS.split_whitespace().map(str::to_owned).collect();
        args.extend_from_slice(flags);
        args.push(format!("--user-data-dir={}", browser.profile.path().display()));
        let capabilities = json!({ "browserName": "chrome", "goog:chromeOptions": { "args": args },
            "goog:loggingPrefs": { "performance": "ALL" } });
        let session = browser.call("", &json!({ "capabilities": { "alwaysMatch": capabilities } }));
        browser.session = session["sessionId"].as_str().expect(PROTOCOL).to_owned();
        Some(browser)
    }

    /// One command of the protocol; gives its value.
    #[track_caller]
    fn call(&self, command: &str, body: &Value) -> Value {
        let method = if body.is_null() { "GET" } else { "POST" };
        self.send(method, command, body).unwrap_or_else(|value| {
            let begins: String = body.to_string().chars().take(200).collect();
            panic!("{method} {command} {begins}: {value}")
        })
    }

    /// One command; gives its value, or what is wrong.
    fn send(&self, method: &str, command: &str, body: &Value) -> Result<Value, Value> {
        let path = if self.session.is_empty() {
            "/session".to_owned()
        } else {
            format!("/session/{}/{command}", self.session)
        };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("chromedriver listens");
        stream.set_read_timeout(Some(PATIENCE)).expect(PROTOCOL);
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Type: application/json\r\n", self.port);
        write!(stream, "{head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len()).expect(PROTOCOL);
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).expect(PROTOCOL);
            let line = line.trim_end().to_ascii_lowercase();
            if let Some(found) = line.strip_prefix("content-length:") {
                length = found.trim().parse().expect(PROTOCOL);
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body).expect(PROTOCOL);
        let mut answer: Value = serde_json::from_slice(&body).expect(PROTOCOL);
        let value = answer["value"].take();
        if value.get("error").is_some() { Err(value) } else { Ok(value) }
    }

    /// A command of Chromium's own protocol, for what WebDriver has no word.
    #[track_caller]
    fn chromium(&self, command: &str, parameters: Value) -> Value {
        self.call("goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// Goes to an address.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.call("url", &json!({ "url": url }));
    }

    /// The address of the page that is open.
    pub fn url(&self) -> String {
        self.call("url", &Value::Null).as_str().expect(PROTOCOL).to_owned()
    }

    /// Opens another window beside this one and goes on in it; gives the name of the first.
    pub fn open_window(&self) -> String {
        let first = self.call("window", &Value::Null).as_str().expect(PROTOCOL).to_owned();
        let new = self.call("window/new", &json!({ "type": "tab" }));
        self.go_to_window(new["handle"].as_str().expect(PROTOCOL));
        // What was asked of one window holds for that one.
        self.run_scripts(self.runs_scripts.get());
        first
    }

    /// Goes on in a window.
    pub fn go_to_window(&self, name: &str) {
        self.call("window", &json!({ "handle": name }));
    }

    #[track_caller]
    fn find(&self, element: &str) -> String {
        let using = if element.starts_with("//") { "xpath" } else { "css selector" };
        match self.send("POST", "element", &json!({ "using": using, "value": element })) {
            Ok(found) => found[ELEMENT].as_str().expect(PROTOCOL).to_owned(),
            Err(_) => panic!("{element} is not on {}, which says:\n{}", self.url(), self.text()),
        }
    }

    /// Whether an element is on the page.
    pub fn has(&self, element: &str) -> bool {
        let using = if element.starts_with("//") { "xpath" } else { "css selector" };
        self.send("POST", "element", &json!({ "using": using, "value": element })).is_ok()
    }

    /// Clicks on an element that leads to another page, or to the same again, and waits until that is there.
    #[track_caller]
    pub fn click_through(&self, element: &str) {
        self.leave(|| self.click(element));
    }

    /// Presses keys that lead to another page, and waits until that is there.
    #[track_caller]
    pub fn press_through(&self, keys: &str) {
        self.leave(|| self.press(keys));
    }

    /// Waits until another page has taken the place of this one. The driver waits too, but not always: where the answer takes
    /// its time it may say too early that nothing came of a click.
    #[track_caller]
    fn leave(&self, by: impl FnOnce()) {
        self.run("document.obelusWasHere = true");
        by();
        let asked =
            json!({ "script": "return !document.obelusWasHere && document.readyState === 'complete'", "args": [] });
        let start = Instant::now();
        // Between two pages there is nothing that could be asked.
        while self.send("POST", "execute/sync", &asked) != Ok(Value::Bool(true)) {
            assert!(start.elapsed() < PATIENCE, "nothing came after {}:\n{}", self.url(), self.text());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Clicks on an element.
    #[track_caller]
    pub fn click(&self, element: &str) {
        let id = self.find(element);
        let clicked = self.send("POST", &format!("element/{id}/click"), &json!({}));
        clicked.unwrap_or_else(|why| panic!("{element} on {} cannot be clicked: {why}", self.url()));
    }

    /// Types a text into a field, after what is in it.
    #[track_caller]
    pub fn fill(&self, field: &str, text: &str) {
        let id = self.find(field);
        self.call(&format!("element/{id}/value"), &json!({ "text": text }));
    }

    /// Puts files into a file input, as if they had been chosen.
    #[track_caller]
    pub fn choose(&self, input: &str, files: &[impl AsRef<Path>]) {
        let paths: Vec<_> = files.iter().map(|file| file.as_ref().to_str().expect("a path in UTF-8")).collect();
        self.fill(input, &paths.join("\n"));
    }

    /// Presses keys one after the other, wherever the focus is.
    pub fn press(&self, keys: &str) {
        let mut actions = Vec::new();
        for key in keys.chars() {
            actions.push(json!({ "type": "keyDown", "value": key }));
            actions.push(json!({ "type": "keyUp", "value": key }));
        }
        self.call("actions", &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] }));
    }

    /// All that can be read on the page.
    pub fn text(&self) -> String {
        self.run("return document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// What a function body returns in the page, also where the page itself runs no scripts.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.call("execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// What the promise of an expression becomes, after some lines of script.
    #[track_caller]
    pub fn wait_for_promise(&self, lines: &str, expression: &str) -> Value {
        let script = format!(
            "{lines};\nconst end = arguments[arguments.length - 1];
             ({expression}).then(end, (error) => end('FAILED: ' + error));"
        );
        // Promises wait for timers, which do not run where scripts do not.
        let runs = self.runs_scripts.get();
        self.run_scripts(true);
        let found = self.call("execute/async", &json!({ "script": script, "args": [] }));
        self.run_scripts(runs);
        assert!(!found.as_str().is_some_and(|found| found.starts_with("FAILED")), "{expression}: {found}");
        found
    }

    /// Asks until the answer is neither null nor empty.
    #[track_caller]
    pub fn wait_for(&self, script: &str) -> String {
        let start = Instant::now();
        loop {
            match self.run(script).as_str() {
                Some(found) if !found.is_empty() => return found.to_owned(),
                _ => assert!(start.elapsed() < PATIENCE, "nothing came of: {script}"),
            }
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// Lets pages run scripts, or not.
    pub fn run_scripts(&self, whether: bool) {
        self.runs_scripts.set(whether);
        self.chromium("Emulation.setScriptExecutionDisabled", json!({ "value": !whether }));
    }

    /// Makes the window so large, in CSS pixels. At 320 wide a page is as one of 1280 that is enlarged to 400 %.
    pub fn resize(&self, width: u32, height: u32) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.chromium("Emulation.setDeviceMetricsOverride", metrics);
    }

    /// The value of a cookie of this site, also of one that scripts do not see.
    pub fn cookie(&self, name: &str) -> Option<String> {
        let cookies = self.call("cookie", &Value::Null);
        let found = cookies.as_array()?.iter().find(|cookie| cookie["name"] == name)?;
        found["value"].as_str().map(str::to_owned)
    }

    /// Sets a cookie of the site whose page is open, such as somebody's session.
    pub fn set_cookie(&self, name: &str, value: &str) {
        self.call(
            "cookie",
            &json!({ "cookie": { "name": name, "value": value, "path": "/", "httpOnly": true,
            "sameSite": "Lax" } }),
        );
    }

    /// Forgets all cookies: a browser that was never here.
    pub fn forget(&self) {
        self.chromium("Network.clearBrowserCookies", json!({}));
    }

    /// Addresses of every request that was begun since this was last asked, but those of the browser's own first page, which
    /// stay inside it.
    pub fn requests(&self) -> Vec<String> {
        let log = self.call("se/log", &json!({ "type": "performance" }));
        let messages = log.as_array().expect(PROTOCOL).iter();
        let messages = messages.filter_map(|entry| serde_json::from_str(entry["message"].as_str()?).ok());
        let begun = messages.filter(|one: &Value| one["message"]["method"] == "Network.requestWillBeSent");
        begun
            .map(|one| one["message"]["params"]["request"]["url"].as_str().expect(PROTOCOL).to_owned())
            .filter(|url| !["chrome:", "chrome-untrusted:", "data:"].iter().any(|inside| url.starts_with(inside)))
            .collect()
    }

    /// Writes a PNG of the whole page, also of what lies below the window.
    pub fn picture(&self, file: &Path) {
        let size = self.run("return [innerWidth, document.documentElement.scrollHeight]");
        let clip = json!({ "x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1 });
        let asked = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let picture = self.chromium("Page.captureScreenshot", asked);
        let bytes = STANDARD.decode(picture["data"].as_str().expect(PROTOCOL)).expect(PROTOCOL);
        fs::write(file, bytes).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // The driver is about to end; whether it says goodbye properly does not matter.
            let _ = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut stream| {
                let goodbye = format!("DELETE /session/{} HTTP/1.1\r\nHost: 127.0.0.1\r\n", self.session);
                write!(stream, "{goodbye}Connection: close\r\n\r\n")?;
                stream.set_read_timeout(Some(Duration::from_secs(5)))?;
                stream.read(&mut [0; 1024])
            });
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
