//! A mail server for tests: it speaks as much of RFC 5321 as letters need, answers as it is told to, and remembers the
//! bytes that it was given.
//!
//! Not here: assertions about behaviour.

use std::sync::{Arc, Mutex};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

/// What it says at each step.
#[derive(Clone, Copy, Debug)]
pub struct Answers {
    pub greeting: &'static str,
    /// What it can do besides.
    pub extensions: &'static [&'static str],
    pub login: &'static str,
    pub mail: &'static str,
    pub rcpt: &'static str,
    pub data: &'static str,
    pub end: &'static str,
    /// Where it hangs up without a word.
    pub hangs_up: Option<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Greeting,
    /// With some of the letter read.
    MidData,
    /// With all of the letter read.
    End,
}

/// A server that takes everything.
pub const WILLING: Answers = Answers {
    greeting: "220 mail.example ESMTP",
    extensions: &[],
    login: "235 2.7.0 Welcome",
    mail: "250 2.1.0 Ok",
    rcpt: "250 2.1.5 Ok",
    data: "354 Go ahead",
    end: "250 2.0.0 Taken",
    hangs_up: None,
};

/// What it was told.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub connections: usize,
    /// Every line but those of letters.
    pub commands: Vec<String>,
    /// Letters as they came, dots doubled, without what ends them.
    pub letters: Vec<Vec<u8>>,
}

pub struct MailServer {
    pub port: u16,
    heard: Arc<Mutex<Heard>>,
}

impl MailServer {
    /// A server that gives these answers, one after another for each connection; the last for all further ones.
    pub async fn start(answers: Vec<Answers>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Heard::default()));
        let shared = Arc::clone(&heard);
        tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((stream, _)) = listener.accept().await {
                let answers = answers[connection.min(answers.len() - 1)];
                connection += 1;
                shared.lock().unwrap().connections = connection;
                let heard = Arc::clone(&shared);
                tokio::spawn(async move { converse(stream, answers, &heard).await });
            }
        });
        Self { port, heard }
    }

    pub fn heard(&self) -> Heard {
        self.heard.lock().unwrap().clone()
    }
}

/// None as soon as the other side is gone.
async fn converse(stream: TcpStream, answers: Answers, heard: &Mutex<Heard>) -> Option<()> {
    let mut stream = BufReader::new(stream);
    if answers.hangs_up == Some(Step::Greeting) {
        return None;
    }
    say(&mut stream, answers.greeting).await?;
    loop {
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line).await.ok().filter(|read| *read > 0)?;
        // Who begins with a handshake says no command.
        let line = String::from_utf8(line).ok()?;
        let line = line.strip_suffix("\r\n").expect("a command ends with CRLF").to_owned();
        heard.lock().unwrap().commands.push(line.clone());
        match line.split([' ', ':']).next().unwrap() {
            "EHLO" => {
                let mut extensions = answers.extensions.iter().peekable();
                let first = if extensions.peek().is_some() { "250-mail.example" } else { "250 mail.example" };
                say(&mut stream, first).await?;
                while let Some(extension) = extensions.next() {
                    let between = if extensions.peek().is_some() { '-' } else { ' ' };
                    say(&mut stream, &format!("250{between}{extension}")).await?;
                }
            }
            "STARTTLS" => {
                say(&mut stream, "220 Go ahead").await?;
                // Who pretends that it can be encrypted, to hear what is said in the open.
                let mut said = vec![0; 4096];
                let first = stream.read(&mut said).await.ok()?;
                say(&mut stream, "250 whatever you say").await?;
                let mut rest = said[..first].to_vec();
                let ended = stream.read_to_end(&mut rest).await;
                heard.lock().unwrap().commands.push(String::from_utf8_lossy(&rest).into_owned());
                return ended.ok().map(|_| ());
            }
            "AUTH" => say(&mut stream, answers.login).await?,
            "MAIL" => say(&mut stream, answers.mail).await?,
            "RCPT" => say(&mut stream, answers.rcpt).await?,
            "DATA" => {
                say(&mut stream, answers.data).await?;
                if answers.data.starts_with('3') {
                    let letter = read_letter(&mut stream, answers.hangs_up == Some(Step::MidData)).await?;
                    heard.lock().unwrap().letters.push(letter);
                    if answers.hangs_up == Some(Step::End) {
                        return None;
                    }
                    say(&mut stream, answers.end).await?;
                }
            }
            "QUIT" => return say(&mut stream, "221 Bye").await,
            _ => say(&mut stream, "500 What?").await?,
        }
    }
}

async fn read_letter(stream: &mut BufReader<TcpStream>, hangs_up: bool) -> Option<Vec<u8>> {
    let mut letter = Vec::new();
    while !letter.ends_with(b"\r\n.\r\n") {
        if hangs_up && letter.len() > 20 {
            return None;
        }
        letter.push(stream.read_u8().await.ok()?);
    }
    // The line break before the dot is the client's, and no part of the letter.
    letter.truncate(letter.len() - 5);
    Some(letter)
}

/// An answer of no words at all is never given: the other side waits.
async fn say(stream: &mut BufReader<TcpStream>, line: &str) -> Option<()> {
    if line.is_empty() {
        return Some(());
    }
    stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await.ok()
}

/// A letter with the doubled dots single again: RFC 5321 section 4.5.2.
pub fn undoubled(wire: &[u8]) -> String {
    let text = std::str::from_utf8(wire).unwrap();
    text.split("\r\n").map(|line| line.strip_prefix('.').unwrap_or(line)).collect::<Vec<_>>().join("\r\n")
}

/// Headers, unfolded, and body.
pub fn parts(letter: &str) -> (Vec<(String, String)>, String) {
    let (head, body) = letter.split_once("\r\n\r\n").unwrap();
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in head.split("\r\n") {
        match headers.last_mut().filter(|_| line.starts_with([' ', '\t'])) {
            Some((_, value)) => value.push_str(line),
            None => {
                let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?} is no header"));
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
    }
    (headers, body.to_owned())
}

/// What whoever reads the letter reads.
pub fn read(letter: &str) -> String {
    let (headers, body) = parts(letter);
    let encoding = headers.iter().find(|(name, _)| name == "Content-Transfer-Encoding").unwrap().1.as_str();
    let text = match encoding {
        "7bit" => body,
        "quoted-printable" => {
            String::from_utf8(quoted_printable::decode(body, quoted_printable::ParseMode::Strict).unwrap()).unwrap()
        }
        "base64" => String::from_utf8(BASE64_STANDARD.decode(body.replace("\r\n", "")).unwrap()).unwrap(),
        other => panic!("{other} is no encoding of text that every server takes"),
    };
    text.replace("\r\n", "\n")
}
