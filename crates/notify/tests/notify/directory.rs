//! Letters as files.
//!
//! Not here: which letters are sent when (`delivery.rs`).

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use obelus_notify::{Directory, Notify as _, NotifyError, Settings, Trouble};

use crate::{
    case::{FROM, RECIPIENT, USUAL, letters, saying, taken},
    mail_server::{parts, read},
};

fn directory(path: &Path) -> Directory {
    Directory::new(path, FROM.parse().unwrap())
}

fn files(path: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_letter_is_one_file_that_only_its_owner_reads_however_often_it_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("data/outbox");
    let letter = taken(7, letters(&USUAL).remove(0));
    directory(&outbox).send(&letter).await.unwrap();
    let name = format!("00000007-{:.16}.eml", letter.digest.to_string());
    assert_eq!(files(&outbox), [name.as_str()]);
    let first = fs::read_to_string(outbox.join(&name)).unwrap();
    directory(&outbox).send(&letter).await.unwrap();
    assert_eq!(files(&outbox), [name.as_str()]);
    assert_eq!(fs::read_to_string(outbox.join(&name)).unwrap(), first, "the same letter has the same bytes");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&outbox), mode(&outbox.join(&name))), (0o700, 0o600));
    let (headers, _) = parts(&first);
    assert!(headers.contains(&("To".to_owned(), RECIPIENT.to_owned())));
    assert_eq!(read(&first), letter.body);
}

#[tokio::test]
async fn what_a_cut_off_writer_left_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let letter = saying("text\n");
    let name = format!("00000007-{:.16}.eml", letter.digest.to_string());
    let left = folder.path().join(format!("{name}.part"));
    fs::write(&left, "x".repeat(10_000)).unwrap();
    fs::set_permissions(&left, fs::Permissions::from_mode(0o644)).unwrap();
    directory(folder.path()).send(&letter).await.unwrap();
    assert_eq!(files(folder.path()), [name.as_str()]);
    assert_eq!(read(&fs::read_to_string(folder.path().join(&name)).unwrap()), "text\n");
    assert_eq!(fs::metadata(folder.path().join(&name)).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_to_is_tried_again_later() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let sent = directory(&file.join("outbox")).send(&saying("text\n")).await;
    assert!(matches!(sent, Err(NotifyError::Temporary(Trouble::Directory(_)))), "{sent:?}");
}

#[tokio::test]
async fn without_settings_letters_are_files() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = folder.path().join("outbox");
    Settings::default().open(&outbox).unwrap().send(&saying("text\n")).await.unwrap();
    assert_eq!(files(&outbox).len(), 1);
}
