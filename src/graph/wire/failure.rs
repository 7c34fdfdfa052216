//! Error bodies: the envelope, and the bare forms that were met instead of it.

use serde_json::{Map, Value};

/// What an error answer says. The message is left out on purpose: it can quote names, and callers must branch on the
/// status and the code only (graph: concepts/errors.md).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WireError {
    /// `error.code`; empty if the body told none.
    pub code: String,
    /// `error.details[].code` with its target property, for example `ObjectConflict` on `userPrincipalName`.
    pub details: Vec<(String, Option<String>)>,
    /// The request id, to quote to Microsoft's support.
    pub request_id: Option<String>,
}

impl WireError {
    /// Reads a body: `{"error":{…}}`, `{"error":"code"}`, bare `{"code":…}`, `{"message":…}`, or none of it.
    pub fn of_body(body: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(body).ok()?;
        Self::of_value(&value)
    }

    /// The same for a body already parsed, as a batch answer holds it.
    pub fn of_value(value: &Value) -> Option<Self> {
        let object = value.as_object()?;
        if let Some(error) = object.get("error") {
            return Some(Self::of_object(error));
        }
        let bare = object.contains_key("code") || object.contains_key("message");
        bare.then(|| Self::of_object(value))
    }

    /// Reads the error object itself.
    pub fn of_object(error: &Value) -> Self {
        match error {
            Value::String(code) => Self { code: clip(code), ..Self::default() },
            Value::Object(error) => Self {
                code: error.get("code").and_then(Value::as_str).map(clip).unwrap_or_default(),
                details: details(error),
                request_id: request_id(error),
            },
            _ => Self::default(),
        }
    }
}

fn details(error: &Map<String, Value>) -> Vec<(String, Option<String>)> {
    let entries = error.get("details").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let read = |entry: &Value| {
        let code = entry.get("code").and_then(Value::as_str).map(clip)?;
        Some((code, entry.get("target").and_then(Value::as_str).map(clip)))
    };
    entries.iter().filter_map(read).collect()
}

fn request_id(error: &Map<String, Value>) -> Option<String> {
    let inner = error.get("innerError").or_else(|| error.get("innererror"))?;
    ["request-id", "requestId"].iter().find_map(|key| inner.get(*key)).and_then(Value::as_str).map(clip)
}

/// Codes and ids are short; a long text in their place is no code and is cut.
fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_of_error_body_gives_its_code() {
        for (body, code) in [
            (json!({"error": {"code": "A", "message": "m"}}), "A"),
            (json!({"error": "A"}), "A"),
            (json!({"code": "A", "message": "m"}), "A"),
            (json!({"message": "m"}), ""),
            (json!({"error": {"message": "m"}}), ""),
        ] {
            assert_eq!(WireError::of_value(&body).unwrap().code, code, "{body}");
        }
        assert_eq!(WireError::of_value(&json!({"value": []})), None);
        assert_eq!(WireError::of_body(b"<html>"), None);
    }

    #[test]
    fn the_request_id_is_found_in_either_spelling() {
        for inner in [json!({"innerError": {"request-id": "r"}}), json!({"innererror": {"requestId": "r"}})] {
            assert_eq!(WireError::of_object(&inner).request_id.as_deref(), Some("r"), "{inner}");
        }
    }
}
