//! How the audit log words its events: in which encodings, and with what beside the act itself.

use serde_json::{Value, json};

use super::AuditEvent;

/// What is strange about the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::graph::emulator) struct AuditManners {
    /// The encodings that the events take in turn; none for the usual one.
    pub(in crate::graph::emulator) encodings: Vec<Encoding>,
    /// Each event has a failed attempt before it.
    pub(in crate::graph::emulator) failures: bool,
    /// Each act shows as two events.
    pub(in crate::graph::emulator) twins: bool,
}

/// A form in which values were seen, other than an array in a text on one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::graph::emulator) enum Encoding {
    /// An array in a text, broken over lines.
    Lines,
    /// A JSON text in a text; several values are joined with `;`.
    Text,
    /// Plain text; several values are joined with `;`.
    Plain,
    /// An array in a text in a text.
    Twice,
    /// An array that is in no text at all.
    List,
    /// The usual form, but what was before is null.
    Null,
    /// The usual form, but what was before is an empty text.
    Empty,
    /// The usual form, but what was before has no key.
    Absent,
}

/// A value that no act ever set.
const NEVER: &str = "never@emulator.invalid";

impl Encoding {
    const ALL: [(&str, Self); 8] = [
        ("lines", Self::Lines),
        ("text", Self::Text),
        ("plain", Self::Plain),
        ("twice", Self::Twice),
        ("list", Self::List),
        ("null", Self::Null),
        ("empty", Self::Empty),
        ("absent", Self::Absent),
    ];

    /// The one of that name, or all of them.
    pub(in crate::graph::emulator) fn chosen(style: Option<&str>) -> Vec<Self> {
        let wanted = |name: &str| style.is_none_or(|style| style == name);
        Self::ALL.iter().filter(|(name, _)| wanted(name)).map(|(_, encoding)| *encoding).collect()
    }

    /// Words one modified property anew. Pseudo-properties, whose values are no arrays, stay as they are.
    fn reword(self, modified: &mut Value) {
        let Some(modified) = modified.as_object_mut() else { return };
        for key in ["oldValue", "newValue"] {
            let text = modified.get(key).and_then(Value::as_str).unwrap_or_default();
            let Ok(Value::Array(values)) = serde_json::from_str::<Value>(text) else { continue };
            let joined = || values.iter().map(plain).collect::<Vec<_>>().join(";");
            let worded = match self {
                Self::Lines => json!(format!("{:#}", Value::Array(values)).replace('\n', "\r\n")),
                Self::Text => json!(json!(joined()).to_string()),
                Self::Plain => json!(joined()),
                Self::Twice => json!(json!(text).to_string()),
                Self::List => Value::Array(values),
                Self::Null if key == "oldValue" => Value::Null,
                Self::Empty if key == "oldValue" => json!(""),
                Self::Absent if key == "oldValue" => {
                    modified.remove(key);
                    continue;
                }
                Self::Null | Self::Empty | Self::Absent => continue,
            };
            modified.insert(key.to_owned(), worded);
        }
    }
}

impl AuditManners {
    /// What the log shows of the event at `position`.
    pub(in crate::graph::emulator) fn told(&self, event: &AuditEvent, position: usize) -> Vec<Value> {
        let mut act = event.to_json();
        let mut told = Vec::new();
        if self.failures {
            told.push(failed(&act));
        }
        let turn = position.checked_rem(self.encodings.len()).unwrap_or(0);
        if let Some(encoding) = self.encodings.get(turn) {
            all_modified(&mut act).for_each(|modified| encoding.reword(modified));
        }
        let twin = self.twins.then(|| twin(&act));
        told.push(act);
        told.extend(twin);
        told
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn all_modified(event: &mut Value) -> impl Iterator<Item = &mut Value> {
    fn list<'a>(object: &'a mut Value, key: &str) -> impl Iterator<Item = &'a mut Value> + use<'a> {
        object.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten()
    }
    list(event, "targetResources").flat_map(|target| list(target, "modifiedProperties"))
}

fn renumbered(event: &Value, suffix: &str) -> Value {
    let mut other = event.clone();
    if let Some(id) = other.get_mut("id") {
        *id = json!(format!("{}{suffix}", plain(id)));
    }
    other
}

/// An attempt at the same that was refused: it lists names that nobody ever got.
fn failed(event: &Value) -> Value {
    let mut failed = renumbered(event, "_failed");
    for modified in all_modified(&mut failed) {
        let never = match modified.get("displayName").and_then(Value::as_str) {
            Some("UserPrincipalName" | "Mail") => json!([NEVER]).to_string(),
            Some("ProxyAddresses") => json!([format!("SMTP:{NEVER}")]).to_string(),
            _ => continue,
        };
        if let Some(value) = modified.get_mut("newValue") {
            *value = json!(never);
        }
    }
    if let Some(failed) = failed.as_object_mut() {
        failed.insert("result".to_owned(), json!("failure"));
        failed.insert("resultReason".to_owned(), json!("Microsoft.Online.Workflows.ObjectAlreadyExistsException"));
    }
    failed
}

/// The second event of one act: the same values under an id of its own.
fn twin(event: &Value) -> Value {
    renumbered(event, "_2")
}
