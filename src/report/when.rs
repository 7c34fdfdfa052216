//! Times in a page: the words that people read inside the element that programs read.

use std::fmt;

use askama::filters::HtmlSafe;

use super::text;
use crate::domain::interval::Edge;
use crate::domain::time::Instant;

/// An instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At(pub Instant);

/// An instant after another one: without its day if that is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtAfter(pub Instant, pub Instant);

/// An edge in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edged(pub Edge);

/// The end of a period, which may not have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended(pub Option<Edge>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        element(f, self.0, &text::time(self.0))
    }
}

impl fmt::Display for AtAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        element(f, self.1, &text::time_after(self.0, self.1))
    }
}

impl fmt::Display for Edged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.as_point(), self.0.after(), self.0.by()) {
            (Some(at), ..) => At(at).fmt(f),
            (None, Some(after), Some(by)) => write!(f, "after {}, by {}", At(after), AtAfter(after, by)),
            (None, None, Some(by)) => write!(f, "unknown when, by {}", At(by)),
            (None, Some(after), None) => write!(f, "after {}, unknown when", At(after)),
            (None, None, None) => f.write_str("unknown when"),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(edge) => Edged(edge).fmt(f),
            None => f.write_str("still so"),
        }
    }
}

// What these write comes from numbers alone.
impl HtmlSafe for At {}
impl HtmlSafe for AtAfter {}
impl HtmlSafe for Edged {}
impl HtmlSafe for Ended {}

fn element(f: &mut fmt::Formatter<'_>, at: Instant, words: &str) -> fmt::Result {
    match at.to_chrono() {
        Some(_) => write!(f, "<time datetime=\"{at}\">{words}</time>"),
        None => f.write_str(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_says_the_same_as_in_words_alone() {
        let at = |text: &str| text.parse::<Instant>().unwrap();
        let (a, b) = (at("2026-03-02T08:00:00Z"), at("2026-03-02T10:00:30Z"));
        let bare = |html: String| {
            let mut inside = false;
            html.chars()
                .filter(|letter| {
                    inside |= *letter == '<';
                    let kept = !inside;
                    inside &= *letter != '>';
                    kept
                })
                .collect::<String>()
        };
        for edge in [Edge::point(a), Edge::new(a, b), Edge::new(Instant::MIN, b), Edge::new(a, Instant::MAX)] {
            assert_eq!(bare(Edged(edge).to_string()), text::edge(edge));
        }
        assert_eq!(
            Edged(Edge::new(a, b)).to_string(),
            "after <time datetime=\"2026-03-02T08:00:00Z\">2026-03-02 08:00</time>, by \
             <time datetime=\"2026-03-02T10:00:30Z\">10:00:30</time>"
        );
        assert_eq!(Ended(None).to_string(), "still so");
    }
}
