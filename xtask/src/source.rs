//! Rust source as tidy reads it: the list of files, and a file's code told apart from its comments. Not a parser.

use std::path::Path;

use anyhow::Context;

use crate::project::Project;

/// A source file in two halves of equal line numbers: what belongs to the other half is blank.
pub(crate) struct Halves {
    /// Code; the contents of string and character literals are blank.
    pub(crate) code: String,
    /// Comments, with their `//` or `/*`.
    pub(crate) comments: String,
}

/// Where Rust source lives.
const ROOMS: [&str; 6] = ["crates", "services", "migrations", "tests", "xtask", "fuzz"];

/// Every `.rs` file of the workspace, relative to the root, with `/`, sorted.
pub(crate) fn rust_files(project: &Project) -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    for room in ROOMS {
        let path = project.path(room);
        if path.is_dir() {
            collect(&path, room, &mut files)?;
        }
    }
    files.sort();
    Ok(files)
}

fn collect(dir: &Path, relative: &str, files: &mut Vec<String>) -> anyhow::Result<()> {
    let at = || format!("{} cannot be listed", dir.display());
    for entry in std::fs::read_dir(dir).with_context(at)? {
        let entry = entry.with_context(at)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{relative}/{name}");
        let kind = entry.file_type().with_context(at)?;
        if kind.is_dir() && name != "target" && !name.starts_with('.') {
            collect(&entry.path(), &path, files)?;
        } else if kind.is_file() && name.ends_with(".rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// Splits a file into code and comments.
pub(crate) fn halves(text: &str) -> Halves {
    let mut reader = Reader { chars: text.chars().collect(), at: 0, code: String::new(), comments: String::new() };
    while let Some(next) = reader.peek(0) {
        match (next, reader.peek(1)) {
            ('/', Some('/')) => reader.line_comment(),
            ('/', Some('*')) => reader.block_comment(),
            ('"', _) => reader.string(),
            ('r', Some('"' | '#')) if !reader.after_word() && reader.raw_string() => {}
            ('\'', _) => reader.quote(),
            _ => reader.take(Half::Code),
        }
    }
    Halves { code: reader.code, comments: reader.comments }
}

/// True if `word` stands in `text` as a whole identifier.
pub(crate) fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !is_word(c)).any(|found| found == word)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

enum Half {
    Code,
    Comments,
    Neither,
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    code: String,
    comments: String,
}

impl Reader {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    /// Moves one character into a half, and a blank (or the line end) into the other.
    fn take(&mut self, half: Half) {
        let Some(next) = self.peek(0) else { return };
        self.at += 1;
        let blank = if next == '\n' { '\n' } else { ' ' };
        self.code.push(if matches!(half, Half::Code) { next } else { blank });
        self.comments.push(if matches!(half, Half::Comments) { next } else { blank });
    }

    /// True if the last character was part of a word, but not the `b` or `c` of a byte or C string.
    fn after_word(&self) -> bool {
        let before = |back: usize| self.at.checked_sub(back).and_then(|at| self.chars.get(at)).copied();
        match before(1) {
            Some('b' | 'c') => before(2).is_some_and(is_word),
            Some(other) => is_word(other),
            None => false,
        }
    }

    fn line_comment(&mut self) {
        while self.peek(0).is_some_and(|next| next != '\n') {
            self.take(Half::Comments);
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        while let Some(next) = self.peek(0) {
            match (next, self.peek(1)) {
                ('/', Some('*')) => depth += 1,
                ('*', Some('/')) => depth -= 1,
                _ => {
                    self.take(Half::Comments);
                    continue;
                }
            }
            self.take(Half::Comments);
            self.take(Half::Comments);
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.take(Half::Code);
        while let Some(next) = self.peek(0) {
            match next {
                '\\' => {
                    self.take(Half::Neither);
                    self.take(Half::Neither);
                }
                '"' => return self.take(Half::Code),
                _ => self.take(Half::Neither),
            }
        }
    }

    /// At an `r` that may open a raw string: reads it and says so, or leaves everything as it is (`r#match`).
    fn raw_string(&mut self) -> bool {
        let hashes = self.chars[self.at + 1..].iter().take_while(|&&c| c == '#').count();
        if self.peek(1 + hashes) != Some('"') {
            return false;
        }
        for _ in 0..hashes + 2 {
            self.take(Half::Code);
        }
        while let Some(next) = self.peek(0) {
            if next == '"' && (1..=hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                for _ in 0..=hashes {
                    self.take(Half::Code);
                }
                break;
            }
            self.take(Half::Neither);
        }
        true
    }

    /// At a `'`: a character literal, or a lifetime, which is code.
    fn quote(&mut self) {
        self.take(Half::Code);
        if self.peek(0) == Some('\\') {
            self.take(Half::Neither);
            self.take(Half::Neither);
            while self.peek(0).is_some_and(|next| next != '\'' && next != '\n') {
                self.take(Half::Neither);
            }
            self.take(Half::Code);
        } else if self.peek(1) == Some('\'') {
            self.take(Half::Neither);
            self.take(Half::Code);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_not_code() {
        let text =
            "let a = \"unsafe // no\"; // unsafe\n/* unsafe /* in */ unsafe */ fn f() {}\nlet r = r#\"unsafe \" \"#;";
        let split = halves(text);
        assert!(!has_word(&split.code, "unsafe"), "{}", split.code);
        assert!(has_word(&split.code, "fn") && has_word(&split.code, "let"));
        assert_eq!(split.comments.matches("unsafe").count(), 3);
        assert_eq!(split.code.lines().count(), text.lines().count());
        assert_eq!(split.comments.lines().count(), text.lines().count());
    }

    #[test]
    fn lifetimes_characters_and_raw_names_do_not_confuse() {
        let split = halves(
            "fn f<'a>(x: &'a str) -> char { let r#type = '\"'; let q = '\\''; let b = br\"x\"; unsafe { g() } }",
        );
        assert!(has_word(&split.code, "unsafe"), "{}", split.code);
        assert!(split.comments.trim().is_empty());
    }

    #[test]
    fn words_are_whole() {
        assert!(!has_word("#![deny(unsafe_code)]", "unsafe"));
        assert!(has_word("unsafe{}", "unsafe"));
    }
}
