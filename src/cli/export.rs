//! `export FILE`.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

use indicatif::ProgressBar;

use super::args::ExportOptions;
use super::error::{CliError, Exit};
use super::open::{App, How, Opened};
use super::output;
use crate::domain::id::TenantId;
use crate::private;
use crate::service::export::{Begun, Exported, export as write, look};

/// Why a running service is not asked for one.
pub const WHY_NOT_A_SERVICE: &str = "--server: `export` works on the ledger itself. The service gives its journal for reading \
     (`GET /v1/tenants/{t}/journal`), without the bytes that the hashes cover, from which no ledger can be restored. Stop the \
     service, run `whowas export --resume FILE` without --server or WHOWAS_SERVER, and start it again: after the first time \
     only what was committed since is written";

pub fn export(app: &App, options: &ExportOptions) -> Result<Exit, CliError> {
    let is_stdout = options.file.as_os_str() == "-";
    if is_stdout && options.resume {
        return Err(CliError::usage("export --resume: it goes on with a file, and - is standard output"));
    }
    let opened = app.open("export", How::Journal)?;
    let mut file = if is_stdout { None } else { Some(Target::open(&options.file, options.resume)?) };
    // Without a word on the tenant all of them are meant, also where only one is configured.
    let wanted = app.global.tenant.as_ref().map(|_| app.tenant(&opened.ledger)).transpose()?;
    let bar = output::progress(&app.global, "{spinner} {pos} commits exported [{elapsed}]");
    let exported = match &mut file {
        None => to_stdout(app, &opened, wanted, &bar),
        Some(target) => target.fill(app, &opened, wanted, &bar).inspect_err(|_| target.remove_if_empty()),
    };
    bar.finish_and_clear();
    let exported = exported?;
    if opened.store.key_id().is_some() {
        output::note("the ledger is encrypted, and the export is not: whoever has the file can read all names in it");
    }
    if is_stdout {
        output::note(&say(&exported, "standard output"));
        return Ok(Exit::Done);
    }
    output::answer(&app.global, &exported, || say(&exported, &options.file.display().to_string()))?;
    Ok(Exit::Done)
}

fn say(exported: &Exported, place: &str) -> String {
    let Exported { commits, added, tenants, .. } = exported;
    format!("{commits} commits of {} tenants are in {place}, {added} of them added now", tenants.len())
}

fn to_stdout(app: &App, opened: &Opened, wanted: Option<TenantId>, bar: &ProgressBar) -> Result<Exported, CliError> {
    let mut out = BufWriter::new(io::stdout().lock());
    Ok(write(&opened.ledger, wanted, Begun::default(), app.clock.now(), &mut out, &mut |added| {
        bar.set_position(added)
    })?)
}

/// A file that takes an export.
struct Target<'a> {
    path: &'a Path,
    file: File,
    is_new: bool,
}

impl<'a> Target<'a> {
    fn open(path: &'a Path, resume: bool) -> Result<Self, CliError> {
        // It holds names, and links that the directory takes for keys.
        let mut options = private::file();
        options.read(true).create_new(!resume);
        let shown = path.display();
        match options.open(path) {
            Ok(file) => Ok(Self { path, file, is_new: !resume }),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(CliError::usage(format!(
                "export: {shown} is there already; --resume goes on with it, or name another file"
            ))),
            Err(error) if resume && error.kind() == io::ErrorKind::NotFound => Err(CliError::usage(format!(
                "export --resume: there is no {shown} to go on with; leave out --resume for a new one"
            ))),
            Err(error) => Err(CliError::io(format!("open {shown}"))(error)),
        }
    }

    fn fill(
        &mut self,
        app: &App,
        opened: &Opened,
        wanted: Option<TenantId>,
        bar: &ProgressBar,
    ) -> Result<Exported, CliError> {
        let shown = self.path.display().to_string();
        let begun = match self.is_new {
            true => Begun::default(),
            false => look(BufReader::with_capacity(BUFFER_BYTES, &self.file), wanted)
                .map_err(|error| self.not_gone_on_with(error.into()))?,
        };
        begun.check_belongs(&opened.ledger)?;
        let place = self.file.set_len(begun.bytes).and_then(|()| self.file.seek(SeekFrom::Start(begun.bytes)));
        place.map_err(CliError::io(format!("write {shown}")))?;
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, &self.file);
        let now = app.clock.now();
        let exported = write(&opened.ledger, wanted, begun, now, &mut out, &mut |added| bar.set_position(added));
        let exported = exported.map_err(|error| interrupted(error.into(), &shown))?;
        drop(out);
        self.persist().map_err(CliError::io(format!("make {shown} durable")))?;
        Ok(exported)
    }

    /// Nothing is left of an export that could not be begun.
    fn remove_if_empty(&self) {
        if self.is_new && self.file.metadata().is_ok_and(|found| found.len() == 0) {
            // The failure itself is told; an empty file is taken for a new one by --resume.
            let _ = std::fs::remove_file(self.path);
        }
    }

    fn persist(&mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.sync_all()?;
        #[cfg(unix)]
        if let Some(folder) = self.path.canonicalize()?.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    fn not_gone_on_with(&self, error: CliError) -> CliError {
        match error {
            CliError::Failed(why) => {
                CliError::Failed(format!("go on with {}: {why}; export into a new file", self.path.display()))
            }
            error => error,
        }
    }
}

const BUFFER_BYTES: usize = 1 << 20;

fn interrupted(error: CliError, shown: &str) -> CliError {
    match error {
        CliError::Failed(why) => CliError::Failed(format!(
            "{why}; what is in {shown} stays good, and `whowas export --resume` goes on with it"
        )),
        error => error,
    }
}
