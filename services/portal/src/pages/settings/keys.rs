//! The public keys of the register: what each is for, since when and where in the log it counts. Nothing secret is read, and
//! nothing is done to a key here: that takes the keys' passphrase and the command line (`obelus keys`).

use askama::Template;
use obelus_casework::keyring::RegisteredKey;

use crate::{
    dispatch::Call,
    page::{self, Layout},
    route::Answer,
    shown::Shown,
};

#[derive(Template)]
#[template(path = "keys.html")]
struct KeysPage {
    layout: Layout,
    keys: Vec<Line>,
}

struct Line {
    role: String,
    purpose: &'static str,
    algorithm: &'static str,
    fingerprint: String,
    /// None: from the beginning.
    from: Option<String>,
    until: Option<String>,
    first_entry: u64,
    end_entry: Option<u64>,
    state: &'static str,
    look: &'static str,
    /// Why it was revoked.
    reason: Option<Shown>,
    /// The entries of the log that say it was replaced, or revoked.
    said_in: Vec<u64>,
}

/// `GET /settings/keys`.
pub(crate) async fn show(call: Call) -> Answer {
    let register = call.portal.deps.work.keys.register()?;
    // Those in use come first; of the others the newest.
    let mut keys: Vec<Line> = register.keys.iter().rev().map(line).collect();
    keys.sort_by_key(|key| key.end_entry.is_some());
    call.show(&KeysPage { layout: call.layout("Keys")?.under(&[("/settings", "Settings")]), keys })
}

fn line(registered: &RegisteredKey) -> Line {
    use obelus_ledger::keys::Role;
    let key = &registered.key;
    let (state, look) = match (&registered.revocation, key.end_entry) {
        (Some(_), _) => ("revoked", "bad"),
        (None, Some(_)) => ("retired", ""),
        (None, None) => ("in use", "good"),
    };
    let rotated = registered.rotation.as_ref().and_then(|said| said.entry);
    let revoked = registered.revocation.as_ref().and_then(|said| said.entry);
    Line {
        role: key.role.to_string(),
        purpose: match key.role {
            Role::Log => "signs the checkpoints of the log",
            Role::Issuer => "signs erasures, verifications and certificates",
            Role::Registrar => "signs sources, and the receipts and steps of cases",
            Role::Model => "signs what came out of training",
        },
        algorithm: if key.model_signing_key.is_some() { "Ed25519; with a P-256 key for model.sig" } else { "Ed25519" },
        fingerprint: key.keyid.to_string(),
        from: (key.valid_from.as_micros() != 0).then(|| page::time(key.valid_from)),
        until: key.valid_to.map(page::time),
        first_entry: key.first_entry,
        end_entry: key.end_entry,
        state,
        look,
        reason: registered.revocation.as_ref().map(|said| Shown::new(&said.statement.reason)),
        said_in: rotated.into_iter().chain(revoked).collect(),
    }
}
