//! The statements of a document, read one after another: every signature by the right role, every place under the
//! checkpoint, all in log order. Not here: what the statements say (`registration.rs`, `citations.rs`, `adaptation.rs`).

use obelus_core::Digest;

use super::statement::{dated, signed};
use crate::{
    certificate::{Exhibit, Logged},
    checkpoint::Checkpoint,
    log_entry, merkle,
    statement::{Predicate, Statement},
    trust::{TrustedKey, TrustedRoot},
};

/// A payload whose signature and place in the log are right.
struct Verified<'a> {
    payload: Vec<u8>,
    trusted: &'a TrustedKey,
    index: u64,
    digest: Digest,
}

/// The statements of a document in log order, not yet read.
pub(super) struct Exhibits<'a>(std::vec::IntoIter<Verified<'a>>);

impl<'a> Exhibits<'a> {
    /// Nothing in a payload is looked at before every signature and every place in the log is right. `wanted` begins with
    /// the campaign, after which the extensions come.
    pub(super) fn open(
        exhibits: &[Logged],
        extensions: &[Logged],
        wanted: &[Exhibit],
        trust: &'a TrustedRoot,
        checkpoint: &Checkpoint,
    ) -> Result<Self, String> {
        if !exhibits.iter().map(|e| &e.exhibit).eq(wanted) {
            return Err("the exhibits are not one of each, in log order".to_owned());
        }
        if extensions.iter().any(|e| e.exhibit != Exhibit::PoolExtension) {
            return Err("a statement among the pool extensions is none".to_owned());
        }
        let in_order: Vec<&Logged> = exhibits[..1].iter().chain(extensions).chain(&exhibits[1..]).collect();
        if in_order.windows(2).any(|w| w[0].index >= w[1].index) {
            return Err("the log does not hold the statements in the order in which they had to be made".to_owned());
        }
        let verified: Result<Vec<_>, String> = in_order.iter().map(|l| place(l, trust, checkpoint)).collect();
        Ok(Self(verified?.into_iter()))
    }

    /// The next statement, with the digest of its envelope.
    pub(super) fn read<P: Predicate>(&mut self) -> Result<(Statement<P>, Digest), String> {
        let verified = self.0.next().ok_or("statements are missing")?;
        let statement = dated(&verified.payload, verified.trusted, Some(verified.index))
            .map_err(|e| format!("{}: {e}", P::NAME))?;
        Ok((statement, verified.digest))
    }
}

fn place<'a>(logged: &Logged, trust: &'a TrustedRoot, checkpoint: &Checkpoint) -> Result<Verified<'a>, String> {
    let (name, role) = logged.exhibit.signed_by();
    let index = Some(logged.index);
    let (payload, key, trusted) = signed(&logged.envelope, role, trust, index).map_err(|e| format!("{name}: {e}"))?;
    let leaf = log_entry::leaf_of_verified(&logged.envelope, &key).map_err(|e| format!("{name}: {e}"))?;
    if !merkle::verify_inclusion(&leaf, logged.index, checkpoint.size, &logged.path, &checkpoint.root) {
        return Err(format!("{name}: its inclusion proof does not lead to the checkpoint"));
    }
    let digest = logged.envelope.digest().map_err(|e| e.to_string())?;
    Ok(Verified { payload, trusted, index: logged.index, digest })
}
