//! The portal as people see it: a server on a real socket, and headless Chromium that runs none of its scripts, for it needs
//! none. Every page that is looked at must be open to everybody. With the variable `OBELUS_PICTURES` set to a folder, each
//! is also left there as a picture, as wide as a telephone and as a desk.
//!
//! Not here: what is answered to browsers that lie (`forgery.rs`, `hostile.rs`).

mod asking;
mod keyboard;
mod oversight;
mod pages;
mod working;

use std::{cell::Cell, fs, net::TcpListener, path::PathBuf, time::Duration};

use obelus_portal::{Token, run};
use obelus_testkit::{
    TestDatabase,
    accessibility::{axe, barriers},
    browser::Browser,
    sqlite,
};
use tokio::{net::TcpStream, sync::watch};

use crate::{
    house::{House, ORIGIN},
    requests::put_model,
};

/// A visitor of a running portal over an installation with a trained model.
pub struct Visitor {
    pub house: House,
    pub browser: Browser,
    axe: Option<String>,
    pictures: Option<PathBuf>,
    /// Of the test, in the names of pictures.
    name: &'static str,
    looked_at: Cell<u32>,
    _tell: watch::Sender<bool>,
    _database: TestDatabase,
}

impl Visitor {
    /// None where there is no browser.
    pub async fn start(name: &'static str) -> Option<Self> {
        Self::on(name, sqlite().await).await
    }

    /// The same over a database of the caller's.
    pub async fn on(name: &'static str, database: TestDatabase) -> Option<Self> {
        // Free a moment ago; nothing else of this process takes ports.
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let browser = Browser::start_mapped(ORIGIN.strip_prefix("http://").unwrap(), listen)?;
        browser.run_scripts(false);
        eprintln!("on {:?}", database.backend());
        let house = House::on(&database).await;
        put_model(&house).await;
        let mut deps = house.deps.clone();
        deps.settings.listen = listen;
        let (tell, told) = watch::channel(false);
        let server = tokio::spawn(run(deps, told));
        while TcpStream::connect(listen).await.is_err() {
            assert!(!server.is_finished(), "the server ended: {:?}", server.await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let pictures = std::env::var_os("OBELUS_PICTURES").map(PathBuf::from);
        if let Some(folder) = &pictures {
            fs::create_dir_all(folder).unwrap();
        }
        let (axe, looked_at) = (axe(), Cell::new(0));
        Some(Self { house, browser, axe, pictures, name, looked_at, _tell: tell, _database: database })
    }

    /// Opens an address of the portal.
    #[track_caller]
    pub fn open(&self, path: &str) {
        self.browser.open(&format!("{ORIGIN}{path}"));
    }

    /// Opens an address of the portal and looks at the page.
    #[track_caller]
    pub fn visit(&self, path: &str) {
        self.open(path);
        self.look();
    }

    /// Fails where something on the page keeps somebody from using it.
    #[track_caller]
    pub fn look(&self) {
        self.take_pictures();
        let found = barriers(&self.browser, self.axe.as_deref());
        assert!(found.is_empty(), "{}: {found:#?}", self.path());
        self.browser.resize(1280, 900);
    }

    fn take_pictures(&self) {
        let Some(folder) = &self.pictures else { return };
        let number = self.looked_at.get();
        self.looked_at.set(number + 1);
        let path: String = self.path().chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).take(40).collect();
        for width in [390, 1280] {
            self.browser.resize(width, 900);
            self.browser.picture(&folder.join(format!("{}-{number:02}{path}-{width}.png", self.name)));
        }
    }

    /// The path of the page that is open.
    pub fn path(&self) -> String {
        let url = self.browser.url();
        url.strip_prefix(ORIGIN).unwrap_or(&url).to_owned()
    }

    /// The status of the answer whose page is open.
    pub fn status(&self) -> u64 {
        let status = self.browser.run("return performance.getEntriesByType('navigation')[0].responseStatus");
        status.as_u64().unwrap()
    }

    #[track_caller]
    pub fn is_at(&self, path: &str) {
        assert_eq!(self.path(), path, "{}", self.browser.text());
    }

    #[track_caller]
    pub fn says(&self, text: &str) {
        let all = self.browser.text();
        assert!(all.contains(text), "{text:?} is not on {}:\n{all}", self.path());
    }

    #[track_caller]
    pub fn never_says(&self, text: &str) {
        let all = self.browser.text();
        assert!(!all.contains(text), "{text:?} is on {}:\n{all}", self.path());
    }

    /// Presses the button with this name.
    #[track_caller]
    pub fn press(&self, button: &str) {
        self.browser.click_through(&format!("//button[normalize-space()='{button}']"));
    }

    /// Follows the link with this name.
    #[track_caller]
    pub fn follow(&self, link: &str) {
        self.browser.click_through(&format!("//main//a[normalize-space()='{link}']"));
    }

    /// Opens a form of a case by its name, fills it in and sends it.
    #[track_caller]
    pub fn act(&self, name: &str, fields: &[(&str, &str)], button: &str) {
        self.browser.click(&format!("//summary[normalize-space()='{name}']"));
        self.fill(fields);
        self.press(button);
    }

    /// Types into fields, by their ids.
    #[track_caller]
    pub fn fill(&self, fields: &[(&str, &str)]) {
        for (id, text) in fields {
            self.browser.fill(&format!("#{id}"), text);
        }
    }

    /// The token of the session that the browser has.
    pub fn session(&self) -> Token {
        self.browser.cookie("session").unwrap().parse().unwrap()
    }

    /// From now on the browser is that of whoever has the session, or of somebody who was never here.
    pub fn become_holder_of(&self, session: Option<&Token>) {
        self.browser.forget();
        if let Some(session) = session {
            // A cookie is set on a page of its site.
            self.open("/health");
            self.browser.set_cookie("session", &session.reveal());
        }
    }

    /// Whoever has the session opens an address that is not theirs and reads why they get nothing.
    #[track_caller]
    pub fn is_refused(&self, path: &str, because: &str) {
        self.open(path);
        assert_eq!(self.status(), 403, "{path}: {}", self.browser.text());
        self.says("You may not do this");
        self.says(because);
    }
}

#[test]
fn what_keeps_people_out_is_found() {
    let Some(browser) = Browser::start() else { return };
    let faults = "<p style='color: %23999'>pale</p><img src=x><input><button style='width: 9px; padding: 0'>x</button>\
                  <div style='width: 400px'>wide</div>";
    browser.open(&format!("data:text/html,<html lang=en><title>t</title><main><h1>h</h1>{faults}</main>"));
    let (axe, of_windows) = (axe(), ["scrolls sideways", "smaller than 24 pixels"]);
    let of_axe = ["color-contrast (serious)", "image-alt (critical)", "label (critical)"];
    let expected = of_axe.iter().filter(|_| axe.is_some()).chain(&of_windows);
    let found = barriers(&browser, axe.as_deref());
    for fault in expected {
        assert!(found.iter().any(|line| line.starts_with(fault)), "{fault}: {found:#?}");
    }
}
