//! A host that nobody configured. It listens, so that a token carried there would be seen and not merely lost.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::dice::Dice;

pub struct Foreign {
    port: u16,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    requests: AtomicU64,
    tokens: AtomicU64,
}

impl Foreign {
    pub fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, seen) = (listener.local_addr().unwrap().port(), Arc::new(Seen::default()));
        let told = Arc::clone(&seen);
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                told.requests.fetch_add(1, Ordering::Relaxed);
                let _bounded = stream.set_read_timeout(Some(Duration::from_secs(2)));
                let mut head = [0; 16_384];
                let length = stream.read(&mut head).unwrap_or(0);
                if String::from_utf8_lossy(&head[..length]).to_ascii_lowercase().contains("authorization:") {
                    told.tokens.fetch_add(1, Ordering::Relaxed);
                }
                let _gone = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{\"value\":[]}");
            }
        });
        Self { port, seen }
    }

    /// One of the ways in which a link can lead here: another port, another name, or the right host as a user's name.
    pub fn origin(&self, dice: &mut Dice, right: &str) -> String {
        let right = right.strip_prefix("http://").unwrap();
        match dice.below(3) {
            0 => format!("http://127.0.0.1:{}", self.port),
            1 => format!("http://localhost:{}", self.port),
            _ => format!("http://{right}@127.0.0.1:{}", self.port),
        }
    }

    /// How many connections there were, and how many of them brought a token.
    pub fn seen(&self) -> (u64, u64) {
        (self.seen.requests.load(Ordering::Relaxed), self.seen.tokens.load(Ordering::Relaxed))
    }
}
