//! A line that is a JSON object.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::fields::{Cell, Key, Row, nearest, shown};

/// The fields of an object. An unknown or repeated key is refused: a misspelled one would be data lost in silence.
pub(super) fn row(item: &[u8], keys: &'static [Key]) -> Result<Row, String> {
    let Pairs(pairs) = serde_json::from_slice(item).map_err(|error| fault(&error))?;
    let mut row = Row::new(keys);
    for (name, value) in pairs {
        let place = keys.iter().enumerate().find(|(_, key)| key.name == name);
        let Some((index, key)) = place else {
            let known: Vec<&str> = keys.iter().map(|key| key.name).collect();
            let meant = nearest(keys, &name)
                .map_or_else(|| format!("known are {}", known.join(", ")), |name| format!("did you mean {name:?}?"));
            return Err(format!("{:?} is no key of such a line; {meant}", shown(&name)));
        };
        if !row.put(index, cell(key, value)?) {
            return Err(format!("{name} stands in it twice; write it once"));
        }
    }
    Ok(row)
}

/// What is wrong with a JSON text, without quoting it.
pub(super) fn fault(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    match (error.classify(), error.line()) {
        // Serde's own words for a wrong type repeat the value.
        (serde_json::error::Category::Data, _) => "it is no JSON object".to_owned(),
        (_, 0 | 1) => format!("it is no valid JSON: {what} (column {})", error.column()),
        (_, line) => format!("it is no valid JSON: {what} (its line {line}, column {})", error.column()),
    }
}

fn cell(key: &Key, value: Value) -> Result<Cell, String> {
    let name = key.name;
    match value {
        Value::Null => Ok(Cell::Nothing),
        Value::String(text) => Ok(Cell::Text(text)),
        // Products number their chains and restore points.
        Value::Number(number) if number.is_u64() || number.is_i64() => Ok(Cell::Text(number.to_string())),
        Value::Array(entries) if key.is_list => {
            let texts = entries.into_iter().map(|entry| match entry {
                Value::String(text) => Ok(text),
                _ => Err(format!("{name} must be a list of texts")),
            });
            texts.collect::<Result<_, _>>().map(Cell::List)
        }
        _ if key.is_list => Err(format!("{name} must be a list of texts")),
        _ => Err(format!("{name} must be a text in quotes")),
    }
}

/// An object's keys and values as they stand. A map would forget a key that stands twice.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}
