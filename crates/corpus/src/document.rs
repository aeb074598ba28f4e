//! A document, the rules its fields obey, and what is known of a source: the group of documents that is struck together.
//! Reading files is `ingest`; keeping them is `library`.

use std::collections::{BTreeMap, BTreeSet};

use obelus_core::Digest;
use serde::{Deserialize, Serialize};

/// Longest id, title, publisher or licence, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 1024;

/// One text and what is known of it. Field order is the canonical order of `documents.jsonl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Document {
    /// Unique in the corpus.
    pub id: String,
    /// The source that this document belongs to; a document that is its own source has `source == id`.
    pub source: String,
    /// Title, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Who published it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publisher: Option<String>,
    /// Under which licence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The text, UTF-8, never empty, no NUL.
    pub text: String,
}

impl Document {
    /// SHA-256 of the text's UTF-8 bytes, so that whoever holds the text can recompute it with any tool.
    pub fn digest(&self) -> Digest {
        Digest::sha256(&self.text)
    }
}

/// A source as registered: what a takedown names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceInfo {
    /// The source's id.
    pub id: String,
    /// How many documents it has.
    pub documents: usize,
    /// Bytes of text in all its documents.
    pub text_bytes: u64,
    /// Publisher; different ones among its documents are joined by `; ` in ascending order.
    pub publisher: Option<String>,
    /// Licence, joined like the publisher.
    pub license: Option<String>,
    /// SHA-256 over the 32-byte digests of its documents ([`Document::digest`]), concatenated in ascending order.
    pub content_digest: Digest,
}

/// The content digest of a source from the digests of its documents, in any order.
pub fn content_digest(document_digests: impl IntoIterator<Item = Digest>) -> Digest {
    let mut digests: Vec<Digest> = document_digests.into_iter().collect();
    digests.sort_unstable();
    let bytes: Vec<u8> = digests.iter().flat_map(|d| *d.as_bytes()).collect();
    Digest::sha256(bytes)
}

/// The sources of `documents`, ascending by id (bytes).
pub fn sources(documents: &[Document]) -> Vec<SourceInfo> {
    let mut groups: BTreeMap<&str, Vec<&Document>> = BTreeMap::new();
    for document in documents {
        groups.entry(&document.source).or_default().push(document);
    }
    groups
        .into_iter()
        .map(|(id, group)| SourceInfo {
            id: id.to_owned(),
            documents: group.len(),
            text_bytes: group.iter().map(|d| d.text.len() as u64).sum(),
            publisher: joined(group.iter().filter_map(|d| d.publisher.as_deref())),
            license: joined(group.iter().filter_map(|d| d.license.as_deref())),
            content_digest: content_digest(group.iter().map(|d| d.digest())),
        })
        .collect()
}

fn joined<'a>(values: impl Iterator<Item = &'a str>) -> Option<String> {
    let values: BTreeSet<&str> = values.collect();
    if values.is_empty() { None } else { Some(values.into_iter().collect::<Vec<_>>().join("; ")) }
}

/// Why `value` cannot be an id, title, publisher or licence; `None` if it can.
///
/// Ids are printed in letters and certificates, so characters that hide or reorder what a reader sees are refused.
pub fn name_fault(value: &str) -> Option<String> {
    if value.trim().is_empty() {
        return Some("is empty".into());
    }
    if value.len() > MAX_NAME_BYTES {
        return Some(format!("is {} bytes long, the limit is {MAX_NAME_BYTES}", value.len()));
    }
    if value.trim() != value {
        return Some("begins or ends with white space".into());
    }
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    value.chars().find(|c| hidden(*c)).map(|c| format!("has the control character U+{:04X}", c as u32))
}

/// Why `value` cannot be a text; `None` if it can.
pub fn text_fault(value: &str) -> Option<String> {
    if value.trim().is_empty() {
        return Some("is empty".into());
    }
    value.find('\0').map(|at| format!("has a NUL character at byte {at}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(id: &str, source: &str, text: &str) -> Document {
        Document {
            id: id.into(),
            source: source.into(),
            title: None,
            publisher: Some("P".into()),
            license: None,
            text: text.into(),
        }
    }

    #[test]
    fn content_digest_ignores_order_and_follows_every_byte() {
        let a = [document("1", "s", "one"), document("2", "s", "two")];
        let b = [document("2", "s", "two"), document("1", "s", "one")];
        let c = [document("2", "s", "two"), document("1", "s", "onf")];
        assert_eq!(sources(&a), sources(&b));
        assert_ne!(sources(&a)[0].content_digest, sources(&c)[0].content_digest);
        assert_eq!(sources(&a)[0].publisher.as_deref(), Some("P"));
        assert_eq!(sources(&a)[0].text_bytes, 6);
    }

    #[test]
    fn content_digest_of_one_document_is_the_digest_of_its_digest() {
        let digest = Digest::sha256("one");
        assert_eq!(sources(&[document("1", "s", "one")])[0].content_digest, Digest::sha256(digest.as_bytes()));
    }

    #[test]
    fn names_that_deceive_are_refused() {
        for bad in ["", " ", "a\nb", "a\0b", " a", "a\u{202e}b", "a\u{200b}", &"x".repeat(1025)] {
            assert!(name_fault(bad).is_some(), "{bad:?}");
        }
        for good in ["factbook/ag", "Łódź", "a b", &"x".repeat(1024)] {
            assert_eq!(name_fault(good), None, "{good:?}");
        }
    }
}
