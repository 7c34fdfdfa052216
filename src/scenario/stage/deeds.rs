//! What is done in the directory.

use serde_json::Value;

use super::Stage;
use crate::domain::id::ObjectId;
use crate::graph::emulator::{Directory, NameChange, NewUser, Refusal};
use crate::scenario::expect::Answer;
use crate::scenario::script::{Deed, Newcomer};

impl Stage {
    pub(super) fn deed(&mut self, tenant: usize, deed: &Deed) -> Answer {
        match deed {
            Deed::Create(newcomer) => {
                let id = self.directory(tenant, |directory| create(directory, newcomer))?;
                self.learn(&newcomer.symbol, id);
            }
            Deed::Group { symbol, mail } => {
                let id = self.directory(tenant, |directory| directory.create_group(symbol, Some(mail)))?;
                self.learn(symbol, id);
            }
            Deed::Rename { changes, keep_alias, upn_only } => {
                let mut all = Vec::with_capacity(changes.len());
                for (symbol, upn) in changes {
                    let id = self.object(symbol)?;
                    let (mail_follows, keep_alias) = (!upn_only, *keep_alias);
                    all.push(NameChange { id, upn: upn.clone(), mail_follows, keep_alias });
                }
                self.directory(tenant, |directory| directory.set_many(&all))?;
            }
            Deed::Alias { object, name, add } => {
                let id = self.object(object)?;
                self.directory(tenant, |directory| alias(directory, id, name, *add))?;
            }
            Deed::Delete(object) => {
                let id = self.object(object)?;
                self.directory(tenant, |directory| directory.delete(id))?;
            }
            Deed::Restore { object, upn } => {
                let id = self.object(object)?;
                self.directory(tenant, |directory| directory.restore(id, upn.as_deref(), true))?;
            }
            Deed::Purge(object) => {
                let id = self.object(object)?;
                self.directory(tenant, |directory| directory.purge(id))?;
            }
            Deed::License { object, licensed } => {
                let id = self.object(object)?;
                self.directory(tenant, |directory| directory.set_licensed(id, *licensed))?;
            }
            Deed::Disable(object) => {
                let id = self.object(object)?;
                self.directory(tenant, |directory| directory.edit(id, |user| user.enabled = false))?;
            }
            Deed::Quirk(quirk) => {
                if let Some(place) = self.tenants.get_mut(tenant) {
                    place.quirks.push(quirk.clone());
                    place.emulator.set_quirks(place.quirks.clone());
                }
            }
            Deed::NoQuirks => {
                if let Some(place) = self.tenants.get_mut(tenant) {
                    place.quirks.clear();
                    place.emulator.set_quirks([]);
                }
            }
            Deed::MoveCrowd { crowd, domain, stay } => {
                let ids = self.objects_of(crowd)?.to_vec();
                let moving = ids.len().saturating_sub(*stay);
                let moving: Vec<ObjectId> = ids.into_iter().take(moving).collect();
                self.directory(tenant, |directory| move_to(directory, &moving, domain))?;
            }
            Deed::DeleteCrowd(crowd) => {
                let ids = self.objects_of(crowd)?.to_vec();
                self.directory(tenant, |directory| ids.iter().try_for_each(|id| directory.delete(*id)))?;
            }
            Deed::RestoreCrowd(crowd) => {
                let ids = self.objects_of(crowd)?.to_vec();
                self.directory(tenant, |directory| ids.iter().try_for_each(|id| directory.restore(*id, None, true)))?;
            }
            Deed::ReplaceCrowd { crowd, by } => {
                let ids = self.objects_of(crowd)?.to_vec();
                let new = self.directory(tenant, |directory| replace(directory, &ids))?;
                self.learn_crowd(by, new);
            }
        }
        Ok(Value::Null)
    }

    fn directory<T>(&self, tenant: usize, act: impl FnOnce(&mut Directory) -> Result<T, Refusal>) -> Result<T, String> {
        self.tenant(tenant).emulator.with(act).map_err(|refusal| refusal.to_string())
    }
}

/// Adds a user as the file describes it.
pub(super) fn create(directory: &mut Directory, new: &Newcomer) -> Result<ObjectId, Refusal> {
    let start = if new.bare { NewUser::bare(&new.upn) } else { NewUser::mailbox(&new.upn) };
    let mut user = NewUser { employee_id: new.employee_id.clone(), immutable_id: new.immutable_id.clone(), ..start };
    if let Some(mail) = &new.mail {
        user.mail = Some(mail.clone());
        user.proxies = vec![format!("SMTP:{mail}")];
    }
    user.proxies.extend(new.aliases.iter().map(|alias| format!("smtp:{alias}")));
    if new.conflicting { directory.create_user_conflicting(user) } else { directory.create_user(user) }
}

fn alias(directory: &mut Directory, id: ObjectId, name: &str, add: bool) -> Result<(), Refusal> {
    let user = directory.user(id).ok_or(Refusal::NotFound(id))?;
    let (mail, mut proxies) = (user.mail.clone(), user.proxies.clone());
    let is_it = |proxy: &String| proxy.split_once(':').is_some_and(|(_, address)| address.eq_ignore_ascii_case(name));
    if add {
        proxies.push(format!("smtp:{name}"));
    } else if proxies.iter().any(is_it) {
        proxies.retain(|proxy| !is_it(proxy));
    } else {
        return Err(Refusal::InvalidValue { property: "proxyAddresses", given: name.to_owned() });
    }
    directory.set_addresses(id, mail.as_deref(), &proxies)
}

/// Everybody gets the same name in another domain, with a digit where it is taken there; the former stays as an alias.
fn move_to(directory: &mut Directory, ids: &[ObjectId], domain: &str) -> Result<(), Refusal> {
    let mut changes = Vec::with_capacity(ids.len());
    for id in ids {
        let user = directory.user(*id).ok_or(Refusal::NotFound(*id))?;
        let nick = user.upn.split_once('@').map_or(user.upn.as_str(), |(nick, _)| nick);
        let plain = format!("{nick}@{domain}");
        let upn = if directory.user_by_upn(&plain).is_some() { format!("{nick}9@{domain}") } else { plain };
        changes.push(NameChange { id: *id, upn, mail_follows: true, keep_alias: true });
    }
    directory.set_many(&changes)
}

/// New objects with the names and the on-premises ids of deleted ones, as a synchronisation makes them that has lost its
/// anchor.
fn replace(directory: &mut Directory, ids: &[ObjectId]) -> Result<Vec<ObjectId>, Refusal> {
    let mut new = Vec::with_capacity(ids.len());
    for id in ids {
        let user = directory.deleted_user(*id).ok_or(Refusal::NotDeleted(*id))?.clone();
        let undashed = id.to_string().replace('-', "");
        let upn = user.upn.strip_prefix(&undashed).unwrap_or(&user.upn).to_owned();
        let (mail, proxies, immutable_id) = (user.mail, user.proxies, user.immutable_id);
        new.push(directory.create_user(NewUser { mail, proxies, immutable_id, ..NewUser::mailbox(&upn) })?);
    }
    Ok(new)
}
