//! Letters through a mail server (RFC 5321), encrypted unless it runs on this machine. One connection for each letter: they
//! are few, and a broken connection then concerns one. Not here: what is in a letter (`message.rs`).

use std::{error::Error as StdError, fmt, io, net::IpAddr, time::Duration};

use lettre::transport::smtp::{
    Error,
    authentication::{Credentials, Mechanism},
    client::{AsyncSmtpConnection, TlsParameters},
    extension::ClientId,
};
use obelus_store::outbox::Letter;

use crate::{
    address::Mailbox,
    message::message,
    notify::{Notify, NotifyError, Sending, Trouble},
};

/// How long a letter may take from connecting to the server's last word. RFC 5321 section 4.5.3.2 allows ten minutes for
/// that word alone; a sender that gives up too early makes duplicates.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(20);
/// How long to wait for a goodbye that changes nothing.
const GOODBYE: Duration = Duration::from_secs(5);

/// Hands letters to a mail server.
pub struct Smtp {
    host: String,
    port: u16,
    from: Mailbox,
    hello: ClientId,
    security: Security,
    login: Option<Credentials>,
    patience: Duration,
}

/// How what is said to a server is kept from others.
pub(crate) enum Security {
    /// Encrypted before anything else is said, or nothing is (RFC 3207).
    Starttls(TlsParameters),
    /// Encrypted from the first byte on (RFC 8314 section 3.3).
    Implicit(TlsParameters),
    /// Not at all: to this machine alone.
    None,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// Whether a host is this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Smtp {
    pub(crate) fn new(
        host: String,
        port: u16,
        from: Mailbox,
        security: Security,
        login: Option<(String, String)>,
    ) -> Self {
        let hello = ClientId::Domain(from.domain().to_owned());
        let login = login.map(|(name, password)| Credentials::new(name, password));
        Self { host, port, from, hello, security, login, patience: PATIENCE }
    }

    /// The same with another patience: how long a letter may take from connecting to the server's last word.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// A connection on which letters are taken. Whatever goes wrong here is not the letter's fault.
    async fn connect(&self) -> Result<AsyncSmtpConnection, Trouble> {
        let server = (self.host.as_str(), self.port);
        let implicit = match &self.security {
            Security::Implicit(tls) => Some(tls.clone()),
            Security::Starttls(_) | Security::None => None,
        };
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(CONNECT_PATIENCE), &self.hello, implicit, None)
                .await
                .map_err(|error| self.unconnected(&error))?;
        if let Security::Starttls(tls) = &self.security {
            if !connection.can_starttls() {
                connection.abort().await;
                return Err(Trouble::Tls);
            }
            connection.starttls(tls.clone(), &self.hello).await.map_err(|error| self.unconnected(&error))?;
        }
        if let Some(login) = &self.login {
            connection.auth(&[Mechanism::Plain, Mechanism::Login], login).await.map_err(|error| {
                match trouble(&error) {
                    Trouble::Reply(code) => Trouble::Login(code),
                    other => other,
                }
            })?;
        }
        Ok(connection)
    }

    /// Why there is no connection. lettre calls a failed handshake a failed connection; rustls calls it data that is wrong.
    fn unconnected(&self, error: &Error) -> Trouble {
        let mut source = StdError::source(error);
        while let Some(inner) = source {
            let wrong = inner.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::InvalidData);
            if wrong && !matches!(self.security, Security::None) {
                return Trouble::Tls;
            }
            source = inner.source();
        }
        trouble(error)
    }

    async fn hand_over(&self, letter: &Letter) -> Result<AsyncSmtpConnection, NotifyError> {
        let message = message(letter, &self.from).map_err(NotifyError::Permanent)?;
        let mut connection = self.connect().await.map_err(NotifyError::Temporary)?;
        match connection.send(message.envelope(), &message.formatted()).await {
            // Only this says that the letter was taken: RFC 5321 section 4.3.2.
            Ok(reply) if reply.has_code(250) => Ok(connection),
            Ok(_) => Err(NotifyError::Temporary(Trouble::Protocol)),
            Err(error) if error.is_permanent() => Err(NotifyError::Permanent(trouble(&error))),
            Err(error) => Err(NotifyError::Temporary(trouble(&error))),
        }
    }
}

impl Notify for Smtp {
    fn send<'a>(&'a self, letter: &'a Letter) -> Sending<'a> {
        Box::pin(async move {
            let handed_over = tokio::time::timeout(self.patience, self.hand_over(letter)).await;
            let mut connection = handed_over.map_err(|_| NotifyError::Temporary(Trouble::TimedOut))??;
            // The letter is theirs already, whatever they answer now.
            let _ = tokio::time::timeout(GOODBYE, connection.quit()).await;
            Ok(())
        })
    }
}

/// What an error is about, without a word of the server's: it may repeat an address.
fn trouble(error: &Error) -> Trouble {
    if let Some(code) = error.status() {
        Trouble::Reply(code.into())
    } else if error.is_tls() {
        Trouble::Tls
    } else if error.is_timeout() {
        Trouble::TimedOut
    } else if error.is_response() || error.is_client() {
        Trouble::Protocol
    } else {
        Trouble::Connection
    }
}
