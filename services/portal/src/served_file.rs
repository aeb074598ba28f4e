//! A file of the data directory as an answer, in pieces as it is read. Callers make the path; nothing of a request is in it.

use std::{io::ErrorKind, path::Path};

use actix_web::{
    HttpResponse,
    body::SizedStream,
    http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
};
use anyhow::Context as _;
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use crate::problem::Problem;

/// How a file is answered.
pub(crate) struct Manner<'m> {
    /// The media type.
    pub(crate) kind: &'m str,
    /// For how long it may be kept elsewhere, as `Cache-Control` says it.
    pub(crate) keep: &'m str,
    /// The name under which browsers save it and do not show it; made of letters, digits, `.` and `-`.
    pub(crate) save_as: Option<&'m str>,
}

/// The file at `path`; none when there is none.
///
/// # Errors
/// When it cannot be read for another reason.
pub(crate) async fn serve(path: &Path, manner: Manner<'_>) -> Result<Option<HttpResponse>, Problem> {
    let file = match File::open(path).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let meta = file.metadata().await.with_context(|| format!("cannot read {}", path.display()))?;
    if !meta.is_file() {
        return Ok(None);
    }
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, manner.kind)).insert_header((CACHE_CONTROL, manner.keep));
    if let Some(name) = manner.save_as {
        answer.insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")));
    }
    Ok(Some(answer.body(SizedStream::new(meta.len(), ReaderStream::new(file)))))
}
