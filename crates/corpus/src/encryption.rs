//! Encrypting a corpus that is in plain files, and destroying the text of a source by destroying its key. Not here: who may,
//! and when (`obelus-auditor`).
//!
//! Encrypting writes everything new beside what is there; `corpus.json` then says which of the two counts, and after that
//! the plain files are overwritten and removed. Killed anywhere and begun again it ends the same.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use obelus_core::Digest;
use sha2::Digest as _;

use crate::{
    corpus_record,
    durable::{at, lock, sync, write_file},
    library::{self, Corpus, Library, LibraryError},
    sealed_corpus, sealed_shards,
    shards::{self, TokenShards},
    support, text_keys,
    tokenised::TokenisedError,
    vault::Vault,
};

/// What is left of the text of a source whose key was destroyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DestroyedText {
    /// Whether the key was there until now.
    pub now: bool,
    /// Records that nothing opens any more.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// SHA-256 over them: documents, renderings that were held out, probes, then tokens by folder.
    pub ciphertext: Digest,
}

impl Library {
    /// Encrypts a corpus that is in plain files, each source under a key of its own, and removes the plain files. One that
    /// is encrypted stays as it is. False when it was.
    ///
    /// # Errors
    /// Somebody is reading its tokens, its files are damaged, or the system refuses.
    pub fn encrypt(&self, name: &str) -> Result<bool, TokenisedError> {
        let corpus = self.open(name)?;
        let dir = corpus.dir();
        let _lock = lock(dir)?;
        // What was read before the lock was held may have changed.
        let corpus = Corpus::open(dir)?;
        let was_plain = corpus.vault().is_none();
        // Before anything is written, and let go again: their tokens are read here too.
        drop(plain_files(dir)?);
        if was_plain {
            seal_all(&corpus)?;
        }
        plain_files(dir)?.into_iter().try_for_each(|(path, file)| wipe(&path, file))?;
        sync(dir)?;
        Ok(was_plain)
    }

    /// Destroys the text of one source in an encrypted corpus: documents, probes and tokens, by overwriting their key.
    /// Done twice it ends the same.
    ///
    /// # Errors
    /// The corpus is in plain files or has no such source, or the system refuses.
    pub fn destroy_text(&self, name: &str, source: &str) -> Result<DestroyedText, LibraryError> {
        let dir = self.path(name)?;
        let record = corpus_record::record(&dir)?;
        let files = record.sealed.as_ref().ok_or_else(|| LibraryError::Plain(name.to_owned()))?;
        let _lock = lock(&dir)?;
        let vault = sealed_corpus::vault(&dir, &record, files)?;
        let number = vault
            .number(source)
            .ok_or_else(|| LibraryError::NoSource { name: name.to_owned(), source_id: source.to_owned() })?;
        let now = text_keys::destroy(&text_keys::path(&dir, name), vault.ids(), number)?;
        let mut hash = sha2::Sha256::new();
        let (mut records, mut bytes) = (0, 0);
        let mut files: Vec<PathBuf> = [sealed_corpus::DOCUMENTS, sealed_corpus::HELD_OUT, sealed_corpus::PROBES]
            .into_iter()
            .map(|name| dir.join(name))
            .collect();
        files.extend(token_folders(&dir)?.into_iter().map(|folder| folder.join(sealed_shards::TOKENS)));
        for path in files {
            let file = match fs::read(&path) {
                // Only generated corpora hold texts out.
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                other => other.map_err(at(&path))?,
            };
            for record in Vault::ciphertext_of(&path, &file, number)? {
                records += 1;
                bytes += record.len() as u64;
                hash.update(record);
            }
        }
        Ok(DestroyedText { now, records, bytes, ciphertext: Digest::new(hash.finalize().into()) })
    }
}

/// Writes the encrypted files of a corpus beside its plain ones, and then says in `corpus.json` that they count.
fn seal_all(corpus: &Corpus) -> Result<(), TokenisedError> {
    let (dir, name) = (corpus.dir(), corpus.name());
    let vault = Vault::draw(name, corpus.sources()).map_err(at(dir))?;
    vault.keep_keys(&text_keys::path(dir, name))?;
    for folder in token_folders(dir)? {
        let shards = TokenShards::open(&folder)?;
        shards.verify_digest()?;
        sealed_shards::write(&folder, &vault, shards.shape(), shards.records())?;
        sync(&folder)?;
    }
    let documents: Vec<_> = corpus.documents().iter().collect();
    let held_out = corpus.record().held_out_digest.map(|_| corpus.held_out());
    let files = sealed_corpus::write(dir, &vault, &documents, held_out, corpus.probes())?;
    let record = corpus.record().clone().sealed(files);
    let partial = dir.join(".corpus.partial");
    write_file(&partial, &corpus_record::record_bytes(&partial, &record)?)?;
    sync(dir)?;
    let path = dir.join(corpus_record::RECORD);
    fs::rename(&partial, &path).map_err(at(&path))?;
    Ok(sync(dir)?)
}

/// The folders of tokens that are whole, ascending.
fn token_folders(dir: &Path) -> Result<Vec<PathBuf>, LibraryError> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(dir).map_err(at(dir))? {
        let path = entry.map_err(at(dir))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.strip_prefix("tokens-").is_some_and(|size| size.bytes().all(|b| b.is_ascii_digit())) {
            folders.push(path);
        }
    }
    folders.sort_unstable();
    Ok(folders)
}

/// Every plain file that has text, none of which anybody is reading; nobody begins to while they are held.
fn plain_files(dir: &Path) -> Result<Vec<(PathBuf, File)>, LibraryError> {
    let mut paths: Vec<PathBuf> = library::PLAIN.iter().map(|name| dir.join(name)).collect();
    for folder in token_folders(dir)? {
        let names = [shards::TOKENS, shards::INDEX, support::FILE, "tokens.bin.partial", "support.bin.partial"];
        paths.extend(names.map(|name| folder.join(name)));
    }
    let mut files = Vec::new();
    for path in paths {
        let file = match OpenOptions::new().write(true).open(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            other => other.map_err(at(&path))?,
        };
        file.try_lock().map_err(|e| at(&path)(io::Error::other(format!("somebody is reading it ({e}); try later"))))?;
        files.push((path, file));
    }
    Ok(files)
}

/// Overwrites a file and removes it.
fn wipe(path: &Path, mut file: File) -> Result<(), LibraryError> {
    static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
    let mut overwrite = || -> io::Result<()> {
        let mut left = file.metadata()?.len();
        while left > 0 {
            let count = left.min(ZEROS.len() as u64);
            file.write_all(&ZEROS[..count as usize])?;
            left -= count;
        }
        file.sync_all()?;
        fs::remove_file(path)
    };
    overwrite().map_err(at(path))
}
