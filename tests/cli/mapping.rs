//! Who is protected: rules from the configuration and from files, read against the directory, applied, looked at before.

use serde_json::{Value, json};
use whowas::domain::id::ObjectId;
use whowas::graph::emulator::{NewUser, Quirk, QuirkName};

use super::world::{World, full, ran, ran_with};

struct Company {
    w: World,
    ann: ObjectId,
    bob: ObjectId,
    guest: ObjectId,
}

/// Ann of Sales, Bob of HR and a guest of Sales, each with a chain, after a first sync at midnight.
fn company(more: &str) -> Company {
    let mut w = World::new();
    w.configure(more);
    let [ann, bob, guest] = [("ann", "Sales"), ("bob", "HR"), ("guest", "sales")].map(|(name, department)| {
        let user_type = if name == "guest" { whowas::graph::emulator::UserType::Guest } else { Default::default() };
        let attributes = [("department".to_owned(), department.to_owned())].into();
        let new = NewUser { user_type, attributes, ..NewUser::mailbox(&full(name)) };
        w.directory(|directory| directory.create_user(new)).unwrap()
    });
    w.at("00:00");
    w.poll();
    for (chain, object) in [("cA", ann), ("cB", bob), ("cG", guest)] {
        w.snapshot(chain, "1", object);
    }
    Company { w, ann, bob, guest }
}

const SALES: &str = "[[mapping]]\nname = \"sales\"\nmatch = { attribute = \"department\", equals = \"SALES\" }\n\
                     exclude = { user_type = \"guest\" }\nlabels = { profile = \"gold\", region = \"eu\" }\n";

fn configured(rules: &str) -> String {
    rules.replace("[[mapping]]", "[[tenant.mapping]]")
}

fn department(w: &World, user: ObjectId, department: Option<&str>) {
    let change = [("department".to_owned(), department.map(str::to_owned))];
    w.directory(|directory| directory.set_attributes(user, change)).unwrap();
}

fn write(w: &World, rules: &str) -> String {
    std::fs::write(w.file("rules.toml"), rules).unwrap();
    "rules.toml".to_owned()
}

fn ids(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|moved| moved["object"].as_str().unwrap().to_owned()).collect()
}

/// How many requests for this path were made, with this in their query.
fn asked(w: &World, path: &str, query: &str) -> usize {
    w.requests().iter().filter(|seen| seen.target.contains(path) && seen.target.contains(query)).count()
}

#[test]
fn rules_of_the_configuration_are_in_force_from_the_first_sync_on() {
    let Company { mut w, ann, bob, guest } = company(&configured(SALES));
    assert_eq!(asked(&w, "/users/delta", "assignedPlans,department"), 1);
    let object = ann.to_string();
    w.ask(&["--chain", "cA", "--object", &object])
        .continues()
        .has("mapping", json!("sales"))
        .has("labels", json!({"profile": "gold", "region": "eu"}));
    let frozen = w.ask(&["--chain", "cB"]).frozen().because("no rule matches it").on("1");
    frozen.has("mapping", Value::Null).has("labels", json!({}));
    w.ask(&["--chain", "cG"]).frozen().because("rule \"sales\" excludes it");
    assert!(w.say(&["check", "--chain", "cA"]).stdout.contains("mapping: sales (profile gold, region eu)"));
    // Bob moves to Sales, and Ann out of every department.
    w.at("01:00");
    department(&w, bob, Some("sales"));
    department(&w, ann, None);
    w.at("02:00");
    let run = w.poll();
    assert_eq!((&run["kind"], &run["note"], &run["changed"]), (&json!("delta"), &Value::Null, &json!(0)), "{run}");
    w.ask(&["--chain", "cB"]).continues().has("mapping", json!("sales"));
    w.ask(&["--chain", "cA"]).frozen();
    let scopes = w.history(&object)["scopes"].clone();
    let told: Vec<&Value> = scopes.as_array().unwrap().iter().map(|period| &period["scope"]).collect();
    assert_eq!(told, ["in", "out"], "{scopes}");
    assert_eq!(scopes[1]["since"], json!(w.time("02:00")));
    // The reconcile and live reads tell them too.
    department(&w, ann, Some("Sales"));
    w.ask_live(&["--name", &full("ann"), "--chain", "cA"]).continues();
    w.reconcile();
    w.ask(&["--chain", "cG"]).frozen().of_object(guest);
    w.verify();
    w.run(&["rebuild"]).done();
    w.verify();
}

#[test]
fn without_a_mapping_nothing_is_asked_for_and_nobody_is_left_out() {
    let Company { mut w, .. } = company("");
    w.at("01:00");
    w.reconcile();
    assert_eq!(asked(&w, "/v1.0/", "department") + asked(&w, "transitiveMembers", ""), 0);
    for chain in ["cA", "cB", "cG"] {
        w.ask(&["--chain", chain]).continues().has("mapping", Value::Null);
    }
    assert_eq!(w.run(&["mapping", "show"]).done()["since"], Value::Null);
    assert!(w.say(&["mapping", "show"]).stdout.contains("everyone is protected"));
}

#[test]
fn a_preview_reads_what_the_rules_look_at_and_writes_nothing() {
    let Company { w, ann, bob, guest } = company("");
    let before = w.status()["sequence"].clone();
    let file = write(&w, SALES);
    let seen = w.run(&["mapping", "preview", &file]).done();
    assert_eq!((&seen["changed"], &seen["applied"]), (&json!(true), &json!(false)), "{seen:#}");
    assert_eq!(seen["rules"], json!([{"rule": "sales", "protects": 1}]));
    assert_eq!((&seen["users"], &seen["out"], &seen["protected_with_chains"]), (&json!(3), &json!(2), &json!(3)));
    assert_eq!((ids(&seen["enter"]), ids(&seen["unknown"])), (vec![], vec![]));
    let mut left = vec![bob.to_string(), guest.to_string()];
    left.sort();
    assert_eq!((ids(&seen["leave"]), ids(&seen["freeze"])), (left.clone(), left));
    assert!(seen["breach"].as_str().unwrap().contains("the chains of 2 of 3 protected users"));
    let text = w.say(&["mapping", "preview", &file]).stdout;
    for part in ["\"sales\" protects 1", "2 leave", "chain cB", "excluded by \"sales\"", "needs --yes"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // From standard input, and by what the ledger knows alone.
    let piped = ran_with(&mut w.command("json", &["mapping", "preview", "-", "--offline"]), SALES).done();
    // What needs no reading is decided without it.
    let left = (ids(&piped["leave"]), piped["unknown"].as_array().unwrap().len());
    assert_eq!(left, (vec![guest.to_string()], 2), "{piped:#}");
    assert_eq!(w.status()["sequence"], before);
    w.ask(&["--chain", "cB"]).continues().of_object(bob);
    w.ask(&["--chain", "cA"]).continues().of_object(ann);
}

#[test]
fn apply_makes_it_so_once_and_the_guard_wants_to_be_told() {
    let Company { mut w, ann, bob, .. } = company("");
    let basis = w.status()["sequence"].to_string();
    let asked_then = w.run(&["check", "--chain", "cB", "--basis", &basis]).stdout;
    let file = write(&w, SALES);
    let refused = w.run(&["mapping", "apply", &file]);
    refused.failed(1, &["nothing was applied", "the chains of 2 of 3", "--yes"]);
    assert_eq!(w.status()["sequence"].to_string(), basis, "nothing of it was written");
    let done = w.run(&["mapping", "apply", &file, "--yes"]).done();
    assert_eq!((&done["applied"], &done["basis"]["sequence"]), (&json!(true), &w.status()["sequence"]), "{done:#}");
    w.ask(&["--chain", "cA"]).continues().has("mapping", json!("sales"));
    w.ask(&["--chain", "cB"]).frozen();
    // Again it is nothing new.
    let after = w.status()["sequence"].clone();
    let again = w.run(&["mapping", "apply", &file]).done();
    assert_eq!((&again["changed"], &again["applied"]), (&json!(false), &json!(false)));
    assert_eq!(w.status()["sequence"], after);
    assert!(w.say(&["mapping", "apply", &file]).stdout.contains("in force already"));
    // What is shown is what can be applied.
    let shown = w.say(&["mapping", "show"]).stdout;
    assert!(shown.contains("in order of priority"), "{shown}");
    let read_back = ran_with(&mut w.command("json", &["mapping", "preview", "-"]), &shown).done();
    assert_eq!(read_back["changed"], json!(false), "{shown}");
    // The feed is begun anew, with the attribute; from then on a round tells what changes.
    w.at("01:00");
    let run = w.poll();
    assert_eq!((&run["kind"], &run["note"]), (&json!("full"), &Value::Null), "{run}");
    let blind = w.status()["blind"].clone();
    assert_eq!(blind[0]["why"], json!("the mapping looks at attributes that the feed did not tell"), "{blind}");
    department(&w, bob, Some("Sales"));
    w.at("02:00");
    assert_eq!(w.poll()["kind"], json!("delta"));
    w.ask(&["--chain", "cB"]).continues();
    // An answer from before is given again, byte for byte, with the rules of its time.
    w.pretend(w.time("00:00"));
    assert_eq!(w.run(&["check", "--chain", "cB", "--basis", &basis]).stdout, asked_then);
    assert_eq!(w.run(&["check", "--object", &ann.to_string(), "--basis", &basis]).done()["mapping"], Value::Null);
    w.at("03:00");
    // No rules: everyone is protected again.
    let none = write(&w, "mapping = []");
    let done = w.run(&["mapping", "apply", &none]).done();
    assert_eq!(done["enter"].as_array().unwrap().len(), 1, "{done:#}");
    w.ask(&["--chain", "cG"]).continues();
    w.verify();
}

#[test]
fn a_sync_applies_rules_that_were_configured_anew_unless_they_freeze_too_much() {
    let Company { mut w, ann, .. } = company("");
    w.configure(&configured(SALES));
    w.at("01:00");
    let run = w.poll();
    let note = run["note"].as_str().unwrap();
    assert!(
        note.contains("was not applied: it would freeze the chains of 2 of 3") && note.contains("apply FILE --yes"),
        "{note}"
    );
    w.ask(&["--chain", "cB"]).continues();
    // The whole configuration is a file of rules as well.
    let done = w.run(&["mapping", "apply", "whowas.toml", "--yes"]);
    assert!(!done.stderr.contains("other rules"), "{done:?}");
    assert_eq!(done.done()["applied"], json!(true));
    w.at("02:00");
    assert_eq!(w.poll()["note"], Value::Null, "they are in force by now");
    let wide = "[[mapping]]\nname = \"all\"\nmatch = { any = true }\n";
    w.configure(&configured(wide));
    w.at("03:00");
    let run = w.poll();
    assert!(run["note"].as_str().unwrap().contains("was applied: 2 enter, 0 leave"), "{run}");
    assert_eq!(run["kind"], json!("delta"));
    w.ask(&["--chain", "cB"]).continues().has("mapping", json!("all"));
    // Other rules by hand: the next sync would undo it, which is said.
    let file = write(&w, SALES);
    let done = w.run(&["mapping", "apply", &file, "--yes"]);
    assert!(done.stderr.contains("the configuration has other rules"), "{done:?}");
    w.at("04:00");
    w.poll();
    w.ask(&["--object", &ann.to_string()]).continues().has("mapping", json!("all"));
    // A configuration without rules leaves what was applied.
    w.configure("");
    w.at("05:00");
    w.poll();
    w.ask(&["--object", &ann.to_string()]).continues().has("mapping", json!("all"));
    w.verify();
}

/// A security group with Ann in it, and Bob in a group inside of it.
fn staff(w: &World, ann: ObjectId, bob: ObjectId) -> ObjectId {
    w.directory(|directory| {
        let staff = directory.create_group("staff", None).unwrap();
        let inner = directory.create_group("inner", None).unwrap();
        directory.add_member(staff, ann).unwrap();
        directory.add_member(staff, inner).unwrap();
        directory.add_member(inner, bob).unwrap();
        staff
    })
}

#[test]
fn members_of_members_are_found_at_each_sync() {
    let Company { mut w, ann, bob, .. } = company("");
    let group = staff(&w, ann, bob);
    let rules = format!("[[mapping]]\nname = \"staff\"\nmatch = {{ group = \"{group}\" }}\n");
    let file = write(&w, &rules);
    w.run(&["mapping", "apply", &file, "--yes"]).done();
    w.ask(&["--chain", "cA"]).continues().has("mapping", json!("staff"));
    w.ask(&["--chain", "cB"]).continues().has("mapping", json!("staff"));
    w.ask(&["--chain", "cG"]).frozen();
    w.at("01:00");
    w.directory(|directory| directory.remove_member(group, ann)).unwrap();
    let new = w.create("new");
    w.directory(|directory| directory.add_member(group, new)).unwrap();
    // A live read knows the new one before its groups are: that is no ground to freeze it, nor to begin a chain.
    w.ask_live(&["--object", &new.to_string()]).refresh().because("were read before it was there");
    w.at("02:00");
    let run = w.poll();
    assert_eq!((&run["kind"], &run["note"]), (&json!("delta"), &Value::Null), "{run}");
    w.ask(&["--chain", "cA"]).frozen();
    w.ask(&["--chain", "cB"]).continues();
    w.ask(&["--object", &new.to_string()]).baseline().has("mapping", json!("staff"));
    w.verify();
}

#[test]
fn groups_that_may_not_be_read_freeze_nobody() {
    let Company { mut w, ann, bob, .. } = company("");
    let group = staff(&w, ann, bob);
    let rules = format!("[[mapping]]\nname = \"staff\"\nmatch = {{ group = \"{group}\" }}\n");
    w.configure(&configured(&rules));
    w.quirk(QuirkName::GroupsForbidden);
    let preview = w.run(&["mapping", "preview", "whowas.toml"]).done();
    assert_eq!((preview["leave"].as_array().unwrap().len(), preview["unknown"].as_array().unwrap().len()), (0, 3));
    w.at("01:00");
    let run = w.poll();
    assert_eq!(run["outcome"], json!("completed"), "{run}");
    // Rules that nobody can be decided by would stop every backup.
    for part in ["GroupMember.Read.All", "was not applied", "leave 3 undecided of 3 protected users"] {
        assert!(run["note"].as_str().unwrap().contains(part), "{run}");
    }
    w.ask(&["--chain", "cA"]).continues();
    w.run(&["mapping", "apply", "whowas.toml"]).failed(1, &["leave 3 undecided"]);
    w.run(&["mapping", "apply", "whowas.toml", "--yes"]).done();
    for chain in ["cA", "cB", "cG"] {
        w.ask(&["--chain", chain]).refresh().because("could not be read: the application lacks the permission");
    }
    w.no_quirks();
    w.at("02:00");
    w.poll();
    w.ask(&["--chain", "cA"]).continues();
    w.ask(&["--chain", "cG"]).frozen();
    // It is taken away later, or the group is deleted: that would stop everybody's backup, so somebody must say so first.
    w.quirks([Quirk::new(QuirkName::GroupsForbidden)]);
    w.at("03:00");
    let note = w.poll()["note"].as_str().unwrap().to_owned();
    assert!(note.contains("was not taken over") && note.contains("leave 2 undecided"), "{note}");
    w.ask(&["--chain", "cA"]).continues();
    w.no_quirks();
    w.directory(|directory| directory.delete_group(group)).unwrap();
    w.at("04:00");
    assert!(w.poll()["note"].as_str().unwrap().contains("there is no such group"));
    w.ask(&["--chain", "cB"]).continues();
    w.ask(&["--chain", "cG"]).frozen();
    w.run(&["mapping", "apply", "whowas.toml", "--yes"]).done();
    for chain in ["cA", "cB", "cG"] {
        w.ask(&["--chain", chain]).refresh();
    }
    w.verify();
}

/// A group that is emptied by a slip stops nobody's backup without a word; a group that cannot be read leaves the others alone.
#[test]
fn a_group_that_shrinks_at_once_is_not_believed_before_somebody_says_so() {
    let Company { mut w, ann, bob, .. } = company("");
    let group = staff(&w, ann, bob);
    let other = w.directory(|directory| directory.create_group("other", None)).unwrap();
    let rules = |groups: &[ObjectId]| -> String {
        let rule = |group| format!("[[mapping]]\nname = \"{group}\"\nmatch = {{ group = \"{group}\" }}\n");
        groups.iter().map(rule).collect()
    };
    w.configure(&configured(&rules(&[group, other])));
    w.run(&["mapping", "apply", "whowas.toml", "--yes"]).done();
    w.at("01:00");
    w.poll();
    w.ask(&["--chain", "cA"]).continues().has("mapping", json!(group.to_string()));
    // One of two who have chains goes, and one comes into a group; with so few that is no slip.
    w.directory(|directory| directory.remove_member(group, ann)).unwrap();
    w.at("02:00");
    assert_eq!(w.poll()["note"], Value::Null);
    w.ask(&["--chain", "cA"]).frozen();
    w.directory(|directory| directory.add_member(group, ann)).unwrap();
    w.at("03:00");
    w.poll();
    // All of them go at once.
    let (_, groups) = w.directory(|directory| directory.transitive_members(group)).unwrap();
    for member in groups.iter().filter(|inner| **inner != group).chain([&ann]) {
        w.directory(|directory| directory.remove_member(group, *member)).unwrap();
    }
    w.at("04:00");
    let note = w.poll()["note"].as_str().unwrap().to_owned();
    assert!(note.contains("was not taken over") && note.contains("2 of 2 protected users"), "{note}");
    w.ask(&["--chain", "cA"]).continues();
    let seen = w.run(&["mapping", "preview", "whowas.toml"]).done();
    assert_eq!((&seen["changed"], ids(&seen["freeze"]).len()), (&json!(true), 2), "{seen:#}");
    w.run(&["mapping", "apply", "whowas.toml"]).failed(1, &["nothing was applied", "2 of 2"]);
    let done = w.run(&["mapping", "apply", "whowas.toml", "--yes"]).done();
    assert_eq!(done["applied"], json!(true));
    w.ask(&["--chain", "cA"]).frozen();
    // A week on, with the group in the dark, nobody is said to be outside of it.
    w.quirks([Quirk::new(QuirkName::Unavailable).style("none").path(&format!("/groups/{group}"))]);
    w.directory(|directory| directory.add_member(other, bob)).unwrap();
    w.at("05:00");
    let note = w.poll()["note"].as_str().unwrap().to_owned();
    assert!(note.contains(&format!("the members of group {group} could not be read")), "{note}");
    w.ask(&["--chain", "cA"]).frozen();
    w.ask(&["--chain", "cB"]).continues();
    w.on_day(9, "05:00");
    w.poll();
    w.ask(&["--chain", "cA"]).refresh().because("were last read as of");
    w.verify();
}

#[test]
fn many_members_come_in_pages_and_pages_may_expire() {
    let w = World::paged(2);
    let group = w.directory(|directory| directory.create_group("all", None)).unwrap();
    for n in 0..11 {
        let user = w.create(&format!("u{n}"));
        w.directory(|directory| directory.add_member(group, user)).unwrap();
    }
    let mut expiring = Quirk::new(QuirkName::PageTokenExpired).times(1);
    expiring.path = Some("transitiveMembers".to_owned());
    w.quirks([expiring]);
    w.configure(&configured(&format!("[[mapping]]\nname = \"g\"\nmatch = {{ group = \"{group}\" }}\n")));
    let mut w = w;
    w.at("00:00");
    w.poll();
    assert!(asked(&w, "transitiveMembers", "skiptoken") > 5);
    let file = write(&w, "mapping = []");
    let seen = w.run(&["mapping", "preview", &file]).done();
    assert_eq!((&seen["users"], seen["enter"].as_array().unwrap().len()), (&json!(11), 0), "{seen:#}");
    w.verify();
}

#[test]
fn bad_rules_are_refused_with_what_is_wrong_and_where() {
    let Company { w, .. } = company("");
    for (rules, said) in [
        ("[[mapping]]\nname = \"x\"\nmatch = { grop = \"g\" }", "did you mean \"group\"?"),
        ("", "no [[mapping]]"),
        ("[[mapping]\n", "rules.toml"),
    ] {
        let file = write(&w, rules);
        for command in [["mapping", "preview", &file], ["mapping", "apply", &file]] {
            w.run(&command).failed(2, &["rules.toml", said]);
        }
    }
    w.run(&["mapping", "preview", "nowhere.toml"]).failed(1, &["read nowhere.toml"]);
    w.configure("[[tenant.mapping]]\nname = \"x\"\nmatch = { any = 1 }");
    w.run(&["sync"]).failed(2, &["whowas.toml", "tenant x: mapping rule \"x\": match.any can only be true"]);
}

#[test]
fn a_directory_that_cannot_be_read_applies_nothing() {
    let Company { w, .. } = company("");
    let file = write(&w, SALES);
    w.quirk(QuirkName::Unavailable);
    let before = ran(&mut w.command("json", &["status"])).done()["tenants"][0]["sequence"].clone();
    w.run(&["mapping", "apply", &file, "--yes"]).failed(1, &["users listing"]);
    w.run(&["mapping", "preview", &file]).failed(1, &["users listing"]);
    assert_eq!(w.status()["sequence"], before);
    w.ask(&["--chain", "cB"]).continues();
}

/// Such a person's backup is frozen however old the evidence is. That is no proof that there is a mailbox to restore to.
#[test]
fn a_restore_to_somebody_whom_no_rule_protects_needs_proof_as_well() {
    let Company { mut w, bob, .. } = company(&configured(SALES));
    let object = bob.to_string();
    let ask = ["restore-check", "--chain", "cB", "--snapshot", "1", "--to", &object];
    let live = [&ask[..], &["--verify"]].concat();
    assert_eq!(w.run(&ask).done()["verdict"], json!("same_owner"));
    assert_eq!(w.run(&live).done()["verdict"], json!("same_owner"));
    w.at("01:00");
    w.quirk(QuirkName::Unavailable);
    let unread = w.run(&live).ended(20);
    assert_eq!(unread["verdict"], json!("cannot_know"), "{unread}");
    assert!(unread["reasons"].to_string().contains("the live read failed"), "{unread}");
    w.pretend(w.time("00:00").plus(std::time::Duration::from_secs(30 * 86_400)));
    let old = w.run(&ask).ended(20);
    assert_eq!(old["verdict"], json!("cannot_know"), "{old}");
    assert!(old["reasons"].to_string().contains("still lives"), "{old}");
}

/// Members whom the feed has not shown yet are passed over when a group is listed. That somebody is not known as a member is then no
/// word of the listing's.
#[test]
fn a_listing_says_nothing_of_those_whom_the_feed_had_not_shown_by_then() {
    let Company { mut w, .. } = company("");
    let group = w.directory(|directory| directory.create_group("Leaving", None)).unwrap();
    w.at("09:57");
    let new = w.create("newcomer");
    w.directory(|directory| directory.add_member(group, new)).unwrap();
    w.at("10:00");
    w.quirks([Quirk::new(QuirkName::ReplicationLag).seconds(300.0)]);
    w.poll();
    w.at("10:04");
    let rules = format!("[[mapping]]\nname = \"all\"\nmatch = {{ any = true }}\nexclude = {{ group = \"{group}\" }}\n");
    let file = write(&w, &rules);
    w.run(&["mapping", "apply", &file, "--yes"]).done();
    w.at("10:05");
    w.ask_live(&["--name", &full("newcomer")]).refresh().because("were read before it was there");
    w.at("10:10");
    w.poll();
    w.ask(&["--object", &new.to_string()]).frozen();
    w.verify();
}

/// What a rule looks for may be the name that is erased. Then nobody can tell whether it is what stood there, and nobody is protected, or
/// left alone, by a pseudonym.
#[test]
fn a_rule_that_has_an_erased_name_in_it_cannot_be_decided_and_is_named() {
    let rules = "[[mapping]]\nname = \"vip\"\nmatch = { attribute = \"department\", in = [\"hr\", \"ann@x.test\"] }\n";
    let Company { mut w, ann, bob, .. } = company(&configured(rules));
    department(&w, ann, Some("Ann@x.test"));
    w.at("01:00");
    w.poll();
    w.ask(&["--object", &ann.to_string()]).continues().has("mapping", json!("vip"));
    let done = w.run(&["redact", &ann.to_string()]).done();
    assert_eq!(done["rules"], json!(["vip"]), "{done}");
    assert!(w.say(&["redact", &ann.to_string(), "--dry-run"]).stdout.contains("whowas mapping apply"));
    let exact = w.run(&["redact", &bob.to_string(), "--dry-run"]).done();
    assert_eq!(exact["rules"], json!(["vip"]), "as long as it stands there it is named: {exact}");
    w.ask(&["--object", &ann.to_string()]).refresh();
    w.at("02:00");
    w.poll();
    w.ask(&["--object", &ann.to_string()]).refresh();
    w.ask(&["--object", &bob.to_string()]).continues().has("mapping", json!("vip"));
    w.verify();
}
