//! What goes to standard output: one JSON document, or words. Everything else goes to standard error.

use std::{
    io::{self, ErrorKind, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use serde::Serialize;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Done.
    Done,
    /// Done, and the answer is no.
    No,
}

impl Answer {
    /// Its exit status.
    pub fn exit_code(self) -> ExitCode {
        ExitCode::from(u8::from(self == Self::No))
    }
}

/// Where answers go.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// Whether the answer is JSON.
    pub json: bool,
}

impl Output {
    /// Prints the answer: `document` as JSON, or `words`.
    ///
    /// # Errors
    /// When standard output refuses. A reader that has gone is no error.
    pub fn print(&self, words: &str, document: &impl Serialize) -> Result<()> {
        let mut text = if self.json { serde_json::to_string(document)? } else { words.to_owned() };
        if !text.ends_with('\n') {
            text.push('\n');
        }
        write(text.as_bytes())
    }

    /// A line of a story: to standard output when that is for people, else to standard error.
    pub fn tell(&self, line: &str) {
        let line = format!("{line}\n");
        // A story that nobody reads is no reason to stop halfway.
        let _ = if self.json {
            io::stderr().lock().write_all(line.as_bytes())
        } else {
            io::stdout().lock().write_all(line.as_bytes())
        };
    }
}

fn write(bytes: &[u8]) -> Result<()> {
    match io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => other.context("cannot write to standard output"),
    }
}

/// Rows under their headings, each column as wide as its widest cell.
pub fn table(headings: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|h| h.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String]| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&headings.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>())];
    lines.extend(rows.iter().map(|row| line(row)));
    lines.join("\n")
}
