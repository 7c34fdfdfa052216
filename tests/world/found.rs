//! Wrong answers that the simulator found, each as small as it goes.

use std::time::Duration;

use whowas::domain::coverage::Coverage;
use whowas::domain::fact::{
    Fact, Feed, Horizon, Known, Life, Lifecycle, Profile, Reading, Removal, Removed, Seen, Source,
};
use whowas::domain::id::Sequence;
use whowas::domain::interval::Interval;
use whowas::domain::time::Instant;
use whowas::domain::timeline::{Role, State, Timeline};
use whowas::domain::track::Confidence;

use super::world::truth::{MINUTE, instant, key, name, person};

const LAG: Duration = Duration::from_secs(300);

fn at(minute: i64) -> Instant {
    instant(minute * MINUTE)
}

fn reading(minute: i64, source: Source, unchanged_since: Option<i64>) -> Reading {
    Reading { at: at(minute), lag: LAG, source, unchanged_since: unchanged_since.map(at) }
}

fn seen(reading: Reading) -> Fact {
    let profile = Profile { upn: Some(name(0, 0).clone()), ..Profile::default() };
    Fact::Seen(Seen { object: person(0), reading, profile })
}

fn gone(reading: Reading, removal: Removal) -> Fact {
    Fact::Removed(Removed { object: person(0), reading, removal, deleted: None, last_upn: None })
}

fn horizon(from: i64, through: i64) -> Horizon {
    Horizon { feed: Feed::Delta, from: at(from), through: at(through) }
}

fn timeline(facts: &[Fact], horizons: &[Horizon]) -> Timeline {
    let known = |fact: &Fact| Known { sequence: Sequence(1), fact: fact.clone() };
    Timeline::of(person(0), facts.iter().map(known).collect(), &Coverage::of(horizons))
}

fn held(timeline: &Timeline, minute: i64) -> Confidence {
    timeline.track(Role::Upn, key(0)).unwrap().confidence(Interval::closed(at(minute), at(minute)).unwrap())
}

/// A user is created, read live for an ask, and deleted, all between two rounds. The feed never mentions it.
#[test]
fn the_silence_of_the_feed_proves_nothing_of_a_user_that_it_never_showed() {
    let rounds = [horizon(0, 0), horizon(0, 60), horizon(60, 120)];
    let facts = [seen(reading(70, Source::Live, None))];
    assert_ne!(held(&timeline(&facts, &rounds), 100), Confidence::Certain);
    let followed = [seen(reading(5, Source::Delta, None)), facts[0].clone()];
    assert_eq!(held(&timeline(&followed, &rounds), 100), Confidence::Certain);
}

/// The feed says deleted. A restore goes unannounced, a reconcile sees the user, and a second deletion changes nothing that
/// the feed has told.
#[test]
fn the_silence_of_the_feed_proves_nothing_of_a_user_that_it_last_showed_as_gone() {
    let rounds = [horizon(0, 0), horizon(0, 60), horizon(60, 240)];
    let facts = [
        seen(reading(5, Source::Delta, None)),
        gone(reading(65, Source::Delta, Some(0)), Removal::Soft),
        seen(reading(90, Source::Reconcile, None)),
    ];
    assert_ne!(held(&timeline(&facts, &rounds), 200), Confidence::Certain);
}

/// Neither live nor in the bin: restored between the two reads. The reconcile takes it for purged.
#[test]
fn a_purge_that_a_reconcile_infers_does_not_rule_out_a_return() {
    let purged = gone(reading(60, Source::Reconcile, None), Removal::Purged);
    let facts = [seen(reading(5, Source::Delta, None)), purged];
    let before = timeline(&facts, &[]);
    assert_eq!(before.state(), State::Purged);
    assert_ne!(held(&before, 90), Confidence::Impossible);
    let told = gone(reading(60, Source::Delta, Some(0)), Removal::Purged);
    assert_eq!(held(&timeline(&[told, seen(reading(5, Source::Delta, None))], &[]), 90), Confidence::Impossible);
}

/// The feed is started anew within its own lag. The user was deleted before that, is in the bin, comes back without a word,
/// is read live, and goes again: the new feed has never shown the user. (World 4705.)
#[test]
fn a_report_of_the_feed_before_this_one_does_not_make_this_one_follow_the_user() {
    let rounds = [horizon(0, 0), horizon(2, 2), horizon(2, 240)];
    let report = seen(reading(5, Source::Delta, None));
    let live = seen(reading(60, Source::Live, None));
    assert_ne!(held(&timeline(&[report, live.clone()], &rounds), 200), Confidence::Certain);
    let followed = seen(reading(7, Source::Delta, None));
    assert_eq!(held(&timeline(&[followed, live], &rounds), 200), Confidence::Certain);
}

/// Found in the bin by a reconcile, restored without a word, and read live: what the feed does not say proves nothing any more.
#[test]
fn the_silence_of_the_feed_proves_nothing_of_a_user_whom_another_source_found_gone() {
    let rounds = [horizon(0, 0), horizon(0, 240)];
    let (report, live) = (seen(reading(5, Source::Delta, None)), seen(reading(60, Source::Live, None)));
    let found = gone(reading(30, Source::Reconcile, None), Removal::Soft);
    assert_ne!(held(&timeline(&[report.clone(), found, live.clone()], &rounds), 200), Confidence::Certain);
    let imported = gone(reading(30, Source::Import, None), Removal::Soft);
    assert_eq!(held(&timeline(&[report, imported, live], &rounds), 200), Confidence::Certain);
}

/// The audit log alone tells of a deletion; a restore went unannounced before the live read.
#[test]
fn the_silence_of_the_feed_proves_nothing_of_a_user_whom_the_audit_log_says_deleted() {
    let rounds = [horizon(0, 0), horizon(0, 240)];
    let (report, live) = (seen(reading(5, Source::Delta, None)), seen(reading(60, Source::Live, None)));
    for life in [Life::Deleted, Life::Purged, Life::Restored] {
        let event = "event".parse().unwrap();
        let said = Fact::Lifecycle(Lifecycle { object: person(0), at: at(30), life, upn: None, event });
        let found = timeline(&[report.clone(), said, live.clone()], &rounds);
        assert_eq!(held(&found, 200) == Confidence::Certain, life == Life::Restored, "{life:?}");
    }
}

/// A report may show its object as it was before a deletion within the report's own lag. The object comes back without a
/// word, so the feed has nothing more to tell.
#[test]
fn the_silence_of_the_feed_proves_nothing_after_a_report_that_a_loss_may_have_followed() {
    let rounds = [horizon(0, 0), horizon(0, 240)];
    let report = seen(reading(30, Source::Delta, Some(20)));
    let deleted = |minute| {
        let (object, at, life) = (person(0), at(minute), Life::Deleted);
        Lifecycle { object, at, life, upn: None, event: "event".to_owned() }
    };
    for (minute, is_followed) in [(24, true), (25, false), (28, false), (30, false)] {
        let lost = Fact::Lifecycle(deleted(minute));
        let found = timeline(&[report.clone(), lost], &rounds);
        assert_eq!(held(&found, 200) == Confidence::Certain, is_followed, "{minute}");
    }
    let found_gone = gone(reading(27, Source::Reconcile, None), Removal::Soft);
    assert_ne!(held(&timeline(&[report, found_gone], &rounds), 200), Confidence::Certain);
}

/// The log is read whole from just after what the feed proves: something may have happened in between.
#[test]
fn a_log_that_begins_just_after_a_proof_does_not_continue_it() {
    let report = seen(reading(5, Source::Delta, None));
    let audited = |from| Horizon { feed: Feed::Audit, from, through: at(240) };
    let found = |log| held(&timeline(std::slice::from_ref(&report), &[horizon(0, 60), log]), 100);
    assert_eq!(found(audited(at(60))), Confidence::Certain);
    assert_ne!(found(audited(at(60).succ())), Confidence::Certain);
}
