//! The directory: objects, their names, the recycle bin, the logs, and a clock of its own. No I/O.

mod groups;
mod housekeeping;
mod journal;
mod mail;
mod users;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub use users::NameChange;

use super::audit::AuditEvent;
use super::changes::ChangeLog;
use super::group::{Contact, Group};
use super::ids::IdSource;
use super::mailbox::Mailboxes;
use super::names::NameIndex;
use super::refusal::Refusal;
use super::user::{NewUser, User};
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;

/// How long a deleted user can be restored before the directory purges it.
pub const RECYCLE_BIN: Duration = Duration::from_secs(30 * 86_400);

/// A tenant's directory.
///
/// Every verb acts at the instant the clock shows. The same seed and the same verbs give the same ids.
#[derive(Clone, Debug)]
pub struct Directory {
    pub(super) initial_domain: String,
    now: Instant,
    ids: IdSource,
    smtp_unique: bool,
    licence_takes_address: bool,
    names: NameIndex,
    users: BTreeMap<ObjectId, Arc<User>>,
    deleted: BTreeMap<ObjectId, Arc<User>>,
    groups: BTreeMap<ObjectId, Arc<Group>>,
    /// Users and groups that are members of a group themselves.
    members: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
    contacts: BTreeMap<ObjectId, Arc<Contact>>,
    mailboxes: Mailboxes,
    pub(super) user_log: ChangeLog<User>,
    pub(super) group_log: ChangeLog<Group>,
    pub(super) contact_log: ChangeLog<Contact>,
    audits: Vec<AuditEvent>,
    purges_due: BTreeSet<(Instant, ObjectId)>,
    /// What synchronisation wanted for objects that a conflict left with a placeholder.
    withheld: BTreeMap<ObjectId, NewUser>,
}

impl Directory {
    /// An empty directory whose initial domain is `initial_domain` (for example `contoso.onmicrosoft.com`), with the
    /// clock at `now`.
    pub fn new(initial_domain: &str, now: Instant, seed: u64) -> Self {
        Self {
            initial_domain: initial_domain.to_owned(),
            now,
            ids: IdSource::new(seed),
            smtp_unique: true,
            licence_takes_address: false,
            names: NameIndex::default(),
            users: BTreeMap::new(),
            deleted: BTreeMap::new(),
            groups: BTreeMap::new(),
            members: BTreeMap::new(),
            contacts: BTreeMap::new(),
            mailboxes: Mailboxes::new(seed),
            user_log: ChangeLog::new(),
            group_log: ChangeLog::new(),
            contact_log: ChangeLog::new(),
            audits: Vec::new(),
            purges_due: BTreeSet::new(),
            withheld: BTreeMap::new(),
        }
    }

    /// What the clock shows.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// The tenant's `….onmicrosoft.com` domain.
    pub fn initial_domain(&self) -> &str {
        &self.initial_domain
    }

    /// Whether an address may have one holder only. Real directories see to it; imports and lag break it.
    pub fn set_smtp_unique(&mut self, unique: bool) {
        self.smtp_unique = unique;
    }

    /// Whether a licence that is taken away takes the address that equals the UPN along, as Exchange does.
    pub fn set_licence_takes_address(&mut self, takes: bool) {
        self.licence_takes_address = takes;
    }

    /// A live user.
    pub fn user(&self, id: ObjectId) -> Option<&User> {
        self.users.get(&id).map(Arc::as_ref)
    }

    /// The live user who holds this user principal name.
    pub fn user_by_upn(&self, upn: &str) -> Option<&User> {
        self.names.user(upn).and_then(|id| self.user(id))
    }

    /// A user in the recycle bin.
    pub fn deleted_user(&self, id: ObjectId) -> Option<&User> {
        self.deleted.get(&id).map(Arc::as_ref)
    }

    /// The object a person means by `who`: an object id, live or deleted, or a live user's UPN.
    pub fn find(&self, who: &str) -> Result<ObjectId, Refusal> {
        if let Ok(id) = who.parse() {
            return Ok(id);
        }
        self.names.user(who).ok_or_else(|| Refusal::UnknownUser(who.to_owned()))
    }

    /// Live users after the given id, in the order of their ids.
    pub fn users_after(&self, id: Option<ObjectId>) -> impl Iterator<Item = &User> {
        after(&self.users, id)
    }

    /// Deleted users after the given id, in the order of their ids.
    pub fn deleted_after(&self, id: Option<ObjectId>) -> impl Iterator<Item = &User> {
        after(&self.deleted, id)
    }

    /// Groups after the given id, in the order of their ids.
    pub fn groups_after(&self, id: Option<ObjectId>) -> impl Iterator<Item = &Group> {
        after(&self.groups, id)
    }

    /// Contacts after the given id, in the order of their ids.
    pub fn contacts_after(&self, id: Option<ObjectId>) -> impl Iterator<Item = &Contact> {
        after(&self.contacts, id)
    }

    /// The audit log, oldest event first.
    pub fn audits(&self) -> &[AuditEvent] {
        &self.audits
    }

    /// How many live users there are.
    pub fn user_count(&self) -> usize {
        self.users.len()
    }
}

fn after<T>(map: &BTreeMap<ObjectId, Arc<T>>, id: Option<ObjectId>) -> impl Iterator<Item = &T> {
    let lower = id.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
    map.range((lower, std::ops::Bound::Unbounded)).map(|(_, object)| object.as_ref())
}
