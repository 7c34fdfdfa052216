//! What can go wrong, told apart by what the agent does about it.

use std::path::{Path, PathBuf};

/// Why a step was not done. None of these ever leads to an attempt by name.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// There is no mailbox to open: no such user now, or no licence. whowas tells which, and what to do.
    #[error("no mailbox to open: {0}")]
    NoMailbox(String),
    /// Graph has forgotten the delta link. Whose mailbox it is must be asked again before all of it is read anew.
    #[error("Graph wants the folder read from the start")]
    LinkForgotten,
    /// Graph refused, or did not answer.
    #[error("Graph: {0}")]
    Graph(String),
    /// whowas refused, or did not answer.
    #[error("whowas: {0}")]
    Service(String),
    /// The agent's own disk.
    #[error("{what} {}", path.display())]
    Disk {
        what: &'static str,
        path: PathBuf,
        #[source]
        error: std::io::Error,
    },
    /// A file that the agent wrote itself does not read back.
    #[error("read {}", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        error: serde_json::Error,
    },
}

impl Trouble {
    /// Makes an error of the disk out of an I/O error.
    pub fn disk(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Disk { what, path, error }
    }
}
