//! `report`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::args::{ReportFormat, ReportOptions};
use super::error::{CliError, Exit};
use super::open::{App, How};
use super::output;
use crate::report;
use crate::report::content::Report;
use crate::service::Desk;
use crate::service::report::{self as service, NoReport, Of};

pub fn report(app: &App, options: &ReportOptions) -> Result<Exit, CliError> {
    let format = format_of(options)?;
    let is_stdout = options.file.as_os_str() == "-";
    if !is_stdout {
        // Nobody should wait for a report that cannot be written.
        target(&options.file)?;
    }
    let opened = app.open("report", How::Existing)?;
    let desk = app.desk(&opened.ledger)?;
    let of = match (&options.chain, &options.object, &options.name) {
        (Some(chain), None, None) => Of::Chain(chain.clone()),
        (None, Some(object), None) => Of::Object(*object),
        (None, None, Some(name)) => Of::Name(name.clone()),
        (None, None, None) => Of::Tenant,
        _ => return Err(CliError::usage("report: give one of --chain, --object and --name, or none for the tenant")),
    };
    let content = gather(&desk, &of, app.alias(desk.tenant))?;
    let bytes = match format {
        ReportFormat::Html => report::html(&content).map(String::into_bytes),
        ReportFormat::Csv => report::csv(&content),
        ReportFormat::Json => report::json(&content).map(String::into_bytes),
    };
    let bytes = bytes.map_err(unwritable)?;
    let headline = report::headline(&content);
    if is_stdout {
        to_stdout(&bytes)?;
    } else {
        let path = target(&options.file)?;
        write_whole(&path, &bytes, OTHERS_TOO)?;
        output::note(&format!("wrote {} ({} bytes)", path.display(), bytes.len()));
    }
    output::note(&format!("{}: {}", headline.tone.word(), headline.sentence));
    Ok(Exit::Done)
}

/// Writes the page about something into a file. Returns where it is.
pub fn write_page(desk: &Desk, of: &Of, file: &Path) -> Result<PathBuf, CliError> {
    let path = target(file)?;
    let content = gather(desk, of, None)?;
    let page = report::html(&content).map_err(unwritable)?;
    write_whole(&path, page.as_bytes(), OTHERS_TOO)?;
    Ok(path)
}

fn gather(desk: &Desk, of: &Of, alias: Option<String>) -> Result<Report, CliError> {
    service::report(desk, of, alias).map_err(|error| match error {
        NoReport::Ledger(error) => error.into(),
        NoReport::Missing(why) => CliError::Missing(why),
    })
}

fn unwritable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CliError {
    CliError::io("write the report")(std::io::Error::other(error))
}

/// The format asked for, else the one that the file's ending names.
fn format_of(options: &ReportOptions) -> Result<ReportFormat, CliError> {
    let ending = options.file.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    match (options.format, ending.as_deref()) {
        (Some(format), _) => Ok(format),
        (None, Some("html" | "htm")) => Ok(ReportFormat::Html),
        (None, Some("csv")) => Ok(ReportFormat::Csv),
        (None, Some("json")) => Ok(ReportFormat::Json),
        (None, _) => Err(CliError::usage("report: say --format html, csv or json; the file's name does not tell")),
    }
}

/// The file to write. What is there already is replaced if it is a file, through links, and refused if it is anything else.
pub(super) fn target(path: &Path) -> Result<PathBuf, CliError> {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {
            Err(CliError::usage(format!("{} is a directory; name a file in it", path.display())))
        }
        Ok(found) if !found.is_file() => {
            Err(CliError::usage(format!("{} is no ordinary file; - writes to standard output", path.display())))
        }
        Ok(_) => fs::canonicalize(path).map_err(CliError::io(format!("find {}", path.display()))),
        Err(_) => {
            let folder = folder_of(path);
            if path.file_name().is_none() || !folder.is_dir() {
                return Err(CliError::usage(format!("there is no directory {} to write into", folder.display())));
            }
            Ok(path.to_owned())
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The mode of a new file that whoever may read other new files in its folder may read, and of one that is its owner's alone.
const OTHERS_TOO: u32 = 0o666;
pub(super) const OWNER_ALONE: u32 = 0o600;

/// Writes beside the file and then puts it in its place, so that a reader sees the old one or the new one. The mode is that of a new
/// file, from which the umask takes; a file that is there keeps its own.
pub(super) fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<(), CliError> {
    let write = || {
        // It is removed with its handle unless it takes its place.
        let mut part = beside(path, mode)?;
        part.write_all(bytes)?;
        if let Ok(before) = fs::metadata(path) {
            part.as_file().set_permissions(before.permissions())?;
        }
        part.as_file().sync_all()?;
        part.persist(path).map_err(|error| error.error)
    };
    write().map(drop).map_err(CliError::io(format!("write {}", path.display())))
}

/// A new file of a name of its own.
#[cfg_attr(not(unix), allow(unused_variables))]
fn beside(path: &Path, mode: u32) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".whowas-report-").suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    builder.tempfile_in(folder_of(path))
}

fn to_stdout(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // A reader that has gone away, as `head` does, is no failure.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(CliError::io("write the report")),
    }
}
