//! `obelus serve`: the portal, the post and the worker in one process, until it is told to stop. Portal and worker has threads of its own: a
//! verification must not keep a page waiting.

use std::{sync::Arc, thread};

use anyhow::{Context as _, Result, anyhow};
use obelus_auditor::living;
use obelus_casework::{Deps, open, post::Post};
use obelus_portal as portal;
use tokio::sync::watch;

use super::schedule;
use crate::{arguments::Serve, output::Answer};

/// Runs `obelus serve`.
pub async fn run(deps: &Deps, serve: &Serve) -> Result<Answer> {
    let origin = match &serve.origin {
        Some(origin) => origin.clone(),
        None => format!("http://localhost:{}", serve.listen.port()).parse()?,
    };
    let settings = portal::Settings {
        listen: serve.listen,
        origin,
        proxy: serve.proxy,
        metrics_token: serve.metrics_token.clone(),
    };
    settings.check()?;
    let (stop, stopped) = watch::channel(false);
    let stop = Arc::new(stop);
    let mut told = portal::stop_signal()?;
    let by_signal = Arc::clone(&stop);
    tokio::spawn(async move {
        // Its sender lives as long as the process.
        if told.wait_for(|told| *told).await.is_ok() {
            tracing::info!("stopping; a verification that was begun is ended first, and a training is saved");
            by_signal.send_replace(true);
        }
    });
    let work = Arc::new(open::open(deps.data.root()).await?);
    let of_portal = portal::Deps { work, settings };
    let post = Post::open(deps)?;
    let (ended, until) = (Arc::clone(&stop), stopped.clone());
    let pages = thread::Builder::new().name("portal".to_owned()).spawn(move || -> Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let letters = until.clone();
        let (served, ()) = runtime.block_on(async { tokio::join!(portal::run(of_portal, until), post.run(letters)) });
        // Without pages nobody would see what the worker does.
        ended.send_replace(true);
        served
    });
    let pages = pages.context("cannot start the portal")?;
    let worked = living::run(deps, &schedule::everlasting(deps)?, stopped, &mut |one| {
        tracing::info!("{}: {} ({}) {}", one.subject, one.result, one.reason, one.detail);
    })
    .await;
    stop.send_replace(true);
    pages.join().map_err(|_| anyhow!("the portal broke off"))??;
    worked?;
    Ok(Answer::Done)
}
