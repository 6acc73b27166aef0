//! Calls to services of which one or two questions are asked: IAM, STS, Secrets Manager, Systems Manager. Input and
//! answer are JSON trees, whatever the protocol.
//!
//! Their SDKs would be compiled for six calls (IAM's and Systems Manager's are among the largest there are). The
//! parts that these calls are made of (the orchestrator with its retries and timeouts, the signer) are compiled
//! already, for the SDKs that are used.

use aws_config::SdkConfig;
use aws_runtime::auth::sigv4::{SCHEME_ID, SigV4AuthScheme};
use aws_runtime::auth::{SigV4OperationSigningConfig, SigningOptions};
use aws_runtime::retries::classifiers::AwsErrorCodeClassifier;
use aws_smithy_runtime::client::identity::IdentityCache;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{HttpStatusCodeClassifier, TransientErrorClassifier};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::auth::static_resolver::StaticAuthSchemeOptionResolver;
use aws_smithy_runtime_api::client::auth::{
    AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponentsBuilder;
use aws_smithy_runtime_api::client::runtime_plugin::StaticRuntimePlugin;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::Layer;
use aws_smithy_types::date_time::{DateTime, Format};
use aws_smithy_types::error::ErrorMetadata;
use aws_types::SigningName;
use aws_types::region::SigningRegion;
use aws_types::service_config::ServiceConfigKey;
use serde_json::Value;

use super::patience::{ExpiredIsRetried, Patience, retries, timeouts};
use super::{partition, query};

/// A service, as far as calling it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Api {
    /// What the AWS configuration calls it: `AWS_ENDPOINT_URL_IAM`, `[services]`.
    id: &'static str,
    /// The first part of its host, and what requests are signed for.
    name: &'static str,
    protocol: Protocol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// awsQuery; the version of the API.
    Query(&'static str),
    /// awsJson1.1; the part of `X-Amz-Target` before the operation.
    Json(&'static str),
}

/// Identity and Access Management.
pub(crate) const IAM: Api = Api { id: "IAM", name: "iam", protocol: Protocol::Query("2010-05-08") };
/// Security Token Service.
pub(crate) const STS: Api = Api { id: "STS", name: "sts", protocol: Protocol::Query("2011-06-15") };
/// Secrets Manager.
pub(crate) const SECRETS: Api =
    Api { id: "Secrets Manager", name: "secretsmanager", protocol: Protocol::Json("secretsmanager") };
/// Systems Manager, for its Parameter Store.
pub(crate) const PARAMETERS: Api = Api { id: "SSM", name: "ssm", protocol: Protocol::Json("AmazonSSM") };

/// How a call failed.
pub(crate) type Failure = SdkError<ErrorMetadata, HttpResponse>;

/// Calls any [`Api`].
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    config: SdkConfig,
    patience: Patience,
}

impl Caller {
    pub(super) const fn new(config: SdkConfig, patience: Patience) -> Self {
        Self { config, patience }
    }

    /// Calls an operation in a region; IAM has one endpoint for all of them.
    pub(crate) async fn call(
        &self,
        api: Api,
        region: &str,
        operation: &'static str,
        input: Value,
    ) -> Result<Value, Failure> {
        let (endpoint, signing_region) = self.endpoint(api, region);
        let mut builder = Operation::builder()
            .service_name(api.name)
            .operation_name(operation)
            .endpoint_url(&endpoint)
            .timeout_config(timeouts())
            .standard_retry(&retries())
            .retry_classifier(AwsErrorCodeClassifier::<ErrorMetadata>::new())
            .retry_classifier(TransientErrorClassifier::<ErrorMetadata>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(ExpiredIsRetried)
            .interceptor(self.patience.clone())
            .runtime_plugin(self.signed(api, signing_region));
        if let Some(client) = self.config.http_client() {
            builder = builder.http_client(client);
        }
        let call = builder
            .serializer(move |input: Value| request(api, operation, &input))
            .deserializer(move |answer: &HttpResponse| read(api, operation, answer))
            .build();
        call.invoke(input).await
    }

    fn signed(&self, api: Api, region: String) -> StaticRuntimePlugin {
        let mut config = Layer::new("signature");
        config.store_put(AuthSchemeOptionResolverParams::new(()));
        config.store_put(SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(aws_config::Region::new(region))),
            name: Some(SigningName::from_static(api.name)),
            region_set: None,
            signing_options: SigningOptions::default(),
        });
        let mut parts = RuntimeComponentsBuilder::new("signature")
            .with_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()))
            .with_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(
                StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]),
            )))
            .with_identity_cache(Some(IdentityCache::no_cache()));
        if let Some(credentials) = self.config.credentials_provider() {
            parts.set_identity_resolver(SCHEME_ID, credentials);
        }
        StaticRuntimePlugin::new().with_config(config.freeze()).with_runtime_components(parts)
    }

    /// The endpoint that the AWS configuration names, or else AWS's own; and the region to sign for.
    fn endpoint(&self, api: Api, region: &str) -> (String, String) {
        let fips = self.config.use_fips() == Some(true);
        let (own, signing_region) = endpoint_of(api, region, fips);
        let key =
            ServiceConfigKey::builder().service_id(api.id).env("AWS_ENDPOINT_URL").profile("endpoint_url");
        let of_service = || self.config.service_config()?.load_config(key.build().ok()?);
        let named = of_service().or_else(|| self.config.endpoint_url().map(str::to_owned));
        (named.unwrap_or(own), signing_region)
    }
}

/// Source: AWS General Reference, "Service endpoints" of each of the services, and "IAM endpoints and quotas": IAM
/// has one endpoint a partition, signed for one region of it.
fn endpoint_of(api: Api, region: &str, fips: bool) -> (String, String) {
    let (suffix, home) = match partition(region) {
        "aws-cn" => ("amazonaws.com.cn", "cn-north-1"),
        "aws-us-gov" => ("amazonaws.com", "us-gov-west-1"),
        _ => ("amazonaws.com", "us-east-1"),
    };
    let name = if fips { format!("{}-fips", api.name) } else { api.name.to_owned() };
    if api != IAM {
        return (format!("https://{name}.{region}.{suffix}"), region.to_owned());
    }
    let host = match home {
        "cn-north-1" => format!("iam.cn-north-1.{suffix}"),
        "us-gov-west-1" => format!("iam.us-gov.{suffix}"),
        _ => format!("{name}.{suffix}"),
    };
    (format!("https://{host}"), home.to_owned())
}

fn request(api: Api, operation: &str, input: &Value) -> Result<HttpRequest, BoxError> {
    let (media, body) = match api.protocol {
        Protocol::Query(version) => {
            ("application/x-www-form-urlencoded; charset=utf-8", query::form(operation, version, input))
        }
        Protocol::Json(_) => ("application/x-amz-json-1.1", input.to_string()),
    };
    let mut request = HttpRequest::new(SdkBody::from(body.as_str()));
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    headers.try_insert("content-type", media)?;
    headers.try_insert("content-length", body.len().to_string())?;
    if let Protocol::Json(target) = api.protocol {
        headers.try_insert("x-amz-target", format!("{target}.{operation}"))?;
    }
    Ok(request)
}

fn read(api: Api, operation: &str, answer: &HttpResponse) -> Result<Value, OrchestratorError<ErrorMetadata>> {
    let text = std::str::from_utf8(answer.body().bytes().unwrap_or_default()).unwrap_or_default();
    let (code, message, value) = match api.protocol {
        Protocol::Query(_) => query::answer(operation, text),
        Protocol::Json(_) => json(text),
    };
    if answer.status().is_success() {
        return Ok(value);
    }
    let status = answer.status().as_u16();
    let error = ErrorMetadata::builder()
        .code(code.unwrap_or_else(|| format!("HTTP {status}")))
        .message(message.unwrap_or_else(|| "no message".to_owned()));
    Err(OrchestratorError::operation(error.build()))
}

/// Code and message, if it is an error, and the whole.
/// Source: Smithy, "AWS JSON 1.1 protocol", operation error serialization.
fn json(text: &str) -> (Option<String>, Option<String>, Value) {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let member = |name: &str| value[name].as_str().map(str::to_owned);
    let code = member("__type").map(|code| code.rsplit('#').next().unwrap_or(&code).to_owned());
    (code, member("message").or_else(|| member("Message")), value)
}

/// The time that AWS has, asked without credentials.
///
/// # Errors
/// No answer, or one without a date; in words.
pub(crate) async fn date(config: &SdkConfig, region: &str) -> Result<DateTime, String> {
    let mut builder = Operation::builder()
        .service_name(STS.name)
        .operation_name("Date")
        .endpoint_url(&endpoint_of(STS, region, false).0)
        .timeout_config(timeouts())
        .no_retry()
        .no_auth();
    if let Some(client) = config.http_client() {
        builder = builder.http_client(client);
    }
    let call = builder
        .serializer(|()| request(STS, "GetCallerIdentity", &Value::Null))
        .deserializer(|answer: &HttpResponse| {
            // Refused for want of a signature, with the date all the same.
            Ok::<_, OrchestratorError<ErrorMetadata>>(answer.headers().get("date").map(str::to_owned))
        })
        .build();
    let date = call.invoke(()).await.map_err(|error| super::fault::chain(&error))?;
    let date = date.and_then(|date| DateTime::from_str(&date, Format::HttpDate).ok());
    date.ok_or_else(|| "the answer has no date".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_service_is_where_its_region_or_partition_has_it() {
        let at = |api, region: &str, fips| {
            let (endpoint, signing) = endpoint_of(api, region, fips);
            format!("{endpoint} {signing}")
        };
        assert_eq!(at(STS, "eu-west-1", false), "https://sts.eu-west-1.amazonaws.com eu-west-1");
        assert_eq!(at(PARAMETERS, "cn-north-1", false), "https://ssm.cn-north-1.amazonaws.com.cn cn-north-1");
        assert_eq!(at(IAM, "eu-west-1", false), "https://iam.amazonaws.com us-east-1");
        assert_eq!(at(IAM, "cn-northwest-1", false), "https://iam.cn-north-1.amazonaws.com.cn cn-north-1");
        assert_eq!(at(IAM, "us-gov-east-1", false), "https://iam.us-gov.amazonaws.com us-gov-west-1");
        assert_eq!(
            at(SECRETS, "us-east-2", true),
            "https://secretsmanager-fips.us-east-2.amazonaws.com us-east-2"
        );
    }

    #[test]
    fn a_call_is_written_in_the_services_protocol() {
        let made = request(SECRETS, "DescribeSecret", &json!({"SecretId": "db"})).expect("a request");
        assert_eq!(made.headers().get("x-amz-target"), Some("secretsmanager.DescribeSecret"));
        assert_eq!(made.body().bytes(), Some(br#"{"SecretId":"db"}"#.as_slice()));
        let made = request(IAM, "GetRole", &json!({"RoleName": "a b"})).expect("a request");
        assert_eq!(made.body().bytes(), Some(b"Action=GetRole&Version=2010-05-08&RoleName=a%20b".as_slice()));
    }

    #[test]
    fn an_error_of_the_json_protocol_is_its_code_and_message() {
        let (code, message, _) = json(r#"{"__type":"com.amazonaws.x#AccessDeniedException","Message":"no"}"#);
        assert_eq!((code.as_deref(), message.as_deref()), (Some("AccessDeniedException"), Some("no")));
    }
}
