//! The questions of a request, one page each: nothing is lost on the way, nothing is sent twice, and nobody is told what others
//! wrote. Not here: what becomes of a request (`requests.rs`).

use obelus_casework::filing::Filing;
use obelus_ledger::canonical;
use obelus_store::{filings, requests};
use obelus_testkit::PUBLISHER;

use crate::{
    browser::Browser,
    house::{House, on_each},
    requests::{ANSWERS, TEXT, answer_all, asked, with_model},
};

const DAY_MINUTES: i64 = 24 * 60;

async fn filed(house: &House) -> Vec<requests::Request> {
    let all = requests::page(&house.deps.work.db, None, 9).await.unwrap();
    all.into_iter().filter(|request| request.state != requests::RequestState::Received).collect()
}

#[actix_web::test]
async fn what_was_answered_is_what_is_filed_and_nothing_of_it_is_in_an_address() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let mut ada = Browser::new(&service);
        answer_all(&mut ada, &[]).await;
        // Going back and loading again show what was answered.
        ada.get("/request/new/who").await.is(200).says("value=\"Ada Lovelace\"").says("href=\"/request/new/check\"");
        ada.get("/request/new/right").await.is(200).says("value=\"gdpr-art17\" checked");
        ada.get("/request/new/work").await.is(200).says("It was a dark\nand stormy night.");
        ada.get("/request/new/statements").await.is(200).says("value=\"true\" checked");
        ada.get("/request/new").await.is(200).says("Go on where you were").says("href=\"/request/new/check\"");
        // A change leads back to all answers.
        ada.get("/request/new/who").await.is(200);
        let changed = [("name", "Ada King"), ("email", "ada@example.org")];
        ada.post("/request/new/who", &changed).await.leads_to("/request/new/check");
        let check = ada.get("/request/new/check").await.is(200);
        let check = check.says("Ada King").says("Her &#60;b&#62;notes").says("Right to erasure (GDPR)");
        check.says("I ask for myself, or I may act for whoever I ask for.").never_says("There is a problem");
        let sent = ada.post("/request/new", &[]).await.is(303).header("location").to_owned();
        assert!(!ada.cookies.contains_key("draft"));
        let reference = sent.strip_prefix("/r/").unwrap().strip_suffix("/sent").unwrap();
        ada.get(&sent).await.is(200).says(reference).says("Download the signed receipt");
        let kept = filings::get(&house.deps.work.db, reference).await.unwrap().unwrap().document.unwrap();
        let filing: Filing = canonical::from_bytes(&kept).unwrap();
        let who = filing.requester.unwrap();
        assert_eq!((who.name.as_str(), who.email.as_str()), ("Ada King", "ada@example.org"));
        assert_eq!(filing.passage, "It was a dark\nand stormy night.");
        assert_eq!((filing.format.as_str(), filing.declarations.len()), ("obelus-request/v2", 2));
        // Nothing is left of the draft.
        ada.get("/request/new").await.is(200).says("Start now").never_says("Go on");
        ada.get("/request/new/who").await.is(200).never_says("Ada King");
    })
    .await;
}

#[actix_web::test]
async fn a_request_that_is_sent_twice_is_one() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let mut ada = Browser::new(&service);
        answer_all(&mut ada, &[]).await;
        let (mut again, mut late) = (ada.twin(), ada.twin());
        let (one, other) = tokio::join!(ada.post("/request/new", &[]), again.post("/request/new", &[]));
        let late = late.post("/request/new", &[]).await;
        let first = one.is(303).header("location").to_owned();
        assert_eq!([other.is(303).header("location"), late.is(303).header("location")], [&first, &first]);
        assert_eq!(filed(&house).await.len(), 1);
        // The same browser may ask for something else, also where it kept an old cookie.
        let mut old = again;
        old.cookies.insert("draft".to_owned(), obelus_portal::Token::random().unwrap().reveal());
        answer_all(&mut old, &[]).await;
        assert_ne!(old.post("/request/new", &[]).await.is(303).header("location"), first);
        assert_eq!(filed(&house).await.len(), 2);
    })
    .await;
}

#[actix_web::test]
async fn every_answer_that_cannot_be_is_said_on_its_page_and_nothing_is_kept() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let mut ada = Browser::new(&service);
        for (page, field, value, said) in [
            ("right", "regime", "", "Choose the law"),
            ("right", "regime", "no-such-law", "Choose a law of the list"),
            ("right", "regime", "eu-ai-act-53", "Choose a law of the list"),
            ("model", "model", "", "Choose the model"),
            ("model", "model", "no-such-model", "Choose a model of the list"),
            ("authority", "capacity", "queen", "Choose as whom you ask"),
            ("authority", "capacity", "agent", "Say for whom you act"),
            ("who", "name", " ", "Your name: it is missing"),
            ("who", "email", "", "Your email address: it is missing"),
            ("who", "email", "ada", "Your email address: give one plain address"),
            ("who", "email", "a@b.org\r\nBcc: c@d.org", "Your email address: it holds a line break"),
            ("work", "passage", "a\0b", "A passage of it: it holds a character"),
            ("statements", "declared", "nothing", "Read each statement and tick it"),
        ] {
            let path = format!("/request/new/{page}");
            let (_, fields) = ANSWERS.iter().find(|(own, _)| *own == page).unwrap();
            let fields: Vec<_> = fields.iter().map(|(n, v)| (*n, if *n == field { value } else { v })).collect();
            ada.get(&path).await.is(200);
            let again = ada.post(&path, &fields).await.is(422);
            // Who acts for somebody is asked for whom, in another field.
            let at = if value == "agent" { "authority" } else { field };
            again.says(said).says("There is a problem").says(&format!("href=\"#{at}\""));
            assert!(!ada.cookies.contains_key("draft"), "{page}: {said}");
        }
        // All at once, each with the way to its question.
        ada.get("/request/new/check").await.is(200).says("Not answered").never_says("There is a problem");
        let page = ada.post("/request/new", &[]).await.is(422).says("There is a problem");
        let page = page.says("href=\"/request/new/who#name\"").says("href=\"/request/new/right#regime\"");
        let page = page.says("href=\"/request/new/model#model\"").says("href=\"/request/new/work#subject\"");
        page.says("href=\"/request/new/authority#capacity\"").says("href=\"/request/new/statements#declared\"");
        // Another law takes other declarations, and leads to them.
        answer_all(&mut ada, &[]).await;
        ada.get("/request/new/right").await.is(200);
        ada.post("/request/new/right", &[("regime", "dmca-512")]).await.leads_to("/request/new/statements");
        ada.get("/request/new/statements").await.is(200).says("Under penalty of perjury");
        ada.post("/request/new", &[]).await.is(422).says("href=\"/request/new/statements#declared\"");
        assert!(filed(&house).await.is_empty());
    })
    .await;
}

#[actix_web::test]
async fn answers_are_one_browsers_for_a_day_and_unreadable_in_the_database() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let mut ada = Browser::new(&service);
        answer_all(&mut ada, &[("name", "Ada of Ockham Park")]).await;
        let cookie = ada.cookies["draft"].clone();
        Browser::new(&service).get("/request/new/check").await.is(200).never_says("Ockham");
        let mut other = Browser::new(&service);
        other.cookies.insert("draft".to_owned(), format!("A{}", &cookie[1..]));
        other.get("/request/new/check").await.is(200).never_says("Ockham");
        let token: obelus_portal::Token = cookie.parse().unwrap();
        let work = &house.deps.work;
        let sealed = obelus_store::request_drafts::sealed(&work.db, &token.hash(), house.now()).await.unwrap().unwrap();
        assert!(!String::from_utf8_lossy(&sealed).contains("Ockham"));
        house.pass_minutes(DAY_MINUTES - 1);
        ada.get("/request/new/check").await.is(200).says("Ockham");
        house.pass_minutes(1);
        ada.get("/request/new/check").await.is(200).never_says("Ockham");
        ada.post("/request/new", &[]).await.is(422).says("There is a problem");
        // Whoever wants can have them removed at once.
        answer_all(&mut ada, &[]).await;
        ada.get("/request/new").await.is(200).says("Remove my answers");
        let mut twin = ada.twin();
        ada.post("/request/new/forget", &[]).await.leads_to("/request/new");
        twin.get("/request/new/check").await.is(200).never_says("Ada Lovelace");
    })
    .await;
}

#[actix_web::test]
async fn a_stranger_is_told_what_was_published_under_the_name_that_they_gave_and_no_more() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let says = async |subject: &'static str, passage: &'static str| {
            let mut browser = Browser::new(&service);
            for (page, fields) in &ANSWERS[..3] {
                browser.get(&format!("/request/new/{page}")).await.is(200);
                browser.post(&format!("/request/new/{page}"), fields).await.is(303);
            }
            browser.get("/request/new/work").await.is(200);
            let fields = [("subject", subject), ("passage", passage)];
            browser.post("/request/new/work", &fields).await.leads_to("/request/new/matches");
            browser.get("/request/new/matches").await.is(200).says("people who work here search all texts").body
        };
        let told = &format!("Published by <bdi>{PUBLISHER}</bdi>");
        assert!(says("a", "").await.contains(told));
        assert!(says("Books of the calder valley press, 1881", "").await.contains("1 source of this publisher"));
        let (none, nobody) = ("No published source of this model has the name", "Nothing was looked up now");
        // Half a name, a source that nobody published, a text: a stranger is not told.
        for subject in ["Calder", "Valley Press", "b", "c", TEXT] {
            assert!(says(subject, "").await.contains(none), "{subject}");
        }
        assert!(says("", TEXT).await.contains(nobody));
        // Whoever tries many names is not told any more.
        let mut browser = Browser::new(&service);
        answer_all(&mut browser, &[]).await;
        let mut last = String::new();
        for _ in 0..12 {
            browser.get("/request/new/work").await.is(200);
            browser.post("/request/new/work", &[("subject", "a"), ("passage", "")]).await.is(303);
            last = browser.get("/request/new/matches").await.is(200).body;
        }
        assert!(last.contains(nobody), "{last}");
        // One that was struck is there no more.
        let write = house.deps.work.db.write().await.unwrap();
        let lineage = obelus_store::models::get(&house.deps.work.db, "m").await.unwrap().unwrap().lineage;
        obelus_store::sources::suppress(&write, &lineage, "a", house.now()).await.unwrap();
        obelus_store::sources::revoke(&write, &lineage, "a", house.now()).await.unwrap();
        write.commit().await.unwrap();
        assert!(says("a", "").await.contains(none));
    })
    .await;
}

#[actix_web::test]
async fn whoever_decides_reads_what_was_declared() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (_, reference) = asked(&service).await;
        let id = house.person("lea", &["legal_reviewer", "intake"]).await;
        let mut lea = Browser::new(&service).with_session(&house.session(id).await);
        let case = lea.get(&format!("/cases/{reference}")).await.is(200);
        case.says("What they declare").says("What I have said is true, as far as I know.");
    })
    .await;
}
