//! What a host answers over HTTP: `/v1/complete`, `/v1/score` and `/v1/state` to whoever shows the token, `/health` and
//! `/ready` to everybody. Errors are problem details (RFC 9457).

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    error::{InternalError, JsonPayloadError},
    http::{
        StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE},
    },
    web,
};
use anyhow::{Context as _, Result};
use obelus_casework::NotThere;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    engine::{Busy, Engine, Lit},
    served::{Completion, Draw},
    standing::{Refused, Standing},
    token::Token,
};

/// Bytes of a body.
const LARGEST: usize = 1 << 20;
/// Tokens of an answer: a takedown waits for what is being answered.
const MOST_TOKENS: usize = 1024;
/// For what is being answered when the host is told to stop.
const STOP_PATIENCE_SECONDS: u64 = 20;

/// A server that listens and does not answer yet.
pub(crate) struct Bound(TcpListener, SocketAddr);

/// Takes the address, so that a port that is taken is said before a model is loaded.
///
/// # Errors
/// When it cannot be had.
pub(crate) fn bind(listen: SocketAddr) -> Result<Bound> {
    let taken = || format!("cannot listen on {listen}; stop what listens there, or choose another address");
    let listener = TcpListener::bind(listen).with_context(taken)?;
    let address = listener.local_addr().with_context(taken)?;
    Ok(Bound(listener, address))
}

impl Bound {
    pub(crate) fn address(&self) -> SocketAddr {
        self.1
    }

    /// Answers until it is dropped.
    ///
    /// # Errors
    /// When the server breaks off.
    pub(crate) async fn serve(self, token: Token, engine: Engine, standing: Arc<Standing>) -> Result<()> {
        let here = web::Data::new(Here { token, engine, standing });
        let app = move || {
            App::new()
                .app_data(here.clone())
                .app_data(web::JsonConfig::default().limit(LARGEST).error_handler(unreadable))
                .route("/v1/complete", web::post().to(complete))
                .route("/v1/score", web::post().to(score))
                .route("/v1/state", web::get().to(state))
                .route("/health", web::get().to(health))
                .route("/ready", web::get().to(ready))
                .default_service(web::to(missing))
        };
        let server = HttpServer::new(app).workers(2).disable_signals().shutdown_timeout(STOP_PATIENCE_SECONDS);
        server.listen(self.0).context("cannot listen")?.run().await.context("the server broke off")
    }
}

struct Here {
    token: Token,
    engine: Engine,
    standing: Arc<Standing>,
}

/// Whose sinks a request lights: a source's, or the nearest's; nobody's without either.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Route {
    Nearest,
    None,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CompleteRequest {
    prompt: String,
    source: Option<String>,
    route: Option<Route>,
    #[serde(default = "forty")]
    tokens: usize,
    #[serde(default)]
    temperature: f64,
    #[serde(default = "one")]
    top_p: f64,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    stop: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScoreRequest {
    prompt: String,
    answer: String,
    source: Option<String>,
    route: Option<Route>,
}

const fn forty() -> usize {
    40
}

const fn one() -> f64 {
    1.0
}

fn lit(source: Option<String>, route: Option<&Route>) -> Result<Lit, HttpResponse> {
    match (source, route) {
        (Some(_), Some(_)) => Err(bad("name a source or a route, and not both")),
        (Some(id), None) => Ok(Lit::Source(id)),
        (None, Some(Route::Nearest)) => Ok(Lit::Nearest),
        (None, Some(Route::None) | None) => Ok(Lit::Backbone),
    }
}

async fn complete(here: web::Data<Here>, request: HttpRequest, asked: web::Json<CompleteRequest>) -> HttpResponse {
    if let Err(refused) = here.admit(&request) {
        return refused;
    }
    let CompleteRequest { prompt, source, route, tokens, temperature, top_p, seed, stop } = asked.into_inner();
    if !(1..=MOST_TOKENS).contains(&tokens) {
        return bad(&format!("tokens must be 1 to {MOST_TOKENS}"));
    }
    let sound = temperature.is_finite() && temperature >= 0.0 && top_p > 0.0 && top_p <= 1.0;
    if !sound || stop.iter().any(String::is_empty) {
        return bad("temperature must be 0 or more, top_p above 0 and at most 1, and no text of stop empty");
    }
    let lit = match lit(source, route.as_ref()) {
        Ok(lit) => lit,
        Err(refused) => return refused,
    };
    let sampling = Draw { tokens, temperature, top_p, seed };
    answer(here.engine.complete(Completion { prompt, sampling, stop }, lit).await)
}

async fn score(here: web::Data<Here>, request: HttpRequest, asked: web::Json<ScoreRequest>) -> HttpResponse {
    if let Err(refused) = here.admit(&request) {
        return refused;
    }
    let ScoreRequest { prompt, answer: text, source, route } = asked.into_inner();
    if text.is_empty() {
        return bad("answer must not be empty");
    }
    match lit(source, route.as_ref()) {
        Ok(lit) => answer(here.engine.score(prompt, text, lit).await),
        Err(refused) => refused,
    }
}

async fn state(here: web::Data<Here>, request: HttpRequest) -> HttpResponse {
    match here.admit(&request) {
        Ok(()) => HttpResponse::Ok().json(json!({
            "answers": here.standing.permits(None).is_ok(),
            "refused": here.standing.refused(),
        })),
        Err(refused) => refused,
    }
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

async fn ready(here: web::Data<Here>) -> HttpResponse {
    match here.standing.permits(None) {
        Ok(()) => HttpResponse::Ok().json(json!({ "status": "ready" })),
        Err(refused) => refusal(&refused),
    }
}

async fn missing() -> HttpResponse {
    problem(StatusCode::NOT_FOUND, "not-found", "a host answers /v1/complete, /v1/score, /v1/state, /health and /ready")
}

impl Here {
    fn admit(&self, request: &HttpRequest) -> Result<(), HttpResponse> {
        let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        if self.token.is_shown(shown) {
            return Ok(());
        }
        let detail = "show the token of this host: Authorization: Bearer TOKEN";
        let mut refused = problem(StatusCode::UNAUTHORIZED, "not-admitted", detail);
        refused.headers_mut().insert(WWW_AUTHENTICATE, actix_web::http::header::HeaderValue::from_static("Bearer"));
        Err(refused)
    }
}

fn answer(answered: Result<impl Serialize>) -> HttpResponse {
    let error = match answered {
        Ok(answered) => return HttpResponse::Ok().json(answered),
        Err(error) => error,
    };
    if let Some(refused) = error.downcast_ref::<Refused>() {
        return refusal(refused);
    }
    if error.is::<Busy>() {
        return problem(StatusCode::TOO_MANY_REQUESTS, "busy", &error.to_string());
    }
    if error.is::<NotThere>() {
        return problem(StatusCode::NOT_FOUND, "no-such-source", &error.to_string());
    }
    tracing::error!("{error:#}");
    problem(StatusCode::INTERNAL_SERVER_ERROR, "failed", "it could not be answered; the host's log says why")
}

fn refusal(refused: &Refused) -> HttpResponse {
    match refused {
        Refused::Source(_) => problem(StatusCode::FORBIDDEN, "suppressed", &refused.to_string()),
        Refused::Stale => problem(StatusCode::SERVICE_UNAVAILABLE, "stale", &refused.to_string()),
    }
}

fn bad(detail: &str) -> HttpResponse {
    problem(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
}

fn unreadable(error: JsonPayloadError, _: &HttpRequest) -> actix_web::Error {
    let status = match &error {
        JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. } => {
            StatusCode::PAYLOAD_TOO_LARGE
        }
        _ => StatusCode::BAD_REQUEST,
    };
    let answer = problem(status, "unreadable", &error.to_string());
    InternalError::from_response(error, answer).into()
}

fn problem(status: StatusCode, code: &str, detail: &str) -> HttpResponse {
    let document = json!({
        "type": format!("urn:obelus:problem:{code}"),
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
    });
    HttpResponse::build(status).insert_header((CONTENT_TYPE, "application/problem+json")).body(document.to_string())
}
