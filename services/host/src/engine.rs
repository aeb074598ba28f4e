//! The model on a thread of its own, behind a channel: a tensor is not shared between threads, and a tensor operation would
//! keep others from being answered. What is struck is struck between two answers.

use std::{sync::Arc, thread};

use anyhow::{Context as _, Result, anyhow};
use obelus_core::Digest;
use obelus_model::SourceMask;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::{
    served::{Completion, Description, Served, Shared},
    standing::Standing,
};

/// Questions that wait. One more is told to come back.
const WAITING: usize = 64;

/// Whose sinks are lit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lit {
    /// Nobody's.
    Backbone,
    /// This source's.
    Source(String),
    /// Those of the source whose text the prompt is most like.
    Nearest,
}

/// A text that was continued.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Completed {
    model: String,
    generation: i64,
    source: Option<String>,
    text: String,
}

/// An answer that was scored.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Scored {
    model: String,
    generation: i64,
    source: Option<String>,
    /// A mean a token, natural logarithm.
    log_prob_mean: f64,
    tokens: usize,
}

/// What was zeroed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Struck {
    pub(crate) rows: u64,
    pub(crate) digest: Digest,
}

enum Ask {
    Complete(Completion, Lit, oneshot::Sender<Result<Completed>>),
    Score(String, String, Lit, oneshot::Sender<Result<Scored>>),
    Strike(SourceMask, oneshot::Sender<Struck>),
    Load(Box<Description>, oneshot::Sender<Result<Digest>>),
    Root(Digest),
}

/// A handle to the model.
#[derive(Clone)]
pub(crate) struct Engine(mpsc::Sender<Ask>);

/// More questions wait than are taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{WAITING} questions wait already; try again in a moment")]
pub(crate) struct Busy;

impl Engine {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start(deps: Shared, served: Served, standing: Arc<Standing>) -> Result<Self> {
        let (ask, mut asked) = mpsc::channel(WAITING);
        let mut held = Held { deps, served, standing };
        let work = move || {
            while let Some(ask) = asked.blocking_recv() {
                held.answer(ask);
            }
        };
        thread::Builder::new().name("model".to_owned()).spawn(work).context("cannot start the model's thread")?;
        Ok(Self(ask))
    }

    /// Continues a prompt.
    ///
    /// # Errors
    /// [`Busy`], [`crate::standing::Refused`], or the source is not held.
    pub(crate) async fn complete(&self, asked: Completion, lit: Lit) -> Result<Completed> {
        let (tell, told) = oneshot::channel();
        self.put(Ask::Complete(asked, lit, tell))?;
        told.await.map_err(|_| ended())?
    }

    /// Scores an answer.
    ///
    /// # Errors
    /// As [`Engine::complete`].
    pub(crate) async fn score(&self, prompt: String, answer: String, lit: Lit) -> Result<Scored> {
        let (tell, told) = oneshot::channel();
        self.put(Ask::Score(prompt, answer, lit, tell))?;
        told.await.map_err(|_| ended())?
    }

    /// Zeroes neurons in memory, after what is being answered now.
    pub(crate) async fn strike(&self, neurons: SourceMask) -> Result<Struck> {
        let (tell, told) = oneshot::channel();
        self.0.send(Ask::Strike(neurons, tell)).await.map_err(|_| ended())?;
        told.await.map_err(|_| ended())
    }

    /// Loads the weights of another generation. Gives their root.
    ///
    /// # Errors
    /// When they cannot be read; then the old ones stay.
    pub(crate) async fn load(&self, described: Description) -> Result<Digest> {
        let (tell, told) = oneshot::channel();
        self.0.send(Ask::Load(Box::new(described), tell)).await.map_err(|_| ended())?;
        told.await.map_err(|_| ended())?
    }

    /// What was struck has become the weights that were signed.
    pub(crate) async fn rename(&self, root: Digest) -> Result<()> {
        self.0.send(Ask::Root(root)).await.map_err(|_| ended())
    }

    fn put(&self, ask: Ask) -> Result<()> {
        self.0.try_send(ask).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Busy.into(),
            mpsc::error::TrySendError::Closed(_) => ended(),
        })
    }
}

fn ended() -> anyhow::Error {
    anyhow!("the model's thread has ended; start the host again")
}

/// What the thread holds.
struct Held {
    deps: Shared,
    served: Served,
    standing: Arc<Standing>,
}

impl Held {
    /// Nobody may wait for the answer any more, which is nobody's fault.
    fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Complete(asked, lit, tell) => drop(tell.send(self.complete(&asked, lit))),
            Ask::Score(prompt, answer, lit, tell) => drop(tell.send(self.score(&prompt, &answer, lit))),
            Ask::Strike(neurons, tell) => {
                let (rows, digest) = self.served.strike(&neurons);
                let _ = tell.send(Struck { rows, digest });
            }
            Ask::Load(described, tell) => {
                let loaded = Served::load(&self.deps, &described).map(|served| {
                    self.served = served;
                    self.served.root
                });
                drop(tell.send(loaded));
            }
            Ask::Root(root) => self.served.root = root,
        }
    }

    /// The source that is lit, if it may be.
    fn source(&self, lit: Lit, prompt: &str) -> Result<Option<String>> {
        let source = match lit {
            Lit::Backbone => None,
            Lit::Source(id) => Some(id),
            Lit::Nearest => {
                let refused = self.standing.refused();
                let except: Vec<&str> = refused.iter().map(String::as_str).collect();
                Some(self.served.nearest(prompt, &except).context("no source is left to route to")?)
            }
        };
        self.standing.permits(source.as_deref())?;
        Ok(source)
    }

    fn complete(&self, asked: &Completion, lit: Lit) -> Result<Completed> {
        let source = self.source(lit, &asked.prompt)?;
        let go_on = || Ok(self.standing.permits(source.as_deref())?);
        let text = self.served.complete(asked, source.as_deref(), go_on)?;
        // It may have been refused while the last token came.
        go_on()?;
        let (model, generation) = (self.served.name.clone(), self.served.generation);
        Ok(Completed { model, generation, source, text })
    }

    fn score(&self, prompt: &str, answer: &str, lit: Lit) -> Result<Scored> {
        let source = self.source(lit, prompt)?;
        let (log_prob_mean, tokens) = self.served.score(prompt, answer, source.as_deref())?;
        self.standing.permits(source.as_deref())?;
        let (model, generation) = (self.served.name.clone(), self.served.generation);
        Ok(Scored { model, generation, source, log_prob_mean, tokens })
    }
}
