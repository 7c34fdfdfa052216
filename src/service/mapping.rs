//! The mapping: what is in force, what other rules would change, and making them those in force.

use serde::{Deserialize, Serialize};

use super::Desk;
use crate::domain::fact::Fact;
use crate::domain::id::{ChainId, ObjectId, Sequence};
use crate::domain::mapping::Mapping;
use crate::domain::name::Name;
use crate::domain::scope::Scope;
use crate::ledger::{Basis, KnownAt, LedgerError, Move, ReadAhead, ScopeChange};
use crate::sync::{self, Context, SyncError};

/// What other rules would change, or have changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct MappingAnswer {
    /// Whether the rules differ from those in force.
    pub changed: bool,
    /// Whether they were made those in force.
    pub applied: bool,
    /// Live users.
    pub users: u64,
    /// Whom each of the rules protects, in their order.
    pub rules: Vec<RulePart>,
    /// Live users whom no rule protects.
    pub out: u64,
    /// Users who come under protection.
    pub enter: Vec<MovePart>,
    /// Users who lose it.
    pub leave: Vec<MovePart>,
    /// Those of them who have chains, which would freeze.
    pub freeze: Vec<MovePart>,
    /// Users about whom the rules cannot decide with what was read; they are answered `refresh`.
    pub unknown: Vec<MovePart>,
    /// Users who are protected now and have chains.
    pub protected_with_chains: u64,
    /// Why the guard does not let the change pass, if it does not.
    pub breach: Option<String>,
    /// What the answer rests on.
    pub basis: Basis,
}

/// How many users a rule protects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct RulePart {
    /// The rule.
    pub rule: String,
    /// How many.
    pub protects: u64,
}

/// One user whose scope is another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
pub struct MovePart {
    /// Who.
    pub object: ObjectId,
    /// The user principal name, else the primary address.
    pub name: Option<Name>,
    /// By the rules in force.
    pub from: Scope,
    /// By the new ones.
    pub to: Scope,
    /// The chains with its data.
    pub chains: Vec<ChainId>,
}

/// The rules in force.
#[derive(Clone, Debug, PartialEq)]
pub struct InForce {
    /// The rules.
    pub mapping: Mapping,
    /// The commit that brought them; `None` if there are none.
    pub since: Option<Sequence>,
    /// What the answer rests on.
    pub basis: Basis,
}

/// The rules in force at a commit.
pub fn in_force(desk: &Desk, known_at: KnownAt) -> Result<InForce, LedgerError> {
    let view = desk.ledger.view(desk.tenant, known_at)?;
    let (mapping, since) = (view.mapping()?, view.mapping_state().applied);
    Ok(InForce { mapping, since, basis: view.basis(desk.clock.now()) })
}

/// Whether the directory must be read to tell what these rules would change: for what the ledger does not know yet, and for
/// who is in their groups now.
pub fn must_read(desk: &Desk, rules: &Mapping) -> Result<bool, LedgerError> {
    let view = desk.ledger.view(desk.tenant, KnownAt::Now)?;
    Ok(!rules.groups().is_empty() || !sync::lacking(rules, view.mapping_state()).is_empty())
}

/// What these rules would change, by what the ledger knows and what was read ahead of it. Nothing is written.
pub fn preview(desk: &Desk, rules: &Mapping, ahead: &ReadAhead, percent: u64) -> Result<MappingAnswer, LedgerError> {
    let before = in_force(desk, KnownAt::Now)?;
    let change = desk.ledger.scope_change(desk.tenant, rules, ahead)?;
    let has_moved = ahead.facts.values().flatten().any(|fact| matches!(fact, Fact::Grouped(_)));
    let known = desk.ledger.view(desk.tenant, KnownAt::Now)?.mapping_state().groups.clone();
    let is_known = |group| matches!(known.0.get(group), Some(Some(_)));
    let is_lost = ahead.groups.0.iter().any(|(group, read)| read.is_none() && is_known(group));
    let changed = before.mapping != *rules || has_moved || is_lost;
    let breach = changed.then(|| change.breach(percent)).flatten();
    let freeze = parts(change.freeze());
    let ScopeChange { rules, users, out, enter, leave, unknown, protected_with_chains } = change;
    Ok(MappingAnswer {
        changed,
        applied: false,
        users,
        rules: rules.into_iter().map(|(rule, protects)| RulePart { rule, protects }).collect(),
        out,
        enter: parts(enter.iter()),
        leave: parts(leave.iter()),
        freeze,
        unknown: parts(unknown.iter()),
        protected_with_chains,
        breach,
        basis: before.basis,
    })
}

/// Makes these rules those in force, unless they are, or the guard does not let them pass and nobody `insists`. The answer
/// tells which; its basis is that after it.
///
/// # Errors
/// If the ledger cannot be read or written.
pub async fn apply(
    desk: &Desk,
    context: &Context,
    rules: Mapping,
    ahead: ReadAhead,
    insists: bool,
) -> Result<MappingAnswer, SyncError> {
    let percent = context.guard.limits.percent;
    let (asked, wanted, read) = (desk.clone(), rules.clone(), ahead.clone());
    let mut answer = tokio::task::spawn_blocking(move || preview(&asked, &wanted, &read, percent)).await??;
    if answer.changed && (insists || answer.breach.is_none()) {
        sync::apply(context, rules, ahead).await?;
        let asked = desk.clone();
        answer.basis = tokio::task::spawn_blocking(move || in_force(&asked, KnownAt::Now)).await??.basis;
        answer.applied = true;
    }
    Ok(answer)
}

fn parts<'a>(moves: impl Iterator<Item = &'a Move>) -> Vec<MovePart> {
    let part = |moved: &Move| {
        let Move { object, name, from, to, chains } = moved.clone();
        MovePart { object, name, from, to, chains }
    };
    moves.map(part).collect()
}
