//! What can be done to users.

use std::sync::Arc;

use super::{Directory, RECYCLE_BIN};
use crate::domain::id::ObjectId;
use crate::domain::name::{Name, Proxy};
use crate::graph::emulator::audit::Actor;
use crate::graph::emulator::changes::Change;
use crate::graph::emulator::entity::Fields;
use crate::graph::emulator::names::Claims;
use crate::graph::emulator::refusal::Refusal;
use crate::graph::emulator::user::{ExchangePlan, NewUser, User};

/// New names for one user, within a set that takes effect in one instant.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameChange {
    /// The user.
    pub id: ObjectId,
    /// The new user principal name.
    pub upn: String,
    /// Whether mail and the primary address follow the UPN, as after a rename in the admin centre.
    #[serde(default)]
    pub mail_follows: bool,
    /// Whether the former primary address stays as an alias, if mail follows.
    #[serde(default)]
    pub keep_alias: bool,
}

impl Directory {
    /// Adds a user.
    pub fn create_user(&mut self, new: NewUser) -> Result<ObjectId, Refusal> {
        let id = self.ids.object();
        self.insert(new.into_user(id, self.now), Actor::Admin)?;
        Ok(id)
    }

    /// Adds a user from synchronisation, whatever others hold: on a clash the newcomer gets a placeholder
    /// `<prefix>+<4 digits>@<initial domain>` and its addresses are withheld until an hourly job finds them free.
    pub fn create_user_conflicting(&mut self, new: NewUser) -> Result<ObjectId, Refusal> {
        let id = self.ids.object();
        match self.insert(new.clone().into_user(id, self.now), Actor::Sync) {
            Err(Refusal::ObjectConflict { .. }) => {}
            other => return other.map(|()| id),
        }
        let prefix = new.upn.split_once('@').map_or(new.upn.as_str(), |(prefix, _)| prefix);
        let digits = self.ids.below(10_000);
        let placeholder = NewUser {
            upn: format!("{prefix}+{digits:04}@{}", self.initial_domain),
            mail: None,
            proxies: Vec::new(),
            ..new.clone()
        };
        self.insert(placeholder.into_user(id, self.now), Actor::Sync)?;
        self.withheld.insert(id, new);
        Ok(id)
    }

    /// Renames a user as the admin centre does: UPN, mail and primary address become `new_upn`; the former primary
    /// address stays as an alias if `keep_alias`.
    pub fn rename(&mut self, id: ObjectId, new_upn: &str, keep_alias: bool) -> Result<(), Refusal> {
        self.set_many(&[NameChange { id, upn: new_upn.to_owned(), mail_follows: true, keep_alias }])
    }

    /// Changes the user principal name and nothing else.
    pub fn set_upn(&mut self, id: ObjectId, new_upn: &str) -> Result<(), Refusal> {
        self.set_many(&[NameChange { id, upn: new_upn.to_owned(), mail_follows: false, keep_alias: false }])
    }

    /// Changes the names of several users in one instant, so that two can swap and any number can rotate.
    pub fn set_many(&mut self, changes: &[NameChange]) -> Result<(), Refusal> {
        let mut users = Vec::with_capacity(changes.len());
        for change in changes {
            let mut user = self.live(change.id)?;
            if change.mail_follows {
                user.proxies = renamed_proxies(&user.proxies, &change.upn, change.keep_alias);
                user.mail = Some(change.upn.clone());
            }
            user.upn = change.upn.clone();
            users.push(user);
        }
        self.update(users, Actor::Admin)?;
        // A name that somebody chose ends the wait for the one that synchronisation wanted.
        for change in changes {
            self.withheld.remove(&change.id);
        }
        Ok(())
    }

    /// Replaces mail and all proxy addresses, as Exchange writes them back.
    pub fn set_addresses(&mut self, id: ObjectId, mail: Option<&str>, proxies: &[String]) -> Result<(), Refusal> {
        let mut user = self.live(id)?;
        user.mail = mail.map(str::to_owned);
        user.proxies = proxies.to_vec();
        self.update(vec![user], Actor::Exchange)
    }

    /// Gives or takes the licence with the Exchange plan. Addresses stay as they are, unless a licence taken away is to take
    /// the one that equals the UPN along.
    pub fn set_licensed(&mut self, id: ObjectId, licensed: bool) -> Result<(), Refusal> {
        let (since, takes_address) = (self.now, self.licence_takes_address && !licensed);
        let initial = self.initial_domain.clone();
        self.edit(id, |user| {
            user.exchange_plan = Some(ExchangePlan { enabled: licensed, since });
            if takes_address {
                let fallback = format!("{}@{initial}", user.nickname);
                user.proxies = without_upn(&user.proxies, &user.upn, &fallback);
                user.mail = Some(fallback);
            }
        })
    }

    /// Sets attributes such as `department`, by their names; `None` takes one away.
    pub fn set_attributes(
        &mut self,
        id: ObjectId,
        attributes: impl IntoIterator<Item = (String, Option<String>)>,
    ) -> Result<(), Refusal> {
        self.edit(id, |user| {
            for (name, value) in attributes {
                match value {
                    Some(value) => user.attributes.insert(name, value),
                    None => user.attributes.remove(&name),
                };
            }
        })
    }

    /// Changes a user's other properties; what the closure does to names counts, too.
    pub fn edit(&mut self, id: ObjectId, change: impl FnOnce(&mut User)) -> Result<(), Refusal> {
        let mut user = self.live(id)?;
        change(&mut user);
        user.id = id;
        self.update(vec![user], Actor::Admin)
    }

    /// Moves a user to the recycle bin: the UPN gets the object's id in front, all names are free at once.
    pub fn delete(&mut self, id: ObjectId) -> Result<(), Refusal> {
        let before = self.users.get(&id).cloned().ok_or(Refusal::NotFound(id))?;
        self.names.release(id, &claims(&before)?);
        self.users.remove(&id);
        self.withheld.remove(&id);
        let mut user = before.as_ref().clone();
        user.upn = format!("{}{}", undashed(id), user.upn);
        user.deleted = Some(self.now);
        let user = Arc::new(user);
        self.deleted.insert(id, Arc::clone(&user));
        self.purges_due.insert((self.now.plus(RECYCLE_BIN), id));
        self.user_log.push(self.now, Change::Deleted, Arc::clone(&user));
        self.audit_deleted(&user, Actor::Admin);
        Ok(())
    }

    /// Brings a deleted user back, under its former UPN or `new_upn`. Addresses that a live object holds by now make
    /// it fail, or fall off the user if `auto_reconcile`.
    pub fn restore(&mut self, id: ObjectId, new_upn: Option<&str>, auto_reconcile: bool) -> Result<(), Refusal> {
        let before = self.deleted.get(&id).cloned().ok_or(Refusal::NotDeleted(id))?;
        let mut user = before.as_ref().clone();
        let former = user.upn.strip_prefix(&undashed(id)).unwrap_or(&user.upn).to_owned();
        user.upn = new_upn.map_or(former, str::to_owned);
        user.deleted = None;
        if auto_reconcile {
            let names = &self.names;
            user.proxies.retain(|proxy| {
                let parsed = Proxy::parse(proxy).ok();
                !parsed.as_ref().and_then(Proxy::smtp).is_some_and(|name| names.holds_address(name))
            });
            let mail: Option<Name> = user.mail.as_deref().and_then(|mail| mail.parse().ok());
            if mail.is_some_and(|mail| names.holds_address(&mail)) {
                user.mail = None;
            }
        }
        self.claim(&user)?;
        self.deleted.remove(&id);
        if let Some(deleted) = before.deleted {
            self.purges_due.remove(&(deleted.plus(RECYCLE_BIN), id));
        }
        let user = Arc::new(user.marked());
        self.users.insert(id, Arc::clone(&user));
        self.user_log.push(self.now, Change::Restored, Arc::clone(&user));
        self.audit_restored(&before, &user);
        Ok(())
    }

    /// Deletes a user from the recycle bin, for good.
    pub fn purge(&mut self, id: ObjectId) -> Result<(), Refusal> {
        self.purge_as(id, Actor::Admin)
    }

    /// Fills the directory with `count` users of `domain`, each with a mailbox at its UPN and an alias in the initial
    /// domain. They predate the audit log. Names taken by earlier users are skipped, so seeding twice works.
    pub fn seed_users(&mut self, count: usize, domain: &str) -> Result<Vec<ObjectId>, Refusal> {
        let mut ids = Vec::with_capacity(count);
        let mut number: usize = 0;
        while ids.len() < count {
            let (nick, display_name) = person(number);
            number = number.saturating_add(1);
            let upn = format!("{nick}@{domain}");
            let new = NewUser {
                proxies: vec![format!("SMTP:{upn}"), format!("smtp:{nick}@{}", self.initial_domain)],
                nickname: Some(nick),
                display_name: Some(display_name),
                ..NewUser::mailbox(&upn)
            };
            let id = self.ids.object();
            let user = new.into_user(id, self.now);
            match self.claim(&user) {
                Ok(()) => {}
                Err(Refusal::ObjectConflict { .. }) => continue,
                Err(other) => return Err(other),
            }
            self.keep(Arc::new(user), Change::Created);
            ids.push(id);
        }
        Ok(ids)
    }

    /// Purges on somebody's behalf.
    pub(super) fn purge_as(&mut self, id: ObjectId, actor: Actor) -> Result<(), Refusal> {
        let user = self.deleted.remove(&id).ok_or(Refusal::NotDeleted(id))?;
        self.mailboxes.purge(id);
        if let Some(deleted) = user.deleted {
            self.purges_due.remove(&(deleted.plus(RECYCLE_BIN), id));
        }
        self.user_log.push(self.now, Change::Purged, Arc::clone(&user));
        self.audit_purged(&user, actor);
        Ok(())
    }

    /// Puts new states in place of the live users', all of them or none.
    pub(super) fn update(&mut self, users: Vec<User>, actor: Actor) -> Result<(), Refusal> {
        let mut before = Vec::with_capacity(users.len());
        for user in &users {
            let old = self.users.get(&user.id).cloned().ok_or(Refusal::NotFound(user.id))?;
            // One user twice in a set would claim its own names against itself and leave half a change behind.
            if before.iter().any(|known: &Arc<User>| known.id == old.id) {
                return Err(Refusal::InvalidValue { property: "id", given: old.id.to_string() });
            }
            claims(user)?;
            before.push(old);
        }
        for old in &before {
            self.names.release(old.id, &claims(old)?);
        }
        for (n, user) in users.iter().enumerate() {
            if let Err(refusal) = self.claim(user) {
                for claimed in users.iter().take(n) {
                    self.names.release(claimed.id, &claims(claimed)?);
                }
                for old in &before {
                    // What was held together before can be held together again, uniqueness or not.
                    let _ = self.names.claim(old.id, &claims(old)?, false);
                }
                return Err(refusal);
            }
        }
        for (old, user) in before.iter().zip(users) {
            let user = Arc::new(user.marked());
            if *user != **old {
                self.keep(Arc::clone(&user), Change::Updated);
                self.audit_updated(old, &user, actor);
            }
        }
        Ok(())
    }

    fn insert(&mut self, user: User, actor: Actor) -> Result<(), Refusal> {
        self.claim(&user)?;
        let user = Arc::new(user);
        self.keep(Arc::clone(&user), Change::Created);
        self.audit_created(&user, actor);
        Ok(())
    }

    fn keep(&mut self, user: Arc<User>, change: Change) {
        if let Some(before) = self.users.insert(user.id, Arc::clone(&user)) {
            self.follow_licence(&before, &user);
        }
        self.user_log.push(self.now, change, user);
    }

    fn claim(&mut self, user: &User) -> Result<(), Refusal> {
        let taken = self.names.claim(user.id, &claims(user)?, self.smtp_unique);
        taken.map_err(|taken| Refusal::ObjectConflict { property: taken.property })
    }

    pub(super) fn live(&self, id: ObjectId) -> Result<User, Refusal> {
        self.user(id).cloned().ok_or(Refusal::NotFound(id))
    }
}

/// The fields of a rename that Exchange, not the administrator, writes.
pub(super) const EXCHANGE_FIELDS: Fields = Fields(Fields::MAIL.0 | Fields::PROXIES.0);

fn claims(user: &User) -> Result<Claims, Refusal> {
    Claims::of(Some(&user.upn), &user.proxies).map_err(|given| {
        let property = if given == user.upn { "userPrincipalName" } else { "proxyAddresses" };
        Refusal::InvalidValue { property, given }
    })
}

fn undashed(id: ObjectId) -> String {
    id.to_string().replace('-', "")
}

/// The addresses without the one that equals the UPN, with `fallback` as the primary one.
fn without_upn(proxies: &[String], upn: &str, fallback: &str) -> Vec<String> {
    let dropped: Vec<Name> = [upn, fallback].iter().filter_map(|name| name.parse().ok()).collect();
    let mut left = vec![format!("SMTP:{fallback}")];
    for proxy in proxies {
        match Proxy::parse(proxy) {
            Ok(parsed) if parsed.smtp().is_some_and(|name| dropped.contains(name)) => {}
            Ok(Proxy::Primary(former)) => left.push(format!("smtp:{former}")),
            _ => left.push(proxy.clone()),
        }
    }
    left
}

fn renamed_proxies(proxies: &[String], primary: &str, keep_alias: bool) -> Vec<String> {
    let new: Option<Name> = primary.parse().ok();
    let mut renamed = vec![format!("SMTP:{primary}")];
    for proxy in proxies {
        match Proxy::parse(proxy) {
            Ok(Proxy::Primary(old)) if keep_alias && Some(&old) != new.as_ref() => renamed.push(format!("smtp:{old}")),
            Ok(Proxy::Primary(_)) => {}
            Ok(Proxy::Alias(alias)) if Some(&alias) == new.as_ref() => {}
            _ => renamed.push(proxy.clone()),
        }
    }
    renamed
}

/// The nickname and display name of the n-th seeded person: distinct for every number.
fn person(number: usize) -> (String, String) {
    const FIRST: &[&str] = &[
        "Ann", "Ben", "Carla", "David", "Elena", "Farid", "Grace", "Hugo", "Ines", "Jonas", "Kim", "Lena", "Marco",
        "Nadia", "Oscar", "Priya", "Quentin", "Rosa", "Samir", "Tanja", "Umar", "Vera", "Wei", "Xenia", "Yusuf", "Zoe",
    ];
    const LAST: &[&str] = &[
        "Adams",
        "Becker",
        "Costa",
        "Dubois",
        "Evans",
        "Fischer",
        "Garcia",
        "Haas",
        "Ivanov",
        "Jensen",
        "Kowalski",
        "Lee",
        "Moreau",
        "Novak",
        "Okafor",
        "Patel",
        "Quinn",
        "Rossi",
        "Sato",
        "Tanaka",
        "Ueda",
        "Vogel",
        "Weber",
        "Xu",
        "Young",
        "Zimmer",
        "Andersson",
    ];
    // The lengths share no divisor, so both lists advance at once and pairs repeat only after their product.
    let first = FIRST.get(number % FIRST.len()).copied().unwrap_or("Ann");
    let last = LAST.get(number % LAST.len()).copied().unwrap_or("Lee");
    let lap = number / (FIRST.len() * LAST.len());
    let suffix = if lap == 0 { String::new() } else { lap.saturating_add(1).to_string() };
    let nick = format!("{}.{}{suffix}", first.to_ascii_lowercase(), last.to_ascii_lowercase());
    (nick, format!("{first} {last}"))
}
