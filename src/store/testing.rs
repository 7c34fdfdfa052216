//! Generators of facts and commits, for the tests of this crate and, by path, for those outside of it.
//!
//! They are weighted toward few objects, names and chains, so that records meet and merge.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use whowas::domain::attribute::Attribute;
use whowas::domain::attribution::{Judgement, Settling};
use whowas::domain::coverage::Coverage;
use whowas::domain::domain_change::{DomainChanged, SuffixMap};
use whowas::domain::erase::{Erased, Fingerprint, Token};
use whowas::domain::fact::*;
use whowas::domain::finding::{Finding, FindingId, FindingKind, FindingState, Review, Step, Subject as About};
use whowas::domain::guard::{Held, HeldPart, HoldEnd, HoldEnded, HoldRejected, Impact};
use whowas::domain::holder::HolderConfidence;
use whowas::domain::id::{ChainId, MailboxId, ObjectId, Sequence, SnapshotId, TenantId};
use whowas::domain::link::{Anchor, AnchorKind, Link as Lineage, LinkEnd, Relation};
use whowas::domain::mapping::{Condition, Mapping, MappingApplied, MappingState, Rule, Test};
use whowas::domain::name::{Name, NameKey, NameKind, Namespace, Proxy};
use whowas::domain::scope::{Described, FeedTells, Grouped, GroupsListed, GroupsRead};
use whowas::domain::time::Instant;
use whowas::store::{
    Commit, Counts, Cursor, Derived, FindingCounts, Link, LinkRecord, OpenHold, Outcome, Proved, Run, RunKind,
    SnapshotRecord, Stint, Tally, TallyClass, TallyCount, TenantState, Trigger,
};

pub fn objects() -> BoxedStrategy<ObjectId> {
    (0u8..4).prop_map(|n| ObjectId::from_bytes([n; 16])).boxed()
}

pub fn names() -> BoxedStrategy<Name> {
    let few = ["ann@x.test", "Ann@x.test", "bob@x.test", "ann", "ann@x.test.example", "müller@bücher.test"];
    prop_oneof![4 => select(few.to_vec()).prop_map(str::to_owned), 1 => "[a-zÄß]{1,12}@[a-z]{1,8}\\.test"]
        .prop_map(|text| text.parse().expect("a name"))
        .boxed()
}

pub fn chains() -> BoxedStrategy<ChainId> {
    select(vec!["c", "c1", "c 1/ä"]).prop_map(|text| text.parse().expect("a chain id")).boxed()
}

pub fn snapshot_ids() -> BoxedStrategy<SnapshotId> {
    select(vec!["s", "s1", "s2", "ß"]).prop_map(|text| text.parse().expect("a snapshot id")).boxed()
}

pub fn instants() -> BoxedStrategy<Instant> {
    prop_oneof![6 => -3i64..4, 2 => 1_700_000_000_000_000i64..1_800_000_000_000_000, 1 => any::<i64>()]
        .prop_map(Instant::from_micros)
        .boxed()
}

pub fn facts() -> BoxedStrategy<Fact> {
    prop_oneof![
        4 => objects().prop_flat_map(object_facts),
        1 => vacancies().prop_map(Fact::Vacant),
        2 => tenant_facts(),
        1 => snapshots().prop_map(Fact::SnapshotTaken),
        1 => (chains(), snapshot_ids()).prop_flat_map(|(chain, id)| receipts(chain, id)).prop_map(Fact::Receipt),
        1 => (chains(), snapshot_ids())
            .prop_map(|(chain, snapshot)| Fact::SnapshotExpired(SnapshotExpired { chain, snapshot })),
        1 => prop_oneof![
            settlings().prop_map(Fact::Settling),
            links().prop_map(Fact::Linked),
            links().prop_map(Fact::Unlinked),
            reviews().prop_map(Fact::Acknowledged),
            reviews().prop_map(Fact::Resolved)
        ],
    ]
    .boxed()
}

pub fn object_facts(object: ObjectId) -> BoxedStrategy<Fact> {
    let lives = select(vec![Life::Created, Life::Deleted, Life::Purged, Life::Restored]);
    let removals = select(vec![Removal::Soft, Removal::Purged, Removal::NotFound]);
    let properties = select(vec![Property::UserPrincipalName, Property::ProxyAddresses]);
    prop_oneof![
        4 => (readings(), profiles())
            .prop_map(move |(reading, profile)| Fact::Seen(Seen { object, reading, profile })),
        1 => (readings(), removals, of(instants()), of(names())).prop_map(
            move |(reading, removal, deleted, last_upn)| Fact::Removed(Removed {
                object,
                reading,
                removal,
                deleted,
                last_upn
            })
        ),
        1 => (instants(), "[a-z0-9-]{0,9}", properties, of(vec(names(), 0..3)), of(vec(names(), 0..3))).prop_map(
            move |(at, event, property, old, new)| Fact::Changed(Changed { object, at, event, property, old, new })
        ),
        1 => (instants(), "[a-z0-9-]{0,9}", lives, of(names()))
            .prop_map(move |(at, event, life, upn)| Fact::Lifecycle(Lifecycle { object, at, event, life, upn })),
        1 => (readings(), described()).prop_map(
            move |(reading, attributes)| Fact::Described(Described { object, reading, attributes })
        ),
        1 => (objects(), instants(), any::<bool>())
            .prop_map(move |(group, at, is_member)| Fact::Grouped(Grouped { object, group, at, is_member })),
    ]
    .boxed()
}

pub fn vacancies() -> BoxedStrategy<Vacant> {
    (names(), readings()).prop_map(|(name, reading)| Vacant { name, reading }).boxed()
}

pub fn tenant_facts() -> BoxedStrategy<Fact> {
    let feeds = select(vec![Feed::Delta, Feed::Audit]);
    prop_oneof![
        (feeds, instants(), instants()).prop_map(|(feed, from, through)| Fact::Horizon(Horizon {
            feed,
            from,
            through
        })),
        instants().prop_map(|started| Fact::RoundBegan(RoundBegan { started })),
        (instants(), instants(), ".{0,12}").prop_map(|(from, until, why)| Fact::Blind(Blind { from, until, why })),
        holds().prop_map(Fact::Held),
        (0u64..6, instants(), any::<bool>()).prop_map(|(run, at, passed)| {
            Fact::HoldEnded(HoldEnded { run, at, how: if passed { HoldEnd::Passed } else { HoldEnd::Accepted } })
        }),
        (0u64..6, instants()).prop_map(|(run, at)| Fact::HoldRejected(HoldRejected { run, at })),
        (0u64..6, instants(), any::<[u64; 3]>(), vec(objects(), 0..4)).prop_map(|(run, at, counts, named)| {
            let [renamed, exceptions, stragglers] = counts;
            let map = SuffixMap { from: "old.test".to_owned(), to: "x.test".to_owned() };
            let (named_exceptions, named_stragglers) = (named.clone(), named);
            Fact::DomainChanged(DomainChanged {
                run,
                at,
                map,
                renamed,
                exceptions,
                stragglers,
                named_exceptions,
                named_stragglers,
            })
        }),
        (instants(), mappings()).prop_map(|(at, mapping)| Fact::MappingApplied(MappingApplied { at, mapping })),
        (instants(), vec(objects(), 0..3), vec(objects(), 0..2))
            .prop_map(|(at, listed, refused)| Fact::GroupsListed(GroupsListed { at, listed, refused })),
        attributes().prop_map(|attributes| Fact::FeedTells(FeedTells { attributes })),
    ]
    .boxed()
}

pub fn attributes() -> BoxedStrategy<BTreeSet<Attribute>> {
    let few: Vec<Attribute> = Attribute::all().step_by(7).collect();
    prop::collection::btree_set(select(few), 0..3).boxed()
}

fn described() -> BoxedStrategy<BTreeMap<Attribute, Option<String>>> {
    let values = || of(select(vec!["Sales", "sales", "", "HR"]).prop_map(str::to_owned));
    attributes()
        .prop_flat_map(move |attributes| {
            let count = attributes.len();
            (Just(attributes), vec(values(), count))
        })
        .prop_map(|(attributes, values)| attributes.into_iter().zip(values).collect())
        .boxed()
}

pub fn conditions() -> BoxedStrategy<Condition> {
    let texts = || select(vec!["Sales", "SALES", "Guest", "ß", "Ann"]).prop_map(str::to_owned);
    let tests = move || {
        prop_oneof![
            texts().prop_map(Test::Equals),
            texts().prop_map(Test::Prefix),
            vec(texts(), 0..3).prop_map(Test::In)
        ]
    };
    let few: Vec<Attribute> = Attribute::all().step_by(7).collect();
    let leaves = prop_oneof![
        Just(Condition::Any),
        objects().prop_map(Condition::Group),
        select(vec!["x.test", "X.TEST", "bücher.test"]).prop_map(|domain| Condition::Domain(domain.to_owned())),
        tests().prop_map(Condition::UserType),
        (select(few), tests()).prop_map(|(attribute, test)| Condition::Attribute(attribute, test))
    ];
    leaves
        .prop_recursive(4, 12, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|inner| Condition::Not(Box::new(inner))),
                vec(inner.clone(), 0..3).prop_map(Condition::AnyOf),
                vec(inner, 0..3).prop_map(Condition::AllOf)
            ]
        })
        .boxed()
}

pub fn mappings() -> BoxedStrategy<Mapping> {
    let labels = || prop::collection::btree_map("[a-z]{1,4}", "[a-zß]{0,4}", 0..3);
    vec((conditions(), of(conditions()), labels()), 0..4)
        .prop_map(|rules| {
            let rules = rules.into_iter().enumerate().map(|(place, (matches, exclude, labels))| Rule {
                name: format!("rule {place}"),
                matches,
                exclude,
                labels,
            });
            Mapping::new(rules.collect()).expect("small rules with names of their own")
        })
        .boxed()
}

fn mapping_states() -> BoxedStrategy<MappingState> {
    let groups = prop::collection::btree_map(objects(), of(instants()), 0..3);
    (of(0u64..9), groups, attributes())
        .prop_map(|(applied, groups, told)| MappingState {
            applied: applied.map(Sequence),
            groups: GroupsRead(groups),
            told,
        })
        .boxed()
}

pub fn holds() -> BoxedStrategy<Held> {
    let parts = select(vec![HeldPart::Round, HeldPart::Reconcile]);
    (0u64..6, parts, instants(), any::<[u64; 4]>(), ".{0,9}", any::<u16>(), any::<bool>(), vec(objects(), 0..4))
        .prop_map(|(run, part, at, counts, why, chunk, complete, objects)| {
            let [removals, renames, takeovers, active] = counts;
            let impact = Impact { removals, renames, takeovers, active };
            Held { run, part, at, impact, why, chunk, complete, objects }
        })
        .boxed()
}

pub fn snapshots() -> BoxedStrategy<Snapshot> {
    let kinds = select(vec![NameKind::Any, NameKind::Upn, NameKind::Smtp]);
    let addressed = prop_oneof![
        (names(), kinds).prop_map(|(name, kind)| Addressed::Name(name, kind)),
        objects().prop_map(Addressed::Object)
    ];
    (chains(), snapshot_ids(), instants(), instants(), addressed, of(mailboxes()))
        .prop_map(|(chain, id, from, until, addressed, mailbox)| Snapshot {
            chain,
            id,
            from,
            until,
            addressed,
            mailbox,
        })
        .boxed()
}

pub fn receipts(chain: ChainId, snapshot: SnapshotId) -> BoxedStrategy<Receipt> {
    (objects(), of(mailboxes()), of(objects()), of(mailboxes()))
        .prop_map(move |(object, mailbox, object_end, mailbox_end)| Receipt {
            chain: chain.clone(),
            snapshot: snapshot.clone(),
            object,
            mailbox,
            object_end,
            mailbox_end,
        })
        .boxed()
}

/// A commit and derived changes to keep with it. They need not follow from one another: a store only keeps them.
pub fn commits() -> BoxedStrategy<(Commit, Derived)> {
    let commit = (any::<[u8; 16]>(), vec(facts(), 0..4), of(cursors()), of(runs()))
        .prop_map(|(salt, facts, cursor, run)| Commit { recorded: Instant::from_micros(0), salt, facts, cursor, run });
    (commit, derived()).boxed()
}

pub fn erased() -> BoxedStrategy<Erased> {
    let token = || any::<[u8; 16]>().prop_map(Token);
    prop_oneof![objects().prop_map(Erased::Object), token().prop_map(Erased::Name), token().prop_map(Erased::Text)]
        .boxed()
}

pub fn derived() -> BoxedStrategy<Derived> {
    let objects = prop::collection::btree_map(objects(), Just(()), 0..3)
        .prop_flat_map(|ids| ids.into_keys().map(|id| (Just(id), vec(object_facts(id), 1..4))).collect::<Vec<_>>());
    let namespaces = select(vec![Namespace::Upn, Namespace::Smtp]);
    let postings = vec((names().prop_map(|name| name.key().clone()), self::objects(), namespaces), 0..5);
    (
        objects,
        postings,
        vec(vacancies(), 0..3),
        vec(snapshot_records(), 0..3),
        vec((self::objects(), chains()), 0..3),
        vec(tenant_facts(), 0..3),
        of(runs()),
        (states(), audits(), vec((erased(), any::<[u8; 8]>().prop_map(Fingerprint)), 0..3)),
    )
        .prop_map(|(objects, postings, vacancies, snapshots, subjects, tenant, run, (state, audit, erased))| {
            let (tallies, owned, findings, anchors, links, notable, members) = audit;
            Derived {
                objects,
                postings,
                vacancies,
                snapshots,
                subjects,
                tallies,
                owned,
                findings,
                anchors,
                links,
                notable,
                members,
                erased,
                tenant,
                run,
                state,
            }
        })
        .boxed()
}

type Audits = (
    Vec<(ChainId, Tally)>,
    Vec<(ObjectId, ChainId, bool)>,
    Vec<Finding>,
    Vec<(Anchor, ObjectId)>,
    Vec<(ObjectId, LinkRecord)>,
    Vec<(NameKey, bool)>,
    Vec<(ObjectId, ObjectId, bool)>,
);

fn audits() -> BoxedStrategy<Audits> {
    let counts = (0u64..3, 0u64..3).prop_map(|(all, kept)| TallyCount { all, kept });
    let classes = (judgements(), of(mailboxes())).prop_map(|(judgement, mailbox)| TallyClass { judgement, mailbox });
    let tallies = (classes, counts).prop_map(|(class, count)| Tally { class, count, changed: Sequence(1) });
    (
        vec((chains(), tallies), 0..3),
        vec((objects(), chains(), any::<bool>()), 0..3),
        vec(findings(), 0..3),
        vec((anchors(), objects()), 0..3),
        vec((objects(), link_records()), 0..3),
        vec((names().prop_map(|name| name.key().clone()), any::<bool>()), 0..3),
        vec((objects(), objects(), any::<bool>()), 0..3),
    )
        .boxed()
}

pub fn judgements() -> BoxedStrategy<Judgement> {
    use HolderConfidence::{Ambiguous, Assumed, Certain, Nobody, Unknown};
    let confidences = select(vec![Certain, Assumed, Ambiguous, Nobody, Unknown]);
    (of(objects()), confidences, any::<[bool; 3]>())
        .prop_map(|(owner, confidence, [settled, receipted, disputed])| Judgement {
            object: owner,
            confidence,
            settled,
            receipted,
            disputed,
        })
        .boxed()
}

pub fn anchors() -> BoxedStrategy<Anchor> {
    let kinds = select(vec![AnchorKind::Mailbox, AnchorKind::ImmutableId, AnchorKind::EmployeeId]);
    let values = prop_oneof![
        select(vec!["4711", "", "a\0b"]).prop_map(str::to_owned),
        mailboxes().prop_map(|mailbox| mailbox.to_string())
    ];
    (kinds, values).prop_map(|(kind, value)| Anchor { kind, value }).boxed()
}

pub fn links() -> BoxedStrategy<Lineage> {
    let relations =
        select(vec![Relation::RecreatedAs, Relation::MigratedTo, Relation::MergedInto, Relation::RecoveredFrom]);
    let tenants = of(any::<[u8; 16]>().prop_map(TenantId::from_bytes));
    (objects(), tenants, objects(), relations, of(".{0,9}"), of(".{0,9}"))
        .prop_map(|(from, tenant, object, relation, note, by)| {
            let to = LinkEnd { tenant, object };
            Lineage { from, to, relation, note, by }
        })
        .boxed()
}

fn link_records() -> BoxedStrategy<LinkRecord> {
    (links(), vec(any::<bool>(), 1..3))
        .prop_map(|(link, steps)| {
            let steps = steps.into_iter().map(|on| (Sequence(1), on)).collect();
            LinkRecord { link, steps }
        })
        .boxed()
}

pub fn findings() -> BoxedStrategy<Finding> {
    let subjects = prop_oneof![
        chains().prop_map(About::Chain),
        names().prop_map(|name| About::Name(name.key().clone())),
        objects().prop_map(About::Object),
        anchors().prop_map(About::Anchor),
        (0u64..3).prop_map(About::Run)
    ];
    let states =
        select(vec![FindingState::Open, FindingState::Acknowledged, FindingState::Resolved, FindingState::Withdrawn]);
    let steps = (states, instants(), of(".{0,9}"), of(".{0,9}")).prop_map(|(state, time, by, note)| Step {
        state,
        sequence: Sequence(1),
        time,
        by,
        note,
    });
    (select(FindingKind::ALL.to_vec()), subjects, any::<u64>(), vec(steps, 1..3))
        .prop_map(|(kind, subject, weight, steps)| {
            let id = FindingId::of(kind, &subject);
            Finding { id, kind, subject, weight, steps }
        })
        .boxed()
}

pub fn reviews() -> BoxedStrategy<Review> {
    (findings(), instants(), of(".{0,9}"), of(".{0,9}"))
        .prop_map(|(finding, at, by, note)| Review { finding: finding.id, at, by, note })
        .boxed()
}

fn stints() -> BoxedStrategy<Stint> {
    let proved = select(vec![Proved::Any, Proved::Not]);
    (proved, instants(), instants(), of((instants(), chains(), snapshot_ids())))
        .prop_map(|(proved, from, through, after)| Stint { proved, from, through, after })
        .boxed()
}

pub fn settlings() -> BoxedStrategy<Settling> {
    (any::<Duration>(), of(any::<Duration>()))
        .prop_map(|(propagation, audit_lag)| Settling { propagation, audit_lag })
        .boxed()
}

fn snapshot_records() -> BoxedStrategy<SnapshotRecord> {
    (snapshots(), 0usize..3, any::<bool>())
        .prop_flat_map(|(snapshot, count, expired)| {
            let receipts = vec(receipts(snapshot.chain.clone(), snapshot.id.clone()), count);
            (Just(snapshot), receipts, Just(expired))
        })
        .prop_flat_map(|parts| (Just(parts), judgements()))
        .prop_map(|((snapshot, receipts, expired), judgement)| SnapshotRecord {
            snapshot,
            taken: Sequence(1),
            receipts: receipts.into_iter().map(|receipt| (Sequence(1), receipt)).collect(),
            expired: expired.then_some(Sequence(1)),
            judgement,
            judged: Sequence(1),
        })
        .boxed()
}

fn mailboxes() -> BoxedStrategy<MailboxId> {
    (0u8..3).prop_map(|n| MailboxId::from_bytes([n; 16])).boxed()
}

fn readings() -> BoxedStrategy<Reading> {
    let sources = select(vec![
        Source::Delta,
        Source::Reconcile,
        Source::Live,
        Source::Audit,
        Source::Import,
        Source::Agent,
        Source::Operator,
    ]);
    let lags = prop_oneof![Just(Duration::from_secs(300)), any::<Duration>()];
    (instants(), lags, sources, of(instants()))
        .prop_map(|(at, lag, source, unchanged_since)| Reading { at, lag, source, unchanged_since })
        .boxed()
}

fn profiles() -> BoxedStrategy<Profile> {
    let kinds = select(vec![ObjectKind::User, ObjectKind::Group, ObjectKind::Contact]);
    let proxies = prop_oneof![
        names().prop_map(Proxy::Primary),
        names().prop_map(Proxy::Alias),
        "[a-zA-Z0-9]{1,4}:.{0,9}".prop_map(Proxy::Other)
    ];
    let types = select(vec!["Member", "Guest", "member", ""]).prop_map(str::to_owned);
    let text = || of(".{0,9}");
    let mailbox = of(select(vec![MailboxState::Unlicensed, MailboxState::Deleted, MailboxState::Enabled]));
    (kinds, of(names()), of(names()), vec(proxies, 0..4), of(instants()), of(types), text(), text(), mailbox)
        .prop_map(|(kind, upn, mail, proxies, created, user_type, employee_id, immutable_id, mailbox)| Profile {
            kind,
            upn,
            mail,
            proxies,
            created,
            user_type,
            employee_id,
            immutable_id,
            mailbox,
        })
        .boxed()
}

fn cursors() -> BoxedStrategy<Cursor> {
    let links = prop_oneof![
        (".{0,20}", instants(), of(".{0,20}")).prop_map(|(url, round_started, began)| Link::Next {
            url,
            round_started,
            began
        }),
        ".{0,20}".prop_map(|url| Link::Delta { url })
    ];
    let kinds = prop_oneof![Just(ObjectKind::Group), Just(ObjectKind::Contact)];
    let beside = prop::collection::btree_map(kinds, ".{0,20}", 0..3);
    (links, of(instants()), beside).prop_map(|(link, horizon, beside)| Cursor { link, horizon, beside }).boxed()
}

fn runs() -> BoxedStrategy<Run> {
    let triggers = select(vec![Trigger::Schedule, Trigger::Demand, Trigger::Startup]);
    let kinds = select(vec![RunKind::Full, RunKind::Delta, RunKind::Reconcile]);
    let outcomes = select(vec![Outcome::Completed, Outcome::Failed, Outcome::Held, Outcome::Interrupted]);
    let times = (instants(), of(instants()), of(instants()));
    (0u64..6, triggers, kinds, outcomes, times, any::<[u64; 8]>(), (of(".{0,9}"), of(".{0,9}")))
        .prop_map(|(run, trigger, kind, outcome, (started, ended, horizon), counts, (error, note))| {
            let [pages, seen, changed, removed, restored, facts, requests, throttled_ms] = counts;
            Run {
                run,
                trigger,
                kind,
                started,
                ended,
                outcome,
                pages,
                seen,
                changed,
                removed,
                restored,
                facts,
                requests,
                throttled_ms,
                horizon,
                error,
                note,
            }
        })
        .boxed()
}

fn states() -> BoxedStrategy<TenantState> {
    let horizons = vec((0i64..50, 0i64..8, any::<bool>()), 0..4).prop_map(|rounds| {
        let horizon = |(from, width, delta): (i64, i64, bool)| Horizon {
            feed: if delta { Feed::Delta } else { Feed::Audit },
            from: Instant::from_micros(from),
            through: Instant::from_micros(from + width),
        };
        Coverage::of(&rounds.into_iter().map(horizon).collect::<Vec<_>>())
    });
    let open = holds().prop_map(|held| OpenHold { run: held.run, part: held.part });
    let numbers = (any::<u64>(), any::<[u64; 5]>(), any::<[u64; 3]>());
    let held = (of(instants()), vec(open, 0..3));
    (horizons, of(cursors()), held, numbers, settlings(), vec(stints(), 0..3), mapping_states())
        .prop_map(|(coverage, cursor, (open_round, holds), (runs, counts, findings), settling, backlog, mapping)| {
            let [active, soft_deleted, purged, snapshots, named] = counts;
            let [critical, warning, notice] = findings;
            TenantState {
                coverage,
                cursor,
                open_round,
                holds,
                runs,
                counts: Counts { active, soft_deleted, purged, snapshots, named },
                settling,
                findings: FindingCounts { critical, warning, notice },
                backlog,
                mapping,
            }
        })
        .boxed()
}
