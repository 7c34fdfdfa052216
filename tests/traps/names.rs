//! Traps 13 to 18: what a name is, how it compares, and who else can have it.

use serde_json::{Value, json};
use whowas::domain::id::ObjectId;
use whowas::graph::emulator::{NameChange, NewUser, Quirk, QuirkName};

use super::world::{World, full};
use super::{findings, holders, id, names_ever};

fn addresses(w: &World, object: ObjectId, mail: &str, proxies: &[&str]) {
    let proxies: Vec<String> = proxies.iter().map(|proxy| (*proxy).to_owned()).collect();
    w.directory(|directory| directory.set_addresses(object, Some(&full(mail)), &proxies)).unwrap();
}

#[test]
fn trap_13_an_address_handed_over_as_an_alias_is_seen() {
    let mut w = World::new();
    let (a, b) = (w.create("ann"), w.create("bob"));
    addresses(&w, a, "ann", &["SMTP:ann@x.test", "smtp:info@x.test"]);
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.at("08:00");
    addresses(&w, a, "ann", &["SMTP:ann@x.test"]);
    addresses(&w, b, "bob", &["SMTP:bob@x.test", "smtp:info@x.test"]);
    w.at("10:00");
    w.poll();
    w.ask_live(&["--name", "info@x.test", "--kind", "smtp", "--chain", "cA"])
        .mismatch()
        .of_object(a)
        .instead(&[(a, "incremental", Some("cA")), (b, "full", None)]);
    let held: Vec<Value> = holders(&w, "info", "smtp").iter().map(|holder| holder["object"].clone()).collect();
    assert_eq!(held, [json!(a), json!(b)]);
}

#[test]
fn trap_14_the_prefix_tells_the_primary_address_from_an_alias_and_from_what_is_no_address() {
    let mut w = World::new();
    let a = w.create("ann");
    let others = ["SIP:chat@x.test", "X500:/o=Org/cn=ann@x", "SPO:SPO_1@SPO_2", "EUM:7@x.test"];
    addresses(&w, a, "ann", &[&["smtp:annie@x.test", "SMTP:ann@x.test"][..], &others[..]].concat());
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    assert_eq!(names_ever(&w, a, "smtp"), ["ann@x.test", "annie@x.test"], "no other kind is an address");
    assert_eq!(names_ever(&w, a, "primary"), ["ann@x.test"]);
    w.ask(&["--name", "chat@x.test"]).unknown();
    w.ask(&["--object", &id(a), "--chain", "cA"])
        .continues()
        .has("names.mail", json!("ann@x.test"))
        .has("names.aliases", json!(["annie@x.test"]));

    // The two change places, and nothing else changes: the object sends under another name from now on.
    w.at("08:00");
    let swapped = ["SMTP:annie@x.test".to_owned(), "smtp:ann@x.test".to_owned()];
    w.directory(|directory| directory.set_addresses(a, Some("ann@x.test"), &swapped)).unwrap();
    w.at("10:00");
    w.poll();
    w.ask(&["--object", &id(a), "--chain", "cA"]).renamed().has("names.mail", json!("annie@x.test"));
    assert_eq!(names_ever(&w, a, "primary"), ["ann@x.test", "annie@x.test"]);
    assert_eq!(names_ever(&w, a, "smtp"), ["ann@x.test", "annie@x.test"]);
}

#[test]
fn trap_15_names_compare_without_case_and_without_locale_and_immutable_ids_with_case() {
    let mut w = World::new();
    let of = |name: &str, immutable_id: &str| {
        let new = NewUser { immutable_id: Some(immutable_id.to_owned()), ..NewUser::mailbox(&full(name)) };
        w.directory(|directory| directory.create_user(new)).unwrap()
    };
    let (a, b) = (of("Ann.Inan@X.Test", "q83vEjRWeJA="), of("bob", "Q83VeJrwEja="));
    let (turkish, kelvin) = (w.create("ılk"), w.create("kim@bücher.example"));
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.ask_live(&["--name", "ANN.INAN@x.tesT", "--chain", "cA"]).continues().of_object(a);
    w.ask_live(&["--name", "KIM@xn--bcher-kva.example"]).baseline().of_object(kelvin);
    w.ask_live(&["--name", "\u{131}LK@x.test"]).baseline().of_object(turkish);
    w.ask_live(&["--name", "ILK@x.test"]).unknown();

    // A change of case alone is no rename.
    w.at("08:00");
    w.rename(a, "ann.inan@x.test");
    w.at("10:00");
    w.poll();
    w.ask(&["--object", &id(a), "--chain", "cA"]).continues().has("changes", json!([]));
    assert_eq!(names_ever(&w, a, "upn").len(), 1);

    // The two immutable ids differ in case only, and so they are two people's. The very same one is a candidate.
    let candidates = |w: &World| w.run(&["link", "candidates"]).done()["items"].as_array().unwrap().len();
    w.delete(b);
    let other = NewUser { immutable_id: Some("q83VeJrwEja=".to_owned()), ..NewUser::mailbox(&full("bob")) };
    w.directory(|directory| directory.create_user(other)).unwrap();
    w.at("11:00");
    w.poll();
    assert_eq!(candidates(&w), 0, "immutable ids that differ in case are different");
    let again = NewUser { immutable_id: Some("Q83VeJrwEja=".to_owned()), ..NewUser::mailbox(&full("bob2")) };
    w.directory(|directory| directory.create_user(again)).unwrap();
    w.at("12:00");
    w.poll();
    assert_eq!(candidates(&w), 1);
}

#[test]
fn trap_16_groups_and_contacts_take_addresses_over() {
    let mut w = World::new();
    let (a, b) = (w.create("tax"), w.create("law"));
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.snapshot("cB", "1", b);
    w.at("08:00");
    w.delete(a);
    w.delete(b);
    let group = w.directory(|directory| directory.create_group("Tax", Some("Tax@x.test"))).unwrap();
    let contact = w.directory(|directory| directory.create_contact("Law", "Law@x.test")).unwrap();
    // The users' feed never tells of them. Their own feeds do; where these may not be read, a live read by name does, and
    // a reconcile.
    w.quirks(["/groups/delta", "/contacts/delta"].map(|path| Quirk::new(QuirkName::Forbidden).path(path)));
    w.at("10:00");
    w.poll();
    w.ask(&["--name", "tax@x.test", "--chain", "cA"]).frozen();
    w.ask_live(&["--name", "tax@x.test", "--chain", "cA"])
        .mismatch()
        .because("now a group")
        .instead(&[(a, "stop", Some("cA")), (group, "stop", None)]);
    w.at("11:00");
    w.reconcile();
    w.ask(&["--name", "law@x.test", "--chain", "cB"])
        .mismatch()
        .because("now a contact")
        .instead(&[(b, "stop", Some("cB")), (contact, "stop", None)]);
    w.no_quirks();
    let people = w.directory(|directory| directory.create_group("People", Some("hr@x.test"))).unwrap();
    w.at("12:00");
    w.poll();
    assert_eq!(w.run(&["who", "hr@x.test"]).done()["holder"], json!(people.to_string()));
}

#[test]
fn trap_17_a_licence_that_goes_frees_the_address_and_leaves_the_user_principal_name() {
    let mut w = World::new();
    let (a, b) = (w.create("ann"), w.create("bob"));
    w.at("00:00");
    w.poll();
    w.snapshot("cA", "1", a);
    w.quirk(QuirkName::LicenceTakesAddress);
    w.at("08:00");
    w.license(a, false);
    w.at("09:00");
    addresses(&w, b, "bob", &["SMTP:bob@x.test", "smtp:ann@x.test"]);
    w.at("10:00");
    w.poll();
    // Whoever opens the mailbox by address reads somebody else's mail; the user principal name reads as before.
    w.ask_live(&["--name", "ann@x.test", "--chain", "cA"]).ambiguous();
    w.ask_live(&["--name", "ann@x.test", "--kind", "smtp", "--chain", "cA"])
        .mismatch()
        .instead(&[(a, "stop", Some("cA")), (b, "full", None)]);
    w.ask(&["--object", &id(a), "--chain", "cA"])
        .frozen()
        .because("has no mailbox")
        .has("names.upn", json!("ann@x.test"))
        .has("names.mail", json!("ann@x.onmicrosoft.com"));
    assert!(findings(&w).contains(&"address_collision".to_owned()), "{:?}", findings(&w));
}

#[test]
fn trap_18_a_change_of_domain_is_one_event_and_stops_nobody_else() {
    let mut w = World::new();
    let all: Vec<ObjectId> = (0..40).map(|n| w.create(&format!("u{n}@old.test"))).collect();
    w.at("00:00");
    w.poll();
    for n in [0, 39] {
        w.snapshot(&format!("c{n}"), "1", all[n]);
    }
    w.at("08:00");
    let moved = all[..30].iter().enumerate();
    let changes: Vec<NameChange> = moved
        .map(|(n, id)| NameChange { id: *id, upn: full(&format!("u{n}")), mail_follows: true, keep_alias: false })
        .collect();
    w.directory(|directory| directory.set_many(&changes)).unwrap();

    // Unannounced it looks like a mistake, so it is held; whoever is not named in it is backed up all the same.
    w.at("10:00");
    w.run(&["sync"]).failed(1, &["30 renames", "held by the guard"]);
    w.ask(&["--object", &id(all[39]), "--chain", "c39"]).continues().on("1");
    let run = w.run(&["sync", "--announce", "old.test=x.test"]).done();
    assert_eq!(run["outcome"], json!("completed"), "{run}");
    w.ask(&["--object", &id(all[0]), "--chain", "c0"])
        .renamed()
        .of_object(all[0])
        .on("1")
        .has("old_name_holder", Value::Null);
    assert_eq!(
        findings(&w),
        ["domain_change", "mass_change"],
        "one line for thirty, and no name has passed to anybody"
    );
}
