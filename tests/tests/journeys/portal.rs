//! A case from its request to its certificate by pages alone, over a real model: whoever asks has no account, each person
//! does what is theirs, and the worker of `obelus serve` does the rest. Not here: browsers, and what each page says.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use obelus_core::{Clock as _, Digest, SystemClock, Timestamp};
use obelus_testkit::outsiders::{Folder, program, said};

use crate::{
    installation::{Installation, MODEL},
    server::{PATIENCE, Server, Visitor, free_port, path_of},
};

/// Those who work here, and their roles.
const PEOPLE: [(&str, &[&str]); 6] = [
    ("rita", &["legal_reviewer", "intake"]),
    ("ada", &["legal_approver"]),
    ("bob", &["legal_approver"]),
    ("eve", &["executor"]),
    ("zoe", &["auditor"]),
    ("dora", &["regulator"]),
];

/// What follows `mark` up to the next quotation mark or `<`.
fn after<'t>(text: &'t str, mark: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(mark)?;
    rest.split(['"', '<', '\n']).next()
}

/// Loads a page again and again until it says this.
fn until(server: &Server, who: &mut Visitor, path: &str, says: &str) -> String {
    let begun = Instant::now();
    loop {
        let page = who.get(server, path);
        if page.contains(says) {
            return page;
        }
        assert!(begun.elapsed() < 3 * PATIENCE, "{says:?} does not come:\n{page}\n{}", server.said());
        thread::sleep(Duration::from_millis(250));
    }
}

/// Makes the first account by the printed link, and all others by invitation.
fn staff(server: &Server) -> Vec<Visitor> {
    let said = server.said();
    let link = said.lines().find(|line| line.contains("/setup/")).unwrap();
    let mut admin = Visitor::by_link(server, link.trim(), &[("name", "adam")]);
    let mut invited = |(name, roles): (&str, &[&str])| {
        let fields: Vec<_> = [("name", name)].into_iter().chain(roles.iter().map(|role| ("role", *role))).collect();
        admin.get(server, "/settings/people/invite");
        let page = admin.post(server, "/settings/people/invite", &fields);
        let link = after(&page, "<p class=\"copy\"><code>").unwrap_or_else(|| panic!("{page}"));
        Visitor::by_link(server, link, &[])
    };
    PEOPLE.map(&mut invited).into()
}

/// The link in the newest letter to somebody that names one.
fn link_to(here: &Installation, path: &str) -> String {
    let begun = Instant::now();
    loop {
        for file in fs::read_dir(here.data().join("outbox")).into_iter().flatten().flatten() {
            // Long lines of a letter are folded with `=` at their end.
            let letter = fs::read_to_string(file.path()).unwrap_or_default().replace("=\r\n", "").replace("=\n", "");
            if let Some(at) = letter.find(path) {
                return letter[at..].split_whitespace().next().unwrap().to_owned();
            }
        }
        assert!(begun.elapsed() < PATIENCE, "no letter names {path}");
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_source_is_struck_by_pages_alone_and_a_server_that_is_killed_goes_on() {
    let here = Installation::trained();
    let source = here.panel()[0].clone();
    let port = free_port();
    let server = Server::start_on(&here, port);
    let mut people = staff(&server);
    let [rita, ada, bob, eve, zoe, dora] = &mut people[..] else { panic!("six were invited") };

    // Somebody asks without an account and follows it by the link that they are sent.
    let mut asker = Visitor::new();
    let pages: [(&str, &[(&str, &str)]); 6] = [
        ("who", &[("name", "Ada Lovelace"), ("email", "ada@example.org")]),
        ("right", &[("regime", "gdpr-art17")]),
        ("model", &[("model", MODEL)]),
        ("work", &[("subject", &source), ("passage", "")]),
        ("authority", &[("capacity", "person"), ("authority", "")]),
        ("statements", &[("statement", "Take it out."), ("declared", "entitled"), ("declared", "true")]),
    ];
    for (page, fields) in pages {
        let path = format!("/request/new/{page}");
        asker.get(&server, &path);
        asker.post(&server, &path, fields);
    }
    assert!(asker.get(&server, "/request/new/check").contains("Take it out."));
    let filed = asker.post(&server, "/request/new", &[]);
    let reference = filed.strip_prefix("/r/").and_then(|rest| rest.strip_suffix("/sent"));
    let reference = reference.unwrap_or_else(|| panic!("{filed}")).to_owned();
    let (case, own) = (format!("/cases/{reference}"), format!("/r/{reference}"));
    assert!(asker.get(&server, &own).contains("We have your request."));
    let mut elsewhere = Visitor::new();
    elsewhere.get(&server, &format!("/open/{reference}"));
    elsewhere.post(&server, &format!("/open/{reference}"), &[("email", "ada@example.org")]);
    let link = link_to(&here, &format!("/open/{reference}/"));
    elsewhere.get(&server, &path_of(&format!("x{link}")));
    elsewhere.post(&server, &path_of(&format!("x{link}")), &[]);
    assert!(elsewhere.get(&server, &own).contains("We have your request."));

    // It is found out what is meant, and a plan is made by the worker.
    assert_ne!(asker.status(&server, &case), 200, "a requester sees no case");
    rita.get(&server, &case);
    rita.post(&server, &format!("{case}/sources"), &[("sources", &source)]);
    rita.post(&server, &format!("{case}/triage"), &[]);
    rita.post(&server, &format!("{case}/suppress"), &[]);
    rita.get(&server, &case);
    rita.post(&server, &format!("{case}/plan"), &[("protocol", "quick")]);
    let planned = until(&server, rita, &case, "SHA-256 of the plan");
    let digest = after(&planned, "SHA-256 of the plan <code>").unwrap().to_owned();
    assert!(planned.contains("Neurons set to zero"), "{planned}");

    // Two approve what they have read; nobody does another's part.
    eve.get(&server, &case);
    assert_eq!(eve.send(&server, &format!("{case}/approve"), &[("plan", &digest)]).0, 403);
    assert_eq!(eve.send(&server, &format!("{case}/execute"), &[]).0, 409, "it is not approved");
    for person in [&mut *ada, &mut *bob] {
        person.get(&server, &case);
        person.post(&server, &format!("{case}/approve"), &[("plan", &digest)]);
        person.get(&server, &case);
        assert_eq!(person.send(&server, &format!("{case}/execute"), &[]).0, 403, "approvers do not execute");
    }
    assert!(asker.get(&server, &own).contains("Your request is granted."));
    server.stop();

    // The process dies when the first copy is zero. The next one waits until the lease has run out, and goes on.
    let here = here.with("OBELUS_DIE_AT", "first-target-zeroed");
    let server = Server::start_on(&here, port);
    eve.get(&server, &case);
    eve.post(&server, &format!("{case}/execute"), &[]);
    server.dies();
    let here = here.with("OBELUS_DIE_AT", "nowhere");
    let server = Server::start_on(&here, port);
    let page = eve.get(&server, &case);
    assert!(page.contains("zeroing") && page.contains("<h2>Copies</h2>") && page.contains("data-progress"), "{page}");
    let told = eve.get(&server, &format!("{case}/progress"));
    assert!(told.contains("event: work\ndata: {"), "{told}");

    // The worker judges it without being asked, and the requester has what to check it with.
    let page = until(&server, eve, &case, ", certificate CT-");
    assert!(page.contains("rows zeroed and read back"), "{page}");
    let page = until(&server, &mut elsewhere, &own, "/c/CT-");
    let certificate = format!("CT-{}", after(&page, "/c/CT-").unwrap());
    let page = elsewhere.get(&server, &format!("/c/{certificate}"));
    for end in [".evidence.json", ".rowproof.json", ".tlog-proof", ".pdf", ".json"] {
        let name = format!("{certificate}{end}");
        assert!(page.contains(&name), "{page}");
        let bytes = elsewhere.download(&server, &format!("/c/{certificate}/files/{name}"));
        here.file(&name, bytes);
    }
    let bundle = here.path(&format!("{certificate}.json"));
    let report = here.run(&["verify", bundle.to_str().unwrap(), "--trust", &here.trust()]).json(0);
    assert_eq!(report["ok"], true, "{report}");
    let trail = zoe.get(&server, "/audit");
    for act in ["order", "execute", "verify"] {
        assert!(trail.contains(act), "{act}: {trail}");
    }
    assert!(!zoe.get(&server, &case).contains("Lovelace"), "an auditor reads no personal data");

    // An authority is let in, takes the case along, and checks it without this server.
    assert_eq!(dora.status(&server, &format!("{case}/export")), 403, "before a grant");
    let now = SystemClock.now().as_micros();
    let day = |later: i64| Timestamp::from_micros(now + later * 86_400_000_000).to_string()[..10].to_owned();
    let (from, until) = (day(0), day(1));
    ada.get(&server, "/settings/grants/new");
    let grant = [("person", "dora"), ("matter", "File 7"), ("from", &from), ("until", &until), ("draws", "1")];
    let grant: Vec<(&str, &str)> = grant.into_iter().chain([("cases", reference.as_str())]).collect();
    assert_eq!(ada.post(&server, "/settings/grants/new", &grant), "/settings/grants");
    let archive = here.file("case.zip", dora.download(&server, &format!("{case}/export")));
    check_export(&here, &archive, &reference, &certificate);

    // So is what they draw without anybody choosing it.
    let seed = "5eed".repeat(16);
    dora.get(&server, "/audit/sample");
    let commitment = [("size", "1"), ("seed_digest", &Digest::sha256(&seed).to_string())];
    let sample = dora.post(&server, "/audit/sample", &commitment);
    dora.get(&server, &sample);
    dora.post(&server, &format!("{sample}/reveal"), &[("seed", &seed)]);
    let archive = here.file("sample.zip", dora.download(&server, &format!("{sample}/export")));
    check_export(&here, &archive, &reference, &certificate);
    assert!(zoe.get(&server, &format!("/audit/access?subject={reference}")).contains("hand out"));
    server.stop();
}

/// Unpacks an export with tools of others, and checks what is signed in it with nothing but the keys.
fn check_export(here: &Installation, archive: &str, reference: &str, certificate: &str) {
    let Some(mut unzip) = program("unzip", "-v") else { return };
    let tested = unzip.arg("-tq").arg(archive).output().unwrap();
    assert!(tested.status.success(), "{}", said(&tested));
    let folder = Folder::new("export");
    let output =
        program("unzip", "-v").unwrap().arg("-q").arg(archive).arg("-d").arg(folder.path("")).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let sums = || {
        let mut sums = program("sha256sum", "--version").unwrap();
        sums.args(["--check", "--strict", "--quiet", "SHA256SUMS"]).current_dir(folder.path("")).output().unwrap()
    };
    assert!(sums().status.success(), "{}", said(&sums()));
    let own = folder.path(&format!("cases/{reference}"));
    for end in [".json", ".evidence.json", ".rowproof.json", ".tlog-proof", ".pdf"] {
        let name = format!("{certificate}{end}");
        let handed_out = fs::read(here.path(&name)).unwrap();
        assert!(fs::read(own.join("certificates").join(&name)).unwrap() == handed_out, "{name}");
    }
    let mut signed = vec![own.join(format!("certificates/{certificate}.json")), own.join("receipt.json")];
    let steps = fs::read_dir(own.join("steps")).unwrap().map(|entry| entry.unwrap().path());
    signed.extend(steps);
    signed.sort();
    assert!(signed.len() > 10, "{signed:?}");
    for file in &signed {
        let report = here.run(&["verify", file.to_str().unwrap(), "--trust", &here.trust()]).json(0);
        assert_eq!(report["ok"], true, "{}: {report}", file.display());
    }
    // The chain of steps, by the script that the export's own README gives.
    let readme = fs::read_to_string(folder.path("README.txt")).unwrap();
    let script = readme.split("<<'END'\n").nth(1).unwrap().split("END\n").next().unwrap();
    if let Some(mut python) = program("python3", "--version") {
        let steps: Vec<_> =
            signed.iter().filter(|path| path.parent().is_some_and(|of| of.ends_with("steps"))).collect();
        let output = python.args(["-c", script]).args(&steps).output().unwrap();
        assert!(output.status.success() && said(&output).lines().count() == steps.len(), "{}", said(&output));
    }
    // One changed bit shows.
    let path = own.join("receipt.json");
    let mut bytes = fs::read(&path).unwrap();
    bytes[30] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(!sums().status.success());
}
