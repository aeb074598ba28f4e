//! The socket: binding it, serving, and stopping when told. Not here: what is answered.

use std::{sync::Arc, time::Duration};

use actix_web::HttpServer;
use anyhow::Context as _;
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    app::app,
    housekeeping,
    setup_link::setup_link,
    state::{Deps, Portal},
};

/// Connections of each worker at the same time; one more waits.
const MOST_CONNECTIONS: usize = 4096;
/// For the head of a request to arrive. Whoever sends it a byte at a time holds a connection no longer.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// For what is being answered when the server is told to stop.
const STOP_PATIENCE_SECONDS: u64 = 20;

/// Serves until `shutdown` becomes true or its sender is gone. Where there is no account yet, a link to make the first one is
/// printed to standard error.
///
/// # Errors
/// When the settings do not go together, or the address cannot be had.
pub async fn run(deps: Deps, shutdown: watch::Receiver<bool>) -> anyhow::Result<()> {
    let portal = Arc::new(Portal::new(deps.clone()).await?);
    let listen = deps.settings.listen;
    let mut told = shutdown;
    let stop = async move {
        // A sender that is gone cannot tell any more: that, too, is the end.
        let _ = told.wait_for(|stop| *stop).await;
    };
    let served = Arc::clone(&portal);
    let server = HttpServer::new(move || app(Arc::clone(&served)))
        .max_connections(MOST_CONNECTIONS)
        .client_request_timeout(HEAD_PATIENCE)
        .client_disconnect_timeout(HEAD_PATIENCE)
        .shutdown_timeout(STOP_PATIENCE_SECONDS)
        .shutdown_signal(stop)
        .bind(listen)
        .with_context(|| format!("cannot listen on {listen}; stop what listens there, or choose another address"))?
        .run();
    if let Some(link) = setup_link(&deps).await? {
        eprintln!(
            "There is no account yet. Open this link within a day to make the first one; it works once:\n\n    {link}\n"
        );
    }
    tracing::info!("the portal listens on {listen} and is seen under {}", deps.settings.origin);
    tokio::select! {
        ended = server => ended.context("the server broke off"),
        () = housekeeping::keep(portal) => Ok(()),
    }
}

/// Becomes true when the process is told to stop, by Ctrl-C or as service managers do it.
///
/// # Errors
/// When the system does not let the process listen for signals.
pub fn stop_signal() -> anyhow::Result<watch::Receiver<bool>> {
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
