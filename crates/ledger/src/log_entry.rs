//! A log leaf: a Rekor `dsse/0.0.1` body over an envelope. It reveals hashes and signatures, never content.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use obelus_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    canonical::{self, CanonicalError},
    dsse::{Envelope, EnvelopeError, EnvelopeSignature},
    keys::PublicKey,
    merkle,
};

/// Canonical bytes of the leaf for an envelope signed by `key`.
///
/// # Errors
/// When the envelope is not one that `key` signed.
pub fn body(envelope: &Envelope, key: &PublicKey) -> Result<Vec<u8>, EnvelopeError> {
    envelope.verify(key)?;
    body_of_verified(envelope, key)
}

fn body_of_verified(envelope: &Envelope, key: &PublicKey) -> Result<Vec<u8>, EnvelopeError> {
    let verifier = STANDARD.encode(key.to_pem()?);
    let sha256 = |value: Digest| Hash { algorithm: "sha256".to_owned(), value };
    let signature = |s: &EnvelopeSignature| EntrySignature { signature: s.sig.clone(), verifier: verifier.clone() };
    let value = Entry {
        api_version: ApiVersion::V001,
        kind: Kind::Dsse,
        spec: Spec {
            envelope_hash: sha256(envelope.digest()?),
            payload_hash: sha256(Digest::sha256(envelope.payload()?)),
            signatures: envelope.signatures.iter().map(signature).collect(),
        },
    };
    Ok(canonical::to_bytes(&value)?)
}

/// Whether bytes are an entry of this form, in canonical JSON. Of what it commits to, nothing can be checked without the
/// envelope.
///
/// # Errors
/// When they are not.
pub fn check_form(body: &[u8]) -> Result<(), CanonicalError> {
    canonical::from_bytes::<Entry>(body).map(|_| ())
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Entry {
    api_version: ApiVersion,
    kind: Kind,
    spec: Spec,
}

#[derive(Serialize, Deserialize)]
enum ApiVersion {
    #[serde(rename = "0.0.1")]
    V001,
}

#[derive(Serialize, Deserialize)]
enum Kind {
    #[serde(rename = "dsse")]
    Dsse,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Spec {
    envelope_hash: Hash,
    payload_hash: Hash,
    signatures: Vec<EntrySignature>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hash {
    algorithm: String,
    value: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EntrySignature {
    signature: String,
    verifier: String,
}

/// The Merkle leaf hash of an envelope's entry.
///
/// # Errors
/// As [`body`].
pub fn leaf(envelope: &Envelope, key: &PublicKey) -> Result<Digest, EnvelopeError> {
    Ok(merkle::leaf_hash(&body(envelope, key)?))
}

/// The leaf hash of an envelope whose signature by `key` the caller has just verified: checking it twice would double
/// the time that a certificate takes.
pub(crate) fn leaf_of_verified(envelope: &Envelope, key: &PublicKey) -> Result<Digest, EnvelopeError> {
    Ok(merkle::leaf_hash(&body_of_verified(envelope, key)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{PrivateKey, Signer};

    #[test]
    fn the_body_has_rekors_form() {
        let key = PrivateKey::from_seed(&[1; 32]);
        let envelope = Envelope::sign(b"{}", &key).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&body(&envelope, &key.public_key()).unwrap()).unwrap();
        assert_eq!(value["kind"], "dsse");
        assert_eq!(value["apiVersion"], "0.0.1");
        assert_eq!(value["spec"]["payloadHash"]["value"], Digest::sha256("{}").to_string());
        assert_eq!(value["spec"]["envelopeHash"]["value"], envelope.digest().unwrap().to_string());
        assert_eq!(value["spec"]["signatures"][0]["signature"], envelope.signatures[0].sig);
        assert!(body(&envelope, &PrivateKey::from_seed(&[2; 32]).public_key()).is_err());
    }
}
