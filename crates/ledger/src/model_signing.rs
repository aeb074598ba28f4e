//! `model.sig`: the signature over a folder of model files that OpenSSF Model Signing v1.0 reads, a DSSE envelope in a
//! Sigstore bundle. Made and verified from the files' digests.
//!
//! Not here: finding and hashing the files (`model_folder.rs`), P-256 itself (`model_key.rs`), and our own envelopes and
//! bundles, which are Ed25519 (`dsse.rs`, `bundle.rs`).

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
    /// Paths that were left out beside those of git, with everything below: what changes without the model changing.
    pub ignored: Vec<String>,
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

impl SignedModel {
    /// Whether verifiers leave a path of this folder out.
    pub fn leaves_out(&self, path: &str) -> bool {
        is_ignored(path) || self.ignored.iter().any(|ignored| is_below(path, ignored))
    }
}

impl Statement {
    fn new(name: &str, files: &[ModelFile], ignored: &[String]) -> Self {
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
                    ignore_paths: IGNORED
                        .iter()
                        .map(|path| (*path).to_owned())
                        .chain(ignored.iter().cloned())
                        .collect(),
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

/// Whether a path is another one, or lies below it.
fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The `sha256` by which other statements name a model with these files.
///
/// # Errors
/// When a path cannot be signed, or is there twice.
pub fn root_digest(files: &[ModelFile]) -> Result<Digest, ModelSigningError> {
    Ok(root_of(&ordered(files)?))
}

/// The bytes of `model.sig` for a folder called `name` with these files. Verifiers read in it which paths they leave out:
/// `ignored`, with everything below.
///
/// # Errors
/// When a path cannot be signed, is there twice, or is ignored and signed.
pub fn sign(
    name: &str,
    files: &[ModelFile],
    ignored: &[String],
    key: &ModelPrivateKey,
) -> Result<Vec<u8>, ModelSigningError> {
    let (files, ignored) = (ordered(files)?, left_out(ignored)?);
    if let Some(file) = files.iter().find(|file| ignored.iter().any(|path| is_below(&file.path, path))) {
        return Err(ModelSigningError::Path(file.path.clone(), "it is among what verifiers are to leave out"));
    }
    let payload = canonical::to_bytes(&Statement::new(name, &files, &ignored))?;
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

/// The id of the key that a `model.sig` names itself signed with. Nothing is verified yet.
///
/// # Errors
/// When it is not of the format.
pub fn key_id(signature: &[u8]) -> Result<Digest, ModelSigningError> {
    Ok(canonical::from_bytes::<Signature>(signature)?.verification_material.public_key.hint)
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
    let ignored = left_out(statement.predicate.serialization.ignore_paths.get(IGNORED.len()..).unwrap_or_default())?;
    // Written anew and compared: order, algorithms, root and parameters are those of the format or the file is refused.
    if statement != Statement::new(&subject.name, &files, &ignored) {
        return Err(member("the statement is not what its files give"));
    }
    Ok(SignedModel { name: subject.name.clone(), root: subject.digest.sha256, files, ignored })
}

/// Verifies that a folder's files are exactly those that were signed. What verifiers ignore may be among them.
///
/// # Errors
/// When the signature does not verify, or a file was changed, added or removed.
pub fn verify(signature: &[u8], key: &ModelPublicKey, files: &[ModelFile]) -> Result<SignedModel, ModelSigningError> {
    let signed = open(signature, key)?;
    match differences(&signed, files).into_iter().next() {
        Some(difference) => Err(difference),
        None => Ok(signed),
    }
}

/// Every file that was changed or added, then every one that is missing.
pub fn differences(signed: &SignedModel, files: &[ModelFile]) -> Vec<ModelSigningError> {
    let mut left: BTreeMap<&str, Digest> = signed.files.iter().map(|f| (f.path.as_str(), f.sha256)).collect();
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !signed.leaves_out(&file.path)) {
        match left.remove(file.path.as_str()) {
            None => found.push(ModelSigningError::Added(file.path.clone())),
            Some(sha256) if sha256 != file.sha256 => found.push(ModelSigningError::Changed(file.path.clone())),
            Some(_) => {}
        }
    }
    found.extend(left.into_keys().map(|path| ModelSigningError::Missing(path.to_owned())));
    found
}

fn root_of(files: &[ModelFile]) -> Digest {
    Digest::sha256(files.iter().flat_map(|file| *file.sha256.as_bytes()).collect::<Vec<u8>>())
}

/// The files ascending component by component, an old signature left out.
fn ordered(files: &[ModelFile]) -> Result<Vec<ModelFile>, ModelSigningError> {
    let mut files: Vec<_> = files.iter().filter(|file| file.path != FILE_NAME).cloned().collect();
    files.iter().try_for_each(|file| check_path(&file.path))?;
    files.sort_by(|a, b| a.path.split('/').cmp(b.path.split('/')));
    match files.windows(2).find(|pair| pair[0].path == pair[1].path) {
        Some(twice) => Err(ModelSigningError::Path(twice[0].path.clone(), "it is there twice")),
        None => Ok(files),
    }
}

/// The further paths to leave out, ascending.
fn left_out(paths: &[String]) -> Result<Vec<String>, ModelSigningError> {
    let mut paths = paths.to_vec();
    paths.iter().try_for_each(|path| check_path(path))?;
    paths.sort();
    match paths.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twice) => Err(ModelSigningError::Path(twice[0].clone(), "it is left out twice")),
        None => Ok(paths),
    }
}

fn check_path(path: &str) -> Result<(), ModelSigningError> {
    let refuse = |why| Err(ModelSigningError::Path(path.to_owned(), why));
    if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return refuse("a part of the path is empty, `.` or `..`");
    }
    if path.contains(['\\', '\0']) {
        return refuse("it is another path on another system");
    }
    if is_ignored(path) {
        return refuse("verifiers leave out what belongs to git; move it away");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
