//! Ed25519 keys, one per role: PKCS#8 and SPKI PEM, key ids, signing and strict verification. Files, their modes and
//! where a passphrase comes from are the caller's.

use std::{fmt, str::FromStr};

pub use ed25519_dalek::pkcs8::spki::der::zeroize::{Zeroize, Zeroizing};
use ed25519_dalek::{
    Signature, SigningKey, VerifyingKey,
    pkcs8::{
        DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey, KeypairBytes, spki::der::pem::LineEnding,
    },
};
use obelus_core::Digest;
// Named only to switch on PBES2 in the pkcs8 that ed25519-dalek re-exports.
use pkcs8 as _;
use serde::{Deserialize, Serialize};

/// What a key is for. Keys are never shared between roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Signs the log's checkpoints.
    Log,
    /// Signs erasures, verification runs and certificates.
    Issuer,
    /// Signs campaigns, manifests, source provenance, and what the log says of keys.
    Registrar,
    /// Signs training runs and checkpoints.
    Model,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Log, Self::Issuer, Self::Registrar, Self::Model];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "log",
            Self::Issuer => "issuer",
            Self::Registrar => "registrar",
            Self::Model => "model",
        })
    }
}

impl FromStr for Role {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::ALL.into_iter().find(|r| r.to_string() == text).ok_or_else(|| KeyError::Role(text.to_owned()))
    }
}

/// What can be wrong with a key or a signature.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No such role.
    #[error("{0:?} is not a role; roles are log, issuer, registrar and model")]
    Role(String),
    /// Not a PEM key of the expected kind.
    #[error("not an Ed25519 key in PEM: {0}")]
    Pem(String),
    /// Not a PEM key of the kind that signs models.
    #[error("not a P-256 key in PEM: {0}")]
    P256Pem(String),
    /// A key of small order verifies signatures over anything.
    #[error("the key is weak (small order) and is refused")]
    Weak,
    /// The signature does not verify.
    #[error("the signature does not verify under key {0}")]
    Signature(Digest),
    /// The private key is encrypted, and no passphrase was given or another one.
    #[error("the private key is encrypted and the passphrase {0}")]
    Passphrase(&'static str),
    /// The operating system gave no randomness.
    #[error("no randomness from the operating system: {0}")]
    Randomness(String),
}

/// A public key, checked not to be weak.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads an SPKI PEM.
    ///
    /// # Errors
    /// When it is not one, or weak.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_public_key_pem(pem).map_err(|e| KeyError::Pem(e.to_string()))?;
        if key.is_weak() { Err(KeyError::Weak) } else { Ok(Self(key)) }
    }

    /// The SPKI PEM, with a final newline.
    ///
    /// # Errors
    /// Never for a key of this type.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        self.0.to_public_key_pem(LineEnding::LF).map_err(|e| KeyError::Pem(e.to_string()))
    }

    /// The SPKI DER.
    ///
    /// # Errors
    /// Never for a key of this type.
    pub fn to_der(&self) -> Result<Vec<u8>, KeyError> {
        let der = self.0.to_public_key_der().map_err(|e| KeyError::Pem(e.to_string()))?;
        Ok(der.as_bytes().to_vec())
    }

    /// The 32 bytes of the key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The key id that securesystemslib computes from the same PEM: SHA-256 of the key's canonical JSON.
    pub fn id(&self) -> Digest {
        let public = hex::encode(self.as_bytes());
        Digest::sha256(format!(r#"{{"keytype":"ed25519","keyval":{{"public":"{public}"}},"scheme":"ed25519"}}"#))
    }

    /// Verifies a signature strictly (RFC 8032, no malleability, no mixed-order points).
    ///
    /// # Errors
    /// When it does not verify.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        let refuse = || KeyError::Signature(self.id());
        let signature = Signature::from_slice(signature).map_err(|_| refuse())?;
        self.0.verify_strict(message, &signature).map_err(|_| refuse())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

/// Something that signs: a key file here, a hardware module later. Narrow on purpose.
pub trait Signer: Send + Sync {
    /// The public half.
    fn public_key(&self) -> PublicKey;
    /// Signs a message; 64 bytes.
    ///
    /// # Errors
    /// When the device refuses.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError>;
}

/// A private key in memory, wiped when dropped.
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// A fresh key from the operating system's randomness.
    ///
    /// # Errors
    /// When there is none.
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|e| KeyError::Randomness(e.to_string()))?;
        Ok(Self::from_seed(&seed))
    }

    /// The key with a given secret seed (RFC 8032, section 5.1.5).
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// Reads an unencrypted PKCS#8 PEM.
    ///
    /// # Errors
    /// When it is not one.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        Self::from_pem_with(pem, None)
    }

    /// Reads a PKCS#8 PEM, plain or encrypted with PBES2.
    ///
    /// # Errors
    /// When it is not one, or is encrypted and the passphrase is missing or wrong.
    pub fn from_pem_with(pem: &str, passphrase: Option<&str>) -> Result<Self, KeyError> {
        let key = if Self::is_encrypted(pem) {
            let passphrase = passphrase.ok_or(KeyError::Passphrase("is missing"))?;
            SigningKey::from_pkcs8_encrypted_pem(pem, passphrase)
                .map_err(|_| KeyError::Passphrase("is wrong, or the file is damaged"))?
        } else {
            SigningKey::from_pkcs8_pem(pem).map_err(|e| KeyError::Pem(e.to_string()))?
        };
        Ok(Self(key))
    }

    /// The key without its public half: openssl 3.0 reads PKCS#8 of version 1 only, which has none (RFC 8410, section 7).
    fn bare(&self) -> KeypairBytes {
        KeypairBytes { secret_key: self.0.to_bytes(), public_key: None }
    }

    /// Whether a PKCS#8 PEM is encrypted.
    pub fn is_encrypted(pem: &str) -> bool {
        pem.trim_start().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    }

    /// The PKCS#8 PEM encrypted with PBES2 (scrypt with 2^14 rounds, AES-256-CBC; `openssl pkey` reads it).
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn to_encrypted_pem(&self, passphrase: &str) -> Result<Zeroizing<String>, KeyError> {
        self.bare().to_pkcs8_encrypted_pem(passphrase, LineEnding::LF).map_err(|e| KeyError::Randomness(e.to_string()))
    }

    /// The unencrypted PKCS#8 PEM. The caller writes it with mode 0600 and nowhere else.
    ///
    /// # Errors
    /// Never for a key of this type.
    pub fn to_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        self.bare().to_pkcs8_pem(LineEnding::LF).map_err(|e| KeyError::Pem(e.to_string()))
    }
}

impl Signer for PrivateKey {
    fn public_key(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], KeyError> {
        use ed25519_dalek::Signer as _;
        Ok(self.0.sign(message).to_bytes())
    }
}

/// A random 128-bit salt as 32 hexadecimal characters.
///
/// # Errors
/// When the operating system gives no randomness.
pub fn random_salt() -> Result<String, KeyError> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|e| KeyError::Randomness(e.to_string()))?;
    Ok(hex::encode(salt))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_8032_test_1_and_pem_round_trips() {
        let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let key = PrivateKey::from_seed(&seed.try_into().unwrap());
        let public = key.public_key();
        assert_eq!(hex::encode(public.as_bytes()), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert!(hex::encode(key.sign(b"").unwrap()).starts_with("e5564300c360ac729086e2cc806e828a"));
        assert_eq!(PublicKey::from_pem(&public.to_pem().unwrap()).unwrap(), public);
        let again = PrivateKey::from_pem(&key.to_pem().unwrap()).unwrap();
        assert_eq!(again.public_key(), public);
    }

    #[test]
    fn a_changed_message_or_signature_is_refused() {
        let key = PrivateKey::generate().unwrap();
        let mut signature = key.sign(b"strike").unwrap();
        assert!(key.public_key().verify(b"strike", &signature).is_ok());
        assert!(key.public_key().verify(b"strikf", &signature).is_err());
        signature[63] ^= 1;
        assert!(key.public_key().verify(b"strike", &signature).is_err());
        assert!(key.public_key().verify(b"strike", &signature[..63]).is_err());
    }

    #[test]
    fn encrypted_keys_open_with_their_passphrase_only() {
        let key = PrivateKey::from_seed(&[5; 32]);
        let pem = key.to_encrypted_pem("correct horse").unwrap();
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
        let again = PrivateKey::from_pem_with(&pem, Some("correct horse")).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        assert!(matches!(PrivateKey::from_pem(&pem), Err(KeyError::Passphrase(_))));
        assert!(matches!(PrivateKey::from_pem_with(&pem, Some("wrong")), Err(KeyError::Passphrase(_))));
    }

    #[test]
    fn private_keys_have_the_form_that_openssl_reads() {
        // RFC 8410, section 10.3: the same key without its public half.
        let seed = hex::decode("d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842").unwrap();
        let pem = PrivateKey::from_seed(&seed.try_into().unwrap()).to_pem().unwrap();
        let body = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
        assert_eq!(pem.as_str(), format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"));
    }

    #[test]
    fn the_key_id_is_that_of_securesystemslib() {
        // Computed with Python: hashlib.sha256 over the canonical JSON of {keytype, scheme, keyval}.
        let seed = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").unwrap();
        let key = PrivateKey::from_seed(&seed.try_into().unwrap());
        assert_eq!(
            key.public_key().id().to_string(),
            "74c181c7ad8a0855d4b55e44d2ba87aabdddb196832571f15f92fece332e4916"
        );
    }

    #[test]
    fn weak_keys_are_refused() {
        let spki = [&hex::decode("302a300506032b6570032100").unwrap()[..], &[1], &[0; 31]].concat();
        use base64::Engine as _;
        let body = base64::engine::general_purpose::STANDARD.encode(spki);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n");
        assert!(matches!(PublicKey::from_pem(&pem), Err(KeyError::Weak)));
    }
}
