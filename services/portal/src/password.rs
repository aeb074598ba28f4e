//! Passwords: which may be chosen, and their slow hash (Argon2id, RFC 9106). Not here: accounts.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use argon2::{
    Argon2,
    password_hash::{Error, PasswordHasher as _, PasswordVerifier as _},
};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// Characters of the shortest password.
pub(crate) const LEAST_CHARACTERS: usize = 12;
/// Bytes of the longest one.
const MOST_BYTES: usize = 1024;
/// Hashes that are computed at the same time: each takes 19 MiB and a processor.
const AT_ONCE: usize = 2;

/// Why a password may not be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("Use at least 12 characters. Several words with spaces between them are good")]
    Short,
    #[error("Use at most 1024 bytes")]
    Long,
    #[error("Use a password that is not your name")]
    Name,
}

/// Whether somebody may choose a password. Nothing is said about which kinds of characters: that makes passwords worse.
pub(crate) fn fit(password: &str, name: &str) -> Result<(), Unfit> {
    if password.len() > MOST_BYTES {
        return Err(Unfit::Long);
    }
    if password.chars().count() < LEAST_CHARACTERS {
        return Err(Unfit::Short);
    }
    if password.trim().eq_ignore_ascii_case(name) {
        return Err(Unfit::Name);
    }
    Ok(())
}

/// Hashes, a few at a time and off the threads that answer requests.
#[derive(Debug)]
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
    /// A hash of a password that nobody has: what is compared for a name that nobody has, so that it takes as long.
    nobodys: String,
}

impl Passwords {
    pub(crate) async fn new() -> anyhow::Result<Self> {
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let nobodys = hash_with(&turns, crate::token::Token::random()?.reveal()).await?;
        Ok(Self { turns, nobodys })
    }

    /// The hash of a password, as a PHC string.
    pub(crate) async fn hash(&self, password: String) -> anyhow::Result<String> {
        hash_with(&self.turns, password).await
    }

    /// Whether `password` is the one that was hashed. Without a hash it never is, and that takes as long to find out.
    pub(crate) async fn is(&self, password: String, hash: Option<&str>) -> anyhow::Result<bool> {
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.nobodys).to_owned();
        // Longer ones were never chosen. Something of the right length is compared, for the same time.
        let password = if password.len() > MOST_BYTES { String::new() } else { password };
        let verified =
            bounded(&self.turns, move || Argon2::default().verify_password(password.as_bytes(), &*hash)).await?;
        match verified {
            Ok(()) => Ok(known),
            Err(Error::PasswordInvalid) => Ok(false),
            Err(error) => {
                Err(anyhow!("the password's hash in the database is damaged: {error}; make a new link for the person"))
            }
        }
    }
}

async fn hash_with(turns: &Arc<Semaphore>, password: String) -> anyhow::Result<String> {
    let hashed = bounded(turns, move || Argon2::default().hash_password(password.as_bytes())).await?;
    hashed.map(|hash| hash.to_string()).map_err(|error| anyhow!("a password cannot be hashed: {error}"))
}

async fn bounded<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    let turn = Arc::clone(turns).acquire_owned().await.context("passwords are hashed while the server runs")?;
    // The turn goes with the work: whoever gives up waiting does not free the processor.
    let done = spawn_blocking(move || (work(), turn)).await.context("the hash of a password was not finished")?;
    Ok(done.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_enough_is_all_that_is_asked_of_a_password() {
        assert_eq!(fit("aaaaaaaaaaaa", "mara"), Ok(()));
        assert_eq!(fit("ünïcödé wörd", "mara"), Ok(()));
        assert_eq!(fit("elevenchars", "mara"), Err(Unfit::Short));
        assert_eq!(fit(&"a".repeat(1024), "mara"), Ok(()));
        assert_eq!(fit(&"ü".repeat(513), "mara"), Err(Unfit::Long));
        assert_eq!(fit("Mara Musterfrau ", "mara musterfrau"), Err(Unfit::Name));
    }

    #[tokio::test]
    async fn a_hash_is_argon2id_salted_and_matches_its_password_alone() {
        let passwords = Passwords::new().await.unwrap();
        let word = || "correct horse battery".to_owned();
        let (one, two) = (passwords.hash(word()).await.unwrap(), passwords.hash(word()).await.unwrap());
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, two);
        assert!(passwords.is(word(), Some(&one)).await.unwrap());
        assert!(!passwords.is("another".to_owned(), Some(&one)).await.unwrap());
        assert!(!passwords.is("x".repeat(2000), Some(&one)).await.unwrap());
        assert!(!passwords.is(word(), None).await.unwrap());
        assert!(passwords.is(word(), Some("no hash")).await.is_err());
    }
}
