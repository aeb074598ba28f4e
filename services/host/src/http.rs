//! What a host answers over HTTP: `/v1/complete`, `/v1/score` and `/v1/state` to whoever shows the token, `/health` and
//! `/ready` to everybody. Errors are problem details (RFC 9457).

use std::{
    fmt,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer, ResponseError,
    http::{
        StatusCode,
        header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE},
    },
    web,
};
use anyhow::{Context as _, Result};
use obelus_casework::NotThere;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
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
                .app_data(web::PayloadConfig::new(LARGEST))
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

/// A body, or why there is none.
type Body = Result<web::Bytes, actix_web::Error>;

fn lit(source: Option<String>, route: Option<&Route>) -> Result<Lit, Fault> {
    match (source, route) {
        (Some(_), Some(_)) => Err(Fault::invalid("name a source or a route, and not both")),
        (Some(id), None) => Ok(Lit::Source(id)),
        (None, Some(Route::Nearest)) => Ok(Lit::Nearest),
        (None, Some(Route::None) | None) => Ok(Lit::Backbone),
    }
}

async fn complete(here: web::Data<Here>, request: HttpRequest, body: Body) -> Result<HttpResponse, Fault> {
    let asked: CompleteRequest = here.admitted(&request, body)?;
    let CompleteRequest { prompt, source, route, tokens, temperature, top_p, seed, stop } = asked;
    if !(1..=MOST_TOKENS).contains(&tokens) {
        return Err(Fault::invalid(format!("tokens must be 1 to {MOST_TOKENS}")));
    }
    let sound = temperature.is_finite() && temperature >= 0.0 && top_p > 0.0 && top_p <= 1.0;
    if !sound || stop.iter().any(String::is_empty) {
        let detail = "temperature must be 0 or more, top_p above 0 and at most 1, and no text of stop empty";
        return Err(Fault::invalid(detail));
    }
    let lit = lit(source, route.as_ref())?;
    let sampling = Draw { tokens, temperature, top_p, seed };
    answer(here.engine.complete(Completion { prompt, sampling, stop }, lit).await)
}

async fn score(here: web::Data<Here>, request: HttpRequest, body: Body) -> Result<HttpResponse, Fault> {
    let ScoreRequest { prompt, answer: text, source, route } = here.admitted(&request, body)?;
    if text.is_empty() {
        return Err(Fault::invalid("answer must not be empty"));
    }
    let lit = lit(source, route.as_ref())?;
    answer(here.engine.score(prompt, text, lit).await)
}

async fn state(here: web::Data<Here>, request: HttpRequest) -> Result<HttpResponse, Fault> {
    here.admit(&request)?;
    let (answers, refused) = (here.standing.permits(None).is_ok(), here.standing.refused());
    Ok(HttpResponse::Ok().json(json!({ "answers": answers, "refused": refused })))
}

async fn health() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

async fn ready(here: web::Data<Here>) -> Result<HttpResponse, Fault> {
    here.standing.permits(None).map_err(|refused| Fault::of_refusal(&refused))?;
    Ok(HttpResponse::Ok().json(json!({ "status": "ready" })))
}

async fn missing() -> Result<HttpResponse, Fault> {
    let detail = "a host answers /v1/complete, /v1/score, /v1/state, /health and /ready";
    Err(Fault::new(StatusCode::NOT_FOUND, "not-found", detail))
}

impl Here {
    /// Looks at who asks before what is asked is read.
    fn admit(&self, request: &HttpRequest) -> Result<(), Fault> {
        let shown = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        if self.token.is_shown(shown) {
            return Ok(());
        }
        let detail = "show the token of this host: Authorization: Bearer TOKEN";
        Err(Fault::new(StatusCode::UNAUTHORIZED, "not-admitted", detail))
    }

    fn admitted<T: DeserializeOwned>(&self, request: &HttpRequest, body: Body) -> Result<T, Fault> {
        self.admit(request)?;
        let larger = || format!("the body cannot be read, or has more than {LARGEST} bytes");
        let body = body.map_err(|_| Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "unreadable", larger()))?;
        serde_json::from_slice(&body).map_err(|e| Fault::new(StatusCode::BAD_REQUEST, "unreadable", e.to_string()))
    }
}

fn answer(answered: Result<impl Serialize>) -> Result<HttpResponse, Fault> {
    let error = match answered {
        Ok(answered) => return Ok(HttpResponse::Ok().json(answered)),
        Err(error) => error,
    };
    Err(if let Some(refused) = error.downcast_ref::<Refused>() {
        Fault::of_refusal(refused)
    } else if error.is::<Busy>() {
        Fault::new(StatusCode::TOO_MANY_REQUESTS, "busy", error.to_string())
    } else if error.is::<NotThere>() {
        Fault::new(StatusCode::NOT_FOUND, "no-such-source", error.to_string())
    } else {
        tracing::error!("{error:#}");
        let detail = "it could not be answered; the host's log says why";
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", detail)
    })
}

/// Why nothing is answered, as problem details.
#[derive(Debug)]
struct Fault {
    status: StatusCode,
    code: &'static str,
    detail: String,
}

impl Fault {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into() }
    }

    fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    }

    fn of_refusal(refused: &Refused) -> Self {
        match refused {
            Refused::Source(_) => Self::new(StatusCode::FORBIDDEN, "suppressed", refused.to_string()),
            Refused::Stale => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stale", refused.to_string()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let document = json!({
            "type": format!("urn:obelus:problem:{}", self.code),
            "title": self.status.canonical_reason(),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        let mut answer = HttpResponse::build(self.status);
        if self.status == StatusCode::UNAUTHORIZED {
            answer.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        answer.insert_header((CONTENT_TYPE, "application/problem+json")).body(document.to_string())
    }
}
