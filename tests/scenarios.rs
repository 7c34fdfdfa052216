//! The scenarios of `scenarios/`: every file passes, every expectation in them can fail, and what is no scenario is told.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop at the first surprise"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use proptest::prelude::*;
use whowas::graph::emulator::EmulatorOptions;
use whowas::scenario::{Answer, Check, Played, Script, Test, Want, differences, parse, play};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

fn text_of(name: &str) -> String {
    std::fs::read_to_string(folder().join(format!("{name}.scenario"))).unwrap()
}

fn read(name: &str) -> Script {
    parse(&text_of(name)).unwrap_or_else(|error| panic!("scenarios/{name}.scenario:{error}"))
}

/// The file passes; then each of its expectations is turned into another one, which must be found not to be met. The
/// answers are the same ones, because nothing that is played looks at an expectation.
fn passes_and_can_fail(name: &str) {
    let script = read(name);
    let played = play(&script).unwrap();
    let found = differences(&script, &played);
    assert!(found.is_empty(), "scenarios/{name}.scenario: {found:#?}");
    let mut turned = 0;
    for (place, step) in script.steps.iter().enumerate() {
        for number in 0..step.checks.len() {
            let mut other = script.clone();
            let check = &mut other.steps[place].checks[number];
            check.test = opposite(&check.test);
            let found = differences(&other, &played);
            assert!(!found.is_empty(), "line {}: {:?} cannot fail", step.line, step.checks[number]);
            turned += 1;
        }
    }
    assert!(turned >= 4, "{name} expects next to nothing");
    let text = text_of(name);
    let mut words = 0;
    while let Some(changed) = with_another_word(&text, words) {
        let other = parse(&changed).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!differences(&other, &played).is_empty(), "{name} passes with its {words}th word changed");
        words += 1;
    }
    assert!(words >= 1, "{name} has no word to change");
}

/// An expectation that another answer would meet.
fn opposite(test: &Test) -> Test {
    let row = |row: &whowas::scenario::Row| {
        let mut row = row.clone();
        let last = row.last_mut().unwrap();
        last.1 = other(&last.1);
        row
    };
    match test {
        Test::Is(place, want) => Test::Is(place, other(want)),
        Test::Says(place, words) => Test::SaysNot(place, words.clone()),
        Test::SaysNot(place, words) => Test::Says(place, words.clone()),
        Test::Has(place, wanted) => Test::Has(place, row(wanted)),
        Test::HasOnly(place, wanted) => Test::HasOnly(place, row(wanted)),
        Test::HasNot(place, wanted) => Test::Has(place, wanted.clone()),
        Test::Count(place, count) => Test::Count(place, count + 1),
        Test::Empty(place) => Test::Has(place, vec![("", Want::Nothing)]),
        Test::Refused(words) => Test::Refused(format!("{words}, and pigs fly")),
    }
}

fn other(want: &Want) -> Want {
    match want {
        Want::Nothing => Want::Word("something".to_owned()),
        Want::Flag(flag) => Want::Flag(!flag),
        Want::Number(number) => Want::Number(number + 1),
        _ => Want::Word("something-else".to_owned()),
    }
}

macro_rules! scenarios {
    ($($test:ident = $file:literal,)+) => {
        const FILES: &[&str] = &[$($file),+];
        $(#[test] fn $test() { passes_and_can_fail($file); })+
    };
}

scenarios! {
    s01_marriage = "s01-marriage",
    s02_company_domain_change = "s02-domain-change",
    s03_the_seeds_weak_window = "s03-weak-window",
    s04_the_damage_was_done = "s04-damage-done",
    s05_leaver_purge_namesake = "s05-leaver-purge-namesake",
    s06_namesake_while_the_leaver_is_in_the_bin = "s06-namesake-in-the-bin",
    s07_oops_undelete = "s07-oops-undelete",
    s08_same_person_recreated = "s08-recreated",
    s09_rehire_after_two_years = "s09-rehire",
    s10_swap = "s10-swap",
    s11_rotation_over_pages = "s11-rotation",
    s12_there_and_back = "s12-there-and-back",
    s13_excursion_with_a_tenant = "s13-excursion-with-tenant",
    s14_upn_and_address_point_to_two_people = "s14-two-namespaces",
    s15_alias_handed_over = "s15-alias-handed-over",
    s16_licence_gap_short = "s16-licence-gap-short",
    s17_licence_gap_long = "s17-licence-gap-long",
    s18_leaver_becomes_shared_namesake_arrives = "s18-shared-and-namesake",
    s19_hybrid_scope_slip = "s19-scope-slip",
    s20_broken_anchor = "s20-broken-anchor",
    s21_quarantine_placeholder = "s21-placeholder",
    s22_token_expired_over_a_reuse = "s22-expired-over-reuse",
    s23_cross_tenant_move = "s23-cross-tenant-move",
    s24_domain_moves_between_tenants = "s24-domain-between-tenants",
    s25_two_accounts_merged = "s25-accounts-merged",
    s26_inactive_mailbox_recovered = "s26-inactive-recovered",
    s27_address_moves_to_a_group = "s27-address-to-group",
    s28_case_width_normalisation = "s28-case-and-width",
    s29_erasure_then_reuse = "s29-erasure-then-reuse",
    s30_reuse_during_the_run = "s30-reuse-during-run",
    s31_clock_trouble = "s31-clock-trouble",
    s32_two_sync_jobs = "s32-two-sync-jobs",
    t01_the_audit_log_beside_the_rounds = "t01-audit-log",
    t02_an_audit_log_that_is_not_to_be_read = "t02-audit-log-forbidden",
    t03_deleted_and_back_within_the_lag = "t03-back-within-the-lag",
}

#[test]
fn every_file_of_the_folder_is_played_and_the_acceptance_is_whole() {
    let mut found: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    assert_eq!(found, FILES);
    let numbers: Vec<String> = (1..=32).map(|number| format!("s{number:02}-")).collect();
    assert!(FILES.iter().zip(&numbers).all(|(file, number)| file.starts_with(number)), "{FILES:?}");
}

// ---- one word of the text

/// A file with the first word after one of its `=>` replaced by another word of the same kind.
fn with_another_word(text: &str, choose: usize) -> Option<String> {
    const WORDS: &[&[&str]] = &[
        &["continue", "renamed", "baseline", "mismatch", "frozen", "refresh"],
        &["certain", "assumed"],
        &["completed", "failed"],
        &["half-round", "whole-round"],
    ];
    let lines: Vec<&str> = text.lines().collect();
    let places: Vec<(usize, &str, &str)> = lines
        .iter()
        .enumerate()
        .filter_map(|(number, line)| {
            let (_, expected) = line.split_once("=> ").filter(|_| !line.trim_start().starts_with('#'))?;
            let word = expected.split([' ', ',']).next()?;
            let kin = WORDS.iter().find(|kin| kin.contains(&word))?;
            let other = kin.iter().find(|other| **other != word)?;
            Some((number, word, *other))
        })
        .collect();
    let (number, word, other) = *places.get(choose)?;
    let mut lines: Vec<String> = lines.into_iter().map(str::to_owned).collect();
    lines[number] = lines[number].replacen(&format!("=> {word}"), &format!("=> {other}"), 1);
    Some(lines.join("\n"))
}

#[test]
fn a_file_with_another_word_fails_when_it_is_played_itself() {
    // Every word of every file is changed above and held against the answers of the file as it is; here a changed file is
    // played from its beginning, which must come to the same.
    for (number, name) in FILES.iter().enumerate().filter(|(number, _)| number % 5 == 2) {
        let text = text_of(name);
        let changed = with_another_word(&text, number % 2).unwrap_or_else(|| panic!("{name} has no such word"));
        assert_ne!(changed, text);
        let script = parse(&changed).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = differences(&script, &play(&script).unwrap());
        assert!(!found.is_empty(), "{name} passes with another word");
    }
}

#[test]
fn an_event_that_is_refused_is_a_difference_although_nothing_was_expected() {
    let text = "title x\ncast A = a@x.test\n09:00 poll\n10:00 restore A\n";
    let script = parse(text).unwrap();
    let found = differences(&script, &play(&script).unwrap());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].line, found[0].expected.as_str()), (4, "done"));
    assert!(found[0].got.contains("A is not among the deleted items"), "{found:?}");
}

#[test]
fn an_answer_is_held_against_its_own_expectations_only() {
    let check = Check { text: "renamed".into(), line: 1, test: Test::Is("/verdict", Want::Word("renamed".into())) };
    let answer: Answer = Ok(serde_json::json!({"verdict": "continue"}));
    let played = Played { answers: vec![answer.clone()], names: whowas::scenario::Names::default() };
    assert_eq!(check.differs(&answer, &[], &played.names), Some("continue".to_owned()));
}

// ---- what is no scenario

/// The head that the lines of the golden errors stand below; they are line 4.
const HEAD: &str = "title x\ncast A = ann@x.test\nchains cA cB\n";

fn error_of(line: &str) -> String {
    match parse(&format!("{HEAD}{line}\n")) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("{line:?} is a scenario"),
    }
}

#[test]
fn errors_say_where_what_was_expected_and_what_may_have_been_meant() {
    let mut wrong = Vec::new();
    for (line, said) in [
        ("09:00 pol", "4:7: expected what happens or what is asked, found `pol`; did you mean `poll`?"),
        ("poll", "4:1: expected a time such as 09:00 before the first thing that happens on a day"),
        (
            "25:00 poll",
            "4:1: expected a time such as 09:00: `25:00` is no time of the day; write it like 09:00 or 09:00:01",
        ),
        ("09:00 ask A", "4:1: `ask A` is a question; write `=>` and what is expected after it"),
        ("09:00 ask A =>", "4:15: expected a verdict or another part of the answer"),
        ("09:00 ask A => contineu", "4:16: expected a verdict or another part of the answer"),
        ("09:00 ask A => contineu", "found `contineu`; did you mean `continue`?"),
        (
            "09:00 ask A => continue renamed",
            "4:25: expected `,` and a further expectation, or the end of the line, found `renamed`",
        ),
        ("09:00 ask A => object Z", "4:23: expected an object of the cast (A), found `Z`"),
        ("09:00 ask B => continue", "4:11: expected a name, an object of the cast, or how to ask"),
        ("09:00 ask A chain cC => continue", "4:19: expected a chain of the head (cA, cB), found `cC`"),
        ("09:00 ask A chain => continue", "4:19: expected a chain of the head (cA, cB), found `=>`"),
        ("09:00 who ann => certain A", "4:11: expected a name: `ann` has no @"),
        ("09:00 ask A => says no quotes", "4:21: expected words of a reason in quotes, found `no`"),
        ("09:00 ask A => says \"open", "4:21: this quotation is not closed; put a \" at its end"),
        ("09:00 poll => refresh", "4:15: expected how the run ended, or a count"),
        ("09:00 rename A ann2@x.test", "4:16: expected `to`, found `ann2@x.test`"),
        ("09:00 create A a@x.test", "4:14: `A` is introduced a second time"),
        (
            "09:00 poll\n08:00 poll",
            "5:1: 2026-03-02T08:00:00Z lies before the line above; a scenario goes forward in time",
        ),
        ("09:00 poll\nchains cC", "5:1: `chains` belongs to the head of the file, before the first dated line"),
        ("=> continue", "4:1: there is no question above this expectation"),
        ("09:00 quirk replai", "found `replai`; did you mean `replay`?"),
        ("config lagg = 5m", "4:8: unknown key \"tenant.0.lagg\"; did you mean \"lag\"?"),
        ("config lag = soon", "no length of time"),
        ("09:00 findings => mixed_chian", "found `mixed_chian`; did you mean `mixed_chain`?"),
        (
            "09:00 history A => held ann@x.test from 09:00",
            "4:41: expected when: `at T`, `after T by T`, `after T` or `by T`",
        ),
        ("09:00 ask A#1 => continue", "4:11: expected a name, an object of the cast, or how to ask"),
        ("09:00 ask-each A chain of B => 1 continue", "4:16: expected a crowd of the head (there are none), found `A`"),
        ("09:00 link A migrated-to A in T9", "4:31: expected a tenant of the head (T), found `T9`"),
        ("09:00 acknowledge mixed_chian", "found `mixed_chian`; did you mean `mixed_chain`?"),
        ("09:00 link-candidates => 3 candidate", "4:28: expected `candidates`, found `candidate`"),
        ("09:00 poll trailing", "4:12: expected the end of the line or how to poll"),
    ] {
        let error = error_of(line);
        if !error.contains(said) {
            wrong.push(format!("{line:?}\n  says     {error}\n  and not  {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(parse("").unwrap_err().to_string(), "1:1: expected a line `title …`");
}

#[test]
fn every_cut_of_every_file_is_a_scenario_or_an_error_with_a_place() {
    for name in FILES {
        let text = text_of(name);
        for (end, _) in text.char_indices() {
            let cut = &text[..end];
            if let Err(error) = parse(cut) {
                assert!(error.line >= 1 && error.line <= cut.lines().count().max(1), "{name} cut at {end}: {error}");
            }
        }
    }
}

/// Words of the format and others, in no sensible order.
fn soup() -> impl Strategy<Value = String> {
    let words = prop_oneof![
        3 => prop::sample::select(vec![
            "title", "start", "tenant", "config", "cast", "crowd", "chains", "mailboxes", "page-size", "day", "09:00",
            "24:00", "2026-03-02", "poll", "crash", "after", "pages", "ask", "snapshot", "by", "name", "id", "A", "B",
            "cA", "=", "=>", ",", "->", "renamed", "object", "change", "upn", "says", "\"x\"", "none", "history", "held",
            "from", "until", "now", "findings", "no", "only", "plan", "segment", "T:", "a@x.test", "1", "\n", "\n",
            "who", "at", "certain", "rename", "to", "keep-alias", "create", "receipt", "end", "config lag = 5m", "#",
        ]).prop_map(str::to_owned),
        1 => "\\PC{0,8}",
    ];
    prop::collection::vec(words, 0..60).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "(?s).{0,400}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_words_make_the_parser_panic(text in soup()) {
        let _ = parse(&format!("{HEAD}{text}"));
        let _ = parse(&text);
    }
}

// ---- the command

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whowas"));
    command.env("HOME", env!("CARGO_TARGET_TMPDIR")).current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WHOWAS_")) {
        command.env_remove(name);
    }
    command.args(["scenario", "run"]).args(arguments).output().unwrap()
}

fn written(name: &str, text: &str) -> String {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn the_command_says_ok_a_line_each_and_ends_with_0() {
    let ran = run(&["scenarios/s01-marriage.scenario", "scenarios/s03-weak-window.scenario"]);
    let said = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(ran.status.code(), Some(0), "{said}");
    let lines: Vec<&str> = said.lines().collect();
    assert!(lines[0].starts_with("ok") && lines[0].contains("s01-marriage"), "{said}");
    assert!(lines[2].starts_with("2 scenarios, ") && lines[2].ends_with("all as expected"), "{said}");
}

#[test]
fn the_command_shows_expected_against_got_and_ends_with_40() {
    let file =
        written("wrong.scenario", &text_of("s01-marriage").replace("=> refresh, object A", "=> mismatch, object A"));
    let ran = run(&[&file]);
    assert_eq!(ran.status.code(), Some(40));
    let said = String::from_utf8(ran.stdout).unwrap();
    for words in
        ["FAILED", "wrong.scenario:11", "ask ann.lee@x.test chain cA", "mismatch", "refresh", "1 failed, 1 differences"]
    {
        assert!(said.contains(words), "{words} is not in {said}");
    }
    let ran = run(&["--output", "json", &file]);
    assert_eq!(ran.status.code(), Some(40));
    let json: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let item = &json["items"][0];
    assert_eq!((&item["ok"], &item["title"]), (&false.into(), &"Marriage".into()), "{json:#}");
    let expected = serde_json::json!({
        "line": 11, "question": "ask ann.lee@x.test chain cA", "expected": "mismatch", "got": "refresh",
    });
    assert_eq!(item["differences"], serde_json::json!([expected]));
}

#[test]
fn a_file_that_is_missing_ends_with_1_and_one_that_is_no_scenario_with_2() {
    let ran = run(&["scenarios/s99-nothing.scenario"]);
    assert_eq!(ran.status.code(), Some(1));
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(said.contains("failed to read scenarios/s99-nothing.scenario"), "{said}");

    let file = written("broken.scenario", "title x\n09:00 pol\n");
    let ran = run(&["scenarios/s01-marriage.scenario", &file]);
    assert_eq!(ran.status.code(), Some(2));
    assert!(ran.stdout.is_empty(), "nothing is played if one file is none");
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(said.contains("broken.scenario:2:7: expected") && said.contains("did you mean `poll`?"), "{said}");
    assert_eq!(run(&[]).status.code(), Some(2));
}

// ---- the emulator that begins with a scenario's end

/// A process that ends with the test.
struct Serving(std::process::Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _gone = self.0.kill().and_then(|()| self.0.wait());
    }
}

/// The program in a folder, at 12:00 of day 0, with the emulator's secret.
fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_whowas"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WHOWAS_")) {
        command.env_remove(name);
    }
    command.env("HOME", folder).env("SCENARIO_SECRET", EmulatorOptions::SECRET).current_dir(folder);
    command.args(["--now", "2026-03-02T12:00:00Z", "--output", "json"]);
    command
}

fn json_of(command: &mut Command) -> serde_json::Value {
    let ran = command.output().unwrap();
    assert!(ran.status.success(), "{ran:?}");
    serde_json::from_slice(&ran.stdout).unwrap()
}

#[test]
fn the_emulator_begins_with_what_a_scenario_leaves_and_goes_on_from_its_last_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("swap.scenario");
    // The emulator asks nothing, so what would be refused or expected of a ledger does not matter to it.
    let text = "title Swap\nstart 2026-03-02\npage-size 1\n\
                cast A = pat@x.test\ncast B = max@x.test\ncast C = kim@x.test\nchains cA\n\
                07:00 poll\n07:00 snapshot cA 1 by id A\n\
                08:00 rename A to max@x.test, B to pat@x.test\n09:00 delete C\n10:00 create D kim@x.test\n\
                11:00 ask A chain cA => renamed\n11:00 quirk duplicates\n";
    std::fs::write(&file, text).unwrap();
    let mut emulator = program(folder.path());
    emulator.args(["emulate", "--listen", "127.0.0.1:0", "--frozen", "--scenario", file.to_str().unwrap()]);
    let (out, err) = (std::process::Stdio::piped(), std::process::Stdio::null());
    let mut emulator = Serving(emulator.stdout(out).stderr(err).spawn().unwrap());
    let mut url = String::new();
    BufReader::new(emulator.0.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let url = url.trim().trim_matches('"');
    let (tenant, client) = (EmulatorOptions::TENANT, EmulatorOptions::CLIENT_ID);
    let config = format!(
        "[[tenant]]\nid = \"{tenant}\"\nalias = \"x\"\nclient_id = \"{client}\"\n\
         credential = {{ secret_env = \"SCENARIO_SECRET\" }}\ngraph_url = \"{url}\"\nlogin_url = \"{url}\"\n"
    );
    std::fs::write(folder.path().join("whowas.toml"), config).unwrap();

    let run = json_of(program(folder.path()).args(["sync", "--reconcile"]));
    assert!(run.to_string().contains("completed"), "{run:#}");
    let history = |name: &str| json_of(program(folder.path()).args(["history", name]));
    // The seed is the scenario's, so the ids are those that a played scenario has: A is the first and B the second.
    let (pat, max) = (history("pat@x.test")["holders"].clone(), history("max@x.test")["holders"].clone());
    assert_eq!((pat.as_array().unwrap().len(), max.as_array().unwrap().len()), (2, 2), "upn and address: {pat:#}");
    assert_ne!(pat[0]["object"], max[0]["object"]);
    let kim = history("kim@x.test");
    let holders: std::collections::BTreeSet<&str> =
        kim["holders"].as_array().unwrap().iter().map(|holder| holder["object"].as_str().unwrap()).collect();
    assert_eq!(holders.len(), 2, "one in the recycle bin and one that lives: {kim:#}");

    // A file whose events the directory refuses is told with the line, and nothing is served.
    std::fs::write(&file, "title x\ncast A = a@x.test\n09:00 restore A\n").unwrap();
    let mut wrong = program(folder.path());
    wrong.args(["emulate", "--listen", "127.0.0.1:0", "--scenario", file.to_str().unwrap()]);
    let ran = wrong.output().unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(1), "{said}");
    assert!(said.contains("do what line 3 says: object A is not among the deleted items"), "{said}");
    // Users in numbers and a scenario exclude each other.
    let mut both = program(folder.path());
    both.args(["emulate", "--users", "5", "--scenario", file.to_str().unwrap()]);
    assert_eq!(both.output().unwrap().status.code(), Some(2));
}
