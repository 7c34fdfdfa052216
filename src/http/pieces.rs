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
    send: mpsc::Sender<Result<Bytes, std::io::Error>>,
}

/// Where the pieces are put, and the body that they become.
pub fn pieces() -> (Pieces, Body) {
    let (send, receive) = mpsc::channel(PIECES_MAX);
    let stream = stream::unfold(receive, |mut receive: mpsc::Receiver<_>| async {
        receive.recv().await.map(|piece| (piece, receive))
    });
    (Pieces { runtime: Handle::current(), send }, Body::from_stream(stream))
}

impl Pieces {
    /// Gives a piece. False if nobody takes it.
    pub fn give(&self, piece: impl Into<Bytes>) -> bool {
        self.put(Ok(piece.into()))
    }

    /// Breaks the answer off, so that nobody takes it for whole.
    pub fn break_off(&self, error: std::io::Error) {
        self.put(Err(error));
    }

    /// The runtime whose answer it is.
    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    fn put(&self, piece: Result<Bytes, std::io::Error>) -> bool {
        let sending = async { tokio::time::timeout(PATIENCE, self.send.send(piece)).await };
        matches!(self.runtime.block_on(sending), Ok(Ok(())))
    }
}
