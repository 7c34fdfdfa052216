//! Listening: where, with or without TLS, and how it ends.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;

use super::connections::{self, Guests};
use crate::config::ServerConfig;

/// Where the service listens unless something else is said.
pub const LISTEN: &str = "127.0.0.1:8787";
/// How long a caller may take for the head of a request, and for whatever comes before the first one.
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Largest head of a request, in bytes, and how many headers it may have.
const HEAD_BYTES_MAX: usize = 32 * 1024;
const HEADERS_MAX: usize = 64;
/// How long requests under way may take once the service is asked to end.
const ENDING_PATIENCE: Duration = Duration::from_secs(25);
/// How often the certificate's files are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// Why the service cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address cannot be read.
    #[error("[server] listen: {0:?} is no address; write it like 127.0.0.1:8787 or [::1]:8787")]
    Address(String),
    /// It would be open to the network without TLS.
    #[error(
        "[server] listen = {0}: beyond this machine only with TLS; set tls_cert and tls_key, or behind = \"proxy\" if TLS ends before whowas"
    )]
    Open(SocketAddr),
    /// Only one of certificate and key is set.
    #[error("[server] {0} is set without {1}; set both")]
    Half(&'static str, &'static str),
    /// `behind` says something else than `proxy`.
    #[error("[server] behind = {0:?}: it is \"proxy\", or left out")]
    Behind(String),
    /// A rehearsal is for this machine alone.
    #[error("--rehearsal lets a request say what time it is, so it listens on this machine only; {0} is beyond")]
    Rehearsal(SocketAddr),
    /// The address is taken, or not ours.
    #[error("listen on {address}")]
    Taken {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate or the key cannot be used.
    #[error("read the certificate {} and its key {}", .cert.display(), .key.display())]
    Certificate {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The service ended by itself.
    #[error("go on listening")]
    Ended(#[source] std::io::Error),
}

/// A place that is taken, and not answered from yet.
#[derive(Debug)]
pub struct Place {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<(PathBuf, PathBuf)>,
    /// Whether TLS ends before the service.
    pub is_behind_proxy: bool,
}

impl Place {
    /// Takes the place that the configuration names. Relative paths begin at `folder`.
    ///
    /// # Errors
    /// If it is open to the network without TLS, or cannot be taken.
    pub fn take(
        config: &ServerConfig,
        listen: Option<&str>,
        is_rehearsal: bool,
        folder: Option<&Path>,
    ) -> Result<Self, ListenError> {
        let text = listen.or(config.listen.as_deref()).unwrap_or(LISTEN);
        let address: SocketAddr = text.parse().map_err(|_| ListenError::Address(text.to_owned()))?;
        let from = |path: &PathBuf| folder.map_or_else(|| path.clone(), |folder| folder.join(path));
        let tls = match (&config.tls_cert, &config.tls_key) {
            (Some(cert), Some(key)) => Some((from(cert), from(key))),
            (None, None) => None,
            (Some(_), None) => return Err(ListenError::Half("tls_cert", "tls_key")),
            (None, Some(_)) => return Err(ListenError::Half("tls_key", "tls_cert")),
        };
        let is_behind_proxy = match config.behind.as_deref() {
            None => false,
            Some("proxy") => true,
            Some(other) => return Err(ListenError::Behind(other.to_owned())),
        };
        let is_here = address.ip().is_loopback();
        if is_rehearsal && !is_here {
            return Err(ListenError::Rehearsal(address));
        }
        if !is_here && tls.is_none() && !is_behind_proxy {
            return Err(ListenError::Open(address));
        }
        let taken = |source| ListenError::Taken { address, source };
        let listener = TcpListener::bind(address).map_err(taken)?;
        listener.set_nonblocking(true).map_err(taken)?;
        let address = listener.local_addr().map_err(taken)?;
        Ok(Self { listener, address, tls, is_behind_proxy })
    }

    /// Where to ask.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Whether what is sent here is encrypted by the service itself.
    pub fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Answers until `ending` is over; requests under way are then answered, and no new ones are taken.
    ///
    /// # Errors
    /// If the certificate cannot be used, or the place is lost.
    pub async fn serve(
        self,
        router: Router,
        ending: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ListenError> {
        let Self { listener, tls, .. } = self;
        let handle = Handle::new();
        tokio::spawn({
            let handle = handle.clone();
            async move {
                ending.await;
                handle.graceful_shutdown(Some(ENDING_PATIENCE));
            }
        });
        let answering = Guests::of(router, connections::at_most());
        match tls {
            None => {
                let mut server = axum_server::from_tcp(listener).map_err(ListenError::Ended)?.handle(handle);
                bound(server.http_builder());
                // Programs speak HTTP/2 where TLS has agreed on it. Here nothing would have, and it would have to be guessed.
                let server = server.http1_only().first_request_timeout(HEAD_PATIENCE);
                server.serve(answering).await.map_err(ListenError::Ended)
            }
            Some((cert, key)) => {
                let config = RustlsConfig::from_pem_file(&cert, &key).await;
                let config = config.map_err(|source| ListenError::Certificate {
                    cert: cert.clone(),
                    key: key.clone(),
                    source,
                })?;
                let watching = tokio::spawn(keep_certificate(config.clone(), cert, key));
                let server = axum_server::from_tcp_rustls(listener, config).map_err(ListenError::Ended)?;
                let server = server.map(|acceptor| acceptor.handshake_timeout(HEAD_PATIENCE));
                let mut server = server.handle(handle).first_request_timeout(HEAD_PATIENCE);
                bound(server.http_builder());
                let done = server.serve(answering).await.map_err(ListenError::Ended);
                watching.abort();
                done
            }
        }
    }
}

fn bound(builder: &mut hyper_util::server::conn::auto::Builder<hyper_util::rt::TokioExecutor>) {
    builder.http1().header_read_timeout(HEAD_PATIENCE).max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    builder
        .http2()
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .max_concurrent_streams(128)
        .keep_alive_interval(Duration::from_secs(30));
}

/// Takes up a certificate that was renewed. One that cannot be used leaves the old one in force.
async fn keep_certificate(config: RustlsConfig, cert: PathBuf, key: PathBuf) {
    let mut before = mark(&cert, &key).await;
    loop {
        tokio::time::sleep(LOOK).await;
        let now = mark(&cert, &key).await;
        if now == before {
            continue;
        }
        match config.reload_from_pem_file(&cert, &key).await {
            Ok(()) => tracing::info!("the certificate was renewed"),
            // It may be half written; it is looked at again when it changes, and at the next look.
            Err(error) => {
                tracing::error!(%error, "the new certificate cannot be used; the old one stays in force");
                continue;
            }
        }
        before = now;
    }
}

async fn mark(cert: &Path, key: &Path) -> [Option<(std::time::SystemTime, u64)>; 2] {
    let one = async |path: &Path| {
        let metadata = tokio::fs::metadata(path).await.ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    };
    [one(cert).await, one(key).await]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(listen: &str, more: impl FnOnce(&mut ServerConfig)) -> Result<Place, ListenError> {
        let mut config = ServerConfig { listen: Some(listen.to_owned()), ..ServerConfig::default() };
        more(&mut config);
        Place::take(&config, None, false, None)
    }

    #[test]
    fn beyond_this_machine_it_listens_with_tls_or_behind_a_proxy_only() {
        assert!(matches!(take("0.0.0.0:0", |_| ()), Err(ListenError::Open(_))));
        assert!(take("0.0.0.0:0", |config| config.behind = Some("proxy".to_owned())).is_ok());
        assert!(matches!(
            take("0.0.0.0:0", |config| config.behind = Some("nat".to_owned())),
            Err(ListenError::Behind(_))
        ));
        assert!(
            take("0.0.0.0:0", |config| {
                config.tls_cert = Some("c.pem".into());
                config.tls_key = Some("k.pem".into());
            })
            .is_ok()
        );
        assert!(matches!(take("[::1]:0", |config| config.tls_key = Some("k".into())), Err(ListenError::Half(..))));
        assert!(matches!(take("localhost", |_| ()), Err(ListenError::Address(_))));
        let config = ServerConfig { behind: Some("proxy".to_owned()), ..ServerConfig::default() };
        assert!(matches!(Place::take(&config, Some("0.0.0.0:0"), true, None), Err(ListenError::Rehearsal(_))));
    }

    #[test]
    fn a_place_is_taken_once_and_tells_where_it_is() {
        let place = take("127.0.0.1:0", |_| ()).unwrap();
        let url = place.url();
        assert!(url.starts_with("http://127.0.0.1:") && !url.ends_with(":0"), "{url}");
        assert!(matches!(take(url.trim_start_matches("http://"), |_| ()), Err(ListenError::Taken { .. })));
    }
}
