//! The log of who asked what: a line a request, written before its answer leaves.
//!
//! Names and chain ids (which may be names) are personal data and stand in it as digests only: HMAC-SHA-256 under a key
//! that stays beside the log. Whoever asks for the looks at one name has it digested in the same way.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use super::role::Role;
use crate::clock::Clock;
use crate::domain::finding::FindingId;
use crate::domain::id::{ChainId, ObjectId, TenantId};
use crate::domain::name::Name;
use crate::domain::time::Instant;
use crate::private;
use crate::service::cursor::REFUSAL;

const FOLDER: &str = "log";
const KEY: &str = "digest.key";
/// How many subjects an entry names before it only counts them.
const SUBJECTS_MAX: usize = 1_000;

/// A request, and who made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Entry {
    /// When.
    pub at: Instant,
    /// The request's id, which its answer carried.
    pub request: String,
    /// The token's id; `null` if the request had no good one.
    pub token: Option<String>,
    /// The token's role.
    pub role: Option<Role>,
    /// The tenant asked about.
    pub tenant: Option<TenantId>,
    /// The method.
    pub method: String,
    /// The route, with the names of its places and not what stood there.
    pub route: String,
    /// The status of the answer.
    pub status: u16,
    /// Whom and what it was about.
    pub subjects: Vec<String>,
    /// How many it was about, where that is more than are named.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What a request was about, collected while it is answered.
#[derive(Clone, Debug)]
pub struct Looks {
    key: Arc<[u8; 32]>,
    noted: Arc<Mutex<Noted>>,
}

#[derive(Debug, Default)]
struct Noted {
    tenant: Option<TenantId>,
    subjects: Vec<String>,
    more: u64,
}

/// The log.
#[derive(Clone, Debug)]
pub struct AccessLog {
    folder: PathBuf,
    key: Arc<[u8; 32]>,
    open: Arc<Mutex<Option<(String, File)>>>,
}

impl AccessLog {
    /// Opens the log in the access folder, and makes it if it is not there.
    ///
    /// # Errors
    /// If the folder or the key cannot be read or made.
    pub fn open(access: &Path, clock: Clock) -> io::Result<Self> {
        private::make_folder(access)?;
        let folder = access.join(FOLDER);
        private::make_folder(&folder)?;
        let key = Arc::new(key(&access.join(KEY), clock)?);
        Ok(Self { folder, key, open: Arc::default() })
    }

    /// Collects what a request is about.
    pub fn looks(&self) -> Looks {
        Looks { key: Arc::clone(&self.key), noted: Arc::default() }
    }

    /// Writes an entry. It is in the hands of the operating system when this returns.
    ///
    /// # Errors
    /// If it cannot be written; then the request must not be answered.
    pub fn write(&self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let day = day(entry.at);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.as_ref().is_none_or(|(of, _)| *of != day) {
            if let Some((_, before)) = open.take() {
                before.sync_all()?;
            }
            let path = self.folder.join(format!("{day}.jsonl"));
            let mut file = private::file().create(true).append(true).open(&path)?;
            // Half a line of a process that was killed would swallow the next one.
            if !ends_in_a_line(&path)? {
                file.write_all(b"\n")?;
            }
            *open = Some((day, file));
        }
        let written = match open.as_mut() {
            Some((_, file)) => file.write_all(&line),
            None => Err(io::Error::other("the log is not open")),
        };
        if written.is_err() {
            // Half of the line may be in the file. Opened anew, it is looked at how it ends before anything is added.
            *open = None;
        }
        written
    }

    /// Brings what was written to the disk.
    ///
    /// # Errors
    /// If that fails.
    pub fn sync(&self) -> io::Result<()> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let file = open.as_ref().map(|(_, file)| file.try_clone()).transpose()?;
        drop(open);
        file.map_or(Ok(()), |file| file.sync_data())
    }

    /// How a name stands in the log.
    pub fn digest_of_name(&self, name: &Name) -> String {
        digest(&self.key, "name", name.key().as_str())
    }

    /// Up to `limit` entries that are wanted, the newest first, older than the place given. The second value is the place
    /// from which to go on, if there may be more.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn read(
        &self,
        before: Option<&Place>,
        limit: usize,
        wanted: impl Fn(&Entry) -> bool,
    ) -> io::Result<(Vec<Entry>, Option<Place>)> {
        let mut found = Vec::new();
        for day in self.days()?.into_iter().rev() {
            if before.is_some_and(|before| day > before.day) {
                continue;
            }
            let until = before.filter(|before| before.day == day).map_or(u64::MAX, |before| before.line);
            let left = limit - found.len();
            // The last ones of the day that are wanted, in order.
            let mut newest: VecDeque<(u64, Entry)> = VecDeque::new();
            let file = BufReader::new(File::open(self.folder.join(format!("{day}.jsonl")))?);
            for (line, text) in (0u64..).zip(file.split(b'\n')) {
                if line >= until {
                    break;
                }
                // What a killed process wrote only half of is no entry.
                let Ok(entry) = serde_json::from_slice::<Entry>(&text?) else { continue };
                if wanted(&entry) {
                    newest.push_back((line, entry));
                    if newest.len() > left {
                        newest.pop_front();
                    }
                }
            }
            let oldest = newest.front().map(|(line, _)| *line);
            found.extend(newest.into_iter().rev().map(|(_, entry)| entry));
            if found.len() >= limit {
                return Ok((found, oldest.map(|line| Place { day, line })));
            }
        }
        Ok((found, None))
    }

    fn days(&self) -> io::Result<Vec<String>> {
        let mut days = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            days.extend(name.to_str().and_then(|name| name.strip_suffix(".jsonl")).map(str::to_owned));
        }
        days.sort();
        Ok(days)
    }
}

/// A place in the log: a day and a line of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    day: String,
    line: u64,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.day, self.line)
    }
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let place =
            text.split_once('.').and_then(|(day, line)| Some(Self { day: day.to_owned(), line: line.parse().ok()? }));
        place.ok_or_else(|| REFUSAL.to_owned())
    }
}

impl Looks {
    /// The request is about this tenant.
    pub fn tenant(&self, tenant: TenantId) {
        self.with(|noted| noted.tenant = Some(tenant));
    }

    /// The request is about this object.
    pub fn object(&self, object: ObjectId) {
        self.subject(format!("object:{object}"));
    }

    /// The request is about this name.
    pub fn name(&self, name: &Name) {
        self.subject(digest(&self.key, "name", name.key().as_str()));
    }

    /// The request is about this chain.
    pub fn chain(&self, chain: &ChainId) {
        self.subject(digest(&self.key, "chain", chain.as_str()));
    }

    /// The request is about a finding, whose id follows from the name, chain or number that it is about.
    pub fn finding(&self, id: FindingId) {
        self.subject(digest(&self.key, "finding", &id.to_string()));
    }

    /// The request is about something that has nothing to do with a name, such as a run.
    pub fn thing(&self, kind: &str, id: impl std::fmt::Display) {
        self.subject(format!("{kind}:{id}"));
    }

    /// Which tenant it is about, if that was said.
    pub fn tenant_noted(&self) -> Option<TenantId> {
        self.with(|noted| noted.tenant)
    }

    /// What was collected since the last time: the subjects, and how many more there were.
    pub fn take(&self) -> (Vec<String>, u64) {
        self.with(|noted| (std::mem::take(&mut noted.subjects), std::mem::take(&mut noted.more)))
    }

    fn subject(&self, subject: String) {
        self.with(|noted| match noted.subjects.len() {
            ..SUBJECTS_MAX if noted.subjects.last() == Some(&subject) => {}
            ..SUBJECTS_MAX => noted.subjects.push(subject),
            _ => noted.more += 1,
        });
    }

    fn with<T>(&self, work: impl FnOnce(&mut Noted) -> T) -> T {
        work(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn digest(key: &[u8; 32], kind: &str, text: &str) -> String {
    // A key of any length does, so this cannot fail; if it ever did, the log would say so and not the name.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return format!("{kind}#?") };
    mac.update(kind.as_bytes());
    mac.update(&[0]);
    mac.update(text.as_bytes());
    let digits = HEXLOWER.encode(&mac.finalize().into_bytes());
    format!("{kind}#{}", digits.get(..32).unwrap_or(&digits))
}

fn key(path: &Path, clock: Clock) -> io::Result<[u8; 32]> {
    if !path.exists() {
        let mut file = match private::file().create_new(true).open(path) {
            Ok(file) => file,
            // Somebody else was first.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return read_key(path),
            Err(error) => return Err(error),
        };
        file.write_all(&clock.secret()?)?;
        file.sync_all()?;
    }
    read_key(path)
}

fn read_key(path: &Path) -> io::Result<[u8; 32]> {
    let bytes = fs::read(path)?;
    <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| {
        io::Error::other(format!(
            "{} has {} bytes and should have 32; restore it from a backup",
            path.display(),
            bytes.len()
        ))
    })
}

fn ends_in_a_line(path: &Path) -> io::Result<bool> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn day(at: Instant) -> String {
    at.to_string().chars().take(10).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at: &str, request: &str, subjects: Vec<String>) -> Entry {
        Entry {
            at: at.parse().unwrap(),
            request: request.to_owned(),
            token: Some("t".to_owned()),
            role: Some(Role::Agent),
            tenant: None,
            method: "GET".to_owned(),
            route: "/v1/status".to_owned(),
            status: 200,
            subjects,
            more: 0,
        }
    }

    #[test]
    fn looks_at_a_name_are_found_again_and_the_name_is_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let log = AccessLog::open(folder.path(), Clock::default()).unwrap();
        let name: Name = "Ann.Lee@contoso.com".parse().unwrap();
        let looks = log.looks();
        looks.name(&name);
        looks.name(&name);
        let (subjects, more) = looks.take();
        assert_eq!((subjects.len(), more), (1, 0));
        log.write(&entry("2026-03-01T10:00:00Z", "r1", subjects)).unwrap();
        log.write(&entry("2026-03-01T11:00:00Z", "r2", Vec::new())).unwrap();
        let again = AccessLog::open(folder.path(), Clock::default()).unwrap();
        let wanted = again.digest_of_name(&"ANN.LEE@contoso.com".parse().unwrap());
        let (found, rest) = again.read(None, 10, |entry| entry.subjects.contains(&wanted)).unwrap();
        assert_eq!((found.len(), rest), (1, None));
        let text = fs::read_to_string(folder.path().join("log/2026-03-01.jsonl")).unwrap();
        assert!(!text.to_lowercase().contains("ann.lee"), "{text}");
    }

    #[test]
    fn pages_go_back_in_time_over_days_and_half_a_line_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let log = AccessLog::open(folder.path(), Clock::default()).unwrap();
        for (at, request) in
            [("2026-03-01T10:00:00Z", "a"), ("2026-03-01T11:00:00Z", "b"), ("2026-03-02T10:00:00Z", "c")]
        {
            log.write(&entry(at, request, Vec::new())).unwrap();
        }
        let path = folder.path().join("log/2026-03-02.jsonl");
        private::file().append(true).open(&path).unwrap().write_all(b"{\"at\":\"2026").unwrap();
        let log = AccessLog::open(folder.path(), Clock::default()).unwrap();
        log.write(&entry("2026-03-02T12:00:00Z", "d", Vec::new())).unwrap();
        let mut seen = Vec::new();
        let mut place = None;
        loop {
            let (found, next) = log.read(place.as_ref(), 1, |_| true).unwrap();
            seen.extend(found.into_iter().map(|entry| entry.request));
            let Some(next) = next else { break };
            place = Some(next.to_string().parse().unwrap());
        }
        assert_eq!(seen, ["d", "c", "b", "a"]);
    }

    #[test]
    fn after_a_write_that_failed_halfway_the_next_entry_begins_a_line_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let log = AccessLog::open(folder.path(), Clock::default()).unwrap();
        log.write(&entry("2026-03-01T10:00:00Z", "a", Vec::new())).unwrap();
        // A full disk takes half of a line. The open file then fails for another reason here, since a test fills no disk.
        let path = folder.path().join("log/2026-03-01.jsonl");
        private::file().append(true).open(&path).unwrap().write_all(b"{\"at\":\"2026").unwrap();
        *log.open.lock().unwrap() = Some(("2026-03-01".to_owned(), File::open(&path).unwrap()));
        assert!(log.write(&entry("2026-03-01T11:00:00Z", "b", Vec::new())).is_err());
        // There is room again.
        log.write(&entry("2026-03-01T12:00:00Z", "c", Vec::new())).unwrap();
        let (found, _) = log.read(None, 10, |_| true).unwrap();
        let found: Vec<String> = found.into_iter().map(|entry| entry.request).collect();
        assert_eq!(found, ["c", "a"]);
    }
}
