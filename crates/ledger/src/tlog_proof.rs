//! A log proof as one text file: C2SP tlog-proof, with the leaf's bytes as its extra data, so that it stands alone.
//!
//! Not here: what the leaf is about; it holds hashes and a signature, never content (`log_entry.rs`).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use obelus_core::Digest;

/// First line of the file.
const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// Siblings of a leaf in the largest tree.
const MOST_HASHES: usize = 63;

/// A leaf and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Bytes of the leaf.
    pub body: Vec<u8>,
    /// Index of the leaf.
    pub index: u64,
    /// Siblings, lowest first.
    pub path: Vec<Digest>,
    /// The signed checkpoint, witnesses' lines included.
    pub checkpoint: String,
}

/// Why a file is refused.
#[derive(Debug, thiserror::Error)]
#[error("not a log proof: {0}")]
pub struct TlogProofError(&'static str);

impl TlogProof {
    /// Whether a file begins like one.
    pub fn begins(file: &[u8]) -> bool {
        file.starts_with(HEADER.as_bytes())
    }

    /// The file.
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEADER}\nextra {}\nindex {}\n", STANDARD.encode(&self.body), self.index);
        for hash in &self.path {
            text.push_str(&STANDARD.encode(hash));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// Reads the file; nothing is verified.
    ///
    /// # Errors
    /// When it is not exactly what [`TlogProof::to_text`] writes.
    pub fn from_bytes(file: &[u8]) -> Result<Self, TlogProofError> {
        let text = std::str::from_utf8(file).map_err(|_| TlogProofError("it is not UTF-8"))?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(TlogProofError("there is no empty line"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(TlogProofError("its first line is another"));
        }
        let body = lines.next().and_then(|line| STANDARD.decode(line.strip_prefix("extra ")?).ok());
        let index = lines.next().and_then(|line| line.strip_prefix("index ")?.parse().ok());
        let path: Option<Vec<Digest>> = lines
            .take(MOST_HASHES + 1)
            .map(|line| Some(Digest::new(STANDARD.decode(line).ok()?.try_into().ok()?)))
            .collect();
        let proof = Self {
            body: body.ok_or(TlogProofError("the line with the leaf is missing"))?,
            index: index.ok_or(TlogProofError("the line with the index is missing"))?,
            path: path.ok_or(TlogProofError("a hash is not base64 of 32 bytes"))?,
            checkpoint: checkpoint.to_owned(),
        };
        // Numbers and base64 have other spellings too.
        if proof.to_text() == text { Ok(proof) } else { Err(TlogProofError("it has another spelling")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_read_as_written_and_in_no_other_spelling() {
        let proof = TlogProof {
            body: b"leaf".to_vec(),
            index: 7,
            path: vec![Digest::sha256("a"), Digest::sha256("b")],
            checkpoint: "log.example/a\n9\nAAAA\n\n\u{2014} log.example/a BBBB\n".to_owned(),
        };
        let text = proof.to_text();
        assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra bGVhZg==\nindex 7\n"));
        assert_eq!(TlogProof::from_bytes(text.as_bytes()).unwrap(), proof);
        for (from, to) in [("index 7", "index 07"), ("index 7", "index +7"), ("\nindex", "\n\nindex"), ("@v1", "@v2")] {
            assert!(TlogProof::from_bytes(text.replacen(from, to, 1).as_bytes()).is_err(), "{to:?}");
        }
        for end in 0..text.len() - proof.checkpoint.len() {
            assert!(TlogProof::from_bytes(&text.as_bytes()[..end]).is_err(), "{end} bytes");
        }
    }
}
