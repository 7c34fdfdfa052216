//! Groups and contacts: the other objects that can hold a mail address.

use serde_json::{Value, json};

use super::entity::{Entity, Fields, Property, text_or_null, time_or_null};
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The object id.
    pub id: ObjectId,
    /// `displayName`.
    pub display_name: String,
    /// `mail`.
    pub mail: Option<String>,
    /// `proxyAddresses`, with their prefixes.
    pub proxies: Vec<String>,
    /// `createdDateTime`; printed in whole seconds.
    pub created: Instant,
}

/// An organisational contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The object id.
    pub id: ObjectId,
    /// `displayName`.
    pub display_name: String,
    /// `mail`.
    pub mail: Option<String>,
    /// `proxyAddresses`, with their prefixes.
    pub proxies: Vec<String>,
}

const fn property(name: &'static str, field: Fields, default: bool) -> Property {
    Property { name, field, default }
}

fn nickname(mail: Option<&String>, display_name: &str) -> Value {
    let local = mail.and_then(|mail| mail.split_once('@')).map_or(display_name, |(local, _)| local);
    json!(local.replace(' ', ""))
}

impl Entity for Group {
    const SET: &'static str = "groups";
    const TYPE: &'static str = "microsoft.graph.group";
    const PROPERTIES: &'static [Property] = &[
        property("id", Fields::NONE, true),
        property("displayName", Fields::DISPLAY_NAME, true),
        property("mail", Fields::MAIL, true),
        property("proxyAddresses", Fields::PROXIES, true),
        property("createdDateTime", Fields::CREATED, true),
        property("mailNickname", Fields::DISPLAY_NAME, true),
        property("mailEnabled", Fields::MAIL, true),
        property("securityEnabled", Fields::CREATED, true),
        property("groupTypes", Fields::CREATED, true),
        property("description", Fields::NONE, true),
        property("visibility", Fields::NONE, true),
        property("deletedDateTime", Fields::NONE, true),
        property("onPremisesSyncEnabled", Fields::NONE, true),
        property("renewedDateTime", Fields::NONE, true),
    ];

    fn id(&self) -> ObjectId {
        self.id
    }

    fn value(&self, property: &str) -> Value {
        match property {
            "id" => json!(self.id),
            "displayName" => json!(self.display_name),
            "mail" => text_or_null(self.mail.as_ref()),
            "proxyAddresses" => json!(self.proxies),
            "createdDateTime" => time_or_null(Some(self.created)),
            "mailNickname" => nickname(self.mail.as_ref(), &self.display_name),
            "mailEnabled" => json!(self.mail.is_some()),
            "securityEnabled" => json!(self.mail.is_none()),
            "groupTypes" if self.mail.is_some() => json!(["Unified"]),
            "groupTypes" => json!([]),
            _ => Value::Null,
        }
    }

    fn ever_set(&self) -> Fields {
        Fields::MAIL.with(Fields::PROXIES).with(Fields::DISPLAY_NAME).with(Fields::CREATED)
    }

    fn differences(&self, other: &Self) -> Fields {
        Fields::NONE
            .with_if(self.mail != other.mail, Fields::MAIL)
            .with_if(self.proxies != other.proxies, Fields::PROXIES)
            .with_if(self.display_name != other.display_name, Fields::DISPLAY_NAME)
    }
}

impl Entity for Contact {
    const SET: &'static str = "contacts";
    const TYPE: &'static str = "microsoft.graph.orgContact";
    const PROPERTIES: &'static [Property] = &[
        property("id", Fields::NONE, true),
        property("displayName", Fields::DISPLAY_NAME, true),
        property("mail", Fields::MAIL, true),
        property("proxyAddresses", Fields::PROXIES, true),
        property("mailNickname", Fields::DISPLAY_NAME, true),
        property("deletedDateTime", Fields::NONE, false),
        property("givenName", Fields::NONE, true),
        property("surname", Fields::NONE, true),
        property("companyName", Fields::NONE, true),
        property("onPremisesSyncEnabled", Fields::NONE, true),
    ];

    fn id(&self) -> ObjectId {
        self.id
    }

    fn value(&self, property: &str) -> Value {
        match property {
            "id" => json!(self.id),
            "displayName" => json!(self.display_name),
            "mail" => text_or_null(self.mail.as_ref()),
            "proxyAddresses" => json!(self.proxies),
            "mailNickname" => nickname(self.mail.as_ref(), &self.display_name),
            _ => Value::Null,
        }
    }

    fn ever_set(&self) -> Fields {
        Fields::MAIL.with(Fields::PROXIES).with(Fields::DISPLAY_NAME)
    }

    fn differences(&self, other: &Self) -> Fields {
        Fields::NONE
            .with_if(self.mail != other.mail, Fields::MAIL)
            .with_if(self.proxies != other.proxies, Fields::PROXIES)
            .with_if(self.display_name != other.display_name, Fields::DISPLAY_NAME)
    }
}
