//! `/_emulator/…`: how tests in other processes, and people, move the clock and the directory. No token is asked for.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::Answer;
use super::directory::{Directory, NameChange};
use super::mailbox::NewMessage;
use super::message::Folder;
use super::quirks::{Quirk, QuirkName};
use super::refusal::Refusal;
use super::request::Request;
use super::user::{NewUser, UserType};
use super::world::{Clock, World};
use crate::domain::id::ObjectId;
use crate::domain::time::Instant;

/// Something done to the directory, as `POST /_emulator/act` reads it. A `user` is an object id or a live user's UPN.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Adds a user.
    Create {
        /// The user principal name.
        upn: String,
        /// Whether mail and primary address are the UPN and the user has a licence; yes by default.
        #[serde(default = "yes")]
        mailbox: bool,
        /// Mail, if it is not the UPN.
        mail: Option<String>,
        /// The proxy addresses, if more than the primary one.
        proxies: Option<Vec<String>>,
        /// The display name.
        display_name: Option<String>,
        /// The employee id.
        employee_id: Option<String>,
        /// The on-premises immutable id.
        immutable_id: Option<String>,
        /// Member or guest.
        #[serde(default)]
        user_type: UserType,
        /// Whether synchronisation adds it, so that a name clash leaves a placeholder instead of failing.
        #[serde(default)]
        conflicting: bool,
    },
    /// Adds `count` users of `domain`.
    Seed {
        /// How many.
        count: usize,
        /// Their domain.
        domain: String,
    },
    /// Renames a user: UPN, mail and primary address.
    Rename {
        /// Who.
        user: String,
        /// The new name.
        upn: String,
        /// Whether the old primary address stays as an alias; yes by default.
        #[serde(default = "yes")]
        keep_alias: bool,
    },
    /// Gives several users new names in one instant.
    SetUpns {
        /// Who gets which name.
        changes: Vec<UpnChange>,
    },
    /// Replaces mail and all addresses.
    SetAddresses {
        /// Who.
        user: String,
        /// The new mail.
        mail: Option<String>,
        /// The new proxy addresses, with their prefixes.
        proxies: Vec<String>,
    },
    /// Gives or takes the licence.
    SetLicensed {
        /// Who.
        user: String,
        /// Whether the Exchange plan is enabled from now on.
        licensed: bool,
    },
    /// Deletes a user into the recycle bin.
    Delete {
        /// Who.
        user: String,
    },
    /// Restores a deleted user.
    Restore {
        /// Who, by id.
        user: String,
        /// Another UPN than the former one.
        upn: Option<String>,
        /// Whether addresses held by others fall off instead of making it fail.
        #[serde(default)]
        auto_reconcile: bool,
    },
    /// Deletes a user from the recycle bin for good.
    Purge {
        /// Who, by id.
        user: String,
    },
    /// Adds a group.
    CreateGroup {
        /// The display name.
        display_name: String,
        /// Its address, if it has one.
        mail: Option<String>,
    },
    /// Replaces a group's addresses.
    SetGroupAddresses {
        /// The group's id.
        group: ObjectId,
        /// The new mail.
        mail: Option<String>,
        /// The new proxy addresses, with their prefixes.
        proxies: Vec<String>,
    },
    /// Deletes a group for good.
    DeleteGroup {
        /// The group's id.
        group: ObjectId,
    },
    /// Sets attributes such as `department`; null takes one away.
    SetAttributes {
        /// Who.
        user: String,
        /// The attributes by their names.
        attributes: BTreeMap<String, Option<String>>,
    },
    /// Makes a user or a group a member of a group.
    AddMember {
        /// The group's id.
        group: ObjectId,
        /// The member: a user as above, or a group's id.
        member: String,
    },
    /// Takes a member out of a group.
    RemoveMember {
        /// The group's id.
        group: ObjectId,
        /// The member.
        member: String,
    },
    /// Lets a message arrive in a user's mailbox.
    Deliver {
        /// Whose.
        user: String,
        /// The subject.
        subject: String,
        /// The text.
        #[serde(default)]
        body: String,
        /// The sender's address.
        from: Option<String>,
        /// The folder; the inbox by default.
        #[serde(default = "inbox")]
        folder: Folder,
    },
    /// Deletes a message: into the deleted items, or from there for good.
    DeleteMessage {
        /// Whose.
        user: String,
        /// The message's id.
        message: String,
    },
    /// Adds a contact.
    CreateContact {
        /// The display name.
        display_name: String,
        /// Its address.
        mail: String,
    },
    /// Deletes a contact for good.
    DeleteContact {
        /// The contact's id.
        contact: ObjectId,
    },
}

/// One user's new name among several that take effect in one instant.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpnChange {
    /// Who.
    pub user: String,
    /// The new UPN.
    pub upn: String,
    /// Whether mail and primary address follow; yes by default.
    #[serde(default = "yes")]
    pub mail_follows: bool,
    /// Whether the former primary address stays as an alias; no by default, because another may want it at once.
    #[serde(default)]
    pub keep_alias: bool,
}

impl Directory {
    /// Does what `act` says and gives the ids of the objects concerned.
    pub fn act(&mut self, act: Act) -> Result<Vec<ObjectId>, Refusal> {
        let one = |id| Ok(vec![id]);
        match act {
            Act::Create {
                upn,
                mailbox,
                mail,
                proxies,
                display_name,
                employee_id,
                immutable_id,
                user_type,
                conflicting,
            } => {
                let start = if mailbox { NewUser::mailbox(&upn) } else { NewUser::bare(&upn) };
                let primary = mail.as_ref().map(|mail| vec![format!("SMTP:{mail}")]);
                let new = NewUser {
                    proxies: proxies.or(primary).unwrap_or(start.proxies),
                    mail: mail.or(start.mail),
                    display_name,
                    employee_id,
                    immutable_id,
                    user_type,
                    ..NewUser { proxies: Vec::new(), mail: None, ..start }
                };
                one(if conflicting { self.create_user_conflicting(new)? } else { self.create_user(new)? })
            }
            Act::Seed { count, domain } => self.seed_users(count, &domain),
            Act::Rename { user, upn, keep_alias } => {
                let id = self.find(&user)?;
                self.rename(id, &upn, keep_alias).and_then(|()| one(id))
            }
            Act::SetUpns { changes } => {
                let mut all = Vec::with_capacity(changes.len());
                for UpnChange { user, upn, mail_follows, keep_alias } in changes {
                    all.push(NameChange { id: self.find(&user)?, upn, mail_follows, keep_alias });
                }
                self.set_many(&all).map(|()| all.iter().map(|change| change.id).collect())
            }
            Act::SetAddresses { user, mail, proxies } => {
                let id = self.find(&user)?;
                self.set_addresses(id, mail.as_deref(), &proxies).and_then(|()| one(id))
            }
            Act::SetLicensed { user, licensed } => {
                let id = self.find(&user)?;
                self.set_licensed(id, licensed).and_then(|()| one(id))
            }
            Act::Delete { user } => {
                let id = self.find(&user)?;
                self.delete(id).and_then(|()| one(id))
            }
            Act::Restore { user, upn, auto_reconcile } => {
                let id = self.find(&user)?;
                self.restore(id, upn.as_deref(), auto_reconcile).and_then(|()| one(id))
            }
            Act::Purge { user } => {
                let id = self.find(&user)?;
                self.purge(id).and_then(|()| one(id))
            }
            Act::CreateGroup { display_name, mail } => one(self.create_group(&display_name, mail.as_deref())?),
            Act::SetGroupAddresses { group, mail, proxies } => {
                self.set_group_addresses(group, mail.as_deref(), &proxies).and_then(|()| one(group))
            }
            Act::DeleteGroup { group } => self.delete_group(group).and_then(|()| one(group)),
            Act::SetAttributes { user, attributes } => {
                let id = self.find(&user)?;
                self.set_attributes(id, attributes).and_then(|()| one(id))
            }
            Act::AddMember { group, member } => {
                let id = self.find(&member)?;
                self.add_member(group, id).and_then(|()| one(id))
            }
            Act::RemoveMember { group, member } => {
                let id = self.find(&member)?;
                self.remove_member(group, id).and_then(|()| one(id))
            }
            Act::Deliver { user, subject, body, from, folder } => {
                let id = self.find(&user)?;
                let message = NewMessage::text(&subject, &body, from.as_deref());
                self.deliver(id, folder, message).and_then(|_| one(id))
            }
            Act::DeleteMessage { user, message } => {
                let id = self.find(&user)?;
                self.delete_message(id, &message).and_then(|()| one(id))
            }
            Act::CreateContact { display_name, mail } => one(self.create_contact(&display_name, &mail)?),
            Act::DeleteContact { contact } => self.delete_contact(contact).and_then(|()| one(contact)),
        }
    }
}

/// Reads `90`, `90s`, `15m`, `1h`, `30d` or a sum such as `1h30m`. A bare number is seconds.
pub fn parse_span(text: &str) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, tail) = rest.split_at(unit_at);
        let mut tail_chars = tail.chars();
        let unit: u64 = match tail_chars.next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        let seconds = number.parse::<u64>().ok()?.checked_mul(unit)?;
        total = total.checked_add(Duration::from_secs(seconds))?;
        rest = tail_chars.as_str().trim_start();
    }
    (!text.is_empty()).then_some(total)
}

pub(super) fn answer(world: &mut World, request: &Request) -> Answer {
    match (request.method.as_str(), request.route().as_slice()) {
        ("GET", [_, "clock"]) => clock(world),
        ("POST", [_, "clock"]) => move_clock(world, request),
        ("GET", [_, "quirks"]) => quirks(world),
        ("POST", [_, "quirks"]) => set_quirks(world, request),
        ("POST", [_, "act"]) => act(world, request),
        ("GET", [_, "requests"]) => Answer::ok(json!(world.requests)),
        _ => Answer::error(404, "NotFound", "The emulator's own routes are clock, quirks, act and requests."),
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct MoveClock {
    now: Option<Instant>,
    advance: Option<Value>,
}

fn clock(world: &World) -> Answer {
    let ticking = matches!(world.clock, Clock::Ticking { .. });
    Answer::ok(json!({ "now": world.directory.now(), "ticking": ticking }))
}

fn move_clock(world: &mut World, request: &Request) -> Answer {
    let wanted: MoveClock = match read(request) {
        Ok(wanted) => wanted,
        Err(refusal) => return refusal,
    };
    let span = match &wanted.advance {
        Some(Value::String(text)) => parse_span(text),
        Some(Value::Number(seconds)) => seconds.as_u64().map(Duration::from_secs),
        _ => None,
    };
    let to = match (wanted.now, wanted.advance.is_some(), span) {
        (Some(now), false, _) => now,
        (None, true, Some(span)) => world.directory.now().plus(span),
        _ => return malformed("give either {\"now\": \"2026-03-01T09:00:00Z\"} or {\"advance\": \"1h30m\"}"),
    };
    match world.set_now(to) {
        Ok(()) => clock(world),
        Err(refusal) => refusal.into(),
    }
}

fn quirks(world: &World) -> Answer {
    let known = QuirkName::ALL.iter().map(|quirk| json!({ "name": quirk.name(), "description": quirk.description() }));
    Answer::ok(json!({ "active": world.quirks.active(), "known": known.collect::<Vec<Value>>() }))
}

/// A quirk by its bare name, or with its limits.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Wanted {
    Name(QuirkName),
    Limited(Quirk),
}

fn set_quirks(world: &mut World, request: &Request) -> Answer {
    let wanted: Vec<Wanted> = match read(request) {
        Ok(wanted) => wanted,
        Err(refusal) => return refusal,
    };
    let all = wanted.into_iter().map(|quirk| match quirk {
        Wanted::Name(name) => Quirk::new(name),
        Wanted::Limited(quirk) => quirk,
    });
    world.set_quirks(all.collect());
    quirks(world)
}

fn act(world: &mut World, request: &Request) -> Answer {
    // One act or a list of them, told apart by hand, because an untagged enum would hide what is wrong with an act.
    let many = request.body.trim_ascii_start().first() == Some(&b'[');
    let acts: Result<Vec<Act>, Answer> = if many { read(request) } else { read(request).map(|act| vec![act]) };
    let acts = match acts {
        Ok(acts) => acts,
        Err(refusal) => return refusal,
    };
    let mut ids: Vec<ObjectId> = Vec::new();
    for act in acts {
        match world.directory.act(act) {
            Ok(more) => ids.extend(more),
            Err(refusal) => return refusal.into(),
        }
    }
    Answer::ok(json!({ "id": ids.first(), "ids": ids }))
}

fn read<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, Answer> {
    serde_json::from_slice(&request.body).map_err(|error| malformed(&error.to_string()))
}

fn malformed(message: &str) -> Answer {
    Answer::error(400, "BadRequest", message)
}

fn yes() -> bool {
    true
}

fn inbox() -> Folder {
    Folder::Inbox
}
