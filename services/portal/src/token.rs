//! Random tokens that stand for somebody: 256 bits, shown once, and kept as a hash. Not here: passwords, which people choose
//! and which need a slow hash.

use std::{fmt, str::FromStr};

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use obelus_core::Digest;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// 256 random bits, written as 43 characters that may stand in an address.
#[derive(Clone)]
pub struct Token([u8; 32]);

/// The text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a token has 43 characters: letters, digits, - and _")]
pub struct TokenError;

impl Token {
    /// A new one.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn random() -> anyhow::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).context("the system gives no random numbers")?;
        Ok(Self(bytes))
    }

    /// What is kept of it.
    pub fn hash(&self) -> Digest {
        Digest::sha256(self.0)
    }

    /// The text to show to whoever it is for, once.
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// A code that only whoever has the token can make (HMAC-SHA256), for `purpose`.
    pub fn code(&self, purpose: &str) -> [u8; 32] {
        let mut mac = <Hmac<Sha256>>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Whether both are the same, in a time that does not tell where they differ.
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError)?;
        bytes.try_into().map(Self).map_err(|_| TokenError)
    }
}

// It is a secret: nothing prints it by accident.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_written_in_one_spelling_and_never_printed() {
        let token = Token::random().unwrap();
        let text = token.reveal();
        assert_eq!(text.len(), 43);
        assert!(text.parse::<Token>().unwrap().is(&token));
        assert!(!Token::random().unwrap().is(&token));
        assert_ne!(token.code("form"), token.code("another"));
        assert_eq!(format!("{token:?}"), "Token(..)");
        for bad in ["", &text[1..], &format!("{text}A"), &format!("{text}="), &"é".repeat(43), &"/".repeat(43)] {
            assert!(bad.parse::<Token>().is_err(), "{bad}");
        }
    }
}
