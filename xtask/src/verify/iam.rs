//! Asking IAM: a role, and what an identity's policies allow.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::identity::{Identity, Principal, one_or_more};
use crate::aws::call::{Failure, IAM};
use crate::aws::{Aws, fault, role_arn};

/// A role: its ARN and whom it trusts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Role {
    pub(super) arn: String,
    /// `None`: it cannot be read as JSON.
    pub(super) trust: Option<Value>,
}

/// A role by name; `None` if there is none.
pub(super) async fn role(aws: &Aws, name: &str) -> Result<Option<Role>, Failure> {
    match aws.others.call(IAM, &aws.region, "GetRole", json!({ "RoleName": name })).await {
        Ok(answer) => Ok(Some(read(&answer["Role"]))),
        Err(error) if fault::is(&error, "NoSuchEntity") => Ok(None),
        Err(error) => Err(error),
    }
}

/// The document is escaped as in a URL.
/// Source: IAM API Reference, GetRole.
fn read(role: &Value) -> Role {
    let text = |name: &str| role[name].as_str().unwrap_or_default();
    let trust = serde_json::from_str(&crate::aws::query::unescaped(text("AssumeRolePolicyDocument"))).ok();
    Role { arn: text("Arn").to_owned(), trust }
}

/// What policies say of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Allowed {
    Yes,
    /// The actions that are not allowed, and whether a policy denies them explicitly.
    No {
        actions: Vec<String>,
        explicitly: bool,
    },
    /// Why it cannot be told, and the permission that would help.
    Unknown {
        why: String,
        permission: Option<&'static str>,
    },
}

/// What is asked of policies.
#[derive(Clone, Debug)]
pub(super) struct Question<'a> {
    pub(super) actions: &'a [&'a str],
    /// ARNs, or `*`.
    pub(super) resources: Vec<String>,
    /// Condition key and value, of type string.
    pub(super) context: &'a [(&'a str, &'a str)],
}

const SIMULATE: &str = "iam:SimulatePrincipalPolicy";

/// Whether the policies of a user or role allow all of it, boundary and organization included; policies of
/// sessions and of resources are not seen.
/// Source: IAM API Reference, SimulatePrincipalPolicy.
pub(super) async fn allowed(aws: &Aws, principal: &str, question: &Question<'_>) -> Allowed {
    let context = question.context.iter().map(|(name, value)| {
        json!({ "ContextKeyName": name, "ContextKeyType": "string", "ContextKeyValues": [value] })
    });
    let input = json!({
        "PolicySourceArn": principal,
        "ActionNames": question.actions,
        "ResourceArns": question.resources,
        "ContextEntries": context.collect::<Vec<_>>(),
        "MaxItems": 1000,
    });
    match aws.others.call(IAM, &aws.region, "SimulatePrincipalPolicy", input).await {
        Ok(answer) => judge(&answer),
        Err(error) if fault::denied(&error) => {
            Allowed::Unknown { why: format!("`{SIMULATE}` is denied"), permission: Some(SIMULATE) }
        }
        Err(error) => {
            let error = fault(SIMULATE, principal, error);
            let why = error.detail.unwrap_or(error.message);
            Allowed::Unknown { why, permission: None }
        }
    }
}

fn judge(answer: &Value) -> Allowed {
    let results: Vec<&Value> =
        one_or_more(&answer["EvaluationResults"]).filter(|one| one.is_object()).collect();
    if results.is_empty() || answer["IsTruncated"] == "true" {
        return Allowed::Unknown { why: format!("`{SIMULATE}` did not tell all"), permission: None };
    }
    let allowed = |one: &&Value| {
        one["EvalDecision"] == "allowed"
            && one["OrganizationsDecisionDetail"]["AllowedByOrganizations"] != "false"
    };
    let denied: Vec<&Value> = results.into_iter().filter(|one| !allowed(one)).collect();
    if denied.is_empty() {
        return Allowed::Yes;
    }
    // It may be allowed under a condition whose key is not known here.
    let missing =
        denied.iter().flat_map(|one| one_or_more(&one["MissingContextValues"])).filter_map(Value::as_str);
    if let Some(key) = missing.into_iter().find(|key| !key.is_empty()) {
        return Allowed::Unknown {
            why: format!("it depends on the condition key `{key}`"),
            permission: None,
        };
    }
    let explicitly = denied.iter().any(|one| one["EvalDecision"] == "explicitDeny");
    let mut actions: Vec<String> =
        denied.iter().filter_map(|one| one["EvalActionName"].as_str().map(str::to_owned)).collect();
    actions.sort();
    actions.dedup();
    Allowed::No { actions, explicitly }
}

/// What this identity may do. Its role's ARN, which needs a look, is looked up once.
#[derive(Clone, Debug)]
pub(super) struct Me<'a> {
    aws: &'a Aws,
    identity: &'a Identity,
    arn: Arc<OnceCell<String>>,
}

impl<'a> Me<'a> {
    pub(super) fn new(aws: &'a Aws, identity: &'a Identity) -> Self {
        Self { aws, identity, arn: Arc::default() }
    }

    pub(super) async fn may(&self, question: &Question<'_>) -> Allowed {
        match self.identity.principal() {
            Principal::Root => Allowed::Yes,
            Principal::User(arn) => allowed(self.aws, arn, question).await,
            Principal::Role(name) => {
                let arn = self.arn.get_or_init(|| self.role_arn(name)).await;
                allowed(self.aws, arn, question).await
            }
            Principal::Unknown(why) => Allowed::Unknown { why: why.to_owned(), permission: None },
        }
    }

    /// With its path, if it may be seen. Names are unique in an account, so one that is wrong names no role.
    async fn role_arn(&self, name: &str) -> String {
        match role(self.aws, name).await {
            Ok(Some(role)) => role.arn,
            _ => role_arn(name, &self.aws.region, &self.identity.account),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(action: &str, decision: &str) -> Value {
        json!({ "EvalActionName": action, "EvalDecision": decision, "MissingContextValues": "" })
    }

    fn judged(results: &[Value]) -> Allowed {
        judge(&json!({ "EvaluationResults": results, "IsTruncated": "false" }))
    }

    #[test]
    fn all_actions_have_to_be_allowed() {
        assert_eq!(judged(&[result("a:A", "allowed"), result("a:B", "allowed")]), Allowed::Yes);
        let no = judged(&[result("a:A", "allowed"), result("a:B", "implicitDeny")]);
        assert_eq!(no, Allowed::No { actions: vec!["a:B".to_owned()], explicitly: false });
        let no = judged(&[result("a:A", "explicitDeny")]);
        assert_eq!(no, Allowed::No { actions: vec!["a:A".to_owned()], explicitly: true });
    }

    #[test]
    fn an_organization_may_deny_what_policies_allow() {
        let mut one = result("a:A", "allowed");
        one["OrganizationsDecisionDetail"] = json!({ "AllowedByOrganizations": "false" });
        assert!(matches!(judged(&[one]), Allowed::No { .. }));
    }

    #[test]
    fn what_depends_on_an_unknown_condition_is_unknown() {
        let mut one = result("a:A", "implicitDeny");
        one["MissingContextValues"] = json!(["aws:SourceVpc"]);
        assert!(matches!(judged(&[one]), Allowed::Unknown { .. }));
        assert!(matches!(judge(&json!({})), Allowed::Unknown { .. }));
        assert!(matches!(judge(&Value::Null), Allowed::Unknown { .. }));
    }

    #[test]
    fn a_trust_policy_comes_escaped() {
        let role = read(
            &json!({ "Arn": "arn:aws:iam::1:role/r", "AssumeRolePolicyDocument": "%7B%22Statement%22%3A%5B%5D%7D" }),
        );
        assert_eq!(role.trust, Some(json!({ "Statement": [] })));
        assert_eq!(read(&json!({ "Arn": "a", "AssumeRolePolicyDocument": "%" })).trust, None);
    }
}
