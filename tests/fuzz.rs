//! Every target of `fuzz/` on its corpus, on each file of it cut short, and on copies with bytes changed at random. The targets
//! themselves look for new inputs for hours (`cargo +nightly fuzz run NAME`); this runs everywhere and in seconds, and what they found
//! stays in the corpus as `regression-…`.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "these are tests")]

#[path = "../fuzz/targets/audit.rs"]
mod audit;
#[path = "../fuzz/targets/config.rs"]
mod config;
#[path = "../fuzz/targets/delta_page.rs"]
mod delta_page;
#[path = "../fuzz/targets/export.rs"]
mod export;
#[path = "../fuzz/targets/http.rs"]
mod http;
#[path = "../fuzz/targets/import.rs"]
mod import;
#[path = "../fuzz/targets/ledger.rs"]
mod ledger;
#[path = "../fuzz/targets/names.rs"]
mod names;
#[path = "../fuzz/targets/proof.rs"]
mod proof;
#[path = "../fuzz/targets/record.rs"]
mod record;
#[path = "../fuzz/targets/scenario.rs"]
mod scenario;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// Runs a target on what its corpus gives. `changed` is how many changed copies there are of each file.
fn smoke(target: &str, run: fn(&[u8]), changed: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for file in files {
        let whole = fs::read(&file).unwrap();
        let try_one = |input: &[u8], how: &str| {
            let ended = catch_unwind(AssertUnwindSafe(|| run(input)));
            assert!(ended.is_ok(), "{} {how}; the input: {:?}", file.display(), String::from_utf8_lossy(input));
        };
        try_one(&whole, "as it is");
        for nth in 0..changed {
            let mut input = whole.clone();
            for _ in 0..=random.next() % 4 {
                change(&mut input, &mut random);
            }
            try_one(&input, &format!("in copy {nth}"));
        }
    }
}

/// The same numbers each time (Marsaglia's xorshift64), so that what fails fails again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // The low bits of such a number are the poorer ones.
        self.0 >> 8
    }
}

fn change(input: &mut Vec<u8>, random: &mut Random) {
    let place = random.next() as usize % input.len().max(1);
    let byte = random.next().to_be_bytes()[7];
    match random.next() % 5 {
        0 => input.truncate(place),
        1 => input.insert(place.min(input.len()), byte),
        2 if !input.is_empty() => drop(input.remove(place)),
        3 => {
            let piece: Vec<u8> = input[place.min(input.len())..].iter().take(usize::from(byte % 32)).copied().collect();
            input.splice(place.min(input.len())..place.min(input.len()), piece);
        }
        _ if !input.is_empty() => input[place] = byte,
        _ => input.push(byte),
    }
}

#[test]
fn names_hold() {
    smoke("names", names::run, 2_000);
}

#[test]
fn delta_pages_hold() {
    smoke("delta_page", delta_page::run, 300);
}

#[test]
fn audit_events_hold() {
    smoke("audit", audit::run, 200);
}

#[test]
fn imports_hold() {
    smoke("import", import::run, 300);
}

#[test]
fn scenarios_hold() {
    smoke("scenario", scenario::run, 300);
}

#[test]
fn configurations_hold() {
    smoke("config", config::run, 300);
}

#[test]
fn records_hold() {
    smoke("record", record::run, 300);
}

#[test]
fn bodies_hold() {
    smoke("http", http::run, 200);
}

#[test]
fn ledgers_hold() {
    smoke("ledger", ledger::run, 3);
}

#[test]
fn proofs_hold() {
    smoke("proof", proof::run, 2_000);
}

#[test]
fn exports_hold() {
    smoke("export", export::run, 300);
}

/// The targets are a workspace of their own, whose lock file nothing but their check reads: a dependency that is added to the
/// project and not to it stops that check and no other.
#[test]
fn their_lock_file_has_every_dependency_of_the_project() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = |file: &str| fs::read_to_string(here.join(file)).unwrap().parse::<toml::Table>().unwrap();
    let lock = table("fuzz/Cargo.lock");
    let locked =
        lock["package"].as_array().unwrap().iter().find(|package| package["name"].as_str() == Some("whowas")).unwrap();
    // Where there are two versions of one, its version follows its name.
    let locked: Vec<&str> = (locked["dependencies"].as_array().unwrap().iter())
        .map(|dependency| dependency.as_str().unwrap().split(' ').next().unwrap())
        .collect();
    let project = table("Cargo.toml");
    let used: Vec<&String> = project["dependencies"].as_table().unwrap().keys().collect();
    assert!(used.len() > 20, "{used:?}");
    let lacking: Vec<_> = used.into_iter().filter(|name| !locked.contains(&name.as_str())).collect();
    assert!(lacking.is_empty(), "fuzz/Cargo.lock lacks {lacking:?}: run `cargo check --manifest-path fuzz/Cargo.toml`");
}
