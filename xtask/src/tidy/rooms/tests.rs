//! Small houses that break one rule each.

use serde_json::json;

use super::*;

/// A house from lines `package: used, used, ~used-in-tests`. Rooms are the packages of ours that have a line.
fn house(lines: &str) -> House {
    let mut house = House::default();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (name, used) = line.split_once(':').expect("a line has a colon");
        let uses = house.uses.entry(name.to_string()).or_default();
        for other in used.split(',').map(str::trim).filter(|other| !other.is_empty()) {
            match other.strip_prefix('~') {
                Some(other) => uses.tests.insert(other.to_string()),
                None => uses.shipped.insert(other.to_string()),
            };
        }
        if name.starts_with("obelus") || name == "xtask" {
            let leaf = name.strip_prefix("obelus-").unwrap_or(name);
            let parent = if is_service(name) { "services" } else { "crates" };
            house.rooms.push(Room { name: name.to_string(), directory: format!("{parent}/{leaf}") });
        }
    }
    house
}

/// Checks that a house breaks rules with exactly these words in the messages.
#[track_caller]
fn check_house(lines: &str, expect: &[&str]) {
    let found: Vec<String> = check(&house(lines)).iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), expect.len(), "{found:#?}");
    for (finding, words) in found.iter().zip(expect) {
        assert!(finding.contains(words), "{finding} should say {words}");
    }
}

#[test]
fn orderly_house_has_no_findings() {
    check_house(
        "obelus-core: serde
         obelus-mask: sha2
         obelus-ledger: obelus-core, obelus-mask, ~obelus-testkit
         obelus-model: obelus-ledger, tch
         tch: torch-sys
         obelus-migrations: sea-orm-migration
         obelus-store: obelus-ledger, obelus-migrations, sea-orm
         obelus-testkit: obelus-store, sea-orm
         obelus-trainer: obelus-model, obelus-store
         obelus-verify: obelus-ledger, obelus-mask
         obelus: obelus-trainer, obelus-verify
         obelus-tests: obelus, obelus-testkit
         xtask: anyhow, serde_json",
        &[],
    );
}

#[test]
fn lower_layer_must_not_use_a_higher_one() {
    check_house("obelus-ledger: obelus-store\nobelus-store:", &["obelus-ledger must not depend on obelus-store"]);
}

#[test]
fn crates_must_not_use_services() {
    check_house("obelus-model: obelus-trainer\nobelus-trainer:", &["no crate depends on a service"]);
    check_house("obelus-model: ~obelus-trainer\nobelus-trainer:", &["no crate depends on a service"]);
}

#[test]
fn services_must_not_use_each_other() {
    check_house("obelus-auditor: obelus-trainer\nobelus-trainer:", &["services do not depend on each other"]);
}

#[test]
fn testkit_is_for_tests() {
    check_house("obelus-model: obelus-testkit\nobelus-testkit:", &["dev-dependencies only"]);
}

#[test]
fn xtask_stands_alone() {
    check_house("xtask: obelus-core\nobelus-core:", &["stands outside", "may depend on"]);
}

#[test]
fn libtorch_is_found_however_deep() {
    check_house(
        "obelus-portal: obelus-search\nobelus-search: between\nbetween: tch\ntch: torch-sys",
        &[
            "obelus-portal -> obelus-search -> between -> tch -> torch-sys",
            "must never reach",
            "obelus-search must build",
        ],
    );
}

#[test]
fn verifier_has_no_database_and_no_libtorch() {
    check_house(
        "obelus-verify: some\nsome: sea-orm",
        &["obelus-verify must never reach obelus-verify -> some -> sea-orm"],
    );
    check_house("obelus-verify: tch\ntch: torch-sys", &["must build without torch-sys", "must never reach"]);
}

#[test]
fn one_room_speaks_to_each_outside_library() {
    check_house("obelus-auditor: sea-orm", &["must not name sea-orm"]);
    check_house("obelus-auditor: actix-web", &["must not name actix-web"]);
    check_house("obelus-portal: tantivy", &["must not name tantivy: only obelus-search may"]);
    check_house("obelus-store: cedar-policy", &["must not name cedar-policy"]);
}

#[test]
fn dev_dependencies_do_not_count_as_reached() {
    check_house("obelus-mask: sha2, ~serde_json\nobelus-ledger: ~tch\ntch: torch-sys", &[]);
}

#[test]
fn mask_depends_on_sha2_only() {
    check_house("obelus-mask: sha2, serde", &["obelus-mask may depend on sha2 only, not on serde"]);
}

#[test]
fn directory_and_layer_of_a_room() {
    let found = check_place(&Room { name: "obelus-mask".into(), directory: "crates/masks".into() });
    assert!(found.len() == 1 && found[0].message.contains("must be `mask`"), "{found:?}");
    let found = check_place(&Room { name: "obelus-extra".into(), directory: "crates/extra".into() });
    assert!(found.len() == 1 && found[0].message.contains("no layer"), "{found:?}");
    let found = check_place(&Room { name: "obelus-trainer".into(), directory: "crates/trainer".into() });
    assert!(found.len() == 1 && found[0].message.contains("services/"), "{found:?}");
}

#[test]
fn metadata_is_read() {
    let metadata = json!({
        "workspace_root": "/w",
        "workspace_members": ["path+file:///w/crates/mask#obelus-mask@0.1.0"],
        "packages": [
            {"id": "path+file:///w/crates/mask#obelus-mask@0.1.0", "name": "obelus-mask", "manifest_path": "/w/crates/mask/Cargo.toml"},
            {"id": "sha2", "name": "sha2", "manifest_path": "/r/sha2/Cargo.toml"},
            {"id": "hex", "name": "hex", "manifest_path": "/r/hex/Cargo.toml"}
        ],
        "resolve": {"nodes": [
            {"id": "path+file:///w/crates/mask#obelus-mask@0.1.0", "deps": [
                {"pkg": "sha2", "dep_kinds": [{"kind": null}]},
                {"pkg": "hex", "dep_kinds": [{"kind": "dev"}]}
            ]},
            {"id": "sha2", "deps": []},
            {"id": "hex", "deps": []}
        ]}
    });
    let house = read(&metadata).expect("the fixture is complete");
    assert_eq!(house.members().len(), 1);
    assert_eq!(house.members()[0].directory, "crates/mask");
    assert!(house.way("obelus-mask", "sha2").is_some());
    assert!(house.way("obelus-mask", "hex").is_none());
    assert!(house.uses["obelus-mask"].tests.contains("hex"));
    assert!(read(&json!({"workspace_root": "/w"})).is_err());
}
