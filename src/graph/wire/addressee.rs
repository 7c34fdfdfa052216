//! A group as `/groups` gives it, or an organisational contact as `/contacts` does: of interest only because either can hold
//! a person's former address.

use std::fmt;

use serde_json::Value;

use super::user::{RemovedReason, read_proxies, read_removed};
use super::{Rejected, Rejection, text};
use crate::domain::fact::ObjectKind;
use crate::domain::id::ObjectId;

/// The collections of objects that hold addresses and are no users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Collection {
    /// `/groups`.
    Groups,
    /// `/contacts`: mail contacts of the organisation (graph: resources/orgcontact.md).
    Contacts,
}

impl Collection {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Groups, Self::Contacts];

    /// Its segment in an URL.
    pub fn segment(self) -> &'static str {
        match self {
            Self::Groups => "groups",
            Self::Contacts => "contacts",
        }
    }

    /// The properties asked for in every request. Contacts do not tell when they were created.
    pub fn select(self) -> &'static str {
        match self {
            Self::Groups => "id,mail,proxyAddresses,createdDateTime,deletedDateTime",
            Self::Contacts => "id,mail,proxyAddresses,deletedDateTime",
        }
    }

    /// The collection whose items are of this kind; none for users.
    pub fn of(kind: ObjectKind) -> Option<Self> {
        Self::ALL.into_iter().find(|collection| collection.kind() == kind)
    }

    /// The kind of its items.
    pub fn kind(self) -> ObjectKind {
        match self {
            Self::Groups => ObjectKind::Group,
            Self::Contacts => ObjectKind::Contact,
        }
    }

    /// The least permission that reads it.
    pub fn permission(self) -> &'static str {
        match self {
            Self::Groups => "GroupMember.Read.All",
            Self::Contacts => "OrgContact.Read.All",
        }
    }

    fn type_name(self) -> &'static str {
        match self {
            Self::Groups => "microsoft.graph.group",
            Self::Contacts => "microsoft.graph.orgContact",
        }
    }
}

/// One item that is a group or a contact. Its values are as sent.
#[derive(Clone, PartialEq, Eq)]
pub struct WireAddressee {
    /// Where it is from.
    pub collection: Collection,
    /// `id`.
    pub id: ObjectId,
    /// `mail`.
    pub mail: Option<String>,
    /// `proxyAddresses`, with prefixes.
    pub proxy_addresses: Vec<String>,
    /// `createdDateTime`.
    pub created_date_time: Option<String>,
    /// `deletedDateTime`: null on a live object.
    pub deleted_date_time: Option<String>,
    /// `@removed`, only in delta answers.
    pub removed: Option<RemovedReason>,
}

impl WireAddressee {
    /// Reads one item. `index` is its place on the page, for the refusal.
    pub fn read(collection: Collection, index: usize, item: &Value) -> Result<Self, Rejected> {
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
                && !kind.trim_start_matches('#').eq_ignore_ascii_case(collection.type_name())
            {
                return Err(Rejection::OtherType { found: kind.chars().take(80).collect() });
            }
            Ok(Self {
                collection,
                id,
                mail: text(item, "mail")?,
                proxy_addresses: read_proxies(item)?,
                created_date_time: text(item, "createdDateTime")?,
                deleted_date_time: text(item, "deletedDateTime")?,
                removed: read_removed(item)?,
            })
        };
        read().map_err(|why| refuse(Some(id), why))
    }
}

/// The id only: addresses stay out of logs.
impl fmt::Debug for WireAddressee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireAddressee").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whatever_is_of_another_collection_or_no_object_is_refused() {
        let id = "87d349ed-44d7-43e1-9a83-5f2406dee5bd";
        assert!(WireAddressee::read(Collection::Groups, 0, &json!({"id": id, "mail": "tax@x.test"})).is_ok());
        assert!(
            WireAddressee::read(Collection::Groups, 0, &json!({"id": id, "@odata.type": "#microsoft.graph.group"}))
                .is_ok()
        );
        for (item, why) in [
            (json!(7), Rejection::NoObject),
            (json!({"error": {"code": "X"}}), Rejection::ErrorObject { code: "X".to_owned() }),
            (json!({"mail": "a@x.test"}), Rejection::NoId),
            (json!({"id": "tax"}), Rejection::BadId),
            (json!({"id": id, "mail": 7}), Rejection::BadProperty { property: "mail" }),
        ] {
            assert_eq!(WireAddressee::read(Collection::Groups, 0, &item).unwrap_err().why, why, "{item}");
        }
        let contact = json!({"id": id, "@odata.type": "#microsoft.graph.orgContact"});
        assert!(WireAddressee::read(Collection::Contacts, 0, &contact).is_ok());
        assert!(WireAddressee::read(Collection::Groups, 0, &contact).is_err());
        let user = json!({"id": id, "@odata.type": "#microsoft.graph.user"});
        assert!(matches!(
            WireAddressee::read(Collection::Groups, 0, &user).unwrap_err().why,
            Rejection::OtherType { .. }
        ));
    }
}
