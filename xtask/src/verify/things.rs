//! What a deploy makes where it is missing: cluster, repositories, log groups. There, or allowed to be made.

use std::collections::BTreeSet;

use futures_util::future::join_all;

use super::iam::{Allowed, Me, Question};
use super::identity::Identity;
use super::roles::undecided;
use super::{unseen, within};
use crate::aws::{Aws, fault, partition};
use crate::config::Config;
use crate::finding::Finding;

/// All of them.
pub(super) async fn check(aws: &Aws, config: &Config, identity: &Identity) -> Vec<Finding> {
    let me = Me::new(aws, identity);
    let me = &me;
    let arn = |service: &str, resource: String| {
        format!("arn:{}:{service}:{}:{}:{resource}", partition(&aws.region), aws.region, identity.account)
    };
    let names: BTreeSet<&str> = config.images.iter().map(|image| image.repository.as_str()).collect();
    let repositories = names.into_iter().map(|name| {
        let arn = arn("ecr", format!("repository/{name}"));
        async move { within(&format!("repository {name}"), repository(aws, me, name, arn)).await }
    });
    let used = config.services.iter().filter(|service| service.uses_log_group());
    let names: BTreeSet<&str> = used.map(|service| service.log_group.name.as_str()).collect();
    let groups = names.into_iter().map(|name| {
        // Observed: denials of CreateLogGroup name an empty stream.
        let arn = arn("logs", format!("log-group:{name}:log-stream:"));
        async move { within(&format!("log group {name}"), log_group(aws, me, name, arn)).await }
    });
    let (cluster, registry, repositories, groups) = tokio::join!(
        within("cluster", cluster(aws, me, &config.cluster)),
        within("registry", registry(aws, config)),
        join_all(repositories),
        join_all(groups),
    );
    [cluster, registry].into_iter().chain(repositories).chain(groups).flatten().collect()
}

/// It is missing: whether it may be made.
pub(super) async fn makeable(me: &Me<'_>, subject: &str, action: &str, resource: String) -> Finding {
    let question = Question { actions: &[action], resources: vec![resource], context: &[] };
    match me.may(&question).await {
        Allowed::Yes => Finding::verified(subject, "is not there, and will be made"),
        Allowed::No { .. } => Finding::refuted(subject, "is not there, and this identity may not make it")
            .fix(format!("allow it `{action}`, or make it otherwise")),
        Allowed::Unknown { why, permission } => undecided(
            subject,
            format!("is not there; whether it may be made cannot be told: {why}"),
            permission,
        ),
    }
}

async fn cluster(aws: &Aws, me: &Me<'_>, name: &str) -> Vec<Finding> {
    let subject = format!("cluster {name}");
    let answer = match aws.ecs.describe_clusters().clusters(name).send().await {
        Ok(answer) => answer,
        Err(error) => return vec![unseen(subject, "ecs:DescribeClusters", error)],
    };
    let active = answer.clusters().iter().find(|cluster| cluster.status() == Some("ACTIVE"));
    vec![match active {
        Some(found) => {
            Finding::verified(subject, format!("is active, with {} services", found.active_services_count()))
        }
        // Source: Service Authorization Reference, Amazon ECS: CreateCluster has no resource type.
        None => makeable(me, &subject, "ecs:CreateCluster", "*".to_owned()).await,
    }]
}

/// What is pushed needs a login; nothing else hands one out.
async fn registry(aws: &Aws, config: &Config) -> Vec<Finding> {
    if config.images.is_empty() {
        return Vec::new();
    }
    const SUBJECT: &str = "registry";
    vec![match aws.ecr.get_authorization_token().send().await {
        Ok(answer) => {
            let data = answer.authorization_data().first();
            let at = data.and_then(|data| data.proxy_endpoint()).unwrap_or_default();
            Finding::verified(SUBJECT, format!("{at} hands out a login"))
        }
        Err(error) if fault::denied(&error) => {
            Finding::refuted(SUBJECT, "this identity may not log in, so nothing can be pushed")
                .fix("allow it `ecr:GetAuthorizationToken`")
        }
        Err(error) => unseen(SUBJECT, "ecr:GetAuthorizationToken", error),
    }]
}

const PUSH: [&str; 5] = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
];

async fn repository(aws: &Aws, me: &Me<'_>, name: &str, arn: String) -> Vec<Finding> {
    let subject = format!("repository {name}");
    match aws.ecr.describe_repositories().repository_names(name).send().await {
        Ok(_) => vec![Finding::verified(subject, "is there"), pushing(me, name, arn).await],
        Err(error) if fault::is(&error, "RepositoryNotFoundException") => {
            vec![makeable(me, &subject, "ecr:CreateRepository", arn).await]
        }
        Err(error) => vec![unseen(subject, "ecr:DescribeRepositories", error)],
    }
}

/// A repository has a policy of its own, which may allow what the identity's do not.
async fn pushing(me: &Me<'_>, name: &str, arn: String) -> Finding {
    let subject = format!("pushing to {name}");
    let question = Question { actions: &PUSH, resources: vec![arn], context: &[] };
    match me.may(&question).await {
        Allowed::Yes => Finding::verified(subject, "this identity may"),
        Allowed::No { actions, explicitly: true } => {
            Finding::refuted(subject, format!("this identity may not: `{}` is denied", actions.join("`, `")))
                .fix("take the denial out of its policies")
        }
        Allowed::No { actions, .. } => Finding::unknown(
            subject,
            format!(
                "this identity's policies do not allow `{}`; the repository's own may",
                actions.join("`, `")
            ),
        ),
        Allowed::Unknown { why, permission } => undecided(subject, why, permission),
    }
}

/// The call filters by prefix alone; the exact name sorts first among those that share it.
async fn log_group(aws: &Aws, me: &Me<'_>, name: &str, arn: String) -> Vec<Finding> {
    let subject = format!("log group {name}");
    vec![match aws.logs.describe_log_groups().log_group_name_prefix(name).send().await {
        Ok(answer) if answer.log_groups().iter().any(|group| group.log_group_name() == Some(name)) => {
            Finding::verified(subject, "is there")
        }
        Ok(_) => makeable(me, &subject, "logs:CreateLogGroup", arn).await,
        Err(error) => unseen(subject, "logs:DescribeLogGroups", error),
    }]
}
