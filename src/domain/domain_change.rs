//! A company gets another domain: thousands of renames that are one event.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::id::ObjectId;
use super::name::Name;
use super::time::Instant;

/// Fewer renames from one domain to another are told one by one.
pub const RENAMES_MIN: usize = 5;
/// Most objects named in a list of a [`DomainChanged`], so that no record grows beyond 64 KiB.
pub const NAMED_MAX: usize = 1_000;

/// From one domain to another, both in the form in which names compare.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct SuffixMap {
    /// The domain that is left.
    pub from: String,
    /// The domain that is taken.
    pub to: String,
}

/// One object's new name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    /// Who.
    pub object: ObjectId,
    /// The name before.
    pub from: Name,
    /// The name after.
    pub to: Name,
}

/// Many renames of one round by one map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainChange {
    /// From where to where.
    pub map: SuffixMap,
    /// Who moved and kept the part before the `@`.
    pub moved: Vec<ObjectId>,
    /// Who moved and did not keep it, usually because it was taken.
    pub exceptions: Vec<ObjectId>,
}

/// The fact of a domain change. Names are not repeated in it: the objects' own facts have them.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct DomainChanged {
    /// The run that brought it.
    pub run: u64,
    /// When that run was applied.
    pub at: Instant,
    /// From where to where.
    pub map: SuffixMap,
    /// How many moved, exceptions included.
    pub renamed: u64,
    /// How many of them did not keep the part before the `@`.
    pub exceptions: u64,
    /// How many live users still are in the old domain.
    pub stragglers: u64,
    /// The first [`NAMED_MAX`] exceptions.
    pub named_exceptions: Vec<ObjectId>,
    /// The first [`NAMED_MAX`] stragglers.
    pub named_stragglers: Vec<ObjectId>,
}

/// The domain changes among the renames of a round, the largest first.
pub fn domain_changes(renames: &[Rename]) -> Vec<DomainChange> {
    let mut maps: BTreeMap<SuffixMap, DomainChange> = BTreeMap::new();
    for rename in renames {
        let (Some((local, from)), Some((new_local, to))) = (parts(&rename.from), parts(&rename.to)) else { continue };
        if from == to {
            continue;
        }
        let map = SuffixMap { from: from.to_owned(), to: to.to_owned() };
        let change = maps.entry(map.clone()).or_insert(DomainChange { map, moved: Vec::new(), exceptions: Vec::new() });
        let list = if local == new_local { &mut change.moved } else { &mut change.exceptions };
        list.push(rename.object);
    }
    let mut changes: Vec<DomainChange> =
        maps.into_values().filter(|change| change.moved.len() >= RENAMES_MIN).collect();
    for change in &mut changes {
        change.moved.sort();
        change.exceptions.sort();
    }
    changes.sort_by(|a, b| b.moved.len().cmp(&a.moved.len()).then_with(|| a.map.cmp(&b.map)));
    changes
}

impl SuffixMap {
    /// Whether a rename moves a name from the one domain to the other and changes nothing else.
    pub fn explains(&self, from: &Name, to: &Name) -> bool {
        let (Some((local, from)), Some((new_local, to))) = (parts(from), parts(to)) else { return false };
        local == new_local && from == self.from && to == self.to
    }

    /// Whether a name is still in the domain that is left.
    pub fn is_left_behind(&self, name: &Name) -> bool {
        parts(name).is_some_and(|(_, domain)| domain == self.from)
    }
}

/// Text that announces no domain change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} announces no change of domain: write the old and the new one like old.example=new.example")]
pub struct NoSuffixMap {
    given: String,
}

/// As it is typed: `old.example=new.example`.
impl std::fmt::Display for SuffixMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}={}", self.from, self.to)
    }
}

impl FromStr for SuffixMap {
    type Err = NoSuffixMap;

    fn from_str(text: &str) -> Result<Self, NoSuffixMap> {
        let refuse = || NoSuffixMap { given: text.chars().take(120).collect() };
        let domain = |text: &str| {
            let text = text.trim().trim_start_matches('@');
            let name: Name = format!("x@{text}").parse().ok()?;
            let (_, domain) = parts(&name)?;
            (!domain.is_empty() && !text.contains('@') && !text.contains(' ')).then(|| domain.to_owned())
        };
        let (from, to) = text.split_once('=').ok_or_else(refuse)?;
        let map = Self { from: domain(from).ok_or_else(refuse)?, to: domain(to).ok_or_else(refuse)? };
        if map.from == map.to { Err(refuse()) } else { Ok(map) }
    }
}

fn parts(name: &Name) -> Option<(&str, &str)> {
    name.key().as_str().rsplit_once('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rename(number: u8, from: &str, to: &str) -> Rename {
        Rename { object: ObjectId::from_bytes([number; 16]), from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    #[test]
    fn many_renames_by_one_map_are_one_change_with_its_exceptions() {
        let mut all: Vec<Rename> =
            (0..7).map(|n| rename(n, &format!("U{n}@Old.test"), &format!("u{n}@x.test"))).collect();
        all.push(rename(9, "ann@old.test", "ann2@x.test"));
        all.push(rename(8, "bob@old.test", "bob2@x.test"));
        // A marriage and a move elsewhere are none of it.
        all.push(rename(10, "eve@x.test", "eva@x.test"));
        all.push(rename(11, "tom@old.test", "tom@other.test"));
        let changes = domain_changes(&all);
        let [change] = changes.as_slice() else { panic!("{changes:?}") };
        assert_eq!(change.map, "old.test=x.test".parse().unwrap());
        assert_eq!(change.moved.len(), 7);
        assert_eq!(change.exceptions, [ObjectId::from_bytes([8; 16]), ObjectId::from_bytes([9; 16])]);
    }

    #[test]
    fn a_few_renames_are_no_change_of_domain() {
        let few: Vec<Rename> = (0..4).map(|n| rename(n, &format!("u{n}@old.test"), &format!("u{n}@x.test"))).collect();
        assert_eq!(domain_changes(&few), []);
        let others: Vec<Rename> = (0..9).map(|n| rename(n, &format!("u{n}@old.test"), "z@x.test")).collect();
        assert_eq!(domain_changes(&others), [], "nobody kept the part before the @");
    }

    #[test]
    fn an_announcement_explains_what_keeps_the_part_before_the_at() {
        let map: SuffixMap = "OLD.test=@bücher.test".parse().unwrap();
        assert_eq!(map.to, "xn--bcher-kva.test");
        let explains = |from: &str, to: &str| map.explains(&from.parse().unwrap(), &to.parse().unwrap());
        assert!(explains("Ann@old.test", "ann@BÜCHER.test"));
        assert!(!explains("ann@old.test", "ann2@bücher.test"));
        assert!(!explains("ann@bücher.test", "ann@old.test"));
        for text in ["", "old.test", "a=a", "=x.test", "old.test=", "a@b=c", "a b=c"] {
            assert!(text.parse::<SuffixMap>().is_err(), "{text}");
        }
    }
}
