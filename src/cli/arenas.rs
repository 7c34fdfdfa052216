//! How much memory glibc's allocator hoards.
//!
//! It gives each thread that finds the others' arenas taken one of its own, up to eight a core, and gives little of them back;
//! a service answers on many threads, and measured under load at a million users it took half as much again and went on growing
//! for ten minutes where two arenas stayed level (`docs/PERFORMANCE.md`). Its limit is read from the environment alone, when a
//! process begins.

/// Begins this process anew with a limit of arenas in its environment, unless there is one or nothing would come of it. Files
/// that are open by then are lost, so this comes first.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn limit() {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    const LIMIT: &str = "MALLOC_ARENA_MAX";
    let tunables = std::env::var_os("GLIBC_TUNABLES").is_some_and(|set| set.to_string_lossy().contains("arena_max"));
    if std::env::var_os(LIMIT).is_some() || tunables {
        return;
    }
    let cores = std::thread::available_parallelism().map_or(ARENAS_MIN, std::num::NonZero::get);
    let arenas = cores.clamp(ARENAS_MIN, ARENAS_MAX);
    let mut words = std::env::args_os();
    let (Ok(program), Some(called)) = (std::env::current_exe(), words.next()) else { return };
    // The variable is there afterwards, so this happens once. It returns only if it failed, and then the service runs as it is.
    let error = Command::new(program).arg0(called).args(words).env(LIMIT, arenas.to_string()).exec();
    tracing::debug!(%error, "the allocator keeps its own limits");
}

/// Nothing of the kind is known of other systems.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn limit() {}

/// As measured, on two cores.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS_MIN: usize = 2;
/// More threads than these hardly allocate at the same instant.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const ARENAS_MAX: usize = 8;
