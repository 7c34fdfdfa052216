//! A group as `/groups` gives it: of interest only because it can hold a person's former address.

use std::fmt;

use serde_json::Value;

use super::user::read_proxies;
use super::{Rejected, Rejection, text};
use crate::domain::id::ObjectId;

/// The properties asked for in every request for groups.
pub const SELECT: &str = "id,mail,proxyAddresses,createdDateTime,deletedDateTime";

/// One item that is a group. Its values are as sent.
#[derive(Clone, PartialEq, Eq)]
pub struct WireGroup {
    /// `id`.
    pub id: ObjectId,
    /// `mail`.
    pub mail: Option<String>,
    /// `proxyAddresses`, with prefixes.
    pub proxy_addresses: Vec<String>,
    /// `createdDateTime`.
    pub created_date_time: Option<String>,
    /// `deletedDateTime`: null on a live group.
    pub deleted_date_time: Option<String>,
}

impl WireGroup {
    /// Reads one item. `index` is its place on the page, for the refusal.
    pub fn read(index: usize, item: &Value) -> Result<Self, Rejected> {
        let refuse = |id, why| Rejected { index, id, why };
        let item = item.as_object().ok_or_else(|| refuse(None, Rejection::NoObject))?;
        if let Some(error) = item.get("error") {
            let code = super::failure::WireError::of_object(error).code;
            return Err(refuse(None, Rejection::ErrorObject { code }));
        }
        let id = text(item, "id").and_then(|id| id.ok_or(Rejection::NoId)).map_err(|why| refuse(None, why))?;
        let id: ObjectId = id.parse().map_err(|_| refuse(None, Rejection::BadId))?;
        let read = || {
            if let Some(kind) = text(item, "@odata.type")?
                && !kind.trim_start_matches('#').eq_ignore_ascii_case("microsoft.graph.group")
            {
                return Err(Rejection::OtherType { found: kind.chars().take(80).collect() });
            }
            Ok(Self {
                id,
                mail: text(item, "mail")?,
                proxy_addresses: read_proxies(item)?,
                created_date_time: text(item, "createdDateTime")?,
                deleted_date_time: text(item, "deletedDateTime")?,
            })
        };
        read().map_err(|why| refuse(Some(id), why))
    }
}

/// The id only: addresses stay out of logs.
impl fmt::Debug for WireGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireGroup").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_is_no_group_is_refused() {
        let id = "87d349ed-44d7-43e1-9a83-5f2406dee5bd";
        assert!(WireGroup::read(0, &json!({"id": id, "mail": "tax@x.test"})).is_ok());
        assert!(WireGroup::read(0, &json!({"id": id, "@odata.type": "#microsoft.graph.group"})).is_ok());
        for (item, why) in [
            (json!(7), Rejection::NoObject),
            (json!({"error": {"code": "X"}}), Rejection::ErrorObject { code: "X".to_owned() }),
            (json!({"mail": "a@x.test"}), Rejection::NoId),
            (json!({"id": "tax"}), Rejection::BadId),
            (json!({"id": id, "mail": 7}), Rejection::BadProperty { property: "mail" }),
        ] {
            assert_eq!(WireGroup::read(0, &item).unwrap_err().why, why, "{item}");
        }
        let user = json!({"id": id, "@odata.type": "#microsoft.graph.user"});
        assert!(matches!(WireGroup::read(0, &user).unwrap_err().why, Rejection::OtherType { .. }));
    }
}
