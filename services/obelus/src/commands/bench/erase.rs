//! `obelus bench erase`: two takedowns of a checkpoint of the real size with meaningless numbers in it, and what each part
//! takes. Not here: who may strike, and what is signed.

use std::{
    fs,
    num::NonZero,
    path::{Path, PathBuf},
    process, thread,
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use obelus_core::Digest;
use obelus_ledger::{row_proof::RowProof, weight_tree::leaf_hash};
use obelus_mask::derive_seed;
use obelus_model::{
    ElementType, ModelConfig, ModelRecord, SourceMask, StrikeReport, WeightTree, stand_in_bytes, write_stand_in,
};
use rustix::{
    fs::{Advice, fadvise},
    time::{ClockId, clock_gettime},
};
use serde::Serialize;
use tempfile::TempDir;
use tokio::signal::{
    self,
    unix::{SignalKind, signal},
};

use crate::{
    arguments::Erase,
    commands::bench::peak_memory_bytes,
    failure::WrongUse,
    output::{Answer, Output},
    progress,
};

/// Kept free beside the checkpoint: the node cache, and what others write meanwhile.
const SPARE_BYTES: u64 = 256 << 20;
/// Hashed to learn what SHA-256 gives here.
const FLOOR_BYTES: usize = 256 << 20;

/// What was measured. Times are in seconds.
#[derive(Debug, Default, Serialize)]
struct Figures {
    file_bytes: u64,
    parameters: u64,
    leaves: u64,
    dtype: &'static str,
    threads: usize,
    /// Whether the full pass had to read the disk.
    cold: bool,
    /// One takedown: the rows of one source's neurons.
    rows_written: u64,
    bytes_written: u64,
    /// Streaming the checkpoint to disk.
    seconds_write: f64,
    /// One full pass and all nodes above it. Unless cold, the file is in the page cache as far as that has room.
    seconds_hash: f64,
    hash_bytes_per_second: f64,
    /// The same pass by the time that the process had a core: others on the machine do not count.
    hash_bytes_per_core_second: f64,
    /// SHA-256 of leaves of this size from a core's own cache: nothing can be hashed faster.
    sha256_bytes_per_core_second: f64,
    cache_bytes: u64,
    /// Writing the node cache.
    seconds_save: f64,
    /// Reading and checking the node cache.
    seconds_open: f64,
    /// Making the row proof.
    seconds_proof: f64,
    proof_bytes: u64,
    /// Zeroing the rows, flushing, reading them back, and the root after.
    seconds_zero: f64,
    /// The second takedown from opening the cache to keeping it again.
    seconds_second_takedown: f64,
    bytes_read_second_takedown: u64,
    /// Both row proofs and the roots that they lead to, the last one by another full pass.
    seconds_verify: f64,
    root_before: Option<Digest>,
    root_after: Option<Digest>,
    root_after_second_takedown: Option<Digest>,
    verified: bool,
    peak_memory_bytes: u64,
}

/// Runs `obelus bench erase`; the answer is no when a proof does not hold.
pub fn run(arguments: &Erase, quiet: bool, output: &Output) -> Result<Answer> {
    let config = arguments.shape.config()?;
    if config.n_source == 0 {
        return Err(WrongUse("a model without sinks has nothing to erase; give --n-pool and --n-source".into()).into());
    }
    let cores = || thread::available_parallelism().map_or(1, NonZero::get);
    let threads = arguments.threads.map_or_else(cores, NonZero::get);
    let element = ElementType::from(arguments.shape.dtype);
    let folder = Folder::new(arguments.out.as_deref())?;
    room_for(stand_in_bytes(&config, element), &folder.path)?;
    folder.removed_when_interrupted();
    let figures = measure(arguments, &config, threads, &folder.path, quiet)?;
    output.print(&words(&figures), &figures)?;
    Ok(if figures.verified { Answer::Done } else { Answer::No })
}

fn measure(arguments: &Erase, config: &ModelConfig, threads: usize, folder: &Path, quiet: bool) -> Result<Figures> {
    let (element, seed) = (ElementType::from(arguments.shape.dtype), arguments.seed);
    let checkpoint = folder.join(ModelRecord::CHECKPOINT);
    let file_bytes = stand_in_bytes(config, element);
    let salt = Digest::sha256(seed.to_be_bytes());
    let source = |name: &str| SourceMask::derive(&derive_seed(salt.as_bytes(), "bench", name), 0, config);

    let (written, seconds_write) =
        timed(|| write_stand_in(&checkpoint, config, element, seed, progress::bytes("writing", file_bytes, quiet)));
    written?;
    if arguments.cold {
        let file = fs::File::open(&checkpoint).with_context(|| format!("cannot open {}", checkpoint.display()))?;
        fadvise(&file, 0, None, Advice::DontNeed).context("cannot drop the checkpoint from the page cache")?;
    }
    let full_pass = |what| WeightTree::read(&checkpoint, threads, progress::bytes(what, file_bytes, quiet));
    let before = core_seconds();
    let (tree, seconds_hash) = timed(|| full_pass("hashing"));
    let core_seconds_hash = core_seconds() - before;
    let tree = tree?;
    let (saved, seconds_save) = timed(|| tree.save());
    saved?;
    let root_before = tree.root();
    drop(tree);

    let first = takedown(&checkpoint, &root_before, &source("first")?, threads)?;
    let second = takedown(&checkpoint, &first.root_after, &source("second")?, threads)?;
    let (verified, seconds_verify) = timed(|| -> Result<bool> {
        Ok(first.holds(&root_before)
            && second.holds(&first.root_after)
            && full_pass("checking")?.root() == second.root_after)
    });
    let row_bytes = u64::from(config.d_model) * element.bytes();
    Ok(Figures {
        file_bytes,
        parameters: config.parameters(),
        leaves: first.tree.layout().leaves(),
        dtype: element.name(),
        threads,
        cold: arguments.cold,
        rows_written: first.report.rows,
        bytes_written: first.report.bytes,
        seconds_write,
        seconds_hash,
        hash_bytes_per_second: file_bytes as f64 / seconds_hash,
        hash_bytes_per_core_second: file_bytes as f64 / core_seconds_hash,
        sha256_bytes_per_core_second: sha256_bytes_per_core_second(3 * row_bytes as usize),
        cache_bytes: fs::metadata(WeightTree::cache_path(&checkpoint)).context("the node cache is gone")?.len(),
        seconds_save,
        seconds_open: first.seconds_open,
        seconds_proof: first.seconds_proof,
        proof_bytes: first.proof.to_gzip()?.len() as u64,
        seconds_zero: first.seconds_zero,
        seconds_second_takedown: second.seconds,
        // What the strike wrote it also read back.
        bytes_read_second_takedown: second.tree.bytes_read() + second.report.bytes,
        seconds_verify,
        root_before: Some(root_before),
        root_after: Some(first.root_after),
        root_after_second_takedown: Some(second.root_after),
        verified: verified?,
        peak_memory_bytes: peak_memory_bytes()?,
    })
}

/// One source struck and proved.
struct Takedown {
    tree: WeightTree,
    struck: Vec<u64>,
    proof: RowProof,
    report: StrikeReport,
    root_after: Digest,
    seconds_open: f64,
    seconds_proof: f64,
    seconds_zero: f64,
    seconds: f64,
}

impl Takedown {
    /// Whether the row proof leads from one root to the other.
    fn holds(&self, before: &Digest) -> bool {
        self.proof.verify(self.tree.layout(), &self.struck, before, &self.root_after).is_ok()
    }
}

/// What a takedown does to weights, through the node cache.
fn takedown(checkpoint: &Path, before: &Digest, mask: &SourceMask, threads: usize) -> Result<Takedown> {
    let started = Instant::now();
    let (opened, seconds_open) = timed(|| WeightTree::open(checkpoint, before, mask, threads, |_| ()));
    let (tree, mismatch) = opened?;
    if let Some(mismatch) = mismatch {
        bail!("{} was changed while it was measured: {mismatch}", checkpoint.display());
    }
    let struck = tree.leaves_of(mask)?;
    let (proof, seconds_proof) = timed(|| RowProof::new(tree.nodes(), &struck));
    let proof = proof?;
    let (done, seconds_zero) = timed(|| tree.strike(mask));
    let (report, followed) = done?;
    let tree = followed.with_context(|| format!("{} was changed while it was measured", checkpoint.display()))?;
    tree.save()?;
    let root_after = tree.root();
    let seconds = started.elapsed().as_secs_f64();
    Ok(Takedown { tree, struck, proof, report, root_after, seconds_open, seconds_proof, seconds_zero, seconds })
}

/// Where the checkpoint is made.
struct Folder {
    path: PathBuf,
    /// Removes the folder at the end; none where it was asked for by name.
    temporary: Option<TempDir>,
}

impl Folder {
    fn new(out: Option<&Path>) -> Result<Self> {
        let Some(out) = out else {
            let temporary = TempDir::with_prefix("obelus-bench-").context("cannot create a temporary folder")?;
            return Ok(Self { path: temporary.path().to_owned(), temporary: Some(temporary) });
        };
        fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
        let path = out.canonicalize().with_context(|| format!("cannot find {}", out.display()))?;
        let checkpoint = path.join(ModelRecord::CHECKPOINT);
        if checkpoint.exists() {
            let taken = format!("there is {} already; remove it, or give another --out", checkpoint.display());
            return Err(WrongUse(taken).into());
        }
        Ok(Self { path, temporary: None })
    }

    /// Removes what was made when the process is told to end: half a measurement is of no use, and it is gigabytes.
    fn removed_when_interrupted(&self) {
        let (path, whole) = (self.path.clone(), self.temporary.is_some());
        tokio::spawn(async move {
            match signal(SignalKind::terminate()) {
                Ok(mut terminate) => {
                    tokio::select! { _ = signal::ctrl_c() => {} _ = terminate.recv() => {} }
                }
                Err(_) => drop(signal::ctrl_c().await),
            }
            let checkpoint = path.join(ModelRecord::CHECKPOINT);
            // The other thread goes on until the process ends; what it no longer finds, it no longer makes.
            let removed = if whole {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&checkpoint).and_then(|()| fs::remove_file(WeightTree::cache_path(&checkpoint)))
            };
            if let Err(error) = removed.or_else(|e| if checkpoint.exists() { Err(e) } else { Ok(()) }) {
                tracing::warn!("remove {}: it could not be removed: {error}", path.display());
            }
            process::exit(130);
        });
    }
}

/// Refuses a file that would fill the disk.
fn room_for(file_bytes: u64, folder: &Path) -> Result<()> {
    let disk = rustix::fs::statvfs(folder).with_context(|| format!("cannot examine {}", folder.display()))?;
    let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
    let wanted_bytes = file_bytes.saturating_add(SPARE_BYTES);
    if free_bytes < wanted_bytes {
        bail!(
            "{} has {:.1} GB free and the checkpoint takes {:.1} GB; make room there, name another folder with --out, or \
             measure a smaller shape (--layers)",
            folder.display(),
            free_bytes as f64 / 1e9,
            wanted_bytes as f64 / 1e9
        );
    }
    Ok(())
}

/// Leaves hashed over and over.
fn sha256_bytes_per_core_second(leaf_bytes: usize) -> f64 {
    let leaf = vec![0x3d; leaf_bytes];
    let rounds = (FLOOR_BYTES / leaf_bytes) as u32;
    let before = core_seconds();
    for round in 0..rounds {
        std::hint::black_box(leaf_hash("layers.0.mlp.sinks", round, &[&leaf]));
    }
    (rounds as usize * leaf_bytes) as f64 / (core_seconds() - before)
}

/// Time that the process has had cores for, all threads together.
fn core_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let started = Instant::now();
    let done = work();
    (done, started.elapsed().as_secs_f64())
}

fn words(f: &Figures) -> String {
    let (mb, gb) = (|bytes: u64| bytes as f64 / 1e6, |bytes: f64| bytes / 1e9);
    let told = if f.verified { "hold, and a full pass gives the last root" } else { "DO NOT HOLD" };
    [
        format!("checkpoint         {:.2} GB, {} leaves, {}", gb(f.file_bytes as f64), f.leaves, f.dtype),
        format!(
            "full pass          {:.2} s on {} threads: {:.2} GB/s, {:.2} GB/s a core; SHA-256 alone {:.2} GB/s a core",
            f.seconds_hash,
            f.threads,
            gb(f.hash_bytes_per_second),
            gb(f.hash_bytes_per_core_second),
            gb(f.sha256_bytes_per_core_second)
        ),
        format!(
            "node cache         {:.1} MB, kept in {:.3} s, opened and checked in {:.3} s",
            mb(f.cache_bytes),
            f.seconds_save,
            f.seconds_open
        ),
        format!("row proof          {:.4} s, {:.2} MB", f.seconds_proof, mb(f.proof_bytes)),
        format!(
            "zeroing            {:.3} s: {} rows, {:.1} MB, and the root after",
            f.seconds_zero,
            f.rows_written,
            mb(f.bytes_written)
        ),
        format!(
            "second takedown    {:.3} s, {:.1} MB of the checkpoint read",
            f.seconds_second_takedown,
            mb(f.bytes_read_second_takedown)
        ),
        format!("proofs             {told}"),
        format!("peak memory        {:.0} MB", mb(f.peak_memory_bytes)),
    ]
    .join("\n")
}
