//! How text from outside is spelled on paper: every character can be seen, none acts on its neighbours, and long words
//! can be broken. Not here: what the text is about.

use obelus_core::Digest;

use crate::typesetting::has_glyph;

/// Which characters stand for themselves. All others are written as their numbers, such as `‹U+202E›`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alphabet {
    /// Those that the fonts have and that can be seen.
    OfTheFonts,
    /// Printable ASCII: for text that the fonts cannot set although they have each character.
    Ascii,
}

/// A word that is longer than this may be broken.
const LONG_WORD_CHARS: usize = 20;
/// A run of letters in it that is longer than this may be broken anywhere.
const LONG_RUN_CHARS: usize = 12;
/// Characters between two places where a long run may be broken.
const PIECE_CHARS: usize = 4;
/// After these a long word may be broken.
const JOINTS: &str = "/_-.:?&=#›";
/// More marks than this on one letter would cover the lines around it.
const MARKS_ON_A_LETTER: usize = 2;

impl Alphabet {
    /// Spells `text`, of which at most `most_chars` characters are shown; of a longer one the digest is.
    pub(crate) fn spell(self, text: &str, most_chars: usize) -> String {
        let mut shown = String::new();
        let mut marks = 0;
        for character in text.chars().take(most_chars) {
            marks = if is_mark(character) { marks + 1 } else { 0 };
            if self.stands_for_itself(character) && marks <= MARKS_ON_A_LETTER {
                shown.push(character);
            } else {
                shown.push_str(&format!("‹U+{:04X}›", u32::from(character)));
            }
        }
        let left_out = text.chars().count().saturating_sub(most_chars);
        if left_out > 0 {
            shown
                .push_str(&format!("… and {left_out} more characters; SHA-256 of the whole: {}", Digest::sha256(text)));
        }
        if self == Self::Ascii { shown.replace('‹', "<").replace('›', ">").replace('…', "...") } else { shown }
    }

    fn stands_for_itself(self, character: char) -> bool {
        match self {
            Self::Ascii => character == ' ' || character.is_ascii_graphic(),
            Self::OfTheFonts => {
                character == ' ' || (!character.is_whitespace() && !is_unseen(character) && has_glyph(character))
            }
        }
    }
}

/// Splits text where a line may end inside of a long word. The pieces together are the text.
pub(crate) fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for word in text.split_inclusive(' ') {
        let long = word.chars().count() > LONG_WORD_CHARS;
        for run in word.split_inclusive(|c| JOINTS.contains(c)) {
            let chars = run.chars().count();
            // Spaces break by themselves, and a joint after another is no place to break.
            let starts = long && chars > 1 && !ends_in_space(&pieces);
            let breaks = if chars > LONG_RUN_CHARS { PIECE_CHARS } else { chars };
            for (at, character) in run.chars().enumerate() {
                if (at > 0 || starts) && long && at.is_multiple_of(breaks) && !is_mark(character) {
                    pieces.push(String::new());
                }
                if let Some(piece) = pieces.last_mut() {
                    piece.push(character);
                }
            }
        }
    }
    pieces
}

fn ends_in_space(pieces: &[String]) -> bool {
    pieces.last().is_none_or(|piece| piece.is_empty() || piece.ends_with(' '))
}

/// Controls, formats, fillers, selectors, private and unassigned-for-ever characters: nothing that a reader sees, or
/// something else on every machine.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(u32::from(character),
            0xAD | 0x34F | 0x61C | 0x600..=0x605 | 0x6DD | 0x70F | 0x890..=0x891 | 0x8E2 | 0x115F..=0x1160
            | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164
            | 0xE000..=0xF8FF | 0xFDD0..=0xFDEF | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFF
            | 0x1_10BD | 0x1_10CD | 0x1_BCA0..=0x1_BCA3 | 0x1_D173..=0x1_D17A | 0xE_0000..=0x10_FFFF)
}

/// Marks that are set on the letter before them.
fn is_mark(character: char) -> bool {
    matches!(u32::from(character),
        0x300..=0x36F | 0x483..=0x489 | 0x591..=0x5C7 | 0x610..=0x61A | 0x64B..=0x65F | 0x670 | 0x6D6..=0x6ED
        | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x20D0..=0x20FF | 0xFE20..=0xFE2F)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(Alphabet::OfTheFonts.spell(text, 1000), expected);
        assert_eq!(pieces(expected).concat(), expected);
    }

    #[test]
    fn what_can_be_seen_stands_for_itself() {
        check("#read(\"/etc/passwd\") *bold* $x$ </svg> \\u{1}", "#read(\"/etc/passwd\") *bold* $x$ </svg> \\u{1}");
        check("Müller Ωμέγα Правда שלום", "Müller Ωμέγα Правда שלום");
    }

    #[test]
    fn what_cannot_be_seen_is_written_as_its_number() {
        check("a\0b\nc\u{202e}d\u{200b}e\u{a0}f", "a‹U+0000›b‹U+000A›c‹U+202E›d‹U+200B›e‹U+00A0›f");
        check("\u{e000}\u{fffe}\u{feff}", "‹U+E000›‹U+FFFE›‹U+FEFF›");
        check("中😀", "‹U+4E2D›‹U+1F600›");
    }

    #[test]
    fn letters_do_not_carry_towers() {
        check("a\u{301}\u{301}\u{301}b", "a\u{301}\u{301}‹U+0301›b");
    }

    #[test]
    fn long_text_ends_with_its_digest() {
        let spelled = Alphabet::OfTheFonts.spell(&"x".repeat(12), 10);
        assert!(spelled.starts_with("xxxxxxxxxx… and 2 more characters; SHA-256 of the whole: "), "{spelled}");
        assert!(spelled.ends_with(&Digest::sha256("x".repeat(12)).to_string()));
    }

    #[test]
    fn ascii_spells_everything_else_as_numbers() {
        assert_eq!(Alphabet::Ascii.spell("aü‹", 9), "a<U+00FC><U+2039>");
    }

    #[test]
    fn long_words_can_be_broken_and_short_ones_not() {
        assert_eq!(pieces("short words, harbour-125m"), ["short words, harbour-125m"]);
        assert_eq!(pieces("https://example.org/exports.json"), ["https://", "example.", "org/", "exports.", "json"]);
        assert_eq!(pieces("in a0123456789abcdefghij"), ["in a012", "3456", "789a", "bcde", "fghi", "j"]);
        assert_eq!(pieces("e\u{301}e\u{301}").concat(), "e\u{301}e\u{301}");
        assert_eq!(pieces(""), [""]);
    }
}
