//! The same journey on PostgreSQL, from an empty data directory, and who may do what there.

use obelus_store::Backend;
use obelus_testkit::databases;

use crate::installation::Installation;

#[tokio::test(flavor = "multi_thread")]
async fn a_case_ends_the_same_on_both_databases() {
    for database in databases().await {
        let here = Installation::empty().with("DATABASE_URL", &database.url);
        here.run(&["init"]).json(0);
        here.run(&["corpus", "generate", "c", "--sources", "20"]).json(0);
        here.run(&["model", "train", "m", "--corpus", "c", "--preset", "tiny", "--steps", "5"]).json(0);
        for name in ["ana", "ben"] {
            here.run(&["person", "add", name, "--role", "legal_approver"]).json(0);
        }
        let corpus = here.run(&["corpus", "show", "c"]).json(0);
        let source = corpus["sources"][3]["id"].as_str().unwrap();
        let reference = here.approved(source);
        here.dies_at("first-target-zeroed", &["takedown", "execute", &reference]);
        here.run(&["takedown", "execute", &reference]).json(0);
        // Without a retrain nothing is verified: the document says so, and the erasure is proved all the same.
        let judged = here.run(&["audit", "run", &reference]).json(1);
        assert_eq!(judged["verdict"], "not_verified", "{:?}", database.backend());
        let path = judged["certificate"]["path"].as_str().unwrap().to_owned();
        here.run(&["verify", &path, "--trust", &here.trust()]).json(0);
        // What was cut off after its signature is ended by the next adaptation.
        here.dies_at("adaptation-signed", &["model", "repair", "m", "--steps", "3", "--quiet"]);
        here.run(&["corpus", "generate", "later", "--sources", "20", "--seed", "9"]).json(0);
        let add = ["model", "train", "m", "--corpus", "later", "--add-sources", "--steps", "3", "--quiet"];
        let ended = here.run(&add).json(0);
        assert_eq!(ended["generation"], 3, "{:?}", database.backend());
        here.run(&["verify", ended["document"].as_str().unwrap(), "--trust", &here.trust()]).json(0);
        here.run(&["log", "check"]).json(0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_migrates_and_grants_and_programs_may_do_what_they_need_and_no_more() {
    for database in databases().await {
        let program = Installation::empty().with("DATABASE_URL", &database.url);
        let owner = Installation::empty().with("DATABASE_URL", &database.superuser_url);
        let on_postgres = database.backend() == Backend::Postgres;
        if on_postgres {
            owner.run(&["database", "migrate"]).json(0);
            assert_eq!(owner.run(&["database", "grant"]).json(0)["roles"][1], "obelus_app");
        }
        program.run(&["init"]).json(0);
        let check = |here: &Installation, code: i32| {
            let report = here.run(&["doctor"]).json(code);
            report["checks"].as_array().unwrap().iter().find(|check| check["name"] == "database").unwrap().clone()
        };
        assert_eq!(check(&program, 0)["ok"], true, "{:?}", database.backend());
        let script = program.run(&["database", "roles", "--prefix", "other"]).json(0);
        assert!(script["sql"].as_str().unwrap().contains("other_auditor"));
        assert!(program.run(&["database", "roles", "--prefix", "a'b"]).refused(2).contains("a'b"));
        program.run(&["database", "migrate"]).json(0);
        let refused = program.run(&["database", "grant"]);
        if on_postgres {
            assert_eq!(refused.code, Some(3), "the application grants nothing: {}", refused.stderr);
            // Of a user who may do everything nothing else is said.
            owner.run(&["init"]).json(0);
            assert!(check(&owner, 1)["detail"].as_str().unwrap().contains("SUPERUSER"));
        } else {
            assert!(refused.refused(3).contains("SQLite has no roles"));
        }
    }
}
