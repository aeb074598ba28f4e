//! What is filed with a request, kept byte by byte: its SHA-256 stands in the receipt. It holds personal data, and is shown to
//! nobody but its requester and those who handle the case.

use anyhow::Result;
use obelus_core::Timestamp;
use obelus_ledger::canonical;
use obelus_notify::Mailbox;
use serde::{Deserialize, Serialize};

/// The format's name.
pub const FORMAT: &str = "obelus-request/v1";
/// The name of the format where whoever asks has declared something.
pub const FORMAT_DECLARED: &str = "obelus-request/v2";
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
    /// [`FORMAT`], or [`FORMAT_DECLARED`] where there are declarations.
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
    /// What the requester has declared, word by word as they read it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declarations: Vec<String>,
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
            declarations: Vec::new(),
            received_at,
        }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// [`BadFiling`] of the first field that cannot be; nothing is shortened.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let (bytes, faults) = self.checked()?;
        faults.into_iter().next().map_or(Ok(bytes), |bad| Err(bad.into()))
    }

    /// Every field that cannot be.
    ///
    /// # Errors
    /// When it cannot be written at all.
    pub fn faults(&self) -> Result<Vec<BadFiling>> {
        Ok(self.checked()?.1)
    }

    fn checked(&self) -> Result<(Vec<u8>, Vec<BadFiling>)> {
        let mut faults = Vec::new();
        let mut refuse = |field, reason: String| faults.push(BadFiling { field, reason });
        if let Some(requester) = &self.requester {
            for (field, given, needed) in [
                ("name", &requester.name, true),
                ("email", &requester.email, true),
                ("capacity", &requester.capacity, true),
                ("authority", &requester.authority, false),
            ] {
                if let Some(reason) = unfit_line(given, needed) {
                    refuse(field, reason);
                } else if field == "email" {
                    given.parse::<Mailbox>().map_or_else(|error| refuse(field, error.to_string()), drop);
                }
            }
            if self.sources.is_empty() && self.subject.is_empty() && self.passage.is_empty() {
                refuse("subject", "say which work, text or source the request is about".to_owned());
            }
        }
        for (field, text) in [("statement", &self.statement), ("subject", &self.subject), ("passage", &self.passage)] {
            let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
            if text.contains(control) {
                let reason = "it holds a character that is no text (a NUL or a control character); remove it";
                refuse(field, reason.to_owned());
            }
        }
        let bytes = canonical::to_bytes(self)?;
        if bytes.len() > MOST_BYTES {
            refuse(
                "passage",
                format!("what is filed has {} bytes, at most {MOST_BYTES}; shorten the text", bytes.len()),
            );
        }
        Ok((bytes, faults))
    }
}

/// Why a line of text cannot be; none if it can.
fn unfit_line(text: &str, needed: bool) -> Option<String> {
    let characters = text.chars().count();
    match text {
        _ if needed && text.trim().is_empty() => Some("it is missing".to_owned()),
        _ if characters > MOST_LINE => Some(format!("it has {characters} characters, at most {MOST_LINE}")),
        _ if text.chars().any(char::is_control) => Some("it holds a line break or control character".to_owned()),
        _ => None,
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
    fn what_is_declared_is_another_format_and_what_is_not_keeps_its_bytes() {
        let bytes = filed().to_bytes().unwrap();
        assert!(!String::from_utf8(bytes).unwrap().contains("declarations"));
        let declarations = vec!["I may ask for this.".to_owned()];
        let declared = Filing { format: FORMAT_DECLARED.to_owned(), declarations, ..filed() };
        assert_eq!(canonical::from_bytes::<Filing>(&declared.to_bytes().unwrap()).unwrap(), declared);
    }

    #[test]
    fn every_field_that_cannot_be_is_named() {
        let mut bad = filed();
        bad.requester = Some(Requester { email: "ada".to_owned(), ..Requester::default() });
        bad.passage = "a\0b".to_owned();
        let fields: Vec<_> = bad.faults().unwrap().into_iter().map(|bad| bad.field).collect();
        assert_eq!(fields, ["name", "email", "capacity", "passage"]);
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
