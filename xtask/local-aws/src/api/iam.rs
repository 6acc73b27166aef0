//! Identity and Access Management, as far as a deployment looks at it: every role exists and trusts ECS, and
//! everything is allowed.

use serde::Deserialize;
use serde_json::{Value, json};

use super::operations;
use crate::cloud::{ACCOUNT, Cloud};
use crate::error::ApiError;
use crate::time::iso8601;

operations! {
    /// What IAM answers.
    pub enum IamRequest {
        GetRole(GetRole),
        SimulatePrincipalPolicy(SimulatePrincipalPolicy),
    }
}

/// `GetRole`'s input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetRole {
    role_name: String,
}

/// `SimulatePrincipalPolicy`'s input, as far as it is looked at.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SimulatePrincipalPolicy {
    policy_source_arn: String,
    action_names: Vec<String>,
    resource_arns: Option<Vec<String>>,
}

/// Performs the operation.
pub async fn handle(_: &Cloud, request: IamRequest) -> Result<Value, ApiError> {
    match request {
        IamRequest::GetRole(input) => role(&input),
        IamRequest::SimulatePrincipalPolicy(input) => simulate(&input),
    }
}

/// `{"Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}],
/// "Version":"2012-10-17"}`, escaped as in a URL (documented: GetRole).
const TRUST: &str = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%7B%22Service%22%3A%22ecs-tasks.amazonaws.com%22%7D%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%5D%7D";

fn role(input: &GetRole) -> Result<Value, ApiError> {
    let name = &input.role_name;
    // Documented: GetRole, RoleName.
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
        let message = format!("The specified value for roleName is invalid: {name}");
        return Err(ApiError::new("ValidationError", message));
    }
    Ok(json!({ "Role": {
        "Path": "/",
        "RoleName": name,
        "RoleId": "AROALOCALLOCALLOCALXX",
        "Arn": format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
        "CreateDate": iso8601(0.0),
        "AssumeRolePolicyDocument": TRUST,
        "MaxSessionDuration": 3600,
    }}))
}

/// Each action on each resource.
fn simulate(input: &SimulatePrincipalPolicy) -> Result<Value, ApiError> {
    let source = &input.policy_source_arn;
    if !source.starts_with("arn:") {
        return Err(ApiError::new("InvalidInput", format!("Invalid Entity Arn: {source}")));
    }
    let all = vec!["*".to_owned()];
    let resources = input.resource_arns.as_ref().filter(|arns| !arns.is_empty()).unwrap_or(&all);
    let results = input.action_names.iter().flat_map(|action| {
        resources.iter().map(move |resource| {
            json!({
                "EvalActionName": action,
                "EvalResourceName": resource,
                "EvalDecision": "allowed",
                "MatchedStatements": [],
                "MissingContextValues": [],
            })
        })
    });
    Ok(json!({ "EvaluationResults": results.collect::<Vec<_>>(), "IsTruncated": false }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn performed(operation: &str, input: Value) -> Result<Value, ApiError> {
        match IamRequest::parse(operation, input).expect("the input is of the operation's shape") {
            IamRequest::GetRole(input) => role(&input),
            IamRequest::SimulatePrincipalPolicy(input) => simulate(&input),
        }
    }

    #[test]
    fn every_role_exists_but_one_that_cannot() {
        let answer = performed("GetRole", json!({ "RoleName": "deploy" })).expect("it exists");
        assert_eq!(answer["Role"]["Arn"], "arn:aws:iam::123456789012:role/deploy");
        let error = performed("GetRole", json!({ "RoleName": "a/b" })).expect_err("it is no name");
        assert_eq!(error.code, "ValidationError");
    }

    #[test]
    fn everything_is_allowed() {
        let input = json!({ "PolicySourceArn": "arn:aws:iam::1:role/r", "ActionNames": ["a:A", "a:B"], "ResourceArns": ["x", "y"] });
        let answer = performed("SimulatePrincipalPolicy", input).expect("it succeeds");
        let results = answer["EvaluationResults"].as_array().expect("a list");
        assert_eq!(results.len(), 4);
        assert!(results.iter().all(|result| result["EvalDecision"] == "allowed"));
    }
}
