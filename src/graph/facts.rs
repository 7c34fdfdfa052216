//! Users from the wire become facts. Pure: the caller says when and by whom the answer was read.

use std::collections::{BTreeSet, HashSet};

use crate::domain::attribute::Attribute;
use crate::domain::fact::{Fact, MailboxState, ObjectKind, Profile, Reading, Removal, Removed, Seen};
use crate::domain::id::ObjectId;
use crate::domain::name::{Name, Proxy};
use crate::domain::scope::Described;
use crate::domain::time::Instant;
use crate::graph::wire::addressee::WireAddressee;
use crate::graph::wire::user::{RemovedReason, WirePlan, WireUser};

/// The fact that a delta page, a listing or a live read tells about one user.
///
/// - `@removed` makes it `Removed`: `changed` is a soft deletion, `deleted` a purge;
/// - so does a `deletedDateTime`, which is null on every live object, and a UPN that carries this object's own id in
///   front, which the directory writes at deletion: deleted users were seen to come without `@removed`
///   (microsoft-graph-docs issue 4498);
/// - all else is `Seen` with a complete profile. Every request selects all properties of the profile and asks for the
///   default representation, in which a property that is absent was never set.
///
/// Values that cannot be names (empty, over 512 bytes, with control characters) are left out: no name is held through
/// them, and the object is not lost over them.
pub fn fact(user: &WireUser, reading: Reading) -> Fact {
    let (upn, mangled) = names(user);
    match removal(user, mangled.is_some()) {
        Some(removal) => Fact::Removed(removed(user, reading, removal, mangled)),
        None => Fact::Seen(Seen { object: user.id, reading, profile: profile(user, upn) }),
    }
}

/// The facts that a delta page, a listing or a live read tells about one user: that of [`fact`], and of a live user its
/// attributes, of which the request selected these. One that is absent or null is not set.
pub fn facts(user: &WireUser, reading: Reading, selected: &BTreeSet<Attribute>) -> Vec<Fact> {
    let first = fact(user, reading);
    let is_live = matches!(first, Fact::Seen(_)) && !selected.is_empty();
    let described = is_live.then(|| {
        let attributes =
            selected.iter().map(|attribute| (*attribute, user.attributes.get(attribute).cloned())).collect();
        let reading = Reading { unchanged_since: None, ..reading };
        Fact::Described(Described { object: user.id, reading, attributes })
    });
    std::iter::once(first).chain(described).collect()
}

/// The objects that these users, of one page, show both as live and as removed. A page has no order, so nothing tells which of the two
/// came last.
pub fn disputed(users: &[WireUser]) -> BTreeSet<ObjectId> {
    let mut seen = HashSet::with_capacity(users.len());
    let several: BTreeSet<ObjectId> = users.iter().map(|user| user.id).filter(|object| !seen.insert(*object)).collect();
    // Hardly anybody is on a page twice, and whether somebody is removed takes the reading of a name.
    let (gone, live): (Vec<&WireUser>, Vec<&WireUser>) =
        users.iter().filter(|user| several.contains(&user.id)).partition(|user| is_removed(user));
    let live: BTreeSet<ObjectId> = live.into_iter().map(|user| user.id).collect();
    gone.into_iter().map(|user| user.id).filter(|object| live.contains(object)).collect()
}

/// Whether a user is told of as removed.
pub fn is_removed(user: &WireUser) -> bool {
    removal(user, names(user).1.is_some()).is_some()
}

/// The fact that an item of `/directory/deletedItems` tells: soft-deleted, with the UPN it had, which is unmangled by
/// this object's own id only. Any other 32 hex digits belong to the name.
pub fn deleted_fact(user: &WireUser, reading: Reading) -> Fact {
    let (upn, mangled) = names(user);
    Fact::Removed(removed(user, reading, Removal::Soft, mangled.or(upn)))
}

/// The fact that an item of `/groups` or `/contacts` tells: who else holds addresses.
pub fn addressee_fact(addressee: &WireAddressee, reading: Reading) -> Fact {
    let (object, deleted) = (addressee.id, instant(addressee.deleted_date_time.as_deref()));
    let removal = match addressee.removed {
        Some(RemovedReason::Deleted) => Some(Removal::Purged),
        Some(RemovedReason::Changed) => Some(Removal::Soft),
        None => deleted.map(|_| Removal::Soft),
    };
    if let Some(removal) = removal {
        return Fact::Removed(Removed { object, reading, removal, deleted, last_upn: None });
    }
    let profile = Profile {
        kind: addressee.collection.kind(),
        mail: name(addressee.mail.as_deref()),
        proxies: proxies(&addressee.proxy_addresses),
        created: instant(addressee.created_date_time.as_deref()),
        ..Profile::default()
    };
    Fact::Seen(Seen { object, reading, profile })
}

fn removal(user: &WireUser, is_mangled: bool) -> Option<Removal> {
    match user.removed {
        Some(RemovedReason::Changed) => Some(Removal::Soft),
        Some(RemovedReason::Deleted) => Some(Removal::Purged),
        None => (is_mangled || user.deleted_date_time.is_some()).then_some(Removal::Soft),
    }
}

fn removed(user: &WireUser, reading: Reading, removal: Removal, last_upn: Option<Name>) -> Removed {
    Removed { object: user.id, reading, removal, deleted: instant(user.deleted_date_time.as_deref()), last_upn }
}

/// The UPN as it stands, and the one inside it if it is mangled with this object's id.
fn names(user: &WireUser) -> (Option<Name>, Option<Name>) {
    let upn: Option<Name> = name(user.user_principal_name.as_deref());
    let mangled = upn.as_ref().and_then(|upn| upn.unmangled(user.id));
    (upn, mangled)
}

fn profile(user: &WireUser, upn: Option<Name>) -> Profile {
    Profile {
        kind: ObjectKind::User,
        upn,
        mail: name(user.mail.as_deref()),
        proxies: proxies(&user.proxy_addresses),
        created: instant(user.created_date_time.as_deref()),
        user_type: filled(user.user_type.as_ref()),
        employee_id: filled(user.employee_id.as_ref()),
        immutable_id: filled(user.on_premises_immutable_id.as_ref()),
        mailbox: user.exchange_plans.as_deref().and_then(mailbox),
    }
}

/// The service plans that give a mailbox. The service `exchange` has many others (foundation, analytics, archiving,
/// lockbox), which come with licences that have no mailbox.
const MAILBOX_PLANS: [&str; 9] = [
    "9aaf7827-d63c-4b61-89c3-182f06f82e5c", // EXCHANGE_S_STANDARD
    "efb87545-963c-4e0d-99df-69c6916d9eb0", // EXCHANGE_S_ENTERPRISE
    "4a82b400-a79f-41a4-b4e2-e94f5787b113", // EXCHANGE_S_DESKLESS
    "1126bef5-da20-4f07-b45e-ad25d2581aa8", // EXCHANGE_S_ESSENTIALS
    "90927877-dcff-4af6-b346-2332c0b15bb7", // EXCHANGE_B_STANDARD
    "d42bdbd6-c335-4231-ab3d-c8f348d5aff5", // EXCHANGE_L_STANDARD
    "e9b4930a-925f-45e2-ac2a-3f7788ca6fdd", // EXCHANGE_S_STANDARD_GOV
    "8c3069c0-ccdb-44be-ab77-986203a67df2", // EXCHANGE_S_ENTERPRISE_GOV
    "88f4d7ef-a73b-4246-8047-516022144c9f", // EXCHANGE_S_DESKLESS_GOV
];

/// What the Exchange plans say of the right to a mailbox: the best of those that give one. Plans that are not known
/// here leave it untold, because they may give one.
fn mailbox(plans: &[WirePlan]) -> Option<MailboxState> {
    let known = plans.iter().filter(|plan| MAILBOX_PLANS.contains(&plan.id.as_str()));
    let best = known.filter_map(|plan| state_of(&plan.status)).max();
    best.or_else(|| plans.is_empty().then_some(MailboxState::Unlicensed))
}

fn state_of(status: &str) -> Option<MailboxState> {
    let known = [
        ("Enabled", MailboxState::Enabled),
        ("Warning", MailboxState::Warning),
        ("Suspended", MailboxState::Suspended),
        ("LockedOut", MailboxState::LockedOut),
        ("Deleted", MailboxState::Deleted),
    ];
    known.into_iter().find(|(word, _)| word.eq_ignore_ascii_case(status)).map(|(_, state)| state)
}

fn proxies(entries: &[String]) -> Vec<Proxy> {
    let mut proxies = Vec::with_capacity(entries.len());
    proxies.extend(entries.iter().filter_map(|entry| Proxy::parse(entry).ok()));
    proxies
}

fn name(text: Option<&str>) -> Option<Name> {
    text?.parse().ok()
}

fn filled(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

/// Times before 1970 stand for "never" in some services (`0001-01-01T00:00:00Z`).
fn instant(text: Option<&str>) -> Option<Instant> {
    Instant::parse_lenient(text?).ok().filter(|at| at.as_micros() > 0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;
    use crate::domain::fact::Source;

    const ID: &str = "7e06b566-15f3-4013-8bf8-79874d52e68a";

    fn reading() -> Reading {
        Reading {
            at: "2026-03-01T00:00:00Z".parse().unwrap(),
            lag: Duration::from_secs(300),
            source: Source::Delta,
            unchanged_since: None,
        }
    }

    fn user(mut item: Value) -> WireUser {
        item["id"] = json!(ID);
        WireUser::read(0, &item).unwrap()
    }

    fn seen(item: Value) -> Profile {
        match fact(&user(item), reading()) {
            Fact::Seen(seen) => seen.profile,
            other => panic!("{other:?}"),
        }
    }

    fn gone(item: Value) -> Removed {
        match fact(&user(item), reading()) {
            Fact::Removed(removed) => removed,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn unusable_proxies_and_names_do_not_lose_the_object() {
        let profile = seen(json!({
            "userPrincipalName": "ann@x.test", "mail": "",
            "proxyAddresses": ["SMTP:Ann@x.test", "smtp:", 7, "smtp:a\u{0}b@x.test", "smtp:old@x.test", "X500:/o=Org"],
            "createdDateTime": "0001-01-01T00:00:00Z", "employeeId": ""
        }));
        assert_eq!(profile.upn.unwrap().spelling(), "ann@x.test");
        assert_eq!((profile.mail, profile.created, profile.employee_id), (None, None, None));
        let kept: Vec<&str> = profile.proxies.iter().filter_map(|proxy| proxy.smtp().map(Name::spelling)).collect();
        assert_eq!(kept, ["Ann@x.test", "old@x.test"]);
    }

    #[test]
    fn the_best_plan_that_gives_a_mailbox_tells_the_licence_and_others_do_not() {
        let told = |plans: Value| seen(json!({"assignedPlans": plans})).mailbox;
        let plan = |id: &str, status: &str, service: &str| json!({"servicePlanId": id, "capabilityStatus": status, "service": service});
        let (plan_2, kiosk) = ("EFB87545-963C-4e0d-99df-69c6916d9eb0", "4a82b400-a79f-41a4-b4e2-e94f5787b113");
        let analytics = "34c0d7a0-a70f-4668-9238-47f9fc208882";
        for (status, state) in [
            ("Enabled", MailboxState::Enabled),
            ("warning", MailboxState::Warning),
            ("Suspended", MailboxState::Suspended),
            ("LockedOut", MailboxState::LockedOut),
            ("Deleted", MailboxState::Deleted),
        ] {
            assert_eq!(told(json!([plan(plan_2, status, "exchange")])), Some(state), "{status}");
        }
        let (gone, new) = (plan(plan_2, "Deleted", "exchange"), plan(kiosk, "Enabled", "Exchange"));
        assert_eq!(told(json!([gone, new])), Some(MailboxState::Enabled), "another licence took over");
        let other = plan(analytics, "Enabled", "exchange");
        assert_eq!(told(json!([gone, other])), Some(MailboxState::Deleted), "analytics give no mailbox");
        assert_eq!(told(json!([other])), None, "a plan that is not known tells nothing");
        assert_eq!(told(json!([plan(plan_2, "Enabled", "SharePoint"), 7])), Some(MailboxState::Unlicensed));
        assert_eq!(
            (told(json!([])), told(Value::Null)),
            (Some(MailboxState::Unlicensed), Some(MailboxState::Unlicensed))
        );
        assert_eq!(seen(json!({"mail": "a@x.test"})).mailbox, None, "delta leaves out what was never set");
    }

    #[test]
    fn reasons_of_removal_are_told_apart() {
        assert_eq!(gone(json!({"@removed": {"reason": "changed"}})).removal, Removal::Soft);
        assert_eq!(gone(json!({"@removed": {"reason": "deleted"}})).removal, Removal::Purged);
    }

    #[test]
    fn a_deleted_user_that_comes_without_removed_is_recognised() {
        let by_upn = gone(json!({"userPrincipalName": "7e06b56615f340138bf879874d52e68ajohn@contoso.com"}));
        assert_eq!((by_upn.removal, by_upn.last_upn.unwrap().spelling()), (Removal::Soft, "john@contoso.com"));
        let by_time = gone(json!({"deletedDateTime": "2026-02-01T10:00:00Z", "userPrincipalName": "john@contoso.com"}));
        assert_eq!(by_time.deleted, Some("2026-02-01T10:00:00Z".parse().unwrap()));
    }

    #[test]
    fn a_upn_with_another_objects_digits_is_a_name_like_any_other() {
        let foreign = "7e06b56615f340138bf879874d52e68bjohn@contoso.com";
        assert_eq!(seen(json!({"userPrincipalName": foreign})).upn.unwrap().spelling(), foreign);
        let Fact::Removed(removed) = deleted_fact(&user(json!({"userPrincipalName": foreign})), reading()) else {
            panic!()
        };
        assert_eq!(removed.last_upn.unwrap().spelling(), foreign);
    }
}
