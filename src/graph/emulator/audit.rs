//! The directory's audit log: one event for each act, in the shapes that Entra writes.

mod manners;

pub(super) use manners::{AuditManners, Encoding};

use serde_json::{Value, json};

use super::entity::{Entity, Fields};
use super::user::User;
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;

/// One event of `directoryAudits`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// The event's own id.
    pub id: String,
    /// When the act took effect.
    pub at: Instant,
    /// Shared by the events of one act.
    pub correlation_id: String,
    /// `activityDisplayName`.
    pub activity: &'static str,
    /// `operationType`.
    pub operation: &'static str,
    /// Who acted.
    pub actor: Actor,
    /// `User` or `Group`.
    pub target_type: &'static str,
    /// The object acted on.
    pub target: ObjectId,
    /// The target's UPN as the log has it: new after a rename, mangled after a deletion, absent after a purge.
    pub target_upn: Option<String>,
    /// The target's display name.
    pub target_name: Option<String>,
    /// `userType` of the target, where it is a user.
    pub user_type: Option<&'static str>,
    /// What changed.
    pub modified: Vec<Modified>,
}

/// One modified property; the values are strings that hold JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modified {
    /// The directory's name of the property, which is not Graph's.
    pub name: &'static str,
    /// The value before.
    pub old: Option<String>,
    /// The value after.
    pub new: Option<String>,
}

/// Who did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An administrator.
    Admin,
    /// Directory synchronisation.
    Sync,
    /// Exchange, writing back under the name of Microsoft Substrate Management.
    Exchange,
    /// The service itself: both members of `initiatedBy` are null.
    Service,
}

impl AuditEvent {
    /// The event as Graph prints it.
    pub fn to_json(&self) -> Value {
        let modified: Vec<Value> = self
            .modified
            .iter()
            .map(|m| json!({ "displayName": m.name, "oldValue": m.old, "newValue": m.new }))
            .collect();
        let details = self.user_type.map_or_else(|| json!([]), |t| json!([{ "key": "UserType", "value": t }]));
        json!({
            "id": self.id,
            "category": if self.target_type == "Group" { "GroupManagement" } else { "UserManagement" },
            "correlationId": self.correlation_id,
            "result": "success",
            "resultReason": "",
            "activityDisplayName": self.activity,
            "activityDateTime": seven_digits(self.at),
            "loggedByService": "Core Directory",
            "operationType": self.operation,
            "userAgent": null,
            "initiatedBy": self.actor.to_json(),
            "targetResources": [{
                "id": self.target,
                "displayName": self.target_name,
                "type": self.target_type,
                "userPrincipalName": self.target_upn,
                "groupType": if self.target_type == "Group" { json!("unifiedGroups") } else { Value::Null },
                "modifiedProperties": modified,
            }],
            "additionalDetails": details,
        })
    }
}

impl Actor {
    fn to_json(self) -> Value {
        match self {
            Self::Admin => json!({ "app": null, "user": {
                "id": "5e1f0a3c-7d42-4b8e-9a16-0c2d4e6f8a01",
                "displayName": null,
                "userPrincipalName": "admin@emulator.onmicrosoft.com",
                "ipAddress": "192.0.2.10",
            }}),
            Self::Sync => json!({ "app": null, "user": {
                "id": "5e1f0a3c-7d42-4b8e-9a16-0c2d4e6f8a02",
                "displayName": "On-Premises Directory Synchronization Service Account",
                "userPrincipalName": "Sync_DC01_0123456789ab@emulator.onmicrosoft.com",
                "ipAddress": null,
            }}),
            Self::Exchange => json!({ "user": null, "app": {
                "appId": "98db8bd6-0cc0-4e67-9de5-f187f1cd1b41",
                "displayName": "Microsoft Substrate Management",
                "servicePrincipalId": "5e1f0a3c-7d42-4b8e-9a16-0c2d4e6f8a03",
                "servicePrincipalName": null,
            }}),
            Self::Service => json!({ "user": null, "app": null }),
        }
    }
}

/// An instant with the seven fraction digits of the audit log.
pub(super) fn seven_digits(at: Instant) -> String {
    at.to_chrono().map_or_else(|| at.to_string(), |time| format!("{}0Z", time.format("%Y-%m-%dT%H:%M:%S%.6f")))
}

/// The modified properties between two states; `old` is `None` for a new user.
pub(super) fn modified(old: Option<&User>, new: &User, fields: Fields) -> Vec<Modified> {
    let mut all: Vec<Modified> = Vec::new();
    for (field, name, property) in AUDITED {
        if fields.meets(*field) {
            let before = old.map_or_else(|| "[]".to_owned(), |old| array_text(&old.value(property)));
            all.push(Modified { name, old: Some(before), new: Some(array_text(&new.value(property))) });
        }
    }
    let names: Vec<&str> = all.iter().map(|m| m.name).collect();
    all.push(pseudo("Included Updated Properties", &names.join(", ")));
    all.push(pseudo("TargetId.UserType", new.user_type.name()));
    all
}

/// A property that is none, such as `Is Hard Deleted`: its value is a JSON string within the string.
pub(super) fn pseudo(name: &'static str, value: &str) -> Modified {
    Modified { name, old: None, new: Some(Value::from(value).to_string()) }
}

/// The fields the log tells of, by the directory's names and by Graph's.
const AUDITED: &[(Fields, &str, &str)] = &[
    (Fields::ENABLED, "AccountEnabled", "accountEnabled"),
    (Fields::DISPLAY_NAME, "DisplayName", "displayName"),
    (Fields::EMPLOYEE_ID, "EmployeeId", "employeeId"),
    (Fields::MAIL, "Mail", "mail"),
    (Fields::NICKNAME, "MailNickname", "mailNickname"),
    (Fields::PROXIES, "ProxyAddresses", "proxyAddresses"),
    (Fields::IMMUTABLE_ID, "SourceAnchor", "onPremisesImmutableId"),
    (Fields::UPN, "UserPrincipalName", "userPrincipalName"),
    (Fields::USER_TYPE, "UserType", "userType"),
];

fn array_text(value: &Value) -> String {
    match value {
        Value::Null => "[]".to_owned(),
        Value::Array(_) => value.to_string(),
        other => json!([other]).to_string(),
    }
}
