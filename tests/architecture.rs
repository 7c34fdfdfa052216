//! The shape of the code, read from its sources: imports point inward, the core is pure, and one file reads the clock.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each module may use of ours besides itself. A module that is not listed is unknown and refused.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("store", &["domain", "private"]),
    ("graph", &["domain"]),
    ("import", &["domain", "graph"]),
    ("report", &["domain"]),
    ("ledger", &["domain", "store"]),
    ("config", &["domain", "graph"]),
    ("telemetry", &[]),
    ("clock", &["domain"]),
    // What is checked without a ledger: of the store it uses the types that are hashed and stored, nothing that opens one.
    ("evidence", &["domain", "store"]),
    ("keyring", &["clock", "private"]),
    ("private", &[]),
    ("sync", &["domain", "store", "ledger", "graph", "config", "clock"]),
    (
        "service",
        &["domain", "store", "ledger", "graph", "import", "report", "sync", "config", "clock", "evidence", "keyring"],
    ),
    ("scenario", &["domain", "store", "ledger", "graph", "import", "report", "sync", "service", "config", "clock"]),
    // What it asks and is answered are the use-cases' own types; of how the service is made it knows nothing, so that a
    // program that asks one needs no server in it.
    ("client", &["domain", "store", "ledger", "service"]),
    (
        "cli",
        &[
            "client",
            "evidence",
            "keyring",
            "private",
            "domain",
            "store",
            "ledger",
            "graph",
            "import",
            "report",
            "sync",
            "service",
            "scenario",
            "http",
            "ui",
            "config",
            "clock",
            "telemetry",
        ],
    ),
    (
        "http",
        &[
            "keyring",
            "private",
            "domain",
            "store",
            "ledger",
            "graph",
            "import",
            "report",
            "sync",
            "service",
            "ui",
            "config",
            "clock",
            "telemetry",
        ],
    ),
    ("ui", &["domain", "store", "ledger", "report", "service", "config", "clock"]),
];

/// What the pure core must not name: disks, networks, threads, clocks, runtimes and the engines behind them.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::io",
    "std::env",
    "std::process",
    "std::thread",
    "std::sync",
    "std::time::SystemTime",
    "std::time::Instant",
    "tokio",
    "futures",
    "futures_util",
    "reqwest",
    "http",
    "sled",
    "axum",
    "async_trait",
    "azure_core",
    "azure_identity",
    "postgres",
    "tokio_postgres",
    "tracing",
    "rand",
    "fs4",
    "memmap2",
    "bincode",
];

/// What reads the clock or rolls dice. Only `clock.rs` may.
const CLOCKS: &[&str] =
    &["Utc::now", "Local::now", "SystemTime::now", "Uuid::new_v4", "SystemTime::UNIX_EPOCH.elapsed"];

struct Source {
    module: String,
    path: PathBuf,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let inside = path.strip_prefix(&root).unwrap();
            let first = inside.components().next().unwrap().as_os_str().to_str().unwrap();
            Source { module: first.trim_end_matches(".rs").to_owned(), path, text }
        })
        .collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The code of a file: without comments and without what follows `#[cfg(test)] mod`, whose tests may use anything.
fn code(text: &str) -> String {
    let mut lines = Vec::new();
    let mut pending_test = false;
    for line in text.lines() {
        let code = line.split("//").next().unwrap_or_default();
        // The name of a feature is no use of the library that is called alike.
        let code = code.replace("feature = \"http\"", "feature");
        // A file's tests are its last item.
        if pending_test && code.trim_start().starts_with("mod ") && code.trim_end().ends_with('{') {
            break;
        }
        pending_test = code.trim() == "#[cfg(test)]";
        lines.push(code);
    }
    lines.join("\n")
}

/// Every path in the code, `use` trees spelled out: `use a::{b, c::d}` gives `a::b` and `a::c::d`.
fn paths(code: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut rest = code;
    while let Some(start) = rest.find(|c: char| c.is_alphabetic() || c == '_') {
        let tail = rest.get(start..).unwrap_or_default();
        let end = tail.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(tail.len());
        let word = tail.get(..end).unwrap_or_default();
        rest = tail.get(end..).unwrap_or_default();
        match word.strip_suffix("::") {
            Some(prefix) if rest.starts_with('{') => {
                let close = closing(rest);
                let inner = rest.get(1..close).unwrap_or_default();
                paths.extend(self::paths(inner).into_iter().map(|path| format!("{prefix}::{path}")));
                rest = rest.get(close..).unwrap_or_default();
            }
            _ => drop(paths.insert(word.trim_end_matches(':').to_owned())),
        }
    }
    paths
}

fn closing(text: &str) -> usize {
    let mut depth = 0usize;
    for (place, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 1 => return place,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// The modules of ours that the code uses, and what it should not.
fn offences(module: &str, text: &str) -> Vec<String> {
    let code = code(text);
    let mut offences = Vec::new();
    let allowed = MAY_USE.iter().find(|(name, _)| *name == module).map(|(_, allowed)| *allowed);
    let is_front = matches!(module, "lib" | "main");
    if allowed.is_none() && !is_front {
        offences.push(format!("module {module} has no place in the list of this test"));
    }
    for path in paths(&code) {
        let ours = path.strip_prefix("crate::").or_else(|| path.strip_prefix("whowas::"));
        if let (Some(ours), Some(allowed)) = (ours, allowed) {
            let used = ours.split("::").next().unwrap_or_default();
            if used != module && !allowed.contains(&used) {
                offences.push(format!("{module} uses {path}"));
            }
        }
        let names = |wanted: &&&str| path == **wanted || path.starts_with(&format!("{wanted}::"));
        if module == "domain" && IMPURE.iter().any(|impure| names(&impure)) {
            offences.push(format!("the pure core uses {path}"));
        }
        if module != "clock" && CLOCKS.iter().any(|clock| path.ends_with(clock)) {
            offences.push(format!("{module} reads the clock: {path}"));
        }
    }
    offences
}

#[test]
fn imports_point_inward_and_the_core_is_pure() {
    let sources = sources();
    assert!(sources.len() > 30, "the sources were not found");
    let offences: Vec<String> = sources
        .iter()
        .flat_map(|source| {
            let offences = offences(&source.module, &source.text).into_iter();
            offences.map(|offence| format!("{}: {offence}", source.path.display()))
        })
        .collect();
    assert!(offences.is_empty(), "{offences:#?}");
}

#[test]
fn an_offending_source_is_told() {
    let domain = |text| offences("domain", text);
    assert_eq!(domain("use crate::store::Hash;"), ["domain uses crate::store::Hash"]);
    assert_eq!(domain("use std::{fmt, fs::File};"), ["the pure core uses std::fs::File"]);
    assert_eq!(domain("use std::time::{Duration, SystemTime};"), ["the pure core uses std::time::SystemTime"]);
    assert_eq!(domain("fn f() { tokio::spawn(g()); }"), ["the pure core uses tokio::spawn"]);
    assert_eq!(domain("fn f() -> crate::ledger::View { g() }"), ["domain uses crate::ledger::View"]);
    assert_eq!(domain("fn f() { chrono::Utc::now(); }"), ["domain reads the clock: chrono::Utc::now"]);
    assert_eq!(offences("store", "use crate::{\n    domain::id::ObjectId,\n    ledger::{Ledger, View},\n};").len(), 2);
    assert_eq!(offences("ledger", "use crate::graph::delta::Round;"), ["ledger uses crate::graph::delta::Round"]);
    assert_eq!(offences("graph", "use crate::ledger::Ledger;").len(), 1);
    assert_eq!(offences("sync", "use crate::service::check;").len(), 1);
    assert_eq!(offences("cli", "let id = uuid::Uuid::new_v4();").len(), 1);
    assert_eq!(offences("newcomer", "").len(), 1);
    // What is fine: inner modules, comments, tests at the end of a file, durations, chrono without its clock.
    let fine = "use super::id::ObjectId;\nuse std::time::Duration;\nuse chrono::{DateTime, Utc};\n// crate::store\n\
                #[cfg(test)]\nmod tests {\n    use crate::store::Hash;\n}";
    assert_eq!(domain(fine), Vec::<String>::new());
    assert_eq!(offences("ledger", "use crate::store::Head;\nuse crate::domain::time::Instant;"), Vec::<String>::new());
}
