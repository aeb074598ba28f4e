//! Keeps one model in memory and answers with it. A source that is suppressed is refused here within a second, also in the
//! middle of an answer; what is struck is zeroed in memory, and the rows that are there then are told to the takedown.
//!
//! A host that cannot look at the database answers nothing once its lease is over, so that a takedown waits for no host that
//! is gone. Not here: who may ask for what in a case (`obelus-portal`), and files (`obelus-auditor`).
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

mod engine;
mod follower;
mod http;
mod served;
mod standing;
mod token;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result};
use obelus_casework::Deps;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{engine::Engine, follower::Follower, standing::Standing, token::Token};

/// How a host runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The model that it answers with.
    pub model: String,
    /// Where it listens, in plain HTTP.
    pub listen: SocketAddr,
    /// File with the token that callers show; made where it is missing. `host-token` in the data directory otherwise.
    pub token_file: Option<PathBuf>,
}

/// Serves until `shutdown` becomes true or its sender is gone.
///
/// # Errors
/// When there is no such model, the address cannot be had, or others found this host to be gone.
pub async fn run(deps: Arc<Deps>, settings: Settings, mut shutdown: watch::Receiver<bool>) -> Result<()> {
    let token = Token::open(&settings.token_file.clone().unwrap_or_else(|| deps.data.host_token()))?;
    let server = http::bind(settings.listen)?;
    let standing = Arc::new(Standing::default());
    let (mut follower, loaded) = Follower::begin(&deps, &settings, server.address(), Arc::clone(&standing)).await?;
    let engine = Engine::start(Arc::clone(&deps), loaded, Arc::clone(&standing))?;
    tracing::info!("answers with {} on http://{}", settings.model, server.address());
    let stop = async move {
        // A sender that is gone cannot tell any more: that, too, is the end.
        let _ = shutdown.wait_for(|stop| *stop).await;
    };
    let ended = tokio::select! {
        ended = server.serve(token, engine.clone(), Arc::clone(&standing)) => ended,
        ended = follower.follow(&deps, &engine) => ended,
        () = stop => Ok(()),
    };
    standing.end();
    follower.end(&deps).await?;
    ended
}

/// Becomes true when the process is told to stop, by Ctrl-C or as service managers do it.
///
/// # Errors
/// When the system does not let the process listen for signals.
pub fn stop_signal() -> Result<watch::Receiver<bool>> {
    let wait_for = |kind| signal(kind).context("the process cannot listen for signals");
    let (mut interrupted, mut terminated) = (wait_for(SignalKind::interrupt())?, wait_for(SignalKind::terminate())?);
    let (tell, told) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
        tell.send_replace(true);
    });
    Ok(told)
}
