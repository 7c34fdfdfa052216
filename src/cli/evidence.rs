//! `checkpoint`, `prove` and `verify-proof`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::{CheckpointOptions, Global, Output, ProveAction, VerifyProofOptions};
use super::error::{CliError, Exit};
use super::open::{App, How};
use super::output;
use super::report::{OWNER_ALONE, target, write_whole};
use super::source::source;
use crate::domain::id::Sequence;
use crate::evidence::checkpoint::Checkpoint;
use crate::evidence::proof::{self, Proof};
use crate::evidence::verify::{SnapshotShown, Stand, Trust, Verified, verify};
use crate::service::evidence::ProofAnswer;

/// Longest checkpoint or key that is read, in bytes.
const SMALL_BYTES_MAX: usize = 1 << 20;

pub fn checkpoint(app: &App, options: &CheckpointOptions) -> Result<Exit, CliError> {
    let source = source(app, "checkpoint", How::Existing)?;
    let answer = source.checkpoint(options.at.map(Sequence))?;
    let none = || {
        let tenant = answer.tenant;
        CliError::Missing(format!(
            "tenant {tenant} has no commit yet, so there is nothing to sign; `whowas sync` makes the first"
        ))
    };
    let note = match app.global.output {
        Output::Human => answer.note.clone().ok_or_else(none)?,
        _ => String::new(),
    };
    output::exact(&app.global, &answer, &note)?;
    Ok(Exit::Done)
}

pub fn prove(app: &App, action: &ProveAction) -> Result<Exit, CliError> {
    match action {
        ProveAction::Consistency { from, at, file } => {
            let file = place(file)?;
            let kept = Kept::read(from)?;
            let source = source(app, "prove", How::Existing)?;
            let answer = source.prove_consistency(kept.checkpoint.size, at.map(Sequence))?;
            kept.must_be_in(&answer)?;
            hand_out(app, file.as_deref(), &answer)
        }
        ProveAction::Snapshot { key, from, file } => {
            let file = place(file)?;
            let kept = from.as_deref().map(Kept::read).transpose()?;
            let source = source(app, "prove", How::Existing)?;
            let older = kept.as_ref().map(|kept| kept.checkpoint.size);
            let answer = source.prove_snapshot(&key.chain, &key.snapshot, older)?;
            if let Some(kept) = kept {
                kept.must_be_in(&answer)?;
            }
            hand_out(app, file.as_deref(), &answer)
        }
    }
}

/// The file to write; `None` for standard output.
fn place(file: &Path) -> Result<Option<PathBuf>, CliError> {
    if is_stream(file) { Ok(None) } else { target(file).map(Some) }
}

/// A checkpoint that was kept.
struct Kept<'p> {
    checkpoint: Checkpoint,
    from: &'p Path,
}

impl<'p> Kept<'p> {
    fn read(from: &'p Path) -> Result<Self, CliError> {
        let unread = |why| CliError::usage(format!("--from {}: {why}", from.display()));
        let checkpoint = Checkpoint::unverified(&read(from, SMALL_BYTES_MAX)?).map_err(unread)?;
        Ok(Self { checkpoint, from })
    }

    /// A proof tells what the ledger has at the size of the checkpoint that was kept, and that must be the same.
    fn must_be_in(&self, answer: &ProofAnswer) -> Result<(), CliError> {
        let (kept, from) = (&self.checkpoint, self.from.display());
        let older = Proof::parse(&answer.proof).ok().and_then(|proof| proof.older);
        match older.and_then(|older| Checkpoint::unverified(&older.checkpoint).ok()) {
            Some(older) if older == *kept => Ok(()),
            Some(older) if older.tenant != kept.tenant => Err(CliError::usage(format!(
                "--from {from}: it is a checkpoint of tenant {}, and this is tenant {}",
                kept.tenant, older.tenant
            ))),
            _ => Err(CliError::Missing(format!(
                "the ledger's history is not the one of the checkpoint {from}: its commit {} is another one. It was \
                 written anew, or is another ledger's; there is no proof",
                kept.size
            ))),
        }
    }
}

fn hand_out(app: &App, file: Option<&Path>, answer: &ProofAnswer) -> Result<Exit, CliError> {
    let Some(file) = file else {
        output::exact(&app.global, answer, &answer.proof)?;
        return Ok(Exit::Done);
    };
    // A proof of a snapshot has facts in it, names included.
    write_whole(file, answer.proof.as_bytes(), OWNER_ALONE)?;
    let told = json!({"tenant": answer.tenant, "sequence": answer.sequence, "file": file.display().to_string()});
    output::answer(&app.global, &told, || {
        format!("wrote {}; `whowas verify-proof` checks it anywhere", file.display())
    })?;
    Ok(Exit::Done)
}

pub fn verify_proof(options: &VerifyProofOptions, global: &Global) -> Result<Exit, CliError> {
    let text = read(&options.file, proof::BYTES_MAX)?;
    let key = options.key.as_deref().map(key_of).transpose()?;
    let kept = options.checkpoint.as_deref().map(|kept| read(kept, SMALL_BYTES_MAX)).transpose()?;
    let file = options.file.display();
    let verified =
        verify(&text, &Trust { key, kept }).map_err(|why| CliError::Missing(format!("{file} does not hold: {why}")))?;
    output::answer(global, &verified, || say(&verified))?;
    Ok(Exit::Done)
}

fn say(verified: &Verified) -> String {
    let Verified { tenant, key, key_is_trusted, checkpoint, older, kept, snapshot, limits } = verified;
    let mut text = format!("the proof holds, for tenant {tenant}\n");
    let stand = |stand: &Stand| format!("{} commits, the newest recorded {}", stand.size, stand.recorded);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  checkpoint: {}", stand(checkpoint));
    if let Some(older) = older {
        let _ = writeln!(text, "  continues:  {}", stand(older));
    }
    if kept.is_some() {
        text.push_str("  the checkpoint that was kept is the same\n");
    }
    let _ = writeln!(text, "  signed with {key}");
    if let Some(shown) = snapshot {
        let SnapshotShown { chain, snapshot, from, until, attribution, facts, commits } = shown;
        let owner = attribution.owner.map_or_else(|| "no certain owner".to_owned(), |owner| format!("object {owner}"));
        let settled = if attribution.settled { "" } else { ", not settled" };
        let _ = writeln!(text, "  snapshot {snapshot} of chain {chain}, read from {from} until {until}");
        let _ = writeln!(text, "  holds the data of: {owner} ({}{settled})", attribution.confidence);
        for (object, confidence) in &attribution.candidates {
            let _ = writeln!(text, "    candidate: object {object} ({confidence})");
        }
        let _ = writeln!(text, "  derived anew from {facts} facts of {commits} of the {} commits", checkpoint.size);
    }
    if !key_is_trusted {
        text.push_str("  BUT that key stands in the proof itself: say --key with the one that was handed out\n");
    }
    let _ = writeln!(text, "  not shown: {limits}");
    text
}

/// A key as it is typed, or the file that it is in.
fn key_of(text: &str) -> Result<String, CliError> {
    // A verifier key is NAME+HASH+KEY; our names have a slash, so it may look like a path.
    if text.matches('+').count() >= 2 && !Path::new(text).exists() {
        return Ok(text.to_owned());
    }
    Ok(read(Path::new(text), SMALL_BYTES_MAX)?.trim().to_owned())
}

fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

pub(super) fn read(path: &Path, bytes_max: usize) -> Result<String, CliError> {
    let shown = path.display();
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let read = match is_stream(path) {
        true => std::io::stdin().lock().take(limit).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
    };
    read.map_err(CliError::io(format!("read {shown}")))?;
    if bytes.len() > bytes_max {
        return Err(CliError::usage(format!(
            "{shown} has more than {bytes_max} bytes, so it is not what is meant here"
        )));
    }
    String::from_utf8(bytes).map_err(|_| CliError::Missing(format!("{shown} is no text in UTF-8")))
}
