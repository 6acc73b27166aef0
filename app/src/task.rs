//! Which task this process runs in.
//!
//! The answer comes from the ECS task metadata endpoint version 4 (documented:
//! "Amazon ECS task metadata endpoint version 4", `${ECS_CONTAINER_METADATA_URI_V4}/task`);
//! elsewhere it is the host's name.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{Method, StatusCode, Uri};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use crate::http_client::HttpClient;

/// The agent answers from memory; a slow one is not worth waiting for.
const TIMEOUT: Duration = Duration::from_millis(500);
const MAX_METADATA: usize = 256 * 1024;

/// A task's identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Identity {
    /// A task of ECS.
    Task {
        /// The task's full ARN.
        arn: String,
        /// The task definition's family.
        family: String,
        /// The task definition's revision.
        revision: String,
    },
    /// A process somewhere else.
    Host {
        /// The host's name.
        host: String,
    },
}

/// The names that the endpoint uses.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    #[serde(rename = "TaskARN")]
    task_arn: String,
    family: String,
    revision: String,
}

/// Finds out the identity and keeps it.
#[derive(Debug, Clone)]
pub struct Task {
    endpoint: Option<Uri>,
    http: HttpClient,
    known: Arc<OnceCell<Identity>>,
}

impl Task {
    /// The task whose metadata endpoint is `base`, the value of
    /// `ECS_CONTAINER_METADATA_URI_V4`.
    pub fn with_metadata(base: Option<&str>) -> Self {
        let endpoint = base.and_then(|base| format!("{base}/task").parse().ok());
        Self { endpoint, http: HttpClient::new(TIMEOUT, MAX_METADATA), known: Arc::default() }
    }

    /// The identity. An endpoint that doesn't answer is asked again next time.
    pub async fn identity(&self) -> Identity {
        let found = self.known.get_or_try_init(|| async { self.ask().await.ok_or(()) }).await;
        found.cloned().unwrap_or_else(|()| Identity::Host { host: host_name() })
    }

    async fn ask(&self) -> Option<Identity> {
        let answer = self.http.call(&Method::GET, self.endpoint.as_ref()?, Bytes::new()).await;
        match answer {
            Ok(answer) if answer.status == StatusCode::OK => parse(&answer.body),
            Ok(answer) => {
                tracing::warn!(status = answer.status.as_u16(), "no task metadata");
                None
            }
            Err(error) => {
                tracing::warn!(reason = %error, "no task metadata");
                None
            }
        }
    }
}

fn parse(body: &[u8]) -> Option<Identity> {
    let Metadata { task_arn, family, revision } = serde_json::from_slice(body).ok()?;
    Some(Identity::Task { arn: task_arn, family, revision })
}

/// The container engine sets `HOSTNAME`; the kernel knows it anyway.
fn host_name() -> String {
    std::env::var("HOSTNAME")
        .or_else(|_| std::fs::read_to_string("/proc/sys/kernel/hostname"))
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_answer_is_understood() {
        let body = br#"{"Cluster": "default", "TaskARN": "arn:aws:ecs:us-west-2:111122223333:task/default/158d1c8083dd49d6b527399fd6414f5c",
            "Family": "curltest", "Revision": "26", "DesiredStatus": "RUNNING", "Containers": []}"#;
        let arn = "arn:aws:ecs:us-west-2:111122223333:task/default/158d1c8083dd49d6b527399fd6414f5c";
        let expected = Identity::Task { arn: arn.into(), family: "curltest".into(), revision: "26".into() };
        assert_eq!(parse(body), Some(expected));
        assert_eq!(parse(b"<html>"), None);
    }

    #[tokio::test]
    async fn outside_of_ecs_it_is_the_host() {
        let identity = Task::with_metadata(None).identity().await;
        assert!(matches!(identity, Identity::Host { host } if !host.is_empty()));
    }
}
