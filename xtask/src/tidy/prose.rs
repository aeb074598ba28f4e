//! Rules on documents: what they name must exist. Whether they are true, clear and short is for people to judge.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;

use super::Finding;
use super::files::SourceFile;
use crate::tests::COMMAND;

/// Every invariant in ARCHITECTURE.md names the tests that fail when it is broken, as `` `test: path::name` ``.
pub(super) fn check_invariants(architecture: &str, files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, text) in invariants(architecture) {
        let place = format!("ARCHITECTURE.md:{line}");
        let tests: Vec<&str> = text.split("`test:").skip(1).filter_map(|rest| rest.split('`').next()).collect();
        if tests.is_empty() {
            findings.push(Finding::error(&place, "an invariant without a test: name one as `test: path::name`"));
        }
        for test in tests.into_iter().map(str::trim) {
            let Some((path, name)) = test.rsplit_once("::") else {
                findings.push(Finding::error(&place, format!("`{test}` is not of the form path::name")));
                continue;
            };
            match files.iter().find(|file| file.path == path) {
                None => findings.push(Finding::error(&place, format!("names {path}, which is not there"))),
                Some(file) if !has_test(&file.halves.code, name) => {
                    findings.push(Finding::error(&place, format!("{path} has no test `{name}`")));
                }
                Some(_) => {}
            }
        }
    }
    findings
}

/// The invariants with their line numbers: from a line with the word to the next such line, blank line or heading.
fn invariants(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut inside = false;
    for (number, line) in text.lines().enumerate() {
        let bare = line.trim_start().trim_start_matches(|c: char| "-*>. ".contains(c) || c.is_ascii_digit());
        if bare.starts_with("Invariant:") || bare.starts_with("Architecture Invariant:") {
            found.push((number + 1, line.to_string()));
            inside = true;
        } else if line.trim().is_empty() || line.starts_with('#') {
            inside = false;
        } else if let Some((_, text)) = found.last_mut().filter(|_| inside) {
            text.push(' ');
            text.push_str(line.trim());
        }
    }
    found
}

/// A function of that name whose attributes make it a test.
fn has_test(code: &str, name: &str) -> bool {
    let lines: Vec<&str> = code.lines().map(str::trim).collect();
    let opening = [format!("fn {name}("), format!("async fn {name}(")];
    lines.iter().enumerate().any(|(at, line)| {
        opening.iter().any(|start| line.starts_with(start.as_str()))
            && lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.is_empty()).any(|line| {
                let attribute = line.trim_start_matches("#[").split(['(', ']']).next().unwrap_or_default();
                attribute == "test" || attribute.ends_with("::test")
            })
    })
}

/// The README gives the command that the gate runs, and the one that shows the product.
pub(super) fn check_readme(readme: &str) -> Vec<Finding> {
    [COMMAND.join(" "), "cargo xtask demo".to_string()]
        .iter()
        .filter(|command| !readme.lines().any(|line| line.trim_start().starts_with(command.as_str())))
        .map(|command| Finding::error("README.md", format!("must give the command `{command}` on a line of its own")))
        .collect()
}

/// The gate can be started, and is `cargo xtask ci`.
pub(super) fn check_gate(path: &Path) -> anyhow::Result<Vec<Finding>> {
    let meta = path.metadata().with_context(|| format!("{} cannot be read", path.display()))?;
    let mut findings = Vec::new();
    if meta.permissions().mode() & 0o111 == 0 {
        findings.push(Finding::error(".ci/run", "has no run bit: chmod +x .ci/run"));
    }
    if !crate::project::read(path)?.contains("cargo xtask ci") {
        findings.push(Finding::error(".ci/run", "must run `cargo xtask ci`"));
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TESTS: &str = "//! Tests of masks.\n#[test]\nfn vectors_agree() {}\n#[tokio::test]\n// why\n\
                         async fn both_databases() {}\nfn plain() {}\n/* #[test] fn hidden() {} */\n";

    #[track_caller]
    fn check_text(text: &str, expect: &[&str]) {
        let files = [SourceFile::new("crates/mask/tests/vectors.rs", TESTS)];
        let found: Vec<String> = check_invariants(text, &files).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), expect.len(), "{found:#?}");
        for (finding, words) in found.iter().zip(expect) {
            assert!(finding.contains(words), "{finding} should say {words}");
        }
    }

    #[test]
    fn invariant_with_its_tests() {
        check_text(
            "## Invariants\n\n1. **Invariant:** masks are the vectors'\n   (`test: crates/mask/tests/vectors.rs::vectors_agree`,\n   \
             `test: crates/mask/tests/vectors.rs::both_databases`).\n\nAn Invariant: inside a sentence is prose.\n",
            &[],
        );
    }

    #[test]
    fn invariant_without_a_test() {
        check_text(
            "Invariant: all is well.\n\n`test: crates/mask/tests/vectors.rs::vectors_agree`\n",
            &["without a test"],
        );
    }

    #[test]
    fn test_that_is_not_there() {
        check_text("Invariant: x `test: crates/mask/tests/vectors.rs::gone`", &["no test `gone`"]);
        check_text("Invariant: x `test: crates/mask/tests/vectors.rs::plain`", &["no test `plain`"]);
        check_text("Invariant: x `test: crates/mask/tests/vectors.rs::hidden`", &["no test `hidden`"]);
        check_text("Invariant: x `test: crates/mask/src/gone.rs::a`", &["not there"]);
        check_text("- Invariant: x `test: nothing`\n- Invariant: y", &["not of the form", "without a test"]);
    }

    #[test]
    fn readme_names_the_commands() {
        assert_eq!(check_readme("# x\n\n    cargo xtask demo\n    cargo xtask test\n"), []);
        assert_eq!(check_readme("Run `cargo xtask test` some day.").len(), 2);
    }
}
