//! Settings: read strictly, and refused before a letter could be read on its way.
//!
//! Not here: what a server does with letters.

use std::{fs, os::unix::fs::PermissionsExt as _};

use obelus_notify::{Settings, SettingsError, SmtpSettings, TlsSetting};

use crate::smtp::settings;

#[test]
fn settings_are_read_strictly() {
    assert_eq!(toml::from_str::<Settings>("").unwrap(), Settings::default());
    let text = "[smtp]\nhost = \"mail.example.org\"\nfrom = \"post@example.org\"\n";
    let read = toml::from_str::<Settings>(text).unwrap().smtp.unwrap();
    assert_eq!((read.tls, read.port), (TlsSetting::Starttls, None));
    for wrong in ["tsl = \"none\"", "tls = \"maybe\"", "port = 70000", "password = \"secret\""] {
        assert!(toml::from_str::<Settings>(&format!("{text}{wrong}\n")).is_err(), "{wrong}");
    }
    assert!(toml::from_str::<Settings>("directory = \"x\"").is_err());
}

#[test]
fn no_other_machine_is_talked_to_in_the_open() {
    let open = |host: &str, tls| SmtpSettings { host: host.to_owned(), tls, ..settings(25) }.open();
    for here in ["localhost", "LOCALHOST", "127.0.0.1", "127.3.2.1", "::1"] {
        assert!(open(here, TlsSetting::None).is_ok(), "{here}");
    }
    for elsewhere in
        ["mail.example.org", "localhost.example.org", "127.0.0.1.example.org", "10.0.0.1", "::2", "0.0.0.0"]
    {
        assert!(matches!(open(elsewhere, TlsSetting::None), Err(SettingsError::Unencrypted(_))), "{elsewhere}");
        assert!(open(elsewhere, TlsSetting::Starttls).is_ok(), "{elsewhere}");
    }
    for none in ["", "mail example", "mail.example.org\r\n", "mail@example"] {
        assert!(matches!(open(none, TlsSetting::Starttls), Err(SettingsError::Host(_))), "{none:?}");
    }
}

#[test]
fn a_sender_that_is_no_address_is_refused() {
    for from in ["", "Kea <kea@example.org>", "kea@example.org\r\nBcc: eve@example.org", "a@example.org,b@example.org"]
    {
        let refused = SmtpSettings { from: from.to_owned(), ..settings(25) }.open();
        assert!(matches!(refused, Err(SettingsError::From(_))), "{from:?}");
    }
}

#[test]
fn a_password_is_one_line_in_a_file_of_its_owners() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let open = |username: Option<&str>, password_file| {
        SmtpSettings { username: username.map(str::to_owned), password_file, ..settings(25) }.open()
    };
    let with = |text: &str, mode| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        open(Some("post"), Some(file.clone()))
    };
    assert!(with("sesame\n", 0o600).is_ok() && with("sesame", 0o400).is_ok() && with("sesame\r\n", 0o600).is_ok());
    assert!(matches!(with("sesame\n", 0o644), Err(SettingsError::Exposed { mode: 0o644, .. })));
    for text in ["", "\n", "open\nsesame\n", "se\0same"] {
        assert!(matches!(with(text, 0o600), Err(SettingsError::NoPassword(_))), "{text:?}");
    }
    let missing = open(Some("post"), Some(folder.path().join("none")));
    assert!(matches!(missing, Err(SettingsError::Password { .. })));
    assert!(matches!(open(Some("post"), None), Err(SettingsError::HalfALogin)));
    assert!(matches!(open(None, Some(file.clone())), Err(SettingsError::HalfALogin)));
}
