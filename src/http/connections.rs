//! How many connections there are at once. Whoever comes beyond that waits in the system's queue and holds no file of ours:
//! a service that cannot open files can write neither its ledger nor its log.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Bytes, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::Request;
use axum::response::Response;
use axum::{BoxError, Router};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

/// How many connections there are at once, where the system lets the process open as many files and more.
const CONNECTIONS_MAX: usize = 4_096;

/// How many connections there may be: half of the files that the process may open. The others are the ledger's, the log's,
/// and those of what is read.
pub fn at_most() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    files_of(&limits).map_or(CONNECTIONS_MAX, |files| (files / 2).clamp(1, CONNECTIONS_MAX))
}

/// How many files a process may open, from what Linux tells of its limits.
fn files_of(limits: &str) -> Option<usize> {
    limits.lines().find_map(|line| line.strip_prefix("Max open files"))?.split_whitespace().next()?.parse().ok()
}

/// Answers each connection, and lets so many of them be at once.
#[derive(Clone)]
pub struct Guests {
    router: Router,
    places: Arc<Semaphore>,
}

/// One connection.
#[derive(Clone)]
pub struct Guest {
    router: Router,
    peer: SocketAddr,
    /// Kept as long as anything of the connection is.
    _place: Arc<Option<OwnedSemaphorePermit>>,
}

impl Guests {
    /// Whom the router answers, at most so many at once.
    pub fn of(router: Router, at_most: usize) -> Self {
        Self { router: router.with_state(()), places: Arc::new(Semaphore::new(at_most)) }
    }
}

impl Service<SocketAddr> for Guests {
    type Response = Guest;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Guest, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    /// No further connection is taken before this one has its place.
    fn call(&mut self, peer: SocketAddr) -> Self::Future {
        let Self { router, places } = self.clone();
        Box::pin(async move {
            // Nobody closes the semaphore, so there is always a place in the end.
            let place = places.acquire_owned().await.ok();
            Ok(Guest { router, peer, _place: Arc::new(place) })
        })
    }
}

impl<B> Service<Request<B>> for Guest
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = <Router as Service<Request<B>>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        request.extensions_mut().insert(ConnectInfo(self.peer));
        self.router.call(request)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn whoever_comes_when_all_places_are_taken_waits_for_one_to_be_left() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut guests = Guests::of(Router::new(), 1);
        let first = guests.call(peer).await.unwrap();
        let second = first.clone();
        let waiting = guests.call(peer);
        let mut waiting = tokio::spawn(waiting);
        drop(first);
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut waiting).await.is_err());
        drop(second);
        assert!(waiting.await.unwrap().is_ok());
    }

    #[test]
    fn half_of_the_files_that_may_be_open_are_left_to_the_ledger() {
        let told = |files: &str| {
            files_of(&format!("Max processes  96365  96365  processes\nMax open files  {files}  524288  files\n"))
        };
        assert_eq!((told("1024"), told("unlimited"), files_of("")), (Some(1_024), None, None));
        assert!((1..=CONNECTIONS_MAX).contains(&at_most()));
    }
}
