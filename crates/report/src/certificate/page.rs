//! What the PDF of a certificate shows, as plain data. Where it comes from is the caller's business; what is said of it is
//! in `wording.rs`.

use obelus_core::{Digest, Timestamp};

use crate::plot::{ConditionRow, ResidualRow};

/// Everything that the PDF of a certificate shows. All text is taken as text, whatever is in it.
#[derive(Clone, Debug, PartialEq)]
pub struct CertificatePage {
    /// Certificate id.
    pub id: String,
    /// The title that belongs to the verdict, see [`super::title`].
    pub title: String,
    /// Name of the model.
    pub model: String,
    /// Ids of the struck sources. They come from outside.
    pub sources: Vec<String>,
    /// Reference of the request.
    pub request: String,
    /// Under which right the request was made; empty where that is unknown.
    pub regime: String,
    /// Who issues the certificate.
    pub operator: String,
    /// Level of the erasure, `L0` to `L3`.
    pub level: String,
    /// The first claim: always `proved`.
    pub erasure_claim: String,
    /// The second claim: `verified`, `verified_with_residual` or `not_verified`.
    pub verdict: String,
    /// What the verdict was measured against, in words.
    pub baseline: String,
    /// Protocol of the verification: name, version and digest.
    pub protocol: String,
    /// Blind challenges whose results are reported apart, in words; empty where there is none.
    pub challenges: String,
    /// Training recipe of the model.
    pub recipe: String,
    /// Weight root before.
    pub root_before: Digest,
    /// Weight root after.
    pub root_after: Digest,
    /// Neurons zeroed, over all layers.
    pub neurons_zeroed: u64,
    /// Copies and derivatives, and what was done to each.
    pub targets: Vec<ErasedCopy>,
    /// The required figures.
    pub figures: Vec<Figure>,
    /// Residuals that were measured, for the plot.
    pub residuals: Vec<ResidualRow>,
    /// Known fractions per condition, for the plot.
    pub known: Vec<ConditionRow>,
    /// What the certificate does not prove.
    pub limits: Vec<String>,
    /// From.
    pub issued_at: Timestamp,
    /// Until.
    pub valid_until: Timestamp,
    /// Name of the log.
    pub log_origin: String,
    /// Place of the certificate in the log, from 0.
    pub log_index: u64,
    /// Size of the tree whose checkpoint covers it.
    pub tree_size: u64,
    /// Where the certificate's status can be asked for: an `https` or `http` address, or empty.
    pub verification_url: String,
    /// File name of the attachment, such as `CT-2026-000001.json`: letters, digits, `.`, `_` and `-`.
    pub bundle_name: String,
    /// The attachment, byte for byte. Its SHA-256 is printed.
    pub bundle: Vec<u8>,
}

/// A copy or derivative, and what was done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErasedCopy {
    /// Its kind, as in the erasure statement.
    pub kind: String,
    /// Where it lies.
    pub path: String,
    /// Level reached for it.
    pub level: String,
    /// Rows overwritten.
    pub rows: u64,
    /// When it read back as zero.
    pub at: Timestamp,
}

/// A figure that the certificate states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// Attack or metric.
    pub name: String,
    /// `pass`, `residual`, `fail`, `inconclusive` or `not_tested`.
    pub verdict: String,
    /// Residual with its interval, as text; empty when not measured.
    pub residual: String,
}
