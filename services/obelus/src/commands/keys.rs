//! `obelus keys`.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use obelus_auditor::Deps;
use obelus_core::Timestamp;
use obelus_ledger::{canonical, keys::Role};
use serde_json::{Value, json};

use crate::{
    arguments::Keys,
    output::{Answer, Output, table},
};

/// Runs `obelus keys`.
pub fn run(deps: &Deps, command: &Keys, output: &Output) -> Result<Answer> {
    match command {
        Keys::List => {
            let keys: Vec<(Role, String)> =
                Role::ALL.into_iter().map(|role| (role, deps.keys.public(role).id().to_string())).collect();
            let rows: Vec<Vec<String>> = keys.iter().map(|(role, id)| vec![role.to_string(), id.clone()]).collect();
            let documents: Vec<Value> =
                keys.iter().map(|(role, id)| json!({ "role": role.to_string(), "keyid": id })).collect();
            output.print(&table(&["ROLE", "KEY ID"], &rows), &documents)?;
        }
        Keys::ExportTrust { out } => {
            export_trust(deps, out)?;
            let words = format!(
                "{}: give it to verifiers by a way that does not pass through whoever could change a certificate.",
                out.display()
            );
            output.print(&words, &json!({ "trust": out }))?;
        }
    }
    Ok(Answer::Done)
}

/// Writes what a verifier needs: the trusted root, a PEM a key, and the log's verifier key.
pub fn export_trust(deps: &Deps, out: &Path) -> Result<()> {
    fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    // Keys are never replaced in this release, so they are valid from the beginning of time.
    let root = deps.keys.trusted_root(&deps.settings.log_origin, Timestamp::from_micros(0))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    };
    write(obelus_verify::TRUSTED_ROOT, &canonical::to_bytes(&root)?)?;
    write("log.vkey", format!("{}\n", root.log_vkey).as_bytes())?;
    for key in &root.keys {
        write(&format!("{}.pem", key.role), key.public_key.as_bytes())?;
    }
    Ok(())
}
