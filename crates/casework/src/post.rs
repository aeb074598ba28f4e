//! The post: letters of the outbox leave, one turn after another. Not here: what they say (`letters.rs`).

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Result;
use obelus_core::{Clock, DataDirectory};
use obelus_notify::{DeliverOptions, Notify, SmtpSettings, deliver_due};
use obelus_store::Db;
use tokio::sync::watch;

use crate::Deps;

/// Letters wait at most so long for their turn.
const EVERY: Duration = Duration::from_secs(5);
/// The wait after a turn that failed as a whole.
const AFTER_TROUBLE: Duration = Duration::from_secs(60);

/// Sends letters by the settings of an installation.
pub struct Post {
    db: Db,
    clock: Arc<dyn Clock>,
    notify: Box<dyn Notify>,
}

impl Post {
    /// The post of an installation.
    ///
    /// # Errors
    /// When a setting is wrong, or the password of the mail server cannot be read. The server is not asked.
    pub fn open(deps: &Deps) -> Result<Self> {
        let smtp = deps.settings.smtp.clone().map(|smtp| in_directory(&deps.data, smtp));
        let notify = obelus_notify::Settings { smtp }.open(&deps.data.outbox())?;
        Ok(Self { db: deps.db.clone(), clock: Arc::clone(&deps.clock), notify })
    }

    /// Sends what is due until told to stop; the letter at hand is ended first.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let wait = match deliver_due(&self.db, &*self.notify, &*self.clock, DeliverOptions::default()).await {
                Ok(delivered) => {
                    if delivered.dead > 0 {
                        tracing::error!("{} letters cannot be sent and wait for a person", delivered.dead);
                    }
                    if delivered.put_back > 0 {
                        tracing::warn!("{} letters were not sent yet and are tried again", delivered.put_back);
                    }
                    EVERY
                }
                Err(error) => {
                    tracing::error!("letters cannot be sent: {error}");
                    AFTER_TROUBLE
                }
            };
            // A sender that is gone means stop as well.
            if let Ok(Ok(_) | Err(_)) = tokio::time::timeout(wait, stop.wait_for(|stop| *stop)).await {
                return;
            }
        }
    }
}

/// A password file is named from the data directory, as the passphrase is.
fn in_directory(data: &DataDirectory, smtp: SmtpSettings) -> SmtpSettings {
    let password_file: Option<PathBuf> = smtp.password_file.map(|file| data.root().join(file));
    SmtpSettings { password_file, ..smtp }
}
