//! Sessions: who has signed in, for how long. They are in memory alone; a restart of the service ends them all.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::time::Instant;

/// How long a session lasts, however busy.
const LASTS: Duration = Duration::from_secs(8 * 3_600);
/// How long it lasts without a request.
const IDLE: Duration = Duration::from_secs(3_600);
/// How many there are at once. The one that was used the longest time ago makes room.
const SESSIONS_MAX: usize = 10_000;

/// A session's secret, of which the cookie is made.
pub type Secret = [u8; 32];

/// The sessions. Clones share them.
#[derive(Clone, Default)]
pub struct Sessions(Arc<Mutex<BTreeMap<[u8; 32], Session>>>);

/// A session.
#[derive(Clone, Debug)]
pub struct Session {
    /// The id of the token with which it was begun.
    pub token: String,
    /// What every form must carry.
    pub form: String,
    begun: Instant,
    used: Instant,
}

impl Sessions {
    /// Begins a session.
    pub fn begin(&self, secret: Secret, form: Secret, token: String, now: Instant) {
        let mut sessions = self.lock();
        sessions.retain(|_, session| session.is_good(now));
        while sessions.len() >= SESSIONS_MAX {
            let stalest = sessions.iter().min_by_key(|(_, session)| session.used).map(|(key, _)| *key);
            if let Some(key) = stalest {
                sessions.remove(&key);
            }
        }
        sessions.insert(key(&secret), Session { token, form: HEXLOWER.encode(&form), begun: now, used: now });
    }

    /// The session of a cookie, which counts as used.
    pub fn find(&self, cookie: &str, now: Instant) -> Option<Session> {
        let key = key(&read(cookie)?);
        let mut sessions = self.lock();
        let session = sessions.get_mut(&key)?;
        if !session.is_good(now) {
            sessions.remove(&key);
            return None;
        }
        session.used = now;
        Some(session.clone())
    }

    /// Ends the session of a cookie. From now on the cookie is nobody's.
    pub fn end(&self, cookie: &str) {
        if let Some(secret) = read(cookie) {
            self.lock().remove(&key(&secret));
        }
    }

    /// Ends all sessions of a token.
    pub fn end_all_of(&self, token: &str) {
        self.lock().retain(|_, session| session.token != token);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<[u8; 32], Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Whether a form's token is the session's.
    pub fn knows(&self, form: &str) -> bool {
        bool::from(self.form.as_bytes().ct_eq(form.as_bytes()))
    }

    fn is_good(&self, now: Instant) -> bool {
        now.duration_since(self.begun) < LASTS && now.duration_since(self.used) < IDLE
    }
}

fn read(text: &str) -> Option<Secret> {
    let mut secret = [0; 32];
    if text.len() != 2 * secret.len() {
        return None;
    }
    HEXLOWER.decode_mut(text.as_bytes(), &mut secret).is_ok().then_some(secret)
}

/// The map is searched by hashes, so that the time a search takes tells nothing of a secret.
fn key(secret: &Secret) -> [u8; 32] {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(count: u64) -> Duration {
        Duration::from_secs(count * 60)
    }

    #[test]
    fn a_session_ends_after_an_idle_hour_after_eight_hours_and_when_it_is_ended() {
        let (sessions, begun) = (Sessions::default(), Instant::now());
        let cookie = HEXLOWER.encode(&[7; 32]);
        let begin = |token: &str| sessions.begin([7; 32], [8; 32], token.to_owned(), begun);
        begin("t1");
        assert_eq!(sessions.find(&cookie, begun + minutes(59)).unwrap().token, "t1");
        assert!(sessions.find(&cookie, begun + minutes(118)).is_some(), "a request keeps it");
        assert!(sessions.find(&cookie, begun + minutes(178)).is_none(), "an hour without one does not");
        begin("t1");
        for step in 0..9 {
            let is_there = sessions.find(&cookie, begun + minutes(step * 59)).is_some();
            assert_eq!(is_there, step * 59 < 480);
        }
        begin("t1");
        sessions.end(&cookie);
        assert!(sessions.find(&cookie, begun).is_none(), "what was ended is over, whoever kept the cookie");
        begin("t1");
        sessions.end_all_of("t2");
        assert!(sessions.find(&cookie, begun).is_some());
        sessions.end_all_of("t1");
        assert!(sessions.find(&cookie, begun).is_none());
    }

    #[test]
    fn a_cookie_that_nobody_was_given_finds_nothing_and_a_form_needs_its_token() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        sessions.begin([7; 32], [8; 32], "t1".to_owned(), now);
        let session = sessions.find(&HEXLOWER.encode(&[7; 32]), now).unwrap();
        assert!(session.knows(&HEXLOWER.encode(&[8; 32])));
        for wrong in ["", "0", &HEXLOWER.encode(&[9; 32]), &HEXLOWER.encode(&[8; 32])[..63], "\u{e9}\u{e9}"] {
            assert!(!session.knows(wrong) && sessions.find(wrong, now).is_none(), "{wrong:?}");
        }
        assert!(sessions.find(&"é".repeat(32), now).is_none());
    }

    #[test]
    fn many_sessions_are_bounded_and_the_stalest_makes_room() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        for number in 0..=SESSIONS_MAX {
            let mut secret = [0; 32];
            secret[..8].copy_from_slice(&(number as u64).to_be_bytes());
            sessions.begin(secret, [0; 32], "t".to_owned(), now + Duration::from_millis(number as u64));
        }
        assert_eq!(sessions.lock().len(), SESSIONS_MAX);
        assert!(sessions.find(&HEXLOWER.encode(&[0; 32]), now + minutes(1)).is_none());
    }
}
