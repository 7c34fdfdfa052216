//! Where a service is, and the URLs of its routes with names put in safely.

use url::{Host, Url};

use super::ClientError;

/// A service's place: scheme, host and port, and the path under which a proxy may have put it.
#[derive(Clone)]
pub(super) struct Address {
    root: Url,
    origin: String,
}

impl Address {
    /// Reads it. The token travels there, so plain http is for this machine alone.
    pub fn parse(text: &str) -> Result<Self, ClientError> {
        let refuse = |why: &str| ClientError::Address { why: why.to_owned() };
        let url = Url::parse(text.trim())
            .map_err(|error| refuse(&format!("it is no URL ({error}); write it like https://whowas.example:8787")))?;
        // What stands in it besides is not repeated: it may be a secret.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refuse("it must not contain a user name or a password"));
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                let why = "plain http would show the token on the way; it is spoken to this machine only (127.0.0.1, \
                           ::1, localhost), to others https";
                return Err(refuse(why));
            }
            _ => return Err(refuse("it must begin with https://, or for this machine with http://")),
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refuse("it must end after the host, the port, and the path of a proxy if there is one"));
        }
        let origin = url.origin().ascii_serialization();
        Ok(Self { root: url, origin })
    }

    /// What may be shown of it.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether it is this machine, before which no proxy may stand.
    pub fn is_here(&self) -> bool {
        is_loopback(&self.root)
    }

    /// The URL of a route. Each part of the path is one segment, whatever is in it.
    pub fn url(&self, path: &[&str], query: &[(&'static str, String)]) -> Result<Url, ClientError> {
        let mut url = self.root.clone();
        // A URL cannot have these as segments, encoded or not: they mean "here" and "one up".
        if let Some(part) = path.iter().find(|part| matches!(**part, "" | "." | "..")) {
            return Err(ClientError::Unaskable { name: (*part).to_owned() });
        }
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }
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

    #[test]
    fn the_token_goes_in_plain_text_to_this_machine_only() {
        for yes in ["http://127.0.0.1:8787", "http://[::1]:1/", "http://localhost:8787", "https://w.example/whowas"] {
            assert!(Address::parse(yes).is_ok(), "{yes}");
        }
        for no in [
            "http://w.example",
            "http://127.0.0.1.example",
            "http://localhost.example",
            "http://10.0.0.1:8787",
            "http://0.0.0.0:8787",
            "ftp://127.0.0.1",
            "w.example:8787",
            "https://",
            "https://user:secret@w.example",
            "https://w.example/?token=secret",
            "https://w.example/#secret",
            "",
        ] {
            let error = Address::parse(no).err().unwrap().to_string();
            assert!(!error.contains("secret"), "{no}: {error}");
        }
    }

    #[test]
    fn whatever_a_chain_is_called_it_stays_one_segment() {
        let address = Address::parse("https://w.example/below/").unwrap();
        let url = |part| address.url(&["v1", part, "plan"], &[]).map(String::from);
        assert_eq!(url("a/b?c#d%2F é").unwrap(), "https://w.example/below/v1/a%2Fb%3Fc%23d%252F%20%C3%A9/plan");
        assert_eq!(url("...").unwrap(), "https://w.example/below/v1/.../plan");
        for no in [".", "..", ""] {
            assert!(matches!(url(no), Err(ClientError::Unaskable { .. })), "{no:?}");
        }
        let url = address.url(&["v1"], &[("name", "a&b=c+d@x.test".to_owned())]).unwrap();
        assert_eq!(url.as_str(), "https://w.example/below/v1?name=a%26b%3Dc%2Bd%40x.test");
    }
}
