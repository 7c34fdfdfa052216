//! Names inside of other texts: in a chain's id, in the words of an operator.

use super::Erasure;
use crate::domain::name::{Name, NameKey, fold};

/// Names to look for in texts, in any letter case.
#[derive(Clone, Debug, Default)]
pub struct Needles(Vec<(Vec<char>, NameKey)>);

impl Needles {
    /// Looks for these spellings, each with the name that it is a spelling of.
    pub fn new<'a>(names: impl IntoIterator<Item = (&'a str, &'a NameKey)>) -> Self {
        let mut needles: Vec<(Vec<char>, NameKey)> = names
            .into_iter()
            .flat_map(|(spelling, key)| [(lower(spelling), key.clone()), (lower(key.as_str()), key.clone())])
            .filter(|(needle, _)| !needle.is_empty())
            .collect();
        // A name that another one is the end of is found first.
        needles.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        Self(needles)
    }

    /// Whether one of the names stands in a text.
    pub fn occur_in(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        (0..text.len()).any(|at| self.at(&text, at).is_some())
    }

    /// The text with what stands for each name instead of it, if one stands in it.
    pub(super) fn replaced(&self, text: &str, erasure: &Erasure) -> Option<String> {
        let chars: Vec<char> = text.chars().collect();
        let (mut instead, mut at, mut found) = (String::new(), 0, false);
        while let Some(next) = chars.get(at) {
            match self.at(&chars, at) {
                Some((length, key)) => {
                    instead.push_str(erasure.key(key).as_str());
                    (at, found) = (at + length, true);
                }
                None => {
                    instead.push(*next);
                    at += 1;
                }
            }
        }
        found.then_some(instead)
    }

    /// The name that begins at a place, and its length. What stands around it must not make another name of it.
    fn at(&self, text: &[char], at: usize) -> Option<(usize, &NameKey)> {
        let before = at.checked_sub(1).and_then(|before| text.get(before));
        if before.is_some_and(|before| before.is_alphanumeric() || matches!(before, '.' | '+' | '\'')) {
            return None;
        }
        self.0.iter().find_map(|(needle, key)| {
            let mut here = text.get(at..)?.iter();
            let mut length = 0;
            let mut rest = needle.iter().peekable();
            while rest.peek().is_some() {
                let mut lowered = here.next()?.to_lowercase();
                length += 1;
                if !lowered.all(|lowered| rest.next() == Some(&lowered)) {
                    return None;
                }
            }
            let after = here.next();
            after.is_none_or(|after| !after.is_alphanumeric()).then_some((length, key))
        })
    }
}

/// The text with what stands for each erased name that is a word of it, if one is. Only whole words can be found by their tokens.
pub(super) fn words_replaced(text: &str, erasure: &Erasure) -> Option<String> {
    let (mut instead, mut found) = (String::new(), false);
    for piece in text.split_inclusive(is_between) {
        let word = piece.trim_end_matches(is_between).trim_end_matches(['.', '!', '?']);
        let key = word.parse::<Name>().ok().and_then(|name| erasure.erased(name.key()));
        match key {
            Some(key) => {
                instead.push_str(key.as_str());
                instead.push_str(piece.get(word.len()..).unwrap_or_default());
                found = true;
            }
            None => instead.push_str(piece),
        }
    }
    found.then_some(instead)
}

fn is_between(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '<' | '>' | '(' | ')' | '[' | ']' | '{' | '}' | '"' | '\'' | '`' | ',' | ';' | ':' | '=' | '/' | '|'
        )
}

fn lower(text: &str) -> Vec<char> {
    let folded = fold(text);
    // Folding and lower case differ for few letters; a spelling is looked for as a reader would.
    let text = if folded.to_lowercase() == text.to_lowercase() { folded } else { text.to_owned() };
    text.chars().flat_map(char::to_lowercase).collect()
}
