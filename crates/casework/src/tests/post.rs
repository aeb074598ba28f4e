//! Letters, from the step that they tell to the directory in which they are put.

use std::{fs, time::Duration};

use obelus_store::{
    case_questions::QuestionKind,
    outbox::{self, LetterKind, LetterState},
};
use obelus_testkit::databases;
use tempfile::TempDir;
use tokio::sync::watch;

use super::{filed, house::house, plan};
use crate::{
    case, decision,
    filing::Filing,
    letters::{self, Outcome},
    post::Post,
    triage::{self, NotGranted},
};

#[tokio::test]
async fn letters_leave_until_the_post_is_told_to_stop() {
    for database in databases().await {
        let folder = TempDir::new().unwrap();
        let (deps, _) = house(&database, &folder).await;
        let post = Post::open(&deps).unwrap();
        let (stop, stopped) = watch::channel(false);
        let reference = case::file(&deps, "ana", &filed(&deps, "gdpr-art17", &["a"])).await.unwrap().reference;
        let sent = async {
            let all = async || outbox::of_request(&deps.db, &reference).await.unwrap();
            while all().await.iter().any(|letter| letter.state != LetterState::Sent) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            stop.send_replace(true);
        };
        tokio::join!(post.run(stopped), sent);
        let letters: Vec<_> = fs::read_dir(deps.data.outbox()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(letters.len(), 1);
        let letter = fs::read_to_string(&letters[0]).unwrap();
        assert!(letter.contains("To: ada@example.org") && letter.contains(&reference), "{letter}");
        // Told beforehand it does nothing.
        post.run(watch::channel(true).1).await;
    }
}

#[tokio::test]
async fn the_requester_is_told_every_step_that_concerns_them_and_no_other() {
    for database in databases().await {
        let folder = TempDir::new().unwrap();
        let (deps, _) = house(&database, &folder).await;
        let told = async |reference: &str| {
            let letters = outbox::of_request(&deps.db, reference).await.unwrap();
            assert!(letters.iter().all(|letter| letter.recipient == "ada@example.org" && letter.is_intact()));
            letters.into_iter().map(|letter| (letter.kind, letter.body)).collect::<Vec<_>>()
        };
        let filing = filed(&deps, "gdpr-art17", &["a", "b", "c"]);
        let reference = case::file(&deps, "ana", &filing).await.unwrap().reference;
        let receipt = told(&reference).await;
        assert!(receipt[0].1.contains(&format!("https://obelus.example.org/r/{reference}")));
        assert!(receipt[0].1.contains("her notes") && receipt[0].1.contains("3 August 2026"), "{}", receipt[0].1);
        triage::ask(&deps, "ben", &reference, QuestionKind::Identity, "Who are you?").await.unwrap();
        triage::answer(&deps, "ana", &reference, "I am Ada.").await.unwrap();
        triage::triage(&deps, "ben", &reference).await.unwrap();
        let (source, code, reason) = ("b".to_owned(), "not_rights_holder".to_owned(), "it is not hers".to_owned());
        triage::grant_partially(&deps, "ben", &reference, &[NotGranted { source, code, reason }]).await.unwrap();
        decision::extend(&deps, "ben", &reference, "there are many").await.unwrap();
        plan(&deps, "ben", &reference, b"plan").await.unwrap();
        for person in ["cem", "dee"] {
            decision::approve(&deps, person, &reference).await.unwrap();
        }
        // A step that is refused tells nobody anything.
        assert!(decision::approve(&deps, "cem", &reference).await.is_err());
        decision::withdraw(&deps, "ana", &reference).await.unwrap();
        let letters = told(&reference).await;
        let kinds: Vec<_> = letters.iter().map(|(kind, _)| *kind).collect();
        use LetterKind::{Decided, Extension, IdentityNeeded, PartiallyGranted, Receipt, Suppressed, Withdrawn};
        assert_eq!(
            kinds,
            [Receipt, IdentityNeeded, PartiallyGranted, Extension, Suppressed, Decided, Withdrawn],
            "in the order of the steps"
        );
        assert!(letters[2].1.contains("it is not hers") && letters[3].1.contains("1 October 2026"));
        assert!(letters[3].1.contains("data protection authority"), "{}", letters[3].1);
        let write = deps.db.write().await.unwrap();
        letters::reopened(&deps, &write, &reference, "CT-2026-000001").await.unwrap();
        letters::concluded(
            &deps,
            &write,
            &reference,
            Outcome::WithResidual,
            ("CT-2026-000002", deps.now()),
            &["panel.fact: residual 0.2".to_owned()],
        )
        .await
        .unwrap();
        write.commit().await.unwrap();
        let letters = told(&reference).await;
        // Lines are broken where they are full.
        let said = |number: usize| letters[number].1.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said(7).contains("CT-2026-000001 says. It is suspended."), "{}", said(7));
        assert!(said(8).contains("panel.fact: residual 0.2") && said(8).contains("1 July 2026"), "{}", said(8));
        let internal = Filing::internal("m", "gdpr-art17", &["a".to_owned()], deps.now());
        let silent = case::file(&deps, "ana", &internal).await.unwrap().reference;
        assert!(told(&silent).await.is_empty(), "there is nobody to write to");
    }
}
