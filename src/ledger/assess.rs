//! What a round would change, before it is applied.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::domain_change::{Rename, SuffixMap};
use crate::domain::fact::{Fact, Known, ObjectKind, Source};
use crate::domain::guard::Impact;
use crate::domain::id::{ObjectId, TenantId};
use crate::domain::name::{Name, NameKey};
use crate::domain::time::Instant;
use crate::domain::timeline::{Names, Role, State, Timeline};

use super::{Batch, KnownAt, Ledger, LedgerError, View};

/// What facts would change, were they appended now. Only users count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assessment {
    /// Who lives and would not.
    pub removed: BTreeSet<ObjectId>,
    /// Who would have another name, by its user principal name or else its primary address.
    pub renamed: Vec<Rename>,
    /// Who of them moves as it was announced.
    pub announced: BTreeSet<ObjectId>,
    /// Who is new and has a name that another object holds or held.
    pub newcomers: BTreeSet<ObjectId>,
    /// Those others.
    pub overtaken: BTreeSet<ObjectId>,
}

impl Assessment {
    /// Adds what further facts of the same round would change.
    pub fn add(&mut self, other: Self) {
        self.removed.extend(other.removed);
        self.renamed.extend(other.renamed);
        self.announced.extend(other.announced);
        self.newcomers.extend(other.newcomers);
        self.overtaken.extend(other.overtaken);
    }

    /// The same without these objects.
    #[must_use]
    pub fn without(&self, objects: &BTreeSet<ObjectId>) -> Self {
        let others = |all: &BTreeSet<ObjectId>| all.difference(objects).copied().collect();
        Self {
            removed: others(&self.removed),
            renamed: self.renamed.iter().filter(|rename| !objects.contains(&rename.object)).cloned().collect(),
            announced: others(&self.announced),
            newcomers: others(&self.newcomers),
            overtaken: others(&self.overtaken),
        }
    }

    /// How much it is, beside so many live objects.
    pub fn impact(&self, active: u64) -> Impact {
        let renamed: BTreeSet<ObjectId> = self.renamed.iter().map(|rename| rename.object).collect();
        let count = |number: usize| number as u64;
        Impact {
            removals: count(self.removed.len()),
            renames: count(renamed.difference(&self.announced).count()),
            takeovers: count(self.newcomers.len()),
            active,
        }
    }

    /// Everyone whom it would change, announced renames aside.
    pub fn objects(&self) -> BTreeSet<ObjectId> {
        let renamed = self.renamed.iter().map(|rename| rename.object);
        let renamed = renamed.filter(|object| !self.announced.contains(object));
        let others = [&self.removed, &self.newcomers, &self.overtaken];
        others.into_iter().flatten().copied().chain(renamed).collect()
    }
}

impl Ledger {
    /// What these facts would change, were they appended now. Nothing is kept.
    pub fn assess(&self, tenant: TenantId, facts: &[Fact], announced: &[SuffixMap]) -> Result<Assessment, LedgerError> {
        let view = self.view(tenant, KnownAt::Now)?;
        let sequence = view.through().next();
        let holds = view.holds()?;
        let shown = view.coverage().horizon().unwrap_or(Instant::MAX);
        let mut news: BTreeMap<ObjectId, Vec<Known>> = BTreeMap::new();
        // They are looked at as they would be written.
        let facts = self.masked(tenant, Batch { facts: facts.to_vec(), ..Batch::default() }, Instant::MIN)?.facts;
        for fact in &facts {
            if let Some(object) = fact.object() {
                news.entry(object).or_default().push(Known { sequence, fact: fact.clone() });
            }
        }
        let mut assessment = Assessment::default();
        for (object, news) in news {
            let mut known = view.facts(object)?;
            // Reading the objects of a round one by one, before it came or while it is held, does not make the round itself any smaller.
            let hold = holds.iter().find(|hold| hold.standstill.objects.contains(&object));
            known.retain(|known| {
                let is_later = hold.is_some_and(|hold| known.sequence > hold.sequence);
                live_read(&known.fact).is_none_or(|at| at <= shown && !is_later)
            });
            let before = Timeline::of(object, known.clone(), view.coverage());
            known.extend(news);
            let after = Timeline::of(object, known, view.coverage());
            if after.kind() != ObjectKind::User {
                continue;
            }
            match (before.is_empty(), before.state(), after.state()) {
                (true, _, State::Active) => assessment.arrive(&view, &after)?,
                (false, State::Active, State::Active) => assessment.rename(&before, &after, announced),
                // Of whom nothing but a file from elsewhere told, nobody is removed.
                (false, State::Active, _) if before.last_seen_alive().is_some() => {
                    assessment.removed.insert(object);
                }
                _ => {}
            }
        }
        Ok(assessment)
    }

    /// How many live users still have a user principal name in the domain that a map leaves, and the first of them. Those
    /// whom the round moves or removes are `gone`.
    pub fn left_behind(
        &self,
        tenant: TenantId,
        map: &SuffixMap,
        gone: &BTreeSet<ObjectId>,
        limit: usize,
    ) -> Result<(u64, Vec<ObjectId>), LedgerError> {
        /// How many ids are read at a time.
        const IDS: usize = 1_000;
        let view = self.view(tenant, KnownAt::Now)?;
        let (mut count, mut first, mut after) = (0, Vec::new(), None);
        loop {
            let ids = self.store().object_ids(tenant, after, IDS)?;
            let Some(last) = ids.last() else { return Ok((count, first)) };
            after = Some(*last);
            for object in ids.into_iter().filter(|object| !gone.contains(object)) {
                let timeline = view.timeline(object)?;
                let is_behind = timeline.names().upn.is_some_and(|upn| map.is_left_behind(&upn));
                if is_behind && timeline.state() == State::Active {
                    count += 1;
                    if first.len() < limit {
                        first.push(object);
                    }
                }
            }
        }
    }
}

impl Assessment {
    fn rename(&mut self, before: &Timeline, after: &Timeline, announced: &[SuffixMap]) {
        let (old, new) = (before.names(), after.names());
        let differ = |from: Option<Name>, to: Option<Name>| {
            let (from, to) = (from?, to?);
            (from.key() != to.key() && !to.is_quarantine_placeholder()).then_some((from, to))
        };
        let upn = differ(old.upn.clone(), new.upn.clone());
        let Some((from, to)) = upn.or_else(|| differ(old.mail, new.mail)) else { return };
        if announced.iter().any(|map| map.explains(&from, &to)) {
            self.announced.insert(after.object());
        }
        self.renamed.push(Rename { object: after.object(), from, to });
    }

    /// A new object: does it have the name of another?
    fn arrive(&mut self, view: &View<'_>, newcomer: &Timeline) -> Result<(), LedgerError> {
        for key in keys(&newcomer.names()) {
            for posting in view.store().holders(view.tenant(), &key)? {
                if posting.object == newcomer.object() {
                    continue;
                }
                let other = view.timeline(posting.object)?;
                let held = [Role::Upn, Role::Smtp].into_iter().any(|role| other.ever_had(role, &key));
                if held && other.kind() == ObjectKind::User {
                    self.newcomers.insert(newcomer.object());
                    self.overtaken.insert(other.object());
                }
            }
        }
        Ok(())
    }
}

/// When an object was read by itself, if that is what a fact tells of.
fn live_read(fact: &Fact) -> Option<Instant> {
    let reading = match fact {
        Fact::Seen(seen) => &seen.reading,
        Fact::Removed(removed) => &removed.reading,
        _ => return None,
    };
    (reading.source == Source::Live).then_some(reading.at)
}

fn keys(names: &Names) -> BTreeSet<NameKey> {
    names.upn.iter().chain(&names.mail).chain(&names.aliases).map(|name| name.key().clone()).collect()
}
