//! Who holds a name: all objects that ever held it, side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::coverage::Coverage;
use super::fact::{Reading, Source, Vacant};
use super::id::{ObjectId, Sequence};
use super::interval::Interval;
use super::name::{NameKey, NameKind, Namespace};
use super::time::Instant;
use super::timeline::{Presence, Role, Timeline};
use super::track::{Confidence, Evidence, Origin, Period, Track};

/// One object's hold of a name in one namespace, sharpened by the holds of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who.
    pub object: ObjectId,
    /// As what.
    pub namespace: Namespace,
    /// The spelling seen last.
    pub spelling: String,
    /// When.
    pub track: Track,
    /// The live reads of this object, and whether they showed the hold.
    live: Vec<(Instant, bool)>,
}

/// All claims to one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameView {
    key: NameKey,
    claims: Vec<Claim>,
}

/// Who held a name over an interval, and how sure that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How sure.
    pub confidence: HolderConfidence,
    /// Who, if it is one.
    pub holder: Option<ObjectId>,
    /// Everyone whom the evidence allows, in order of their ids.
    pub candidates: Vec<Candidate>,
}

/// How sure it is who held a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum HolderConfidence {
    /// One holder throughout, proved.
    Certain,
    /// One holder as far as known; nothing proves the whole time.
    Assumed,
    /// The evidence allows more than one answer.
    Ambiguous,
    /// Nobody, as far as known.
    Nobody,
    /// Never seen, or a time that nothing covers.
    Unknown,
}

/// Someone who may have held a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Who.
    pub object: ObjectId,
    /// How sure it is that this one held it throughout.
    pub confidence: Confidence,
    /// As what and when.
    pub held: Vec<(Namespace, Period)>,
}

/// Who holds a name by the newest evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// This object.
    One(ObjectId),
    /// Several objects claim it, within a namespace or between the two.
    Several(BTreeSet<ObjectId>),
    /// It was held once and is not any more.
    Nobody,
    /// Nobody ever held it.
    NeverSeen,
}

impl NameView {
    /// The claims of these objects to a name. Each object's timeline must be given once. `vacancies` are the reads that
    /// found nobody under it as a user principal name.
    pub fn of<'a>(
        key: &NameKey,
        timelines: impl IntoIterator<Item = &'a Timeline>,
        vacancies: &[(Sequence, Vacant)],
    ) -> Self {
        let mut raw: Vec<(ObjectId, Namespace, Presence)> = Vec::new();
        for timeline in timelines {
            for namespace in Namespace::BOTH {
                if let Some(presence) = timeline.presence(Role::of(namespace), key) {
                    raw.push((timeline.object(), namespace, presence));
                }
            }
        }
        raw.sort_by_key(|(object, namespace, _)| (*namespace, *object));
        let claims = raw
            .iter()
            .map(|(object, namespace, own)| {
                let rivals = raw.iter().filter(|(other, space, _)| other != object && space == namespace);
                let mut evidence = own.evidence.clone();
                let excluding = |(other, _, theirs): &'_ (ObjectId, Namespace, Presence)| -> Vec<Evidence> {
                    theirs.evidence.iter().filter_map(|e| e.as_rival(*other)).collect()
                };
                evidence.extend(rivals.flat_map(excluding));
                if *namespace == Namespace::Upn {
                    evidence.extend(vacancies.iter().map(|(sequence, vacant)| vacancy(*sequence, vacant)));
                }
                Claim {
                    object: *object,
                    namespace: *namespace,
                    spelling: own.spelling.spelling().to_owned(),
                    track: Track::of(&evidence),
                    live: live_reads(&evidence),
                }
            })
            .collect();
        Self { key: key.clone(), claims }
    }

    /// The name's comparison key.
    pub fn key(&self) -> &NameKey {
        &self.key
    }

    /// Every claim, by namespace and object.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// The namespaces in which several objects held the name, one after the other.
    pub fn passed_in(&self) -> BTreeSet<Namespace> {
        self.ever_held().into_iter().filter(|(_, objects)| objects.len() > 1).map(|(namespace, _)| namespace).collect()
    }

    /// The objects that ever held the name, by namespace.
    pub fn ever_held(&self) -> BTreeMap<Namespace, BTreeSet<ObjectId>> {
        let mut holders: BTreeMap<Namespace, BTreeSet<ObjectId>> = BTreeMap::new();
        for claim in self.claims.iter().filter(|claim| claim.track.was_ever_present()) {
            holders.entry(claim.namespace).or_default().insert(claim.object);
        }
        holders
    }

    /// The pairs of objects that certainly held the name at one time, the first as its user principal name and the second as an
    /// address.
    pub fn collisions(&self) -> Vec<(&Claim, &Claim)> {
        let of = |namespace| self.claims.iter().filter(move |claim| claim.namespace == namespace);
        let pairs = of(Namespace::Upn).flat_map(|upn| of(Namespace::Smtp).map(move |smtp| (upn, smtp)));
        pairs.filter(|(upn, smtp)| upn.object != smtp.object && overlap(upn, smtp)).collect()
    }

    /// The objects with a claim of this kind.
    pub fn objects(&self, kind: NameKind) -> BTreeSet<ObjectId> {
        self.claims_of(kind).map(|claim| claim.object).collect()
    }

    /// Who holds the name by the newest evidence, carried forward.
    pub fn holder(&self, kind: NameKind) -> Holder {
        let now: BTreeSet<ObjectId> =
            self.claims_of(kind).filter(|claim| claim.track.is_present_last()).map(|claim| claim.object).collect();
        let mut holders = now.iter();
        match (holders.next(), holders.next()) {
            (Some(one), None) => Holder::One(*one),
            (Some(_), Some(_)) => Holder::Several(now),
            (None, _) if self.claims_of(kind).next().is_some() => Holder::Nobody,
            (None, _) => Holder::NeverSeen,
        }
    }

    /// Who held the name over all of an interval.
    pub fn standing(&self, interval: Interval, kind: NameKind, coverage: &Coverage) -> Standing {
        let candidates = self.candidates(interval, kind);
        let namespaces: Vec<(HolderConfidence, Option<ObjectId>)> = kind
            .namespaces()
            .iter()
            .filter(|namespace| self.claims.iter().any(|claim| claim.namespace == **namespace))
            .map(|namespace| self.within(*namespace, interval))
            .collect();
        let (confidence, holder) = match namespaces.as_slice() {
            [] => (HolderConfidence::Unknown, None),
            [one] if kind == NameKind::Any => alone(*one),
            [one] => *one,
            [first, second, ..] => both(*first, *second),
        };
        let excluded = |holder| {
            let mut others = self.claims_of(kind).filter(|claim| Some(claim.object) != holder);
            others.all(|claim| claim.track.confidence(interval) == Confidence::Impossible)
        };
        let confidence = match confidence {
            // One namespace proves a holder, but another object may have held the name in the other one.
            HolderConfidence::Certain if !excluded(holder) => HolderConfidence::Assumed,
            // That all who are known did not hold it says nothing of somebody who was gone before the first sync, or who came
            // and went while nothing was read.
            HolderConfidence::Nobody if !is_known_time(interval, coverage) => HolderConfidence::Unknown,
            other => other,
        };
        Standing { confidence, holder, candidates }
    }

    /// Whether more than one object ever held it, or it was released within `window` before `now`.
    pub fn is_hot(&self, kind: NameKind, now: Instant, window: Duration) -> bool {
        let ever: BTreeSet<ObjectId> =
            self.claims_of(kind).filter(|claim| claim.track.was_ever_present()).map(|claim| claim.object).collect();
        let released = self.claims_of(kind).any(|claim| {
            let ends = claim.track.periods().into_iter().filter_map(|period| period.until);
            ends.into_iter().any(|end| end.by().is_none_or(|by| by >= now.minus(window)))
        });
        ever.len() > 1 || released
    }

    /// The newest live read, among those that count as `fresh`, that shows this object holding the name.
    pub fn live_proof(&self, holder: ObjectId, kind: NameKind, fresh: impl Fn(Instant) -> bool) -> Option<Instant> {
        self.claims_of(kind)
            .filter(|claim| claim.object == holder && claim.track.is_present_last())
            .flat_map(|claim| &claim.live)
            .filter(|(at, shown)| *shown && fresh(*at))
            .map(|(at, _)| *at)
            .max()
    }

    /// Whether every claim of this kind is proved gone or was read anew, as `fresh` tells, and found gone.
    pub fn is_freshly_released(&self, kind: NameKind, now: Instant, fresh: impl Fn(Instant) -> bool) -> bool {
        self.claims_of(kind).all(|claim| {
            let read = claim.live.iter().any(|(at, shown)| !shown && fresh(*at));
            !claim.track.is_present_last() && (read || claim.track.absent().contains(now))
        })
    }

    fn claims_of(&self, kind: NameKind) -> impl Iterator<Item = &Claim> {
        self.claims.iter().filter(move |claim| kind.namespaces().contains(&claim.namespace))
    }

    fn within(&self, namespace: Namespace, interval: Interval) -> (HolderConfidence, Option<ObjectId>) {
        let levels: Vec<(Confidence, ObjectId)> = self
            .claims
            .iter()
            .filter(|claim| claim.namespace == namespace)
            .map(|claim| (claim.track.confidence(interval), claim.object))
            .collect();
        let at = |level| levels.iter().filter(move |(confidence, _)| *confidence == level).map(|(_, object)| *object);
        let certain: Vec<ObjectId> = at(Confidence::Certain).collect();
        let assumed: Vec<ObjectId> = at(Confidence::Assumed).collect();
        let possible = at(Confidence::Possible).next().is_some();
        match (certain.as_slice(), assumed.as_slice(), possible) {
            // A proved holder excludes all others: what else looks possible is only not yet excluded instant by instant.
            ([one], [], false) => (HolderConfidence::Certain, Some(*one)),
            ([], [one], false) => (HolderConfidence::Assumed, Some(*one)),
            ([], [], false) => (HolderConfidence::Nobody, None),
            _ => (HolderConfidence::Ambiguous, None),
        }
    }

    fn candidates(&self, interval: Interval, kind: NameKind) -> Vec<Candidate> {
        self.objects(kind)
            .into_iter()
            .filter_map(|object| {
                let claims: Vec<&Claim> = self.claims_of(kind).filter(|claim| claim.object == object).collect();
                let confidence = claims.iter().map(|claim| claim.track.confidence(interval)).max()?;
                let held = claims
                    .iter()
                    .flat_map(|claim| claim.track.periods().into_iter().map(|period| (claim.namespace, period)))
                    .collect();
                (confidence > Confidence::Unlikely).then_some(Candidate { object, confidence, held })
            })
            .collect()
    }
}

/// The live reads among a claim's own evidence. A reading that agrees with what is proved anyway adds nothing to the track,
/// but it is still what proves the state at the moment of a question.
fn live_reads(evidence: &[Evidence]) -> Vec<(Instant, bool)> {
    let own = evidence.iter().filter(|e| !e.solid && e.origin.source == Source::Live && e.origin.rival.is_none());
    own.map(|e| (e.origin.at, e.present)).collect()
}

fn vacancy(sequence: Sequence, vacant: &Vacant) -> Evidence {
    let Reading { at, source, .. } = vacant.reading;
    let origin = Origin { sequence, source, at, since: None, event: None, rival: None };
    Evidence { present: false, span: vacant.reading.window(), solid: false, origin }
}

/// What one namespace says when nothing is known of the other one. Somebody whom no feed has shown (restored without a word,
/// or there for minutes only) may hold the name in it, so what is proved here is not proved of the name as such.
fn alone(one: (HolderConfidence, Option<ObjectId>)) -> (HolderConfidence, Option<ObjectId>) {
    match one {
        (HolderConfidence::Certain, holder) => (HolderConfidence::Assumed, holder),
        other => other,
    }
}

/// Joins what the two namespaces say. They usually, not always, agree; only if both prove the same holder nobody else can
/// have it in either.
fn both(
    upn: (HolderConfidence, Option<ObjectId>),
    smtp: (HolderConfidence, Option<ObjectId>),
) -> (HolderConfidence, Option<ObjectId>) {
    use HolderConfidence::{Ambiguous, Assumed, Certain, Nobody};
    match (upn, smtp) {
        ((Ambiguous, _), _) | (_, (Ambiguous, _)) => (Ambiguous, None),
        ((Nobody, _), other) | (other, (Nobody, _)) => alone(other),
        ((Certain, Some(one)), (Certain, Some(other))) if one == other => (Certain, Some(one)),
        ((_, Some(one)), (_, Some(other))) if one == other => (Assumed, Some(one)),
        _ => (Ambiguous, None),
    }
}

/// Whether the feeds cover the interval, or it only reaches beyond the newest horizon.
fn is_known_time(interval: Interval, coverage: &Coverage) -> bool {
    let Some(horizon) = coverage.horizon() else { return false };
    let end = interval.until().min(horizon);
    match Interval::new(interval.from(), end) {
        Some(past) => coverage.covers(past),
        None => true,
    }
}

/// Whether two holds certainly had an instant in common, as far as the newest evidence goes.
fn overlap(a: &Claim, b: &Claim) -> bool {
    let (mine, theirs) = (a.track.periods(), b.track.periods());
    mine.iter().any(|mine| {
        theirs.iter().any(|theirs| {
            let began = mine.from.by().max(theirs.from.by());
            let ends = [&mine.until, &theirs.until].into_iter().flatten();
            // An end that is not known at all leaves nothing certain.
            let ended = ends.map(|end| end.after()).min();
            match (began, ended) {
                (Some(_), None) => true,
                (Some(began), Some(Some(ended))) => began <= ended,
                _ => false,
            }
        })
    })
}
