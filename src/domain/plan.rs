//! The repair plan of a chain: which of its snapshots stay, which are set aside, and where each person's backup goes on.
//!
//! The plan deletes nothing and moves nothing: the backup product executes it. *Keep* leaves a snapshot where it is.
//! *Quarantine* sets it aside: nobody restores from it without looking, and nothing is built on it. *Relabel* moves it to
//! a chain of its own.
//!
//! Why another person's snapshots are never relabelled: within a chain, every snapshot but the first may be an increment
//! on the one before it, and an increment on somebody else's data is no whole thing in any chain. The first snapshot is a
//! whole, but the first certain one decides whose chain it is. So a foreign snapshot is set aside, and its owner gets a
//! full. Only the same owner's snapshots from another mailbox instance are relabelled: a chain belongs to one mailbox, and
//! they are the owner's own data.

use std::collections::{BTreeMap, BTreeSet};

use super::holder::HolderConfidence;
use super::id::{ChainId, MailboxId, ObjectId, SnapshotId};
use super::timeline::State;
use super::verdict::Outcome;

/// A snapshot as the plan looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Which.
    pub snapshot: SnapshotId,
    /// Whose data it holds, if it is one's.
    pub owner: Option<ObjectId>,
    /// How sure that is.
    pub confidence: HolderConfidence,
    /// No source is still expected to speak about it.
    pub settled: bool,
    /// Everyone whom the evidence allows.
    pub candidates: BTreeSet<ObjectId>,
    /// The mailbox instances read, as far as they are known; two if it changed under the read.
    pub mailboxes: BTreeSet<MailboxId>,
    /// The agent's receipts name two people.
    pub two_people: bool,
    /// It is no longer kept.
    pub expired: bool,
}

/// What is known of someone whom a plan names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Where the object stands; `None` if it was never seen.
    pub life: Option<State>,
    /// Whether there is a mailbox to back up: groups and contacts have none, nor has a user whose licence went.
    pub has_mailbox: bool,
    /// Its most recent chain other than the planned one, and the snapshot there to build on.
    pub chain: Option<(ChainId, SnapshotId)>,
    /// What an agent is told that asks for the object by its id alone.
    pub verdict: Outcome,
    /// Why it is told that.
    pub why: String,
}

/// The plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Whose chain it is: the owner of the first certain snapshot, else of the first assumed one.
    pub owner: Option<ObjectId>,
    /// Whether something is to be done.
    pub needed: bool,
    /// The kept snapshots, in order.
    pub segments: Vec<Segment>,
    /// How each person's backup goes on.
    pub next: Vec<Next>,
    /// Why, in short sentences.
    pub reasons: Vec<String>,
}

/// Consecutive snapshots of one judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Whose data they hold, if it is one's.
    pub object: Option<ObjectId>,
    /// How sure that is.
    pub confidence: HolderConfidence,
    /// No source is still expected to speak about them.
    pub settled: bool,
    /// Whom the evidence allows, where it allows several.
    pub candidates: BTreeSet<ObjectId>,
    /// The mailbox instance, where the chain has several.
    pub mailbox: Option<MailboxId>,
    /// The snapshots.
    pub snapshots: Vec<SnapshotId>,
    /// What to do with them.
    pub deed: Deed,
    /// Why.
    pub why: String,
}

/// What to do with snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Leave them.
    Keep,
    /// Set them aside.
    Quarantine,
    /// Move them to a new chain: one that is there already began with a full of its own, after which they do not fit.
    Relabel,
}

/// How someone's backup goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// Whose.
    pub object: ObjectId,
    /// What.
    pub action: NextAction,
    /// In which chain; `None` is a new one, or none.
    pub chain: Option<ChainId>,
    /// On which snapshot an incremental builds.
    pub base: Option<SnapshotId>,
    /// On which one it builds if `base` turns out to be an increment on what is set aside; `None` if that cannot be.
    pub safe_base: Option<SnapshotId>,
}

/// What a backup does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "http", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum NextAction {
    /// An incremental.
    Incremental,
    /// A full into a new chain.
    Full,
    /// Nothing.
    Stop,
}

/// Everyone whom the pieces name, and of whom a plan has to know where they stand.
pub fn people(pieces: &[Piece]) -> BTreeSet<ObjectId> {
    pieces.iter().flat_map(|piece| piece.owner.into_iter().chain(piece.candidates.iter().copied())).collect()
}

/// Plans the repair of a chain. `pieces` are all of its snapshots in order of time.
pub fn plan(chain: &ChainId, pieces: &[Piece], people: &BTreeMap<ObjectId, Person>) -> Plan {
    let bound = pieces.iter().find(|piece| piece.confidence == HolderConfidence::Certain).and_then(|piece| piece.owner);
    let assumed = || pieces.iter().find(|piece| piece.confidence == HolderConfidence::Assumed)?.owner;
    let owner = bound.or_else(assumed);
    let segments = segments_of(chain, owner, pieces);
    let needed = segments.iter().any(|segment| segment.deed != Deed::Keep);
    // What a mailbox instance reports is relative to that instance, so nothing goes on over a change of it.
    let can_go_on = bound.is_some() && !has_several_mailboxes(owner, pieces);
    let own = owner.map(|owner| next_of_owner(chain, owner, can_go_on, &segments, people));
    let mut next: Vec<Next> = own.into_iter().collect();
    next.extend(others(owner, pieces).into_iter().map(|object| next_of_other(object, people)));
    let mut plan = Plan { owner, needed, segments, next, reasons: Vec::new() };
    plan.reasons = reasons(chain, bound, pieces, &plan, people);
    plan
}

/// Where an owner's snapshots of a chain belong by mailbox.
struct Mailboxes {
    /// Whether the owner's snapshots tell more than one.
    several: bool,
    /// The chain's own: that of the owner's first snapshot that tells one.
    first: Option<MailboxId>,
    /// The one read last; a snapshot that does not tell its mailbox is taken to be of it.
    last: Option<MailboxId>,
}

fn segments_of(chain: &ChainId, owner: Option<ObjectId>, pieces: &[Piece]) -> Vec<Segment> {
    let mut mailboxes = Mailboxes { several: has_several_mailboxes(owner, pieces), first: None, last: None };
    let mut segments: Vec<Segment> = Vec::new();
    for piece in pieces {
        // An expired snapshot still tells which mailbox the chain is of.
        let segment = judge(chain, owner, piece, &mut mailboxes);
        if piece.expired {
            continue;
        }
        match segments.last_mut() {
            Some(last) if is_same(last, &segment) => last.snapshots.extend(segment.snapshots),
            _ => segments.push(segment),
        }
    }
    segments
}

/// Whether the owner's snapshots, the expired ones among them, tell more than one mailbox instance.
fn has_several_mailboxes(owner: Option<ObjectId>, pieces: &[Piece]) -> bool {
    let owners = pieces.iter().filter(|piece| piece.owner.is_some() && piece.owner == owner);
    owners.flat_map(|piece| &piece.mailboxes).collect::<BTreeSet<_>>().len() > 1
}

fn is_same(one: &Segment, other: &Segment) -> bool {
    let judged =
        |segment: &Segment| (segment.object, segment.confidence, segment.settled, segment.mailbox, segment.deed);
    judged(one) == judged(other) && one.candidates == other.candidates && one.why == other.why
}

/// What is to be done with one snapshot.
fn judge(chain: &ChainId, owner: Option<ObjectId>, piece: &Piece, mailboxes: &mut Mailboxes) -> Segment {
    let holds = |words: &str| piece.owner.map_or_else(String::new, |object| format!("{words} object {object}"));
    let mut mailbox = None;
    let is_owners = piece.owner.is_some() && piece.owner == owner;
    let (deed, why) = match piece.confidence {
        _ if piece.two_people => (
            Deed::Quarantine,
            "the agent's receipts name two people, so it holds the data of both; restoring from it needs a person's eye"
                .to_owned(),
        ),
        HolderConfidence::Certain | HolderConfidence::Assumed if is_owners && piece.mailboxes.len() > 1 => {
            (Deed::Quarantine, "the mailbox changed under the read, so it holds parts of two mailboxes".to_owned())
        }
        HolderConfidence::Certain | HolderConfidence::Assumed if is_owners => {
            mailboxes.last = piece.mailboxes.first().copied().or(mailboxes.last);
            mailboxes.first = mailboxes.first.or(mailboxes.last);
            mailbox = mailboxes.last.filter(|_| mailboxes.several);
            if mailboxes.last != mailboxes.first {
                let why = format!(
                    "same owner, but another mailbox instance than the one chain {chain} began with; a chain belongs to one"
                );
                (Deed::Relabel, why)
            } else if piece.confidence == HolderConfidence::Certain {
                (Deed::Keep, holds("it holds the data of the chain's owner,"))
            } else {
                (Deed::Keep, holds("nothing proves it, and nothing speaks against it: it is taken to hold the data of"))
            }
        }
        HolderConfidence::Certain => (Deed::Quarantine, holds("it holds the data of")),
        HolderConfidence::Assumed => (Deed::Quarantine, holds("nothing proves it, but it is taken to hold the data of")),
        HolderConfidence::Ambiguous => {
            (Deed::Quarantine, "the evidence allows more than one answer to whose data it holds".to_owned())
        }
        HolderConfidence::Nobody => {
            (Deed::Quarantine, "nobody is known to have held the name when it was taken".to_owned())
        }
        HolderConfidence::Unknown => {
            (Deed::Quarantine, "nothing is known of the name at the time it was taken".to_owned())
        }
    };
    let candidates = if piece.owner.is_none() { piece.candidates.clone() } else { BTreeSet::new() };
    Segment {
        object: piece.owner,
        confidence: piece.confidence,
        settled: piece.settled,
        candidates,
        mailbox,
        snapshots: vec![piece.snapshot.clone()],
        deed,
        why,
    }
}

/// Everyone else whose data the kept snapshots hold or may hold, in order of appearance.
fn others(owner: Option<ObjectId>, pieces: &[Piece]) -> Vec<ObjectId> {
    let mut others: Vec<ObjectId> = Vec::new();
    for piece in pieces.iter().filter(|piece| !piece.expired) {
        for object in piece.owner.into_iter().chain(piece.candidates.iter().copied()) {
            if Some(object) != owner && !others.contains(&object) {
                others.push(object);
            }
        }
    }
    others
}

fn next_of_owner(
    chain: &ChainId,
    owner: ObjectId,
    can_go_on: bool,
    segments: &[Segment],
    people: &BTreeMap<ObjectId, Person>,
) -> Next {
    let stop =
        Next { object: owner, action: NextAction::Stop, chain: Some(chain.clone()), base: None, safe_base: None };
    if !goes_on(people.get(&owner)) {
        return stop;
    }
    match base(segments).filter(|_| can_go_on) {
        Some(base) => {
            let safe_base = safe_base(segments).filter(|safe| *safe != base);
            Next { action: NextAction::Incremental, base: Some(base.clone()), safe_base: safe_base.cloned(), ..stop }
        }
        // Without a snapshot that is certainly the owner's there is nothing to build on.
        None => Next { action: NextAction::Full, chain: None, ..stop },
    }
}

fn next_of_other(object: ObjectId, people: &BTreeMap<ObjectId, Person>) -> Next {
    let person = people.get(&object);
    let own = person.and_then(|person| person.chain.clone());
    let (action, chain, base) = match (goes_on(person), own) {
        (false, own) => (NextAction::Stop, own.map(|(chain, _)| chain), None),
        (true, Some((chain, base))) => (NextAction::Incremental, Some(chain), Some(base)),
        (true, None) => (NextAction::Full, None, None),
    };
    Next { object, action, chain, base, safe_base: None }
}

/// Whether somebody's data is backed up at all, and nothing has to be read before that is known. A plan orders no backup that a
/// verdict refuses: of whom the mapping leaves out, or while a guard holds what would change them.
fn goes_on(person: Option<&Person>) -> bool {
    lives(person) && person.is_some_and(|person| !matches!(person.verdict, Outcome::Frozen | Outcome::Refresh))
}

fn lives(person: Option<&Person>) -> bool {
    person.is_some_and(|person| person.life == Some(State::Active) && person.has_mailbox)
}

fn is_sound(segment: &Segment) -> bool {
    segment.deed == Deed::Keep && segment.confidence == HolderConfidence::Certain
}

/// The last snapshot that is kept and certainly holds the owner's data. Where the chain can go on, that is, where the
/// owner's snapshots tell one mailbox at most, it is the one on which a verdict lets an incremental build.
fn base(segments: &[Segment]) -> Option<&SnapshotId> {
    segments.iter().rev().find(|segment| is_sound(segment))?.snapshots.last()
}

/// The same, among those before anything is set aside.
fn safe_base(segments: &[Segment]) -> Option<&SnapshotId> {
    segments
        .iter()
        .take_while(|segment| segment.deed == Deed::Keep)
        .filter(|segment| is_sound(segment))
        .last()?
        .snapshots
        .last()
}

fn reasons(
    chain: &ChainId,
    bound: Option<ObjectId>,
    pieces: &[Piece],
    plan: &Plan,
    people: &BTreeMap<ObjectId, Person>,
) -> Vec<String> {
    let mut reasons = Vec::new();
    let expired = pieces.iter().filter(|piece| piece.expired).count();
    match (bound, plan.owner) {
        _ if pieces.is_empty() => reasons.push(format!("chain {chain} has no snapshots")),
        (Some(owner), _) => {
            reasons.push(format!("chain {chain} belongs to object {owner}, whose data its first certain snapshot holds"));
        }
        (None, Some(owner)) => reasons.push(format!(
            "no snapshot of chain {chain} proves whose it is; object {owner} is the first that it is taken to be of, and no \
             incremental goes on in it"
        )),
        (None, None) => reasons.push(format!("no snapshot of chain {chain} tells whose it is")),
    }
    if !plan.needed {
        reasons.push("it is not mixed: nothing is to be done".to_owned());
    }
    if expired > 0 {
        let verb = if expired == 1 { "needs" } else { "need" };
        reasons.push(format!("{} {verb} nothing", counted(expired, "expired snapshot")));
    }
    for deed in [Deed::Quarantine, Deed::Relabel] {
        let of_it = || plan.segments.iter().filter(move |segment| segment.deed == deed);
        let count: usize = of_it().map(|segment| segment.snapshots.len()).sum();
        if count > 0 {
            let counted = counted(count, "snapshot");
            reasons.push(match deed {
                Deed::Relabel => {
                    format!("to a new chain: {counted}; the first is whole there only if it was a full")
                }
                _ => format!("to be set aside: {counted}; nothing is restored from there unseen or built on it"),
            });
        }
    }
    let foreign = |segment: &&Segment| {
        segment.deed == Deed::Quarantine && segment.object.is_some() && segment.object != plan.owner
    };
    if plan.segments.iter().any(|segment| foreign(&segment)) {
        reasons.push(
            "another person's snapshots are not moved to that person's chain: they may be increments on this owner's data"
                .to_owned(),
        );
    }
    if plan.segments.iter().any(|segment| segment.deed == Deed::Quarantine && !segment.settled) {
        reasons.push("some of it is provisional: sync, and ask for the plan again".to_owned());
    }
    let is_halted = |next: &&Next| lives(people.get(&next.object)) && !goes_on(people.get(&next.object));
    reasons.extend(plan.next.iter().filter(is_halted).filter_map(|next| people.get(&next.object)).map(reason_of_halt));
    let own = plan.next.first().filter(|next| Some(next.object) == plan.owner && !is_halted(next));
    if let Some(next) = own {
        reasons.extend(reason_of_next(next, plan, has_several_mailboxes(plan.owner, pieces)));
    }
    reasons
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Why somebody who lives is not backed up for now.
fn reason_of_halt(person: &Person) -> String {
    let why = &person.why;
    match person.verdict {
        Outcome::Refresh => format!("{why}: sync, and ask first (`check`), before anything more is backed up of it"),
        _ => why.clone(),
    }
}

fn reason_of_next(next: &Next, plan: &Plan, is_split: bool) -> Option<String> {
    let object = next.object;
    match (next.action, &next.base, &next.safe_base) {
        (NextAction::Incremental, Some(base), Some(safe)) => Some(format!(
            "snapshot {base} was read from object {object}, but after others were set aside; if it is an increment on one of \
             them, and not on {safe} and not a full, then build on {safe} instead (the ledger is not told what a snapshot \
             was built on; `check` says {base} too)"
        )),
        (NextAction::Incremental, Some(base), None) if plan.needed && is_set_aside_before(base, &plan.segments) => {
            Some(format!(
                "snapshot {base} was read from object {object}, but after others were set aside; if it is an increment on one of \
             them, start a new chain with a full instead"
            ))
        }
        (NextAction::Incremental, Some(base), _) if plan.needed => {
            Some(format!("the next incremental of this chain must build on snapshot {base}"))
        }
        (NextAction::Full, ..) if is_split => Some(format!(
            "the mailbox of object {object} was replaced, and nothing goes on over that: it needs a full in a new chain"
        )),
        (NextAction::Full, ..) => {
            Some(format!("no kept snapshot is certainly of object {object}, so it needs a full in a new chain"))
        }
        (NextAction::Stop, ..) => Some(format!(
            "object {object} is not live in the directory or has no mailbox: keep the chain, take nothing"
        )),
        _ => None,
    }
}

/// Whether something is set aside earlier in the chain than this snapshot.
fn is_set_aside_before(snapshot: &SnapshotId, segments: &[Segment]) -> bool {
    let before = segments.iter().take_while(|segment| !segment.snapshots.contains(snapshot));
    before.into_iter().any(|segment| segment.deed == Deed::Quarantine)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn object(letter: char) -> ObjectId {
        ObjectId::from_bytes([letter as u8; 16])
    }

    fn chain(text: &str) -> ChainId {
        text.parse().unwrap()
    }

    fn id(text: &str) -> SnapshotId {
        text.parse().unwrap()
    }

    /// A snapshot in a few letters: `A` certainly A's, `a` assumed A's, `AB?` one of both, `0` nobody's, `?` unknown,
    /// `AB!` read from two people; then `.1` for a mailbox, `~` for provisional, `-` for expired.
    fn piece(place: usize, text: &str) -> Piece {
        let expired = text.contains('-');
        let settled = !text.contains('~');
        let text = text.replace(['-', '~'], "");
        let (who, mailbox) = text.split_once('.').unwrap_or((&text, ""));
        let letters: Vec<char> = who.chars().filter(|c| c.is_alphabetic()).collect();
        let candidates: BTreeSet<ObjectId> = letters.iter().map(|c| object(c.to_ascii_uppercase())).collect();
        let confidence = match who {
            "0" => HolderConfidence::Nobody,
            "?" => HolderConfidence::Unknown,
            _ if who.ends_with(['?', '!']) => HolderConfidence::Ambiguous,
            _ if letters[0].is_lowercase() => HolderConfidence::Assumed,
            _ => HolderConfidence::Certain,
        };
        let is_one = matches!(confidence, HolderConfidence::Certain | HolderConfidence::Assumed);
        Piece {
            snapshot: id(&(place + 1).to_string()),
            owner: candidates.first().copied().filter(|_| is_one),
            confidence,
            settled,
            candidates,
            mailboxes: mailbox.bytes().map(|byte| MailboxId::from_bytes([byte; 16])).collect(),
            two_people: who.ends_with('!'),
            expired,
        }
    }

    fn pieces(text: &str) -> Vec<Piece> {
        text.split_whitespace().enumerate().map(|(place, text)| piece(place, text)).collect()
    }

    fn live(own: Option<(&str, &str)>) -> Person {
        let chain = own.map(|(own, base)| (chain(own), id(base)));
        Person { life: Some(State::Active), has_mailbox: true, chain, verdict: Outcome::Continue, why: String::new() }
    }

    /// Somebody who lives, and of whom a verdict lets nothing be backed up.
    fn halted(verdict: Outcome, why: &str, own: Option<(&str, &str)>) -> Person {
        Person { verdict, why: why.to_owned(), ..live(own) }
    }

    fn everyone() -> BTreeMap<ObjectId, Person> {
        BTreeMap::from([
            (object('A'), live(None)),
            (object('B'), live(None)),
            (object('C'), live(Some(("cC", "7")))),
            (object('D'), Person { life: Some(State::Purged), verdict: Outcome::Frozen, ..live(Some(("cD", "3"))) }),
            (object('G'), Person { has_mailbox: false, verdict: Outcome::Frozen, ..live(None) }),
            (object('F'), halted(Outcome::Frozen, "F is out of the mapping's scope", None)),
            (object('H'), halted(Outcome::Refresh, "a guard holds H", Some(("cH", "7")))),
        ])
    }

    fn planned(text: &str) -> Plan {
        plan(&chain("cA"), &pieces(text), &everyone())
    }

    /// `keep 1 2; quarantine 3`.
    fn deeds(plan: &Plan) -> String {
        let said = plan.segments.iter().map(|segment| {
            let ids: Vec<&str> = segment.snapshots.iter().map(SnapshotId::as_str).collect();
            format!("{} {}", format!("{:?}", segment.deed).to_lowercase(), ids.join(" "))
        });
        said.collect::<Vec<_>>().join("; ")
    }

    /// `A incremental cA 2; B full`.
    fn nexts(plan: &Plan) -> String {
        let said = plan.next.iter().map(|next| {
            let who = char::from(next.object.as_bytes()[0]);
            let mut text = format!("{who} {}", format!("{:?}", next.action).to_lowercase());
            for part in [next.chain.as_ref().map(ChainId::as_str), next.base.as_ref().map(SnapshotId::as_str)] {
                text.extend(part.map(|part| format!(" {part}")));
            }
            text.extend(next.safe_base.as_ref().map(|safe| format!(" or {safe}")));
            text
        });
        said.collect::<Vec<_>>().join("; ")
    }

    #[rstest]
    #[case::clean("A A A", "keep 1 2 3", "A incremental cA 3")]
    #[case::damage_at_the_end("A A B", "keep 1 2; quarantine 3", "A incremental cA 2; B full")]
    #[case::damage_in_the_middle("A A B A", "keep 1 2; quarantine 3; keep 4", "A incremental cA 4 or 2; B full")]
    #[case::the_other_has_a_chain("A C", "keep 1; quarantine 2", "A incremental cA 1; C incremental cC 7")]
    #[case::the_other_is_gone("A D", "keep 1; quarantine 2", "A incremental cA 1; D stop cD")]
    #[case::the_other_is_a_group("A G", "keep 1; quarantine 2", "A incremental cA 1; G stop")]
    #[case::the_other_is_out_of_scope("A F", "keep 1; quarantine 2", "A incremental cA 1; F stop")]
    #[case::the_other_must_be_asked_for("A H", "keep 1; quarantine 2", "A incremental cA 1; H stop cH")]
    #[case::the_owner_is_out_of_scope("F B", "keep 1; quarantine 2", "F stop cA; B full")]
    #[case::the_owner_must_be_asked_for("H H", "keep 1 2", "H stop cA")]
    #[case::the_owner_is_gone("D D", "keep 1 2", "D stop cA")]
    #[case::the_owner_is_gone_and_it_is_mixed("D B", "keep 1; quarantine 2", "D stop cA; B full")]
    #[case::ambiguous("A AB? A", "keep 1; quarantine 2; keep 3", "A incremental cA 3 or 1; B full")]
    #[case::ambiguous_with_nobody_else("A A? A", "keep 1; quarantine 2; keep 3", "A incremental cA 3 or 1")]
    #[case::nobody_and_unknown("A 0 ?", "keep 1; quarantine 2; quarantine 3", "A incremental cA 1")]
    #[case::assumed_is_kept_but_not_built_on("A a", "keep 1; keep 2", "A incremental cA 1")]
    #[case::all_assumed("a a", "keep 1 2", "A full")]
    #[case::assumed_owners_differ("a b", "keep 1; quarantine 2", "A full; B full")]
    #[case::an_assumed_other("A b", "keep 1; quarantine 2", "A incremental cA 1; B full")]
    #[case::nothing_tells("AB? ?", "quarantine 1; quarantine 2", "A full; B full")]
    #[case::early_snapshots_are_another_s("b A", "quarantine 1; keep 2", "A incremental cA 2; B full")]
    #[case::two_people("A AB!", "keep 1; quarantine 2", "A incremental cA 1; B full")]
    #[case::two_mailboxes("A.1 A A.2 A", "keep 1 2; relabel 3 4", "A full")]
    #[case::the_first_mailbox_again("A.1 A.2 A.1", "keep 1; relabel 2; keep 3", "A full")]
    #[case::two_mailboxes_in_one("A.1 A.12", "keep 1; quarantine 2", "A full")]
    #[case::mailbox_learnt_late("A A.1 A", "keep 1 2 3", "A incremental cA 3")]
    #[case::expired_damage("A B- A", "keep 1 3", "A incremental cA 3")]
    #[case::an_expired_first_still_owns_the_chain("A- B", "quarantine 2", "A full; B full")]
    #[case::all_expired("A- A-", "", "A full")]
    #[case::empty("", "", "")]
    fn a_plan(#[case] chain: &str, #[case] expected: &str, #[case] next: &str) {
        let plan = planned(chain);
        assert_eq!((deeds(&plan).as_str(), nexts(&plan).as_str()), (expected, next), "{plan:#?}");
        assert_eq!(plan.needed, expected.contains("quarantine") || expected.contains("relabel"));
    }

    #[rstest]
    #[case("A A", "nothing is to be done")]
    #[case("A B", "must build on snapshot 1")]
    #[case("A B", "not moved to that person's chain")]
    #[case("A B A", "then build on 1 instead")]
    #[case("b A", "start a new chain with a full instead")]
    #[case("A B-", "1 expired snapshot needs nothing")]
    #[case("A AB?~", "provisional")]
    #[case("A.1 A.2", "was replaced")]
    #[case("A.1 A.2-", "was replaced")]
    #[case("a", "no incremental goes on in it")]
    #[case("D", "is not live in the directory")]
    #[case("A F", "out of the mapping's scope")]
    #[case("F", "out of the mapping's scope")]
    #[case("A H", "a guard holds H: sync, and ask first")]
    #[case("H", "a guard holds H: sync, and ask first")]
    #[case("", "has no snapshots")]
    fn a_plan_says_why(#[case] chain: &str, #[case] words: &str) {
        let plan = planned(chain);
        assert!(plan.reasons.iter().any(|reason| reason.contains(words)), "{:#?}", plan.reasons);
    }

    #[test]
    fn each_segment_says_why_and_who_it_may_be() {
        let plan = planned("A AB! BC?");
        assert!(plan.segments[1].why.contains("name two people"), "{plan:#?}");
        assert_eq!(plan.segments[2].candidates, BTreeSet::from([object('B'), object('C')]));
        assert!(plan.segments[0].candidates.is_empty());
    }

    fn some_piece() -> impl Strategy<Value = String> {
        let who =
            prop::sample::select(vec!["A", "A", "A", "B", "C", "D", "F", "H", "a", "b", "AB?", "A?", "0", "?", "AB!"]);
        let mailbox = prop::sample::select(vec!["", "", ".1", ".2", ".12"]);
        let more = prop::sample::select(vec!["", "", "-", "~"]);
        (who, mailbox, more).prop_map(|(who, mailbox, more)| format!("{who}{mailbox}{more}"))
    }

    proptest! {
        #[test]
        fn every_snapshot_that_is_kept_has_one_place_and_nothing_is_built_on_what_is_not_the_owner_s(
            text in prop::collection::vec(some_piece(), 0..12),
        ) {
            let pieces = pieces(&text.join(" "));
            let plan = plan(&chain("cA"), &pieces, &everyone());
            let placed: Vec<&SnapshotId> = plan.segments.iter().flat_map(|segment| &segment.snapshots).collect();
            let kept: Vec<&SnapshotId> = pieces.iter().filter(|p| !p.expired).map(|p| &p.snapshot).collect();
            prop_assert_eq!(placed, kept, "each once, in order");

            let find = |id: &SnapshotId| pieces.iter().find(|piece| piece.snapshot == *id).unwrap();
            for segment in plan.segments.iter().filter(|segment| segment.deed != Deed::Quarantine) {
                for piece in segment.snapshots.iter().map(find) {
                    prop_assert!(piece.owner.is_some() && piece.owner == plan.owner && !piece.two_people);
                }
            }
            for next in plan.next.iter().filter(|next| next.chain == Some(chain("cA"))) {
                for base in next.base.iter().chain(&next.safe_base) {
                    let piece = find(base);
                    prop_assert_eq!((piece.owner, piece.confidence), (Some(next.object), HolderConfidence::Certain));
                    let sound = plan.segments.iter().any(|s| s.deed == Deed::Keep && s.snapshots.contains(base));
                    prop_assert!(sound && !piece.expired);
                }
            }
            let mut named: Vec<ObjectId> = plan.next.iter().map(|next| next.object).collect();
            named.sort();
            let count = named.len();
            named.dedup();
            prop_assert_eq!(count, named.len(), "one line a person");
            prop_assert!(!plan.reasons.is_empty());
        }
    }
}
