//! What stands around every page: who looks, at which tenant, and as of when.

use super::links::{Pages, Shown};
use crate::domain::id::TenantId;
use crate::domain::time::Instant;
use crate::ledger::KnownAt;
use crate::report::text::{cut, time};
use crate::report::when::At;

/// The frame of a page.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Who looks.
    pub visitor: Visitor,
    /// The tenants that may be looked at.
    pub tenants: Vec<Tab>,
    /// The one that is looked at.
    pub tenant: Option<Tab>,
    /// As of when.
    pub when: When,
    /// Which page it is, for the navigation.
    pub page: &'static str,
    /// What the page is about, to keep it when the time is changed.
    pub about: Vec<(&'static str, String)>,
    /// Something that was just done, or not done.
    pub said: Option<String>,
    /// The id under which the request stands in the service's log.
    pub request: String,
    /// Whom and what the page shows, for the log of who looked at whom.
    pub shown: Shown,
}

/// Who looks.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// What the token is called, else its id.
    pub called: String,
    /// Its role.
    pub role: &'static str,
    /// Whether it may acknowledge and resolve findings.
    pub may_review: bool,
    /// Whether it may start a sync.
    pub may_sync: bool,
    /// Proves that a form is ours.
    pub form_token: String,
}

/// A tenant to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tab {
    /// Which.
    pub id: TenantId,
    /// Its short name, else its id.
    pub label: String,
    /// Its short name.
    pub alias: Option<String>,
}

/// As of when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// The instant that is asked about.
    pub at: Option<Instant>,
    /// By what was known then; `None` is now.
    pub known: Option<Known>,
}

/// A moment of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// As it stands in addresses.
    pub asked: String,
    /// The same in words.
    pub said: String,
}

/// A link of the navigation.
#[derive(Clone, Debug)]
pub struct Way {
    /// Where to.
    pub href: String,
    /// Its words.
    pub text: &'static str,
    /// Whether it is where we are.
    pub here: bool,
}

impl Frame {
    /// The pages of the tenant that is looked at.
    pub fn pages(&self) -> Pages {
        // A page without a tenant has no links to a tenant's pages.
        let tenant = self.tenant.as_ref().map_or(TenantId::from_bytes([0; 16]), |tab| tab.id);
        Pages::of(tenant, &self.when, &self.shown)
    }

    /// The address of a page of the tenant.
    pub fn to(&self, page: &str) -> String {
        self.pages().to(page, &[])
    }

    /// The address of the report about the tenant.
    pub fn report(&self, format: &str) -> String {
        self.pages().report(format, &[])
    }

    /// The instant that is asked about.
    pub fn at_mark(&self) -> Option<At> {
        self.when.at.filter(|_| self.asks_at()).map(At)
    }

    /// The navigation.
    pub fn ways(&self) -> Vec<Way> {
        let pages = self.pages();
        let way = |page: &'static str, text| Way { href: pages.to(page, &[]), text, here: self.page == page };
        vec![
            way("", "Overview"),
            way("findings", "Findings"),
            way("reuse", "Reused names"),
            way("mapping", "Who is protected"),
            way("runs", "Syncs"),
        ]
    }

    /// The other tenants, each at its own overview.
    pub fn others(&self) -> Vec<(String, String)> {
        let here = self.tenant.as_ref().map(|tab| tab.id);
        let others = self.tenants.iter().filter(|tab| Some(tab.id) != here);
        others.map(|tab| (format!("/t/{}", tab.id), cut(&tab.label, 60))).collect()
    }

    /// What the tenant is called.
    pub fn tenant_label(&self) -> String {
        self.tenant.as_ref().map(|tab| cut(&tab.label, 60)).unwrap_or_default()
    }

    /// The page as it is, without any query.
    pub fn here(&self) -> String {
        let tenant = self.tenant.as_ref().map(|tab| tab.id.to_string()).unwrap_or_default();
        if self.page.is_empty() { format!("/t/{tenant}") } else { format!("/t/{tenant}/{}", self.page) }
    }

    /// The page about the same thing, as known now.
    pub fn as_now(&self) -> String {
        let about: Vec<(&str, &str)> = self.about.iter().map(|(key, value)| (*key, value.as_str())).collect();
        self.pages().now(self.page, &about)
    }

    /// Whether the page tells how something was at an instant. The others only hand the instant on.
    pub fn asks_at(&self) -> bool {
        ["name", "person", "chain"].contains(&self.page)
    }

    /// The instant that is asked about, as its field shows it.
    pub fn at_field(&self) -> String {
        self.when.at.map(time).unwrap_or_default()
    }

    /// The moment of the ledger, as its field shows it.
    pub fn known_field(&self) -> String {
        self.when.known.as_ref().map(|known| known.asked.clone()).unwrap_or_default()
    }
}

/// What a person writes for an instant: a day, a day and a clock, or RFC 3339; without a zone it is UTC. A day alone is its
/// beginning, or its end where `end` is set.
///
/// # Errors
/// What is wrong with it.
pub fn instant(text: &str, end: bool) -> Result<Instant, String> {
    let text = text.trim();
    let clock = match text.len() {
        10 if end => format!("{text}T23:59:59.999999Z"),
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{}:00Z", text.replacen(' ', "T", 1)),
        19 => format!("{}Z", text.replacen(' ', "T", 1)),
        _ => text.replacen(' ', "T", 1),
    };
    clock.parse().map_err(|_| {
        let given = cut(text, 60);
        format!("{given:?} is no time; write it like 2026-03-02, 2026-03-02 10:00 or 2026-03-02T10:00:00Z, in UTC")
    })
}

/// What a person writes for a moment of the ledger: an instant, or a commit's number.
///
/// # Errors
/// What is wrong with it.
pub fn known_at(text: &str) -> Result<KnownAt, String> {
    match text.trim().parse() {
        Ok(number) => Ok(KnownAt::Sequence(crate::domain::id::Sequence(number))),
        Err(_) => instant(text, true).map(KnownAt::Time).map_err(|why| format!("{why}, or a commit's number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let at = |text: &str| instant(text, false).map(|at| at.to_string());
        assert_eq!(at("2026-03-02").unwrap(), "2026-03-02T00:00:00Z");
        assert_eq!(at(" 2026-03-02 10:30 ").unwrap(), "2026-03-02T10:30:00Z");
        assert_eq!(at("2026-03-02T10:30:05").unwrap(), "2026-03-02T10:30:05Z");
        assert_eq!(at("2026-03-02T10:30:05+02:00").unwrap(), "2026-03-02T08:30:05Z");
        assert_eq!(instant("2026-03-02", true).unwrap().to_string(), "2026-03-02T23:59:59.999999Z");
        for wrong in ["yesterday", "2026-13-02", "10:30", "2026-03-02 25:00", "\u{202e}", "ééééé"] {
            assert!(at(wrong).unwrap_err().contains("is no time"), "{wrong}");
        }
        assert_eq!(known_at("42").unwrap(), KnownAt::Sequence(crate::domain::id::Sequence(42)));
        assert!(matches!(known_at("2026-03-02").unwrap(), KnownAt::Time(_)));
    }
}
