//! `man`.

use std::path::Path;

use clap::CommandFactory;

use super::args::Args;
use super::error::{CliError, Exit};
use super::output;

pub fn man(dir: Option<&Path>) -> Result<Exit, CliError> {
    let mut command = Args::command().name("whowas");
    // Options that every command has stand on each command's page, too.
    command.build();
    match dir {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command).render(&mut page).map_err(CliError::io("write the manual page"))?;
            output::text(&String::from_utf8_lossy(&page))?;
        }
        Some(dir) => {
            let step = || format!("write the manual pages into {}", dir.display());
            std::fs::create_dir_all(dir).map_err(CliError::io(step()))?;
            clap_mangen::generate_to(command, dir).map_err(CliError::io(step()))?;
        }
    }
    Ok(Exit::Done)
}
