//! The document of an adaptation checked from its bytes to the weight roots before and after. Not here: how proofs are
//! rebuilt (`growth_proof.rs`, `change_proof.rs`), and where a source's neurons come from (`registration.rs`).

use obelus_core::Digest;

use super::{
    Checks, Report,
    exhibits::Exhibits,
    opened_checkpoint,
    registration::{Registration, count_and_digest},
};
use crate::{
    adaptation::{ADDED_SOURCES, AdaptationDocument, EXHIBITS, FORMAT, REPAIR, change_proof_file, growth_proof_file},
    canonical,
    change_proof::ChangeProof,
    growth_proof::GrowthProof,
    statement::{Adaptation, Statement, TrainingRun},
    trust::TrustedRoot,
};

/// The proofs at hand.
struct Proofs<'a> {
    change: Option<&'a [u8]>,
    growth: Option<&'a [u8]>,
}

pub(super) fn report(file: &[u8], change: Option<&[u8]>, growth: Option<&[u8]>, trust: &TrustedRoot) -> Report {
    let mut checks = Checks(vec![]);
    match canonical::from_bytes::<AdaptationDocument>(file) {
        Err(e) => {
            checks.add("canonical form", Err(e.to_string()));
        }
        Ok(document) => {
            checks.holds(
                "canonical form",
                document.format == FORMAT,
                "the file is exactly the bytes that its contents give",
                "unknown format",
            );
            if let Err(reason) = check(&document, &Proofs { change, growth }, trust, &mut checks) {
                checks.add("statements", Err(reason));
            }
        }
    }
    checks.report("adaptation")
}

/// The statements of the document, every signature verified.
struct Opened {
    registration: Registration,
    training: Statement<TrainingRun>,
    adaptation: Adaptation,
    /// Weight root after.
    root_after: Digest,
}

fn check(
    document: &AdaptationDocument,
    proofs: &Proofs<'_>,
    trust: &TrustedRoot,
    checks: &mut Checks,
) -> Result<(), String> {
    let (checkpoint, log_key) = opened_checkpoint(&document.checkpoint, trust, checks)?;
    let (exhibits, extensions) = (&document.exhibits, &document.extensions);
    let mut exhibits = Exhibits::open(exhibits, extensions, &EXHIBITS, trust, &checkpoint)?;
    let registration = Registration::read(&mut exhibits, extensions.len())?;
    let (training, _) = exhibits.read::<TrainingRun>()?;
    let adaptation = training.predicate.adaptation.clone().ok_or("the training run is no adaptation")?;
    let root_after = training.subject().digest.null_weight_tree_v1.ok_or("the training run names no weight root")?;
    let opened = Opened { registration, training, adaptation, root_after };
    checks.add("statements", Ok("three statements signed by the right roles, each in the log, in order".to_owned()));
    // A checkpoint has no time, but one that covers the training run was signed after it.
    let ended = opened.training.predicate.ended_at;
    if log_key.valid_to.is_some_and(|end| end < ended) {
        return Err(format!("the log key that signed the checkpoint had ended before the training run did, {ended}"));
    }
    if opened.registration.grew() && !checks.add("pool", opened.registration.pool_agrees()) {
        return Ok(());
    }
    checks.add("citations", citations(&opened));
    file_names(document, &opened, checks);
    let (per_layer, rows) = allowed_neurons(document, &opened, checks)?;
    let leaves = layouts(document, &opened, &per_layer, checks)?;
    let grown = growth(document, proofs.growth, &opened, checks);
    change(document, proofs.change, grown, &(leaves, rows), &opened, checks);
    Ok(())
}

/// What the statements must say of each other, and that the run is an adaptation of a known kind.
fn citations(opened: &Opened) -> Result<String, String> {
    let (t, a) = (&opened.training.predicate, &opened.adaptation);
    let (l, m) = (&opened.registration.campaign.predicate, &opened.registration.manifest.predicate);
    let mut rules = opened.registration.rules().to_vec();
    rules.extend([
        ("the training cites another manifest", t.manifest == opened.registration.manifest_digest),
        ("the training is that of a retrain baseline, not of the model", t.baseline_of.is_none()),
        ("the kind of the adaptation is unknown", [ADDED_SOURCES, REPAIR].contains(&a.kind.as_str())),
        ("the model before is no generation before this one", a.generation > 0),
        ("a repair does not grow the pool", a.kind != REPAIR || a.grown.is_none()),
        (
            "the sources were registered after training had begun",
            l.created_at <= m.created_at && m.created_at <= t.started_at,
        ),
        ("the times contradict each other", t.started_at <= t.ended_at),
    ]);
    match rules.iter().find(|(_, holds)| !holds) {
        Some((broken, _)) => Err((*broken).to_owned()),
        None => Ok(format!(
            "{} citations agree; {} made generation {}; left out: what led to the weights before is not in this file",
            rules.len(),
            a.kind,
            a.generation
        )),
    }
}

fn file_names(document: &AdaptationDocument, opened: &Opened, checks: &mut Checks) {
    let (model, generation) = (&opened.training.predicate.model, opened.adaptation.generation);
    let growth = opened.adaptation.grown.map(|_| growth_proof_file(model, generation));
    checks.holds(
        "file names",
        document.change_proof_file == change_proof_file(model, generation)
            && document.growth_proof_file == growth
            && !model.contains(['/', '\\', '\0']),
        "the proofs are named by model and generation",
        "a proof's name is not that of model and generation, or there is a growth proof that the run does not cite",
    );
}

/// The neurons that were allowed to change, layer by layer, and whose they are.
fn allowed_neurons(
    document: &AdaptationDocument,
    opened: &Opened,
    checks: &mut Checks,
) -> Result<(Vec<Vec<u32>>, Rows), String> {
    let (registration, adaptation) = (&opened.registration, &opened.adaptation);
    let campaign = &registration.campaign.predicate;
    let (per_layer, rows, told) = match &document.neurons {
        Some(neurons) => {
            checks.holds(
                "sources",
                adaptation.kind == REPAIR && document.sources.is_empty(),
                &format!("left out: the {} sources trained on are not in this file", adaptation.source_count),
                "the file lists neurons, which those of added sources follow from records",
            );
            let ascend = neurons.iter().all(|layer| layer.windows(2).all(|w| w[0] < w[1]));
            if !ascend || neurons.len() as u64 != u64::from(campaign.layers) {
                return Err("the neurons are not one ascending list for each layer of the campaign".to_owned());
            }
            (neurons.clone(), Rows::Repaired, "listed in this file")
        }
        None => {
            let found = registration.neurons_of(&document.sources)?;
            checks.holds(
                "sources",
                adaptation.kind == ADDED_SOURCES
                    && found.distinct
                    && found.count == adaptation.source_count
                    && found.list == adaptation.sources,
                &format!(
                    "{} of {} records in the manifest, seeds recomputed from the source ids",
                    found.count, registration.manifest.predicate.count
                ),
                "the run was on other sources than the records, or one stands there twice",
            );
            let rows = if found.appended { Rows::Fresh } else { Rows::Shared };
            (found.per_layer, rows, "recomputed from the seeds")
        }
    };
    let (count, digest) = count_and_digest(&per_layer)?;
    checks.holds(
        "neurons",
        count > 0
            && digest == adaptation.neurons
            && count == adaptation.neuron_count
            && campaign.mask_scheme == "null-mask/v1",
        &format!("{count} neurons in {} layers, {told}", campaign.layers),
        "the neurons that were allowed to change are not those that the run states",
    );
    Ok((per_layer, rows))
}

/// Both layouts are the stated ones. Gives the leaves of the neurons, ascending.
fn layouts(
    document: &AdaptationDocument,
    opened: &Opened,
    per_layer: &[Vec<u32>],
    checks: &mut Checks,
) -> Result<Vec<u64>, String> {
    let (before, after) = (&document.layout_before, &document.layout_after);
    for layout in [before, after] {
        layout.check().map_err(|e| e.to_string())?;
    }
    let digests = [before, after].map(|layout| layout.digest().map_err(|e| e.to_string()));
    let [digest_before, digest_after] = digests;
    let sinks = after.0.iter().filter(|place| place.name.contains(".mlp.sinks")).count();
    checks.holds(
        "layout",
        digest_before? == opened.adaptation.layout_before
            && digest_after? == opened.training.predicate.layout
            && (opened.adaptation.grown.is_some() || before == after)
            && sinks == per_layer.len(),
        "both layouts are the stated ones, with sinks in exactly the campaign's layers",
        "a layout is not the one that was stated, has sinks in other layers, or differs without a growth proof",
    );
    after.neuron_leaves(per_layer).ok_or_else(|| "the layout has no such neurons".to_owned())
}

/// The root of the tree whose neurons the run changed; none where a growth proof is needed and not at hand, or refused.
fn growth(document: &AdaptationDocument, proof: Option<&[u8]>, opened: &Opened, checks: &mut Checks) -> Option<Digest> {
    let adaptation = &opened.adaptation;
    let Some(cited) = adaptation.grown else { return Some(adaptation.root_before) };
    let Some(bytes) = proof else {
        let name = document.growth_proof_file.as_deref().unwrap_or_default();
        let detail =
            format!("left out: {name} is not beside the document; that the new rows began at zero is as signed");
        checks.add("growth proof", Ok(detail));
        return None;
    };
    let verified = if Digest::sha256(bytes) == cited {
        GrowthProof::from_bytes(bytes)
            .and_then(|p| p.verify(&document.layout_before, &document.layout_after, &adaptation.root_before))
            .map_err(|e| e.to_string())
    } else {
        Err("the growth proof is not the file that the training run cites".to_owned())
    };
    let new = document.layout_after.leaves().saturating_sub(document.layout_before.leaves());
    let root = verified.as_ref().ok().copied();
    let said = |grown| {
        format!(
            "root before rebuilt: {new} zero rows were appended to the pool, nothing else changed; a strike that ends \
             with the root {grown} gives back the model before, bit for bit"
        )
    };
    checks.add("growth proof", verified.map(said));
    root
}

/// What the rows are that were allowed to change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// Of added sources, in segments that were appended for them: zero before.
    Fresh,
    /// Of added sources, in a segment of the campaign that other sources use too.
    Shared,
    /// Of sources that the model has.
    Repaired,
}

impl Rows {
    fn told(self) -> &'static str {
        match self {
            Self::Fresh => ", which were zero before",
            Self::Shared => ", which other sources may use too",
            Self::Repaired => "",
        }
    }
}

/// Between the grown tree (or the one before) and the one after only the neurons' leaves differ. Without a rebuilt growth
/// the proof's own root before stands in for that of the grown tree, and the report says so.
fn change(
    document: &AdaptationDocument,
    proof: Option<&[u8]>,
    grown: Option<Digest>,
    (leaves, rows): &(Vec<u64>, Rows),
    opened: &Opened,
    checks: &mut Checks,
) {
    let Some(bytes) = proof else {
        let name = &document.change_proof_file;
        let detail = format!("left out: {name} is not beside the document; the roots are as signed, not rebuilt");
        checks.add("change proof", Ok(detail));
        return;
    };
    let verified = || {
        if Digest::sha256(bytes) != opened.adaptation.changed {
            return Err("the change proof is not the file that the training run cites".to_owned());
        }
        let layout = &document.layout_after;
        let proof = ChangeProof::from_bytes(bytes).map_err(|e| e.to_string())?;
        let before = match grown {
            Some(root) => root,
            None => proof.roots(layout).map_err(|e| e.to_string())?.0,
        };
        proof.verify(layout, leaves, &before, &opened.root_after).map_err(|e| e.to_string())?;
        if *rows == Rows::Fresh {
            proof.verify_zero_before(layout).map_err(|e| e.to_string())?;
        }
        let told = rows.told();
        Ok(match grown {
            Some(_) => format!(
                "both roots rebuilt: of {} leaves only {} may differ{told}; backbone, attention, embeddings, norms and \
                 every other sink are bit for bit what they were",
                proof.leaf_count,
                proof.changed_leaves.len()
            ),
            None => format!(
                "the root after rebuilt: only {} leaves may differ{told}; left out: without the growth proof nothing \
                 ties the tree before to the weights before",
                proof.changed_leaves.len()
            ),
        })
    };
    checks.add("change proof", verified());
}
