//! What is kept of a case besides its state: steps, what was filed, questions, extensions.

use obelus_store::{
    Error,
    case_events::{self, NewEvent},
    case_extensions,
    case_questions::{self, QuestionKind},
    filings,
    requests::RequestState,
};

use crate::support::{LATER, NOW, digest, dropped, house, kept, on_each, refused, request, sql_refused, statement};

/// A step that is not kept yet; its statement is stored.
pub fn step_of(request: &str, sequence: i64, statement: obelus_core::Digest) -> NewEvent {
    NewEvent {
        request: request.to_owned(),
        sequence,
        statement,
        action: "triage".to_owned(),
        from: Some(RequestState::Acknowledged),
        to: RequestState::Triaged,
        actor: "mara".to_owned(),
        detail: "{}".to_owned(),
    }
}

#[tokio::test]
async fn a_step_is_taken_once_and_never_changed() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, request).await;
        assert_eq!(case_events::last(db, &reference).await.unwrap(), None);
        let first = kept(db, async |write| {
            let first = statement(write, "first").await;
            case_events::append(write, step_of(&reference, 1, first), NOW).await.unwrap();
            first
        })
        .await;
        let same_number = dropped(db, async |write| {
            let other = statement(write, "other").await;
            case_events::append(write, step_of(&reference, 1, other), NOW).await
        })
        .await;
        refused!(same_number, Error::Exists { what: case_events::WHAT, .. });
        let same_statement =
            dropped(db, async |write| case_events::append(write, step_of(&reference, 2, first), NOW).await).await;
        refused!(same_statement, Error::Exists { .. });
        let unknown =
            dropped(db, async |write| case_events::append(write, step_of(&reference, 2, digest("x")), NOW).await).await;
        refused!(unknown, Error::Database(_));
        for change in ["UPDATE case_events SET actor = 'eve'", "DELETE FROM case_events"] {
            sql_refused(database, change, "rows are").await;
        }
        let steps = case_events::of_request(db, &reference).await.unwrap();
        assert_eq!(steps.iter().map(|step| (step.sequence, step.actor.as_str())).collect::<Vec<_>>(), [(1, "mara")]);
    })
    .await;
}

#[tokio::test]
async fn what_was_filed_can_be_erased_and_its_digest_stays() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, request).await;
        kept(db, async |write| {
            let stored = filings::put(write, &reference, b"{\"name\":\"Ada\"}".to_vec()).await.unwrap();
            assert_eq!(stored, digest("{\"name\":\"Ada\"}"));
            let receipt = statement(write, "receipt").await;
            filings::record_receipt(write, &reference, &receipt).await.unwrap();
            refused!(filings::record_receipt(write, &reference, &receipt).await, Error::Missing { .. });
        })
        .await;
        let again = dropped(db, async |write| filings::put(write, &reference, vec![]).await).await;
        refused!(again, Error::Exists { .. });
        kept(db, async |write| {
            assert!(filings::erase(write, &reference).await.unwrap());
            assert!(!filings::erase(write, &reference).await.unwrap());
            refused!(filings::erase(write, "OB-1").await, Error::Missing { .. });
        })
        .await;
        let kept = filings::get(db, &reference).await.unwrap().unwrap();
        assert_eq!((kept.document, kept.document_digest.0), (None, digest("{\"name\":\"Ada\"}")));
    })
    .await;
}

#[tokio::test]
async fn a_question_is_answered_once_and_a_clock_extended_once() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, request).await;
        let early = dropped(db, async |write| case_questions::answer(write, &reference, "me", NOW).await).await;
        refused!(early, Error::Missing { .. });
        kept(db, async |write| {
            let ask = async |kind| case_questions::ask(write, &reference, kind, "who are you?", NOW).await.unwrap();
            assert_eq!(ask(QuestionKind::Identity).await, 1);
            case_questions::answer(write, &reference, "Ada", LATER).await.unwrap();
            assert_eq!(ask(QuestionKind::Scope).await, 2);
            case_extensions::add(write, &reference, "many requests", NOW).await.unwrap();
        })
        .await;
        let asked = case_questions::of_request(db, &reference).await.unwrap();
        let answers: Vec<_> = asked.iter().map(|question| question.answer.as_deref()).collect();
        assert_eq!(answers, [Some("Ada"), None]);
        let twice = dropped(db, async |write| case_extensions::add(write, &reference, "more", LATER).await).await;
        refused!(twice, Error::Exists { .. });
        assert_eq!(case_extensions::get(db, &reference).await.unwrap().unwrap().reasons, "many requests");
    })
    .await;
}
