//! What the seven statements of the small certificate say. Not here: who signs them and where they are logged.

use obelus_core::Digest;
use obelus_ledger::statement::{
    Campaign, Certificate, Erasure, ErasureTarget, Figure, PoolSegment, SourceManifest, TrainingRun,
    VerificationProtocol, VerificationRun,
};

use crate::fixture::{Facts, LAYERS, SINKS, SOURCES, at, campaign_salt, named, salt};

impl Facts {
    pub fn campaign(&self) -> Campaign {
        Campaign {
            lineage: "lineage-a".to_owned(),
            campaign_salt: campaign_salt(),
            mask_scheme: "null-mask/v1".to_owned(),
            layers: LAYERS,
            same_mask_in_all_layers: false,
            segments: vec![PoolSegment { base: SINKS.base, n: SINKS.n, k: SINKS.k }],
            operator: "Example Operator".to_owned(),
            created_at: at(0),
            salt: salt("campaign"),
        }
    }

    pub fn manifest(&self, campaign: Digest) -> SourceManifest {
        SourceManifest {
            lineage: "lineage-a".to_owned(),
            campaign,
            // One source is registered twice.
            count: SOURCES.len() as u64 + 1,
            tokenizer: named("tokenizer"),
            extension: None,
            created_at: at(1),
            salt: salt("manifest"),
        }
    }

    pub fn training(&self, manifest: Digest) -> TrainingRun {
        TrainingRun {
            model: "demo".to_owned(),
            manifest,
            configuration: named("configuration"),
            recipe: "plain".to_owned(),
            excluded: named("[]"),
            excluded_count: 0,
            baseline_of: None,
            adaptation: None,
            seed: 7,
            layout: self.layout,
            code: named("program"),
            device: "cpu, 2 threads".to_owned(),
            steps: 300,
            final_loss: "1.25".to_owned(),
            started_at: at(2),
            ended_at: at(3),
            salt: salt("training"),
        }
    }

    pub fn protocol(&self) -> VerificationProtocol {
        VerificationProtocol {
            request: "REQ-1".to_owned(),
            model: "demo".to_owned(),
            sources: self.sources,
            protocol: named("protocol"),
            probes: named("probes"),
            baselines: vec![named("baseline training run")],
            fixed_at: at(4),
            salt: salt("protocol"),
        }
    }

    pub fn erasure(&self, manifest: Digest, training: Digest) -> Erasure {
        let target = |kind: &str, path: &str| ErasureTarget {
            kind: kind.to_owned(),
            path: path.to_owned(),
            level: "L3".to_owned(),
            rows: 3 * self.neuron_count,
            at: at(5),
        };
        Erasure {
            request: "REQ-1".to_owned(),
            model: "demo".to_owned(),
            sources: self.sources,
            source_count: self.source_count,
            manifest,
            training,
            generation: 1,
            neuron_count: self.neuron_count,
            neurons: self.neurons,
            root_before: self.roots[0],
            root_after: self.roots[1],
            layout: self.layout,
            row_proof: self.proof,
            plan: named("plan"),
            level: "L3".to_owned(),
            targets: vec![
                target("checkpoint", "models/demo/1.safetensors"),
                target("optimizer", "models/demo/1.moments"),
            ],
            erased_at: at(5),
            salt: salt("erasure"),
        }
    }

    pub fn verification(&self, protocol: Digest) -> VerificationRun {
        VerificationRun {
            request: "REQ-1".to_owned(),
            model: "demo".to_owned(),
            protocol,
            baselines: vec![named("baseline training run")],
            baseline_kind: "matched".to_owned(),
            before: named("scores before"),
            results: named("results"),
            verdict: "verified_with_residual".to_owned(),
            judged_at: at(6),
            salt: salt("verification"),
        }
    }

    pub fn certificate(&self, erasure: Digest, verification: Digest) -> Certificate {
        let figure = |name: &str, verdict: &str, residual: &str| Figure {
            name: name.to_owned(),
            verdict: verdict.to_owned(),
            residual: residual.to_owned(),
        };
        Certificate {
            id: "OB-2026-0001".to_owned(),
            title: "Certificate of erasure".to_owned(),
            erasure,
            verification,
            erasure_claim: "proved".to_owned(),
            verdict: "verified_with_residual".to_owned(),
            level: "L3".to_owned(),
            root_before: self.roots[0],
            root_after: self.roots[1],
            row_proof: self.proof,
            recipe: "plain".to_owned(),
            baseline: "a retrain without exactly these sources".to_owned(),
            figures: vec![
                figure("known_share", "residual", "0.14 (0.05 to 0.22)"),
                figure("relearning", "pass", "0.02 (-0.01 to 0.06)"),
            ],
            limits: vec!["The tokenizer's merges were learned from every source.".to_owned()],
            issued_at: at(7),
            valid_until: at(7 + 365 * 24 * 60),
            salt: salt("certificate"),
        }
    }
}
