//! The judgement of one object, however it was found: whether it lives, and whether its chain may go on.

use super::named::{Proof, proven};
use super::words::{end_of, say_change, say_edge, say_gap, start_of};
use super::{Case, mismatch, refresh, unattributable, verdict};
use crate::domain::fact::{MailboxState, ObjectKind};
use crate::domain::holder::Holder;
use crate::domain::id::ObjectId;
use crate::domain::interval::Edge;
use crate::domain::name::Name;
use crate::domain::scope::Scope;
use crate::domain::time::Instant;
use crate::domain::timeline::{Gap, Role, State, Timeline};
use crate::domain::verdict::{Base, ChainCase, Change, ChangeKind, Outcome, Verdict};

/// The judgement of one object, however it was found.
pub(super) fn by_object(case: &Case<'_>, object: ObjectId, proof: Option<Proof>) -> Verdict {
    let Some(timeline) = case.objects.get(&object).filter(|timeline| !timeline.is_empty()) else {
        let why = format!("object {object} was never seen in this tenant");
        return verdict(case, Outcome::Unknown, Some(object), vec![why]);
    };
    if let Some(chain) = case.chain.filter(|chain| chain.has_snapshots) {
        match chain.bound {
            None => return unattributable(case, chain),
            Some(bound) if bound != object => {
                let why = format!("object {object} was asked for");
                return mismatch(case, [bound, object], why);
            }
            Some(_) => {}
        }
    }
    if let Some(frozen) = frozen(case, object) {
        return proven(frozen, proof);
    }
    let proved = timeline.last_seen_alive().max(proof.map(|proof| proof.at));
    if proved.is_none_or(|at| case.now.since(at) > case.policy.id_max_age) {
        let last = proved.map_or_else(|| "never".to_owned(), |at| at.to_string());
        return refresh(case, Some(object), format!("nothing proves that object {object} still lives (last: {last})"));
    }
    let mut answer = match case.chain.and_then(|chain| chain.base.as_ref().map(|base| (chain, base))) {
        Some((chain, base)) => with_chain(case, timeline, chain, base),
        None => {
            let why = match case.chain.filter(|chain| chain.has_snapshots) {
                Some(chain) => format!("chain {} keeps no snapshot to build on", chain.id),
                None => no_chain_yet(case, object),
            };
            verdict(case, Outcome::Baseline, Some(object), vec![why])
        }
    };
    answer.evidence.proved_at = proved;
    answer.evidence.live = timeline.last_live_read().is_some_and(|at| case.policy.is_live(at, case.now));
    proven(answer, proof)
}

fn no_chain_yet(case: &Case<'_>, object: ObjectId) -> String {
    match (case.chain, case.chains.get(&object)) {
        (Some(chain), Some(own)) if own.id != chain.id => {
            format!("chain {} is new; object {object} has chain {} already", chain.id, own.id)
        }
        _ => format!("object {object} has no chain yet"),
    }
}

fn with_chain(case: &Case<'_>, timeline: &Timeline, chain: &ChainCase, base: &Base) -> Verdict {
    let object = timeline.object();
    if let (Some(asked), Some(before)) = (case.ask.mailbox, base.mailbox)
        && asked != before
    {
        let why = format!("the mailbox is {asked}, the chain's is {before}: same object, another mailbox");
        let mut answer = verdict(case, Outcome::MailboxReplaced, Some(object), vec![why]);
        // A full builds on nothing.
        answer.base = None;
        return answer;
    }
    if chain.has_several_mailboxes() {
        let why = format!(
            "chain {} holds snapshots of more than one mailbox of object {object}, and no incremental goes on over that; take \
             a full into a new chain (`plan {}` takes the old one apart)",
            chain.id, chain.id
        );
        let mut answer = verdict(case, Outcome::MailboxReplaced, Some(object), vec![why]);
        answer.base = None;
        return answer;
    }
    let verified = case.ask.mailbox.is_some() && case.ask.mailbox == base.mailbox;
    let gap = licence_gap(timeline, base.until);
    if let Some(gap) = gap.filter(|gap| !verified && gap.longest() > case.policy.mailbox_grace) {
        return after_long_gap(case, timeline, chain, gap);
    }
    let changes = changes_since(timeline, base.until);
    let outcome = if changes.is_empty() { Outcome::Continue } else { Outcome::Renamed };
    let mut reasons = match outcome {
        Outcome::Renamed => changes.iter().map(say_change).collect(),
        _ => vec![format!("chain {} belongs to object {object}, which is active under the same names", chain.id)],
    };
    reasons.extend(gap_since(timeline, base.until));
    reasons.extend(gap.map(|gap| format!("gap: {}", say_gap(gap))));
    if timeline.licence().is_some_and(|licence| matches!(licence, MailboxState::Suspended | MailboxState::LockedOut)) {
        reasons.push("the Exchange licence is suspended; the mailbox may refuse to be read".to_owned());
    }
    let mut answer = verdict(case, outcome, Some(object), reasons);
    answer.old_name_holder = changes.iter().find_map(|change| taken_over(case, change, object));
    if let Some(holder) = answer.old_name_holder {
        answer.reasons.push(format!("the old name now belongs to object {holder}"));
    }
    answer.changes = changes;
    answer.evidence.mailbox_verified = verified;
    if !verified {
        answer.reasons.push("the mailbox instance was not verified".to_owned());
    }
    answer
}

/// The longest licence gap that the chain's last snapshot may lie before.
pub(super) fn licence_gap(timeline: &Timeline, last: Instant) -> Option<Gap> {
    let after = |gap: &Gap| gap.lost.by().is_none_or(|by| by > last);
    timeline.mailbox_gaps().into_iter().filter(after).max_by_key(|gap| gap.longest())
}

/// The licence was away for longer than a mailbox survives, and nothing shows that this is the same one. An incremental
/// against a new, empty mailbox would record everything as deleted.
fn after_long_gap(case: &Case<'_>, timeline: &Timeline, chain: &ChainCase, gap: Gap) -> Verdict {
    let object = timeline.object();
    let days = case.policy.mailbox_grace.as_secs() / 86_400;
    let why = format!("{}, which may be longer than the {days} days for which a mailbox survives", say_gap(gap));
    if !timeline.last_live_read().is_some_and(|at| case.policy.is_live(at, case.now)) {
        let what = "ask with the mailbox id, or with a live read (--verify) if it cannot be obtained";
        return refresh(case, Some(object), format!("{why}; {what}"));
    }
    let suspected =
        "the mailbox is suspected to be another one, because its id was not given or the chain's is not known";
    let keep = format!("keep chain {} as it is and take a full into a new chain", chain.id);
    let mut answer = verdict(case, Outcome::MailboxReplaced, Some(object), vec![why, suspected.to_owned(), keep]);
    answer.base = None;
    answer
}

fn gap_since(timeline: &Timeline, last: Instant) -> Option<String> {
    let gap = timeline.states().into_iter().find(|period| {
        period.state != State::Active && period.until.is_some_and(|until| until.by().is_none_or(|by| by > last))
    })?;
    let until = gap.until.map(say_edge).unwrap_or_default();
    Some(format!("gap: the object was deleted {} and came back {until}", say_edge(gap.from)))
}

/// The names that changed between a chain's last snapshot and now. A move to a quarantine placeholder is no rename.
pub fn changes_since(timeline: &Timeline, last: Instant) -> Vec<Change> {
    let (then, now) = (timeline.names_at(last), timeline.names());
    let kinds =
        [(ChangeKind::Upn, Role::Upn, then.upn, now.upn), (ChangeKind::Mail, Role::Primary, then.mail, now.mail)];
    kinds
        .into_iter()
        .filter(|(_, _, from, to)| from != to && !to.as_ref().is_some_and(Name::is_quarantine_placeholder))
        .map(|(kind, role, from, to)| {
            let edge = end_of(timeline, role, from.as_ref()).or_else(|| start_of(timeline, role, to.as_ref()));
            Change { kind, from, to, edge: edge.unwrap_or_else(|| Edge::new(Instant::MIN, Instant::MAX)) }
        })
        .collect()
}

fn taken_over(case: &Case<'_>, change: &Change, object: ObjectId) -> Option<ObjectId> {
    let view = case.old_names.get(change.from.as_ref()?.key())?;
    match view.holder(case.ask.kind) {
        Holder::One(holder) if holder != object => Some(holder),
        Holder::Several(several) => several.into_iter().find(|holder| *holder != object),
        _ => None,
    }
}

pub(super) fn frozen(case: &Case<'_>, object: ObjectId) -> Option<Verdict> {
    let timeline = case.objects.get(&object)?;
    let why = match timeline.state() {
        State::Active => match timeline.kind() {
            ObjectKind::User => match no_mailbox(timeline) {
                Some(why) => why,
                None => {
                    let why = out_of_scope(case, object)?;
                    if let Some(stale) = stale_groups(case) {
                        return Some(refresh(case, Some(object), stale));
                    }
                    why
                }
            },
            ObjectKind::Group => format!("object {object} is a group, which has no user's mailbox"),
            ObjectKind::Contact => format!("object {object} is a contact, which has no mailbox"),
        },
        State::SoftDeleted => format!("object {object} is soft-deleted and can still come back; keep the chain"),
        State::Purged => format!("object {object} is gone for good; keep the chain"),
        State::Unknown => format!("object {object} is not in the directory, neither live nor deleted; keep the chain"),
    };
    Some(verdict(case, Outcome::Frozen, Some(object), vec![why]))
}

/// Why an object that lives has no mailbox: its licence was seen, and then it went.
fn no_mailbox(timeline: &Timeline) -> Option<String> {
    let lost = say_edge(timeline.mailbox_lost()?);
    Some(format!(
        "object {} has no mailbox: its Exchange licence went {lost}; keep the chain (a mailbox that was made a shared one \
         lives on without a licence, which the directory does not tell)",
        timeline.object()
    ))
}

/// Why the mapping does not protect an object.
fn out_of_scope(case: &Case<'_>, object: ObjectId) -> Option<String> {
    let Scope::Out { excluded_by } = case.scopes.get(&object)? else { return None };
    let why = match excluded_by {
        Some(rule) => format!("rule {rule:?} excludes it and no rule after that matches"),
        None => "no rule matches it".to_owned(),
    };
    Some(format!("object {object} is out of the mapping's scope: {why}; keep the chain"))
}

/// Why nobody can be said to be out of the scope: groups of the mapping were not listed for too long.
fn stale_groups(case: &Case<'_>) -> Option<String> {
    let listed = case.groups_listed?;
    let age = case.now.since(listed);
    (age > case.policy.id_max_age).then(|| {
        format!(
            "the members of a group in the mapping were last read as of {listed}, {} h ago, so whether the mapping protects it \
             is not known; the run log says why",
            age.as_secs() / 3_600
        )
    })
}
