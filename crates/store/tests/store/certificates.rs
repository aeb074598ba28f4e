//! Certificates: what each one rests on, and which of them stand.
//!
//! Not here: the documents and their signatures.

use std::time::Duration;

use obelus_store::{
    Error,
    certificates::{self, CertificateStatus},
    erasures, models,
    verifications::{self, NewRun},
};

use crate::{
    case::{certificate, done_erasure, judged_run, judgement, new_certificate, new_erasure, new_run, recorded_erasure},
    support::{LATER, MODEL, NOW, digest, dropped, house, kept, new_model, on_each, refused, request, zeroing_request},
};

#[tokio::test]
async fn the_runs_and_certificates_of_a_request_are_listed_oldest_first() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let (one, other) = kept(db, async |write| {
            let (one, other) = (zeroing_request(write).await, zeroing_request(write).await);
            for reference in [&one, &other] {
                recorded_erasure(write, reference).await;
            }
            for (reference, source) in [(&one, "anna"), (&other, "ben"), (&one, "cleo")] {
                certificate(write, reference, source).await;
            }
            (one, other)
        })
        .await;
        let runs = verifications::of_request(db, &one).await.unwrap();
        assert_eq!(runs.iter().map(|run| run.source_id.as_str()).collect::<Vec<_>>(), ["anna", "cleo"]);
        let certificates = certificates::of_request(db, &one).await.unwrap();
        assert_eq!(certificates.iter().map(|one| one.source_id.as_str()).collect::<Vec<_>>(), ["anna", "cleo"]);
        assert_eq!(certificates::of_request(db, &other).await.unwrap().len(), 1);
        let all = certificates::page(db, None, u64::MAX).await.unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(certificates::page(db, None, 2).await.unwrap(), all[..2]);
        assert_eq!(certificates::page(db, Some(&all[1].id), 2).await.unwrap(), all[2..]);
    })
    .await;
}

#[tokio::test]
async fn a_certificate_rests_on_a_judged_run_of_a_request() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, async |write| {
            let reference = zeroing_request(write).await;
            recorded_erasure(write, &reference).await;
            reference
        })
        .await;
        let unjudged = dropped(db, async |write| {
            let run = new_run(write, Some(&reference), "anna").await;
            let run = verifications::begin(write, run, NOW).await.unwrap().id;
            verifications::record_before(write, &run, Vec::new()).await.unwrap();
            let certificate = new_certificate(write, &run).await;
            certificates::issue(write, certificate, NOW).await
        })
        .await;
        refused!(unjudged, Error::State { what: "verification run", found, .. } if found == "before_recorded");
        let without_a_request = dropped(db, async |write| {
            let run = judged_run(write, None, "anna").await;
            let certificate = new_certificate(write, &run).await;
            certificates::issue(write, certificate, NOW).await
        })
        .await;
        refused!(without_a_request, Error::State { what: "verification run", found, .. } if found == "nobody's");
        let unknown = dropped(db, async |write| {
            let certificate = new_certificate(write, "VR-1").await;
            certificates::issue(write, certificate, NOW).await
        })
        .await;
        refused!(unknown, Error::Missing { .. });
        assert!(certificates::of_request(db, &reference).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_certificate_rests_on_a_recorded_erasure() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, request).await;
        let issue = async || {
            dropped(db, async |write| {
                let run = judged_run(write, Some(&reference), "anna").await;
                let certificate = new_certificate(write, &run).await;
                certificates::issue(write, certificate, NOW).await
            })
            .await
        };
        refused!(issue().await, Error::Missing { what: "erasure of request", .. });
        kept(db, async |write| {
            erasures::begin(write, &new_erasure(&reference), NOW).await.unwrap();
        })
        .await;
        refused!(issue().await, Error::State { what: "erasure of request", found, .. } if found == "zeroing");
        kept(db, async |write| {
            done_erasure(write, &reference).await;
            erasures::finish(write, &reference, &digest("after"), "proofs/1", NOW).await.unwrap();
        })
        .await;
        refused!(issue().await, Error::State { what: "erasure of request", found, .. } if found == "zeroed");
        assert_eq!(certificates::page(db, None, 10).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn no_certificate_for_a_model_rests_on_the_erasure_of_another() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, async |write| {
            models::create(write, new_model("kea-2")).await.unwrap();
            let reference = zeroing_request(write).await;
            recorded_erasure(write, &reference).await;
            reference
        })
        .await;
        let result = dropped(db, async |write| {
            let run = NewRun { model: "kea-2".to_owned(), ..new_run(write, Some(&reference), "anna").await };
            let run = verifications::begin(write, run, NOW).await.unwrap().id;
            verifications::record_before(write, &run, Vec::new()).await.unwrap();
            let found = judgement(write, "verified").await;
            verifications::judge(write, &run, found, NOW).await.unwrap();
            let certificate = new_certificate(write, &run).await;
            certificates::issue(write, certificate, NOW).await
        })
        .await;
        refused!(result, Error::State { what: "erasure of request", found, .. } if found == MODEL);
    })
    .await;
}

#[tokio::test]
async fn a_certificate_says_what_its_run_says_and_a_run_has_one() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let (issued, run) = kept(db, async |write| {
            let reference = zeroing_request(write).await;
            recorded_erasure(write, &reference).await;
            let issued = certificate(write, &reference, "anna").await;
            let run = verifications::get(write, &issued.verification_run).await.unwrap().unwrap();
            (issued, run)
        })
        .await;
        assert_eq!((issued.id.as_str(), issued.status), ("CT-2026-000001", CertificateStatus::Valid));
        assert_eq!((Some(&issued.request), &issued.model), (run.request.as_ref(), &run.model));
        assert_eq!((&issued.source_id, Some(&issued.verdict)), (&run.source_id, run.verdict.as_ref()));
        assert_eq!(certificates::get(db, &issued.id).await.unwrap(), Some(issued.clone()));
        assert_eq!(certificates::get(db, "CT-1").await.unwrap(), None);
        let second = dropped(db, async |write| {
            let certificate = new_certificate(write, &run.id).await;
            certificates::issue(write, certificate, LATER).await
        })
        .await;
        refused!(second, Error::Exists { .. });
        let unsigned = dropped(db, async |write| {
            let run = judged_run(write, Some(&issued.request), "anna").await;
            let mut certificate = new_certificate(write, &run).await;
            certificate.statement = digest("not stored");
            certificates::issue(write, certificate, LATER).await
        })
        .await;
        refused!(unsigned, Error::Database(_));
        // What failed has superseded nothing.
        assert_eq!(certificates::get(db, &issued.id).await.unwrap(), Some(issued));
    })
    .await;
}

#[tokio::test]
async fn a_later_certificate_supersedes_those_of_the_same_request_and_source_only() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let references = kept(db, async |write| {
            let references = [zeroing_request(write).await, zeroing_request(write).await];
            for reference in &references {
                recorded_erasure(write, reference).await;
                certificate(write, reference, "anna").await;
                certificate(write, reference, "ben").await;
            }
            for _ in 0..2 {
                certificate(write, &references[0], "anna").await;
            }
            references
        })
        .await;
        use CertificateStatus::{Superseded, Valid};
        for (reference, expected) in references.iter().zip([
            vec![("anna", Superseded), ("ben", Valid), ("anna", Superseded), ("anna", Valid)],
            vec![("anna", Valid), ("ben", Valid)],
        ]) {
            let rows = certificates::of_request(db, reference).await.unwrap();
            let found: Vec<_> = rows.iter().map(|row| (row.source_id.as_str(), row.status)).collect();
            assert_eq!(found, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn of_two_certificates_that_are_issued_at_once_one_stands() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let (reference, first, second) = kept(db, async |write| {
            let reference = zeroing_request(write).await;
            recorded_erasure(write, &reference).await;
            let mut certificates = Vec::new();
            for _ in 0..2 {
                let run = judged_run(write, Some(&reference), "anna").await;
                certificates.push(new_certificate(write, &run).await);
            }
            let second = certificates.pop().unwrap();
            (reference, certificates.pop().unwrap(), second)
        })
        .await;
        let write = db.write().await.unwrap();
        certificates::issue(&write, first, NOW).await.unwrap();
        let beside = tokio::spawn({
            let db = db.clone();
            async move {
                let write = db.write().await?;
                certificates::issue(&write, second, LATER).await?;
                write.commit().await
            }
        });
        // Long enough for the second to come to where it must wait.
        tokio::time::sleep(Duration::from_millis(200)).await;
        write.commit().await.unwrap();
        beside.await.unwrap().unwrap();
        let rows = certificates::of_request(db, &reference).await.unwrap();
        let found: Vec<_> = rows.iter().map(|row| row.status).collect();
        assert_eq!(found, [CertificateStatus::Superseded, CertificateStatus::Valid]);
    })
    .await;
}
