//! What an operator decides about the portal. Not here: where the data and the database are.

use std::net::{IpAddr, SocketAddr};

use crate::{origin::Origin, token::Token};

/// How the portal is reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the server listens. It speaks plain HTTP: TLS is a proxy's business.
    pub listen: SocketAddr,
    /// Under which address browsers see it.
    pub origin: Origin,
    /// The proxy in front, which says in `X-Forwarded-For` for whom it asks. From anybody else that header means nothing.
    pub proxy: Option<IpAddr>,
    /// With what `/metrics` is asked for. Without one it answers only where browsers use plain HTTP on this machine.
    pub metrics_token: Option<Token>,
}

/// Settings that do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Passwords would cross a network in the clear.
    #[error(
        "the portal is seen under plain http and listens on {0}, which other machines reach: listen on 127.0.0.1, or put a \
         proxy with TLS in front and give its https address as the origin"
    )]
    InTheClear(SocketAddr),
}

impl Settings {
    /// Whether the settings go together.
    ///
    /// # Errors
    /// When they do not.
    pub fn check(&self) -> Result<(), SettingsError> {
        if self.origin.is_secure() || self.listen.ip().is_loopback() {
            return Ok(());
        }
        Err(SettingsError::InTheClear(self.listen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_never_cross_a_network_in_the_clear() {
        let settings = |listen: &str, origin: &str| Settings {
            listen: listen.parse().unwrap(),
            origin: origin.parse().unwrap(),
            proxy: None,
            metrics_token: None,
        };
        settings("127.0.0.1:8080", "http://localhost:8080").check().unwrap();
        settings("0.0.0.0:8080", "https://obelus.example").check().unwrap();
        settings("0.0.0.0:8080", "http://localhost:8080").check().unwrap_err();
        settings("192.0.2.1:8080", "http://127.0.0.1:8080").check().unwrap_err();
    }
}
