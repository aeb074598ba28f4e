//! The page `web/static/verify.html` in headless Chromium: what it says of good and of spoiled files, and that nothing
//! leaves it. Not here: how a browser is driven (`obelus-testkit`), and the check itself on many files (`javascript.rs`).

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc::{Receiver, channel},
};

use obelus_testkit::{
    accessibility::{axe, barriers},
    browser::Browser,
};

use crate::{
    fixture::{Draft, Fixture, USUAL},
    flips::flipped,
    javascript::{Folder, root},
    spoiled::{self, BUNDLE, Case, EVIDENCE, ROW_PROOF, TRUST, good},
};

/// What the page said last.
const VERDICT: &str = "return document.querySelector('.verdict[data-outcome]')?.innerText";
const EVERYTHING: &str = "return document.querySelector('main').innerText";

fn page() -> PathBuf {
    root().join("web/static/verify.html").canonicalize().unwrap()
}

fn page_url() -> String {
    format!("file://{}", page().display())
}

fn whole() -> Case {
    good().pop().unwrap()
}

/// Opens the page afresh, gives it files of a case and returns everything that it shows.
fn shown(browser: &Browser, url: &str, case: &Case, files: &[&str]) -> String {
    let folder = Folder::new(&format!("browser-{}", case.name.replace(' ', "-")), std::slice::from_ref(case));
    browser.open(url);
    let paths: Vec<_> = files.iter().map(|file| folder.0.join("0").join(file)).collect();
    browser.choose("#files", &paths);
    browser.wait_for(VERDICT);
    browser.wait_for(EVERYTHING)
}

fn check_says(shown: &str, wanted: &[&str]) {
    for text in wanted {
        assert!(shown.contains(text), "{text:?} is not in what the page says:\n{shown}");
    }
}

/// Fails where something on the page keeps somebody from using it; leaves a picture behind.
fn check_open_to_all(browser: &Browser, name: &str) {
    browser.picture(&Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.png")));
    let found = barriers(browser, axe().as_deref());
    assert!(found.is_empty(), "{name}: {found:#?}");
    browser.resize(1000, 1500);
}

#[test]
fn the_page_holds_the_verifier_as_it_is() {
    let build = root().join("verifiers/javascript/build_page.mjs");
    let output = Command::new("node").arg(build).arg("--check").output();
    let output = output.expect("node cannot be run; install it: sudo apt-get install -y nodejs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let verifier = std::fs::read_to_string(root().join("verifiers/javascript/obelus.mjs")).unwrap();
    let page = std::fs::read_to_string(page()).unwrap();
    assert!(page.contains(&verifier.replace("\nexport ", "\n")), "the script of the page is another");
}

#[test]
fn the_page_says_what_holds_what_does_not_and_what_was_left_out() {
    let Some(browser) = Browser::start() else { return };
    let (case, url) = (whole(), page_url());
    let all = [BUNDLE, EVIDENCE, ROW_PROOF, TRUST];

    let said = shown(&browser, &url, &case, &all);
    check_says(&said, &["✓ Verified\n", "proved by the row proof", "exactly 7 of 23 rows became zero", "böll/letters"]);
    assert!(!said.contains("left out") && !said.contains("FAIL"), "{said}");
    check_open_to_all(&browser, "verify-good");

    let said = shown(&browser, &url, &case, &[BUNDLE, EVIDENCE, TRUST]);
    check_says(
        &said,
        &["Verified, as far as these files go", "One check was left out", "OB-2026-0001.rowproof.json was not given"],
    );
    let said = shown(&browser, &url, &case, &[BUNDLE, TRUST]);
    check_says(
        &said,
        &[
            "Verified, as far as these files go",
            "ID.evidence.json was not given",
            "stated by the signed certificate, not rebuilt here",
        ],
    );
    check_open_to_all(&browser, "verify-left-out");

    let said = shown(&browser, &url, &case, &all[..3]);
    check_says(&said, &["Not verified: no trusted root was given", "Anybody could have written these files"]);
    check_open_to_all(&browser, "verify-no-trust");

    let failed = Fixture::new(USUAL, &mut |draft| match draft {
        Draft::Verification(_, said) => said.verdict = "not_verified".to_owned(),
        Draft::Certificate(_, said) => {
            said.verdict = "not_verified".to_owned();
            said.title = "Erasure record, verification failed".to_owned();
        }
        _ => (),
    });
    let said = shown(&browser, &url, &spoiled::whole("failed", &failed), &all);
    check_says(&said, &["Genuine: a record of a verification that failed", "reports that verification FAILED"]);

    for (file, at, because) in [
        (EVIDENCE, 2000, "evidence"),
        (BUNDLE, 700, "statement and place in the log"),
        (ROW_PROOF, 60, "not the file that the erasure cites"),
    ] {
        let mut bad = case.clone();
        let bytes = &mut bad.files.iter_mut().find(|(name, _)| *name == file).unwrap().1;
        *bytes = flipped(bytes, at, 1);
        let said = shown(&browser, &url, &bad, &all);
        check_says(&said, &["✗ Not verified", "Do not rely on these files", "✗ FAIL", because]);
    }
    check_open_to_all(&browser, "verify-bad");
}

#[test]
fn nothing_leaves_the_page() {
    let Some(browser) = Browser::start() else { return };
    let (address, requests) = serve();
    let url = format!("http://{address}/verify.html");
    let said = shown(&browser, &url, &whole(), &[BUNDLE, EVIDENCE, ROW_PROOF, TRUST]);
    check_says(&said, &["✓ Verified\n"]);
    assert_eq!(browser.requests(), [url]);
    assert_eq!(browser.run("return performance.getEntriesByType('resource').length"), 0);
    // Even a script that wanted to could not: every way out is tried, back to the server that the page came from.
    let ways = [
        "fetch('/out')",
        "new WebSocket('ws://' + location.host + '/out')",
        "navigator.sendBeacon('/out', 'x')",
        "new EventSource('/out')",
        "new Image().src = '/out'",
        "document.body.append(Object.assign(document.createElement('iframe'), { src: '/out' }))",
        "document.head.append(Object.assign(document.createElement('script'), { src: '/out' }))",
        "document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: '/out' }))",
        "Object.assign(document.body.appendChild(document.createElement('form')), { action: '/out' }).submit()",
    ];
    for way in ways {
        // Some ways throw at once, others fail later: either is right.
        browser.run(&format!("try {{ const tried = {way}; tried?.catch?.(() => 0) }} catch {{ }}"));
    }
    browser
        .run("document.body.insertAdjacentHTML('beforeend', '<img src=/out onerror=\"globalThis.escaped = true\">')");
    std::thread::sleep(std::time::Duration::from_millis(500));
    let seen: Vec<String> = requests.try_iter().collect();
    assert_eq!(seen, ["GET /verify.html HTTP/1.1"], "the server was asked for more than the page");
    assert_eq!(browser.run("return globalThis.escaped ?? false"), false, "a script in the markup ran");
}

#[test]
fn what_is_dropped_is_read_and_markup_in_it_stays_text() {
    let Some(browser) = Browser::start() else { return };
    browser.open(&page_url());
    browser.run(
        "const all = new DataTransfer();
         const name = '<img src=x onerror=\"globalThis.escaped = true\">';
         all.items.add(new File(['{\"exhibits\":[],\"format\":\"<b id=bold>x</b>\"}'], name + '.json'));
         all.items.add(new File(['neither'], name));
         document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: all, bubbles: true, cancelable: true }));",
    );
    let said = browser.wait_for(VERDICT);
    check_says(&said, &["Not verified", "<img src=x"]);
    check_says(&browser.wait_for(EVERYTHING), &["not a kind of file that this program knows", "evidence has no "]);
    let escaped = browser.run("return [globalThis.escaped ?? false, document.querySelectorAll('img, #bold').length]");
    assert_eq!(escaped, serde_json::json!([false, 0]));
    browser.run("document.getElementById('again').click()");
    let left = "return document.getElementById('result').innerText + document.getElementById('given').innerText";
    assert_eq!(browser.run(left), "");
}

/// Serves the page on this machine, and tells the first line of every request.
fn serve() -> (std::net::SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = channel();
    let body = std::fs::read(page()).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            // A connection that the browser opens in advance and closes unused asks for nothing.
            if length == 0 {
                continue;
            }
            let first = String::from_utf8_lossy(&request[..length]).lines().next().unwrap_or_default().to_owned();
            tell.send(first).unwrap();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
            // A browser that has gone away does not matter.
            let _ =
                write!(stream, "{head}Content-Length: {}\r\n\r\n", body.len()).and_then(|()| stream.write_all(&body));
        }
    });
    (address, told)
}
