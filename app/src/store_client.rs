//! The server's view of `data-store`: typed operations over [`HttpClient`].

use std::{
    fmt,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::{Method, StatusCode, Uri};

use crate::{
    http_client::{Answer, CallError, HttpClient},
    store::{Limits, MAX_KEY, Put},
};

/// Where the containers of one task find each other: they share a network
/// namespace.
pub const DEFAULT_URL: &str = "http://localhost:4000";

/// How long one call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a refused connection is tried again. The containers of a task
/// start and restart at their own pace; a request need not fail for that.
const START_GRACE: Duration = Duration::from_secs(1);
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// The longest answer is the list of keys, each with quotes and a comma.
const MAX_ANSWER: usize = Limits::DEFAULT.keys * (MAX_KEY + 3) + 2;

/// Why an operation failed.
#[derive(Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The store cannot be reached, with the reason.
    Unreachable(String),
    /// The store is full.
    Full,
    /// The store answered what it never should.
    Unexpected(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(reason) => write!(f, "the data store cannot be reached: {reason}"),
            Self::Full => f.write_str("the data store is full"),
            Self::Unexpected(what) => write!(f, "the data store answered {what}"),
        }
    }
}

impl std::error::Error for StoreError {}

impl From<CallError> for StoreError {
    fn from(error: CallError) -> Self {
        Self::Unreachable(error.to_string())
    }
}

/// A data store somewhere. Clones share the connections.
#[derive(Debug, Clone)]
pub struct DataStore {
    base: String,
    http: HttpClient,
}

impl DataStore {
    /// The store at this URL: `http://HOST:PORT`, without a path.
    ///
    /// The error says what is wrong with the URL.
    pub fn at(url: &str) -> Result<Self, String> {
        let base = url.trim_end_matches('/');
        let uri: Uri = base.parse().map_err(|error| format!("`{url}` is not a URL: {error}"))?;
        if uri.scheme_str() != Some("http") || uri.path() != "/" || uri.query().is_some() {
            return Err(format!("`{url}` is not of the form http://HOST:PORT"));
        }
        Ok(Self { base: base.to_owned(), http: HttpClient::new(CALL_TIMEOUT, MAX_ANSWER) })
    }

    /// Whether the store answers right now.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let answer = self.http.call(&Method::GET, &self.uri("/healthz")?, Bytes::new()).await?;
        if answer.status == StatusCode::OK { Ok(()) } else { Err(unexpected(&answer)) }
    }

    /// All keys, sorted.
    pub async fn keys(&self) -> Result<Vec<String>, StoreError> {
        let answer = self.call(&Method::GET, "/keys", Bytes::new()).await?;
        match answer.status {
            StatusCode::OK => serde_json::from_slice(&answer.body).map_err(|_| unexpected(&answer)),
            _ => Err(unexpected(&answer)),
        }
    }

    /// The value of a key that [`check_key`](crate::store::check_key) accepts.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let answer = self.call(&Method::GET, &format!("/keys/{key}"), Bytes::new()).await?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer.body)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(unexpected(&answer)),
        }
    }

    /// Sets a key.
    pub async fn put(&self, key: &str, value: Bytes) -> Result<Put, StoreError> {
        let answer = self.call(&Method::PUT, &format!("/keys/{key}"), value).await?;
        match answer.status {
            StatusCode::CREATED => Ok(Put::Created),
            StatusCode::OK => Ok(Put::Replaced),
            StatusCode::INSUFFICIENT_STORAGE => Err(StoreError::Full),
            _ => Err(unexpected(&answer)),
        }
    }

    /// Removes a key; `false` when there was none.
    pub async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        let answer = self.call(&Method::DELETE, &format!("/keys/{key}"), Bytes::new()).await?;
        match answer.status {
            StatusCode::NO_CONTENT => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(unexpected(&answer)),
        }
    }

    /// A call that gives a store that is still starting [`START_GRACE`].
    async fn call(&self, method: &Method, path: &str, body: Bytes) -> Result<Answer, StoreError> {
        let (uri, start) = (self.uri(path)?, Instant::now());
        loop {
            match self.http.call(method, &uri, body.clone()).await {
                Err(CallError::Connect(_)) if start.elapsed() < START_GRACE => {
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                result => return Ok(result?),
            }
        }
    }

    fn uri(&self, path: &str) -> Result<Uri, StoreError> {
        format!("{}{path}", self.base)
            .parse()
            .map_err(|_| StoreError::Unexpected(format!("no path `{path}`")))
    }
}

fn unexpected(answer: &Answer) -> StoreError {
    StoreError::Unexpected(answer.status.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_checked() {
        for good in [DEFAULT_URL, "http://127.0.0.1:4000/", "http://store"] {
            assert!(DataStore::at(good).is_ok(), "{good}");
        }
        for bad in ["", "localhost:4000", "https://store", "http://store/path", "http://store?x", "http://"] {
            assert!(DataStore::at(bad).is_err(), "{bad}");
        }
    }
}
