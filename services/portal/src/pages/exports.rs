//! Exports for those who look from outside: of a case, and of what a sample drew. Not here: what is in one, and the note of who
//! has it (`obelus_casework::export`).

use actix_web::{
    HttpResponse,
    body::SizedStream,
    http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE},
};
use obelus_casework::export::{self, Export};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_util::io::ReaderStream;

use crate::{dispatch::Call, problem::Problem, route::Answer};

/// Exports that are made at once. Each is a file on the data directory's disk until it is sent.
static PLACES: Semaphore = Semaphore::const_new(2);

/// `GET /cases/{reference}/export`.
pub(crate) async fn of_case(call: Call) -> Answer {
    let (reference, _place) = (call.reference()?, place().await?);
    let made = export::of_case(&call.portal.deps.work, &call.person()?.name, reference).await;
    Ok(saved(reference, made.map_err(Problem::of_case)?))
}

/// `GET /audit/sample/{id}/export`.
pub(crate) async fn of_sample(call: Call) -> Answer {
    let missing = || Problem::not_found("There is no such sample of yours. Choose one on the page Samples.");
    let id = Some(call.part("id")).filter(|id| crate::dispatch::is_reference(id)).ok_or_else(missing)?;
    let _place = place().await?;
    let made = export::of_sample(&call.portal.deps.work, &call.person()?.name, id).await;
    Ok(saved(id, made.map_err(Problem::of_case)?))
}

async fn place() -> Result<SemaphorePermit<'static>, Problem> {
    Ok(PLACES.acquire().await.map_err(anyhow::Error::from)?)
}

/// The archive, as it is read, under a name of letters, digits and `-`.
fn saved(name: &str, export: Export) -> HttpResponse {
    let stream = ReaderStream::new(tokio::fs::File::from_std(export.file));
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/zip"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.export.zip\"")))
        .body(SizedStream::new(export.bytes, stream))
}
