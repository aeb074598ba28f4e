//! The fields of a document in the index, and how its words come into it. Not here: the index' folder, questions to it.

use obelus_corpus::Document;
use tantivy::{
    TantivyDocument, Term,
    schema::{
        FAST, Field, INDEXED, IndexRecordOption, NumericOptions, STORED, STRING, Schema, TextFieldIndexing,
        TextOptions, Value as _,
    },
    tokenizer::{Token, TokenStream, Tokenizer},
};

use crate::{
    shingles::{hashes, winnow},
    signature::Signature,
    words::Words,
};

const TOKENIZER: &str = "obelus-words";
/// The place of a document's source among all.
pub(crate) const SOURCE_PLACE: &str = "source_place";
/// Words of a document's text.
pub(crate) const WORD_COUNT: &str = "word_count";
/// The place of a document among all, ascending by id.
pub(crate) const PLACE: &str = "place";

/// The fields.
#[derive(Clone, Copy)]
pub(crate) struct Fields {
    pub(crate) id: Field,
    pub(crate) source: Field,
    /// Document id and source id with case and punctuation folded.
    pub(crate) id_words: Field,
    pub(crate) source_words: Field,
    pub(crate) title: Field,
    pub(crate) publisher: Field,
    license: Field,
    pub(crate) text: Field,
    pub(crate) shingles: Field,
    pub(crate) bands: Field,
    source_place: Field,
    word_count: Field,
    place: Field,
}

impl Fields {
    pub(crate) fn schema() -> (Schema, Self) {
        let mut schema = Schema::builder();
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(TOKENIZER)
            .set_index_option(IndexRecordOption::WithFreqsAndPositions);
        let words = TextOptions::default().set_indexing_options(indexing).set_stored();
        let number = NumericOptions::default().set_fast();
        let fields = Self {
            id: schema.add_text_field("id", STRING | STORED),
            source: schema.add_text_field("source", STRING | STORED),
            id_words: schema.add_text_field("id_words", STRING),
            source_words: schema.add_text_field("source_words", STRING),
            title: schema.add_text_field("title", words.clone()),
            publisher: schema.add_text_field("publisher", words.clone()),
            license: schema.add_text_field("license", STORED),
            text: schema.add_text_field("text", words),
            shingles: schema.add_u64_field("shingles", INDEXED),
            bands: schema.add_u64_field("bands", INDEXED),
            source_place: schema.add_u64_field(SOURCE_PLACE, FAST),
            word_count: schema.add_u64_field(WORD_COUNT, number.clone()),
            place: schema.add_u64_field(PLACE, number),
        };
        (schema.build(), fields)
    }

    /// What the index keeps of a document.
    pub(crate) fn entry(
        &self,
        document: &Document,
        words: &Words,
        source_place: usize,
        place: usize,
    ) -> TantivyDocument {
        let mut entry = TantivyDocument::default();
        entry.add_text(self.id, &document.id);
        entry.add_text(self.source, &document.source);
        entry.add_text(self.id_words, folded(&document.id));
        entry.add_text(self.source_words, folded(&document.source));
        let named =
            [(self.title, &document.title), (self.publisher, &document.publisher), (self.license, &document.license)];
        for (field, value) in named {
            if let Some(value) = value {
                entry.add_text(field, value);
            }
        }
        entry.add_text(self.text, &document.text);
        let hashes = hashes(words);
        for shingle in winnow(&hashes) {
            entry.add_u64(self.shingles, shingle);
        }
        for band in Signature::of(&hashes).iter().flat_map(Signature::bands) {
            entry.add_u64(self.bands, band);
        }
        entry.add_u64(self.source_place, source_place as u64);
        entry.add_u64(self.word_count, words.len() as u64);
        entry.add_u64(self.place, place as u64);
        entry
    }

    /// The document that an entry was made of; none if it lacks what every document has.
    pub(crate) fn document(&self, entry: &TantivyDocument) -> Option<Document> {
        let text = |field: Field| entry.get_first(field).and_then(|value| value.as_str()).map(str::to_owned);
        Some(Document {
            id: text(self.id)?,
            source: text(self.source)?,
            title: text(self.title),
            publisher: text(self.publisher),
            license: text(self.license),
            text: text(self.text)?,
        })
    }
}

/// Terms of a field, one for every word.
pub(crate) fn terms(field: Field, words: &Words) -> Vec<Term> {
    words.iter().map(|word| Term::from_field_text(field, word)).collect()
}

/// A name by its words alone.
pub(crate) fn folded(name: &str) -> String {
    let words = Words::of(name);
    words.joined(0..words.len())
}

/// Makes known to an index how [`Words`] become its terms.
pub(crate) fn register(index: &tantivy::Index) {
    index.tokenizers().register(TOKENIZER, WordTokenizer);
}

#[derive(Clone)]
struct WordTokenizer;

struct WordStream {
    words: Words,
    next: usize,
    token: Token,
}

impl Tokenizer for WordTokenizer {
    type TokenStream<'a> = WordStream;

    fn token_stream(&mut self, text: &str) -> WordStream {
        WordStream { words: Words::of(text), next: 0, token: Token::default() }
    }
}

impl TokenStream for WordStream {
    fn advance(&mut self) -> bool {
        if self.next == self.words.len() {
            return false;
        }
        let span = self.words.span(self.next..self.next + 1);
        self.token.offset_from = span.start;
        self.token.offset_to = span.end;
        self.token.position = self.next;
        self.token.text.clear();
        self.token.text.push_str(self.words.word(self.next));
        self.next += 1;
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}
