//! P-256 keys, which OpenSSF Model Signing asks for where everything else here is Ed25519: PKCS#8 and SPKI PEM, ids,
//! deterministic ECDSA. Files, their modes and where a passphrase comes from are the caller's.

use std::fmt;

use obelus_core::Digest;
use p256::{
    SecretKey,
    ecdsa::{
        Signature, SigningKey, VerifyingKey,
        signature::{DigestVerifier as _, Signer as _},
    },
    pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, LineEnding},
};
use pkcs8::der::zeroize::Zeroizing;
use sha2::{Sha256, digest::Update as _};

use crate::keys::KeyError;

/// A public key of a model's signer.
#[derive(Clone, PartialEq, Eq)]
pub struct ModelPublicKey(VerifyingKey);

impl ModelPublicKey {
    /// Reads an SPKI PEM.
    ///
    /// # Errors
    /// When it is not one of a P-256 key.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        VerifyingKey::from_public_key_pem(pem).map(Self).map_err(|e| KeyError::P256Pem(e.to_string()))
    }

    /// The SPKI PEM, with a final newline.
    ///
    /// # Errors
    /// Never for a key of this type.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        self.0.to_public_key_pem(LineEnding::LF).map_err(|e| KeyError::P256Pem(e.to_string()))
    }

    /// How a model's signature names its key: SHA-256 of the SPKI PEM.
    ///
    /// # Errors
    /// As [`ModelPublicKey::to_pem`].
    pub fn id(&self) -> Result<Digest, KeyError> {
        Ok(Digest::sha256(self.to_pem()?))
    }

    /// Verifies an ECDSA signature with SHA-256 (FIPS 186-5) in strict DER. The same key verifies each signature in two
    /// spellings, `s` and `n - s`; see [`is_low`].
    ///
    /// # Errors
    /// When it does not verify.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        let id = self.id()?;
        let signature = Signature::from_der(signature).map_err(|_| KeyError::Signature(id))?;
        let hash = |hash: &mut Sha256| {
            hash.update(message);
            Ok(())
        };
        self.0.verify_digest(hash, &signature).map_err(|_| KeyError::Signature(id))
    }
}

/// Whether a DER signature has the lower of its two spellings, which is the one that [`ModelPrivateKey::sign`] writes.
pub fn is_low(signature: &[u8]) -> bool {
    Signature::from_der(signature).is_ok_and(|read| read.normalize_s() == read)
}

impl fmt::Debug for ModelPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id().map(|id| id.to_string()).unwrap_or_default();
        write!(f, "ModelPublicKey({id})")
    }
}

/// A private key in memory, wiped when dropped.
pub struct ModelPrivateKey(SecretKey);

impl ModelPrivateKey {
    /// A fresh key from the operating system's randomness.
    ///
    /// # Errors
    /// When there is none.
    pub fn generate() -> Result<Self, KeyError> {
        loop {
            let mut scalar = Zeroizing::new([0; 32]);
            getrandom::fill(scalar.as_mut()).map_err(|e| KeyError::Randomness(e.to_string()))?;
            // Of 2^32 drawn numbers one is not a scalar of the curve, and another one is drawn.
            if let Some(key) = Self::from_scalar(&scalar) {
                return Ok(key);
            }
        }
    }

    /// The key with a given scalar, big-endian; none when it is zero or not below the order of the curve.
    pub fn from_scalar(scalar: &[u8; 32]) -> Option<Self> {
        SecretKey::from_slice(scalar).ok().map(Self)
    }

    /// Reads a PKCS#8 PEM, plain or encrypted with PBES2.
    ///
    /// # Errors
    /// When it is not one of a P-256 key, or is encrypted and the passphrase is missing or wrong.
    pub fn from_pem_with(pem: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let key = if pem.trim_start().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
            let passphrase = passphrase.ok_or(KeyError::Passphrase("is missing"))?;
            SecretKey::from_pkcs8_encrypted_pem(pem, passphrase)
                .map_err(|_| KeyError::Passphrase("is wrong, or the file is damaged"))?
        } else {
            SecretKey::from_pkcs8_pem(pem).map_err(|e| KeyError::P256Pem(e.to_string()))?
        };
        Ok(Self(key))
    }

    /// The PKCS#8 PEM encrypted with PBES2 (scrypt, AES-256-CBC; `openssl pkey` reads it).
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn to_encrypted_pem(&self, passphrase: &str) -> Result<Zeroizing<String>, KeyError> {
        self.0.to_pkcs8_encrypted_pem(passphrase, LineEnding::LF).map_err(|e| KeyError::Randomness(e.to_string()))
    }

    /// The unencrypted PKCS#8 PEM. The caller writes it with mode 0600 and nowhere else.
    ///
    /// # Errors
    /// Never for a key of this type.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        self.0.to_pkcs8_pem(LineEnding::LF).map_err(|e| KeyError::P256Pem(e.to_string()))
    }

    /// The public half.
    pub fn public_key(&self) -> ModelPublicKey {
        ModelPublicKey(VerifyingKey::from(self.0.public_key()))
    }

    /// ECDSA with SHA-256 in DER. The nonce follows from key and message (RFC 6979), so that one model has one signature
    /// and no bad randomness can give the key away.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let signature: Signature = SigningKey::from(&self.0).sign(message);
        signature.normalize_s().to_der().as_bytes().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 6979, appendix A.2.5.
    fn rfc_6979() -> ModelPrivateKey {
        let scalar = hex::decode("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721").unwrap();
        ModelPrivateKey::from_scalar(&scalar.try_into().unwrap()).unwrap()
    }

    #[test]
    fn signatures_are_those_of_rfc_6979_in_their_lower_spelling() {
        let key = rfc_6979();
        // "sample": the s of the appendix is above half of the order, so that its negative is written.
        let half = "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716";
        let found = hex::encode(key.sign(b"sample"));
        assert!(found.contains(half) && is_low(&key.sign(b"sample")), "{found}");
        // "test": the s of the appendix is below.
        let found = hex::encode(key.sign(b"test"));
        for half in [
            "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
            "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
        ] {
            assert!(found.contains(half), "{found}");
        }
        assert!(key.public_key().verify(b"test", &key.sign(b"test")).is_ok());
    }

    #[test]
    fn a_changed_message_or_signature_is_refused() {
        let key = rfc_6979();
        let (public, signature) = (key.public_key(), key.sign(b"strike"));
        assert!(public.verify(b"strikf", &signature).is_err());
        for at in 0..signature.len() {
            for bit in 0..8 {
                let mut bad = signature.clone();
                bad[at] ^= 1 << bit;
                assert!(public.verify(b"strike", &bad).is_err(), "bit {bit} of byte {at}");
            }
            assert!(public.verify(b"strike", &signature[..at]).is_err(), "{at} bytes");
        }
        assert!(public.verify(b"strike", &[&signature[..], &[0]].concat()).is_err());
    }

    #[test]
    fn the_other_spelling_of_a_signature_verifies_and_is_not_low() {
        let key = rfc_6979();
        let low = Signature::from_der(&key.sign(b"strike")).unwrap();
        let (r, s) = low.split_scalars();
        let high = Signature::from_scalars(*r, -*s).unwrap().to_der();
        assert!(key.public_key().verify(b"strike", high.as_bytes()).is_ok());
        assert!(!is_low(high.as_bytes()) && !is_low(b"no signature"));
    }

    #[test]
    fn keys_are_read_back_from_pem_with_their_passphrase_only() {
        let key = ModelPrivateKey::generate().unwrap();
        let public = key.public_key();
        assert_eq!(ModelPublicKey::from_pem(&public.to_pem().unwrap()).unwrap(), public);
        let plain = key.to_pem().unwrap();
        assert_eq!(ModelPrivateKey::from_pem_with(&plain, None).unwrap().public_key(), public);
        let pem = key.to_encrypted_pem("correct horse").unwrap();
        assert_eq!(ModelPrivateKey::from_pem_with(&pem, Some("correct horse")).unwrap().public_key(), public);
        assert!(matches!(ModelPrivateKey::from_pem_with(&pem, None), Err(KeyError::Passphrase(_))));
        assert!(matches!(ModelPrivateKey::from_pem_with(&pem, Some("wrong")), Err(KeyError::Passphrase(_))));
    }

    #[test]
    fn keys_of_other_kinds_are_refused() {
        let ed25519 = crate::keys::PrivateKey::from_seed(&[5; 32]);
        let public = crate::keys::Signer::public_key(&ed25519).to_pem().unwrap();
        assert!(matches!(ModelPublicKey::from_pem(&public), Err(KeyError::P256Pem(_))));
        let private = ModelPrivateKey::from_pem_with(&ed25519.to_pem().unwrap(), None);
        assert!(matches!(private, Err(KeyError::P256Pem(_))));
        assert!(ModelPrivateKey::from_scalar(&[0; 32]).is_none() && ModelPrivateKey::from_scalar(&[255; 32]).is_none());
    }
}
