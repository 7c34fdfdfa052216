//! Answers that are made while they are read. Each holds a thread, so there are only so many at once, and only a few for one
//! token, lest one caller keeps all others waiting; and whoever sends a body meanwhile may not do so for ever.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::{Code, Problem};

/// How many answers are streamed at once.
#[derive(Debug)]
pub struct Streams {
    in_all: Arc<Semaphore>,
    for_each: usize,
    /// Of each token that ever streamed one, by its id.
    own: Mutex<BTreeMap<String, Arc<Semaphore>>>,
    patience: Duration,
}

/// The leave to stream one answer, for as long as it is kept.
#[derive(Debug)]
pub struct Leave {
    _own: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Streams {
    /// So many in all, and for each token; who comes when there are as many waits so long for another one to end.
    pub fn new(in_all: usize, for_each: usize, patience: Duration) -> Self {
        Self { in_all: Arc::new(Semaphore::new(in_all)), for_each, own: Mutex::default(), patience }
    }

    /// Leave for one more to the token with this id, in the order in which it was asked for.
    ///
    /// # Errors
    /// If there are still as many as there may be after a while.
    pub async fn begin(&self, token: &str) -> Result<Leave, Problem> {
        let own = {
            let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(own.entry(token.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.for_each))))
        };
        let until = tokio::time::Instant::now() + self.patience;
        let refused = |detail: &str| Problem { retry_after: Some(1), ..Problem::new(Code::RateLimited, detail) };
        let _own = within(until, own).await.ok_or_else(|| {
            refused("as many answers are streamed to this token at once as it may have")
                .with_hint("wait for one of them to end; a longer array does not count for more")
        })?;
        let _of_all = within(until, Arc::clone(&self.in_all))
            .await
            .ok_or_else(|| refused("the service streams as many answers at once as it can"))?;
        Ok(Leave { _own, _of_all })
    }
}

/// A permit, if there is one by then.
async fn within(until: tokio::time::Instant, semaphore: Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
    // Nobody closes these.
    tokio::time::timeout_at(until, semaphore.acquire_owned()).await.ok()?.ok()
}

/// How slowly a body may come in: so much waiting is free, and more of it for so many bytes that are no spaces. Time in which
/// nobody waits, because what came is being answered, does not count; so a long body may take as long as it needs.
#[derive(Clone, Copy, Debug)]
pub struct Slowest {
    /// The waiting that is free.
    pub free: Duration,
    /// How many bytes are to come for each further second of it.
    pub bytes_a_second: u32,
}

/// As slow as a body of asks may be: about one short ask a second.
pub const SLOWEST: Slowest = Slowest { free: Duration::from_secs(30), bytes_a_second: 64 };

impl Slowest {
    /// The pieces of a body, broken off once they come in more slowly than this.
    pub fn of<S>(self, body: S) -> impl Stream<Item = io::Result<Bytes>> + Send
    where
        S: Stream<Item = io::Result<Bytes>> + Send + Unpin,
    {
        stream::try_unfold((body, self.free), move |(mut body, patience)| async move {
            let began = tokio::time::Instant::now();
            let piece = tokio::time::timeout(patience, body.next()).await;
            let piece = piece.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "the body comes in too slowly"))?;
            let Some(piece) = piece.transpose()? else { return Ok(None) };
            let told = piece.iter().filter(|byte| !byte.is_ascii_whitespace()).count();
            let earned = Duration::from_secs_f64(told as f64 / f64::from(self.bytes_a_second.max(1)));
            let left = patience.saturating_sub(began.elapsed()).saturating_add(earned);
            Ok(Some((piece, (body, left))))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_token_has_a_few_streams_and_leaves_the_others_to_others() {
        let streams = Streams::new(3, 2, Duration::from_millis(20));
        let (first, second) = (streams.begin("a").await.unwrap(), streams.begin("a").await.unwrap());
        let refused = |leave: Result<Leave, Problem>| assert_eq!(leave.unwrap_err().code, Code::RateLimited);
        refused(streams.begin("a").await);
        let _other = streams.begin("b").await.unwrap();
        // Three in all.
        refused(streams.begin("c").await);
        drop(first);
        let _third = streams.begin("c").await.unwrap();
        drop(second);
        let _again = streams.begin("a").await.unwrap();
    }

    #[tokio::test]
    async fn who_comes_when_there_are_as_many_waits_for_one_to_end() {
        let streams = Streams::new(1, 1, Duration::from_secs(60));
        let first = streams.begin("a").await.unwrap();
        let end = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            drop(first);
        };
        let (second, ()) = tokio::join!(streams.begin("a"), end);
        assert!(second.is_ok());
    }

    /// Pieces that come so long one after the other.
    fn pieces(pause: Duration, pieces: Vec<&'static str>) -> impl Stream<Item = io::Result<Bytes>> + Send + Unpin {
        Box::pin(stream::iter(pieces).then(move |piece| async move {
            tokio::time::sleep(pause).await;
            Ok(Bytes::from_static(piece.as_bytes()))
        }))
    }

    #[tokio::test]
    async fn spaces_that_trickle_in_are_not_waited_for_and_asks_that_do_are() {
        let slowest = Slowest { free: Duration::from_millis(200), bytes_a_second: 100 };
        let pause = Duration::from_millis(50);
        let told = slowest.of(pieces(pause, vec![" "; 100])).collect::<Vec<_>>().await;
        assert!(told.len() < 10, "{told:?}");
        assert_eq!(told.last().unwrap().as_ref().unwrap_err().kind(), io::ErrorKind::TimedOut);
        // Ten bytes earn twice the time that they took.
        let told = slowest.of(pieces(pause, vec!["0123456789"; 20])).collect::<Vec<_>>().await;
        assert!(told.len() == 20 && told.iter().all(Result::is_ok), "{told:?}");
    }

    #[tokio::test]
    async fn time_in_which_nobody_waits_for_the_body_does_not_count() {
        let slowest = Slowest { free: Duration::from_millis(100), bytes_a_second: 1_000_000 };
        let mut told =
            Box::pin(slowest.of(stream::iter([Ok(Bytes::from_static(b"[1")), Ok(Bytes::from_static(b"]"))])));
        assert!(told.next().await.unwrap().is_ok());
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(told.next().await.unwrap().is_ok());
    }
}
