//! Installs torch and Hugging Face transformers into `.python`, for the tests that hand an export to them.
//!
//! torch's wheel is the one that libtorch comes from. The CUDA libraries that it names, four gigabytes of them, are
//! replaced by empty ones: nothing in these tests calls them, and symbols are looked up when they are called. Pinned
//! versions, checked by SHA-256; the folder appears whole, and a stamp in it says what it was made from.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::folder::{need_space, put_in_place, write};
use crate::project::{Project, read, succeed};
use crate::wheel::{Wheel, fetch};
use crate::{libtorch, prerequisites, python};

/// torch for each Python that there are wheels for, with its SHA-256.
const TORCH: [(&str, &str); 4] = [
    ("3.11", "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a"),
    ("3.12", "0f68f4ac6d95d12e896c3b7a912b5871619542ec54d3649cf48cc1edd4dd2756"),
    ("3.13", "cc89b9b173d9adfab59fd227f0ab5e5516d9a52b658ae41d64e59d2e55a418db"),
    ("3.14", "4dc8b3809469b6c30b411bb8c4cad3828efd26236153d9beb6a3ec500f211a60"),
];

/// Everything else, with digests.
const REQUIREMENTS: &str = include_str!("../../tests/interchange/requirements.txt");

/// Libraries that torch names and these tests never call.
const NEVER_CALLED: [&str; 10] = [
    "libcublas.so.13",
    "libcublasLt.so.13",
    "libcudnn.so.9",
    "libcufft.so.12",
    "libcufile.so.0",
    "libcurand.so.10",
    "libcusparse.so.12",
    "libcusparseLt.so.0",
    "libnccl.so.2",
    "libnvshmem_host.so.3",
];

/// Libraries that torch calls even without a GPU; libtorch has them.
const SHARED: [&str; 2] = ["libcudart.so.13", "libcupti.so.13"];

/// Shows that what was installed works.
const TRIAL: &str = "import os, sys; sys.setdlopenflags(os.RTLD_LAZY)
import torch; torch.ones(2, 2) @ torch.ones(2, 2)
from transformers import AutoTokenizer, LlamaForCausalLM";

/// The wheel, its unpacked part and the rest need about this much.
const NEEDED_MEGABYTES: u64 = 2_500;

/// Makes sure that `.python` is complete and of the pinned versions. The caller holds the set-up lock, and libtorch is
/// there.
pub(crate) fn ensure(project: &Project) -> anyhow::Result<()> {
    prerequisites::for_fetching()?;
    let version = python::version(&TORCH.map(|(python, _)| python))?;
    let pinned = TORCH.iter().find(|(python, _)| *python == version);
    let &(python, sha256) = pinned.context("a version that was found in the list is in it")?;
    let home = project.python();
    let stamp = stamp(python, sha256);
    if is_complete(&home, &stamp) {
        return Ok(());
    }
    let tools = project.tools();
    need_space(&tools, NEEDED_MEGABYTES)?;
    let wheel = Wheel {
        package: "torch",
        version: libtorch::VERSION,
        python,
        platform: "manylinux_2_28_x86_64",
        sha256,
        megabytes: 531,
    };
    let torch = fetch(project, &wheel)?;
    let fresh = tools.join("python-new");
    eprintln!("setup: installing torch and transformers for the tests of exports");
    let address = torch.display().to_string().replace(' ', "%20");
    let requirements = format!("{REQUIREMENTS}torch @ file://{address} --hash=sha256:{sha256}\n");
    python::install(project, &requirements, &fresh)?;
    fill_in(project, &fresh.join("torch/lib"))?;
    python::try_out(TRIAL, &fresh)?;
    write(&fresh.join("stamp"), &stamp)?;
    put_in_place(&fresh, &home, &tools.join("python-old"))?;
    eprintln!("setup: torch and transformers are in {}", home.display());
    Ok(())
}

/// Puts the libraries that torch names, and that its wheel lacks, beside its own.
fn fill_in(project: &Project, libraries: &Path) -> anyhow::Result<()> {
    for name in SHARED {
        let from = project.libtorch().join("lib").join(name);
        std::fs::copy(&from, libraries.join(name)).with_context(|| format!("{} cannot be copied", from.display()))?;
    }
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    for name in NEVER_CALLED {
        let mut empty = Command::new(&compiler);
        empty.args(["-x", "c", "-shared", "-nostdlib", &format!("-Wl,-soname,{name}"), "-o"]);
        succeed(empty.arg(libraries.join(name)).arg("/dev/null"))?;
    }
    Ok(())
}

/// What a finished folder was made from.
fn stamp(python: &str, sha256: &str) -> String {
    format!("Python {python}\ntorch {} sha256:{sha256}\n{REQUIREMENTS}", libtorch::VERSION)
}

fn is_complete(home: &Path, stamp: &str) -> bool {
    read(&home.join("stamp")).is_ok_and(|found| found == stamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::{of_test, remove};

    #[test]
    fn a_folder_of_another_python_or_of_other_versions_is_not_complete() {
        let dir = of_test("python");
        let wanted = stamp("3.11", "aa");
        assert!(!is_complete(&dir, &wanted));
        for other in [stamp("3.12", "aa"), stamp("3.11", "bb")] {
            write(&dir.join("stamp"), &other).unwrap();
            assert!(!is_complete(&dir, &wanted));
        }
        write(&dir.join("stamp"), &wanted).unwrap();
        assert!(is_complete(&dir, &wanted));
        remove(&dir).unwrap();
    }

    #[test]
    fn every_requirement_is_pinned_and_has_a_digest() {
        let text = REQUIREMENTS.replace("\\\n", "");
        let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert!(lines.iter().any(|line| line.starts_with("transformers==")));
        assert!(lines.iter().all(|line| line.contains("==") && line.contains("--hash=sha256:")), "{text}");
    }
}
