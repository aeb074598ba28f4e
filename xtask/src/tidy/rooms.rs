//! Who may use whom: the dependency rules of ARCHITECTURE.md, checked on what cargo resolved and not on good will.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde_json::Value;

use super::Finding;

/// The layers, lowest first. A room may use rooms of its own layer and of those before it.
const LAYERS: [&[&str]; 6] = [
    &["obelus-core"],
    &["obelus-mask"],
    &["obelus-model", "obelus-verdict", "obelus-ledger", "obelus-corpus", "obelus-collective", "obelus-migrations"],
    &[
        "obelus-store",
        "obelus-policy",
        "obelus-notify",
        "obelus-attack",
        "obelus-report",
        "obelus-search",
        "obelus-api",
    ],
    &["obelus-casework"],
    &["obelus-portal", "obelus-auditor", "obelus-host", "obelus-trainer", "obelus-verify", "obelus"],
];

/// Rooms that exist for tests: they may use everything, and only tests may use them.
const TEST_ROOMS: [&str; 2] = ["obelus-testkit", "obelus-tests"];

/// The one service that may depend on other services: the command line, which runs them all.
const COMMAND_LINE: &str = "obelus";

/// Packages that only these rooms (and the test rooms) may reach, however many steps away.
const REACHED_ONLY_BY: [(&str, &[&str]); 1] = [(
    "torch-sys",
    &[
        "obelus-collective",
        "obelus-model",
        "obelus-attack",
        "obelus-auditor",
        "obelus-host",
        "obelus-trainer",
        COMMAND_LINE,
    ],
)];

/// Packages that only these rooms (and the test rooms) may name in their manifest; others go through them.
const NAMED_ONLY_BY: [(&str, &[&str]); 10] = [
    ("sea-orm", &["obelus-store", "obelus-migrations"]),
    ("sea-orm-migration", &["obelus-store", "obelus-migrations"]),
    ("sqlx", &["obelus-store", "obelus-migrations"]),
    ("actix-web", &["obelus-portal", "obelus-host"]),
    ("cedar-policy", &["obelus-policy"]),
    ("cedar-policy-core", &["obelus-policy"]),
    ("lettre", &["obelus-notify"]),
    ("typst", &["obelus-report"]),
    ("typst-pdf", &["obelus-report"]),
    ("tantivy", &["obelus-search"]),
];

/// Packages that must be nowhere below a room: it has to build and be trusted without them.
const NEVER_REACHED: [(&str, &[&str]); 6] = [
    ("obelus-verify", &["torch-sys", "sea-orm", "sqlx-core", "tokio", "hyper"]),
    ("obelus-ledger", &["torch-sys", "sea-orm", "sqlx-core", "tokio", "hyper"]),
    ("obelus-verdict", &["torch-sys", "sea-orm", "sqlx-core", "tokio", "hyper"]),
    ("obelus-core", &["torch-sys", "sea-orm", "sqlx-core", "tokio", "hyper"]),
    ("obelus-casework", &["torch-sys"]),
    ("obelus-portal", &["torch-sys"]),
];

/// Rooms whose manifest may name nothing else: short enough to be read in full, or to build in seconds.
const NAMES_ONLY: [(&str, &[&str]); 2] =
    [("obelus-mask", &["sha2"]), ("xtask", &["anyhow", "hex", "serde_json", "sha2"])];

/// A package of the workspace.
#[derive(Clone)]
pub(super) struct Room {
    pub(super) name: String,
    /// Relative to the root of the checkout.
    pub(super) directory: String,
}

/// All packages that cargo resolved, and their dependencies.
#[derive(Default)]
pub(super) struct House {
    rooms: Vec<Room>,
    /// By package name, which is enough here: two versions of one package are judged alike.
    uses: BTreeMap<String, Uses>,
}

#[derive(Default)]
struct Uses {
    /// For what is shipped: normal and build dependencies.
    shipped: BTreeSet<String>,
    tests: BTreeSet<String>,
}

impl House {
    pub(super) fn members(&self) -> &[Room] {
        &self.rooms
    }

    fn shipped(&self, name: &str) -> impl Iterator<Item = &String> {
        self.uses.get(name).into_iter().flat_map(|uses| &uses.shipped)
    }

    /// The shortest way from a room to a package, both included, if what is shipped of the room contains it.
    fn way(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let mut ways = vec![vec![from.to_string()]];
        let mut seen = BTreeSet::from([from.to_string()]);
        while !ways.is_empty() {
            let mut longer = Vec::new();
            for way in ways {
                for next in way.last().map(|last| self.shipped(last)).into_iter().flatten() {
                    let mut step = way.clone();
                    step.push(next.clone());
                    if next == to {
                        return Some(step);
                    }
                    if seen.insert(next.clone()) {
                        longer.push(step);
                    }
                }
            }
            ways = longer;
        }
        None
    }
}

/// Reads the JSON of `cargo metadata --format-version 1`.
pub(super) fn read(metadata: &Value) -> anyhow::Result<House> {
    let list = |at: &str| {
        metadata.pointer(at).and_then(Value::as_array).with_context(|| format!("`cargo metadata` has no {at}"))
    };
    let text = |value: &Value, key: &str| {
        value.get(key).and_then(Value::as_str).map(str::to_string).with_context(|| format!("no {key} in {value}"))
    };
    let root = text(metadata, "workspace_root")?;
    let members: BTreeSet<&str> = list("/workspace_members")?.iter().filter_map(Value::as_str).collect();
    let mut house = House::default();
    let mut names = BTreeMap::new();
    for package in list("/packages")? {
        let (id, name) = (text(package, "id")?, text(package, "name")?);
        if members.contains(id.as_str()) {
            let manifest = text(package, "manifest_path")?;
            let directory = manifest.trim_start_matches(&root).trim_start_matches('/').trim_end_matches("/Cargo.toml");
            house.rooms.push(Room { name: name.clone(), directory: directory.to_string() });
        }
        names.insert(id, name);
    }
    for node in list("/resolve/nodes")? {
        let id = text(node, "id")?;
        let name = names.get(&id).with_context(|| format!("{id} is resolved but no package"))?;
        let uses = house.uses.entry(name.clone()).or_default();
        for dependency in node.get("deps").and_then(Value::as_array).into_iter().flatten() {
            let target = text(dependency, "pkg")?;
            let target = names.get(&target).with_context(|| format!("{target} is used but no package"))?;
            for kind in dependency.get("dep_kinds").and_then(Value::as_array).into_iter().flatten() {
                let for_tests = kind.get("kind").and_then(Value::as_str) == Some("dev");
                if for_tests { &mut uses.tests } else { &mut uses.shipped }.insert(target.clone());
            }
        }
    }
    Ok(house)
}

/// Every rule of this file.
pub(super) fn check(house: &House) -> Vec<Finding> {
    let mut findings = Vec::new();
    for room in &house.rooms {
        findings.extend(check_place(room));
        findings.extend(check_layers(house, room));
        findings.extend(check_outside(house, room));
    }
    findings
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&name))
}

fn is_service(name: &str) -> bool {
    layer(name) == Some(LAYERS.len() - 1)
}

fn check_place(room: &Room) -> Vec<Finding> {
    let Room { name, directory } = room;
    let mut findings = Vec::new();
    let expected = name.strip_prefix("obelus-").unwrap_or(name);
    if directory.rsplit('/').next() != Some(expected) {
        findings.push(Finding::error(directory, format!("holds package {name}: its directory must be `{expected}`")));
    }
    let known = layer(name).is_some() || TEST_ROOMS.contains(&name.as_str()) || name == "xtask";
    if !known {
        let message = format!("{name} has no layer: give it one in xtask/src/tidy/rooms.rs and in ARCHITECTURE.md");
        findings.push(Finding::error(directory, message));
    }
    if is_service(name) != directory.starts_with("services/") {
        findings.push(Finding::error(directory, format!("{name}: services, and only they, live in services/")));
    }
    findings
}

fn check_layers(house: &House, room: &Room) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut broken = |other: &str, why: &str| {
        findings.push(Finding::error(&room.directory, format!("{} must not depend on {other}: {why}", room.name)));
    };
    let name = room.name.as_str();
    let Some(uses) = house.uses.get(name) else { return findings };
    let is_room = |other: &&String| house.rooms.iter().any(|room| room.name == **other);
    for other in uses.shipped.iter().filter(is_room) {
        if name == "xtask" || other == "xtask" {
            broken(other, "xtask stands outside the house");
        } else if other == "obelus-tests" {
            broken(other, "nothing depends on the journeys");
        } else if other == "obelus-testkit" && name != "obelus-tests" {
            broken(other, "testkit is for dev-dependencies only");
        } else if name == "obelus-tests" {
            // journeys may use everything else
        } else if is_service(other) && !is_service(name) {
            broken(other, "no crate depends on a service");
        } else if is_service(other) && name != COMMAND_LINE {
            broken(other, "services do not depend on each other");
        } else if let (Some(own), Some(others)) = (layer(name), layer(other))
            && others > own
        {
            broken(other, "it stands in a higher layer");
        }
    }
    for other in uses.tests.iter().filter(is_room) {
        if other == "obelus-tests" || other == "xtask" {
            broken(other, "nothing depends on it");
        } else if is_service(other) && !is_service(name) && name != "obelus-tests" {
            broken(other, "no crate depends on a service, in tests neither: write a journey in tests/");
        }
    }
    findings
}

fn check_outside(house: &House, room: &Room) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = room.name.as_str();
    let mut broken = |message: String| findings.push(Finding::error(&room.directory, message));
    let for_tests = TEST_ROOMS.contains(&name);
    for (package, allowed) in REACHED_ONLY_BY {
        if !for_tests
            && !allowed.contains(&name)
            && let Some(way) = house.way(name, package)
        {
            broken(format!("{name} must build without {package}, but reaches it: {}", way.join(" -> ")));
        }
    }
    for (package, allowed) in NAMED_ONLY_BY {
        if !for_tests && !allowed.contains(&name) && house.shipped(name).any(|used| used == package) {
            broken(format!("{name} must not name {package}: only {} may", allowed.join(" and ")));
        }
    }
    for (_, packages) in NEVER_REACHED.iter().filter(|(whose, _)| *whose == name) {
        for way in packages.iter().filter_map(|package| house.way(name, package)) {
            broken(format!("{name} must never reach {}", way.join(" -> ")));
        }
    }
    for (_, allowed) in NAMES_ONLY.iter().filter(|(whose, _)| *whose == name) {
        for used in house.shipped(name).filter(|used| !allowed.contains(&used.as_str())) {
            broken(format!("{name} may depend on {} only, not on {used}", allowed.join(", ")));
        }
    }
    findings
}

#[cfg(test)]
mod tests;
