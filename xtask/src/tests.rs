//! `cargo xtask test`: every test of the workspace through cargo-nextest, then the documentation's examples where
//! there are any. The tests themselves live beside the code and in the package `obelus-tests`.

use crate::prerequisites::under_ci;
use crate::project::{Project, read, succeed};
use crate::{setup, source};

/// The test command that the README gives, word for word; `cargo xtask ci` runs it and `cargo xtask tidy` looks for it.
pub(crate) const COMMAND: [&str; 3] = ["cargo", "xtask", "test"];

/// Sets up and runs the tests. `args` go to nextest and then narrow the run: the whole workspace and the examples are
/// meant only without them.
pub(crate) fn run(project: &Project, args: &[String]) -> anyhow::Result<()> {
    setup::for_tests(project)?;
    succeed(&mut project.cargo(nextest_arguments(args, under_ci())))?;
    if !args.is_empty() {
        return Ok(());
    }
    let mut examples = false;
    for file in source::rust_files(project)? {
        examples |= has_example(&read(&project.path(&file))?);
    }
    if examples {
        // The whole workspace: for one room alone cargo chooses other features and builds the database libraries anew.
        succeed(&mut project.cargo(["test", "--doc", "--workspace"]))?;
    }
    Ok(())
}

fn nextest_arguments(args: &[String], ci: bool) -> Vec<String> {
    let names = |flag: &str, short: &str| {
        args.iter().any(|arg| arg == flag || arg.starts_with(&format!("{flag}=")) || arg.starts_with(short))
    };
    let mut all = vec!["nextest".to_string(), "run".to_string()];
    if !names("--package", "-p") && !names("--manifest-path", "--manifest-path") {
        all.push("--workspace".to_string());
    }
    if ci && !names("--profile", "-P") {
        all.extend(["--profile".to_string(), "ci".to_string()]);
    }
    all.extend(args.iter().cloned());
    all
}

/// True if a documentation comment holds a fenced block that rustdoc would compile.
fn has_example(text: &str) -> bool {
    let mut inside = false;
    for line in text.lines().map(str::trim_start) {
        let Some(comment) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else {
            inside = false;
            continue;
        };
        let Some(info) = comment.trim_start().strip_prefix("```") else { continue };
        if inside {
            inside = false;
            continue;
        }
        inside = true;
        let compiled = |word: &str| matches!(word, "" | "rust" | "should_panic" | "no_run" | "compile_fail");
        if info.trim().split([',', ' ']).all(compiled) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod cases {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_string).collect()
    }

    #[test]
    fn whole_workspace_unless_narrowed() {
        assert_eq!(nextest_arguments(&[], false), words("nextest run --workspace"));
        assert_eq!(nextest_arguments(&words("-p obelus-mask"), false), words("nextest run -p obelus-mask"));
        assert_eq!(nextest_arguments(&words("vectors"), false), words("nextest run --workspace vectors"));
    }

    #[test]
    fn own_profile_under_ci() {
        assert_eq!(nextest_arguments(&[], true), words("nextest run --workspace --profile ci"));
        assert_eq!(
            nextest_arguments(&words("--profile default"), true),
            words("nextest run --workspace --profile default")
        );
    }

    #[test]
    fn examples_are_told_from_other_blocks() {
        assert!(has_example("/// Shows it:\n/// ```\n/// let x = 1;\n/// ```\nfn f() {}"));
        assert!(has_example("//! ```no_run\n//! f();\n//! ```"));
        assert!(!has_example("/// ```text\n/// [batch, tokens]\n/// ```\nfn f() {}"));
        assert!(!has_example("//! ```json\n//! {}\n//! ```\n//! and ```inline``` words"));
        assert!(!has_example("let s = \"```\";"));
    }
}
