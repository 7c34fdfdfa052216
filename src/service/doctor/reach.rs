//! Whether the hosts answer, by which way, and what time it is there.

use std::time::Duration;

use url::Url;

use super::{Patient, Sheet, told};
use crate::config::TenantConfig;
use crate::domain::time::Instant;
use crate::graph::client::{GraphClient, Greeting};
use crate::graph::error::GraphError;

/// What answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reached {
    pub login: bool,
    pub graph: bool,
}

pub(super) async fn check(
    sheet: &mut Sheet,
    patient: &Patient<'_>,
    tenant: &TenantConfig,
    visitor: &GraphClient,
) -> Reached {
    let endpoints = visitor.endpoints();
    let login = if tenant.credential.managed_identity {
        sheet.skip("login", "a managed identity signs in at the machine itself");
        None
    } else {
        let way = Way::to(endpoints.login(), endpoints.is_local(), patient.variable);
        answered(sheet, "login", &way, visitor.greet_login().await)
    };
    let way = Way::to(endpoints.graph(), endpoints.is_local(), patient.variable);
    let graph = answered(sheet, "graph", &way, visitor.greet_graph().await);
    let told = [login, graph].into_iter().flatten().find_map(|greeting| greeting.at);
    clock(sheet, told, patient, tenant.widths().max_skew);
    Reached { login: login.is_some() || tenant.credential.managed_identity, graph: graph.is_some() }
}

/// How a host is reached.
struct Way {
    host: String,
    proxy: Option<(String, &'static str)>,
}

impl Way {
    fn to(url: &Url, is_local: bool, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let host = url.origin().ascii_serialization();
        let name = url.host_str().unwrap_or_default();
        // As the client does it: nothing that goes to this machine passes through a proxy.
        let proxy = if is_local { None } else { proxy_for(name, variable) };
        Self { host, proxy }
    }
}

fn answered(
    sheet: &mut Sheet,
    check: &'static str,
    way: &Way,
    greeting: Result<Greeting, GraphError>,
) -> Option<Greeting> {
    let by = match &way.proxy {
        Some((proxy, variable)) => format!(" through the proxy {proxy} ({variable})"),
        None => String::new(),
    };
    match greeting {
        Ok(greeting) if matches!(greeting.status, 200..=299 | 400..=404) => {
            sheet.ok(check, format!("{} answers{by}", way.host));
            Some(greeting)
        }
        Ok(greeting) => {
            let said = format!("{} answers{by} with HTTP {}", way.host, greeting.status);
            sheet.warn(check, said, "see whether the service is down, or something else answers in its place");
            Some(greeting)
        }
        Err(error @ GraphError::Unreachable { .. }) => {
            let said = told(&error);
            let cure = cure(&said, check, way.proxy.is_some());
            sheet.fail(check, format!("{said}{by}"), cure);
            None
        }
        Err(error) => {
            sheet.fail(check, format!("{} answers{by}: {}", way.host, told(&error)), error.hint());
            None
        }
    }
}

fn clock(sheet: &mut Sheet, told: Option<Instant>, patient: &Patient<'_>, max_skew: Duration) {
    let Some(there) = told else {
        sheet.skip("clock", "needs a host that answers and tells the time");
        return;
    };
    let here = patient.clock.now();
    let apart = here.since(there).max(there.since(here)).as_secs();
    let said = format!("it is {there} there and {here} here, {apart} s apart");
    let bound = max_skew.as_secs();
    if apart <= bound {
        sheet.ok("clock", format!("{said}; {bound} s are allowed (max_skew)"));
    } else {
        let cure = match patient.clock.fixed {
            Some(_) => "leave --now out: a real directory goes by the present time",
            None => "set this machine's clock (NTP); every sync is refused until then",
        };
        sheet.fail("clock", format!("{said}; more than {bound} s (max_skew)"), cure);
    }
}

/// What to do about a connection that fails in this way. The words are those of the operating system and of rustls.
fn cure(said: &str, check: &str, has_proxy: bool) -> String {
    let said = said.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let setting = if check == "login" { "login_url" } else { "graph_url" };
    if has(&["lookup address", "name or service", "dns", "no such host", "nodename nor"]) {
        return format!(
            "its name cannot be resolved: check this machine's DNS, and cloud and {setting} in whowas.toml"
        );
    }
    if has(&["certificate", "unknownissuer", "invalid peer"]) {
        return "its certificate is not trusted: if a proxy opens TLS or the authority is private, put the authority's root \
                certificate into a PEM file and name it as ca_file; else install the system's ca-certificates"
            .to_owned();
    }
    if has(&["corrupt message", "handshake", "contenttype"]) {
        return format!(
            "what answers there does not speak TLS: check host and port of {setting}, and what stands between"
        );
    }
    if has(&["tunnel", "proxy"]) {
        return "the proxy does not let it pass: allow the host there, or correct HTTPS_PROXY (user and password go into its \
                URL)"
        .to_owned();
    }
    if has_proxy {
        return "check the proxy named in HTTPS_PROXY, or put the host into NO_PROXY if it is reached without"
            .to_owned();
    }
    if has(&["refused"]) {
        return format!("nothing listens there, or a firewall refuses: check cloud and {setting}, and the firewall");
    }
    "a firewall may drop it: allow HTTPS to the host, or name the proxy in HTTPS_PROXY".to_owned()
}

/// The proxy that the environment names for an https host, without its password, and the variable that names it.
fn proxy_for(host: &str, variable: &dyn Fn(&str) -> Option<String>) -> Option<(String, &'static str)> {
    let set = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
    let excepted = set("NO_PROXY").or_else(|| set("no_proxy")).unwrap_or_default();
    let is_excepted = excepted
        .split(',')
        .map(|part| part.trim().trim_start_matches('.'))
        .any(|part| part == "*" || part == host || (!part.is_empty() && host.ends_with(&format!(".{part}"))));
    if is_excepted {
        return None;
    }
    ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].into_iter().find_map(|name| {
        let value = set(name)?;
        let url = Url::parse(&value).ok().filter(Url::has_host).or_else(|| Url::parse(&format!("http://{value}")).ok());
        let shown = url.map_or_else(
            || "(no URL)".to_owned(),
            |url| match url.port() {
                Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
                None => url.host_str().unwrap_or_default().to_owned(),
            },
        );
        Some((shown, name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_named_without_its_password() {
        for (set, expected) in [
            (&[("HTTPS_PROXY", "http://user:secret@proxy.test:3128")][..], Some(("proxy.test:3128", "HTTPS_PROXY"))),
            (&[("https_proxy", "proxy.test:3128")], Some(("proxy.test:3128", "https_proxy"))),
            (&[("ALL_PROXY", "socks5://p.test:1080")], Some(("p.test:1080", "ALL_PROXY"))),
            (&[("HTTP_PROXY", "http://p.test:1")], None),
            (&[("HTTPS_PROXY", " ")], None),
            (&[("HTTPS_PROXY", "http://p.test:1"), ("NO_PROXY", "a.test, .microsoft.com")], None),
            (&[("HTTPS_PROXY", "http://p.test:1"), ("no_proxy", "*")], None),
            (&[("HTTPS_PROXY", "http://p.test:1"), ("NO_PROXY", "soft.com")], Some(("p.test:1", "HTTPS_PROXY"))),
            (&[], None),
        ] {
            let variable =
                |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            let found = proxy_for("graph.microsoft.com", &variable);
            assert_eq!(found.as_ref().map(|(proxy, name)| (proxy.as_str(), *name)), expected, "{set:?}");
        }
    }

    #[test]
    fn each_way_of_failing_has_its_cure() {
        for (said, has_proxy, expected) in [
            ("reach https://x for y: failed to lookup address information: Name or service not known", false, "DNS"),
            ("invalid peer certificate: UnknownIssuer", false, "ca_file"),
            ("received corrupt message of type InvalidContentType", false, "does not speak TLS"),
            ("unsuccessful tunnel", true, "the proxy does not let it pass"),
            ("Connection refused (os error 111)", false, "nothing listens"),
            ("Connection refused (os error 111)", true, "HTTPS_PROXY"),
            ("operation timed out", false, "firewall may drop"),
        ] {
            let cure = cure(said, "graph", has_proxy);
            assert!(cure.contains(expected), "{said}: {cure}");
        }
    }
}
