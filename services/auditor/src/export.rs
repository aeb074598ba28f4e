//! Exports: a model written for other people's programs, registered as a copy before its files appear.
//!
//! A folder is made beside its place and renamed into it. What a takedown does to it is in `targets.rs`; the conversion
//! itself is `obelus_model::Llama`'s.

use std::{
    fs::{self, File, TryLockError},
    io::{ErrorKind, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use obelus_core::Digest;
use obelus_model::{Llama, Rounding, WeightTree};
use obelus_policy::Action;
use obelus_store::{
    audit, copies,
    copies::{CopyKind, NewCopy},
    models,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{model_signature, subject::Opened};
use obelus_casework::{Deps, NotThere, case, durable::write_durably, fault::point, triggers};

/// File name of an export's weights.
pub const WEIGHTS: &str = "model.safetensors";
/// File name of what says where an export comes from.
pub const PROVENANCE: &str = "obelus.json";
/// File name of the lock that keeps exports and takedowns apart, in a model's folder. Always empty.
pub(crate) const LOCK: &str = "exports.lock";
/// Bytes overwritten at once.
const RUN_BYTES: usize = 1 << 20;

/// Which neurons an export has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The backbone and one source's sinks.
    Source(String),
    /// The backbone alone.
    Backbone,
    /// All of a model that has no sinks.
    Whole,
}

/// What was written.
#[derive(Clone, Debug, Serialize)]
pub struct Exported {
    /// The model.
    pub model: String,
    /// The source whose sinks it has.
    pub source: Option<String>,
    /// How its weights were rounded, if they were.
    pub rounding: Option<Rounding>,
    /// The folder.
    pub folder: PathBuf,
    /// Generation of the model.
    pub generation: i64,
    /// Root of the weights that it was made from.
    pub weight_root: Digest,
    /// Neurons of each MLP.
    pub neurons: u32,
}

/// Writes `part` of a model into `out`, which must be empty or not there yet; rounded, if it is to be.
///
/// # Errors
/// When the person may not, the model is not whole, the source must not be lit, or the folder cannot be used.
pub async fn export(
    deps: &Deps,
    by: &str,
    model: &str,
    part: &Part,
    rounding: Option<Rounding>,
    out: &Path,
) -> Result<Exported> {
    let person = case::permitted(deps, by, Action::Export, None).await?;
    let row = models::get(&deps.db, model).await?.ok_or_else(|| NotThere::model(model))?;
    case::trained(&row)?;
    let folder = destination(deps, out)?;
    // Held until the folder stands: a takedown waits for it, and then finds it registered.
    let _writing = lock(deps, model, false)?;
    let opened = Opened::open(deps, model).await?;
    let source = match part {
        Part::Source(id) => Some(id.clone()),
        Part::Backbone | Part::Whole => None,
    };
    ensure!(
        (*part == Part::Whole) == opened.row.control.is_some(),
        "a control without sinks is exported whole, any other model with one source's sinks or none"
    );
    let mask = source.as_deref().map(|id| opened.mask(id)).transpose()?;
    let llama = Llama::new(&opened.record.config, mask.as_ref())?;
    let llama = rounding.map_or(llama.clone(), |rounding| llama.rounded(rounding));
    let checkpoint = opened.record.checkpoint_path(&deps.data.model(model));
    let weight_root = opened.row.weight_root.context("a finished model has a weight root")?.0;
    ensure!(
        WeightTree::read(&checkpoint, deps.hashing_threads(), |_| ())?.root() == weight_root,
        "{} does not have the weight root {weight_root}, which was signed: the file was changed outside of Obelus; \
         restore it",
        checkpoint.display()
    );
    let exported = Exported {
        model: model.to_owned(),
        source,
        rounding,
        generation: opened.row.generation,
        weight_root,
        neurons: llama.neurons(),
        folder,
    };
    let copy = register(deps, &person.name, &exported).await?;
    point("export-registered");
    let partial = partial(&exported.folder);
    let written = discard(&partial).and_then(|()| write(deps, &opened, &llama, &checkpoint, &exported, &partial));
    if let Err(error) = written {
        discard(&partial)?;
        let write = deps.db.write().await?;
        copies::record_destruction(&write, copy, deps.now()).await?;
        write.commit().await?;
        return Err(error);
    }
    Ok(exported)
}

/// Registers the copy and notes who asked, in one transaction in which no takedown can begin.
async fn register(deps: &Deps, person: &str, exported: &Exported) -> Result<i64> {
    let path = deps.data.stored_place(&exported.folder);
    let path = path.with_context(|| format!("{} is not text, so it cannot be stored", exported.folder.display()))?;
    let copy = NewCopy {
        model: exported.model.clone(),
        kind: if exported.rounding.is_some() { CopyKind::Quantised } else { CopyKind::Export },
        path: path.clone(),
        generation: exported.generation,
        root: None,
        source_id: exported.source.clone(),
    };
    let detail = json!({ "source": exported.source, "path": path, "root": exported.weight_root }).to_string();
    let write = deps.db.write().await?;
    models::hold_whole(&write, &exported.model).await?;
    let copy = copies::register(&write, &copy, deps.now()).await?;
    let what = match exported.rounding {
        Some(rounding) => format!("copies changed: an export of {} bits was registered", rounding.bits),
        None => "copies changed: an export was registered".to_owned(),
    };
    triggers::changed(&write, &exported.model, &what, deps.now()).await?;
    audit::append(&write, deps.now(), person, "export", &exported.model, &detail).await?;
    write.commit().await?;
    Ok(copy.id)
}

/// Writes everything beside the place, and puts it there as a whole.
fn write(
    deps: &Deps,
    opened: &Opened,
    llama: &Llama,
    checkpoint: &Path,
    exported: &Exported,
    partial: &Path,
) -> Result<()> {
    fs::create_dir(partial).with_context(|| format!("cannot create {}", partial.display()))?;
    llama.write(checkpoint, &partial.join(WEIGHTS))?;
    point("export-weights-written");
    let tokenizer = &opened.tokenizer;
    let (bos, eos) = (tokenizer.bot_id(), tokenizer.eot_id());
    let provenance = json!({
        "format": "obelus-export/v1",
        "model": exported.model,
        "lineage": opened.row.lineage,
        "generation": exported.generation,
        "weight_root": exported.weight_root,
        "source": exported.source,
        "rounding": exported.rounding,
        "backbone_only": exported.source.is_none() && opened.row.control.is_none(),
        "tokenizer": tokenizer.digest(),
        "exported_at": deps.now(),
        "note": "A registered copy: a takedown in the installation that made it zeroes or destroys these weights.",
    });
    let files: [(&str, Value); 4] = [
        ("config.json", llama.config_json(bos, eos)),
        ("generation_config.json", json!({ "bos_token_id": bos, "eos_token_id": eos, "do_sample": false })),
        ("tokenizer_config.json", tokenizer.transformers_config(opened.record.config.context)),
        (PROVENANCE, provenance),
    ];
    for (name, value) in files {
        write_durably(&partial.join(name), format!("{value:#}\n").as_bytes())?;
    }
    write_durably(&partial.join("tokenizer.json"), tokenizer.transformers_json()?.as_bytes())?;
    let folder = &exported.folder;
    model_signature::sign_export(deps, partial, folder)?;
    fs::rename(partial, folder).with_context(|| format!("cannot put {} in place", folder.display()))?;
    let around = folder.parent().context("a folder lies in a folder")?;
    File::open(around).and_then(|f| f.sync_all()).with_context(|| format!("cannot flush {}", around.display()))
}

/// The absolute place of a new export.
fn destination(deps: &Deps, out: &Path) -> Result<PathBuf> {
    let shown = out.display();
    let absolute = std::path::absolute(out).with_context(|| format!("{shown} is no place for an export"))?;
    let (Some(around), Some(name)) = (absolute.parent(), absolute.file_name()) else {
        bail!("{shown} is no place for an export; name a new folder");
    };
    fs::create_dir_all(around).with_context(|| format!("cannot create {}", around.display()))?;
    // What is stored must still lead there when somebody else stands elsewhere.
    let around = around.canonicalize().with_context(|| format!("cannot find {}", around.display()))?;
    let folder = around.join(name);
    ensure!(
        !folder.starts_with(deps.data.root()) || around.starts_with(deps.data.exports()),
        "{} lies among the files of the data directory; inside it, exports go below {}",
        folder.display(),
        deps.data.exports().display()
    );
    match fs::symlink_metadata(&folder) {
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(e).with_context(|| format!("cannot examine {}", folder.display())),
        Ok(found) => {
            let entries = found.is_dir().then(|| fs::read_dir(&folder)).transpose();
            let entries = entries.with_context(|| format!("cannot list {}", folder.display()))?;
            ensure!(
                entries.is_some_and(|mut entries| entries.next().is_none()),
                "{} is there already and not an empty folder; give --out a new one",
                folder.display()
            );
        }
    }
    Ok(folder)
}

/// Where an export is made before it is put in its place.
pub(crate) fn partial(folder: &Path) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    folder.with_file_name(format!(".{name}.obelus-partial"))
}

/// Overwrites and removes what an export that was cut off has left.
///
/// # Errors
/// When it cannot be overwritten or removed.
pub(crate) fn discard(partial: &Path) -> Result<()> {
    if !partial.try_exists().with_context(|| format!("cannot examine {}", partial.display()))? {
        return Ok(());
    }
    let weights = partial.join(WEIGHTS);
    match File::options().write(true).open(&weights) {
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => return Err(e).with_context(|| format!("cannot overwrite {}", weights.display())),
        Ok(file) => overwrite(file).with_context(|| format!("cannot overwrite {}", weights.display()))?,
    }
    fs::remove_dir_all(partial).with_context(|| format!("cannot remove {}", partial.display()))
}

fn overwrite(mut file: File) -> std::io::Result<()> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(0))?;
    let zeros = vec![0; RUN_BYTES];
    let mut left = length;
    while left > 0 {
        let run = left.min(RUN_BYTES as u64);
        file.write_all(&zeros[..run as usize])?;
        left -= run;
    }
    file.sync_all()
}

/// Keeps those who write to a model apart: exports share the lock, a training or a takedown has it alone. Released when the
/// file is closed, also by a crash.
///
/// # Errors
/// When the lock's file cannot be made.
pub(crate) fn lock(deps: &Deps, model: &str, alone: bool) -> Result<File> {
    let path = deps.data.model(model).join(LOCK);
    let shown = || format!("cannot lock {}", path.display());
    let file = File::create(&path).with_context(shown)?;
    let tried = if alone { file.try_lock() } else { file.try_lock_shared() };
    match tried {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {
            tracing::info!("waiting for whoever writes to {model}: a training, an export or a takedown")
        }
        Err(TryLockError::Error(e)) => return Err(e).with_context(shown),
    }
    if alone { file.lock() } else { file.lock_shared() }.with_context(shown)?;
    Ok(file)
}
