//! The words that a file introduces: its tenants, objects, crowds, chains and mailboxes.

use super::words::{ParseError, Words, nearest};
use crate::domain::id::ChainId;

/// What was introduced so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    pub tenants: Vec<String>,
    objects: Vec<String>,
    crowds: Vec<String>,
    chains: Vec<String>,
    mailboxes: Vec<String>,
}

impl Known {
    pub fn new_tenant(&mut self, words: &mut Words) -> Result<String, ParseError> {
        introduce(words, "a name for the tenant", &mut self.tenants)
    }

    pub fn new_object(&mut self, words: &mut Words) -> Result<String, ParseError> {
        introduce(words, "a name for the object, such as A", &mut self.objects)
    }

    pub fn new_crowd(&mut self, words: &mut Words) -> Result<String, ParseError> {
        introduce(words, "a name for the crowd, such as STAFF", &mut self.crowds)
    }

    pub fn new_mailbox(&mut self, words: &mut Words) -> Result<String, ParseError> {
        introduce(words, "a name for the mailbox, such as mA", &mut self.mailboxes)
    }

    pub fn new_chain(&mut self, words: &mut Words) -> Result<(), ParseError> {
        introduce(words, "a chain, such as cA", &mut self.chains).map(drop)
    }

    /// Reads `T2:`, a tenant that is meant instead of the first one; its place.
    pub fn take_tenant(&self, words: &mut Words) -> Result<usize, ParseError> {
        let Some(word) = words.peek().and_then(|word| word.strip_suffix(':')) else { return Ok(0) };
        let word = word.to_owned();
        let Some(place) = self.tenants.iter().position(|tenant| *tenant == word) else {
            return Err(unknown(words, "a tenant of the head", &word, &self.tenants));
        };
        words.take(&format!("{word}:"));
        Ok(place)
    }

    /// Reads a tenant by its name; its place.
    pub fn tenant(&self, words: &mut Words) -> Result<(usize, String), ParseError> {
        let name = refer(words, "a tenant of the head", &self.tenants)?;
        Ok((self.tenants.iter().position(|tenant| *tenant == name).unwrap_or_default(), name))
    }

    /// Reads an object of the cast, or `STAFF#7`, a member of a crowd.
    pub fn object(&self, words: &mut Words) -> Result<String, ParseError> {
        match words.take_if(|word| self.is_member(word)) {
            Some(member) => Ok(member),
            None => refer(words, "an object of the cast", &self.objects),
        }
    }

    fn is_member(&self, word: &str) -> bool {
        let Some((crowd, number)) = word.split_once('#') else { return false };
        let is_number = number.parse::<usize>().is_ok_and(|number| number > 0) && !number.starts_with(['0', '+']);
        is_number && self.crowds.iter().any(|known| known == crowd)
    }

    pub fn crowd(&self, words: &mut Words) -> Result<String, ParseError> {
        refer(words, "a crowd of the head", &self.crowds)
    }

    pub fn mailbox(&self, words: &mut Words) -> Result<String, ParseError> {
        refer(words, "a mailbox of the head", &self.mailboxes)
    }

    pub fn chain(&self, words: &mut Words) -> Result<ChainId, ParseError> {
        let column = words.column();
        let chain = refer(words, "a chain of the head", &self.chains)?;
        chain.parse().map_err(|error: crate::domain::id::IdError| words.error_at(column, error.to_string()))
    }

    /// Whether the next word is an object of the cast.
    pub fn is_object(&self, words: &Words) -> bool {
        words.peek().is_some_and(|word| self.objects.iter().any(|object| object == word) || self.is_member(word))
    }

    /// Whether the next word is a chain of the head.
    pub fn is_chain(&self, words: &Words) -> bool {
        words.peek().is_some_and(|word| self.chains.iter().any(|chain| chain == word))
    }
}

fn introduce(words: &mut Words, what: &str, list: &mut Vec<String>) -> Result<String, ParseError> {
    let word = words.word(what)?;
    let fine = word.text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if !fine || word.text == "none" {
        let why = format!("expected {what}, found `{}`; use letters, digits, - _ .", word.text);
        return Err(words.error_at(word.column, why));
    }
    if list.contains(&word.text) {
        return Err(words.error_at(word.column, format!("`{}` is introduced a second time", word.text)));
    }
    list.push(word.text.clone());
    Ok(word.text)
}

fn refer(words: &mut Words, what: &str, list: &[String]) -> Result<String, ParseError> {
    match words.take_if(|word| list.iter().any(|known| known == word)) {
        Some(word) => Ok(word),
        None => {
            let word = words.peek().unwrap_or_default().to_owned();
            Err(unknown(words, what, &word, list))
        }
    }
}

fn unknown(words: &Words, what: &str, word: &str, list: &[String]) -> ParseError {
    if word.is_empty() {
        return words.expected(what, &[]);
    }
    let known: Vec<&str> = list.iter().map(String::as_str).collect();
    let near = nearest(word, &known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
    let list = if known.is_empty() { "there are none".to_owned() } else { known.join(", ") };
    words.error_at(words.column(), format!("expected {what} ({list}), found `{word}`{near}"))
}
