//! Who holds which name: UPNs among live users, addresses among users, groups and contacts.

use std::collections::HashMap;

use crate::domain::id::ObjectId;
use crate::domain::name::{Name, NameKey, Proxy};

/// The names one object claims.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    upn: Option<NameKey>,
    addresses: Vec<NameKey>,
}

/// Which property of a newcomer is taken, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) property: &'static str,
}

/// The index of all names held.
#[derive(Clone, Debug, Default)]
pub(super) struct NameIndex {
    upns: HashMap<NameKey, ObjectId>,
    addresses: HashMap<NameKey, ObjectId>,
    /// Further holders of an address, which exist only while uniqueness is switched off.
    also: HashMap<NameKey, Vec<ObjectId>>,
}

impl Claims {
    /// The claims of an object, or the first text among them that is no name.
    pub(super) fn of(upn: Option<&str>, proxies: &[String]) -> Result<Self, String> {
        let upn = match upn {
            Some(text) => {
                let name: Name = text.parse().map_err(|_| text.to_owned())?;
                if !text.contains('@') {
                    return Err(text.to_owned());
                }
                Some(name.key().clone())
            }
            None => None,
        };
        let mut addresses = Vec::with_capacity(proxies.len());
        for proxy in proxies {
            let parsed = Proxy::parse(proxy).map_err(|_| proxy.clone())?;
            addresses.extend(parsed.smtp().map(|name| name.key().clone()));
        }
        addresses.sort_unstable();
        addresses.dedup();
        Ok(Self { upn, addresses })
    }
}

impl NameIndex {
    pub(super) fn user(&self, upn: &str) -> Option<ObjectId> {
        let name: Name = upn.parse().ok()?;
        self.upns.get(name.key()).copied()
    }

    pub(super) fn holds_address(&self, name: &Name) -> bool {
        self.addresses.contains_key(name.key())
    }

    /// Takes all of the claims, or none of them if one is taken.
    pub(super) fn claim(&mut self, object: ObjectId, claims: &Claims, smtp_unique: bool) -> Result<(), Taken> {
        if claims.upn.as_ref().is_some_and(|upn| self.upns.contains_key(upn)) {
            return Err(Taken { property: "userPrincipalName" });
        }
        if smtp_unique && claims.addresses.iter().any(|address| self.addresses.contains_key(address)) {
            return Err(Taken { property: "proxyAddresses" });
        }
        if let Some(upn) = &claims.upn {
            self.upns.insert(upn.clone(), object);
        }
        for address in &claims.addresses {
            if self.addresses.contains_key(address) {
                self.also.entry(address.clone()).or_default().push(object);
            } else {
                self.addresses.insert(address.clone(), object);
            }
        }
        Ok(())
    }

    pub(super) fn release(&mut self, object: ObjectId, claims: &Claims) {
        if let Some(upn) = &claims.upn {
            self.upns.remove(upn);
        }
        for address in &claims.addresses {
            self.release_address(object, address);
        }
    }

    fn release_address(&mut self, object: ObjectId, address: &NameKey) {
        let mut others = self.also.remove(address).unwrap_or_default();
        if self.addresses.get(address) == Some(&object) {
            match others.pop() {
                Some(heir) => self.addresses.insert(address.clone(), heir),
                None => self.addresses.remove(address),
            };
        } else {
            others.retain(|other| *other != object);
        }
        if !others.is_empty() {
            self.also.insert(address.clone(), others);
        }
    }
}
