//! Text from outside, made plain before it stands in a letter: no control characters, nothing that reorders or hides what
//! is read, no line that could be taken for one of ours, and no more than fits a letter. Not here: what letters say.
//!
//! Templates hold these types and never a `String`, so that none can show text that did not pass here.

use std::fmt;

/// Characters of one line; a name or a title is shorter.
const LONGEST_LINE_CHARS: usize = 300;
/// Characters of one block: about five pages.
const LONGEST_BLOCK_CHARS: usize = 12_000;
/// A line of a block counts as so many characters at least: short ones fill pages too.
const SHORTEST_LINE_CHARS: usize = 36;
/// Lines in a list.
const MOST_LINES: usize = 50;
/// What a link may have: a line of a letter may have 998 characters, by RFC 5322 section 2.1.1.
const LONGEST_LINK_CHARS: usize = 900;
/// Lines are broken here where there is a space: RFC 5322 section 2.1.1 asks for at most 78.
const WIDTH_CHARS: usize = 72;
/// Stands before each line of foreign text, so that none begins where ours begin.
const INDENT: &str = "    ";

/// One line, such as a name. Breaks and runs of spaces are one space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(String);

/// Text of several lines, each shown indented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block(Vec<String>);

/// A list of lines, each shown indented behind a dash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lines {
    shown: Vec<Line>,
    left_out: usize,
}

/// An address on the web, shown on a line of its own. Printing it for the log does not show it: it may open something.
#[derive(Clone, PartialEq, Eq)]
pub struct Link(String);

/// Why a text is no link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a link in a letter begins with https:// (http:// for this machine alone) and has at most {LONGEST_LINK_CHARS} \
     characters of ASCII, without spaces, quotes and angle brackets"
)]
pub struct LinkError;

/// Whether a character does something other than to be read. Joiners stay: scripts and emoji need them.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            // Line and paragraph separators, embeddings, overrides and isolates.
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether a character ends a line somewhere.
fn breaks(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Words separated by single spaces, of at most `most` characters. What is cut off is not looked at.
fn plain(text: &str, most: usize) -> String {
    let (mut kept, mut chars, mut space) = (String::new(), 0, false);
    for c in text.chars() {
        if breaks(c) || c.is_whitespace() {
            space = chars > 0;
        } else if !acts(c) {
            if chars >= most {
                kept.push_str(" [shortened]");
                break;
            }
            if std::mem::take(&mut space) {
                kept.push(' ');
                chars += 1;
            }
            kept.push(c);
            chars += 1;
        }
    }
    kept
}

impl Line {
    /// The text, made plain.
    pub fn new(text: &str) -> Self {
        Self(plain(text, LONGEST_LINE_CHARS))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "-" } else { &self.0 })
    }
}

impl Block {
    /// The text, made plain line by line. More than one empty line is one.
    pub fn new(text: &str) -> Self {
        let (mut lines, mut left) = (Vec::<String>::new(), LONGEST_BLOCK_CHARS);
        for line in text.replace("\r\n", "\n").split(breaks) {
            if left == 0 {
                lines.push("[shortened]".to_owned());
                break;
            }
            let line = plain(line, left);
            if !line.is_empty() || lines.last().is_some_and(|last| !last.is_empty()) {
                left = left.saturating_sub(line.chars().count().max(SHORTEST_LINE_CHARS));
                lines.push(line);
            }
        }
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        Self(lines)
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, "{INDENT}-");
        }
        for (number, line) in self.0.iter().enumerate() {
            let end = if number == 0 { "" } else { "\n" };
            let indent = if line.is_empty() { "" } else { INDENT };
            write!(f, "{end}{indent}{line}")?;
        }
        Ok(())
    }
}

impl Lines {
    /// The texts, each made plain; those that are too many are counted.
    pub fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        let mut texts = texts.into_iter();
        let shown = texts.by_ref().take(MOST_LINES).map(|text| Line::new(text.as_ref())).collect();
        Self { shown, left_out: texts.count() }
    }
}

impl fmt::Display for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.shown.is_empty() {
            return write!(f, "{INDENT}-");
        }
        for (number, line) in self.shown.iter().enumerate() {
            let end = if number == 0 { "" } else { "\n" };
            write!(f, "{end}{INDENT}- {line}")?;
        }
        if self.left_out > 0 {
            write!(f, "\n{INDENT}- and {} more", self.left_out)?;
        }
        Ok(())
    }
}

impl Link {
    /// A checked link.
    ///
    /// # Errors
    /// [`LinkError`]
    pub fn new(text: &str) -> Result<Self, LinkError> {
        let here = ["http://localhost", "http://127.0.0.1", "http://[::1]"];
        let ends = |rest: &str| rest.is_empty() || rest.starts_with([':', '/']);
        let local = here.iter().filter_map(|start| text.strip_prefix(start)).any(ends);
        let remote =
            text.strip_prefix("https://").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
        let graphic = text.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"\\^`{|}".contains(&b));
        let fits = text.len() <= LONGEST_LINK_CHARS;
        if (local || remote) && graphic && fits { Ok(Self(text.to_owned())) } else { Err(LinkError) }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link(..)")
    }
}

/// Breaks lines at spaces; what a line begins with, its continuations begin with too. Empty lines beside each other are
/// one, and there are none at the beginning and the end.
pub(crate) fn wrap(text: &str) -> String {
    let mut wrapped = String::with_capacity(text.len() + text.len() / 16);
    for line in text.lines() {
        let words = line.trim_start_matches(' ');
        if words.is_empty() {
            if !wrapped.is_empty() && !wrapped.ends_with("\n\n") {
                wrapped.push('\n');
            }
            continue;
        }
        let indent = &line[..line.len() - words.len()];
        let mut width = 0;
        for word in words.split_whitespace() {
            let chars = word.chars().count();
            if width > 0 && width + 1 + chars > WIDTH_CHARS {
                wrapped.push('\n');
                width = 0;
            }
            if width == 0 {
                wrapped.push_str(indent);
                width = indent.len();
            } else {
                wrapped.push(' ');
                width += 1;
            }
            wrapped.push_str(word);
            width += chars;
        }
        wrapped.push('\n');
    }
    while wrapped.ends_with("\n\n") {
        wrapped.pop();
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_is_one_line_of_what_can_be_read() {
        for (text, shown) in [
            ("Anna  Berg", "Anna Berg"),
            ("a\r\n.\r\nb", "a . b"),
            ("a\0b\u{7f}\u{1b}[31m\tc", "ab[31m c"),
            ("\u{202e}txt.exe\u{202c}\u{200b}\u{feff}", "txt.exe"),
            ("a\u{2028}b\u{2029}c\u{85}d", "a b c d"),
            ("", "-"),
            ("e\u{301} ß 🏳️‍🌈", "e\u{301} ß 🏳️‍🌈"),
        ] {
            assert_eq!(Line::new(text).to_string(), shown, "{text:?}");
        }
        assert!(Line::new(&"x".repeat(1_000_000)).to_string().ends_with("x [shortened]"));
    }

    #[test]
    fn no_line_of_a_block_begins_where_ours_begin() {
        let block = Block::new("\n\nfirst\r\n\r\n\r\n.\r\nWHAT YOU CAN DO\n  pay\n\n").to_string();
        assert_eq!(block, "    first\n\n    .\n    WHAT YOU CAN DO\n    pay");
        assert_eq!(Block::new("\r\n \n").to_string(), "    -");
        let long = Block::new(&"x\n".repeat(1_000_000)).to_string();
        assert!(long.len() < LONGEST_BLOCK_CHARS && long.ends_with("\n    [shortened]"));
    }

    #[test]
    fn a_list_says_how_many_it_leaves_out() {
        assert_eq!(Lines::new(["a", "b\nc"]).to_string(), "    - a\n    - b c");
        assert!(Lines::new(vec!["a"; 60]).to_string().ends_with("\n    - and 10 more"));
        assert_eq!(Lines::new([""; 0]).to_string(), "    -");
    }

    #[test]
    fn links_lead_to_the_web_and_nowhere_else() {
        for good in ["https://example.org/r/OB-2026-000001?t=a%20b#x", "http://localhost:8080/", "http://[::1]/a"] {
            assert_eq!(Link::new(good).unwrap().to_string(), good);
        }
        let long = format!("https://example.org/{}", "a".repeat(900));
        for bad in [
            "http://example.org/",
            "http://localhost.example.org/",
            "http://127.0.0.1@example.org/",
            "javascript:alert(1)",
            "https://",
            "https:///x",
            "https://example.org/a b",
            "https://example.org/\r\nBcc: x",
            "https://bücher.example/",
            "https://example.org/<x>",
            &long,
        ] {
            assert_eq!(Link::new(bad), Err(LinkError), "{bad}");
        }
    }

    #[test]
    fn lines_are_broken_at_spaces_and_keep_their_indent() {
        let text = format!("\n\n    {}\n\n\n\nend\n\n", "word ".repeat(20));
        let wrapped = wrap(&text);
        assert_eq!(wrapped.lines().count(), 4, "{wrapped}");
        assert!(wrapped.lines().take(2).all(|line| line.starts_with("    word") && line.len() <= WIDTH_CHARS));
        assert!(wrapped.ends_with("\n\nend\n"));
        assert_eq!(wrap(&"x".repeat(100)), format!("{}\n", "x".repeat(100)), "a link is not broken");
    }

    /// Text with every kind of character in it: that of proptest's own strategy has no control characters.
    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec(any::<char>(), 0..200).prop_map(String::from_iter)
    }

    proptest! {
        #[test]
        fn foreign_text_is_always_plain(text in text()) {
            let line = Line::new(&text).to_string();
            prop_assert!(!line.chars().any(|c| acts(c) || breaks(c)) && !line.is_empty());
            for line in Block::new(&text).to_string().split('\n') {
                prop_assert!(line.is_empty() || line.starts_with(INDENT), "{line:?}");
                prop_assert!(!line.chars().any(acts), "{line:?}");
            }
        }

        #[test]
        fn wrapping_loses_no_word(text in "[a-z \n]{0,300}") {
            let wrapped = wrap(&text);
            prop_assert!(wrapped.split_whitespace().eq(text.split_whitespace()));
            prop_assert!(wrapped.lines().all(|line| line.len() <= WIDTH_CHARS || !line.trim().contains(' ')));
        }
    }
}
