//! Rarely used shapes: invitations, restores, subscriptions and their notifications, mail delta.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::user::RemovedReason;
use crate::domain::id::ObjectId;

/// The result of a guest invitation.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// The new guest.
    pub invited_user: InvitedUser,
    /// `Completed`, `PendingAcceptance`, …
    pub status: String,
}

/// The guest that an invitation made.
#[derive(Clone, Debug, Deserialize)]
pub struct InvitedUser {
    /// The new object's id.
    pub id: ObjectId,
}

/// The body of `POST /directory/deletedItems/{id}/restore`. whowas only reads the directory; the emulator and tests restore.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RestoreRequest {
    /// The UPN to come back under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_user_principal_name: Option<String>,
    /// Whether proxies that a live user holds now are dropped from the restored one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_reconcile_proxy_conflict: Option<bool>,
}

/// A change subscription, as request and as answer.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// Absent in a request.
    #[serde(default)]
    pub id: Option<String>,
    /// What is watched: `users`, or a mailbox's messages.
    pub resource: String,
    /// Comma list of `created`, `updated`, `deleted`.
    pub change_type: String,
    /// Null in listings.
    #[serde(default)]
    pub client_state: Option<String>,
    /// When it ends; at most 29 days for users.
    pub expiration_date_time: String,
}

/// One entry of a notification: a change, or an event in the subscription's own life.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// Which subscription.
    pub subscription_id: String,
    /// The tenant, as text: the documents show placeholders.
    pub tenant_id: String,
    /// To be compared on every notification.
    #[serde(default)]
    pub client_state: Option<String>,
    /// Of a change: `created`, `updated` or `deleted`. Users never come as `created`.
    #[serde(default)]
    pub change_type: Option<String>,
    /// Of a change: what changed.
    #[serde(default)]
    pub resource: Option<String>,
    /// Of a lifecycle event: for users only `reauthorizationRequired` exists.
    #[serde(default)]
    pub lifecycle_event: Option<String>,
}

/// A collection of notifications or subscriptions.
#[derive(Clone, Deserialize)]
pub struct Values<T> {
    /// The entries.
    pub value: Vec<T>,
}

/// A message of a mail folder's delta feed.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WireMessage {
    /// The message id.
    pub id: String,
    /// `@removed`.
    #[serde(default, rename = "@removed", deserialize_with = "removed")]
    pub removed: Option<RemovedReason>,
    /// Seen as the text `"true"` too.
    #[serde(default, deserialize_with = "lenient_bool")]
    pub is_read: Option<bool>,
}

fn removed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RemovedReason>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    match value.get("reason").and_then(Value::as_str) {
        Some("changed") => Ok(Some(RemovedReason::Changed)),
        Some("deleted") => Ok(Some(RemovedReason::Deleted)),
        _ => Err(serde::de::Error::custom("@removed has no known reason")),
    }
}

fn lenient_bool<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::Bool(value) => Ok(Some(value)),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        _ => Err(serde::de::Error::custom("neither true nor false")),
    }
}
