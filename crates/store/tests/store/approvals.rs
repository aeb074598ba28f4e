//! Plans and the two persons who must agree to the very plan that is carried out.
//!
//! Not here: who may approve, which is policy.

use std::time::Duration;

use obelus_store::{
    Error, Micros, Sha256, approvals,
    requests::{self, RequestState::*},
};

use crate::support::{
    LATER, NOW, approved_request, digest, dropped, house, kept, on_each, person, refused, suppressed_request,
};

#[tokio::test]
async fn two_persons_approve_the_plan_and_both_are_kept() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let (reference, mara, ilse) = kept(db, async |write| {
            let reference = suppressed_request(write).await;
            assert!(requests::set_plan(write, &reference, b"plan".to_vec()).await.unwrap());
            (reference, person(write, "mara").await, person(write, "ilse").await)
        })
        .await;
        let planned = requests::get(db, &reference).await.unwrap().unwrap();
        assert_eq!((planned.state, planned.plan.as_deref()), (ImpactAssessed, Some(b"plan".as_slice())));
        assert_eq!(planned.plan_digest, Some(Sha256(digest("plan"))));
        kept(db, async |write| {
            let plan = digest("plan");
            // Mara's number is the smaller one; she comes second, and stands second.
            assert_eq!(approvals::approve(write, &reference, ilse, &plan, NOW).await.unwrap(), ApprovedOnce);
            assert_eq!(approvals::approve(write, &reference, mara, &plan, LATER).await.unwrap(), ApprovedTwice);
        })
        .await;
        let found: Vec<_> = approvals::of_request(db, &reference)
            .await
            .unwrap()
            .into_iter()
            .map(|approval| (approval.person, approval.plan_digest.0, approval.approved_at))
            .collect();
        assert_eq!(found, [(ilse, digest("plan"), Micros(NOW)), (mara, digest("plan"), Micros(LATER))]);
    })
    .await;
}

#[tokio::test]
async fn the_same_person_cannot_approve_twice() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let (reference, mara) = kept(db, async |write| {
            let reference = suppressed_request(write).await;
            requests::set_plan(write, &reference, b"plan".to_vec()).await.unwrap();
            let mara = person(write, "mara").await;
            approvals::approve(write, &reference, mara, &digest("plan"), NOW).await.unwrap();
            (reference, mara)
        })
        .await;
        let again =
            dropped(db, async |write| approvals::approve(write, &reference, mara, &digest("plan"), LATER).await).await;
        refused!(again, Error::Exists { .. });
        assert_eq!(requests::get(db, &reference).await.unwrap().unwrap().state, ApprovedOnce);
        assert_eq!(approvals::of_request(db, &reference).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_approval_of_another_plan_or_by_nobody_or_of_no_plan_is_refused() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let (reference, mara) =
            kept(db, async |write| (suppressed_request(write).await, person(write, "mara").await)).await;
        let approve = async |reference: &str, person, plan: &str| {
            dropped(db, async |write| approvals::approve(write, reference, person, &digest(plan), NOW).await).await
        };
        refused!(approve(&reference, mara, "plan").await, Error::State { found, .. } if found == "suppressed");
        refused!(approve("OB-1", mara, "plan").await, Error::Missing { .. });
        kept(db, async |write| requests::set_plan(write, &reference, b"plan".to_vec()).await.unwrap()).await;
        let other = approve(&reference, mara, "the plan that was shown before").await;
        refused!(other, Error::State { what: "plan of request", .. });
        refused!(approve(&reference, mara + 99, "plan").await, Error::Database(_));
        assert_eq!(requests::get(db, &reference).await.unwrap().unwrap().state, ImpactAssessed);
        assert!(approvals::of_request(db, &reference).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_third_approval_is_refused() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let (reference, third) =
            kept(db, async |write| (approved_request(write).await, person(write, "third").await)).await;
        let result =
            dropped(db, async |write| approvals::approve(write, &reference, third, &digest("plan"), LATER).await).await;
        refused!(result, Error::State { found, .. } if found == "approved_twice");
        assert_eq!(approvals::of_request(db, &reference).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn another_plan_voids_the_approvals_and_the_same_plan_does_not() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let reference = kept(db, approved_request).await;
        kept(db, async |write| {
            assert!(!requests::set_plan(write, &reference, b"plan".to_vec()).await.unwrap());
        })
        .await;
        assert_eq!(requests::get(db, &reference).await.unwrap().unwrap().state, ApprovedTwice);
        assert_eq!(approvals::of_request(db, &reference).await.unwrap().len(), 2);
        kept(db, async |write| {
            assert!(requests::set_plan(write, &reference, b"another plan".to_vec()).await.unwrap());
        })
        .await;
        let request = requests::get(db, &reference).await.unwrap().unwrap();
        assert_eq!((request.state, request.plan_digest), (ImpactAssessed, Some(Sha256(digest("another plan")))));
        assert!(approvals::of_request(db, &reference).await.unwrap().is_empty());
        // The same persons may approve the new plan, and only that.
        kept(db, async |write| {
            let mara = person(write, "mara").await;
            let state = approvals::approve(write, &reference, mara, &digest("another plan"), LATER).await.unwrap();
            assert_eq!(state, ApprovedOnce);
        })
        .await;
        let zero = dropped(db, async |write| requests::begin_zeroing(write, &reference, NOW).await).await;
        refused!(zero, Error::State { .. });
    })
    .await;
}

#[tokio::test]
async fn voiding_one_requests_approvals_leaves_another_requests_alone() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let (one, other) = kept(db, async |write| (approved_request(write).await, approved_request(write).await)).await;
        kept(db, async |write| requests::set_plan(write, &one, b"another plan".to_vec()).await.unwrap()).await;
        assert!(approvals::of_request(db, &one).await.unwrap().is_empty());
        assert_eq!(approvals::of_request(db, &other).await.unwrap().len(), 2);
        assert_eq!(requests::get(db, &other).await.unwrap().unwrap().state, ApprovedTwice);
    })
    .await;
}

#[tokio::test]
async fn an_approval_that_comes_while_the_plan_is_being_changed_is_refused() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let (reference, mara) = kept(db, async |write| {
            let reference = suppressed_request(write).await;
            requests::set_plan(write, &reference, b"plan".to_vec()).await.unwrap();
            (reference, person(write, "mara").await)
        })
        .await;
        let planner = db.write().await.unwrap();
        requests::set_plan(&planner, &reference, b"another plan".to_vec()).await.unwrap();
        let approval = tokio::spawn({
            let (db, reference) = (db.clone(), reference.clone());
            async move {
                let write = db.write().await?;
                let state = approvals::approve(&write, &reference, mara, &digest("plan"), NOW).await?;
                write.commit().await?;
                Ok(state)
            }
        });
        // Long enough for the approval to come to where it must wait.
        tokio::time::sleep(Duration::from_millis(200)).await;
        planner.commit().await.unwrap();
        refused!(approval.await.unwrap(), Error::State { what: "plan of request", .. });
        assert_eq!(requests::get(db, &reference).await.unwrap().unwrap().state, ImpactAssessed);
        assert!(approvals::of_request(db, &reference).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn of_two_second_approvals_at_once_one_is_told_that_it_came_too_late() {
    on_each(async |database| {
        let db = &database.db;
        house(db).await;
        let (reference, persons) = kept(db, async |write| {
            let reference = suppressed_request(write).await;
            requests::set_plan(write, &reference, b"plan".to_vec()).await.unwrap();
            let mara = person(write, "mara").await;
            approvals::approve(write, &reference, mara, &digest("plan"), NOW).await.unwrap();
            (reference, [person(write, "ilse").await, person(write, "joe").await])
        })
        .await;
        let at_once = persons.map(|person| {
            let (db, reference) = (db.clone(), reference.clone());
            tokio::spawn(async move {
                let write = db.write().await?;
                let state = approvals::approve(&write, &reference, person, &digest("plan"), LATER).await?;
                write.commit().await?;
                Ok::<_, Error>(state)
            })
        });
        let mut approved = 0;
        for result in at_once {
            match result.await.unwrap() {
                Ok(state) => {
                    assert_eq!(state, ApprovedTwice);
                    approved += 1;
                }
                Err(Error::State { found, .. }) => assert_eq!(found, "approved_twice"),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(approved, 1);
        assert_eq!(approvals::of_request(db, &reference).await.unwrap().len(), 2);
    })
    .await;
}
