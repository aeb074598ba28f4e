//! What a host learns from the database, several times a second: which sources it refuses, what is being struck, and
//! whether other weights were signed; and what it says there: that it is alive, and what it has zeroed.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use obelus_casework::Deps;
use obelus_core::{Digest, Timestamp};
use obelus_store::{
    Micros, Sha256, erasures,
    erasures::ErasureState,
    hosts,
    hosts::{Acknowledgement, NewHost},
    models,
    models::ModelStatus,
    sources,
};
use tokio::task::JoinHandle;

use crate::{
    Settings,
    engine::{Engine, Struck},
    served::{Description, Served, neurons},
    standing::{LEASE, Standing},
};

/// Between two looks: what is suppressed is refused within a second.
const LOOKS_EVERY: Duration = Duration::from_millis(200);
/// Between two beats, where nothing new is refused: a beat writes.
const BEATS_EVERY: Duration = Duration::from_secs(1);

/// A host as the database knows it.
pub(crate) struct Follower {
    id: String,
    model: String,
    lineage: String,
    standing: Arc<Standing>,
    /// The signed root of the weights in memory.
    root: Digest,
    /// Takedowns that were made in memory.
    struck: BTreeSet<String>,
    /// What the model's thread does meanwhile.
    under_way: Option<Work>,
    last_beat: Instant,
}

enum Work {
    Strike(String, JoinHandle<Result<Struck>>),
    Load(JoinHandle<Result<Digest>>),
}

impl Follower {
    /// Registers the host, then loads the model: from then on no takedown ends without it.
    ///
    /// # Errors
    /// When there is no such model, it is not whole, or its files are damaged.
    pub(crate) async fn begin(
        deps: &Arc<Deps>,
        settings: &Settings,
        address: SocketAddr,
        standing: Arc<Standing>,
    ) -> Result<(Self, Served)> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).context("the system gives no random numbers")?;
        let row = models::get(&deps.db, &settings.model).await?;
        let lineage = row.map_or_else(String::new, |row| row.lineage);
        let mut follower = Self {
            id: hex::encode(id),
            model: settings.model.clone(),
            lineage,
            standing,
            root: Digest::sha256(""),
            struck: BTreeSet::new(),
            under_way: None,
            last_beat: Instant::now(),
        };
        // Asked before the host is registered, for a clear word about a name that is none.
        Description::read(deps, &settings.model).await?;
        let write = deps.db.write().await?;
        let new = NewHost {
            id: follower.id.clone(),
            model: settings.model.clone(),
            address: address.to_string(),
            refused: hosts::refused_digest([]),
            lease_until: lease(deps.now()),
        };
        hosts::register(&write, new, deps.now()).await?;
        write.commit().await?;
        // Again: a takedown that began in between has not waited for this host, and another one will.
        let described = Description::read(deps, &settings.model).await?;
        let reading = Arc::clone(deps);
        let mut loading = tokio::task::spawn_blocking(move || Served::load(&reading, &described));
        let served = loop {
            tokio::select! {
                loaded = &mut loading => break loaded.context("the model's thread broke off")??,
                () = tokio::time::sleep(BEATS_EVERY) => follower.look(deps, None).await?,
            }
        };
        follower.root = served.root;
        Ok((follower, served))
    }

    /// Looks until the host is found to be gone by others.
    ///
    /// # Errors
    /// When it is.
    pub(crate) async fn follow(&mut self, deps: &Arc<Deps>, engine: &Engine) -> Result<()> {
        loop {
            match self.look(deps, Some(engine)).await {
                Ok(()) => {}
                Err(error) if error.is::<Gone>() => return Err(error),
                // Nothing is answered once the lease is over; until then, and afterwards, it is tried again.
                Err(error) => tracing::warn!("cannot look at the database: {error:#}"),
            }
            tokio::time::sleep(LOOKS_EVERY).await;
        }
    }

    /// Ends it for good.
    ///
    /// # Errors
    /// When the database fails; then its lease ends it.
    pub(crate) async fn end(&self, deps: &Deps) -> Result<()> {
        let write = deps.db.write().await?;
        hosts::end(&write, &self.id, deps.now()).await?;
        Ok(write.commit().await?)
    }

    async fn look(&mut self, deps: &Arc<Deps>, engine: Option<&Engine>) -> Result<()> {
        let learnt = Instant::now();
        let refused = sources::refused(&deps.db, &self.lineage).await?;
        let refused: BTreeSet<String> = refused.into_iter().map(|source| source.source_id).collect();
        let digest = hosts::refused_digest(refused.iter().map(String::as_str));
        let is_new = self.standing.refuse(refused);
        if is_new || self.last_beat.elapsed() >= BEATS_EVERY || engine.is_none() {
            let write = deps.db.write().await?;
            let alive = hosts::beat(&write, &self.id, &digest, lease(deps.now())).await?;
            write.commit().await?;
            if !alive {
                self.standing.end();
                return Err(Gone.into());
            }
            self.last_beat = learnt;
            self.standing.renew(learnt);
        }
        match engine {
            Some(engine) => self.change(deps, engine).await,
            None => Ok(()),
        }
    }

    /// Strikes and loads what has to be, one after the other, without waiting for it here: the host has to beat.
    async fn change(&mut self, deps: &Arc<Deps>, engine: &Engine) -> Result<()> {
        match self.under_way.take() {
            Some(Work::Strike(reference, done)) if done.is_finished() => {
                let struck = done.await.context("the strike broke off")??;
                self.acknowledge(deps, &reference, struck).await?;
                self.struck.insert(reference);
            }
            Some(Work::Load(done)) if done.is_finished() => {
                // A model that is being changed again cannot be read; it is tried again.
                self.root = done.await.context("loading broke off")??;
                // Weights from disk are struck again where a takedown of them is under way.
                self.struck.clear();
            }
            Some(other) => {
                self.under_way = Some(other);
                return Ok(());
            }
            None => {}
        }
        for erasure in erasures::unfinished(&deps.db, &self.model).await? {
            let (reference, engine) = (erasure.request, engine.clone());
            if erasure.state == ErasureState::Zeroing && !self.struck.contains(&reference) {
                let neurons = neurons(deps, &self.model, &reference).await?;
                let work = tokio::spawn(async move { engine.strike(neurons).await });
                self.under_way = Some(Work::Strike(reference, work));
                return Ok(());
            }
        }
        let row = models::get(&deps.db, &self.model).await?.context("the model is gone")?;
        let signed = row.weight_root.map(|root| root.0).filter(|_| row.status == ModelStatus::Ready);
        if let Some(root) = signed.filter(|root| *root != self.root) {
            for reference in &self.struck {
                if erasures::get(&deps.db, reference)
                    .await?
                    .and_then(|e| e.root_after)
                    .is_some_and(|after| after.0 == root)
                {
                    engine.rename(root).await?;
                    self.root = root;
                    return Ok(());
                }
            }
            let (described, engine) = (Description::read(deps, &self.model).await?, engine.clone());
            self.under_way = Some(Work::Load(tokio::spawn(async move { engine.load(described).await })));
        }
        Ok(())
    }

    async fn acknowledge(&self, deps: &Deps, reference: &str, struck: Struck) -> Result<()> {
        tracing::info!("{reference}: {} rows are zero in memory", struck.rows);
        let write = deps.db.write().await?;
        let said = Acknowledgement {
            host: self.id.clone(),
            request: reference.to_owned(),
            rows: i64::try_from(struck.rows).context("a model has fewer neurons")?,
            digest: Sha256(struck.digest),
            acknowledged_at: Micros(deps.now()),
        };
        hosts::acknowledge(&write, said).await?;
        Ok(write.commit().await?)
    }
}

/// Others found this host to be gone, and go on without it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "this host did not look at the database for longer than its lease, and a takedown went on without it; it answers \
     nothing any more. Start it again"
)]
struct Gone;

fn lease(now: Timestamp) -> Timestamp {
    let micros = i64::try_from(LEASE.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.as_micros().saturating_add(micros))
}
