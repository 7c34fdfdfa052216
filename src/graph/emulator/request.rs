//! A request as the emulator reads it: OData paths and options, and links that hold opaque state.

use data_encoding::HEXLOWER;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A request, taken apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Request {
    pub(super) method: String,
    /// The path as sent, without the query.
    pub(super) path: String,
    /// Decoded path segments; `users('x')` counts as two, a version prefix as none.
    pub(super) segments: Vec<String>,
    /// Decoded options. Their names are in lower case, because Graph's own documents mix the cases.
    pub(super) options: Vec<(String, String)>,
    /// Header names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn new(method: &str, target: &str, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let options = url::form_urlencoded::parse(query.as_bytes());
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            segments: segments(path),
            options: options.map(|(name, value)| (name.to_ascii_lowercase(), value.into_owned())).collect(),
            headers,
            body,
        }
    }

    /// The segments as a slice to match on.
    pub(super) fn route(&self) -> Vec<&str> {
        self.segments.iter().map(String::as_str).collect()
    }

    /// An option by its name in lower case, for example `$select`.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether one of the `Prefer` header's preferences is `wanted`.
    pub(super) fn prefers(&self, wanted: &str) -> bool {
        self.preferences().any(|preference| preference.eq_ignore_ascii_case(wanted))
    }

    /// The page size that the client would like.
    pub(super) fn preferred_page_size(&self) -> Option<usize> {
        let sizes = self.preferences().filter_map(|preference| {
            let (name, value) = preference.split_once('=')?;
            name.trim().eq_ignore_ascii_case("odata.maxpagesize").then(|| value.trim().parse().ok())?
        });
        sizes.filter(|size| *size > 0).last()
    }

    fn preferences(&self) -> impl Iterator<Item = &str> {
        let all = self.headers.iter().filter(|(name, _)| name == "prefer");
        all.flat_map(|(_, value)| value.split(',')).map(str::trim)
    }
}

/// State as an opaque token: hexadecimal, so that it survives any client's encoding of links.
pub(super) fn to_token(state: &impl Serialize) -> String {
    HEXLOWER.encode(&serde_json::to_vec(state).unwrap_or_default())
}

/// The state in a token, or `None` if it is not one of ours.
pub(super) fn from_token<T: DeserializeOwned>(token: &str) -> Option<T> {
    serde_json::from_slice(&HEXLOWER.decode(token.as_bytes()).ok()?).ok()
}

/// The quoted strings that a filter of the form `p eq 'x' or p eq 'y'` allows, and the property; `None` for other forms.
/// Of a collection, `p/any(x:x eq 'y')`, the property is `p/any`.
pub(super) fn equalities(filter: &str) -> Option<(String, Vec<String>)> {
    let mut property = None;
    let mut values = Vec::new();
    for clause in filter.trim().split(" or ") {
        let (name, rest) = clause.trim().trim_start_matches('(').split_once(" eq ")?;
        let name = member_of_any(name.trim()).unwrap_or(name.trim());
        let value = rest.trim().trim_end_matches(')').strip_prefix('\'')?.strip_suffix('\'')?;
        if property.get_or_insert_with(|| name.to_owned()) != name {
            return None;
        }
        values.push(value.replace("''", "'"));
    }
    property.map(|property| (property, values))
}

/// `p/any` of `p/any(x:x`: a lambda over a collection, whose variable has any name.
fn member_of_any(clause: &str) -> Option<&str> {
    let (collection, lambda) = clause.split_once('(')?;
    let (variable, body) = lambda.split_once(':')?;
    (collection.ends_with("/any") && variable.trim() == body.trim()).then_some(collection)
}

fn segments(path: &str) -> Vec<String> {
    let mut all = Vec::new();
    for raw in path.split('/').filter(|segment| !segment.is_empty()) {
        let segment = percent_decoded(raw);
        match segment.split_once("('").and_then(|(set, key)| Some((set, key.strip_suffix("')")?))) {
            Some((set, key)) => all.extend([set.to_owned(), key.replace("''", "'")]),
            None => all.push(segment.strip_suffix("()").map_or_else(|| segment.clone(), str::to_owned)),
        }
    }
    if all.first().is_some_and(|first| first == "v1.0" || first == "beta") {
        all.remove(0);
    }
    all
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail.get(..2).filter(|_| *first == b'%').and_then(|pair| std::str::from_utf8(pair).ok());
        match escaped.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(target: &str) -> Vec<String> {
        Request::new("GET", target, Vec::new(), Vec::new()).segments
    }

    #[test]
    fn odata_paths_come_apart_alike_in_all_their_spellings() {
        assert_eq!(route("/v1.0/users/microsoft.graph.delta()?$select=id"), ["users", "microsoft.graph.delta"]);
        assert_eq!(route("/users('$x@y.test')"), ["users", "$x@y.test"]);
        assert_eq!(route("/v1.0/users('o''neil@y.test')"), ["users", "o'neil@y.test"]);
        assert_eq!(route("/v1.0/users/a_b%23EXT%23@y.test"), ["users", "a_b#EXT#@y.test"]);
        assert_eq!(route("/v1.0/users/%zz%"), ["users", "%zz%"]);
    }

    #[test]
    fn tokens_come_back_as_they_went_and_strange_ones_do_not() {
        let token = to_token(&vec![1, 2, 3]);
        assert_eq!(from_token::<Vec<i32>>(&token), Some(vec![1, 2, 3]));
        for strange in ["", "zz", "5b31", "é"] {
            assert_eq!(from_token::<Vec<i32>>(strange), None, "{strange}");
        }
    }

    #[test]
    fn only_equalities_of_one_property_are_read() {
        let read = equalities("id eq 'a' or id eq 'b'").unwrap();
        assert_eq!(read, ("id".to_owned(), vec!["a".to_owned(), "b".to_owned()]));
        for lambda in ["p/any(x:x eq 'a')", "p/any(address: address eq 'a')"] {
            assert_eq!(equalities(lambda), Some(("p/any".to_owned(), vec!["a".to_owned()])), "{lambda}");
        }
        assert_eq!(equalities("startswith(mail,'a')"), None);
        assert_eq!(equalities("id eq 'a' or mail eq 'b'"), None);
    }
}
