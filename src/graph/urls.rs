//! The URLs of Graph's requests, with names put in safely. Pure.

use std::collections::BTreeSet;
use std::fmt;

use super::wire::addressee::Collection;
use super::wire::user::{SELECT, SELECT_DELETED};
use crate::domain::attribute::Attribute;
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;

/// How one user is asked for: by object id or by UPN, nothing else (graph: api-reference/v1.0/api/user-get.md).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum UserKey<'a> {
    /// By object id.
    Id(ObjectId),
    /// By user principal name: whoever holds it now.
    Upn(&'a str),
}

/// Which events of the audit log are wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// From this instant on, inclusive.
    pub since: Option<Instant>,
    /// Through this instant, inclusive.
    pub until: Option<Instant>,
    /// Only events of the directory itself, which alone tell of names.
    pub core_directory: bool,
    /// Only events with this object among their targets; works for purged objects too.
    pub target: Option<ObjectId>,
}

/// What every request for users selects: the profile, and the attributes that mapping rules look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selected(String);

impl Selected {
    pub(crate) fn with(attributes: &BTreeSet<Attribute>) -> Self {
        let properties: BTreeSet<&str> = attributes.iter().map(|attribute| attribute.property()).collect();
        Self(std::iter::once(SELECT).chain(properties).collect::<Vec<_>>().join(","))
    }
}

/// The first request of the delta feed.
pub(crate) fn delta(Selected(select): &Selected) -> String {
    format!("/users/delta?$select={select}")
}

/// The delta feed from now on: no items, only a link (graph: concepts/delta-query-overview.md).
pub(crate) fn delta_from_now(selected: &Selected) -> String {
    format!("{}&$deltatoken=latest", delta(selected))
}

pub(crate) fn one_deleted_user() -> String {
    "/directory/deletedItems/microsoft.graph.user?$select=id&$top=1".to_owned()
}

pub(crate) fn one_addressee(collection: Collection) -> String {
    format!("/{}?$select={}&$top=1", collection.segment(), collection.select())
}

pub(crate) fn one_audit() -> String {
    "/auditLogs/directoryAudits?$top=1".to_owned()
}

pub(crate) fn users(Selected(select): &Selected) -> String {
    format!("/users?$select={select}&$top=999")
}

/// Without a cast to users: a cast is answered from another index, which trails behind the directory without a bound
/// (graph: concepts/aad-advanced-queries.md). Each item tells its type.
pub(crate) fn members(group: ObjectId) -> String {
    format!("/groups/{group}/transitiveMembers?$select=id&$top=999")
}

/// The cast to user is mandatory there.
pub(crate) fn deleted_users() -> String {
    format!("/directory/deletedItems/microsoft.graph.user?$select={SELECT_DELETED}&$top=999")
}

/// With the cast too: without it only properties that every directory object has can be selected.
pub(crate) fn deleted_user(id: ObjectId) -> String {
    format!("/directory/deletedItems/microsoft.graph.user/{id}?$select={SELECT_DELETED}")
}

pub(crate) fn addressees(collection: Collection) -> String {
    format!("/{}?$select={}&$top=999", collection.segment(), collection.select())
}

/// The first request of the feed of groups or contacts. Without `$select` a group would come with all its members.
pub(crate) fn addressees_delta(collection: Collection) -> String {
    format!("/{}/delta?$select={}", collection.segment(), collection.select())
}

/// At most fifteen ids: more clauses are refused.
pub(crate) fn addressees_by_id(collection: Collection, ids: &[ObjectId]) -> String {
    let clauses: Vec<String> = ids.iter().map(|id| format!("id eq '{id}'")).collect();
    filtered(collection, &clauses.join(" or "))
}

/// Both prefixes are asked for, because no page says that they compare without case.
pub(crate) fn addressees_by_address(collection: Collection, address: &str) -> String {
    let address = address.replace('\'', "''");
    let clauses = ["smtp", "SMTP"].map(|prefix| format!("proxyAddresses/any(p:p eq '{prefix}:{address}')"));
    filtered(collection, &clauses.join(" or "))
}

fn filtered(collection: Collection, filter: &str) -> String {
    let (segment, select) = (collection.segment(), collection.select());
    format!("/{segment}?$select={select}&$filter={}", encode(filter, b":/()'"))
}

pub(crate) fn user(key: UserKey<'_>, Selected(select): &Selected) -> String {
    let segment = match key {
        UserKey::Id(id) => format!("/{id}"),
        // A UPN that begins with `$` must be quoted. So is one without `@`: unquoted, `delta` or `..` would be another path.
        UserKey::Upn(upn) if upn.starts_with('$') || !upn.contains('@') => {
            format!("('{}')", encode(&upn.replace('\'', "''"), b"$'"))
        }
        UserKey::Upn(upn) => format!("/{}", encode(upn, b"")),
    };
    format!("/users{segment}?$select={select}")
}

pub(crate) fn audits(filter: &AuditFilter) -> String {
    let mut terms = Vec::new();
    if let Some(since) = filter.since {
        terms.push(format!("activityDateTime ge {since}"));
    }
    if let Some(until) = filter.until {
        terms.push(format!("activityDateTime le {until}"));
    }
    if filter.core_directory {
        terms.push("loggedByService eq 'Core Directory'".to_owned());
    }
    if let Some(target) = filter.target {
        terms.push(format!("targetResources/any(t: t/id eq '{target}')"));
    }
    let mut url = "/auditLogs/directoryAudits?$top=999".to_owned();
    if !terms.is_empty() {
        url.push_str("&$filter=");
        url.push_str(&encode(&terms.join(" and "), b":/()'"));
    }
    url
}

/// Percent-encodes all but letters, digits, `-._~@` and the bytes allowed. A space is `%20`: `+` is a plus to OData.
fn encode(text: &str, allowed: &[u8]) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) || allowed.contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The id only: a name is personal data.
impl fmt::Debug for UserKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "Id({id})"),
            Self::Upn(_) => f.write_str("Upn(…)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_out_of_their_place_in_the_url() {
        for (upn, path) in [
            ("ann@x.test", "/users/ann@x.test?"),
            ("ann_y.test#EXT#@x.test", "/users/ann_y.test%23EXT%23@x.test?"),
            ("o'hara@x.test", "/users/o%27hara@x.test?"),
            ("$x@y", "/users('$x@y')?"),
            ("$o'x@y", "/users('$o''x@y')?"),
            ("a/../b@x.test", "/users/a%2F..%2Fb@x.test?"),
            ("a?b@x.test", "/users/a%3Fb@x.test?"),
            ("a b%41@x.test", "/users/a%20b%2541@x.test?"),
            ("müller@x.test", "/users/m%C3%BCller@x.test?"),
            ("delta", "/users('delta')?"),
            ("..", "/users('..')?"),
        ] {
            let url = user(UserKey::Upn(upn), &Selected::with(&BTreeSet::new()));
            assert!(url.starts_with(path), "{upn}: {url}");
        }
    }

    #[test]
    fn every_request_for_users_selects_the_whole_profile() {
        let plain = Selected::with(&BTreeSet::new());
        for url in [delta(&plain), users(&plain), deleted_users(), user(UserKey::Upn("a@b"), &plain)] {
            assert!(url.contains("$select=id,userPrincipalName,mail,proxyAddresses"), "{url}");
            assert!(!url.contains("signInActivity"), "it makes lookups by UPN fail");
        }
        assert!(!delta(&plain).contains("$top"), "delta refuses $top");
    }

    #[test]
    fn attributes_are_selected_by_their_properties_each_once() {
        let named = ["department", "extensionAttribute2", "extensionAttribute9"].map(|name| name.parse().unwrap());
        let url = delta(&Selected::with(&named.into()));
        assert!(url.ends_with(",assignedPlans,department,onPremisesExtensionAttributes"), "{url}");
    }

    #[test]
    fn an_address_cannot_break_out_of_the_filter_for_groups() {
        let url = addressees_by_address(Collection::Groups, "o'hara&$top=1@x.test");
        let filter = url.split_once("&$filter=").unwrap().1;
        assert!(
            filter.starts_with("proxyAddresses/any(p:p%20eq%20'smtp:o''hara%26%24top%3D1@x.test')%20or%20"),
            "{url}"
        );
        assert!(filter.ends_with("'SMTP:o''hara%26%24top%3D1@x.test')"), "{url}");
    }

    #[test]
    fn audit_filters_are_encoded_without_plus_signs() {
        let filter = AuditFilter { since: Some("2026-03-01T00:00:00.5Z".parse().unwrap()), ..AuditFilter::default() };
        assert_eq!(
            audits(&filter),
            "/auditLogs/directoryAudits?$top=999&$filter=activityDateTime%20ge%202026-03-01T00:00:00.500Z"
        );
        assert_eq!(audits(&AuditFilter::default()), "/auditLogs/directoryAudits?$top=999");
    }
}
