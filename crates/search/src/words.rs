//! A text as words: case, diacritics and forms of letters folded, each with its place in the text. Index, comparison and
//! fingerprints all see a text through this one file. Not here: what is done with the words.

use std::ops::Range;

use unicode_normalization::{
    UnicodeNormalization,
    char::{canonical_combining_class, is_combining_mark},
};

/// A longer word is cut into several: nobody can make the index hold a word of a megabyte.
const MAX_WORD_CHARS: usize = 64;

/// The words of a text, in order. In scripts that put no spaces between words (Han, kana, Hangul, Thai, Lao, Khmer,
/// Burmese) every character is a word, so that a name is found wherever it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    folded: String,
    at: Vec<At>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct At {
    folded_end: usize,
    start: usize,
    end: usize,
}

/// What a character does to the word before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Continues it, or begins one.
    Letter,
    /// Ends it, and is a word.
    Alone,
    /// Belongs to it, and begins none.
    Mark,
    /// Is not there: invisible characters neither join nor part words, or pasting one would hide a copy.
    Hidden,
    /// Ends it.
    Gap,
}

#[derive(Clone, Copy)]
struct Open {
    start: usize,
    end: usize,
    chars: usize,
    alone: bool,
}

impl Words {
    /// The words of `text`, whatever it contains.
    pub fn of(text: &str) -> Self {
        let mut words = Self::default();
        let mut open: Option<Open> = None;
        for (at, c) in text.char_indices() {
            let (end, part) = (at + c.len_utf8(), part(c));
            if part == Part::Hidden {
                continue;
            }
            let continued = open.as_mut().filter(|word| {
                let fits = part == Part::Mark || (part == Part::Letter && !word.alone);
                fits && word.chars < MAX_WORD_CHARS
            });
            if let Some(word) = continued {
                word.end = end;
                word.chars += 1;
                continue;
            }
            words.close(text, open.take());
            if matches!(part, Part::Letter | Part::Alone) {
                open = Some(Open { start: at, end, chars: 1, alone: part == Part::Alone });
            }
        }
        words.close(text, open);
        words
    }

    fn close(&mut self, text: &str, word: Option<Open>) {
        let Some(Open { start, end, .. }) = word else { return };
        let before = self.folded.len();
        fold_into(&text[start..end], &mut self.folded);
        if self.folded.len() > before {
            self.at.push(At { folded_end: self.folded.len(), start, end });
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.at.len()
    }

    /// Whether the text has none.
    pub fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// The word at `index`, folded.
    ///
    /// # Panics
    /// There are fewer.
    pub fn word(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.at[index - 1].folded_end };
        &self.folded[start..self.at[index].folded_end]
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|i| self.word(i))
    }

    /// Where in the text a range of words stands, in bytes. No words stand at its beginning.
    ///
    /// # Panics
    /// There are fewer words.
    pub fn span(&self, words: Range<usize>) -> Range<usize> {
        if words.is_empty() { 0..0 } else { self.at[words.start].start..self.at[words.end - 1].end }
    }

    /// A range of words with one space between them: equal for texts that say the same words.
    ///
    /// # Panics
    /// There are fewer words.
    pub fn joined(&self, words: Range<usize>) -> String {
        let mut joined = String::new();
        for index in words {
            if !joined.is_empty() {
                joined.push(' ');
            }
            joined.push_str(self.word(index));
        }
        joined
    }
}

fn part(c: char) -> Part {
    match c {
        // Vowels and finals of Hangul written letter by letter, and the halfwidth voicing marks of kana.
        '\u{1160}'..='\u{11ff}' | '\u{d7b0}'..='\u{d7ff}' | '\u{ff9e}' | '\u{ff9f}' => Part::Mark,
        // Soft hyphen, joiners, zero width spaces, directions, variation selectors, tatweel, tags.
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{640}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e0fff}' => Part::Hidden,
        _ if is_combining_mark(c) => Part::Mark,
        _ if !c.is_alphanumeric() => Part::Gap,
        _ if is_unspaced(c) => Part::Alone,
        _ => Part::Letter,
    }
}

const fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{0e00}'..='\u{0eff}' // Thai, Lao
        | '\u{1000}'..='\u{109f}' // Burmese
        | '\u{1100}'..='\u{115f}' | '\u{a960}'..='\u{a97f}' // initials of Hangul
        | '\u{1780}'..='\u{17ff}' // Khmer
        | '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{303c}'
        | '\u{3040}'..='\u{31ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ffdc}'
        | '\u{1b000}'..='\u{1b16f}' | '\u{20000}'..='\u{3ffff}')
}

/// Appends `word` with compatibility forms replaced (NFKC), case folded and diacritics left out.
fn fold_into(word: &str, folded: &mut String) {
    if word.is_ascii() {
        folded.extend(word.chars().map(|c| c.to_ascii_lowercase()));
        return;
    }
    // Upper case first: it joins the two small sigmas, and turns a sharp s into two letters.
    let letters = word.nfkd().filter(|c| part(*c) != Part::Hidden && !is_diacritic(*c));
    let cased = letters.flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkd();
    let plain = cased.filter(|c| !is_diacritic(*c) && (c.is_alphanumeric() || is_combining_mark(*c)));
    let mut bare = String::with_capacity(word.len());
    for c in plain {
        match without_stroke(c) {
            Some(letters) => bare.push_str(letters),
            None => bare.push(c),
        }
    }
    folded.extend(bare.nfkc());
}

/// Accents and points, but not what makes another letter: vowel signs (class 0), nukta, voicing of kana, virama (7 to 9).
fn is_diacritic(c: char) -> bool {
    is_combining_mark(c) && !matches!(canonical_combining_class(c), 0 | 7..=9)
}

/// Letters that Unicode does not decompose, though readers type them without their strokes.
const fn without_stroke(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ı' => "i",
        'ł' => "l",
        'ŧ' => "t",
        'þ' => "th",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(Words::of(text).iter().collect::<Vec<_>>(), expected, "{text:?}");
    }

    #[test]
    fn case_accents_and_forms_of_letters_are_folded() {
        check("The QUICK, brown_fox!", &["the", "quick", "brown", "fox"]);
        check("Łódź Ærøskøbing Straße STRASSE STRAẞE", &["lodz", "aeroskobing", "strasse", "strasse", "strasse"]);
        check("Cafe\u{301} Café ﬁn ＦＵＬＬ", &["cafe", "cafe", "fin", "full"]);
        check("ΣΟΦΟΣ σοφος σοφός", &["σοφοσ", "σοφοσ", "σοφοσ"]);
        check("İstanbul ısı", &["istanbul", "isi"]);
        check("Чайковский Ёлка", &["чаиковскии", "елка"]);
    }

    #[test]
    fn scripts_without_spaces_are_words_by_character() {
        check("東京タワー", &["東", "京", "タ", "ワ", "ー"]);
        check("ｶﾞ ガ", &["ガ", "ガ"]);
        check("한글 \u{1112}\u{1161}\u{11ab}", &["한", "글", "한"]);
        check("ab東cd", &["ab", "東", "cd"]);
        check("हिन्दी", &["हिन्दी"]);
    }

    #[test]
    fn invisible_characters_neither_part_nor_join() {
        check("se\u{ad}cret\u{200b}ly \u{202e}gnp.exe", &["secretly", "gnp", "exe"]);
        check("a\0b \0", &["a", "b"]);
        check("\u{202e}\u{200b} -- \u{301}", &[]);
    }

    #[test]
    fn a_word_of_a_megabyte_is_many_words() {
        let words = Words::of(&"x".repeat(1 << 20));
        assert_eq!(words.len(), (1 << 20) / MAX_WORD_CHARS);
        let marked = format!("a{}", "\u{93f}".repeat(1000));
        assert!(Words::of(&marked).iter().all(|w| w.len() < 400));
    }

    #[test]
    fn spans_are_where_the_words_stand() {
        let text = "Ein «Fuß» im Café.";
        let words = Words::of(text);
        assert_eq!(&text[words.span(1..2)], "Fuß");
        assert_eq!(&text[words.span(1..4)], "Fuß» im Café");
        assert_eq!(words.joined(1..4), "fuss im cafe");
        assert_eq!(words.span(2..2), 0..0);
    }

    proptest! {
        #[test]
        fn spans_ascend_and_lie_on_characters(text in "\\PC{0,40}") {
            let words = Words::of(&text);
            let mut last = 0;
            for i in 0..words.len() {
                let span = words.span(i..i + 1);
                prop_assert!(span.start >= last && span.end > span.start && text.get(span.clone()).is_some());
                prop_assert!(!words.word(i).is_empty());
                last = span.end;
            }
        }

        #[test]
        fn folding_again_changes_nothing(text in "[a-zA-Zß-žΑ-ωА-я東京かガ한글 ]{0,30}") {
            let words = Words::of(&text);
            let joined = words.joined(0..words.len());
            let again = Words::of(&joined);
            prop_assert_eq!(again.joined(0..again.len()), joined);
        }
    }
}
