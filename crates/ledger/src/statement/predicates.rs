//! The predicates, one struct each, with who signs them and which field says when. Not here: the statement around them
//! (`statement.rs`), what is said of keys (`custody.rs`) and of certificates later (`status.rs`), and what one must say of
//! another (`verify/citations.rs`).

use obelus_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Challenges, Predicate, Renewal, Repetition};
use crate::keys::Role;

macro_rules! predicate {
    ($(#[$doc:meta])* $name:ident, $id:literal, $role:ident, $when:ident { $($(#[$fdoc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "camelCase")]
        pub struct $name {
            $($(#[$fdoc])* pub $field: $type,)*
            /// Random 128-bit salt, hexadecimal: hashes in the log must not be guessable.
            pub salt: String,
        }

        impl Predicate for $name {
            const NAME: &'static str = $id;
            const ROLE: Role = Role::$role;
            fn stated_at(&self) -> Timestamp {
                self.$when
            }
        }
    };
}

pub(super) use predicate;

/// A segment of the sink pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolSegment {
    /// First neuron.
    pub base: u32,
    /// Neurons in the segment.
    pub n: u32,
    /// Neurons that one source lights.
    pub k: u32,
}

predicate! {
    /// A model lineage begins: its salt and its pool, logged before any source is registered. Subject: the lineage.
    Campaign, "campaign/v1", Registrar, created_at {
        /// Lineage name.
        lineage: String,
        /// Salt of every seed in the lineage.
        campaign_salt: Digest,
        /// `null-mask/v1`.
        mask_scheme: String,
        /// Layers of the model.
        layers: u32,
        /// Whether all layers use the mask of layer 0.
        same_mask_in_all_layers: bool,
        /// The pool.
        segments: Vec<PoolSegment>,
        /// Who.
        operator: String,
        /// When.
        created_at: Timestamp,
    }
}

predicate! {
    /// The pool grows: equal segments are appended, logged before any record names one. Subject: the lineage.
    PoolExtension, "pool-extension/v1", Registrar, created_at {
        /// Lineage name.
        lineage: String,
        /// Envelope digest of the campaign.
        campaign: Digest,
        /// Envelope digest of the extension before; none for the first.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        previous: Option<Digest>,
        /// Index of the first new segment.
        first_segment: u64,
        /// First neuron of the first new segment.
        base: u32,
        /// Neurons in each new segment.
        n: u32,
        /// Neurons that one source lights in a new segment.
        k: u32,
        /// New segments, end to end: segment `first_segment + i` begins at neuron `base + i * n`.
        count: u64,
        /// `disjoint-assignment` or `added-sources`.
        reason: String,
        /// Who.
        operator: String,
        /// When.
        created_at: Timestamp,
    }
}

predicate! {
    /// The sources of a training run, before it starts. Subject: the manifest root.
    SourceManifest, "source-manifest/v1", Registrar, created_at {
        /// Lineage name.
        lineage: String,
        /// Envelope digest of the campaign.
        campaign: Digest,
        /// Number of records.
        count: u64,
        /// SHA-256 of `tokenizer.json`.
        tokenizer: Digest,
        /// Envelope digest of the last pool extension that the records may rest on; none where the pool never grew.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        extension: Option<Digest>,
        /// When.
        created_at: Timestamp,
    }
}

predicate! {
    /// Provenance of one source. Subject: its content digest.
    SourceProvenance, "source-provenance/v1", Registrar, issued_at {
        /// Source id.
        source: String,
        /// Publisher, empty when unknown.
        publisher: String,
        /// Licence, empty when unknown.
        license: String,
        /// Digest over the list of document digests, and their number.
        documents: u64,
        /// Mask seed.
        mask_seed: Digest,
        /// Envelope digest of the manifest.
        manifest: Digest,
        /// Manifest root.
        manifest_root: Digest,
        /// Position of the record.
        manifest_index: u64,
        /// Audit path of the record.
        manifest_path: Vec<Digest>,
        /// SHA-256 of the record.
        record: Digest,
        /// When.
        issued_at: Timestamp,
    }
}

/// What a training run says that changed only some neurons of a model that was there before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Adaptation {
    /// `added-sources` or `repair`.
    pub kind: String,
    /// Generation of the model that this run made.
    pub generation: u64,
    /// Envelope digest of the training run before.
    pub continues: Digest,
    /// Weight root before.
    pub root_before: Digest,
    /// Layout digest before.
    pub layout_before: Digest,
    /// SHA-256 of the growth proof's file, where the pool grew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grown: Option<Digest>,
    /// SHA-256 of the change proof's file.
    pub changed: Digest,
    /// SHA-256 over the canonical JSON of the lists of sink neurons that were allowed to change, one ascending list a
    /// layer.
    pub neurons: Digest,
    /// Neurons that were allowed to change, over all layers.
    pub neuron_count: u64,
    /// Digest of the list of sources that it was trained on, see [`crate::manifest::list_digest`].
    pub sources: Digest,
    /// Number of sources that it was trained on.
    pub source_count: u64,
    /// SHA-256 of the file of measured figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measurement: Option<Digest>,
}

predicate! {
    /// A training run. Subject: the weight root it ended with.
    TrainingRun, "training-run/v1", Model, ended_at {
        /// Model name.
        model: String,
        /// Envelope digest of the manifest.
        manifest: Digest,
        /// Digest of configuration and training settings, canonical JSON with decimals as strings.
        configuration: Digest,
        /// How it was trained: `support-filter/N` or `plain`.
        recipe: String,
        /// Digest of the canonical list of excluded sources, and their number.
        excluded: Digest,
        /// Number of excluded sources.
        excluded_count: u64,
        /// Envelope digest of the training run that this one is a retrain for.
        baseline_of: Option<Digest>,
        /// What this run changed, where it went on from a model that was there before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        adaptation: Option<Adaptation>,
        /// Training seed.
        seed: u64,
        /// Layout digest of the checkpoint.
        layout: Digest,
        /// SHA-256 of the program that trained.
        code: Digest,
        /// Device and threads.
        device: String,
        /// Steps.
        steps: u64,
        /// Mean loss of the last tenth, nats a token, as a decimal.
        final_loss: String,
        /// Start.
        started_at: Timestamp,
        /// End.
        ended_at: Timestamp,
    }
}

/// One copy or derivative and what was done to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ErasureTarget {
    /// `checkpoint` or `optimizer`.
    pub kind: String,
    /// Path relative to the data directory.
    pub path: String,
    /// Level reached for this copy.
    pub level: String,
    /// Rows overwritten.
    pub rows: u64,
    /// When it read back as zero.
    pub at: Timestamp,
}

predicate! {
    /// A strike. Subject: the weight root after.
    Erasure, "erasure/v1", Issuer, erased_at {
        /// Reference of the request.
        request: String,
        /// Model name.
        model: String,
        /// Digest of the list of struck sources, see [`crate::manifest::list_digest`].
        sources: Digest,
        /// Number of struck sources.
        source_count: u64,
        /// Envelope digest of the manifest.
        manifest: Digest,
        /// Envelope digest of the training run.
        training: Digest,
        /// Generation after the strike.
        generation: u64,
        /// Neurons zeroed over all layers.
        neuron_count: u64,
        /// SHA-256 over the canonical JSON of the neuron lists, one ascending list a layer.
        neurons: Digest,
        /// Weight root before.
        root_before: Digest,
        /// Weight root after.
        root_after: Digest,
        /// Layout digest of the checkpoint.
        layout: Digest,
        /// SHA-256 of the row proof's file.
        row_proof: Digest,
        /// Digest of the approved plan.
        plan: Digest,
        /// Level over all registered copies.
        level: String,
        /// Every registered copy.
        targets: Vec<ErasureTarget>,
        /// When.
        erased_at: Timestamp,
    }
}

predicate! {
    /// The protocol of a verification, fixed before the run. Subject: the protocol digest.
    VerificationProtocol, "verification-protocol/v1", Issuer, fixed_at {
        /// Reference of the request, or `rehearsal`.
        request: String,
        /// Model name.
        model: String,
        /// Digest of the list of sources, see [`crate::manifest::list_digest`].
        sources: Digest,
        /// SHA-256 of the canonical protocol.
        protocol: Digest,
        /// Digest over the salted digests of the probes.
        probes: Digest,
        /// Envelope digests of the baselines' training runs.
        baselines: Vec<Digest>,
        /// When.
        fixed_at: Timestamp,
    }
}

predicate! {
    /// A verification run. Subject: the weight root that was judged.
    VerificationRun, "verification-run/v1", Issuer, judged_at {
        /// Reference of the request.
        request: String,
        /// Model name.
        model: String,
        /// Envelope digest of the protocol statement.
        protocol: Digest,
        /// Envelope digests of the baselines' training runs.
        baselines: Vec<Digest>,
        /// `panel` or `matched`.
        baseline_kind: String,
        /// SHA-256 of the scores recorded before the erasure.
        before: Digest,
        /// SHA-256 of the results.
        results: Digest,
        /// `verified`, `verified_with_residual` or `not_verified`.
        verdict: String,
        /// Where it repeats an earlier one: which, and under what.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        repetition: Option<Repetition>,
        /// When.
        judged_at: Timestamp,
    }
}

/// One measured figure that a certificate prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// Name of the attack or metric.
    pub name: String,
    /// Its verdict.
    pub verdict: String,
    /// Residual as a decimal, with its interval; empty when there is none.
    pub residual: String,
}

predicate! {
    /// The certificate: two claims, judged apart. Subject: the weight root after.
    Certificate, "certificate/v1", Issuer, issued_at {
        /// Certificate id.
        id: String,
        /// Title in words.
        title: String,
        /// Envelope digest of the erasure.
        erasure: Digest,
        /// Envelope digest of the verification run.
        verification: Digest,
        /// The first claim: `proved`.
        erasure_claim: String,
        /// The second claim: the verdict of the verification run.
        verdict: String,
        /// Level.
        level: String,
        /// Weight root before.
        root_before: Digest,
        /// Weight root after.
        root_after: Digest,
        /// SHA-256 of the row proof's file.
        row_proof: Digest,
        /// Training recipe of the model.
        recipe: String,
        /// Baseline that the verdict rests on, in words.
        baseline: String,
        /// The required figures.
        figures: Vec<Figure>,
        /// What this does not prove.
        limits: Vec<String>,
        /// Where it renews an earlier certificate: which, and on what weights.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        renews: Option<Renewal>,
        /// Where blind challenges were opened before it was issued: which.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        challenges: Option<Challenges>,
        /// From.
        issued_at: Timestamp,
        /// Until.
        valid_until: Timestamp,
    }
}

predicate! {
    /// The contents of an audit bundle. Subject: its manifest.
    AuditBundle, "audit-bundle/v1", Issuer, made_at {
        /// Reference of the request.
        request: String,
        /// Number of files that the manifest lists.
        files: u64,
        /// When.
        made_at: Timestamp,
    }
}
