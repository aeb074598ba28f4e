//! One line of JSON as a document: only the wanted fields are kept, and a field given twice is refused because readers
//! would disagree about which one counts. The rules for the values themselves are in `document`.

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::{IngestOptions, SourceBy};
use crate::document::Document;

const TITLE: &str = "title";
const LICENSE: &str = "license";

/// Parses a line.
///
/// # Errors
/// Says what is wrong, in words for people.
pub fn parse(line: &[u8], options: &IngestOptions) -> Result<Document, String> {
    let text = std::str::from_utf8(line).map_err(|e| format!("invalid UTF-8 at byte {}", e.valid_up_to()))?;
    if !text.trim_start().starts_with('{') {
        return Err("not a JSON object".into());
    }
    let group = match &options.source_by {
        SourceBy::Document => None,
        SourceBy::Field(name) => Some(name.as_str()),
    };
    let wanted = [
        Some(options.id_field.as_str()),
        Some(&options.text_field),
        Some(&options.publisher_field),
        Some(TITLE),
        Some(LICENSE),
        group,
    ];
    let mut values: [Option<Value>; 6] = Default::default();
    let mut json = serde_json::Deserializer::from_str(text);
    Fields { wanted: &wanted, values: &mut values }
        .deserialize(&mut json)
        .and_then(|()| json.end())
        .map_err(|e| format!("not valid JSON: {e}"))?;
    // Two options may name one field (the id as publisher, say): it is kept once and read for both.
    let field = |i: usize| -> Result<Option<String>, String> {
        let Some(name) = wanted[i] else { return Ok(None) };
        let first = wanted.iter().position(|w| *w == Some(name)).unwrap_or(i);
        match &values[first] {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(s)) => Ok(Some(s.clone())),
            Some(other) => Err(format!("field {name:?} is {}, not text", kind(other))),
        }
    };
    let required = |i: usize| field(i)?.ok_or_else(|| format!("field {:?} is missing", wanted[i].unwrap_or_default()));
    let id = required(0)?;
    Ok(Document {
        source: if group.is_some() { required(5)? } else { id.clone() },
        text: required(1)?,
        publisher: field(2)?,
        title: field(3)?,
        license: field(4)?,
        id,
    })
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

struct Fields<'a> {
    wanted: &'a [Option<&'a str>; 6],
    values: &'a mut [Option<Value>; 6],
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            match self.wanted.iter().position(|w| *w == Some(&key)) {
                Some(i) if self.values[i].is_some() => {
                    return Err(A::Error::custom(format!("the field {key:?} is given twice")));
                }
                Some(i) => self.values[i] = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> String {
        parse(line.as_bytes(), &IngestOptions::default()).unwrap_err()
    }

    #[test]
    fn extra_fields_are_ignored_and_optional_ones_may_be_null() {
        let line = r#"{"id":"a","text":"t","title":null,"extra":{"deep":[1,2]},"publisher":"P"}"#;
        let document = parse(line.as_bytes(), &IngestOptions::default()).unwrap();
        assert_eq!((document.source.as_str(), document.title, document.publisher.as_deref()), ("a", None, Some("P")));
    }

    #[test]
    fn each_fault_is_named() {
        for (line, reason) in [
            ("[1]", "not a JSON object"),
            ("{", "not valid JSON"),
            (r#"{"id":"a","text":"t"} x"#, "not valid JSON"),
            (r#"{"text":"t"}"#, "\"id\" is missing"),
            (r#"{"id":"a"}"#, "\"text\" is missing"),
            (r#"{"id":7,"text":"t"}"#, "\"id\" is a number"),
            (r#"{"id":"a","text":["t"]}"#, "\"text\" is a list"),
            (r#"{"id":"a","id":"b","text":"t"}"#, "given twice"),
            (r#"{"id":"a","text":"\ud800"}"#, "not valid JSON"),
            (r#"{"id":1e999,"text":"t"}"#, "not valid JSON"),
        ] {
            assert!(refused(line).contains(reason), "{line}: {}", refused(line));
        }
        assert!(
            parse(b"{\"id\":\"\xff\"}", &IngestOptions::default()).unwrap_err().contains("invalid UTF-8 at byte 7")
        );
    }

    #[test]
    fn documents_are_grouped_by_a_field() {
        let options = IngestOptions { source_by: SourceBy::Field("site".into()), ..Default::default() };
        let document = parse(br#"{"id":"a","text":"t","site":"s"}"#, &options).unwrap();
        assert_eq!((document.id.as_str(), document.source.as_str()), ("a", "s"));
        assert!(parse(br#"{"id":"a","text":"t"}"#, &options).unwrap_err().contains("\"site\" is missing"));
    }

    #[test]
    fn one_field_may_serve_twice() {
        let options = IngestOptions { publisher_field: "id".into(), ..Default::default() };
        assert_eq!(parse(br#"{"id":"a","text":"t"}"#, &options).unwrap().publisher.as_deref(), Some("a"));
    }
}
