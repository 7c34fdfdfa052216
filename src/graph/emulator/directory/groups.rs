//! What can be done to groups and contacts: they matter because they can hold a person's former address.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Directory;
use crate::domain::id::ObjectId;
use crate::graph::emulator::audit::Modified;
use crate::graph::emulator::changes::Change;
use crate::graph::emulator::group::{Contact, Group};
use crate::graph::emulator::names::Claims;
use crate::graph::emulator::refusal::Refusal;

impl Directory {
    /// Adds a group that holds `mail` as its primary address, or a security group without one.
    pub fn create_group(&mut self, display_name: &str, mail: Option<&str>) -> Result<ObjectId, Refusal> {
        let id = self.ids.object();
        let group = Group {
            id,
            display_name: display_name.to_owned(),
            mail: mail.map(str::to_owned),
            proxies: mail.map(|mail| format!("SMTP:{mail}")).into_iter().collect(),
            created: self.now,
        };
        self.claim_addresses(id, &group.proxies)?;
        let new = Some(serde_json::json!([display_name]).to_string());
        let added = vec![Modified { name: "DisplayName", old: Some("[]".to_owned()), new }];
        self.keep_group(group, Change::Created);
        self.audit_group("Add group", id, display_name, added);
        Ok(id)
    }

    /// Replaces a group's mail and addresses.
    pub fn set_group_addresses(&mut self, id: ObjectId, mail: Option<&str>, proxies: &[String]) -> Result<(), Refusal> {
        let old = self.groups.get(&id).cloned().ok_or(Refusal::NotFound(id))?;
        let former = claims(&old.proxies)?;
        claims(proxies)?;
        self.names.release(id, &former);
        if let Err(refusal) = self.claim_addresses(id, proxies) {
            // What was held before can be held again, uniqueness or not.
            let _ = self.names.claim(id, &former, false);
            return Err(refusal);
        }
        let group = Group { mail: mail.map(str::to_owned), proxies: proxies.to_vec(), ..old.as_ref().clone() };
        let name = group.display_name.clone();
        let before = serde_json::json!(old.proxies).to_string();
        let after = serde_json::json!(proxies).to_string();
        self.keep_group(group, Change::Updated);
        let changes = vec![Modified { name: "ProxyAddresses", old: Some(before), new: Some(after) }];
        self.audit_group("Update group", id, &name, changes);
        Ok(())
    }

    /// Deletes a group for good.
    pub fn delete_group(&mut self, id: ObjectId) -> Result<(), Refusal> {
        let group = self.groups.remove(&id).ok_or(Refusal::NotFound(id))?;
        self.names.release(id, &claims(&group.proxies)?);
        self.group_log.push(self.now, Change::Purged, Arc::clone(&group));
        self.audit_group("Delete group", id, &group.display_name, Vec::new());
        Ok(())
    }

    /// Makes a user, or another group, a member of a group.
    pub fn add_member(&mut self, group: ObjectId, member: ObjectId) -> Result<(), Refusal> {
        if !self.groups.contains_key(&group) {
            return Err(Refusal::NotFound(group));
        }
        if !self.users.contains_key(&member) && !self.groups.contains_key(&member) {
            return Err(Refusal::NotFound(member));
        }
        self.members.entry(group).or_default().insert(member);
        Ok(())
    }

    /// Takes a member out of a group.
    pub fn remove_member(&mut self, group: ObjectId, member: ObjectId) -> Result<(), Refusal> {
        let is_gone = self.members.get_mut(&group).is_some_and(|members| members.remove(&member));
        if is_gone { Ok(()) } else { Err(Refusal::NotFound(member)) }
    }

    /// The live users and groups in a group, those inside of groups in it included; `None` if there is no such group.
    pub fn transitive_members(&self, group: ObjectId) -> Option<(BTreeSet<ObjectId>, BTreeSet<ObjectId>)> {
        self.groups.get(&group)?;
        let (mut users, mut groups, mut waiting) = (BTreeSet::new(), BTreeSet::new(), vec![group]);
        while let Some(group) = waiting.pop() {
            for member in self.members.get(&group).into_iter().flatten() {
                if self.users.contains_key(member) {
                    users.insert(*member);
                } else if self.groups.contains_key(member) && groups.insert(*member) {
                    waiting.push(*member);
                }
            }
        }
        Some((users, groups))
    }

    /// Adds an organisational contact that holds `mail`.
    pub fn create_contact(&mut self, display_name: &str, mail: &str) -> Result<ObjectId, Refusal> {
        let id = self.ids.object();
        let contact = Contact {
            id,
            display_name: display_name.to_owned(),
            mail: Some(mail.to_owned()),
            proxies: vec![format!("SMTP:{mail}")],
        };
        self.claim_addresses(id, &contact.proxies)?;
        let contact = Arc::new(contact);
        self.contacts.insert(id, Arc::clone(&contact));
        self.contact_log.push(self.now, Change::Created, contact);
        Ok(id)
    }

    /// Deletes a contact for good.
    pub fn delete_contact(&mut self, id: ObjectId) -> Result<(), Refusal> {
        let contact = self.contacts.remove(&id).ok_or(Refusal::NotFound(id))?;
        self.names.release(id, &claims(&contact.proxies)?);
        self.contact_log.push(self.now, Change::Purged, contact);
        Ok(())
    }

    fn keep_group(&mut self, group: Group, change: Change) {
        let group = Arc::new(group);
        self.groups.insert(group.id, Arc::clone(&group));
        self.group_log.push(self.now, change, group);
    }

    fn claim_addresses(&mut self, id: ObjectId, proxies: &[String]) -> Result<(), Refusal> {
        let taken = self.names.claim(id, &claims(proxies)?, self.smtp_unique);
        taken.map_err(|taken| Refusal::ObjectConflict { property: taken.property })
    }
}

fn claims(proxies: &[String]) -> Result<Claims, Refusal> {
    Claims::of(None, proxies).map_err(|given| Refusal::InvalidValue { property: "proxyAddresses", given })
}
