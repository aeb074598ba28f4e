//! Lines of a JSON Lines file, plain or compressed, one at a time and never more than the limit in memory.
//! What a line means is not known here.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use super::IngestError;

/// Longest line, in bytes without the line feed.
pub const MAX_LINE_BYTES: usize = 64 << 20;

/// Kept between lines: a buffer that one long line made larger is given back.
const KEPT_BUFFER_BYTES: usize = 1 << 20;

/// Reader of a `.jsonl`, `.jsonl.gz` or `.jsonl.zst` file.
pub struct JsonLines {
    path: PathBuf,
    reader: Box<dyn BufRead>,
    buffer: Vec<u8>,
    number: u64,
    limit: usize,
}

/// A line that is not blank.
pub struct Line<'a> {
    /// From 1, blank lines counted.
    pub number: u64,
    /// The bytes without the line feed, or why they cannot be used.
    pub content: Result<&'a [u8], String>,
}

impl JsonLines {
    /// Opens a regular file; its name says how it is compressed.
    ///
    /// # Errors
    /// An unknown ending, or the system's reason.
    pub fn open(path: &Path) -> Result<Self, IngestError> {
        let refuse = |reason: String| IngestError::Path { path: path.to_owned(), reason };
        let name = path.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
        let fail = |source| IngestError::Unreadable { path: path.to_owned(), during: "opening it".into(), source };
        let open = || File::open(path).map_err(fail);
        let reader: Box<dyn BufRead> = if name.ends_with(".jsonl") {
            Box::new(BufReader::with_capacity(1 << 16, open()?))
        } else if name.ends_with(".jsonl.gz") {
            Box::new(BufReader::with_capacity(1 << 16, flate2::read::MultiGzDecoder::new(open()?)))
        } else if name.ends_with(".jsonl.zst") {
            Box::new(BufReader::with_capacity(1 << 16, zstd::stream::read::Decoder::new(open()?).map_err(fail)?))
        } else {
            return Err(refuse(
                "its name ends in none of .jsonl, .jsonl.gz, .jsonl.zst, .parquet, and it is no folder of .txt files"
                    .into(),
            ));
        };
        Ok(Self { path: path.to_owned(), reader, buffer: Vec::new(), number: 0, limit: MAX_LINE_BYTES })
    }

    /// Reads lines that are in memory.
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        let reader = Box::new(io::Cursor::new(bytes));
        Self { path: PathBuf::new(), reader, buffer: Vec::new(), number: 0, limit: MAX_LINE_BYTES }
    }

    /// The next line that is not blank.
    ///
    /// # Errors
    /// The file cannot be read on: cut off, corrupt compression, or the system's reason.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, IngestError> {
        loop {
            self.number += 1;
            let too_long = match self.fill() {
                Ok(None) => return Ok(None),
                Ok(Some(too_long)) => too_long,
                Err(source) => {
                    let during = format!("reading line {}", self.number);
                    return Err(IngestError::Unreadable { path: self.path.clone(), during, source });
                }
            };
            if too_long {
                let reason = format!("the line is longer than {} bytes", self.limit);
                return Ok(Some(Line { number: self.number, content: Err(reason) }));
            }
            let bom: &[u8] = if self.number == 1 { b"\xef\xbb\xbf" } else { b"" };
            if self.buffer.strip_prefix(bom).unwrap_or(&self.buffer).iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let line = self.buffer.strip_prefix(bom).unwrap_or(&self.buffer);
            let content = match line.iter().position(|b| *b == 0) {
                Some(at) => Err(format!("NUL byte at column {}", at + 1)),
                None => Ok(line),
            };
            return Ok(Some(Line { number: self.number, content }));
        }
    }

    /// Reads one line into the buffer. `None` at the end of the file; `Some(true)` if the line was over the limit and
    /// has been passed over.
    fn fill(&mut self) -> io::Result<Option<bool>> {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BUFFER_BYTES);
        let most = self.limit as u64 + 1;
        if self.reader.by_ref().take(most).read_until(b'\n', &mut self.buffer)? == 0 {
            return Ok(None);
        }
        if self.buffer.last() == Some(&b'\n') {
            self.buffer.pop();
            return Ok(Some(false));
        }
        if self.buffer.len() <= self.limit {
            return Ok(Some(false));
        }
        self.reader.skip_until(b'\n')?;
        Ok(Some(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8], limit: usize) -> Vec<(u64, Result<String, String>)> {
        let reader = Box::new(io::Cursor::new(bytes.to_vec()));
        let mut lines = JsonLines { path: "x".into(), reader, buffer: Vec::new(), number: 0, limit };
        let mut out = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            out.push((line.number, line.content.map(|b| String::from_utf8_lossy(b).into_owned())));
        }
        out
    }

    #[test]
    fn a_long_line_is_passed_over_and_the_next_is_read() {
        let lines = all(b"12345\n123456\nab\n\n12345", 5);
        let numbers: Vec<_> = lines.iter().map(|(n, c)| (*n, c.is_ok())).collect();
        assert_eq!(numbers, [(1, true), (2, false), (3, true), (5, true)]);
    }

    #[test]
    fn byte_order_mark_and_nul() {
        let lines = all(b"\xef\xbb\xbf{}\n{\0}\n", 100);
        assert_eq!(lines[0].1.as_deref(), Ok("{}"));
        assert_eq!(lines[1].1.as_deref().unwrap_err(), "NUL byte at column 2");
    }
}
