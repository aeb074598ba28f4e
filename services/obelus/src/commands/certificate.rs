//! `obelus certificate`.

use std::fs;

use anyhow::{Context as _, Result};
use obelus_auditor::{
    Deps,
    certificate_files::{self, CertificateFiles},
};
use obelus_ledger::{
    bundle::Bundle,
    canonical,
    keys::Role,
    statement::{Certificate as Claims, Statement},
};
use obelus_store::{certificates, certificates::Certificate as Row};
use serde_json::{Value, json};

use crate::{
    arguments::Certificate,
    failure::WrongUse,
    output::{Answer, Output, table},
};

/// Certificates read at once.
const PAGE: u64 = 1000;

/// Runs `obelus certificate`.
pub async fn run(deps: &Deps, command: &Certificate, output: &Output) -> Result<Answer> {
    match command {
        Certificate::List => {
            let rows = all(deps).await?;
            let cells: Vec<Vec<String>> = rows
                .iter()
                .map(|r| {
                    let status = r.status.to_string();
                    vec![r.id.clone(), status, r.level.clone(), r.verdict.clone(), r.source_id.clone()]
                })
                .collect();
            let documents: Vec<Value> = rows.iter().map(document).collect();
            output.print(&table(&["ID", "STATUS", "LEVEL", "VERDICT", "SOURCE"], &cells), &documents)?;
        }
        Certificate::Show { id } => {
            let row = existing(deps, id).await?;
            let path = certificate_files::write(deps, &row).await?;
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let certificate: Bundle = canonical::from_bytes(&bytes)?;
            let envelope = &certificate.dsse_envelope;
            let claims = Statement::<Claims>::verify(envelope, &deps.keys.verifier(Role::Issuer, envelope)?)?.predicate;
            let mut shown = document(&row);
            shown["claims"] = json!(claims);
            shown["path"] = json!(path);
            output.print(&in_words(&row, &claims), &shown)?;
        }
        Certificate::Download { id, out } => {
            let row = existing(deps, id).await?;
            let from = certificate_files::hand_out(deps, &row).await?;
            fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
            let to = CertificateFiles::of(out, id);
            let mut written = Vec::new();
            for (from, to) in from.all().into_iter().zip(to.all()) {
                fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
                written.push(to.to_owned());
            }
            let shown: Vec<String> = written.iter().map(|p| p.display().to_string()).collect();
            output.print(&shown.join("\n"), &json!({ "id": id, "files": written }))?;
        }
    }
    Ok(Answer::Done)
}

async fn existing(deps: &Deps, id: &str) -> Result<Row> {
    let row = certificates::get(&deps.db, id).await?;
    Ok(row.ok_or_else(|| WrongUse(format!("there is no certificate {id:?}; obelus certificate list shows them")))?)
}

async fn all(deps: &Deps) -> Result<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let after = rows.last().map(|r| r.id.clone());
        let page = certificates::page(&deps.db, after.as_deref(), PAGE).await?;
        if page.is_empty() {
            return Ok(rows);
        }
        rows.extend(page);
    }
}

fn document(row: &Row) -> Value {
    json!({
        "id": row.id,
        "status": row.status.to_string(),
        "level": row.level,
        "verdict": row.verdict,
        "source": row.source_id,
        "model": row.model,
        "request": row.request,
        "issued_at": row.issued_at.0,
    })
}

/// A certificate for people who read no JSON: both claims, the figures, and what is not claimed.
pub fn in_words(row: &Row, claims: &Claims) -> String {
    let mut words = format!(
        "{}\n{}, model {}, source {}, request {}\n\nClaim 1, the erasure: {}. Level {}: exactly this source's neurons became \
         zero, nothing else changed.\n  root before {}\n  root after  {}\nClaim 2, the verification: {}.\n  baseline: {}\n  \
         recipe: {}\n",
        claims.title,
        claims.id,
        row.model,
        row.source_id,
        row.request,
        claims.erasure_claim,
        claims.level,
        claims.root_before,
        claims.root_after,
        claims.verdict,
        claims.baseline,
        claims.recipe
    );
    for figure in &claims.figures {
        words.push_str(&format!("  {:<34} {:<13} {}\n", figure.name, figure.verdict, figure.residual));
    }
    words.push_str("\nWhat this does not prove:\n");
    for limit in &claims.limits {
        words.push_str(&format!("  - {limit}\n"));
    }
    words.push_str(&format!("\nIssued {}, valid until {}.", claims.issued_at, claims.valid_until));
    words
}
