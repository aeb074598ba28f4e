//! Text from outside as it is shown: what would hide, reorder or break something is made visible. HTML is escaped by the
//! templates, which also set such text apart from the direction of the text around it.

use std::fmt;

/// Text to be shown. Control characters, and those that change the direction of what follows, appear as `⟨U+202E⟩`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown(String);

impl Shown {
    /// Of any text.
    pub fn new(text: &str) -> Self {
        let mut shown = String::with_capacity(text.len());
        for character in text.chars() {
            if deceives(character) {
                shown.push_str(&format!("⟨U+{:04X}⟩", u32::from(character)));
            } else {
                shown.push(character);
            }
        }
        Self(shown)
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a character may not be in a name: it cannot be seen, or changes how others are seen.
pub(crate) fn deceives(character: char) -> bool {
    let is_line = matches!(character, '\n' | '\t');
    (character.is_control() && !is_line)
        || matches!(character,
            // Marks, embeddings, overrides and isolates of the bidirectional algorithm (UAX 9), and the Arabic letter mark.
            '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{061C}'
            // What takes no room: zero-width space, word joiner and its invisible kin, byte order mark, soft hyphen.
            | '\u{200B}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}' | '\u{00AD}'
            // Separators of lines that only some programs know, and tags that nobody sees.
            | '\u{2028}' | '\u{2029}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_deceives_is_shown_and_the_rest_is_left() {
        for (text, shown) in [
            ("Anna Ørsted\n— 名前", "Anna Ørsted\n— 名前"),
            ("fdp.\u{202E}cod", "fdp.⟨U+202E⟩cod"),
            ("a\0b\u{1b}[2J", "a⟨U+0000⟩b⟨U+001B⟩[2J"),
            ("x\u{feff}\u{200b}y", "x⟨U+FEFF⟩⟨U+200B⟩y"),
            ("<script>", "<script>"),
            // Joins letters in Persian and emoji: not a deception.
            ("می\u{200c}خواهم", "می\u{200c}خواهم"),
        ] {
            assert_eq!(Shown::new(text).to_string(), shown);
        }
    }
}
