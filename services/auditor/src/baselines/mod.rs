//! Retrains as verifications need them: which ones serve already, which are missing, and the jobs that train those.
//!
//! `proposal.rs` says which retrains there should be, `panel.rs` draws panels, `queue.rs` puts retrains into the queue and
//! takes them out, `list.rs` shows them, `sweep.rs` removes what must not stay. One attempt at training one is in
//! `living/baseline.rs`. Not here: what a training costs and how it is done (`obelus-trainer`).

mod list;
mod panel;
mod proposal;
mod queue;
mod sweep;

pub use list::{Listed, list};
pub use proposal::{BadBaseline, Leaves, Missing, Proposal, Serving, Wanted, propose};
pub use queue::{Added, How, add, cancel};
pub(crate) use sweep::sweep;
