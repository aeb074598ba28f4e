//! Somebody without an account asks for something, is asked, and takes something back. Not here: what becomes of it.

use std::fs;

use obelus_casework::triage;
use obelus_store::{case_questions::QuestionKind, outbox};
use obelus_testkit::databases;
use tempfile::TempDir;

use super::Visitor;
use crate::{browser::Browser, house::ORIGIN};

/// Answers every question and sends the request, looking at each page where it is to; gives the reference.
pub fn ask(visitor: &Visitor, name: &str, email: &str, looks: bool) -> String {
    let look = || {
        if looks {
            visitor.look();
        }
    };
    visitor.is_at("/request/new");
    visitor.follow("Start now");
    look();
    visitor.fill(&[("name", name), ("email", email)]);
    visitor.press("Continue");
    visitor.is_at("/request/new/right");
    look();
    visitor.browser.click("label[for=regime-gdpr-art17]");
    visitor.press("Continue");
    visitor.is_at("/request/new/model");
    look();
    visitor.browser.click("#model-m");
    visitor.press("Continue");
    visitor.is_at("/request/new/work");
    look();
    visitor.fill(&[("subject", "Books of the Calder Valley Press"), ("passage", "It was a dark\nand stormy night.")]);
    visitor.press("Continue");
    visitor.is_at("/request/new/matches");
    visitor.says("1 source of this publisher");
    look();
    visitor.follow("Continue");
    visitor.is_at("/request/new/authority");
    look();
    visitor.browser.click("#capacity-rightsholder");
    visitor.press("Continue");
    visitor.is_at("/request/new/statements");
    look();
    visitor.fill(&[("statement", "Take them out.")]);
    for declared in ["entitled", "true"] {
        visitor.browser.click(&format!("#declared-{declared}"));
    }
    visitor.press("Continue");
    visitor.is_at("/request/new/check");
    visitor.says(email);
    look();
    visitor.press("Send the request");
    let path = visitor.path();
    let reference = path.strip_prefix("/r/").and_then(|rest| rest.strip_suffix("/sent"));
    let reference = reference.unwrap_or_else(|| panic!("{}", visitor.browser.text())).to_owned();
    visitor.says(&reference);
    look();
    visitor.follow("Follow your request");
    visitor.is_at(&format!("/r/{reference}"));
    reference
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
    for database in databases().await {
        let Some(visitor) = Visitor::on("asking", database).await else { return };
        ask_and_follow(&visitor).await;
    }
}

async fn ask_and_follow(visitor: &Visitor) {
    visitor.visit("/");
    visitor.follow("File a request");
    visitor.is_at("/request/new");
    visitor.look();
    // What is missing is said above the form, and each line leads to its field, also from the page of all answers.
    for (page, field) in [("who", "name"), ("right", "regime"), ("authority", "capacity"), ("statements", "declared")] {
        visitor.open(&format!("/request/new/{page}"));
        visitor.press("Continue");
        assert_eq!(visitor.status(), 422);
        visitor.says("There is a problem");
        visitor.look();
        visitor.browser.click(&format!(".errors a[href='#{field}']"));
        assert_eq!(visitor.browser.run("return document.activeElement.id"), field);
    }
    visitor.open("/request/new/check");
    visitor.press("Send the request");
    assert_eq!(visitor.status(), 422);
    visitor.look();
    visitor.browser.click_through("//a[contains(@href,'/request/new/right#regime')]");
    visitor.is_at("/request/new/right#regime");
    // Answers survive going back and loading again.
    visitor.open("/request/new/who");
    visitor.fill(&[("name", "Ada"), ("email", "ada@example.org")]);
    visitor.press("Continue");
    visitor.is_at("/request/new/right");
    visitor.follow("Back");
    visitor.browser.run("location.reload()");
    visitor.is_at("/request/new/who");
    assert_eq!(visitor.browser.run("return document.getElementById('name').value"), "Ada");
    visitor.open("/request/new");
    visitor.look();
    visitor.press("Remove my answers");
    let first = ask(visitor, "Ada Lovelace", "ada@example.org", true);
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
    let link = link(visitor, &first).await;
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
    let second = ask(visitor, "Charles Babbage", "charles@example.org", false);
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
