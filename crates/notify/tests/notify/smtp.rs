//! Conversations with a mail server: what it gets, byte for byte, and what its answers and silences become.
//!
//! Not here: which letters are sent when (`delivery.rs`).

use std::time::Duration;

use obelus_notify::{Letter, Notify as _, NotifyError, Smtp, SmtpSettings, TlsSetting, Trouble};

use crate::{
    case::{FROM, RECIPIENT, USUAL, letters, saying, taken},
    mail_server::{Answers, MailServer, Step, WILLING, parts, read, undoubled},
};

/// The server on this machine, unencrypted.
pub fn settings(port: u16) -> SmtpSettings {
    SmtpSettings {
        host: "127.0.0.1".to_owned(),
        port: Some(port),
        from: FROM.to_owned(),
        username: None,
        password_file: None,
        tls: TlsSetting::None,
    }
}

fn smtp(server: &MailServer) -> Smtp {
    settings(server.port).open().unwrap()
}

async fn send(answers: Answers, letter: &Letter) -> (Result<(), NotifyError>, MailServer) {
    let server = MailServer::start(vec![answers]).await;
    let sent = smtp(&server).send(letter).await;
    (sent, server)
}

#[tokio::test]
async fn a_letter_arrives_with_these_commands_and_headers() {
    let letter = taken(7, letters(&USUAL).remove(0));
    let (sent, server) = send(WILLING, &letter).await;
    sent.unwrap();
    let heard = server.heard();
    let commands = [
        "EHLO operator.example".to_owned(),
        format!("MAIL FROM:<{FROM}>"),
        format!("RCPT TO:<{RECIPIENT}>"),
        "DATA".to_owned(),
        "QUIT".to_owned(),
    ];
    assert_eq!(heard.commands, commands);
    let (headers, _) = parts(&undoubled(&heard.letters[0]));
    let expected = [
        ("From", FROM.to_owned()),
        ("To", RECIPIENT.to_owned()),
        ("Subject", "[OB-2026-000001] Your request was received".to_owned()),
        ("Date", "Mon, 21 Sep 2026 14:13:20 +0000".to_owned()),
        ("Message-ID", format!("<7.{}@operator.example>", letter.digest)),
        ("MIME-Version", "1.0".to_owned()),
        ("Content-Type", "text/plain; charset=utf-8".to_owned()),
        ("Content-Language", "en".to_owned()),
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("Content-Transfer-Encoding", "7bit".to_owned()),
    ];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value)));
}

#[tokio::test]
async fn what_is_read_is_what_was_written_whatever_stands_in_it() {
    let long = format!("{}\n", "word ".repeat(500));
    for body in [
        ".\n..\n.a\n\n.\n",
        "no line break at the end",
        "Grüße, 你好, 🪨\n.\n",
        "שלום عليكم\n",
        "trailing spaces  \n\n\n",
        "=3D is not = and From is\nFrom here\n",
        &long,
    ] {
        let (sent, server) = send(WILLING, &saying(body)).await;
        sent.unwrap();
        let wire = server.heard().letters.remove(0);
        let text = std::str::from_utf8(&wire).unwrap();
        assert!(text.is_ascii(), "the body is encoded: {body:?}");
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "lines end with CRLF alone: {body:?}");
        assert!(text.split("\r\n").all(|line| line.len() <= 998), "RFC 5322 section 2.1.1: {body:?}");
        assert!(text.split("\r\n").all(|line| line != "."), "nothing ends the letter early: {body:?}");
        assert_eq!(read(&undoubled(&wire)), body);
    }
}

#[tokio::test]
async fn answers_become_errors_for_now_or_for_good() {
    use NotifyError::{Permanent, Temporary};
    let letter = saying("text\n");
    for (answers, expected) in [
        (Answers { greeting: "421 4.3.2 Closing", ..WILLING }, Temporary(Trouble::Reply(421))),
        // Not about this letter: the server takes none.
        (Answers { greeting: "554 No mail here", ..WILLING }, Temporary(Trouble::Reply(554))),
        (Answers { mail: "421 4.3.2 Closing", ..WILLING }, Temporary(Trouble::Reply(421))),
        (Answers { mail: "550 5.7.1 Not you", ..WILLING }, Permanent(Trouble::Reply(550))),
        (Answers { rcpt: "450 4.2.1 Greylisted", ..WILLING }, Temporary(Trouble::Reply(450))),
        (
            Answers { rcpt: "550 5.1.1 <anna.berg@example.org>: no such user", ..WILLING },
            Permanent(Trouble::Reply(550)),
        ),
        (Answers { data: "451 4.3.0 Try again", ..WILLING }, Temporary(Trouble::Reply(451))),
        (Answers { end: "452 4.3.1 Disk full", ..WILLING }, Temporary(Trouble::Reply(452))),
        (Answers { end: "354 Go ahead", ..WILLING }, Temporary(Trouble::Protocol)),
        (Answers { end: "554 5.7.1 Looks like spam", ..WILLING }, Permanent(Trouble::Reply(554))),
    ] {
        let (sent, _) = send(answers, &letter).await;
        assert_eq!(sent, Err(expected), "{answers:?}");
        assert!(!expected.to_string().contains("anna"), "the server's words are not repeated");
    }
}

#[tokio::test]
async fn whoever_hangs_up_or_is_silent_is_asked_again_later() {
    let letter = saying(&"text\n".repeat(20_000));
    for step in [Step::Greeting, Step::MidData, Step::End] {
        let (sent, _) = send(Answers { hangs_up: Some(step), ..WILLING }, &letter).await;
        assert!(matches!(sent, Err(NotifyError::Temporary(_))), "{step:?}: {sent:?}");
    }
    for answers in
        [Answers { greeting: "", ..WILLING }, Answers { mail: "", ..WILLING }, Answers { end: "", ..WILLING }]
    {
        let server = MailServer::start(vec![answers]).await;
        let sent = smtp(&server).with_patience(Duration::from_millis(300)).send(&letter).await;
        assert_eq!(sent, Err(NotifyError::Temporary(Trouble::TimedOut)), "{answers:?}");
    }
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let sent = settings(free).open().unwrap().send(&letter).await;
    assert_eq!(sent, Err(NotifyError::Temporary(Trouble::Connection)));
}

#[tokio::test]
async fn nothing_is_said_in_the_open_when_encryption_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = password_file(folder.path());
    let deceiver = Answers { extensions: &["STARTTLS", "AUTH PLAIN LOGIN"], ..WILLING };
    for (answers, tls) in [
        (Answers { extensions: &["AUTH PLAIN LOGIN"], ..WILLING }, TlsSetting::Starttls),
        (deceiver, TlsSetting::Starttls),
        (deceiver, TlsSetting::Implicit),
    ] {
        let server = MailServer::start(vec![answers]).await;
        let login = (Some("post".to_owned()), Some(file.clone()));
        let settings = SmtpSettings { tls, username: login.0, password_file: login.1, ..settings(server.port) };
        let smtp = settings.open().unwrap().with_patience(Duration::from_secs(5));
        let sent = smtp.send(&saying("text\n")).await;
        assert!(matches!(sent, Err(NotifyError::Temporary(Trouble::Tls))), "{tls:?}: {sent:?}");
        let heard = server.heard();
        assert_eq!(heard.letters.len(), 0);
        for command in &heard.commands {
            assert!(!command.contains("AUTH") && !command.contains("MAIL") && !command.contains("text"), "{command}");
        }
    }
}

#[tokio::test]
async fn a_password_from_a_file_logs_in_and_a_wrong_one_costs_no_letter() {
    let folder = tempfile::tempdir().unwrap();
    let can_log_in = Answers { extensions: &["8BITMIME", "AUTH PLAIN LOGIN"], ..WILLING };
    for (answers, expected) in [
        (can_log_in, Ok(())),
        (Answers { login: "535 5.7.8 Wrong", ..can_log_in }, Err(NotifyError::Temporary(Trouble::Login(535)))),
        (WILLING, Err(NotifyError::Temporary(Trouble::Protocol))),
    ] {
        let server = MailServer::start(vec![answers]).await;
        let file = Some(password_file(folder.path()));
        let settings = SmtpSettings { username: Some("post".to_owned()), password_file: file, ..settings(server.port) };
        let smtp = settings.open().unwrap();
        assert!(!format!("{smtp:?} {settings:?}").contains("sesame"));
        assert_eq!(smtp.send(&saying("text\n")).await, expected);
        let heard = server.heard();
        // RFC 4616: nothing, the name and the password, each behind a zero byte.
        let login = heard.commands.iter().any(|command| command == "AUTH PLAIN AHBvc3QAc2VzYW1l");
        assert_eq!((login, heard.letters.len()), (!answers.extensions.is_empty(), usize::from(expected.is_ok())));
    }
}

/// A file that holds `sesame`.
fn password_file(folder: &std::path::Path) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let file = folder.join("password");
    std::fs::write(&file, "sesame\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    file
}
