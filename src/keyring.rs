//! The keys that belong to a ledger, in a folder beside it: `<ledger>.keys/`, or where `[ledger] keys` says.
//!
//! They are not in the ledger, because whoever may read a copy of it must not be able to sign for it. Each key is a file of
//! one line, made when it is first needed, whole or not at all, and readable for its owner alone. What belongs to a key and
//! may be handed out stands beside it in a `.pub` file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use crate::clock::Clock;
use crate::private;

/// Longest file that is taken for a key, in bytes.
const BYTES_MAX: u64 = 4096;

/// The folder of a ledger's keys.
#[derive(Clone, Debug)]
pub struct Keyring {
    folder: PathBuf,
    clock: Clock,
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// Somebody else may read it, or could have put it there.
    #[error(
        "use {path}: others than its owner may use it (its mode is {mode:o}); take that away with `chmod go= {path}`, and a signing key that somebody may have read have made anew by moving it away (never `erasure.key`, which nothing replaces)"
    )]
    Shared {
        /// The file or folder.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// It is no key.
    #[error("read the key {path}: {why}; put the right one back from a backup of the folder")]
    NotAKey {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// The operating system failed.
    #[error("{step}")]
    Io {
        /// What was being done.
        step: String,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl Keyring {
    /// The keys in this folder. Nothing is made yet.
    pub fn in_folder(folder: PathBuf, clock: Clock) -> Self {
        Self { folder, clock }
    }

    /// The folder that belongs to the ledger in this directory.
    pub fn folder_of(ledger: &Path) -> PathBuf {
        private::folder_beside(ledger, ".keys")
    }

    /// The 32 random bytes that are kept under a name: these, if there are none yet.
    ///
    /// # Errors
    /// If the file is no such key or others may read it, or the operating system fails.
    pub fn secret(&self, name: &str, new: [u8; 32]) -> Result<[u8; 32], KeyringError> {
        let text = self.line(name, || Ok(HEXLOWER.encode(&new)))?;
        unhex(&text).ok_or_else(|| self.not_a_key(name, "it has to be 64 hexadecimal digits"))
    }

    /// The 32 random bytes that are kept under a name, if there are any.
    ///
    /// # Errors
    /// As [`Self::secret`].
    pub fn read_secret(&self, name: &str) -> Result<Option<[u8; 32]>, KeyringError> {
        let Some(text) = self.read(name)? else { return Ok(None) };
        unhex(&text).map(Some).ok_or_else(|| self.not_a_key(name, "it has to be 64 hexadecimal digits"))
    }

    /// The line that is kept under a name. If there is none yet it is made of 32 random bytes by `make`.
    ///
    /// # Errors
    /// If others may read the file, it holds no line, or the operating system fails.
    pub fn text(&self, name: &str, make: impl FnOnce([u8; 32]) -> String) -> Result<String, KeyringError> {
        let drawn = || self.clock.secret().map_err(io_error("get random bytes for a key", &self.path(name)));
        self.line(name, || drawn().map(make))
    }

    /// The line that is kept under a name, which is made if there is none yet.
    fn line(&self, name: &str, make: impl FnOnce() -> Result<String, KeyringError>) -> Result<String, KeyringError> {
        let path = self.path(name);
        if let Some(text) = self.read(name)? {
            return Ok(text);
        }
        private::make_folder(&self.folder).map_err(io_error("make the folder", &self.folder))?;
        self.write_new(&path, &make()?)?;
        // Somebody else may have been first, and then theirs is the key.
        self.read(name)?.ok_or_else(|| self.not_a_key(name, "it is gone again"))
    }

    /// The line that is kept under a name, if there is one.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn read(&self, name: &str) -> Result<Option<String>, KeyringError> {
        let path = self.path(name);
        let found = match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found.map_err(io_error("look at the key", &path))?,
        };
        must_be_private(&self.folder, &fs::metadata(&self.folder).map_err(io_error("look at", &self.folder))?, 0o022)?;
        must_be_private(&path, &found, 0o077)?;
        if !found.is_file() || found.len() > BYTES_MAX {
            return Err(self.not_a_key(name, "it is no short file"));
        }
        let text = fs::read_to_string(&path).map_err(io_error("read the key", &path))?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        if line.is_empty() || line.contains(char::is_control) {
            return Err(self.not_a_key(name, "it has to be one line"));
        }
        Ok(Some(line.to_owned()))
    }

    /// Puts what belongs to a key and may be handed out beside it, unless it is there.
    ///
    /// # Errors
    /// If the operating system fails.
    pub fn publish(&self, name: &str, text: &str) -> Result<PathBuf, KeyringError> {
        let path = self.folder.join(format!("{name}.pub"));
        let line = format!("{text}\n");
        if fs::read(&path).ok().as_deref() != Some(line.as_bytes()) {
            let new = self.folder.join(format!("{name}.pub.new-{}", std::process::id()));
            let written = fs::write(&new, line).and_then(|()| fs::rename(&new, &path));
            written.map_err(io_error("write", &path))?;
        }
        Ok(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.key"))
    }

    fn not_a_key(&self, name: &str, why: &str) -> KeyringError {
        KeyringError::NotAKey { path: self.path(name).display().to_string(), why: why.to_owned() }
    }

    /// Writes a file that is not there yet: under another name first, which then gets the right one as well, so that nobody
    /// ever finds half a key, and of two who write at once one is first.
    fn write_new(&self, path: &Path, line: &str) -> Result<(), KeyringError> {
        let new = path.with_extension(format!("new-{}-{}", std::process::id(), HEXLOWER.encode(&self.clock.salt())));
        let written = private::file().create_new(true).open(&new).and_then(|mut file| {
            file.write_all(format!("{line}\n").as_bytes())?;
            file.sync_all()
        });
        let linked = written.and_then(|()| fs::hard_link(&new, path));
        // What stays of it is no key under any name that is looked for.
        let _ = fs::remove_file(&new);
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(io_error("write the key", path))?,
        }
        if cfg!(unix) {
            let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
            synced.map_err(io_error("make the key durable", path))?;
            // The folder may be as new as the key. A parent that may not be opened is not ours, and was there before.
            let parent = self.folder.canonicalize().ok().and_then(|folder| Some(folder.parent()?.to_owned()));
            let _ = parent.and_then(|parent| File::open(parent).ok()).map(|parent| parent.sync_all());
        }
        Ok(())
    }
}

fn io_error(step: &str, path: &Path) -> impl FnOnce(io::Error) -> KeyringError {
    let step = format!("{step} {}", path.display());
    move |source| KeyringError::Io { step, source }
}

#[cfg(unix)]
fn must_be_private(path: &Path, found: &fs::Metadata, others: u32) -> Result<(), KeyringError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = found.permissions().mode() & 0o777;
    if mode & others != 0 {
        return Err(KeyringError::Shared { path: path.display().to_string(), mode });
    }
    Ok(())
}

/// Elsewhere the folder's own permissions are all there is.
#[cfg(not(unix))]
fn must_be_private(_: &Path, _: &fs::Metadata, _: u32) -> Result<(), KeyringError> {
    Ok(())
}

/// A key as it stands in its file: 64 hexadecimal digits.
fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut key = [0; 32];
    if text.len() != 2 * key.len() {
        return None;
    }
    // Into its place, so that no copy of it is left behind.
    HEXLOWER_PERMISSIVE.decode_mut(text.as_bytes(), &mut key).is_ok().then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring(folder: &Path) -> Keyring {
        Keyring::in_folder(folder.join("l.keys"), Clock::default())
    }

    fn random() -> [u8; 32] {
        Clock::default().secret().unwrap()
    }

    #[test]
    fn a_key_is_made_once_and_each_name_has_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keyring(folder.path());
        assert_eq!(keys.read("a").unwrap(), None);
        assert!(!folder.path().join("l.keys").exists(), "looking makes nothing");
        let first = keys.secret("a", random()).unwrap();
        assert_eq!(keyring(folder.path()).secret("a", random()).unwrap(), first);
        assert_ne!(keys.secret("b", random()).unwrap(), first);
        let names: Vec<_> =
            fs::read_dir(folder.path().join("l.keys")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }

    #[test]
    fn of_many_who_make_a_key_at_once_all_have_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let made = std::thread::scope(|scope| {
            let makers: Vec<_> =
                (0..8).map(|_| scope.spawn(|| keyring(folder.path()).secret("a", random()).unwrap())).collect();
            makers.into_iter().map(|maker| maker.join().unwrap()).collect::<std::collections::BTreeSet<_>>()
        });
        assert_eq!(made.len(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn keys_are_for_their_owner_alone_and_others_are_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let keys = keyring(folder.path());
        keys.secret("a", random()).unwrap();
        let (inside, file) = (folder.path().join("l.keys"), folder.path().join("l.keys/a.key"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&inside), mode(&file)), (0o700, 0o600));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = keys.secret("a", random()).unwrap_err();
        assert!(refused.to_string().contains("chmod go="), "{refused}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
        keys.secret("a", random()).unwrap();
        fs::set_permissions(&inside, fs::Permissions::from_mode(0o770)).unwrap();
        assert!(matches!(keys.secret("a", random()).unwrap_err(), KeyringError::Shared { .. }));
    }

    #[test]
    fn what_is_no_key_is_named_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keyring(folder.path());
        keys.secret("a", random()).unwrap();
        let file = folder.path().join("l.keys/a.key");
        for text in ["", "\n", "abc\n", "00\n11\n", &"g".repeat(64)] {
            fs::write(&file, text).unwrap();
            let error = keys.secret("a", random()).unwrap_err();
            assert!(matches!(error, KeyringError::NotAKey { .. }), "{text:?}: {error}");
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
    }

    #[test]
    fn what_is_handed_out_stands_beside_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let keys = keyring(folder.path());
        keys.secret("a", random()).unwrap();
        for text in ["v1", "v2", "v2"] {
            let path = keys.publish("a", text).unwrap();
            assert_eq!(fs::read_to_string(path).unwrap(), format!("{text}\n"));
        }
    }
}
