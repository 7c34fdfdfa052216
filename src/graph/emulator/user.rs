//! Users as the directory keeps them.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::entity::{Entity, Fields, Property, text_or_null, time_or_null};
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;

/// A user, live or in the recycle bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The object id.
    pub id: ObjectId,
    /// `userPrincipalName`; with the id in front while the user is deleted.
    pub upn: String,
    /// `mail`.
    pub mail: Option<String>,
    /// `proxyAddresses`, with their prefixes.
    pub proxies: Vec<String>,
    /// `mailNickname`.
    pub nickname: String,
    /// `displayName`.
    pub display_name: String,
    /// `createdDateTime`; printed in whole seconds.
    pub created: Instant,
    /// `userType`.
    pub user_type: UserType,
    /// `accountEnabled`. Deletion leaves it alone.
    pub enabled: bool,
    /// `employeeId`.
    pub employee_id: Option<String>,
    /// `onPremisesImmutableId`; its presence also makes `onPremisesSyncEnabled` true.
    pub immutable_id: Option<String>,
    /// The Exchange plan among `assignedPlans`.
    pub exchange_plan: Option<ExchangePlan>,
    /// When the user was deleted; printed in whole seconds as `deletedDateTime`.
    pub deleted: Option<Instant>,
    /// `department`, `companyName`, `extensionAttribute1` and their like, by name.
    pub attributes: BTreeMap<String, String>,
    pub(super) ever_set: Fields,
}

/// Whether an account counts as a member or a guest of the tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserType {
    /// `Member`.
    #[default]
    Member,
    /// `Guest`.
    Guest,
}

/// The state of the Exchange service plan, which comes and goes with the licence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangePlan {
    /// `capabilityStatus` is `Enabled` if so, `Deleted` if not.
    pub enabled: bool,
    /// Since when, printed as `assignedDateTime`.
    pub since: Instant,
}

/// What a new user is made of. [`NewUser::mailbox`] and [`NewUser::bare`] are the usual starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewUser {
    /// `userPrincipalName`.
    pub upn: String,
    /// `mail`.
    pub mail: Option<String>,
    /// `proxyAddresses`, with their prefixes.
    pub proxies: Vec<String>,
    /// `mailNickname`; the UPN's local part if not given.
    pub nickname: Option<String>,
    /// `displayName`; the UPN's local part if not given.
    pub display_name: Option<String>,
    /// `userType`.
    pub user_type: UserType,
    /// `accountEnabled` is false if set.
    pub disabled: bool,
    /// `employeeId`.
    pub employee_id: Option<String>,
    /// `onPremisesImmutableId`.
    pub immutable_id: Option<String>,
    /// Whether an enabled Exchange plan is assigned.
    pub licensed: bool,
    /// `department`, `companyName`, `extensionAttribute1` and their like, by name.
    pub attributes: BTreeMap<String, String>,
}

impl NewUser {
    /// A user with a licensed mailbox whose primary address is the UPN.
    pub fn mailbox(upn: &str) -> Self {
        Self { mail: Some(upn.to_owned()), proxies: vec![format!("SMTP:{upn}")], licensed: true, ..Self::bare(upn) }
    }

    /// A user without mail, as Graph creates one from a UPN alone.
    pub fn bare(upn: &str) -> Self {
        Self { upn: upn.to_owned(), ..Self::default() }
    }

    pub(super) fn into_user(self, id: ObjectId, now: Instant) -> User {
        let local = self.upn.split_once('@').map_or(self.upn.as_str(), |(local, _)| local).to_owned();
        User {
            id,
            mail: self.mail,
            proxies: self.proxies,
            nickname: self.nickname.unwrap_or_else(|| local.clone()),
            display_name: self.display_name.unwrap_or(local),
            created: now,
            user_type: self.user_type,
            enabled: !self.disabled,
            employee_id: self.employee_id,
            immutable_id: self.immutable_id,
            exchange_plan: self.licensed.then_some(ExchangePlan { enabled: true, since: now }),
            deleted: None,
            attributes: self.attributes,
            ever_set: Fields::NONE,
            upn: self.upn,
        }
        .marked()
    }
}

impl User {
    /// The user with `ever_set` brought up to date.
    pub(super) fn marked(mut self) -> Self {
        let set = Fields::UPN
            .with(Fields::NICKNAME)
            .with(Fields::DISPLAY_NAME)
            .with(Fields::CREATED)
            .with(Fields::USER_TYPE)
            .with(Fields::ENABLED)
            .with_if(self.mail.is_some(), Fields::MAIL)
            .with_if(!self.proxies.is_empty(), Fields::PROXIES)
            .with_if(self.employee_id.is_some(), Fields::EMPLOYEE_ID)
            .with_if(self.immutable_id.is_some(), Fields::IMMUTABLE_ID)
            .with_if(self.exchange_plan.is_some(), Fields::PLANS)
            .with_if(!self.attributes.is_empty(), Fields::ATTRIBUTES);
        self.ever_set = self.ever_set.with(set);
        self
    }

    fn plans(&self) -> Value {
        // The plan id is that of Exchange Online (Plan 2).
        self.exchange_plan.map_or_else(
            || json!([]),
            |plan| {
                json!([{
                    "assignedDateTime": time_or_null(Some(plan.since)),
                    "capabilityStatus": if plan.enabled { "Enabled" } else { "Deleted" },
                    "service": "exchange",
                    "servicePlanId": "efb87545-963c-4e0d-99df-69c6916d9eb0",
                }])
            },
        )
    }
}

const fn property(name: &'static str, field: Fields, default: bool) -> Property {
    Property { name, field, default }
}

impl Entity for User {
    const SET: &'static str = "users";
    const TYPE: &'static str = "microsoft.graph.user";
    const PROPERTIES: &'static [Property] = &[
        property("id", Fields::NONE, true),
        property("userPrincipalName", Fields::UPN, true),
        property("mail", Fields::MAIL, true),
        property("displayName", Fields::DISPLAY_NAME, true),
        property("givenName", Fields::NONE, true),
        property("surname", Fields::NONE, true),
        property("jobTitle", Fields::ATTRIBUTES, true),
        property("businessPhones", Fields::NONE, true),
        property("mobilePhone", Fields::NONE, true),
        property("officeLocation", Fields::ATTRIBUTES, true),
        property("preferredLanguage", Fields::ATTRIBUTES, true),
        property("proxyAddresses", Fields::PROXIES, false),
        property("mailNickname", Fields::NICKNAME, false),
        property("createdDateTime", Fields::CREATED, false),
        property("userType", Fields::USER_TYPE, false),
        property("accountEnabled", Fields::ENABLED, false),
        property("employeeId", Fields::EMPLOYEE_ID, false),
        property("onPremisesImmutableId", Fields::IMMUTABLE_ID, false),
        property("onPremisesSyncEnabled", Fields::IMMUTABLE_ID, false),
        property("assignedPlans", Fields::PLANS, false),
        property("deletedDateTime", Fields::DELETED, false),
        property("otherMails", Fields::NONE, false),
        property("identities", Fields::NONE, false),
        property("creationType", Fields::ATTRIBUTES, false),
        property("externalUserState", Fields::NONE, false),
        property("externalUserStateChangeDateTime", Fields::NONE, false),
        property("department", Fields::ATTRIBUTES, false),
        property("companyName", Fields::ATTRIBUTES, false),
        property("country", Fields::ATTRIBUTES, false),
        property("usageLocation", Fields::ATTRIBUTES, false),
        property("assignedLicenses", Fields::NONE, false),
        property("onPremisesDistinguishedName", Fields::NONE, false),
        property("onPremisesDomainName", Fields::ATTRIBUTES, false),
        property("onPremisesSamAccountName", Fields::NONE, false),
        property("onPremisesSecurityIdentifier", Fields::NONE, false),
        property("onPremisesUserPrincipalName", Fields::NONE, false),
        property("onPremisesLastSyncDateTime", Fields::NONE, false),
        property("employeeType", Fields::ATTRIBUTES, false),
        property("employeeHireDate", Fields::NONE, false),
        property("imAddresses", Fields::NONE, false),
        property("showInAddressList", Fields::NONE, false),
        property("securityIdentifier", Fields::NONE, false),
        property("streetAddress", Fields::NONE, false),
        property("city", Fields::ATTRIBUTES, false),
        property("state", Fields::ATTRIBUTES, false),
        property("postalCode", Fields::NONE, false),
        property("faxNumber", Fields::NONE, false),
        property("onPremisesExtensionAttributes", Fields::ATTRIBUTES, false),
    ];

    fn id(&self) -> ObjectId {
        self.id
    }

    fn value(&self, property: &str) -> Value {
        match property {
            "id" => json!(self.id),
            "userPrincipalName" => json!(self.upn),
            "mail" => text_or_null(self.mail.as_ref()),
            "displayName" => json!(self.display_name),
            "proxyAddresses" => json!(self.proxies),
            "mailNickname" => json!(self.nickname),
            "createdDateTime" => time_or_null(Some(self.created)),
            "userType" => json!(self.user_type.name()),
            "accountEnabled" => json!(self.enabled),
            "employeeId" => text_or_null(self.employee_id.as_ref()),
            "onPremisesImmutableId" => text_or_null(self.immutable_id.as_ref()),
            "onPremisesSyncEnabled" => self.immutable_id.as_ref().map_or(Value::Null, |_| json!(true)),
            "assignedPlans" => self.plans(),
            "deletedDateTime" => time_or_null(self.deleted),
            "businessPhones" | "otherMails" | "identities" | "assignedLicenses" | "imAddresses" => json!([]),
            "onPremisesExtensionAttributes" => {
                let name = |number: u8| format!("extensionAttribute{number}");
                (1..=15).map(|number| (name(number), text_or_null(self.attributes.get(&name(number))))).collect()
            }
            other => text_or_null(self.attributes.get(other)),
        }
    }

    fn ever_set(&self) -> Fields {
        self.ever_set
    }

    fn differences(&self, other: &Self) -> Fields {
        Fields::NONE
            .with_if(self.upn != other.upn, Fields::UPN)
            .with_if(self.mail != other.mail, Fields::MAIL)
            .with_if(self.proxies != other.proxies, Fields::PROXIES)
            .with_if(self.nickname != other.nickname, Fields::NICKNAME)
            .with_if(self.display_name != other.display_name, Fields::DISPLAY_NAME)
            .with_if(self.user_type != other.user_type, Fields::USER_TYPE)
            .with_if(self.enabled != other.enabled, Fields::ENABLED)
            .with_if(self.employee_id != other.employee_id, Fields::EMPLOYEE_ID)
            .with_if(self.immutable_id != other.immutable_id, Fields::IMMUTABLE_ID)
            .with_if(self.exchange_plan != other.exchange_plan, Fields::PLANS)
            .with_if(self.deleted != other.deleted, Fields::DELETED)
            .with_if(self.attributes != other.attributes, Fields::ATTRIBUTES)
    }
}

impl UserType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Member => "Member",
            Self::Guest => "Guest",
        }
    }
}
