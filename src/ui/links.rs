//! The addresses of the pages. A page about the past links to pages about the same past.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use url::form_urlencoded::Serializer;

use super::frame::When;
use crate::domain::finding::FindingId;
use crate::domain::id::{ChainId, ObjectId, TenantId};
use crate::report::links::Links;

/// Whom and what a page shows. Whatever is shown is linked, so whoever makes the links knows.
#[derive(Clone, Debug, Default)]
pub struct Shown(Arc<Mutex<BTreeSet<Thing>>>);

/// Something that a page shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Thing {
    /// Someone.
    Object(ObjectId),
    /// A chain.
    Chain(ChainId),
    /// A name.
    Name(String),
}

impl Shown {
    /// Takes down that something is shown.
    pub fn note(&self, thing: Thing) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(thing);
    }

    /// All that was shown since the last time.
    pub fn take(&self) -> BTreeSet<Thing> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The pages of one tenant, as of the time that is looked at.
#[derive(Clone, Debug)]
pub struct Pages {
    shown: Shown,
    base: String,
    kept: Vec<(&'static str, String)>,
}

impl Pages {
    /// The pages of a tenant.
    pub fn of(tenant: TenantId, when: &When, shown: &Shown) -> Self {
        let at = when.at.map(|at| ("at", at.to_string()));
        let known = when.known.as_ref().map(|known| ("known_at", known.asked.clone()));
        Self { shown: shown.clone(), base: format!("/t/{tenant}"), kept: at.into_iter().chain(known).collect() }
    }

    /// The page with this name, about these things. Ids stand in the query, because in a path `.` and `/` mean something.
    pub fn to(&self, page: &str, about: &[(&str, &str)]) -> String {
        let path = if page.is_empty() { self.base.clone() } else { format!("{}/{page}", self.base) };
        let mut query = Serializer::new(String::new());
        query.extend_pairs(about.iter().filter(|(_, value)| !value.is_empty()));
        query.extend_pairs(&self.kept);
        let query = query.finish();
        if query.is_empty() { path } else { format!("{path}?{query}") }
    }

    /// The page about now.
    pub fn now(&self, page: &str, about: &[(&str, &str)]) -> String {
        Self { kept: Vec::new(), ..self.clone() }.to(page, about)
    }

    /// A report to take away.
    pub fn report(&self, format: &str, about: &[(&str, &str)]) -> String {
        let mut all = vec![("format", format)];
        all.extend_from_slice(about);
        self.to("report", &all)
    }
}

impl Links for Pages {
    fn person(&self, object: ObjectId) -> String {
        self.shown.note(Thing::Object(object));
        self.to("person", &[("id", &object.to_string())])
    }

    fn chain(&self, chain: &ChainId) -> String {
        self.shown.note(Thing::Chain(chain.clone()));
        self.to("chain", &[("id", chain.as_str())])
    }

    fn name(&self, name: &str) -> String {
        self.shown.note(Thing::Name(name.to_owned()));
        self.to("name", &[("name", name)])
    }

    fn finding(&self, finding: FindingId) -> String {
        self.to("finding", &[("id", &finding.to_string())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::frame::Known;

    #[test]
    fn ids_that_mean_something_in_an_address_are_spelled_out_and_the_time_stays() {
        let tenant: TenantId = "b0f2a1c4-0000-4000-8000-000000000001".parse().unwrap();
        let pages = Pages::of(tenant, &When::default(), &Shown::default());
        let chain: ChainId = "../a?b=c&d#e\"<'".parse().unwrap();
        assert_eq!(pages.chain(&chain), format!("/t/{tenant}/chain?id=..%2Fa%3Fb%3Dc%26d%23e%22%3C%27"));
        let known = Known { asked: "42".to_owned(), said: String::new() };
        let when = When { at: Some("2026-03-02T10:00:00Z".parse().unwrap()), known: Some(known) };
        let pages = Pages::of(tenant, &when, &Shown::default());
        let kept = "at=2026-03-02T10%3A00%3A00Z&known_at=42";
        assert_eq!(pages.to("findings", &[("kind", "")]), format!("/t/{tenant}/findings?{kept}"));
        assert_eq!(pages.name("a@x"), format!("/t/{tenant}/name?name=a%40x&{kept}"));
        assert_eq!(pages.now("", &[]), format!("/t/{tenant}"));
    }
}
