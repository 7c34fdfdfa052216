//! What is done in the directory.

use serde_json::Value;

use super::Stage;
use super::symbols::Symbols;
use crate::domain::id::ObjectId;
use crate::graph::emulator::{Directory, NameChange, NewUser, Refusal};
use crate::scenario::expect::Answer;
use crate::scenario::script::{Crowd, Deed, Newcomer};

impl Stage {
    pub(super) fn deed(&mut self, tenant: usize, deed: &Deed) -> Answer {
        match deed {
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
            deed => {
                let symbols = &mut self.symbols;
                if let Some(place) = self.tenants.get(tenant) {
                    place.emulator.with(|directory| act(directory, deed, symbols))?;
                }
            }
        }
        Ok(Value::Null)
    }
}

/// Does something in a directory; the words of a refusal if it cannot be done. How the service behaves is no matter of its
/// directory.
pub(super) fn act(directory: &mut Directory, deed: &Deed, symbols: &mut Symbols) -> Result<(), String> {
    let object = |symbol: &String| symbols.object(symbol);
    let done = match deed {
        Deed::Create(newcomer) => create(directory, newcomer).map(|id| symbols.learn(&newcomer.symbol, id)),
        Deed::Group { symbol, mail } => directory.create_group(symbol, Some(mail)).map(|id| symbols.learn(symbol, id)),
        Deed::Rename { changes, keep_alias, upn_only } => {
            let mut all = Vec::with_capacity(changes.len());
            for (symbol, upn) in changes {
                let (mail_follows, keep_alias) = (!upn_only, *keep_alias);
                all.push(NameChange { id: object(symbol)?, upn: upn.clone(), mail_follows, keep_alias });
            }
            directory.set_many(&all)
        }
        Deed::Alias { object: symbol, name, add } => alias(directory, object(symbol)?, name, *add),
        Deed::Delete(symbol) => directory.delete(object(symbol)?),
        Deed::Restore { object: symbol, upn } => directory.restore(object(symbol)?, upn.as_deref(), true),
        Deed::Purge(symbol) => directory.purge(object(symbol)?),
        Deed::License { object: symbol, licensed } => directory.set_licensed(object(symbol)?, *licensed),
        Deed::Disable(symbol) => directory.edit(object(symbol)?, |user| user.enabled = false),
        Deed::CreateCrowd(crowd) => create_crowd(directory, crowd, symbols),
        Deed::MoveCrowd { crowd, domain, stay, keep_alias } => {
            let ids = symbols.objects_of(crowd)?;
            let moving = ids.len().saturating_sub(*stay);
            move_to(directory, ids.get(..moving).unwrap_or_default(), domain, *keep_alias)
        }
        Deed::DeleteCrowd(crowd) => symbols.objects_of(crowd)?.iter().try_for_each(|id| directory.delete(*id)),
        Deed::RestoreCrowd(crowd) => {
            symbols.objects_of(crowd)?.iter().try_for_each(|id| directory.restore(*id, None, true))
        }
        Deed::ReplaceCrowd { crowd, by } => {
            replace(directory, symbols.objects_of(crowd)?).map(|new| symbols.learn_crowd(by, new))
        }
        Deed::Quirk(_) | Deed::NoQuirks => Ok(()),
    };
    done.map_err(|refusal| refusal.to_string())
}

/// Adds users in numbers, each with an on-premises id.
pub(super) fn create_crowd(directory: &mut Directory, crowd: &Crowd, symbols: &mut Symbols) -> Result<(), Refusal> {
    let ids = directory.seed_users(crowd.count, &crowd.domain)?;
    for (n, id) in (1..).zip(&ids) {
        directory.edit(*id, |user| user.immutable_id = Some(format!("{}-{n}", crowd.symbol)))?;
    }
    symbols.learn_crowd(&crowd.symbol, ids);
    Ok(())
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

/// Everybody gets the same name in another domain, with a digit where it is taken there.
fn move_to(directory: &mut Directory, ids: &[ObjectId], domain: &str, keep_alias: bool) -> Result<(), Refusal> {
    let mut changes = Vec::with_capacity(ids.len());
    for id in ids {
        let user = directory.user(*id).ok_or(Refusal::NotFound(*id))?;
        let nick = user.upn.split_once('@').map_or(user.upn.as_str(), |(nick, _)| nick);
        let plain = format!("{nick}@{domain}");
        let upn = if directory.user_by_upn(&plain).is_some() { format!("{nick}9@{domain}") } else { plain };
        changes.push(NameChange { id: *id, upn, mail_follows: true, keep_alias });
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
