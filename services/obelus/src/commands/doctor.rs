//! `obelus doctor`: what works here, what is missing, and what to do about it.

use std::path::Path;

use anyhow::Result;
use obelus_auditor::transparency;
use serde_json::json;

use crate::{
    installation,
    output::{Answer, Output},
};

/// Runs every check; the answer is no when one fails.
pub async fn run(root: &Path, output: &Output) -> Result<Answer> {
    let mut checks = Vec::new();
    let sum = tch::Tensor::from_slice(&[1i64, 2, 3]).sum(tch::Kind::Int64).int64_value(&[]);
    checks.push(("libtorch", sum == 6, "tensors are added on the CPU".to_owned()));
    let gpus = tch::Cuda::device_count();
    checks.push(("devices", true, format!("cpu, {gpus} CUDA devices")));
    match installation::open(root).await {
        Err(error) => checks.push(("data directory", false, format!("{error:#}"))),
        Ok(deps) => {
            let shown = deps.data.root().display();
            checks.push(("data directory", true, format!("{shown}, database {:?}", deps.db.backend())));
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
