//! Names inside of other texts: in a chain's id, in the words of an operator.

use std::ops::Range;

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
        if !begins_at(text, at) {
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
            ends_at(text, at + length).then_some((length, key))
        })
    }
}

/// The pseudonyms of the erased names that stand in a text, found by their tokens: their spellings are not known any more.
pub(super) fn erased_in(text: &str, erasure: &Erasure) -> Vec<NameKey> {
    let chars: Vec<char> = text.chars().collect();
    match erased_at(&chars, 0..chars.len(), erasure) {
        Some(key) => vec![key],
        None => found(&chars, erasure).into_iter().map(|(_, key)| key).collect(),
    }
}

/// The text with what stands for each erased name that stands in it, found by its token, if one does.
pub(super) fn erased_replaced(text: &str, erasure: &Erasure) -> Option<String> {
    let chars: Vec<char> = text.chars().collect();
    let (mut instead, mut done) = (String::new(), 0);
    for (place, key) in found(&chars, erasure) {
        instead.extend(chars.get(done..place.start).unwrap_or_default());
        instead.push_str(key.as_str());
        done = place.end;
    }
    instead.extend(chars.get(done..).unwrap_or_default());
    (done > 0).then_some(instead)
}

/// Where an erased name stands, and its pseudonym. Around each `@` everything is tried that could be a name, the longest first.
fn found(text: &[char], erasure: &Erasure) -> Vec<(Range<usize>, NameKey)> {
    let mut found: Vec<(Range<usize>, NameKey)> = Vec::new();
    for at in (0..text.len()).filter(|at| text.get(*at) == Some(&'@')) {
        let done = found.last().map_or(0, |(place, _)| place.end);
        let is_local = |at: &usize| text.get(*at).is_some_and(|c| !c.is_whitespace() && *c != '@');
        let is_domain = |at: &usize| text.get(*at).is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
        let begins = (done..at).rev().take(LOCAL_MAX).take_while(is_local).filter(|at| begins_at(text, *at));
        let ends = (at + 1..text.len()).take(DOMAIN_MAX).take_while(is_domain).map(|last| last + 1);
        let ends: Vec<usize> = ends.filter(|end| ends_at(text, *end)).collect();
        let begins: Vec<usize> = begins.collect();
        let tries = begins.iter().rev().flat_map(|begin| ends.iter().rev().map(|end| *begin..*end));
        found.extend(tries.filter_map(|place| Some((place.clone(), erased_at(text, place, erasure)?))).take(1));
    }
    found
}

/// The pseudonym of what stands there, if that is a name that was erased.
fn erased_at(text: &[char], place: Range<usize>, erasure: &Erasure) -> Option<NameKey> {
    let name: Name = text.get(place)?.iter().collect::<String>().parse().ok()?;
    erasure.erased(name.key())
}

/// The longest local part and the longest domain of an address, in characters (RFC 5321, section 4.5.3.1).
const LOCAL_MAX: usize = 64;
const DOMAIN_MAX: usize = 255;

/// Whether a name may begin here: what stands before must not make another name of it. A dot, a plus or an apostrophe does that
/// only behind a letter or a digit; else it is punctuation.
fn begins_at(text: &[char], at: usize) -> bool {
    let before = |by: usize| at.checked_sub(by).and_then(|before| text.get(before)).copied();
    let is_joined = |by: usize| before(by).is_some_and(char::is_alphanumeric);
    let is_link = matches!(before(1), Some('.' | '+' | '\''));
    !(is_joined(1) || is_link && is_joined(2))
}

/// Whether a name may end before this place.
fn ends_at(text: &[char], at: usize) -> bool {
    text.get(at).is_none_or(|after| !after.is_alphanumeric())
}

fn lower(text: &str) -> Vec<char> {
    let folded = fold(text);
    // Folding and lower case differ for few letters; a spelling is looked for as a reader would.
    let text = if folded.to_lowercase() == text.to_lowercase() { folded } else { text.to_owned() };
    text.chars().flat_map(char::to_lowercase).collect()
}
