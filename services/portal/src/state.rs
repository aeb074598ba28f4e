//! What every request is answered from. Not here: how a request finds its answer.

use std::{fmt, sync::Arc};

use anyhow::Context as _;
use obelus_core::{Clock, DataDirectory};
use obelus_store::Db;

use crate::{limit::Limits, metric::Metrics, password::Passwords, permission::Permissions, settings::Settings};

/// What the portal is given.
#[derive(Clone)]
pub struct Deps {
    /// The database, migrated.
    pub db: Db,
    /// Where certificates and the log lie.
    pub data: DataDirectory,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// How the portal is reached.
    pub settings: Settings,
}

impl fmt::Debug for Deps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deps").field("data", &self.data).field("settings", &self.settings).finish_non_exhaustive()
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
        Ok(Self {
            passwords: Passwords::new().await?,
            limits: Limits::new(),
            permissions: Permissions::shipped().context("the rules of who may do what cannot be read")?,
            metrics: Metrics::of_process(),
            deps,
        })
    }
}
