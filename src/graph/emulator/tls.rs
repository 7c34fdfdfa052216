//! TLS before the emulator: other clients of Graph, Microsoft's own among them, send a token to `https` alone.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

/// How long a client may take to agree on keys.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// Accepts connections that speak TLS.
pub(super) struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
    /// Connections that are still agreeing on keys; a slow one holds nobody up.
    shaking: JoinSet<Option<(TlsStream<TcpStream>, SocketAddr)>>,
}

impl TlsListener {
    /// Shows the certificates of a PEM file that holds their private key as well.
    pub(super) fn new(tcp: TcpListener, file: &Path) -> io::Result<Self> {
        let unfit = |why: String| io::Error::new(io::ErrorKind::InvalidInput, format!("{}: {why}", file.display()));
        let chain: Result<Vec<CertificateDer<'static>>, _> =
            CertificateDer::pem_file_iter(file).and_then(|blocks| blocks.collect());
        let chain = chain.map_err(|error| unfit(error.to_string()))?;
        let key = PrivateKeyDer::from_pem_file(file).map_err(|error| unfit(error.to_string()))?;
        // The provider is named, because whoever builds us in may have switched on another one as well.
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|error| unfit(error.to_string()))?;
        Ok(Self { tcp, acceptor: TlsAcceptor::from(Arc::new(config)), shaking: JoinSet::new() })
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            tokio::select! {
                (stream, address) = Listener::accept(&mut self.tcp) => {
                    let handshake = tokio::time::timeout(HANDSHAKE_MAX, self.acceptor.accept(stream));
                    // Whoever fails to agree on keys is gone: there is no connection on which to say so.
                    self.shaking.spawn(async move { Some((handshake.await.ok()?.ok()?, address)) });
                }
                Some(shaken) = self.shaking.join_next() => {
                    if let Ok(Some(connection)) = shaken {
                        return connection;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}
