//! The typesetter in a closed room: it sees one template of ours, the inputs, and two font families that are built in.
//! Not here: any text.
//!
//! There are no files, no packages, no network, no fonts of the system and no clock. Inputs are values, and nothing in
//! them is ever read as markup.

use std::sync::LazyLock;

use obelus_core::Timestamp;
use typst::{
    Library, LibraryExt as _, World,
    diag::{FileError, FileResult, SourceDiagnostic},
    foundations::{Bytes, Datetime, Dict, Duration, Smart},
    syntax::{FileId, Source},
    text::{Font, FontBook},
    utils::LazyHash,
};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards};

use crate::ReportError;

/// The families that templates and plots may name. Others that come with the typesetter are left out.
const FAMILIES: [&str; 2] = ["Libertinus Serif", "DejaVu Sans Mono"];

static FONTS: LazyLock<(LazyHash<FontBook>, Vec<Font>)> = LazyLock::new(|| {
    let all = typst_assets::fonts().flat_map(|bytes| Font::iter(Bytes::new(bytes)));
    let fonts: Vec<Font> = all.filter(|font| FAMILIES.contains(&font.info().family.as_str())).collect();
    (LazyHash::new(FontBook::from_fonts(&fonts)), fonts)
});

/// Whether one of the fonts has a glyph for a character.
pub(crate) fn has_glyph(character: char) -> bool {
    FONTS.1.iter().any(|font| font.info().coverage.contains(character.into()))
}

struct ClosedRoom {
    library: LazyHash<Library>,
    main: Source,
}

impl World for ClosedRoom {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &FONTS.0
    }

    fn main(&self) -> FileId {
        self.main.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.main.id() { Ok(self.main.clone()) } else { Err(FileError::AccessDenied) }
    }

    fn file(&self, _: FileId) -> FileResult<Bytes> {
        Err(FileError::AccessDenied)
    }

    fn font(&self, index: usize) -> Option<Font> {
        FONTS.1.get(index).cloned()
    }

    fn today(&self, _: Option<Duration>) -> Option<Datetime> {
        None
    }
}

/// Sets `template` with `inputs` as `sys.inputs`. `ident` names the document, `at` is its date.
///
/// # Errors
/// When the template or its inputs cannot be set, or not within PDF/A-3a.
pub(crate) fn pdf(template: &str, inputs: Dict, ident: &str, at: Timestamp) -> Result<Vec<u8>, ReportError> {
    let room = ClosedRoom {
        library: LazyHash::new(Library::builder().with_inputs(inputs).build()),
        main: Source::detached(template),
    };
    let set = typst::compile::<PagedDocument>(&room).output;
    let pdf = set.and_then(|document| {
        let standards = PdfStandards::new(&[PdfStandard::A_3a]).expect("one standard does not contradict itself");
        let options = PdfOptions {
            ident: Smart::Custom(ident.to_owned()),
            creator: Smart::Custom(Some("Obelus".to_owned())),
            timestamp: datetime(at).map(typst_pdf::Timestamp::new_utc),
            standards,
            ..PdfOptions::default()
        };
        typst_pdf::pdf(&document, &options)
    });
    // What was set is remembered by the typesetter, and it names sources.
    typst::comemo::evict(0);
    pdf.map_err(|found| ReportError::Typesetting(first(&found)))
}

fn first(found: &[SourceDiagnostic]) -> String {
    found.first().map(|diagnostic| diagnostic.message.to_string()).unwrap_or_default()
}

fn datetime(at: Timestamp) -> Option<Datetime> {
    let text = at.to_string();
    let part = |range: std::ops::Range<usize>| text.get(range).and_then(|digits| digits.parse::<u8>().ok());
    let year = text.get(0..4)?.parse().ok()?;
    Datetime::from_ymd_hms(year, part(5..7)?, part(8..10)?, part(11..13)?, part(14..16)?, part(17..19)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, is_set: bool) {
        let set = pdf(template, Dict::new(), "CT-1", Timestamp::from_micros(0));
        assert_eq!(set.is_ok(), is_set, "{template}: {:?}", set.map(|pdf| pdf.len()));
    }

    #[test]
    fn a_template_reaches_nothing_outside_of_the_room() {
        check("#set document(title: \"Title\")\nwords", true);
        for reach in [
            "#read(\"/etc/passwd\")",
            "#read(\"main.typ\")",
            "#include \"/etc/passwd\"",
            "#image(\"/etc/passwd\")",
            "#import \"@preview/example:0.1.0\"",
            "#plugin(\"a.wasm\")",
            "#datetime.today().display()",
        ] {
            check(&format!("#set document(title: \"Title\")\n{reach}"), false);
        }
    }

    #[test]
    fn only_the_two_families_are_there() {
        assert_eq!(FONTS.1.len(), 10);
        assert!(has_glyph('✓') && has_glyph('ש') && !has_glyph('中'));
    }
}
