//! A line of another product's catalogue.

use super::fields::{Key, Row};
use super::profiles::SKEW_MAX;
use crate::domain::fact::{Addressed, Fact, Snapshot};
use crate::domain::name::{Name, NameKind};
use crate::domain::time::Instant;

pub(super) const KEYS: &[Key] = &[
    Key::text("chain"),
    Key::text("snapshot"),
    Key::text("from"),
    Key::text("until"),
    Key::text("name"),
    Key::text("object"),
    Key::text("mailbox"),
    Key::text("kind"),
];

/// The snapshot that a line tells of. Its name is meant as `meant` if the line does not say.
pub(super) fn fact(row: &Row, now: Instant, meant: NameKind) -> Result<Fact, String> {
    let (chain, id) = (row.needed("chain")?, row.needed("snapshot")?);
    let (from, until) = (row.needed_time("from")?, row.needed_time("until")?);
    if until < from {
        return Err(format!("until: {until} lies before from, {from}; swap or mend them"));
    }
    if until > now.plus(SKEW_MAX) {
        return Err(format!("until: {until} lies after the present, {now}; mend it, or check its offset"));
    }
    let kind: Option<NameKind> = row.parsed("kind")?;
    let addressed = match (row.parsed::<Name>("name")?, row.parsed("object")?) {
        (Some(name), None) => Addressed::Name(name, kind.unwrap_or(meant)),
        (None, Some(_)) if kind.is_some_and(|kind| kind != NameKind::Any) => {
            return Err("kind tells what a name is meant as, and this line has an object; leave it out".to_owned());
        }
        (None, Some(object)) => Addressed::Object(object),
        (Some(_), Some(_)) => {
            return Err("it has a name and an object; give the one by which the mailbox was opened".to_owned());
        }
        (None, None) => {
            return Err("name and object are both missing; give the one by which the mailbox was opened".to_owned());
        }
    };
    Ok(Fact::SnapshotTaken(Snapshot { chain, id, from, until, addressed, mailbox: row.parsed("mailbox")? }))
}
