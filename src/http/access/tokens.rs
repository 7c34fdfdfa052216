//! The tokens: given out once, kept as hashes, revoked at once.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::role::Role;
use crate::clock::Clock;
use crate::domain::id::TenantId;
use crate::domain::time::Instant;
use crate::private;
use crate::store::Hash;

/// What the text of every token begins with, so that scanners find one that leaked.
pub const PREFIX: &str = "whowas_";
const FILE: &str = "tokens.json";
const LOCK: &str = "lock";
const FORMAT: u32 = 1;
/// Longest text that is looked at as a token, in bytes.
const TEXT_MAX: usize = 128;
/// How many tokens there can be at most. All of them are compared at each request, so that the time it takes tells nothing.
const TOKENS_MAX: usize = 10_000;

/// A token, without its text, which nobody keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// By which it is listed, logged and revoked.
    pub id: String,
    /// What its owner calls it.
    pub label: Option<String>,
    /// What it may do.
    pub role: Role,
    /// The only tenants it may ask about; `None` means all.
    pub tenants: Option<Vec<TenantId>>,
    /// SHA-256 of its text.
    pub hash: Hash,
    /// When it was given out.
    pub created: Instant,
    /// From when on it is refused.
    pub expires: Option<Instant>,
    /// Since when it is refused.
    pub revoked: Option<Instant>,
}

/// What a new token is to be.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What its owner calls it.
    pub label: Option<String>,
    /// What it may do.
    pub role: Role,
    /// The only tenants it may ask about; `None` means all.
    pub tenants: Option<Vec<TenantId>>,
    /// How long it is good for; `None` is for ever.
    pub lasts: Option<Duration>,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody was given such a token.
    #[error("the token is not known here")]
    Unknown,
    /// It was taken back.
    #[error("the token was revoked")]
    Revoked,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
}

/// Why the tokens cannot be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The folder or a file in it.
    #[error("{step} {}", .path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The file says what cannot be.
    #[error("read {}: {why}; restore it from a backup, or remove it and give out new tokens", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// There is no such token.
    #[error("find token {id}; `whowas token list` shows them")]
    NoToken {
        /// The id given.
        id: String,
    },
    /// There are too many.
    #[error(
        "add a token: there are {TOKENS_MAX} already; `whowas token prune` removes those that are of no use any more"
    )]
    TooMany,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    format: u32,
    tokens: Vec<Token>,
}

/// The tokens of a ledger, as the file has them at each moment.
#[derive(Debug)]
pub struct Tokens {
    folder: PathBuf,
    kept: RwLock<Kept>,
    /// One reader at a time reads the file anew.
    reading: Mutex<()>,
}

#[derive(Debug, Default)]
struct Kept {
    seen: Option<Mark>,
    tokens: Arc<Vec<Token>>,
}

/// What tells that a file is the one that was read. A file is replaced by a new one, never written in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    changed: Option<std::time::SystemTime>,
    bytes: u64,
    inode: u64,
    inode_changed: (i64, i64),
}

impl Tokens {
    /// The tokens in this folder, which need not exist yet.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder, kept: RwLock::default(), reading: Mutex::default() }
    }

    /// All tokens, those that are refused included.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn all(&self) -> Result<Arc<Vec<Token>>, TokenError> {
        let path = self.folder.join(FILE);
        let mark = match fs::metadata(&path) {
            Ok(metadata) => Some(Mark::of(&metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(TokenError::Io { step: "look at", path, source }),
        };
        if let Some(tokens) = self.kept_as(mark) {
            return Ok(tokens);
        }
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tokens) = self.kept_as(mark) {
            return Ok(tokens);
        }
        // A file that is replaced in between has another mark the next time.
        let tokens = Arc::new(if mark.is_some() { read(&path)? } else { Vec::new() });
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = Kept { seen: mark, tokens: Arc::clone(&tokens) };
        Ok(tokens)
    }

    /// The token with this text.
    ///
    /// # Errors
    /// Outside: the file cannot be read. Inside: why the token is refused.
    pub fn find(&self, text: &str, now: Instant) -> Result<Result<Token, Refused>, TokenError> {
        let tokens = self.all()?;
        if !text.starts_with(PREFIX) || text.len() > TEXT_MAX {
            return Ok(Err(Refused::Unknown));
        }
        let hash = hash(text);
        let mut found = None;
        for token in tokens.iter() {
            if bool::from(token.hash.0.ct_eq(&hash.0)) {
                found = Some(token);
            }
        }
        Ok(found.ok_or(Refused::Unknown).and_then(|token| token.check(now)))
    }

    /// The token with this id, if it is good.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn by_id(&self, id: &str, now: Instant) -> Result<Result<Token, Refused>, TokenError> {
        let tokens = self.all()?;
        let token = tokens.iter().find(|token| token.id == id);
        Ok(token.ok_or(Refused::Unknown).and_then(|token| token.check(now)))
    }

    /// Gives out a token. Its text is returned this once and kept nowhere.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn add(&self, wanted: Wanted, clock: Clock) -> Result<(Token, String), TokenError> {
        let secret = clock.secret().map_err(|source| self.fault("draw random bytes for", source))?;
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        let now = clock.now();
        let hash = hash(&text);
        let Wanted { label, role, tenants, lasts } = wanted;
        let expires = lasts.map(|lasts| now.plus(lasts));
        // The first digits of the hash tell tokens apart and tell nothing of the text.
        let id = hash.to_string().chars().take(12).collect();
        let token = Token { id, label, role, tenants, hash, created: now, expires, revoked: None };
        self.change(|tokens| {
            if tokens.len() >= TOKENS_MAX {
                return Err(TokenError::TooMany);
            }
            tokens.push(token.clone());
            Ok(())
        })?;
        Ok((token, text))
    }

    /// Takes a token back. One that was taken back already stays as it is.
    ///
    /// # Errors
    /// If there is none with that id, or the file cannot be read or written.
    pub fn revoke(&self, id: &str, now: Instant) -> Result<Token, TokenError> {
        let mut revoked = None;
        self.change(|tokens| {
            let token = tokens.iter_mut().find(|token| token.id == id);
            let token = token.ok_or_else(|| TokenError::NoToken { id: id.to_owned() })?;
            token.revoked.get_or_insert(now);
            revoked = Some(token.clone());
            Ok(())
        })?;
        revoked.ok_or_else(|| TokenError::NoToken { id: id.to_owned() })
    }

    /// Forgets tokens that have been refused for longer than this. Returns how many.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn prune(&self, after: Duration, now: Instant) -> Result<usize, TokenError> {
        let mut gone = 0;
        self.change(|tokens| {
            let before = tokens.len();
            tokens.retain(|token| token.refused_since().is_none_or(|since| since.plus(after) > now));
            gone = before - tokens.len();
            Ok(())
        })?;
        Ok(gone)
    }

    fn kept_as(&self, mark: Option<Mark>) -> Option<Arc<Vec<Token>>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        (kept.seen == mark).then(|| Arc::clone(&kept.tokens))
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Token>) -> Result<(), TokenError>) -> Result<(), TokenError> {
        private::make_folder(&self.folder).map_err(|source| self.fault("make the folder", source))?;
        let lock = private::file().create(true).truncate(false).open(self.folder.join(LOCK));
        let lock = lock.map_err(|source| self.fault("open the lock in", source))?;
        lock.lock().map_err(|source| self.fault("lock", source))?;
        let path = self.folder.join(FILE);
        let mut tokens = if path.exists() { read(&path)? } else { Vec::new() };
        change(&mut tokens)?;
        let text = serde_json::to_vec_pretty(&Contents { format: FORMAT, tokens });
        let text = text.map_err(|error| self.fault("write the tokens in", error.into()))?;
        replace(&self.folder, &path, &text).map_err(|source| self.fault("write the tokens in", source))
    }

    fn fault(&self, step: &'static str, source: io::Error) -> TokenError {
        TokenError::Io { step, path: self.folder.clone(), source }
    }
}

impl Token {
    /// Whether it may ask about this tenant.
    pub fn reaches(&self, tenant: TenantId) -> bool {
        self.tenants.as_ref().is_none_or(|tenants| tenants.contains(&tenant))
    }

    fn check(&self, now: Instant) -> Result<Self, Refused> {
        if self.revoked.is_some() {
            return Err(Refused::Revoked);
        }
        if self.expires.is_some_and(|expires| expires <= now) {
            return Err(Refused::Expired);
        }
        Ok(self.clone())
    }

    fn refused_since(&self) -> Option<Instant> {
        match (self.revoked, self.expires) {
            (Some(revoked), Some(expires)) => Some(revoked.min(expires)),
            (revoked, expires) => revoked.or(expires),
        }
    }
}

impl Mark {
    fn of(metadata: &fs::Metadata) -> Self {
        #[cfg(unix)]
        let (inode, inode_changed) = {
            use std::os::unix::fs::MetadataExt;
            (metadata.ino(), (metadata.ctime(), metadata.ctime_nsec()))
        };
        #[cfg(not(unix))]
        let (inode, inode_changed) = (0, (0, 0));
        Self { changed: metadata.modified().ok(), bytes: metadata.len(), inode, inode_changed }
    }
}

fn hash(text: &str) -> Hash {
    Hash(Sha256::digest(text.as_bytes()).into())
}

fn read(path: &Path) -> Result<Vec<Token>, TokenError> {
    let unreadable = |why: String| TokenError::Unreadable { path: path.to_owned(), why };
    let text = fs::read(path).map_err(|source| TokenError::Io { step: "read", path: path.to_owned(), source })?;
    let contents: Contents = serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
    if contents.format != FORMAT {
        return Err(unreadable(format!("its format is {}, and this release reads {FORMAT}", contents.format)));
    }
    Ok(contents.tokens)
}

/// Replaces the file as a whole, durably.
fn replace(folder: &Path, path: &Path, text: &[u8]) -> io::Result<()> {
    let new = path.with_extension("json.new");
    let mut file = private::file().create(true).truncate(true).open(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(seconds: i64) -> Clock {
        Clock::new(Some(Instant::from_micros(1_800_000_000_000_000 + seconds * 1_000_000)))
    }

    fn wanted(role: Role) -> Wanted {
        Wanted { label: None, role, tenants: None, lasts: None }
    }

    #[test]
    fn a_token_is_found_by_its_text_until_it_is_revoked_and_the_text_is_kept_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (service, command) =
            (Tokens::in_folder(folder.path().join("a")), Tokens::in_folder(folder.path().join("a")));
        assert_eq!(service.find("whowas_x", clock(0).now()).unwrap(), Err(Refused::Unknown));
        let (token, text) = command.add(wanted(Role::Agent), clock(0)).unwrap();
        let (other, _) = command.add(wanted(Role::Admin), clock(0)).unwrap();
        assert_eq!(service.find(&text, clock(1).now()).unwrap(), Ok(token.clone()));
        assert_eq!(service.find(&format!("{text}A"), clock(1).now()).unwrap(), Err(Refused::Unknown));
        let kept = fs::read_to_string(folder.path().join("a").join(FILE)).unwrap();
        assert!(!kept.contains(&text) && !kept.contains(&text[PREFIX.len()..]));
        command.revoke(&token.id, clock(2).now()).unwrap();
        assert_eq!(service.find(&text, clock(2).now()).unwrap(), Err(Refused::Revoked));
        assert!(service.by_id(&other.id, clock(2).now()).unwrap().is_ok());
        assert!(matches!(command.revoke("nobody", clock(2).now()), Err(TokenError::NoToken { .. })));
    }

    #[test]
    fn a_token_expires_and_is_forgotten_a_while_later() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::in_folder(folder.path().to_owned());
        let hour = Duration::from_secs(3_600);
        let (token, text) = tokens.add(Wanted { lasts: Some(hour), ..wanted(Role::Sync) }, clock(0)).unwrap();
        assert_eq!(tokens.find(&text, clock(3_599).now()).unwrap(), Ok(token));
        assert_eq!(tokens.find(&text, clock(3_600).now()).unwrap(), Err(Refused::Expired));
        assert_eq!(tokens.prune(hour, clock(7_199).now()).unwrap(), 0);
        assert_eq!(tokens.prune(hour, clock(7_200).now()).unwrap(), 1);
        assert_eq!(tokens.find(&text, clock(7_200).now()).unwrap(), Err(Refused::Unknown));
    }

    #[test]
    fn a_damaged_file_refuses_everybody_and_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = Tokens::in_folder(folder.path().to_owned());
        fs::write(folder.path().join(FILE), "{\"format\":1,").unwrap();
        assert!(matches!(tokens.find("whowas_x", clock(0).now()), Err(TokenError::Unreadable { .. })));
        assert!(matches!(tokens.add(wanted(Role::Admin), clock(0)), Err(TokenError::Unreadable { .. })));
        assert_eq!(fs::read_to_string(folder.path().join(FILE)).unwrap(), "{\"format\":1,");
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_on_the_machine_can_read_the_files() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("l.access");
        Tokens::in_folder(inside.clone()).add(wanted(Role::Admin), clock(0)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&inside), mode(&inside.join(FILE))), (0o700, 0o600));
    }
}
