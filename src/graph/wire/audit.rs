//! Directory audit events in the forms they travel in: Graph's entity, the Event Hub envelope, a Log Analytics row and
//! the Office 365 management activity record. All are read into one shape; values stay as sent.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::failure::WireError;
use super::{Rejected, Rejection};
use crate::domain::fact::DATE_WIDTH;
use crate::domain::time::Instant;

/// One event of the directory's audit log.
#[derive(Clone, PartialEq)]
pub struct WireAudit {
    /// The event's own id. Abbreviated exports have none.
    pub id: Option<String>,
    /// Shared by the events of one act.
    pub correlation_id: Option<String>,
    /// `activityDisplayName`, without the final full stop of the Office 365 form.
    pub activity: String,
    /// When it happened; `None` where it is missing or unreadable.
    pub at: Option<Instant>,
    /// It happened at some instant of so long from then on. Only the Office 365 form, which has whole seconds, gives this.
    pub width: Duration,
    /// Whether the time lacks an offset and was taken for UTC without a reason. That of the Office 365 form is UTC by definition.
    pub is_local: bool,
    /// `loggedByService`: `Core Directory` for changes of the directory itself.
    pub service: Option<String>,
    /// `result`, for example `success`.
    pub result: Option<String>,
    /// `targetResources`, in order.
    pub targets: Vec<AuditTarget>,
}

/// One object that an event touched.
#[derive(Clone, PartialEq)]
pub struct AuditTarget {
    /// As sent: null, all zeros and texts that are no GUID occur.
    pub id: Option<String>,
    /// `type`, for example `User`; absent in abbreviated exports.
    pub kind: Option<String>,
    /// `userPrincipalName`. After a rename it is the new one; in a deletion it is already mangled.
    pub user_principal_name: Option<String>,
    /// `modifiedProperties`.
    pub modified: Vec<ModifiedProperty>,
}

/// One property that an event changed. The values are mostly texts that hold JSON; `None` for null and for an absent key.
#[derive(Clone, PartialEq)]
pub struct ModifiedProperty {
    /// The directory's name of it, not Graph's: `UserPrincipalName`, `ProxyAddresses`, …
    pub name: String,
    /// `oldValue`.
    pub old: Option<Value>,
    /// `newValue`.
    pub new: Option<Value>,
}

impl WireAudit {
    /// Reads one event in whichever form it comes. `index` is its place in the list, for the refusal.
    pub fn read(index: usize, item: &Value) -> Result<Self, Rejected> {
        let refuse = |why| Rejected { index, id: None, why };
        let item = item.as_object().ok_or_else(|| refuse(Rejection::NoObject))?;
        if let Some(error) = item.get("error") {
            return Err(refuse(Rejection::ErrorObject { code: WireError::of_object(error).code }));
        }
        let event = match item.get("properties").and_then(Value::as_object) {
            Some(inner) => directory_form(inner),
            None if item.contains_key("Operation") => office_form(item),
            None => directory_form(item),
        };
        event.ok_or_else(|| refuse(Rejection::NoActivity))
    }
}

/// Graph's entity, the inside of the Event Hub envelope, and the Log Analytics row, which differ in the letter case of
/// their keys and in lists that are JSON inside a text.
fn directory_form(item: &Map<String, Value>) -> Option<WireAudit> {
    let at = text(item, "activityDateTime").or_else(|| text(item, "timeGenerated"));
    Some(WireAudit {
        id: text(item, "id"),
        correlation_id: text(item, "correlationId"),
        activity: text(item, "activityDisplayName").or_else(|| text(item, "operationName"))?,
        at: at.as_deref().and_then(instant),
        width: Duration::ZERO,
        is_local: at.is_some_and(|at| at.trim().parse::<Instant>().is_err()),
        service: text(item, "loggedByService"),
        result: text(item, "result"),
        targets: list(item, "targetResources").iter().filter_map(Value::as_object).map(target).collect(),
    })
}

fn target(item: &Map<String, Value>) -> AuditTarget {
    AuditTarget {
        id: text(item, "id"),
        kind: text(item, "type"),
        user_principal_name: text(item, "userPrincipalName"),
        modified: modified(item, "displayName"),
    }
}

/// The Office 365 record: the object id stands inside `Target` as `User_<guid>`, `ObjectId` is the UPN, and values are
/// JSON broken over lines.
fn office_form(item: &Map<String, Value>) -> Option<WireAudit> {
    let ids = list(item, "target");
    let id = ids.iter().filter_map(|entry| entry.get("ID").or_else(|| entry.get("Id"))?.as_str()).find_map(|id| {
        let (kind, id) = id.split_once('_')?;
        kind.eq_ignore_ascii_case("user").then(|| id.to_owned())
    });
    let operation = text(item, "operation")?;
    let at = text(item, "creationTime");
    let target = AuditTarget {
        kind: id.as_ref().map(|_| "User".to_owned()),
        id,
        user_principal_name: text(item, "objectId"),
        modified: modified(item, "name"),
    };
    Some(WireAudit {
        id: text(item, "id"),
        correlation_id: text(item, "interSystemsId"),
        activity: operation.trim_end_matches('.').to_owned(),
        at: at.as_deref().and_then(instant),
        width: if at.is_some_and(|at| at.contains('.')) { Duration::ZERO } else { DATE_WIDTH },
        is_local: false,
        service: None,
        result: text(item, "resultStatus"),
        targets: vec![target],
    })
}

fn modified(item: &Map<String, Value>, name_key: &str) -> Vec<ModifiedProperty> {
    let read = |entry: &Value| {
        let entry = entry.as_object()?;
        let value = |key| get(entry, key).filter(|value| !value.is_null()).cloned();
        Some(ModifiedProperty { name: text(entry, name_key)?, old: value("oldValue"), new: value("newValue") })
    };
    list(item, "modifiedProperties").iter().filter_map(read).collect()
}

/// A key in any letter case: `Type`, `TargetResources` and `Id` occur beside the usual spelling.
fn get<'a>(item: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    item.get(key).or_else(|| item.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| value))
}

fn text(item: &Map<String, Value>, key: &str) -> Option<String> {
    get(item, key)?.as_str().map(str::to_owned)
}

/// A list, or a list that is JSON inside a text.
fn list(item: &Map<String, Value>, key: &str) -> Vec<Value> {
    match get(item, key) {
        Some(Value::Array(entries)) => entries.clone(),
        Some(Value::String(json)) => serde_json::from_str(json).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn instant(text: &str) -> Option<Instant> {
    Instant::parse_lenient(text).ok()
}

/// Ids and the activity only: values and names are personal data.
impl fmt::Debug for WireAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireAudit")
            .field("id", &self.id)
            .field("activity", &self.activity)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
