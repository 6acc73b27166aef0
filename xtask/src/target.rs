//! A real account or the local control plane. Nothing else may know which it is.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ecs::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use std::time::Duration;

use crate::aws::Aws;
use crate::aws::fault::{chain, no_credentials};
use crate::error::{Error, Kind, Result};

/// Where to deploy, as the flags and deploy.toml say.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Endpoint of the local control plane; `None` for AWS.
    pub local: Option<String>,
    /// Profile of the AWS configuration.
    pub profile: Option<String>,
    /// `--region`, or else deploy.toml's.
    pub region: Option<String>,
}

/// The region of the local control plane where nothing names one.
pub const LOCAL_REGION: &str = "us-east-1";

impl Target {
    /// Resolves region and credentials into clients.
    ///
    /// # Errors
    /// No region, or no way to log in: [`Kind::Preflight`].
    pub async fn connect(&self) -> Result<Aws> {
        match &self.local {
            Some(endpoint) => Ok(self.connect_local(endpoint)),
            None => self.connect_aws().await,
        }
    }

    /// Built by hand rather than loaded, so that nothing of the user's AWS configuration
    /// leaks into a local run.
    fn connect_local(&self, endpoint: &str) -> Aws {
        let region = self.region.clone().unwrap_or_else(|| LOCAL_REGION.to_owned());
        let credentials = Credentials::new("local", "local", None, None, "local control plane");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.clone()))
            .endpoint_url(endpoint)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client(ProxyConfig::disabled()))
            .timeout_config(timeouts())
            .retry_config(retries())
            .build();
        Aws::new(&config, region)
    }

    async fn connect_aws(&self) -> Result<Aws> {
        let mut loader = loader(self.region.clone());
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        let config = loader.load().await;
        let region = config.region().map(ToString::to_string).ok_or_else(no_region)?;
        check_credentials(&config).await?;
        Ok(Aws::new(&config, region))
    }
}

fn loader(region: Option<String>) -> aws_config::ConfigLoader {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client(ProxyConfig::from_env()))
        .timeout_config(timeouts())
        .retry_config(retries());
    match region {
        Some(region) => loader.region(Region::new(region)),
        None => loader,
    }
}

/// One pool of connections for all services; `proxy` is where they go through.
fn http_client(proxy: ProxyConfig) -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_with_connector_fn(move |settings, _| {
        let mut connector = Connector::builder()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring))
            .proxy_config(proxy.clone());
        if let Some(settings) = settings {
            connector = connector.connector_settings(settings.clone());
        }
        connector.build()
    })
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(Duration::from_secs(30))
        .build()
}

/// Throttling is retried with growing pauses: ECS allows 20 RegisterTaskDefinition calls at
/// once and one a second after that (observed: ecspresso#787).
fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(6)
}

async fn check_credentials(config: &SdkConfig) -> Result<()> {
    let provider = config.credentials_provider().ok_or_else(|| no_credentials("no credentials provider"))?;
    provider.provide_credentials().await.map_err(|error| no_credentials(&chain(&error)))?;
    Ok(())
}

fn no_region() -> Error {
    Error::new(Kind::Preflight, "no AWS region is set").hint(
        "add `region = \"eu-west-1\"` (say) at the top of deploy.toml, or pass `--region`, or set AWS_REGION",
    )
}
