//! An answer that is made piece by piece beside the asynchronous threads, and waits for whoever reads it, though not for ever.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

/// How many pieces wait for a reader who is slow.
const PIECES_MAX: usize = 4;
/// How long a reader may take for one of them.
const PATIENCE: Duration = Duration::from_secs(60);

/// Takes the pieces. To be used where blocking is allowed.
pub struct Pieces {
    runtime: Handle,
    send: mpsc::Sender<Result<Piece, std::io::Error>>,
}

enum Piece {
    Bytes(Bytes),
    /// The answer is whole.
    End,
}

/// Where the pieces are put, and the body that they become.
pub fn pieces() -> (Pieces, Body) {
    let (send, receive) = mpsc::channel(PIECES_MAX);
    let stream = stream::unfold(Some(receive), |receive: Option<mpsc::Receiver<_>>| async {
        let mut receive = receive?;
        match receive.recv().await {
            Some(Ok(Piece::Bytes(piece))) => Some((Ok(piece), Some(receive))),
            Some(Ok(Piece::End)) => None,
            Some(Err(error)) => Some((Err(error), None)),
            // Whoever made it has given up or died.
            None => Some((Err(std::io::Error::other("the answer was broken off")), None)),
        }
    });
    (Pieces { runtime: Handle::current(), send }, Body::from_stream(stream))
}

impl Pieces {
    /// Gives a piece. False if nobody takes it.
    pub fn give(&self, piece: impl Into<Bytes>) -> bool {
        self.put(Ok(Piece::Bytes(piece.into())))
    }

    /// Ends the answer. One that is not ended so is broken off, so that nobody takes it for whole.
    pub fn finish(&self) {
        self.put(Ok(Piece::End));
    }

    /// Breaks the answer off.
    pub fn break_off(&self, error: std::io::Error) {
        self.put(Err(error));
    }

    /// The runtime whose answer it is.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    fn put(&self, piece: Result<Piece, std::io::Error>) -> bool {
        let sending = async { tokio::time::timeout(PATIENCE, self.send.send(piece)).await };
        matches!(self.runtime.block_on(sending), Ok(Ok(())))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_that_is_not_ended_is_no_whole_one() {
        for is_ended in [true, false] {
            let (pieces, body) = pieces();
            let giving = tokio::task::spawn_blocking(move || {
                assert!(pieces.give("a line\n"));
                if is_ended {
                    pieces.finish();
                }
            });
            let read = body.collect().await;
            giving.await.unwrap();
            assert_eq!(read.is_ok(), is_ended);
        }
    }
}
