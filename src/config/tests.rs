use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("whowas.toml"))
}

fn moments() -> Moments {
    let now = crate::domain::time::Instant::from_micros(0);
    std::sync::Arc::new(move || crate::graph::certificate::Moment { now, salt: [0; 16] })
}

/// The whole example of the contract.
const FULL: &str = r#"
    [ledger]
    path = "whowas-data"
    [server]
    listen = "127.0.0.1:8787"
    [[tenant]]
    id = "00000000-0000-0000-0000-000000000001"
    alias = "contoso"
    cloud = "global"
    client_id = "c"
    credential = { secret_env = "CONTOSO_SECRET" }
    sync_every = "15m"
    reconcile_every = "24h"
    lag = "5m"
    read_lag = "30s"
    audit_lag = "12h"
    propagation = "15m"
    audits = true
    name_max_age = "0s"
    id_max_age = "7d"
    max_skew = "5m"
    guard = { removals = 500, renames = 1000, takeovers = 50, percent = 10 }
    [[tenant.mapping]]
    name = "staff"
    match = { any_of = [{ group = "00000000-0000-0000-0000-0000000000a1" }, { attribute = "department", equals = "Sales" }, { domain = "contoso.com" }] }
    exclude = { user_type = "Guest" }
    labels = { profile = "gold", region = "eu" }
"#;

#[test]
fn a_pace_that_nobody_could_keep_or_exceed_is_refused() {
    for (key, value) in
        [("requests_per_second", 0), ("requests_per_second", 1_000_001), ("burst", 0), ("burst", u32::MAX)]
    {
        let why = parse(&format!("[server]\n{key} = {value}")).unwrap_err().to_string();
        assert!(why.contains(&format!("server: {key} is a number from 1 to 1000000")), "{why}");
    }
    let server = parse("[server]\nrequests_per_second = 1000000\nburst = 1").unwrap().server;
    assert_eq!((server.requests_per_second, server.burst), (Some(1_000_000), Some(1)));
}

#[test]
fn the_full_example_is_read() {
    let config = parse(FULL).unwrap();
    let tenant = config.tenant(Some("contoso")).unwrap().unwrap();
    assert_eq!(tenant.widths(), Widths::default());
    assert_eq!(tenant.mapping().unwrap().rules()[0].labels["profile"], "gold");
    assert_eq!(tenant.policy().id_max_age, Duration::from_secs(7 * 86_400));
    assert_eq!(tenant.policy().settling.audit_lag, Some(Duration::from_secs(43_200)));
}

#[test]
fn a_guard_that_is_given_in_part_keeps_the_rest_and_announcements_are_read() {
    let tenant = |more: &str| {
        let text = format!("[[tenant]]\nid = \"00000000-0000-0000-0000-000000000001\"\n{more}");
        parse(&text).map(|config| config.tenants[0].guard())
    };
    assert_eq!(tenant("").unwrap(), guard::Guard::default());
    let guard = tenant("guard = { removals = 3 }\nannounce = [\"old.test=x.test\"]").unwrap();
    assert_eq!(guard.limits, Limits { removals: 3, ..Limits::default() });
    assert_eq!(guard.announced, ["old.test=x.test".parse().unwrap()]);
    let text = tenant("announce = [\"old.test\"]").unwrap_err().to_string();
    assert!(text.contains("old.example=new.example"), "{text}");
    let text = tenant("guard = { removal = 3 }").unwrap_err().to_string();
    assert!(text.contains("\"removals\""), "{text}");
}

#[test]
fn an_unknown_key_is_named_with_its_nearest_neighbour() {
    let error = parse("[[tenant]]\nid = \"00000000-0000-0000-0000-000000000001\"\nname_max_ago = \"1h\"").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("name_max_ago") && text.contains("\"name_max_age\""), "{text}");
}

#[test]
fn a_known_key_in_the_wrong_table_is_told_where_it_belongs() {
    let tenant = "[[tenant]]\nid = \"00000000-0000-0000-0000-000000000001\"\n";
    for (text, said) in [
        ("[ledger]\nlisten = \"127.0.0.1:1\"".to_owned(), "\"ledger.listen\"; \"listen\" belongs into [server]"),
        ("listen = \"127.0.0.1:1\"".to_owned(), "\"listen\" belongs into [server]"),
        ("[ledger]\nkey = \"x\"".to_owned(), "belongs into credential = { … } of a [[tenant]]"),
        ("[ledger]\nkeyz = \"x\"".to_owned(), "did you mean \"keys\"?"),
        (format!("{tenant}cache_mib = 1"), "belongs into [ledger]"),
        (format!("{tenant}removals = 1"), "belongs into guard = { … } of a [[tenant]]"),
        (format!("{tenant}guard = {{ removal = 1 }}"), "did you mean \"removals\"?"),
        (format!("{tenant}[tenant.server]\nlisten = \"x\""), "belongs at the top of the file"),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
}

#[test]
fn files_are_found_beside_the_configuration_wherever_a_command_runs() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("whowas.toml");
    let tenant =
        "[[tenant]]\nid = \"00000000-0000-0000-0000-000000000001\"\nclient_id = \"x\"\nca_file = \"/etc/ca.pem\"\n";
    std::fs::write(&file, format!("{tenant}credential = {{ secret_file = \"x.secret\" }}")).unwrap();
    let tenant = &Config::read(&file).unwrap().tenants[0];
    assert_eq!(tenant.ca_file.as_deref(), Some(Path::new("/etc/ca.pem")));
    assert_eq!(tenant.credential.secret_file, Some(folder.path().join("x.secret")));
}

#[test]
fn a_wrong_rule_is_an_error_of_the_file_and_names_the_tenant() {
    let rule = "[[tenant.mapping]]\nname = \"staff\"\nmatch = { domian = \"x.test\" }";
    let text = parse(&format!("[[tenant]]\nid = \"00000000-0000-0000-0000-000000000001\"\nalias = \"x\"\n{rule}"));
    let text = text.unwrap_err().to_string();
    assert!(text.contains("tenant x: mapping rule \"staff\": unknown key \"domian\" in match"), "{text}");
    assert!(text.contains("did you mean \"domain\"?"), "{text}");
}

/// Rules in a file of their own, or in a whole configuration.
#[test]
fn rules_are_read_from_a_file_of_their_own_and_from_a_configuration() {
    let read = |text: &str, tenant| rules_in(text, Path::new("rules.toml"), tenant);
    let rule = |table: &str| format!("[[{table}]]\nname = \"staff\"\nmatch = {{ any = true }}");
    let id: TenantId = "00000000-0000-0000-0000-000000000001".parse().unwrap();
    let whole = format!("[[tenant]]\nid = \"{id}\"\n{}", rule("tenant.mapping"));
    let alone = read(&rule("mapping"), id).unwrap();
    assert_eq!((alone.rules().len(), read(&whole, id).unwrap()), (1, alone));
    assert!(read("mapping = []", id).unwrap().is_empty());
    for (text, said) in [
        ("", "no [[mapping]]"),
        ("[[maping]]\nname = \"x\"", "unknown key \"maping\"; did you mean \"mapping\"?"),
        ("mapping = 7", "mapping is to be"),
        ("name = ", "rules.toml"),
        (
            "[[tenant]]\nid = \"00000000-0000-0000-0000-000000000002\"",
            "has no tenant 00000000-0000-0000-0000-000000000001",
        ),
        ("[[tenant]]\nid = \"00000000-0000-0000-0000-000000000001\"", "has no [[tenant.mapping]]"),
    ] {
        let why = read(text, id).unwrap_err().to_string();
        assert!(why.contains(said), "{text}: {why}");
    }
}

#[test]
fn a_wrong_value_is_shown_with_its_line() {
    let text = parse("[[tenant]]\nid = \"nobody\"").unwrap_err().to_string();
    assert!(text.contains("line 2") && text.contains("a tenant id"), "{text}");
    let text =
        parse("[[tenant]]\nid = \"00000000-0000-0000-0000-000000000001\"\nlag = \"soon\"").unwrap_err().to_string();
    assert!(text.contains("soon") && text.contains("15m"), "{text}");
}

#[test]
fn a_missing_or_unsupported_credential_says_what_to_write() {
    let with = |credential: &str| {
        let text =
            format!("[[tenant]]\nid = \"00000000-0000-0000-0000-000000000001\"\nclient_id = \"c\"\n{credential}");
        let config = parse(&text).unwrap();
        config.tenants[0].client(|_| None, moments()).err().unwrap().to_string()
    };
    assert!(with("").contains("secret_env"));
    assert!(with("credential = { secret_env = \"NOWHERE\" }").contains("NOWHERE"));
    let secret = with("credential = { secret_env = \"aBc8Q~x.y-z\" }");
    assert!(secret.contains("no name of an environment variable") && !secret.contains("8Q~"), "{secret}");
    assert!(with("credential = { key = \"k.pem\" }").contains("key is set without certificate"));
    let absent = with("credential = { certificate = \"/nowhere/c.pem\" }");
    assert!(absent.contains("/nowhere/c.pem: it cannot be read"), "{absent}");
    let empty = tempfile::NamedTempFile::new().unwrap();
    assert!(with(&format!("credential = {{ secret_file = {:?} }}", empty.path())).contains("is empty"));
    assert!(with("credential = { secret_env = \"A\", secret_file = \"b\" }").contains("both"));
    let two = with("credential = { federated_token_file = \"/t\", managed_identity = true }");
    assert!(two.contains("federated_token_file and managed_identity are both set"), "{two}");
    let missing = with("credential = { federated_token_file = \"/nowhere/token\" }");
    assert!(missing.contains("/nowhere/token"), "{missing}");
}

#[test]
fn a_managed_identity_needs_no_client_id_and_all_else_does() {
    let with = |more: &str| {
        let text = format!("[[tenant]]\nid = \"00000000-0000-0000-0000-000000000001\"\n{more}");
        parse(&text).unwrap().tenants[0].client(|_| Some("s".to_owned()), moments())
    };
    with("credential = { managed_identity = true }").unwrap();
    with("client_id = \"c\"\ncredential = { managed_identity = true }").unwrap();
    let text = with("credential = { secret_env = \"S\" }").unwrap_err().to_string();
    assert!(text.contains("client_id is not set"), "{text}");
}

#[test]
fn the_tenant_meant_is_found_or_asked_for() {
    let two = "[[tenant]]\nid = \"00000000-0000-0000-0000-000000000001\"\nalias = \"a\"\n[[tenant]]\nid = \"00000000-0000-0000-0000-000000000002\"";
    let config = parse(two).unwrap();
    assert!(config.tenant(None).unwrap_err().to_string().contains("--tenant"));
    assert_eq!(config.tenant(Some("00000000-0000-0000-0000-000000000002")).unwrap().unwrap().alias, None);
    assert!(config.tenant(Some("b")).unwrap_err().to_string().contains("configured: a"));
}
