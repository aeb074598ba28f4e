//! Hostile text in every field of a letter: it changes no header, adds no recipient, ends no letter early and begins no
//! other one.
//!
//! Not here: which text is taken into the outbox (`crates/store/tests/store/hostile.rs`).

use obelus_notify::{Notify as _, NotifyError, Trouble};
use proptest::prelude::*;

use crate::{
    case::{RECIPIENT, USUAL, everywhere, letters, saying, taken},
    mail_server::{MailServer, WILLING, parts, read, undoubled},
    smtp::settings,
};

/// Text that has broken some program.
fn hostile() -> Vec<String> {
    let mut texts: Vec<String> = [
        "",
        "\r\n.\r\n",
        "\n.\n",
        "\r.\r",
        "x\r\n.\r\nMAIL FROM:<eve@example.org>\r\nRCPT TO:<eve@example.org>\r\nDATA\r\nhello\r\n.\r\n",
        "x\r\nBcc: eve@example.org\r\n\r\nhello",
        "x\nSubject: Granted\nContent-Type: text/html\n\n<b>hello</b>",
        "=?utf-8?q?=0D=0ABcc:_eve@example.org?=",
        "a\0b\0",
        "\u{202e}txt.exe\u{202c}\u{2066}\u{200b}\u{feff}",
        "line\u{2028}line\u{2029}line\u{85}line\u{b}line\u{c}line",
        "\u{1b}[2J\u{7f}\u{9b}31m",
        "e\u{301} é ß İ ﷽ 🪨🏳️‍🌈 \u{10ffff}",
        "{{ it.asked }} {% include \"/etc/passwd\" %}",
    ]
    .map(str::to_owned)
    .into();
    texts.extend(["x".repeat(1_000_000), "\r\n.\r\n".repeat(200_000), "ü ".repeat(500_000)]);
    texts
}

/// Sends every kind of letter with this text in all of its fields, and gives what the server read of each.
async fn through(text: &str) -> Vec<(Vec<(String, String)>, String)> {
    let server = MailServer::start(vec![WILLING]).await;
    let smtp = settings(server.port).open().unwrap();
    let letters = letters(&everywhere(text));
    let count = letters.len();
    for (id, letter) in (1..).zip(letters) {
        smtp.send(&taken(id, letter)).await.unwrap();
    }
    let heard = server.heard();
    assert_eq!((heard.letters.len(), heard.connections), (count, count));
    let recipients: Vec<_> = heard.commands.iter().filter(|line| line.starts_with("RCPT")).collect();
    assert_eq!(recipients, vec![&format!("RCPT TO:<{RECIPIENT}>"); count]);
    assert_eq!(heard.commands.len(), 5 * count, "nothing else was said");
    heard.letters.iter().map(|wire| (parts(&undoubled(wire)).0, read(&undoubled(wire)))).collect()
}

#[tokio::test]
async fn hostile_text_changes_no_header_and_ends_no_letter() {
    let usual: Vec<_> = through("usual").await.into_iter().map(|(headers, _)| named(headers)).collect();
    for text in hostile() {
        let found = through(&text).await;
        for ((headers, body), usual) in found.into_iter().zip(&usual) {
            assert_eq!(&named(headers), usual, "{:.40?}", text);
            assert!(body.len() < 100_000, "a letter stays a letter");
            assert!(body.contains("IF YOU DO NOT AGREE"), "all of it is there");
            assert!(!body.chars().any(|c| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c)));
        }
    }
}

/// Headers but those that follow from the letter's text.
fn named(headers: Vec<(String, String)>) -> Vec<(String, String)> {
    let of_the_text = |name: &str| ["Message-ID", "Content-Transfer-Encoding"].contains(&name);
    let blank =
        |(name, value): (String, String)| if of_the_text(&name) { (name, String::new()) } else { (name, value) };
    headers.into_iter().map(blank).collect()
}

#[tokio::test]
async fn a_letter_that_never_went_through_our_words_is_refused_and_not_sent() {
    let server = MailServer::start(vec![WILLING]).await;
    let smtp = settings(server.port).open().unwrap();
    let usual = || taken(7, letters(&USUAL).remove(0));
    for recipient in ["anna@example.org\r\nBcc: eve@example.org", "anna@example.org,eve@example.org", "änna@x.org", ""]
    {
        let mut letter = usual();
        letter.recipient = recipient.to_owned();
        assert_eq!(smtp.send(&letter).await, Err(NotifyError::Permanent(Trouble::Recipient)), "{recipient:?}");
    }
    for subject in ["x\r\nBcc: eve@example.org", "x\n", "x\0"] {
        let mut letter = usual();
        letter.subject = subject.to_owned();
        assert_eq!(smtp.send(&letter).await, Err(NotifyError::Permanent(Trouble::Text)), "{subject:?}");
    }
    for language in ["en\r\nBcc: eve@example.org", "", "en us"] {
        let mut letter = usual();
        letter.language = language.to_owned();
        assert_eq!(smtp.send(&letter).await, Err(NotifyError::Permanent(Trouble::Text)), "{language:?}");
    }
    for body in ["a\r\n.\r\nb", "a\0b", "\u{1b}[2J", ""] {
        assert_eq!(smtp.send(&saying(body)).await, Err(NotifyError::Permanent(Trouble::Text)), "{body:?}");
    }
    assert_eq!(server.heard().connections, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn no_text_at_all_changes_a_header_or_ends_a_letter(text in proptest::collection::vec(
        prop_oneof![any::<char>(), Just('\r'), Just('\n'), Just('.'), Just(':'), Just('\0')], 0..120,
    ).prop_map(String::from_iter)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let usual: Vec<_> = through("usual").await.into_iter().map(|(headers, _)| named(headers)).collect();
            let found: Vec<_> = through(&text).await.into_iter().map(|(headers, _)| named(headers)).collect();
            assert_eq!(found, usual);
        });
    }
}
