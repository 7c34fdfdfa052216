//! What becomes of the objects that a commit's facts are about.

use std::collections::{BTreeMap, BTreeSet};

use super::{ObjectWork, Summary, Work};
use crate::domain::coverage::Coverage;
use crate::domain::fact::{Fact, Known, ObjectKind};
use crate::domain::name::NameKey;
use crate::domain::timeline::{Role, State, Timeline};
use crate::ledger::LedgerError;
use crate::ledger::findings::told_in;
use crate::ledger::view::Pending;
use crate::store::{Counts, TenantState};

/// The names of the objects touched, and what became of each.
pub(super) type Turned = BTreeMap<NameKey, Turn>;

/// What became of a name of an object that a commit's facts are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// The object did not have it before.
    pub new: bool,
    /// The newest evidence says otherwise than before whether the object holds it, or says for the first time that it does
    /// not; or it may, because an event of the object's life was told.
    pub changed: bool,
}

impl Work<'_> {
    /// Counts what changed, and tells the names that the facts can have changed.
    pub(super) fn finish_objects(&mut self, pending: &mut Pending) -> Result<(Summary, Turned), LedgerError> {
        let mut summary = Summary::default();
        let mut turned = Turned::new();
        let sequence = self.sequence;
        for (object, work) in std::mem::take(&mut self.objects) {
            if work.new.is_empty() {
                continue;
            }
            if work.new.iter().all(Fact::is_about_scope) {
                // No name and no life of it changed, so nothing that follows from them did.
                self.derived.objects.push((object, work.new));
                continue;
            }
            let before = Timeline::of(object, work.known.clone(), &Coverage::default());
            let anchors: BTreeSet<_> = work.known.iter().flat_map(told_in).collect();
            let mut facts = work.known.clone();
            facts.extend(work.new.iter().map(|fact| Known { sequence, fact: fact.clone() }));
            let after = Timeline::of(object, facts.clone(), &Coverage::default());
            count(&mut summary, &mut self.derived.state, &before, &after);
            turn(&mut turned, &work, &before, &after);
            let news = facts.iter().skip(work.known.len()).flat_map(told_in);
            self.anchors.extend(news.filter(|anchor| !anchors.contains(anchor)).map(|anchor| (anchor, object)));
            for name in work.new_names {
                pending.holders.entry(name).or_default().insert(object);
            }
            pending.objects.insert(object, facts);
            self.derived.objects.push((object, work.new));
        }
        Ok((summary, turned))
    }
}

fn turn(turned: &mut Turned, work: &ObjectWork, before: &Timeline, after: &Timeline) {
    // How long the audit log proves that somebody stayed deleted is not among the object's facts, so an event of its life may
    // turn names of which the facts alone say what they said before.
    let lived = work.new.iter().any(|fact| matches!(fact, Fact::Lifecycle(_)));
    for (namespace, name) in &work.names {
        let role = Role::of(*namespace);
        let held = |timeline: &Timeline| timeline.track(role, name).map(|track| track.is_present_last());
        let (was, is) = (held(before), held(after));
        let turn = turned.entry(name.clone()).or_default();
        // A name that is new to the object and held changes nothing that was known of it.
        let is_new = work.new_names.contains(name);
        turn.new |= is_new;
        turn.changed |= lived || was.unwrap_or(is_new) != is.unwrap_or(false);
    }
}

fn count(summary: &mut Summary, state: &mut TenantState, before: &Timeline, after: &Timeline) {
    let old = (!before.is_empty()).then(|| before.state());
    let new = after.state();
    // Groups hold addresses, but nobody's mail is backed up from them: they are not among the counts.
    let counted = |state: Option<State>, timeline: &Timeline| state.filter(|_| timeline.kind() == ObjectKind::User);
    for (state_now, step_up) in [(counted(old, before), false), (counted(Some(new), after), true)] {
        if let Some(counter) = state_now.and_then(|state_now| counter(&mut state.counts, state_now)) {
            *counter = if step_up { counter.saturating_add(1) } else { counter.saturating_sub(1) };
        }
    }
    summary.changed += u64::from(old != Some(new) || before.names() != after.names());
    summary.removed += u64::from(old == Some(State::Active) && new != State::Active);
    summary.restored += u64::from(old.is_some_and(|old| old != State::Active) && new == State::Active);
}

fn counter(counts: &mut Counts, state: State) -> Option<&mut u64> {
    match state {
        State::Active => Some(&mut counts.active),
        State::SoftDeleted => Some(&mut counts.soft_deleted),
        State::Purged => Some(&mut counts.purged),
        State::Unknown => None,
    }
}
