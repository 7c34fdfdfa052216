//! Answers that are made while they are read. Each holds a thread, so there are only so many at once, and only a few for one
//! token, lest one caller keeps all others waiting; and whoever sends a body meanwhile may not do so for ever.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use futures_util::{Stream, StreamExt, stream};

use super::problem::{Code, Problem};

/// How many answers are streamed at once.
#[derive(Debug)]
pub struct Streams {
    in_all: usize,
    for_each: usize,
    held: Arc<Mutex<BTreeMap<String, usize>>>,
}

/// The leave to stream one answer, for as long as it is kept.
#[derive(Debug)]
pub struct Leave {
    token: String,
    held: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Streams {
    /// So many in all, and for each token.
    pub fn new(in_all: usize, for_each: usize) -> Self {
        Self { in_all, for_each, held: Arc::default() }
    }

    /// Leave for one more to the token with this id.
    ///
    /// # Errors
    /// If there are as many as there may be.
    pub fn begin(&self, token: &str) -> Result<Leave, Problem> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let own = held.get(token).copied().unwrap_or_default();
        let refused = |detail: &str| Problem { retry_after: Some(1), ..Problem::new(Code::RateLimited, detail) };
        if own >= self.for_each {
            return Err(refused("as many answers are streamed to this token at once as it may have")
                .with_hint("wait for one of them to end; a longer array does not count for more"));
        }
        if held.values().sum::<usize>() >= self.in_all {
            return Err(refused("the service streams as many answers at once as it can"));
        }
        held.insert(token.to_owned(), own + 1);
        Ok(Leave { token: token.to_owned(), held: Arc::clone(&self.held) })
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        match held.get_mut(&self.token) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(held.remove(&self.token)),
        }
    }
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

    #[test]
    fn one_token_has_a_few_streams_and_leaves_the_others_to_others() {
        let streams = Streams::new(3, 2);
        let (first, second) = (streams.begin("a").unwrap(), streams.begin("a").unwrap());
        assert_eq!(streams.begin("a").unwrap_err().code, Code::RateLimited);
        let _other = streams.begin("b").unwrap();
        // Three in all.
        assert_eq!(streams.begin("c").unwrap_err().code, Code::RateLimited);
        drop(first);
        let _third = streams.begin("c").unwrap();
        drop(second);
        let _again = streams.begin("a").unwrap();
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
