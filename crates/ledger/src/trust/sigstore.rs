//! The trusted root as a file: our members, and those of Sigstore's `TrustedRoot` (protobuf-specs
//! `dev.sigstore.trustroot.v1`, JSON mapping) that follow from them, so that its readers need no other file. Nothing of
//! Sigstore's part is kept apart: what does not follow from our keys is not written and not believed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use obelus_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::{TrustedKey, TrustedRoot};
use crate::{
    checkpoint::log_id,
    keys::{KeyError, PublicKey, Role},
};

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

/// `trusted_root.json`. Files from before it was Sigstore's too have only the first four members.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct File {
    pub(super) format: String,
    pub(super) log_origin: String,
    pub(super) log_vkey: String,
    pub(super) keys: Vec<TrustedKey>,
    media_type: Option<String>,
    tlogs: Option<Vec<TransparencyLog>>,
    // There are no certificates, no certificate logs and no time stamps here; readers want the members all the same.
    certificate_authorities: Option<[(); 0]>,
    ctlogs: Option<[(); 0]>,
    timestamp_authorities: Option<[(); 0]>,
}

/// `TransparencyLogInstance`: a key of the log, for Sigstore a log of its own.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct TransparencyLog {
    base_url: String,
    hash_algorithm: String,
    public_key: LogPublicKey,
    log_id: LogId,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct LogPublicKey {
    /// Base64 of the SPKI DER.
    raw_bytes: String,
    key_details: String,
    valid_for: TimeRange,
}

/// Both ends included, as in [`TrustedKey::covers`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TimeRange {
    start: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<Timestamp>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct LogId {
    key_id: String,
}

impl File {
    /// Everything that the file of a trusted root says.
    pub(super) fn new(root: &TrustedRoot) -> Result<Self, KeyError> {
        let logs = root.keys.iter().filter(|key| key.role == Role::Log);
        let tlogs: Result<_, KeyError> = logs.map(|key| TransparencyLog::new(&root.log_origin, key)).collect();
        Ok(Self {
            format: root.format.clone(),
            log_origin: root.log_origin.clone(),
            log_vkey: root.log_vkey.clone(),
            keys: root.keys.clone(),
            media_type: Some(MEDIA_TYPE.to_owned()),
            tlogs: Some(tlogs?),
            certificate_authorities: Some([]),
            ctlogs: Some([]),
            timestamp_authorities: Some([]),
        })
    }

    /// Whether any of Sigstore's members is there.
    pub(super) fn has_sigstore(&self) -> bool {
        self.media_type.is_some()
            || self.tlogs.is_some()
            || self.certificate_authorities.is_some()
            || self.ctlogs.is_some()
            || self.timestamp_authorities.is_some()
    }
}

impl TransparencyLog {
    fn new(origin: &str, key: &TrustedKey) -> Result<Self, KeyError> {
        let public = PublicKey::from_pem(&key.public_key)?;
        Ok(Self {
            base_url: format!("https://{origin}"),
            hash_algorithm: "SHA2_256".to_owned(),
            public_key: LogPublicKey {
                raw_bytes: STANDARD.encode(public.to_der()?),
                key_details: "PKIX_ED25519".to_owned(),
                valid_for: TimeRange { start: key.valid_from, end: key.valid_to },
            },
            log_id: LogId { key_id: STANDARD.encode(log_id(origin, &public)) },
        })
    }
}
