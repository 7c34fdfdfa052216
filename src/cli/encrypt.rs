//! `encrypt` and `decrypt`.

use serde::Serialize;

use super::args::EncryptOptions;
use super::error::{CliError, Exit};
use super::key::exposure;
use super::open::{App, How, Opened};
use super::output;
use crate::ledger::LedgerError;
use crate::store::StoreError;
use crate::store::sled::{CompactStep, Compaction, KeyId};

/// What no key takes back.
const BEYOND: [&str; 3] = [
    "exports and reports, and backups of the ledger that were made before",
    "blocks of the disk that held the old files and are not written over yet",
    "the folder of the ledger's other keys, and the access log",
];

#[derive(Serialize)]
struct Answer {
    did: Did,
    /// By what the key is told.
    key: Option<String>,
    #[serde(flatten)]
    written: Option<Compaction>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Did {
    Nothing,
    Encrypted,
    ChangedKey,
    ChangedDataKey,
    Decrypted,
}

pub fn encrypt(app: &App, options: &EncryptOptions) -> Result<Exit, CliError> {
    let new = options.new_key_file.as_ref().map(|file| app.key_in(file)).transpose()?;
    let Some(key) = app.ledger_key()? else {
        return Err(CliError::usage(
            "encrypt: no key is given; name its file with --key-file or [ledger] key_file, or put the key into \
             WHOWAS_LEDGER_KEY. `openssl rand -hex 32` makes one",
        ));
    };
    let opened = open(app, "encrypt")?;
    let is_encrypted = opened.store.key_id().is_some();
    if !is_encrypted && (new.is_some() || options.rekey) {
        return Err(CliError::usage(
            "encrypt: the ledger is not encrypted yet, so there is no key to change; leave out --new-key-file and --rekey",
        ));
    }
    let did = match (is_encrypted, options.rekey, &new) {
        (false, ..) => Did::Encrypted,
        (true, true, _) => Did::ChangedDataKey,
        (true, false, Some(_)) => Did::ChangedKey,
        (true, false, None) => Did::Nothing,
    };
    let key = new.unwrap_or(key);
    let file = options.new_key_file.clone().or_else(|| app.key_file());
    if let Some(said) = file.and_then(|file| exposure(&file)) {
        tracing::warn!("{said}");
    }
    let written = match did {
        Did::Encrypted | Did::ChangedDataKey => {
            refuse_set_aside(&opened, "the names")?;
            let (bar, store) = (output::progress(&app.global, BAR), opened.into_store()?);
            let written = store.encrypt(&key, &mut |step| tick(&bar, step));
            bar.finish_and_clear();
            Some(written?)
        }
        Did::ChangedKey => {
            opened.store.change_key(&key)?;
            None
        }
        Did::Nothing | Did::Decrypted => None,
    };
    tell(app, did, Some(key.id()), written)
}

pub fn decrypt(app: &App) -> Result<Exit, CliError> {
    let opened = open(app, "decrypt")?;
    if opened.store.key_id().is_none() {
        return tell(app, Did::Nothing, None, None);
    }
    let (bar, store) = (output::progress(&app.global, BAR), opened.into_store()?);
    let written = store.decrypt(&mut |step| tick(&bar, step));
    bar.finish_and_clear();
    tell(app, Did::Decrypted, None, Some(written?))
}

const BAR: &str = "{spinner} {pos} records {msg} [{elapsed}]";

/// Opens the ledger, encrypted or not.
fn open(app: &App, command: &str) -> Result<Opened, CliError> {
    match app.open(command, How::Journal) {
        Err(CliError::Ledger(LedgerError::Store(StoreError::NotEncrypted { .. }))) => {
            app.open_without_key(command, How::Journal)
        }
        opened => opened,
    }
}

fn refuse_set_aside(opened: &Opened, what: &str) -> Result<(), CliError> {
    match opened.store.set_aside()?.first() {
        Some(aside) => Err(CliError::Failed(format!(
            "encrypt the ledger: {} still has {what} as they were, an engine that a repair has put aside; nothing was changed. \
             Remove it, and run the same command again",
            aside.display()
        ))),
        None => Ok(()),
    }
}

fn tick(bar: &indicatif::ProgressBar, step: CompactStep) {
    let (records, what) = match step {
        CompactStep::Written(records) => (records, "written"),
        CompactStep::Compared(records) => (records, "compared"),
    };
    bar.set_message(what);
    bar.set_position(records);
}

fn tell(app: &App, did: Did, key: Option<KeyId>, written: Option<Compaction>) -> Result<Exit, CliError> {
    let path = app.ledger_path()?.display().to_string();
    let key = key.map(|key| key.to_string());
    let shown = key.clone().unwrap_or_default();
    output::answer(&app.global, &Answer { did, key, written }, || match did {
        Did::Nothing if shown.is_empty() => format!("{path} is not encrypted; nothing was changed"),
        Did::Nothing => format!("{path} is encrypted with the key {shown} already; nothing was changed"),
        Did::Encrypted => format!(
            "{path} is encrypted with the key {shown}. Keep the key in two places: without it nothing of the ledger can be \
             read.\nnot reached: {}",
            BEYOND.join("; ")
        ),
        Did::ChangedKey => {
            format!(
                "{path} opens with the key {shown} from now on, and no longer with the old one, which opens older copies"
            )
        }
        Did::ChangedDataKey => {
            format!(
                "{path} is encrypted with a new data key, which the key {shown} opens; older copies stay as they are"
            )
        }
        Did::Decrypted => {
            format!("{path} is no longer encrypted; leave out --key-file, WHOWAS_LEDGER_KEY and key_file")
        }
    })?;
    Ok(Exit::Done)
}
