//! What every store of a ledger must do. Each sentence below is tested on the store in memory and on the one on disk.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "these are tests")]

#[path = "common/engine.rs"]
mod engine;
#[path = "../src/store/testing.rs"]
mod testing;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use whowas::domain::attribution::{Judgement, Settling};
use whowas::domain::fact::*;
use whowas::domain::holder::HolderConfidence;
use whowas::domain::id::{ChainId, ObjectId, Sequence, SnapshotId, TenantId};
use whowas::domain::name::{Name, NameKey, NameKind, Namespace, Proxy};
use whowas::domain::time::Instant;
use whowas::store::hash::{Header, HeaderVersion, commit_hash};
use whowas::store::memory::MemoryStore;
use whowas::store::sled::{LedgerKey, SledOptions, SledStore};
use whowas::store::{
    Commit, Counts, Cursor, Derived, Entry, FindingCounts, Hash, Head, Known, LedgerStore, Link, LogNode, Order,
    Outcome, Posting, Proved, RawEntry, Run, RunKind, SnapshotRecord, StoreError, Subject, TenantState, Trigger,
};

/// A store that can be closed and opened again.
trait Kept {
    fn store(&self) -> &dyn LedgerStore;
    fn reopen(&mut self);
}

struct InMemory(MemoryStore);

impl Kept for InMemory {
    fn store(&self) -> &dyn LedgerStore {
        &self.0
    }

    fn reopen(&mut self) {}
}

struct OnDisk {
    store: Option<SledStore>,
    directory: TempDir,
    key: Option<LedgerKey>,
    /// Whether it has copies in memory, as in a service.
    is_copied: bool,
}

impl OnDisk {
    fn new() -> Self {
        Self::with(None, false)
    }

    fn encrypted() -> Self {
        Self::with(Some(LedgerKey::new([7; 32], [8; 32])), false)
    }

    fn copied() -> Self {
        Self::with(None, true)
    }

    fn with(key: Option<LedgerKey>, is_copied: bool) -> Self {
        let mut kept = Self { store: None, directory: TempDir::new().unwrap(), key, is_copied };
        kept.open(true);
        kept
    }

    fn open(&mut self, create: bool) {
        let options = SledOptions { key: self.key.clone(), ..options(create) };
        let store = SledStore::open(self.directory.path(), options).unwrap();
        if self.is_copied {
            copy(&store);
        }
        self.store = Some(store);
    }
}

impl Kept for OnDisk {
    fn store(&self) -> &dyn LedgerStore {
        self.store.as_ref().unwrap()
    }

    fn reopen(&mut self) {
        self.store = None;
        self.open(false);
    }
}

/// Copies into memory whatever is copied.
fn copy(store: &SledStore) {
    store.keep_resident(1 << 30);
    while store.fill_resident().unwrap() {}
    let copied = store.residency();
    assert!(copied.names && copied.chains && copied.snapshots, "{copied:?}");
}

fn options(create: bool) -> SledOptions {
    let now = Instant::from_micros(1_700_000_000_000_000);
    SledOptions { create, cache_capacity_bytes: 16 << 20, ..SledOptions::new("test", now) }
}

macro_rules! suite {
    ($($sentence:ident),+ $(,)?) => {
        mod memory {
            $(#[test] fn $sentence() { super::$sentence(&mut super::InMemory(super::MemoryStore::new())); })+
        }
        mod sled {
            $(#[test] fn $sentence() { super::$sentence(&mut super::OnDisk::new()); })+
        }
        mod copied {
            $(#[test] fn $sentence() { super::$sentence(&mut super::OnDisk::copied()); })+
        }
        mod encrypted {
            $(#[test] fn $sentence() { super::$sentence(&mut super::OnDisk::encrypted()); })+
        }
    };
}

suite!(
    an_empty_store_answers_with_nothing,
    commits_are_numbered_and_chained_and_a_late_writer_is_refused,
    time_never_runs_backwards_and_refused_commits_leave_no_trace,
    records_about_something_else_are_refused,
    an_object_with_a_long_history_comes_back_whole,
    a_fact_larger_than_any_value_comes_back_whole,
    postings_of_both_namespaces_merge,
    vacancies_come_back_in_order_of_their_commits,
    snapshots_page_in_both_orders,
    a_snapshot_is_replaced_even_when_its_beginning_moves,
    chains_are_found_by_object_and_by_name,
    names_and_chains_are_found_by_how_they_begin,
    runs_come_newest_first,
    tenant_facts_are_told_through_a_commit,
    tenants_never_see_each_other,
    the_merkle_log_has_the_nodes_of_all_commits,
    a_commit_of_a_thousand_users_is_read_back,
    a_rebuild_gives_the_same_bytes_and_blocks_appends_meanwhile,
    a_scratch_store_is_empty_and_takes_derived_records,
    a_commit_goes_to_another_store_with_its_hash_or_not_at_all,
);

const TENANT: TenantId = TenantId::from_bytes([0x11; 16]);

fn object(n: u16) -> ObjectId {
    let mut bytes = [0xab; 16];
    bytes[..2].copy_from_slice(&n.to_be_bytes());
    ObjectId::from_bytes(bytes)
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn key(text: &str) -> NameKey {
    name(text).key().clone()
}

fn chain(text: &str) -> ChainId {
    text.parse().unwrap()
}

fn snapshot_id(text: &str) -> SnapshotId {
    text.parse().unwrap()
}

fn at(micros: i64) -> Instant {
    Instant::from_micros(micros)
}

fn reading(micros: i64) -> Reading {
    Reading { at: at(micros), lag: Duration::from_secs(300), source: Source::Delta, unchanged_since: None }
}

fn seen(n: u16, upn: &str) -> Fact {
    let profile = Profile {
        upn: Some(name(upn)),
        mail: Some(name(upn)),
        proxies: vec![Proxy::Primary(name(upn)), Proxy::Alias(name(&format!("a{n}@x.onmicrosoft.test")))],
        ..Profile::default()
    };
    Fact::Seen(Seen { object: object(n), reading: reading(i64::from(n)), profile })
}

fn commit(micros: i64, facts: Vec<Fact>) -> Commit {
    Commit { recorded: at(micros), salt: [5; 16], facts, cursor: None, run: None }
}

/// Derives as little as these tests need: objects and postings.
fn derive(facts: &[Fact]) -> Derived {
    let mut objects: BTreeMap<ObjectId, Vec<Fact>> = BTreeMap::new();
    let mut postings = Vec::new();
    for fact in facts {
        let Some(object) = fact.object() else { continue };
        objects.entry(object).or_default().push(fact.clone());
        postings.extend(fact.names().into_iter().map(|(space, name)| (name.key().clone(), object, space)));
    }
    Derived { objects: objects.into_iter().collect(), postings, ..Derived::default() }
}

fn put(store: &dyn LedgerStore, facts: Vec<Fact>) -> Head {
    let derived = derive(&facts);
    put_derived(store, facts, derived)
}

fn put_derived(store: &dyn LedgerStore, facts: Vec<Fact>, derived: Derived) -> Head {
    let head = store.head(TENANT).unwrap();
    let micros = head.recorded.map_or(0, Instant::as_micros) + 1;
    store.append(TENANT, head.sequence, commit(micros, facts), derived).unwrap()
}

fn snapshot(chain_id: &str, id: &str, from: i64) -> SnapshotRecord {
    SnapshotRecord {
        snapshot: Snapshot {
            chain: chain(chain_id),
            id: snapshot_id(id),
            from: at(from),
            until: at(from + 1),
            addressed: Addressed::Object(object(1)),
            mailbox: None,
        },
        taken: Sequence(1),
        receipts: Vec::new(),
        expired: None,
        judgement: Judgement {
            object: Some(object(1)),
            confidence: HolderConfidence::Certain,
            settled: true,
            receipted: false,
            disputed: false,
        },
        judged: Sequence(1),
    }
}

fn spelling(known: &Known) -> String {
    match &known.fact {
        Fact::Seen(seen) => seen.profile.upn.as_ref().unwrap().spelling().to_owned(),
        _ => String::new(),
    }
}

fn an_empty_store_answers_with_nothing(kept: &mut dyn Kept) {
    for _ in 0..2 {
        let store = kept.store();
        assert_eq!(store.tenants().unwrap(), []);
        assert_eq!(store.head(TENANT).unwrap(), Arc::default());
        assert_eq!(store.object(TENANT, object(1)).unwrap(), []);
        assert_eq!(store.journal(TENANT, Sequence(1), 9).unwrap(), []);
        assert_eq!(store.runs(TENANT, 9).unwrap(), []);
        assert_eq!(store.snapshot(TENANT, &chain("c"), &snapshot_id("s")).unwrap(), None);
        kept.reopen();
    }
}

fn commits_are_numbered_and_chained_and_a_late_writer_is_refused(kept: &mut dyn Kept) {
    for n in 1..=3 {
        let head = put(kept.store(), vec![seen(n, "Ann@x.test")]);
        assert_eq!(head.sequence, Sequence(u64::from(n)));
        assert_eq!(*kept.store().head(TENANT).unwrap(), head);
        kept.reopen();
        assert_eq!(*kept.store().head(TENANT).unwrap(), head);
    }
    let store = kept.store();
    let late = store.append(TENANT, Sequence(2), commit(9, Vec::new()), Derived::default()).unwrap_err();
    let StoreError::Conflict { expected, found, .. } = &late else { unreachable!("{late}") };
    assert_eq!((*expected, *found), (Sequence(2), Sequence(3)));

    let entries = store.journal(TENANT, Sequence(0), 9).unwrap();
    assert_eq!(entries.iter().map(|entry| entry.sequence.0).collect::<Vec<_>>(), [1, 2, 3]);
    let mut previous = Hash::default();
    for entry in &entries {
        assert_eq!(entry.previous, previous);
        assert_ne!(entry.hash, previous);
        previous = entry.hash;
    }
    assert_eq!(store.head(TENANT).unwrap().hash, previous);
    assert_eq!(entries[1].commit, commit(2, vec![seen(2, "Ann@x.test")]));
    assert_eq!(store.journal(TENANT, Sequence(2), 1).unwrap(), entries[1..2]);
    assert_eq!(store.journal(TENANT, Sequence(4), 9).unwrap(), []);
    assert_eq!(store.journal(TENANT, Sequence(1), 0).unwrap(), []);
}

fn time_never_runs_backwards_and_refused_commits_leave_no_trace(kept: &mut dyn Kept) {
    let store = kept.store();
    let head = store.append(TENANT, Sequence(0), commit(10, Vec::new()), Derived::default()).unwrap();
    let facts = vec![seen(1, "ann@x.test")];
    let derived = derive(&facts);
    let error = store.append(TENANT, Sequence(1), commit(9, facts), derived).unwrap_err();
    assert!(matches!(error, StoreError::Unsound { .. }), "{error}");
    store.append(TENANT, Sequence(1), commit(10, Vec::new()), Derived::default()).expect("the same instant will do");
    assert_eq!(store.object(TENANT, object(1)).unwrap(), []);
    assert_ne!(*store.head(TENANT).unwrap(), head);
}

fn records_about_something_else_are_refused(kept: &mut dyn Kept) {
    let store = kept.store();
    let fact = seen(1, "ann@x.test");
    let other_object = Derived { objects: vec![(object(2), vec![fact.clone()])], ..Derived::default() };
    let twice = Derived {
        objects: vec![(object(1), vec![fact.clone()]), (object(1), vec![fact.clone()])],
        ..Derived::default()
    };
    let mut record = snapshot("c", "s", 0);
    let (chain, snapshot) = (chain("c"), snapshot_id("other"));
    let receipt = Receipt { chain, snapshot, object: object(1), mailbox: None, object_end: None, mailbox_end: None };
    record.receipts.push((Sequence(1), receipt));
    let receipt = Derived { snapshots: vec![record], ..Derived::default() };
    let tenant = Derived { tenant: vec![fact], ..Derived::default() };
    for derived in [other_object, twice, receipt, tenant] {
        let error = store.append(TENANT, Sequence(0), commit(1, Vec::new()), derived).unwrap_err();
        assert!(matches!(error, StoreError::Unsound { .. }), "{error}");
    }
    assert_eq!(store.tenants().unwrap(), []);
}

fn an_object_with_a_long_history_comes_back_whole(kept: &mut dyn Kept) {
    let spelled = |n: usize| format!("Ann{}.{n}@x.test", "x".repeat(60));
    for n in 0..300 {
        put(kept.store(), vec![seen(1, &spelled(n))]);
    }
    kept.reopen();
    let facts = kept.store().object(TENANT, object(1)).unwrap();
    assert_eq!(facts.len(), 300);
    for (n, known) in facts.iter().enumerate() {
        assert_eq!(known.sequence.0, n as u64 + 1);
        assert_eq!(spelling(known), spelled(n));
    }
}

fn a_fact_larger_than_any_value_comes_back_whole(kept: &mut dyn Kept) {
    let proxies: Vec<Proxy> = (0..3_000).map(|n| Proxy::Other(format!("X500:/o=Org/cn={n:060}"))).collect();
    let profile = Profile { proxies, ..Profile::default() };
    let large = Fact::Seen(Seen { object: object(1), reading: reading(1), profile });
    let facts = [seen(1, "Ann@x.test"), large, seen(1, "ann@x.test")];
    for fact in &facts {
        put(kept.store(), vec![fact.clone()]);
    }
    kept.reopen();
    let found: Vec<Fact> =
        kept.store().object(TENANT, object(1)).unwrap().into_iter().map(|known| known.fact).collect();
    assert_eq!(found, facts);
}

fn postings_of_both_namespaces_merge(kept: &mut dyn Kept) {
    let posted = |n, space| Derived { postings: vec![(key("ann@x.test"), object(n), space)], ..Derived::default() };
    put_derived(kept.store(), Vec::new(), posted(2, Namespace::Upn));
    put_derived(kept.store(), Vec::new(), posted(1, Namespace::Smtp));
    put_derived(kept.store(), Vec::new(), posted(2, Namespace::Smtp));
    put_derived(kept.store(), Vec::new(), posted(2, Namespace::Upn));
    let both = [Namespace::Smtp, Namespace::Upn].map(|space| (key("ANN@x.test"), object(3), space));
    put_derived(kept.store(), Vec::new(), Derived { postings: both.into(), ..Derived::default() });
    kept.reopen();
    let expected = [(1, false, true), (2, true, true), (3, true, true)];
    let expected = expected.map(|(n, upn, smtp)| Posting { object: object(n), upn, smtp });
    assert_eq!(kept.store().holders(TENANT, &key("Ann@X.test")).unwrap(), expected);
    assert_eq!(kept.store().holders(TENANT, &key("ann@x.tes")).unwrap(), []);
}

fn vacancies_come_back_in_order_of_their_commits(kept: &mut dyn Kept) {
    let vacant = |text, micros| Vacant { name: name(text), reading: reading(micros) };
    let found = |vacancies| Derived { vacancies, ..Derived::default() };
    put_derived(kept.store(), Vec::new(), found(vec![vacant("Ann@x.test", 5), vacant("ann@x.test", 4)]));
    put_derived(kept.store(), Vec::new(), found(vec![vacant("bob@x.test", 1), vacant("ann@x.test", 2)]));
    kept.reopen();
    let vacancies = kept.store().vacancies(TENANT, &key("ann@x.test")).unwrap();
    let told: Vec<_> = vacancies.iter().map(|(at, v)| (at.0, v.name.spelling(), v.reading.at.as_micros())).collect();
    assert_eq!(told, [(1, "Ann@x.test", 5), (1, "ann@x.test", 4), (2, "ann@x.test", 2)]);
}

fn snapshots_page_in_both_orders(kept: &mut dyn Kept) {
    let places = [("s3", -5), ("s1", 0), ("s2", 0), ("s", 7), ("s9", i64::MAX - 1)];
    for (id, from) in [places[3], places[1], places[4], places[0], places[2]] {
        let snapshots = vec![snapshot("c", id, from), snapshot("c2", id, from)];
        put_derived(kept.store(), Vec::new(), Derived { snapshots, ..Derived::default() });
    }
    kept.reopen();
    let store = kept.store();
    for (order, expected) in [
        (Order::Forward, places.map(|(id, _)| id).to_vec()),
        (Order::Backward, places.iter().rev().map(|(id, _)| *id).collect()),
    ] {
        for page in 1..6 {
            let (mut told, mut after) = (Vec::new(), None);
            loop {
                let found = store.snapshots(TENANT, &chain("c"), order, after.as_ref(), page).unwrap();
                assert!(found.len() <= page);
                let Some(last) = found.last() else { break };
                after = Some((last.snapshot.from, last.snapshot.id.clone()));
                told.extend(found.into_iter().map(|record| record.snapshot.id.to_string()));
            }
            assert_eq!(told, expected, "{order:?} by {page}");
        }
    }
    let between = (at(3), snapshot_id("nowhere"));
    let next = store.snapshots(TENANT, &chain("c"), Order::Backward, Some(&between), 1).unwrap();
    assert_eq!(next[0].snapshot.id, snapshot_id("s2"));
    assert_eq!(store.snapshots(TENANT, &chain("c"), Order::Forward, None, 0).unwrap(), []);
}

fn a_snapshot_is_replaced_even_when_its_beginning_moves(kept: &mut dyn Kept) {
    let recorded = |record| Derived { snapshots: vec![record], ..Derived::default() };
    put_derived(kept.store(), Vec::new(), recorded(snapshot("c", "s", 1)));
    let mut later = snapshot("c", "s", 2);
    later.expired = Some(Sequence(2));
    put_derived(kept.store(), Vec::new(), recorded(later.clone()));
    kept.reopen();
    let store = kept.store();
    assert_eq!(store.snapshot(TENANT, &chain("c"), &snapshot_id("s")).unwrap(), Some(later.clone()));
    assert_eq!(store.snapshots(TENANT, &chain("c"), Order::Forward, None, 9).unwrap(), [later]);
}

fn chains_are_found_by_object_and_by_name(kept: &mut dyn Kept) {
    let (by_object, by_name) = (Subject::Object(object(1)), Subject::Name(key("Ann@x.test")));
    let subjects = ["c2", "c", "c2"].map(|id| (object(1), chain(id))).into();
    let named = |id: &str, snapshot_id: &str| {
        let mut record = snapshot(id, snapshot_id, 1);
        record.snapshot.addressed = Addressed::Name(name("ann@X.test"), NameKind::Any);
        record
    };
    let snapshots = vec![named("c1", "s1"), named("c1", "s2"), named("c", "s"), snapshot("c3", "s", 1)];
    put_derived(kept.store(), Vec::new(), Derived { subjects, snapshots, ..Derived::default() });
    kept.reopen();
    assert_eq!(kept.store().chains(TENANT, &by_object).unwrap(), [chain("c"), chain("c2")]);
    assert_eq!(kept.store().chains(TENANT, &by_name).unwrap(), [chain("c"), chain("c1")]);
    assert_eq!(kept.store().chains(TENANT, &Subject::Object(object(2))).unwrap(), []);
}

fn names_and_chains_are_found_by_how_they_begin(kept: &mut dyn Kept) {
    let names = ["ann@x.test", "ann.lee@x.test", "anna@x.test", "bob@x.test", "Ann@x.test"];
    let postings = names.iter().flat_map(|name| [1, 2].map(|n| (key(name), object(n), Namespace::Upn))).collect();
    let snapshots = ["c", "c/1", "c1", "d", "c1"].iter().zip("abcde".chars());
    let snapshots = snapshots.map(|(id, s)| snapshot(id, &s.to_string(), 1)).collect();
    put_derived(kept.store(), Vec::new(), Derived { postings, snapshots, ..Derived::default() });
    kept.reopen();
    let store = kept.store();
    let names = |beginning: &str, after: Option<&str>, limit| -> Vec<String> {
        let found = store.names_from(TENANT, beginning, after.map(key).as_ref(), limit).unwrap();
        found.iter().map(|name| name.as_str().to_owned()).collect()
    };
    assert_eq!(names("ann", None, 9), ["ann.lee@x.test", "ann@x.test", "anna@x.test"]);
    assert_eq!(names("ann@", None, 9), ["ann@x.test"]);
    assert_eq!(names("", None, 2), ["ann.lee@x.test", "ann@x.test"]);
    assert_eq!(names("", Some("ann@x.test"), 9), ["anna@x.test", "bob@x.test"]);
    assert_eq!(names("b", Some("ann@x.test"), 9), ["bob@x.test"]);
    assert_eq!(names("ann", Some("bob@x.test"), 9), Vec::<String>::new());
    assert_eq!(names("ann", None, 0), Vec::<String>::new());
    assert_eq!(names("zoe", None, 9), Vec::<String>::new());
    let chains = |beginning, after: Option<&str>, limit| {
        store.chains_from(TENANT, beginning, after.map(chain).as_ref(), limit).unwrap()
    };
    assert_eq!(chains("c", None, 9), [chain("c"), chain("c/1"), chain("c1")]);
    assert_eq!(chains("c", Some("c"), 1), [chain("c/1")]);
    assert_eq!(chains("", Some("c1"), 9), [chain("d")]);
    assert_eq!(chains("c/", None, 9), [chain("c/1")]);
    let other = TenantId::from_bytes([0x12; 16]);
    assert_eq!(store.names_from(other, "", None, 9).unwrap(), []);
    assert_eq!(store.chains_from(other, "", None, 9).unwrap(), []);
}

fn run(run: u64) -> Run {
    Run {
        run,
        trigger: Trigger::Schedule,
        kind: RunKind::Delta,
        started: at(1),
        ended: None,
        outcome: Outcome::Completed,
        pages: 1,
        seen: 2,
        changed: 3,
        removed: 4,
        restored: 5,
        facts: 6,
        requests: 6,
        throttled_ms: 7,
        horizon: None,
        error: None,
        note: None,
    }
}

fn runs_come_newest_first(kept: &mut dyn Kept) {
    for n in [1, 2, 256, 257] {
        put_derived(kept.store(), Vec::new(), Derived { run: Some(run(n)), ..Derived::default() });
    }
    kept.reopen();
    let told = |limit| kept.store().runs(TENANT, limit).unwrap().iter().map(|run| run.run).collect::<Vec<_>>();
    assert_eq!(told(9), [257, 256, 2, 1]);
    assert_eq!(told(2), [257, 256]);
    assert!(told(0).is_empty());
}

fn tenant_facts_are_told_through_a_commit(kept: &mut dyn Kept) {
    let began = |micros| Fact::RoundBegan(RoundBegan { started: at(micros) });
    for n in 0..3 {
        let tenant = vec![began(10 * n), began(10 * n + 1)];
        put_derived(kept.store(), Vec::new(), Derived { tenant, ..Derived::default() });
    }
    kept.reopen();
    for through in 0..5u64 {
        let facts = kept.store().tenant_facts(TENANT, Sequence(through)).unwrap();
        let expected: Vec<Known> = (0..through.min(3))
            .flat_map(|n| [10 * n, 10 * n + 1].map(|micros| (n + 1, micros)))
            .map(|(sequence, micros)| Known { sequence: Sequence(sequence), fact: began(micros as i64) })
            .collect();
        assert_eq!(facts, expected);
    }
}

fn tenants_never_see_each_other(kept: &mut dyn Kept) {
    let tenants = [[0; 16], [0x11; 16], [255; 16]].map(TenantId::from_bytes);
    for (n, tenant) in [(3, tenants[2]), (1, tenants[0]), (2, tenants[1])] {
        let facts = vec![seen(n, "ann@x.test")];
        let mut derived = derive(&facts);
        derived.snapshots.push(snapshot("c", &format!("s{n}"), 0));
        kept.store().append(tenant, Sequence(0), commit(1, facts), derived).unwrap();
    }
    kept.reopen();
    let store = kept.store();
    assert_eq!(store.tenants().unwrap(), tenants);
    for (n, tenant) in (1..).zip(tenants) {
        let holders = store.holders(tenant, &key("ann@x.test")).unwrap();
        assert_eq!(holders.iter().map(|posting| posting.object).collect::<Vec<_>>(), [object(n)]);
        assert_eq!(store.snapshots(tenant, &chain("c"), Order::Backward, None, 9).unwrap().len(), 1);
        assert_eq!(store.journal(tenant, Sequence(1), 9).unwrap().len(), 1);
        assert_eq!(store.object(tenant, object(n % 3 + 1)).unwrap(), []);
    }
}

fn log_node(level: u8, number: u64) -> LogNode {
    LogNode { level, number }
}

/// Every node that is complete after so many commits.
fn complete_nodes(commits: u64) -> Vec<LogNode> {
    (0..8).flat_map(|level| (0..commits >> level).map(move |number| log_node(level, number))).collect()
}

fn the_merkle_log_has_the_nodes_of_all_commits(kept: &mut dyn Kept) {
    for n in 0..21 {
        put(kept.store(), vec![seen(n, "ann@x.test")]);
    }
    kept.reopen();
    let store = kept.store();
    // Written down from RFC 6962: a leaf is H(00 | data), a node H(01 | left | right).
    let mut level: Vec<Hash> = store.journal(TENANT, Sequence(1), 99).unwrap().iter().map(|entry| entry.hash).collect();
    level =
        level.iter().map(|hash| Hash(Sha256::new().chain_update([0]).chain_update(hash.0).finalize().into())).collect();
    let mut expected = level.clone();
    while level.len() > 1 {
        let parent = |pair: &[Hash]| {
            let digest = Sha256::new().chain_update([1]).chain_update(pair[0].0).chain_update(pair[1].0);
            Hash(digest.finalize().into())
        };
        level = level.chunks_exact(2).map(parent).collect();
        expected.extend(&level);
    }
    assert_eq!(store.log_nodes(TENANT, &complete_nodes(21)).unwrap(), expected);
    assert_eq!(store.log_nodes(TENANT, &[log_node(1, 3), log_node(0, 0)]).unwrap(), [expected[24], expected[0]]);
    assert_eq!(store.log_nodes(TENANT, &[]).unwrap(), []);
    for beyond in [log_node(0, 21), log_node(1, 10), log_node(4, 1), log_node(63, 9), log_node(200, 0)] {
        let error = store.log_nodes(TENANT, &[log_node(0, 0), beyond]).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }
    assert!(store.log_nodes(TenantId::from_bytes([0x12; 16]), &[log_node(0, 0)]).is_err());
}

fn thousand() -> Vec<Fact> {
    (0..1_000).map(|n| seen(n, &format!("Firstname.Lastname{n}@contoso.example"))).collect()
}

fn a_commit_of_a_thousand_users_is_read_back(kept: &mut dyn Kept) {
    put(kept.store(), thousand());
    put(kept.store(), vec![seen(7, "ann@x.test")]);
    kept.reopen();
    let store = kept.store();
    let entries = store.journal(TENANT, Sequence(1), 9).unwrap();
    assert_eq!(entries[0].commit.facts, thousand());
    assert_eq!(entries.len(), 2);
    let holders = store.holders(TENANT, &key("firstname.lastname7@contoso.example")).unwrap();
    assert_eq!(holders, [Posting { object: object(7), upn: true, smtp: true }]);
    assert_eq!(store.object(TENANT, object(7)).unwrap().len(), 2);
}

fn derived_bytes(store: &dyn LedgerStore) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    store.each_derived(&mut |key, value| all.push((key.to_vec(), value.to_vec()))).unwrap();
    all
}

fn a_rebuild_gives_the_same_bytes_and_blocks_appends_meanwhile(kept: &mut dyn Kept) {
    let mut kept_derived = Vec::new();
    for n in 0..200u16 {
        let facts = vec![seen(1, &format!("Ann{}.{n}@x.test", "x".repeat(200))), seen(n + 2, "bob@x.test")];
        let mut derived = derive(&facts);
        derived.state.counts.active = u64::from(n);
        derived.snapshots.push(snapshot("c", "s", i64::from(n)));
        put_derived(kept.store(), facts, derived.clone());
        kept_derived.push(derived);
    }
    let head = kept.store().head(TENANT).unwrap();
    let before = derived_bytes(kept.store());
    let store = kept.store();
    store.drop_derived().unwrap();
    assert_eq!(derived_bytes(store), []);
    assert_eq!(store.head(TENANT).unwrap(), Arc::default());
    assert_eq!(store.object(TENANT, object(1)).unwrap(), []);
    assert_eq!(store.tenants().unwrap(), [TENANT]);
    let refused = store.append(TENANT, Sequence(0), commit(1, Vec::new()), Derived::default()).unwrap_err();
    assert!(matches!(refused, StoreError::NeedsRebuild { .. }), "{refused}");

    let entries = store.journal(TENANT, Sequence(1), 999).unwrap();
    assert_eq!(entries.len(), 200);
    assert!(store.restore_derived(TENANT, &entries[1], Derived::default()).is_err(), "out of order");
    for (entry, derived) in entries.iter().zip(&kept_derived) {
        store.sync().unwrap();
        let early = store.append(TENANT, head.sequence, commit(999, Vec::new()), Derived::default()).unwrap_err();
        assert!(matches!(early, StoreError::NeedsRebuild { .. }), "{early}");
        store.restore_derived(TENANT, entry, derived.clone()).unwrap();
    }
    store.sync().unwrap();
    kept.reopen();
    assert!(before == derived_bytes(kept.store()), "the bytes differ");
    assert_eq!(kept.store().head(TENANT).unwrap(), head);
    put(kept.store(), vec![seen(1, "ann@x.test")]);
}

fn a_scratch_store_is_empty_and_takes_derived_records(kept: &mut dyn Kept) {
    let facts = vec![seen(1, "ann@x.test")];
    put(kept.store(), facts.clone());
    let bytes = kept.store().bytes().unwrap();
    let scratch = kept.store().scratch().unwrap();
    assert_eq!(scratch.tenants().unwrap(), []);
    let entry = kept.store().journal(TENANT, Sequence(1), 1).unwrap().remove(0);
    scratch.restore_derived(TENANT, &entry, derive(&facts)).unwrap();
    scratch.sync().unwrap();
    assert!(derived_bytes(&*scratch) == derived_bytes(kept.store()));
    assert_eq!(scratch.describe(), kept.store().describe());
    drop(scratch);
    assert!(kept.store().bytes().unwrap() <= bytes + 4096);
    assert!(bytes > 0);
}

fn a_commit_goes_to_another_store_with_its_hash_or_not_at_all(kept: &mut dyn Kept) {
    let source = MemoryStore::new();
    let pages = [thousand(), vec![seen(1, "ann@x.test")], vec![seen(2, "bob@x.test")]];
    for facts in &pages {
        put(&source, facts.clone());
    }
    let raw = source.raw_journal(TENANT, Sequence(1), 9).unwrap();
    assert_eq!(raw.len(), pages.len());
    let refused = |raw: &RawEntry, store: &dyn LedgerStore| {
        let (head, bytes) = (store.head(TENANT).unwrap(), derived_bytes(store));
        let error = store.append_raw(TENANT, raw, Derived::default()).unwrap_err();
        assert_eq!((store.head(TENANT).unwrap(), derived_bytes(store)), (head, bytes));
        error
    };
    let error = refused(&raw[1], kept.store());
    assert!(matches!(error, StoreError::Unsound { .. }), "out of order: {error}");
    for (entry, facts) in raw.iter().zip(&pages) {
        let spoilt = |spoil: &dyn Fn(&mut RawEntry)| {
            let mut spoilt = entry.clone();
            spoil(&mut spoilt);
            spoilt
        };
        for spoilt in [
            spoilt(&|raw| raw.hash.0[3] ^= 1),
            spoilt(&|raw| raw.payload_hash.0[3] ^= 1),
            spoilt(&|raw| raw.salt[3] ^= 1),
            spoilt(&|raw| raw.version = 1),
            spoilt(&|raw| raw.version = 9),
            spoilt(&|raw| raw.recorded = raw.recorded.succ()),
            spoilt(&|raw| *raw.payload.last_mut().unwrap() ^= 1),
        ] {
            let error = refused(&spoilt, kept.store());
            assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        }
        let error = refused(&spoilt(&|raw| raw.previous.0[3] ^= 1), kept.store());
        assert!(matches!(error, StoreError::Unsound { .. }), "{error}");
        kept.store().append_raw(TENANT, entry, derive(facts)).unwrap();
        let error = refused(entry, kept.store());
        assert!(matches!(error, StoreError::Unsound { .. }), "twice: {error}");
    }
    kept.reopen();
    let store = kept.store();
    assert_eq!(store.head(TENANT).unwrap(), source.head(TENANT).unwrap());
    assert_eq!(store.raw_journal(TENANT, Sequence(1), 9).unwrap(), raw);
    assert_eq!(store.raw_journal(TENANT, Sequence(2), 1).unwrap(), raw[1..2]);
    assert_eq!(store.journal(TENANT, Sequence(1), 9).unwrap(), source.journal(TENANT, Sequence(1), 9).unwrap());
    assert_eq!(store.object(TENANT, object(2)).unwrap().len(), 2);
    put(store, vec![seen(3, "eve@x.test")]);
}

/// sled writes values above about 300 KB to files that it never syncs.
#[test]
fn no_value_on_disk_outgrows_its_page_even_after_the_largest_commits() {
    for kept in [OnDisk::new(), OnDisk::encrypted()] {
        let many: Vec<Fact> = (0..20_000).map(|n| seen(n % 900, &format!("Ann{n}@contoso.example"))).collect();
        put(kept.store(), thousand());
        put(kept.store(), many);
        let files = kept.directory.path().join("engine");
        drop(kept.store);
        let db = engine::open_engine(files).unwrap();
        let largest = db.iter().map(|record| record.unwrap().1.len()).max().unwrap();
        // So small that a page of the engine, which has up to 17 values, stays under 128 KiB as well.
        assert!(largest > 6_000 && largest <= 128 * 1024 / 17, "{largest}");
    }
}

/// The same commits give the same hashes and derived records under a key as without one.
#[test]
fn an_encrypted_store_has_the_same_records_and_hashes() {
    let (plain, encrypted) = (OnDisk::new(), OnDisk::encrypted());
    for kept in [&plain, &encrypted] {
        put(kept.store(), thousand());
        put(kept.store(), vec![seen(1, "ann@x.test"), seen(2, "bob@x.test")]);
    }
    assert_eq!(plain.store().head(TENANT).unwrap().hash, encrypted.store().head(TENANT).unwrap().hash);
    assert!(derived_bytes(plain.store()) == derived_bytes(encrypted.store()), "the records differ");
}

#[test]
fn an_encrypted_value_that_was_changed_or_moved_is_damage() {
    let mut kept = OnDisk::encrypted();
    put(kept.store(), vec![seen(1, "ann@x.test"), seen(2, "bob@x.test")]);
    let name = |text: &str| text.parse::<Name>().unwrap().key().clone();
    assert_eq!(kept.store().holders(TENANT, &name("ann@x.test")).unwrap().len(), 1);
    for moved in [false, true] {
        kept.store = None;
        let db = engine::open_engine(kept.directory.path().join("engine")).unwrap();
        let mut postings: Vec<_> = db.iter().map(Result::unwrap).filter(|(key, _)| key[16] == 0x04).collect();
        let before = postings.clone();
        match moved {
            true => {
                postings.iter_mut().zip(before.iter().rev()).for_each(|((_, value), (_, other))| *value = other.clone())
            }
            false => postings.iter_mut().for_each(|(_, value)| value[30] ^= 1),
        }
        postings.iter().for_each(|(key, value)| drop(db.insert(key, value).unwrap()));
        drop(db);
        kept.reopen();
        for text in ["ann@x.test", "bob@x.test"] {
            let error = kept.store().holders(TENANT, &name(text)).unwrap_err();
            assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
            assert!(error.to_string().contains("cannot be decrypted") && !error.to_string().contains(text), "{error}");
        }
        kept.store = None;
        let db = engine::open_engine(kept.directory.path().join("engine")).unwrap();
        before.iter().for_each(|(key, value)| drop(db.insert(key, value).unwrap()));
        drop(db);
        kept.reopen();
        assert_eq!(kept.store().holders(TENANT, &name("ann@x.test")).unwrap().len(), 1);
    }
}

/// Ledgers of format 1 had no Merkle log. Opening one adds it, and it is then as if it had always been there.
#[test]
fn a_ledger_without_a_merkle_log_is_given_one_when_it_is_opened() {
    let mut kept = OnDisk::new();
    let other = TenantId::from_bytes([255; 16]);
    for n in 0..21 {
        put(kept.store(), if n == 3 { thousand() } else { vec![seen(n, "ann@x.test")] });
    }
    kept.store().append(other, Sequence(0), commit(1, Vec::new()), Derived::default()).unwrap();
    let before = derived_bytes(kept.store());
    let nodes = kept.store().log_nodes(TENANT, &complete_nodes(21)).unwrap();
    let format = kept.directory.path().join("format");
    assert_eq!(std::fs::read_to_string(&format).unwrap(), "2\n");
    for is_rebuilt in [false, true] {
        kept.store = None;
        let db = engine::open_engine(kept.directory.path().join("engine")).unwrap();
        let log: Vec<_> = db.iter().keys().map(Result::unwrap).filter(|key| key[16] == 0x17).collect();
        assert_eq!(log.len(), 22);
        log.into_iter().for_each(|key| drop(db.remove(key).unwrap()));
        drop(db);
        std::fs::write(&format, "1\n").unwrap();
        if is_rebuilt {
            std::fs::write(kept.directory.path().join("rebuild"), "").unwrap();
            let options = SledOptions { rebuild: true, ..options(false) };
            let store = SledStore::open(kept.directory.path(), options).unwrap();
            assert!(store.needs_rebuild());
            assert_eq!(std::fs::read_to_string(&format).unwrap(), "1\n");
            whowas::ledger::Ledger::new(store).rebuild(|_| ()).unwrap();
        }
        kept.reopen();
        assert_eq!(std::fs::read_to_string(&format).unwrap(), "2\n");
        assert_eq!(kept.store().log_nodes(TENANT, &complete_nodes(21)).unwrap(), nodes);
        if !is_rebuilt {
            assert!(before == derived_bytes(kept.store()), "the bytes differ");
        }
    }
    put(kept.store(), vec![seen(1, "ann@x.test")]);
}

/// The hash of an entry follows from what the documentation says and nothing else.
#[test]
fn both_stores_chain_the_same_hashes() {
    let (memory, disk) = (MemoryStore::new(), OnDisk::new());
    for store in [&memory as &dyn LedgerStore, disk.store()] {
        let cursor =
            Some(Cursor { link: Link::Delta { url: "https://d.test".into() }, horizon: None, beside: BTreeMap::new() });
        let full = Commit { cursor, run: Some(run(1)), ..commit(1, thousand()) };
        store.append(TENANT, Sequence(0), full, Derived::default()).unwrap();
    }
    assert_eq!(memory.head(TENANT).unwrap(), disk.store().head(TENANT).unwrap());
    let entry: Entry = disk.store().journal(TENANT, Sequence(1), 1).unwrap().remove(0);
    assert_eq!(entry.version, HeaderVersion::Each { items: 1_001 });
    let header = Header { version: entry.version, tenant: TENANT, sequence: Sequence(1), recorded: at(1) };
    assert_ne!(entry.hash, commit_hash(&Hash::default(), &header, &Hash::default()));
}

#[derive(Clone, Debug)]
enum Operation {
    Append(TenantId, Box<(Commit, Derived)>),
    Late(TenantId),
    Reopen,
    Rebuild,
}

fn operations() -> BoxedStrategy<Vec<Operation>> {
    let tenants = || prop::sample::select(vec![TenantId::from_bytes([0; 16]), TENANT, TenantId::from_bytes([255; 16])]);
    let operation = prop_oneof![
        12 => (tenants(), testing::commits()).prop_map(|(tenant, both)| Operation::Append(tenant, Box::new(both))),
        1 => tenants().prop_map(Operation::Late),
        2 => Just(Operation::Reopen),
        1 => Just(Operation::Rebuild),
    ];
    prop::collection::vec(operation, 1..14).boxed()
}

/// Snapshot records name the commits that changed them, which must be acknowledged ones.
fn renumbered(mut derived: Derived, sequence: Sequence) -> Derived {
    for record in &mut derived.snapshots {
        record.taken = sequence;
        record.expired = record.expired.map(|_| sequence);
        record.receipts.iter_mut().for_each(|(at, _)| *at = sequence);
        record.judged = sequence;
    }
    derived.tallies.iter_mut().for_each(|(_, tally)| tally.changed = sequence);
    for finding in &mut derived.findings {
        finding.steps.iter_mut().for_each(|step| step.sequence = sequence);
    }
    for (_, record) in &mut derived.links {
        record.steps.iter_mut().for_each(|(at, _)| *at = sequence);
    }
    derived
}

fn everything(store: &dyn LedgerStore, derived: &[(TenantId, Derived)]) -> Vec<String> {
    let mut told = vec![format!("{:?}", store.tenants().unwrap())];
    for tenant in store.tenants().unwrap() {
        let head = store.head(tenant).unwrap();
        told.push(format!("{:?}", store.log_nodes(tenant, &complete_nodes(head.sequence.0)).unwrap()));
        told.push(format!("{head:?}"));
        told.push(format!("{:?}", store.runs(tenant, 99).unwrap()));
        told.push(format!("{:?}", store.tenant_facts(tenant, Sequence(99)).unwrap()));
        for entry in store.journal(tenant, Sequence(1), 99).unwrap() {
            told.push(format!("{entry:?}"));
        }
        told.push(format!("{:?}", store.snapshots_ending(tenant, Proved::Any, at(-3), at(2), None, 99).unwrap()));
        for proved in [Proved::Any, Proved::Not] {
            let ending = store.snapshots_ending(tenant, proved, Instant::MIN, Instant::MAX, None, 3);
            told.push(format!("{:?}", ending.unwrap()));
        }
        let findings = store.findings(tenant, None, 99).unwrap();
        for finding in &findings {
            told.push(format!("{:?}", store.finding(tenant, finding.id).unwrap()));
            told.push(format!("{:?}", store.findings(tenant, Some(finding.id), 1).unwrap()));
        }
        told.push(format!("{findings:?}"));
        let notable = store.notable(tenant, None, 99).unwrap();
        for name in &notable {
            told.push(format!("{:?}", store.notable(tenant, Some(name), 1).unwrap().len()));
        }
        told.push(notable.iter().map(|name| format!("{}\n", name.as_str())).collect());
        for beginning in ["", "a", "s"] {
            let names = store.names_from(tenant, beginning, None, 99).unwrap();
            told.push(names.iter().map(|name| format!("{}\n", name.as_str())).collect());
            told.push(format!("{:?}", store.names_from(tenant, beginning, names.first(), 2).unwrap().len()));
            let chains = store.chains_from(tenant, beginning, None, 99).unwrap();
            told.push(format!("{:?}", store.chains_from(tenant, beginning, chains.first(), 2).unwrap()));
            told.push(format!("{chains:?}"));
        }
        for n in 0..4 {
            let object = ObjectId::from_bytes([n; 16]);
            told.push(format!("{:?}", store.owned(tenant, object).unwrap()));
            told.push(format!("{:?}", store.members(tenant, object).unwrap()));
            told.push(format!("{:?}", store.mailboxes(tenant, object).unwrap()));
            told.push(format!("{:?}", store.links(tenant, object).unwrap()));
            told.push(format!("{:?}", store.object(tenant, object).unwrap()));
            told.push(format!("{:?}", store.chains(tenant, &Subject::Object(object)).unwrap()));
        }
        for (_, derived) in derived {
            let vacant = derived.vacancies.iter().map(|vacant| vacant.name.key());
            for name in derived.postings.iter().map(|(name, ..)| name).chain(vacant) {
                told.push(format!("{:?}", store.holders(tenant, name).unwrap()));
                told.push(format!("{:?}", store.chains(tenant, &Subject::Name(name.clone())).unwrap()));
                for (sequence, vacant) in store.vacancies(tenant, name).unwrap() {
                    told.push(format!("{sequence} {} {:?}", vacant.name.spelling(), vacant.reading));
                }
            }
            for (chain, _) in &derived.tallies {
                told.push(format!("{:?}", store.tallies(tenant, chain).unwrap()));
            }
            for (anchor, _) in &derived.anchors {
                told.push(format!("{:?}", store.anchored(tenant, anchor).unwrap()));
            }
            for record in &derived.snapshots {
                if let Addressed::Name(name, _) = &record.snapshot.addressed {
                    let snapshot = record.snapshot.clone();
                    let place = (snapshot.chain, snapshot.until, snapshot.id);
                    told.push(format!("{:?}", store.chains(tenant, &Subject::Name(name.key().clone())).unwrap()));
                    told.push(format!("{:?}", store.snapshots_named(tenant, name.key(), None, 99).unwrap()));
                    told.push(format!("{:?}", store.snapshots_named(tenant, name.key(), Some(&place), 1).unwrap()));
                    let place = (place.1, place.0, place.2);
                    for proved in [Proved::Any, Proved::Not] {
                        let ending =
                            store.snapshots_ending(tenant, proved, Instant::MIN, Instant::MAX, Some(&place), 2);
                        told.push(format!("{:?}", ending.unwrap()));
                    }
                }
                let (chain, id) = (&record.snapshot.chain, &record.snapshot.id);
                told.push(format!("{:?}", store.snapshot(tenant, chain, id).unwrap()));
                for order in [Order::Forward, Order::Backward] {
                    let after = (record.snapshot.from, id.clone());
                    told.push(format!("{:?}", store.snapshots(tenant, chain, order, Some(&after), 2).unwrap()));
                    told.push(format!("{:?}", store.snapshots(tenant, chain, order, None, 9).unwrap()));
                }
            }
        }
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Model: whatever is done, the store on disk answers as the one in memory.
    #[test]
    fn the_store_on_disk_answers_as_the_one_in_memory(operations in operations()) {
        both_answer_alike(operations, OnDisk::new())?;
    }

    /// So it does with copies in memory.
    #[test]
    fn the_store_with_copies_answers_as_the_one_in_memory(operations in operations()) {
        both_answer_alike(operations, OnDisk::copied())?;
    }
}

fn both_answer_alike(operations: Vec<Operation>, mut disk: OnDisk) -> Result<(), TestCaseError> {
    let memory = MemoryStore::new();
    let mut kept: Vec<(TenantId, Derived)> = Vec::new();
    for operation in operations {
        match operation {
            Operation::Append(tenant, both) => {
                let (commit, derived) = *both;
                let expected = memory.head(tenant).unwrap().sequence;
                let derived = renumbered(derived, expected.next());
                let a = memory.append(tenant, expected, commit.clone(), derived.clone()).unwrap();
                let b = disk.store().append(tenant, expected, commit, derived.clone()).unwrap();
                prop_assert_eq!(a, b);
                kept.push((tenant, derived));
            }
            Operation::Late(tenant) => {
                let late = |store: &dyn LedgerStore| {
                    let commit = commit(0, Vec::new());
                    store.append(tenant, Sequence(77), commit, Derived::default()).unwrap_err().to_string()
                };
                prop_assert_eq!(late(&memory), late(disk.store()));
            }
            Operation::Reopen => disk.reopen(),
            Operation::Rebuild => {
                for store in [&memory as &dyn LedgerStore, disk.store()] {
                    let before = derived_bytes(store);
                    store.drop_derived().unwrap();
                    for tenant in store.tenants().unwrap() {
                        let derived = kept.iter().filter(|(of, _)| *of == tenant).map(|(_, derived)| derived);
                        for (entry, derived) in store.journal(tenant, Sequence(1), 99).unwrap().iter().zip(derived) {
                            store.restore_derived(tenant, entry, derived.clone()).unwrap();
                        }
                    }
                    store.sync().unwrap();
                    prop_assert!(before == derived_bytes(store));
                }
            }
        }
        prop_assert_eq!(everything(&memory, &kept), everything(disk.store(), &kept));
    }
    disk.reopen();
    prop_assert_eq!(everything(&memory, &kept), everything(disk.store(), &kept));
    Ok(())
}

/// Holds the compiler to the types that a ledger's state is made of.
#[test]
fn the_state_of_a_tenant_comes_back() {
    let mut kept = OnDisk::new();
    let counts = Counts { active: 1, soft_deleted: 2, purged: 3, snapshots: 4, named: 5 };
    let findings = FindingCounts { critical: 7, warning: 8, notice: 9 };
    let settling = Settling { propagation: Duration::from_secs(10), audit_lag: Some(Duration::from_secs(11)) };
    let state = TenantState { counts, findings, settling, runs: 5, open_round: Some(at(6)), ..TenantState::default() };
    let head = put_derived(kept.store(), Vec::new(), Derived { state: state.clone(), ..Derived::default() });
    assert_eq!(head.state, state);
    kept.reopen();
    assert_eq!(*kept.store().head(TENANT).unwrap(), head);
}
