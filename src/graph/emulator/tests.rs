//! The directory and its delta rounds, without sockets.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;

use super::delta::{Manners, Round, page};
use super::entity::Select;
use super::*;
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn at(text: &str) -> Instant {
    text.parse().unwrap()
}

fn directory() -> Directory {
    Directory::new("contoso.onmicrosoft.com", at("2026-03-01T00:00:00Z"), 7)
}

fn mailbox(directory: &mut Directory, upn: &str) -> ObjectId {
    directory.create_user(NewUser::mailbox(upn)).unwrap()
}

fn round(initial: bool, from: usize) -> Round {
    Round {
        set: "users".to_owned(),
        from,
        to: 0,
        initial,
        select: Select::parse::<User>("userPrincipalName,mail,proxyAddresses").unwrap(),
        minimal: false,
        page_size: 3,
        ids: Vec::new(),
        page: 0,
        at: from,
        repeat: None,
        withheld: None,
        owed: None,
        serial: 0,
        issued: Instant::MIN,
        manners: Manners::default(),
    }
}

/// All items of a round, and the round after it.
fn walk(directory: &Directory, round: Round, manners: Manners) -> (Vec<Value>, Round) {
    let mut round = round.started(&directory.user_log, directory.user_log.length_at(directory.now()), 1, manners);
    let mut items = Vec::new();
    loop {
        let (more, next) = page(&directory.user_log, &round);
        items.extend(more);
        match next {
            Some(next) => round = next,
            None => return (items, round.following()),
        }
    }
}

/// Applies a round to what is known of live users.
fn apply(known: &mut BTreeMap<String, Value>, items: Vec<Value>) {
    for item in items {
        let id = item["id"].as_str().unwrap().to_owned();
        if item.get("@removed").is_some() {
            known.remove(&id);
        } else {
            known.insert(id, item["userPrincipalName"].clone());
        }
    }
}

fn truth(directory: &Directory) -> BTreeMap<String, Value> {
    directory.users_after(None).map(|user| (user.id.to_string(), Value::from(user.upn.as_str()))).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Create(u8),
    Rename(u8, u8, bool),
    SetUpn(u8, u8),
    Swap(u8, u8),
    Delete(u8),
    Restore(u8, bool),
    Purge(u8),
    Group(u8),
    Conflict(u8),
    Advance(u16),
}

fn step() -> impl Strategy<Value = Step> {
    // Few names and few users, so that acts meet each other.
    let n = 0u8..6;
    prop_oneof![
        3 => n.clone().prop_map(Step::Create),
        3 => (n.clone(), n.clone(), any::<bool>()).prop_map(|(u, name, keep)| Step::Rename(u, name, keep)),
        1 => (n.clone(), n.clone()).prop_map(|(u, name)| Step::SetUpn(u, name)),
        2 => (n.clone(), n.clone()).prop_map(|(a, b)| Step::Swap(a, b)),
        2 => n.clone().prop_map(Step::Delete),
        2 => (n.clone(), any::<bool>()).prop_map(|(u, reconcile)| Step::Restore(u, reconcile)),
        1 => n.clone().prop_map(Step::Purge),
        1 => n.clone().prop_map(Step::Group),
        1 => n.prop_map(Step::Conflict),
        2 => (0u16..400).prop_map(Step::Advance),
    ]
}

fn take(directory: &mut Directory, ids: &mut Vec<ObjectId>, step: &Step) {
    let pick = |n: u8, ids: &[ObjectId]| ids.get(usize::from(n) % ids.len().max(1)).copied();
    let name = |n: u8| format!("{}{n}@x.test", if n.is_multiple_of(2) { "n" } else { "N" });
    // Refusals are part of the walk; what matters is that they leave nothing behind.
    match *step {
        Step::Create(n) => ids.extend(directory.create_user(NewUser::mailbox(&name(n))).ok()),
        Step::Conflict(n) => ids.extend(directory.create_user_conflicting(NewUser::mailbox(&name(n))).ok()),
        Step::Rename(u, n, keep) => drop(pick(u, ids).map(|id| directory.rename(id, &name(n), keep))),
        Step::SetUpn(u, n) => drop(pick(u, ids).map(|id| directory.set_upn(id, &name(n)))),
        Step::Swap(a, b) => {
            let both = pick(a, ids).and_then(|a| directory.user(a)).zip(pick(b, ids).and_then(|b| directory.user(b)));
            let changes = both.map(|(a, b)| {
                let change =
                    |id, upn: &String| NameChange { id, upn: upn.clone(), mail_follows: true, keep_alias: false };
                [change(a.id, &b.upn), change(b.id, &a.upn)]
            });
            drop(changes.map(|changes| directory.set_many(&changes)));
        }
        Step::Delete(u) => drop(pick(u, ids).map(|id| directory.delete(id))),
        Step::Restore(u, reconcile) => drop(pick(u, ids).map(|id| directory.restore(id, None, reconcile))),
        Step::Purge(u) => drop(pick(u, ids).map(|id| directory.purge(id))),
        Step::Group(n) => drop(directory.create_group("group", Some(&name(n)))),
        Step::Advance(hours) => directory.advance(HOUR * u32::from(hours)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn delta_from_any_token_leads_to_the_live_users(
        steps in prop::collection::vec(step(), 1..40),
        cut in 0usize..40,
        duplicates: bool, shuffled: bool, empty_pages: bool, uneven_pages: bool, replay in 0usize..4,
        removed_in_initial_round: bool, first_change_late: bool,
    ) {
        let manners = Manners {
            seed: 5, duplicates, shuffled, empty_pages, uneven_pages, replay, removed_in_initial_round,
            ..Manners::default()
        };
        let mut directory = directory();
        let mut ids = Vec::new();
        let mut known = BTreeMap::new();
        let mut next = None;
        for (n, step) in steps.iter().enumerate() {
            if n == cut {
                let (items, following) = walk(&directory, round(true, 0), manners);
                apply(&mut known, items);
                prop_assert_eq!(&known, &truth(&directory));
                next = Some(following);
            }
            take(&mut directory, &mut ids, step);
        }
        if let Some(next) = next {
            let (items, last) = walk(&directory, next, Manners { first_change_late, ..manners });
            apply(&mut known, items);
            if first_change_late {
                // What a round keeps back is told by the one after it.
                apply(&mut known, walk(&directory, last, Manners::default()).0);
            }
            prop_assert_eq!(&known, &truth(&directory));
        }
        let mut afresh = BTreeMap::new();
        apply(&mut afresh, walk(&directory, round(true, 0), manners).0);
        prop_assert_eq!(afresh, truth(&directory));
    }

    #[test]
    fn names_have_one_holder_and_are_found_by_it(steps in prop::collection::vec(step(), 1..60)) {
        let mut directory = directory();
        let mut ids = Vec::new();
        for step in &steps {
            take(&mut directory, &mut ids, step);
            let mut upns = BTreeSet::new();
            let mut addresses = BTreeSet::new();
            for user in directory.users_after(None) {
                prop_assert!(upns.insert(user.upn.to_lowercase()), "{} twice", user.upn);
                prop_assert_eq!(directory.user_by_upn(&user.upn).map(|found| found.id), Some(user.id));
                for proxy in &user.proxies {
                    prop_assert!(addresses.insert(proxy.to_lowercase()), "{} twice", proxy);
                }
            }
            for group in directory.groups_after(None) {
                for proxy in &group.proxies {
                    prop_assert!(addresses.insert(proxy.to_lowercase()), "{} twice", proxy);
                }
            }
            // The index holds no more than that: everything else can be taken.
            for n in 0..6u8 {
                let upn = format!("n{n}@x.test");
                prop_assert_eq!(directory.user_by_upn(&upn).is_some(), upns.contains(&upn));
                let free = !upns.contains(&upn) && !addresses.contains(&format!("smtp:{upn}"));
                prop_assert_eq!(directory.clone().create_user(NewUser::mailbox(&upn)).is_ok(), free);
            }
        }
    }
}

#[test]
fn a_deleted_user_frees_its_names_at_once_and_carries_its_id_in_the_upn() {
    let mut directory = directory();
    let a = mailbox(&mut directory, "kim@x.test");
    directory.advance(Duration::from_millis(500));
    directory.delete(a).unwrap();
    let deleted = directory.deleted_user(a).unwrap();
    assert_eq!(deleted.upn, format!("{}kim@x.test", a.to_string().replace('-', "")));
    assert_eq!(deleted.mail.as_deref(), Some("kim@x.test"));
    mailbox(&mut directory, "Kim@x.test");
}

#[test]
fn a_restore_meets_the_namesake_unless_it_gives_way() {
    let mut directory = directory();
    let a = mailbox(&mut directory, "kim@x.test");
    directory.delete(a).unwrap();
    mailbox(&mut directory, "kim@x.test");
    let conflict = |property| Err(Refusal::ObjectConflict { property });
    assert_eq!(directory.restore(a, None, false), conflict("userPrincipalName"));
    assert_eq!(directory.restore(a, Some("kim2@x.test"), false), conflict("proxyAddresses"));
    directory.restore(a, Some("kim2@x.test"), true).unwrap();
    assert_eq!(directory.user(a).unwrap().proxies, Vec::<String>::new());
    assert!(directory.deleted_user(a).is_none());
}

#[test]
fn thirty_days_after_its_deletion_a_user_is_purged_by_the_clock_alone() {
    let mut directory = directory();
    let a = mailbox(&mut directory, "kim@x.test");
    directory.delete(a).unwrap();
    directory.advance(DAY * 30 - Duration::from_secs(1));
    assert!(directory.deleted_user(a).is_some());
    directory.advance(DAY);
    assert!(directory.deleted_user(a).is_none());
    let purge = directory.audits().last().unwrap();
    assert_eq!((purge.activity, purge.at), ("Hard Delete user", at("2026-03-31T00:00:00Z")));
    assert_eq!((purge.target_upn.as_ref(), purge.actor), (None, Actor::Service));
}

#[test]
fn a_restored_user_is_not_purged_on_the_old_date() {
    let mut directory = directory();
    let a = mailbox(&mut directory, "kim@x.test");
    directory.delete(a).unwrap();
    directory.advance(DAY);
    directory.restore(a, None, false).unwrap();
    directory.advance(DAY * 60);
    assert!(directory.user(a).is_some());
}

#[test]
fn a_refused_set_of_names_leaves_everybody_as_they_were() {
    let mut directory = directory();
    let a = mailbox(&mut directory, "a@x.test");
    let b = mailbox(&mut directory, "b@x.test");
    mailbox(&mut directory, "c@x.test");
    let before = (directory.user(a).cloned(), directory.audits().len());
    let change = |id, upn: &str| NameChange { id, upn: upn.to_owned(), mail_follows: true, keep_alias: false };
    assert!(directory.set_many(&[change(a, "b@x.test"), change(b, "c@x.test")]).is_err());
    assert!(directory.set_many(&[change(a, "d@x.test"), change(a, "e@x.test")]).is_err());
    assert_eq!((directory.user(a).cloned(), directory.audits().len()), before);
    directory.set_many(&[change(a, "b@x.test"), change(b, "a@x.test")]).unwrap();
    assert_eq!(directory.user_by_upn("a@x.test").unwrap().id, b);
}

#[test]
fn a_withheld_name_is_handed_over_at_the_next_full_hour_after_it_came_free() {
    let mut directory = directory();
    let a = mailbox(&mut directory, "tom@x.test");
    let b = directory.create_user_conflicting(NewUser::mailbox("tom@x.test")).unwrap();
    let placeholder: crate::domain::name::Name = directory.user(b).unwrap().upn.parse().unwrap();
    assert!(placeholder.is_quarantine_placeholder(), "{placeholder}");
    directory.set_now(at("2026-03-01T10:20:00Z")).unwrap();
    directory.rename(a, "tom.old@x.test", false).unwrap();
    directory.set_now(at("2026-03-01T10:59:59Z")).unwrap();
    assert_eq!(directory.user_by_upn("tom@x.test"), None);
    directory.set_now(at("2026-03-01T11:30:00Z")).unwrap();
    assert_eq!(directory.user_by_upn("tom@x.test").unwrap().id, b);
    assert_eq!(directory.audits().last().unwrap().at, at("2026-03-01T11:00:00Z"));
}

#[test]
fn a_rename_is_told_by_the_administrator_and_by_exchange() {
    let mut directory = directory();
    let a = mailbox(&mut directory, "lee@x.test");
    directory.rename(a, "roy@x.test", true).unwrap();
    let user = directory.user(a).unwrap();
    assert_eq!(user.proxies, ["SMTP:roy@x.test", "smtp:lee@x.test"]);
    let [.., upn, addresses] = directory.audits() else { panic!("two events") };
    let names = |event: &AuditEvent| event.modified.iter().map(|m| m.name).collect::<Vec<_>>();
    assert_eq!(names(upn), ["UserPrincipalName", "Included Updated Properties", "TargetId.UserType"]);
    assert_eq!(upn.modified[0].old.as_deref(), Some("[\"lee@x.test\"]"));
    assert_eq!(upn.modified[0].new.as_deref(), Some("[\"roy@x.test\"]"));
    assert_eq!(upn.target_upn.as_deref(), Some("roy@x.test"));
    assert_eq!((addresses.actor, &names(addresses)[..2]), (Actor::Exchange, &["Mail", "ProxyAddresses"][..]));
}

#[test]
fn a_group_can_take_a_persons_address_and_only_then() {
    let mut directory = directory();
    let a = mailbox(&mut directory, "tax@x.test");
    assert!(directory.create_group("Tax", Some("TAX@x.test")).is_err());
    directory.delete(a).unwrap();
    let group = directory.create_group("Tax", Some("tax@x.test")).unwrap();
    assert!(directory.restore(a, None, false).is_err());
    directory.set_group_addresses(group, None, &[]).unwrap();
    directory.restore(a, None, false).unwrap();
}

#[test]
fn switched_off_uniqueness_lets_two_hold_an_address_and_either_let_go() {
    let mut directory = directory();
    directory.set_smtp_unique(false);
    let a = mailbox(&mut directory, "a@x.test");
    let b = mailbox(&mut directory, "b@x.test");
    directory.set_addresses(b, Some("b@x.test"), &["SMTP:b@x.test".into(), "smtp:a@x.test".into()]).unwrap();
    directory.set_smtp_unique(true);
    directory.delete(a).unwrap();
    assert!(directory.create_group("A", Some("a@x.test")).is_err());
    directory.delete(b).unwrap();
    directory.create_group("A", Some("a@x.test")).unwrap();
}

#[test]
fn the_clock_refuses_to_go_back() {
    let mut directory = directory();
    assert!(matches!(directory.set_now(at("2026-02-28T00:00:00Z")), Err(Refusal::ClockBack { .. })));
}

#[test]
fn the_same_seed_gives_the_same_directory_and_another_seed_another() {
    let ids = |seed| {
        let mut directory = Directory::new("contoso.onmicrosoft.com", at("2026-03-01T00:00:00Z"), seed);
        directory.seed_users(100, "x.test").unwrap()
    };
    assert_eq!(ids(1), ids(1));
    assert_ne!(ids(1), ids(2));
    assert_eq!(ids(1).into_iter().collect::<HashSet<_>>().len(), 100);
}

#[test]
fn seeded_users_have_distinct_names_lap_after_lap() {
    let mut directory = directory();
    directory.seed_users(2_000, "x.test").unwrap();
    directory.seed_users(10, "x.test").unwrap();
    assert_eq!(directory.user_count(), 2_010);
    assert_eq!(directory.user_by_upn("ann.adams2@x.test").unwrap().display_name, "Ann Adams");
}

#[test]
fn spans_are_read_with_their_units() {
    assert_eq!(parse_span("90"), Some(Duration::from_secs(90)));
    assert_eq!(parse_span("1h30m"), Some(Duration::from_secs(5400)));
    assert_eq!(parse_span("30d"), Some(DAY * 30));
    for wrong in ["", "h", "1y", "1h3", "-1h"] {
        assert_eq!(parse_span(wrong), None, "{wrong}");
    }
}

#[test]
fn every_quirk_is_known_by_its_name_and_says_what_it_does() {
    for quirk in QuirkName::ALL {
        assert!(Quirks::named(&[quirk.name()]).unwrap().has(*quirk));
        assert_eq!(serde_json::to_value(quirk).unwrap(), quirk.name());
        assert!(quirk.description().ends_with('.'), "{}", quirk.description());
    }
    assert!(Quirks::named(&["gremlins"]).is_err());
}
