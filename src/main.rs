//! The `whowas` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    whowas::cli::main()
}
