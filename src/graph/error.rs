//! What can go wrong between whowas and Graph, one variant per step that fails.
//!
//! Messages name the request and the code, never a name, a token, a link or a body. The cause is the `source`; it is
//! not repeated in the message.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::aadsts;
use super::wire::LinkUrl;
use super::wire::addressee::Collection;
use super::wire::failure::WireError;
use super::wire::token::WireTokenError;
use crate::domain::id::{ObjectId, TenantId};

/// Which request an error speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A page of `/users/delta`.
    UsersDelta,
    /// A page of `/users`.
    Users,
    /// A page of `/directory/deletedItems`.
    DeletedUsers,
    /// One user by id.
    User(ObjectId),
    /// One user by name. The name is not said.
    UserByName,
    /// One deleted user by id.
    DeletedUser(ObjectId),
    /// `/groups` or `/contacts`: a page, or some by id or address.
    Addressees(Collection),
    /// A page of `/groups/delta` or `/contacts/delta`.
    AddresseesDelta(Collection),
    /// A page of `/groups/{id}/transitiveMembers`.
    Members(ObjectId),
    /// A page of `/auditLogs/directoryAudits`.
    Audits,
    /// A batch of single users.
    Batch,
}

/// A refusal that carries no meaning of its own for whowas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// Graph's error code; empty if the answer told none.
    pub code: String,
    /// Graph's request id, for Microsoft's support.
    pub request_id: Option<String>,
}

/// Why a question to Graph has no answer.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// A configured cloud or URL cannot be used.
    #[error("{setting} cannot be used: {why}")]
    BadEndpoint {
        /// Which setting.
        setting: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The HTTP client could not be made.
    #[error("prepare the HTTPS client: {step}")]
    NoClient {
        /// What was being done.
        step: String,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// No connection, or it broke, and repeating did not help.
    #[error("reach {host} for {asked}")]
    Unreachable {
        /// Scheme, host and port.
        host: String,
        /// What was wanted there.
        asked: String,
        /// The cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// Entra gave no token.
    #[error("sign in to tenant as application {client_id}: {what}", what = TokenCode(*.aadsts, .error))]
    TokenRefused {
        /// The application's id.
        client_id: String,
        /// The number after `AADSTS`, if it told one.
        aadsts: Option<u32>,
        /// The OAuth error, for example `invalid_client`.
        error: String,
    },
    /// A certificate or its key cannot be used.
    #[error("sign in with the certificate in {}: {why}", .file.display())]
    Certificate {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The file with another issuer's token cannot be used.
    #[error("sign in with the token in federated_token_file {}: {why}", .file.display())]
    FederatedToken {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The machine's endpoint for managed identities gave no token.
    #[error("sign in with the machine's managed identity: {why}")]
    NoManagedIdentity {
        /// What it said.
        why: String,
    },
    /// The machine's managed identity belongs to another tenant than the one to be read, or its token does not tell to which.
    #[error("sign in with the machine's managed identity: {what}", what = HomeSaid(.home, .tenant))]
    ForeignIdentity {
        /// The tenant that its token is for, if it tells.
        home: Option<TenantId>,
        /// The tenant whose directory is to be read.
        tenant: TenantId,
    },
    /// The token endpoint answered something else than a token or a refusal.
    #[error("sign in as application {client_id}: the answer of {host} is no token")]
    TokenUnreadable {
        /// The application's id.
        client_id: String,
        /// Scheme, host and port of the sign-in.
        host: String,
    },
    /// 401 with a fresh token.
    #[error("read {asked}: Graph does not accept the token ({refusal})")]
    Unauthorized {
        /// Which request.
        asked: Asked,
        /// The answer.
        refusal: Refusal,
    },
    /// 403.
    #[error("read {asked}: permission denied ({refusal})")]
    PermissionDenied {
        /// Which request.
        asked: Asked,
        /// The answer.
        refusal: Refusal,
    },
    /// 404 where an object was not expected to be absent, or a 404 that is not Graph's.
    #[error("read {asked}: not found ({refusal})")]
    NotFound {
        /// Which request.
        asked: Asked,
        /// The answer.
        refusal: Refusal,
    },
    /// The delta token is no longer known: a full resync is needed.
    #[error("read {asked}: the sync token has expired ({refusal})")]
    Expired {
        /// Which request.
        asked: Asked,
        /// The answer.
        refusal: Refusal,
        /// Where Graph wants the full resync to begin, if it said so and it is this very Graph.
        location: Option<LinkUrl>,
    },
    /// The token of a listing's next page is no longer known: the listing must start over.
    #[error("read {asked}: the page token has expired ({refusal})")]
    PageExpired {
        /// Which request.
        asked: Asked,
        /// The answer.
        refusal: Refusal,
    },
    /// Graph was still throttling after the last attempt, or wants a longer wait than a run sits out.
    #[error("read {asked}: still throttled after {attempts} attempts ({refusal}){}", ComeBack(*.wait))]
    Throttled {
        /// Which request.
        asked: Asked,
        /// How many were made.
        attempts: u32,
        /// The last answer.
        refusal: Refusal,
        /// The wait that the server named, where that is why it was not asked again.
        wait: Option<Duration>,
    },
    /// A 5xx, still there after the last attempt.
    #[error("read {asked}: the server failed {attempts} times ({refusal})")]
    ServerError {
        /// Which request.
        asked: Asked,
        /// How many attempts were made.
        attempts: u32,
        /// The last answer.
        refusal: Refusal,
    },
    /// What was asked is not available here.
    #[error("read {asked}: not supported ({refusal})")]
    Unsupported {
        /// Which request.
        asked: Asked,
        /// The answer.
        refusal: Refusal,
    },
    /// Any other refusal.
    #[error("read {asked}: refused ({refusal})")]
    Refused {
        /// Which request.
        asked: Asked,
        /// The answer.
        refusal: Refusal,
    },
    /// The answer is no valid answer.
    #[error("read {asked}: the answer is malformed: {why}")]
    Malformed {
        /// Which request.
        asked: Asked,
        /// What is wrong, and where.
        why: String,
    },
    /// A 200 whose body is an error object.
    #[error("read {asked}: the answer is an error ({code}) with status 200")]
    ErrorInside {
        /// Which request.
        asked: Asked,
        /// The error's code.
        code: String,
    },
    /// The answer is larger than whowas reads.
    #[error("read {asked}: the answer is larger than {limit} bytes")]
    TooLarge {
        /// Which request.
        asked: Asked,
        /// The bound.
        limit: usize,
    },
    /// A link leads elsewhere. It was not followed: it would carry the token there.
    #[error("follow a link to {host}: it does not lead to {expected}")]
    ForeignLink {
        /// Where it leads.
        host: String,
        /// Where it should lead.
        expected: String,
    },
    /// A next link that this round has already followed.
    #[error("read {asked}: page {pages} links back to an earlier page")]
    LinkLoop {
        /// Which feed.
        asked: Asked,
        /// How many pages were read.
        pages: u64,
    },
    /// More pages than any directory has.
    #[error("read {asked}: no end after {pages} pages")]
    TooManyPages {
        /// Which feed.
        asked: Asked,
        /// How many pages were read.
        pages: u64,
    },
}

impl Asked {
    /// The application permission that it needs.
    pub fn permission(&self) -> &'static str {
        match self {
            Self::Audits => "AuditLog.Read.All and Directory.Read.All",
            Self::Addressees(collection) | Self::AddresseesDelta(collection) => collection.permission(),
            Self::Members(_) => "GroupMember.Read.All",
            _ => "User.Read.All",
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UsersDelta => f.write_str("the users delta feed"),
            Self::Users => f.write_str("the users listing"),
            Self::DeletedUsers => f.write_str("the deleted users"),
            Self::User(id) => write!(f, "user {id}"),
            Self::UserByName => f.write_str("a user by name"),
            Self::DeletedUser(id) => write!(f, "deleted user {id}"),
            Self::Addressees(collection) => write!(f, "the {}", collection.segment()),
            Self::AddresseesDelta(collection) => write!(f, "the delta feed of the {}", collection.segment()),
            Self::Members(group) => write!(f, "the members of group {group}"),
            Self::Audits => f.write_str("the directory audit log"),
            Self::Batch => f.write_str("a batch of users"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        if !self.code.is_empty() {
            write!(f, " {}", self.code)?;
        }
        match &self.request_id {
            Some(id) => write!(f, ", request {id}"),
            None => Ok(()),
        }
    }
}

/// When Graph wants to be asked again.
struct ComeBack(Option<Duration>);

impl fmt::Display for ComeBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(wait) => write!(f, "; Graph asks for a wait of {} s", whole_seconds(wait)),
            None => Ok(()),
        }
    }
}

/// Rounded up, so that nobody comes back too early.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

impl GraphError {
    /// The same failure, if the server wants a longer wait than is sat out: throttled, with the time to wait.
    pub(crate) fn postponed(self, wait: Duration) -> Self {
        match self {
            Self::Throttled { asked, attempts, refusal, .. } | Self::ServerError { asked, attempts, refusal } => {
                Self::Throttled { asked, attempts, refusal, wait: Some(wait) }
            }
            other => other,
        }
    }

    /// The error that an answer other than 200 means. `location` is the header, if it leads to this very Graph.
    pub fn of_answer(asked: Asked, status: u16, body: &[u8], location: Option<LinkUrl>, attempts: u32) -> Self {
        Self::of_failure(asked, status, WireError::of_body(body).unwrap_or_default(), location, attempts)
    }

    pub(crate) fn of_failure(
        asked: Asked,
        status: u16,
        error: WireError,
        location: Option<LinkUrl>,
        attempts: u32,
    ) -> Self {
        let refusal = Refusal { status, code: error.code, request_id: error.request_id };
        let is = |codes: &[&str]| codes.iter().any(|code| code.eq_ignore_ascii_case(&refusal.code));
        // Letter case and status of these codes differ between services (CORSO errors.go, delta-query-overview.md).
        if status == 410 || (status < 500 && is(&EXPIRED_CODES)) {
            return Self::Expired { asked, refusal, location };
        }
        if is(&["Directory_ExpiredPageToken"]) {
            return Self::PageExpired { asked, refusal };
        }
        match status {
            200 => Self::ErrorInside { asked, code: refusal.code },
            401 => Self::Unauthorized { asked, refusal },
            403 => Self::PermissionDenied { asked, refusal },
            404 => Self::NotFound { asked, refusal },
            429 => Self::Throttled { asked, attempts, refusal, wait: None },
            501 => Self::Unsupported { asked, refusal },
            503 if attempts > 0 && is(&["TooManyRequests"]) => Self::Throttled { asked, attempts, refusal, wait: None },
            500..=599 => Self::ServerError { asked, attempts, refusal },
            // "This API is not supported for MSA accounts": a personal account instead of an organisation's.
            400 if is(&["BadRequest"]) => Self::Unsupported { asked, refusal },
            _ => Self::Refused { asked, refusal },
        }
    }

    /// The same refusal, if what was asked is a link that the feed itself gave: it holds nothing of ours but its token, so a
    /// query that is not supported is a token that is too old. To the first request of a feed, which has none, the same code says that
    /// the tenant has no such feed.
    pub(crate) fn of_delta_link(self) -> Self {
        match self {
            Self::Refused { asked, refusal }
                if refusal.status == 400 && refusal.code.eq_ignore_ascii_case("Request_UnsupportedQuery") =>
            {
                Self::Expired { asked, refusal, location: None }
            }
            other => other,
        }
    }

    /// Whether a 404 is Graph's word that the object is not there. Any other 404, for example of a proxy, proves nothing.
    pub(crate) fn is_absence(&self) -> bool {
        match self {
            Self::NotFound { refusal, .. } => ABSENCE_CODES.iter().any(|code| code.eq_ignore_ascii_case(&refusal.code)),
            _ => false,
        }
    }

    /// Entra's refusal from the body of its answer, or `None` if the body is no refusal.
    pub fn of_token_refusal(client_id: &str, body: &[u8]) -> Option<Self> {
        let refusal: WireTokenError = serde_json::from_slice(body).ok()?;
        Some(Self::TokenRefused {
            client_id: client_id.to_owned(),
            aadsts: refusal.aadsts(),
            error: said(&refusal.error),
        })
    }

    /// The OAuth code of a refusal, for example `invalid_request`.
    pub(super) fn oauth_error(body: &[u8]) -> Option<String> {
        serde_json::from_slice::<WireTokenError>(body).ok().map(|refusal| said(&refusal.error))
    }

    /// Whether the same question may be answered a little later, with nothing changed by a person.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Throttled { .. } | Self::ServerError { .. })
            || matches!(self, Self::TokenRefused { aadsts: Some(code), .. } if aadsts::is_transient(*code))
            || matches!(self, Self::PageExpired { .. })
    }

    /// What a person can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::BadEndpoint { setting, .. } => format!("correct {setting} of the tenant in whowas.toml"),
            Self::NoClient { .. } => "check ca_file and that the system's ca-certificates are installed".to_owned(),
            Self::Unreachable { asked, .. } if asked == MANAGED_IDENTITY => NO_IMDS.to_owned(),
            Self::Certificate { .. } => CERTIFICATE.to_owned(),
            Self::FederatedToken { .. } => {
                "name the file into which the platform (Kubernetes, a CI) writes this workload's token".to_owned()
            }
            Self::NoManagedIdentity { .. } => MANAGED_IDENTITY_HINT.to_owned(),
            Self::ForeignIdentity { .. } => FOREIGN_IDENTITY.to_owned(),
            Self::Unreachable { host, .. } => {
                format!("check that this machine can reach {host} (DNS, firewall, proxy, certificates) and try again")
            }
            Self::TokenRefused { aadsts, .. } => aadsts::hint(*aadsts).to_owned(),
            Self::TokenUnreadable { host, .. } => {
                format!("check login_url and any proxy before {host}: something else than Entra answered")
            }
            Self::Unauthorized { .. } => {
                "check that cloud (or graph_url) and login_url belong together: tokens of one cloud are void in another"
                    .to_owned()
            }
            Self::PermissionDenied { asked, refusal } => permission_hint(asked, refusal),
            Self::NotFound { .. } => {
                "check graph_url: the answer is not how Graph says that an object is absent".to_owned()
            }
            Self::Expired { .. } => "run a full resync (whowas sync --full); the history is kept".to_owned(),
            Self::PageExpired { .. } => "start the listing over".to_owned(),
            Self::Throttled { wait: Some(wait), .. } => {
                format!("try again in {} s: Graph wants to be left alone for so long", whole_seconds(*wait))
            }
            Self::Throttled { .. } => {
                "try again later, or sync less often: Graph limits requests per tenant".to_owned()
            }
            Self::ServerError { .. } => "try again later; Microsoft's service health may tell of an outage".to_owned(),
            Self::Unsupported { .. } => {
                "check that the tenant is an organisation's directory, not a personal account, and that this cloud has \
                 the feature"
                    .to_owned()
            }
            Self::Refused { refusal, .. } => match &refusal.request_id {
                Some(id) => {
                    format!("look the code up in Microsoft's documentation, or quote request {id} to its support")
                }
                None => "check graph_url and any proxy before it".to_owned(),
            },
            Self::Malformed { .. } | Self::ErrorInside { .. } | Self::TooLarge { .. } => {
                "try again; if it stays, check graph_url and any proxy before it".to_owned()
            }
            Self::ForeignLink { .. } => {
                "check cloud and graph_url of the tenant; nothing was sent to the other host".to_owned()
            }
            Self::LinkLoop { .. } | Self::TooManyPages { .. } => "run a full resync (whowas sync --full)".to_owned(),
        }
    }
}

/// Codes of a delta token that is no longer known.
const EXPIRED_CODES: [&str; 6] = [
    "syncStateNotFound",
    "syncStateInvalid",
    "resyncRequired",
    "resyncChangesApplyDifferences",
    "resyncChangesUploadDifferences",
    "Directory_ExpiredDeltaToken",
];

/// Codes of a 404 that speaks of the object. `Directory_ObjectNotFound` is none: it says for a while that the tenant itself could not be
/// read ("Unable to read the company information from the directory").
const ABSENCE_CODES: [&str; 2] = ["Request_ResourceNotFound", "ResourceNotFound"];

/// What is asked for at the machine's own endpoint.
pub(super) const MANAGED_IDENTITY: &str = "a token of the managed identity";

const NO_IMDS: &str = "managed_identity works on a machine of Azure that has an identity; elsewhere take a certificate or a \
                       federated token";
const MANAGED_IDENTITY_HINT: &str = "in Azure, assign the identity to this machine, and leave client_id empty for the one that \
                                     the machine itself has or set it to the client id of a user-assigned one";
const FOREIGN_IDENTITY: &str = "a managed identity reads the tenant that it was made in and no other: correct id, or take an app \
                                registration with a certificate or a federated token for this tenant";
const CERTIFICATE: &str = "certificate must name a PEM file with the X.509 certificate that was uploaded to Entra, key one with \
                           its unencrypted RSA key in PKCS#8 (or leave key out if both are in one file)";

fn permission_hint(asked: &Asked, refusal: &Refusal) -> String {
    let permission = asked.permission();
    if refusal.code.eq_ignore_ascii_case("Authentication_RequestFromNonPremiumTenantOrB2CTenant") {
        // The one code stands for two causes (graph: concepts/known-issues.md).
        return format!(
            "either the tenant has no Entra ID P1 or P2 licence, then set audits = false; or the application lacks one \
             of {permission}: add both as application permissions in Entra and grant admin consent"
        );
    }
    format!("in Entra, add the application permission {permission} to the app registration and grant admin consent")
}

/// What a server said, as far as it may be shown.
fn said(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(60).collect()
}

struct HomeSaid<'a>(&'a Option<TenantId>, &'a TenantId);

impl fmt::Display for HomeSaid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(home, tenant) = self;
        match home {
            Some(home) => write!(f, "it belongs to tenant {home}, and {tenant} is to be read; nothing was asked"),
            None => write!(f, "its token does not tell that it is for tenant {tenant}; nothing was asked"),
        }
    }
}

struct TokenCode<'a>(Option<u32>, &'a str);

impl fmt::Display for TokenCode<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(code) => write!(f, "Entra refused with AADSTS{code} ({})", self.1),
            None => write!(f, "Entra refused ({})", self.1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, code: &str) -> GraphError {
        let body = format!(r#"{{"error":{{"code":"{code}","message":"m","innererror":{{"requestId":"r1"}}}}}}"#);
        GraphError::of_answer(Asked::UsersDelta, status, body.as_bytes(), None, 1)
    }

    #[test]
    fn a_lost_delta_token_is_known_in_every_spelling_and_status() {
        for (status, code) in [
            (410, "SyncStateNotFound"),
            (410, ""),
            (400, "syncStateNotFound"),
            (404, "syncstatenotfound"),
            (400, "resyncRequired"),
            (409, "SYNCSTATEINVALID"),
        ] {
            assert!(matches!(answer(status, code), GraphError::Expired { .. }), "{status} {code}");
        }
        assert!(matches!(answer(400, "Directory_ExpiredPageToken"), GraphError::PageExpired { .. }));
        assert!(
            !matches!(answer(500, "SyncStateNotFound"), GraphError::Expired { .. }),
            "a server error proves nothing"
        );
    }

    #[test]
    fn a_query_that_is_not_supported_is_a_lost_token_only_where_the_query_was_a_link() {
        let refused = answer(400, "Request_UnsupportedQuery");
        assert!(matches!(refused, GraphError::Refused { .. }), "a tenant without such a feed says it as well");
        assert!(matches!(refused.of_delta_link(), GraphError::Expired { .. }));
        assert!(matches!(answer(400, "Request_BadRequest").of_delta_link(), GraphError::Refused { .. }));
        assert!(matches!(answer(403, "Request_UnsupportedQuery").of_delta_link(), GraphError::PermissionDenied { .. }));
    }

    #[test]
    fn only_graphs_own_not_found_is_absence() {
        assert!(answer(404, "Request_ResourceNotFound").is_absence());
        assert!(!GraphError::of_answer(Asked::Users, 404, b"<html>not here</html>", None, 1).is_absence());
        assert!(!answer(404, "BadRequest").is_absence());
        assert!(!answer(404, "Directory_ObjectNotFound").is_absence(), "it is the tenant that was not found");
    }

    #[test]
    fn messages_are_fragments_that_name_the_request_and_every_error_has_a_hint() {
        let error = answer(403, "Authorization_RequestDenied");
        assert_eq!(
            error.to_string(),
            "read the users delta feed: permission denied (HTTP 403 Authorization_RequestDenied, request r1)"
        );
        assert!(error.hint().contains("User.Read.All"));
        assert!(!error.is_transient() && answer(503, "").is_transient() && answer(429, "").is_transient());
    }
}
