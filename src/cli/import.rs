//! `import snapshots | profiles | audits FILE`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::args::{ImportKind, ImportOptions};
use super::error::{CliError, Exit};
use super::open::{App, How, runtime};
use super::output;
use super::sync::Signals;
use crate::import::What;
use crate::service::import::{How as Manner, ImportError, Imported, Progress, import};

/// Bad lines shown to people; JSON has more of them.
const SHOWN_MAX: usize = 20;

pub fn run(app: &App, options: &ImportOptions) -> Result<Exit, CliError> {
    if options.kind.is_some() && options.what != ImportKind::Snapshots {
        return Err(CliError::Usage(
            "--kind tells what the names of snapshots are meant as; leave it out here".to_owned(),
        ));
    }
    let name = options.file.display().to_string();
    // Nothing is made for a file that is not there.
    let mut file = opened(&options.file)?;
    let bytes = file.metadata().map_err(CliError::io(format!("read {name}")))?.len();
    let opened = app.open("import", How::Create)?;
    let desk = app.desk(&opened.ledger)?;
    let asked = stop_on_signal()?;
    let bar = output::progress(&app.global, "{spinner} {msg} {bar:30} {bytes}/{total_bytes} [{elapsed}]");
    bar.set_length(bytes);
    let mut watch = |progress: Progress| {
        let Progress { is_writing, lines, bytes } = progress;
        bar.set_message(format!("{} {lines} lines", if is_writing { "importing" } else { "checking" }));
        bar.set_position(bytes);
        if asked.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let manner = Manner { skip_bad: options.skip_bad, kind: options.kind.unwrap_or_default() };
    let imported = import(&desk, what(options.what), &mut file, manner, &mut watch);
    let seconds = bar.elapsed().as_secs_f64();
    bar.finish_and_clear();
    let imported = imported.map_err(|error| failed(error, &name))?;
    if !app.global.quiet {
        tell(&imported, &name, seconds);
    }
    output::answer(&app.global, &imported, || say(&imported))?;
    Ok(if imported.stopped || imported.rejected_count > 0 { Exit::Partly } else { Exit::Done })
}

fn what(kind: ImportKind) -> What {
    match kind {
        ImportKind::Snapshots => What::Snapshots,
        ImportKind::Profiles => What::Profiles,
        ImportKind::Audits => What::Audits,
    }
}

/// The file, so that it can be read twice. What cannot, standard input or a pipe, is copied into a file that has no name
/// and is gone with the process.
fn opened(path: &Path) -> Result<File, CliError> {
    if path == Path::new("-") {
        return spooled(&mut io::stdin().lock(), "standard input");
    }
    let name = path.display().to_string();
    let mut file = File::open(path).map_err(CliError::io(format!("read {name}")))?;
    let kind = file.metadata().map_err(CliError::io(format!("read {name}")))?.file_type();
    if kind.is_dir() {
        let source = io::Error::new(io::ErrorKind::IsADirectory, "it is a directory; name one file in it");
        return Err(CliError::Io { step: format!("read {name}"), source });
    }
    if kind.is_file() { Ok(file) } else { spooled(&mut file, &name) }
}

fn spooled(from: &mut dyn Read, name: &str) -> Result<File, CliError> {
    let mut spool = tempfile::tempfile().map_err(CliError::io("make a temporary file; TMPDIR names another folder"))?;
    io::copy(from, &mut spool).map_err(CliError::io(format!("copy {name} into a temporary file")))?;
    Ok(spool)
}

/// The first interrupt or termination stops the import after the commit under way.
fn stop_on_signal() -> Result<Arc<AtomicBool>, CliError> {
    let asked = Arc::new(AtomicBool::new(false));
    let runtime = runtime()?;
    let told = asked.clone();
    // The thread ends with the process; nothing waits for it.
    std::thread::spawn(move || {
        runtime.block_on(async move {
            let Ok(mut signals) = Signals::listen() else { return };
            signals.next().await;
            told.store(true, Ordering::Relaxed);
            let signal = signals.next().await;
            std::process::exit(128 + signal);
        });
    });
    Ok(asked)
}

fn failed(error: ImportError, name: &str) -> CliError {
    match error {
        ImportError::Ledger(error) => CliError::Ledger(error),
        ImportError::Read(source) => CliError::Io { step: format!("read {name}"), source },
        other => CliError::Missing(format!("failed to {other}")),
    }
}

/// What is told beside the answer.
fn tell(imported: &Imported, name: &str, seconds: f64) {
    for note in &imported.notes {
        output::note(&format!("note: {name}: {note}"));
    }
    if imported.lines == 0 && !imported.stopped {
        output::note(&format!("note: {name} holds no lines"));
    }
    if imported.stopped {
        let done = imported.added + imported.same + imported.ignored;
        output::complain(&match imported.applied {
            true => format!(
                "stopped: {done} lines of {} are in the ledger; import the same file again to complete it",
                imported.lines
            ),
            false => format!("stopped while checking {name}: nothing was imported"),
        });
    } else if imported.applied && imported.lines > 0 && seconds > 0.0 {
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
        let rate = imported.lines as f64 / seconds;
        output::note(&format!("{} lines in {seconds:.1} s, {rate:.0} lines/s", imported.lines));
    }
    if imported.rejected_count > 0 && !imported.applied {
        output::complain(&format!(
            "nothing was imported: {} of {} lines are bad; mend them, or import the good ones with --skip-bad",
            imported.rejected_count, imported.lines
        ));
    }
}

/// An import for people.
fn say(imported: &Imported) -> String {
    let Imported { added, same, ignored, rejected_count, .. } = imported;
    let mut text = format!("{added} added, {same} known already, {ignored} ignored, {rejected_count} rejected\n");
    // Writing to a string cannot fail.
    for (why, count) in &imported.ignored_because {
        let _ = writeln!(text, "  ignored {count}: {why}");
    }
    for rejected in imported.rejected.iter().take(SHOWN_MAX) {
        let _ = writeln!(text, "  line {}: {}", rejected.line, rejected.why);
    }
    let rest = rejected_count.saturating_sub(SHOWN_MAX as u64);
    if rest > 0 {
        let _ = writeln!(text, "  and {rest} more; --output json names up to a thousand");
    }
    text
}
