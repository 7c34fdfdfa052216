//! Directory audit events become facts: the only source that tells *when* a name changed.
//!
//! There is no activity for a changed name; it is a modified property of `Update user`. The values are texts that hold
//! JSON in one of several encodings, and the target's own UPN means another thing in each activity
//! (MicrosoftDocs/entra-docs, monitoring-health/reference-audit-activities.md, and live captures).

use std::time::Duration;

use serde_json::Value;

use super::wire::audit::{AuditTarget, ModifiedProperty, WireAudit};
use crate::domain::fact::{Changed, Fact, Life, Lifecycle, Property};
use crate::domain::id::ObjectId;
use crate::domain::name::{Name, Proxy};
use crate::domain::time::Instant;

/// What events tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditFacts {
    /// `Changed` and `Lifecycle` facts, in the order of the events.
    pub facts: Vec<Fact>,
    /// Every event that gave none, with its id and why.
    pub ignored: Vec<Ignored>,
}

/// An event that gave no fact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// The event's id, or what stands for it.
    pub event: String,
    /// Why.
    pub why: Why,
}

/// Why an event gave no fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Why {
    /// A failed attempt lists values that never took effect.
    #[error("the act failed: its values never took effect")]
    Failed,
    /// Other services log acts of their own, on other systems' users too.
    #[error("another service than Core Directory logged it")]
    OtherService,
    /// Without a time it dates nothing.
    #[error("it has no readable time")]
    NoTime,
    /// No target is a user with a GUID that is not all zeros.
    #[error("no target is a user with an object id")]
    NoUser,
    /// Nothing about names or life: most events.
    #[error("it changes no name")]
    NoName,
    /// It says that a name changed, in a form that cannot be read.
    #[error("its values cannot be read as names")]
    Unreadable,
}

/// The facts of these events. The same events give the same facts, in any number of readings.
pub fn facts<'a>(events: impl IntoIterator<Item = &'a WireAudit>) -> AuditFacts {
    let mut out = AuditFacts::default();
    for event in events {
        match read(event) {
            Ok(facts) => out.facts.extend(facts),
            Err(why) => out.ignored.push(Ignored { event: event_id(event), why }),
        }
    }
    out
}

/// Whether the event may have changed a life or a user principal name in a way that its facts do not tell. The log has a hole at
/// its instant: it proves nothing across it.
pub fn may_hide(event: &WireAudit) -> bool {
    let is_others = event.service.as_deref().is_some_and(|service| !service.eq_ignore_ascii_case("Core Directory"));
    let has_failed = event.result.as_deref().is_some_and(|result| result.eq_ignore_ascii_case("failure"));
    // Other services' acts and failed ones change no name. What timed out, or ended in a way that nobody knows yet, may have.
    if is_others || has_failed {
        return false;
    }
    let facts = read(event).unwrap_or_default();
    let is_told = |object: ObjectId| {
        facts.iter().any(|fact| match fact {
            Fact::Lifecycle(life) => life.object == object,
            Fact::Changed(changed) => changed.object == object && changed.property == Property::UserPrincipalName,
            _ => false,
        })
    };
    let may_be_user =
        |target: &&AuditTarget| target.kind.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("User"));
    let mut targets = event.targets.iter().filter(may_be_user);
    if Activity::of(&event.activity).life().is_some()
        && !targets.clone().next().and_then(Target::of).is_some_and(|user| is_told(user.object))
    {
        return true;
    }
    targets.any(|target| {
        let is_named = target.modified.iter().any(names_upn);
        is_named && !Target::of(target).is_some_and(|user| is_told(user.object))
    })
}

/// Whether a modified property is the UPN, or lists it among what was changed (`Included Updated Properties`).
fn names_upn(modified: &ModifiedProperty) -> bool {
    const UPN: &str = "userprincipalname";
    let lists = |value: &Option<Value>| {
        value.as_ref().is_some_and(|value| value.to_string().to_ascii_lowercase().contains(UPN))
    };
    let is_list = modified.name.trim().eq_ignore_ascii_case("Included Updated Properties");
    modified.name.trim().eq_ignore_ascii_case(UPN) || (is_list && (lists(&modified.new) || lists(&modified.old)))
}

/// The event's own id; where an abbreviated export has none, what tells the event apart from every other.
pub fn event_id(event: &WireAudit) -> String {
    match &event.id {
        Some(id) if !id.is_empty() => id.clone(),
        _ => {
            let at = event.at.map(|at| at.to_string()).unwrap_or_default();
            format!("{}/{}/{at}", event.correlation_id.as_deref().unwrap_or("-"), event.activity)
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Activity {
    Add,
    Delete,
    HardDelete,
    Restore,
    /// `Update user` and whatever else changes a property of a user.
    Other,
}

/// A user among an event's targets.
struct Target<'a> {
    object: ObjectId,
    wire: &'a AuditTarget,
}

fn read(event: &WireAudit) -> Result<Vec<Fact>, Why> {
    let activity = Activity::of(&event.activity);
    let users = users(event);
    // Told first, so that a page of a busy log says "no user" of what is none of ours, failed or not.
    if users.is_empty() {
        return Err(Why::NoUser);
    }
    if event.service.as_deref().is_some_and(|service| !service.eq_ignore_ascii_case("Core Directory")) {
        return Err(Why::OtherService);
    }
    if event.result.as_deref().is_some_and(|result| !result.eq_ignore_ascii_case("success")) {
        return Err(Why::Failed);
    }
    let (mut facts, mut unreadable) = (Vec::new(), false);
    // A life ends or begins for the first user; a second one (a manager, a sponsor) is only mentioned.
    if let Some(life) = activity.life() {
        match user_targets(event).next().and_then(Target::of) {
            Some(user) => facts.push(FactAt::Life(user.object, life, lifecycle_upn(activity, &user))),
            None => unreadable = true,
        }
    }
    for user in &users {
        for property in [Property::UserPrincipalName, Property::ProxyAddresses] {
            match change(activity, user, property) {
                Change::None => {}
                Change::Unreadable => unreadable = true,
                Change::Of { old, new } => facts.push(FactAt::Change(user.object, property, old, new)),
            }
        }
    }
    if facts.is_empty() {
        return Err(if unreadable { Why::Unreadable } else { Why::NoName });
    }
    let at = event.at.ok_or(Why::NoTime)?;
    let id = event_id(event);
    Ok(facts.into_iter().flat_map(|fact| fact.dated(at, event.width, &id)).collect())
}

impl Activity {
    fn of(text: &str) -> Self {
        match text.trim().trim_end_matches('.').to_ascii_lowercase().as_str() {
            "add user" => Self::Add,
            "delete user" => Self::Delete,
            "hard delete user" => Self::HardDelete,
            "restore user" => Self::Restore,
            _ => Self::Other,
        }
    }

    fn life(self) -> Option<Life> {
        match self {
            Self::Add => Some(Life::Created),
            Self::Delete => Some(Life::Deleted),
            Self::HardDelete => Some(Life::Purged),
            Self::Restore => Some(Life::Restored),
            Self::Other => None,
        }
    }
}

enum FactAt {
    Life(ObjectId, Life, Option<Name>),
    Change(ObjectId, Property, Option<Vec<Name>>, Option<Vec<Name>>),
}

impl FactAt {
    /// An event of which the instant is known is one fact. Of one that happened within a second two tell: at the beginning what was before
    /// it, at the end what was after it, and both of them if there is nothing to tell, so that nothing goes on across it.
    fn dated(self, at: Instant, width: Duration, event: &str) -> Vec<Fact> {
        let life_at =
            |object, at, life, upn| Fact::Lifecycle(Lifecycle { object, at, event: event.to_owned(), life, upn });
        let change_at = |object, at, property, old, new| {
            Fact::Changed(Changed { object, at, event: event.to_owned(), property, old, new })
        };
        let is_known = width == Duration::ZERO;
        let (end, upn_of) = (at.plus(width), Property::UserPrincipalName);
        match self {
            Self::Life(object, life, upn) if is_known => vec![life_at(object, at, life, upn)],
            Self::Change(object, property, old, new) if is_known => vec![change_at(object, at, property, old, new)],
            Self::Life(object, life @ (Life::Created | Life::Restored), upn) => {
                let new = upn.map(|upn| vec![upn]);
                vec![life_at(object, at, life, None), change_at(object, end, upn_of, None, new)]
            }
            Self::Life(object, life @ (Life::Deleted | Life::Purged), upn) => {
                let old = upn.map(|upn| vec![upn]);
                vec![change_at(object, at, upn_of, old, None), life_at(object, end, life, None)]
            }
            Self::Change(object, property, old, new) => {
                vec![change_at(object, at, property, old, None), change_at(object, end, property, None, new)]
            }
        }
    }
}

fn users(event: &WireAudit) -> Vec<Target<'_>> {
    user_targets(event).filter_map(Target::of).collect()
}

/// What an event is about, as far as it is users, whether or not their ids can be read.
fn user_targets(event: &WireAudit) -> impl Iterator<Item = &AuditTarget> {
    let speaks_of_users = event.activity.trim_end_matches('.').to_ascii_lowercase().ends_with(" user");
    let is_user = move |target: &&AuditTarget| match target.kind.as_deref() {
        Some(kind) => kind.eq_ignore_ascii_case("User"),
        // Abbreviated exports drop the type; then the activity tells.
        None => speaks_of_users,
    };
    event.targets.iter().filter(is_user)
}

/// The UPN that the event tells: given at a creation, held just before a deletion. Of a hard deletion there is none: the
/// name was released at the soft deletion before it.
fn lifecycle_upn(activity: Activity, user: &Target<'_>) -> Option<Name> {
    let modified = user.modified(Property::UserPrincipalName);
    let first = |value: Option<&Value>| decode(value?)?.first()?.parse::<Name>().ok();
    let of_target = || user.wire.user_principal_name.as_deref()?.parse::<Name>().ok();
    match activity {
        Activity::Add => modified
            .and_then(|property| first(property.new.as_ref()))
            .or_else(of_target)
            .filter(|upn| upn.unmangled(user.object).is_none()),
        // The target's UPN is already the mangled one; without this object's own id in front it is the one just before.
        Activity::Delete => modified
            .and_then(|property| first(property.old.as_ref()))
            .or_else(of_target)
            .map(|upn| upn.unmangled(user.object).unwrap_or(upn)),
        Activity::HardDelete | Activity::Restore | Activity::Other => None,
    }
}

enum Change {
    None,
    Unreadable,
    Of { old: Option<Vec<Name>>, new: Option<Vec<Name>> },
}

fn change(activity: Activity, user: &Target<'_>, property: Property) -> Change {
    // A creation's and a deletion's UPN is told by the life itself, and a deletion releases every address.
    let told_by_life = match property {
        Property::UserPrincipalName => matches!(activity, Activity::Add | Activity::Delete | Activity::HardDelete),
        Property::ProxyAddresses => matches!(activity, Activity::Delete | Activity::HardDelete),
    };
    let Some(modified) = user.modified(property).filter(|_| !told_by_life) else { return Change::None };
    let read = |value: Option<&Value>| names(value?, property, user.object);
    let (old, mut new) = (read(modified.old.as_ref()), read(modified.new.as_ref()));
    // After a rename the target's UPN is the new one.
    if property == Property::UserPrincipalName && modified.new.is_none() && old.is_some() {
        let upn = user.wire.user_principal_name.as_deref().and_then(|upn| upn.parse::<Name>().ok());
        new = upn.filter(|upn| upn.unmangled(user.object).is_none()).map(|upn| vec![upn]);
    }
    match (&old, &new) {
        (None, None) if modified.old.is_none() && modified.new.is_none() => Change::None,
        (None, None) => Change::Unreadable,
        // A deleted user holds no address: what falls off at its restore may long be somebody else's.
        _ if property == Property::ProxyAddresses && matches!(activity, Activity::Restore) => {
            Change::Of { old: None, new }
        }
        _ => Change::Of { old, new },
    }
}

impl<'a> Target<'a> {
    /// `None` without a GUID, or with the all-zero one that stands for none.
    fn of(wire: &'a AuditTarget) -> Option<Self> {
        let object: ObjectId = wire.id.as_deref()?.trim().parse().ok()?;
        (object.as_bytes() != &[0; 16]).then_some(Self { object, wire })
    }

    fn modified(&self, property: Property) -> Option<&ModifiedProperty> {
        let name = match property {
            Property::UserPrincipalName => "UserPrincipalName",
            Property::ProxyAddresses => "ProxyAddresses",
        };
        self.wire.modified.iter().find(|modified| modified.name.trim().eq_ignore_ascii_case(name))
    }
}

/// The names in one value, or `None` if the event does not tell them. All or nothing: a list that cannot be read in full
/// would prove an address absent that was there.
fn names(value: &Value, property: Property, object: ObjectId) -> Option<Vec<Name>> {
    let mut names = Vec::new();
    for text in decode(value)? {
        match property {
            Property::UserPrincipalName => {
                let name: Name = text.parse().ok()?;
                // A UPN mangled with the object's own id is no name: the object is deleted and holds none.
                if name.unmangled(object).is_none() {
                    names.push(name);
                }
            }
            Property::ProxyAddresses => {
                for entry in proxy_entries(&text)? {
                    names.extend(Proxy::parse(entry).ok()?.smtp().cloned());
                }
            }
        }
    }
    names.sort();
    names.dedup();
    Some(names)
}

/// Lists also come joined with `;` inside one text. X400 addresses contain `;` themselves, so a text is split only where
/// every part has a prefix of its own; an address list that cannot be split surely is not told.
fn proxy_entries(text: &str) -> Option<Vec<&str>> {
    if !text.contains(';') {
        return Some(vec![text]);
    }
    let parts: Vec<&str> = text.split(';').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.iter().all(|part| part.contains(':')) {
        return Some(parts);
    }
    let names_mail = text.to_ascii_lowercase().contains("smtp:");
    if names_mail { None } else { Some(vec![text]) }
}

/// The texts in an old or new value: a JSON array in a text, a JSON text in a text, plain text, or either encoded once
/// more. `None` means that it does not tell; an empty list that it tells there was nothing.
fn decode(value: &Value) -> Option<Vec<String>> {
    decode_nested(value, 0)
}

fn decode_nested(value: &Value, depth: u8) -> Option<Vec<String>> {
    const DEPTH_MAX: u8 = 4;
    match value {
        Value::Array(entries) => {
            let mut texts = Vec::new();
            for entry in entries {
                let text = entry.as_str()?.trim();
                if !text.is_empty() {
                    texts.push(text.to_owned());
                }
            }
            Some(texts)
        }
        Value::String(text) => {
            let text = text.trim();
            if text.is_empty() {
                // Bare emptiness says nothing; inside JSON, `""`, it says that there was nothing.
                return (depth > 0).then(Vec::new);
            }
            let is_json = text.starts_with('[') || text.starts_with('"');
            match serde_json::from_str::<Value>(text) {
                Ok(inner @ (Value::Array(_) | Value::String(_))) if is_json && depth < DEPTH_MAX => {
                    decode_nested(&inner, depth + 1)
                }
                Ok(Value::Null) => None,
                // What begins like JSON and is none was cut short.
                _ if is_json => None,
                _ => Some(vec![text.to_owned()]),
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "7e06b566-15f3-4013-8bf8-79874d52e68a";
    const MANGLED: &str = "7e06b56615f340138bf879874d52e68aann@x.test";

    fn event(activity: &str, target: Value) -> WireAudit {
        let mut target = target;
        for (key, value) in [("id", json!(ID)), ("type", json!("User"))] {
            if target.get(key).is_none() {
                target[key] = value;
            }
        }
        read_event(json!({
            "id": "Directory_1", "correlationId": "c", "activityDisplayName": activity, "result": "success",
            "activityDateTime": "2026-03-01T10:00:00.1234567Z", "loggedByService": "Core Directory",
            "targetResources": [target]
        }))
    }

    fn read_event(event: Value) -> WireAudit {
        WireAudit::read(0, &event).unwrap()
    }

    fn upn(old: Value, new: Value) -> Value {
        json!({"modifiedProperties": [{"displayName": "UserPrincipalName", "oldValue": old, "newValue": new}]})
    }

    #[test]
    fn an_event_that_may_have_changed_a_name_unread_leaves_a_hole() {
        let modified = |properties: Value| json!({ "modifiedProperties": properties });
        let proxies = json!({"displayName": "ProxyAddresses", "oldValue": "[]", "newValue": "[\"SMTP:b@x.test\"]"});
        let cut_off = json!({"displayName": "UserPrincipalName", "oldValue": "[\"a@x", "newValue": "[true]"});
        let both = event("Update user", modified(json!([cut_off, proxies])));
        assert_eq!(facts([&both]).facts.len(), 1, "the addresses are read all the same");
        assert!(may_hide(&both));
        assert!(may_hide(&event("Update user", upn(Value::Null, Value::Null))));
        assert!(may_hide(&event("Delete user", json!({"id": null, "userPrincipalName": MANGLED}))));
        assert!(may_hide(&event("Update user", json!({"id": "nobody", "modifiedProperties": [cut_off]}))));
        let listed = json!({"displayName": "Included Updated Properties", "newValue": "\"UserPrincipalName\""});
        assert!(may_hide(&event("Update user", modified(json!([listed])))));

        for told in [
            event("Update user", upn(json!("[\"a@x.test\"]"), json!("[\"b@x.test\"]"))),
            event("Update user", modified(json!([proxies]))),
            event("Delete user", json!({"userPrincipalName": MANGLED})),
            event("Add user", json!({"userPrincipalName": "a@x.test"})),
            event("Update user", modified(json!([{"displayName": "LastDirSyncTime", "newValue": "\"x\""}]))),
        ] {
            assert!(!may_hide(&told), "{}", told.activity);
        }
        let readable =
            json!({"displayName": "UserPrincipalName", "oldValue": "[\"a@x.test\"]", "newValue": "[\"b@x.test\"]"});
        for (result, hides) in [("failure", false), ("Failure", false), ("timeout", true), ("unknownFutureValue", true)]
        {
            let ended = read_event(json!({
                "id": "1", "activityDisplayName": "Update user", "result": result, "activityDateTime": "2026-03-01T10:00:00Z",
                "loggedByService": "Core Directory", "targetResources": [{"id": ID, "type": "User", "modifiedProperties": [readable]}]
            }));
            assert_eq!(may_hide(&ended), hides, "{result}");
            assert!(facts([&ended]).facts.is_empty(), "{result}: nothing tells that it took effect");
        }
    }

    fn spelled(names: &Option<Vec<Name>>) -> Option<Vec<&str>> {
        names.as_ref().map(|names| names.iter().map(Name::spelling).collect())
    }

    fn changed(event: &WireAudit) -> Changed {
        match read(event).unwrap().as_slice() {
            [Fact::Changed(changed)] => changed.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn life(event: &WireAudit) -> Lifecycle {
        match read(event).unwrap().first() {
            Some(Fact::Lifecycle(life)) => life.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_encoding_of_a_value_is_read() {
        let told = Some(vec!["a@x.test"]);
        for (value, names) in [
            (json!("[\"a@x.test\"]"), told.clone()),
            (json!("[\r\n  \"a@x.test\"\r\n]"), told.clone()),
            (json!("\"a@x.test\""), told.clone()),
            (json!("a@x.test"), told.clone()),
            (json!("\"[\\\"a@x.test\\\"]\""), told.clone()),
            (json!("\"\\\"a@x.test\\\"\""), told.clone()),
            (json!(["a@x.test"]), told.clone()),
            (json!("[]"), Some(vec![])),
            (json!("[\"\"]"), Some(vec![])),
            (json!("\"\""), Some(vec![])),
            (json!(""), None),
            (json!(null), None),
            (json!("null"), None),
            (json!("[null]"), None),
            (json!("[true]"), None),
            (json!("[\"a@x.t"), None),
            (json!(7), None),
        ] {
            let changed = changed(&event("Update user", upn(value.clone(), json!("[\"new@x.test\"]"))));
            assert_eq!(spelled(&changed.old), names, "{value}");
            assert_eq!(spelled(&changed.new), Some(vec!["new@x.test"]), "{value}");
        }
    }

    #[test]
    fn an_absent_old_value_is_untold_and_an_absent_new_one_is_the_targets_upn() {
        let mut target =
            json!({"modifiedProperties": [{"displayName": "userprincipalname", "oldValue": "[\"a@x.test\"]"}]});
        target["userPrincipalName"] = json!("b@x.test");
        let renamed = changed(&event("update user", target));
        assert_eq!((spelled(&renamed.old), spelled(&renamed.new)), (Some(vec!["a@x.test"]), Some(vec!["b@x.test"])));
        let target =
            json!({"modifiedProperties": [{"displayName": "UserPrincipalName", "newValue": "[\"b@x.test\"]"}]});
        assert_eq!(changed(&event("Update user", target)).old, None);
    }

    #[test]
    fn proxies_lose_other_kinds_and_a_list_that_cannot_be_read_in_full_is_untold() {
        let of = |value: &str| {
            let target = json!({"modifiedProperties": [
                {"displayName": "ProxyAddresses", "oldValue": value, "newValue": "[]"}]});
            let changed = changed(&event("Update user", target));
            assert_eq!(changed.property, Property::ProxyAddresses);
            changed.old.map(|names| names.iter().map(|name| name.spelling().to_owned()).collect::<Vec<_>>())
        };
        let both = Some(vec!["a@x.test".to_owned(), "b@x.test".to_owned()]);
        assert_eq!(of("[\"SMTP:a@x.test\",\"smtp:b@x.test\",\"SIP:c@x.test\",\"X500:/o=Org\"]"), both);
        assert_eq!(of("\"SMTP:a@x.test;smtp:b@x.test\""), both);
        assert_eq!(of("\"X400:C=US;A= ;P=Org;S=Ann\""), Some(vec![]));
        assert_eq!(of("\"smtp:a@x.test;X400:C=US;A= ;P=Org\""), None);
        assert_eq!(of("[\"smtp:a@x.test\",\"smtp:\"]"), None);
    }

    #[test]
    fn a_creation_takes_the_modified_upn_else_the_targets() {
        let mut target = upn(json!("[]"), json!("[\"ann@x.test\"]"));
        target["userPrincipalName"] = json!("later@x.test");
        let created = life(&event("Add user", target));
        assert_eq!((created.life, created.upn.unwrap().spelling()), (Life::Created, "ann@x.test"));
        let created = life(&event("ADD USER", json!({"userPrincipalName": "ann@x.test"})));
        assert_eq!(created.upn.unwrap().spelling(), "ann@x.test");
    }

    #[test]
    fn a_deletion_gives_the_upn_without_the_objects_own_id_only() {
        for (target_upn, before) in [
            (MANGLED, "ann@x.test"),
            ("ann@x.test", "ann@x.test"),
            ("7e06b56615f340138bf879874d52e68bann@x.test", "7e06b56615f340138bf879874d52e68bann@x.test"),
        ] {
            let deleted = life(&event("Delete user", json!({"userPrincipalName": target_upn})));
            assert_eq!((deleted.life, deleted.upn.unwrap().spelling()), (Life::Deleted, before));
        }
        let mut target = upn(json!("[\"ann@x.test\"]"), json!(format!("[\"{MANGLED}\"]")));
        target["userPrincipalName"] = json!(MANGLED);
        let facts = read(&event("Delete user", target)).unwrap();
        assert_eq!(facts.len(), 1, "the mangled UPN is no rename: {facts:?}");
    }

    #[test]
    fn a_hard_deletion_tells_no_name_in_either_spelling() {
        for activity in ["Hard Delete user", "Hard delete user"] {
            for target in [json!({}), json!({"userPrincipalName": MANGLED})] {
                let purged = life(&event(activity, target));
                assert_eq!((purged.life, purged.upn), (Life::Purged, None));
            }
        }
    }

    #[test]
    fn the_addresses_before_a_restore_are_untold_because_a_deleted_user_holds_none() {
        let proxies = json!({"displayName": "ProxyAddresses", "oldValue": "[\"SMTP:a@x.test\",\"smtp:taken@x.test\"]",
            "newValue": "[\"SMTP:a@x.test\"]"});
        let restored = event("Restore user", json!({"userPrincipalName": "a@x.test", "modifiedProperties": [proxies]}));
        let changed = read(&restored).unwrap().into_iter().find_map(|fact| match fact {
            Fact::Changed(changed) => Some(changed),
            _ => None,
        });
        let changed = changed.unwrap();
        assert_eq!((spelled(&changed.old), spelled(&changed.new)), (None, Some(vec!["a@x.test"])));
    }

    #[test]
    fn a_restore_from_the_mangled_upn_is_no_rename_of_it() {
        let target = upn(json!(format!("[\"{MANGLED}\"]")), json!("[\"ann2@x.test\"]"));
        let facts = read(&event("Restore user", target)).unwrap();
        let [Fact::Lifecycle(restored), Fact::Changed(changed)] = facts.as_slice() else { panic!("{facts:?}") };
        assert_eq!((restored.life, &restored.upn), (Life::Restored, &None));
        assert_eq!((spelled(&changed.old), spelled(&changed.new)), (Some(vec![]), Some(vec!["ann2@x.test"])));
    }

    #[test]
    fn what_proves_nothing_is_ignored_with_its_reason() {
        let rename = || upn(json!("[\"a@x.test\"]"), json!("[\"b@x.test\"]"));
        let with = |key: &str, value: Value| {
            let mut target = rename();
            target[key] = value;
            event("Update user", target)
        };
        let mut failed = event("Update user", rename());
        failed.result = Some("failure".to_owned());
        let mut provisioning = event("Update user", rename());
        provisioning.service = Some("Account Provisioning".to_owned());
        let mut timeless = event("Update user", rename());
        timeless.at = None;
        for (event, why) in [
            (failed, Why::Failed),
            (provisioning, Why::OtherService),
            (timeless, Why::NoTime),
            (with("type", json!("Group")), Why::NoUser),
            (with("id", json!("00000000-0000-0000-0000-000000000000")), Why::NoUser),
            (with("id", json!("user1")), Why::NoUser),
            (event("Update user", json!({"userPrincipalName": "b@x.test"})), Why::NoName),
            (event("Update user", upn(json!(null), json!(null))), Why::NoName),
            (event("Update user", upn(json!("[true]"), json!("[7]"))), Why::Unreadable),
        ] {
            let out = facts([&event]);
            assert!(out.facts.is_empty(), "{event:?}");
            assert_eq!(out.ignored, [Ignored { event: "Directory_1".to_owned(), why }]);
        }
    }

    /// A deletion tells of its first user alone, also where nobody can say who that is.
    #[test]
    fn a_life_is_that_of_the_first_user_or_of_nobody() {
        let users = |first: Value| json!([{"id": first, "type": "User"}, {"id": ID, "type": "User"}]);
        let event_of = |first| {
            read_event(json!({"id": "e", "activityDisplayName": "Delete user", "result": "success",
                "activityDateTime": "2026-03-01T10:00:00Z", "targetResources": users(first)}))
        };
        let first = "11111111-2222-4333-8444-555555555555";
        let told = read(&event_of(json!(first))).unwrap();
        assert_eq!(told.iter().map(|fact| fact.object()).collect::<Vec<_>>(), [Some(first.parse().unwrap())]);
        for unreadable in [Value::Null, json!("nobody"), json!("00000000-0000-0000-0000-000000000000")] {
            assert_eq!(read(&event_of(unreadable.clone())), Err(Why::Unreadable), "{unreadable}");
        }
    }

    #[test]
    fn a_user_as_second_target_counts_and_one_without_type_needs_a_user_activity() {
        let group = json!({"id": "ef7e527d-6c92-4234-8c6d-cf6fdfb57f95", "type": "Group", "modifiedProperties": []});
        let mut user = upn(json!("[\"a@x.test\"]"), json!("[\"b@x.test\"]"));
        user["id"] = json!(ID);
        let event_of = |activity: &str, user: &Value| {
            read_event(json!({"id": "e", "activityDisplayName": activity, "result": "success",
                "activityDateTime": "2026-03-01T10:00:00Z", "targetResources": [group, user]}))
        };
        assert_eq!(changed(&event_of("Update user", &user)).object, ID.parse().unwrap());
        assert_eq!(read(&event_of("Update policy", &user)), Err(Why::NoUser));
        user["type"] = json!("user");
        assert_eq!(changed(&event_of("Update policy", &user)).object, ID.parse().unwrap());
    }

    #[test]
    fn an_event_without_id_is_told_apart_by_correlation_activity_and_time() {
        let mut nameless = event("Update user", upn(json!("[\"a@x.test\"]"), json!("[\"b@x.test\"]")));
        nameless.id = None;
        assert_eq!(changed(&nameless).event, "c/Update user/2026-03-01T10:00:00.123456Z");
    }
}
