//! DSSE v1.0.2 envelopes (secure-systems-lab/dsse): sign once, keep the bytes, verify before parsing.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use obelus_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    canonical::{self, CanonicalError},
    keys::{KeyError, PublicKey, Signer},
};

/// Payload type of every envelope here.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";
/// Hardware signers take no more than this; larger things are named by digest.
pub const LARGEST_PAYLOAD_BYTES: usize = 4096;

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeSignature {
    /// Key id, a hint.
    pub keyid: Digest,
    /// Base64 of the signature over the pre-authentication encoding.
    pub sig: String,
}

/// A signed payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Envelope {
    /// Base64 of the payload.
    pub payload: String,
    /// Type of the payload.
    pub payload_type: String,
    /// Exactly one signature here.
    pub signatures: Vec<EnvelopeSignature>,
}

/// Why an envelope is refused.
#[derive(Debug, thiserror::Error)]
pub enum EnvelopeError {
    /// Not canonical JSON.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// Key trouble or a signature that does not verify.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A field has a value that is never written.
    #[error("envelope: {0}")]
    Field(&'static str),
    /// The payload is too large to be signed by every signer.
    #[error("the payload has {0} bytes, at most {LARGEST_PAYLOAD_BYTES} are signed; name large lists by digest")]
    TooLarge(usize),
}

/// The bytes that are signed: DSSE's pre-authentication encoding.
pub fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

impl Envelope {
    /// Signs a payload.
    ///
    /// # Errors
    /// When the payload is too large or the signer refuses.
    pub fn sign(payload: &[u8], signer: &dyn Signer) -> Result<Self, EnvelopeError> {
        if payload.len() > LARGEST_PAYLOAD_BYTES {
            return Err(EnvelopeError::TooLarge(payload.len()));
        }
        let signature = signer.sign(&pre_authentication_encoding(IN_TOTO, payload))?;
        Ok(Self {
            payload: STANDARD.encode(payload),
            payload_type: IN_TOTO.to_owned(),
            signatures: vec![EnvelopeSignature { keyid: signer.public_key().id(), sig: STANDARD.encode(signature) }],
        })
    }

    /// Reads canonical bytes.
    ///
    /// # Errors
    /// When they are anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        Ok(canonical::from_bytes(bytes)?)
    }

    /// Canonical bytes, as stored and logged.
    ///
    /// # Errors
    /// Never for an envelope that was signed or read here.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EnvelopeError> {
        Ok(canonical::to_bytes(self)?)
    }

    /// SHA-256 of the canonical bytes: how other statements cite this one.
    ///
    /// # Errors
    /// As [`Envelope::to_bytes`].
    pub fn digest(&self) -> Result<Digest, EnvelopeError> {
        Ok(Digest::sha256(self.to_bytes()?))
    }

    /// The payload, unverified.
    ///
    /// # Errors
    /// When it is not base64 in its one spelling.
    pub fn payload(&self) -> Result<Vec<u8>, EnvelopeError> {
        STANDARD.decode(&self.payload).map_err(|_| EnvelopeError::Field("the payload is not base64"))
    }

    /// Verifies the one signature and returns the payload.
    ///
    /// # Errors
    /// When anything about the envelope is not as it was signed.
    pub fn verify(&self, key: &PublicKey) -> Result<Vec<u8>, EnvelopeError> {
        if self.payload_type != IN_TOTO {
            return Err(EnvelopeError::Field("the payload type is not in-toto"));
        }
        let [signature] = self.signatures.as_slice() else {
            return Err(EnvelopeError::Field("there is not exactly one signature"));
        };
        if signature.keyid != key.id() {
            return Err(EnvelopeError::Field("the key id is not that of the expected key"));
        }
        let payload = self.payload()?;
        let raw = STANDARD.decode(&signature.sig).map_err(|_| EnvelopeError::Field("the signature is not base64"))?;
        key.verify(&pre_authentication_encoding(&self.payload_type, &payload), &raw)?;
        Ok(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::PrivateKey;

    #[test]
    fn the_encoding_is_the_specification_example() {
        let found = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(found, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }

    #[test]
    fn every_flipped_byte_of_an_envelope_is_noticed() {
        let key = PrivateKey::from_seed(&[3; 32]);
        let bytes = Envelope::sign(b"{\"a\":1}", &key).unwrap().to_bytes().unwrap();
        let accepts = |bytes: &[u8]| Envelope::from_bytes(bytes).is_ok_and(|e| e.verify(&key.public_key()).is_ok());
        assert!(accepts(&bytes));
        for i in 0..bytes.len() {
            for bit in 0..8 {
                let mut bad = bytes.clone();
                bad[i] ^= 1 << bit;
                assert!(!accepts(&bad), "bit {bit} of byte {i}");
            }
        }
    }
}
