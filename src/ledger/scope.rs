//! Who is protected, as known at a commit, and what other rules would change.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::fact::{Fact, Known, ObjectKind};
use crate::domain::id::{ChainId, ObjectId, Sequence, TenantId};
use crate::domain::mapping::{Mapping, MappingState};
use crate::domain::scope::{GroupsListed, GroupsRead, Scope, Traits};
use crate::domain::time::Instant;
use crate::domain::timeline::{State, Timeline};
use crate::store::{StoreError, Subject};

use super::{KnownAt, Ledger, LedgerError, View};

/// How many object ids are read at a time.
const IDS: usize = 1_000;

/// Whether an object was protected, from a commit on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopePeriod {
    /// The commit since which it is so.
    pub sequence: Sequence,
    /// When that was recorded.
    pub since: Instant,
    /// How it is.
    pub scope: Scope,
}

/// What was read of the directory and is not in the ledger.
#[derive(Clone, Debug, Default)]
pub struct ReadAhead {
    /// Facts about objects.
    pub facts: BTreeMap<ObjectId, Vec<Fact>>,
    /// The groups that were listed.
    pub groups: GroupsRead,
    /// Their listing.
    pub listing: Option<GroupsListed>,
}

/// What other rules would change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeChange {
    /// Whom each of the new rules protects: how many. In order of the rules.
    pub rules: Vec<(String, u64)>,
    /// Live users.
    pub users: u64,
    /// Live users whom no rule protects.
    pub out: u64,
    /// Users who would be protected and are not now.
    pub enter: Vec<Move>,
    /// Users who are protected and would not be any more.
    pub leave: Vec<Move>,
    /// Users about whom the new rules cannot decide with what was read.
    pub unknown: Vec<Move>,
    /// Users who are protected and have chains: among those who leave, the ones with a chain would freeze.
    pub protected_with_chains: u64,
}

/// One user whose scope would be another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Who.
    pub object: ObjectId,
    /// The user principal name, else the primary address.
    pub name: Option<crate::domain::name::Name>,
    /// By the rules in force.
    pub from: Scope,
    /// By the new ones.
    pub to: Scope,
    /// The chains that hold its data.
    pub chains: Vec<ChainId>,
}

impl ScopeChange {
    /// Those who leave and have a chain, which would freeze.
    pub fn freeze(&self) -> impl Iterator<Item = &Move> {
        self.leave.iter().filter(|moved| !moved.chains.is_empty())
    }

    /// Those who are protected, have a chain, and could not be decided on any more, which stops their backups too.
    pub fn doubt(&self) -> impl Iterator<Item = &Move> {
        self.unknown.iter().filter(|moved| moved.from.is_protected() && !moved.chains.is_empty())
    }

    /// Why the change is more than the guard allows, if it is: of more than so many percent of the protected users that have
    /// chains the backups would stop.
    pub fn breach(&self, percent: u64) -> Option<String> {
        let (freeze, doubt, of) =
            (self.freeze().count() as u64, self.doubt().count() as u64, self.protected_with_chains);
        (freeze.saturating_add(doubt).saturating_mul(100) > of.saturating_mul(percent)).then(|| {
            let doubt = match doubt {
                0 => String::new(),
                several => format!(" and leave {several} undecided"),
            };
            format!(
                "it would freeze the chains of {freeze}{doubt} of {of} protected users (the guard allows {percent} %)"
            )
        })
    }
}

impl View<'_> {
    /// The rules in force; empty if there are none.
    pub fn mapping(&self) -> Result<Mapping, LedgerError> {
        mapping_of(self, self.mapping_state().applied)
    }

    /// As of when the group was listed that was not for the longest time, of those that these rules, which are in force, name.
    pub fn groups_listed(&self, mapping: &Mapping) -> Option<Instant> {
        let listed = &self.mapping_state().groups.0;
        mapping.groups().iter().filter_map(|group| listed.get(group).copied().flatten()).min()
    }

    /// Whether these rules, which are in force, protect these objects.
    pub fn scopes<'t>(
        &self,
        mapping: &Mapping,
        timelines: impl IntoIterator<Item = &'t Timeline>,
    ) -> Result<BTreeMap<ObjectId, Scope>, LedgerError> {
        if mapping.is_empty() {
            return Ok(BTreeMap::new());
        }
        let groups = &self.mapping_state().groups;
        timelines
            .into_iter()
            .map(|timeline| {
                let traits = Traits::of(&timeline.names(), &self.facts(timeline.object())?);
                Ok((timeline.object(), mapping.scope(&traits, groups)))
            })
            .collect()
    }

    /// Whether an object was protected, and since when, as far as it was seen; empty if no rules were ever applied.
    pub fn scope_history(&self, object: ObjectId) -> Result<Vec<ScopePeriod>, LedgerError> {
        let tenant_facts = self.store().tenant_facts(self.tenant(), self.through())?;
        if !tenant_facts.iter().any(|known| matches!(known.fact, Fact::MappingApplied(_))) {
            return Ok(Vec::new());
        }
        let facts = self.facts(object)?;
        let Some(first) = facts.iter().map(|known| known.sequence).min() else { return Ok(Vec::new()) };
        let mut tenant_facts = tenant_facts.into_iter().peekable();
        let touched: BTreeSet<Sequence> = facts.iter().map(|known| known.sequence).collect();
        let told = |known: &Known| matches!(known.fact, Fact::MappingApplied(_) | Fact::GroupsListed(_));
        let mut moments = touched.clone();
        let (mut state, mut mapping) = (MappingState::default(), Mapping::default());
        let mut periods: Vec<ScopePeriod> = Vec::new();
        let mut pending: Vec<Known> = Vec::new();
        for known in tenant_facts.by_ref().filter(|known| told(known)) {
            moments.insert(known.sequence);
            pending.push(known);
        }
        let mut pending = pending.into_iter().peekable();
        for sequence in moments {
            let mut is_new = touched.contains(&sequence);
            while let Some(known) = pending.next_if(|known| known.sequence <= sequence) {
                let refused =
                    |state: &MappingState| -> Vec<bool> { state.groups.0.values().map(Option::is_none).collect() };
                let before = refused(&state);
                state.note(known.sequence, &known.fact);
                is_new |= before != refused(&state);
                if let Fact::MappingApplied(applied) = known.fact {
                    mapping = applied.mapping;
                    is_new = true;
                }
            }
            // A listing of the groups alone, of which every sync brings one, can only decide what was not decided.
            is_new |= periods.last().is_some_and(|last| matches!(last.scope, Scope::Unknown { .. }));
            if sequence < first || !is_new {
                continue;
            }
            let so_far: Vec<Known> = facts.iter().filter(|known| known.sequence <= sequence).cloned().collect();
            let timeline = Timeline::of(object, so_far.clone(), self.coverage());
            let scope = mapping.scope(&Traits::of(&timeline.names(), &so_far), &state.groups);
            if periods.last().is_none_or(|last| last.scope != scope) {
                periods.push(ScopePeriod { sequence, since: self.recorded(sequence)?, scope });
            }
        }
        Ok(periods)
    }

    fn recorded(&self, sequence: Sequence) -> Result<Instant, LedgerError> {
        let entry = self.store().journal(self.tenant(), sequence, 1)?.into_iter().next();
        Ok(entry.map_or(Instant::MIN, |entry| entry.commit.recorded))
    }
}

fn mapping_of(view: &View<'_>, applied: Option<Sequence>) -> Result<Mapping, LedgerError> {
    let Some(sequence) = applied else { return Ok(Mapping::default()) };
    // Rules are applied in a commit of their own, so little else is read with them.
    let entry = view.store().journal(view.tenant(), sequence, 1)?.into_iter().next();
    let facts = entry.filter(|entry| entry.sequence == sequence).map(|entry| entry.commit.facts).unwrap_or_default();
    let rules = facts.into_iter().rev().find_map(|fact| match fact {
        Fact::MappingApplied(applied) => Some(applied.mapping),
        _ => None,
    });
    // Without its rules everyone would be protected or nobody; neither may be guessed.
    rules.ok_or_else(|| {
        let what = format!("the mapping in commit {sequence} of tenant {}", view.tenant());
        StoreError::Damaged { what, why: "the commit has no rules".to_owned() }.into()
    })
}

impl Ledger {
    /// The rules in force now; empty if there are none.
    pub fn mapping(&self, tenant: TenantId) -> Result<Mapping, LedgerError> {
        self.view(tenant, KnownAt::Now)?.mapping()
    }

    /// What these rules would change, by what the ledger knows and what was read ahead of it. Looks at every user.
    pub fn scope_change(
        &self,
        tenant: TenantId,
        rules: &Mapping,
        ahead: &ReadAhead,
    ) -> Result<ScopeChange, LedgerError> {
        let view = self.view(tenant, KnownAt::Now)?;
        let now = view.mapping()?;
        let groups_now = &view.mapping_state().groups;
        let mut groups = groups_now.clone();
        groups.0.extend(&ahead.groups.0);
        let mut counts: BTreeMap<&str, u64> = rules.rules().iter().map(|rule| (rule.name.as_str(), 0)).collect();
        let mut change = ScopeChange::default();
        let mut after = None;
        loop {
            let ids = self.store().object_ids(tenant, after, IDS)?;
            let Some(last) = ids.last() else { break };
            after = Some(*last);
            for object in ids {
                let mut facts = view.facts(object)?;
                let timeline = Timeline::of(object, facts.clone(), view.coverage());
                if timeline.kind() != ObjectKind::User || timeline.state() != State::Active {
                    continue;
                }
                let names = timeline.names();
                let from = now.scope(&Traits::of(&names, &facts), groups_now);
                let sequence = view.through().next();
                let more = ahead.facts.get(&object).into_iter().flatten();
                facts.extend(more.map(|fact| Known { sequence, fact: fact.clone() }));
                let to = rules.scope(&Traits::of(&names, &facts), &groups);
                change.users += 1;
                if let Some(count) = to.rule().and_then(|rule| counts.get_mut(rule)) {
                    *count += 1;
                }
                change.out += u64::from(matches!(to, Scope::Out { .. }));
                let chains = if from.is_protected() { self.chains_of(tenant, object)? } else { Vec::new() };
                change.protected_with_chains += u64::from(!chains.is_empty());
                let name = names.upn.or(names.mail);
                let was = from.is_protected();
                let moved = Move { object, name, from, to, chains };
                match (&moved.to, was) {
                    (Scope::Unknown { .. }, _) => change.unknown.push(moved),
                    (Scope::Out { .. }, true) => change.leave.push(moved),
                    (Scope::Everyone | Scope::In { .. } | Scope::InOne { .. }, false) => change.enter.push(moved),
                    _ => {}
                }
            }
        }
        let count = |rule: &crate::domain::mapping::Rule| {
            (rule.name.clone(), counts.get(rule.name.as_str()).copied().unwrap_or(0))
        };
        change.rules = rules.rules().iter().map(count).collect();
        Ok(change)
    }

    /// The chains that certainly hold an object's data, or are addressed by it.
    fn chains_of(&self, tenant: TenantId, object: ObjectId) -> Result<Vec<ChainId>, LedgerError> {
        let mut chains: BTreeSet<ChainId> = self.store().owned(tenant, object)?.into_iter().collect();
        chains.extend(self.store().chains(tenant, &Subject::Object(object))?);
        Ok(chains.into_iter().collect())
    }
}
