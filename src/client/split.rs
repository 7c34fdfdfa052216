//! Finds the items of a streamed answer in its bytes as they come: the elements of one array, or lines.

use std::mem;

/// How the items stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// As the elements of one array; each is an object.
    Array,
    /// As lines.
    Lines,
}

/// Where the search is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the array.
    Before,
    /// Where an element may begin; the flag says that none was found before.
    Between { is_first: bool },
    /// Inside one.
    Inside,
    /// After one, where a comma or the end must follow.
    After,
    /// After the array.
    Ended,
}

/// Splits bytes into items.
pub(super) struct Split {
    layout: Layout,
    state: State,
    item: Vec<u8>,
    bytes_max: usize,
    depth: u32,
    in_string: bool,
    is_escaped: bool,
}

impl Split {
    pub fn new(layout: Layout, bytes_max: usize) -> Self {
        Self {
            layout,
            state: State::Before,
            item: Vec::new(),
            bytes_max,
            depth: 0,
            in_string: false,
            is_escaped: false,
        }
    }

    /// Takes bytes up to the end of an item: how many, and the item if it is whole now.
    ///
    /// # Errors
    /// What is wrong with the layout.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(usize, Option<Vec<u8>>), &'static str> {
        for (place, byte) in bytes.iter().enumerate() {
            let is_whole = match self.layout {
                Layout::Array => self.element(*byte)?,
                Layout::Lines => self.line(*byte)?,
            };
            if is_whole {
                return Ok((place + 1, Some(mem::take(&mut self.item))));
            }
        }
        Ok((bytes.len(), None))
    }

    /// Whether the answer may end here.
    pub fn is_whole(&self) -> bool {
        match self.layout {
            Layout::Array => self.state == State::Ended,
            Layout::Lines => self.item.is_empty(),
        }
    }

    fn line(&mut self, byte: u8) -> Result<bool, &'static str> {
        if byte == b'\n' {
            return Ok(!self.item.is_empty());
        }
        self.keep(byte)?;
        Ok(false)
    }

    fn element(&mut self, byte: u8) -> Result<bool, &'static str> {
        if self.state != State::Inside && byte.is_ascii_whitespace() {
            return Ok(false);
        }
        self.state = match (self.state, byte) {
            (State::Before, b'[') => State::Between { is_first: true },
            (State::Between { is_first: true }, b']') | (State::After, b']') => State::Ended,
            (State::After, b',') => State::Between { is_first: false },
            (State::Between { .. }, b'{') => {
                self.depth = 1;
                self.keep(byte)?;
                State::Inside
            }
            (State::Inside, _) => {
                self.keep(byte)?;
                self.step(byte);
                if self.depth > 0 {
                    return Ok(false);
                }
                self.state = State::After;
                return Ok(true);
            }
            _ => return Err("it is no array of objects"),
        };
        Ok(false)
    }

    fn step(&mut self, byte: u8) {
        match (self.in_string, self.is_escaped, byte) {
            (true, true, _) => self.is_escaped = false,
            (true, false, b'\\') => self.is_escaped = true,
            (_, false, b'"') => self.in_string = !self.in_string,
            (false, _, b'{' | b'[') => self.depth += 1,
            (false, _, b'}' | b']') => self.depth -= 1,
            _ => {}
        }
    }

    fn keep(&mut self, byte: u8) -> Result<(), &'static str> {
        if self.item.len() >= self.bytes_max {
            return Err("one of its items is too long");
        }
        self.item.push(byte);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The items, however the bytes are cut; and whether the answer is whole.
    fn split(layout: Layout, text: &str, cut: usize) -> Result<(Vec<String>, bool), &'static str> {
        let mut split = Split::new(layout, 60);
        let mut items = Vec::new();
        for mut bytes in text.as_bytes().chunks(cut) {
            while !bytes.is_empty() {
                let (used, item) = split.take(bytes)?;
                items.extend(item.map(|item| String::from_utf8(item).unwrap()));
                bytes = &bytes[used..];
            }
        }
        Ok((items, split.is_whole()))
    }

    #[test]
    fn elements_are_found_however_the_bytes_are_cut() {
        let first = r#"{"a":"}]\"\\","b":[{"c":"é"},[]]}"#;
        let text = format!(" [ {first} ,\n{{}}, {{\"d\":1}} ]\n");
        for cut in 1..text.len() {
            let found = split(Layout::Array, &text, cut).unwrap();
            assert_eq!(found, (vec![first.to_owned(), "{}".to_owned(), "{\"d\":1}".to_owned()], true), "{cut}");
        }
        assert_eq!(split(Layout::Array, "[]", 1).unwrap(), (vec![], true));
        assert_eq!(split(Layout::Lines, "{}\n\n{\"a\":1}\n", 3).unwrap().0.len(), 2);
    }

    #[test]
    fn what_breaks_off_is_not_whole_and_what_is_no_array_is_refused() {
        for broken in ["", "[", "[{}", "[{},", "[{\"a\":\"]", "[{}, {}"] {
            assert!(!split(Layout::Array, broken, 2).unwrap().1, "{broken}");
        }
        assert!(!split(Layout::Lines, "{}\n{\"a\"", 2).unwrap().1);
        for wrong in ["{}", "[1]", "[{}{}]", "[,{}]", "[{},]", "[] []", "<html>"] {
            assert!(split(Layout::Array, wrong, 2).is_err(), "{wrong}");
        }
        let long = format!("[{{\"a\":\"{}\"}}]", "x".repeat(100));
        assert_eq!(split(Layout::Array, &long, 7), Err("one of its items is too long"));
        assert!(split(Layout::Lines, &long, 7).is_err());
    }
}
