//! The one place where an error becomes a message, a hint and an exit code.

use std::error::Error;
use std::io::ErrorKind;
use std::process::ExitCode;

use crate::client::ClientError;
use crate::config::ConfigError;
use crate::domain::verdict::Action;
use crate::http::access::tokens::TokenError;
use crate::http::server::ListenError;
use crate::keyring::KeyringError;
use crate::ledger::LedgerError;
use crate::service::evidence::EvidenceError;
use crate::service::export::ExportError;
use crate::store::StoreError;
use crate::sync::{SyncError, with_causes};

/// How the program ends when it did what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// A verdict.
    Verdict(Action),
    /// Something was found.
    Found,
    /// Some of it failed; the messages were printed.
    Partly,
    /// The configuration cannot be used; what is wrong with it was printed.
    Unusable,
    /// A sync of this tenant is already running.
    Running,
}

/// Why the program could not do what it was asked.
#[derive(Debug)]
pub enum CliError {
    /// Wrong usage or configuration.
    Usage(String),
    /// What was asked about is not there.
    Missing(String),
    /// The configuration.
    Config(ConfigError),
    /// The ledger.
    Ledger(LedgerError),
    /// The directory, or the ledger during a sync.
    Sync(SyncError),
    /// The service's place.
    Listen(ListenError),
    /// The tokens.
    Token(TokenError),
    /// Checkpoints and proofs.
    Evidence(EvidenceError),
    /// The service that was asked.
    Service(ClientError),
    /// A step that failed, with its causes in one line.
    Failed(String),
    /// A service holds the ledger, and it cannot be asked for what this command does.
    HeldByService {
        /// The command.
        command: &'static str,
        /// Who holds it.
        source: Box<StoreError>,
    },
    /// Something of the operating system.
    Io {
        /// What was being done.
        step: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done | Exit::Verdict(Action::Incremental) => 0,
            Exit::Partly => 1,
            Exit::Unusable => 2,
            Exit::Verdict(Action::Full) => 10,
            Exit::Verdict(Action::Stop) => 20,
            Exit::Verdict(Action::Refresh) => 30,
            Exit::Found => 40,
            Exit::Running => 75,
        })
    }
}

/// The exit code of a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure(u8);

impl From<Failure> for ExitCode {
    fn from(failure: Failure) -> Self {
        Self::from(failure.0)
    }
}

impl CliError {
    /// Wrong usage.
    pub fn usage(why: impl Into<String>) -> Self {
        Self::Usage(why.into())
    }

    /// The same with a further word on what can be done.
    #[must_use]
    pub fn with_advice(self, advice: &str) -> Self {
        match self {
            Self::Usage(why) => Self::Usage(format!("{why}; {advice}")),
            other => other,
        }
    }

    /// The same, said of a command that works on the ledger itself.
    #[must_use]
    pub fn on_the_ledger(self, command: &'static str) -> Self {
        match self {
            Self::Ledger(LedgerError::Store(source @ StoreError::Held { .. })) if source.service().is_some() => {
                Self::HeldByService { command, source: Box::new(source) }
            }
            other => other,
        }
    }

    /// The failure of a step for a reason that has no place of its own here.
    pub fn failed(step: impl std::fmt::Display, error: &dyn Error) -> Self {
        Self::Failed(format!("{step}: {}", with_causes(error)))
    }

    /// The failure of a step of the operating system.
    pub fn io(step: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let step = step.into();
        move |source| Self::Io { step, source }
    }

    /// The exit code: 2 for what the caller wrote, 1 for what happened.
    pub fn exit(&self) -> Failure {
        let is_usage = match self {
            Self::Usage(_) => true,
            // The configuration is wrong, unless it is right and the world is not.
            Self::Listen(error) => !matches!(error, ListenError::Taken { .. } | ListenError::Ended(_)),
            Self::Config(error) => !matches!(error, ConfigError::Graph(graph) if graph.is_transient()),
            Self::Service(error) => is_usage(error),
            _ => false,
        };
        Failure(if is_usage { 2 } else { 1 })
    }

    /// Prints the error, its causes and what to do.
    pub fn print(&self) {
        super::log::say(tracing::Level::ERROR, &format!("error: {}", self.text()));
    }

    /// The error, its causes and what to do.
    pub fn text(&self) -> String {
        let mut message = self.say();
        if let Some(hint) = self.hint() {
            message.push_str("\n  hint: ");
            message.push_str(&hint);
        }
        message
    }

    fn say(&self) -> String {
        match self {
            Self::Usage(why) | Self::Missing(why) => why.clone(),
            Self::Config(error) => with_causes(error),
            Self::Ledger(error) => format!("failed to {}", with_causes(error)),
            Self::Sync(error) => format!("failed to {}", with_causes(error)),
            Self::Listen(error) => format!("failed to {}", with_causes(error)),
            Self::Token(error) => format!("failed to {}", with_causes(error)),
            Self::Evidence(error) => format!("failed to {}", with_causes(error)),
            Self::Service(ClientError::Refused(problem)) => format!("the service says no: {problem}"),
            Self::Service(error) => format!("failed to {}", with_causes(error)),
            Self::Failed(why) => format!("failed to {why}"),
            Self::HeldByService { source, .. } => format!("failed to {}", with_causes(source)),
            Self::Io { step, source } => format!("failed to {step}: {source}"),
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Ledger(LedgerError::Store(error)) | Self::Sync(SyncError::Ledger(LedgerError::Store(error))) => {
                error.hint()
            }
            Self::HeldByService { command, .. } => Some(format!(
                "`{command}` works on the ledger itself, so no service can be asked for it with --server: stop the service, and start \
                 it again afterwards"
            )),
            Self::Sync(error) => error.hint(),
            Self::Service(error) => error.hint(),
            Self::Config(ConfigError::Graph(error)) => Some(error.hint()),
            Self::Listen(ListenError::Taken { .. }) => {
                Some("another service may be running; --listen, or [server] listen, names another address".to_owned())
            }
            Self::Config(ConfigError::Unreadable { source, .. }) if source.kind() == ErrorKind::NotFound => {
                Some("write one with `whowas init`".to_owned())
            }
            _ => None,
        }
    }
}

/// Whether a service was not asked, or said no, because of what the caller wrote.
fn is_usage(error: &ClientError) -> bool {
    match error {
        ClientError::Address { .. }
        | ClientError::Token(_)
        | ClientError::Certificates { .. }
        | ClientError::Unaskable { .. } => true,
        ClientError::Refused(problem) => matches!(problem.code.as_str(), "invalid_parameter" | "unknown_tenant"),
        _ => false,
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<ListenError> for CliError {
    fn from(error: ListenError) -> Self {
        Self::Listen(error)
    }
}

impl From<TokenError> for CliError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl From<KeyringError> for CliError {
    fn from(error: KeyringError) -> Self {
        Self::Evidence(error.into())
    }
}

impl From<EvidenceError> for CliError {
    fn from(error: EvidenceError) -> Self {
        match error {
            EvidenceError::Ledger(error) => Self::Ledger(error),
            other => Self::Evidence(other),
        }
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        Self::Service(error)
    }
}

impl From<LedgerError> for CliError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<ExportError> for CliError {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Ledger(error) => error.into(),
            error => Self::Failed(with_causes(&error)),
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error.into())
    }
}

impl From<SyncError> for CliError {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Ledger(error) => Self::Ledger(error),
            other => Self::Sync(other),
        }
    }
}
