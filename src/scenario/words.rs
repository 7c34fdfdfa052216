//! A line cut into words, each with its column: what the parser reads from.

use std::fmt;

/// Why a file is no scenario, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {why}")]
pub struct ParseError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What was expected, what is there, and what may have been meant.
    pub why: String,
}

/// One word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub text: String,
    pub column: usize,
    /// It stood in quotes, so it is a text and no keyword.
    pub quoted: bool,
}

/// The words of a line that are not read yet.
#[derive(Clone, Debug)]
pub(super) struct Words {
    pub line: usize,
    raw: String,
    words: Vec<Word>,
    next: usize,
    /// The column behind the last word.
    end: usize,
}

impl Words {
    /// Cuts a line. `#` at the beginning of a word begins a comment; `"…"` is one word; a comma is a word.
    pub fn cut(line: usize, text: &str) -> Result<Self, ParseError> {
        let mut words: Vec<Word> = Vec::new();
        let mut chars = text.chars().enumerate().peekable();
        let mut end = 1;
        while let Some((place, letter)) = chars.next() {
            let column = place + 1;
            match letter {
                '#' => break,
                ',' => words.push(Word { text: ",".to_owned(), column, quoted: false }),
                '"' => {
                    let mut inside = String::new();
                    loop {
                        match chars.next() {
                            Some((_, '"')) => break,
                            Some((_, other)) => inside.push(other),
                            None => {
                                let why = "this quotation is not closed; put a \" at its end".to_owned();
                                return Err(ParseError { line, column, why });
                            }
                        }
                    }
                    words.push(Word { text: inside, column, quoted: true });
                }
                letter if letter.is_whitespace() => continue,
                letter => {
                    let mut word = String::from(letter);
                    while let Some((_, more)) = chars.next_if(|(_, more)| !(more.is_whitespace() || *more == ',')) {
                        word.push(more);
                    }
                    words.push(Word { text: word, column, quoted: false });
                }
            }
            end = chars.peek().map_or_else(|| text.chars().count() + 1, |(place, _)| place + 1);
        }
        Ok(Self { line, raw: text.to_owned(), words, next: 0, end })
    }

    /// The next word, unless it is quoted or there is none.
    pub fn peek(&self) -> Option<&str> {
        self.words.get(self.next).filter(|word| !word.quoted).map(|word| word.text.as_str())
    }

    /// Whether everything is read.
    pub fn is_done(&self) -> bool {
        self.next >= self.words.len()
    }

    /// The line as it is written between two columns.
    pub fn said(&self, from: usize, until: usize) -> String {
        let inside = self.raw.chars().skip(from.saturating_sub(1)).take(until.saturating_sub(from));
        inside.collect::<String>().trim().to_owned()
    }

    /// The column of the next word that is this one; else that behind the last word.
    pub fn column_of(&self, word: &str) -> usize {
        let mut rest = self.words.iter().skip(self.next);
        rest.find(|next| !next.quoted && next.text == word).map_or(self.end, |found| found.column)
    }

    /// Whether the next word is this one.
    pub fn is(&self, word: &str) -> bool {
        self.peek() == Some(word)
    }

    /// Reads the next word if it is this one.
    pub fn take(&mut self, word: &str) -> bool {
        let is = self.is(word);
        self.next += usize::from(is);
        is
    }

    /// Reads the next word if it fulfils the condition.
    pub fn take_if(&mut self, wanted: impl FnOnce(&str) -> bool) -> Option<String> {
        let word = self.peek().filter(|word| wanted(word))?.to_owned();
        self.next += 1;
        Some(word)
    }

    /// Reads this very word.
    pub fn need(&mut self, word: &'static str) -> Result<(), ParseError> {
        if self.take(word) { Ok(()) } else { Err(self.expected(&format!("`{word}`"), &[word])) }
    }

    /// Reads an unquoted word that stands for `what`.
    pub fn word(&mut self, what: &str) -> Result<Word, ParseError> {
        match self.words.get(self.next) {
            Some(word) if !word.quoted && !matches!(word.text.as_str(), "," | "=>" | "->") => {
                let word = word.clone();
                self.next += 1;
                Ok(word)
            }
            _ => Err(self.expected(what, &[])),
        }
    }

    /// Reads a text in quotes.
    pub fn quoted(&mut self, what: &str) -> Result<String, ParseError> {
        match self.words.get(self.next) {
            Some(word) if word.quoted => {
                let text = word.text.clone();
                self.next += 1;
                Ok(text)
            }
            _ => Err(self.expected(&format!("{what} in quotes"), &[])),
        }
    }

    /// Reads a word that `parse` understands.
    pub fn parsed<T, E: fmt::Display>(
        &mut self,
        what: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, ParseError> {
        let word = self.word(what)?;
        parse(&word.text).map_err(|error| self.error_at(word.column, format!("expected {what}: {error}")))
    }

    /// Reads a number.
    pub fn number(&mut self, what: &str) -> Result<u64, ParseError> {
        self.parsed(what, |text| text.parse::<u64>().map_err(|_| format!("`{text}` is no number")))
    }

    /// Reads one of these words.
    pub fn choice(&mut self, what: &str, known: &[&'static str]) -> Result<&'static str, ParseError> {
        let found = self.peek().and_then(|word| known.iter().find(|known| **known == word).copied());
        match found {
            Some(word) => {
                self.next += 1;
                Ok(word)
            }
            None => Err(self.expected(what, known)),
        }
    }

    /// Reads what is left of the line, as it is written; comments and quotation marks are not part of it.
    pub fn rest(&mut self) -> String {
        let from = self.column();
        self.next = self.words.len();
        let text = self.said(from, self.end);
        let unquoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        unquoted.filter(|text| !text.contains('"')).map_or_else(|| text.clone(), str::to_owned)
    }

    /// Nothing may follow.
    pub fn done(&self) -> Result<(), ParseError> {
        if self.is_done() { Ok(()) } else { Err(self.expected("the end of the line", &[])) }
    }

    /// An error at the next word: something else was expected there.
    pub fn expected(&self, what: &str, known: &[&str]) -> ParseError {
        let (column, found) = match self.words.get(self.next) {
            Some(Word { text, column, quoted: true }) => (*column, format!("the text \"{text}\"")),
            Some(Word { text, column, .. }) => (*column, format!("`{text}`")),
            None => (self.end, "the end of the line".to_owned()),
        };
        let near =
            self.peek().and_then(|word| nearest(word, known)).filter(|near| !what.contains(&format!("`{near}`")));
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let list = match known {
            [] | [_] => String::new(),
            many => format!(" ({})", many.join(", ")),
        };
        self.error_at(column, format!("expected {what}{list}, found {found}{near}"))
    }

    /// An error at a column.
    pub fn error_at(&self, column: usize, why: String) -> ParseError {
        ParseError { line: self.line, column, why }
    }

    /// The column of the next word.
    pub fn column(&self) -> usize {
        self.words.get(self.next).map_or(self.end, |word| word.column)
    }
}

/// The known word that is most like this one, if any is.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let scored = known.iter().map(|known| (strsim::jaro_winkler(&word.to_lowercase(), &known.to_lowercase()), *known));
    scored.filter(|(score, _)| *score > 0.75).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(line: &str) -> Vec<String> {
        let mut words = Words::cut(1, line).unwrap();
        let mut all = Vec::new();
        while let Some(word) = words.words.get(words.next).cloned() {
            words.next += 1;
            all.push(if word.quoted { format!("\"{}\"@{}", word.text, word.column) } else { word.text });
        }
        all
    }

    #[test]
    fn commas_and_quotations_are_words_and_comments_are_none() {
        assert_eq!(texts("a, b => says \"x, # y\" # rest"), ["a", ",", "b", "=>", "says", "\"x, # y\"@14"]);
        assert_eq!(texts("a#b"), ["a#b"], "a sign within a word begins no comment");
        assert_eq!(texts("  # only a comment"), Vec::<String>::new());
    }

    #[test]
    fn an_open_quotation_is_an_error_where_it_begins() {
        let error = Words::cut(7, "ask \"never").unwrap_err();
        assert_eq!((error.line, error.column), (7, 5));
    }

    #[test]
    fn a_wrong_word_is_told_with_its_place_and_the_nearest_right_one() {
        let mut words = Words::cut(3, "poll ful").unwrap();
        assert!(words.take("poll"));
        let error = words.choice("how to poll", &["full", "reconcile"]).unwrap_err();
        assert_eq!(error.to_string(), "3:6: expected how to poll (full, reconcile), found `ful`; did you mean `full`?");
    }
}
