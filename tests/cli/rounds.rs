//! Rounds that a run left in their middle, as a kill does too, and where the next run goes on.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use whowas::domain::fact::{Fact, Source};
use whowas::domain::guard::{Guard, Limits};
use whowas::domain::id::{ObjectId, Sequence, TenantId};
use whowas::graph::emulator::{EmulatorOptions, NewUser, Quirk, QuirkName};
use whowas::ledger::KnownAt;
use whowas::store::{Link, Outcome, Run, Trigger};
use whowas::sync::{self, Context, Progress, Stop, SyncError, Wanted};

use super::world::World;

/// How far the feed may trail behind the directory.
const LAG: Duration = Duration::from_secs(300);
/// So many users are renamed between the first round and the one that is left: six pages of two.
const RENAMED: usize = 12;

/// Where the next run begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begins {
    /// At the page that was to come.
    ThatPage,
    /// With the delta link with which the round had begun.
    ThatRound,
    /// With an enumeration.
    Anew,
}

/// The library's way, that keeps no more than the facts of a page in memory: so a later round is committed in parts.
fn sparing(w: &World) -> Context {
    let limits = Limits { renames: RENAMED as u64, percent: 100, ..Limits::default() };
    Context { guard: Guard { limits, staged_max: 3, ..Guard::default() }, ..w.context() }
}

fn tenant() -> TenantId {
    EmulatorOptions::TENANT.to_string().parse().unwrap()
}

/// A sync that is stopped once it has read so many pages.
fn sync_until(context: &Context, full: bool, pages: u64) -> Result<Run, SyncError> {
    let (runtime, stop) = (tokio::runtime::Runtime::new().unwrap(), Stop::default());
    let wanted = Wanted { full, reconcile: false, trigger: Trigger::Schedule };
    runtime.block_on(sync::run(context, wanted, &stop, &|progress| {
        if progress.pages >= pages {
            stop.ask();
        }
    }))
}

/// A sync whose process dies when it has told of its progress so many times. Whether it died.
fn sync_that_dies(context: &Context, wanted: Wanted, after: u64) -> bool {
    let told = AtomicU64::new(0);
    let tell = |_: Progress| assert!(told.fetch_add(1, Ordering::Relaxed) < after, "the process is made to die");
    let run = || tokio::runtime::Runtime::new().unwrap().block_on(sync::run(context, wanted, &Stop::default(), &tell));
    catch_unwind(AssertUnwindSafe(run)).is_err_and(|_| told.load(Ordering::Relaxed) > after)
}

/// What the feed was asked for since so many requests.
fn asked(w: &World, since: usize) -> Vec<String> {
    let targets = w.requests().split_off(since).into_iter().map(|request| request.target);
    targets.filter(|target| target.contains("/users/") && target.contains("delta")).collect()
}

fn two_on_a_page(users: usize) -> (World, Vec<ObjectId>) {
    paged(2, users)
}

fn paged(page: usize, users: usize) -> (World, Vec<ObjectId>) {
    let mut w = World::paged(page);
    let create = |n: usize| w.directory(|directory| directory.create_user(NewUser::mailbox(&format!("u{n}@x.test"))));
    let all = (0..users).map(|n| create(n).unwrap()).collect();
    w.at("00:00");
    (w, all)
}

/// The widest reading of the feed that shows this object.
fn widest(context: &Context, object: ObjectId) -> Duration {
    let view = context.ledger.view(tenant(), KnownAt::Now).unwrap();
    let readings = view.facts(object).unwrap().into_iter().filter_map(|known| match known.fact {
        Fact::Seen(seen) if seen.reading.source == Source::Delta => Some(seen.reading.lag),
        _ => None,
    });
    readings.max().unwrap()
}

/// A round is left at 10:00 between the commits of two of its pages. The page after them shows the directory as it was then,
/// whenever it is read, so it is dated as wide as the round is old.
#[test]
fn a_round_that_began_long_ago_is_begun_anew_and_a_young_one_gone_on_with() {
    for (full, again, begins) in [
        (false, "10:14", Begins::ThatPage),
        (false, "10:16", Begins::ThatRound),
        (false, "18:00", Begins::ThatRound),
        (true, "10:14", Begins::ThatPage),
        (true, "10:16", Begins::Anew),
    ] {
        let (mut w, all) = two_on_a_page(RENAMED);
        w.poll();
        w.at("08:00");
        for (n, user) in all.iter().enumerate() {
            w.rename(*user, &format!("r{n}"));
        }
        w.at("10:00");
        let context = sparing(&w);
        let before = w.requests().len();
        // Six pages to look at all of it, and three of the reading by which it is applied.
        let left = sync_until(&context, full, 9);
        assert!(matches!(left, Err(SyncError::Stopped)), "{left:?}");
        let cursor = context.ledger.head(tenant()).unwrap().state.cursor.unwrap();
        assert!(matches!(cursor.link, Link::Next { .. }), "{full} {again}: the round is in its middle: {cursor:?}");
        let began = asked(&w, before)[0].clone();
        drop(context);

        w.at(again);
        let context = sparing(&w);
        let before = w.requests().len();
        let run = sync_until(&context, false, u64::MAX).unwrap();
        assert_eq!(run.outcome, Outcome::Completed, "{run:?}");
        let first = &asked(&w, before)[0];
        let found = match first {
            page if page.contains("skiptoken") => Begins::ThatPage,
            link if *link == began && link.contains("deltatoken") => Begins::ThatRound,
            link if !link.contains("token") => Begins::Anew,
            other => panic!("{other}"),
        };
        assert_eq!(found, begins, "full: {full}, at {again}");
        let waited = if begins == Begins::ThatPage { Duration::from_secs(14 * 60) } else { Duration::ZERO };
        assert_eq!(widest(&context, all[RENAMED - 1]), LAG + waited, "full: {full}, at {again}");
        drop(context);
        for (n, user) in all.iter().enumerate() {
            w.ask(&["--object", &user.to_string()]).baseline().has("names.upn", format!("r{n}@x.test").into());
        }
        w.verify();
    }
}

/// Half of a large directory may have left while nobody looked: what became of them is more than one commit takes. A run that dies between
/// two of them leaves nothing undone, and takes no proof from what was known before, however few pages the round has.
#[test]
fn many_who_left_at_once_are_committed_in_parts_and_a_run_that_dies_between_two_is_gone_on_with() {
    const GONE: usize = 12;
    const ALL: usize = 16;
    for (reconcile, page) in [(false, 2), (true, 2), (false, ALL)] {
        let wanted = Wanted { full: !reconcile, reconcile, trigger: Trigger::Schedule };
        let mut deaths = 0;
        for dies_after in (2..).step_by(5) {
            let case = format!("reconcile: {reconcile}, {page} on a page, dies after {dies_after}");
            let (mut w, all) = paged(page, ALL);
            w.poll();
            w.at("01:00");
            for n in 0..ALL {
                w.snapshot_by_name(&format!("c{n}"), "s", &format!("u{n}"));
            }
            w.at("02:00");
            w.poll();
            w.at("08:00");
            w.quirk(QuirkName::DeletionsUnannounced);
            for (n, user) in all[..GONE].iter().enumerate() {
                w.delete(*user);
                if n % 2 == 0 {
                    w.purge(*user);
                }
            }
            w.at("10:00");
            let commits = |w: &World| w.context().ledger.head(tenant()).unwrap().sequence;
            let before = commits(&w);
            let died = sync_that_dies(&sparing(&w), wanted, dies_after);
            if died {
                deaths += 1;
                // Nobody has to ask for all of it again once anything of it is committed.
                let again = Wanted { full: wanted.full && commits(&w) == before, ..wanted };
                assert!(!sync_that_dies(&sparing(&w), again, u64::MAX));
            }
            come_in_parts(&sparing(&w), page);
            for (n, user) in all.iter().enumerate() {
                let state = w.history(&user.to_string())["state"].clone();
                let right = match n {
                    GONE.. => "active",
                    n if n % 2 == 1 => "soft_deleted",
                    _ => "unknown",
                };
                assert_eq!(state, right, "{case}: user {n}");
                let snapshot = w.run(&["snapshot", "list", "--chain", &format!("c{n}")]).done()["items"][0].clone();
                assert_eq!(snapshot["attribution"]["confidence"], "certain", "{case}: user {n}: {snapshot}");
            }
            w.verify();
            if !died {
                break;
            }
        }
        assert!(deaths >= 2, "{deaths}");
    }
}

/// No commit has more than a page or a part. The listing of those in the recycle bin, six of them, is one page.
fn come_in_parts(context: &Context, page: usize) {
    let journal = context.ledger.store().journal(tenant(), Sequence(1), 1_000).unwrap();
    let sizes = journal.iter().map(|entry| entry.commit.facts.iter().filter(|fact| fact.object().is_some()).count());
    assert!(sizes.clone().all(|facts| facts <= page.max(6)), "{:?}", sizes.collect::<Vec<_>>());
}

/// Before the first enumeration is at its end nothing else is read, and if it were begun anew a large one that is struck again and
/// again would never come to an end.
#[test]
fn a_first_enumeration_is_gone_on_with_however_old_it_is() {
    let (mut w, all) = two_on_a_page(6);
    w.quirks([Quirk::new(QuirkName::Forbidden).path("/users/delta").every(2).times(1)]);
    w.run(&["sync"]).ended(1);
    w.at("23:00");
    let context = sparing(&w);
    let before = w.requests().len();
    let run = sync_until(&context, false, u64::MAX).unwrap();
    assert_eq!((run.outcome, run.pages), (Outcome::Completed, 2), "{run:?}");
    assert!(asked(&w, before)[0].contains("skiptoken"), "{:?}", asked(&w, before));
    assert_eq!(widest(&context, all[5]), LAG + Duration::from_secs(23 * 3_600));
    drop(context);
    assert_eq!(w.status()["objects"]["active"], 6);
    w.verify();
}

/// Two reports within the feed's lag leave open which of the two states came last, so the feed proves nothing of the object any more.
/// The next reconcile reads it once, and the feed proves it from there.
#[test]
fn an_object_whose_reports_came_too_soon_after_one_another_is_known_again_by_the_next_reconcile() {
    let mut w = World::new();
    let (ann, _bob) = (w.create("ann"), w.create("bob"));
    w.directory(|directory| directory.create_group("People", Some("people@x.test"))).unwrap();
    w.directory(|directory| directory.create_contact("Carl", "carl@y.test")).unwrap();
    w.at("09:00");
    w.poll();
    for (clock, name) in [("09:30", "ann.lee"), ("09:32", "ann.miller")] {
        w.rename(ann, name);
        w.at(clock);
        w.poll();
    }
    assert_eq!(w.reconcile()["facts"], 0, "the first round has told of the group and the contact");
    w.snapshot("cA", "s1", ann);
    let asked = |w: &World| w.ask(&["--chain", "cA", "--object", &ann.to_string()]);
    w.on_day(9, "09:00");
    w.poll();
    asked(&w).refresh();
    assert_eq!(w.reconcile()["facts"], 1, "one reading, of her");
    asked(&w).continues().of_object(ann);
    for (day, clock) in [(10, "09:00"), (30, "09:00")] {
        w.on_day(day, clock);
        w.poll();
        asked(&w).continues().of_object(ann);
        assert_eq!(w.reconcile()["facts"], 0, "the feed proves her by itself");
    }
    assert_eq!(w.who("ann.miller", "10:00")["holder"], ann.to_string());
    w.verify();
}

/// A page has no order, so a user who is on it both plain and as removed is asked for.
#[test]
fn a_user_who_is_on_one_page_both_plain_and_as_removed_is_asked_for() {
    for restored in [false, true] {
        let mut w = World::new();
        let (ann, bob) = (w.create("ann"), w.create("bob"));
        w.at("09:00");
        w.poll();
        w.snapshot("cA", "1", ann);
        w.quirk(QuirkName::BothWays);
        w.at("10:00");
        w.delete(ann);
        if restored {
            w.at("10:10");
            w.restore(ann, None);
        }
        w.at("11:00");
        let before = w.requests().len();
        w.poll();
        let asked = w.requests().split_off(before);
        assert!(asked.iter().any(|request| request.target.contains("$batch")), "{asked:?}");
        assert!(!asked.iter().any(|request| request.target.contains(&bob.to_string())));
        w.at("11:30");
        w.poll();
        let state = w.history(&ann.to_string())["state"].clone();
        assert_eq!(state, if restored { "active" } else { "soft_deleted" });
        let asked = w.ask(&["--object", &ann.to_string()]);
        if restored {
            asked.continues()
        } else {
            asked.frozen()
        };
        w.verify();
    }
}

/// The reading with which the proof of the audit log begins asks for no more than its round has shown, and the log speaks late. What it
/// tells of the time before is asked for again until it can have nothing more to add.
#[test]
fn what_the_audit_log_tells_late_of_the_time_before_its_first_reading_is_read() {
    let mut w = World::new();
    let ann = w.create("ann");
    w.at("09:00");
    w.poll();
    w.at("09:40");
    w.rename(ann, "ann.lee");
    w.at("10:00");
    w.configure("audits = true\naudit_lag = \"1h\"");
    w.quirks([Quirk::new(QuirkName::AuditLag).seconds(1_800.0)]);
    w.poll();
    let began = |w: &World| {
        let names = w.history(&ann.to_string())["names"].clone();
        let new = names.as_array().unwrap().iter().find(|name| name["name"] == "ann.lee@x.test").unwrap().clone();
        new["from"].clone()
    };
    assert_eq!(began(&w), w.edge("08:55", "10:00:01"), "the log does not tell yet");
    for clock in ["10:30", "11:00"] {
        w.at(clock);
        w.poll();
    }
    assert_eq!(began(&w), w.edge("09:40", "09:40"), "it has told");
    let before = w.requests().len();
    for clock in ["11:30", "12:00"] {
        w.at(clock);
        w.poll();
    }
    let asked = w.requests().split_off(before);
    let asked = asked.iter().filter(|request| request.target.contains("/auditLogs/"));
    assert_eq!(asked.count(), 3, "what lies before the beginning is final once the log's own lag has passed");
    w.verify();
}
