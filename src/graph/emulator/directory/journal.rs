//! What each act leaves in the audit log.

use super::Directory;
use super::users::EXCHANGE_FIELDS;
use crate::domain::id::ObjectId;
use crate::graph::emulator::audit::{Actor, AuditEvent, Modified, modified, pseudo};
use crate::graph::emulator::entity::{Entity, Fields};
use crate::graph::emulator::user::User;

impl Directory {
    pub(super) fn audit_created(&mut self, user: &User, actor: Actor) {
        let changes = modified(None, user, user.ever_set());
        let event = self.user_event("Add user", "Add", user, actor, changes);
        self.audits.push(event);
    }

    pub(super) fn audit_updated(&mut self, old: &User, new: &User, actor: Actor) {
        let fields = new.differences(old);
        // A rename by an administrator shows as two acts: the UPN at once by the administrator, the addresses by
        // Exchange, which writes them back under its own name.
        let exchange = Fields(fields.0 & EXCHANGE_FIELDS.0);
        let own = if actor == Actor::Admin { Fields(fields.0 & !exchange.0) } else { fields };
        if own != Fields::NONE {
            let event = self.user_event("Update user", "Update", new, actor, modified(Some(old), new, own));
            let correlation_id = event.correlation_id.clone();
            self.audits.push(event);
            if own.meets(Fields::ENABLED) {
                let activity = if new.enabled { "Enable account" } else { "Disable account" };
                let changes = modified(Some(old), new, Fields::ENABLED);
                let twin = self.user_event(activity, "Update", new, actor, changes);
                self.audits.push(AuditEvent { correlation_id, ..twin });
            }
        }
        if own != fields {
            let changes = modified(Some(old), new, exchange);
            let event = self.user_event("Update user", "Update", new, Actor::Exchange, changes);
            self.audits.push(event);
        }
    }

    pub(super) fn audit_deleted(&mut self, user: &User, actor: Actor) {
        let changes = vec![pseudo("Is Hard Deleted", "False"), pseudo("TargetId.UserType", user.user_type.name())];
        let event = self.user_event("Delete user", "Delete", user, actor, changes);
        self.audits.push(event);
    }

    pub(super) fn audit_restored(&mut self, old: &User, new: &User) {
        let changes = modified(Some(old), new, Fields(new.differences(old).0 & !Fields::DELETED.0));
        let event = self.user_event("Restore user", "Update", new, Actor::Admin, changes);
        self.audits.push(event);
    }

    pub(super) fn audit_purged(&mut self, user: &User, actor: Actor) {
        let changes = vec![pseudo("Is Hard Deleted", "True"), pseudo("TargetId.UserType", user.user_type.name())];
        let mut event = self.user_event("Hard Delete user", "Delete", user, actor, changes);
        event.target_upn = None;
        self.audits.push(event);
    }

    pub(super) fn audit_group(&mut self, activity: &'static str, id: ObjectId, name: &str, changes: Vec<Modified>) {
        let operation = activity.split(' ').next().unwrap_or(activity);
        let event = AuditEvent {
            id: self.event_id(),
            at: self.now,
            correlation_id: self.ids.guid(),
            activity,
            operation,
            actor: Actor::Admin,
            target_type: "Group",
            target: id,
            target_upn: None,
            target_name: Some(name.to_owned()),
            user_type: None,
            modified: changes,
        };
        self.audits.push(event);
    }

    fn user_event(
        &mut self,
        activity: &'static str,
        operation: &'static str,
        user: &User,
        actor: Actor,
        changes: Vec<Modified>,
    ) -> AuditEvent {
        AuditEvent {
            id: self.event_id(),
            at: self.now,
            correlation_id: self.ids.guid(),
            activity,
            operation,
            actor,
            target_type: "User",
            target: user.id,
            target_upn: Some(user.upn.clone()),
            target_name: None,
            user_type: Some(user.user_type.name()),
            modified: changes,
        }
    }

    fn event_id(&mut self) -> String {
        format!("Directory_{}_EMU01_{}", self.ids.guid(), self.audits.len().saturating_add(1))
    }
}
