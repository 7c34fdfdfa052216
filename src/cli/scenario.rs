//! `scenario run`: expected against got.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::args::{Global, ScenarioAction};
use super::error::{CliError, Exit};
use super::output;
use crate::scenario::{self, Difference, Script};

/// What became of one file.
#[derive(Debug, Serialize)]
struct FileResult {
    file: String,
    title: String,
    ok: bool,
    steps: usize,
    expectations: usize,
    differences: Vec<Difference>,
}

#[derive(Serialize)]
struct Results<'a> {
    items: &'a [FileResult],
    cursor: Option<String>,
}

pub fn scenario(action: &ScenarioAction, global: &Global) -> Result<Exit, CliError> {
    let ScenarioAction::Run { files } = action;
    // A file that is none is told before any other is played.
    let scripts: Vec<Script> = files.iter().map(read).collect::<Result<_, _>>()?;
    let mut results = Vec::with_capacity(files.len());
    let bar = output::progress(global, "{spinner} {msg} [{elapsed}]");
    for (file, script) in files.iter().zip(&scripts) {
        bar.set_message(file.display().to_string());
        bar.tick();
        let played =
            scenario::play(script).map_err(|error| CliError::failed(format!("play {}", file.display()), &error))?;
        let differences = scenario::differences(script, &played);
        results.push(FileResult {
            file: file.display().to_string(),
            title: script.title.clone(),
            ok: differences.is_empty(),
            steps: script.steps.len(),
            expectations: script.steps.iter().map(|step| step.checks.len()).sum(),
            differences,
        });
    }
    bar.finish_and_clear();
    output::list(global, &results, &Results { items: &results, cursor: None }, None, || say(&results))?;
    Ok(if results.iter().all(|result| result.ok) { Exit::Done } else { Exit::Found })
}

/// Reads a scenario file.
pub fn read(file: impl AsRef<Path>) -> Result<Script, CliError> {
    let file = file.as_ref();
    let text = std::fs::read_to_string(file).map_err(CliError::io(format!("read {}", file.display())))?;
    scenario::parse(&text).map_err(|error| CliError::usage(format!("{}:{error}", file.display())))
}

fn say(results: &[FileResult]) -> String {
    let mut text = String::new();
    for result in results {
        let word = if result.ok { "ok    " } else { "FAILED" };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{word}  {:28} {}", stem(&result.file), result.title);
        for difference in &result.differences {
            let Difference { line, question, expected, got } = difference;
            let _ = writeln!(text, "        {}:{line}  {question}", result.file);
            let width = expected.chars().count().max(24);
            let _ = writeln!(text, "            {:width$}    got", "expected");
            let _ = writeln!(text, "            {expected:width$}    {got}");
        }
    }
    let failed = results.iter().filter(|result| !result.ok).count();
    let expectations: usize = results.iter().map(|result| result.expectations).sum();
    let differences: usize = results.iter().map(|result| result.differences.len()).sum();
    let _ = writeln!(
        text,
        "{} scenarios, {expectations} expectations: {}",
        results.len(),
        if failed == 0 { "all as expected".to_owned() } else { format!("{failed} failed, {differences} differences") }
    );
    text
}

fn stem(file: &str) -> &str {
    Path::new(file).file_stem().and_then(std::ffi::OsStr::to_str).unwrap_or(file)
}
