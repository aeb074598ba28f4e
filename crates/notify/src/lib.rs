//! Letters to those who ask: how each is worded, and how it leaves the house.
//!
//! A letter is worded ([`letter::compose`]) and put into the outbox (`obelus_store::outbox`) in the transaction of what it
//! tells; [`deliver_due`] sends what is due, through an SMTP server or into a directory ([`Notify`]). A letter may arrive
//! twice, when a sender died between handing it over and saying so; both copies then have one `Message-ID`.
//!
//! Not here: when a letter is due by law (`obelus-policy`), who may cause one, and letters that come in. Errors and
//! whatever is printed for the log name neither recipients nor what a letter says.
#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the failure report"))]

mod address;
mod directory;
mod message;
mod notify;
mod plain;
mod sender;
mod settings;
mod smtp;

pub mod letter;

pub use address::{AddressError, Mailbox};
pub use directory::Directory;
pub use notify::{Notify, NotifyError, Sending, Trouble};
pub use obelus_store::outbox::{Letter, LetterKind, NewLetter};
pub use plain::{Block, Line, Lines, Link, LinkError};
pub use sender::{DeliverError, DeliverOptions, Delivered, deliver_due};
pub use settings::{Settings, SettingsError, SmtpSettings, TlsSetting};
pub use smtp::Smtp;
