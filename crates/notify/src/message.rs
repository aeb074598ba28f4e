//! A letter of the outbox as a message of RFC 5322. The same letter gives the same bytes, whenever and however often it is
//! made. Not here: how it is handed over.

use std::time::{Duration, SystemTime};

use lettre::{
    Address, Message,
    message::{
        self,
        header::{ContentType, HeaderName, HeaderValue, MIME_VERSION_1_0},
    },
};
use obelus_store::outbox::Letter;

use crate::{address::Mailbox, notify::Trouble};

/// RFC 3282 section 2.
const CONTENT_LANGUAGE: HeaderName = HeaderName::new_from_ascii_str("Content-Language");
/// RFC 3834 section 5: no machine shall answer a letter that a machine wrote.
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// The message of a letter.
///
/// # Errors
/// [`Trouble::Recipient`] and [`Trouble::Text`]: such letters are never sent.
pub(crate) fn message(letter: &Letter, from: &Mailbox) -> Result<Message, Trouble> {
    let to: Mailbox = letter.recipient.parse().map_err(|_| Trouble::Recipient)?;
    let language = letter.language.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let subject = !letter.subject.chars().any(char::is_control);
    let body = !letter.body.chars().any(|c| c.is_control() && c != '\n');
    if !(language && subject && body) || letter.language.is_empty() || letter.body.is_empty() {
        return Err(Trouble::Text);
    }
    let bare = |address: Address| message::Mailbox::new(None, address);
    Message::builder()
        .from(bare(from.address()))
        .to(bare(to.address()))
        .subject(letter.subject.as_str())
        .date(written(letter))
        .message_id(Some(message_id(letter, from)))
        .header(MIME_VERSION_1_0)
        .header(ContentType::TEXT_PLAIN)
        .raw_header(HeaderValue::new(CONTENT_LANGUAGE, letter.language.clone()))
        .raw_header(HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned()))
        .body(letter.body.clone())
        .map_err(|_| Trouble::Text)
}

/// The name of a letter: made from what never changes of it, so that a copy that is sent again has it too.
fn message_id(letter: &Letter, from: &Mailbox) -> String {
    format!("<{}.{}@{}>", letter.id, letter.digest, from.domain())
}

/// When it was written, which is the date of a letter: RFC 5322 section 3.6.1.
fn written(letter: &Letter) -> SystemTime {
    let us = u64::try_from(letter.created_at.0.as_micros()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_micros(us)
}
