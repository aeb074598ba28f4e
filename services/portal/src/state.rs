//! What every request is answered from. Not here: how a request finds its answer.

use std::{fmt, sync::Arc};

use anyhow::Context as _;
use obelus_casework::case::{PORTAL, PORTAL_ROLES};
use obelus_store::persons;

use crate::{limit::Limits, metric::Metrics, password::Passwords, permission::Permissions, settings::Settings};

/// What the portal is given.
#[derive(Clone)]
pub struct Deps {
    /// The installation: database, data directory, keys, clock.
    pub work: Arc<obelus_casework::Deps>,
    /// How the portal is reached.
    pub settings: Settings,
}

impl fmt::Debug for Deps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deps").field("data", &self.work.data).field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// A portal that may answer requests, on as many threads as there are.
#[derive(Debug)]
pub struct Portal {
    pub(crate) deps: Deps,
    pub(crate) passwords: Passwords,
    pub(crate) limits: Limits,
    pub(crate) permissions: Permissions,
    pub(crate) metrics: Metrics,
}

impl Portal {
    /// A portal over these.
    ///
    /// # Errors
    /// When the settings do not go together, or the system gives no randomness.
    pub async fn new(deps: Deps) -> anyhow::Result<Self> {
        deps.settings.check()?;
        // In whose name those ask who come from outside. An installation of an earlier version does not have it yet.
        if persons::named(&deps.work.db, PORTAL).await?.is_none() {
            let write = deps.work.db.write().await?;
            for role in PORTAL_ROLES {
                persons::add(&write, PORTAL, role, deps.work.now()).await?;
            }
            write.commit().await?;
        }
        Ok(Self {
            passwords: Passwords::new().await?,
            limits: Limits::new(),
            permissions: Permissions::shipped().context("the rules of who may do what cannot be read")?,
            metrics: Metrics::of_process(),
            deps,
        })
    }
}
