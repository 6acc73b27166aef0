//! Secrets Manager and the Parameter Store, by name alone: what `secrets.json` has is there. Values are
//! handed to containers and to nobody else.

use serde::Deserialize;
use serde_json::{Value, json};

use super::operations;
use crate::cloud::{ACCOUNT, Cloud};
use crate::error::ApiError;
use crate::scheduler::secrets::Names;

operations! {
    /// What Secrets Manager answers.
    pub enum SecretsRequest {
        DescribeSecret(DescribeSecret),
    }
}

operations! {
    /// What Systems Manager answers.
    pub enum ParametersRequest {
        DescribeParameters(DescribeParameters),
    }
}

/// `DescribeSecret`'s input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeSecret {
    secret_id: String,
}

/// `DescribeParameters`' input, as far as it is looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribeParameters {
    #[serde(default)]
    parameter_filters: Vec<Filter>,
}

/// `ParameterStringFilter`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Filter {
    key: String,
    option: Option<String>,
    #[serde(default)]
    values: Vec<String>,
}

/// Performs an operation of Secrets Manager.
pub async fn secrets(cloud: &Cloud, request: SecretsRequest) -> Result<Value, ApiError> {
    let SecretsRequest::DescribeSecret(input) = request;
    secret(&Names::read(cloud.state_dir()).await, &input.secret_id, cloud.region())
}

/// Performs an operation of Systems Manager.
pub async fn parameters(cloud: &Cloud, request: ParametersRequest) -> Result<Value, ApiError> {
    let ParametersRequest::DescribeParameters(input) = request;
    described(&Names::read(cloud.state_dir()).await, &input.parameter_filters)
}

/// Observed: the message, in public logs (aws/aws-cdk#18555 and others).
fn secret(names: &Names, id: &str, region: &str) -> Result<Value, ApiError> {
    if !names.has_secret(id) {
        return Err(ApiError::new(
            "ResourceNotFoundException",
            "Secrets Manager can't find the specified secret.",
        ));
    }
    let name = id.rsplit(':').next().unwrap_or(id);
    let arn = if id.starts_with("arn:") {
        id.to_owned()
    } else {
        format!("arn:aws:secretsmanager:{region}:{ACCOUNT}:secret:{id}-AAAAAA")
    };
    Ok(json!({ "ARN": arn, "Name": name }))
}

/// By names; what else the call can filter by is refused.
fn described(names: &Names, filters: &[Filter]) -> Result<Value, ApiError> {
    let by_name = |filter: &Filter| {
        filter.key == "Name" && filter.option.as_deref().is_none_or(|option| option == "Equals")
    };
    if let Some(other) = filters.iter().find(|filter| !by_name(filter)) {
        let message = format!("The filter {} is not answered here.", other.key);
        return Err(ApiError::new("InvalidFilterKey", message));
    }
    let wanted = filters.iter().flat_map(|filter| &filter.values);
    let found = wanted.filter(|name| names.has_parameter(name));
    let parameters: Vec<Value> = found
        .map(|name| json!({ "Name": name, "Type": "SecureString", "Version": 1, "Tier": "Standard" }))
        .collect();
    Ok(json!({ "Parameters": parameters }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_file_has_is_there_and_no_value_is_told() {
        let names = Names::of(&json!({ "db": { "password": "hidden" }, "/app/key": "hidden" }));
        let arn = "arn:aws:secretsmanager:eu-west-1:1:secret:db-AbCdEf";
        let answer = secret(&names, arn, "eu-west-1").expect("it is there");
        assert_eq!(answer["ARN"], arn);
        assert!(!answer.to_string().contains("hidden"));
        let error = secret(&names, "other", "eu-west-1").expect_err("it is not there");
        assert_eq!(error.code, "ResourceNotFoundException");
    }

    #[test]
    fn parameters_are_found_by_name() {
        let names = Names::of(&json!({ "/app/key": "hidden" }));
        let filter = |key: &str| Filter {
            key: key.to_owned(),
            option: Some("Equals".to_owned()),
            values: vec!["/app/key".to_owned(), "/app/none".to_owned()],
        };
        let answer = described(&names, &[filter("Name")]).expect("it succeeds");
        assert_eq!(answer["Parameters"].as_array().map(Vec::len), Some(1));
        assert!(!answer.to_string().contains("hidden"));
        assert_eq!(
            described(&names, &[filter("KeyId")]).expect_err("it is refused").code,
            "InvalidFilterKey"
        );
    }
}
