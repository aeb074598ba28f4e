//! Programs from elsewhere that read our PDFs: qpdf and those of poppler. Not here: what they must say.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

/// A PDF in a folder of its own, which goes with it.
pub struct Paper {
    folder: PathBuf,
}

impl Drop for Paper {
    fn drop(&mut self) {
        // What is left behind lies in the build folder and harms nobody.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Paper {
    pub fn new(pdf: &[u8]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("paper-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("page.pdf"), pdf).unwrap();
        Self { folder }
    }

    /// What a program prints; none where it is missing, which in CI is a failure.
    pub fn ask(&self, program: &str, arguments: &[&str]) -> Option<String> {
        let output = Command::new(program).args(arguments).current_dir(&self.folder).output();
        let output = match output {
            Ok(output) => output,
            Err(e) => {
                let must = std::env::var_os("CI").is_some_and(|value| value == "true");
                assert!(!must, "{program}: {e}; install qpdf and poppler-utils");
                eprintln!("{program}: {e}; nothing was shown");
                return None;
            }
        };
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{program}: {text}{}", String::from_utf8_lossy(&output.stderr));
        Some(text)
    }

    /// The text of all pages, in the order in which it was set, without line ends and other white space.
    pub fn text(&self) -> Option<String> {
        let text = self.ask("pdftotext", &["-raw", "-enc", "UTF-8", "page.pdf", "-"])?;
        Some(text.split_whitespace().collect())
    }

    pub fn read(&self, file: &Path) -> Vec<u8> {
        fs::read(self.folder.join(file)).unwrap()
    }
}

/// What `Paper::text` makes of a text.
pub fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}
