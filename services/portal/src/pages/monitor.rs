//! For programs that watch this one. Not pages: short text.

use actix_web::{HttpResponse, http::header::CONTENT_TYPE};
use obelus_store::accounts;

use crate::{dispatch::Call, problem::Problem, route::Answer};

/// `/health`: the process answers.
pub(crate) async fn health(_: Call) -> Answer {
    Ok(text("alive\n".to_owned()))
}

/// `/ready`: so does the database.
pub(crate) async fn ready(call: Call) -> Answer {
    match accounts::any(&call.portal.deps.work.db).await {
        Ok(_) => Ok(text("ready\n".to_owned())),
        Err(error) => {
            tracing::warn!("not ready: {error}");
            Err(Problem::not_ready())
        }
    }
}

/// `/metrics`, in the text format of Prometheus.
pub(crate) async fn metrics(call: Call) -> Answer {
    Ok(text(call.portal.metrics.render()))
}

fn text(body: String) -> HttpResponse {
    HttpResponse::Ok().insert_header((CONTENT_TYPE, "text/plain; charset=utf-8")).body(body)
}
