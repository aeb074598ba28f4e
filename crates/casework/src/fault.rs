//! Points at which tests kill the process, to show that every step can be cut off. Nothing happens in release builds.

use anyhow::{Result, bail};

/// Every point, in the order in which a takedown passes them.
pub const POINTS: [&str; 14] = [
    "protocol-fixed",
    "before-recorded",
    "row-proof-written",
    "strike-begun",
    "signature-removed",
    "first-target-zeroed",
    "all-targets-zeroed",
    "weight-tree-kept",
    "erasure-finished",
    "model-signed",
    "erasure-signed",
    "judged",
    "certificate-signed",
    "certificate-written",
];

/// Every point that an export passes, in order.
pub const EXPORT_POINTS: [&str; 2] = ["export-registered", "export-weights-written"];

/// Every point that an adaptation passes, in order.
pub const ADAPTATION_POINTS: [&str; 5] =
    ["adaptation-begun", "adaptation-trained", "adaptation-proved", "adaptation-signed", "adaptation-placed"];

/// Every point that a registration of sources passes, in order.
pub const REGISTRATION_POINTS: [&str; 3] = ["sources-staged", "manifest-tree-written", "manifest-signed"];

/// Every point that the destruction of an export passes, in order.
pub const DESTRUCTION_POINTS: [&str; 2] = ["export-marked", "export-destroyed"];

/// Every point that an export passes, in order, which is signed and of which some is zeroed.
pub const EXPORT_STRIKE_POINTS: [&str; 3] = ["export-signature-aside", "export-zeroed", "export-signed-again"];

/// Every point that a statement passes on its way into the log, in order.
pub const LOG_POINTS: [&str; 8] = [
    "log-leaf-insert",
    "log-leaf-inserted",
    "log-compare-and-swap",
    "log-commit",
    "log-committed",
    "log-tile-write",
    "log-entries-written",
    "log-checkpoint-write",
];

/// Every point that handing out an audit bundle passes, in order. The last one is passed by every file that is written
/// whole or not at all; here by the statement that is kept, and by the bundle.
pub const BUNDLE_POINTS: [&str; 4] = ["bundle-signed", "bundle-kept", "bundle-noted", "file-not-yet-named"];

/// Every point that the replacement and the revocation of a key pass, in order.
pub const KEY_POINTS: [&str; 5] =
    ["key-made", "key-registered", "key-destroyed", "rotation-logged", "revocation-logged"];

/// Every point that a repeated verification passes, whichever way it ends.
pub const LIVING_POINTS: [&str; 7] = [
    "ticks-made",
    "job-claimed",
    "reverified",
    "certificate-suspended",
    "certificate-renewed",
    "job-ended",
    "status-listed",
];

/// Every point that a retrain passes that is trained as a job, whichever way it ends.
pub const BASELINE_POINTS: [&str; 4] = ["baseline-started", "training-ended", "baseline-trained", "training-refused"];
/// Every point that a blind challenge passes, in order.
pub const CHALLENGE_POINTS: [&str; 3] = ["challenge-deposited", "challenge-opened", "challenge-written"];

/// Every point that the destruction of stored text passes, in order.
pub const SHRED_POINTS: [&str; 3] = ["shred-begun", "text-key-destroyed", "text-target-done"];

/// Ends the process without any clean-up when the environment variable `OBELUS_DIE_AT` names this point.
pub fn point(name: &str) {
    let known = [
        &POINTS[..],
        &EXPORT_POINTS,
        &ADAPTATION_POINTS,
        &REGISTRATION_POINTS,
        &DESTRUCTION_POINTS,
        &SHRED_POINTS,
        &EXPORT_STRIKE_POINTS,
        &KEY_POINTS,
        &BUNDLE_POINTS,
        &LIVING_POINTS,
        &BASELINE_POINTS,
        &CHALLENGE_POINTS,
        &LOG_POINTS,
    ];
    debug_assert!(known.iter().any(|points| points.contains(&name)), "unknown fault point {name}");
    if cfg!(debug_assertions) && std::env::var_os("OBELUS_DIE_AT").is_some_and(|wanted| wanted == name) {
        std::process::abort();
    }
}

/// As [`point`], and fails there when `OBELUS_FAIL_AT` names it: a disk or a database that refuses.
///
/// # Errors
/// When a test asks for it.
pub fn fallible(name: &str) -> Result<()> {
    point(name);
    let failing = cfg!(debug_assertions) && std::env::var_os("OBELUS_FAIL_AT").is_some_and(|wanted| wanted == name);
    if failing { bail!("failed at {name}, as the environment asks") } else { Ok(()) }
}
