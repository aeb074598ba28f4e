//! The files that proofs over a manifest are made from: written, opened, and made again from the records where one is
//! missing or damaged. What is signed is not read from them.
//!
//! Not here: the layout of the file (`obelus-ledger`), and signing a manifest (`manifest.rs`).

use std::{
    fs::{self, File},
    io::{self, ErrorKind},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use obelus_core::Digest;
use obelus_ledger::{
    manifest::{
        Absence, Entry, ManifestTree, Place, Presence, SortError, Sorter, SourceRecord, TreeError, TreeWriter, key,
    },
    statement::{SourceManifest, Statement},
};
use obelus_store::{
    campaigns, manifests,
    sources::{self, Source},
};

use crate::{Deps, exhibits::statement, fault::point};

/// Sources read at once.
const PAGE: u64 = 10_000;
/// Entries sorted in memory, 64 bytes each.
const RUN: usize = 1 << 20;

type ReadAt = Box<dyn Fn(u64, &mut [u8]) -> io::Result<()> + Send + Sync>;

/// Sorts entries, with runs beside the trees of the lineage. They have no names, so that a process that is killed leaves
/// none.
///
/// # Errors
/// When the folder cannot be made.
pub fn sorter(deps: &Deps, lineage: &str) -> Result<Sorter<File, impl FnMut() -> io::Result<File>>> {
    let folder = deps.data.manifests(lineage);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(Sorter::new(RUN, move || tempfile::tempfile_in(&folder)))
}

/// Gives a sorter the records of a lineage that are in its manifest of a generation.
///
/// # Errors
/// When the database fails.
pub async fn sort_registered<F>(deps: &Deps, lineage: &str, generation: i64, sorter: &mut Sorter<File, F>) -> Result<()>
where
    F: FnMut() -> io::Result<File>,
{
    let mut after: Option<String> = None;
    loop {
        let page = sources::page(&deps.db, lineage, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.source_id.clone());
        for row in page.iter().filter(|row| row.manifest <= generation) {
            sorter.push(Entry::new(Digest::new(row.record_key.0), &row.record))?;
        }
    }
}

/// A tree that was written and is not in its place yet.
pub struct Draft {
    partial: PathBuf,
    path: PathBuf,
    /// The root over its entries.
    pub root: Digest,
    _alone: File,
}

/// Writes the tree of a manifest over sorted entries.
///
/// # Errors
/// When an entry comes twice, or the folder has no room.
pub fn write(
    deps: &Deps,
    lineage: &str,
    generation: i64,
    count: u64,
    entries: impl Iterator<Item = Result<Entry, SortError>>,
) -> Result<Draft> {
    let path = path(deps, lineage, generation);
    let lock_path = path.with_file_name(".lock");
    let alone = File::create(&lock_path).with_context(|| format!("cannot create {}", lock_path.display()))?;
    alone.lock().with_context(|| format!("cannot lock {}", lock_path.display()))?;
    let partial = path.with_extension("partial");
    let file = File::create(&partial).with_context(|| format!("cannot create {}", partial.display()))?;
    let mut tree = TreeWriter::new(count, |at, bytes: &[u8]| file.write_all_at(bytes, at));
    let written = || -> Result<Digest> {
        for entry in entries {
            tree.push(&entry?)?;
        }
        let root = tree.finish()?;
        file.sync_all()?;
        Ok(root)
    };
    match written().with_context(|| format!("cannot write {}", partial.display())) {
        Ok(root) => Ok(Draft { partial, path, root, _alone: alone }),
        Err(error) => {
            // What stays is written over by the next one.
            let _ = fs::remove_file(&partial);
            Err(error)
        }
    }
}

impl Draft {
    /// Puts the tree in its place.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn keep(self) -> Result<()> {
        fs::rename(&self.partial, &self.path).with_context(|| format!("cannot put {} in place", self.path.display()))
    }

    /// Removes it again.
    pub fn discard(self) {
        // What stays is written over by the next one.
        let _ = fs::remove_file(&self.partial);
    }
}

fn path(deps: &Deps, lineage: &str, generation: i64) -> PathBuf {
    deps.data.manifests(lineage).join(format!("{generation}.tree"))
}

/// Removes the tree of an earlier manifest. It is made again when a proof is asked for.
pub fn forget(deps: &Deps, lineage: &str, generation: i64) {
    let path = path(deps, lineage, generation);
    if let Err(error) = fs::remove_file(&path)
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!("remove {}: it is of no more use, and could not be removed: {error}", path.display());
    }
}

/// A signed manifest, to make proofs from.
pub struct SignedManifest<'d> {
    deps: &'d Deps,
    /// Its row.
    pub row: manifests::Manifest,
    count: u64,
    root: Digest,
    tree: ManifestTree<ReadAt>,
}

impl<'d> SignedManifest<'d> {
    /// Opens the manifest that a statement is about; its signature is verified. The tree is made where it is missing.
    ///
    /// # Errors
    /// When there is no such manifest, or its records do not give the root that was signed.
    pub async fn open(deps: &'d Deps, stated: &Digest) -> Result<Self> {
        let row = manifests::stated(&deps.db, stated).await?;
        let row = row.with_context(|| format!("the statement {stated} is about no registered manifest"))?;
        let signed: Statement<SourceManifest> = statement(deps, stated).await?;
        let root = signed.subject().digest.sha256.context("a manifest's subject is its root")?;
        let count = signed.predicate.count;
        let path = path(deps, &row.lineage, row.generation);
        let tree = match open(&path, count, root) {
            Err(TreeError::Io(error)) if error.kind() == ErrorKind::NotFound => None,
            Err(error @ TreeError::Damaged(_)) => {
                tracing::warn!("{}: {error}", path.display());
                None
            }
            opened => Some(opened.with_context(|| format!("cannot read {}", path.display()))?),
        };
        let tree = match tree {
            Some(tree) => tree,
            None => made_again(deps, &row, count, root).await?,
        };
        Ok(Self { deps, row, count, root, tree })
    }

    /// A source's place, its proof verified.
    ///
    /// # Errors
    /// When the source is not in this manifest, or the database is damaged.
    pub async fn presence(&mut self, source: &Source) -> Result<(Presence, SourceRecord)> {
        ensure!(
            source.lineage == self.row.lineage && source.manifest <= self.row.generation,
            "{} was registered after this manifest of {}",
            source.source_id,
            self.row.lineage
        );
        match self.found(source) {
            Err(TreeError::Damaged(_)) => {
                self.make_again().await?;
                let found = self.found(source);
                found.with_context(|| format!("the record of {} is not the one that was signed", source.source_id))
            }
            other => other.with_context(|| format!("cannot prove the record of {}", source.source_id)),
        }
    }

    fn found(&self, source: &Source) -> Result<(Presence, SourceRecord), TreeError> {
        match self.tree.find(&Digest::new(source.record_key.0))? {
            Place::At(index) => self.tree.presence(index, &source.record),
            Place::Before(_) => Err(TreeError::Damaged("lacks a record")),
        }
    }

    /// Proof that no source of this name is in the manifest, verified. None when there is one.
    ///
    /// # Errors
    /// When the database is damaged.
    pub async fn absence(&mut self, id: &str) -> Result<Option<(Absence, [u8; 32])>> {
        let campaign = campaigns::get(&self.deps.db, &self.row.lineage).await?.context("a manifest has a campaign")?;
        let manifest_key = campaign.manifest_key.0;
        let registered = sources::get(&self.deps.db, &self.row.lineage, id).await?;
        if registered.is_some_and(|source| source.manifest <= self.row.generation) {
            return Ok(None);
        }
        let absence = match self.neighbours(&manifest_key, id).await? {
            Some(absence) => absence,
            None => {
                self.make_again().await?;
                let absence = self.neighbours(&manifest_key, id).await?;
                absence.context("the records around a source that is not there are not those that were signed")?
            }
        };
        Ok(Some((absence, manifest_key)))
    }

    /// The records between which a source would be; none where the file or the database does not give their proofs.
    async fn neighbours(&self, manifest_key: &[u8; 32], id: &str) -> Result<Option<Absence>> {
        let Place::Before(next) = self.tree.find(&key(manifest_key, id))? else { return Ok(None) };
        let mut neighbours = [None, None];
        let places = [next.checked_sub(1), (next < self.count).then_some(next)];
        for (neighbour, index) in neighbours.iter_mut().zip(places) {
            let Some(index) = index else { continue };
            let row = sources::with_key(&self.deps.db, &self.row.lineage, &self.tree.key(index)?).await?;
            let Some(row) = row else { return Ok(None) };
            match self.tree.presence(index, &row.record) {
                Ok((presence, _)) => *neighbour = Some(presence),
                Err(TreeError::Damaged(_)) => return Ok(None),
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot prove the record of {}", row.source_id));
                }
            }
        }
        let [before, after] = neighbours;
        let absence = Absence { before, after };
        Ok(absence.verify(manifest_key, id, self.count, &self.root)?.then_some(absence))
    }

    async fn make_again(&mut self) -> Result<()> {
        self.tree = made_again(self.deps, &self.row, self.count, self.root).await?;
        Ok(())
    }
}

fn open(path: &Path, count: u64, root: Digest) -> Result<ManifestTree<ReadAt>, TreeError> {
    let file = File::open(path)?;
    let bytes = file.metadata()?.len();
    ManifestTree::open(Box::new(move |at, into: &mut [u8]| file.read_exact_at(into, at)), bytes, count, root)
}

/// The tree of a signed manifest from its records, which must give the root that was signed.
async fn made_again(deps: &Deps, row: &manifests::Manifest, count: u64, root: Digest) -> Result<ManifestTree<ReadAt>> {
    let (lineage, generation) = (&row.lineage, row.generation);
    tracing::info!("making the manifest tree of {lineage} again from {count} records");
    let mut sorter = sorter(deps, lineage)?;
    sort_registered(deps, lineage, generation, &mut sorter).await?;
    // More or fewer than were signed are damage as much as another root is.
    let found = sorter.count();
    let draft = write(deps, lineage, generation, found, sorter.finish()?)?;
    if (found, draft.root) != (count, root) {
        draft.discard();
        bail!("the records of {lineage} do not give the root that was signed; restore the database");
    }
    draft.keep()?;
    point("manifest-tree-written");
    let path = path(deps, lineage, generation);
    open(&path, count, root).with_context(|| format!("cannot read {}", path.display()))
}
