//! Lifecycle and access policies: checked for their form, kept, never evaluated.

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors::{change, find, invalid};
use crate::cloud::{ACCOUNT, Cloud};
use crate::error::ApiError;

/// The repository of an operation that takes nothing else.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfRepository {
    registry_id: Option<String>,
    repository_name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PutLifecyclePolicy {
    #[serde(flatten)]
    of: OfRepository,
    lifecycle_policy_text: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetRepositoryPolicy {
    #[serde(flatten)]
    of: OfRepository,
    policy_text: String,
}

impl OfRepository {
    fn key(&self) -> (Option<&str>, &str) {
        (self.registry_id.as_deref(), &self.repository_name)
    }

    fn answer(&self, member: &str, text: &str) -> Value {
        json!({"registryId": ACCOUNT, "repositoryName": self.repository_name, member: text})
    }

    fn missing(&self, code: &str, what: &str) -> ApiError {
        let name = &self.repository_name;
        ApiError::new(
            code,
            format!(
                "{what} does not exist for the repository with name '{name}' in the registry with id '{ACCOUNT}'"
            ),
        )
    }

    /// Observed (iann0036/former2#16).
    fn no_lifecycle(&self) -> ApiError {
        self.missing("LifecyclePolicyNotFoundException", "Lifecycle policy")
    }

    /// Observed (getmoto/moto, `moto/ecr/exceptions.py`).
    fn no_policy(&self) -> ApiError {
        self.missing("RepositoryPolicyNotFoundException", "Repository policy")
    }
}

pub(super) fn put_lifecycle(cloud: &Cloud, input: &PutLifecyclePolicy) -> Result<Value, ApiError> {
    let text = &input.lifecycle_policy_text;
    let policy: Option<Value> = serde_json::from_str(text).ok();
    let rules = policy.as_ref().and_then(|policy| policy["rules"].as_array());
    if rules.is_none_or(Vec::is_empty) {
        let constraint = "Lifecycle policy validation failure: 'rules' must be a list of rules";
        return Err(invalid("LifecyclePolicyText", constraint));
    }
    change(cloud, input.of.key(), |repository| {
        repository.lifecycle_policy = Some(text.clone());
        Ok(input.of.answer("lifecyclePolicyText", text))
    })
}

pub(super) fn get_lifecycle(cloud: &Cloud, input: &OfRepository) -> Result<Value, ApiError> {
    let repository = find(cloud, input.registry_id.as_deref(), &input.repository_name)?;
    let text = repository.lifecycle_policy.ok_or_else(|| input.no_lifecycle())?;
    Ok(input.answer("lifecyclePolicyText", &text))
}

pub(super) fn delete_lifecycle(cloud: &Cloud, input: &OfRepository) -> Result<Value, ApiError> {
    change(cloud, input.key(), |repository| {
        let text = repository.lifecycle_policy.take().ok_or_else(|| input.no_lifecycle())?;
        Ok(input.answer("lifecyclePolicyText", &text))
    })
}

pub(super) fn set_policy(cloud: &Cloud, input: &SetRepositoryPolicy) -> Result<Value, ApiError> {
    if !is_policy(&input.policy_text) {
        // Observed (aws/aws-cdk#24314), also for a policy that names a resource.
        return Err(invalid("PolicyText", "Invalid repository policy provided"));
    }
    change(cloud, input.of.key(), |repository| {
        repository.policy = Some(input.policy_text.clone());
        Ok(input.of.answer("policyText", &input.policy_text))
    })
}

fn is_policy(text: &str) -> bool {
    let Ok(policy) = serde_json::from_str::<Value>(text) else {
        return false;
    };
    let statements = match &policy["Statement"] {
        Value::Array(statements) => statements.as_slice(),
        statement => std::slice::from_ref(statement),
    };
    let well_formed =
        |s: &Value| s["Effect"].is_string() && !s["Action"].is_null() && s["Resource"].is_null();
    !statements.is_empty() && statements.iter().all(well_formed)
}

pub(super) fn get_policy(cloud: &Cloud, input: &OfRepository) -> Result<Value, ApiError> {
    let repository = find(cloud, input.registry_id.as_deref(), &input.repository_name)?;
    let text = repository.policy.ok_or_else(|| input.no_policy())?;
    Ok(input.answer("policyText", &text))
}

pub(super) fn delete_policy(cloud: &Cloud, input: &OfRepository) -> Result<Value, ApiError> {
    change(cloud, input.key(), |repository| {
        let text = repository.policy.take().ok_or_else(|| input.no_policy())?;
        Ok(input.answer("policyText", &text))
    })
}
