//! What a ledger survives: kills, faults of the disk, power losses, damage. `docs/DURABILITY.md` says what must hold.
//!
//! Everything that is appended follows from a seed (`script`), so that a twin in memory (`truth`) knows for every commit what
//! must be there. The one who appends is another process (`child`), which says on its standard output what was acknowledged.

mod check;
pub mod child;
mod damage;
#[path = "../world/dice.rs"]
mod dice;
mod disk;
mod faults;
mod kills;
mod place;
mod power;
mod script;
mod table;
mod trace;
mod truth;

pub use child::{Program, play_if_asked};
pub use table::Table;

use std::path::{Path, PathBuf};
use std::process::Command;

/// What is tried, and how often.
#[derive(Clone, Debug)]
pub struct Options {
    pub seed: u64,
    pub kills: u64,
    pub faults: u64,
    pub power: u64,
    pub damages: u64,
    /// Every so many trials everything derived is compared with the journal.
    pub verify_every: u64,
    /// Where directories that did not hold are kept; nowhere if `None`.
    pub keep: Option<PathBuf>,
    /// Whether progress is told on standard error.
    pub tells: bool,
}

/// Tries all of it.
pub fn torture(options: &Options, program: &Program) -> Table {
    let mut table = Table::default();
    if options.kills > 0 {
        table.rows.push(kills::kills(options, program));
    }
    if options.faults > 0 {
        table.rows.push(faults::faults(options, program));
    }
    if options.power > 0 {
        table.rows.push(power::power(options, program));
    }
    if options.damages > 0 {
        table.rows.extend(damage::damages(options, program));
    }
    table
}

/// Whether faults can be injected and system calls be traced here.
pub fn can_trace() -> bool {
    let ran = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).status();
    ran.is_ok_and(|status| status.success())
}

/// Whether a tracer may come over a process that runs already.
pub fn can_attach() -> bool {
    let Ok(mut sleeper) = Command::new("sleep").arg("60").spawn() else { return false };
    let tracer = faults::injecting("pread64", "EIO", "1+", None, Path::new("/dev/null"));
    let attached = faults::attach(tracer, sleeper.id());
    let _ = sleeper.kill();
    let _ = sleeper.wait();
    // It ends with what it came over.
    attached.is_some_and(|mut tracer| tracer.wait().is_ok())
}
