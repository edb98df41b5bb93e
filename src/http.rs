//! What is reached by HTTP: one thread serves every address; an address is shared by whoever answers below it.
//!
//! Everything else in this library waits on threads of its own, so this is the only place with an asynchronous runtime. It
//! starts when something listens for the first time and then stays.
//!
//! ```no_run
//! use std::sync::Arc;
//! use leitmotif::http::{Listener, Response};
//!
//! let listener = Listener::at("127.0.0.1:9090".parse()?)?;
//! let mounted = listener.mount("/health", Arc::new(|_| Box::pin(async { Response::new("fine\n".into()) })));
//! // Until `mounted` is dropped, `GET /health` is answered.
//! # drop(mounted);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::http::{StatusCode, header};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

pub use axum::body::Body;
/// What was asked.
pub type Request = axum::http::Request<Body>;
/// What is answered.
pub type Response = axum::http::Response<Body>;

/// An answer that is being found.
pub type Answer = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Answers requests for one path.
pub type Answering = Arc<dyn Fn(Request) -> Answer + Send + Sync>;

/// How many requests of one address are answered at a time; each may hold a record's worth of memory.
const REQUESTS_MAX: usize = 256;

/// How often an address is tried that was given up a moment ago, ten milliseconds apart.
const BIND_TRIES: u32 = 50;

/// The runtime's handle, once there is one.
static RUNTIME: Mutex<Option<Handle>> = Mutex::new(None);

/// Everyone who listens.
static LISTENERS: Mutex<Vec<Weak<Listener>>> = Mutex::new(Vec::new());

/// Nothing is left half-done while one of these is held.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The runtime that serves everything; one thread.
///
/// # Errors
/// When the system gives no thread.
pub fn runtime() -> io::Result<Handle> {
    let mut started = lock(&RUNTIME);
    if let Some(handle) = &*started {
        return Ok(handle.clone());
    }
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("http".to_owned())
        .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
    *started = Some(handle.clone());
    Ok(handle)
}

/// An address that is listened at for as long as somebody holds it.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    routes: Arc<Mutex<Routes>>,
    /// Dropped with the listener: nothing more is accepted.
    _stop: oneshot::Sender<()>,
}

/// Who answers, by path.
#[derive(Default)]
struct Routes(HashMap<String, Route>);

enum Route {
    Mounted(Answering),
    /// Nobody any more, or not yet again.
    Left,
}

/// A path that is answered until this is dropped; then it is unavailable for as long as its address is listened at.
#[derive(Debug)]
pub struct Mounted {
    listener: Arc<Listener>,
    path: String,
}

/// A place among the requests that are answered at a time: an extension of each request. It is left when the answer is there, or before, by whoever waits long
/// and holds little.
#[derive(Clone, Debug)]
pub(crate) struct Place(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Place {
    pub(crate) fn leave(&self) {
        lock(&self.0).take();
    }
}

/// Somebody else answers this path.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken;

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl Listener {
    /// Listens at an address, or joins who does.
    ///
    /// # Errors
    /// When the address is not this machine's, is taken by another process, or may not be used.
    pub fn at(address: SocketAddr) -> io::Result<Arc<Listener>> {
        let mut listeners = lock(&LISTENERS);
        listeners.retain(|listener| listener.strong_count() > 0);
        let mut living = listeners.iter().filter_map(Weak::upgrade);
        if let Some(same) = living.find(|listener| listener.address == address) {
            return Ok(same);
        }
        let listener = Arc::new(Listener::bind(address)?);
        listeners.push(Arc::downgrade(&listener));
        Ok(listener)
    }

    fn bind(address: SocketAddr) -> io::Result<Listener> {
        let mut tries = 0;
        let socket = loop {
            match TcpListener::bind(address) {
                // A listener that was dropped takes a moment to let go.
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && tries < BIND_TRIES => {
                    tries += 1;
                    thread::sleep(Duration::from_millis(10));
                }
                bound => break bound?,
            }
        };
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let runtime = runtime()?;
        let socket = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(socket)?
        };
        let routes = Arc::new(Mutex::new(Routes::default()));
        let (stop, stopped) = oneshot::channel::<()>();
        let answering = Arc::clone(&routes);
        let places = Arc::new(Semaphore::new(REQUESTS_MAX));
        let router = Router::new().fallback(move |mut request: Request| {
            let (routes, places) = (Arc::clone(&answering), Arc::clone(&places));
            async move {
                match places.try_acquire_owned() {
                    Ok(permit) => {
                        let place = Place(Arc::new(Mutex::new(Some(permit))));
                        request.extensions_mut().insert(place.clone());
                        let answer = lock(&routes).answer(request);
                        let response = answer.await;
                        place.leave();
                        response
                    }
                    Err(_) => unavailable("too many requests at once"),
                }
            }
        });
        runtime.spawn(async move {
            let serving = axum::serve(socket, router).with_graceful_shutdown(async {
                // Nothing is ever sent: it ends when the listener is dropped.
                let _ = stopped.await;
            });
            if let Err(error) = serving.await {
                tracing::error!(%address, %error, "HTTP is served no more");
            }
        });
        Ok(Listener {
            address,
            routes,
            _stop: stop,
        })
    }

    /// The address, with the port that the system chose.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers requests for exactly this path.
    ///
    /// # Errors
    /// When somebody else does.
    pub fn mount(self: &Arc<Listener>, path: &str, answering: Answering) -> Result<Mounted, Taken> {
        let routes = &mut lock(&self.routes).0;
        if let Some(Route::Mounted(_)) = routes.get(path) {
            return Err(Taken);
        }
        routes.insert(path.to_owned(), Route::Mounted(answering));
        Ok(Mounted {
            listener: Arc::clone(self),
            path: path.to_owned(),
        })
    }
}

impl Routes {
    /// Finds who answers. The answer itself is found without a lock.
    fn answer(&self, request: Request) -> Answer {
        match self.0.get(request.uri().path()) {
            Some(Route::Mounted(answering)) => answering(request),
            Some(Route::Left) => Box::pin(async { unavailable("stopping") }),
            None => {
                let mut known: Vec<&str> = self.0.keys().map(String::as_str).collect();
                known.sort_unstable();
                let error = format!("nothing is here; paths are {}", known.join(" "));
                let mut response = Response::new(format!("{error}\n").into());
                *response.status_mut() = StatusCode::NOT_FOUND;
                Box::pin(async { response })
            }
        }
    }
}

/// 503: the same may work in a second.
pub(crate) fn unavailable(why: &str) -> Response {
    let mut response = Response::new(format!("{{\"error\":\"{why}\"}}\n").into());
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

impl Mounted {
    /// The address that is listened at.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.address
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let routes = &mut lock(&self.listener.routes).0;
        routes.insert(std::mem::take(&mut self.path), Route::Left);
    }
}
