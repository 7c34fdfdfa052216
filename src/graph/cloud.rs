//! Where Graph and its sign-in live: the national clouds, and hosts of one's own for the emulator.
//!
//! Hosts: graph concepts/deployments.md. Tokens of one cloud are void in another.

use std::str::FromStr;

use url::{Host, Url};

use super::error::GraphError;

/// A cloud with its own directory, sign-in and Graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Cloud {
    /// The worldwide cloud, GCC included.
    #[default]
    Global,
    /// US Government L4 (GCC High).
    UsGov,
    /// US Government L5 (DoD).
    UsGovHigh,
    /// China, run by 21Vianet.
    China,
}

/// The two origins that whowas talks to. Each is https, or http to this machine only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    login: Url,
    graph: Url,
}

impl Cloud {
    /// The name that the config file uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Global => "global",
            Self::UsGov => "us-gov",
            Self::UsGovHigh => "us-gov-high",
            Self::China => "china",
        }
    }

    /// The origin of its sign-in.
    pub fn login_url(self) -> &'static str {
        match self {
            Self::Global => "https://login.microsoftonline.com",
            Self::UsGov | Self::UsGovHigh => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        }
    }

    /// The origin of its Graph.
    pub fn graph_url(self) -> &'static str {
        match self {
            Self::Global => "https://graph.microsoft.com",
            Self::UsGov => "https://graph.microsoft.us",
            Self::UsGovHigh => "https://dod-graph.microsoft.us",
            Self::China => "https://microsoftgraph.chinacloudapi.cn",
        }
    }
}

impl FromStr for Cloud {
    type Err = GraphError;

    fn from_str(text: &str) -> Result<Self, GraphError> {
        let all = [Self::Global, Self::UsGov, Self::UsGovHigh, Self::China];
        all.into_iter().find(|cloud| cloud.name() == text).ok_or_else(|| GraphError::BadEndpoint {
            setting: "cloud",
            why: format!("{text:?} is none of global, us-gov, us-gov-high and china"),
        })
    }
}

impl Endpoints {
    /// The cloud's origins, each replaced by the one given, if one is.
    ///
    /// A URL given is an origin without a path (no `/v1.0`), https, or http with a loopback host: the secret and the
    /// token travel there. Everything else is [`GraphError::BadEndpoint`].
    pub fn new(cloud: Cloud, graph_url: Option<&str>, login_url: Option<&str>) -> Result<Self, GraphError> {
        Ok(Self {
            login: origin("login_url", login_url.unwrap_or_else(|| cloud.login_url()))?,
            graph: origin("graph_url", graph_url.unwrap_or_else(|| cloud.graph_url()))?,
        })
    }

    /// The origin of the sign-in.
    pub fn login(&self) -> &Url {
        &self.login
    }

    /// The origin of Graph.
    pub fn graph(&self) -> &Url {
        &self.graph
    }

    /// The scope to ask a token for: all application permissions granted on this Graph.
    pub fn scope(&self) -> String {
        format!("{}/.default", self.graph.as_str().trim_end_matches('/'))
    }

    /// Whether one of the origins is this machine, which no proxy may stand before.
    pub fn is_local(&self) -> bool {
        is_loopback(&self.login) || is_loopback(&self.graph)
    }

    /// A link that Graph gave, if it leads to this very Graph: same scheme, host and port, and no user name in it. It
    /// is asked with the bearer token, so any other one is [`GraphError::ForeignLink`].
    pub fn own(&self, link: &str) -> Result<Url, GraphError> {
        let foreign = |host: &str| GraphError::ForeignLink { host: host.to_owned(), expected: host_of(&self.graph) };
        let url = Url::parse(link).map_err(|_| foreign("(no URL)"))?;
        let same = url.scheme() == self.graph.scheme()
            && url.host() == self.graph.host()
            && url.port_or_known_default() == self.graph.port_or_known_default()
            && url.username().is_empty()
            && url.password().is_none();
        if same { Ok(url) } else { Err(foreign(&host_of(&url))) }
    }
}

/// Scheme, host and port of a URL: what may be shown of it.
pub(crate) fn host_of(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn origin(setting: &'static str, text: &str) -> Result<Url, GraphError> {
    let refuse = |why: &str| GraphError::BadEndpoint { setting, why: why.to_owned() };
    let url = Url::parse(text).map_err(|error| refuse(&format!("it is no URL: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("it must not contain a user name or password"));
    }
    match url.scheme() {
        "https" if url.host().is_some() => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            return Err(refuse("plain http is allowed to this machine only (127.0.0.1, ::1, localhost); use https"));
        }
        _ => return Err(refuse("it must begin with https://")),
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("it must be scheme, host and port only, without a path such as /v1.0"));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph_at(url: &str) -> Result<Endpoints, GraphError> {
        Endpoints::new(Cloud::Global, Some(url), None)
    }

    #[test]
    fn every_cloud_has_its_own_hosts_and_scope() {
        for (name, login, scope) in [
            ("global", "login.microsoftonline.com", "https://graph.microsoft.com/.default"),
            ("us-gov", "login.microsoftonline.us", "https://graph.microsoft.us/.default"),
            ("us-gov-high", "login.microsoftonline.us", "https://dod-graph.microsoft.us/.default"),
            ("china", "login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn/.default"),
        ] {
            let endpoints = Endpoints::new(name.parse().unwrap(), None, None).unwrap();
            assert_eq!((endpoints.login().host_str().unwrap(), endpoints.scope().as_str()), (login, scope));
        }
        assert!("mars".parse::<Cloud>().unwrap_err().to_string().contains("us-gov-high"));
    }

    #[test]
    fn plain_http_goes_to_this_machine_only() {
        for yes in ["http://127.0.0.1:8080", "http://[::1]:8080/", "http://localhost:1", "https://graph.example"] {
            assert!(graph_at(yes).is_ok(), "{yes}");
        }
        for no in [
            "http://graph.microsoft.com",
            "http://127.0.0.1.example",
            "http://localhost.example",
            "http://192.168.0.1",
            "ftp://127.0.0.1",
            "graph.microsoft.com",
            "https://graph.microsoft.com/v1.0",
            "https://user:secret@graph.microsoft.com",
            "https://graph.microsoft.com/?a",
        ] {
            let error = graph_at(no).unwrap_err().to_string();
            assert!(error.contains("graph_url") && !error.contains("secret"), "{no}: {error}");
        }
    }

    #[test]
    fn links_are_followed_to_the_very_same_origin_only() {
        let endpoints = graph_at("https://graph.microsoft.com").unwrap();
        for own in
            ["https://graph.microsoft.com/v1.0/users/delta?$skiptoken=a", "https://GRAPH.microsoft.com:443/beta/x"]
        {
            assert!(endpoints.own(own).is_ok(), "{own}");
        }
        for foreign in [
            "http://graph.microsoft.com/v1.0/users",
            "https://graph.microsoft.com:444/v1.0/users",
            "https://graph.microsoft.com.evil.test/v1.0/users",
            "https://graph.microsoft.com@evil.test/v1.0/users",
            "https://user@graph.microsoft.com/v1.0/users",
            "https://graph.microsoft.us/v1.0/users",
            "//evil.test/v1.0/users",
            "/v1.0/users",
            "",
        ] {
            let error = endpoints.own(foreign).unwrap_err();
            assert!(matches!(error, GraphError::ForeignLink { .. }), "{foreign}");
        }
    }
}
