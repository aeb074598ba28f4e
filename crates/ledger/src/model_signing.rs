//! `model.sig`: the signature over a folder of model files that OpenSSF Model Signing v1.0 reads, a DSSE envelope in a
//! Sigstore bundle. Made and verified from the files' digests.
//!
//! Not here: reading and hashing the files, P-256 itself (`model_key.rs`), and our own envelopes and bundles, which are
//! Ed25519 (`dsse.rs`, `bundle.rs`).

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use obelus_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    bundle::MEDIA_TYPE,
    canonical::{self, CanonicalError},
    dsse::{IN_TOTO, pre_authentication_encoding},
    keys::KeyError,
    model_key::{ModelPrivateKey, ModelPublicKey, is_low},
    statement::STATEMENT_TYPE,
};

/// Name of the signature's file in the folder that it signs.
pub const FILE_NAME: &str = "model.sig";
const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";
/// What every verifier leaves out, at the top of the folder, with everything below.
const IGNORED: [&str; 5] = [".git", ".gitattributes", ".github", ".gitignore", FILE_NAME];

/// A file of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// Path below the folder, with `/`.
    pub path: String,
    /// SHA-256 of its bytes.
    pub sha256: Digest,
}

/// What a signature says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedModel {
    /// Name of the folder when it was signed; only for people.
    pub name: String,
    /// Its files, ascending component by component.
    pub files: Vec<ModelFile>,
    /// The `sha256` by which other statements name the model: SHA-256 over the digests of the files in their order.
    pub root: Digest,
}

/// Why a model is not signed, or a signature refused.
#[derive(Debug, thiserror::Error)]
pub enum ModelSigningError {
    /// Not canonical JSON.
    #[error("model.sig: {0}")]
    Canonical(#[from] CanonicalError),
    /// Key trouble or a signature that does not verify.
    #[error("model.sig: {0}")]
    Key(#[from] KeyError),
    /// A member has a value that is never written.
    #[error("model.sig: {0}")]
    Member(&'static str),
    /// A path that verifiers would read differently, or not at all.
    #[error("{0:?} cannot be signed: {1}")]
    Path(String, &'static str),
    /// The folder has another file than was signed.
    #[error("{0:?} is not the file that was signed")]
    Changed(String),
    /// The folder has more than was signed.
    #[error("{0:?} was not signed")]
    Added(String),
    /// The folder has less than was signed.
    #[error("{0:?} was signed and is missing")]
    Missing(String),
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Signature {
    media_type: String,
    verification_material: Material,
    dsse_envelope: Envelope,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Material {
    public_key: Hint,
    tlog_entries: [(); 0],
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hint {
    hint: Digest,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Envelope {
    payload: String,
    payload_type: String,
    signatures: [Signed; 1],
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    /// Always empty: the bundle has the hint.
    keyid: String,
    sig: String,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Statement {
    #[serde(rename = "_type")]
    statement_type: String,
    subject: [Subject; 1],
    predicate_type: String,
    predicate: Predicate,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    digest: SubjectDigest,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectDigest {
    sha256: Digest,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Predicate {
    resources: Vec<Resource>,
    serialization: Serialization,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Resource {
    algorithm: String,
    digest: Digest,
    name: String,
}

/// How a verifier finds and hashes the files.
#[derive(PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Serialization {
    allow_symlinks: bool,
    hash_type: String,
    ignore_paths: Vec<String>,
    method: String,
}

impl Statement {
    fn new(name: &str, files: &[ModelFile]) -> Self {
        let resource = |file: &ModelFile| Resource {
            algorithm: "sha256".to_owned(),
            digest: file.sha256,
            name: file.path.clone(),
        };
        Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: [Subject { name: name.to_owned(), digest: SubjectDigest { sha256: root_of(files) } }],
            predicate_type: PREDICATE_TYPE.to_owned(),
            predicate: Predicate {
                resources: files.iter().map(resource).collect(),
                serialization: Serialization {
                    allow_symlinks: false,
                    hash_type: "sha256".to_owned(),
                    ignore_paths: IGNORED.map(str::to_owned).to_vec(),
                    method: "files".to_owned(),
                },
            },
        }
    }
}

/// Whether verifiers leave a path out: the signature itself, and what git keeps.
pub fn is_ignored(path: &str) -> bool {
    path.split('/').next().is_some_and(|first| IGNORED.contains(&first))
}

/// The `sha256` by which other statements name a model with these files.
///
/// # Errors
/// When a path cannot be signed, or is there twice.
pub fn root_digest(files: &[ModelFile]) -> Result<Digest, ModelSigningError> {
    Ok(root_of(&ordered(files)?))
}

/// The bytes of `model.sig` for a folder called `name` with these files.
///
/// # Errors
/// When a path cannot be signed, or is there twice.
pub fn sign(name: &str, files: &[ModelFile], key: &ModelPrivateKey) -> Result<Vec<u8>, ModelSigningError> {
    let payload = canonical::to_bytes(&Statement::new(name, &ordered(files)?))?;
    let signature = Signature {
        media_type: MEDIA_TYPE.to_owned(),
        verification_material: Material { public_key: Hint { hint: key.public_key().id()? }, tlog_entries: [] },
        dsse_envelope: Envelope {
            payload_type: IN_TOTO.to_owned(),
            signatures: [Signed {
                keyid: String::new(),
                sig: STANDARD.encode(key.sign(&pre_authentication_encoding(IN_TOTO, &payload))),
            }],
            payload: STANDARD.encode(payload),
        },
    };
    Ok(canonical::to_bytes(&signature)?)
}

/// Verifies the bytes of a `model.sig` and gives what it says. Whether the files are the signed ones, [`verify`] tells.
///
/// # Errors
/// When anything is not as [`sign`] writes it with this key.
pub fn open(signature: &[u8], key: &ModelPublicKey) -> Result<SignedModel, ModelSigningError> {
    let member = ModelSigningError::Member;
    let read: Signature = canonical::from_bytes(signature)?;
    let (envelope, [signed]) = (&read.dsse_envelope, &read.dsse_envelope.signatures);
    if read.media_type != MEDIA_TYPE || envelope.payload_type != IN_TOTO || !signed.keyid.is_empty() {
        return Err(member("a type or a key id is another than the format's"));
    }
    if read.verification_material.public_key.hint != key.id()? {
        return Err(member("it names another key than the expected one"));
    }
    let payload = STANDARD.decode(&envelope.payload).map_err(|_| member("the payload is not base64"))?;
    let bytes = STANDARD.decode(&signed.sig).map_err(|_| member("the signature is not base64"))?;
    key.verify(&pre_authentication_encoding(IN_TOTO, &payload), &bytes)?;
    if !is_low(&bytes) {
        return Err(member("the signature has its other spelling"));
    }
    let statement: Statement = canonical::from_bytes(&payload)?;
    let [subject] = &statement.subject;
    let file = |resource: &Resource| ModelFile { path: resource.name.clone(), sha256: resource.digest };
    let files = ordered(&statement.predicate.resources.iter().map(file).collect::<Vec<_>>())?;
    // Written anew and compared: order, algorithms, root and parameters are those of the format or the file is refused.
    if statement != Statement::new(&subject.name, &files) {
        return Err(member("the statement is not what its files give"));
    }
    Ok(SignedModel { name: subject.name.clone(), root: subject.digest.sha256, files })
}

/// Verifies that a folder's files are exactly those that were signed. What verifiers ignore may be among them.
///
/// # Errors
/// When the signature does not verify, or a file was changed, added or removed.
pub fn verify(signature: &[u8], key: &ModelPublicKey, files: &[ModelFile]) -> Result<SignedModel, ModelSigningError> {
    let signed = open(signature, key)?;
    let mut left: BTreeMap<&str, Digest> = signed.files.iter().map(|f| (f.path.as_str(), f.sha256)).collect();
    for file in files.iter().filter(|file| !is_ignored(&file.path)) {
        match left.remove(file.path.as_str()) {
            None => return Err(ModelSigningError::Added(file.path.clone())),
            Some(sha256) if sha256 != file.sha256 => return Err(ModelSigningError::Changed(file.path.clone())),
            Some(_) => {}
        }
    }
    match left.pop_first() {
        Some((path, _)) => Err(ModelSigningError::Missing(path.to_owned())),
        None => Ok(signed),
    }
}

fn root_of(files: &[ModelFile]) -> Digest {
    Digest::sha256(files.iter().flat_map(|file| *file.sha256.as_bytes()).collect::<Vec<u8>>())
}

/// The files ascending component by component, an old signature left out.
fn ordered(files: &[ModelFile]) -> Result<Vec<ModelFile>, ModelSigningError> {
    let mut files: Vec<_> = files.iter().filter(|file| file.path != FILE_NAME).cloned().collect();
    for file in &files {
        let refuse = |why| Err(ModelSigningError::Path(file.path.clone(), why));
        if file.path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return refuse("a part of the path is empty, `.` or `..`");
        }
        if file.path.contains(['\\', '\0']) {
            return refuse("it is another path on another system");
        }
        if is_ignored(&file.path) {
            return refuse("verifiers leave out what belongs to git; move it away");
        }
    }
    files.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
    match files.windows(2).find(|pair| pair[0].path == pair[1].path) {
        Some(twice) => Err(ModelSigningError::Path(twice[0].path.clone(), "it is there twice")),
        None => Ok(files),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ModelPrivateKey {
        ModelPrivateKey::from_scalar(&[7; 32]).unwrap()
    }

    fn files(paths: &[&str]) -> Vec<ModelFile> {
        paths.iter().map(|path| ModelFile { path: (*path).to_owned(), sha256: Digest::sha256(path) }).collect()
    }

    const USUAL: [&str; 4] = ["weights.safetensors", "a/b", "a.b", "config.json"];

    fn check(files: &[ModelFile], refused: Option<&str>) {
        let signature = sign("demo", &self::files(&USUAL), &key()).unwrap();
        let found = verify(&signature, &key().public_key(), files).err().map(|e| e.to_string());
        assert!(found.as_deref().unwrap_or_default().contains(refused.unwrap_or_default()), "{found:?}");
        assert_eq!(found.is_some(), refused.is_some());
    }

    #[test]
    fn exactly_the_signed_files_are_accepted() {
        check(&files(&USUAL), None);
        check(&[files(&USUAL), files(&["model.sig", ".git/HEAD"])].concat(), None);
        check(&files(&USUAL[1..]), Some("is missing"));
        check(&[files(&USUAL), files(&["a/model.sig"])].concat(), Some("was not signed"));
        let mut changed = files(&USUAL);
        changed[2].sha256 = Digest::sha256("other");
        check(&changed, Some("\"a.b\" is not the file"));
    }

    #[test]
    fn the_root_is_over_the_digests_in_order_of_path_components() {
        let signed = open(&sign("demo", &files(&USUAL), &key()).unwrap(), &key().public_key()).unwrap();
        let paths: Vec<_> = signed.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a/b", "a.b", "config.json", "weights.safetensors"]);
        assert_eq!(signed.root, root_digest(&files(&USUAL)).unwrap());
        let digests: Vec<u8> = paths.iter().flat_map(|path| *Digest::sha256(path).as_bytes()).collect();
        assert_eq!((signed.root, signed.name.as_str()), (Digest::sha256(digests), "demo"));
        assert_eq!(root_digest(&[]).unwrap(), Digest::sha256(""));
    }

    #[test]
    fn paths_that_verifiers_read_differently_are_not_signed() {
        for bad in ["", "/a", "a//b", "./a", "a/..", "a/", "a\\b", "a\0", ".gitignore", ".github/x"] {
            assert!(matches!(root_digest(&files(&["a", bad])), Err(ModelSigningError::Path(..))), "{bad:?}");
        }
        assert!(root_digest(&files(&["a", "a"])).is_err());
        assert!(root_digest(&files(&["model.sig", "a/.gitignore", "..a"])).is_ok());
    }

    #[test]
    fn every_flipped_bit_of_a_signature_is_noticed() {
        let signature = sign("demo", &files(&USUAL), &key()).unwrap();
        let public = key().public_key();
        for at in 0..signature.len() {
            let mut bad = signature.clone();
            bad[at] ^= 1 << (at % 8);
            assert!(open(&bad, &public).is_err(), "byte {at}");
            assert!(open(&signature[..at], &public).is_err(), "{at} bytes");
        }
        let stranger = ModelPrivateKey::from_scalar(&[8; 32]).unwrap().public_key();
        assert!(matches!(open(&signature, &stranger), Err(ModelSigningError::Member(_))));
        assert_eq!(signature, sign("demo", &files(&USUAL), &key()).unwrap());
    }
}
