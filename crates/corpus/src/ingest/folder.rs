//! Folders of `.txt` files, one document each: which files count, and that none of them lies outside the folder.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use super::{IngestError, lines::MAX_LINE_BYTES};
use crate::document::Document;

/// Deeper folders than this are refused.
const MAX_DEPTH: usize = 64;

/// A text file and the id it gives its document.
#[derive(Debug)]
pub struct TextFile {
    /// Where it is.
    pub path: PathBuf,
    /// Path relative to the folder, `/` between parts, without `.txt`.
    pub id: String,
}

/// Every `.txt` file below `root`, ascending by id. Other files are passed over.
///
/// # Errors
/// A link that leads out of the folder, a link to a folder, a name that is not UTF-8, something that is not a file.
pub fn texts(root: &Path) -> Result<Vec<TextFile>, IngestError> {
    let real_root = fs::canonicalize(root).map_err(|e| unreadable(root, e))?;
    let mut found = Vec::new();
    walk(root, &real_root, "", 0, &mut found)?;
    found.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    Ok(found)
}

fn walk(dir: &Path, root: &Path, prefix: &str, depth: usize, found: &mut Vec<TextFile>) -> Result<(), IngestError> {
    let refuse = |path: &Path, reason: &str| IngestError::Path { path: path.to_owned(), reason: reason.into() };
    if depth > MAX_DEPTH {
        return Err(refuse(dir, "is nested too deep"));
    }
    for entry in fs::read_dir(dir).map_err(|e| unreadable(dir, e))? {
        let entry = entry.map_err(|e| unreadable(dir, e))?;
        let path = entry.path();
        let kind = entry.file_type().map_err(|e| unreadable(&path, e))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { return Err(refuse(&path, "its name is not UTF-8")) };
        if kind.is_dir() {
            walk(&path, root, &format!("{prefix}{name}/"), depth + 1, found)?;
            continue;
        }
        if kind.is_symlink() {
            let target = fs::canonicalize(&path).map_err(|e| unreadable(&path, e))?;
            if !target.starts_with(root) {
                return Err(refuse(&path, "is a link that leads out of the folder"));
            }
            if target.is_dir() {
                return Err(refuse(&path, "is a link to a folder, which would be read twice or for ever"));
            }
        }
        let Some(stem) = name.strip_suffix(".txt") else { continue };
        if !fs::metadata(&path).map_err(|e| unreadable(&path, e))?.is_file() {
            return Err(refuse(&path, "is not a regular file"));
        }
        found.push(TextFile { id: format!("{prefix}{stem}"), path });
    }
    Ok(())
}

impl TextFile {
    /// The file as a document: `Err` inside says why the text cannot be used.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn read(&self) -> Result<Result<Document, String>, IngestError> {
        let mut bytes = Vec::new();
        File::open(&self.path)
            .and_then(|file| file.take(MAX_LINE_BYTES as u64 + 1).read_to_end(&mut bytes))
            .map_err(|e| unreadable(&self.path, e))?;
        if bytes.len() > MAX_LINE_BYTES {
            return Ok(Err(format!("the file is longer than {MAX_LINE_BYTES} bytes")));
        }
        Ok(String::from_utf8(bytes).map_err(|e| format!("invalid UTF-8 at byte {}", e.utf8_error().valid_up_to())).map(
            |text| Document {
                id: self.id.clone(),
                source: self.id.clone(),
                title: None,
                publisher: None,
                license: None,
                text: text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text),
            },
        ))
    }
}

fn unreadable(path: &Path, source: std::io::Error) -> IngestError {
    IngestError::Unreadable { path: path.to_owned(), during: "reading it".into(), source }
}
