//! RFC 8785 canonical JSON: the one spelling of a value that is signed, stored and compared. No pretty printing.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Why bytes are not canonical JSON of the expected form.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// Not JSON, or not of this form; unknown fields count.
    #[error("not the expected JSON: {0}")]
    Form(String),
    /// JSON of the right form, spelled differently.
    #[error("the JSON is not in canonical form (RFC 8785): rebuilt bytes differ from byte {0} on")]
    Spelling(usize),
    /// A floating-point number, which signed documents never contain.
    #[error("the document contains the number {0}; signed documents carry decimals as strings")]
    Float(String),
}

/// Canonical bytes of a value.
///
/// # Errors
/// When the value is not JSON or contains a floating-point number.
pub fn to_bytes(value: &impl Serialize) -> Result<Vec<u8>, CanonicalError> {
    let value = serde_json::to_value(value).map_err(|e| CanonicalError::Form(e.to_string()))?;
    refuse_floats(&value)?;
    serde_json_canonicalizer::to_vec(&value).map_err(|e| CanonicalError::Form(e.to_string()))
}

/// Reads a value and refuses bytes that are not exactly its canonical form, so that nothing outside a signature can
/// change unnoticed. `T` must deny unknown fields.
///
/// # Errors
/// When the bytes are not JSON of this form, or another spelling of it.
pub fn from_bytes<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, CanonicalError> {
    let value: T = serde_json::from_slice(bytes).map_err(|e| CanonicalError::Form(e.to_string()))?;
    let rebuilt = to_bytes(&value)?;
    if rebuilt == bytes {
        return Ok(value);
    }
    let at = rebuilt.iter().zip(bytes).position(|(a, b)| a != b).unwrap_or(rebuilt.len().min(bytes.len()));
    Err(CanonicalError::Spelling(at))
}

fn refuse_floats(value: &Value) -> Result<(), CanonicalError> {
    match value {
        Value::Number(n) if !(n.is_i64() || n.is_u64()) => Err(CanonicalError::Float(n.to_string())),
        // Integers beyond 2^53 are not the same number to every JSON reader.
        Value::Number(n) if n.as_i64().is_none_or(|i| i.unsigned_abs() > 1 << 53) => {
            Err(CanonicalError::Float(n.to_string()))
        }
        Value::Array(items) => items.iter().try_for_each(refuse_floats),
        Value::Object(fields) => fields.values().try_for_each(refuse_floats),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn sorts_and_escapes_as_rfc_8785() {
        let bytes = to_bytes(&json!({"b": 1, "a": "\u{20ac}\n\u{0f}", "A": [true, null]})).unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), "{\"A\":[true,null],\"a\":\"€\\n\\u000f\",\"b\":1}");
    }

    #[test]
    fn other_spellings_and_floats_are_refused() {
        assert!(from_bytes::<Value>(br#"{"a":1}"#).is_ok());
        for bad in [&br#"{"a": 1}"#[..], br#"{"a":1} "#, br#"{"a":1,"a":1}"#, br#"{"a":1.5}"#, br#"{"a":1e3}"#, b"{"] {
            assert!(from_bytes::<Value>(bad).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
