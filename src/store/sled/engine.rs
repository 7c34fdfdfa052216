//! sled behind a few guarded calls.
//!
//! sled 0.34 panics on some damaged files where it should return an error, so every call into it is caught; and its
//! `flush` is `sync_file_range` on Linux, which survives the death of the process but not a power cut, so
//! [`Engine::persist`] adds an `fdatasync` of the file.
//!
//! It writes in threads of its own, and when one of them fails or panics whoever waits for it may wait for ever. So all
//! writing is done in one thread of ours, and who asked for it waits no longer than [`EngineOptions::patience`] allows.

mod half;
mod opened;
mod ready;
#[cfg(test)]
mod tests;

use std::fs::{self, File, TryLockError};
use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use ::sled::IVec;

use self::half::Half;
use self::opened::Inner;
use self::ready::{Identity, identity, make_ready};
use super::cipher::Cipher;
use super::directory::{HalfMark, io_error, remove_half_snapshots, sync_directory};
use super::ordered::{self, Texts};
use super::readable::{End, check_readable};
use super::resident::{Records, Resident};
use super::writer::{Silent, Writer};
use crate::store::{Order, StoreError};

/// Largest value ever given to sled.
pub(super) const VALUE_BYTES_MAX: usize = 64 * 1024;
/// Largest piece of something long that is cut into values. sled writes a page of more than 128 KiB into a file of its own, and a
/// page holds up to seventeen values, whatever their size; so seventeen of these and their keys must fit.
pub(super) const PIECE_BYTES_MAX: usize = 7_000;

pub(super) struct Engine {
    path: PathBuf,
    options: EngineOptions,
    /// `None` while it is being opened again, or could not be.
    inner: RwLock<Option<Arc<Inner>>>,
    /// The first failure, but for those of reading beforehand. Nothing is written after it.
    broken: Mutex<Option<String>>,
    /// Whether half of a batch is in it.
    half: Arc<Half>,
    /// How often it was opened again since.
    reopened: AtomicU32,
    /// A record, as it is stored, that came with the newest batch which is on the disk for sure, and that no other batch touches.
    witness: Mutex<Option<Vec<u8>>>,
    writer: Writer,
    /// How many bytes of keys and values were written.
    written: AtomicUsize,
    /// How often anything was asked of the writing thread. What it reads beforehand ends with the next.
    asked: Arc<AtomicUsize>,
    /// How many keys were read beforehand.
    #[cfg(test)]
    fetched: Arc<AtomicUsize>,
    /// How its records are encrypted, if they are. Whoever calls it gives and is given true keys and values.
    cipher: Option<Arc<Cipher>>,
    texts: Arc<Texts>,
    /// Copies of what is read most, if they are wanted.
    resident: Arc<Resident>,
}

/// Records to be put and removed at once.
#[derive(Debug, Default)]
pub(super) struct Batch(Records);

impl Batch {
    pub(super) fn insert(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.0.push((key, Some(value)));
    }

    pub(super) fn remove(&mut self, key: Vec<u8>) {
        self.0.push((key, None));
    }
}

/// Keys from the first on and before the second; to the end if that is `None`.
pub(super) type Range = (Vec<u8>, Option<Vec<u8>>);

/// Leaves of a range what is still to come behind one of its keys.
pub(super) fn pass((start, end): &mut Range, key: &[u8], order: Order) {
    match order {
        // No key is the beginning of another, so the place with one more byte is just after it.
        Order::Forward => *start = [key, &[0]].concat(),
        Order::Backward => *end = Some(key.to_vec()),
    }
}

/// How the engine is opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct EngineOptions {
    /// How much it may keep in memory.
    pub(super) cache_capacity_bytes: u64,
    /// How long a write is waited for.
    pub(super) patience: Duration,
    /// Whether a great deal is put into it: its background thread, which alone frees what became stale, then comes often
    /// enough to keep up with that.
    pub(super) fills: bool,
    /// Whether [`read_first`] was just done.
    pub(super) is_read: bool,
    /// How many bytes must be written for the closing to prepare the next opening ([`make_ready`]).
    pub(super) ready_after_bytes: usize,
}

#[cfg(test)]
impl EngineOptions {
    /// For the small engines of tests.
    pub(super) const TESTED: Self = Self {
        cache_capacity_bytes: 1 << 20,
        patience: Duration::from_secs(20),
        fills: false,
        is_read: false,
        ready_after_bytes: usize::MAX,
    };
}

impl Engine {
    /// Opens sled in a directory, recovering it if its last process died. A cipher is that of the wrapped key in it.
    pub(super) fn open(path: &Path, options: EngineOptions, cipher: Option<Arc<Cipher>>) -> Result<Self, StoreError> {
        let inner = Inner::open(path, options)?;
        let writer =
            Writer::start().map_err(|error| io_error(path, "start the thread that writes the engine", error))?;
        Ok(Self {
            path: path.to_owned(),
            options,
            inner: RwLock::new(Some(Arc::new(inner))),
            broken: Mutex::default(),
            half: Arc::default(),
            reopened: AtomicU32::new(0),
            witness: Mutex::default(),
            writer,
            written: AtomicUsize::new(0),
            asked: Arc::default(),
            #[cfg(test)]
            fetched: Arc::default(),
            cipher,
            texts: Arc::default(),
            resident: Arc::default(),
        })
    }

    /// How its records are encrypted, if they are.
    pub(super) fn cipher(&self) -> Option<&Arc<Cipher>> {
        self.cipher.as_ref()
    }

    pub(super) fn texts(&self) -> &Texts {
        &self.texts
    }

    pub(super) fn resident(&self) -> &Resident {
        &self.resident
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        let Some(cipher) = &self.cipher else { return self.read(|inner| inner.guarded(|| inner.db.get(key))) };
        let stored = cipher.key(key);
        let sealed = self.read(|inner| inner.guarded(|| inner.db.get(&stored)))?;
        sealed.map(|sealed| cipher.value(key, &stored, &sealed).map(IVec::from)).transpose()
    }

    /// Gives the records of a range to `each`, in order of their keys, until it breaks off.
    pub(super) fn scan(
        &self,
        range: Range,
        order: Order,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        match &self.cipher {
            Some(cipher) => ordered::scan(self, cipher, (&range.0, range.1.as_deref()), order, &mut each),
            None => self.scan_stored(range, order, each),
        }
    }

    /// Gives every record to `each`, in the order in which they are stored.
    pub(super) fn each_record(
        &self,
        mut each: impl FnMut(Vec<u8>, Vec<u8>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.scan_stored((Vec::new(), None), Order::Forward, |key, value| {
            let (key, value) = self.opened(key, value)?;
            each(key, value).map(ControlFlow::Continue)
        })
    }

    /// The true key and value of a record as it is stored.
    pub(super) fn opened(&self, key: &[u8], value: &[u8]) -> Result<(Vec<u8>, Vec<u8>), StoreError> {
        match &self.cipher {
            Some(cipher) => cipher.open(key, value),
            None => Ok((key.to_vec(), value.to_vec())),
        }
    }

    /// Removes all records of whole kinds. Readers wait behind a batch, so it is done in several.
    pub(super) fn remove_kinds(&self, range: &Range) -> Result<(), StoreError> {
        loop {
            let (mut batch, mut count) = (::sled::Batch::default(), 0);
            self.scan_stored(range.clone(), Order::Forward, |key, _| {
                batch.remove(key);
                count += 1;
                Ok(if count < REMOVED_AT_ONCE { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
            })?;
            if count == 0 {
                return Ok(());
            }
            let resident = Arc::clone(&self.resident);
            self.write(move |inner| resident.overturning(|| inner.apply(batch)))?;
        }
    }

    /// Gives the records of a range as they are stored to `each` until it breaks off.
    pub(super) fn scan_stored(
        &self,
        mut range: Range,
        order: Order,
        mut each: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        // What `each` says is no failure of the engine, so it is kept apart; after one, the scan goes on behind what was given.
        self.read(|inner| {
            let (start, end) = &range;
            if end.as_ref().is_some_and(|end| end <= start) {
                return Ok(Ok(()));
            }
            let mut records = match end {
                Some(end) => inner.db.range(start.clone()..end.clone()),
                None => inner.db.range(start.clone()..),
            };
            loop {
                let next = inner.guarded(|| {
                    match order {
                        Order::Forward => records.next(),
                        Order::Backward => records.next_back(),
                    }
                    .transpose()
                })?;
                let Some((key, value)) = next else { return Ok(Ok(())) };
                match each(&key, &value) {
                    Ok(ControlFlow::Continue(())) => {}
                    Ok(ControlFlow::Break(())) => return Ok(Ok(())),
                    Err(error) => return Ok(Err(error)),
                }
                pass(&mut range, &key, order);
            }
        })?
    }

    /// Applies a batch for which something else says that it is to be done anew if it fails, because half of it may be there then. It is
    /// durable after [`Self::persist`].
    pub(super) fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        self.write(self.applying(batch, None)?)
    }

    /// Hands everything applied to the operating system.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        self.write(|inner| inner.guarded(|| inner.db.flush().map(drop)))
    }

    /// Closes it, and comes back when none of its threads is left.
    pub(super) fn close(self) -> Result<(), StoreError> {
        let path = self.path.clone();
        drop(self);
        let failed = |error| io_error(&path, "close the engine's file", error);
        let file = File::open(path.join(DATA_FILE)).map_err(failed)?;
        for _ in 0..LOCK_ATTEMPTS {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        Err(failed(io::ErrorKind::TimedOut.into()))
    }

    /// It is not opened again after it is closed, so the closing need prepare nothing.
    pub(super) fn give_up(&mut self) {
        self.options.ready_after_bytes = usize::MAX;
    }

    /// What its file is told by, if its closing is to prepare the next opening.
    fn worth_making_ready(&self, inner: &Inner) -> Option<Identity> {
        let is_much = self.written.load(Ordering::Relaxed) >= self.options.ready_after_bytes;
        let is_worth = is_much && self.broken().is_none();
        inner.own_file().filter(|_| is_worth).and_then(|file| identity(&file))
    }

    /// Puts everything applied on the disk.
    pub(super) fn persist(&self) -> Result<(), StoreError> {
        self.write(Inner::persist)
    }

    /// Applies a batch and puts it on the disk. No other batch may touch the witness, which is a key of it.
    ///
    /// All its pages are read first. Should sled need others, or one of them once more, and not have it, half of the batch is there: then
    /// nothing is read any more until it is taken back, and the mark says so meanwhile ([`half`]).
    pub(super) fn commit(&self, batch: Batch, witness: &[u8], mark: Option<HalfMark>) -> Result<(), StoreError> {
        let apply = self.applying(batch, Some(Undoing { before: Box::new(read_all), mark }))?;
        self.write(move |inner| {
            apply(inner)?;
            inner.persist()
        })?;
        self.swear_by(witness);
        Ok(())
    }

    /// Has the engine read the pages of these keys, which are about to be read or written one after the other, from its file in several
    /// threads. It applies a batch while all readers wait, so the less it must read then the better.
    pub(super) fn fetch(&self, keys: &[&[u8]]) {
        if let Some(inner) = self.inner().filter(|_| keys.len() >= FETCHED_MIN) {
            // Whatever cannot be read is told by whoever needs it.
            drop(fetch(&inner, self.cipher.as_deref(), keys, FETCHING_THREADS, &|| true));
        }
    }

    /// Does the same in the writing thread, while whoever asks for it goes on and until anything else is asked of that thread; and for
    /// those ranges of which the copies show that nothing is in them.
    pub(super) fn fetch_meanwhile(&self, mut keys: Vec<Vec<u8>>, ranges: Vec<Range>) {
        let now = self.end_fetching();
        let is_worth = (FETCHED_MIN..=FETCHED_MAX).contains(&(keys.len() + ranges.len()));
        let is_useful = is_worth && self.broken().is_none() && !self.writer.hangs();
        let Some(inner) = self.inner().filter(|_| is_useful) else { return };
        let (cipher, resident, asked) = (self.cipher.clone(), Arc::clone(&self.resident), Arc::clone(&self.asked));
        #[cfg(test)]
        let fetched = Arc::clone(&self.fetched);
        let work = move || {
            let goes_on = || asked.load(Ordering::Relaxed) == now;
            let empty = ranges.into_iter().take_while(|_| goes_on()).filter(|range| resident.lacks(range));
            keys.extend(empty.map(|(start, _)| start));
            let read = fetch(&inner, cipher.as_deref(), &keys, FETCHING_MEANWHILE, &goes_on);
            #[cfg(test)]
            fetched.fetch_add(read.as_ref().map_or(0, Vec::len), Ordering::Relaxed);
            // As above.
            drop(read);
        };
        // Nobody needs it so much that writing should end with it.
        self.writer.leave(move || drop(catch_unwind(AssertUnwindSafe(work))));
    }

    /// Has what is read beforehand end. Says how often anything was asked of the writing thread.
    fn end_fetching(&self) -> usize {
        self.asked.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// What applies a batch, to the engine and then to all that is known of its records in memory, and takes it back if that is wanted and it
    /// fails.
    fn applying(
        &self,
        batch: Batch,
        undoing: Option<Undoing>,
    ) -> Result<impl FnOnce(&Inner) -> Result<(), StoreError> + Send + use<>, StoreError> {
        let (resident, texts, half) = (Arc::clone(&self.resident), Arc::clone(&self.texts), Arc::clone(&self.half));
        let (mut stored, mut sealed) = (::sled::Batch::default(), Vec::new());
        let mut keys: Vec<IVec> = Vec::with_capacity(batch.0.len());
        let bytes = batch.0.iter().map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len)).sum();
        self.written.fetch_add(bytes, Ordering::Relaxed);
        for (key, value) in &batch.0 {
            let (key, value) = match (&self.cipher, value) {
                (None, value) => (IVec::from(key.as_slice()), value.as_deref().map(IVec::from)),
                (Some(cipher), Some(value)) => {
                    let (sealed_key, sealed_value) = cipher.seal(key, value)?;
                    sealed.push((key.clone(), sealed_key.clone()));
                    (sealed_key.into(), Some(sealed_value.into()))
                }
                (Some(cipher), None) => (cipher.key(key).into(), None),
            };
            keys.push(key.clone());
            match value {
                Some(value) => stored.insert(key, value),
                None => stored.remove(key),
            }
        }
        Ok(move |inner: &Inner| {
            let undoing = match undoing {
                Some(undoing) => Some(((undoing.before)(inner, &keys)?, undoing.mark)),
                None => None,
            };
            resident.writing(batch.0, || {
                inner.apply(stored).inspect_err(|_| match undoing {
                    Some((before, mark)) => {
                        half.take_back(inner, keys.into_iter().zip(before).collect(), mark.as_ref())
                    }
                    None => half.comes(),
                })?;
                // Whoever begins to collect the texts of a group from now on finds these in the engine, and who has begun is told.
                sealed.iter().for_each(|(key, stored)| texts.note(key, stored));
                Ok(())
            })
        })
    }

    fn half_is_there(&self) -> StoreError {
        let why = "half of a commit that failed is in it or just was; if this stays so, end the process and run `whowas rebuild`";
        io_error(&self.path, "read the engine", io::Error::other(why))
    }

    /// Takes a record for the witness of what is on the disk when it has been opened.
    pub(super) fn swear_by(&self, witness: &[u8]) {
        let stored = self.cipher.as_ref().map_or_else(|| witness.to_vec(), |cipher| cipher.key(witness));
        *self.witness.lock().unwrap_or_else(PoisonError::into_inner) = Some(stored);
    }

    /// Puts the engine's newly created files on the disk, names included.
    pub(super) fn persist_creation(&self) -> Result<(), StoreError> {
        self.write(Inner::persist_creation)
    }

    pub(super) fn is_empty(&self) -> Result<bool, StoreError> {
        self.read(|inner| inner.guarded(|| inner.db.iter().next().transpose())).map(|first| first.is_none())
    }

    /// The first failure of the operating system below the engine, if there was one.
    pub(super) fn broken(&self) -> Option<String> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Does it in the writing thread. What comes too late may still be done, but nobody is told that it was.
    fn write(&self, work: impl FnOnce(&Inner) -> Result<(), StoreError> + Send + 'static) -> Result<(), StoreError> {
        let silent = |why: &str| io_error(&self.path, "write to the engine", io::Error::other(why.to_owned()));
        if let Some(why) = self.broken() {
            return Err(silent(&why));
        }
        let Some(inner) = self.inner() else { return Err(silent("it is not open")) };
        let job = move || {
            let done = work(&inner);
            drop(inner);
            done
        };
        self.end_fetching();
        let seconds = self.options.patience.as_secs_f64();
        let done = match self.writer.wait_for(job, self.options.patience) {
            Ok(done) => done,
            Err(Silent::TooLong) => {
                Err(silent(&format!("it did not answer within {seconds} seconds and may never do so")))
            }
            Err(Silent::Ended) => Err(silent("its writing thread has ended")),
        };
        done.inspect_err(|error| self.note_broken(error))
    }

    /// Reads; sled writes while it reads, when a page is to be split or joined, and refuses to after any of its writes has
    /// failed. So after such a failure it is opened again, for reading only: from its files, or from a copy elsewhere if the disk takes
    /// nothing any more. What merely could not be read is asked for once more: opening would write, which a disk that cannot be read
    /// had better be spared.
    fn read<T>(&self, mut question: impl FnMut(&Inner) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let (error, failed) = match self.inner() {
            Some(inner) => match self.ask(&inner, &mut question) {
                Err(error @ StoreError::Io { .. }) => {
                    // What failed in the midst of a batch is told by whoever wrote it.
                    if self.half.is_there() {
                        return Err(error);
                    }
                    if !self.half.is_unwritten() {
                        self.note_broken(&error);
                    }
                    if !inner.has_failed() && is_mere_reading(&error) {
                        return self.ask(&inner, &mut question);
                    }
                    (error, Arc::as_ptr(&inner))
                }
                answered => return answered,
            },
            None => {
                let why = self.broken().unwrap_or_default();
                (io_error(&self.path, "read", io::Error::other(why)), std::ptr::null())
            }
        };
        let inner = self.open_again(error, failed)?;
        self.ask(&inner, &mut question)
    }

    /// An answer counts if there was no half of a batch meanwhile.
    fn ask<T>(
        &self,
        inner: &Inner,
        question: &mut impl FnMut(&Inner) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let before = self.half.changes();
        let answered = question(inner);
        if self.half.is_there() || self.half.is_unwritten() || self.half.changes() != before {
            return Err(self.half_is_there());
        }
        answered
    }

    fn note_broken(&self, error: &StoreError) {
        let mut broken = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.get_or_insert_with(|| super::chain(error));
    }

    fn inner(&self) -> Option<Arc<Inner>> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The engine as its files have it, or the error that it was opened again for.
    fn open_again(&self, error: StoreError, failed: *const Inner) -> Result<Arc<Inner>, StoreError> {
        // Whoever hangs holds its files; and what fails again and again is not mended so.
        if self.writer.hangs() || self.reopened.load(Ordering::Acquire) >= REOPENED_MAX {
            return Err(error);
        }
        let mut place = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = place.as_ref()
            && !std::ptr::eq(Arc::as_ptr(current), failed)
        {
            // Somebody else has done it meanwhile.
            return Ok(Arc::clone(current));
        }
        if let Some(old) = place.take() {
            self.end_fetching();
            for _ in 0..READERS_AWAITED {
                if Arc::strong_count(&old) == 1 {
                    break;
                }
                thread::sleep(READERS_PAUSE);
            }
            if Arc::strong_count(&old) > 1 {
                *place = Some(old);
                return Err(error);
            }
            let _ = catch_unwind(AssertUnwindSafe(move || drop(old)));
        }
        self.reopened.fetch_add(1, Ordering::AcqRel);
        // What cannot be removed is said by the opening.
        let _ = remove_half_snapshots(&self.path);
        // It comes back with all of its log up to some place. What was acknowledged must be before that.
        let witness = self.witness.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let has_all = |inner: &Inner| match &witness {
            Some(witness) => inner.guarded(|| inner.db.contains_key(witness)).unwrap_or(false),
            None => true,
        };
        match Inner::open_after_failure(&self.path, self.options) {
            Ok(inner) if has_all(&inner) => {
                self.half.is_left_out();
                Ok(Arc::clone(place.insert(Arc::new(inner))))
            }
            _ => Err(error),
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.end_fetching();
        // Closing writes too, and sled panics if that fails; there is nobody left to tell.
        let inner = self.inner.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let own = inner.as_deref().and_then(|inner| self.worth_making_ready(inner));
        let close = move || drop(catch_unwind(AssertUnwindSafe(move || drop(inner))));
        // One that hangs is left behind, and the engine's files stay locked until the process ends.
        if self.writer.hangs() {
            return self.writer.leave(close);
        }
        let is_closed = self.writer.wait_for(close, self.options.patience).is_ok();
        if let Some(own) = own.filter(|_| is_closed) {
            let (path, options) = (self.path.clone(), self.options);
            drop(self.writer.wait_for(move || make_ready(&path, options, own), options.patience));
        }
    }
}

/// How a batch is taken back that fails.
struct Undoing {
    /// Reads what its keys have.
    before: Box<BeforeReading>,
    mark: Option<HalfMark>,
}

type BeforeReading = dyn FnOnce(&Inner, &[IVec]) -> Result<Vec<Option<IVec>>, StoreError> + Send;

/// Whether it is sled's word for something that it could not read, if it has not failed to write.
fn is_mere_reading(error: &StoreError) -> bool {
    let StoreError::Io { source, .. } = error else { return false };
    source.downcast_ref().is_some_and(|error| matches!(error, ::sled::Error::Io(_)))
}

/// What an engine has under these keys of its own.
fn read_all(inner: &Inner, keys: &[IVec]) -> Result<Vec<Option<IVec>>, StoreError> {
    fetch(inner, None, keys, FETCHING_THREADS, &|| true)
}

/// What an engine has under keys, read in so many threads at most while it is to go on.
fn fetch<K: AsRef<[u8]> + Sync>(
    inner: &Inner,
    cipher: Option<&Cipher>,
    keys: &[K],
    threads_max: usize,
    goes_on: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<Option<IVec>>, StoreError> {
    let get = |key: &K| {
        let stored = cipher.map(|cipher| cipher.key(key.as_ref()));
        inner.guarded(|| inner.db.get(stored.as_deref().unwrap_or(key.as_ref())))
    };
    let read = |keys: &[K]| keys.iter().take_while(|_| goes_on()).map(get).collect::<Result<Vec<_>, _>>();
    let threads = (keys.len() / FETCHED_A_THREAD).clamp(1, threads_max);
    let mut shares = keys.chunks(keys.len().div_ceil(threads).max(1));
    let own = shares.next().unwrap_or_default();
    thread::scope(|scope| {
        let begin = |share| (share, thread::Builder::new().spawn_scoped(scope, move || read(share)));
        let others: Vec<_> = shares.map(begin).collect();
        let mut found = read(own)?;
        for (share, thread) in others {
            // What no thread could be had for is read here.
            let read_there = thread.ok().and_then(|thread| thread.join().ok());
            found.extend(read_there.unwrap_or_else(|| read(share))?);
        }
        Ok(found)
    })
}

/// How many keys are worth fetching, and a thread.
const FETCHED_MIN: usize = 64;
const FETCHED_A_THREAD: usize = 32;
/// How many threads fetch: more than there are processors, because they mostly wait for a disk if anything of it is slow.
const FETCHING_THREADS: usize = 8;
/// The same while somebody works who is to be hindered as little as may be.
const FETCHING_MEANWHILE: usize = 2;
/// Up to how many keys are fetched while a commit is derived: as many as a page of changes has.
const FETCHED_MAX: usize = 2_000;
/// How many keys are removed in one batch.
const REMOVED_AT_ONCE: usize = 1_000;
/// How often an engine is opened again after a failure.
const REOPENED_MAX: u32 = 3;
/// How long readers are waited for before the engine is opened again.
const READERS_AWAITED: u32 = 200;
const READERS_PAUSE: Duration = Duration::from_millis(5);

/// Reads all that the opening of an engine rests on. Says how its log ends.
pub(super) fn read_first(path: &Path) -> Result<End, StoreError> {
    check_readable(path).map_err(|error| io_error(path, "read the engine's files, which are left as they are,", error))
}

/// Puts every file of a closed engine on the disk, names included; also those in `blobs/`, which sled never syncs.
pub(super) fn persist_files(path: &Path) -> Result<(), StoreError> {
    let failed = |error| io_error(path, "make the engine's files durable", error);
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?.path();
        if entry.is_dir() {
            persist_files(&entry)?;
        } else {
            File::open(&entry).and_then(|file| file.sync_all()).map_err(failed)?;
        }
    }
    sync_directory(path)
}

/// Whether the engine's file is there.
pub(super) fn exists(path: &Path) -> bool {
    path.join(DATA_FILE).is_file()
}

const LOCK_ATTEMPTS: u32 = 500;
const LOCK_PAUSE: Duration = Duration::from_millis(20);
pub(super) const DATA_FILE: &str = "db";
pub(super) const CONFIG_FILE: &str = "conf";
pub(super) const PAGES_FOLDER: &str = "blobs";
