//! Settings of how letters leave: read strictly, and checked before the first letter. Not here: which file they stand in.

use std::{
    fmt, fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use lettre::transport::smtp::client::TlsParameters;
use serde::Deserialize;

use crate::{
    address::{AddressError, Mailbox},
    directory::Directory,
    notify::Notify,
    smtp::{Security, Smtp, is_loopback},
};

/// Who letters in a directory are from: whoever sends them on puts an own address there.
const DIRECTORY_FROM: &str = "obelus@localhost";

/// How letters leave: through a mail server, or into a directory when none is named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The mail server.
    pub smtp: Option<SmtpSettings>,
}

/// A mail server that takes letters.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpSettings {
    /// Its name, which its certificate must have too.
    pub host: String,
    /// Its port; without one the usual one of the kind of encryption: 587, 465, or 25 without any.
    pub port: Option<u16>,
    /// The address that letters are from, and that the server lets us use.
    pub from: String,
    /// The name to log in with, if the server asks for one.
    pub username: Option<String>,
    /// The file with the password, readable by its owner alone. A line break at its end does not count.
    pub password_file: Option<PathBuf>,
    /// How the connection is encrypted. The server's certificate must be one that the system trusts; `SSL_CERT_FILE`
    /// names others.
    #[serde(default)]
    pub tls: TlsSetting,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsSetting {
    /// By STARTTLS, before anything is said; without it nothing is sent.
    #[default]
    Starttls,
    /// From the first byte on.
    Implicit,
    /// Not at all: for a server on this machine alone.
    None,
}

impl fmt::Display for TlsSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starttls => "starttls",
            Self::Implicit => "implicit",
            Self::None => "none",
        })
    }
}

/// Why no letter can leave with these settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// There is no such host.
    #[error("smtp.host is {0:?}; give the name or the address of the mail server")]
    Host(String),
    /// The sender's address is none.
    #[error("smtp.from is no address: {0}")]
    From(AddressError),
    /// Letters would be read on the way.
    #[error("smtp.tls is none, and {0:?} is another machine; use starttls or implicit")]
    Unencrypted(String),
    /// Half a login.
    #[error("smtp.username and smtp.password_file belong together; give both or none")]
    HalfALogin,
    /// The password cannot be read.
    #[error("the password of the mail server cannot be read from {path}: {reason}")]
    Password {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// Others can read the password.
    #[error("{path} has mode {mode:o}, others can read the password; chmod 600 it")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// There is no password in the file.
    #[error("{0} must hold the password on one line, and nothing else")]
    NoPassword(PathBuf),
    /// Encryption cannot be set up.
    #[error("no encrypted connection to {host:?} can be set up: {reason}")]
    Tls {
        /// The server.
        host: String,
        /// What the library said.
        reason: lettre::transport::smtp::Error,
    },
}

impl Settings {
    /// What hands letters over: the mail server, else the directory `outbox`.
    ///
    /// # Errors
    /// When a setting is wrong, or the password cannot be read. The server is not asked.
    pub fn open(&self, outbox: &Path) -> Result<Box<dyn Notify>, SettingsError> {
        match &self.smtp {
            Some(smtp) => Ok(Box::new(smtp.open()?)),
            None => {
                let from = DIRECTORY_FROM.parse().map_err(SettingsError::From)?;
                Ok(Box::new(Directory::new(outbox, from)))
            }
        }
    }
}

impl SmtpSettings {
    /// The mail server.
    ///
    /// # Errors
    /// When a setting is wrong, or the password cannot be read. The server is not asked.
    pub fn open(&self) -> Result<Smtp, SettingsError> {
        let host = self.host.clone();
        let named = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:".contains(&b));
        if !named {
            return Err(SettingsError::Host(host));
        }
        let from: Mailbox = self.from.parse().map_err(SettingsError::From)?;
        let login = match (&self.username, &self.password_file) {
            (Some(name), Some(file)) => Some((name.clone(), password(file)?)),
            (None, None) => None,
            _ => return Err(SettingsError::HalfALogin),
        };
        let tls =
            || TlsParameters::new(host.clone()).map_err(|reason| SettingsError::Tls { host: host.clone(), reason });
        let (security, usual) = match self.tls {
            TlsSetting::Starttls => (Security::Starttls(tls()?), 587),
            TlsSetting::Implicit => (Security::Implicit(tls()?), 465),
            TlsSetting::None if is_loopback(&host) => (Security::None, 25),
            TlsSetting::None => return Err(SettingsError::Unencrypted(host)),
        };
        Ok(Smtp::new(host, self.port.unwrap_or(usual), from, security, login))
    }
}

fn password(path: &Path) -> Result<String, SettingsError> {
    let failed = |reason| SettingsError::Password { path: path.to_owned(), reason };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SettingsError::Exposed { path: path.to_owned(), mode });
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() || text.contains(['\n', '\r', '\0']) {
        return Err(SettingsError::NoPassword(path.to_owned()));
    }
    Ok(text.to_owned())
}
