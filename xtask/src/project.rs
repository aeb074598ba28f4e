//! Where the checkout is, and how programs are started in it. Not a place for anything that only one command needs.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// The checkout that this run works on.
pub(crate) struct Project {
    root: PathBuf,
}

impl Project {
    /// Finds the checkout: from the manifest that cargo names at run time, else upwards from the current directory.
    /// (Never from a path fixed at compile time: a checkout may be moved, and a target directory shared.)
    pub(crate) fn find() -> anyhow::Result<Self> {
        let start = match std::env::var_os("CARGO_MANIFEST_DIR") {
            Some(dir) => PathBuf::from(dir),
            None => std::env::current_dir().context("the current directory cannot be read")?,
        };
        match start.ancestors().find(|dir| dir.join("xtask/Cargo.toml").is_file()) {
            Some(root) => Ok(Self { root: root.to_path_buf() }),
            None => bail!("{} is not inside a checkout of obelus: run `cargo xtask` from one", start.display()),
        }
    }

    /// A path inside the checkout.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The folder with `include/` and `lib/` that torch-sys builds against.
    pub(crate) fn libtorch(&self) -> PathBuf {
        self.path(".libtorch")
    }

    /// The Python packages that tests of exports use.
    pub(crate) fn python(&self) -> PathBuf {
        self.path(".python")
    }

    /// The verifiers of others that tests hand our evidence to.
    pub(crate) fn outsiders(&self) -> PathBuf {
        self.path(".outsiders")
    }

    /// What set-up keeps for itself: downloads under way, its lock. Ignored by git; may be deleted at any time.
    pub(crate) fn tools(&self) -> PathBuf {
        self.path(".tools")
    }

    /// Where cargo puts what it builds.
    pub(crate) fn target(&self) -> PathBuf {
        match std::env::var_os("CARGO_TARGET_DIR") {
            Some(dir) => std::path::absolute(&dir).unwrap_or_else(|_| dir.into()),
            None => self.path("target"),
        }
    }

    /// A cargo command in the root of the checkout.
    pub(crate) fn cargo<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new("cargo");
        command.args(args).current_dir(&self.root);
        // What the outer `cargo run` says about the package xtask must not reach the packages built inside.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text == "CARGO_MANIFEST_DIR" || text == "CARGO_MANIFEST_PATH" || text.starts_with("CARGO_PKG_") {
                command.env_remove(&name);
            }
        }
        self.library_path(&mut command);
        command
    }

    /// The rpath in `.cargo/config.toml` is relative to `target/`. For a target directory elsewhere, and only then,
    /// the loader is told by environment where libtorch is.
    pub(crate) fn library_path(&self, command: &mut Command) {
        if std::env::var_os("CARGO_TARGET_DIR").is_none() {
            return;
        }
        let mut paths = vec![self.libtorch().join("lib")];
        if let Some(old) = std::env::var_os("LD_LIBRARY_PATH") {
            paths.extend(std::env::split_paths(&old).filter(|path| !path.as_os_str().is_empty()));
        }
        if let Ok(joined) = std::env::join_paths(paths) {
            command.env("LD_LIBRARY_PATH", joined);
        }
    }
}

/// Runs a command with our own standard streams; an unsuccessful end is an error that names the command.
pub(crate) fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("`{}` could not be started", shown(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

/// True if the program starts and ends well; its output is dropped.
pub(crate) fn works(program: impl AsRef<OsStr>, args: &[&str]) -> bool {
    Command::new(program).args(args).output().is_ok_and(|output| output.status.success())
}

/// The command as somebody would type it.
fn shown(command: &Command) -> String {
    let words: Vec<OsString> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(OsStr::to_os_string).collect();
    words.iter().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Reads a text file; the error names it.
pub(crate) fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read as UTF-8 text", path.display()))
}
