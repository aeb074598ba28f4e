//! What is filed with a request, kept byte by byte: its SHA-256 stands in the receipt. It holds personal data, and is shown to
//! nobody but its requester and those who handle the case.

use anyhow::{Result, ensure};
use obelus_core::Timestamp;
use obelus_ledger::canonical;
use obelus_notify::{AddressError, Mailbox};
use serde::{Deserialize, Serialize};

/// The format's name.
pub const FORMAT: &str = "obelus-request/v1";
/// Most bytes of what is filed: a pasted text is at most a mebibyte.
const MOST_BYTES: usize = 2 << 20;
/// Most characters of a line of text, such as a name.
const MOST_LINE: usize = 320;

/// Who asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requester {
    /// Name.
    pub name: String,
    /// Where letters go: an address of electronic mail.
    pub email: String,
    /// As whom: `person`, `rightsholder`, `agent` or another word.
    pub capacity: String,
    /// What gives them the right to act for somebody else; empty where they act for themselves.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub authority: String,
}

/// What is filed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filing {
    /// [`FORMAT`]
    pub format: String,
    /// The regime it is filed under.
    pub regime: String,
    /// The model it is about.
    pub model: String,
    /// The sources it names, where it names some.
    pub sources: Vec<String>,
    /// Who asks; none where somebody of this installation files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<Requester>,
    /// What is asked, and why, in the requester's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub statement: String,
    /// The work or person it is about, in the requester's words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// Text of the work, as the requester has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub passage: String,
    /// When it came in.
    pub received_at: Timestamp,
}

/// What is filed cannot be read as a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct BadFiling {
    /// The field, as a form names it.
    pub field: &'static str,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl Filing {
    /// A filing by somebody of this installation, about sources that are known.
    pub fn internal(model: &str, regime: &str, sources: &[String], received_at: Timestamp) -> Self {
        Self {
            format: FORMAT.to_owned(),
            regime: regime.to_owned(),
            model: model.to_owned(),
            sources: sources.to_vec(),
            requester: None,
            statement: String::new(),
            subject: String::new(),
            passage: String::new(),
            received_at,
        }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// [`BadFiling`] of the first field that cannot be; nothing is shortened.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        if let Some(requester) = &self.requester {
            line("name", &requester.name, true)?;
            line("email", &requester.email, true)?;
            let wrong = |error: AddressError| BadFiling { field: "email", reason: error.to_string() };
            requester.email.parse::<Mailbox>().map_err(wrong)?;
            line("capacity", &requester.capacity, true)?;
            line("authority", &requester.authority, false)?;
            let asked = self.sources.is_empty() && self.subject.is_empty() && self.passage.is_empty();
            let reason = "say which work, text or source the request is about".to_owned();
            ensure!(!asked, BadFiling { field: "subject", reason });
        }
        for (field, text) in [("statement", &self.statement), ("subject", &self.subject), ("passage", &self.passage)] {
            let reason = || "it holds a character that is no text (a NUL or a control character); remove it".to_owned();
            let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
            ensure!(!text.contains(control), BadFiling { field, reason: reason() });
        }
        let bytes = canonical::to_bytes(self)?;
        let reason = format!("what is filed has {} bytes, at most {MOST_BYTES}; shorten the text", bytes.len());
        ensure!(bytes.len() <= MOST_BYTES, BadFiling { field: "passage", reason });
        Ok(bytes)
    }
}

fn line(field: &'static str, text: &str, needed: bool) -> Result<(), BadFiling> {
    let refuse = |reason: String| Err(BadFiling { field, reason });
    let characters = text.chars().count();
    match text {
        _ if needed && text.trim().is_empty() => refuse("it is missing".to_owned()),
        _ if characters > MOST_LINE => refuse(format!("it has {characters} characters, at most {MOST_LINE}")),
        _ if text.chars().any(char::is_control) => refuse("it holds a line break or control character".to_owned()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filed() -> Filing {
        let requester = Requester {
            name: "Ada Lovelace".to_owned(),
            email: "ada@example.org".to_owned(),
            capacity: "rightsholder".to_owned(),
            authority: String::new(),
        };
        let internal = Filing::internal("m", "gdpr-art17", &[], Timestamp::from_micros(0));
        Filing { requester: Some(requester), subject: "Notes".to_owned(), ..internal }
    }

    fn field(filing: &Filing) -> Option<&'static str> {
        let refused = filing.to_bytes().err()?;
        Some(refused.downcast_ref::<BadFiling>().unwrap().field)
    }

    #[test]
    fn what_is_filed_is_read_back_as_it_was() {
        let bytes = filed().to_bytes().unwrap();
        assert_eq!(canonical::from_bytes::<Filing>(&bytes).unwrap(), filed());
    }

    #[test]
    fn every_field_that_cannot_be_is_named() {
        let with = |change: fn(&mut Filing, &mut Requester)| {
            let mut filing = filed();
            let mut requester = filing.requester.take().unwrap();
            change(&mut filing, &mut requester);
            filing.requester = Some(requester);
            field(&filing)
        };
        assert_eq!(field(&filed()), None);
        assert_eq!(with(|_, who| who.name = "  ".to_owned()), Some("name"));
        assert_eq!(with(|_, who| who.name = "a\nb".to_owned()), Some("name"));
        assert_eq!(with(|_, who| who.name = "a".repeat(321)), Some("name"));
        for address in ["", "ada", "a@", "a@b.c, d@e.f", "a@b.c\r\nBcc: x@y.z", "<a@b.c>", "a b@c.d", "a@.b", "a@b.c."]
        {
            let mut filing = filed();
            filing.requester.as_mut().unwrap().email = address.to_owned();
            assert_eq!(field(&filing), Some("email"), "{address:?}");
        }
        assert_eq!(with(|filing, _| filing.subject = String::new()), Some("subject"));
        assert_eq!(with(|filing, _| filing.passage = "a\0b".to_owned()), Some("passage"));
        assert_eq!(with(|filing, _| filing.passage = "a".repeat(3 << 20)), Some("passage"));
        assert_eq!(with(|filing, _| filing.statement = "one\ntwo\tthree".to_owned()), None);
    }
}
