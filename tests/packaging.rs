//! What is packed beside the program says the same as the program: metrics, alerts, configuration, unit.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use whowas::config::Config;

/// What Prometheus makes of a histogram's name.
const SUFFIXES: &[&str] = &["_bucket", "_sum", "_count"];

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Every word of a text that begins like the name of one of our metrics, without a histogram's suffix.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    let named = words.filter(|word| word.starts_with("whowas_"));
    let bare = |word: &str| SUFFIXES.iter().find_map(|suffix| word.strip_suffix(suffix)).unwrap_or(word).to_owned();
    named.map(bare).collect()
}

/// The metrics that the service's code names.
fn counted() -> BTreeSet<String> {
    let mut waiting = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/http")];
    let mut found = BTreeSet::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            let text = fs::read_to_string(path).unwrap();
            // A file's tests are its last item, and name what they like.
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let quoted = code.split('"').skip(1).step_by(2);
            found.extend(quoted.filter(|word| word.starts_with("whowas_") && word.len() > 7).map(str::to_owned));
        }
    }
    found
}

fn alerts() -> Vec<String> {
    let rules = read("packaging/prometheus/whowas.rules.yml");
    rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).map(str::to_owned).collect()
}

#[test]
fn alerts_and_dashboard_name_metrics_that_the_service_has() {
    let counted = counted();
    assert!(counted.contains("whowas_sync_age_seconds") && counted.len() > 15, "{counted:?}");
    for file in ["packaging/prometheus/whowas.rules.yml", "packaging/grafana/whowas.json"] {
        let named = metrics_in(&read(file));
        assert!(named.len() > 8, "{file}: {named:?}");
        let unknown: Vec<&String> = named.difference(&counted).collect();
        assert!(unknown.is_empty(), "{file} names what the service does not count: {unknown:?}");
    }
    let shown = metrics_in(&read("packaging/grafana/whowas.json"));
    let unseen: Vec<&String> = counted.difference(&shown).collect();
    assert!(unseen.is_empty(), "the dashboard does not show {unseen:?}");
}

#[test]
fn every_alert_says_what_to_do_and_has_a_test() {
    let (rules, tests) =
        (read("packaging/prometheus/whowas.rules.yml"), read("packaging/prometheus/whowas.rules.test.yml"));
    let operations = read("docs/OPERATIONS.md");
    let alerts = alerts();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in &alerts {
        assert!(operations.contains(&format!("\n### {alert}\n")), "docs/OPERATIONS.md does not speak of {alert}");
        let anchor = format!("runbook: \"docs/OPERATIONS.md#{}\"", alert.to_lowercase());
        assert!(rules.contains(&anchor), "{alert} does not lead to its section");
        let raised = tests
            .split("- eval_time")
            .any(|test| test.contains(&format!("alertname: {alert}\n")) && test.contains("exp_labels"));
        assert!(raised, "no test sees {alert} raised");
    }
    let spoken_of = operations.lines().filter_map(|line| line.strip_prefix("### Whowas"));
    for name in spoken_of {
        assert!(
            alerts.contains(&format!("Whowas{name}")),
            "docs/OPERATIONS.md speaks of Whowas{name}, which is no alert"
        );
    }
}

#[test]
fn the_dashboard_is_one_that_grafana_reads() {
    let dashboard: Value = serde_json::from_str(&read("packaging/grafana/whowas.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "every panel has an id of its own");
    let mut taken: BTreeSet<(u64, u64)> = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        let place = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(place("x") + place("w") <= 24, "{title} is too wide");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{title} lies on another panel");
            }
        }
        if panel["type"] == "row" {
            continue;
        }
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title} shows nothing");
        for target in targets {
            let query = target["expr"].as_str().unwrap();
            let balanced = [('(', ')'), ('{', '}'), ('[', ']')]
                .iter()
                .all(|(open, close)| query.matches(*open).count() == query.matches(*close).count());
            assert!(balanced, "{title}: {query}");
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: BTreeSet<&str> = variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(names, BTreeSet::from(["datasource", "instance", "tenant"]));
}

#[test]
fn the_configuration_that_is_packed_can_be_read_and_filled_in() {
    let text = read("packaging/whowas.toml");
    let packed = Config::parse(&text, Path::new("/etc/whowas/whowas.toml")).unwrap();
    assert_eq!(packed.ledger.path.as_deref(), Some(Path::new("/var/lib/whowas/ledger")));
    assert!(packed.tenants.is_empty(), "nobody has said yet which tenant is meant");
    // What stands there to be filled in is right when the signs are removed.
    let lines = text.lines().map(|line| match line.strip_prefix("# ") {
        Some(rest) if rest.starts_with("[[") || rest.contains(" = ") && !rest.contains("listen") => rest,
        _ => line,
    });
    let filled = lines.collect::<Vec<_>>().join("\n");
    let filled = Config::parse(&filled, Path::new("/etc/whowas/whowas.toml")).unwrap();
    assert_eq!(filled.tenants.len(), 1);
    assert!(filled.server.tls_cert.is_some() && filled.server.behind.is_some());
}

#[test]
fn the_unit_leads_to_what_the_package_installs() {
    let (unit, manifest) = (read("packaging/systemd/whowas.service"), read("Cargo.toml"));
    let value = |name: &str| {
        let line = unit.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("the unit does not say {name}")).to_owned()
    };
    assert_eq!(value("Type"), "notify");
    let start = value("ExecStart");
    let mut words = start.split_whitespace();
    assert_eq!(words.next(), Some("/usr/bin/whowas"));
    assert!(start.contains("--config /etc/whowas/whowas.toml") && start.ends_with(" serve"), "{start}");
    for installed in ["\"usr/bin/\"", "\"etc/whowas/whowas.toml\""] {
        assert!(manifest.contains(installed), "the package does not install {installed}");
    }
    // The folder that systemd opens for writing is where the configuration puts the ledger.
    assert_eq!((value("StateDirectory").as_str(), value("WorkingDirectory").as_str()), ("whowas", "/var/lib/whowas"));
    assert_eq!(value("User"), "whowas");
}
