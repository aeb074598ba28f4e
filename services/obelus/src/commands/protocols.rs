//! The verification protocol that a command names: one that ships with the program, or a file.

use std::{fs, io::Read as _, path::Path};

use anyhow::{Context as _, Result};
use obelus_verdict::Protocol;

use crate::failure::WrongUse;

/// More than this is no protocol.
const MOST_BYTES: u64 = 1 << 16;

/// The text of the protocol with this name or in this file, after it was found usable.
///
/// # Errors
/// [`WrongUse`] when there is none, or what is in the file is none.
pub fn named(name: &str) -> Result<String> {
    if let Some(shipped) = Protocol::shipped(name) {
        return Ok(shipped.to_owned());
    }
    let read = || {
        let mut text = String::new();
        fs::File::open(Path::new(name))?.take(MOST_BYTES + 1).read_to_string(&mut text).map(|_| text)
    };
    let shipped = Protocol::SHIPPED.join(", ");
    let text = read().map_err(|e| {
        WrongUse(format!("cannot read the protocol {name}: {e}; name a file, or one that ships: {shipped}"))
    })?;
    if text.len() as u64 > MOST_BYTES {
        return Err(WrongUse(format!("{name} is larger than {MOST_BYTES} bytes: that is no protocol")).into());
    }
    Protocol::parse(&text).map_err(|e| WrongUse(format!("{name}: {e}")))?;
    Ok(text)
}

/// The protocol that is named, else the one that ships under the other name.
///
/// # Errors
/// As [`named`].
pub fn named_or(name: Option<&str>, otherwise: &str) -> Result<Protocol> {
    let text = named(name.unwrap_or(otherwise))?;
    Protocol::parse(&text).context("it was found usable a moment ago")
}
