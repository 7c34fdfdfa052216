//! A ledger at rest under a key: no file of it shows a name, and with the key it answers as its plain twin does.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::world::{Ran, SECRET, World, bare, full, ran};

/// How often an encryption is killed. Each kill comes a little later than the one before.
const KILLS: u32 = 12;
/// What stands in the world's facts and must stand in no file.
const SECRETS: [&str; 6] = ["ann@x.test", "carl@x.test", "ann.lee", "mailbox-ann", "once upon", "nightly"];

/// Writes a key file of one repeated byte.
fn key(w: &World, name: &str, byte: u8) -> String {
    let file = w.file(name);
    fs::write(&file, format!("{}\n", format!("{byte:02x}").repeat(32))).unwrap();
    file.to_str().unwrap().to_owned()
}

/// The configuration names a key file from now on, or none.
fn configure_key(w: &World, file: Option<&str>) {
    let config = fs::read_to_string(w.file("whowas.toml")).unwrap();
    let lines = config.lines().filter(|line| !line.starts_with("key_file"));
    let mut text: String = lines.map(|line| format!("{line}\n")).collect();
    if let Some(file) = file {
        text = text.replace("[ledger]\n", &format!("[ledger]\nkey_file = \"{file}\"\n"));
    }
    fs::write(w.file("whowas.toml"), text).unwrap();
}

/// Which of the secrets stand in any file below a folder, in any letter case.
fn shown(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(shown(&path));
            continue;
        }
        let mut bytes = fs::read(&path).unwrap();
        bytes.make_ascii_lowercase();
        let is_in = |secret: &&&str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        found.extend(SECRETS.iter().filter(is_in).map(|secret| format!("{secret} in {}", path.display())));
    }
    found
}

/// Which secrets are shown at all.
fn shows_all(folder: &Path) -> bool {
    let found = shown(folder);
    SECRETS.iter().all(|secret| found.iter().any(|found| found.starts_with(&format!("{secret} in "))))
}

/// Every file of a ledger but those that say who has it open.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        match path.is_dir() {
            true => found.extend(files(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes))),
            false if name == "holder.json" => {}
            false => drop(found.insert(name, fs::read(&path).unwrap())),
        }
    }
    found
}

/// Two people, one renamed and her name taken by the other, snapshots by id and by name, a finding and a link with a note.
fn lived() -> World {
    let w = World::new();
    live(w)
}

fn live(mut w: World) -> World {
    let ann = w.create("ann");
    let carl = w.create("carl");
    w.at("09:00");
    w.poll();
    w.snapshot("nightly", "s1", ann);
    w.snapshot_by_name("mailbox-ann", "s2", "ann");
    w.snapshot_by_name("mailbox-ann", "s3", "carl");
    let (from, to) = (ann.to_string(), carl.to_string());
    w.run(&["link", "add", "--from", &from, "--to", &to, "--as", "recreated-as", "--note", "once upon"]).done();
    w.rename(ann, "ann.lee");
    w.at("10:00");
    w.poll();
    w.rename(carl, "ann");
    w.at("11:00");
    w.poll();
    w.snapshot_by_name("nightly", "s4", "ann");
    w
}

/// Everything that is asked of a ledger.
fn answers(w: &World, more: &[&str]) -> Vec<(String, Ran)> {
    let who = full("ann");
    let questions: [&[&str]; 12] = [
        &["verify"],
        &["who", &who],
        &["who", &who, "--at", "2026-03-02T09:30:00Z"],
        &["history", &who],
        &["snapshot", "list", "--chain", "nightly"],
        &["snapshot", "list", "--name", &who],
        &["check", "--chain", "nightly", "--name", &who],
        &["findings"],
        &["reuse"],
        &["plan", "mailbox-ann"],
        &["link", "candidates"],
        &["report", "--format", "json", "-"],
    ];
    let ask = |question: &&[&str]| {
        let ran = ran(w.command("json", more).args(*question));
        assert!(ran.code != 1 && ran.code != 2, "{question:?}: {ran:#?}");
        (question.join(" "), ran)
    };
    questions.iter().map(ask).collect()
}

#[track_caller]
fn same(one: &[(String, Ran)], other: &[(String, Ran)]) {
    for ((question, one), (_, other)) in one.iter().zip(other) {
        assert_eq!((one.code, &one.stdout), (other.code, &other.stdout), "{question}");
    }
}

#[test]
fn an_encrypted_ledger_shows_no_name_and_answers_as_its_plain_twin() {
    let w = World::new();
    key(&w, "ledger.key", 0x11);
    configure_key(&w, Some("ledger.key"));
    let w = live(w);
    assert_eq!(shown(&w.ledger()), Vec::<String>::new());
    assert_eq!(fs::read_to_string(w.ledger().join("format")).unwrap(), "2 encrypted\n");

    // The export is plain, and says so; from it comes a twin with the same hashes.
    let (file, plain) = (w.file("out.jsonl"), w.file("plain"));
    let exported = w.run(&["export", file.to_str().unwrap()]);
    exported.done();
    assert!(exported.stderr.contains("the export is not"), "{exported:?}");
    let more = ["--ledger", plain.to_str().unwrap()];
    let encrypted = answers(&w, &[]);
    configure_key(&w, None);
    let restored = ran(w.command("json", &more).args(["restore", file.to_str().unwrap()])).done();
    assert!(shows_all(&plain), "the search itself finds them: {:?}", shown(&plain));
    same(&answers(&w, &more), &encrypted);
    let head = |ran: &Ran| ran.done()["tenants"].clone();
    assert_eq!(restored["tenants"], head(&exported));

    // An import of it all under a key is encrypted as well.
    let again = w.file("again");
    let more =
        ["--ledger", again.to_str().unwrap(), "--key-file", w.file("ledger.key").to_str().unwrap()].map(str::to_owned);
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    ran(w.command("json", &more).args(["restore", file.to_str().unwrap()])).done();
    assert_eq!(shown(&again), Vec::<String>::new());
    same(&answers(&w, &more), &encrypted);
}

#[test]
fn what_changes_a_ledger_leaves_an_encrypted_one_encrypted() {
    let w = World::new();
    key(&w, "ledger.key", 0x11);
    configure_key(&w, Some("ledger.key"));
    let w = live(w);
    let before = answers(&w, &[]);
    for command in [&["rebuild"][..], &["compact"], &["repair", "--force"], &["repair"]] {
        w.run(command).done();
        assert_eq!(shown(&w.ledger()), Vec::<String>::new(), "{command:?}");
        same(&answers(&w, &[]), &before);
    }
    let doctor = w.run(&["doctor"]).stdout;
    assert!(doctor.contains("opens, at commit"), "{doctor}");
    // What a repair put aside is encrypted too, and is no reason not to erase names.
    let aside = w.ledger().join("engine.damaged-1");
    assert!(aside.join("cipher").exists());
    fs::remove_dir_all(aside).unwrap();
    let holder = w.run(&["who", &full("ann.lee")]).done()["holder"].as_str().unwrap().to_owned();
    w.run(&["redact", &holder]).done();
    assert_eq!(shown(&w.ledger()), Vec::<String>::new());
    w.verify();
    assert!(w.run(&["history", &holder]).stdout.contains("@erased.invalid"));
}

#[test]
fn a_damaged_encrypted_ledger_is_repaired_with_its_key() {
    let w = World::new();
    key(&w, "ledger.key", 0x11);
    configure_key(&w, Some("ledger.key"));
    let w = live(w);
    let before = answers(&w, &[]);
    fs::remove_file(w.ledger().join("engine/conf")).unwrap();
    for entry in fs::read_dir(w.ledger().join("engine")).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("snap.") {
            fs::write(path, "nonsense").unwrap();
        }
    }
    let untouched = files(&w.ledger());
    key(&w, "other.key", 0x22);
    configure_key(&w, Some("other.key"));
    w.run(&["repair"]).failed(1, &["encrypted with the key", "the key given is"]);
    configure_key(&w, None);
    w.run(&["repair"]).failed(1, &["no key is given", "--key-file"]);
    assert_eq!(files(&w.ledger()), untouched);
    configure_key(&w, Some("ledger.key"));
    w.run(&["repair", "--force"]).done();
    assert_eq!(shown(&w.ledger()), Vec::<String>::new());
    same(&answers(&w, &[]), &before);
}

#[test]
fn a_ledger_is_encrypted_gets_other_keys_and_is_decrypted() {
    let w = lived();
    let is_encrypted = |w: &World| w.run(&["status"]).done()["ledger"]["encrypted"].clone();
    assert_eq!(is_encrypted(&w), false);
    let plain = answers(&w, &[]);
    assert!(shows_all(&w.ledger()), "{:?}", shown(&w.ledger()));
    w.run(&["encrypt"]).failed(2, &["no key is given", "openssl rand -hex 32"]);
    let (one, two) = (key(&w, "one.key", 0x11), key(&w, "two.key", 0x22));
    fs::set_permissions(&one, fs::Permissions::from_mode(0o644)).unwrap();
    configure_key(&w, Some("one.key"));
    w.run(&["encrypt", "--new-key-file", &two]).failed(2, &["not encrypted yet"]);
    let aside = w.ledger().join("engine.damaged-1");
    fs::create_dir(&aside).unwrap();
    w.run(&["encrypt"]).failed(1, &["engine.damaged-1", "nothing was changed"]);
    fs::remove_dir(&aside).unwrap();
    assert!(shows_all(&w.ledger()), "what is refused changes nothing");

    let encrypted = w.run(&["encrypt"]);
    let done = encrypted.done();
    assert_eq!(done["did"], "encrypted");
    assert_eq!(is_encrypted(&w), true);
    assert_eq!(shown(&w.ledger()), Vec::<String>::new());
    same(&answers(&w, &[]), &plain);
    fs::set_permissions(&one, fs::Permissions::from_mode(0o600)).unwrap();
    let nothing = w.run(&["encrypt"]);
    assert_eq!(nothing.done()["did"], "nothing");
    // The first time others could read the key.
    assert!(encrypted.stderr.contains("one.key has mode 644, so others can read"), "{encrypted:?}");
    assert!(!nothing.stderr.contains("mode"), "{nothing:?}");

    // Another key of the operator's: one file differs.
    let before = files(&w.ledger());
    let changed = w.run(&["encrypt", "--new-key-file", &two]).done();
    assert_eq!(changed["did"], "changed_key");
    assert_ne!(changed["key"], done["key"]);
    let wrapped = |files: &BTreeMap<String, Vec<u8>>| files["engine/cipher"].clone();
    let record = |files: &BTreeMap<String, Vec<u8>>| files["engine/db"].len();
    let after = files(&w.ledger());
    assert_ne!(wrapped(&before), wrapped(&after));
    assert_eq!(record(&before), record(&after));
    w.run(&["status"]).failed(1, &["encrypted with the key", "nothing was changed"]);
    configure_key(&w, Some("two.key"));
    same(&answers(&w, &[]), &plain);

    // A new data key, and the first key of the operator's again, by the variable.
    let rekeyed = w.run(&["encrypt", "--rekey", "--new-key-file", &one]).done();
    assert_eq!((&rekeyed["did"], &rekeyed["key"]), (&json!("changed_data_key"), &done["key"]));
    configure_key(&w, None);
    let text = fs::read_to_string(&one).unwrap();
    ran(w.command("json", &["status"]).env("WHOWAS_LEDGER_KEY", &text)).done();
    // The flag counts before it, and it before the configuration.
    ran(w.command("json", &["status", "--key-file", &two]).env("WHOWAS_LEDGER_KEY", &text))
        .failed(1, &["the key given is"]);
    configure_key(&w, Some("two.key"));
    ran(w.command("json", &["status"]).env("WHOWAS_LEDGER_KEY", &text)).done();
    for set in ["", "swordfish"] {
        let refused = ran(w.command("json", &["status"]).env("WHOWAS_LEDGER_KEY", set));
        refused.failed(2, &["WHOWAS_LEDGER_KEY holds no key", "64 hexadecimal digits"]);
        assert!(set.is_empty() || !refused.stderr.contains(set), "{refused:?}");
    }
    configure_key(&w, Some("one.key"));
    same(&answers(&w, &[]), &plain);
    assert_eq!(shown(&w.ledger()), Vec::<String>::new());

    let done = w.run(&["decrypt"]).done();
    assert_eq!(done["did"], "decrypted");
    assert!(shows_all(&w.ledger()), "{:?}", shown(&w.ledger()));
    assert_eq!(fs::read_to_string(w.ledger().join("format")).unwrap(), "2\n");
    configure_key(&w, None);
    same(&answers(&w, &[]), &plain);
    assert_eq!(w.run(&["decrypt"]).done()["did"], "nothing");
}

#[test]
fn without_the_right_key_nothing_is_opened_and_nothing_is_changed() {
    let w = lived();
    key(&w, "ledger.key", 0x11);
    key(&w, "other.key", 0x22);
    configure_key(&w, Some("ledger.key"));
    w.run(&["status"]).failed(1, &["the ledger is not encrypted", "whowas encrypt"]);
    w.run(&["encrypt"]).done();
    let before = files(&w.ledger());
    let commands: [&[&str]; 10] = [
        &["sync"],
        &["status"],
        &["verify"],
        &["rebuild"],
        &["compact"],
        &["repair"],
        &["encrypt"],
        &["decrypt"],
        &["export", "out.jsonl"],
        &["restore-check", "--chain", "nightly", "--snapshot", "s1", "--to", "ann"],
    ];
    for (file, said) in [(None, "no key is given"), (Some("other.key"), "the key given is")] {
        configure_key(&w, file);
        for command in commands {
            let refused = w.run(command);
            match (command, file) {
                (["encrypt"], None) => refused.failed(2, &["no key is given"]),
                _ => refused.failed(1, &[said, "hint"]),
            }
            assert_eq!(files(&w.ledger()), before, "{command:?}");
        }
        // A service takes no --now.
        let mut serve = bare(&w.file(""));
        ran(serve.env(SECRET, "s").args(["serve", "--listen", "127.0.0.1:0"])).failed(1, &[said, "hint"]);
        assert_eq!(files(&w.ledger()), before);
        let doctor = w.run(&["doctor"]);
        assert!(doctor.code == 1 && doctor.stdout.contains(said), "{doctor:?}");
        assert!(!w.file("out.jsonl").exists());
    }
    for (text, said) in [("", "holds no key"), ("abc\n", "holds no key")] {
        fs::write(w.file("bad.key"), text).unwrap();
        configure_key(&w, Some("bad.key"));
        w.run(&["status"]).failed(2, &["bad.key", said]);
    }
    configure_key(&w, Some("nowhere.key"));
    w.run(&["status"]).failed(2, &["nowhere.key", "cannot be read"]);

    // The wrapped key is damaged, or gone.
    configure_key(&w, Some("ledger.key"));
    let wrapped = w.ledger().join("engine/cipher");
    let sound = fs::read(&wrapped).unwrap();
    let mut damaged = sound.clone();
    damaged[40] ^= 1;
    let copy = w.ledger().join("engine/cipher.copy");
    for harmed in [&wrapped, &copy] {
        fs::write(harmed, &damaged).unwrap();
        w.verify();
        assert_eq!(fs::read(harmed).unwrap(), sound, "the other steps in");
    }
    for harmed in [&wrapped, &copy] {
        fs::write(harmed, &damaged).unwrap();
    }
    let before = files(&w.ledger());
    w.run(&["status"]).failed(1, &["engine/cipher", "damaged", "backup"]);
    w.run(&["repair"]).failed(1, &["engine/cipher", "damaged", "backup"]);
    assert_eq!(files(&w.ledger()), before);
    for harmed in [&wrapped, &copy] {
        fs::remove_file(harmed).unwrap();
    }
    for command in ["status", "repair", "sync", "encrypt"] {
        w.run(&[command]).failed(1, &["engine/cipher", "missing", "backup"]);
    }
    configure_key(&w, None);
    w.run(&["status"]).failed(1, &["engine/cipher", "missing", "backup"]);
    fs::write(&wrapped, &sound).unwrap();
    configure_key(&w, Some("ledger.key"));
    w.verify();
    assert_eq!(fs::read(&copy).unwrap(), sound);
}

#[test]
fn an_encryption_killed_at_any_time_leaves_the_ledger_whole() {
    let w = lived();
    key(&w, "ledger.key", 0x11);
    let before = answers(&w, &[]);
    let file = w.file("ledger.key").to_str().unwrap().to_owned();
    let (mut plain, mut encrypted) = (0, 0);
    for (command, rounds) in
        [(&["encrypt", "--key-file", &file][..], KILLS), (&["encrypt", "--key-file", &file, "--rekey"], KILLS)]
    {
        let mut pause = Duration::from_millis(5);
        for _ in 0..rounds {
            let mut child = w.start(command);
            std::thread::sleep(pause);
            child.kill().unwrap();
            child.wait().unwrap();
            pause += Duration::from_millis(9);
            // The next opening completes what was begun.
            let opened = ran(w.command("json", &["--key-file", &file]).arg("verify"));
            let is_encrypted = opened.code == 0;
            match is_encrypted {
                true => {
                    encrypted += 1;
                    assert_eq!(shown(&w.ledger()), Vec::<String>::new());
                }
                false => {
                    plain += 1;
                    opened.failed(1, &["the ledger is not encrypted"]);
                    same(&answers(&w, &[])[..2], &before[..2]);
                }
            }
            let names =
                fs::read_dir(w.ledger()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let left: Vec<_> = names.filter(|name| name.contains("engine.") || name == "compacted").collect();
            assert_eq!(left, Vec::<String>::new());
        }
        if command.len() == 3 {
            ran(&mut w.command("json", command)).done();
        }
    }
    assert!(plain > 0 && encrypted > 0, "{plain} plain, {encrypted} encrypted");
    same(&answers(&w, &["--key-file", &file]), &before);
}
