//! The roles of tasks: there, trusting ECS tasks, of this account, and allowed to be passed; and what the
//! execution role has to be allowed for a task to start.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use super::iam::{self, Allowed, Me, Question};
use super::identity::{Identity, role_of};
use super::secrets::Reference;
use super::trust::{self, TASKS, Trust};
use super::{Subject, unseen, within};
use crate::aws::{Aws, partition};
use crate::config::role_recipe;
use crate::finding::Finding;

/// What a role is for, over all services.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Uses {
    /// Whether it pulls images from ECR.
    pulls: bool,
    log_groups: BTreeSet<String>,
    /// `valueFrom`
    secrets: BTreeSet<String>,
}

/// By ARN.
fn uses(subjects: &[Subject<'_>]) -> BTreeMap<String, Uses> {
    let mut all: BTreeMap<String, Uses> = BTreeMap::new();
    for Subject { refers, .. } in subjects {
        if let Some(role) = &refers.task_role {
            all.entry(role.clone()).or_default();
        }
        if let Some(role) = &refers.execution_role {
            let uses = all.entry(role.clone()).or_default();
            uses.pulls |= refers.pulls_from_ecr();
            uses.log_groups.extend(refers.log_groups.iter().cloned());
            uses.secrets.extend(refers.secrets.iter().cloned());
        }
    }
    all
}

/// Each role once, however many services have it.
pub(super) async fn check(aws: &Aws, identity: &Identity, subjects: &[Subject<'_>]) -> Vec<Finding> {
    let me = Me::new(aws, identity);
    let uses = uses(subjects);
    let checks = uses.iter().map(|(arn, uses)| {
        let me = &me;
        async move { within(&subject(arn), one(aws, me, identity, arn, uses)).await }
    });
    join_all(checks).await.into_iter().flatten().collect()
}

fn subject(arn: &str) -> String {
    format!("role {}", role_of(arn).map_or(arn, |(name, _)| name))
}

async fn one(aws: &Aws, me: &Me<'_>, identity: &Identity, arn: &str, uses: &Uses) -> Vec<Finding> {
    let Some((name, account)) = role_of(arn) else {
        return vec![Finding::refuted(subject(arn), "is no ARN of a role")];
    };
    if !aws.played && !identity.account.is_empty() && account != identity.account {
        // Source: IAM User Guide, "Grant a user permissions to pass a role to an AWS service".
        let said = format!("is of account {account}: a role is passed within its own account only");
        return vec![Finding::refuted(subject(arn), said).fix(format!("make one in {}", identity.account))];
    }
    let (found, passing, permissions) = tokio::join!(
        exists(aws, name, arn, account),
        passing(me, name, arn),
        permissions(aws, name, arn, account, uses)
    );
    let there = !found.state.is_bad();
    let more = [Some(passing), permissions].into_iter().flatten().filter(|_| there);
    std::iter::once(found).chain(more).collect()
}

async fn exists(aws: &Aws, name: &str, arn: &str, account: &str) -> Finding {
    match iam::role(aws, name).await {
        Err(error) => unseen(subject(arn), "iam:GetRole", error),
        Ok(None) => Finding::refuted(subject(arn), format!("there is no role `{name}` in account {account}"))
            .fix(format!("make it:\n{}", role_recipe(name))),
        Ok(Some(role)) if role.arn != arn && !aws.played => {
            let said = format!("is `{}`, and deploy.toml means `{arn}`", role.arn);
            Finding::refuted(subject(arn), said).fix("write the role's whole ARN, which has its path")
        }
        Ok(Some(role)) => trusting(subject(arn), role.trust.as_ref(), &aws.region, account),
    }
}

fn trusting(subject: String, policy: Option<&serde_json::Value>, region: &str, account: &str) -> Finding {
    let Some(policy) = policy else {
        return Finding::unknown(subject, "its trust policy is no JSON");
    };
    match trust::judge(policy, region, account) {
        Trust::Yes => Finding::verified(subject, format!("is there and trusts {TASKS}")),
        Trust::Depends(why) => Finding::unknown(subject, format!("is there; its trust policy is not judged: {why}")),
        Trust::No => Finding::refuted(subject, format!("does not trust {TASKS}, so no task can have it"))
            .fix(format!("add a statement to its trust policy: {{\"Effect\":\"Allow\",\"Principal\":{{\"Service\":\"{TASKS}\"}},\"Action\":\"sts:AssumeRole\"}}")),
    }
}

async fn passing(me: &Me<'_>, name: &str, arn: &str) -> Finding {
    let context = [("iam:PassedToService", TASKS)];
    let question =
        Question { actions: &["iam:PassRole"], resources: vec![arn.to_owned()], context: &context };
    let subject = format!("passing {name}");
    match me.may(&question).await {
        Allowed::Yes => Finding::verified(subject, "this identity may pass it to ECS"),
        Allowed::No { .. } => Finding::refuted(subject, "this identity may not pass it to ECS")
            .fix(format!("allow it `iam:PassRole` on `{arn}`")),
        Allowed::Unknown { why, permission } => undecided(subject, why, permission),
    }
}

/// Whose policies could not be read.
pub(super) fn undecided(subject: impl Into<String>, why: String, permission: Option<&str>) -> Finding {
    let finding = Finding::unknown(subject, why);
    match permission {
        Some(permission) => finding.needs(permission),
        None => finding,
    }
}

/// What the execution role needs before a container runs; nothing where it needs nothing.
/// Source: Amazon ECS Developer Guide, "Amazon ECS task execution IAM role".
async fn permissions(aws: &Aws, name: &str, arn: &str, account: &str, uses: &Uses) -> Option<Finding> {
    let asked = questions(uses, &aws.region, account);
    if asked.is_empty() {
        return None;
    }
    let answers = join_all(asked.iter().map(|(_, question)| iam::allowed(aws, arn, question))).await;
    let answered = asked.iter().map(|(what, _)| *what).zip(answers).collect();
    Some(permitted(format!("permissions of {name}"), arn, answered))
}

/// What it is for, in words, and what has to be allowed.
fn questions(uses: &Uses, region: &str, account: &str) -> Vec<(&'static str, Question<'static>)> {
    let ask = |actions, resources| Question { actions, resources, context: &[] };
    let mut asked = Vec::new();
    if uses.pulls {
        asked.push(("pull from ECR", ask(&["ecr:GetAuthorizationToken"], vec!["*".to_owned()])));
    }
    if !uses.log_groups.is_empty() {
        // Observed: denials name the stream.
        let stream = |group: &String| {
            format!("arn:{}:logs:{region}:{account}:log-group:{group}:log-stream:ecs", partition(region))
        };
        let streams = uses.log_groups.iter().map(stream).collect();
        asked.push(("write logs", ask(&["logs:CreateLogStream", "logs:PutLogEvents"], streams)));
    }
    let (mut secrets, mut parameters) = (Vec::new(), Vec::new());
    for reference in uses.secrets.iter().map(|secret| Reference::of(secret, region, account)) {
        match reference {
            Reference::Secret { arn, .. } => secrets.push(arn),
            Reference::Parameter { arn, .. } => parameters.push(arn),
        }
    }
    if !parameters.is_empty() {
        asked.push(("read parameters", ask(&["ssm:GetParameters"], parameters)));
    }
    if !secrets.is_empty() {
        asked.push((SECRETS, ask(&["secretsmanager:GetSecretValue"], secrets)));
    }
    asked
}

/// A secret has a policy of its own, which may allow what the role's do not.
const SECRETS: &str = "read secrets";

fn permitted(subject: String, arn: &str, answered: Vec<(&str, Allowed)>) -> Finding {
    let yes: Vec<&str> =
        answered.iter().filter(|(_, answer)| *answer == Allowed::Yes).map(|(what, _)| *what).collect();
    if yes.len() == answered.len() {
        return Finding::verified(subject, format!("it may {}", yes.join(", ")));
    }
    let mut doubts = Vec::new();
    for (what, answer) in answered {
        match answer {
            Allowed::Yes => {}
            Allowed::No { actions, explicitly } if explicitly || what != SECRETS => {
                let actions = actions.join("`, `");
                return Finding::refuted(subject, format!("it may not {what}: `{actions}` is not allowed"))
                    .fix(format!("allow `{actions}` to `{arn}`"));
            }
            Allowed::No { .. } => doubts.push((
                "its policies do not allow it to read every secret; a policy of the secret itself may"
                    .to_owned(),
                None,
            )),
            Allowed::Unknown { why, permission } => doubts.push((why, permission)),
        }
    }
    let (why, permission) = doubts.into_iter().next().unwrap_or_default();
    undecided(subject, why, permission)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::State;
    use serde_json::json;

    fn states(findings: &[Finding]) -> Vec<State> {
        findings.iter().map(|finding| finding.state).collect()
    }

    fn denied(actions: &[&str], explicitly: bool) -> Allowed {
        Allowed::No { actions: actions.iter().map(|action| (*action).to_owned()).collect(), explicitly }
    }

    #[test]
    fn a_role_has_to_trust_tasks() {
        let allow = json!({ "Statement": { "Effect": "Allow", "Principal": { "Service": TASKS }, "Action": "sts:AssumeRole" } });
        let judged = |policy| trusting("role r".to_owned(), policy, "eu-west-1", "1");
        let found = [judged(Some(&allow)), judged(Some(&json!({ "Statement": [] }))), judged(None)];
        assert_eq!(states(&found), [State::Verified, State::Refuted, State::Unknown]);
    }

    #[test]
    fn an_execution_role_is_asked_for_what_its_tasks_need() {
        let uses = Uses {
            pulls: true,
            log_groups: ["/ecs/web".to_owned()].into(),
            secrets: ["/key".to_owned(), "arn:aws:secretsmanager:r:1:secret:db-AbCdEf:password::".to_owned()]
                .into(),
        };
        let asked = questions(&uses, "eu-west-1", "123456789012");
        let text: Vec<String> = asked
            .iter()
            .map(|(what, question)| {
                format!("{what}: {} on {}", question.actions.join(", "), question.resources.join(", "))
            })
            .collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        pull from ECR: ecr:GetAuthorizationToken on *
        write logs: logs:CreateLogStream, logs:PutLogEvents on arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/web:log-stream:ecs
        read parameters: ssm:GetParameters on arn:aws:ssm:eu-west-1:123456789012:parameter/key
        read secrets: secretsmanager:GetSecretValue on arn:aws:secretsmanager:r:1:secret:db-AbCdEf
        ");
        assert!(questions(&Uses::default(), "eu-west-1", "1").is_empty());
    }

    #[test]
    fn a_secret_may_be_opened_by_its_own_policy_and_nothing_else_may() {
        let judged = |answers| permitted("permissions of r".to_owned(), "arn", answers);
        let verified = judged(vec![("pull from ECR", Allowed::Yes), (SECRETS, Allowed::Yes)]);
        let unknown = judged(vec![
            ("pull from ECR", Allowed::Yes),
            (SECRETS, denied(&["secretsmanager:GetSecretValue"], false)),
        ]);
        let explicit = judged(vec![(SECRETS, denied(&["secretsmanager:GetSecretValue"], true))]);
        let refuted = judged(vec![("write logs", denied(&["logs:PutLogEvents"], false))]);
        assert_eq!(
            states(&[verified.clone(), unknown, explicit, refuted.clone()]),
            [State::Verified, State::Unknown, State::Refuted, State::Refuted]
        );
        assert_eq!(verified.message, "it may pull from ECR, read secrets");
        assert_eq!(refuted.message, "it may not write logs: `logs:PutLogEvents` is not allowed");
    }
}
