//! What the statements of the small certificate say, and how they are signed. Not here: where they are logged.

use obelus_core::Digest;
use obelus_ledger::{
    canonical,
    certificate::Exhibit,
    dsse::Envelope,
    keys::Role,
    manifest::{self, Presence},
    statement::{
        Campaign, Certificate, Erasure, ErasureTarget, Figure, PoolExtension, PoolSegment, Predicate, SourceManifest,
        Statement, Subject, TrainingRun, VerificationProtocol, VerificationRun,
    },
};

use crate::fixture::{
    Draft, LAYERS, POOL, SOURCES, Setting, at, campaign_salt, manifest_root, named, private_key, salt,
};

/// What the statements say about the strike.
pub struct Facts {
    pub layout: Digest,
    pub roots: [Digest; 2],
    pub proof: Digest,
    pub sources: Digest,
    pub source_count: u64,
    pub neurons: Digest,
    pub neuron_count: u64,
    /// The segment that each source's record names.
    pub segments: [u64; SOURCES.len()],
}

impl Facts {
    /// What sources and neurons give; the rest is named by nothing.
    pub fn about(sources: &[Presence], per_layer: &[Vec<u32>]) -> Self {
        Self {
            layout: named("layout"),
            roots: [named("root before"), named("root after")],
            proof: named("proof"),
            sources: manifest::list_digest(sources.iter().map(|p| (p.key, named(&p.record)))).unwrap(),
            source_count: sources.len() as u64,
            neurons: Digest::sha256(canonical::to_bytes(&per_layer).unwrap()),
            neuron_count: per_layer.iter().map(Vec::len).sum::<usize>() as u64,
            segments: [0; SOURCES.len()],
        }
    }

    /// Signs the seven statements and the extensions; `spoil` sees each just before it is signed.
    pub fn sign(&self, setting: &Setting, spoil: &mut dyn FnMut(Draft<'_>)) -> Vec<(Exhibit, Role, Envelope)> {
        let mut signed = Vec::new();
        let mut add = |exhibit, envelope: (Role, Envelope)| {
            let digest = envelope.1.digest().unwrap();
            signed.push((exhibit, envelope.0, envelope.1));
            digest
        };
        let (mut subject, mut said) = (Subject::sha256("lineage-a", campaign_salt()), self.campaign());
        spoil(Draft::Campaign(&mut subject, &mut said));
        let campaign = add(Exhibit::Campaign, sign(Exhibit::Campaign, setting, subject, said));

        let mut extension = None;
        for at in 0..setting.extensions.len() {
            let mut subject = Subject::sha256("lineage-a", campaign_salt());
            let mut said = self.extension(at, campaign, extension);
            spoil(Draft::Extension(at, &mut subject, &mut said));
            extension = Some(add(Exhibit::PoolExtension, sign(Exhibit::PoolExtension, setting, subject, said)));
        }

        let mut subject = Subject::sha256("source manifest", manifest_root(self.segments));
        let mut said = self.manifest(campaign, extension);
        spoil(Draft::Manifest(&mut subject, &mut said));
        let manifest = add(Exhibit::Manifest, sign(Exhibit::Manifest, setting, subject, said));

        let (mut subject, mut said) = (Subject::weights("demo", self.roots[0]), self.training(manifest));
        spoil(Draft::Training(&mut subject, &mut said));
        let training = add(Exhibit::Training, sign(Exhibit::Training, setting, subject, said));

        let (mut subject, mut said) = (Subject::sha256("protocol", named("protocol")), self.protocol());
        spoil(Draft::Protocol(&mut subject, &mut said));
        let protocol = add(Exhibit::Protocol, sign(Exhibit::Protocol, setting, subject, said));

        let (mut subject, mut said) = (Subject::weights("demo", self.roots[1]), self.erasure(manifest, training));
        spoil(Draft::Erasure(&mut subject, &mut said));
        let erasure = add(Exhibit::Erasure, sign(Exhibit::Erasure, setting, subject, said));

        let (mut subject, mut said) = (Subject::weights("demo", self.roots[1]), self.verification(protocol));
        spoil(Draft::Verification(&mut subject, &mut said));
        let verification = add(Exhibit::Verification, sign(Exhibit::Verification, setting, subject, said));

        let (mut subject, mut said) =
            (Subject::weights("demo", self.roots[1]), self.certificate(erasure, verification));
        spoil(Draft::Certificate(&mut subject, &mut said));
        add(Exhibit::Certificate, sign(Exhibit::Certificate, setting, subject, said));
        signed
    }
}

pub fn sign<P: Predicate>(exhibit: Exhibit, setting: &Setting, subject: Subject, predicate: P) -> (Role, Envelope) {
    let role = setting.signer.filter(|(other, _)| *other == exhibit).map_or(P::ROLE, |(_, role)| role);
    (role, Statement::new(subject, predicate).sign(&private_key(role)).unwrap())
}

impl Facts {
    pub fn campaign(&self) -> Campaign {
        Campaign {
            lineage: "lineage-a".to_owned(),
            campaign_salt: campaign_salt(),
            mask_scheme: "null-mask/v1".to_owned(),
            layers: LAYERS,
            same_mask_in_all_layers: false,
            segments: vec![PoolSegment { base: POOL[0].base, n: POOL[0].n, k: POOL[0].k }],
            operator: "Example Operator".to_owned(),
            created_at: at(0),
            salt: salt("campaign"),
        }
    }

    /// The first extension has two segments, the second one.
    pub fn extension(&self, at: usize, campaign: Digest, previous: Option<Digest>) -> PoolExtension {
        let first = [1, 3][at];
        PoolExtension {
            lineage: "lineage-a".to_owned(),
            campaign,
            previous,
            first_segment: first as u64,
            base: POOL[first].base,
            n: POOL[first].n,
            k: POOL[first].k,
            count: [2, 1][at],
            reason: "added-sources".to_owned(),
            operator: "Example Operator".to_owned(),
            created_at: crate::fixture::at(0),
            salt: salt("extension"),
        }
    }

    pub fn manifest(&self, campaign: Digest, extension: Option<Digest>) -> SourceManifest {
        SourceManifest {
            lineage: "lineage-a".to_owned(),
            campaign,
            // One source is registered twice.
            count: SOURCES.len() as u64 + 1,
            tokenizer: named("tokenizer"),
            extension,
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
            repetition: None,
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
            renews: None,
            challenges: None,
            issued_at: at(7),
            valid_until: at(7 + 365 * 24 * 60),
            salt: salt("certificate"),
        }
    }
}
