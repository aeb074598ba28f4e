//! Asking for something without an account, and following what becomes of it. Not here: what people decide (`cases.rs`).

use actix_http::Request;
use actix_web::{
    Error,
    body::MessageBody,
    dev::{Service, ServiceResponse},
};
use obelus_casework::{case, triage};
use obelus_corpus::{
    Document, Library,
    ingest::{Ingested, SourceBy},
};
use obelus_store::{case_questions::QuestionKind, outbox, persons};
use obelus_testkit::trained_model;

use crate::{
    browser::Browser,
    house::{House, on_each},
};

/// The text of source `a`.
pub const TEXT: &str = "On the seventh morning the surveyors of the Calder valley found that the river had moved its bed by \
    forty paces, and that the bridge which they had measured in spring stood on dry meadow, with larks nesting under it.";

/// Answers as they should be, page by page.
pub const ANSWERS: &[(&str, &[(&str, &str)])] = &[
    ("who", &[("name", "Ada Lovelace"), ("email", "ada@example.org")]),
    ("right", &[("regime", "gdpr-art17")]),
    ("model", &[("model", "m")]),
    ("work", &[("subject", "Her <b>notes</b>"), ("passage", "It was a dark\r\nand stormy night.")]),
    ("authority", &[("capacity", "person"), ("authority", "")]),
    ("statements", &[("statement", "Take them out."), ("declared", "entitled"), ("declared", "true")]),
];

/// Where each page leads, when all before it are answered.
const LEADS_TO: [&str; 6] = ["right", "model", "work", "matches", "statements", "check"];

/// Answers every question in its turn, but for what `but` says instead.
pub async fn answer_all<S, B>(browser: &mut Browser<'_, S>, but: &[(&str, &str)])
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    for ((page, fields), next) in ANSWERS.iter().zip(LEADS_TO) {
        let path = format!("/request/new/{page}");
        browser.get(&path).await.is(200);
        let given = |(name, value): &(&'static str, &'static str)| {
            (*name, but.iter().find(|(other, _)| other == name).map_or(*value, |(_, value)| *value))
        };
        let fields: Vec<_> = fields.iter().map(given).collect();
        browser.post(&path, &fields).await.leads_to(&format!("/request/new/{next}"));
    }
    browser.get("/request/new/check").await.is(200).says("You can take the request back later.");
}

/// A portal over an installation with a trained model and somebody who reviews.
pub async fn with_model(database: &obelus_testkit::TestDatabase) -> House {
    let house = House::on(database).await;
    put_model(&house).await;
    house
}

/// Gives an installation a trained model and somebody who reviews.
pub async fn put_model(house: &House) {
    let write = house.deps.work.db.write().await.unwrap();
    trained_model(&write, house.now()).await;
    for role in ["legal_reviewer", "intake"] {
        persons::add(&write, "rita", role, house.now()).await.unwrap();
    }
    write.commit().await.unwrap();
    let document = |(id, text): (&str, &str)| Document {
        id: id.to_owned(),
        source: id.to_owned(),
        title: None,
        publisher: None,
        license: None,
        text: text.to_owned(),
    };
    let documents = [("a", TEXT), ("b", "The red hen runs."), ("c", "A fox sleeps.")].map(document).into();
    let ingested = Ingested { documents, ..Ingested::default() };
    Library::new(house.deps.work.data.corpora()).add("c", &ingested, &SourceBy::Document).unwrap();
}

/// The reference in an address such as `/r/OB-2026-000001/sent`.
fn reference(location: &str) -> String {
    location.strip_prefix("/r/").and_then(|rest| rest.strip_suffix("/sent")).unwrap().to_owned()
}

/// Somebody's browser after they have asked, and the reference that they got.
pub async fn asked<'s, S, B>(service: &'s S) -> (Browser<'s, S>, String)
where
    S: Service<Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let mut browser = Browser::new(service);
    answer_all(&mut browser, &[]).await;
    let filed = browser.post("/request/new", &[]).await.is(303);
    let reference = reference(filed.header("location"));
    (browser, reference)
}

#[actix_web::test]
async fn somebody_asks_is_asked_answers_and_takes_it_back() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (mut ada, reference) = asked(&service).await;
        let page = ada.get(&format!("/r/{reference}")).await.is(200);
        page.says("We have your request.").says("You have our answer by").says("Download the signed receipt");
        let receipt = ada.get(&format!("/r/{reference}/receipt")).await.is(200);
        assert!(receipt.header("content-disposition").contains(&reference));
        let bundle: serde_json::Value = serde_json::from_str(&receipt.body).unwrap();
        assert!(bundle["dsseEnvelope"]["payload"].is_string(), "{bundle}");
        triage::ask(&house.deps.work, "rita", &reference, QuestionKind::Identity, "Which Ada <i>are</i> you?")
            .await
            .unwrap();
        let page = ada.get(&format!("/r/{reference}")).await.is(200);
        page.says("Which Ada &#60;i&#62;are&#60;/i&#62; you?");
        let empty = ada.post(&format!("/r/{reference}/answer"), &[("answer", " ")]).await;
        assert_eq!(empty.status, 409, "{}", empty.body);
        ada.get(&format!("/r/{reference}")).await.is(200);
        let own = format!("/r/{reference}");
        ada.post(&format!("{own}/answer"), &[("answer", "The countess.")]).await.leads_to(&own);
        ada.get(&own).await.is(200).says("We have your request.");
        ada.post(&format!("{own}/withdraw"), &[]).await.leads_to(&own);
        ada.get(&own).await.is(200).says("You have taken your request back.").never_says("Take the request back");
        let letters = outbox::of_request(&house.deps.work.db, &reference).await.unwrap();
        let kinds: Vec<String> = letters.iter().map(|letter| letter.kind.to_string()).collect();
        assert_eq!(kinds, ["receipt", "identity-needed", "withdrawn"]);
    })
    .await;
}

#[actix_web::test]
async fn a_request_is_opened_by_a_link_to_its_own_address_and_by_nothing_else() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let (_, first) = asked(&service).await;
        let mut eve = Browser::new(&service);
        answer_all(&mut eve, &[("email", "eve@example.org")]).await;
        let second = reference(eve.post("/request/new", &[]).await.header("location"));
        // The session of one request opens no other.
        eve.get(&format!("/r/{second}")).await.is(200);
        assert_eq!(eve.get(&format!("/r/{first}")).await.status, 403);
        let mut stranger = Browser::new(&service);
        let entrance = format!("/open/{first}");
        stranger.get(&format!("/r/{first}")).await.leads_to(&entrance);
        let links = async || {
            let letters = outbox::of_request(&house.deps.work.db, &first).await.unwrap();
            letters.into_iter().filter(|letter| letter.kind == outbox::LetterKind::OneTimeLink).collect::<Vec<_>>()
        };
        stranger.get(&entrance).await.is(200);
        let wrong = stranger.post(&entrance, &[("email", "eve@example.org")]).await.is(200).without_code();
        assert!(links().await.is_empty(), "a link goes to nobody else");
        stranger.get(&entrance).await.is(200);
        let right = stranger.post(&entrance, &[("email", "Ada@example.org")]).await.is(200).without_code();
        assert_eq!(wrong, right, "whether the address was right cannot be told from the answer");
        let letter = links().await.pop().unwrap();
        assert_eq!(letter.recipient, "ada@example.org");
        let (_, link) = letter.body.split_once("http://localhost:8080").unwrap();
        let link = link.split_whitespace().next().unwrap().to_owned();
        // Looking does not use it up.
        stranger.get(&link).await.is(200);
        stranger.get(&link).await.is(200);
        stranger.post(&link, &[]).await.leads_to(&format!("/r/{first}"));
        stranger.get(&format!("/r/{first}")).await.is(200).says(&first);
        let mut late = Browser::new(&service);
        late.get(&entrance).await.is(200);
        assert_eq!(late.get(&link).await.status, 410, "it works once");
        // It is of this request, whatever the address says.
        assert_eq!(late.get(&link.replace(&first, &second)).await.status, 410);
    })
    .await;
}

#[actix_web::test]
async fn who_works_here_does_not_ask_in_the_name_of_a_stranger() {
    on_each(async |database| {
        let house = with_model(database).await;
        let service = house.service().await;
        let id = house.person("ina", &["intake"]).await;
        let mut ina = Browser::new(&service).with_session(&house.session(id).await);
        for (page, fields) in ANSWERS {
            let path = format!("/request/new/{page}");
            ina.get(&path).await.is(200);
            assert_eq!(ina.post(&path, fields).await.status, 403);
        }
        ina.get("/request/new/check").await.is(200);
        assert_eq!(ina.post("/request/new", &[]).await.status, 403);
        assert!(case::existing(&house.deps.work, "OB-2026-000001").await.is_err());
    })
    .await;
}
