//! A case from its request to its certificate by pages alone, over a real model: whoever asks has no account, each person
//! does what is theirs, and the worker of `obelus serve` does the rest. Not here: browsers, and what each page says.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::{
    installation::{Installation, MODEL},
    server::{PATIENCE, Server, Visitor, free_port, path_of},
};

/// Those who work here, and their roles.
const PEOPLE: [(&str, &[&str]); 5] = [
    ("rita", &["legal_reviewer", "intake"]),
    ("ada", &["legal_approver"]),
    ("bob", &["legal_approver"]),
    ("eve", &["executor"]),
    ("zoe", &["auditor"]),
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
    let [rita, ada, bob, eve, zoe] = &mut people[..] else { panic!("five were invited") };

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
    server.stop();
}
