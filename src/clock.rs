//! The only place that asks what time it is or for random bytes. Everything else takes both as arguments.

use crate::domain::time::Instant;

/// Where a program takes time and randomness from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    /// The time to pretend it is.
    pub fixed: Option<Instant>,
}

impl Clock {
    /// A clock that shows the system's time, or always the one given.
    pub fn new(fixed: Option<Instant>) -> Self {
        Self { fixed }
    }

    /// What time it is.
    pub fn now(&self) -> Instant {
        self.fixed.unwrap_or_else(system_now)
    }

    /// Sixteen random bytes from the operating system.
    pub fn salt(&self) -> [u8; 16] {
        // A version 4 UUID has 122 random bits, which is more than enough to keep a payload from being guessed.
        *uuid::Uuid::new_v4().as_bytes()
    }

    /// 32 random bytes from the operating system, from which a secret is made.
    ///
    /// # Errors
    /// If the operating system gives none.
    #[cfg(feature = "evidence")]
    pub fn secret(&self) -> std::io::Result<[u8; 32]> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(bytes)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one clock")]
fn system_now() -> Instant {
    chrono::Utc::now().into()
}
