//! All that the server knows: the directory, the quirks, the log of requests. Synchronous; the sockets are elsewhere.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};

use super::answer::Answer;
use super::directory::Directory;
use super::ids::IdSource;
use super::quirks::{Quirk, QuirkName, Quirks};
use super::request::Request;
use super::{api, control, login};
use crate::domain::time::Instant;

/// Longest log of requests kept; [`RequestLog::total`] still counts all.
pub const REQUESTS_KEPT_MAX: usize = 10_000;

/// One request the emulator answered.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SeenRequest {
    /// The method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// Whether it carried a bearer token.
    pub had_token: bool,
    /// The answer's status.
    pub status: u16,
}

/// The last requests, and how many there were.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct RequestLog {
    /// How many requests there were since the start, control requests not counted.
    pub total: u64,
    /// The last of them, oldest first; at most [`REQUESTS_KEPT_MAX`].
    pub last: VecDeque<SeenRequest>,
}

/// How the directory's clock goes.
#[derive(Clone, Copy, Debug)]
pub enum Clock {
    /// It stands until somebody moves it.
    Frozen(Instant),
    /// It showed `from` at `base` and has gone on since.
    Ticking {
        /// What it showed.
        from: Instant,
        /// When, by the machine's monotonic clock.
        base: std::time::Instant,
    },
}

/// Who may ask for access tokens.
#[derive(Clone, Debug)]
pub(super) struct Application {
    pub(super) tenant: String,
    pub(super) client_id: String,
    pub(super) secret: String,
    /// In DER.
    pub(super) certificates: Vec<Vec<u8>>,
    pub(super) federated_subject: Option<String>,
}

pub(super) struct World {
    pub(super) directory: Directory,
    pub(super) quirks: Quirks,
    pub(super) application: Application,
    pub(super) page_size: usize,
    pub(super) requests: RequestLog,
    pub(super) tokens_issued: u64,
    pub(super) clock: Clock,
    ids: IdSource,
}

/// An answer with what is to go wrong while it is sent.
pub(super) struct Delivery {
    pub(super) answer: Answer,
    pub(super) date: String,
    pub(super) fault: Option<Fault>,
}

/// What goes wrong on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    Reset,
    Truncated,
    Slow(Duration),
}

impl World {
    pub(super) fn new(
        directory: Directory,
        quirks: Quirks,
        application: Application,
        page_size: usize,
        clock: Clock,
    ) -> Self {
        let seed = quirks.seed();
        let mut world = Self {
            directory,
            quirks,
            application,
            page_size: page_size.max(1),
            requests: RequestLog::default(),
            tokens_issued: 0,
            clock,
            ids: IdSource::new(seed ^ 0x0072_6571),
        };
        world.apply_directory_quirks();
        world
    }

    /// Brings a ticking clock up to date.
    pub(super) fn tick(&mut self) {
        if let Clock::Ticking { from, base } = self.clock {
            // The clock never went back by itself, and whoever moved it ahead moved `from` along.
            let _ = self.directory.set_now(from.plus(base.elapsed()).max(self.directory.now()));
        }
    }

    /// Sets the clock ahead; a ticking one goes on from there.
    pub(super) fn set_now(&mut self, to: Instant) -> Result<(), super::Refusal> {
        let before = self.directory.now();
        self.directory.set_now(to)?;
        self.keep_gained(before);
        Ok(())
    }

    /// Lets a ticking clock go on from where the directory's was moved to since it showed `before`.
    pub(super) fn keep_gained(&mut self, before: Instant) {
        let gained = self.directory.now().since(before);
        if let Clock::Ticking { from, .. } = &mut self.clock {
            *from = from.plus(gained);
        }
    }

    pub(super) fn set_quirks(&mut self, quirks: Vec<Quirk>) {
        let since = self.requests.total;
        self.quirks.replace(quirks, since);
        self.apply_directory_quirks();
    }

    fn apply_directory_quirks(&mut self) {
        self.directory.set_smtp_unique(!self.quirks.has(QuirkName::SmtpNotUnique));
        self.directory.set_licence_takes_address(self.quirks.has(QuirkName::LicenceTakesAddress));
    }

    /// Answers one request.
    pub(super) fn deliver(&mut self, request: &Request, target: &str, origin: &str) -> Delivery {
        self.tick();
        let route = request.route();
        if route.first() == Some(&"_emulator") {
            let answer = control::answer(self, request);
            return Delivery { answer, date: self.http_date(), fault: None };
        }
        self.requests.total = self.requests.total.saturating_add(1);
        let answer = match login::answer(self, request, origin) {
            Some(answer) => answer,
            None => api::answer(self, request, origin),
        };
        let answer = self.finish(request, answer);
        let fault = self.fault(request);
        self.log(request, target, answer.status);
        Delivery { answer, date: self.http_date(), fault }
    }

    /// Fills in what every Graph answer carries.
    pub(super) fn finish(&mut self, request: &Request, mut answer: Answer) -> Answer {
        let request_id = self.ids.guid();
        let client_id = request.header("client-request-id").map_or_else(|| request_id.clone(), str::to_owned);
        let error = answer.body.as_mut().and_then(|body| body.get_mut("error")).and_then(Value::as_object_mut);
        if let Some(error) = error {
            let date = self.directory.now().to_chrono().map(|now| now.format("%Y-%m-%dT%H:%M:%S").to_string());
            error
                .entry("innerError")
                .or_insert_with(|| json!({ "date": date, "request-id": request_id, "client-request-id": client_id }));
        }
        answer.header("request-id", request_id).header("client-request-id", client_id)
    }

    /// The clock in the form of HTTP headers.
    pub(super) fn http_date(&self) -> String {
        http_date(self.directory.now())
    }

    fn fault(&mut self, request: &Request) -> Option<Fault> {
        let path = &request.path;
        let mut shows = |name| {
            let login = path.contains("/oauth2/");
            if login { self.quirks.fires_if_named(name, path) } else { self.quirks.fires(name, path) }
        };
        if shows(QuirkName::Reset).is_some() {
            return Some(Fault::Reset);
        }
        if shows(QuirkName::Truncated).is_some() {
            return Some(Fault::Truncated);
        }
        shows(QuirkName::SlowBody).map(|quirk| Fault::Slow(quirk.span(2.0)))
    }

    fn log(&mut self, request: &Request, target: &str, status: u16) {
        if self.requests.last.len() >= REQUESTS_KEPT_MAX {
            self.requests.last.pop_front();
        }
        let bearer = request.header("authorization").and_then(|value| value.get(..7));
        self.requests.last.push_back(SeenRequest {
            method: request.method.clone(),
            target: target.to_owned(),
            had_token: bearer.is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer ")),
            status,
        });
    }
}

pub(super) fn http_date(instant: Instant) -> String {
    let time = instant.to_chrono().unwrap_or_default();
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
