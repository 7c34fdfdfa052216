//! A line of an old export of the directory.

use std::time::Duration;

use super::fields::{Key, Row};
use crate::domain::fact::{Fact, ObjectKind, Profile, Reading, Removal, Removed, Seen, Source};
use crate::domain::id::ObjectId;
use crate::domain::name::{Name, Proxy};
use crate::domain::time::Instant;

/// How far an exported line may trail behind the time it is dated with.
///
/// An export is mostly a nightly job's file, dated once for all of its lines: reading a large directory takes hours, and
/// many jobs read a copy that is itself filled once a day. A day covers both. As a line never proves anything, a wide
/// reading costs only the sharpness of edges; a narrow one would give edges in which the change was not.
///
/// It reaches back only: the date must be that of the export's end. An export dated at its beginning would have to be taken
/// for later than it says, and then for later than what the directory showed in between.
pub const PROFILE_WIDTH: Duration = Duration::from_secs(24 * 3_600);

/// How far ahead of the ledger's time a line may be dated.
pub const SKEW_MAX: Duration = Duration::from_secs(300);

pub(super) const KEYS: &[Key] = &[
    Key::text("observed_at"),
    Key::text("object"),
    Key::text("upn"),
    Key::text("mail"),
    Key::list("proxies"),
    Key::text("created"),
    Key::text("deleted"),
    Key::text("employee_id"),
    Key::text("immutable_id"),
    Key::text("user_type"),
    Key::text("kind"),
];

/// What a line tells: the profile of a live object, or that it was deleted.
pub(super) fn fact(row: &Row, now: Instant) -> Result<Fact, String> {
    let (at, object): (Instant, ObjectId) = (row.needed_time("observed_at")?, row.needed("object")?);
    if at > now.plus(SKEW_MAX) {
        return Err(format!("observed_at: {at} lies after the present, {now}; mend it, or check its offset"));
    }
    let past = |name: &str| -> Result<Option<Instant>, String> {
        // Some directories print "never" as a time of long ago.
        if row.text(name).is_some_and(|text| text.starts_with("0001-01-01")) {
            return Ok(None);
        }
        match row.time(name)? {
            Some(time) if time > at.plus(SKEW_MAX) => {
                Err(format!("{name}: {time} lies after observed_at, {at}; a line tells what was so by then"))
            }
            time => Ok(time),
        }
    };
    let (created, deleted) = (past("created")?, past("deleted")?);
    if let (Some(created), Some(deleted)) = (created, deleted)
        && deleted < created
    {
        return Err(format!("deleted: {deleted} lies before created, {created}; mend them"));
    }
    let kind = kind(row)?;
    let (upn, mail) = (row.parsed::<Name>("upn")?, row.parsed::<Name>("mail")?);
    let proxies = row.list("proxies")?.iter().map(|entry| Proxy::parse(entry)).collect::<Result<Vec<_>, _>>();
    let proxies = proxies.map_err(|error| format!("proxies: {error}"))?;
    let reading = Reading { at, lag: PROFILE_WIDTH, source: Source::Import, unchanged_since: None };
    let mangled = upn.as_ref().and_then(|upn| upn.unmangled(object));
    if deleted.is_some() || mangled.is_some() {
        let last_upn = mangled.or(upn);
        return Ok(Fact::Removed(Removed { object, reading, removal: Removal::Soft, deleted, last_upn }));
    }
    if kind == ObjectKind::User && !row.is_told("upn") {
        return Err(
            "upn is missing: a profile without it would say that the user had none; add it, or null if it had none"
                .to_owned(),
        );
    }
    let text = |name| row.text(name).map(str::to_owned);
    let profile = Profile {
        kind,
        upn,
        mail,
        proxies,
        created,
        user_type: text("user_type"),
        employee_id: text("employee_id"),
        immutable_id: text("immutable_id"),
        mailbox: None,
    };
    Ok(Fact::Seen(Seen { object, reading, profile }))
}

fn kind(row: &Row) -> Result<ObjectKind, String> {
    let Some(text) = row.text("kind") else { return Ok(ObjectKind::User) };
    let known = [("user", ObjectKind::User), ("group", ObjectKind::Group), ("contact", ObjectKind::Contact)];
    let found = known.iter().find(|(word, _)| text.eq_ignore_ascii_case(word)).map(|(_, kind)| *kind);
    found.ok_or_else(|| format!("kind: {:?} is none of user, group and contact", super::fields::shown(text)))
}
