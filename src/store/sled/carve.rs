//! Reading a journal out of the engine's files without the engine.
//!
//! sled takes a damaged log for one that ends there, or does not open at all, though nearly everything is still in its file.
//! This walks the file by itself, takes whatever looks like a piece of the journal, and believes none of it: what counts is that
//! pieces make an entry that has its own hash, and that entries make a chain from the first on. Nothing is written.
//!
//! The file consists of segments of equal size. A segment begins with a header of 20 bytes (checksum, number of its first
//! byte in the log, both disguised), and goes on with messages: checksum (4), kind (1), then length, segment number and page
//! number as varints, and the body. Two kinds of body carry records: a whole page, and a single change of one. A page that is
//! too large stands in a file of its own below `blobs`. Keys stand without the beginning that all keys of their page have,
//! which only the page tells; so the pages are read first, and the changes after them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cipher::Cipher;
use super::directory::io_error;
use super::engine::{CONFIG_FILE, DATA_FILE, PAGES_FOLDER};
use crate::domain::id::{Sequence, TenantId};
use crate::domain::time::Instant;
use crate::store::codec;
use crate::store::key::Key;
use crate::store::record::tenant::HeadV1;
use crate::store::{Hash, StoreError};

/// Where a piece of a commit stands in the engine's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    file: usize,
    offset: u64,
    bytes: usize,
    /// Its place in the log, 0 if that is not known: of two pieces that are both sound, the later one counts.
    pub(super) written: u64,
    /// Whether it stands in something that has its checksum. Else it may be no piece at all.
    pub(super) sound: bool,
    content: u64,
}

/// What stands in the engine's files.
#[derive(Default)]
pub(super) struct Carved {
    files: Vec<PathBuf>,
    /// Pieces of commits by their chunks; several where the engine moved or wrote them anew.
    pub(super) pieces: BTreeMap<TenantId, BTreeMap<Sequence, BTreeMap<u16, Vec<Place>>>>,
    /// The newest head of each tenant that has its checksum.
    pub(super) heads: BTreeMap<TenantId, (Sequence, Option<Instant>)>,
    /// Pages that were seen, by their numbers, and what the keys of those begin with that may hold a journal.
    pages: HashSet<u64>,
    beginnings: HashMap<u64, BTreeSet<Vec<u8>>>,
    /// The same of all pages, by their lengths.
    beginnings_of: BTreeMap<usize, BTreeSet<Vec<u8>>>,
    /// The same of pages in files of their own, by the names of these.
    filed: HashMap<u64, Vec<u8>>,
    /// How the records are encrypted, if they are. The keys of what is looked for hide nothing.
    cipher: Option<Arc<Cipher>>,
}

impl Carved {
    /// Walks the files of an engine. `progress` is given the bytes walked.
    pub(super) fn of(
        engine: &Path,
        cipher: Option<Arc<Cipher>>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, StoreError> {
        let mut carved = Self { cipher, ..Self::default() };
        let failed = |error| io_error(engine, "read the engine's files", error);
        let log = engine.join(DATA_FILE);
        carved.files.push(log.clone());
        carved.walk_pages(&engine.join(PAGES_FOLDER), progress).map_err(failed)?;
        carved.walk_log(&log, segment_bytes(engine), Pass::Pages, progress).map_err(failed)?;
        carved.walk_log(&log, segment_bytes(engine), Pass::Changes, progress).map_err(failed)?;
        Ok(carved)
    }

    /// Reads a piece; nothing of one that was not written under this key by an encrypted engine.
    pub(super) fn read(&self, key: &Key, place: &Place) -> Result<Vec<u8>, StoreError> {
        let bytes = self.stored(place)?;
        Ok(self.open(&key.encode(), bytes).unwrap_or_default())
    }

    fn open(&self, key: &[u8], bytes: Vec<u8>) -> Option<Vec<u8>> {
        match &self.cipher {
            Some(cipher) => cipher.value(key, key, &bytes).ok(),
            None => Some(bytes),
        }
    }

    fn stored(&self, place: &Place) -> Result<Vec<u8>, StoreError> {
        let Some(path) = self.files.get(place.file) else { return Ok(Vec::new()) };
        let mut bytes = vec![0; place.bytes];
        let read = File::open(path).and_then(|mut file| {
            file.seek(SeekFrom::Start(place.offset))?;
            file.read_exact(&mut bytes)
        });
        read.map_err(|error| io_error(path, "read", error))?;
        Ok(bytes)
    }

    fn walk_log(
        &mut self,
        path: &Path,
        segment_bytes: usize,
        pass: Pass,
        progress: &mut dyn FnMut(u64),
    ) -> io::Result<()> {
        let mut file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            file => file?,
        };
        let mut segment = Vec::with_capacity(segment_bytes);
        let mut offset = 0u64;
        loop {
            segment.clear();
            (&mut file).take(segment_bytes as u64).read_to_end(&mut segment)?;
            if segment.is_empty() {
                return Ok(());
            }
            self.walk_segment(&segment, offset, segment_bytes as u64, pass);
            offset += segment.len() as u64;
            progress(segment.len() as u64);
        }
    }

    fn walk_segment(&mut self, segment: &[u8], offset: u64, segment_bytes: u64, pass: Pass) {
        let began = SegmentHeader::read(segment).map(|header| header.began);
        let source = |at: usize, sound: bool| {
            let written = began.map_or(0, |began| began.saturating_add(at as u64));
            Source { file: 0, offset, written, sound }
        };
        let number = began.and_then(|began| began.checked_div(segment_bytes));
        let mut at = SEGMENT_HEADER_BYTES;
        let mut torn = false;
        while at < segment.len() {
            let message = Message::read(segment, at);
            match message.filter(|message| message.is_sound(segment)) {
                Some(message) if message.kind == CAP && number == Some(message.segment) => return,
                Some(message) => {
                    self.take(segment, &message, source(at, true), pass);
                    at = message.end;
                    torn = false;
                }
                None => {
                    // What is damaged in one place may be whole in another; the hashes tell.
                    match message.filter(|_| !torn) {
                        Some(message) => self.take(segment, &message, source(at, false), pass),
                        None if pass == Pass::Changes => {
                            self.take_change(segment, (at, segment.len()), None, source(at, false));
                        }
                        None => {}
                    }
                    torn = true;
                    at += 1;
                }
            }
        }
    }

    fn walk_pages(&mut self, folder: &Path, progress: &mut dyn FnMut(u64)) -> io::Result<()> {
        let found = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found?,
        };
        for entry in found {
            let path = entry?.path();
            let page = fs::read(&path)?;
            let written = path.file_name().and_then(|name| name.to_str()?.parse().ok()).unwrap_or(0);
            let sound = page
                .split_first_chunk::<4>()
                .is_some_and(|(sum, rest)| u32::from_le_bytes(*sum) == crc32fast::hash(rest));
            let source = Source { file: self.files.len(), offset: 0, written, sound };
            self.files.push(path);
            let beginning = self.take_page(&page, PAGE_FILE_HEADER_BYTES, page.len(), source);
            self.filed.extend(beginning.map(|beginning| (written, beginning)));
            progress(page.len() as u64);
        }
        Ok(())
    }

    fn take(&mut self, segment: &[u8], message: &Message, source: Source, pass: Pass) {
        let (body, end) = (message.body, message.end);
        let beginning = match (message.kind, pass) {
            (PAGE, Pass::Pages) => self.take_page(segment, body, end, source),
            (FILED_PAGE, Pass::Pages) => {
                let name = segment.get(body..end).and_then(|body| Some(u64::from_le_bytes(*body.first_chunk()?)));
                name.and_then(|name| self.filed.get(&name).cloned())
            }
            (CHANGE, Pass::Changes) => {
                self.take_change(segment, (body, end), Some(message.page), source);
                None
            }
            _ => None,
        };
        if let Some(beginning) = beginning.filter(|_| source.sound) {
            self.pages.insert(message.page);
            if may_begin(&beginning) {
                self.beginnings_of.entry(beginning.len()).or_default().insert(beginning.clone());
                self.beginnings.entry(message.page).or_default().insert(beginning);
            }
        }
    }

    /// A whole page: its leaf's keys, then as many values. Says what all its keys begin with, if it is a leaf.
    fn take_page(&mut self, bytes: &[u8], start: usize, end: usize, source: Source) -> Option<Vec<u8>> {
        let mut walk = Walk { bytes: bytes.get(..end)?, at: start };
        let (_next, _child) = (walk.number()?, walk.number()?);
        let (_merging, beginning) = (walk.byte()?, usize::from(walk.byte()?));
        let low = walk.text()?;
        let _high = walk.text()?;
        let is_leaf = walk.byte()? == 0;
        let count = walk.number()?;
        if !is_leaf || count > PAGE_RECORDS_MAX {
            return None;
        }
        let beginning = low.bytes.get(..beginning)?.to_vec();
        let keys: Option<Vec<Vec<u8>>> =
            (0..count).map(|_| Some([beginning.as_slice(), walk.text()?.bytes].concat())).collect();
        for key in keys? {
            // What was cut ends here; what stands before it may be whole.
            let Some(value) = walk.text() else { break };
            self.take_record(&key, &value, source);
        }
        Some(beginning)
    }

    /// A single change: a key without its beginning, and its new value.
    fn take_change(&mut self, bytes: &[u8], (start, end): (usize, usize), page: Option<u64>, source: Source) {
        let mut walk = Walk { bytes: bytes.get(..end).unwrap_or_default(), at: start };
        let key = (walk.byte() == Some(0)).then(|| walk.text()).flatten();
        let Some(key) = key.filter(|key| key.bytes.len() <= KEY_BYTES_MAX) else { return };
        let Some(value) = walk.text() else { return };
        if let Some(page) = page.filter(|page| self.pages.contains(page)) {
            let beginnings = self.beginnings.remove(&page).unwrap_or_default();
            beginnings.iter().for_each(|beginning| self.take_record(&[beginning, key.bytes].concat(), &value, source));
            self.beginnings.insert(page, beginnings);
            return;
        }
        // Of a page that is lost, or of an unknown one. Whatever a piece is taken for, the hashes tell. This is tried at every byte of
        // what is damaged, so it must not look at all pages of a large ledger each time.
        self.take_record(key.bytes, &value, source);
        let lengths = KEY_BYTES.iter().filter_map(|bytes| bytes.checked_sub(key.bytes.len()).filter(|left| *left > 0));
        for length in lengths {
            let beginnings = self.beginnings_of.remove(&length).unwrap_or_default();
            for beginning in beginnings.iter().take(GUESSES_MAX) {
                self.take_record(&[beginning, key.bytes].concat(), &value, source);
            }
            self.beginnings_of.insert(length, beginnings);
        }
    }

    fn take_record(&mut self, key: &[u8], value: &Text, source: Source) {
        match Key::decode(key) {
            Some(Key::Journal { tenant, sequence, chunk }) => {
                let places =
                    self.pieces.entry(tenant).or_default().entry(sequence).or_default().entry(chunk).or_default();
                let offset = source.offset + value.at as u64;
                let content = fingerprint(value.bytes);
                let Source { file, written, sound, .. } = source;
                let place = Place { file, offset, bytes: value.bytes.len(), written, sound, content };
                let is_full = places.len() >= PLACES_MAX;
                match places.iter_mut().find(|known| known.content == content && known.bytes == place.bytes) {
                    Some(known) if (known.sound, known.written) < (place.sound, place.written) => *known = place,
                    Some(_) => {}
                    None if is_full => {}
                    None => places.push(place),
                }
            }
            Some(Key::Head { tenant }) => {
                let bytes = self.open(key, value.bytes.to_vec());
                let head = bytes.and_then(|bytes| codec::unseal::<HeadV1>(key, &bytes).ok()?.read().ok());
                if let Some(head) = head
                    && self.heads.get(&tenant).is_none_or(|(sequence, _)| *sequence < head.sequence)
                {
                    self.heads.insert(tenant, (head.sequence, head.recorded));
                }
            }
            _ => {}
        }
    }
}

const SEGMENT_BYTES: usize = 512 * 1024;
const SEGMENT_BYTES_MAX: usize = 1 << 24;
pub(super) const SEGMENT_HEADER_BYTES: usize = 20;
const PAGE_FILE_HEADER_BYTES: usize = 5;
/// sled's `MAX_MSG_HEADER_LEN`.
const MESSAGE_HEADER_BYTES_MAX: usize = 32;
/// Bounds that a sound engine stays far below.
const PAGE_RECORDS_MAX: u64 = 4_096;
const KEY_BYTES_MAX: usize = 27;
/// How long the keys are that are looked for: heads and pieces of commits.
const KEY_BYTES: [usize; 2] = [17, KEY_BYTES_MAX];
/// How many beginnings of a length are tried for a change whose page is not known.
const GUESSES_MAX: usize = 256;
const PLACES_MAX: usize = 64;

/// Kinds of messages.
const CAP: u8 = 2;
const PAGE: u8 = 8;
const FILED_PAGE: u8 = 9;
const CHANGE: u8 = 10;
const KINDS: std::ops::RangeInclusive<u8> = 1..=11;

/// What is looked for in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    Pages,
    Changes,
}

/// Whether keys that begin so may be those of a head or of a piece of a commit.
fn may_begin(beginning: &[u8]) -> bool {
    beginning.get(16).is_none_or(|kind| *kind == 1 || *kind == 2)
}

/// Where the bytes that are walked come from.
#[derive(Clone, Copy)]
struct Source {
    file: usize,
    offset: u64,
    written: u64,
    sound: bool,
}

/// How large a segment is, as the engine's own configuration says; its default if that cannot be read.
pub(super) fn segment_bytes(engine: &Path) -> usize {
    let said = fs::read_to_string(engine.join(CONFIG_FILE)).unwrap_or_default();
    let line = said.lines().find_map(|line| line.strip_prefix("segment_size: "));
    let bytes = line.and_then(|text| text.trim().parse::<usize>().ok());
    bytes
        .filter(|bytes| bytes.is_power_of_two() && *bytes <= SEGMENT_BYTES_MAX && *bytes >= 256)
        .unwrap_or(SEGMENT_BYTES)
}

/// What a segment's header tells, as places in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// Of the segment's first byte.
    pub(super) began: u64,
    /// Up to which all of the log was on the disk when the segment was begun.
    pub(super) stable: u64,
}

impl SegmentHeader {
    /// Reads it, if it is sound.
    pub(super) fn read(segment: &[u8]) -> Option<Self> {
        let header = segment.get(..SEGMENT_HEADER_BYTES)?;
        let (sum, rest) = header.split_first_chunk::<4>()?;
        let (began, stable) = rest.split_first_chunk::<8>()?;
        let place = |bytes: &[u8; 8]| u64::from_le_bytes(*bytes) ^ 0x7fff_ffff_ffff_ffff;
        let sound = u32::from_le_bytes(*sum) ^ u32::MAX == crc32fast::hash(rest);
        sound.then_some(Self { began: place(began), stable: place(stable.first_chunk()?) })
    }
}

/// What a segment's messages come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// To its end: it is full, and the log goes on in another.
    Full,
    /// Up to some place, behind which nothing stands.
    Partly,
    /// Up to some place, behind which something stands that is nothing of the log: of an older use of the segment, or torn.
    Ragged,
    /// Something of the log stands behind a place that cannot be read.
    WithHole,
}

/// How far a segment that begins at this place in the log is written. Messages of an older use of the segment, which have
/// another number, count for nothing.
pub(super) fn written(segment: &[u8], began: u64, segment_bytes: usize) -> Written {
    let Some(number) = began.checked_div(segment_bytes as u64) else { return Written::Partly };
    let own = |at| Message::read(segment, at).filter(|message| message.segment == number && message.is_sound(segment));
    let mut at = SEGMENT_HEADER_BYTES;
    while let Some(message) = own(at) {
        if message.kind == CAP {
            return Written::Full;
        }
        at = message.end;
    }
    // Where no header fits any more sled goes on in the next segment.
    let rest = segment.get(at..).unwrap_or_default();
    if rest.len() < MESSAGE_HEADER_BYTES_MAX {
        return Written::Full;
    }
    match rest.iter().all(|byte| *byte == 0) {
        true => Written::Partly,
        false if (at + 1..segment.len()).any(|at| own(at).is_some()) => Written::WithHole,
        false => Written::Ragged,
    }
}

/// A message's place within a segment.
#[derive(Clone, Copy, Debug)]
struct Message {
    at: usize,
    sum: u32,
    kind: u8,
    segment: u64,
    page: u64,
    body: usize,
    end: usize,
}

impl Message {
    /// Reads a header that could be one.
    fn read(segment: &[u8], at: usize) -> Option<Self> {
        let (sum, rest) = segment.get(at..)?.split_first_chunk::<4>()?;
        let kind = rest.first().copied().filter(|kind| KINDS.contains(kind))?;
        let mut walk = Walk { bytes: segment, at: at + 5 };
        let (bytes, number, page) = (walk.number()?, walk.number()?, walk.number()?);
        let end = walk.at.checked_add(usize::try_from(bytes).ok()?).filter(|end| *end <= segment.len())?;
        Some(Self { at, sum: u32::from_le_bytes(*sum), kind, segment: number, page, body: walk.at, end })
    }

    fn is_sound(&self, segment: &[u8]) -> bool {
        let parts = (segment.get(self.body..self.end), segment.get(self.at + 4..self.body));
        let (Some(body), Some(header)) = parts else { return false };
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(body);
        hasher.update(header);
        hasher.finalize() ^ u32::MAX == self.sum
    }
}

/// Bytes with their place.
struct Text<'a> {
    bytes: &'a [u8],
    at: usize,
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    fn byte(&mut self) -> Option<u8> {
        let byte = self.bytes.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }

    /// A number in one to nine bytes.
    fn number(&mut self) -> Option<u64> {
        let first = self.byte()?;
        Some(match first {
            0..=240 => u64::from(first),
            241..=248 => 240 + 256 * (u64::from(first) - 241) + u64::from(self.byte()?),
            249 => 2288 + 256 * u64::from(self.byte()?) + u64::from(self.byte()?),
            250.. => {
                let bytes = (0..first - 247).map(|nth| Some(u64::from(self.byte()?) << (8 * u32::from(nth))));
                bytes.sum::<Option<u64>>()?
            }
        })
    }

    /// A length and as many bytes.
    fn text(&mut self) -> Option<Text<'a>> {
        let bytes = usize::try_from(self.number()?).ok()?;
        let at = self.at;
        let text = self.bytes.get(at..at.checked_add(bytes)?)?;
        self.at += bytes;
        Some(Text { bytes: text, at })
    }
}

/// Tells two pieces apart; whether either is sound is for the hashes to tell.
fn fingerprint(bytes: &[u8]) -> u64 {
    use sha2::{Digest, Sha256};
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}

/// A commit that has its own hash, and where its pieces stand.
#[derive(Clone, Debug)]
pub(super) struct Whole {
    pub(super) previous: Hash,
    pub(super) hash: Hash,
    pub(super) recorded: Instant,
    pub(super) pieces: Vec<Place>,
    /// How many of its items are forgotten in this spelling.
    pub(super) forgotten: usize,
}

impl Whole {
    /// Which of two spellings counts: the one in which more is forgotten, else the one that was written later.
    pub(super) fn weight(&self) -> (usize, u64) {
        (self.forgotten, self.pieces.first().map_or(0, |place| place.written))
    }
}
