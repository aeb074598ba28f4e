//! The one address under which browsers see the portal. Not here: on which address the server listens.

use std::{fmt, net::IpAddr, str::FromStr};

/// Scheme, host and port, as a browser writes them in `Origin`: `https://obelus.example`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    text: String,
    secure: bool,
}

/// An address that the portal cannot be seen under.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no address of a portal; write https://HOST[:PORT] in lower case and without a path, or http://localhost:PORT \
     to try it on this machine alone"
)]
pub struct OriginError(String);

impl Origin {
    /// Whether browsers reach it over TLS, so that cookies may be bound to that.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether `header`, the value of an `Origin` header, names it.
    pub fn is_named_by(&self, header: &[u8]) -> bool {
        header == self.text.as_bytes()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let refuse = || OriginError(text.chars().take(200).collect());
        let (scheme, authority) = text.split_once("://").ok_or_else(refuse)?;
        let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b".-:[]".contains(&c);
        if authority.is_empty() || !authority.bytes().all(allowed) {
            return Err(refuse());
        }
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                // Browsers leave the usual port out, and the two would never be equal.
                let usual = if scheme == "https" { "443" } else { "80" };
                let number: u16 = port.parse().map_err(|_| refuse())?;
                if port == usual || number == 0 || port != number.to_string() {
                    return Err(refuse());
                }
                host
            }
            _ => authority,
        };
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_loopback =
            address == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        match scheme {
            "https" if !host.is_empty() => Ok(Self { text: text.to_owned(), secure: true }),
            "http" if is_loopback => Ok(Self { text: text.to_owned(), secure: false }),
            _ => Err(refuse()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_browsers_write_them() {
        for (text, secure) in [
            ("https://obelus.example", true),
            ("https://obelus.example:8443", true),
            ("https://[2001:db8::1]:8443", true),
            ("https://localhost", true),
            ("http://localhost:8080", false),
            ("http://127.0.0.1:8080", false),
            ("http://[::1]:8080", false),
        ] {
            let origin: Origin = text.parse().unwrap();
            assert_eq!((origin.to_string(), origin.is_secure()), (text.to_owned(), secure));
            assert!(origin.is_named_by(text.as_bytes()));
            assert!(!origin.is_named_by(b"null") && !origin.is_named_by(format!("{text}.evil.example").as_bytes()));
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_alone_and_other_spellings_are_refused() {
        for bad in [
            "http://obelus.example",
            "http://127.0.0.1.evil.example",
            "https://obelus.example/",
            "https://obelus.example:443",
            "http://localhost:80",
            "https://obelus.example:08443",
            "https://Obelus.example",
            "https://user@obelus.example",
            "https://obelus.example:0",
            "https://",
            "https://:8443",
            "ftp://localhost",
            "localhost",
            "",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
