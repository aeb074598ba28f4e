//! The same journey on PostgreSQL, from an empty data directory.

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
