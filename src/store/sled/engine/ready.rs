//! What a closing prepares for the next opening.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::opened::Inner;
use super::{DATA_FILE, EngineOptions};
use crate::store::sled::FREE_BYTES_MIN;
use crate::store::sled::directory::{bytes_below, remove_half_snapshots};
use crate::store::sled::readable::check_readable;

/// Opens a closed engine and closes it again. sled notes where its pages stand when it is opened, and only then; after much was
/// written the next opening would read all of the log since, for seconds during which nobody is answered. What keeps it from being opened
/// is told by the next opening.
pub(super) fn make_ready(path: &Path, options: EngineOptions, own: Identity) {
    // Its directory may have been moved away meanwhile, and another one put in its place.
    let is_own = || fs::metadata(path.join(DATA_FILE)).ok().and_then(|found| identity(&found)) == Some(own);
    let (Ok(bytes), Ok(free)) = (bytes_below(path), fs4::available_space(path)) else { return };
    if !is_own() || free < FREE_BYTES_MIN.saturating_add(bytes / NOTE_SHARE) {
        return;
    }
    // Otherwise an opening looks on a copy at what would be lost.
    let is_sound = check_readable(path).is_ok_and(|end| !end.wants_copy(bytes));
    let open = || Inner::open(path, EngineOptions { is_read: true, ..options }).is_ok();
    if is_sound && is_own() && !catch_unwind(AssertUnwindSafe(open)).is_ok_and(|is_opened| is_opened) {
        let _ = remove_half_snapshots(path);
    }
}

/// What tells a file from others, whatever it is called: its device, and its number there.
pub(super) type Identity = (u64, u64);

#[cfg(unix)]
pub(super) fn identity(file: &fs::Metadata) -> Option<Identity> {
    Some((std::os::unix::fs::MetadataExt::dev(file), std::os::unix::fs::MetadataExt::ino(file)))
}

#[cfg(not(unix))]
pub(super) fn identity(_: &fs::Metadata) -> Option<Identity> {
    None
}

/// The note of where pages stand has at most about this share of the engine's bytes.
const NOTE_SHARE: u64 = 8;
