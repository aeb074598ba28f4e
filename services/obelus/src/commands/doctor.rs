//! `obelus doctor`: what works here, what is missing, and what to do about it.

use std::path::Path;

use anyhow::Result;
use obelus_casework::{Deps, open, transparency};
use obelus_collective::{CudaLibrary, load_cuda};
use obelus_ledger::keys::Role;
use obelus_store::privileges;
use obelus_trainer::cpu_multiplies_bfloat16;
use serde_json::json;

use crate::output::{Answer, Output};

/// What tensors can be computed on. No GPU is no fault; a CUDA part that cannot be loaded is one.
fn devices() -> (&'static str, bool, String) {
    let cpu = if cpu_multiplies_bfloat16() { "cpu with matrix units for bfloat16" } else { "cpu, float32" };
    match load_cuda() {
        Ok(CudaLibrary::Loaded(path)) => {
            ("devices", true, format!("{cpu}; {} GPUs through {}", tch::Cuda::device_count(), path.display()))
        }
        Ok(CudaLibrary::Absent(path)) => {
            ("devices", true, format!("{cpu}; no GPU: the CUDA part of libtorch is not at {}", path.display()))
        }
        Err(error) => ("devices", false, format!("{cpu}; {error}")),
    }
}

/// Whether the database user may do what the programs need, and no more.
async fn database(deps: &Deps) -> (&'static str, bool, String) {
    match privileges::check(&deps.db, privileges::Role::Application).await {
        Ok(findings) if findings.is_empty() => {
            ("database", true, "its user may do what it needs and no more".to_owned())
        }
        Ok(findings) => {
            let said: Vec<String> = findings.iter().map(ToString::to_string).collect();
            ("database", false, format!("{}; docs/operations.md sets up users", said.join("; ")))
        }
        Err(error) => ("database", false, error.to_string()),
    }
}

/// Whether the keys in use open, and are encrypted.
fn keys(deps: &Deps) -> (&'static str, bool, String) {
    let looked = || -> Result<(bool, String)> {
        let unencrypted: Vec<String> = deps.keys.unencrypted()?.iter().map(ToString::to_string).collect();
        if !unencrypted.is_empty() {
            return Ok((false, format!("{} lie unencrypted; obelus init encrypts them", unencrypted.join(", "))));
        }
        for role in Role::ALL {
            deps.keys.signer(role)?;
        }
        // One that is not there is made when a model is signed; looking makes none.
        if deps.keys.register()?.current(Role::Model)?.model_signing_key.is_some() {
            deps.keys.model_signer()?;
        }
        let source = deps.keys.passphrase_source();
        if deps.keys.register()?.is_announced() {
            return Ok((true, format!("four in use, encrypted; {source}")));
        }
        Ok((false, "the log has yet to say that a key was replaced; obelus keys export-trust finishes that".to_owned()))
    };
    match looked() {
        Ok((ok, detail)) => ("keys", ok, detail),
        Err(error) => ("keys", false, format!("{error:#}")),
    }
}

/// Runs every check; the answer is no when one fails.
pub async fn run(root: &Path, output: &Output) -> Result<Answer> {
    // The devices first: libtorch looks for its CUDA part once.
    let mut checks = vec![devices()];
    let sum = tch::Tensor::from_slice(&[1i64, 2, 3]).sum(tch::Kind::Int64).int64_value(&[]);
    checks.push(("libtorch", sum == 6, "tensors are added on the CPU".to_owned()));
    match open::open(root).await {
        Err(error) => checks.push(("data directory", false, format!("{error:#}"))),
        Ok(deps) => {
            let shown = deps.data.root().display();
            checks.push(("data directory", true, format!("{shown}, database {:?}", deps.db.backend())));
            checks.push(database(&deps).await);
            checks.push(keys(&deps));
            let log = transparency::check(&deps).await;
            checks.push(match log {
                Ok(checkpoint) => ("log", true, format!("{} entries give the signed root", checkpoint.size)),
                Err(error) => ("log", false, format!("{error:#}")),
            });
        }
    }
    let ok = checks.iter().all(|(_, ok, _)| *ok);
    let lines: Vec<String> = checks
        .iter()
        .map(|(name, ok, detail)| format!("{} {name:<15} {detail}", if *ok { "ok  " } else { "FAIL" }))
        .collect();
    let documents: Vec<_> =
        checks.iter().map(|(name, ok, detail)| json!({ "name": name, "ok": ok, "detail": detail })).collect();
    output.print(&lines.join("\n"), &json!({ "ok": ok, "checks": documents }))?;
    Ok(if ok { Answer::Done } else { Answer::No })
}
