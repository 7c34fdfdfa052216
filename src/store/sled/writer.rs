//! The thread in which an engine writes, and how long whoever asked for it waits.
//!
//! A write may never end. sled writes its log in a pool of threads that all engines of a process share, and those threads can
//! all wait for a lock whose holder waits for a task that is queued behind them. The pool never grows: sled 0.34.7 counts its
//! waiting threads wrongly, below nothing, which looks like very many. So a write that takes too long is given up, and no further
//! engine is opened in the process, since it would wait for the same threads; a new process has new ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};
use std::{io, thread};

/// A thread that does one thing after the other. It ends with this.
pub(super) struct Writer {
    jobs: Sender<Job>,
    /// Whether it was waited for in vain.
    hangs: AtomicBool,
}

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Silent {
    /// The thread has ended.
    Ended,
    /// It took longer than anybody waits. It may still be done.
    TooLong,
}

impl Writer {
    pub(super) fn start() -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::Builder::new()
            .name("whowas-engine".to_owned())
            .spawn(move || queue.into_iter().for_each(|job| job()))?;
        Ok(Self { jobs, hangs: AtomicBool::new(false) })
    }

    /// Whether something was given up that it was to do.
    pub(super) fn hangs(&self) -> bool {
        self.hangs.load(Ordering::Acquire)
    }

    /// Does it in the thread and waits for it, no longer than this.
    pub(super) fn wait_for<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        patience: Duration,
    ) -> Result<T, Silent> {
        let (tell, told) = mpsc::channel();
        let waited = Arc::new(AtomicU8::new(AWAITED));
        let ending = Ending(Arc::clone(&waited));
        let job: Job = Box::new(move || {
            let done = work();
            drop(ending);
            let _ = tell.send(done);
        });
        self.jobs.send(job).map_err(|_| Silent::Ended)?;
        match told.recv_timeout(patience) {
            Ok(done) => return Ok(done),
            Err(RecvTimeoutError::Disconnected) => return Err(Silent::Ended),
            Err(RecvTimeoutError::Timeout) => {}
        }
        HANGING.fetch_add(1, Ordering::AcqRel);
        if waited.swap(GIVEN_UP, Ordering::AcqRel) == DONE {
            // In the last moment.
            HANGING.fetch_sub(1, Ordering::AcqRel);
            return told.recv().map_err(|_| Silent::Ended);
        }
        self.hangs.store(true, Ordering::Release);
        Err(Silent::TooLong)
    }

    /// Does it in the thread, some time.
    pub(super) fn leave(&self, work: impl FnOnce() + Send + 'static) {
        // Without the thread there is nothing to do it, and nobody who waits for it.
        let _ = self.jobs.send(Box::new(work));
    }
}

/// Waits a moment until no write that was given up in this process is still going on; whether that is so.
pub(super) fn none_hangs(moment: Duration) -> bool {
    let began = Instant::now();
    while HANGING.load(Ordering::Acquire) > 0 {
        if began.elapsed() >= moment {
            return false;
        }
        thread::sleep(LOOKED_AGAIN);
    }
    true
}

type Job = Box<dyn FnOnce() + Send>;

/// Notes that something has ended, be it by a panic.
struct Ending(Arc<AtomicU8>);

impl Drop for Ending {
    fn drop(&mut self) {
        if self.0.swap(DONE, Ordering::AcqRel) == GIVEN_UP {
            HANGING.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// How many writes of this process were given up and have not ended.
static HANGING: AtomicUsize = AtomicUsize::new(0);

const AWAITED: u8 = 0;
const DONE: u8 = 1;
const GIVEN_UP: u8 = 2;

const LOOKED_AGAIN: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_is_given_up_and_hangs_until_it_ends() {
        let writer = Writer::start().unwrap();
        let (let_go, held) = mpsc::channel::<()>();
        let silent = writer.wait_for(move || held.recv().is_ok(), Duration::from_millis(20));
        assert_eq!(silent, Err(Silent::TooLong));
        assert!(writer.hangs());
        assert!(!none_hangs(Duration::from_millis(50)));
        drop(let_go);
        assert!(none_hangs(Duration::from_secs(20)));
        assert_eq!(writer.wait_for(|| 7, Duration::from_secs(20)), Ok(7), "it goes on behind that");
    }
}
