//! Fetches libtorch into `.libtorch`: three pinned Python wheels, checked by SHA-256, of which only the headers and
//! the libraries for the CPU are kept. Python itself is used to download and to unpack, never at run time.
//!
//! The folder appears by renaming a finished one into place, and a stamp in it says what it was made from: a set-up
//! that was interrupted is done again, a finished one is reused.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use crate::prerequisites;
use crate::project::{Project, succeed};

/// A wheel of the Python package index, pinned.
struct Wheel {
    package: &'static str,
    version: &'static str,
    platform: &'static str,
    sha256: &'static str,
    megabytes: u64,
}

/// libtorch's CPU library links to the CUDA runtime and profiler libraries, so that these come too.
const WHEELS: [Wheel; 3] = [
    Wheel {
        package: "torch",
        version: VERSION,
        platform: "manylinux_2_28_x86_64",
        sha256: "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a",
        megabytes: 531,
    },
    Wheel {
        package: "nvidia-cuda-cupti",
        version: "13.5.25",
        platform: "manylinux_2_25_x86_64",
        sha256: "9dcca41c12a734192b14e7128ae116bc9ce1b9da686e2ebf48ae7a4415f76650",
        megabytes: 13,
    },
    Wheel {
        package: "nvidia-cuda-runtime",
        version: "13.5.37",
        platform: "manylinux2014_x86_64",
        sha256: "df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d",
        megabytes: 3,
    },
];

/// The one version that the tch crate of this workspace binds.
const VERSION: &str = "2.11.0";

const LIBRARIES: [&str; 5] = ["libtorch_cpu.so", "libc10.so", "libgomp.so.1", "libcudart.so.13", "libcupti.so.13"];

/// Wheels, their unpacked part and the first build together need about this much.
const NEEDED_MEGABYTES: u64 = 2_500;

/// Makes sure that `.libtorch` is complete and of the pinned version. The caller holds the set-up lock.
pub(crate) fn ensure(project: &Project) -> anyhow::Result<()> {
    let home = project.libtorch();
    if is_complete(&home) {
        return Ok(());
    }
    prerequisites::for_fetching()?;
    let tools = project.tools();
    let free = free_megabytes(&tools)?;
    if free < NEEDED_MEGABYTES {
        bail!(
            "set-up needs {NEEDED_MEGABYTES} MB free in {}, and {free} MB are free: make room and run again",
            tools.display()
        );
    }
    let downloads = tools.join("wheels");
    let wheels = WHEELS.iter().map(|wheel| fetch(wheel, &downloads)).collect::<anyhow::Result<Vec<_>>>()?;

    let fresh = tools.join("libtorch-new");
    remove(&fresh)?;
    eprintln!("setup: unpacking headers and libraries");
    let mut unpack = Command::new("python3");
    unpack.arg("-c").arg(include_str!("unpack.py")).arg(&fresh).args(&wheels);
    succeed(unpack.stdout(Stdio::null())).context("a wheel could not be unpacked; delete .tools and run again")?;
    // torch-sys links with -ltorch, which the full library would satisfy; here the CPU part stands in for it.
    write(&fresh.join("lib/libtorch.so"), "INPUT(-ltorch_cpu)\n")?;
    write(&fresh.join("build-version"), &format!("{VERSION}\n"))?;
    write(&fresh.join("stamp"), &stamp())?;
    if !is_complete(&fresh) {
        bail!("the wheels lack one of {}; this is a defect of xtask/src/unpack.py", LIBRARIES.join(", "));
    }
    put_in_place(&fresh, &home, &tools.join("libtorch-old"))?;
    remove(&downloads)?;
    eprintln!("setup: libtorch {VERSION} is in {}", home.display());
    Ok(())
}

/// What a finished folder was made from.
fn stamp() -> String {
    WHEELS.iter().map(|wheel| format!("{} {} sha256:{}\n", wheel.package, wheel.version, wheel.sha256)).collect()
}

fn is_complete(home: &Path) -> bool {
    std::fs::read_to_string(home.join("stamp")).is_ok_and(|found| found == stamp())
        && home.join("include/torch").is_dir()
        && LIBRARIES.iter().all(|name| home.join("lib").join(name).metadata().is_ok_and(|file| file.len() > 0))
}

/// The wheel as a file whose digest was checked; one left by an interrupted set-up is used if it is whole.
fn fetch(wheel: &Wheel, downloads: &Path) -> anyhow::Result<PathBuf> {
    let Wheel { package, version, sha256, .. } = wheel;
    let dir = downloads.join(package);
    if let Some(path) = whole_wheel(&dir, sha256)?.0 {
        return Ok(path);
    }
    remove(&dir)?;
    let scratch = dir.join("scratch");
    std::fs::create_dir_all(&scratch).with_context(|| format!("{} cannot be made", scratch.display()))?;
    download(wheel, &dir, &scratch)?;
    match whole_wheel(&dir, sha256)? {
        (Some(path), _) => Ok(path),
        (None, found) => bail!(
            "{package} {version} as downloaded has SHA-256 {}, but {sha256} is pinned: nothing was installed. \
             If your package index is a mirror, ask who runs it; else run `cargo xtask setup` again",
            found.as_deref().unwrap_or("(no file)")
        ),
    }
}

/// The `.whl` in `dir` if its digest is the wanted one, and the digest last seen.
fn whole_wheel(dir: &Path, sha256: &str) -> anyhow::Result<(Option<PathBuf>, Option<String>)> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((None, None)),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be listed", dir.display())),
    };
    let mut seen = None;
    for entry in entries {
        let path = entry.with_context(|| format!("{} cannot be listed", dir.display()))?.path();
        if path.extension() != Some(OsStr::new("whl")) {
            continue;
        }
        let digest = file_sha256(&path)?;
        if digest == sha256 {
            return Ok((Some(path), Some(digest)));
        }
        seen = Some(digest);
    }
    Ok((None, seen))
}

/// Runs pip, and shows how far it is by the size of its scratch folder: the same on a terminal and in a log.
fn download(wheel: &Wheel, dir: &Path, scratch: &Path) -> anyhow::Result<()> {
    let Wheel { package, version, platform, megabytes, .. } = wheel;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"])
        // pip's cache would keep a second copy of half a gigabyte, and read it into memory whole.
        .arg("--no-cache-dir")
        .args(["--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11", "--abi", "cp311"])
        .args(["--platform", platform, "--dest"])
        .arg(dir)
        .arg(format!("{package}=={version}"))
        .env("TMPDIR", scratch)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let mut child = pip.spawn().context("`python3 -m pip download` could not be started")?;
    let mut progress = Progress::new(format!("setup: {package} {version}"), *megabytes);
    let status = loop {
        match child.try_wait().with_context(|| format!("waiting for the download of {package} failed"))? {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(200)),
        }
        progress.show(size_bytes(scratch) / 1_000_000);
    };
    progress.end();
    if !status.success() {
        bail!(
            "pip could not download {package} {version} ({status}): its message is above; check the network and run again"
        );
    }
    Ok(())
}

/// One line on a terminal, a line every few seconds elsewhere.
struct Progress {
    label: String,
    total: u64,
    terminal: bool,
    shown: Option<Instant>,
}

impl Progress {
    fn new(label: String, total: u64) -> Self {
        eprintln!("{label}: downloading {total} MB");
        Self { label, total, terminal: std::io::stderr().is_terminal(), shown: None }
    }

    fn show(&mut self, done: u64) {
        let pause = Duration::from_millis(if self.terminal { 200 } else { 5_000 });
        if self.shown.is_some_and(|at| at.elapsed() < pause) {
            return;
        }
        self.shown = Some(Instant::now());
        let (start, end) = if self.terminal { ("\r", "") } else { ("", "\n") };
        eprint!("{start}{}: {} of {} MB{end}", self.label, done.min(self.total), self.total);
    }

    fn end(&self) {
        if self.terminal {
            eprintln!();
        }
    }
}

/// Bytes of all files below a folder that another program is writing: what vanishes meanwhile counts nothing.
fn size_bytes(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => size_bytes(&entry.path()),
            Ok(meta) => meta.len(),
            Err(_) => 0,
        })
        .sum()
}

fn file_sha256(path: &Path) -> anyhow::Result<String> {
    let at = || format!("{} cannot be read", path.display());
    let mut file = File::open(path).with_context(at)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0u8; 1 << 20];
    loop {
        let count = file.read(&mut buffer).with_context(at)?;
        if count == 0 {
            return Ok(hex::encode(hasher.finalize()));
        }
        hasher.update(&buffer[..count]);
    }
}

/// Free space of the file system that holds `dir`.
fn free_megabytes(dir: &Path) -> anyhow::Result<u64> {
    let output = Command::new("df").arg("-Pk").arg(dir).output().context("`df` could not be started")?;
    let text = String::from_utf8_lossy(&output.stdout);
    available_megabytes(&text).with_context(|| format!("`df -Pk {}` printed no size: {text}", dir.display()))
}

/// The fourth column of the last line of `df -Pk`, in megabytes.
fn available_megabytes(df: &str) -> Option<u64> {
    let kibibytes: u64 = df.lines().last()?.split_whitespace().nth(3)?.parse().ok()?;
    Some(kibibytes * 1_024 / 1_000_000)
}

fn put_in_place(fresh: &Path, home: &Path, old: &Path) -> anyhow::Result<()> {
    remove(old)?;
    if home.symlink_metadata().is_ok() {
        std::fs::rename(home, old).with_context(|| format!("{} cannot be moved aside", home.display()))?;
    }
    std::fs::rename(fresh, home)
        .with_context(|| format!("{} cannot be moved to {}", fresh.display(), home.display()))?;
    remove(old)
}

/// Removes a file, a link or a whole folder; nothing there is fine.
fn remove(path: &Path) -> anyhow::Result<()> {
    let result = match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(path),
        _ => std::fs::remove_file(path),
    };
    result.with_context(|| format!("{} cannot be removed", path.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    File::create(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of this test alone, empty.
    fn folder(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("obelus-xtask-{}-{name}", std::process::id()));
        remove(&dir).unwrap();
        std::fs::create_dir_all(dir.join("lib")).unwrap();
        std::fs::create_dir_all(dir.join("include/torch")).unwrap();
        dir
    }

    #[test]
    fn half_finished_folder_is_not_complete() {
        let dir = folder("half");
        for name in LIBRARIES {
            assert!(!is_complete(&dir), "before {name}");
            write(&dir.join("lib").join(name), "library").unwrap();
        }
        assert!(!is_complete(&dir), "no stamp yet");
        write(&dir.join("stamp"), &stamp()).unwrap();
        assert!(is_complete(&dir));
        write(&dir.join("lib/libc10.so"), "").unwrap();
        assert!(!is_complete(&dir), "an emptied library");
        remove(&dir).unwrap();
    }

    #[test]
    fn stamp_of_other_wheels_is_not_complete() {
        let dir = folder("other");
        for name in LIBRARIES {
            write(&dir.join("lib").join(name), "library").unwrap();
        }
        write(&dir.join("stamp"), &stamp().replace(VERSION, "2.10.0")).unwrap();
        assert!(!is_complete(&dir));
        remove(&dir).unwrap();
    }

    #[test]
    fn only_a_wheel_with_the_pinned_digest_is_taken() {
        let dir = folder("wheel");
        let pinned = hex::encode(Sha256::digest(b"right"));
        assert_eq!(whole_wheel(&dir.join("absent"), &pinned).unwrap(), (None, None));
        write(&dir.join("a.whl"), "wrong").unwrap();
        assert_eq!(whole_wheel(&dir, &pinned).unwrap().0, None);
        write(&dir.join("a.whl"), "right").unwrap();
        assert_eq!(whole_wheel(&dir, &pinned).unwrap().0, Some(dir.join("a.whl")));
        remove(&dir).unwrap();
    }

    #[test]
    fn new_folder_replaces_an_old_one() {
        let dir = folder("swap");
        std::fs::create_dir(dir.join("new")).unwrap();
        write(&dir.join("new/stamp"), "new").unwrap();
        std::fs::create_dir(dir.join("home")).unwrap();
        write(&dir.join("home/stamp"), "old").unwrap();
        put_in_place(&dir.join("new"), &dir.join("home"), &dir.join("old")).unwrap();
        assert_eq!(std::fs::read_to_string(dir.join("home/stamp")).unwrap(), "new");
        assert!(!dir.join("old").exists() && !dir.join("new").exists());
        remove(&dir).unwrap();
    }

    #[test]
    fn free_space_is_read_from_df() {
        let text = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/a 100 50 5000000 2% /\n";
        assert_eq!(available_megabytes(text), Some(5_120));
        assert_eq!(available_megabytes(""), None);
    }
}
