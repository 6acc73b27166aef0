//! A small HTTP/1.1 client for calls inside the task: plain HTTP, pooled
//! keep-alive connections, a deadline on every call.

use std::{error::Error, fmt, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

/// How long to wait for a connection. The peers are on this machine.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// A call's answer, whatever its status.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The whole body.
    pub body: Bytes,
}

/// Why a call has no answer.
#[derive(Debug, PartialEq, Eq)]
pub enum CallError {
    /// No connection; the request was not sent.
    Connect(String),
    /// The deadline passed.
    Timeout(Duration),
    /// The body is larger than the client takes.
    TooLarge(usize),
    /// The connection broke after the request was at least partly sent.
    Broken(String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(cause) => write!(f, "no connection: {cause}"),
            Self::Timeout(limit) => write!(f, "no answer within {limit:?}"),
            Self::TooLarge(limit) => write!(f, "the answer is larger than {limit} bytes"),
            Self::Broken(cause) => write!(f, "the connection broke: {cause}"),
        }
    }
}

impl Error for CallError {}

/// The client. Clones share one connection pool.
#[derive(Debug, Clone)]
pub struct HttpClient {
    pool: Client<HttpConnector, Full<Bytes>>,
    timeout: Duration,
    max_body: usize,
}

impl HttpClient {
    /// A client whose calls take at most `timeout` and whose answers have at
    /// most `max_body` bytes.
    pub fn new(timeout: Duration, max_body: usize) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let pool = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self { pool, timeout, max_body }
    }

    /// Sends a request and reads the whole answer.
    ///
    /// A pooled connection may have been closed by the peer just when it was
    /// picked; an idempotent request is then sent once more, on another one.
    pub async fn call(&self, method: &Method, uri: &Uri, body: Bytes) -> Result<Answer, CallError> {
        let attempts = async {
            match self.attempt(method, uri, body.clone()).await {
                Err(CallError::Broken(_)) if method.is_idempotent() => self.attempt(method, uri, body).await,
                result => result,
            }
        };
        tokio::time::timeout(self.timeout, attempts).await.unwrap_or(Err(CallError::Timeout(self.timeout)))
    }

    async fn attempt(&self, method: &Method, uri: &Uri, body: Bytes) -> Result<Answer, CallError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri.clone();
        let response = self.pool.request(request).await.map_err(|error| {
            let cause = root_cause(&error);
            if error.is_connect() { CallError::Connect(cause) } else { CallError::Broken(cause) }
        })?;
        let status = response.status();
        let body = Limited::new(response.into_body(), self.max_body).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                CallError::TooLarge(self.max_body)
            } else {
                CallError::Broken(root_cause(error.as_ref()))
            }
        })?;
        Ok(Answer { status, body: body.to_bytes() })
    }
}

/// The innermost error's text: `Connection refused (os error 111)` says more
/// than `client error (Connect)`.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}
