//! Verification runs: their phases come in one order, and what a phase has recorded stands.
//!
//! Not here: how anything is measured, judged or signed, and certificates (`certificates.rs`).

use obelus_store::{
    Error, Micros, Sha256,
    verifications::{self, Judgement, NewRun, RunPhase},
};

use crate::{
    case::{judgement, new_run},
    support::{LATER, NOW, digest, dropped, house, kept, on_each, refused},
};

#[tokio::test]
async fn a_run_goes_from_protocol_to_scores_to_verdict() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let begun = kept(db, async |write| {
            let run = new_run(write, None, "anna").await;
            verifications::begin(write, run, NOW).await.unwrap()
        })
        .await;
        assert_eq!((begun.id.as_str(), begun.phase), ("VR-2026-000001", RunPhase::ProtocolFixed));
        assert_eq!(begun.protocol_digest, Sha256(digest("protocol")));
        assert_eq!(verifications::get(db, &begun.id).await.unwrap(), Some(begun.clone()));
        kept(db, async |write| verifications::record_before(write, &begun.id, vec![0, 255]).await.unwrap()).await;
        let measured = verifications::get(db, &begun.id).await.unwrap().unwrap();
        assert_eq!((measured.phase, measured.scores_before), (RunPhase::BeforeRecorded, Some(vec![0, 255])));
        let found = kept(db, async |write| {
            let found = judgement(write, "verified").await;
            verifications::judge(write, &begun.id, found.clone(), LATER).await.unwrap();
            found
        })
        .await;
        let judged = verifications::get(db, &begun.id).await.unwrap().unwrap();
        assert_eq!((judged.phase, judged.verdict.as_deref()), (RunPhase::Judged, Some("verified")));
        assert_eq!((judged.results, judged.results_digest), (Some(found.results), Some(Sha256(digest("results")))));
        assert_eq!((judged.statement, judged.finished_at), (Some(Sha256(found.statement)), Some(Micros(LATER))));
        assert_eq!((judged.protocol, judged.scores_before), (begun.protocol, Some(vec![0, 255])));
        assert_eq!(verifications::get(db, "VR-1").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_phase_is_neither_left_out_nor_taken_twice() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let (run, found) = kept(db, async |write| {
            let run = new_run(write, None, "anna").await;
            (verifications::begin(write, run, NOW).await.unwrap().id, judgement(write, "verified").await)
        })
        .await;
        let judge =
            async || dropped(db, async |write| verifications::judge(write, &run, found.clone(), NOW).await).await;
        let record = async || {
            dropped(db, async |write| verifications::record_before(write, &run, b"other".to_vec()).await).await
        };
        refused!(judge().await, Error::State { found, .. } if found == "protocol_fixed");
        kept(db, async |write| verifications::record_before(write, &run, b"scores".to_vec()).await.unwrap()).await;
        refused!(record().await, Error::State { found, .. } if found == "before_recorded");
        kept(db, async |write| verifications::judge(write, &run, found.clone(), NOW).await.unwrap()).await;
        refused!(record().await, Error::State { found, .. } if found == "judged");
        refused!(judge().await, Error::State { found, .. } if found == "judged");
        let row = verifications::get(db, &run).await.unwrap().unwrap();
        assert_eq!(row.scores_before.as_deref(), Some(b"scores".as_slice()));
        let unknown = dropped(db, async |write| verifications::record_before(write, "VR-1", Vec::new()).await).await;
        refused!(unknown, Error::Missing { .. });
    })
    .await;
}

#[tokio::test]
async fn a_run_needs_a_stored_protocol_statement_a_model_and_the_request_that_it_names() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let run = kept(db, async |write| new_run(write, None, "anna").await).await;
        for wrong in [
            NewRun { protocol_statement: digest("not stored"), ..run.clone() },
            NewRun { model: "moa-1".to_owned(), ..run.clone() },
            NewRun { request: Some("OB-1".to_owned()), ..run.clone() },
        ] {
            let result = dropped(db, async |write| verifications::begin(write, wrong, NOW).await).await;
            refused!(result, Error::Database(_));
        }
    })
    .await;
}

#[tokio::test]
async fn a_verdict_without_a_stored_statement_is_refused() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let run = kept(db, async |write| {
            let run = new_run(write, None, "anna").await;
            let run = verifications::begin(write, run, NOW).await.unwrap().id;
            verifications::record_before(write, &run, Vec::new()).await.unwrap();
            run
        })
        .await;
        let result = dropped(db, async |write| {
            let unsigned = Judgement { statement: digest("not stored"), ..judgement(write, "verified").await };
            verifications::judge(write, &run, unsigned, NOW).await
        })
        .await;
        refused!(result, Error::Database(_));
        assert_eq!(verifications::get(db, &run).await.unwrap().unwrap().phase, RunPhase::BeforeRecorded);
    })
    .await;
}
