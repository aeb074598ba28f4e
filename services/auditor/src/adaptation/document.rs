//! The document of an adaptation, which anybody can check offline.
//!
//! What it says of the two checkpoints is on disk before the run is signed, because the old checkpoint is removed; the
//! signed statements are put in afterwards, also by whoever goes on where a process was killed in between.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use obelus_core::DataDirectory;
use obelus_ledger::{
    adaptation::{self as ledger, AdaptationDocument},
    canonical,
    certificate::Exhibit,
};
use obelus_model::{ModelRecord, WeightTree};
use obelus_store::{
    adaptations::{Adaptation, AdaptationKind},
    campaigns, manifests, models,
};

use super::{Begun, NEXT_RECORD};
use obelus_casework::{Deps, durable::write_durably, exhibits};

/// Names of an adaptation's files in the folder of certificates.
pub(super) struct Files {
    model: String,
    generation: u64,
    folder: PathBuf,
}

impl Files {
    pub(super) fn of(data: &DataDirectory, record: &ModelRecord) -> Self {
        Self { model: record.name.clone(), generation: record.generation, folder: data.certificates() }
    }

    pub(super) fn document(&self) -> PathBuf {
        self.folder.join(ledger::document_file(&self.model, self.generation))
    }

    pub(super) fn change_proof(&self) -> PathBuf {
        self.folder.join(ledger::change_proof_file(&self.model, self.generation))
    }

    pub(super) fn growth_proof(&self) -> PathBuf {
        self.folder.join(ledger::growth_proof_file(&self.model, self.generation))
    }

    pub(super) fn measurement(&self) -> PathBuf {
        self.folder.join(format!("{}.adaptation-{}.measurement.json", self.model, self.generation))
    }

    fn draft(&self) -> PathBuf {
        self.folder.join(format!(".{}.adaptation-{}.draft", self.model, self.generation))
    }
}

/// Writes what the document says of the two checkpoints.
pub(super) fn draft(files: &Files, begun: &Begun, after: &WeightTree, grew: bool) -> Result<()> {
    let (model, generation) = (&files.model, files.generation);
    let draft = AdaptationDocument {
        format: ledger::FORMAT.to_owned(),
        exhibits: vec![],
        extensions: vec![],
        sources: vec![],
        layout_before: begun.before.layout().clone(),
        layout_after: after.layout().clone(),
        checkpoint: String::new(),
        change_proof_file: ledger::change_proof_file(model, generation),
        growth_proof_file: grew.then(|| ledger::growth_proof_file(model, generation)),
        neurons: (begun.row.kind == AdaptationKind::Repair).then(|| begun.changed.per_layer.clone()),
    };
    write_durably(&files.draft(), &canonical::to_bytes(&draft)?)
}

/// Writes the document of a signed adaptation, if that was not done.
pub(super) async fn complete(deps: &Deps, row: &Adaptation, folder: &Path) -> Result<()> {
    let next = folder.join(NEXT_RECORD);
    let record = match fs::read(&next) {
        Ok(bytes) => serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", next.display()))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => ModelRecord::open(folder)?,
        Err(e) => return Err(e).with_context(|| format!("cannot read {}", next.display())),
    };
    let files = Files::of(&deps.data, &record);
    let path = files.draft();
    let bytes = match fs::read(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && files.document().is_file() => return Ok(()),
        read => read.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let mut document: AdaptationDocument = canonical::from_bytes(&bytes)?;
    let model = models::get(&deps.db, &row.model).await?.context("an adaptation names a model")?;
    let campaign = campaigns::get(&deps.db, &model.lineage).await?.context("the model has a campaign")?;
    let manifest = manifests::latest(&deps.db, &model.lineage).await?.context("the model has a manifest")?.statement.0;
    let exhibits = [
        (Exhibit::Campaign, campaign.statement.0),
        (Exhibit::Manifest, manifest),
        (Exhibit::Training, row.statement.context("the adaptation is signed")?.0),
    ];
    let exhibits = exhibits::collect(deps, &model.lineage, &exhibits).await?;
    document.exhibits = exhibits.logged;
    document.extensions = exhibits.extensions;
    document.checkpoint = exhibits.checkpoint;
    document.sources = exhibits::presences(deps, &model.lineage, &row.sources.0, &manifest).await?;
    write_durably(&files.document(), &canonical::to_bytes(&document)?)?;
    fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))
}
