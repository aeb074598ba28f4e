//! Statements and audit events, which stand for ever, and the registers of campaigns, manifests, corpora and persons.
//!
//! Not here: what a statement says and what a role permits.

use obelus_core::{Digest, Timestamp};
use obelus_store::{
    Backend, Bytes32, Error, Micros, Names, Sha256, audit,
    campaigns::{self, Campaign},
    certificates, corpora, erasures, manifests, models,
    persons::{self, Person},
    requests, sources, statements, verifications,
};

use crate::{
    case::{certified_house, manifest},
    support::{
        CORPUS, LATER, LINEAGE, MODEL, NOW, campaign, digest, dropped, kept, new_corpus, on_each, refused, sql_refused,
        statement,
    },
};

#[tokio::test]
async fn a_statement_is_the_bytes_that_were_put_and_is_found_by_their_sha256() {
    let every_byte: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    on_each(async |database| {
        let db = &database.db;
        for envelope in [Vec::new(), vec![0], b"{\"a\": 1}\r\n".to_vec(), vec![0xff, 0xfe, 0xc3], every_byte.clone()] {
            let put = async |kind, now| {
                kept(db, async |write| statements::put(write, kind, envelope.clone(), now).await.unwrap()).await
            };
            let found = put("campaign/v1", NOW).await;
            assert_eq!(found, Digest::sha256(&envelope));
            let row = statements::get(db, &found).await.unwrap().unwrap();
            assert!(row.envelope == envelope, "{} bytes were changed", envelope.len());
            assert_eq!((row.digest, row.kind.as_str(), row.created_at), (Sha256(found), "campaign/v1", Micros(NOW)));
            assert_eq!(put("erasure/v1", LATER).await, found);
            assert_eq!(statements::get(db, &found).await.unwrap(), Some(row));
        }
        assert_eq!(statements::get(db, &digest("never put")).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_or_remove_statements_and_audit_events() {
    on_each(async |database| {
        let db = &database.db;
        kept(db, async |write| {
            statement(write, "a").await;
            audit::append(write, NOW, "mara", "strike", MODEL, "{}").await.unwrap();
        })
        .await;
        for (table, change) in [("statements", "kind = 'b'"), ("audit_events", "actor = 'nils'")] {
            let only_added = format!("{table}: rows are only ever added");
            sql_refused(database, &format!("UPDATE {table} SET {change}"), &only_added).await;
            let never_removed = format!("{table}: rows are never removed");
            sql_refused(database, &format!("DELETE FROM {table}"), &never_removed).await;
            if database.backend() == Backend::Postgres {
                sql_refused(database, &format!("TRUNCATE {table} CASCADE"), "rows are never removed").await;
            }
        }
        assert_eq!(statements::get(db, &digest("a")).await.unwrap().unwrap().kind, "test/v1");
        assert_eq!(audit::page(db, None, 0, 10).await.unwrap()[0].actor, "mara");
    })
    .await;
}

#[tokio::test]
async fn audit_events_are_read_in_the_order_in_which_they_were_added_of_all_or_of_one_subject() {
    on_each(async |database| {
        let db = &database.db;
        kept(db, async |write| {
            // The clock may go back; the order does not.
            for (now, subject) in [(LATER, "a"), (NOW, "b"), (NOW, "a"), (LATER, "b"), (NOW, "a")] {
                audit::append(write, now, "mara", "look", subject, r#"{"at":"desk"}"#).await.unwrap();
            }
        })
        .await;
        let all = audit::page(db, None, 0, u64::MAX).await.unwrap();
        assert!(all.is_sorted_by(|a, b| a.id < b.id));
        let subjects: String = all.iter().map(|event| event.subject.as_str()).collect();
        assert_eq!(subjects, "ababa");
        let first = &all[0];
        assert_eq!((first.happened_at, first.actor.as_str(), first.action.as_str()), (Micros(LATER), "mara", "look"));
        assert_eq!(first.detail, r#"{"at":"desk"}"#);
        assert_eq!(audit::page(db, None, all[1].id, 2).await.unwrap(), all[2..4]);
        let of_b = audit::page(db, Some("b"), 0, 10).await.unwrap();
        assert_eq!(of_b, [all[1].clone(), all[3].clone()]);
        assert_eq!(audit::page(db, Some("b"), all[1].id, 10).await.unwrap(), of_b[1..]);
        assert_eq!(audit::page(db, Some("c"), 0, 10).await.unwrap(), []);
    })
    .await;
}

#[tokio::test]
async fn an_audit_event_is_lost_with_the_change_that_it_tells_about() {
    on_each(async |database| {
        let db = &database.db;
        dropped(db, async |write| {
            persons::add(write, "mara", "reviewer", NOW).await.unwrap();
            audit::append(write, NOW, "nils", "add", "mara", "{}").await.unwrap();
            assert_eq!(audit::page(write, None, 0, 10).await.unwrap().len(), 1, "a transaction sees its own changes");
        })
        .await;
        assert_eq!(audit::page(db, None, 0, 10).await.unwrap(), []);
        assert_eq!(persons::named(db, "mara").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_lineage_has_one_campaign_whose_statement_is_stored() {
    on_each(async |database| {
        let db = &database.db;
        let campaign = kept(db, async |write| Campaign {
            lineage: LINEAGE.to_owned(),
            salt: Bytes32(std::array::from_fn(|i| i as u8)),
            segments: r#"[{"layer":0}]"#.to_owned(),
            manifest_key: Bytes32([255; 32]),
            statement: Sha256(statement(write, "campaign").await),
            created_at: Micros(Timestamp::from_micros(-1)),
        })
        .await;
        let unsigned = Campaign { statement: Sha256(digest("not stored")), ..campaign.clone() };
        refused!(dropped(db, async |write| campaigns::create(write, unsigned).await).await, Error::Database(_));
        kept(db, async |write| campaigns::create(write, campaign.clone()).await.unwrap()).await;
        assert_eq!(campaigns::get(db, LINEAGE).await.unwrap(), Some(campaign.clone()));
        let again = dropped(db, async |write| campaigns::create(write, campaign).await).await;
        refused!(again, Error::Exists { key, .. } if key == LINEAGE);
        assert_eq!(campaigns::get(db, "moa").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn the_latest_manifest_is_that_of_the_highest_generation() {
    on_each(async |database| {
        let db = &database.db;
        kept(db, async |write| campaign(write, LINEAGE).await).await;
        assert_eq!(manifests::latest(db, LINEAGE).await.unwrap(), None);
        let tenth = kept(db, async |write| {
            for generation in [1, 10, 9, 2] {
                let manifest = manifest(write, generation).await;
                manifests::create(write, manifest).await.unwrap();
            }
            manifest(write, 10).await
        })
        .await;
        assert_eq!(manifests::latest(db, LINEAGE).await.unwrap(), Some(tenth.clone()));
        assert_eq!(manifests::get(db, LINEAGE, 10).await.unwrap(), Some(tenth.clone()));
        assert_eq!(manifests::get(db, LINEAGE, 3).await.unwrap(), None);
        assert_eq!(manifests::latest(db, "moa").await.unwrap(), None);
        let again = dropped(db, async |write| manifests::create(write, tenth).await).await;
        refused!(again, Error::Exists { .. });
    })
    .await;
}

#[tokio::test]
async fn a_corpus_is_named_once_and_its_tokens_are_counted_later() {
    on_each(async |database| {
        let db = &database.db;
        kept(db, async |write| {
            corpora::create(write, new_corpus(CORPUS)).await.unwrap();
            corpora::create(write, new_corpus("Zines")).await.unwrap();
        })
        .await;
        let again = dropped(db, async |write| corpora::create(write, new_corpus(CORPUS)).await).await;
        refused!(again, Error::Exists { what: "corpus", .. });
        kept(db, async |write| corpora::record_tokens(write, CORPUS, i64::MAX).await.unwrap()).await;
        let unknown = dropped(db, async |write| corpora::record_tokens(write, "nothing", 1).await).await;
        refused!(unknown, Error::Missing { .. });
        let counted = corpora::Corpus { tokens: Some(i64::MAX), ..new_corpus(CORPUS) };
        assert_eq!(corpora::get(db, CORPUS).await.unwrap(), Some(counted.clone()));
        assert_eq!(corpora::list(db).await.unwrap(), [new_corpus("Zines"), counted]);
        assert_eq!(corpora::get(db, "nothing").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_person_keeps_the_same_number_and_gathers_roles() {
    on_each(async |database| {
        let db = &database.db;
        let mara = kept(db, async |write| {
            let first = persons::add(write, "mara", "reviewer", NOW).await.unwrap();
            persons::add(write, "Ilse", "operator", NOW).await.unwrap();
            let again = persons::add(write, "mara", "reviewer", LATER).await.unwrap();
            assert_eq!(again, first);
            persons::add(write, "mara", "auditor", NOW).await.unwrap()
        })
        .await;
        let expected =
            Person { id: mara.id, name: "mara".to_owned(), roles: vec!["auditor".to_owned(), "reviewer".to_owned()] };
        assert_eq!(mara, expected);
        assert_eq!(persons::named(db, "mara").await.unwrap(), Some(expected.clone()));
        assert_eq!(persons::get(db, mara.id).await.unwrap(), Some(expected));
        let names: Vec<_> = persons::list(db).await.unwrap().into_iter().map(|person| person.name).collect();
        assert_eq!(names, ["Ilse", "mara"]);
        assert_eq!(persons::named(db, "Mara").await.unwrap(), None);
        assert_eq!(persons::get(db, -1).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn names_that_only_look_alike_are_different_persons() {
    on_each(async |database| {
        let db = &database.db;
        // Composed and decomposed, with and without a space, in another case, with a character that is not shown.
        let names = ["r\u{e9}mi", "re\u{301}mi", "r\u{e9}mi ", "R\u{e9}mi", "r\u{e9}mi\u{200b}"];
        kept(db, async |write| {
            for name in names {
                persons::add(write, name, "reviewer", NOW).await.unwrap();
            }
        })
        .await;
        assert_eq!(persons::list(db).await.unwrap().len(), names.len());
        for name in names {
            assert_eq!(persons::named(db, name).await.unwrap().unwrap().name, name);
        }
    })
    .await;
}

#[tokio::test]
async fn a_name_made_of_sql_finds_no_row() {
    on_each(async |database| {
        let db = &database.db;
        certified_house(db).await;
        for name in ["' OR '1'='1", "%", "kea-1'--", "\" OR \"\"=\"", "*", ""] {
            assert_eq!(models::get(db, name).await.unwrap(), None);
            assert_eq!(corpora::get(db, name).await.unwrap(), None);
            assert_eq!(campaigns::get(db, name).await.unwrap(), None);
            assert_eq!(manifests::latest(db, name).await.unwrap(), None);
            assert_eq!(persons::named(db, name).await.unwrap(), None);
            assert_eq!(requests::get(db, name).await.unwrap(), None);
            assert_eq!(erasures::get(db, name).await.unwrap(), None);
            assert_eq!(certificates::get(db, name).await.unwrap(), None);
            assert_eq!(verifications::get(db, name).await.unwrap(), None);
            assert_eq!(sources::get(db, name, name).await.unwrap(), None);
            assert_eq!(audit::page(db, Some(name), 0, 10).await.unwrap(), []);
            assert!(requests::sources(db, name).await.unwrap().is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_secret_is_shown_when_rows_are_printed() {
    let shown = format!("{:?} {:?}", Bytes32([7; 32]), Names(vec!["anna".to_owned()]));
    assert!(!shown.contains('7'), "{shown}");
}
