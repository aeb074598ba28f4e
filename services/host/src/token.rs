//! What callers show: one secret, in a file that the owner alone may read.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use obelus_core::Digest;
use subtle::ConstantTimeEq as _;

/// Characters that a token has at least: of hexadecimal, 128 bits.
const FEWEST: usize = 32;

/// The SHA-256 of the secret.
#[derive(Clone)]
pub(crate) struct Token(Digest);

impl Token {
    /// Reads the token, or makes one of 256 random bits.
    ///
    /// # Errors
    /// When the file can be neither read nor made, or the token is short enough to be guessed.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let mut bytes = [0; 32];
                getrandom::fill(&mut bytes).context("the system gives no random numbers")?;
                let text = hex::encode(bytes);
                let mut options = fs::OpenOptions::new();
                let file = options.write(true).create_new(true).mode(0o600).open(path);
                let mut file = file.with_context(|| format!("cannot make {shown}"))?;
                writeln!(file, "{text}")
                    .and_then(|()| file.sync_all())
                    .with_context(|| format!("cannot write {shown}"))?;
                tracing::info!("made {shown}: callers show what is in it as Authorization: Bearer");
                text
            }
            Err(e) => return Err(e).with_context(|| format!("cannot read {shown}")),
        };
        let text = text.trim();
        ensure!(text.len() >= FEWEST, "{shown} has fewer than {FEWEST} characters, which can be guessed; remove it");
        Ok(Self(Digest::sha256(text)))
    }

    /// Whether a header `Authorization` shows it.
    pub(crate) fn is_shown(&self, header: Option<&str>) -> bool {
        let shown = header.and_then(|header| header.strip_prefix("Bearer "));
        // Digests are compared, so that not even the length of the secret can be told from the time.
        shown.is_some_and(|text| Digest::sha256(text.trim()).as_bytes().ct_eq(self.0.as_bytes()).into())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let made = Token::open(&path).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Token::open(&path).unwrap();
        for token in [&made, &again] {
            assert!(token.is_shown(Some(&format!("Bearer {}", text.trim()))));
            for other in [None, Some("Bearer "), Some(text.trim()), Some("Basic x"), Some("Bearer x")] {
                assert!(!token.is_shown(other), "{other:?}");
            }
        }
        fs::write(&path, "short\n").unwrap();
        assert!(Token::open(&path).is_err());
    }
}
