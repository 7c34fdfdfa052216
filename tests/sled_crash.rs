//! What the store on disk survives, and what it refuses: kills, damage, a full disk, a second process.
//!
//! A test that needs another process runs this same binary again, with the job in `WHOWAS_TEST_CHILD`.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "these are tests")]

mod common;
#[path = "common/engine.rs"]
mod opened;

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use whowas::domain::fact::*;
use whowas::domain::id::{ObjectId, Sequence, TenantId};
use whowas::domain::name::{Name, Namespace};
use whowas::domain::time::Instant;
use whowas::store::sled::{RepairHow, RepairOutcome, RepairReport, SledOptions, SledStore, repair};
use whowas::store::{Commit, Derived, Hash, LedgerStore, StoreError, Syncing};

const TENANT: TenantId = TenantId::from_bytes([0x11; 16]);
const PER_COMMIT: u64 = 40;

fn options() -> SledOptions {
    let now = Instant::from_micros(1_700_000_000_000_000);
    SledOptions { create: true, cache_capacity_bytes: 16 << 20, ..SledOptions::new("sync", now) }
}

fn object(sequence: u64, n: u64) -> ObjectId {
    ObjectId::from_bytes((u128::from(sequence) << 64 | u128::from(n)).to_be_bytes())
}

fn name(sequence: u64, n: u64) -> Name {
    format!("Ann{n}.of{sequence}@contoso.example").parse().unwrap()
}

fn seen(sequence: u64, n: u64) -> Fact {
    Fact::Seen(Seen {
        object: object(sequence, n),
        reading: Reading {
            at: Instant::from_micros(i64::try_from(sequence).unwrap()),
            lag: Duration::from_secs(300),
            source: Source::Delta,
            unchanged_since: None,
        },
        profile: Profile { upn: Some(name(sequence, n)), ..Profile::default() },
    })
}

fn facts(sequence: u64) -> Vec<Fact> {
    (0..PER_COMMIT).map(|n| seen(sequence, n)).collect()
}

/// The commit with this number: everything in it follows from the number, so that a reader knows what must be there.
fn append(store: &SledStore, sequence: u64) -> Result<(), StoreError> {
    let recorded = Instant::from_micros(i64::try_from(sequence).unwrap());
    let commit = Commit { recorded, salt: [7; 16], facts: facts(sequence), cursor: None, run: None };
    store.append(TENANT, Sequence(sequence - 1), commit, derived(sequence)).map(|_| ())
}

fn derived(sequence: u64) -> Derived {
    let postings = (0..PER_COMMIT).map(|n| (name(sequence, n).key().clone(), object(sequence, n), Namespace::Upn));
    let objects = facts(sequence).into_iter().map(|fact| (fact.object().unwrap(), vec![fact]));
    Derived { objects: objects.collect(), postings: postings.collect(), ..Derived::default() }
}

/// Every commit up to the head is whole, in the journal and in what is derived; after it there is nothing.
fn check_whole(store: &SledStore) -> u64 {
    let head = store.head(TENANT).unwrap();
    let entries = store.journal(TENANT, Sequence(1), usize::MAX).unwrap();
    assert_eq!(entries.len() as u64, head.sequence.0);
    let mut previous = Hash::default();
    for entry in &entries {
        assert_eq!(entry.previous, previous);
        assert_eq!(entry.commit.facts, facts(entry.sequence.0));
        previous = entry.hash;
    }
    assert_eq!(head.hash, previous);
    for sequence in 1..=head.sequence.0 + 1 {
        let there = usize::from(sequence <= head.sequence.0);
        for n in 0..PER_COMMIT {
            let found = store.object(TENANT, object(sequence, n)).unwrap();
            assert_eq!(found.len(), there, "object {n} of commit {sequence}");
            let holders = store.holders(TENANT, name(sequence, n).key()).unwrap();
            assert_eq!(holders.len(), there, "posting {n} of commit {sequence}");
        }
    }
    head.sequence.0
}

fn filled(commits: u64) -> TempDir {
    let directory = TempDir::new().unwrap();
    let store = SledStore::open(directory.path(), options()).unwrap();
    (1..=commits).for_each(|sequence| append(&store, sequence).unwrap());
    directory
}

fn engine(directory: &Path) -> PathBuf {
    directory.join("engine")
}

/// Not a test of its own: what the other process does.
#[test]
fn child() {
    let Ok(job) = std::env::var("WHOWAS_TEST_CHILD") else { return };
    let directory = std::env::var("WHOWAS_TEST_DIRECTORY").unwrap();
    let store = SledStore::open(directory, options()).unwrap();
    let from = store.head(TENANT).unwrap().sequence.0 + 1;
    let commits = if job == "append" { u64::MAX } else { job.parse().unwrap() };
    println!("\nopen {}", from - 1);
    for sequence in (from..).take(usize::try_from(commits).unwrap()) {
        append(&store, sequence).unwrap();
        println!("acknowledged {sequence}");
    }
    if job == "0" {
        let syncing = Syncing { tenant: TENANT, progress: Some(serde_json::json!({"pages": 3})) };
        store.set_syncing(vec![syncing]).unwrap();
        println!("holding");
        let _ = std::io::stdin().read(&mut [0]);
    }
}

fn child_command(job: &str, directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
    command.env("WHOWAS_TEST_CHILD", job).env("WHOWAS_TEST_DIRECTORY", directory);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn wait_for(child: &mut Child, line: &str) -> BufReader<std::process::ChildStdout> {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut read = String::new();
    while !read.starts_with(line) {
        read.clear();
        assert!(out.read_line(&mut read).unwrap() > 0, "the child ended before it said {line:?}");
    }
    out
}

/// Another ledger's engine may have as many commits as ours.
#[test]
fn an_engine_of_another_ledger_is_told_from_ours() {
    let (ours, mended) = with_engine_of_another(3, 4);
    assert!(mended.contains("commit 3") && mended.contains("--force"), "{mended}");
    let error = SledStore::open(ours.path(), options()).unwrap_err();
    assert!(error.to_string().contains("commit 3") && error.to_string().contains("another in its place"), "{error}");
}

/// It looks like ours with its newest commits cut off, which a repair takes.
#[test]
fn so_is_one_that_ends_before_the_commit_that_was_acknowledged_last() {
    let (ours, mended) = with_engine_of_another(5, 2);
    assert!(mended.contains("commit 1 ") && mended.contains("--force"), "{mended}");
    assert!(SledStore::open(ours.path(), options()).is_err());
}

/// A ledger of so many commits with the engine of another one, and what a repair says of it.
fn with_engine_of_another(commits: u64, theirs_has: u64) -> (TempDir, String) {
    let (ours, theirs) = (filled(commits), TempDir::new().unwrap());
    let store = SledStore::open(theirs.path(), options()).unwrap();
    for sequence in 1..=theirs_has {
        let recorded = Instant::from_micros(i64::try_from(sequence).unwrap());
        let commit = Commit { recorded, salt: [8; 16], facts: facts(sequence), cursor: None, run: None };
        store.append(TENANT, Sequence(sequence - 1), commit, derived(sequence)).unwrap();
    }
    drop(store);
    fs::remove_dir_all(engine(ours.path())).unwrap();
    let copy = copied(theirs.path());
    fs::rename(engine(copy.path()), engine(ours.path())).unwrap();
    let mended = repaired(ours.path(), RepairHow::default()).unwrap_err().to_string();
    assert!(mended.contains("of another ledger"), "{mended}");
    (ours, mended)
}

/// sled takes a half-written snapshot for its newest one and refuses to open, unless it is removed first.
#[test]
fn a_half_written_engine_snapshot_is_survived() {
    let directory = filled(3);
    let engine = engine(directory.path());
    fs::write(engine.join("snap.FFFFFFFFFFFFFFF0.generating"), b"half").unwrap();
    let store = SledStore::open(directory.path(), options()).unwrap();
    assert_eq!(check_whole(&store), 3);
    drop(store);
    fs::write(engine.join("snap.FFFFFFFFFFFFFFF0.generating"), b"half").unwrap();
    assert!(::sled::open(&engine).is_err(), "sled survives this now: the removal can go");
}

#[test]
fn a_second_process_is_refused_and_told_who_holds_the_ledger() {
    let directory = TempDir::new().unwrap();
    let mut child = child_command("0", directory.path()).spawn().unwrap();
    let _out = wait_for(&mut child, "holding");
    let error = SledStore::open(directory.path(), options()).unwrap_err();
    let StoreError::Held { holder, .. } = &error else { panic!("{error}") };
    assert_eq!((holder.pid, holder.tenant), (child.id(), Some(TENANT)));
    let text = error.to_string();
    let said = format!("process {} (`whowas sync`) since 2023-11-14T22:13:20Z, at {{\"pages\":3}}", child.id());
    assert!(text.ends_with(&said), "{text}");

    fs::write(directory.path().join("holder.json"), b"{").unwrap();
    let error = SledStore::open(directory.path(), options()).unwrap_err();
    assert!(matches!(error, StoreError::HeldBySomeone { .. }), "{error}");

    child.kill().unwrap();
    child.wait().unwrap();
    SledStore::open(directory.path(), options()).expect("the dead hold nothing");
}

#[test]
fn within_one_process_too_a_ledger_is_opened_once() {
    let directory = TempDir::new().unwrap();
    let _store = SledStore::open(directory.path(), options()).unwrap();
    assert!(matches!(SledStore::open(directory.path(), options()), Err(StoreError::Held { .. })));
}

#[test]
fn a_newer_format_is_refused_and_left_untouched() {
    let directory = filled(1);
    fs::write(directory.path().join("format"), "3\n").unwrap();
    let error = SledStore::open(directory.path(), options()).unwrap_err();
    assert!(matches!(error, StoreError::NewerFormat { found: 3, known: 2, .. }), "{error}");
    assert_eq!(fs::read_to_string(directory.path().join("format")).unwrap(), "3\n");
    fs::write(directory.path().join("format"), "two").unwrap();
    assert!(matches!(SledStore::open(directory.path(), options()), Err(StoreError::NotALedger { .. })));
}

#[test]
fn a_directory_that_is_no_ledger_is_refused_and_left_untouched() {
    let directory = TempDir::new().unwrap();
    let existing = SledOptions { create: false, ..options() };
    let absent = directory.path().join("absent");
    for (path, options) in [(directory.path(), &existing), (&absent, &existing)] {
        let error = SledStore::open(path, options.clone()).unwrap_err();
        assert!(matches!(error, StoreError::NotALedger { .. }), "{error}");
    }
    assert!(!absent.exists());
    fs::write(directory.path().join("thesis.txt"), "years of work").unwrap();
    assert!(matches!(SledStore::open(directory.path(), options()), Err(StoreError::NotALedger { .. })));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_ledger_that_lost_its_format_file_or_its_engine_is_not_taken_for_an_empty_one() {
    let directory = filled(1);
    fs::remove_file(directory.path().join("format")).unwrap();
    assert!(matches!(SledStore::open(directory.path(), options()), Err(StoreError::NotALedger { .. })));
    let directory = filled(1);
    fs::remove_dir_all(engine(directory.path())).unwrap();
    assert!(matches!(SledStore::open(directory.path(), options()), Err(StoreError::Damaged { .. })));
}

/// sled writes its configuration in two steps and syncs neither.
#[test]
fn an_engine_that_was_only_half_made_is_made_anew_and_one_that_holds_something_is_not() {
    let directory = TempDir::new().unwrap();
    drop(SledStore::open(directory.path(), options()).unwrap());
    fs::remove_file(directory.path().join("format")).unwrap();
    fs::write(engine(directory.path()).join("conf"), "segment_size: 524288\nuse_c").unwrap();
    assert!(::sled::open(engine(directory.path())).is_err(), "sled reads it now: this is not needed any more");
    append(&SledStore::open(directory.path(), options()).unwrap(), 1).unwrap();

    let directory = filled(2);
    fs::remove_file(directory.path().join("format")).unwrap();
    fs::remove_file(directory.path().join("commits")).unwrap();
    fs::write(engine(directory.path()).join("conf"), "segment_size: 524288\nuse_c").unwrap();
    let bytes = fs::read(engine(directory.path()).join("db")).unwrap();
    SledStore::open(directory.path(), options()).unwrap_err();
    assert!(fs::read(engine(directory.path()).join("db")).unwrap() == bytes, "it was touched");
    assert_eq!(repaired(directory.path(), RepairHow::default()).unwrap().commits, 2);
}

#[test]
fn an_interrupted_creation_is_completed() {
    let directory = TempDir::new().unwrap();
    drop(SledStore::open(directory.path(), options()).unwrap());
    fs::remove_file(directory.path().join("format")).unwrap();
    let store = SledStore::open(directory.path(), options()).unwrap();
    append(&store, 1).unwrap();
}

#[test]
fn an_interrupted_rebuild_is_noticed_and_can_be_completed() {
    let directory = filled(2);
    let store = SledStore::open(directory.path(), options()).unwrap();
    store.drop_derived().unwrap();
    drop(store);
    let error = SledStore::open(directory.path(), options()).unwrap_err();
    assert!(error.to_string().contains("run `whowas rebuild`"), "{error}");
    let store = SledStore::open(directory.path(), SledOptions { rebuild: true, ..options() }).unwrap();
    assert!(store.needs_rebuild());
    for entry in store.journal(TENANT, Sequence(1), 9).unwrap() {
        store.restore_derived(TENANT, &entry, derived(entry.sequence.0)).unwrap();
    }
    store.sync().unwrap();
    assert!(!store.needs_rebuild());
    append(&store, 3).unwrap();
    drop(store);
    SledStore::open(directory.path(), options()).unwrap();
}

/// Whoever asks for a rebuild has a ledger that answers, mostly.
#[test]
fn a_rebuild_that_cannot_be_completed_is_not_begun() {
    let directory = filled(3);
    // No opening reads all of the journal.
    tamper(directory.path(), 1, |value| *value.last_mut().unwrap() ^= 0x04);
    let rebuild = SledOptions { rebuild: true, ..options() };
    let refused = |options: SledOptions| {
        let store = SledStore::open(directory.path(), options).unwrap();
        let error = store.drop_derived().unwrap_err();
        assert!(!store.needs_rebuild());
        drop(store);
        // It answers as it did before, and is written.
        let store = SledStore::open(directory.path(), self::options()).unwrap();
        assert_eq!(store.holders(TENANT, name(2, 0).key()).unwrap().len(), 1);
        append(&store, store.head(TENANT).unwrap().sequence.0 + 1).unwrap();
        error
    };
    let error = refused(rebuild.clone());
    assert!(matches!(&error, StoreError::Damaged { what, .. } if what.contains("commit 1 ")), "{error}");
    let error = refused(SledOptions { free_bytes_min: u64::MAX / 2, ..rebuild });
    // What is put back needs room besides.
    assert!(matches!(error, StoreError::DiskFull { needed, .. } if needed > u64::MAX / 2), "{error}");
}

/// Reads everything; says whether all of it was sound. A panic would fail the test.
fn read_all(store: &SledStore) -> Result<u64, StoreError> {
    let head = store.head(TENANT)?;
    store.tenants()?;
    store.journal(TENANT, Sequence(1), usize::MAX)?;
    for sequence in 1..=head.sequence.0 {
        for n in 0..PER_COMMIT {
            store.object(TENANT, object(sequence, n))?;
            store.holders(TENANT, name(sequence, n).key())?;
        }
    }
    Ok(head.sequence.0)
}

fn copied(from: &Path) -> TempDir {
    let to = TempDir::new().unwrap();
    fs::create_dir(engine(to.path())).unwrap();
    for part in ["", "engine"] {
        for entry in fs::read_dir(from.join(part)).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), to.path().join(part).join(entry.file_name())).unwrap();
            }
        }
    }
    to
}

/// Whatever is left of the engine's file, nothing panics and no acknowledged commit is missing in silence.
#[test]
fn a_cut_or_flipped_engine_file_is_told_or_harmless() {
    let original = filled(30);
    let bytes = fs::metadata(engine(original.path()).join("db")).unwrap().len();
    let (mut refused, mut whole) = (0, 0);
    for trial in 0..24u64 {
        let directory = copied(original.path());
        for entry in fs::read_dir(engine(directory.path())).unwrap().map(Result::unwrap) {
            // Half of the trials also lose sled's snapshots and have only the log to go by.
            if trial % 4 > 1 && entry.file_name().to_string_lossy().starts_with("snap.") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        let place = trial * 104_729 * 31 % bytes;
        let mut file = OpenOptions::new().read(true).write(true).open(engine(directory.path()).join("db")).unwrap();
        if trial % 2 == 0 {
            file.set_len(place).unwrap();
        } else {
            let mut byte = [0];
            file.seek(SeekFrom::Start(place)).unwrap();
            file.read_exact(&mut byte).unwrap();
            file.seek(SeekFrom::Start(place)).unwrap();
            file.write_all(&[byte[0] ^ 0x10]).unwrap();
        }
        drop(file);
        match SledStore::open(directory.path(), options()).and_then(|store| read_all(&store)) {
            Err(error) => {
                assert!(!error.to_string().is_empty());
                refused += 1;
            }
            Ok(commits) => {
                assert_eq!(commits, 30, "trial {trial}: commits are missing and nobody told");
                whole += 1;
            }
        }
    }
    println!("{refused} refused, {whole} whole");
    assert!(refused > 0, "no damage ever showed");
}

/// The engine itself.
fn raw(directory: &Path) -> ::sled::Db {
    opened::open_engine(engine(directory)).unwrap()
}

/// Writes past the store, as decay below the engine's own checks would.
fn tamper(directory: &Path, kind: u8, change: impl Fn(&mut Vec<u8>)) {
    let db = raw(directory);
    let (key, value) = db.iter().map(Result::unwrap).find(|(key, _)| key[16] == kind).unwrap();
    let mut value = value.to_vec();
    change(&mut value);
    db.insert(key, value).unwrap();
    db.flush().unwrap();
}

#[test]
fn a_flipped_byte_in_any_stored_value_is_told() {
    for kind in [1, 2, 3, 4] {
        for place in [0usize, 1, 2, 3, 5, 20, 60, 100, 140, 400] {
            let directory = filled(1);
            tamper(directory.path(), kind, |value| {
                let place = place % value.len();
                value[place] ^= 0x04;
            });
            let read = SledStore::open(directory.path(), options()).and_then(|store| read_all(&store));
            let error = read.expect_err(&format!("byte {place} of a record of kind {kind}"));
            assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
            assert!(error.hint().unwrap().contains("`whowas repair --dry-run`"), "{error}");
        }
    }
}

/// sled opens a log that was cut as if it had ended there, and writes over what stands behind a place that it cannot read. Deriving
/// everything anew brings nothing of that back, so whoever wants to is told as well, whether a rebuild was begun or not.
#[test]
fn lost_commits_are_told_and_no_rebuild_goes_on_without_them() {
    for is_begun in [false, true] {
        let directory = filled(30);
        if is_begun {
            SledStore::open(directory.path(), options()).unwrap().drop_derived().unwrap();
        }
        let mut told = 0;
        for (part, is_cut) in (1..60).step_by(5).flat_map(|part| [(part, false), (part, true)]) {
            let copy = copied(directory.path());
            let db = engine(copy.path()).join("db");
            let mut bytes = fs::read(&db).unwrap();
            let place = bytes.len() * part / 60;
            match is_cut {
                true => bytes.truncate(place),
                false => bytes[place] ^= 0xff,
            }
            fs::write(&db, &bytes).unwrap();
            let untouched = copied(copy.path());
            let opened = SledStore::open(copy.path(), SledOptions { rebuild: true, ..options() });
            let Err(error) = opened.map(drop) else { continue };
            told += 1;
            assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
            let [report, before] =
                [copy.path(), untouched.path()].map(|path| repaired(path, RepairHow::default()).ok());
            let kept = |report: &Option<RepairReport>| report.as_ref().map(|report| report.commits);
            assert_eq!(kept(&report), kept(&before), "what could be brought back was written over");
            // Of some nothing is left.
            let Some(report) = report else { continue };
            assert_eq!(report.commits + report.lost, 30, "{report:?}");
            assert_eq!(rebuilt(copy.path()), report.commits);
        }
        assert!(told > 0);
    }
}

fn repaired(directory: &Path, how: RepairHow) -> Result<RepairReport, StoreError> {
    repair(directory, &options(), how, |_| ())
}

/// Puts back what is derived after a repair, and looks at all of it.
fn rebuilt(directory: &Path) -> u64 {
    let store = SledStore::open(directory, SledOptions { rebuild: true, ..options() }).unwrap();
    assert!(store.needs_rebuild());
    store.drop_derived().unwrap();
    for entry in store.journal(TENANT, Sequence(1), usize::MAX).unwrap() {
        store.restore_derived(TENANT, &entry, derived(entry.sequence.0)).unwrap();
    }
    store.sync().unwrap();
    drop(store);
    let store = SledStore::open(directory, options()).unwrap();
    let whole = check_whole(&store);
    append(&store, whole + 1).unwrap();
    whole
}

/// The names and sizes of all files, in order.
fn listed(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                folders.push(path)
            } else {
                found.push((path.clone(), fs::read(path).unwrap()))
            }
        }
    }
    found.sort();
    found
}

/// What sled reads of a sound engine is what is found without it; else a repair would lose something.
#[test]
fn a_sound_ledger_is_left_as_it_is_by_a_repair() {
    let directory = filled(40);
    let before = listed(directory.path());
    for how in [RepairHow { dry_run: true, force: false, stale: false }, RepairHow::default()] {
        let report = repaired(directory.path(), how).unwrap();
        assert_eq!((report.outcome, report.commits, report.lost), (RepairOutcome::Sound, 40, 0), "{report:?}");
        assert_eq!(listed(directory.path()), before);
    }
    let report = repaired(directory.path(), RepairHow { dry_run: false, force: true, stale: false }).unwrap();
    assert_eq!((report.outcome, report.commits, report.lost), (RepairOutcome::Repaired, 40, 0), "{report:?}");
    assert_eq!(rebuilt(directory.path()), 40);
}

#[test]
fn a_repair_brings_back_what_is_proved_and_lists_the_rest() {
    let directory = filled(30);
    let db = engine(directory.path()).join("db");
    // In the middle of what was written.
    let bytes = fs::read(&db).unwrap();
    let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    OpenOptions::new().write(true).open(&db).unwrap().set_len(u64::try_from(written / 2).unwrap()).unwrap();
    let before = listed(directory.path());
    let dry = repaired(directory.path(), RepairHow { dry_run: true, force: false, stale: false }).unwrap();
    assert_eq!(dry.outcome, RepairOutcome::Repairable);
    assert_eq!(listed(directory.path()), before, "a dry run changes nothing");
    let report = repaired(directory.path(), RepairHow::default()).unwrap();
    assert_eq!(report.outcome, RepairOutcome::Repaired);
    assert_eq!((report.commits, report.lost, &report.tenants), (dry.commits, dry.lost, &dry.tenants));
    assert_eq!((report.acknowledged, report.commits + report.lost), (Some(30), 30));
    let [tenant] = report.tenants.as_slice() else { panic!("{report:?}") };
    let lost = tenant.lost.as_ref().unwrap();
    assert_eq!((lost.from.0, lost.through.0, lost.after), (report.commits + 1, 30, tenant.recorded));
    assert!(report.commits > 0 && report.lost > 0, "{report:?}");
    let aside = PathBuf::from(report.moved_to.unwrap());
    assert_eq!(fs::read(aside.join("db")).unwrap(), before.iter().find(|(path, _)| path.ends_with("db")).unwrap().1);
    assert!(matches!(SledStore::open(directory.path(), options()), Err(StoreError::NeedsRebuild { .. })));
    assert_eq!(rebuilt(directory.path()), report.commits);
}

/// Whoever finds the damage by asking something must not be the one who makes it worse.
#[test]
fn an_opening_that_tells_damage_leaves_to_the_repair_what_it_could_bring_back() {
    type Damage = fn(&mut Vec<u8>, usize);
    let damages: [(&str, Damage); 4] = [
        ("a flipped byte in the middle", |bytes, written| bytes[written / 2] ^= 0x40),
        ("a flipped byte near the end", |bytes, written| bytes[written - 40] ^= 0x40),
        ("zeros in the middle", |bytes, written| bytes[written / 2..written / 2 + 512].fill(0)),
        ("an end cut off", |bytes, written| bytes.truncate(written / 2)),
    ];
    for (what, damage) in damages {
        let directory = filled(30);
        let db = engine(directory.path()).join("db");
        let mut bytes = fs::read(&db).unwrap();
        let written = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        damage(&mut bytes, written);
        fs::write(&db, &bytes).unwrap();
        let dry =
            |directory: &Path| repaired(directory, RepairHow { dry_run: true, force: false, stale: false }).unwrap();
        let before = dry(directory.path());
        for _ in 0..2 {
            let refused = SledStore::open(directory.path(), options()).map(|_| ());
            assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{what}: {refused:?}");
        }
        let after = dry(directory.path());
        assert_eq!((after.commits, after.lost), (before.commits, before.lost), "{what}");
    }
}

/// A repair that is killed while it puts the new engine in place goes on there.
#[test]
fn an_interrupted_repair_is_told_and_completed() {
    for step in 0..5 {
        let directory = filled(5);
        let path = directory.path();
        let new = filled(5);
        // With what it found, or as an older release marked it.
        let found = r#"{"lost":2,"moved_to":"engine.damaged-1"}"#;
        fs::write(path.join("repair"), format!("run `whowas repair`\n{found}\n")).unwrap();
        match step {
            0 => fs::rename(engine(new.path()), path.join("engine.repaired")).unwrap(),
            1 => {
                fs::rename(engine(path), path.join("engine.damaged-1")).unwrap();
                fs::rename(engine(new.path()), path.join("engine.repaired")).unwrap();
            }
            _ => {
                fs::rename(engine(path), path.join("engine.damaged-1")).unwrap();
                fs::rename(engine(new.path()), engine(path)).unwrap();
            }
        }
        match step {
            3 => fs::write(path.join("repair"), "run `whowas repair`\n").unwrap(),
            // Killed once more, after the report was kept and before the mark was taken away.
            4 => fs::write(path.join("repairs.jsonl"), format!("{found}\n")).unwrap(),
            _ => {}
        }
        let error = SledStore::open(path, options()).unwrap_err();
        assert!(error.to_string().contains("run `whowas repair` again"), "{error}");
        assert!(repaired(path, RepairHow { dry_run: true, force: false, stale: false }).is_err());
        let report = repaired(path, RepairHow::default()).unwrap();
        // Before the first step nothing was lost that is not found again.
        let lost = if [1, 2, 4].contains(&step) { 2 } else { 0 };
        assert_eq!((report.commits, report.lost), (5, lost), "step {step}: {report:?}");
        assert!(!path.join("engine.repaired").exists() && !path.join("repair").exists());
        let store = SledStore::open(path, SledOptions { rebuild: true, ..options() }).unwrap();
        let needed = store.needs_rebuild();
        assert_eq!(store.has_untold_repair().unwrap(), lost > 0);
        drop(store);
        assert_eq!(needed, step > 0, "before the first step nothing had happened");
        if needed {
            assert_eq!(rebuilt(path), 5);
        }
    }
}

/// Its version is unknown then, but what proves itself is of no newer one.
#[test]
fn a_ledger_without_its_format_file_is_repaired() {
    for damage in [None, Some(b"\xff\n".as_slice()), Some(b"0\n")] {
        let directory = filled(4);
        match damage {
            None => fs::remove_file(directory.path().join("format")).unwrap(),
            Some(text) => fs::write(directory.path().join("format"), text).unwrap(),
        }
        assert!(matches!(SledStore::open(directory.path(), options()), Err(StoreError::NotALedger { .. })));
        // Of a repair that did not come to its end.
        fs::write(directory.path().join("repairs.jsonl"), "").unwrap();
        let report = repaired(directory.path(), RepairHow::default()).unwrap();
        assert_eq!((report.outcome, report.commits, report.lost), (RepairOutcome::Repaired, 4, 0));
        assert_eq!(rebuilt(directory.path()), 4);
    }
}

#[test]
fn nothing_is_made_of_an_engine_that_proves_nothing_or_something_else() {
    let directory = filled(3);
    let db = engine(directory.path()).join("db");
    let bytes = fs::metadata(&db).unwrap().len();
    fs::write(&db, vec![0x5a; usize::try_from(bytes).unwrap()]).unwrap();
    let before = listed(directory.path());
    let error = repaired(directory.path(), RepairHow::default()).unwrap_err();
    assert!(error.to_string().contains("restore a backup"), "{error}");
    assert_eq!(listed(directory.path()), before);
    let error = SledStore::open(directory.path(), options()).unwrap_err();
    assert!(error.hint().unwrap().contains("whowas repair"), "{error}");
}

#[test]
fn a_removed_commit_is_told() {
    let directory = filled(3);
    let db = raw(directory.path());
    let keys: Vec<_> = db.iter().keys().map(Result::unwrap).filter(|key| key[16] == 1).collect();
    for (key, missing) in [(&keys[1], "commit 2"), (&keys[2], "commit 3")] {
        let value = db.remove(key).unwrap().unwrap();
        db.flush().unwrap();
        let copy = copied(directory.path());
        // Also without the count of commits: the newest is missed by its head, any other by whoever reads the journal.
        fs::remove_file(copy.path().join("commits")).unwrap();
        let read = SledStore::open(copy.path(), options()).and_then(|store| read_all(&store));
        let error = read.unwrap_err().to_string();
        assert!(error.contains(missing), "{error}");
        db.insert(key, value).unwrap();
    }
}

#[test]
fn a_commit_is_not_begun_when_the_disk_is_nearly_full() {
    let directory = filled(2);
    let store = SledStore::open(directory.path(), SledOptions { free_bytes_min: u64::MAX, ..options() }).unwrap();
    let error = append(&store, 3).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("nothing was lost"), "{error}");
    assert!(matches!(append(&store, 3), Err(StoreError::DiskFull { .. })), "it is not stopped: room may be made");
    assert_eq!(check_whole(&store), 2);
    drop(store);
    let store = SledStore::open(directory.path(), options()).unwrap();
    append(&store, 3).unwrap();
}

/// A disk that fills in the middle of a commit, past the reserve: the worst that others on the same disk can do.
#[test]
fn a_disk_that_really_fills_up_loses_nothing_acknowledged() {
    let mount = TempDir::new().unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=8m", "tmpfs"]).arg(mount.path()).output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        common::skip("the full disk: a small file system cannot be mounted here; run the tests as root");
        return;
    }
    let _unmount = Unmount(mount.path().to_owned());
    let path = mount.path().join("ledger");
    let store = SledStore::open(&path, SledOptions { free_bytes_min: 0, ..options() }).unwrap();
    let mut acknowledged = 0;
    let error = loop {
        match append(&store, acknowledged + 1) {
            Ok(()) => acknowledged += 1,
            Err(error) => break error,
        }
        assert!(acknowledged < 100_000);
    };
    let again = append(&store, acknowledged + 1).unwrap_err();
    assert!(matches!(again, StoreError::Stopped { .. }), "{again}");
    assert_eq!(store.head(TENANT).unwrap().sequence.0, acknowledged);
    drop(store);
    let copy = copied(&path);
    let store = SledStore::open(copy.path(), options()).unwrap();
    let whole = check_whole(&store);
    println!("full after {acknowledged} commits ({error}); {whole} found on a disk with room");
    assert!(whole == acknowledged || whole == acknowledged + 1);
    append(&store, whole + 1).unwrap();
}

struct Unmount(PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

/// sled's own flush is `sync_file_range`, which a power cut undoes.
#[test]
fn every_commit_is_synced_to_the_disk_before_it_is_acknowledged() {
    let directory = filled(1);
    let log = directory.path().with_extension("strace");
    let plain = child_command("20", directory.path());
    let mut command = Command::new("strace");
    command.args(["-f", "-e", "trace=fsync,fdatasync,write", "-o"]).arg(&log);
    command.arg(plain.get_program()).args(plain.get_args());
    command.envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let Ok(output) = command.stdout(Stdio::null()).stderr(Stdio::null()).output() else {
        common::skip("the sync of commits: strace is not installed; `.ci/install`, or apt-get install strace");
        return;
    };
    assert!(output.status.success());
    let (mut synced, mut acknowledged) = (false, 0);
    let traced = fs::read_to_string(&log).unwrap();
    fs::remove_file(&log).unwrap();
    for line in traced.lines() {
        if line.contains("fdatasync") && line.contains("= 0") {
            synced = true;
        } else if line.contains("\"acknowledged ") {
            assert!(synced, "acknowledged before it was synced: {line}");
            (synced, acknowledged) = (false, acknowledged + 1);
        }
    }
    if acknowledged == 0 {
        eprintln!("{}", traced.lines().rev().take(9).collect::<Vec<_>>().join("\n"));
    }
    assert_eq!(acknowledged, 20);
}

/// sled writes a page of more than 128 KiB to a file of its own that is never synced, and a page holds up to 16 values.
#[test]
fn no_page_of_the_engine_ever_grows_into_a_file_of_its_own() {
    let directory = TempDir::new().unwrap();
    let store = SledStore::open(directory.path(), options()).unwrap();
    let mut blobs = std::collections::BTreeSet::new();
    for sequence in 1..=12 {
        let facts: Vec<Fact> = (0..1_500).map(|n| seen(sequence, n)).collect();
        let recorded = Instant::from_micros(i64::try_from(sequence).unwrap());
        let objects = facts.iter().map(|fact| (fact.object().unwrap(), vec![fact.clone()])).collect();
        // One object with a long history beside them.
        let commit = Commit { recorded, salt: [7; 16], facts, cursor: None, run: None };
        store.append(TENANT, Sequence(sequence - 1), commit, Derived { objects, ..Derived::default() }).unwrap();
        for blob in fs::read_dir(engine(directory.path()).join("blobs")).unwrap() {
            blobs.insert(blob.unwrap().file_name());
        }
    }
    assert!(blobs.is_empty(), "{} files that are never synced: {blobs:?}", blobs.len());
}
