//! Somebody without an account asks for something, is asked, and takes something back. Not here: what becomes of it.

use std::fs;

use obelus_casework::triage;
use obelus_store::{case_questions::QuestionKind, outbox};
use tempfile::TempDir;

use super::Visitor;
use crate::{browser::Browser, house::ORIGIN};

/// Fills in the form that is open, and sends it; gives the reference.
fn ask(visitor: &Visitor, name: &str, email: &str) -> String {
    visitor.browser.click("label[for=regime-gdpr-art17]");
    visitor.browser.click("#model-m");
    visitor.fill(&[("subject", "Her notes"), ("passage", "It was a dark\nand stormy night.")]);
    visitor.fill(&[("statement", "Take them out."), ("name", name), ("email", email)]);
    visitor.browser.click("#capacity-rightsholder");
    visitor.press("Send the request");
    visitor.path().strip_prefix("/r/").unwrap_or_else(|| panic!("{}", visitor.browser.text())).to_owned()
}

/// The link in the newest letter about a request.
async fn link(visitor: &Visitor, reference: &str) -> String {
    let letters = outbox::of_request(&visitor.house.deps.work.db, reference).await.unwrap();
    let letter = letters.into_iter().rfind(|letter| letter.kind == outbox::LetterKind::OneTimeLink).unwrap();
    let (_, link) = letter.body.split_once(ORIGIN).unwrap();
    link.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_asks_comes_back_by_a_link_answers_and_takes_another_request_back() {
    let Some(visitor) = Visitor::start("asking").await else { return };
    visitor.visit("/");
    visitor.follow("File a request");
    visitor.is_at("/request/new");
    visitor.look();
    // What is missing is said above the form, and each line leads to its field.
    visitor.press("Send the request");
    assert_eq!(visitor.status(), 422);
    visitor.says("There is a problem");
    visitor.look();
    for field in ["regime", "model", "capacity"] {
        visitor.browser.click(&format!(".errors a[href='#{field}']"));
        assert_eq!(visitor.browser.run("return document.activeElement.id"), field);
    }
    let first = ask(&visitor, "Ada Lovelace", "ada@example.org");
    visitor.says("We have your request.");
    visitor.look();
    let session = visitor.session();

    // On another day, in another browser.
    visitor.become_holder_of(None);
    visitor.open(&format!("/r/{first}"));
    visitor.is_at(&format!("/open/{first}"));
    visitor.look();
    visitor.fill(&[("email", "ada@example.org")]);
    visitor.press("Send me a link");
    visitor.says("a link is on its way there");
    visitor.look();
    let link = link(&visitor, &first).await;
    visitor.visit(&link);
    visitor.press("Open my request");
    visitor.is_at(&format!("/r/{first}"));
    visitor.open(&link);
    assert_eq!(visitor.status(), 410, "it works once");
    visitor.look();
    visitor.follow("Ask for a new link");
    visitor.is_at(&format!("/open/{first}"));

    let work = &visitor.house.deps.work;
    triage::ask(work, "rita", &first, QuestionKind::Identity, "Which Ada are you?").await.unwrap();
    visitor.visit(&format!("/r/{first}"));
    visitor.says("Which Ada are you?");
    visitor.fill(&[("answer", "The countess.")]);
    visitor.press("Send the answer");
    visitor.is_at(&format!("/r/{first}"));
    visitor.says("We have your request.");
    visitor.never_says("Which Ada are you?");

    // Somebody else, who is not shown the first request, and takes back their own.
    visitor.become_holder_of(None);
    visitor.open("/request/new");
    let second = ask(&visitor, "Charles Babbage", "charles@example.org");
    visitor.is_refused(&format!("/r/{first}"), "The link that you followed is of another request");
    visitor.look();
    visitor.open(&format!("/r/{second}"));
    visitor.act("Take the request back", &[], "Take it back");
    visitor.is_at(&format!("/r/{second}"));
    visitor.says("You have taken your request back.");
    visitor.look();
    for path in ["/cases", "/cases/find", "/audit", "/settings/people"] {
        visitor.open(path);
        assert!(visitor.path().starts_with("/sign-in?next="), "{path} is for people with an account");
    }

    // What they were given can be checked where the portal has no say: in the browser, which runs the page's script.
    let service = visitor.house.service().await;
    let receipt = Browser::new(&service).with_session(&session).get(&format!("/r/{first}/receipt")).await.is(200).body;
    let work = &visitor.house.deps.work;
    let trust = work.keys.trusted_root(&work.settings.log_origin).unwrap();
    let folder = TempDir::new().unwrap();
    let files = [folder.path().join("receipt.json"), folder.path().join("trusted_root.json")];
    fs::write(&files[0], receipt).unwrap();
    fs::write(&files[1], obelus_ledger::canonical::to_bytes(&trust).unwrap()).unwrap();
    visitor.browser.run_scripts(true);
    visitor.visit("/verify");
    visitor.browser.choose("#files", &files);
    let verdict = visitor.browser.wait_for("return document.querySelector('.verdict[data-outcome]')?.innerText");
    assert!(verdict.contains("Verified") && !verdict.contains("Not"), "{verdict}\n{}", visitor.browser.text());
    visitor.look();
}
