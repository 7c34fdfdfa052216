//! Whole ledgers held against worlds whose truth is known: replay, purity, batching, twins, rebuild, counts, and above all
//! that nothing is ever written where it does not belong.
//!
//! In these worlds the two namespaces part: a user principal name and the same address may belong to two people. Agents
//! take snapshots by id and by name, and a name may open the mailbox of whoever held it up to fifteen minutes ago.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

#[path = "common/engine.rs"]
mod engine;
#[path = "ledger_properties/redaction.rs"]
mod redaction;
#[path = "ledger_properties/rules.rs"]
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;
use whowas::domain::attribution::Judgement;
use whowas::domain::coverage::Coverage;
use whowas::domain::fact::*;
use whowas::domain::finding::{FindingKind, FindingState, Subject as About};
use whowas::domain::holder::{Holder, HolderConfidence};
use whowas::domain::id::{ChainId, MailboxId, ObjectId, Sequence, SnapshotId, TenantId};
use whowas::domain::name::{Name, NameKind, Namespace, Proxy};
use whowas::domain::time::Instant;
use whowas::domain::timeline::{Role, State, Timeline};
use whowas::domain::verdict::{Action, Ask, Outcome, Policy};
use whowas::ledger::{Batch, Checked, KnownAt, Ledger, SnapshotView, Stamp};
use whowas::store::memory::MemoryStore;
use whowas::store::sled::{SledOptions, SledStore};
use whowas::store::{Counts, Subject, TallyClass, TallyCount};

const TENANT: TenantId = TenantId::from_bytes([9; 16]);
const PEOPLE: u8 = 3;
const NAMES: u8 = 3;
const MINUTE: i64 = 60_000_000;
const START: i64 = 1_700_000_000_000_000;
const LAG: Duration = Duration::from_secs(300);

#[derive(Clone, Debug)]
enum Act {
    Create(u8, u8),
    Rename {
        who: u8,
        to: u8,
        keep: bool,
    },
    /// Takes an address, or drops it.
    Address(u8, u8),
    Delete(u8),
    Restore(u8),
    Purge(u8),
    /// A delta round, in one commit or in two. The pages trail by so many seconds.
    Poll {
        split: bool,
        again: u8,
        trail: u16,
    },
    Resync,
    Bin,
    Audits,
    /// The agent of a person's chain reads by id, or by a name that opens what it meant so many minutes ago.
    ById {
        chain: u8,
        who: u8,
        receipt: bool,
    },
    ByName {
        chain: u8,
        name: u8,
        kind: u8,
        delay: u8,
        receipt: bool,
    },
    /// A person's mailbox is replaced by another one.
    Replace(u8),
    /// An agent tells what it read for one of the newest snapshots of a chain, all of it or the start alone, and maybe that the
    /// mailbox had been another one when it began.
    Late {
        chain: u8,
        back: u8,
        moved: bool,
        whole: bool,
    },
    Expire(u8),
    AskId {
        chain: Option<u8>,
        who: u8,
    },
    AskName {
        chain: Option<u8>,
        name: u8,
        kind: u8,
    },
}

fn acts() -> impl Strategy<Value = Vec<(i64, Act)>> {
    let who = || 0..PEOPLE;
    let name = || 0..NAMES;
    let chain = || prop::option::of(0..PEOPLE);
    let act = prop_oneof![
        4 => (who(), name()).prop_map(|(who, name)| Act::Create(who, name)),
        4 => (who(), name(), any::<bool>()).prop_map(|(who, to, keep)| Act::Rename { who, to, keep }),
        2 => (who(), name()).prop_map(|(who, name)| Act::Address(who, name)),
        2 => who().prop_map(Act::Delete),
        1 => who().prop_map(Act::Restore),
        1 => who().prop_map(Act::Purge),
        7 => (any::<bool>(), 0..PEOPLE * 2, 0u16..300).prop_map(|(split, again, trail)| Act::Poll { split, again, trail }),
        1 => Just(Act::Resync),
        1 => Just(Act::Bin),
        1 => Just(Act::Audits),
        3 => (who(), who(), any::<bool>()).prop_map(|(chain, who, receipt)| Act::ById { chain, who, receipt }),
        5 => (who(), name(), 0u8..3, 0u8..15, prop::bool::weighted(0.2))
            .prop_map(|(chain, name, kind, delay, receipt)| Act::ByName { chain, name, kind, delay, receipt }),
        1 => who().prop_map(Act::Replace),
        3 => (who(), 0u8..3, prop::bool::weighted(0.3), any::<bool>())
            .prop_map(|(chain, back, moved, whole)| Act::Late { chain, back, moved, whole }),
        1 => who().prop_map(Act::Expire),
        5 => (chain(), who()).prop_map(|(chain, who)| Act::AskId { chain, who }),
        7 => (chain(), name(), 0u8..3).prop_map(|(chain, name, kind)| Act::AskName { chain, name, kind }),
    ];
    prop::collection::vec((1i64..25, act), 4..40)
}

fn person(who: u8) -> ObjectId {
    ObjectId::from_bytes([who + 1; 16])
}

fn name(index: u8) -> Name {
    format!("Name{index}@x.test").parse().unwrap()
}

fn chain(index: u8) -> ChainId {
    format!("chain{index}").parse().unwrap()
}

/// No mailbox is two people's.
fn mailbox(who: u8, instance: u8) -> MailboxId {
    let mut bytes = [who + 1; 16];
    bytes[15] = instance;
    MailboxId::from_bytes(bytes)
}

fn kind(index: u8) -> NameKind {
    [NameKind::Any, NameKind::Upn, NameKind::Smtp][usize::from(index)]
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Truth {
    Unborn,
    Live { upn: u8, mail: BTreeSet<u8> },
    Deleted { upn: u8, mail: BTreeSet<u8>, at: i64 },
    Purged,
}

impl Truth {
    fn holds(&self, namespace: Namespace, name: u8) -> bool {
        match (self, namespace) {
            (Self::Live { upn, .. }, Namespace::Upn) => *upn == name,
            (Self::Live { mail, .. }, Namespace::Smtp) => mail.contains(&name),
            _ => false,
        }
    }
}

/// What the ledger is told in one append.
#[derive(Clone, Debug)]
struct Told {
    now: Instant,
    facts: Vec<Fact>,
}

/// The world, the ledger that is told of it, and every answer it gave.
struct World {
    ledger: Ledger,
    now: i64,
    truth: Vec<Vec<(i64, Truth)>>,
    created: Vec<Option<i64>>,
    told: Vec<Told>,
    events: Vec<Fact>,
    horizon: Option<i64>,
    reported: Vec<i64>,
    /// Through when the audit log was read.
    audited: i64,
    snapshots: u32,
    /// How many mailboxes each has had.
    mailboxes: Vec<u8>,
    /// Whose data each snapshot really holds.
    written: BTreeMap<(ChainId, SnapshotId), ObjectId>,
    /// Verdicts that allowed to write, and those of them that asked by name.
    allowed: (u32, u32),
    wrong: Vec<String>,
}

impl World {
    fn new() -> Self {
        Self {
            ledger: Ledger::new(MemoryStore::new()),
            now: START,
            truth: (0..PEOPLE).map(|_| vec![(i64::MIN, Truth::Unborn)]).collect(),
            created: vec![None; usize::from(PEOPLE)],
            told: Vec::new(),
            events: Vec::new(),
            horizon: None,
            reported: vec![i64::MIN; usize::from(PEOPLE)],
            audited: START,
            snapshots: 0,
            mailboxes: vec![1; usize::from(PEOPLE)],
            written: BTreeMap::new(),
            allowed: (0, 0),
            wrong: Vec::new(),
        }
    }

    fn play(acts: &[(i64, Act)]) -> Self {
        let mut world = Self::new();
        for (wait, act) in acts {
            world.step(*wait, act);
        }
        world
    }

    fn step(&mut self, wait: i64, act: &Act) {
        self.now += wait * MINUTE;
        self.act(act);
    }

    fn clock(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    fn at(&self, who: u8, time: i64) -> &Truth {
        let states = &self.truth[usize::from(who)];
        &states[states.partition_point(|(since, _)| *since <= time) - 1].1
    }

    fn current(&self, who: u8) -> Truth {
        self.at(who, self.now).clone()
    }

    fn holder(&self, namespace: Namespace, name: u8, time: i64) -> Option<u8> {
        (0..PEOPLE).find(|who| self.at(*who, time).holds(namespace, name))
    }

    fn is_free(&self, namespace: Namespace, name: u8) -> bool {
        self.holder(namespace, name, self.now).is_none()
    }

    fn set(&mut self, who: u8, truth: Truth) {
        self.truth[usize::from(who)].push((self.now, truth));
    }

    fn tell(&mut self, facts: Vec<Fact>) {
        let told = Told { now: self.clock(), facts };
        tell(&self.ledger, &told);
        self.told.push(told);
    }

    fn lifecycle(&mut self, who: u8, life: Life, upn: Option<u8>) {
        let (at, event) = (self.clock(), format!("e{}", self.events.len()));
        self.events.push(Fact::Lifecycle(Lifecycle { object: person(who), at, event, life, upn: upn.map(name) }));
    }

    fn act(&mut self, act: &Act) {
        match act {
            Act::Create(who, new) => {
                if self.current(*who) == Truth::Unborn && self.is_free(Namespace::Upn, *new) {
                    let mail = self.is_free(Namespace::Smtp, *new).then_some(*new).into_iter().collect();
                    self.created[usize::from(*who)] = Some(self.now);
                    self.set(*who, Truth::Live { upn: *new, mail });
                    self.lifecycle(*who, Life::Created, Some(*new));
                }
            }
            Act::Rename { who, to, keep } => self.rename(*who, *to, *keep),
            Act::Address(who, address) => {
                if let Truth::Live { upn, mut mail } = self.current(*who)
                    && (mail.remove(address) || self.is_free(Namespace::Smtp, *address) && mail.insert(*address))
                {
                    self.set(*who, Truth::Live { upn, mail });
                }
            }
            Act::Delete(who) => {
                if let Truth::Live { upn, mail } = self.current(*who) {
                    self.set(*who, Truth::Deleted { upn, mail, at: self.now });
                    self.lifecycle(*who, Life::Deleted, Some(upn));
                }
            }
            Act::Restore(who) => {
                if let Truth::Deleted { upn, mail, .. } = self.current(*who)
                    && self.is_free(Namespace::Upn, upn)
                {
                    let mail = mail.into_iter().filter(|name| self.is_free(Namespace::Smtp, *name)).collect();
                    self.set(*who, Truth::Live { upn, mail });
                    self.lifecycle(*who, Life::Restored, None);
                }
            }
            Act::Purge(who) => {
                if matches!(self.current(*who), Truth::Deleted { .. }) {
                    self.set(*who, Truth::Purged);
                    self.lifecycle(*who, Life::Purged, None);
                }
            }
            Act::Poll { split, again, trail } => self.poll(*split, *again, i64::from(*trail) * 1_000_000, false),
            Act::Resync => self.poll(false, PEOPLE, 0, true),
            Act::Bin => {
                let deleted = (0..PEOPLE).filter(|who| matches!(self.current(*who), Truth::Deleted { .. }));
                let facts = deleted.filter_map(|who| self.read(who, Source::Reconcile, LAG)).collect();
                self.tell(facts);
            }
            Act::Audits => {
                let mut facts = self.events.clone();
                let (from, through) = (Instant::from_micros(self.audited), self.clock());
                self.audited = self.now;
                facts.push(Fact::Horizon(Horizon { feed: Feed::Audit, from, through }));
                self.tell(facts);
            }
            Act::ById { chain: index, who, receipt } => {
                if matches!(self.current(*who), Truth::Live { .. }) {
                    self.snapshot(*index, Addressed::Object(person(*who)), *who, *receipt);
                }
            }
            Act::ByName { chain: index, name: text, kind: of, delay, receipt } => {
                let (meant, then) = (kind(*of), self.now - i64::from(*delay) * MINUTE);
                let found = meant.namespaces().iter().find_map(|namespace| self.holder(*namespace, *text, then));
                if let Some(who) = found {
                    self.snapshot(*index, Addressed::Name(name(*text), meant), who, *receipt);
                }
            }
            Act::Replace(who) => self.mailboxes[usize::from(*who)] += 1,
            Act::Late { chain: index, back, moved, whole } => {
                let mut newest = self.written.iter().rev().filter(|((id, _), _)| *id == chain(*index));
                if let Some(((chain, snapshot), object)) = newest.nth(usize::from(*back)) {
                    let (chain, snapshot, object) = (chain.clone(), snapshot.clone(), *object);
                    let who = object.as_bytes()[0] - 1;
                    let instance = self.mailboxes[usize::from(who)];
                    let begun = Some(mailbox(who, instance - u8::from(*moved)));
                    let (object_end, mailbox_end) = (whole.then_some(object), whole.then_some(mailbox(who, instance)));
                    let receipt = Receipt { chain, snapshot, object, mailbox: begun, object_end, mailbox_end };
                    self.tell(vec![Fact::Receipt(receipt)]);
                }
            }
            Act::Expire(index) => {
                let newest = self.written.keys().rev().find(|(id, _)| *id == chain(*index)).cloned();
                if let Some((chain, snapshot)) = newest {
                    self.tell(vec![Fact::SnapshotExpired(SnapshotExpired { chain, snapshot })]);
                }
            }
            Act::AskId { chain: index, who } => {
                let ask = Ask { chain: index.map(chain), object: Some(person(*who)), ..Ask::default() };
                self.score(&ask, &BTreeSet::from([person(*who)]));
            }
            Act::AskName { chain: index, name: text, kind: of } => self.ask_name(*index, *text, kind(*of)),
        }
    }

    fn rename(&mut self, who: u8, to: u8, keep: bool) {
        let Truth::Live { upn, mut mail } = self.current(who) else { return };
        if upn == to || !self.is_free(Namespace::Upn, to) {
            return;
        }
        if !keep {
            mail.remove(&upn);
        }
        if self.is_free(Namespace::Smtp, to) {
            mail.insert(to);
        }
        self.set(who, Truth::Live { upn: to, mail });
        let (at, event) = (self.clock(), format!("e{}", self.events.len()));
        let (old, new) = (Some(vec![name(upn)]), Some(vec![name(to)]));
        let property = Property::UserPrincipalName;
        self.events.push(Fact::Changed(Changed { object: person(who), at, event, property, old, new }));
    }

    fn poll(&mut self, split: bool, again: u8, trail: i64, anew: bool) {
        let before = self.horizon.filter(|_| !anew);
        let at = self.clock();
        let unchanged_since = before.map(Instant::from_micros);
        let reading = Reading { at, lag: LAG, source: Source::Delta, unchanged_since };
        let mut pages: Vec<Vec<Fact>> = vec![Vec::new(), Vec::new()];
        for who in 0..PEOPLE {
            let place = usize::from(who);
            let reported = self.reported[place];
            let shown_at = (self.now - trail).max(reported);
            let changed = self.truth[place].iter().any(|(since, _)| *since > reported && *since <= shown_at);
            self.reported[place] = shown_at;
            let shown = self.at(who, shown_at).clone();
            let live = matches!(shown, Truth::Live { .. });
            if before.is_some() && changed || (before.is_none() || again == who) && live {
                pages[usize::from(split && who > 0)].extend(self.fact(who, &shown, reading));
            }
        }
        let horizon = self.now - i64::try_from(LAG.as_micros()).unwrap();
        let through = horizon.max(before.unwrap_or(i64::MIN));
        let from = Instant::from_micros(before.unwrap_or(through));
        if split {
            pages[0].insert(0, Fact::RoundBegan(RoundBegan { started: at }));
            let first = pages.remove(0);
            self.tell(first);
        }
        let mut last = pages.concat();
        last.push(Fact::Horizon(Horizon { feed: Feed::Delta, from, through: Instant::from_micros(through) }));
        self.tell(last);
        self.horizon = Some(through);
    }

    fn fact(&self, who: u8, shown: &Truth, reading: Reading) -> Option<Fact> {
        let object = person(who);
        let gone = |removal, deleted, last_upn| Fact::Removed(Removed { object, reading, removal, deleted, last_upn });
        match shown {
            Truth::Live { upn, mail } => {
                let proxies = mail.iter().map(|address| Proxy::Alias(name(*address))).collect();
                let created = self.created[usize::from(who)].map(|at| Instant::from_micros(at / 1_000_000 * 1_000_000));
                let profile = Profile { upn: Some(name(*upn)), proxies, created, ..Profile::default() };
                Some(Fact::Seen(Seen { object, reading, profile }))
            }
            Truth::Deleted { upn, at, .. } if reading.source == Source::Reconcile => {
                Some(gone(Removal::Soft, Some(Instant::from_micros(*at)), Some(name(*upn))))
            }
            Truth::Deleted { .. } if reading.source == Source::Delta => Some(gone(Removal::Soft, None, None)),
            Truth::Purged if reading.source == Source::Delta => Some(gone(Removal::Purged, None, None)),
            Truth::Unborn => None,
            Truth::Deleted { .. } | Truth::Purged => Some(gone(Removal::NotFound, None, None)),
        }
    }

    fn read(&self, who: u8, source: Source, lag: Duration) -> Option<Fact> {
        self.fact(who, self.at(who, self.now), Reading { at: self.clock(), lag, source, unchanged_since: None })
    }

    fn snapshot(&mut self, index: u8, addressed: Addressed, really: u8, with_receipt: bool) {
        self.snapshots += 1;
        let (chain, id): (ChainId, SnapshotId) = (chain(index), format!("{:04}", self.snapshots).parse().unwrap());
        let (from, until) = (self.clock(), self.clock());
        self.written.insert((chain.clone(), id.clone()), person(really));
        let (mailbox, object) = (None, person(really));
        let snapshot = Snapshot { chain: chain.clone(), id: id.clone(), from, until, addressed, mailbox };
        self.tell(vec![Fact::SnapshotTaken(snapshot)]);
        if with_receipt {
            let object_end = Some(object);
            let mailbox = Some(self::mailbox(really, self.mailboxes[usize::from(really)]));
            let receipt = Receipt { chain, snapshot: id, object, mailbox, object_end, mailbox_end: None };
            self.tell(vec![Fact::Receipt(receipt)]);
        }
    }

    /// Asks by name after a live read of the name, of whoever may hold it, and of the chain's object.
    fn ask_name(&mut self, index: Option<u8>, text: u8, kind: NameKind) {
        let ask = Ask { chain: index.map(chain), name: Some(name(text)), kind, ..Ask::default() };
        let lag = Duration::from_secs(30);
        let mut objects = self.ledger.objects_to_read(TENANT, &ask, &Policy::default()).unwrap();
        let mut facts = Vec::new();
        if kind != NameKind::Smtp {
            match self.holder(Namespace::Upn, text, self.now) {
                Some(who) => drop(objects.insert(person(who))),
                None => {
                    let reading = Reading { at: self.clock(), lag, source: Source::Live, unchanged_since: None };
                    facts.push(Fact::Vacant(Vacant { name: name(text), reading }));
                }
            }
        }
        facts.extend(objects.iter().filter_map(|object| self.read(object.as_bytes()[0] - 1, Source::Live, lag)));
        self.tell(facts);
        let holders = kind.namespaces().iter().filter_map(|namespace| self.holder(*namespace, text, self.now));
        let holders: BTreeSet<ObjectId> = holders.map(person).collect();
        self.score(&ask, &holders);
    }

    /// Whether the ledger was never told that any of these has this address, and none has it as user principal name.
    fn is_unseen(&self, asked: &Name, holders: &BTreeSet<ObjectId>) -> bool {
        let (view, key) = (self.ledger.view(TENANT, KnownAt::Now).unwrap(), asked.key());
        holders.iter().all(|holder| {
            let is_upn = (0..NAMES)
                .filter(|text| name(*text).key() == key)
                .any(|text| self.current(holder.as_bytes()[0] - 1).holds(Namespace::Upn, text));
            let told = view.timeline(*holder).unwrap();
            !is_upn && !told.ever_had(Role::Upn, key) && !told.ever_had(Role::Smtp, key)
        })
    }

    /// Judges an ask, and judges the judgement: may the object be written there?
    fn score(&mut self, ask: &Ask, holders: &BTreeSet<ObjectId>) {
        let checked = check(&self.ledger, ask, &Policy::default(), self.clock(), KnownAt::Now);
        let verdict = checked.verdict;
        let object = verdict.object;
        let is_holder = object.is_some_and(|object| holders.contains(&object));
        // A name that nobody holds any more may still say which chain is meant; and who has it as an address alone, and was not read
        // since, nobody can know. That is said, and the chain's own object is opened.
        let says = |what: &str| verdict.reasons.iter().any(|reason| reason.contains(what));
        let is_said = matches!(verdict.outcome, Outcome::Renamed | Outcome::MailboxReplaced)
            && object.is_some()
            && says("nobody holds")
            && (holders.is_empty()
                || says("no live read can show")
                    && ask.name.as_ref().is_some_and(|name| self.is_unseen(name, holders)));
        match verdict.outcome.action() {
            Action::Incremental => {
                let place = verdict.chain.clone().zip(verdict.base.clone());
                let owner = place.as_ref().and_then(|place| self.written.get(place)).copied();
                if owner.is_none() || owner != object {
                    self.wrong.push(format!("{ask:?}: builds on {place:?} of {owner:?}: {verdict:?}"));
                }
                if !holders.is_empty() && !is_holder && !is_said {
                    self.wrong.push(format!("{ask:?}: held by {holders:?}: {verdict:?}"));
                }
            }
            Action::Full if !is_holder && !is_said => {
                self.wrong.push(format!("{ask:?}: held by {holders:?}: {verdict:?}"));
            }
            Action::Full => {}
            Action::Stop | Action::Refresh => return,
        }
        self.allowed.0 += 1;
        self.allowed.1 += u32::from(ask.name.is_some());
    }
}

fn tell(ledger: &Ledger, told: &Told) -> Sequence {
    let salt = [told.facts.len() as u8; 16];
    let batch = Batch { facts: told.facts.clone(), ..Batch::default() };
    ledger.append(TENANT, batch, Stamp { now: told.now, salt }).unwrap().head.sequence
}

fn check(ledger: &Ledger, ask: &Ask, policy: &Policy, now: Instant, known_at: KnownAt) -> Checked {
    ledger.check(TENANT, ask, policy, now, known_at, None).unwrap()
}

fn asks() -> Vec<Ask> {
    let chains = || (0..PEOPLE).map(|index| Some(chain(index))).chain([None]);
    let mut asks: Vec<Ask> = chains().map(|chain| Ask { chain, ..Ask::default() }).collect();
    for chain in chains() {
        asks.extend((0..PEOPLE).map(|who| Ask { chain: chain.clone(), object: Some(person(who)), ..Ask::default() }));
        asks.extend((0..NAMES).map(|text| Ask { chain: chain.clone(), name: Some(name(text)), ..Ask::default() }));
    }
    asks
}

/// Everything that can be asked of a ledger as known at some time, as text.
fn answers(ledger: &Ledger, now: Instant, known_at: KnownAt) -> Vec<String> {
    let patient = Policy { name_max_age: Duration::from_secs(3_600), ..Policy::default() };
    let mut lines = Vec::new();
    for ask in asks() {
        for policy in [Policy::default(), patient] {
            lines.push(format!("{ask:?} {:?}", check(ledger, &ask, &policy, now, known_at)));
        }
    }
    for text in 0..NAMES {
        for at in [None, Some(now.minus(Duration::from_secs(1_800))), Some(now.minus(Duration::from_secs(7_200)))] {
            lines.push(format!("{:?}", ledger.who(TENANT, &name(text), NameKind::Any, at, known_at, now).unwrap()));
        }
        lines.push(format!("{:?}", ledger.name_history(TENANT, name(text).key(), known_at, now).unwrap()));
    }
    let settling = Policy::default().settling;
    for who in 0..PEOPLE {
        let history = ledger.object_history(TENANT, person(who), settling, known_at, now).unwrap();
        lines.push(format!("{history:?}"));
    }
    lines
}

/// What the ledger says of every object, without the commits that brought it.
/// What an auditor's lists show: snapshots and whose they are, findings, the chains that people own, the names there are.
fn lists(ledger: &Ledger) -> Vec<String> {
    let settling = Policy::default().settling;
    let mut told = Vec::new();
    let head = ledger.head(TENANT).unwrap();
    let state = &head.state;
    told.push(format!("{} {:?} {:?} {:?}", head.sequence, head.recorded, state.coverage, state.open_round.is_some()));
    told.push(format!("{:?} {:?} {:?}", state.settling, state.holds, state.findings));
    for chain in ledger.store().chains_from(TENANT, "", None, 99).unwrap() {
        for SnapshotView { record, receipt, attribution } in
            ledger.snapshots(TENANT, &chain, None, 99, settling).unwrap()
        {
            told.push(format!("{:?} {:?} {receipt:?} {attribution:?}", record.snapshot, record.expired));
        }
    }
    for finding in ledger.findings(TENANT, None, 99).unwrap() {
        told.push(format!("{} {:?} {:?}", finding.id, finding.state(), finding.steps));
    }
    for who in 0..PEOPLE {
        told.push(format!("{:?}", ledger.owned_chains(TENANT, person(who)).unwrap()));
        told.push(format!("{:?}", ledger.store().chains(TENANT, &Subject::Object(person(who))).unwrap()));
    }
    told.push(format!("{:?}", ledger.store().names_from(TENANT, "", None, 99).unwrap().len()));
    told.push(format!("{:?}", ledger.store().object_ids(TENANT, None, 99).unwrap()));
    told
}

fn timelines(ledger: &Ledger) -> Vec<String> {
    let view = ledger.view(TENANT, KnownAt::Now).unwrap();
    let mut lines = Vec::new();
    for who in 0..PEOPLE {
        let timeline = view.timeline(person(who)).unwrap();
        let upn = timeline.names().upn.map(|upn| upn.spelling().to_owned());
        lines.push(format!("{who} {:?} {:?} {upn:?}", timeline.states(), timeline.created()));
        for (role, key, name) in timeline.names_ever() {
            let track = timeline.track(role, key).unwrap();
            let edges: Vec<_> = track.periods().iter().map(|period| (period.from, period.until)).collect();
            let spelling = name.spelling();
            lines.push(format!("{who} {role:?} {spelling} {:?} {:?} {edges:?}", track.held(), track.absent()));
        }
    }
    lines
}

fn recount(ledger: &Ledger) -> Counts {
    let view = ledger.view(TENANT, KnownAt::Now).unwrap();
    let mut counts = Counts::default();
    for object in ledger.store().object_ids(TENANT, None, 100).unwrap() {
        // Counts follow the facts alone: a horizon may prove a deletion that the counts learn with the next fact.
        match Timeline::of(object, view.facts(object).unwrap(), &Coverage::default()).state() {
            State::Active => counts.active += 1,
            State::SoftDeleted => counts.soft_deleted += 1,
            State::Purged => counts.purged += 1,
            State::Unknown => {}
        }
    }
    for index in 0..PEOPLE {
        let snapshots = ledger.snapshots(TENANT, &chain(index), None, 1_000, Policy::default().settling).unwrap();
        counts.snapshots += snapshots.len() as u64;
        let is_named = |found: &&SnapshotView| matches!(found.record.snapshot.addressed, Addressed::Name(..));
        counts.named += snapshots.iter().filter(is_named).count() as u64;
    }
    counts
}

/// What is wrong with what the ledger keeps for the auditor, worked out anew from every snapshot and every name.
fn kept_wrongly(ledger: &Ledger) -> Vec<String> {
    let mut wrong = Vec::new();
    let known = |text| ledger.known_name(TENANT, &name(text)).unwrap();
    let mut expected: BTreeSet<(FindingKind, About)> = BTreeSet::new();
    let mut owned: BTreeMap<ObjectId, BTreeSet<ChainId>> = BTreeMap::new();
    for id in (0..PEOPLE).map(chain) {
        let snapshots = ledger.snapshots(TENANT, &id, None, 1_000, Policy::default().settling).unwrap();
        let mut counted: BTreeMap<TallyClass, TallyCount> = BTreeMap::new();
        let mut anew = Vec::new();
        for SnapshotView { record, attribution, .. } in &snapshots {
            let receipts: Vec<Receipt> = record.receipts.iter().map(|(_, receipt)| receipt.clone()).collect();
            let judgement = Judgement::of(&record.snapshot, &receipts, attribution);
            if judgement != record.judgement {
                wrong.push(format!("{} is kept as {:?}: {judgement:?}", record.snapshot.id, record.judgement));
            }
            let count = counted.entry(TallyClass { judgement, mailbox: record.mailbox() }).or_default();
            count.all += 1;
            count.kept += u64::from(record.expired.is_none());
            owned.entry(judgement.certain_owner().unwrap_or(person(200))).or_default().insert(id.clone());
            anew.push((judgement, record.mailbox(), record.expired.is_none()));
        }
        let tallies: BTreeMap<TallyClass, TallyCount> =
            ledger.chain_tallies(TENANT, &id).unwrap().iter().map(|tally| (tally.class, tally.count)).collect();
        if tallies != counted {
            wrong.push(format!("{id} is counted as {tallies:?}: {counted:?}"));
        }
        expected.extend(findings_of(&anew).into_iter().map(|kind| (kind, About::Chain(id.clone()))));
    }
    for who in 0..PEOPLE {
        let anew = owned.remove(&person(who)).unwrap_or_default();
        let kept = ledger.owned_chains(TENANT, person(who)).unwrap();
        if kept != anew.iter().cloned().collect::<Vec<_>>() {
            wrong.push(format!("{who} owns {kept:?}: {anew:?}"));
        }
        if anew.len() > 1 {
            expected.insert((FindingKind::SplitOwner, About::Object(person(who))));
        }
    }
    let view = ledger.view(TENANT, KnownAt::Now).unwrap();
    let mut notable = Vec::new();
    for key in (0..NAMES).map(|index| known(index).key().clone()) {
        let claims = view.claims(&key, &mut BTreeMap::new()).unwrap();
        let held = claims.claims().iter().filter(|claim| !claim.track.periods().is_empty());
        let held: BTreeSet<(Namespace, ObjectId)> = held.map(|claim| (claim.namespace, claim.object)).collect();
        let of = |space| held.iter().filter(|(other, _)| *other == space).count();
        let all: BTreeSet<ObjectId> = held.iter().map(|(_, object)| *object).collect();
        if all.len() > 1 || (!claims.claims().is_empty() && claims.holder(NameKind::Any) == Holder::Nobody) {
            notable.push(key.clone());
        }
        let chains = |subject: Subject| !ledger.chains_addressed(TENANT, &subject).unwrap().is_empty();
        let protected = chains(Subject::Name(key.clone()))
            || claims.claims().iter().any(|claim| {
                let owns = !ledger.owned_chains(TENANT, claim.object).unwrap().is_empty();
                owns || chains(Subject::Object(claim.object))
            });
        if protected && Namespace::BOTH.into_iter().any(|space| of(space) > 1) {
            expected.insert((FindingKind::NameReused, About::Name(key)));
        }
    }
    notable.sort();
    if ledger.notable_names(TENANT, None, 99).unwrap() != notable {
        wrong.push(format!("notable names: {notable:?}"));
    }
    let findings = ledger.findings(TENANT, None, 999).unwrap();
    let open = findings.iter().filter(|finding| finding.state() == FindingState::Open);
    let open: BTreeSet<(FindingKind, About)> = open
        .map(|finding| (finding.kind, finding.subject.clone()))
        .filter(|(kind, _)| *kind != FindingKind::AddressCollision)
        .collect();
    if open != expected {
        wrong.push(format!("open findings {open:?}: {expected:?}"));
    }
    let counts = ledger.head(TENANT).unwrap().state.findings;
    let counted = findings.iter().filter(|finding| finding.state() == FindingState::Open).count() as u64;
    if counts.critical + counts.warning + counts.notice != counted {
        wrong.push(format!("{counts:?} open findings are counted: {counted}"));
    }
    wrong
}

/// What is wrong in a chain of these snapshots, kept (true) or not.
fn findings_of(snapshots: &[(Judgement, Option<MailboxId>, bool)]) -> Vec<FindingKind> {
    use HolderConfidence::{Ambiguous, Assumed, Nobody, Unknown};
    let still = || snapshots.iter().filter(|(.., kept)| *kept);
    let kept: Vec<Judgement> = still().map(|(judgement, ..)| *judgement).collect();
    let mailboxes: BTreeSet<MailboxId> = still().filter_map(|(_, mailbox, _)| *mailbox).collect();
    let bound = snapshots.iter().find_map(|(judgement, ..)| judgement.certain_owner());
    let owners: BTreeSet<ObjectId> = kept.iter().filter_map(|judgement| judgement.certain_owner()).collect();
    let settled = |confidence| kept.iter().any(|j| j.settled && j.confidence == confidence && !j.disputed);
    let likely = snapshots.iter().filter(|(j, ..)| j.settled && j.confidence == Assumed);
    // Of what is still kept, an assumed owner is held against whoever certainly owns some of it, if that is one object alone.
    let held_against = if owners.len() == 1 { owners.first().copied() } else { bound };
    let likely: BTreeSet<ObjectId> = likely.filter_map(|(j, ..)| j.object).chain(bound).chain(held_against).collect();
    let differs =
        kept.iter().any(|j| j.settled && j.confidence == Assumed && j.object != held_against) && likely.len() > 1;
    let is_other = |read: Option<ObjectId>| read.is_some() && bound.is_some() && read != bound;
    let mismatch = |j: &Judgement| j.disputed || j.receipted && is_other(j.object);
    let mut kinds = Vec::new();
    kinds.extend((mailboxes.len() > 1).then_some(FindingKind::MailboxChanged));
    kinds.extend((owners.len() > 1).then_some(FindingKind::MixedChain));
    kinds.extend(kept.iter().any(mismatch).then_some(FindingKind::ReceiptMismatch));
    kinds.extend((settled(Ambiguous) || settled(Unknown) || differs).then_some(FindingKind::Unattributable));
    kinds.extend(settled(Nobody).then_some(FindingKind::NobodyHeldName));
    kinds
}

fn derived_bytes(ledger: &Ledger) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut records = Vec::new();
    ledger.store().each_derived(&mut |key, value| records.push((key.to_vec(), value.to_vec()))).unwrap();
    records
}

fn options() -> SledOptions {
    let now = Instant::from_micros(START);
    SledOptions { create: true, rebuild: true, cache_capacity_bytes: 16 << 20, ..SledOptions::new("test", now) }
}

fn on_disk(directory: &TempDir) -> Ledger {
    Ledger::new(SledStore::open(directory.path(), options()).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn no_verdict_ever_writes_one_person_s_mail_where_another_s_belongs(acts in acts()) {
        let world = World::play(&acts);
        prop_assert!(world.wrong.is_empty(), "{:#?}", world.wrong);
    }

    #[test]
    fn counts_equal_a_recount_after_every_commit(acts in acts()) {
        let mut world = World::new();
        for (wait, act) in &acts {
            world.step(*wait, act);
            let counts = world.ledger.head(TENANT).unwrap().state.counts;
            prop_assert_eq!(counts, recount(&world.ledger), "after {:?}", act);
        }
    }

    #[test]
    fn what_is_kept_for_the_auditor_is_what_comes_out_anew_after_every_commit(acts in acts()) {
        let mut world = World::new();
        for (wait, act) in &acts {
            world.step(*wait, act);
            let wrong = kept_wrongly(&world.ledger);
            prop_assert!(wrong.is_empty(), "after {:?}: {:#?}", act, wrong);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn an_answer_is_replayed_from_its_basis_and_asking_changes_nothing(acts in acts()) {
        let mut world = World::new();
        let mut given = Vec::new();
        for (wait, act) in &acts {
            world.step(*wait, act);
            let (head, now) = (world.ledger.head(TENANT).unwrap(), world.clock());
            let first = answers(&world.ledger, now, KnownAt::Now);
            prop_assert_eq!(&first, &answers(&world.ledger, now, KnownAt::Now));
            prop_assert_eq!(&head, &world.ledger.head(TENANT).unwrap());
            given.push((head.sequence, now, first));
        }
        for (sequence, now, first) in given {
            prop_assert_eq!(first, answers(&world.ledger, now, KnownAt::Sequence(sequence)));
        }
    }

    #[test]
    fn a_ledger_laid_behind_a_commit_shows_what_it_showed_then(acts in acts()) {
        let mut world = World::new();
        let mut shown = Vec::new();
        for (wait, act) in &acts {
            world.step(*wait, act);
            let (sequence, now) = (world.ledger.head(TENANT).unwrap().sequence, world.clock());
            shown.push((sequence, now, answers(&world.ledger, now, KnownAt::Now), lists(&world.ledger)));
        }
        for (sequence, now, answered, listed) in shown {
            let past = world.ledger.as_known(TENANT, KnownAt::Sequence(sequence)).unwrap();
            prop_assert_eq!(answered, answers(&past, now, KnownAt::Now));
            prop_assert_eq!(listed, lists(&past));
        }
    }

    #[test]
    fn batches_and_repetition_do_not_matter_and_old_news_makes_no_commit(acts in acts(), sizes in prop::collection::vec(1usize..9, 1..20)) {
        let world = World::play(&acts);
        // A round that is known to have begun begins again when told again, which is the safe side.
        let begins = |fact: &Fact| matches!(fact, Fact::RoundBegan(_));
        let facts: Vec<Fact> = world.told.iter().flat_map(|told| told.facts.clone()).filter(|fact| !begins(fact)).collect();
        let other = Ledger::new(MemoryStore::new());
        let (mut rest, mut turn) = (facts.as_slice(), 0);
        while !rest.is_empty() {
            let size = sizes[turn % sizes.len()].min(rest.len());
            let mut batch = rest[..size].to_vec();
            if turn % 3 == 0 { batch.extend(rest[..size].to_vec()); }
            tell(&other, &Told { now: world.clock(), facts: batch });
            rest = &rest[size..];
            turn += 1;
        }
        prop_assert_eq!(timelines(&other), timelines(&world.ledger));
        let (ours, theirs) = (world.ledger.head(TENANT).unwrap().state, other.head(TENANT).unwrap().state);
        prop_assert_eq!((&ours.counts, &ours.coverage), (&theirs.counts, &theirs.coverage));
        let head = other.head(TENANT).unwrap();
        for told in &world.told {
            let facts = told.facts.iter().filter(|fact| !begins(fact)).cloned().collect();
            tell(&other, &Told { now: told.now, facts });
        }
        prop_assert_eq!(head, other.head(TENANT).unwrap());
    }

    #[test]
    fn a_rebuild_gives_the_same_bytes_and_verify_finds_nothing(acts in acts()) {
        let world = World::play(&acts);
        let report = world.ledger.verify(|_| ()).unwrap();
        prop_assert_eq!((report.differing, report.differences.len()), (0, 0));
        let before = derived_bytes(&world.ledger);
        world.ledger.rebuild(|_| ()).unwrap();
        prop_assert!(before == derived_bytes(&world.ledger));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_on_disk_answers_like_the_one_in_memory(acts in acts()) {
        let world = World::play(&acts);
        let directory = TempDir::new().unwrap();
        let disk = on_disk(&directory);
        for told in &world.told {
            tell(&disk, told);
        }
        prop_assert_eq!(disk.head(TENANT).unwrap(), world.ledger.head(TENANT).unwrap());
        let ask = |ledger: &Ledger| {
            let snapshots: Vec<String> = (0..PEOPLE)
                .map(|index| format!("{:?}", ledger.snapshots(TENANT, &chain(index), None, 100, Policy::default().settling).unwrap()))
                .collect();
            (answers(ledger, world.clock(), KnownAt::Now), answers(ledger, world.clock(), KnownAt::Sequence(Sequence(1))), snapshots)
        };
        if !world.told.is_empty() && world.ledger.head(TENANT).unwrap().sequence > Sequence(0) {
            prop_assert_eq!(ask(&disk), ask(&world.ledger));
        }
        prop_assert_eq!(disk.verify(|_| ()).unwrap().differing, 0);
    }
}

/// A world in which much happens, for tests that need not vary it.
fn busy() -> World {
    let poll = || Act::Poll { split: false, again: 9, trail: 0 };
    World::play(&[
        (1, Act::Create(0, 0)),
        (1, Act::Create(1, 1)),
        (1, poll()),
        (20, poll()),
        (1, Act::ById { chain: 0, who: 0, receipt: true }),
        (1, Act::ByName { chain: 1, name: 1, kind: 0, delay: 0, receipt: false }),
        (20, poll()),
        (1, Act::AskId { chain: Some(0), who: 0 }),
        (1, Act::AskName { chain: Some(0), name: 0, kind: 0 }),
        (1, Act::Rename { who: 0, to: 2, keep: false }),
        (1, Act::AskName { chain: Some(0), name: 0, kind: 0 }),
        (1, Act::Delete(1)),
        (20, Act::Poll { split: true, again: 9, trail: 0 }),
        (1, Act::Bin),
        (1, Act::Expire(0)),
        (1, Act::AskId { chain: None, who: 0 }),
    ])
}

#[test]
fn a_world_in_which_nothing_may_be_written_would_prove_nothing() {
    let world = busy();
    assert!(world.allowed.0 >= 3 && world.allowed.1 >= 2, "{:?}", world.allowed);
    assert_eq!(world.wrong, Vec::<String>::new());
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    Lost,
    Flipped,
    Swapped,
}

#[test]
fn a_damaged_derived_record_is_found_by_verify_and_repaired_by_a_rebuild() {
    let world = busy();
    let directory = TempDir::new().unwrap();
    let disk = on_disk(&directory);
    for told in &world.told {
        tell(&disk, told);
    }
    let whole = derived_bytes(&disk);
    let count = whole.len();
    drop(disk);
    for (step, damage) in [Damage::Lost, Damage::Flipped, Damage::Swapped].into_iter().cycle().take(18).enumerate() {
        let (key, value) = &whole[step * (count - 1) / 17];
        damage_record(&directory, &whole, key, value, damage);
        let disk = on_disk(&directory);
        let found = match disk.verify(|_| ()) {
            Ok(report) => report.differing > 0,
            Err(error) => error.to_string().contains("damaged"),
        };
        assert!(found, "{damage:?} of record {key:?} was not found");
        disk.rebuild(|_| ()).unwrap();
        assert_eq!(disk.verify(|_| ()).unwrap().differences, [], "{damage:?} of record {key:?}");
        assert!(derived_bytes(&disk) == whole, "{damage:?} of record {key:?} was not repaired");
        drop(disk);
    }
}

/// A tenant without its head looks empty, and the first commit of an empty tenant would be written over the journal's.
#[test]
fn a_ledger_whose_head_is_lost_is_never_written_over() {
    let world = busy();
    let directory = TempDir::new().unwrap();
    let disk = on_disk(&directory);
    for told in &world.told {
        tell(&disk, told);
    }
    let journal = disk.store().journal(TENANT, Sequence(1), 1_000).unwrap();
    let whole = derived_bytes(&disk);
    drop(disk);
    let (key, value) = whole.first().unwrap();
    damage_record(&directory, &whole, key, value, Damage::Lost);
    if let Ok(store) = SledStore::open(directory.path(), SledOptions { rebuild: false, ..options() }) {
        let facts = vec![Fact::RoundBegan(RoundBegan { started: Instant::from_micros(START) })];
        let batch = Batch { facts, ..Batch::default() };
        let stamp = Stamp { now: Instant::from_micros(START), salt: [0; 16] };
        assert!(Ledger::new(store).append(TENANT, batch, stamp).is_err(), "it wrote over its own journal");
    }
    let disk = on_disk(&directory);
    disk.rebuild(|_| ()).unwrap();
    assert_eq!(disk.store().journal(TENANT, Sequence(1), 1_000).unwrap(), journal);
    assert!(derived_bytes(&disk) == whole);
}

/// Writes past the store: the record is gone, one bit is other, or it is another record's.
fn damage_record(directory: &TempDir, whole: &[(Vec<u8>, Vec<u8>)], key: &[u8], value: &[u8], damage: Damage) {
    let db = engine::open_engine(directory.path().join("engine")).unwrap();
    match damage {
        Damage::Lost => drop(db.remove(key).unwrap().unwrap()),
        Damage::Flipped => {
            let mut value = value.to_vec();
            let middle = value.len() / 2;
            match value.get_mut(middle) {
                Some(byte) => *byte ^= 1,
                None => value.push(1),
            }
            db.insert(key, value).unwrap();
        }
        Damage::Swapped => {
            let other =
                whole.iter().find(|(_, other)| other != value).unwrap_or_else(|| panic!("all records are equal"));
            db.insert(key, other.1.clone()).unwrap();
        }
    }
    db.flush().unwrap();
}
