//! Security Token Service. Credentials are not checked here, so those that are
//! handed out open nothing more.

use serde::Deserialize;
use serde_json::{Value, json};

use super::operations;
use crate::cloud::{ACCOUNT, Cloud};
use crate::error::ApiError;
use crate::time::iso8601;

operations! {
    /// What STS answers.
    pub enum StsRequest {
        AssumeRole(AssumeRole),
        GetCallerIdentity(GetCallerIdentity),
        GetSessionToken(GetSessionToken),
    }
}

/// No input.
#[derive(Debug, Deserialize)]
pub struct GetCallerIdentity {}

/// `AssumeRole`'s input, as far as it is looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AssumeRole {
    role_arn: String,
    role_session_name: String,
    duration_seconds: Option<u32>,
}

/// `GetSessionToken`'s input, as far as it is looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetSessionToken {
    duration_seconds: Option<u32>,
}

/// Performs the operation.
pub async fn handle(cloud: &Cloud, request: StsRequest) -> Result<Value, ApiError> {
    match request {
        StsRequest::GetCallerIdentity(_) => Ok(json!({
            "Arn": format!("arn:aws:iam::{ACCOUNT}:user/local"),
            "UserId": "AIDALOCALLOCALLOCALXX",
            "Account": ACCOUNT,
        })),
        StsRequest::AssumeRole(input) => assume(cloud, &input),
        // 12 hours where nothing is said (documented: GetSessionToken).
        StsRequest::GetSessionToken(input) => {
            Ok(json!({"Credentials": credentials(cloud, input.duration_seconds.unwrap_or(43_200))}))
        }
    }
}

/// One hour where nothing is said (documented: AssumeRole).
fn assume(cloud: &Cloud, input: &AssumeRole) -> Result<Value, ApiError> {
    let (arn, session) = (&input.role_arn, &input.role_session_name);
    let parts = arn.strip_prefix("arn:aws:iam::").and_then(|rest| rest.split_once(":role/"));
    let (account, path) =
        parts.ok_or_else(|| ApiError::new("ValidationError", format!("{arn} is invalid")))?;
    let role = path.rsplit('/').next().unwrap_or(path);
    let id = format!("AROA{}", cloud.ids().hex(17).to_uppercase());
    Ok(json!({
        "AssumedRoleUser": {
            "AssumedRoleId": format!("{id}:{session}"),
            "Arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
        },
        "Credentials": credentials(cloud, input.duration_seconds.unwrap_or(3600)),
    }))
}

fn credentials(cloud: &Cloud, seconds: u32) -> Value {
    let mut ids = cloud.ids();
    json!({
        "AccessKeyId": format!("ASIA{}", ids.hex(16).to_uppercase()),
        "SecretAccessKey": ids.hex(40),
        "SessionToken": ids.hex(64),
        "Expiration": iso8601(cloud.now() + f64::from(seconds)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::Options;

    #[tokio::test]
    async fn a_role_is_assumed() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let options =
            Options { state_dir: dir.path().into(), region: "eu-west-1".into(), instance: "t".into() };
        let cloud = Cloud::open(options, std::sync::Arc::new(|| 0.0)).expect("an empty state directory");
        let call = |arn: &str| {
            let input = json!({"RoleArn": arn, "RoleSessionName": "me", "DurationSeconds": "900"});
            StsRequest::parse("AssumeRole", input).expect("the input is of the operation's shape")
        };
        let answer =
            handle(&cloud, call("arn:aws:iam::123456789012:role/path/deploy")).await.expect("it succeeds");
        assert_eq!(answer["AssumedRoleUser"]["Arn"], "arn:aws:sts::123456789012:assumed-role/deploy/me");
        assert_eq!(answer["Credentials"]["Expiration"], "1970-01-01T00:15:00Z");
        let error = handle(&cloud, call("deploy")).await.expect_err("it is no ARN");
        assert_eq!(error.to_string(), "ValidationError: deploy is invalid");
    }
}
