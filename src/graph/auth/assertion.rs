//! What an application shows in place of a secret: a token that it signed itself, or one of another issuer.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use azure_core::error::ErrorKind;
use azure_core::http::ClientMethodOptions;
use azure_identity::ClientAssertion;

use super::{Moments, SignIn};
use crate::graph::certificate::{CertificateFiles, SigningCertificate};
use crate::graph::cloud::Endpoints;
use crate::graph::error::GraphError;

/// How an assertion comes about, anew for each token.
pub(super) enum Assertion {
    /// Read from a file that somebody else renews.
    File(PathBuf),
    /// Signed with a certificate.
    Signed {
        files: CertificateFiles,
        moments: Moments,
        /// The token endpoint.
        audience: String,
        client_id: String,
    },
}

impl Assertion {
    pub(super) fn signed(files: CertificateFiles, moments: Moments, endpoints: &Endpoints, sign_in: &SignIn) -> Self {
        let audience = format!("{}{}/oauth2/v2.0/token", endpoints.login(), sign_in.tenant);
        Self::Signed { files, moments: Arc::clone(&moments), audience, client_id: sign_in.client_id.clone() }
    }

    /// The assertion. The files are small and the signature takes a millisecond, so this may be called where one must
    /// not block for long.
    pub(super) fn make(&self) -> Result<String, GraphError> {
        match self {
            Self::File(file) => token_in(file),
            Self::Signed { files, moments, audience, client_id } => SigningCertificate::read(files)?
                .assertion(audience, client_id, moments())
                .map_err(|error| GraphError::Certificate { file: files.certificate.clone(), why: error.to_string() }),
        }
    }
}

#[async_trait::async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _options: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        self.make().map_err(|fault| azure_core::Error::new(ErrorKind::Credential, fault))
    }
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assertion")
    }
}

/// Our own fault in the library's chain, if the assertion could not be made.
pub(super) fn fault(error: &azure_core::Error) -> Option<GraphError> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        match current.downcast_ref::<GraphError>() {
            Some(GraphError::Certificate { file, why }) => {
                return Some(GraphError::Certificate { file: file.clone(), why: why.clone() });
            }
            Some(GraphError::FederatedToken { file, why }) => {
                return Some(GraphError::FederatedToken { file: file.clone(), why: why.clone() });
            }
            _ => cause = current.source(),
        }
    }
    None
}

fn token_in(file: &Path) -> Result<String, GraphError> {
    let bad = |why: String| GraphError::FederatedToken { file: file.to_owned(), why };
    let text = std::fs::read_to_string(file).map_err(|error| bad(format!("it cannot be read: {error}")))?;
    let token = text.trim();
    if token.split('.').count() != 3 || token.contains(char::is_whitespace) {
        return Err(bad("it holds no token (three parts with dots between)".to_owned()));
    }
    Ok(token.to_owned())
}
