//! A real account or the local control plane. Nothing else may know which it is.

use aws_config::identity::IdentityCache;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ecs::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use crate::aws::fault::{chain, no_credentials};
use crate::aws::{Aws, Renewing, timeouts};
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
            .build();
        Aws::new(&config, region, None).playing()
    }

    /// What the AWS configuration says, with the flags' and the file's part of it. Nothing of it was tried yet.
    pub(crate) async fn configuration(&self) -> SdkConfig {
        let mut loader = loader(self.region.clone());
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        loader.load().await
    }

    async fn connect_aws(&self) -> Result<Aws> {
        let config = self.configuration().await;
        let region = config.region().map(ToString::to_string).ok_or_else(no_region)?;
        let credentials = credentials(&config).await?;
        let config = config
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
            .build();
        Ok(Aws::new(&config, region, Some(credentials)))
    }
}

fn loader(region: Option<String>) -> aws_config::ConfigLoader {
    let loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client(ProxyConfig::from_env()))
        .timeout_config(timeouts())
        // Held by `Renewing`, in one place for all clients.
        .identity_cache(IdentityCache::no_cache());
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

/// The way to log in, which works.
async fn credentials(config: &SdkConfig) -> Result<Renewing> {
    let provider = config.credentials_provider().ok_or_else(|| no_credentials("no credentials provider"))?;
    let credentials = Renewing::new(provider);
    credentials.provide_credentials().await.map_err(|error| no_credentials(&chain(&error)))?;
    Ok(credentials)
}

/// Nothing says which region.
#[must_use]
pub(crate) fn no_region() -> Error {
    Error::new(Kind::Preflight, "no AWS region is set").hint(
        "add `region = \"eu-west-1\"` (say) at the top of deploy.toml, or pass `--region`, or set AWS_REGION",
    )
}
