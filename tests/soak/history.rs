//! What happens in a directory: people come, are renamed, leave, come back, and their names pass to others.

use std::time::Duration;

use whowas::domain::id::ObjectId;
use whowas::domain::time::Instant;
use whowas::domain::timeline::State;
use whowas::graph::emulator::{Act, Directory, UpnChange, User, UserType};

use super::dice::Dice;
use super::place::{DOMAIN, Place};
use super::truth::Truth;

/// How far apart two changes are, in seconds.
const APART: (i64, i64) = (60, 1_500);

pub struct History {
    dice: Dice,
    pub truth: Truth,
    next: Instant,
    newcomers: u64,
    /// How many changes there were.
    pub changes: u64,
}

impl History {
    /// Begins with whoever is in the directory at `start`.
    pub fn of(place: &Place, seed: u64, start: Instant) -> Self {
        let mut truth = Truth::default();
        place.calm.with(|directory| {
            for user in directory.users_after(None) {
                truth.note(start, user.id, Some(user), State::Active);
            }
        });
        Self { dice: Dice::new(seed), truth, next: start, newcomers: 0, changes: 0 }.later()
    }

    fn later(mut self) -> Self {
        self.put_off();
        self
    }

    fn put_off(&mut self) {
        self.next = self.next.plus(Duration::from_secs(self.dice.between(APART.0, APART.1).unsigned_abs()));
    }

    /// Everything that happens up to and without `until`, in both directories.
    pub fn pass(&mut self, place: &Place, until: Instant) {
        while self.next < until {
            self.happen(place, self.next);
            self.put_off();
        }
    }

    /// One change, now.
    pub fn happen(&mut self, place: &Place, at: Instant) {
        place.set_now(at);
        let acts = place.calm.with(|directory| self.choose(directory));
        let mut touched: Vec<ObjectId> = Vec::new();
        for act in acts {
            let done = place.calm.with(|directory| directory.act(act.clone()));
            assert_eq!(done, place.hostile.with(|directory| directory.act(act)), "both directories are alike");
            touched.extend(done.into_iter().flatten());
        }
        self.changes += u64::from(!touched.is_empty());
        place.calm.with(|directory| {
            for id in touched {
                let state = match (directory.user(id), directory.deleted_user(id)) {
                    (Some(_), _) => State::Active,
                    (None, Some(_)) => State::SoftDeleted,
                    (None, None) => State::Purged,
                };
                self.truth.note(at, id, directory.user(id), state);
            }
        });
    }

    /// What is done next. The directory may refuse it: then nothing happens.
    fn choose(&mut self, directory: &Directory) -> Vec<Act> {
        let users: Vec<&User> = directory.users_after(None).collect();
        let deleted: Vec<ObjectId> = directory.deleted_after(None).map(|user| user.id).collect();
        let (one, other) = (users[self.dice.index(users.len())], users[self.dice.index(users.len())]);
        if one.id == other.id {
            // Nobody is renamed there and back in one instant.
            return vec![];
        }
        let user = one.id.to_string();
        let gone = (!deleted.is_empty()).then(|| self.dice.pick(&deleted).to_string());
        match (self.dice.below(100), gone) {
            (0..14, _) => vec![create(self.name())],
            (14..40, _) => vec![Act::Rename { user, upn: self.name(), keep_alias: self.dice.chance(50) }],
            (40..52, _) => {
                // The name passes to somebody else in the moment in which it becomes free.
                let (old, heir) = (one.upn.clone(), other.id.to_string());
                let left = Act::Rename { user, upn: self.fresh(), keep_alias: false };
                let taken = if self.dice.chance(50) { create(old) } else { rename(heir, old) };
                vec![left, taken]
            }
            (52..58, _) => {
                let change = |who: &User, upn: &str| UpnChange {
                    user: who.id.to_string(),
                    upn: upn.to_owned(),
                    mail_follows: true,
                    keep_alias: false,
                };
                vec![Act::SetUpns { changes: vec![change(one, &other.upn), change(other, &one.upn)] }]
            }
            (58..72, _) => vec![Act::Delete { user }],
            (72..80, Some(user)) => {
                let upn = self.dice.chance(30).then(|| self.fresh());
                vec![Act::Restore { user, upn, auto_reconcile: true }]
            }
            (80..84, Some(user)) => vec![Act::Purge { user }],
            (84..92, _) => {
                let alias = format!("smtp:{}", self.name());
                vec![readdressed(one, |proxies| proxies.push(alias))]
            }
            (92..98, _) => {
                // An alias moves to another mailbox.
                let Some(alias) = one.proxies.iter().find(|proxy| proxy.starts_with("smtp:")).cloned() else {
                    return vec![];
                };
                vec![
                    readdressed(one, |proxies| proxies.retain(|proxy| *proxy != alias)),
                    readdressed(other, |proxies| proxies.push(alias.clone())),
                ]
            }
            _ => vec![Act::SetLicensed { user, licensed: self.dice.chance(50) }],
        }
    }

    /// A new name, or one that was somebody's.
    fn name(&mut self) -> String {
        let released = self.truth.released();
        if released.is_empty() || self.dice.chance(60) {
            return self.fresh();
        }
        released[self.dice.index(released.len())].as_str().to_owned()
    }

    fn fresh(&mut self) -> String {
        self.newcomers += 1;
        format!("new{}@{DOMAIN}", self.newcomers)
    }
}

fn create(upn: String) -> Act {
    Act::Create {
        upn,
        mailbox: true,
        mail: None,
        proxies: None,
        display_name: None,
        employee_id: None,
        immutable_id: None,
        user_type: UserType::default(),
        conflicting: false,
    }
}

fn rename(user: String, upn: String) -> Act {
    Act::Rename { user, upn, keep_alias: true }
}

fn readdressed(user: &User, change: impl FnOnce(&mut Vec<String>)) -> Act {
    let mut proxies = user.proxies.clone();
    change(&mut proxies);
    Act::SetAddresses { user: user.id.to_string(), mail: user.mail.clone(), proxies }
}
