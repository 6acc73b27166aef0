//! Credentials that are held for all clients, and renewed: before they expire, and once when AWS says
//! that they have, whatever their date.
//!
//! A renewal runs on its own. The call that asked for it may be given up meanwhile (reads have
//! little time), but a login helper that waits for a person must not be started again by the next.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use tokio::sync::Mutex;

/// How long before they expire they are renewed; what the SDK's own cache does.
const AHEAD: Duration = Duration::from_secs(10);
/// How long what was just handed out is not asked for again.
const FRESH: Duration = Duration::from_secs(5);

/// Wraps what the AWS configuration says. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Renewing(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: SharedCredentialsProvider,
    held: Mutex<Option<Held>>,
}

#[derive(Clone, Debug)]
struct Held {
    credentials: Credentials,
    since: Instant,
    refused: bool,
}

impl Held {
    fn good(&self) -> bool {
        let now = SystemTime::now();
        let left = self.credentials.expiry().map(|at| at.duration_since(now).unwrap_or_default());
        let young = self.since.elapsed() < FRESH && left != Some(Duration::ZERO);
        young || (!self.refused && left.is_none_or(|left| left > AHEAD))
    }
}

impl Renewing {
    pub(crate) fn new(source: SharedCredentialsProvider) -> Self {
        Self(Arc::new(Inner { source, held: Mutex::default() }))
    }

    /// AWS says that what was handed out has expired. Whether asking again may help.
    pub(super) fn refused(&self) -> bool {
        // Locked: it is being renewed already.
        let Ok(mut held) = self.0.held.try_lock() else { return true };
        match held.as_mut() {
            Some(held) if held.since.elapsed() >= FRESH => {
                held.refused = true;
                true
            }
            _ => false,
        }
    }
}

impl Inner {
    async fn credentials(&self) -> provider::Result {
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| held.good()) {
            return Ok(held.credentials.clone());
        }
        let credentials = self.source.provide_credentials().await?;
        *held = Some(Held { credentials: credentials.clone(), since: Instant::now(), refused: false });
        Ok(credentials)
    }
}

impl ProvideCredentials for Renewing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let inner = self.0.clone();
        let renewed = tokio::spawn(async move { inner.credentials().await });
        future::ProvideCredentials::new(async { renewed.await.map_err(CredentialsError::unhandled)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Hands out key after key, each good for so many seconds.
    #[derive(Debug)]
    struct Source(AtomicU32, u64);

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let key = format!("key{}", self.0.fetch_add(1, Ordering::Relaxed));
            let until = SystemTime::now() + Duration::from_secs(self.1);
            future::ProvideCredentials::ready(Ok(Credentials::new(key, "secret", None, Some(until), "test")))
        }
    }

    fn renewing(seconds: u64) -> Renewing {
        Renewing::new(SharedCredentialsProvider::new(Source(AtomicU32::new(1), seconds)))
    }

    async fn key(renewing: &Renewing) -> String {
        renewing.provide_credentials().await.expect("credentials").access_key_id().to_owned()
    }

    #[tokio::test]
    async fn credentials_are_held_until_they_expire() {
        let long = renewing(3600);
        assert_eq!((key(&long).await, key(&long).await), ("key1".to_owned(), "key1".to_owned()));
        let expired = renewing(0);
        assert_eq!((key(&expired).await, key(&expired).await), ("key1".to_owned(), "key2".to_owned()));
    }

    #[tokio::test]
    async fn those_that_were_refused_are_renewed_unless_they_are_new() {
        let renewing = renewing(3600);
        assert_eq!(key(&renewing).await, "key1");
        assert!(!renewing.refused(), "what was just handed out is no better a second time");
        if let Some(held) = renewing.0.held.lock().await.as_mut() {
            held.since -= FRESH;
        }
        assert!(renewing.refused());
        assert_eq!(key(&renewing).await, "key2");
    }
}
