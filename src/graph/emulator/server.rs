//! The socket: axum hands every request to the world, which answers at once; faults of the wire happen here.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request as HttpRequest, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use axum::serve::Listener;
use futures_util::stream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::answer::JSON;
use super::directory::Directory;
use super::quirks::{Quirk, Quirks};
use super::request::Request;
use super::tls::TlsListener;
use super::world::{Application, Clock, Delivery, Fault, RequestLog, World};
use crate::domain::time::Instant;

/// Largest request body read, in bytes.
const BODY_BYTES_MAX: usize = 4 << 20;

/// What an emulator starts with.
#[derive(Debug)]
pub struct EmulatorOptions {
    /// Where to listen; a free port of the loopback interface if not given. Other interfaces are refused, because
    /// anybody who reaches the control routes rules the directory.
    pub listen: Option<TcpListener>,
    /// A PEM file with a certificate and its private key: `https` is served instead of `http`.
    pub tls: Option<PathBuf>,
    /// The tenant id (its initial domain is accepted as well).
    pub tenant: String,
    /// The application that may ask for access tokens.
    pub client_id: String,
    /// Its secret.
    pub secret: String,
    /// The certificates registered for it, in DER: whoever signs with the key of one may ask too.
    pub certificates: Vec<Vec<u8>>,
    /// The subject of its one federated credential. Without it any token of another issuer will do; the signature of such a
    /// token is never checked, for the emulator does not know the issuer.
    pub federated_subject: Option<String>,
    /// Users a delta page holds.
    pub page_size: usize,
    /// The quirks switched on from the start.
    pub quirks: Quirks,
    /// The directory.
    pub directory: Directory,
    /// How its clock goes. `None` leaves it standing where it is.
    pub clock: Option<Clock>,
}

/// A running emulator. Dropping it closes the socket without waiting for anybody.
#[derive(Debug)]
pub struct Emulator {
    origin: String,
    world: Shared,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<io::Result<()>>,
}

impl Default for EmulatorOptions {
    /// An empty directory that stands at 2026-03-01T00:00:00Z, and an application whose data stand in
    /// [`EmulatorOptions`]'s constants.
    fn default() -> Self {
        // 2026-03-01T00:00:00Z.
        let start = Instant::from_micros(1_772_323_200_000_000);
        Self {
            listen: None,
            tls: None,
            tenant: Self::TENANT.to_owned(),
            client_id: Self::CLIENT_ID.to_owned(),
            secret: Self::SECRET.to_owned(),
            certificates: Vec::new(),
            federated_subject: None,
            page_size: 200,
            quirks: Quirks::default(),
            directory: Directory::new("contoso.onmicrosoft.com", start, 1),
            clock: None,
        }
    }
}

impl EmulatorOptions {
    /// The tenant id used unless another is given.
    pub const TENANT: &'static str = "0e1d6a3e-58f4-4c1b-9d2e-7a5f0c9b8e11";
    /// The client id used unless another is given.
    pub const CLIENT_ID: &'static str = "c11e0001-58f4-4c1b-9d2e-7a5f0c9b8e11";
    /// The secret used unless another is given.
    pub const SECRET: &'static str = "emulator-secret";
}

impl Emulator {
    /// Starts to serve, on the current tokio runtime.
    pub fn start(options: EmulatorOptions) -> io::Result<Self> {
        let listener = match options.listen {
            Some(listener) => listener,
            None => TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?,
        };
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() {
            let text = format!("the emulator serves loopback addresses only, not {address}");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;

        let application = Application {
            tenant: options.tenant,
            client_id: options.client_id,
            secret: options.secret,
            certificates: options.certificates,
            federated_subject: options.federated_subject,
        };
        let clock = options.clock.unwrap_or(Clock::Frozen(options.directory.now()));
        let mut directory = options.directory;
        let (Clock::Frozen(from) | Clock::Ticking { from, .. }) = clock;
        directory.set_now(from).map_err(|refusal| io::Error::new(io::ErrorKind::InvalidInput, refusal))?;
        let world = World::new(directory, options.quirks, application, options.page_size, clock);
        let world = Shared(Arc::new(Mutex::new(world)));

        let scheme = if options.tls.is_some() { "https" } else { "http" };
        let app = Router::new().fallback(answer).with_state(Served { world: world.clone(), scheme });
        let (stop, stopped) = oneshot::channel::<()>();
        let server = match options.tls {
            None => serve(listener, app, stopped),
            Some(file) => serve(TlsListener::new(listener, &file)?, app, stopped),
        };
        Ok(Self { origin: format!("{scheme}://{address}"), world, stop: Some(stop), server })
    }

    /// The base address, for example `http://127.0.0.1:40123`. Login and Graph endpoints are both below it.
    pub fn url(&self) -> String {
        self.origin.clone()
    }

    /// Reads or changes the directory, with its clock brought up to date. No request is answered meanwhile.
    pub fn with<R>(&self, act: impl FnOnce(&mut Directory) -> R) -> R {
        let mut world = self.world.lock();
        world.tick();
        let before = world.directory.now();
        let result = act(&mut world.directory);
        world.keep_gained(before);
        result
    }

    /// Moves the clock forward.
    pub fn advance(&self, span: Duration) {
        let mut world = self.world.lock();
        world.tick();
        let to = world.directory.now().plus(span);
        // Forward is the one direction in which the clock cannot refuse to go.
        let _ = world.set_now(to);
    }

    /// Moves the clock to `instant`, which must not be in its past.
    pub fn set_now(&self, instant: Instant) -> Result<(), super::Refusal> {
        let mut world = self.world.lock();
        world.tick();
        world.set_now(instant)
    }

    /// Replaces the quirks; counting starts anew.
    pub fn set_quirks(&self, quirks: impl IntoIterator<Item = Quirk>) {
        self.world.lock().set_quirks(quirks.into_iter().collect());
    }

    /// What is switched on, with what is left of each.
    pub fn quirks(&self) -> Vec<Quirk> {
        self.world.lock().quirks.active().to_vec()
    }

    /// The requests answered so far.
    pub fn requests(&self) -> RequestLog {
        self.world.lock().requests.clone()
    }

    /// Stops listening, finishes what is being answered, and returns when the socket is closed.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        // Clients keep idle connections open; nobody waits for those.
        if tokio::time::timeout(Duration::from_secs(2), &mut self.server).await.is_err() {
            self.server.abort();
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The world behind its lock. A standard mutex will do: no answer takes long and none awaits anything.
#[derive(Clone)]
struct Shared(Arc<Mutex<World>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("World")
    }
}

/// What every request is answered from.
#[derive(Clone)]
struct Served {
    world: Shared,
    scheme: &'static str,
}

fn serve<L>(listener: L, app: Router, stopped: oneshot::Receiver<()>) -> JoinHandle<io::Result<()>>
where
    L: Listener,
    L::Addr: std::fmt::Debug,
{
    let server = axum::serve(listener, app).with_graceful_shutdown(async move {
        // A dropped sender means the emulator itself was dropped; serving on would serve nobody.
        let _ = stopped.await;
    });
    tokio::spawn(server.into_future())
}

async fn answer(State(Served { world, scheme }): State<Served>, http: HttpRequest) -> Response {
    let (parts, body) = http.into_parts();
    let Ok(body) = to_bytes(body, BODY_BYTES_MAX).await else {
        let mut refused = Response::new(Body::empty());
        *refused.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
        return refused;
    };
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let mut headers = Vec::with_capacity(parts.headers.len());
    for (name, value) in &parts.headers {
        headers.push((name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    }
    let request = Request::new(parts.method.as_str(), &target, headers, body.to_vec());
    // Links must lead back by the name the client used, for clients refuse links to other hosts.
    let origin = format!("{scheme}://{}", request.header("host").unwrap_or("127.0.0.1"));
    let delivery = world.lock().deliver(&request, &target, &origin);
    render(delivery)
}

fn render(delivery: Delivery) -> Response {
    let Delivery { answer, date, fault } = delivery;
    let has_body = answer.body.is_some();
    let mut bytes = Bytes::from(answer.body.map(|body| body.to_string()).unwrap_or_default());
    let half = bytes.len() / 2;
    let body = match fault {
        None => Body::from(bytes),
        Some(Fault::Truncated) => Body::from(bytes.split_to(half)),
        Some(Fault::Reset) => broken(bytes.split_to(half)),
        Some(Fault::Slow(pause)) => {
            let first = bytes.split_to(half);
            slow(first, bytes, pause)
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if has_body {
        headers.insert("content-type", HeaderValue::from_static(JSON));
    }
    // Set here, so that hyper does not add the machine's time.
    headers.insert("date", HeaderValue::from_str(&date).unwrap_or(HeaderValue::from_static("")));
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
            headers.insert(name, value);
        }
    }
    response
}

/// A body that breaks off: the connection is closed without the end that HTTP asks for.
fn broken(first: Bytes) -> Body {
    Body::from_stream(stream::unfold(Some(first), |state| async move {
        match state {
            Some(first) if !first.is_empty() => Some((Ok(first), Some(Bytes::new()))),
            Some(_) => {
                // The half that went before must leave the buffer, or the client would see no answer at all.
                tokio::time::sleep(Duration::from_millis(50)).await;
                Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), None))
            }
            None => None,
        }
    }))
}

fn slow(first: Bytes, second: Bytes, pause: Duration) -> Body {
    Body::from_stream(stream::unfold(vec![second, first], move |mut rest| async move {
        let part = rest.pop()?;
        if rest.is_empty() {
            tokio::time::sleep(pause).await;
        }
        Some((Ok::<_, io::Error>(part), rest))
    }))
}
