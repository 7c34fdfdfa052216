//! The ledger against the truth.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use whowas::domain::attribution::Attribution;
use whowas::domain::fact::Addressed;
use whowas::domain::finding::{FindingId, FindingKind, FindingState, Subject};
use whowas::domain::holder::{HolderConfidence, NameView};
use whowas::domain::id::ChainId;
use whowas::domain::interval::Interval;
use whowas::domain::name::{NameKind, Namespace};
use whowas::domain::timeline::Role;
use whowas::ledger::{KnownAt, SnapshotView, View};

use super::agents::Taken;
use super::sim::{Sim, TENANT};
use super::truth::{index_of, instant, key, person, who_is};

/// What must never be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wrong {
    /// An attribution called certain that is false.
    Certain,
    /// A hold called proved, or called impossible, that is false.
    Proof,
    /// "Nobody" where the ledger has heard of the owner's hold of that name at that time.
    Nobody,
    /// A chain that holds two people's data, and no finding although a fact shows it.
    Silent,
    /// A finding of mixed data where there is none.
    Mixed,
    /// A verdict that would put one person's data where another's belongs.
    Verdict,
    /// What the facts prove by themselves is not called certain.
    Lost,
}

/// Something that was wrong.
#[derive(Clone, Debug)]
pub struct Fault {
    pub wrong: Wrong,
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.wrong, self.what)
    }
}

/// What the ledger finds wrong about a chain.
#[derive(Clone, Copy, Debug, Default)]
struct Found {
    mixed_open: bool,
    /// Mixed, or a receipt tells of another object than it should; open or dealt with.
    critical: bool,
    warning: bool,
}

impl Sim<'_> {
    /// Scores everything. At the end, when every source has spoken, it also counts.
    pub fn score(&mut self, at_end: bool) {
        self.tally.scorings += 1;
        let fault = self.wrong_proof().or_else(|| self.wrong_attributions(at_end));
        if let Some(fault) = fault {
            self.fail(fault);
        }
    }

    /// What is called proved must be so, and what is called impossible must not be.
    fn wrong_proof(&self) -> Option<Fault> {
        let view = self.ledger.view(TENANT, KnownAt::Now).unwrap();
        let mut timelines = BTreeMap::new();
        let fault = |what: String| Some(Fault { wrong: Wrong::Proof, what });
        for index in 0..self.directory.names() {
            let claims = view.claims(key(index), &mut timelines).unwrap();
            for claim in claims.claims() {
                let who = who_is(claim.object);
                let truth = self.directory.held(who, self.now, |state| state.holds(claim.namespace, index));
                let (space, name) = (claim.namespace, key(index));
                if let Some(span) = claim.track.held().minus(&truth).iter().next() {
                    return fault(format!("{who} is said to have held {name} as {space:?} over {span:?}"));
                }
                if let Some(span) = claim.track.absent().and(&truth).iter().next() {
                    return fault(format!("{who} is said not to have held {name} as {space:?} over {span:?}"));
                }
            }
        }
        for (object, timeline) in &timelines {
            let who = who_is(*object);
            let live = self.directory.held(who, self.now, |state| state.phase == super::truth::Phase::Live);
            let wrongly = timeline.life().held().minus(&live);
            let wrongly_gone = timeline.life().absent().and(&live);
            if let Some(span) = wrongly.iter().next().or_else(|| wrongly_gone.iter().next()) {
                return fault(format!("the life of {who} is wrong over {span:?}"));
            }
            for (role, name, spelling) in timeline.names_ever().filter(|(role, ..)| *role == Role::Primary) {
                let index = index_of(name).unwrap();
                let truth = self.directory.held(who, self.now, |state| {
                    state.phase == super::truth::Phase::Live && state.smtp.first() == Some(&index)
                });
                let track = timeline.track(role, name).unwrap();
                if !track.held().minus(&truth).is_empty() || !track.absent().and(&truth).is_empty() {
                    return fault(format!("{who} and its primary address {}", spelling));
                }
            }
        }
        None
    }

    /// Every chain's snapshots, as the ledger has them now.
    fn views(&self) -> BTreeMap<ChainId, Vec<SnapshotView>> {
        let chains: BTreeSet<&ChainId> =
            self.taken.iter().filter(|taken| taken.told).map(|taken| &taken.chain).collect();
        let settling = self.settling();
        let look = |chain: &ChainId| self.ledger.snapshots(TENANT, chain, None, 10_000, settling).unwrap();
        chains.into_iter().map(|chain| (chain.clone(), look(chain))).collect()
    }

    fn taken(&self, view: &SnapshotView) -> (usize, &Taken) {
        let place = self.places[&(view.record.snapshot.chain.clone(), view.record.snapshot.id.clone())];
        (place, &self.taken[place])
    }

    fn wrong_attributions(&mut self, at_end: bool) -> Option<Fault> {
        let chains = self.views();
        for views in chains.values() {
            for view in views {
                if let Some(fault) = self.wrong_attribution(view) {
                    return Some(fault);
                }
            }
        }
        for (chain, views) in &chains {
            if let Some(fault) = self.wrong_finding(chain, views, at_end) {
                return Some(fault);
            }
        }
        self.watch_settled(&chains);
        if at_end {
            self.count_attributions(&chains);
        }
        None
    }

    fn wrong_attribution(&self, view: &SnapshotView) -> Option<Fault> {
        let (_, taken) = self.taken(view);
        let attribution = &view.attribution;
        let fault =
            |wrong, what: &str| Some(Fault { wrong, what: format!("{what}: {taken:?} got {}", say(attribution)) });
        let owner = attribution.owner.map(who_is);
        if attribution.confidence == HolderConfidence::Certain
            && owner.map(|owner| BTreeSet::from([owner])).as_ref() != Some(&taken.owners)
        {
            return fault(Wrong::Certain, "called certain, but false");
        }
        let (name, kind) = taken.name.filter(|_| taken.receipt.is_none())?;
        let span = self.widened(taken)?;
        if attribution.confidence == HolderConfidence::Nobody && attribution.settled {
            // A hold proved, over some of the time, that the attribution leaves out.
            let heard = |who: &u8| kind.namespaces().iter().any(|space| self.oracle.proves(*who, *space, name, span));
            if taken.owners.iter().any(heard) {
                return fault(Wrong::Nobody, "called nobody's, but somebody certainly held the name");
            }
        }
        // In one namespace, what the facts prove by themselves leaves nothing open.
        if let ([space], true) = (kind.namespaces(), attribution.confidence != HolderConfidence::Certain)
            && let Some(who) = self.oracle.proven_holder(*space, name, span)
        {
            return fault(Wrong::Lost, &format!("{who} provably held the name throughout"));
        }
        None
    }

    /// The time within which a name may have been resolved for a snapshot.
    fn widened(&self, taken: &Taken) -> Option<Interval> {
        Interval::closed(instant(taken.from - self.script.knobs.propagation), instant(taken.until))
    }

    /// What the ledger finds about a chain.
    fn found(&self, chain: &ChainId) -> Found {
        let state = |kind| {
            let id = FindingId::of(kind, &Subject::Chain(chain.clone()));
            self.ledger.finding(TENANT, id).unwrap().map(|finding| finding.state())
        };
        let is_there = |kind| state(kind).is_some_and(|state| state != FindingState::Withdrawn);
        Found {
            mixed_open: state(FindingKind::MixedChain) == Some(FindingState::Open),
            critical: is_there(FindingKind::MixedChain) || is_there(FindingKind::ReceiptMismatch),
            warning: is_there(FindingKind::Unattributable) || is_there(FindingKind::NobodyHeldName),
        }
    }

    fn wrong_finding(&mut self, chain: &ChainId, views: &[SnapshotView], at_end: bool) -> Option<Fault> {
        let found = self.found(chain);
        // A finding speaks of what is still kept.
        let views: Vec<&SnapshotView> = views.iter().filter(|view| view.record.expired.is_none()).collect();
        let truth: BTreeSet<u8> = views.iter().flat_map(|view| self.taken(view).1.owners.iter().copied()).collect();
        let is_mixed = truth.len() > 1;
        if found.mixed_open && !is_mixed {
            return Some(Fault { wrong: Wrong::Mixed, what: format!("{chain} holds the data of {truth:?} only") });
        }
        let settled = views.iter().all(|view| view.attribution.settled);
        let silent = is_mixed && !(found.critical || found.warning);
        let showable = silent && !self.is_single_allowed(&views);
        if silent && settled && showable {
            let what = format!("{chain} holds the data of {truth:?}, the facts show it, and nothing is found");
            return Some(Fault { wrong: Wrong::Silent, what });
        }
        if at_end {
            self.tally.chains += 1;
            self.tally.chains_mixed += u64::from(is_mixed);
            self.tally.mixed_found_critical += u64::from(is_mixed && found.critical);
            self.tally.mixed_found_warning += u64::from(is_mixed && !found.critical && found.warning);
            self.tally.mixed_unshowable += u64::from(silent && !showable);
        }
        None
    }

    /// Whether there is an object whose data alone the chain could hold, as far as the facts told go.
    fn is_single_allowed(&self, views: &[&SnapshotView]) -> bool {
        (0..self.directory.objects()).any(|who| {
            views.iter().all(|view| {
                let (_, taken) = self.taken(view);
                let receipts = taken.receipt.iter().flat_map(|(first, last)| [Some(*first), *last]).flatten();
                let told: BTreeSet<u8> = receipts.collect();
                if !told.is_empty() && told != BTreeSet::from([who]) {
                    return false;
                }
                match (&view.record.snapshot.addressed, taken.name) {
                    (Addressed::Object(object), _) => *object == person(who),
                    _ if taken.receipt.is_some_and(|(_, last)| last.is_some()) => true,
                    (_, Some((name, kind))) => {
                        self.widened(taken).is_some_and(|span| self.oracle.allows(who, kind, name, span))
                    }
                    (_, None) => false,
                }
            })
        })
    }

    /// A settled attribution should stay. Reconciles and imports may still speak, so it is counted only.
    fn watch_settled(&mut self, chains: &BTreeMap<ChainId, Vec<SnapshotView>>) {
        for view in chains.values().flatten().filter(|view| view.attribution.settled) {
            let (place, _) = self.taken(view);
            let said = format!("{:?} {:?}", view.attribution.owner, view.attribution.confidence);
            match self.settled.insert(place, said.clone()) {
                Some(before) if before != said => self.tally.resettled += 1,
                _ => {}
            }
        }
    }

    fn count_attributions(&mut self, chains: &BTreeMap<ChainId, Vec<SnapshotView>>) {
        let mut tally = std::mem::take(&mut self.tally);
        let view = self.ledger.view(TENANT, KnownAt::Now).unwrap();
        let mut timelines = BTreeMap::new();
        for snapshot in chains.values().flatten() {
            let (_, taken) = self.taken(snapshot);
            let Attribution { owner, confidence, settled, .. } = &snapshot.attribution;
            let stored = snapshot.record.judgement;
            let stored_owner = stored.likely_owner();
            let is_same = (stored_owner, stored.confidence, stored.settled) == (*owner, *confidence, *settled);
            tally.stored_differs += u64::from(!is_same);
            tally.unsettled += u64::from(!settled);
            let is_whole = taken.receipt.is_some_and(|(_, last)| last.is_some());
            let Some((name, kind)) = taken.name.filter(|_| *settled && !is_whole) else { continue };
            tally.by_name += 1;
            let is_upn = u64::from(kind == NameKind::Upn);
            tally.by_upn += is_upn;
            let is_true = owner.is_some_and(|owner| BTreeSet::from([who_is(owner)]) == taken.owners);
            match confidence {
                HolderConfidence::Certain => tally.certain += 1,
                HolderConfidence::Assumed => {
                    tally.assumed += 1;
                    tally.assumed_false += u64::from(!is_true);
                }
                HolderConfidence::Nobody => {
                    tally.nobody += 1;
                    tally.nobody_false += 1;
                }
                HolderConfidence::Ambiguous | HolderConfidence::Unknown => {
                    let ambiguous = *confidence == HolderConfidence::Ambiguous;
                    tally.ambiguous += u64::from(ambiguous);
                    tally.unknown += u64::from(!ambiguous);
                    let claims = view.claims(key(name), &mut timelines).unwrap();
                    let why = self.widened(taken).map(|span| why_open(&claims, kind, span, &view));
                    tally.upn_open += is_upn;
                    tally.upn_by_propagation += if matches!(why, Some(Why::Propagation)) { is_upn } else { 0 };
                    tally.upn_by_edge += if matches!(why, Some(Why::Edge)) { is_upn } else { 0 };
                    let counter = match why {
                        Some(Why::Edge) => &mut tally.by_edge,
                        Some(Why::Propagation) => &mut tally.by_propagation,
                        Some(Why::Blind) => &mut tally.by_blindness,
                        Some(Why::Namespaces) => &mut tally.by_namespaces,
                        _ => &mut tally.unexplained,
                    };
                    *counter += 1;
                }
            }
        }
        drop(view);
        self.tally = tally;
    }

    /// What two simpler products would make of the same snapshots by name.
    pub fn count_baselines(&mut self) {
        let mut first: BTreeMap<u8, BTreeSet<u8>> = BTreeMap::new();
        let (mut by_name, mut crisp) = (0, 0);
        for taken in self.taken.iter().filter(|taken| taken.told) {
            let Some((name, kind)) = taken.name else { continue };
            self.tally.base_snapshots += 1;
            let owner = first.entry(name).or_insert_with(|| taken.owners.clone());
            by_name += u64::from(*owner != taken.owners || taken.owners.len() > 1);
            match self.crisp.holder(kind, name, taken.from) {
                Some(who) => crisp += u64::from(taken.owners != BTreeSet::from([who])),
                None => self.tally.crisp_unknown += 1,
            }
        }
        self.tally.keyed_by_name_false += by_name;
        self.tally.keyed_by_name_worlds += u64::from(by_name > 0);
        self.tally.crisp_false += crisp;
        self.tally.crisp_worlds += u64::from(crisp > 0);
    }
}

/// Why an attribution was left open.
enum Why {
    /// The time meets an edge whose instant is not known.
    Edge,
    /// It meets one whose instant is known, within the propagation or the read itself.
    Propagation,
    /// No horizon covers it.
    Blind,
    /// The UPN and the address belong to different people.
    Namespaces,
    Nothing,
}

fn why_open(claims: &NameView, kind: NameKind, span: Interval, view: &View<'_>) -> Why {
    let mine = || claims.claims().iter().filter(|claim| kind.namespaces().contains(&claim.namespace));
    let edges = mine().flat_map(|claim| claim.track.periods()).flat_map(|period| [Some(period.from), period.until]);
    let (mut open, mut point) = (false, false);
    for edge in edges.flatten() {
        match edge.as_point() {
            Some(at) => point |= span.contains(at),
            None => {
                let after = edge.after().is_none_or(|after| after < span.last());
                open |= after && edge.by().is_none_or(|by| by >= span.from());
            }
        }
    }
    let of =
        |space| mine().filter(move |claim| claim.namespace == space).map(|claim| claim.object).collect::<BTreeSet<_>>();
    if open {
        Why::Edge
    } else if point {
        Why::Propagation
    } else if !view.coverage().covers(span) {
        Why::Blind
    } else if kind == NameKind::Any && of(Namespace::Upn) != of(Namespace::Smtp) {
        Why::Namespaces
    } else {
        Why::Nothing
    }
}

fn say(attribution: &Attribution) -> String {
    let candidates = attribution.candidates.iter().map(|one| format!("{} {:?}", who_is(one.object), one.confidence));
    let candidates = candidates.collect::<Vec<_>>().join(", ");
    let Attribution { owner, confidence, settled, .. } = attribution;
    format!("{confidence:?} {:?}, settled {settled}, candidates {candidates}", owner.map(who_is))
}
