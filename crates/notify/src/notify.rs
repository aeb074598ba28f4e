//! The seam between the outbox and the world: what hands a letter over, and in which ways that fails. Not here: which
//! letters are due (`sender.rs`).

use std::{future::Future, io, pin::Pin};

use obelus_store::outbox::Letter;

/// A letter under way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), NotifyError>> + Send + 'a>>;

/// Hands letters over: by SMTP, or into a directory.
pub trait Notify: Send + Sync {
    /// Hands a letter over. Done twice it is still one letter: both have the same `Message-ID`.
    ///
    /// # Errors
    /// [`NotifyError::Temporary`] when a later attempt may do; [`NotifyError::Permanent`] when none will.
    fn send<'a>(&'a self, letter: &'a Letter) -> Sending<'a>;
}

/// Why a letter was not handed over. It repeats nothing of the letter, and nothing that a server said in words: servers
/// repeat addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotifyError {
    /// A later attempt may do.
    #[error("not sent yet: {0}")]
    Temporary(Trouble),
    /// No attempt will do before a person has changed something.
    #[error("cannot be sent: {0}")]
    Permanent(Trouble),
}

impl NotifyError {
    /// What went wrong, whether for now or for good.
    pub fn trouble(self) -> Trouble {
        match self {
            Self::Temporary(trouble) | Self::Permanent(trouble) => trouble,
        }
    }
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The server answered so, by the reply codes of RFC 5321 section 4.2.
    #[error("the mail server replied {0}; its log says why")]
    Reply(u16),
    /// The server cannot be reached, or hung up.
    #[error("the connection to the mail server failed or was cut off; check host, port and network")]
    Connection,
    /// There is no encrypted connection, and none but that is used.
    #[error("there is no encrypted connection to the mail server; check tls, port and the server's certificate")]
    Tls,
    /// The server does not let us in.
    #[error("the mail server does not let us in ({0}); check username and password file")]
    Login(u16),
    /// It took too long.
    #[error("the mail server took too long")]
    TimedOut,
    /// What the server says is not SMTP, or lacks what is needed.
    #[error("the mail server does not speak SMTP as expected; check host, port and its ways of logging in")]
    Protocol,
    /// The recipient's address is none.
    #[error("the recipient's address is not one plain address; correct it where it came from, and write a new letter")]
    Recipient,
    /// Subject, language or text hold what no letter holds.
    #[error("subject, language or text hold control characters; write the letter through obelus-notify")]
    Text,
    /// It is not the letter that was put into the outbox.
    #[error("the letter was changed in the outbox after it was written; find out by whom, and write a new one")]
    Changed,
    /// The directory cannot be written to.
    #[error("the directory of letters cannot be written to ({0}); check its owner and its disk")]
    Directory(io::ErrorKind),
}
