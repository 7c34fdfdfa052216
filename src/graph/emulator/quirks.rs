//! Named ways in which the emulator misbehaves, each of them seen or documented on the real service.

use std::time::Duration;

use super::delta::Manners;
use super::ids::mix;

macro_rules! quirk_names {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// What a quirk does. In JSON and on the command line each has its name in snake case.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        pub enum QuirkName {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl QuirkName {
            /// All of them, in the order of this page.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in snake case.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it does, in one sentence.
            pub fn description(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

quirk_names! {
    /// Objects come more than once in a delta round, on one page and across two.
    Duplicates = "duplicates",
    /// A delta round comes in an order that has nothing to do with the changes'.
    ShuffledOrder = "shuffled_order",
    /// Every other page of a delta round, the first included, is empty and has a next link.
    EmptyPages = "empty_pages",
    /// The pages of a delta round differ in size.
    UnevenPages = "uneven_pages",
    /// A delta round repeats the last `count` (5) changes of earlier rounds.
    Replay = "replay",
    /// Delta shows the directory as it was `seconds` (120) ago while live reads are current.
    ReplicationLag = "replication_lag",
    /// Of a delta round with several changes the first one is told only in the next round.
    FirstChangeLate = "first_change_late",
    /// A property that was cleared is left out of delta instead of being null or an empty list.
    ClearedLeftOut = "cleared_left_out",
    /// Deleted and restored users come in delta both plain and with `@removed`, on one page.
    BothWays = "both_ways",
    /// Delta does not tell of restored users.
    UnannouncedRestore = "unannounced_restore",
    /// Deleted users come in delta as plain objects without `@removed`.
    RemovedMissing = "removed_missing",
    /// Delta does not tell of deletions.
    DeletionsUnannounced = "deletions_unannounced",
    /// Users created and deleted between two delta rounds leave no trace in delta.
    ShortLivedInvisible = "short_lived_invisible",
    /// The initial delta round has `@removed` items for deleted and purged users.
    RemovedInInitialRound = "removed_in_initial_round",
    /// Delta tokens from before are refused: 410 with a Location (`style` "gone"), 400 syncStateNotFound (`style` "bad_request"), or 400 Request_UnsupportedQuery (`style` "unsupported"); with `seconds` only those that old.
    DeltaTokenExpired = "delta_token_expired",
    /// Requests with a skip token get 400 Directory_ExpiredPageToken.
    PageTokenExpired = "page_token_expired",
    /// 429, with a Retry-After of `seconds` (1) in the `style` "seconds", "fraction", "date" or "none".
    Throttle = "throttle",
    /// 503, with a Retry-After as for `throttle`.
    Unavailable = "unavailable",
    /// The connection breaks in the middle of the body.
    Reset = "reset",
    /// The body is cut in half, although the answer is complete by its length.
    Truncated = "truncated",
    /// An answer 200 holds an error object in place of a user.
    ErrorInside200 = "error_inside_200",
    /// Next and delta links point to another host; with `style` "next" or "delta" only those, with any other `style` to that origin.
    ForeignNextLink = "foreign_next_link",
    /// Requests are sent on to another host by a 307.
    Redirect = "redirect",
    /// A live read answers 404 for users who changed in the last `seconds` (60), as a replica does that trails behind.
    ReplicaTrails = "replica_trails",
    /// A list has one more item, which is a group.
    ItemOfOtherType = "item_of_other_type",
    /// A list has one more item, which has no id.
    ItemWithoutId = "item_without_id",
    /// A list has one more item, whose id is no GUID.
    ItemWithBadId = "item_with_bad_id",
    /// Several objects may hold the same SMTP address.
    SmtpNotUnique = "smtp_not_unique",
    /// Whoever loses the licence loses the address that equals the UPN, and the one in the initial domain becomes primary.
    LicenceTakesAddress = "licence_takes_address",
    /// The audit log answers 403, as in a tenant without a premium licence.
    AuditForbidden = "audit_forbidden",
    /// Groups answer 403, as to an application without the permission.
    GroupsForbidden = "groups_forbidden",
    /// Contacts answer 403, as to an application without the permission.
    ContactsForbidden = "contacts_forbidden",
    /// Mailboxes answer 403, as to an application without the permission to read mail.
    MailForbidden = "mail_forbidden",
    /// Mailboxes answer 403 to whoever writes, as to an application that may only read mail.
    MailReadOnly = "mail_read_only",
    /// Requests to Graph answer 403, as to an application without the permission; with `path` only those.
    Forbidden = "forbidden",
    /// The audit log does not show the last `seconds` (300).
    AuditLag = "audit_lag",
    /// The audit log does not tell of what Exchange changed.
    ExchangeUnaudited = "exchange_unaudited",
    /// Values in the audit log come as "lines", "text", "plain", "twice" or "list", or what was before is "null", "empty" or
    /// "absent"; with `style` in that form, else in another one with each event.
    AuditEncodings = "audit_encodings",
    /// Before each event the audit log has a failed one, whose values never took effect.
    AuditFailures = "audit_failures",
    /// Each act shows in the audit log as two events with one correlation id.
    AuditTwins = "audit_twins",
    /// The access token is refused as expired.
    Unauthorized = "unauthorized",
    /// Half of the body comes at once, the rest after `seconds` (2).
    SlowBody = "slow_body",
}

/// One quirk, and how often it shows.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quirk {
    /// What it does.
    pub name: QuirkName,
    /// It shows at every n-th request it could show at; at each one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u32>,
    /// It shows so many times and then no more; for ever if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Only requests whose path contains this count. Requests for access tokens count only if this is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A length of time, where the quirk has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// A number, where the quirk has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// A variant, where the quirk has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<String>,
    /// Requests seen that it could show at.
    #[serde(skip)]
    seen: u32,
    /// The number of the last request before it was set.
    #[serde(skip)]
    since: u64,
}

/// The quirks switched on.
#[derive(Clone, Debug, Default)]
pub struct Quirks {
    active: Vec<Quirk>,
    seed: u64,
}

impl Quirk {
    /// The quirk with nothing limited.
    pub fn new(name: QuirkName) -> Self {
        Self { name, every: None, times: None, path: None, seconds: None, count: None, style: None, seen: 0, since: 0 }
    }

    /// The same, showing so many times only.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// The same, showing at every n-th request only.
    #[must_use]
    pub fn every(mut self, every: u32) -> Self {
        self.every = Some(every);
        self
    }

    /// The same, with a length of time.
    #[must_use]
    pub fn seconds(mut self, seconds: f64) -> Self {
        self.seconds = Some(seconds);
        self
    }

    /// The same, with a number.
    #[must_use]
    pub fn count(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    /// The same, in a variant.
    #[must_use]
    pub fn style(mut self, style: &str) -> Self {
        self.style = Some(style.to_owned());
        self
    }

    /// The same, only for requests whose path contains `path`.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        self.path = Some(path.to_owned());
        self
    }

    pub(super) fn since(&self) -> u64 {
        self.since
    }

    pub(super) fn span(&self, default_seconds: f64) -> Duration {
        Duration::try_from_secs_f64(self.seconds.unwrap_or(default_seconds)).unwrap_or_default()
    }

    fn fires(&mut self, path: &str) -> bool {
        if self.path.as_ref().is_some_and(|part| !path.contains(part.as_str())) || self.times == Some(0) {
            return false;
        }
        self.seen = self.seen.saturating_add(1);
        if !self.seen.is_multiple_of(self.every.unwrap_or(1).max(1)) {
            return false;
        }
        self.times = self.times.map(|times| times.saturating_sub(1));
        true
    }
}

impl Quirks {
    /// Quirks by their names in snake case, with nothing limited; or the first name that is none.
    pub fn named(names: &[&str]) -> Result<Self, UnknownQuirk> {
        let known = |name: &&str| QuirkName::ALL.iter().find(|quirk| quirk.name() == *name).copied();
        let all = names.iter().map(|name| known(name).ok_or_else(|| UnknownQuirk((*name).to_owned())));
        let active = all.map(|name| name.map(Quirk::new)).collect::<Result<_, _>>()?;
        Ok(Self { active, seed: 0 })
    }

    /// These quirks.
    pub fn of(quirks: impl IntoIterator<Item = Quirk>) -> Self {
        Self { active: quirks.into_iter().collect(), seed: 0 }
    }

    /// The same, with another seed for what looks random.
    #[must_use]
    pub fn seeded(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// What is switched on, with what is left of each.
    pub fn active(&self) -> &[Quirk] {
        &self.active
    }

    /// Whether a quirk is switched on and not used up.
    pub fn has(&self, name: QuirkName) -> bool {
        self.active.iter().any(|quirk| quirk.name == name && quirk.times != Some(0))
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// Replaces what is switched on; counting starts anew after request number `since`.
    pub(super) fn replace(&mut self, quirks: Vec<Quirk>, since: u64) {
        self.active = quirks.into_iter().map(|quirk| Quirk { seen: 0, since, ..quirk }).collect();
    }

    /// Counts a request that the quirk could show at, and gives the quirk if it shows.
    pub(super) fn fires(&mut self, name: QuirkName, path: &str) -> Option<Quirk> {
        self.active.iter_mut().find_map(|quirk| (quirk.name == name && quirk.fires(path)).then(|| quirk.clone()))
    }

    /// The same for requests that count only where the quirk names their path.
    pub(super) fn fires_if_named(&mut self, name: QuirkName, path: &str) -> Option<Quirk> {
        self.active
            .iter_mut()
            .find_map(|quirk| (quirk.name == name && quirk.path.is_some() && quirk.fires(path)).then(|| quirk.clone()))
    }

    /// How the round that starts with request `serial` is to misbehave.
    pub(super) fn manners(&mut self, path: &str, serial: u64) -> Manners {
        let mut shows = |name| self.fires(name, path);
        let replay = shows(QuirkName::Replay);
        Manners {
            duplicates: shows(QuirkName::Duplicates).is_some(),
            shuffled: shows(QuirkName::ShuffledOrder).is_some(),
            empty_pages: shows(QuirkName::EmptyPages).is_some(),
            uneven_pages: shows(QuirkName::UnevenPages).is_some(),
            replay: replay.map_or(0, |quirk| quirk.count.unwrap_or(5) as usize),
            first_change_late: shows(QuirkName::FirstChangeLate).is_some(),
            cleared_left_out: shows(QuirkName::ClearedLeftOut).is_some(),
            both_ways: shows(QuirkName::BothWays).is_some(),
            unannounced_restore: shows(QuirkName::UnannouncedRestore).is_some(),
            removed_missing: shows(QuirkName::RemovedMissing).is_some(),
            deletions_unannounced: shows(QuirkName::DeletionsUnannounced).is_some(),
            short_lived_invisible: shows(QuirkName::ShortLivedInvisible).is_some(),
            removed_in_initial_round: shows(QuirkName::RemovedInInitialRound).is_some(),
            seed: mix(self.seed, serial),
        }
    }
}

/// A name that is no quirk's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no quirk named {0:?}")]
pub struct UnknownQuirk(String);
