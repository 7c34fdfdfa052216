//! A user as `/users`, `/users/delta` and `/directory/deletedItems` give it.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use super::failure::WireError;
use super::{Rejected, Rejection, text};
use crate::domain::attribute::{Attribute, EXTENSIONS_PROPERTY};
use crate::domain::id::ObjectId;

/// The properties asked for in every request for users. `id` comes anyway, but a listing without it was seen in the
/// documents, so it is asked for.
pub const SELECT: &str =
    "id,userPrincipalName,mail,proxyAddresses,createdDateTime,userType,employeeId,onPremisesImmutableId,assignedPlans";

/// The same for deleted users, the only ones whose `deletedDateTime` is not null.
pub const SELECT_DELETED: &str = "id,userPrincipalName,mail,proxyAddresses,createdDateTime,userType,employeeId,onPremisesImmutableId,deletedDateTime";

/// One item that really is a user: it has an id that is a GUID and no other type. Its values are as sent.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct WireUser {
    /// `id`.
    pub id: ObjectId,
    /// `@removed`, only in delta answers.
    pub removed: Option<RemovedReason>,
    /// `userPrincipalName`.
    pub user_principal_name: Option<String>,
    /// `mail`.
    pub mail: Option<String>,
    /// `proxyAddresses`, with prefixes. Entries that are no text are left out.
    pub proxy_addresses: Vec<String>,
    /// `createdDateTime`.
    pub created_date_time: Option<String>,
    /// `deletedDateTime`: always null on a live object.
    pub deleted_date_time: Option<String>,
    /// `userType`.
    pub user_type: Option<String>,
    /// `employeeId`.
    pub employee_id: Option<String>,
    /// `onPremisesImmutableId`.
    pub on_premises_immutable_id: Option<String>,
    /// `assignedPlans` of the service `exchange`; null is an empty list, absent is `None`.
    pub exchange_plans: Option<Vec<WirePlan>>,
    /// The attributes that are set, for mapping rules; booleans as text. One that is selected and not among them is not set.
    pub attributes: BTreeMap<Attribute, String>,
}

/// One of `assignedPlans`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WirePlan {
    /// `servicePlanId`, in lower case.
    pub id: String,
    /// `capabilityStatus`: `Enabled`, `Warning`, `Suspended`, `LockedOut` or `Deleted`.
    pub status: String,
}

/// `@removed.reason` (graph: concepts/delta-query-users.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RemovedReason {
    /// `changed`: soft-deleted, restorable. It does not mean "updated".
    Changed,
    /// `deleted`: gone for good.
    Deleted,
}

impl WireUser {
    /// Reads one item. `index` is its place on the page, for the refusal.
    pub fn read(index: usize, item: &Value) -> Result<Self, Rejected> {
        let refuse = |id, why| Rejected { index, id, why };
        let item = item.as_object().ok_or_else(|| refuse(None, Rejection::NoObject))?;
        let id = read_id(item).map_err(|why| refuse(None, why))?;
        check_kind(item).and_then(|()| read_properties(id, item)).map_err(|why| refuse(Some(id), why))
    }
}

/// Ids only: names are personal data and stay out of logs.
impl fmt::Debug for WireUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireUser").field("id", &self.id).field("removed", &self.removed).finish_non_exhaustive()
    }
}

fn read_id(item: &Map<String, Value>) -> Result<ObjectId, Rejection> {
    if let Some(error) = item.get("error") {
        return Err(Rejection::ErrorObject { code: WireError::of_object(error).code });
    }
    // A foreign object is named as such even when its id is unusable too.
    check_kind(item)?;
    let id = text(item, "id")?.ok_or(Rejection::NoId)?;
    id.parse().map_err(|_| Rejection::BadId)
}

fn check_kind(item: &Map<String, Value>) -> Result<(), Rejection> {
    if let Some(kind) = text(item, "@odata.type")? {
        let kind = kind.strip_prefix('#').unwrap_or(&kind);
        let short = kind.get(.."microsoft.graph.".len()).filter(|head| head.eq_ignore_ascii_case("microsoft.graph."));
        let short = short.and_then(|head| kind.get(head.len()..)).unwrap_or(kind);
        // An agent user is derived from user and signs in like one.
        if !short.eq_ignore_ascii_case("user") && !short.eq_ignore_ascii_case("agentUser") {
            return Err(Rejection::OtherType { found: short.chars().take(80).collect() });
        }
        return Ok(());
    }
    if let Some(found) = text(item, "@odata.context")?.as_deref().and_then(foreign_collection) {
        return Err(Rejection::OtherType { found });
    }
    // Single answers of deletedItems carry no type at all; these properties exist on groups only.
    if item.contains_key("groupTypes") || item.contains_key("securityEnabled") || item.contains_key("mailEnabled") {
        return Err(Rejection::OtherType { found: "group".to_owned() });
    }
    Ok(())
}

/// What an `@odata.context` names, if that cannot hold users: objects of other collections often carry no type of their own.
/// Contexts that are not known are let through, for Graph words them in many ways.
pub(crate) fn foreign_collection(context: &str) -> Option<String> {
    const FOREIGN: [&str; 7] =
        ["groups", "contacts", "devices", "applications", "servicePrincipals", "administrativeUnits", "subscriptions"];
    let (_, fragment) = context.rsplit_once('#')?;
    let name = fragment.split(['(', '/']).next()?;
    FOREIGN.iter().find(|foreign| foreign.eq_ignore_ascii_case(name)).map(|foreign| format!("member of {foreign}"))
}

fn read_properties(id: ObjectId, item: &Map<String, Value>) -> Result<WireUser, Rejection> {
    Ok(WireUser {
        id,
        removed: read_removed(item)?,
        user_principal_name: text(item, "userPrincipalName")?,
        mail: text(item, "mail")?,
        proxy_addresses: read_proxies(item)?,
        created_date_time: text(item, "createdDateTime")?,
        deleted_date_time: text(item, "deletedDateTime")?,
        user_type: text(item, "userType")?,
        employee_id: text(item, "employeeId")?,
        on_premises_immutable_id: text(item, "onPremisesImmutableId")?,
        exchange_plans: read_plans(item)?,
        attributes: read_attributes(item)?,
    })
}

pub(super) fn read_removed(item: &Map<String, Value>) -> Result<Option<RemovedReason>, Rejection> {
    match item.get("@removed") {
        None | Some(Value::Null) => Ok(None),
        Some(removed) => match removed.get("reason").and_then(Value::as_str) {
            Some(reason) if reason.eq_ignore_ascii_case("changed") => Ok(Some(RemovedReason::Changed)),
            Some(reason) if reason.eq_ignore_ascii_case("deleted") => Ok(Some(RemovedReason::Deleted)),
            _ => Err(Rejection::UnknownRemoval),
        },
    }
}

pub(super) fn read_proxies(item: &Map<String, Value>) -> Result<Vec<String>, Rejection> {
    match item.get("proxyAddresses") {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(entries)) => Ok(entries.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        Some(_) => Err(Rejection::BadProperty { property: "proxyAddresses" }),
    }
}

fn read_plans(item: &Map<String, Value>) -> Result<Option<Vec<WirePlan>>, Rejection> {
    let plans = match item.get("assignedPlans") {
        None => return Ok(None),
        Some(Value::Null) => return Ok(Some(Vec::new())),
        Some(Value::Array(plans)) => plans,
        Some(_) => return Err(Rejection::BadProperty { property: "assignedPlans" }),
    };
    let read = |plan: &Value| {
        let part = |key| plan.get(key).and_then(Value::as_str);
        let is_exchange = part("service")?.eq_ignore_ascii_case("exchange");
        let status: String = part("capabilityStatus")?.chars().take(40).collect();
        is_exchange.then_some(WirePlan { id: part("servicePlanId")?.to_ascii_lowercase(), status })
    };
    Ok(Some(plans.iter().filter_map(read).collect()))
}

/// Longest text of an attribute that is kept; the directory allows far less.
const ATTRIBUTE_CHARS_MAX: usize = 1_024;

fn read_attributes(item: &Map<String, Value>) -> Result<BTreeMap<Attribute, String>, Rejection> {
    let mut attributes = BTreeMap::new();
    for attribute in Attribute::all() {
        let property = attribute.property();
        let value = match (item.get(property), attribute.is_nested()) {
            (Some(Value::Object(inner)), true) => inner.get(&attribute.to_string()),
            (None | Some(Value::Null), true) => None,
            (Some(_), true) => return Err(Rejection::BadProperty { property: EXTENSIONS_PROPERTY }),
            (value, false) => value,
        };
        let text = match value {
            None | Some(Value::Null) => continue,
            Some(Value::Bool(value)) => value.to_string(),
            Some(Value::String(text)) => text.chars().take(ATTRIBUTE_CHARS_MAX).collect(),
            Some(_) => return Err(Rejection::BadProperty { property }),
        };
        attributes.insert(attribute, text);
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "87d349ed-44d7-43e1-9a83-5f2406dee5bd";

    #[test]
    fn whatever_is_no_user_is_refused_with_its_reason() {
        let other = |found: &str| Rejection::OtherType { found: found.to_owned() };
        for (item, why) in [
            (json!("a text"), Rejection::NoObject),
            (json!({"error": {"code": "BadRequest"}}), Rejection::ErrorObject { code: "BadRequest".to_owned() }),
            (json!({"id": ID, "error": {"code": "X"}}), Rejection::ErrorObject { code: "X".to_owned() }),
            (json!({"userPrincipalName": "ann@x.test"}), Rejection::NoId),
            (json!({"id": null}), Rejection::NoId),
            (json!({"id": "id"}), Rejection::BadId),
            (json!({"id": 7}), Rejection::BadProperty { property: "id" }),
            (json!({"id": ID, "@odata.type": "#microsoft.graph.group"}), other("group")),
            (json!({"id": ID, "@odata.type": "#microsoft.graph.orgContact"}), other("orgContact")),
            (json!({"id": ID, "groupTypes": []}), other("group")),
            (json!({"id": ID, "mail": ["a@x.test"]}), Rejection::BadProperty { property: "mail" }),
            (json!({"id": ID, "@removed": {"reason": "moved"}}), Rejection::UnknownRemoval),
            (json!({"id": ID, "assignedPlans": {}}), Rejection::BadProperty { property: "assignedPlans" }),
            (json!({"id": ID, "department": ["Sales"]}), Rejection::BadProperty { property: "department" }),
            (
                json!({"id": ID, "onPremisesExtensionAttributes": "x"}),
                Rejection::BadProperty { property: "onPremisesExtensionAttributes" },
            ),
            (
                json!({"id": ID, "proxyAddresses": "smtp:a@x.test"}),
                Rejection::BadProperty { property: "proxyAddresses" },
            ),
        ] {
            assert_eq!(WireUser::read(3, &item).unwrap_err().why, why, "{item}");
        }
    }

    #[test]
    fn a_user_type_in_any_spelling_and_an_agent_user_are_users() {
        for kind in
            ["#microsoft.graph.user", "#Microsoft.Graph.User", "microsoft.graph.user", "#microsoft.graph.agentUser"]
        {
            assert!(WireUser::read(0, &json!({"id": ID, "@odata.type": kind})).is_ok(), "{kind}");
        }
    }

    #[test]
    fn debug_shows_no_name() {
        let user =
            WireUser::read(0, &json!({"id": ID, "userPrincipalName": "ann@x.test", "mail": "m@x.test"})).unwrap();
        let shown = format!("{user:?}");
        assert!(shown.contains(ID) && !shown.contains("x.test"), "{shown}");
    }
}
