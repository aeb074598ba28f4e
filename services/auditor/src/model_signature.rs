//! `model.sig` beside weights: in a model's folder after everything that changes it, and in exports. Not here: the format
//! and how files are found and hashed (`obelus-ledger`), and the key (`keyring.rs`).
//!
//! A signature is gone before weights are zeroed and comes back after, so that none ever lies beside other weights than it
//! is over. Whoever goes on with a takedown or an adaptation that was cut off makes it again.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use obelus_core::Digest;
use obelus_ledger::{
    model_folder,
    model_signing::{self, FILE_NAME, ModelFile, SignedModel},
};
use obelus_model::{ModelRecord, WeightTree};
use obelus_policy::Action;
use obelus_store::models;

use crate::{
    export::{self, LOCK},
    model_statement,
    subject::Opened,
};
use obelus_casework::{Deps, NotThere, case, durable::write_durably};

/// The signature of the generation that is being put in place.
pub(crate) const NEXT: &str = "model.next.sig";
/// The signature of an export that is being struck.
const ASIDE: &str = "model.sig.before";

/// Signs a model again that stands: one from before there were signatures, or one whose key was revoked. The weights must be
/// those that were signed. Gives the `sha256` by which statements name it.
///
/// # Errors
/// When the person may not, the model is not whole, or its weights were changed.
pub async fn sign_anew(deps: &Deps, by: &str, model: &str) -> Result<Digest> {
    case::permitted(deps, by, Action::Register, None).await?;
    // What writes to the model is waited for; from here on nothing does.
    models::get(&deps.db, model).await?.ok_or_else(|| NotThere::model(model))?;
    let _alone = export::lock(deps, model, true)?;
    let opened = Opened::open(deps, model).await?;
    let folder = deps.data.model(model);
    let checkpoint = opened.record.checkpoint_path(&folder);
    let signed = opened.row.weight_root.context("a finished model has a weight root")?.0;
    let found = WeightTree::read(&checkpoint, deps.hashing_threads(), |_| ())?.root();
    ensure!(
        found == signed,
        "{} has the weight root {found}, and {signed} was signed: the file was changed outside of Obelus; restore it",
        checkpoint.display()
    );
    let signed = sign(deps, &opened.record, &folder)?;
    model_statement::write(deps, model).await?;
    Ok(signed)
}

/// Signs everything in the folder of a model but its lock, its node cache and what is stated of it later.
/// Gives the `sha256` by which statements name it.
///
/// # Errors
/// When a file cannot be read, or the key cannot be used.
pub(crate) fn sign(deps: &Deps, record: &ModelRecord, folder: &Path) -> Result<Digest> {
    let ignored = ignored(record);
    remove_leftovers(folder, &ignored)?;
    let files = model_folder::files(folder, &|path| ignored.iter().any(|left_out| left_out == path))?;
    write(deps, folder, FILE_NAME, &record.name, &files, &ignored)
}

/// Signs the folder of a model as it will be with the next generation in place: `record` is in `next_record`, and the
/// files of `gone` will be removed. [`put_next`] gives the signature its name.
///
/// # Errors
/// As [`sign`].
pub(crate) fn sign_next(
    deps: &Deps,
    record: &ModelRecord,
    folder: &Path,
    next_record: &str,
    gone: &[String],
) -> Result<Digest> {
    let ignored = ignored(record);
    remove_leftovers(folder, &ignored)?;
    let leaves_out = |path: &str| {
        let cache = path.strip_suffix(".tree").is_some_and(|of| gone.iter().any(|file| file == of));
        let left_out = ignored.iter().chain(gone).any(|left_out| left_out == path);
        cache || left_out || [NEXT, ModelRecord::FILE].contains(&path)
    };
    let mut files = model_folder::files(folder, &leaves_out)?;
    let renamed = files.iter_mut().find(|file| file.path == next_record);
    renamed.context("the next record was just written")?.path = ModelRecord::FILE.to_owned();
    write(deps, folder, NEXT, &record.name, &files, &ignored)
}

/// Puts the signature of the next generation in the place of the one before, if that was not done. What was stated of the
/// weights before goes.
///
/// # Errors
/// When it cannot be moved.
pub(crate) fn put_next(folder: &Path) -> Result<()> {
    gone(&folder.join(model_statement::FILE_NAME))?;
    rename(folder, NEXT, FILE_NAME)
}

/// Removes the signature of a folder whose weights are about to change, and what is stated of them; on the device when it
/// returns.
///
/// # Errors
/// When it cannot be removed.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    let stated = gone(&folder.join(model_statement::FILE_NAME))?;
    if gone(&folder.join(FILE_NAME))? || stated { flush(folder) } else { Ok(()) }
}

/// Signs a new export, which lies in `folder` until it is in the place that it is named after.
///
/// # Errors
/// As [`sign`].
pub(crate) fn sign_export(deps: &Deps, folder: &Path, place: &Path) -> Result<Digest> {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    write(deps, folder, FILE_NAME, &name, &model_folder::files(folder, &|_| false)?, &[])
}

/// Sets the signature of an export aside whose weights are about to change, where it has one.
///
/// # Errors
/// When it cannot be moved.
pub(crate) fn set_aside(folder: &Path) -> Result<()> {
    rename(folder, FILE_NAME, ASIDE)
}

/// Signs an export again whose signature was set aside: what it said of other files than `weights` it says again. These are
/// not read, because anybody may have changed them where an export lies.
///
/// # Errors
/// As [`sign`].
pub(crate) fn sign_again(deps: &Deps, folder: &Path, weights: &str) -> Result<()> {
    let aside = folder.join(ASIDE);
    let before = match fs::read(&aside) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        read => read.with_context(|| format!("cannot read {}", aside.display()))?,
    };
    match opened(deps, &before) {
        Ok(mut signed) => {
            for file in signed.files.iter_mut().filter(|file| file.path == weights) {
                file.sha256 = model_folder::hash(&folder.join(weights))?;
            }
            write(deps, folder, FILE_NAME, &signed.name, &signed.files, &signed.ignored)?;
        }
        Err(why) => tracing::warn!("{} is not signed again: {why:#}", folder.display()),
    }
    gone(&aside)?;
    flush(folder)
}

/// A signature of this installation, by a key that was not revoked.
fn opened(deps: &Deps, signature: &[u8]) -> Result<SignedModel> {
    let id = model_signing::key_id(signature)?;
    let root = deps.keys.trusted_root(&deps.settings.log_origin)?;
    let found = root.model_signing_key(&id).filter(|(_, model)| model.revoked.is_none());
    let (key, _) = found.context("the old signature is by no key of this installation that still counts")?;
    Ok(model_signing::open(signature, &key)?)
}

/// What changes in the folder of a model without the model changing, and what is written after the signature.
fn ignored(record: &ModelRecord) -> Vec<String> {
    let cache = WeightTree::cache_path(Path::new(&record.checkpoint));
    vec![LOCK.to_owned(), cache.to_string_lossy().into_owned(), model_statement::FILE_NAME.to_owned()]
}

/// Removes what a process that was killed while it wrote has left: it would be signed, and then be gone.
fn remove_leftovers(folder: &Path, ignored: &[String]) -> Result<()> {
    for name in [FILE_NAME, NEXT, ModelRecord::FILE].into_iter().chain(ignored.iter().map(String::as_str)) {
        gone(&folder.join(format!("{name}.partial")))?;
    }
    Ok(())
}

fn write(
    deps: &Deps,
    folder: &Path,
    file: &str,
    name: &str,
    files: &[ModelFile],
    ignored: &[String],
) -> Result<Digest> {
    let shown = || format!("cannot sign {}", folder.display());
    let bytes = model_signing::sign(name, files, ignored, &deps.keys.model_signer()?).with_context(shown)?;
    write_durably(&folder.join(file), &bytes)?;
    model_signing::root_digest(files).with_context(shown)
}

/// Renames a file that may not be there; on the device when it returns.
fn rename(folder: &Path, from: &str, to: &str) -> Result<()> {
    let (from, to) = (folder.join(from), folder.join(to));
    match fs::rename(&from, &to) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
        renamed => renamed.with_context(|| format!("cannot put {} in place", to.display()))?,
    }
    flush(folder)
}

/// Removes a file; whether it was there.
fn gone(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
        removed => removed.map(|()| true).with_context(|| format!("cannot remove {}", path.display())),
    }
}

fn flush(folder: &Path) -> Result<()> {
    File::open(folder).and_then(|f| f.sync_all()).with_context(|| format!("cannot flush {}", folder.display()))
}
