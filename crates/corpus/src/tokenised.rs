//! A corpus with its tokenizer, token shards and support counts: made once per corpus and vocabulary size, kept in
//! `corpora/NAME/tokens-VOCAB/`, and used by every model trained on it. The corpus itself is `library`'s.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use crate::{
    library::{Corpus, LibraryError},
    sealed_shards::{self, Shape},
    shards::{self, ShardError, TokenShards},
    support::{PairSupport, SupportError},
    tokenizer::{Tokenizer, TokenizerError},
};

const TOKENIZER: &str = "tokenizer.json";

/// Why a corpus could not be tokenised.
#[derive(Debug, thiserror::Error)]
pub enum TokenisedError {
    /// The tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// The token file.
    #[error(transparent)]
    Shards(#[from] ShardError),
    /// The support counts.
    #[error(transparent)]
    Support(#[from] SupportError),
    /// The corpus' directory.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// Files that do not belong together.
    #[error("{}: {reason}; delete this directory and it is made anew", .path.display())]
    Mismatch {
        /// The directory.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
}

/// What training reads.
#[derive(Debug)]
pub struct Tokenised {
    /// Trained on all documents of the corpus. `vocab()` may be smaller than was asked for.
    pub tokenizer: Tokenizer,
    /// All documents of the corpus, in its order.
    pub shards: TokenShards,
    /// Counts over the whole corpus.
    pub support: PairSupport,
}

impl Corpus {
    /// The corpus with a tokenizer of `vocab` tokens: opened if it was made before, otherwise made. Several processes
    /// may ask at once. Of a source whose text was destroyed there are no tokens; the tokenizer that was trained on them
    /// before stays, because models were trained with it.
    ///
    /// # Errors
    /// An impossible size, damaged files, or the system's reason.
    pub fn tokenised(&self, vocab: usize) -> Result<Tokenised, TokenisedError> {
        let dir = self.dir().join(format!("tokens-{vocab}"));
        if !dir.is_dir() {
            self.make_tokens(&dir, vocab)?;
        }
        self.open_tokens(&dir)
    }

    fn make_tokens(&self, dir: &Path, vocab: usize) -> Result<(), TokenisedError> {
        let tokenizer = Tokenizer::train(self.documents().iter().map(|d| d.text.as_str()), vocab)?;
        let lock_path = self.dir().join(".lock");
        let io = |path: &Path, source: io::Error| LibraryError::Io { path: path.to_owned(), source };
        let lock = File::create(&lock_path).map_err(|e| io(&lock_path, e))?;
        lock.lock().map_err(|e| io(&lock_path, e))?;
        if dir.is_dir() {
            return Ok(());
        }
        let partial = dir.with_added_extension("partial");
        match fs::remove_dir_all(&partial) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io(&partial, e).into()),
            _ => fs::create_dir(&partial).map_err(|e| io(&partial, e))?,
        }
        tokenizer.save(&partial.join(TOKENIZER))?;
        match self.vault() {
            Some(vault) => {
                let shape = Shape {
                    token_bytes: shards::token_bytes(tokenizer.vocab()),
                    vocab: tokenizer.vocab(),
                    tokenizer_digest: tokenizer.digest(),
                };
                let tokens = |d| shards::encoded(&tokenizer, d);
                let records = self.documents().iter().map(|d| (d.id.as_str(), d.source.as_str(), tokens(d)));
                sealed_shards::write(&partial, vault, shape, records)?;
            }
            None => {
                PairSupport::load_or_count(&shards::write(&partial, &tokenizer, self.documents())?)?;
            }
        }
        fs::rename(&partial, dir).map_err(|e| io(dir, e))?;
        Ok(())
    }

    fn open_tokens(&self, dir: &Path) -> Result<Tokenised, TokenisedError> {
        let mismatch = |reason: &str| TokenisedError::Mismatch { path: dir.to_owned(), reason: reason.into() };
        let tokenizer = Tokenizer::load(&dir.join(TOKENIZER))?;
        let shards = match self.vault() {
            Some(vault) => sealed_shards::open(dir, vault)?,
            None => TokenShards::open(dir)?,
        };
        shards.verify_digest()?;
        if shards.tokenizer_digest() != tokenizer.digest() || shards.vocab() != tokenizer.vocab() {
            return Err(mismatch("the tokens were made by another tokenizer"));
        }
        let same =
            shards.index().iter().map(|e| (&e.id, &e.source)).eq(self.documents().iter().map(|d| (&d.id, &d.source)));
        if !same {
            return Err(mismatch("the tokens are those of other documents"));
        }
        let support = PairSupport::load_or_count(&shards)?;
        Ok(Tokenised { tokenizer, shards, support })
    }
}
