//! Rules on single source files and manifests: opening words, names, length, `unsafe`, exceptions and their reasons.

use std::path::Path;

use super::Finding;
use crate::source::{Halves, halves, has_word};

const LONG_LINES: usize = 400;
const TOO_LONG_LINES: usize = 600;
const MAIN_LINES: usize = 40;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "helpers", "common", "manager", "misc"];

/// The room whose purpose is to hold the unsafe code.
const UNSAFE_ROOM: &str = "crates/collective/";

/// Files outside that room that may say `unsafe`, each with the reason.
pub(super) const UNSAFE_ALLOWED: [(&str, &str); 1] =
    [("crates/corpus/src/mapping.rs", "a file mapped into memory: safe only while nobody truncates it")];

/// A Rust file that was read.
pub(super) struct SourceFile {
    /// Relative to the root, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    pub(super) halves: Halves,
}

impl SourceFile {
    pub(super) fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { path: path.into(), halves: halves(&text), text }
    }
}

/// Every rule on source files; `unsafe_allowed` is what `UNSAFE_ALLOWED` is for this house.
pub(super) fn check(files: &[SourceFile], unsafe_allowed: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = check_unsafe(files, unsafe_allowed);
    for file in files {
        findings.extend(check_opening(file));
        findings.extend(check_name(file));
        findings.extend(check_length(file));
        findings.extend(check_promises(file));
        findings.extend(check_exceptions(file));
    }
    findings
}

/// A manifest takes the lints of the workspace.
pub(super) fn check_manifest(path: &str, text: &str) -> Option<Finding> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != "[lints]").skip(1);
    let inherits = lines.next().is_some_and(|line| line.replace(' ', "") == "workspace=true");
    (!inherits).then(|| Finding::error(path, "must take the workspace's lints: [lints] workspace = true"))
}

fn check_opening(file: &SourceFile) -> Option<Finding> {
    let opens =
        file.text.lines().next().is_some_and(|line| line.strip_prefix("//!").is_some_and(|rest| rest.len() > 10));
    (!opens).then(|| Finding::error(&file.path, "must open with `//!`: what the file is, and what it is not"))
}

fn check_name(file: &SourceFile) -> Option<Finding> {
    let empty = Path::new(&file.path).with_extension("");
    let name = empty.iter().filter_map(|part| part.to_str()).find(|part| EMPTY_NAMES.contains(part))?;
    Some(Finding::error(&file.path, format!("`{name}` names nothing: use a noun of the domain")))
}

fn check_length(file: &SourceFile) -> Option<Finding> {
    let lines = file.text.lines().count();
    let service = file.path.starts_with("services/");
    if service && file.path.ends_with("/src/main.rs") && lines > MAIN_LINES {
        let message = format!("{lines} lines: a service's main.rs has at most {MAIN_LINES}, the rest is its library");
        return Some(Finding::error(&file.path, message));
    }
    if lines > TOO_LONG_LINES {
        return Some(Finding::error(&file.path, format!("{lines} lines, at most {TOO_LONG_LINES}: split it")));
    }
    (lines > LONG_LINES).then(|| Finding::warning(&file.path, format!("{lines} lines: is it more than one thing?")))
}

/// A promise in a comment names the issue that will keep it: `TODO(#12)`.
fn check_promises(file: &SourceFile) -> Vec<Finding> {
    let words = ["TODO", "FIXME", "XXX"];
    let broken = |line: &&(usize, &str)| {
        words.iter().any(|word| has_word(line.1, word) && !line.1.contains(&format!("{word}(#")))
    };
    let lines: Vec<(usize, &str)> = file.halves.comments.lines().enumerate().collect();
    let place = |line: usize| format!("{}:{}", file.path, line + 1);
    let promise = |&(line, _): &(usize, &str)| Finding::error(place(line), "a TODO without the issue that owns it");
    lines.iter().filter(broken).map(promise).collect()
}

/// An `allow` has its reason beside it: a comment on its lines or the one before, or `reason = "..."`.
fn check_exceptions(file: &SourceFile) -> Vec<Finding> {
    let code: Vec<&str> = file.halves.code.lines().collect();
    let comments: Vec<&str> = file.halves.comments.lines().collect();
    let mut findings = Vec::new();
    for first in 0..code.len() {
        if !code[first].trim_start().starts_with("#[") && !code[first].trim_start().starts_with("#![") {
            continue;
        }
        let last = attribute_end(&code, first);
        let attribute = code[first..=last].join(" ");
        let exception = has_word(&attribute, "allow") || has_word(&attribute, "expect");
        let mut beside = comments[first.saturating_sub(1)..=last].iter();
        if exception && !has_word(&attribute, "reason") && beside.all(|comment| comment.trim().is_empty()) {
            let place = format!("{}:{}", file.path, first + 1);
            findings.push(Finding::error(place, "an exception to a lint says why, in a comment or as its reason"));
        }
    }
    findings
}

/// The line on which the attribute that opens on line `first` closes its brackets.
fn attribute_end(code: &[&str], first: usize) -> usize {
    let mut open = 0;
    for (at, line) in code.iter().enumerate().skip(first) {
        for c in line.chars() {
            match c {
                '[' | '(' => open += 1,
                ']' | ')' => open -= 1,
                _ => continue,
            }
            if open == 0 {
                return at;
            }
        }
    }
    first
}

fn check_unsafe(files: &[SourceFile], allowed: &[(&str, &str)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let uses = |file: &SourceFile| has_word(&file.halves.code, "unsafe");
    for file in files.iter().filter(|file| uses(file) && !file.path.starts_with(UNSAFE_ROOM)) {
        if !allowed.iter().any(|(path, _)| *path == file.path) {
            let message = "`unsafe` outside crates/collective: do without, or list the file with its reason in \
                           xtask/src/tidy/files.rs";
            findings.push(Finding::error(&file.path, message));
        }
    }
    for (path, reason) in allowed {
        if !files.iter().any(|file| file.path == *path && uses(file)) {
            let message = format!("is listed as unsafe ({reason}) and is not: take it off the list");
            findings.push(Finding::error(*path, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile::new(path, text)
    }

    #[test]
    fn orderly_file_has_no_findings() {
        let text = "//! Row proofs, made and verified.\n\n// The paper wants it so.\n#[allow(dead_code)]\nfn f() {}\n";
        assert_eq!(check(&[file("crates/ledger/src/row_proof.rs", text)], &[]), []);
    }

    #[test]
    fn opening_comment_is_wanted() {
        assert!(check_opening(&file("a.rs", "fn f() {}")).is_some());
        assert!(check_opening(&file("a.rs", "//!\nfn f() {}")).is_some());
        assert!(check_opening(&file("a.rs", "")).is_some());
    }

    #[test]
    fn empty_names_are_refused() {
        assert!(check_name(&file("crates/model/src/utils.rs", "")).is_some());
        assert!(check_name(&file("tests/common/mod.rs", "")).is_some());
        assert!(check_name(&file("crates/model/src/commonly.rs", "")).is_none());
    }

    #[test]
    fn long_files_warn_and_then_fail() {
        let lines = |count: usize| file("crates/model/src/mlp.rs", &"x\n".repeat(count));
        assert_eq!(check_length(&lines(400)), None);
        assert!(check_length(&lines(401)).is_some_and(|finding| finding.warning));
        assert!(check_length(&lines(600)).is_some_and(|finding| finding.warning));
        assert!(check_length(&lines(601)).is_some_and(|finding| !finding.warning));
    }

    #[test]
    fn main_of_a_service_is_short() {
        let text = "x\n".repeat(41);
        assert!(check_length(&file("services/verify/src/main.rs", &text)).is_some_and(|finding| !finding.warning));
        assert!(check_length(&file("xtask/src/main.rs", &text)).is_none());
    }

    #[test]
    fn promises_have_an_owner() {
        let text = "// TODO(#7): later\nlet todo = \"TODO\";\n// TODO later\n";
        let found = check_promises(&file("a.rs", text));
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].place, "a.rs:3");
    }

    #[test]
    fn exceptions_have_a_reason() {
        assert_eq!(check_exceptions(&file("a.rs", "\n#[allow(dead_code)]\nfn f() {}")).len(), 1);
        assert_eq!(check_exceptions(&file("a.rs", "#![cfg_attr(test, allow(clippy::unwrap_used))]")).len(), 1);
        assert!(check_exceptions(&file("a.rs", "#[allow(dead_code)] // the paper's name")).is_empty());
        assert!(check_exceptions(&file("a.rs", "#[expect(dead_code, reason = \"kept\")]")).is_empty());
        let long = "#[expect(\n    dead_code,\n    reason = \"kept\"\n)]\nfn f() {}\n#[allow(\n    dead_code\n)]";
        let found = check_exceptions(&file("a.rs", long));
        assert!(found.len() == 1 && found[0].place == "a.rs:6", "{found:?}");
    }

    #[test]
    fn unsafe_has_its_place() {
        let text = "//! Maps.\nfn f() { unsafe { g() } }";
        let elsewhere = [file("crates/model/src/map.rs", text)];
        assert_eq!(check_unsafe(&elsewhere, &[]).len(), 1);
        assert!(check_unsafe(&elsewhere, &[("crates/model/src/map.rs", "a memory map")]).is_empty());
        assert!(check_unsafe(&[file("crates/collective/src/group.rs", text)], &[]).is_empty());
        assert!(check_unsafe(&[file("crates/model/src/a.rs", "// unsafe\nlet s = \"unsafe\";")], &[]).is_empty());
    }

    #[test]
    fn stale_exception_is_reported() {
        let found =
            check_unsafe(&[file("crates/model/src/map.rs", "fn f() {}")], &[("crates/model/src/map.rs", "a map")]);
        assert!(found.len() == 1 && found[0].message.contains("take it off"), "{found:?}");
    }

    #[test]
    fn manifest_takes_the_lints() {
        assert!(check_manifest("Cargo.toml", "[lints]\nworkspace = true\n").is_none());
        assert!(check_manifest("Cargo.toml", "[package]\nname = \"x\"\n").is_some());
    }
}
