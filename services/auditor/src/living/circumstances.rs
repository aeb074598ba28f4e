//! Under what a verification was run: weights, routing, copies, attacks. Two runs are compared by it. Not here: what was
//! measured.

use anyhow::{Context as _, Result};
use obelus_core::Digest;
use obelus_ledger::canonical;
use obelus_store::{copies, verifications::Run};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::subject::Opened;
use obelus_casework::Deps;

/// Digests of everything that, when it changes, makes a certificate be verified again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Circumstances {
    /// Generation of the model.
    pub(crate) generation: u64,
    /// Weight root.
    pub(crate) weights: Digest,
    /// Sources that may be lit, and how one is chosen.
    pub(crate) routing: Digest,
    /// Registered copies: exports and quantised ones among them.
    pub(crate) copies: Digest,
    /// Version of the attacks, and the protocol.
    pub(crate) attack: Digest,
}

impl Circumstances {
    /// Those of now, of a model whose weights have this root, under the protocol of a run.
    ///
    /// # Errors
    /// When the database fails.
    pub(crate) async fn now(deps: &Deps, opened: &Opened, weights: Digest, protocol: &[u8]) -> Result<Self> {
        let routing = json!({ "router": obelus_attack::ROUTER, "sources": opened.lightable() });
        let copies: Vec<_> = copies::of_model(&deps.db, &opened.row.name)
            .await?
            .into_iter()
            .map(|copy| json!({ "kind": copy.kind.to_string(), "path": copy.path, "generation": copy.generation }))
            .collect();
        Ok(Self {
            generation: u64::try_from(opened.row.generation).context("generations count from 0")?,
            weights,
            routing: Digest::sha256(canonical::to_bytes(&routing)?),
            copies: Digest::sha256(canonical::to_bytes(&copies)?),
            attack: attack(protocol)?,
        })
    }

    /// Those of a run; none of one from before they were kept.
    ///
    /// # Errors
    /// When they are damaged.
    pub(crate) fn of(run: &Run) -> Result<Option<Self>> {
        let parse = |text: &String| serde_json::from_str(text);
        let found = run.circumstances.as_ref().map(parse).transpose();
        found.with_context(|| format!("the circumstances of {} are damaged", run.id))
    }

    /// What differs from an earlier run, in words.
    pub(crate) fn changes_since(&self, before: &Self) -> Vec<&'static str> {
        let parts = [
            ("weights", self.weights != before.weights),
            ("routing", self.routing != before.routing),
            ("copies", self.copies != before.copies),
            ("attacks", self.attack != before.attack),
        ];
        parts.into_iter().filter(|(_, changed)| *changed).map(|(name, _)| name).collect()
    }
}

/// Digest of the version of the attacks and of a protocol.
pub(crate) fn attack(protocol: &[u8]) -> Result<Digest> {
    let attack = json!({ "version": obelus_attack::VERSION, "protocol": Digest::sha256(protocol) });
    Ok(Digest::sha256(canonical::to_bytes(&attack)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_named_and_nothing_else() {
        let of = |what: &str| Digest::sha256(what);
        let before = Circumstances {
            generation: 1,
            weights: of("w"),
            routing: of("r"),
            copies: of("c"),
            attack: attack(b"protocol").unwrap(),
        };
        assert_eq!(before.changes_since(&before), Vec::<&str>::new());
        let check = |now: Circumstances, expected: &[&str]| assert_eq!(now.changes_since(&before), expected);
        check(Circumstances { weights: of("x"), generation: 2, ..before.clone() }, &["weights"]);
        check(Circumstances { routing: of("x"), copies: of("y"), ..before.clone() }, &["routing", "copies"]);
        check(Circumstances { attack: attack(b"another").unwrap(), ..before.clone() }, &["attacks"]);
    }
}
