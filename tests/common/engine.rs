//! The engine under a store, for tests that look or write past it.

/// Opens the engine's own files behind a store that was just closed. sled gives its lock up from another thread, which may
/// take a while on a busy machine; and another test's child holds copies of all open files until it runs its own program.
pub fn open_engine(path: impl AsRef<std::path::Path>) -> sled::Result<sled::Db> {
    let mut tries = 0;
    loop {
        match sled::open(&path) {
            Err(sled::Error::Io(error)) if error.to_string().contains("acquire lock") && tries < 100 => {
                tries += 1;
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            other => return other,
        }
    }
}
