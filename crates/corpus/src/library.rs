//! The directory that corpora are kept in: `corpora/NAME/` with `corpus.json`, documents, probes and, for generated
//! corpora, renderings that nothing is trained on. They are encrypted, each source under a key of its own (`sealed_corpus`),
//! unless plain files were asked for or an earlier version wrote them: `documents.jsonl`, `probes.jsonl`, `held_out.jsonl`.
//!
//! A corpus appears whole or not at all (a partial directory, then one rename) and its documents never change; probes
//! may be added. What belongs to one tokenizer size lies in a folder of its own, see `tokenised`.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

use obelus_core::Digest;

use crate::{
    corpus_record::{FORMAT, RECORD, record, record_bytes},
    document::{Document, SourceInfo, sources},
    durable::{at, corrupt, lines, lock, parse_lines, read_lines, sync, write_file, write_lines},
    generator::Generated,
    ingest::{Ingested, SourceBy},
    probe::{Known, Probe},
    sealed_corpus, text_keys,
    vault::Vault,
};

pub use crate::corpus_record::{CorpusRecord, Origin};

const DOCUMENTS: &str = "documents.jsonl";
const PROBES: &str = "probes.jsonl";
const HELD_OUT: &str = "held_out.jsonl";
const PARTIAL_PROBES: &str = ".probes.partial";
/// The plain files that have text.
pub(crate) const PLAIN: [&str; 4] = [DOCUMENTS, PROBES, HELD_OUT, PARTIAL_PROBES];
/// Begins the names of directories in the making; no corpus can be called so.
const PARTIAL: &str = ".adding-";

/// Why a corpus cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// Not a corpus' name.
    #[error(
        "{0:?} cannot name a corpus: 1 to 64 of a-z, 0-9, dot, underscore and hyphen, the first a letter or a digit"
    )]
    Name(String),
    /// The name is taken.
    #[error("the corpus {0:?} exists already and was left as it is; choose another name")]
    Exists(String),
    /// There is none of this name.
    #[error("there is no corpus {name:?} in {}; `corpus list` shows what there is", .root.display())]
    Unknown {
        /// The name asked for.
        name: String,
        /// Where it was looked for.
        root: PathBuf,
    },
    /// A file of the corpus is not what was written.
    #[error("{}: {reason}; restore the corpus from a copy, or add it again under another name", .path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// The keys of its texts cannot be used.
    #[error("{}: {reason}; without its keys no text of the corpus can be read: restore the file from a backup", .path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What is to be destroyed is not encrypted.
    #[error(
        "the text of the corpus {0:?} is in plain files, and only encrypted text is destroyed with its key; first obelus \
         corpus encrypt {0}"
    )]
    Plain(String),
    /// It has no such source.
    #[error("the corpus {name:?} has no source {source_id:?}")]
    NoSource {
        /// The corpus.
        name: String,
        /// The source asked for.
        source_id: String,
    },
    /// The probes do not belong to the corpus.
    #[error("probe {index}: {reason}; no probe was added")]
    Probe {
        /// Position in the list given, from 1.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// Too many documents to be given.
    #[error("a corpus needs at least one document")]
    Empty,
    /// The system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// All corpora of a data directory.
#[derive(Clone, Debug)]
pub struct Library {
    root: PathBuf,
    plain: bool,
}

/// A corpus, read whole. Documents ascend by id, sources too.
#[derive(Clone, Debug)]
pub struct Corpus {
    dir: PathBuf,
    record: CorpusRecord,
    documents: Vec<Document>,
    sources: Vec<SourceInfo>,
    probes: Vec<Probe>,
    probes_digest: Digest,
    held_out: Vec<Document>,
    /// None where the text is in plain files.
    vault: Option<Vault>,
    destroyed: HashSet<String>,
}

impl Library {
    /// The library in directory `root` (`corpora/` of the data directory), which is made when something is added.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), plain: false }
    }

    /// The same, but what is added is kept in plain files: their tokens are mapped and not read into memory, and a text that
    /// is to be destroyed has to be encrypted first.
    #[must_use]
    pub fn in_plain_files(self) -> Self {
        Self { plain: true, ..self }
    }

    /// Where a corpus of this name lies or would lie.
    ///
    /// # Errors
    /// Not a corpus' name.
    pub fn path(&self, name: &str) -> Result<PathBuf, LibraryError> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-');
        let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        if !first || name.len() > 64 || !name.bytes().all(fits) {
            return Err(LibraryError::Name(name.chars().take(80).collect()));
        }
        Ok(self.root.join(name))
    }

    /// Names of all corpora, ascending.
    ///
    /// # Errors
    /// The directory cannot be read; one that is not there has no corpora.
    pub fn list(&self) -> Result<Vec<String>, LibraryError> {
        let entries = match fs::read_dir(&self.root) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(at(&self.root))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(at(&self.root))?.file_name();
            let Some(name) = name.to_str() else { continue };
            if self.path(name).is_ok_and(|dir| dir.join(RECORD).is_file()) {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// Opens a corpus by name.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn open(&self, name: &str) -> Result<Corpus, LibraryError> {
        let dir = self.path(name)?;
        match fs::symlink_metadata(&dir) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Err(LibraryError::Unknown { name: name.into(), root: self.root.clone() })
            }
            Err(e) => Err(at(&dir)(e)),
            Ok(_) => Corpus::open(&dir),
        }
    }

    /// Keeps what was read as corpus `name`.
    ///
    /// # Errors
    /// The name cannot be used or is taken, or the system refuses; then nothing has changed.
    pub fn add(&self, name: &str, ingested: &Ingested, source_by: &SourceBy) -> Result<Corpus, LibraryError> {
        let origin = Origin::Ingested { source_by: source_by.clone(), skipped: ingested.skipped.count };
        self.write(name, &ingested.documents, None, &[], origin)
    }

    /// Keeps a generated corpus as corpus `name`.
    ///
    /// # Errors
    /// As [`Library::add`].
    pub fn add_generated(&self, name: &str, generated: &Generated) -> Result<Corpus, LibraryError> {
        let origin = Origin::Generated { sources: generated.sources, seed: generated.seed };
        self.write(name, &generated.documents, Some(&generated.held_out), &generated.probes, origin)
    }

    fn write(
        &self,
        name: &str,
        documents: &[Document],
        held_out: Option<&[Document]>,
        probes: &[Probe],
        origin: Origin,
    ) -> Result<Corpus, LibraryError> {
        let target = self.path(name)?;
        if documents.is_empty() {
            return Err(LibraryError::Empty);
        }
        fs::create_dir_all(&self.root).map_err(at(&self.root))?;
        // While the lock is held nobody else adds, so partial directories are remains of a killed process.
        let _lock = lock(&self.root)?;
        if fs::symlink_metadata(&target).is_ok() {
            return Err(LibraryError::Exists(name.into()));
        }
        let partial = self.root.join(format!("{PARTIAL}{name}"));
        match fs::remove_dir_all(&partial) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(at(&partial)(e)),
            _ => fs::create_dir(&partial).map_err(at(&partial))?,
        }
        let mut sorted: Vec<&Document> = documents.iter().collect();
        sorted.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let digest = |documents: &[&Document]| lines(&partial, documents).map(Digest::sha256);
        let mut record = CorpusRecord {
            format: FORMAT.into(),
            name: name.into(),
            documents: documents.len(),
            sources: documents.iter().map(|d| &d.source).collect::<HashSet<_>>().len(),
            documents_digest: digest(&sorted)?,
            held_out_digest: held_out.map(|h| digest(&h.iter().collect::<Vec<_>>())).transpose()?,
            origin,
            sealed: None,
        };
        if self.plain {
            write_lines(&partial.join(DOCUMENTS), sorted)?;
            held_out.map(|h| write_lines(&partial.join(HELD_OUT), h)).transpose()?;
            write_lines(&partial.join(PROBES), probes)?;
        } else {
            let vault = Vault::draw(name, &sources(documents)).map_err(at(&partial))?;
            vault.keep_keys(&text_keys::path(&target, name))?;
            record = record.sealed(sealed_corpus::write(&partial, &vault, &sorted, held_out, probes)?);
        }
        write_file(&partial.join(RECORD), &record_bytes(&partial, &record)?)?;
        sync(&partial)?;
        fs::rename(&partial, &target).map_err(at(&target))?;
        sync(&self.root)?;
        Corpus::open(&target)
    }
}

impl Corpus {
    /// Opens the corpus in `dir` and checks every file against its record.
    ///
    /// # Errors
    /// A file is missing, changed or not in the canonical form.
    pub fn open(dir: &Path) -> Result<Self, LibraryError> {
        let (path, record) = (dir.join(RECORD), record(dir)?);
        let counted = |documents: usize, sources: usize| {
            let fits = documents == record.documents && sources == record.sources;
            let reason = "it does not count the documents and sources that are there";
            if fits { Ok(()) } else { Err(corrupt(&path, reason.into())) }
        };
        let dir = dir.to_owned();
        if let Some(files) = &record.sealed {
            let sealed_corpus::Text { vault, documents, held_out, probes, probes_digest } =
                sealed_corpus::read(&dir, &record, files)?;
            let sources = sealed_corpus::all_sources(&vault, &documents);
            counted(sources.iter().map(|source| source.documents).sum(), sources.len())?;
            let destroyed = vault.destroyed().into_iter().map(|source| source.id).collect();
            let vault = Some(vault);
            return Ok(Self { dir, record, documents, sources, probes, probes_digest, held_out, vault, destroyed });
        }
        let documents: Vec<Document> = read_lines(&dir.join(DOCUMENTS), record.documents_digest)?;
        let held_out = match record.held_out_digest {
            Some(digest) => read_lines(&dir.join(HELD_OUT), digest)?,
            None => Vec::new(),
        };
        let probes_path = dir.join(PROBES);
        let bytes = fs::read(&probes_path).map_err(at(&probes_path))?;
        let probes = parse_lines(&probes_path, &bytes)?;
        let probes_digest = Digest::sha256(&bytes);
        let sources = sources(&documents);
        counted(documents.len(), sources.len())?;
        let (vault, destroyed) = (None, HashSet::new());
        Ok(Self { dir, record, documents, sources, probes, probes_digest, held_out, vault, destroyed })
    }

    /// Adds probes behind those that are there; all or none.
    ///
    /// # Errors
    /// A probe does not fit the corpus or is there already, or the system refuses.
    pub fn add_probes(&mut self, probes: Vec<Probe>) -> Result<(), LibraryError> {
        let _lock = lock(&self.dir)?;
        // Another process may have added some, or encrypted or destroyed text, since this corpus was opened.
        *self = Self::open(&self.dir.clone())?;
        let ids: HashSet<&str> = self.source_ids().into_iter().filter(|id| !self.destroyed.contains(*id)).collect();
        let key = |p: &Probe| (p.source.clone(), p.prompt.clone(), p.answer.clone());
        let mut seen: HashSet<_> = self.probes.iter().map(key).collect();
        for (index, probe) in probes.iter().enumerate() {
            let fault = crate::probe::fault(probe, &ids).or_else(|| {
                (!seen.insert(key(probe))).then(|| "the same source, prompt and answer is there already".into())
            });
            if let Some(reason) = fault {
                return Err(LibraryError::Probe { index: index + 1, reason });
            }
        }
        let partial = self.dir.join(PARTIAL_PROBES);
        let (name, bytes) = match &self.vault {
            Some(vault) => (sealed_corpus::PROBES, Some(sealed_corpus::with_probes(&self.dir, vault, &probes)?)),
            None => (PROBES, None),
        };
        let all: Vec<Probe> = self.probes.iter().cloned().chain(probes).collect();
        let plain = lines(&partial, &all)?;
        let digest = Digest::sha256(&plain);
        write_file(&partial, &bytes.unwrap_or(plain))?;
        fs::rename(&partial, self.dir.join(name)).map_err(at(&self.dir))?;
        sync(&self.dir)?;
        self.probes = all;
        self.probes_digest = digest;
        Ok(())
    }

    /// This corpus with documents and probes of another one's sources that `wanted` names, to be read as one. Directory,
    /// record and tokens are still those of this one.
    #[must_use]
    pub fn with(mut self, other: Self, wanted: impl Fn(&str) -> bool) -> Self {
        let of_wanted = |d: &Document| wanted(&d.source);
        self.documents.extend(other.documents.into_iter().filter(of_wanted));
        self.documents.sort_by(|a, b| a.id.cmp(&b.id));
        self.held_out.extend(other.held_out.into_iter().filter(of_wanted));
        self.probes.extend(other.probes.into_iter().filter(|p| wanted(&p.source)));
        self.probes_digest = Digest::sha256([*self.probes_digest.as_bytes(), *other.probes_digest.as_bytes()].concat());
        // Those without text stand for themselves.
        let gone = self.sources.into_iter().filter(|source| self.destroyed.contains(&source.id));
        let theirs = other.sources.into_iter().filter(|s| other.destroyed.contains(&s.id) && wanted(&s.id));
        self.sources = sources(&self.documents).into_iter().chain(gone).chain(theirs).collect();
        self.sources.sort_by(|a, b| a.id.cmp(&b.id));
        self.destroyed.extend(other.destroyed.into_iter().filter(|id| wanted(id)));
        self
    }

    /// The corpus' directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// What `corpus.json` says.
    pub fn record(&self) -> &CorpusRecord {
        &self.record
    }

    /// The keys of its text, where that is encrypted.
    pub(crate) fn vault(&self) -> Option<&Vault> {
        self.vault.as_ref()
    }

    /// Whether its text is encrypted, so that it can be destroyed.
    pub fn is_encrypted(&self) -> bool {
        self.vault.is_some()
    }

    /// Whether the text and the probes of a source were destroyed. It is among the sources, and none of its documents is
    /// among the documents.
    pub fn is_destroyed(&self, source: &str) -> bool {
        self.destroyed.contains(source)
    }

    /// All documents, ascending by id.
    pub fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// Renderings that nothing is trained on; empty unless generated. Their ids are `SOURCE/unseen`.
    pub fn held_out(&self) -> &[Document] {
        &self.held_out
    }

    /// All probes, in the order in which they were added.
    pub fn probes(&self) -> &[Probe] {
        &self.probes
    }

    /// SHA-256 of the probes that there are now, as the lines of `probes.jsonl`: what a verification protocol fixes
    /// beforehand.
    pub fn probes_digest(&self) -> Digest {
        self.probes_digest
    }

    /// All sources, ascending by id.
    pub fn sources(&self) -> &[SourceInfo] {
        &self.sources
    }

    /// The source of this id.
    pub fn source(&self, id: &str) -> Option<&SourceInfo> {
        self.sources.binary_search_by(|s| s.id.as_str().cmp(id)).ok().map(|i| &self.sources[i])
    }

    /// What [`probe::read`](crate::probe::read) checks against.
    pub fn known(&self) -> Known<'_> {
        Known::new(self.source_ids(), &self.documents)
    }

    /// Ids of all sources.
    pub fn source_ids(&self) -> HashSet<&str> {
        self.sources.iter().map(|s| s.id.as_str()).collect()
    }
}
