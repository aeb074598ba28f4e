//! Certificates for everybody: which there are, how each stands today, and its files. Not here: whether a certificate is
//! right, which nobody has to believe us; the files are for checking that.

use std::path::PathBuf;

use askama::Template;
use obelus_core::Timestamp;
use obelus_store::{
    certificates::{self, Certificate, CertificateStatus},
    incidents,
};

use crate::{
    dispatch::Call,
    page::{self, Layout},
    problem::Problem,
    route::Answer,
    served_file::{self, Manner},
    shown::Shown,
    state::Portal,
};

const CERTIFICATES_PER_PAGE: u64 = 50;

/// The files of a certificate: the end of each name, its media type, and what it is.
const FILES: &[(&str, &str, &str)] = &[
    (".pdf", "application/pdf", "The certificate for people, as a PDF with the file for programs attached"),
    (".json", "application/json", "The certificate for programs, a Sigstore bundle"),
    (".evidence.json", "application/json", "The signed statements that it rests on, with their places in the log"),
    (".tlog-proof", "text/plain; charset=utf-8", "Proof that the certificate is in the log"),
    (".rowproof.json", "application/json", "Proof of which rows of the model were zeroed"),
];

#[derive(Template)]
#[template(path = "certificates.html")]
struct CertificatesPage {
    layout: Layout,
    certificates: Vec<Line>,
    next: Option<String>,
}

struct Line {
    id: Shown,
    standing: Standing,
    issued: String,
}

#[derive(Template)]
#[template(path = "certificate.html")]
struct CertificatePage {
    layout: Layout,
    id: Shown,
    standing: Standing,
    model: Shown,
    source: Shown,
    level: Shown,
    verdict: Shown,
    issued: String,
    valid_until: Option<String>,
    today: String,
    follows: Option<Shown>,
    statement: String,
    files: Vec<FileLine>,
}

struct FileLine {
    name: String,
    what: &'static str,
}

/// How a certificate stands today, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// One word, which also names its look.
    pub(crate) word: &'static str,
    pub(crate) sentence: &'static str,
}

impl Standing {
    fn of(row: &Certificate, now: Timestamp) -> Self {
        let is_over = row.valid_until.is_some_and(|until| until.0 <= now);
        let (word, sentence) = match row.status {
            CertificateStatus::Valid if is_over => (
                "expired",
                "Its time is over and it was not renewed. What it says was found at the time it was issued.",
            ),
            CertificateStatus::Valid => {
                ("valid", "It stands: it is the newest of its case, and nothing is known against it.")
            }
            CertificateStatus::Superseded => {
                ("superseded", "A newer certificate of the same case has taken its place.")
            }
            CertificateStatus::Suspended => (
                "suspended",
                "Something was found that may be wrong, and is being looked at. Do not rely on it until then.",
            ),
            CertificateStatus::Expired => (
                "expired",
                "Its time is over and it was not renewed. What it says was found at the time it was issued.",
            ),
            CertificateStatus::Revoked => {
                ("revoked", "It does not count any more: a statement that it rests on was revoked.")
            }
        };
        Self { word, sentence }
    }
}

/// `GET /certificates`.
pub(crate) async fn list(call: Call) -> Answer {
    let (after, now) = (call.query("after"), call.now());
    let after = Some(after.as_str()).filter(|after| is_name(after));
    let mut rows = certificates::page(&call.portal.deps.work.db, after, CERTIFICATES_PER_PAGE + 1).await?;
    let more = rows.len() as u64 > CERTIFICATES_PER_PAGE;
    rows.truncate(CERTIFICATES_PER_PAGE as usize);
    let next = rows.last().filter(|_| more).map(|row| format!("/certificates?after={}", row.id));
    let line = |row: &Certificate| Line {
        id: Shown::new(&row.id),
        standing: Standing::of(row, now),
        issued: page::time(row.issued_at.0),
    };
    let certificates = rows.iter().map(line).collect();
    call.show(&CertificatesPage { layout: call.layout("Certificates")?, certificates, next })
}

/// `GET /c/{id}`.
pub(crate) async fn show(call: Call) -> Answer {
    let row = named(&call.portal, call.part("id")).await?;
    let now = call.now();
    let standing = standing(&call.portal, &row, now).await?;
    let files = files(&call.portal, &row).await?;
    let files = files.into_iter().map(|(name, what)| FileLine { name, what }).collect();
    let layout = call.layout(&format!("Certificate {}", row.id))?.under(&[("/certificates", "Certificates")]);
    call.show(&CertificatePage {
        layout,
        id: Shown::new(&row.id),
        standing,
        model: Shown::new(&row.model),
        source: Shown::new(&row.source_id),
        level: Shown::new(&row.level),
        verdict: Shown::new(&row.verdict.replace('_', " ")),
        issued: page::time(row.issued_at.0),
        valid_until: row.valid_until.map(|until| page::time(until.0)),
        today: page::time(now),
        follows: row.follows.as_deref().map(Shown::new),
        statement: row.statement.to_string(),
        files,
    })
}

/// How a certificate stands today.
pub(crate) async fn standing(portal: &Portal, row: &Certificate, now: Timestamp) -> Result<Standing, Problem> {
    // What is being looked at is said by the incident too, should the row lag behind.
    let open = incidents::open_of(&portal.deps.work.db, &row.id).await?.is_some();
    Ok(match Standing::of(row, now) {
        Standing { word: "valid", .. } if open => {
            Standing::of(&Certificate { status: CertificateStatus::Suspended, ..row.clone() }, now)
        }
        standing => standing,
    })
}

/// The files of a certificate that there are: the name of each, and what it is.
pub(crate) async fn files(portal: &Portal, row: &Certificate) -> Result<Vec<(String, &'static str)>, Problem> {
    let mut files = Vec::new();
    for (end, _, what) in FILES {
        let is_there = tokio::fs::try_exists(path_of(portal, row, end)?).await;
        if is_there.map_err(anyhow::Error::from)? {
            files.push((format!("{}{end}", row.id), *what));
        }
    }
    Ok(files)
}

/// `GET /c/{id}/files/{name}`.
pub(crate) async fn download(call: Call) -> Answer {
    let row = named(&call.portal, call.part("id")).await?;
    let name = call.part("name");
    let missing = || Problem::not_found("The certificate has no such file. Its page lists those that there are.");
    let end = name.strip_prefix(row.id.as_str()).ok_or_else(missing)?;
    let (end, kind, _) = FILES.iter().find(|(known, _, _)| *known == end).ok_or_else(missing)?;
    let manner = Manner { kind, keep: "public, no-cache", save_as: Some(name) };
    served_file::serve(&path_of(&call.portal, &row, end)?, manner).await?.ok_or_else(missing)
}

/// A file of a certificate, beside its bundle.
fn path_of(portal: &Portal, row: &Certificate, end: &str) -> Result<PathBuf, Problem> {
    let bundle = portal.deps.work.data.resolve(&row.path).map_err(anyhow::Error::from)?;
    Ok(bundle.with_file_name(format!("{}{end}", row.id)))
}

/// The certificate of a name.
pub(crate) async fn named(portal: &Portal, id: &str) -> Result<Certificate, Problem> {
    let missing = || {
        Problem::not_found("There is no certificate of this name here. Check the name; it looks like CT-2026-000001.")
    };
    let id = Some(id).filter(|id| is_name(id)).ok_or_else(missing)?;
    certificates::get(&portal.deps.work.db, id).await?.ok_or_else(missing)
}

/// Whether text has the form of a certificate's name, so that it is also the name of a file and nothing else.
fn is_name(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
    text.starts_with("CT-") && text.len() <= 40 && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_certificates_are_looked_for() {
        assert!(is_name("CT-2026-000001"));
        for bad in ["", "CT-../../x", "CT-2026-000001\0", "ct-2026-000001", "OB-2026-000001", "CT-2026/1", "CT-é"] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
