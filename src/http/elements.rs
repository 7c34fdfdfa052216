//! The elements of one JSON array, found in a stream byte by byte, one held at a time. Whatever an element is, it has its place, so that
//! answers may be told apart by theirs; what is given out is still to be parsed.

use std::io::{self, BufRead};

/// Deepest nesting within an element.
const DEPTH_MAX: usize = 100;

/// What stands at a place of the array.
#[derive(Debug, PartialEq, Eq)]
pub enum Element {
    /// A value; its bytes are in [`Elements::value`].
    Value,
    /// A value of more bytes than are kept.
    TooLong,
    /// Something after which no place can be told any more. It is the last.
    Broken(&'static str),
}

/// Finds elements.
pub struct Elements {
    bytes_max: usize,
    state: State,
    value: Vec<u8>,
    is_too_long: bool,
    /// The brackets that are open in the element.
    open: Vec<u8>,
    in_string: bool,
    is_escaped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// The array has not begun.
    Before,
    /// It has, and nothing was in it.
    Empty,
    /// After a comma.
    Wanted,
    /// In an element.
    Inside,
    /// After an element.
    After,
    /// After the array.
    Closed,
    /// Nothing more is read.
    Ended,
}

impl Elements {
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            state: State::Before,
            value: Vec::new(),
            is_too_long: false,
            open: Vec::new(),
            in_string: false,
            is_escaped: false,
        }
    }

    /// The bytes of the value found last.
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    /// The next element; `None` at the end of the array and of the stream.
    ///
    /// # Errors
    /// If the stream cannot be read.
    pub fn next(&mut self, input: &mut dyn BufRead) -> io::Result<Option<Element>> {
        loop {
            let chunk = input.fill_buf()?;
            if self.state == State::Ended {
                return Ok(None);
            }
            let Some(byte) = chunk.first().copied() else {
                let is_whole = self.state == State::Closed;
                self.state = State::Ended;
                return Ok((!is_whole).then_some(Element::Broken("the array ends before its closing bracket")));
            };
            match self.take(byte) {
                Taken::Not(found) => return Ok(Some(found)),
                Taken::On => input.consume(1),
                Taken::Found(found) => {
                    input.consume(1);
                    return Ok(Some(found));
                }
            }
        }
    }

    fn take(&mut self, byte: u8) -> Taken {
        if self.state == State::Inside {
            return self.inside(byte);
        }
        if byte.is_ascii_whitespace() {
            return Taken::On;
        }
        let next = match (self.state, byte) {
            (State::Before, b'[') => State::Empty,
            (State::Empty | State::After, b']') => State::Closed,
            (State::After, b',') => State::Wanted,
            (State::Empty | State::Wanted, b',' | b']' | b'}' | b':') => return self.broken("an element is missing"),
            (State::Empty | State::Wanted, _) => {
                self.begin();
                return self.inside(byte);
            }
            (State::After, _) => return self.broken("a comma is missing between two elements"),
            (State::Closed, _) => return self.broken("something stands after the array"),
            _ => return self.broken("it is no array"),
        };
        self.state = next;
        Taken::On
    }

    fn begin(&mut self) {
        self.value.clear();
        self.open.clear();
        (self.is_too_long, self.in_string, self.is_escaped) = (false, false, false);
        self.state = State::Inside;
    }

    fn inside(&mut self, byte: u8) -> Taken {
        let is_plain = !self.in_string && self.open.is_empty();
        // A number or a word has no end of its own.
        if is_plain && !self.value.is_empty() && (matches!(byte, b',' | b']') || byte.is_ascii_whitespace()) {
            return Taken::Not(self.found());
        }
        if self.value.len() < self.bytes_max {
            self.value.push(byte);
        } else {
            self.is_too_long = true;
        }
        if self.in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => {
                    self.in_string = false;
                    return if self.open.is_empty() { Taken::Found(self.found()) } else { Taken::On };
                }
                b'\n' => return self.broken("a text is not closed by the end of its line"),
                _ => {}
            }
            return Taken::On;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' if self.open.len() >= DEPTH_MAX => return self.broken("an element is nested too deeply"),
            b'{' | b'[' => self.open.push(byte),
            b'}' | b']' => {
                if self.open.pop() != Some(if byte == b'}' { b'{' } else { b'[' }) {
                    return self.broken("the brackets of an element do not match");
                }
                if self.open.is_empty() {
                    return Taken::Found(self.found());
                }
            }
            _ => {}
        }
        Taken::On
    }

    fn found(&mut self) -> Element {
        self.state = State::After;
        if self.is_too_long { Element::TooLong } else { Element::Value }
    }

    fn broken(&mut self, why: &'static str) -> Taken {
        self.state = State::Ended;
        Taken::Found(Element::Broken(why))
    }
}

/// What became of a byte.
enum Taken {
    /// It was taken.
    On,
    /// It was taken, and ends this.
    Found(Element),
    /// It was not: it stands behind this.
    Not(Element),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found, in buffers of every small size alike.
    fn found(text: &str) -> Vec<Result<String, String>> {
        let read = |capacity| {
            let mut input = io::BufReader::with_capacity(capacity, text.as_bytes());
            let (mut elements, mut all) = (Elements::new(20), Vec::new());
            while let Some(element) = elements.next(&mut input).unwrap() {
                all.push(match element {
                    Element::Value => Ok(String::from_utf8(elements.value().to_vec()).unwrap()),
                    Element::TooLong => Err("too long".to_owned()),
                    Element::Broken(why) => Err(why.to_owned()),
                });
            }
            all
        };
        let whole = read(1_000);
        for capacity in 1..6 {
            assert_eq!(read(capacity), whole, "{capacity}");
        }
        whole
    }

    #[test]
    fn every_element_has_its_place_whatever_it_is() {
        let array = " [ [], {\"a\":[1,\"]\"]} , null,7,\"a,\\\"]\",[[{}],{}],true ] \n";
        let values = ["[]", "{\"a\":[1,\"]\"]}", "null", "7", "\"a,\\\"]\"", "[[{}],{}]", "true"];
        assert_eq!(found(array), values.map(|value| Ok(value.to_owned())));
        assert_eq!(found("[]"), []);
        let long = format!("[1,\"{}\",{{}}]", "x".repeat(30));
        assert_eq!(found(&long), [Ok("1".to_owned()), Err("too long".to_owned()), Ok("{}".to_owned())]);
    }

    #[test]
    fn what_is_no_array_is_told_where_it_breaks() {
        for (text, before, why) in [
            ("[1,", 1, "closing bracket"),
            ("[{}", 1, "closing bracket"),
            ("[{", 0, "closing bracket"),
            ("", 0, "closing bracket"),
            ("[{},]", 1, "missing"),
            ("[,{}]", 0, "missing"),
            ("[{}{}]", 1, "comma"),
            ("[{}]{}", 1, "after the array"),
            ("[{]", 0, "do not match"),
            ("[\"a\nb\"]", 0, "not closed"),
            ("{}", 0, "no array"),
        ] {
            let all = found(text);
            assert_eq!(all.len(), before + 1, "{text}: {all:?}");
            assert!(all.last().unwrap().as_ref().is_err_and(|told| told.contains(why)), "{text}: {all:?}");
        }
        assert_eq!(found(&"[".repeat(300)).len(), 1);
    }

    /// As serde reads the whole of it.
    #[test]
    fn of_every_sound_array_it_finds_what_a_parser_does() {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i32>().prop_map(serde_json::Value::from),
            "[\\[\\]{}\",:a\\\\ \u{e9}]{0,6}".prop_map(serde_json::Value::from),
        ];
        let value = leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::hash_map("[a\\]\"]{0,3}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        });
        proptest!(|(values in prop::collection::vec(value, 0..6), pretty in any::<bool>())| {
            let array = serde_json::Value::from(values.clone());
            let text = if pretty { serde_json::to_string_pretty(&array) } else { serde_json::to_string(&array) }.unwrap();
            let mut input = io::BufReader::with_capacity(3, text.as_bytes());
            let (mut elements, mut all) = (Elements::new(10_000), Vec::new());
            while let Some(element) = elements.next(&mut input).unwrap() {
                prop_assert_eq!(element, Element::Value);
                all.push(serde_json::from_slice::<serde_json::Value>(elements.value()).unwrap());
            }
            prop_assert_eq!(all, values);
        });
    }
}
