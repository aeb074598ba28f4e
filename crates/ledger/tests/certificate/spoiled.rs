//! Files as they are handed out, good and spoiled, each with this crate's own judgement: the table by which independent
//! programs are measured. Not here: those programs (`outsiders.rs`, `javascript.rs`, `browser.rs`).

use obelus_core::Digest;
use obelus_ledger::{
    canonical,
    certificate::{Exhibit, Logged},
    keys::{PrivateKey, Role, Signer as _},
    model_key::ModelPrivateKey,
    row_proof::RowProof,
    tlog_proof::TlogProof,
    trust::TrustedRoot,
    verify::{Input, ProofKind, verify},
};

use crate::{
    fixture::{Draft, Fixture, GROWN, Setting, USUAL, at},
    flips::flipped,
};

pub const BUNDLE: &str = "CT-1.json";
pub const EVIDENCE: &str = "CT-1.evidence.json";
pub const ROW_PROOF: &str = "CT-1.rowproof.json";
pub const LOG_PROOF: &str = "CT-1.tlog-proof";
pub const TRUST: &str = "trusted_root.json";

/// Files that lie together, and whether they are to be accepted.
#[derive(Clone)]
pub struct Case {
    pub name: String,
    pub files: Vec<(&'static str, Vec<u8>)>,
    pub accepted: bool,
}

impl Case {
    /// The judgement is this crate's.
    pub fn judged(name: impl Into<String>, files: Vec<(&'static str, Vec<u8>)>, trust: &TrustedRoot) -> Self {
        let of = |name: &str| files.iter().find(|(file, _)| *file == name).map(|(_, bytes)| bytes.as_slice());
        let proofs: Vec<_> = of(ROW_PROOF).into_iter().map(|proof| (ProofKind::Row, proof)).collect();
        let (file, document) = match (of(LOG_PROOF), of(BUNDLE), of(EVIDENCE)) {
            (Some(proof), bundle, _) => (proof, bundle),
            (None, Some(bundle), evidence) => (bundle, evidence),
            (None, None, Some(evidence)) => (evidence, None),
            (None, None, None) => (of(ROW_PROOF).unwrap(), None),
        };
        let accepted = verify(&Input { file, document, proofs: &proofs }, trust).is_ok_and(|report| report.ok);
        let trust = (TRUST, canonical::to_bytes(trust).unwrap());
        Self { name: name.into(), files: files.into_iter().chain([trust]).collect(), accepted }
    }

    /// The same files with one of them changed.
    fn with(&self, name: impl Into<String>, file: &str, bytes: Vec<u8>, trust: &TrustedRoot) -> Self {
        let mut files = self.files.clone();
        files.retain(|(name, _)| *name != TRUST);
        for (_, old) in files.iter_mut().filter(|(name, _)| *name == file) {
            *old = bytes.clone();
        }
        Self::judged(name, files, trust)
    }

    pub fn without(&self, name: &str, missing: &[&str], trust: &TrustedRoot) -> Self {
        let kept = self.files.iter().filter(|(file, _)| !missing.contains(file) && *file != TRUST);
        Self::judged(name, kept.cloned().collect(), trust)
    }

    pub fn file(&self, name: &str) -> &[u8] {
        &self.files.iter().find(|(file, _)| *file == name).unwrap().1
    }
}

/// Bundle, evidence and row proof of a fixture.
pub fn whole(name: impl Into<String>, fixture: &Fixture) -> Case {
    let bundle = canonical::to_bytes(&fixture.bundle(Exhibit::Certificate)).unwrap();
    let files = vec![(BUNDLE, bundle), (EVIDENCE, fixture.file()), (ROW_PROOF, fixture.proof.clone())];
    Case::judged(name, files, &fixture.trust)
}

/// Bundle and log proof of a fixture.
pub fn logged(name: &str, fixture: &Fixture) -> Case {
    let bundle = fixture.bundle(Exhibit::Certificate);
    let Logged { index, path, .. } = fixture.document.exhibits.last().unwrap().clone();
    let checkpoint = fixture.document.checkpoint.clone();
    let proof = TlogProof { body: bundle.body().unwrap(), index, path, checkpoint };
    let files = vec![(BUNDLE, canonical::to_bytes(&bundle).unwrap()), (LOG_PROOF, proof.to_text().into_bytes())];
    Case::judged(name, files, &fixture.trust)
}

/// What must be accepted.
pub fn good() -> Vec<Case> {
    let (usual, grown) = (Fixture::usual(), Fixture::new(GROWN, &mut |_| ()));
    let one = Fixture::new(Setting { struck: &[4], weights: 90, ..USUAL }, &mut |_| ());
    let adapted = Fixture::new(GROWN, &mut |draft| match draft {
        Draft::Training(_, said) => said.adaptation = Some(crate::adaptations::adaptation(4)),
        Draft::Erasure(_, said) => said.generation = 7,
        _ => (),
    });
    let mut signed = Fixture::new(USUAL, &mut |draft| name_model_sig(draft, [1, 1, 1]));
    let model_key = ModelPrivateKey::from_scalar(&[7; 32]).unwrap().public_key().to_pem().unwrap();
    for key in signed.trust.keys.iter_mut().filter(|key| key.role == Role::Model) {
        key.model_signing_key = Some(model_key.clone());
    }
    let all = whole("whole", &usual);
    let plain = RowProof::from_bytes(&usual.proof).unwrap().to_bytes().unwrap();
    let cited = Digest::sha256(&plain);
    let mut unpacked = Fixture::new(USUAL, &mut cite(cited));
    unpacked.proof = plain;
    vec![
        all.without("bundle alone", &[EVIDENCE, ROW_PROOF], &usual.trust),
        all.without("no row proof", &[ROW_PROOF], &usual.trust),
        all.without("no bundle", &[BUNDLE], &usual.trust),
        all.without("evidence alone", &[BUNDLE, ROW_PROOF], &usual.trust),
        logged("log proof", &usual),
        logged("", &usual).without("log proof alone", &[BUNDLE], &usual.trust),
        whole("grown", &grown),
        whole("one source", &one),
        whole("adapted", &adapted),
        whole("unpacked row proof", &unpacked),
        whole("with model.sig", &signed),
        all,
    ]
}

/// The subjects also name the root of a `model.sig`: that of training, and which of two each of erasure, verification and
/// certificate names; 0: none.
fn name_model_sig(draft: Draft<'_>, after: [u8; 3]) {
    let named = |which: u8| (which > 0).then(|| Digest::sha256([which]));
    match draft {
        Draft::Training(subject, _) => subject.digest.sha256 = Some(Digest::sha256("model.sig before")),
        Draft::Erasure(subject, _) => subject.digest.sha256 = named(after[0]),
        Draft::Verification(subject, _) => subject.digest.sha256 = named(after[1]),
        Draft::Certificate(subject, _) => subject.digest.sha256 = named(after[2]),
        _ => (),
    }
}

/// Statements that cite another row proof.
fn cite(proof: Digest) -> impl FnMut(Draft<'_>) {
    move |draft| match draft {
        Draft::Erasure(_, said) => said.row_proof = proof,
        Draft::Certificate(_, said) => said.row_proof = proof,
        _ => (),
    }
}

/// Damage by somebody without keys: flipped bits at a sample of places, cut ends, other spellings.
pub fn damaged(step: usize) -> Vec<Case> {
    let fixture = Fixture::usual();
    let (all, proof) = (whole("whole", &fixture), logged("log proof", &fixture));
    let mut cases = Vec::new();
    for (case, file) in [(&all, BUNDLE), (&all, EVIDENCE), (&all, ROW_PROOF), (&proof, LOG_PROOF)] {
        let bytes = case.file(file);
        for at in (0..bytes.len()).step_by(bytes.len().div_ceil(step)) {
            let bits = [0x01, 0x20, 0x80, 0x04][at % 4];
            let flip = flipped(bytes, at, bits);
            cases.push(case.with(format!("{file} byte {at} xor {bits}"), file, flip, &fixture.trust));
            cases.push(case.with(format!("{file} cut at {at}"), file, bytes[..at].to_vec(), &fixture.trust));
        }
        cases.push(case.with(format!("{file} longer"), file, [bytes, b"\n"].concat(), &fixture.trust));
    }
    for file in [BUNDLE, EVIDENCE] {
        let text = String::from_utf8(all.file(file).to_vec()).unwrap();
        let spellings = [
            text.replacen('{', "{ ", 1),
            text.replacen('{', "{\"__proto__\":{},", 1),
            text.replacen('{', "{\"a\":1,\"a\":1,", 1),
            text.replacen("\"payloadType\"", "\"payload\":\"\",\"payloadType\"", 1),
            text.replacen("\"index\":1", "\"index\":1.0", 1).replacen("\"logIndex\":\"10\"", "\"logIndex\":\"010\"", 1),
            text.replacen("\"index\":1", "\"index\":1e0", 1).replacen(
                "\"integratedTime\":\"0\"",
                "\"integratedTime\":\"1\"",
                1,
            ),
            text.replacen("\"kind\":\"dsse\"", "\"kind\":\"dsse\",\"note\":1", 1).replacen("böll", "b\\u00f6ll", 1),
            format!("\u{feff}{text}"),
            format!("{}{}", "[".repeat(100_000), text),
        ];
        for (i, spelled) in spellings.into_iter().enumerate() {
            cases.push(all.with(format!("{file} spelling {i}"), file, spelled.into_bytes(), &fixture.trust));
        }
    }
    cases
}

/// Files put together on purpose: parts of other certificates, exchanged statements, other keys, ended keys.
pub fn forged() -> Vec<Case> {
    let fixture = Fixture::usual();
    let other = Fixture::new(Setting { struck: &[4], ..USUAL }, &mut |_| ());
    let model = Fixture::new(Setting { weights: 90, ..USUAL }, &mut |_| ());
    let (all, of_other, of_model) = (whole("whole", &fixture), whole("", &other), whole("", &model));
    let mut cases = Vec::new();
    for (name, from) in [("another source", &of_other), ("another model", &of_model)] {
        for file in [BUNDLE, EVIDENCE, ROW_PROOF] {
            cases.push(all.with(format!("{file} of {name}"), file, from.file(file).to_vec(), &fixture.trust));
        }
    }
    let mut changed = |name: &str, change: &dyn Fn(&mut Fixture)| {
        let mut forged = Fixture::usual();
        change(&mut forged);
        cases.push(all.with(name, EVIDENCE, forged.file(), &forged.trust));
    };
    changed("swapped exhibits", &|f| f.document.exhibits.swap(3, 4));
    changed("exchanged envelopes", &|f| {
        let protocol = f.document.exhibits[3].envelope.clone();
        f.document.exhibits[4].envelope = protocol;
    });
    changed("a later place", &|f| f.document.exhibits[6].index += 1);
    changed("fewer sources", &|f| drop(f.document.sources.pop()));
    changed("sources in another order", &|f| f.document.sources.reverse());
    changed("another source's record", &|f| f.document.sources[0].record = f.document.sources[1].record.clone());
    changed("another layout", &|f| f.document.layout.0[0].row_bytes += 1);
    changed("another name of the row proof", &|f| f.document.row_proof_file = "CT-2.rowproof.json".to_owned());
    changed("a line for no key", &|f| f.document.checkpoint.push_str("\u{2014} other.example AAAAAAAA\n"));
    for role in Role::ALL {
        changed(&format!("another {role} key"), &|f| {
            let stranger = PrivateKey::from_seed(&[77; 32]).public_key();
            for key in f.trust.keys.iter_mut().filter(|key| key.role == role) {
                (key.keyid, key.public_key) = (stranger.id(), stranger.to_pem().unwrap());
            }
        });
        changed(&format!("the {role} key ended before"), &|f| {
            f.trust.keys.iter_mut().filter(|key| key.role == role).for_each(|key| key.valid_to = Some(at(-5)));
        });
        changed(&format!("the {role} key began later"), &|f| {
            f.trust.keys.iter_mut().filter(|key| key.role == role).for_each(|key| key.valid_from = at(60));
        });
    }
    changed("no keys", &|f| f.trust.keys.clear());
    changed("another log", &|f| f.trust.log_origin = "other.example/log".to_owned());
    cases.extend(dishonest());
    cases
}

/// What an operator with every key might sign.
fn dishonest() -> Vec<Case> {
    type Spoil = fn(Draft<'_>);
    let spoils: [(&str, Spoil); 12] = [
        ("a seed of another lineage", |d| {
            if let Draft::Campaign(subject, said) = d {
                said.lineage = "lineage-b".into();
                subject.name = "lineage-b".into();
            }
        }),
        ("another root before", |d| {
            if let Draft::Erasure(_, said) = d {
                said.root_before = Digest::sha256("other")
            }
        }),
        ("another generation", |d| {
            if let Draft::Erasure(_, said) = d {
                said.generation = 0
            }
        }),
        ("more neurons", |d| {
            if let Draft::Erasure(_, said) = d {
                said.neuron_count += 1
            }
        }),
        ("no copies", |d| {
            if let Draft::Erasure(_, said) = d {
                said.targets.clear()
            }
        }),
        ("one mask everywhere", |d| {
            if let Draft::Campaign(_, said) = d {
                said.same_mask_in_all_layers = true
            }
        }),
        ("a better verdict", |d| {
            if let Draft::Certificate(_, said) = d {
                said.verdict = "verified".into()
            }
        }),
        ("no limits", |d| {
            if let Draft::Certificate(_, said) = d {
                said.limits.clear()
            }
        }),
        ("a title that says less", |d| {
            if let Draft::Certificate(_, said) = d {
                said.title = "Erasure record, verification failed".into()
            }
        }),
        ("an unknown level", |d| {
            if let Draft::Certificate(_, said) = d {
                said.level = "L4".into()
            }
        }),
        ("a retrain", |d| {
            if let Draft::Training(_, said) = d {
                said.baseline_of = Some(Digest::sha256("other"))
            }
        }),
        ("judged before erased", |d| {
            if let Draft::Verification(_, said) = d {
                said.judged_at = at(4)
            }
        }),
    ];
    let mut cases: Vec<Case> =
        spoils.into_iter().map(|(name, spoil)| whole(name, &Fixture::new(USUAL, &mut { spoil }))).collect();
    for after in [[1, 1, 2], [1, 2, 1], [2, 1, 1], [0, 1, 1], [1, 0, 1], [1, 1, 0]] {
        let name = format!("other model.sig roots {after:?}");
        cases.push(whole(name, &Fixture::new(USUAL, &mut |draft| name_model_sig(draft, after))));
    }
    let two = |draft: Draft<'_>| {
        if let Draft::Manifest(subject, _) = draft {
            subject.digest.null_weight_tree_v1 = subject.digest.sha256;
        }
    };
    cases.push(whole("two digests of a manifest", &Fixture::new(USUAL, &mut { two })));
    let signed_by = |exhibit, role| Fixture::new(Setting { signer: Some((exhibit, role)), ..USUAL }, &mut |_| ());
    cases.push(whole("a manifest of the issuer", &signed_by(Exhibit::Manifest, Role::Issuer)));
    cases.push(whole("a certificate of the log", &signed_by(Exhibit::Certificate, Role::Log)));
    cases.push(whole(
        "logged in another order",
        &Fixture::new(Setting { positions: [1, 3, 4, 8, 7, 6, 10], ..USUAL }, &mut |_| ()),
    ));
    cases.push(whole("more layers", &Fixture::new(Setting { extra_layers: 1, ..USUAL }, &mut |_| ())));
    cases.push(whole("no such segment", &Fixture::new(Setting { segments: [0, 4, 0, 2, 3], ..GROWN }, &mut |_| ())));
    cases.push(whole(
        "a gap in the pool",
        &Fixture::new(GROWN, &mut |draft| {
            if let Draft::Extension(0, _, said) = draft {
                said.base = 9;
            }
        }),
    ));
    // The operator cites the tampered proof: the roots give it away.
    let mut proof = RowProof::from_bytes(&Fixture::usual().proof).unwrap();
    proof.siblings[0] = Digest::sha256("another weight");
    let bytes = proof.to_gzip().unwrap();
    let mut another = Fixture::new(USUAL, &mut cite(Digest::sha256(&bytes)));
    another.proof = bytes;
    cases.push(whole("another weight changed", &another));
    let longer = [Fixture::usual().proof, b"0".to_vec()].concat();
    let mut trailing = Fixture::new(USUAL, &mut cite(Digest::sha256(&longer)));
    trailing.proof = longer;
    cases.push(whole("bytes behind the packed proof", &trailing));
    cases
}
