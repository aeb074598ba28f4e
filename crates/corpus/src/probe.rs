//! Cloze probes: a prompt, the answer that completes it and wrong answers of the same type. Scoring them is the model's
//! business; here they are read and checked against a corpus.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    document::{Document, name_fault, text_fault},
    ingest::{
        IngestError, Skipped, SourceBy, json,
        lines::JsonLines,
        record::rows_source,
        row::{Row, wanted},
        rows::{Numbered, Rows},
    },
    questions,
};

const SOURCE: &str = "source";
const KIND: &str = "kind";
const PROMPT: &str = "prompt";
const ANSWER: &str = "answer";
const WRONG: &str = "wrong";
const ALSO_IN: &str = "also_in";

/// Longest prompt, in bytes: longer ones fit no context that the presets have.
const MAX_PROMPT_BYTES: usize = 65_536;
/// Longest answer, right or wrong, in bytes.
const MAX_ANSWER_BYTES: usize = 8_192;
/// More wrong answers than this are refused.
const MAX_WRONG: usize = 1_000;

/// Where else a fact may be known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeKind {
    /// Told by one source alone.
    Specific,
    /// Told by several sources.
    Shared,
    /// Told by none, but it follows from what is told.
    Inferred,
}

impl ProbeKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Specific, Self::Shared, Self::Inferred];

    /// The name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Specific => "specific",
            Self::Shared => "shared",
            Self::Inferred => "inferred",
        }
    }
}

/// One question to a model. Unknown fields in files are accepted and ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The source whose fact it is.
    pub source: String,
    /// Where else the fact may be known from.
    pub kind: ProbeKind,
    /// Text before the answer.
    pub prompt: String,
    /// The right answer.
    pub answer: String,
    /// Wrong answers of the same type, at least one.
    pub wrong: Vec<String>,
    /// Other sources that tell the same fact.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also_in: Vec<String>,
}

/// Probes as read, with what was skipped.
#[derive(Debug, Default)]
pub struct ReadProbes {
    /// In the order of the file.
    pub probes: Vec<Probe>,
    /// What `skip_bad` skipped.
    pub skipped: Skipped,
}

/// What probes are checked against: the sources of a corpus, and which of them has which text.
#[derive(Clone, Debug, Default)]
pub struct Known<'a> {
    sources: HashSet<&'a str>,
    /// None for a text that several sources have.
    texts: HashMap<&'a str, Option<&'a str>>,
}

impl<'a> Known<'a> {
    /// Sources by id, and documents of theirs.
    pub fn new(sources: impl IntoIterator<Item = &'a str>, documents: &'a [Document]) -> Self {
        let mut texts: HashMap<&str, Option<&str>> = HashMap::new();
        for document in documents {
            let source = texts.entry(&document.text).or_insert(Some(&document.source));
            if source.is_some_and(|s| s != document.source) {
                *source = None;
            }
        }
        Self { sources: sources.into_iter().collect(), texts }
    }

    /// The source of a question: the one whose document it is, or the one that `source_by` gives, which must not
    /// contradict it. TOFU's files of single parts begin to count anew: counting their rows alone would hand every
    /// author's questions to another one.
    fn source_of(&self, row: &Row, number: u64, source_by: Option<&SourceBy>) -> Result<String, String> {
        let text = questions::text(row)?;
        let said = match source_by {
            Some(SourceBy::Field(name)) => Some(row.required(name)?),
            Some(SourceBy::Rows(rows)) => Some(rows_source(number, *rows)),
            _ => None,
        };
        match (said, self.texts.get(text.as_str())) {
            (Some(said), Some(Some(own))) if said != *own => {
                Err(format!("the document with this question and answer is one of {own:?}, not of {said:?}"))
            }
            (Some(said), _) => Ok(said),
            (None, Some(Some(own))) => Ok((*own).to_owned()),
            (None, Some(None)) => Err(format!("several sources have a document with this answer; {SAY}")),
            (None, None) => Err(format!("no document of the corpus has this question with this answer; {SAY}")),
        }
    }
}

/// What to do where the corpus does not tell whose a question is.
const SAY: &str = "say whose it is with --source-field NAME or --rows-per-source N";

/// Reads probes from a `.jsonl`, `.jsonl.gz`, `.jsonl.zst` or `.parquet` file and checks them against a corpus. Rows of
/// questions (`questions`) are probes of the source that has them as documents, or that `source_by`, a field or a number
/// of rows, says.
///
/// # Errors
/// Names file, line and reason of the first bad line, unless `skip_bad`; unreadable or empty files always fail.
pub fn read(
    path: &Path,
    known: &Known<'_>,
    source_by: Option<&SourceBy>,
    skip_bad: bool,
) -> Result<ReadProbes, IngestError> {
    let group = if let Some(SourceBy::Field(name)) = source_by { Some(name.as_str()) } else { None };
    let own = [SOURCE, KIND, PROMPT, ANSWER, WRONG, ALSO_IN];
    let mut rows = Rows::open(path, wanted(own.into_iter().chain(questions::FIELDS).chain(group)))?;
    let mut out = ReadProbes::default();
    let mut seen: HashMap<(String, String, String), u64> = HashMap::new();
    let mut count = 0;
    while let Some(Numbered { number, row }) = rows.next_row()? {
        count += 1;
        let checked = row.and_then(|row| {
            let probes = if !row.has(PROMPT) && questions::asks(&row) {
                questions::probes(&row, &known.source_of(&row, count, source_by)?)?
            } else {
                vec![probe(&row)?]
            };
            for probe in &probes {
                if let Some(fault) = fault(probe, &known.sources) {
                    return Err(fault);
                }
                if let Some(first) = seen.get(&key(probe)) {
                    return Err(format!("the same source, prompt and answer as line {first}"));
                }
            }
            Ok(probes)
        });
        match checked {
            Ok(probes) => {
                seen.extend(probes.iter().map(|probe| (key(probe), number)));
                out.probes.extend(probes);
            }
            Err(reason) => out.skipped.note(path, number, reason, skip_bad)?,
        }
    }
    if out.probes.is_empty() {
        return Err(IngestError::NothingLeft { what: "probe", skipped: out.skipped.count });
    }
    Ok(out)
}

/// A line of probes in memory that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadLine {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it; may say what is in it.
    pub reason: String,
}

/// Reads probes that are in memory as lines of JSON, each with its own source, where there is no corpus to check them
/// against: everything else is checked as [`read`] does.
///
/// # Errors
/// Names the first bad line; the last when there is no probe.
pub fn parse(bytes: &[u8]) -> Result<Vec<Probe>, BadLine> {
    let names = wanted([SOURCE, KIND, PROMPT, ANSWER, WRONG, ALSO_IN]);
    let mut lines = JsonLines::of_bytes(bytes.to_vec());
    let mut probes = Vec::new();
    let mut seen: HashMap<(String, String, String), u64> = HashMap::new();
    let mut last = 0;
    while let Some(line) = lines.next_line().map_err(|e| BadLine { line: last + 1, reason: e.to_string() })? {
        let number = line.number;
        let checked = line.content.and_then(|bytes| json::parse(bytes, &names)).and_then(|row| {
            let probe = probe(&row)?;
            let own = probe.also_in.iter().chain([&probe.source]).map(String::as_str).collect();
            match (fault(&probe, &own), seen.insert(key(&probe), number)) {
                (Some(fault), _) => Err(fault),
                (None, Some(first)) => Err(format!("the same source, prompt and answer as line {first}")),
                (None, None) => Ok(probe),
            }
        });
        probes.push(checked.map_err(|reason| BadLine { line: number, reason })?);
        last = number;
    }
    if probes.is_empty() {
        return Err(BadLine { line: last, reason: "there is no probe".into() });
    }
    Ok(probes)
}

fn key(probe: &Probe) -> (String, String, String) {
    (probe.source.clone(), probe.prompt.clone(), probe.answer.clone())
}

/// What is between a prompt and its answer: a space where neither has white space there.
pub(crate) fn gap(prompt: &str, answer: &str) -> &'static str {
    if prompt.ends_with(char::is_whitespace) || answer.starts_with(char::is_whitespace) { "" } else { " " }
}

/// A prompt and its answer as one text.
pub(crate) fn joined(prompt: &str, answer: &str) -> String {
    format!("{prompt}{}{answer}", gap(prompt, answer))
}

fn probe(row: &Row) -> Result<Probe, String> {
    let kind = row.required(KIND)?;
    let named = |k: &ProbeKind| k.name() == kind;
    Ok(Probe {
        source: row.required(SOURCE)?,
        kind: ProbeKind::ALL
            .into_iter()
            .find(named)
            .ok_or_else(|| format!("field {KIND:?} is {kind:?}; it is specific, shared or inferred"))?,
        prompt: row.required(PROMPT)?,
        answer: row.required(ANSWER)?,
        wrong: row.required_texts(WRONG)?,
        also_in: row.texts(ALSO_IN)?.unwrap_or_default(),
    })
}

/// Why `probe` cannot be used with a corpus that has these sources; `None` if it can.
pub fn fault(probe: &Probe, sources: &HashSet<&str>) -> Option<String> {
    let answer_fault = |what: &str, value: &str| {
        text_fault(value)
            .or_else(|| {
                (value.len() > MAX_ANSWER_BYTES)
                    .then(|| format!("is {} bytes long, the limit is {MAX_ANSWER_BYTES}", value.len()))
            })
            .map(|f| format!("{what} {f}"))
    };
    if let Some(f) = name_fault(&probe.source) {
        return Some(format!("source {f}"));
    }
    if !sources.contains(probe.source.as_str()) {
        return Some(format!("source {:?} is not in the corpus", probe.source));
    }
    if let Some(f) = text_fault(&probe.prompt) {
        return Some(format!("prompt {f}"));
    }
    if probe.prompt.len() > MAX_PROMPT_BYTES {
        return Some(format!("prompt is {} bytes long, the limit is {MAX_PROMPT_BYTES}", probe.prompt.len()));
    }
    if let Some(f) = answer_fault("answer", &probe.answer) {
        return Some(f);
    }
    if probe.wrong.is_empty() {
        return Some("wrong has no answers".into());
    }
    if probe.wrong.len() > MAX_WRONG {
        return Some(format!("wrong has {} answers, the limit is {MAX_WRONG}", probe.wrong.len()));
    }
    let mut answers = HashSet::from([probe.answer.trim()]);
    for wrong in &probe.wrong {
        if let Some(f) = answer_fault("a wrong answer", wrong) {
            return Some(f);
        }
        if wrong.trim() == probe.answer.trim() {
            return Some(format!("the answer {wrong:?} is also among the wrong ones"));
        }
        if !answers.insert(wrong.trim()) {
            return Some(format!("the wrong answer {wrong:?} is given twice"));
        }
    }
    let mut also = HashSet::new();
    for other in &probe.also_in {
        if !sources.contains(other.as_str()) {
            return Some(format!("also_in names {other:?}, which is not in the corpus"));
        }
        if *other == probe.source || !also.insert(other) {
            return Some(format!("also_in names {other:?}, which is the probe's own source or named twice"));
        }
    }
    None
}
