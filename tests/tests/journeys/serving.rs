//! `obelus serve`: pages and worker in one process over a certified case, from its start to SIGTERM. Not here: what each page
//! says (`obelus-portal`), and what the worker does (`living.rs`).

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::{
    installation::Installation,
    server::{PATIENCE, Server},
};

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
