//! A round of the delta feed as a pure state machine: page in, next step out. No I/O, no clock.
//!
//! The feed may give empty pages with a next link, one object several times and in any order, and pages applied before
//! (graph: concepts/delta-query-overview.md). What it may not give: both links, none, a link to elsewhere, no end.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::cloud::Endpoints;
use super::error::{Asked, GraphError};
use super::page::RawPage;
use super::wire::addressee::{Collection, WireAddressee};
use super::wire::user::WireUser;
use super::wire::{LinkUrl, Rejected};
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;

/// Most pages of one round. At 200 users a page this is far beyond any directory.
pub const PAGES_MAX: u64 = 1_000_000;

/// What to ask the feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeltaRequest {
    /// From the beginning, with every property of the profile selected. Options belong into this request only; the
    /// tokens carry them on.
    First,
    /// A link that the feed gave, byte for byte.
    Link(LinkUrl),
}

/// A page of a feed: of users, if nothing else is said.
#[derive(Clone, Debug, PartialEq)]
pub struct DeltaPage<T = WireUser> {
    /// The server's `Date`.
    pub at: Instant,
    /// What is on it, in its order.
    pub items: Vec<T>,
    /// Items that are something else, each with its reason.
    pub rejected: Vec<Rejected>,
    /// Where the feed goes on.
    pub link: DeltaLink,
}

/// Where the feed goes on after a page. Checked: it leads to the configured Graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeltaLink {
    /// `@odata.nextLink`: the round has another page.
    Next(LinkUrl),
    /// `@odata.deltaLink`: the round is complete; the next one begins here.
    Delta(LinkUrl),
}

/// A round under way: what it has followed and reported so far.
#[derive(Debug, Default)]
pub struct Round {
    pages: u64,
    pages_max: u64,
    followed: HashSet<(u64, u64)>,
    reported: HashMap<ObjectId, (Instant, u64)>,
}

/// What a page brings to its round.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// The page's users, without those that this round has already reported at the same second with the same values. A
    /// repeat at a later second stays: the object may have changed there and back between the two pages, so only the
    /// later reading starts a proof.
    pub fresh: Vec<WireUser>,
    /// What to do next.
    pub step: Step,
}

/// The next step of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ask this link for the next page.
    Follow(LinkUrl),
    /// The round is complete; keep this link for the next one, after the page is stored.
    Done(LinkUrl),
}

impl DeltaPage {
    /// Reads the body of a 200 that was dated `at`.
    pub fn parse(endpoints: &Endpoints, at: Instant, body: &[u8]) -> Result<Self, GraphError> {
        let asked = Asked::UsersDelta;
        let page = RawPage::parse(&asked, body)?;
        let read = page.read_users();
        Self::of(endpoints, asked, at, page, read)
    }
}

impl DeltaPage<WireAddressee> {
    /// Reads the body of a 200 that was dated `at`.
    pub fn parse_addressees(
        endpoints: &Endpoints,
        collection: Collection,
        at: Instant,
        body: &[u8],
    ) -> Result<Self, GraphError> {
        let asked = Asked::AddresseesDelta(collection);
        let page = RawPage::parse(&asked, body)?;
        let read = page.read(|index, item| WireAddressee::read(collection, index, item));
        Self::of(endpoints, asked, at, page, read)
    }
}

impl<T> DeltaPage<T> {
    fn of(
        endpoints: &Endpoints,
        asked: Asked,
        at: Instant,
        page: RawPage,
        (items, rejected): (Vec<T>, Vec<Rejected>),
    ) -> Result<Self, GraphError> {
        let malformed = |why: &str| GraphError::Malformed { asked: asked.clone(), why: why.to_owned() };
        let link = match (page.next, page.delta) {
            (Some(next), None) => DeltaLink::Next(next),
            (None, Some(delta)) => DeltaLink::Delta(delta),
            (Some(_), Some(_)) => return Err(malformed("it has both a next link and a delta link")),
            (None, None) => return Err(malformed("it has neither a next link nor a delta link")),
        };
        let (DeltaLink::Next(url) | DeltaLink::Delta(url)) = &link;
        endpoints.own(url.as_str())?;
        Ok(Self { at, items, rejected, link })
    }
}

impl Round {
    /// A round that begins, or goes on after a crash, with this request.
    pub fn new(request: &DeltaRequest) -> Self {
        Self::bounded(request, PAGES_MAX)
    }

    /// The same with another bound on its pages.
    pub fn bounded(request: &DeltaRequest, pages_max: u64) -> Self {
        let mut round = Self { pages_max, ..Self::default() };
        if let DeltaRequest::Link(link) = request {
            round.followed.insert(fingerprint(link));
        }
        round
    }

    /// How many pages the round has taken.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Takes the next page. After an error the round is over; its last stored link is where to begin again.
    pub fn take(&mut self, page: DeltaPage) -> Result<Accepted, GraphError> {
        self.pages += 1;
        let pages = self.pages;
        let step = match page.link {
            DeltaLink::Delta(link) => Step::Done(link),
            DeltaLink::Next(_) if pages >= self.pages_max => {
                return Err(GraphError::TooManyPages { asked: Asked::UsersDelta, pages });
            }
            DeltaLink::Next(link) => {
                if !self.followed.insert(fingerprint(&link)) {
                    return Err(GraphError::LinkLoop { asked: Asked::UsersDelta, pages });
                }
                Step::Follow(link)
            }
        };
        let at = page.at;
        let mut fresh = page.items;
        // Compared with the last report only: A, B, A must not lose that A holds now.
        fresh.retain(|user| {
            let report = (at, content(user));
            self.reported.insert(user.id, report) != Some(report)
        });
        Ok(Accepted { fresh, step })
    }
}

/// Two independent hashes, so that a million links do not collide by chance.
fn fingerprint(link: &LinkUrl) -> (u64, u64) {
    let hash = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, link).hash(&mut hasher);
        hasher.finish()
    };
    (hash(0), hash(1))
}

fn content(user: &WireUser) -> u64 {
    let mut hasher = DefaultHasher::new();
    user.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::graph::cloud::Cloud;

    const GRAPH: &str = "https://graph.microsoft.com/v1.0/users/delta";

    fn parse(body: &Value) -> Result<DeltaPage, GraphError> {
        let endpoints = Endpoints::new(Cloud::Global, None, None).unwrap();
        DeltaPage::parse(&endpoints, Instant::from_micros(0), body.to_string().as_bytes())
    }

    fn next(value: Value, token: &str) -> Value {
        json!({"value": value, "@odata.nextLink": format!("{GRAPH}?$skiptoken={token}")})
    }

    fn last(value: Value) -> Value {
        json!({"value": value, "@odata.deltaLink": format!("{GRAPH}?$deltatoken=end")})
    }

    fn user(number: u8, upn: &str) -> Value {
        json!({"id": format!("00000000-0000-4000-8000-0000000000{number:02x}"), "userPrincipalName": upn})
    }

    fn round() -> Round {
        Round::new(&DeltaRequest::First)
    }

    #[test]
    fn an_empty_page_with_a_next_link_goes_on() {
        let accepted = round().take(parse(&next(json!([]), "a")).unwrap()).unwrap();
        assert_eq!(accepted.step, Step::Follow(format!("{GRAPH}?$skiptoken=a").into()));
        assert!(accepted.fresh.is_empty());
    }

    #[test]
    fn links_are_kept_byte_for_byte() {
        let odd = "https://GRAPH.microsoft.com:443/v1.0/users/microsoft.graph.delta()?$SkipToken=a%2fb+c%20'd'";
        let page = parse(&json!({"value": [], "@odata.nextLink": odd})).unwrap();
        assert_eq!(page.link, DeltaLink::Next(odd.into()));
    }

    #[test]
    fn both_links_or_none_are_malformed() {
        for body in [
            json!({"value": []}),
            json!({"value": [], "@odata.nextLink": GRAPH, "@odata.deltaLink": GRAPH}),
            json!({"@odata.deltaLink": GRAPH}),
            json!({"value": {}, "@odata.deltaLink": GRAPH}),
            json!([]),
        ] {
            assert!(matches!(parse(&body), Err(GraphError::Malformed { .. })), "{body}");
        }
    }

    #[test]
    fn foreign_links_of_either_kind_are_refused() {
        for key in ["@odata.nextLink", "@odata.deltaLink"] {
            let error = parse(&json!({"value": [], key: "https://evil.test/v1.0/users/delta?$t=secret"})).unwrap_err();
            assert!(matches!(error, GraphError::ForeignLink { .. }));
            assert!(!format!("{error} {error:?}").contains("secret"), "the token does not leave by the message");
        }
    }

    #[test]
    fn an_error_object_inside_a_200_is_an_error_and_not_an_empty_page() {
        let error = parse(&json!({"error": {"code": "generalException"}})).unwrap_err();
        assert!(matches!(&error, GraphError::ErrorInside { code, .. } if code == "generalException"), "{error}");
    }

    #[test]
    fn malformed_json_is_named_by_place_and_not_quoted() {
        let endpoints = Endpoints::new(Cloud::Global, None, None).unwrap();
        for body in
            [&b"{\"value\": [{\"mail\": \"ann@x.test\""[..], b"{\"value\": \"ann@x.test\"}", b"<html>ann@x.test", b""]
        {
            let error = DeltaPage::parse(&endpoints, Instant::from_micros(0), body).unwrap_err().to_string();
            assert!(error.contains("malformed") && error.contains("line 1") && !error.contains("ann"), "{error}");
        }
    }

    #[test]
    fn a_next_link_that_repeats_is_a_loop() {
        let mut round = Round::new(&DeltaRequest::Link(format!("{GRAPH}?$skiptoken=a").into()));
        round.take(parse(&next(json!([]), "b")).unwrap()).unwrap();
        let error = round.take(parse(&next(json!([]), "a")).unwrap()).unwrap_err();
        assert!(matches!(error, GraphError::LinkLoop { pages: 2, .. }), "{error}");
    }

    #[test]
    fn a_round_without_end_is_stopped() {
        let mut round = Round::bounded(&DeltaRequest::First, 3);
        for token in ["a", "b"] {
            round.take(parse(&next(json!([]), token)).unwrap()).unwrap();
        }
        assert!(matches!(round.take(parse(&next(json!([]), "c")).unwrap()), Err(GraphError::TooManyPages { .. })));
    }

    #[test]
    fn a_value_that_returns_within_a_round_is_not_swallowed_as_a_repeat() {
        let mut round = round();
        let mut take = |body: Value| round.take(parse(&body).unwrap()).unwrap().fresh.len();
        assert_eq!(take(next(json!([user(1, "a@x.test"), user(1, "a@x.test")]), "1")), 1);
        assert_eq!(take(next(json!([user(1, "b@x.test")]), "2")), 1);
        assert_eq!(take(last(json!([user(1, "a@x.test")]))), 1);
    }

    proptest! {
        /// However the server cuts a round into pages, repeats objects and inserts empty pages: the same users arrive,
        /// each once, and the round ends with the delta link.
        #[test]
        fn any_split_with_repeats_and_empty_pages_yields_the_same_users(
            order in prop::collection::vec(0u8..30, 0..80),
            cuts in prop::collection::vec(0usize..80, 0..20),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(order.len())).collect();
            cuts.sort_unstable();
            cuts.push(order.len());
            let (mut round, mut from, mut got, mut done) = (round(), 0, Vec::new(), None);
            for (number, cut) in cuts.iter().enumerate() {
                let items: Vec<Value> = order[from..*cut].iter().map(|n| user(*n, &format!("u{n}@x.test"))).collect();
                from = *cut;
                let body = if number + 1 == cuts.len() { last(json!(items)) } else { next(json!(items), &number.to_string()) };
                let accepted = round.take(parse(&body).unwrap()).unwrap();
                got.extend(accepted.fresh.iter().map(|user| user.user_principal_name.clone().unwrap()));
                if let Step::Done(link) = accepted.step { done = Some(link); }
            }
            let wanted: BTreeMap<String, ()> = order.iter().map(|n| (format!("u{n}@x.test"), ())).collect();
            let unique: BTreeMap<String, ()> = got.iter().map(|upn| (upn.clone(), ())).collect();
            prop_assert_eq!(got.len(), unique.len(), "each once");
            prop_assert_eq!(unique, wanted);
            prop_assert_eq!(done, Some(format!("{GRAPH}?$deltatoken=end").into()));
        }
    }
}
