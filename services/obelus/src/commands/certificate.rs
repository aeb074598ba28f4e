//! `obelus certificate`.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use obelus_auditor::{
    certificate_files::{self, CertificateFiles},
    challenge, living,
};
use obelus_casework::{Deps, durable::write_durably};
use obelus_ledger::{
    bundle::Bundle,
    canonical,
    keys::Role,
    statement::{Certificate as Claims, Statement},
};
use obelus_store::{
    blind_challenges, certificates,
    certificates::{Certificate as Row, CertificateStatus},
};
use serde_json::{Value, json};

use crate::{
    arguments::Certificate,
    commands,
    failure::WrongUse,
    output::{Answer, Output, table},
};

/// Runs `obelus certificate`.
pub async fn run(deps: &Deps, command: &Certificate, output: &Output) -> Result<Answer> {
    match command {
        Certificate::List => {
            let (mut cells, mut documents) = (Vec::new(), Vec::new());
            for row in living::all(deps).await? {
                let status = living::today(deps, &row).await?;
                documents.push(document(&row, status));
                cells.push(vec![row.id, status.to_string(), row.level, row.verdict, row.source_id]);
            }
            output.print(&table(&["ID", "STATUS", "LEVEL", "VERDICT", "SOURCE"], &cells), &documents)?;
        }
        Certificate::Show { id } => {
            let row = existing(deps, id).await?;
            let path = certificate_files::write(deps, &row).await?;
            let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let certificate: Bundle = canonical::from_bytes(&bytes)?;
            let envelope = &certificate.dsse_envelope;
            let claims = Statement::<Claims>::verify(envelope, &deps.keys.verifier(Role::Issuer, envelope)?)?.predicate;
            let status = living::today(deps, &row).await?;
            let mut shown = document(&row, status);
            shown["claims"] = json!(claims);
            shown["path"] = json!(path);
            let mut words = format!("{}\nStatus today: {status}.", in_words(&row, &claims));
            let challenges = blind_challenges::all(&deps.db, Some(&row.request)).await?;
            for challenge in &challenges {
                words.push_str(&format!("\n{}", challenge::in_words(challenge)?));
            }
            let challenges = challenges.iter().map(commands::challenge::document).collect::<Result<Vec<_>>>()?;
            shown["challenges"] = json!(challenges);
            output.print(&words, &shown)?;
        }
        Certificate::Status { id, out } => status(deps, id.as_deref(), out.as_deref(), output).await?,
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
            for from in certificate_files::challenges(deps, &row).await? {
                let to = out.join(from.file_name().context("a challenge's files have names")?);
                fs::copy(&from, &to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
                written.push(to);
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

/// Brings the signed list up to date, and shows what it says.
async fn status(deps: &Deps, id: Option<&str>, out: Option<&Path>, output: &Output) -> Result<()> {
    if let Some(id) = id {
        existing(deps, id).await?;
    }
    living::expire(deps).await?;
    let signed = living::document(deps).await?;
    if let Some(out) = out {
        write_durably(out, &canonical::to_bytes(&signed)?)?;
    }
    let entries: Vec<_> = signed.list.entries.iter().filter(|entry| id.is_none_or(|id| entry.id == id)).collect();
    let cells: Vec<Vec<String>> = entries
        .iter()
        .map(|e| vec![e.id.clone(), e.status.clone(), e.since.to_string(), e.valid_until.to_string()])
        .collect();
    let mut words = table(&["ID", "STATUS", "SINCE", "VALID UNTIL"], &cells);
    words.push_str(&format!("\nlist {}", signed.list.sequence));
    if let Some(out) = out {
        words.push_str(&format!(": {}; obelus verify CERTIFICATE --trust DIR --status takes it", out.display()));
    }
    output.print(&words, &json!({ "sequence": signed.list.sequence, "certificates": entries, "file": out }))
}

fn document(row: &Row, status: CertificateStatus) -> Value {
    json!({
        "id": row.id,
        "status": status.to_string(),
        "level": row.level,
        "verdict": row.verdict,
        "source": row.source_id,
        "model": row.model,
        "request": row.request,
        "issued_at": row.issued_at.0,
        "follows": row.follows,
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
    if let Some(renewal) = claims.renews {
        words.push_str(&format!(
            "Renews the certificate {}; judged on the weights {}.\n",
            renewal.certificate, renewal.judged
        ));
    }
    words.push_str("\nWhat this does not prove:\n");
    for limit in &claims.limits {
        words.push_str(&format!("  - {limit}\n"));
    }
    words.push_str(&format!("\nIssued {}, valid until {}.", claims.issued_at, claims.valid_until));
    words
}
