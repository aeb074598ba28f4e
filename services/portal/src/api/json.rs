//! JSON from programs and for them: read strictly, and written so that nothing in it deceives whoever looks at it. Not here:
//! which fields there are.

use serde::{Deserialize as _, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{problem::Problem, shown::deceives};

/// What a body says.
///
/// # Errors
/// A problem that says where it is wrong and repeats nothing of it: what comes from outside may be shown to somebody.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        Problem::unreadable(format!("The body is no JSON: see line {line}, column {column}."))
    })?;
    if !is_text(&value) {
        let detail = "A text in the body holds a character that is none (a NUL or a control character). Remove it, then \
                      send it again.";
        return Err(Problem::unfit(detail));
    }
    if !value.is_object() {
        return Err(Problem::unfit("The body is no object, such as {}. /api/v1/openapi.json says what is taken."));
    }
    // Once more from the bytes: a field that is given twice is not seen in a value.
    serde_json::from_slice(bytes).map_err(|error| {
        let what = wrong(&error.to_string());
        let (line, column) = (error.line(), error.column());
        Problem::unfit(format!("{what}: see line {line}, column {column}. /api/v1/openapi.json says what is taken."))
    })
}

/// An object within a body. Without this a list of its values would do, which no document says.
pub(crate) fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<T, D::Error> {
    let fields = Map::<String, Value>::deserialize(deserializer)?;
    T::deserialize(Value::Object(fields)).map_err(serde::de::Error::custom)
}

/// What is wrong, in words that are all ours.
fn wrong(error: &str) -> String {
    for (begins, says) in
        [("unknown field", "There is a field too many"), ("unknown variant", "A word is none of those")]
    {
        if error.starts_with(begins) {
            // The last such words are serde's own, whatever the field was called.
            let known = error.rfind(", expected ").and_then(|at| error.get(at..));
            let known = known.and_then(|text| text.split(" at line ").next()).unwrap_or_default();
            return format!("{says}{known}");
        }
    }
    for ours in ["missing field", "duplicate field"] {
        if error.starts_with(ours) {
            return error.split(" at line ").next().unwrap_or(ours).replacen(&ours[..1], &ours[..1].to_uppercase(), 1);
        }
    }
    "A value is of another type than is taken, or out of its bounds".to_owned()
}

/// Whether every text in it, and every name of a field, is one.
fn is_text(value: &Value) -> bool {
    let plain = |text: &str| !text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    match value {
        Value::String(text) => plain(text),
        Value::Array(values) => values.iter().all(is_text),
        Value::Object(fields) => fields.iter().all(|(name, value)| plain(name) && is_text(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// A value as text.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(plain(&serde_json::to_string(value)?))
}

/// The same JSON with characters escaped that a page or a terminal might obey. They stand in texts only.
pub(crate) fn plain(json: &str) -> String {
    let mut plain = String::with_capacity(json.len());
    for character in json.chars() {
        if matches!(character, '<' | '>') || (deceives(character) && character != '\n') {
            for unit in character.encode_utf16(&mut [0; 2]) {
                plain.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            plain.push(character);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Eq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        text: String,
        #[serde(default)]
        number: u8,
        #[serde(default, deserialize_with = "object")]
        within: Within,
    }

    #[derive(Debug, Default, PartialEq, Eq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Within {
        text: String,
    }

    fn refused(body: &str) -> String {
        format!("{:?}", read::<Line>(body.as_bytes()).unwrap_err())
    }

    #[test]
    fn what_is_wrong_is_said_and_nothing_is_repeated() {
        assert_eq!(
            read::<Line>(br#"{"text":"a\r\nb"}"#).unwrap(),
            Line { text: "a\r\nb".to_owned(), ..Line::default() }
        );
        for (body, says) in [
            ("", "no JSON"),
            ("{", "line 1, column 1"),
            ("{\"text\":\"a\"} x", "no JSON"),
            ("\u{feff}{\"text\":\"a\"}", "no JSON"),
            (r#"{"text":"a\u0000b"}"#, "a character that is none"),
            (r#"{"text":"a","\u001b[2J":1}"#, "a character that is none"),
            (
                r#"{"text":"a","<evil>, expected":1}"#,
                "There is a field too many, expected one of `text`, `number`, `within`: see",
            ),
            (r#"{"number":1}"#, "Missing field `text`: see"),
            (r#"{"text":"a","text":"<evil>"}"#, "Duplicate field `text`: see"),
            (r#"{"text":["<evil>"]}"#, "of another type"),
            (r#"{"text":"a","number":256}"#, "out of its bounds"),
            (r#"["<evil>"]"#, "is no object"),
            ("null", "is no object"),
            (r#"{"text":"a","within":["<evil>"]}"#, "of another type"),
            (r#"{"text":"a","within":{"text":"b","evil":1}}"#, "There is a field too many, expected `text`"),
        ] {
            let problem = refused(body);
            assert!(problem.contains(says) && !problem.contains("evil"), "{body}: {problem}");
        }
        assert!(refused(&format!("{}{}", "[".repeat(5000), "]".repeat(5000))).contains("no JSON"));
    }

    #[test]
    fn what_is_written_is_the_same_value_without_what_deceives() {
        for text in ["a<b>\u{202e}c\u{feff}\0\n\"\\", "é名\u{e0041}", ""] {
            let written = write(&text).unwrap();
            assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
            assert!(!written.contains(|c| matches!(c, '<' | '>') || deceives(c)), "{written}");
        }
    }
}
