//! An engine seen over HTTP: `/metrics /health /ready /patterns /status`.
//!
//! It runs on a thread of its own and only looks; no event ever waits for whoever asks, and whoever pushes records and has to wait keeps nobody from asking. Nothing here changes anything, so there is nothing to protect
//! but the numbers themselves: it listens where it is told to, and that is the loopback interface unless an address says otherwise.

mod condition;
mod metrics;
#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, anyhow};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use leitmotif::engine::snapshot::Snapshot;
use tokio::sync::watch;

use condition::{Health, Readiness};

/// How long those who are being answered may still take when the server ends.
const GRACE: Duration = Duration::from_millis(200);

/// What the server looks at, from its own thread and at any time.
pub struct View {
    /// The engine at this moment.
    pub snapshot: Box<dyn Fn() -> Snapshot + Send + Sync>,
    /// What is stuck, if anything is.
    pub stuck: Box<dyn Fn() -> Option<String> + Send + Sync>,
}

/// A server that listens until it is dropped.
pub struct Server {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Begins to listen. With port 0 the system chooses one.
    ///
    /// # Errors
    /// When the address is taken, not ours, or not allowed.
    pub fn start(address: SocketAddr, view: View) -> Result<Server> {
        let listener =
            std::net::TcpListener::bind(address).map_err(|error| refused(address, &error))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .context("HTTP can't be served")?;
        let (stop, stopped) = watch::channel(false);
        let serve = move || {
            if let Err(error) = runtime.block_on(serve(listener, routes(view), stopped)) {
                tracing::error!(%error, "metrics and health are no longer served");
            }
        };
        let thread = thread::Builder::new()
            .name("http".to_owned())
            .spawn(serve)
            .context("HTTP can't be served")?;
        Ok(Server {
            address,
            stop,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // No receiver: the thread has ended by itself.
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(
    listener: std::net::TcpListener,
    routes: Router,
    stopped: watch::Receiver<bool>,
) -> io::Result<()> {
    let until = |mut stopped: watch::Receiver<bool>| async move {
        // An error says that the server was dropped without a word.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let late = until(stopped.clone());
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let server = axum::serve(listener, routes).with_graceful_shutdown(until(stopped));
    tokio::select! {
        ended = async { server.await } => ended,
        // Whoever keeps a connection open does not keep the run from ending.
        () = async { late.await; tokio::time::sleep(GRACE).await } => Ok(()),
    }
}

fn routes(view: View) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/patterns", get(patterns))
        .route("/status", get(status))
        .fallback(nowhere)
        .with_state(Arc::new(view))
}

async fn metrics(State(view): State<Arc<View>>) -> impl IntoResponse {
    let text = metrics::text((view.snapshot)(), now_ms());
    ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text)
}

async fn health(State(view): State<Arc<View>>) -> impl IntoResponse {
    let health = Health::of((view.stuck)());
    (code(health.healthy), Json(health))
}

async fn ready(State(view): State<Arc<View>>) -> impl IntoResponse {
    let readiness = Readiness::of((view.snapshot)().phase);
    (code(readiness.ready), Json(readiness))
}

async fn patterns(State(view): State<Arc<View>>) -> impl IntoResponse {
    let snapshot = (view.snapshot)();
    Json(condition::patterns(&snapshot)).into_response()
}

async fn status(State(view): State<Arc<View>>) -> impl IntoResponse {
    Json((view.snapshot)())
}

async fn nowhere() -> impl IntoResponse {
    let there = "no such page; there is /metrics, /health, /ready, /patterns and /status\n";
    (StatusCode::NOT_FOUND, there)
}

fn code(good: bool) -> StatusCode {
    if good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

fn refused(address: SocketAddr, error: &io::Error) -> anyhow::Error {
    let way_out = match error.kind() {
        ErrorKind::AddrInUse => {
            "another process listens there; end it, or name another port with --http"
        }
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address; write 127.0.0.1, or 0.0.0.0 for all of its addresses"
        }
        ErrorKind::PermissionDenied => {
            "ports below 1024 are for the system; name a higher one with --http"
        }
        _ => {
            return anyhow!(
                "metrics can't be served at {address}: {error}; name another address with --http"
            );
        }
    };
    anyhow!("metrics can't be served at {address}: {way_out}")
}
