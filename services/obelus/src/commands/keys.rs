//! `obelus keys`.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use obelus_casework::{
    Deps,
    case::OWNER,
    custody::{self, Reason, Which},
    keyring::RegisteredKey,
};
use obelus_core::{Digest, Timestamp};
use obelus_ledger::{
    canonical,
    checkpoint::vkey,
    keys::{PublicKey, Role},
    model_key::ModelPublicKey,
    trust::TrustedKey,
};
use serde_json::{Value, json};

use crate::{
    arguments::Keys,
    failure::WrongUse,
    output::{Answer, Output, table},
};

/// Fewest digits by which a key is named.
const SHORTEST_ID: usize = 8;

/// Runs `obelus keys`.
pub async fn run(deps: &Deps, command: &Keys, output: &Output) -> Result<Answer> {
    match command {
        Keys::List => list(deps, output)?,
        Keys::Rotate { role, person } => {
            let by = person.as_deref().unwrap_or(OWNER);
            let rotated = custody::rotate(deps, by, self::role(role)?).await?;
            let words = format!(
                "{role}: {} is retired, {} signs from now on; entry {} of the log says so.\nVerifiers need the new trusted \
                 root: obelus keys export-trust",
                rotated.retired, rotated.successor, rotated.entry
            );
            let document = json!({
                "role": role, "retired": rotated.retired, "successor": rotated.successor, "entry": rotated.entry,
            });
            output.print(&words, &document)?;
        }
        Keys::Revoke { key, reason, since, from_entry, person } => {
            let by = person.as_deref().unwrap_or(OWNER);
            let since = since.as_deref().map(time).transpose()?;
            let reason = Reason { text: reason.clone(), since, from_entry: *from_entry };
            let revoked = custody::revoke(deps, by, which(deps, key)?, &reason).await?;
            let keyid = revoked.keyid;
            let words = format!(
                "{} key {keyid} is revoked: nothing of it counts from entry {} of the log on; entry {} says so.\nVerifiers \
                 go on trusting it until they have the new trusted root: obelus keys export-trust",
                revoked.role, revoked.first_distrusted_entry, revoked.entry
            );
            let document = json!({
                "role": revoked.role, "keyid": keyid, "first_distrusted_entry": revoked.first_distrusted_entry,
                "entry": revoked.entry,
            });
            output.print(&words, &document)?;
        }
        Keys::ExportTrust { out } => {
            export_trust(deps, out).await?;
            let words = format!(
                "{}: give it to verifiers by a way that does not pass through whoever could change a certificate.",
                out.display()
            );
            output.print(&words, &json!({ "trust": out }))?;
        }
    }
    Ok(Answer::Done)
}

fn list(deps: &Deps, output: &Output) -> Result<()> {
    let register = deps.keys.register()?;
    let row = |registered: &RegisteredKey| {
        let key = &registered.key;
        let from =
            if key.valid_from.as_micros() == 0 { "the beginning".to_owned() } else { key.valid_from.to_string() };
        let to = key.valid_to.map_or("-".to_owned(), |to| to.to_string());
        let entries = format!("{}-{}", key.first_entry, key.end_entry.map_or(String::new(), |end| end.to_string()));
        vec![key.role.to_string(), key.keyid.to_string(), from, to, entries, state(registered)]
    };
    let mut rows: Vec<Vec<String>> = Vec::new();
    for registered in &register.keys {
        rows.push(row(registered));
        if let Some(id) = model_signing_id(&registered.key)? {
            // It came with the key above and shares its periods.
            let mut row = row(registered);
            (row[0], row[1]) = (" model.sig".to_owned(), id.to_string());
            rows.push(row);
        }
    }
    let document = |registered: &RegisteredKey| -> Result<Value> {
        let key = &registered.key;
        Ok(json!({
            "role": key.role, "keyid": key.keyid, "valid_from": key.valid_from, "valid_to": key.valid_to,
            "first_entry": key.first_entry, "end_entry": key.end_entry, "state": state_name(registered),
            "reason": registered.revocation.as_ref().map(|a| &a.statement.reason), "model_signing_key": model_signing_id(key)?,
        }))
    };
    let documents: Vec<Value> = register.keys.iter().map(document).collect::<Result<_>>()?;
    output.print(&table(&["ROLE", "KEY ID", "FROM", "TO", "ENTRIES", "STATE"], &rows), &documents)
}

/// The id by which `model.sig` names the P-256 key that belongs to a key of role `model`.
fn model_signing_id(key: &TrustedKey) -> Result<Option<Digest>> {
    let pem = key.model_signing_key.as_ref();
    Ok(pem.map(|pem| ModelPublicKey::from_pem(pem)?.id()).transpose()?)
}

fn state_name(registered: &RegisteredKey) -> &'static str {
    match (&registered.revocation, registered.key.end_entry) {
        (Some(_), _) => "revoked",
        (None, Some(_)) => "retired",
        (None, None) => "in use",
    }
}

fn state(registered: &RegisteredKey) -> String {
    match &registered.revocation {
        Some(revocation) => format!("revoked: {}", revocation.statement.reason),
        None => state_name(registered).to_owned(),
    }
}

fn role(text: &str) -> Result<Role> {
    Ok(text.parse::<Role>().map_err(|e| WrongUse(e.to_string()))?)
}

fn time(text: &str) -> Result<Timestamp> {
    // People leave the six decimals out.
    let exact = match text.strip_suffix('Z') {
        Some(rest) if !rest.contains('.') => format!("{rest}.000000Z"),
        _ => text.to_owned(),
    };
    Ok(exact.parse::<Timestamp>().map_err(|e| WrongUse(e.to_string()))?)
}

/// The key in use of a role, or the one whose id begins so.
fn which(deps: &Deps, text: &str) -> Result<Which> {
    if let Ok(role) = text.parse::<Role>() {
        return Ok(Which::InUse(role));
    }
    let register = deps.keys.register()?;
    let mut found = register.trusted().filter(|key| key.keyid.to_string().starts_with(text));
    match (text.len() >= SHORTEST_ID, found.next(), found.next()) {
        (true, Some(key), None) => Ok(Which::Key(key.keyid)),
        _ => Err(WrongUse(format!(
            "{text:?} is neither a role (log, issuer, registrar, model) nor {SHORTEST_ID} or more digits with which one \
             key id begins; obelus keys list shows them"
        ))
        .into()),
    }
}

/// Writes what a verifier needs, in the place of what is there: the trusted root, a PEM a key (those of the P-256
/// keys are called `model-signing`), and the log's verifier keys.
/// A replacement of a key that was cut off is finished first.
///
/// # Errors
/// When the folder or the log cannot be written.
pub async fn export_trust(deps: &Deps, out: &Path) -> Result<()> {
    custody::finish_interrupted(deps).await?;
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let root = deps.keys.trusted_root(&deps.settings.log_origin)?;
    let write = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    for key in &root.keys {
        let name = name_of(key);
        write(&format!("{name}.pem"), key.public_key.as_bytes())?;
        if let Some(pem) = &key.model_signing_key {
            let name = name.replacen("model", "model-signing", 1);
            write(&format!("{name}.pem"), pem.as_bytes())?;
        }
        if key.role == Role::Log {
            let vkey = vkey(&root.log_origin, &PublicKey::from_pem(&key.public_key)?);
            write(&format!("{name}.vkey"), format!("{vkey}\n").as_bytes())?;
        }
    }
    // Last, and whole: a folder that was cut off has the old one.
    let partial = format!("{}.partial", obelus_verify::TRUSTED_ROOT);
    write(&partial, &canonical::to_bytes(&root)?)?;
    let path = out.join(obelus_verify::TRUSTED_ROOT);
    fs::rename(out.join(partial), &path).with_context(|| format!("cannot write {}", path.display()))
}

/// Name of a key's files: its role, and for a retired one the beginning of its id.
fn name_of(key: &TrustedKey) -> String {
    match key.end_entry {
        None => key.role.to_string(),
        Some(_) => format!("{}-{}", key.role, &key.keyid.to_string()[..8]),
    }
}
