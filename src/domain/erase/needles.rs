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

    /// The name that begins at a place, and its length. What stands around it must not make another name of it, and what the directory
    /// puts in front of it at a deletion does not.
    fn at(&self, text: &[char], at: usize) -> Option<(usize, &NameKey)> {
        if !begins_at(text, at) && !is_mangled(text, at) {
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

/// The text with what stands for each erased name that is a word of it, if one is. Only whole words can be found by their tokens: a
/// longer name, as `mary-ann@x.test` is where `ann@x.test` is erased, may be that of anybody.
pub(super) fn words_replaced(text: &str, erasure: &Erasure) -> Option<String> {
    let chars: Vec<char> = text.chars().collect();
    let (mut instead, mut done) = (String::new(), 0);
    for names in names_around(text) {
        let mut words = names.into_iter().filter(|(place, _)| place.start >= done && is_word(&chars, place));
        let Some((place, key)) = words.find_map(|(place, name)| Some((place, erasure.erased(name.key())?))) else {
            continue;
        };
        instead.extend(chars.get(done..place.start).into_iter().flatten());
        instead.push_str(key.as_str());
        done = place.end;
    }
    instead.extend(chars.get(done..).into_iter().flatten());
    (done > 0).then_some(instead)
}

/// Whether no hyphen and the like joins what stands at a place with a letter or a digit before or behind it.
fn is_word(text: &[char], place: &Range<usize>) -> bool {
    let is_joined = |link: Option<usize>, other: Option<usize>| {
        let at = |at: Option<usize>| at.and_then(|at| text.get(at)).copied();
        matches!(at(link), Some('-' | '_' | '.')) && at(other).is_some_and(char::is_alphanumeric)
    };
    let (start, end) = (place.start, place.end);
    !is_joined(start.checked_sub(1), start.checked_sub(2)) && !is_joined(Some(end), end.checked_add(1))
}

/// Around each `@` of a text everything that could be a name there, the longest first, and where it stands, counted in characters.
pub fn names_around(text: &str) -> Vec<Vec<(Range<usize>, Name)>> {
    let chars: Vec<char> = text.chars().collect();
    let signs = (0..chars.len()).filter(|at| chars.get(*at) == Some(&'@'));
    signs.map(|at| names_at(&chars, at)).filter(|names| !names.is_empty()).collect()
}

fn names_at(text: &[char], at: usize) -> Vec<(Range<usize>, Name)> {
    let is_local = |at: &usize| text.get(*at).is_some_and(|c| !c.is_whitespace() && *c != '@');
    let is_domain = |at: &usize| text.get(*at).is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    let begins = (0..at).rev().take(LOCAL_MAX).take_while(is_local);
    let mut begins: Vec<usize> = begins.filter(|at| begins_at(text, *at) || is_mangled(text, *at)).collect();
    // The name may be all there is, with spaces in it.
    if begins.last() != Some(&0) {
        begins.push(0);
    }
    let ends = (at + 1..text.len()).take(DOMAIN_MAX).take_while(is_domain).map(|last| last + 1);
    let ends: Vec<usize> = ends.filter(|end| ends_at(text, *end)).collect();
    let places = begins.iter().rev().flat_map(|begin| ends.iter().rev().map(|end| *begin..*end));
    let named = |place: Range<usize>| text.get(place)?.iter().collect::<String>().parse().ok();
    places.filter_map(|place| Some((place.clone(), named(place)?))).collect()
}

/// Whether what stands before is the id that the directory puts in front of a user principal name at its deletion.
fn is_mangled(text: &[char], at: usize) -> bool {
    let mark = at.checked_sub(MARK).and_then(|begin| Some((begin, text.get(begin..at)?)));
    mark.is_some_and(|(begin, mark)| begins_at(text, begin) && mark.iter().all(char::is_ascii_hexdigit))
}

/// How long that id is, in characters.
const MARK: usize = 32;
/// The longest local part, with such an id before it, and the longest domain of an address, in characters (RFC 5321, section 4.5.3.1).
const LOCAL_MAX: usize = 64 + MARK;
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
