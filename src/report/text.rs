//! Words and times as a report shows them.

use std::borrow::Cow;

use serde::Serialize;

use crate::domain::id::ObjectId;
use crate::domain::interval::Edge;
use crate::domain::time::Instant;

/// A text as a person may safely read it: characters that cannot be seen, or that turn the text around them, are spelled
/// out. What is left has no character that XML forbids.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if is_hidden(letter) {
            clean.push_str(&format!("⟨U+{:04X}⟩", u32::from(letter)));
        } else {
            clean.push(letter);
        }
    }
    Cow::Owned(clean)
}

fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// A text of at most so many letters.
pub fn cut(text: &str, letters: usize) -> String {
    let text = shown(text);
    if text.chars().count() <= letters {
        return text.into_owned();
    }
    let mut short: String = text.chars().take(letters.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// A finding's summary as a sentence of its own. One that begins with a name keeps the name's spelling.
pub fn sentence(summary: &str) -> String {
    let summary = cut(summary, 1_000);
    let is_word = OPENINGS.iter().any(|opening| summary.starts_with(opening));
    let mut letters = summary.chars();
    let text = match letters.next().filter(|_| is_word) {
        Some(first) => format!("{}{}", first.to_uppercase(), letters.as_str()),
        None => summary.clone(),
    };
    if text.ends_with(['.', '…', '!', '?']) { text } else { format!("{text}.") }
}

/// How summaries begin that do not begin with a name.
const OPENINGS: [&str; 8] = ["chain ", "the ", "a ", "nobody ", "nothing ", "snapshot ", "what ", "by now "];

/// The first digits of an object id, enough to tell lanes apart.
pub fn short(object: ObjectId) -> String {
    object.to_string().chars().take(8).collect()
}

/// A time in UTC, to the minute unless it has seconds.
pub fn time(at: Instant) -> String {
    let Some(time) = at.to_chrono() else { return at.to_string() };
    let form = match (at.as_micros().rem_euclid(1_000_000), at.as_micros().rem_euclid(60_000_000)) {
        (0, 0) => "%Y-%m-%d %H:%M",
        (0, _) => "%Y-%m-%d %H:%M:%S",
        _ => "%Y-%m-%d %H:%M:%S%.6f",
    };
    time.format(form).to_string()
}

/// The second time of a pair: without its day if that is the first one's.
pub fn time_after(first: Instant, at: Instant) -> String {
    let (before, text) = (time(first), time(at));
    match (before.get(..11), text.get(..11), text.get(11..)) {
        (Some(a), Some(b), Some(clock)) if a == b => clock.to_owned(),
        _ => text,
    }
}

/// An edge in words.
pub fn edge(edge: Edge) -> String {
    match (edge.as_point(), edge.after(), edge.by()) {
        (Some(at), ..) => time(at),
        (None, Some(after), Some(by)) => format!("after {}, by {}", time(after), time_after(after, by)),
        (None, None, Some(by)) => format!("unknown when, by {}", time(by)),
        (None, Some(after), None) => format!("after {}, unknown when", time(after)),
        (None, None, None) => "unknown when".to_owned(),
    }
}

/// The contract's word for a value, as its JSON spells it, with spaces.
pub fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word.replace('_', " "),
        Ok(other) => other.to_string(),
        Err(_) => String::new(),
    }
}

/// A span of seconds in words: `15 min`, `12 h`, `7 d`.
pub fn span(seconds: u64) -> String {
    let unit = [(86_400, "d"), (3_600, "h"), (60, "min")]
        .into_iter()
        .find(|(size, _)| seconds > 0 && seconds.is_multiple_of(*size));
    match unit {
        Some((size, unit)) => format!("{} {unit}", seconds / size),
        None => format!("{seconds} s"),
    }
}

/// A number of things.
pub fn count(number: usize, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

/// Several texts as a list in a sentence.
pub fn join(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_spelled_out() {
        assert_eq!(shown("ann@x.test"), "ann@x.test");
        assert_eq!(shown("a\u{202e}b\u{0}c"), "a⟨U+202E⟩b⟨U+0000⟩c");
        assert_eq!(shown("שלום"), "שלום", "letters that run from right to left are letters");
    }

    #[test]
    fn a_summary_becomes_a_sentence_and_a_name_stays_as_it_is() {
        assert_eq!(sentence("chain cA is mixed"), "Chain cA is mixed.");
        assert_eq!(sentence("ann@x.test passed on"), "ann@x.test passed on.");
        assert_eq!(sentence("It is told."), "It is told.");
    }

    #[test]
    fn long_texts_are_cut_by_letters_not_by_bytes() {
        assert_eq!(cut("äöüß", 4), "äöüß");
        assert_eq!(cut("äöüßx", 4), "äöü…");
    }

    #[test]
    fn edges_say_what_is_known() {
        let at = |text: &str| text.parse::<Instant>().unwrap();
        let (a, b) = (at("2026-03-02T08:00:00Z"), at("2026-03-02T10:00:30Z"));
        assert_eq!(edge(Edge::point(a)), "2026-03-02 08:00");
        assert_eq!(edge(Edge::new(a, b)), "after 2026-03-02 08:00, by 10:00:30");
        assert_eq!(edge(Edge::new(Instant::MIN, b)), "unknown when, by 2026-03-02 10:00:30");
        assert_eq!(edge(Edge::new(Instant::MIN, Instant::MAX)), "unknown when");
    }
}
