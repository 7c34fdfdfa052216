//! `report`.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::args::{ReportFormat, ReportOptions};
use super::error::{CliError, Exit};
use super::open::{App, How};
use super::output;
use crate::report;
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
    let content = service::report(&desk, &of, app.alias(desk.tenant)).map_err(|error| match error {
        NoReport::Ledger(error) => error.into(),
        NoReport::Missing(why) => CliError::Missing(why),
    })?;
    let bytes = match format {
        ReportFormat::Html => report::html(&content).map(String::into_bytes),
        ReportFormat::Csv => report::csv(&content),
        ReportFormat::Json => report::json(&content).map(String::into_bytes),
    };
    let bytes = bytes.map_err(|error| CliError::io("write the report")(std::io::Error::other(error)))?;
    let headline = report::headline(&content);
    if is_stdout {
        to_stdout(&bytes)?;
    } else {
        let path = target(&options.file)?;
        write_whole(&path, &bytes)?;
        if !app.global.quiet {
            output::note(&format!("wrote {} ({} bytes)", path.display(), bytes.len()));
        }
    }
    if !app.global.quiet {
        output::note(&format!("{}: {}", headline.tone.word(), headline.sentence));
    }
    Ok(Exit::Done)
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
fn target(path: &Path) -> Result<PathBuf, CliError> {
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

/// Writes beside the file and then puts it in its place, so that a reader sees the old report or the new one.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.part", std::process::id()));
    let part = folder_of(path).join(name);
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&part)?;
        file.write_all(bytes)?;
        if let Ok(before) = fs::metadata(path) {
            file.set_permissions(before.permissions())?;
        }
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().map_err(|error| {
        // The half-written part must not stay; if it cannot be removed there is nothing more to do.
        let _left = fs::remove_file(&part);
        CliError::io(format!("write {}", path.display()))(error)
    })
}

fn to_stdout(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        // A reader that has gone away, as `head` does, is no failure.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(CliError::io("write the report")),
    }
}
