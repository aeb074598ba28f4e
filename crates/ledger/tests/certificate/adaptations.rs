//! Documents of adaptations: what verifies, what somebody without keys cannot change, and what an operator with every key
//! cannot claim. Not here: the proofs by themselves (`weight_proofs.rs`).

use obelus_core::Digest;
use obelus_ledger::{
    adaptation::{ADDED_SOURCES, AdaptationDocument, FORMAT, REPAIR, change_proof_file, growth_proof_file},
    canonical,
    certificate::Exhibit,
    change_proof::ChangeProof,
    growth_proof::GrowthProof,
    keys::Role,
    node_tree::NodeTree,
    statement::{Adaptation, PoolExtension, SourceManifest, Subject, TrainingRun},
    trust::{TrustedKey, TrustedRoot},
    verify::{Input, ProofKind, companions, verify},
    weight_tree::{Layout, leaf_hash},
};

use crate::{
    fixture::{
        GROWN, LAYERS, at, campaign_salt, layout, listed, logged, manifest_root, named, neurons_of, presences, refusal,
        trusted_root, weight_leaves,
    },
    flips::{check_all, flipped},
    statements::{Facts, sign},
};

const GENERATION: u64 = 4;
/// The added sources, each with a segment of its own in the extension.
const ADDED: [usize; 2] = [1, 3];
const SEGMENTS: [u64; 5] = [0, 1, 0, 2, 0];

/// What an adaptation says of a model that is not there.
pub fn adaptation(generation: u64) -> Adaptation {
    Adaptation {
        kind: ADDED_SOURCES.to_owned(),
        generation,
        continues: named("the run before"),
        root_before: named("root before"),
        layout_before: named("layout before"),
        grown: None,
        changed: named("change proof"),
        neurons: named("neurons"),
        neuron_count: 1,
        sources: named("sources"),
        source_count: 1,
        measurement: Some(named("figures")),
    }
}

/// The statement that is about to be signed, for a test to spoil it.
enum Draft<'a> {
    Extension(&'a mut PoolExtension),
    Manifest(&'a mut SourceManifest),
    Training(&'a mut Subject, &'a mut TrainingRun),
}

/// The training run's adaptation, for a test to spoil it.
fn on_adaptation(change: impl Fn(&mut Adaptation)) -> impl FnMut(Draft<'_>) {
    move |draft| {
        if let Draft::Training(_, said) = draft {
            change(said.adaptation.as_mut().unwrap());
        }
    }
}

struct Adapted {
    document: AdaptationDocument,
    change: Vec<u8>,
    growth: Option<Vec<u8>>,
    trust: TrustedRoot,
}

impl Adapted {
    fn added() -> Self {
        Self::new(ADDED_SOURCES, &mut |_| (), &|_, _| ())
    }

    fn repaired() -> Self {
        Self::new(REPAIR, &mut |_| (), &|_, _| ())
    }

    /// Signs and logs the statements. `spoil` sees each just before it is signed; `touch` sees the leaf hashes of the
    /// grown tree and of the trained one before either is proved.
    fn new(kind: &str, spoil: &mut dyn FnMut(Draft<'_>), touch: &dyn Fn(&mut [Digest], &mut [Digest])) -> Self {
        let added = kind == ADDED_SOURCES;
        let segments = if added { SEGMENTS } else { [0; 5] };
        let (before, after) = (layout(LAYERS, 8), layout(LAYERS, if added { 14 } else { 8 }));
        let per_layer = neurons_of(&ADDED, segments);
        let allowed = after.neuron_leaves(&per_layer).unwrap();

        // A repair begins with the rows of a strike, which are zero.
        let struck = before.neuron_leaves(&if added { vec![vec![]; 2] } else { per_layer.clone() }).unwrap();
        let tree_before = NodeTree::new(weight_leaves(&before, 1, &struck));
        let growth = GrowthProof::new(&tree_before);
        let mut grown = if added { growth.grown(&before, &after).unwrap() } else { tree_before.leaves().to_vec() };
        let mut trained = grown.clone();
        allowed.iter().for_each(|leaf| trained[*leaf as usize] = leaf_hash("taught", *leaf as u32, &[&[7; 24]]));
        touch(&mut grown, &mut trained);
        let differ = (0..grown.len() as u64).filter(|i| grown[*i as usize] != trained[*i as usize]);
        let trees = [NodeTree::new(grown.clone()), NodeTree::new(trained.clone())];
        let change = ChangeProof::new(&trees[0], &trees[1], &differ.collect::<Vec<_>>()).unwrap().to_gzip().unwrap();
        let growth = added.then(|| growth.to_gzip().unwrap());

        let sources = listed(&ADDED, segments);
        let facts = Facts { segments, layout: after.digest().unwrap(), ..Facts::about(&sources, &per_layer) };
        let said = Adaptation {
            kind: kind.to_owned(),
            root_before: tree_before.root(),
            layout_before: before.digest().unwrap(),
            grown: growth.as_deref().map(Digest::sha256),
            changed: Digest::sha256(&change),
            neurons: facts.neurons,
            neuron_count: facts.neuron_count,
            sources: facts.sources,
            source_count: facts.source_count,
            ..adaptation(GENERATION)
        };
        let mut signed = Vec::new();
        let mut add = |exhibit, (role, envelope): (_, obelus_ledger::dsse::Envelope)| {
            let digest = envelope.digest().unwrap();
            signed.push((exhibit, role, envelope));
            digest
        };
        let lineage = || Subject::sha256("lineage-a", campaign_salt());
        let campaign = add(Exhibit::Campaign, sign(Exhibit::Campaign, &GROWN, lineage(), facts.campaign()));
        let extension = added.then(|| {
            let mut said = facts.extension(0, campaign, None);
            spoil(Draft::Extension(&mut said));
            add(Exhibit::PoolExtension, sign(Exhibit::PoolExtension, &GROWN, lineage(), said))
        });
        let mut manifest = facts.manifest(campaign, extension);
        spoil(Draft::Manifest(&mut manifest));
        let subject = Subject::sha256("source manifest", manifest_root(segments));
        let manifest = add(Exhibit::Manifest, sign(Exhibit::Manifest, &GROWN, subject, manifest));
        let mut subject = Subject::weights("demo", trees[1].root());
        let mut training = TrainingRun { adaptation: Some(said), ..facts.training(manifest) };
        spoil(Draft::Training(&mut subject, &mut training));
        add(Exhibit::Training, sign(Exhibit::Training, &GROWN, subject, training));

        let positions = if added { &[1, 2, 5, 9][..] } else { &[1, 5, 9] };
        let (_, logged, checkpoint) = logged(signed, positions);
        let (extensions, exhibits) = logged.into_iter().partition(|l| l.exhibit == Exhibit::PoolExtension);
        let document = AdaptationDocument {
            format: FORMAT.to_owned(),
            exhibits,
            extensions,
            sources: if added { sources } else { vec![] },
            layout_before: before,
            layout_after: after,
            checkpoint,
            change_proof_file: change_proof_file("demo", GENERATION),
            growth_proof_file: added.then(|| growth_proof_file("demo", GENERATION)),
            neurons: (!added).then_some(per_layer),
        };
        Self { document, change, growth, trust: trusted_root() }
    }

    fn file(&self) -> Vec<u8> {
        canonical::to_bytes(&self.document).unwrap()
    }

    fn proofs(&self) -> Vec<(ProofKind, &[u8])> {
        let growth = self.growth.iter().map(|growth| (ProofKind::Growth, growth.as_slice()));
        [(ProofKind::Change, self.change.as_slice())].into_iter().chain(growth).collect()
    }

    fn refusal(&self, file: &[u8], proofs: &[(ProofKind, &[u8])]) -> Option<String> {
        refusal(&Input { file, document: None, proofs }, &self.trust)
    }
}

fn check(adapted: &Adapted, because: &str) {
    let refused = adapted.refusal(&adapted.file(), &adapted.proofs()).unwrap_or_default();
    assert!(refused.contains(because), "wanted {because:?}, found {refused:?}");
}

/// Somebody without keys changes the document.
fn check_document(mut adapted: Adapted, change: impl FnOnce(&mut AdaptationDocument), because: &str) {
    change(&mut adapted.document);
    check(&adapted, because);
}

/// An operator with every key signs something else.
fn check_operator(kind: &str, mut spoil: impl FnMut(Draft<'_>), because: &str) {
    check(&Adapted::new(kind, &mut spoil, &|_, _| ()), because);
}

#[test]
fn added_sources_and_a_repair_verify_with_and_without_their_proofs() {
    for adapted in [Adapted::added(), Adapted::repaired()] {
        let (file, proofs) = (adapted.file(), adapted.proofs());
        assert_eq!(adapted.refusal(&file, &proofs), None);
        for left in 0..proofs.len() {
            let at_hand = [&proofs[..left], &proofs[left + 1..]].concat();
            let report = verify(&Input { file: &file, document: None, proofs: &at_hand }, &adapted.trust).unwrap();
            assert!(report.ok && report.kind == "adaptation");
            let check = report.checks.iter().find(|check| check.name == proofs[left].0.name()).unwrap();
            assert!(check.detail.starts_with("left out"), "{}", check.detail);
        }
        // Each proof by itself, with the document and the other beside it.
        for (kind, proof) in &proofs {
            let others: Vec<_> = proofs.iter().filter(|(other, _)| other != kind).copied().collect();
            let beside = Input { file: proof, document: Some(&file), proofs: &others };
            let report = verify(&beside, &adapted.trust).unwrap();
            assert!(report.ok && report.kind == kind.name(), "{report:?}");
            let alone = refusal(&Input { file: proof, ..Default::default() }, &adapted.trust).unwrap();
            assert!(alone.contains("says nothing alone"), "{alone}");
        }
        let names: Vec<_> = companions(&file).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(names, proofs.iter().map(|(kind, _)| *kind).collect::<Vec<_>>());
    }
}

#[test]
fn a_plain_proof_is_recognised_and_is_not_the_cited_file() {
    let adapted = Adapted::added();
    let change = ChangeProof::from_bytes(&adapted.change).unwrap().to_bytes().unwrap();
    let growth = GrowthProof::from_bytes(adapted.growth.as_ref().unwrap()).unwrap().to_bytes().unwrap();
    for (proof, kind) in [(change, "change proof"), (growth, "growth proof")] {
        let file = adapted.file();
        let beside = Input { file: &proof, document: Some(&file), proofs: &[] };
        let report = verify(&beside, &adapted.trust).unwrap();
        assert!(!report.ok && report.kind == kind);
        assert!(report.checks.iter().any(|check| check.detail.contains("not the file that the training run cites")));
    }
    // Beside a certificate a change proof proves nothing.
    let certificate = crate::fixture::Fixture::usual().file();
    let beside = Input { file: &adapted.change, document: Some(&certificate), proofs: &[] };
    assert!(refusal(&beside, &adapted.trust).unwrap().contains("is no document of the adaptation"));
}

#[test]
fn a_weight_outside_the_named_neurons_cannot_change() {
    for kind in [ADDED_SOURCES, REPAIR] {
        let count = Adapted::new(kind, &mut |_| (), &|_, _| ()).document.layout_after.leaves() as usize;
        let allowed = Adapted::new(kind, &mut |_| (), &|_, _| ());
        let allowed = ChangeProof::from_bytes(&allowed.change).unwrap().changed_leaves;
        for leaf in (0..count).filter(|leaf| !allowed.contains(&(*leaf as u64))) {
            let touch = |_: &mut [Digest], trained: &mut [Digest]| trained[leaf] = named("another weight");
            check(&Adapted::new(kind, &mut |_| (), &touch), &format!("lets leaf {leaf} differ"));
        }
    }
}

#[test]
fn rows_that_were_not_zero_before_are_no_fresh_rows() {
    let first = ChangeProof::from_bytes(&Adapted::added().change).unwrap().changed_leaves[0] as usize;
    let touch = |grown: &mut [Digest], _: &mut [Digest]| grown[first] = named("something from before");
    // With the growth proof the root gives it away, without it the row.
    let mut adapted = Adapted::new(ADDED_SOURCES, &mut |_| (), &touch);
    check(&adapted, "root before the run rebuilt");
    adapted.growth = None;
    check(&adapted, "was not zero before");
}

#[test]
fn sources_in_rows_that_others_use_are_not_said_to_have_fresh_ones() {
    let used = |grown: &mut [Digest], trained: &mut [Digest]| {
        let differ: Vec<usize> = (0..grown.len()).filter(|i| grown[*i] != trained[*i]).collect();
        differ.iter().for_each(|leaf| grown[*leaf] = named("another source's row"));
    };
    let overwritten = Adapted::new(REPAIR, &mut |_| (), &used);
    let change = ChangeProof::from_bytes(&overwritten.change).unwrap();
    let (root, _) = change.roots(&overwritten.document.layout_after).unwrap();
    let mut stated = on_adaptation(|a| (a.kind, a.root_before) = (ADDED_SOURCES.to_owned(), root));
    let mut shared = Adapted::new(REPAIR, &mut stated, &used);
    shared.document.neurons = None;
    shared.document.sources = listed(&ADDED, [0; 5]);
    let input = Input { file: &shared.file(), document: None, proofs: &shared.proofs() };
    let report = verify(&input, &shared.trust).unwrap();
    assert!(report.ok, "{report:?}");
    let said: String = report.checks.iter().map(|check| check.detail.as_str()).collect();
    assert!(said.contains("which other sources may use too") && !said.contains("zero before"), "{said}");
}

#[test]
fn somebody_without_keys_cannot_change_the_document() {
    let added = Adapted::added;
    check_document(added(), |d| d.exhibits.swap(0, 1), "one of each");
    check_document(added(), |d| drop(d.exhibits.pop()), "one of each");
    check_document(added(), |d| d.exhibits.clear(), "one of each");
    check_document(added(), |d| d.extensions.clear(), "does not rest on the last");
    check_document(added(), |d| drop(d.sources.pop()), "other sources");
    check_document(added(), |d| d.sources.push(presences(SEGMENTS)[0].clone()), "other sources");
    check_document(added(), |d| d.sources.clear(), "other sources");
    check_document(added(), |d| d.layout_before = d.layout_after.clone(), "layout is not the one");
    check_document(added(), |d| d.layout_after.0[0].rows += 1, "inconsistent");
    check_document(added(), |d| d.layout_after = Layout(vec![]), "no such neurons");
    check_document(added(), |d| d.change_proof_file = "x.changeproof.json".to_owned(), "proof's name");
    check_document(added(), |d| d.growth_proof_file = None, "proof's name");
    check_document(added(), |d| d.neurons = Some(neurons_of(&ADDED, SEGMENTS)), "follow from records");
    check_document(added(), |d| d.checkpoint += "\u{2014} witness.example AAAAAAAA\n", "no trusted key covers");
    let repaired = Adapted::repaired;
    check_document(repaired(), |d| d.neurons = None, "other sources");
    check_document(repaired(), |d| d.neurons.as_mut().unwrap()[0].reverse(), "ascending list");
    check_document(repaired(), |d| drop(d.neurons.as_mut().unwrap().pop()), "ascending list");
    check_document(repaired(), |d| d.neurons.as_mut().unwrap()[0].clear(), "not those that the run states");
    check_document(repaired(), |d| d.sources = listed(&ADDED, [0; 5]), "follow from records");
    check_document(repaired(), |d| d.growth_proof_file = Some("x".to_owned()), "proof's name");
}

#[test]
fn an_operator_cannot_state_what_the_document_does_not_bear_out() {
    type Change = fn(&mut Adaptation);
    let wrong: [(Change, &str); 13] = [
        (|a| a.kind = "other".to_owned(), "kind of the adaptation is unknown"),
        (|a| a.kind = REPAIR.to_owned(), "does not grow the pool"),
        (|a| a.generation = 0, "no generation"),
        (|a| a.generation = 5, "proof's name"),
        (|a| a.root_before = named("x"), "root before the pool grew"),
        (|a| a.layout_before = named("x"), "layout is not the one"),
        (|a| a.grown = Some(named("x")), "growth proof is not the file"),
        (|a| a.grown = None, "proof's name"),
        (|a| a.changed = named("x"), "change proof is not the file"),
        (|a| a.neurons = named("x"), "not those that the run states"),
        (|a| a.neuron_count += 1, "not those that the run states"),
        (|a| a.sources = named("x"), "other sources"),
        (|a| a.source_count = 1, "other sources"),
    ];
    for (change, because) in wrong {
        check_operator(ADDED_SOURCES, on_adaptation(change), because);
    }
    let training = |change: fn(&mut Subject, &mut TrainingRun)| {
        move |draft: Draft<'_>| {
            if let Draft::Training(subject, said) = draft {
                change(subject, said);
            }
        }
    };
    for kind in [ADDED_SOURCES, REPAIR] {
        check_operator(kind, training(|_, t| t.adaptation = None), "is no adaptation");
        check_operator(kind, training(|_, t| t.baseline_of = Some(t.manifest)), "retrain baseline");
        check_operator(kind, training(|_, t| t.manifest = t.layout), "another manifest");
        check_operator(kind, training(|_, t| t.layout = t.manifest), "layout is not the one");
        check_operator(kind, training(|_, t| t.started_at = at(0)), "after training had begun");
        check_operator(kind, training(|_, t| t.ended_at = at(1)), "times contradict");
        check_operator(kind, training(|_, t| t.model = "other".to_owned()), "proof's name");
        check_operator(kind, training(|_, t| t.model = "../demo".to_owned()), "proof's name");
        check_operator(
            kind,
            training(|s, t| s.digest.null_weight_tree_v1 = Some(t.manifest)),
            "root after the run rebuilt",
        );
        check_operator(
            kind,
            training(|s, _| (s.digest.sha256, s.digest.null_weight_tree_v1) = (s.digest.null_weight_tree_v1, None)),
            "names no weight root",
        );
    }
    check_operator(REPAIR, on_adaptation(|a| a.root_before = named("x")), "root before the run rebuilt");
    let extension = |draft: Draft<'_>| match draft {
        Draft::Extension(said) => said.base = 9,
        Draft::Manifest(_) | Draft::Training(..) => (),
    };
    check_operator(ADDED_SOURCES, extension, "begins at neuron 9");
    let manifest = |draft: Draft<'_>| {
        if let Draft::Manifest(said) = draft {
            said.campaign = said.tokenizer;
        }
    };
    check_operator(ADDED_SOURCES, manifest, "another campaign");
}

#[test]
fn keys_that_were_not_valid_or_not_trusted_are_refused() {
    let refused = |role: Role, change: fn(&mut TrustedKey), because: &str| {
        let mut adapted = Adapted::added();
        adapted.trust.keys.iter_mut().filter(|key| key.role == role).for_each(change);
        check(&adapted, because);
    };
    for role in [Role::Registrar, Role::Model] {
        refused(role, |key| key.valid_to = Some(at(-1)), "was not valid at");
        refused(role, |key| key.role = Role::Issuer, "no trusted");
    }
    refused(Role::Log, |key| key.valid_to = Some(at(2)), "had ended before the training run");
}

#[test]
fn every_flipped_byte_of_a_document_and_its_proofs_is_noticed() {
    for adapted in [Adapted::added(), Adapted::repaired()] {
        let (file, proofs) = (adapted.file(), adapted.proofs());
        check_all(file.len(), |at| {
            let changed = flipped(&file, at, if at % 2 == 0 { 0x01 } else { 0x20 });
            adapted.refusal(&changed, &[]).map(drop).ok_or_else(|| format!("byte {at}"))
        });
        for which in 0..proofs.len() {
            check_all(proofs[which].1.len(), |at| {
                let changed = flipped(proofs[which].1, at, 0x01);
                for proof in [&changed[..], &proofs[which].1[..at]] {
                    let mut at_hand = proofs.clone();
                    at_hand[which].1 = proof;
                    let refused = adapted.refusal(&file, &at_hand);
                    refused.ok_or_else(|| format!("proof {which}, byte {at} of {}", proof.len()))?;
                }
                Ok(())
            });
        }
    }
}
