//! Serving, and stopping without losing a request.
//!
//! A stop has three phases:
//!
//! 1. *Linger*: everything is still served, but each answer carries
//!    `Connection: close`, so that clients with a kept-alive connection leave
//!    it at a moment when nothing is under way. Ends when no request has come
//!    for [`Drain::quiet`], at the latest after [`Drain::linger`].
//! 2. *Finish*: no new connections; idle ones are closed, requests in flight
//!    get their answers.
//! 3. At [`Drain::limit`] after the signal whatever is left is cut off.

use std::{
    future::Future,
    io,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    serve::ListenerExt,
};
use tokio::{net::TcpListener, sync::watch, time};

use crate::failure::Failure;

/// How long a request may take, its body included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The times of a stop, counted from the signal. ECS kills after 30 s, Docker
/// after 10.
#[derive(Debug, Clone, Copy)]
pub struct Drain {
    /// Lingering ends when no request has come for so long.
    pub quiet: Duration,
    /// Lingering ends after this time in any case.
    pub linger: Duration,
    /// The whole stop takes at most this time.
    pub limit: Duration,
}

impl Drain {
    /// For the program that clients talk to.
    pub const SERVER: Self = Self {
        quiet: Duration::from_millis(300),
        linger: Duration::from_secs(2),
        limit: Duration::from_secs(8),
    };
    /// For the program behind it: ECS signals all containers of a task at
    /// once, and the server still needs the store to finish.
    pub const DATA_STORE: Self = Self {
        quiet: Duration::from_millis(700),
        linger: Duration::from_secs(7),
        limit: Duration::from_secs(9),
    };
}

/// Serves until `stop` is ready, then stops as `drain` says.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()> + Send + 'static,
    drain: Drain,
) -> io::Result<()> {
    let traffic = Traffic::new();
    let router = router.layer(middleware::from_fn_with_state(traffic.clone(), conduct));
    let deadline = traffic.clone().deadline(drain.limit);
    let lingered = async move {
        stop.await;
        tracing::info!("stopping");
        traffic.linger(drain).await;
    };
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
    });
    tokio::select! {
        result = axum::serve(listener, router).with_graceful_shutdown(lingered) => result,
        () = deadline => {
            tracing::warn!("requests were still in flight at the end of the stop");
            Ok(())
        }
    }
}

/// What is known about the requests: how many came, and whether we are stopping.
#[derive(Clone)]
struct Traffic {
    requests: watch::Sender<u64>,
    stopping: watch::Sender<bool>,
}

impl Traffic {
    fn new() -> Self {
        Self { requests: watch::Sender::new(0), stopping: watch::Sender::new(false) }
    }

    async fn linger(&self, drain: Drain) {
        let mut requests = self.requests.subscribe();
        self.stopping.send_replace(true);
        let quiet = async { while time::timeout(drain.quiet, requests.changed()).await.is_ok() {} };
        if time::timeout(drain.linger, quiet).await.is_err() {
            tracing::warn!("requests still arrive; a load balancer should have stopped sending them");
        }
    }

    async fn deadline(self, limit: Duration) {
        let mut stopping = self.stopping.subscribe();
        // The sender is `self`, so waiting cannot fail before the signal.
        let signalled = stopping.wait_for(|stopping| *stopping).await.is_ok();
        debug_assert!(signalled, "the sender is alive");
        time::sleep(limit).await;
    }
}

/// What every request gets: a time limit, a log line, and its place in a stop.
async fn conduct(State(traffic): State<Traffic>, request: Request, next: Next) -> Response {
    traffic.requests.send_modify(|count| *count += 1);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let start = Instant::now();
    let mut response = match time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => too_slow().into_response(),
    };
    if *traffic.stopping.borrow() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let status = response.status().as_u16();
    let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
    if path == "/healthz" {
        tracing::debug!(%method, path, status, micros, "request");
    } else {
        tracing::info!(%method, path, status, micros, "request");
    }
    response
}

fn too_slow() -> Failure {
    let reason = format!("the request took longer than {REQUEST_TIMEOUT:?}");
    Failure::new(StatusCode::REQUEST_TIMEOUT, "timeout", reason)
}
