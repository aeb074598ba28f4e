//! A few documents and their index, built once. Not here: what is asked of them.

use std::{ops::Range, sync::LazyLock};

use obelus_corpus::Document;
use obelus_search::Index;
use tempfile::TempDir;

pub(crate) const FERRY: &str = "The ferry to Harn leaves at nine from the old pier and the last one comes back before the \
                                tide turns; in winter it waits for the mail, the doctor and whoever has business with \
                                the court.";

/// An index in a folder that is removed with it.
pub(crate) struct Shelf {
    pub(crate) index: Index,
    _dir: TempDir,
}

pub(crate) fn document(id: &str, source: &str, text: &str) -> Document {
    Document {
        id: id.into(),
        source: source.into(),
        title: None,
        publisher: None,
        license: Some("CC0-1.0".into()),
        text: text.into(),
    }
}

fn titled(id: &str, source: &str, title: &str, publisher: &str, text: &str) -> Document {
    Document { title: Some(title.into()), publisher: Some(publisher.into()), ..document(id, source, text) }
}

pub(crate) fn documents() -> Vec<Document> {
    vec![
        titled("harbour/ferry", "harbour", "The Ferry to Harn", "Łódź Press", FERRY),
        titled(
            "harbour/light",
            "harbour",
            "A Light at Sea",
            "Łódź Press",
            "Nobody has kept the lamp since the wires came. Its lens was sold to a museum inland, which shows it next to \
             a stuffed gull and a bell that rings by itself whenever lorries pass, to the delight of every school class.",
        ),
        titled(
            "bakers",
            "bakers",
            "Bread",
            "Łódź Press",
            "When flour was scarce Marie Ørsted baked with chestnuts, and her neighbours swore that no loaf had ever been \
             so dark or so filling. Their guild still hands out chestnut rolls each autumn in memory of that year.",
        ),
        document(
            "music",
            "music",
            "В Харне (Harn) Пётр Чайковский дирижировал своей музыкой: Чайковского встретили тепло.",
        ),
        document("letters", "letters", "夏目漱石は「こころ」を書いた。한강은 소설가이다."),
        document("--", "--", "One line that nobody will look for."),
    ]
}

/// The index that all tests share that only ask.
pub(crate) fn shelf() -> &'static Shelf {
    static SHELF: LazyLock<Shelf> = LazyLock::new(fresh);
    &SHELF
}

pub(crate) fn fresh() -> Shelf {
    let dir = TempDir::new().unwrap();
    Shelf { index: Index::build(dir.path(), &documents()).unwrap(), _dir: dir }
}

impl Shelf {
    pub(crate) fn document(&self, id: &str) -> Document {
        self.index.document(id).unwrap().unwrap()
    }

    pub(crate) fn text(&self, id: &str, range: &Range<usize>) -> String {
        self.document(id).text[range.clone()].to_owned()
    }
}
