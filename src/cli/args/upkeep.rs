//! What is done with a ledger as a whole: taking in, bringing out, proving, erasing, repairing.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};

use super::SnapshotKey;

use crate::domain::id::ObjectId;
use crate::domain::name::NameKind;

/// `import`.
#[derive(Debug, ClapArgs)]
pub struct ImportOptions {
    /// What the file holds
    #[arg(value_enum)]
    pub what: ImportKind,
    /// JSON lines or CSV, for audits JSON as Graph returns it; - is standard input
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    /// Import the good lines although others are bad
    #[arg(long)]
    pub skip_bad: bool,
    /// What a catalogue's names are meant as, on lines that do not say `kind`: upn, smtp or any [default: any]
    ///
    /// A name of kind any is certain only where the user principal name and the address prove the same holder. For a
    /// catalogue of addresses say smtp, for one of user principal names upn.
    #[arg(long, value_name = "KIND")]
    pub kind: Option<NameKind>,
}

/// What a file to import holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ImportKind {
    /// {chain,snapshot,from,until,name|object,mailbox,kind}
    Snapshots,
    /// {observed_at,object,upn,mail,proxies,created,deleted,employee_id,immutable_id,user_type,kind}; observed_at is when
    /// the export ended: a line tells what was so within the day before it
    Profiles,
    /// directoryAudit objects, one a line, in lists, or in pages
    Audits,
}

/// `export`.
#[derive(Debug, ClapArgs)]
pub struct ExportOptions {
    /// Where to write it; `-` is standard output
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Go on with an export that was interrupted, or add what was committed since
    #[arg(long)]
    pub resume: bool,
}

/// `restore`.
#[derive(Debug, ClapArgs)]
pub struct RestoreFileOptions {
    /// The export; `-` is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// If the file is damaged or cut off, keep what stands before that
    #[arg(long)]
    pub until_damage: bool,
}

/// `redact`.
#[derive(Debug, ClapArgs)]
pub struct RedactOptions {
    /// Whose names
    #[arg(value_name = "OBJECT", required = true)]
    pub objects: Vec<ObjectId>,
    /// Why, kept in the journal
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Who decided it
    #[arg(long, value_name = "WHO")]
    pub by: Option<String>,
    /// Only say what would be replaced
    #[arg(long)]
    pub dry_run: bool,
}

/// `encrypt`.
#[derive(Debug, ClapArgs)]
pub struct EncryptOptions {
    /// From now on the key in this file opens the ledger, and the present one no longer
    #[arg(long, value_name = "FILE")]
    pub new_key_file: Option<PathBuf>,
    /// Write the ledger anew under a new data key, so that whoever had the old one cannot read what comes
    #[arg(long)]
    pub rekey: bool,
}

/// `repair`.
#[derive(Debug, ClapArgs)]
pub struct RepairOptions {
    /// Only tell what would be brought back and what not; nothing is changed
    #[arg(long)]
    pub dry_run: bool,
    /// Put a new engine in place even if the old one seems sound
    #[arg(long)]
    pub force: bool,
}

/// `checkpoint`.
#[derive(Debug, ClapArgs)]
pub struct CheckpointOptions {
    /// After this commit instead of the newest
    #[arg(long, value_name = "SEQ")]
    pub at: Option<u64>,
}

/// `prove …`.
#[derive(Debug, Subcommand)]
pub enum ProveAction {
    /// That the log continues what it was at a checkpoint that was kept
    Consistency {
        /// The checkpoint that was kept
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// Up to this commit instead of the newest
        #[arg(long, value_name = "SEQ")]
        at: Option<u64>,
        /// Where to write it; - is standard output
        #[arg(value_name = "FILE|-", default_value = "-")]
        file: PathBuf,
    },
    /// Whose data a snapshot holds, with the facts on which that rests. They tell names
    Snapshot {
        #[command(flatten)]
        key: SnapshotKey,
        /// A checkpoint that was kept, which the proof is to continue too
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// Where to write it; - is standard output
        #[arg(value_name = "FILE|-", default_value = "-")]
        file: PathBuf,
    },
}

/// `verify-proof`.
#[derive(Debug, ClapArgs)]
pub struct VerifyProofOptions {
    /// The proof; - is standard input
    #[arg(value_name = "FILE|-")]
    pub file: PathBuf,
    /// The verifier key that signed, as it was handed out, or a file with it [default: the one in the proof, which shows little]
    #[arg(long, value_name = "VKEY|FILE")]
    pub key: Option<String>,
    /// A checkpoint that was kept, which the proof must continue
    #[arg(long, value_name = "OLDER")]
    pub checkpoint: Option<PathBuf>,
}
