//! Task definitions, as far as the commands look at them.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::TaskDefinitionField;
use futures_util::future::try_join_all;
use serde_json::Value;

use crate::aws::json::Answer;
use crate::aws::{Aws, fault};
use crate::error::Result;
use crate::git::{COMMIT_TAG, Commit, DIRTY_TAG};
use crate::register::short;

/// A task definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// `arn:aws:ecs:…:task-definition/FAMILY:REVISION`.
    pub arn: String,
    /// Whether it can be run; a deregistered one cannot be rolled out.
    pub active: bool,
    /// What it was built from, if `deploy` could tell.
    pub commit: Option<Commit>,
    /// Name and image reference of each container.
    pub images: Vec<(String, String)>,
    /// Container to where it logs; `None`: not to CloudWatch Logs.
    pub logs: BTreeMap<String, Option<Awslogs>>,
}

/// Where a container logs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Awslogs {
    /// Log group.
    pub group: String,
    /// Region, if the definition says so.
    pub region: Option<String>,
    /// What comes before `/CONTAINER/TASK` in the stream's name; without it, the name is the engine's.
    pub prefix: Option<String>,
}

impl Definition {
    /// `FAMILY:REVISION`.
    #[must_use]
    pub fn short(&self) -> &str {
        short(&self.arn)
    }

    /// Reads the answer of DescribeTaskDefinition.
    fn of(answer: &Value) -> Option<Self> {
        let definition = &answer["taskDefinition"];
        let containers = definition["containerDefinitions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Some(Self {
            arn: definition["taskDefinitionArn"].as_str()?.to_owned(),
            active: definition["status"] == "ACTIVE",
            commit: commit(answer["tags"].as_array().map(Vec::as_slice).unwrap_or_default()),
            images: containers.iter().map(|one| (text(&one["name"]), text(&one["image"]))).collect(),
            logs: containers.iter().map(|one| (text(&one["name"]), awslogs(one))).collect(),
        })
    }
}

fn commit(tags: &[Value]) -> Option<Commit> {
    let tag = |name: &str| tags.iter().find(|tag| tag["key"] == name).and_then(|tag| tag["value"].as_str());
    Some(Commit { hash: tag(COMMIT_TAG)?.to_owned(), dirty: tag(DIRTY_TAG) == Some("true") })
}

/// Source: Amazon ECS Developer Guide, "Using the awslogs log driver".
fn awslogs(container: &Value) -> Option<Awslogs> {
    let log = &container["logConfiguration"];
    let option = |name: &str| log["options"][name].as_str().map(str::to_owned);
    (log["logDriver"] == "awslogs").then_some(())?;
    Some(Awslogs {
        group: option("awslogs-group")?,
        region: option("awslogs-region"),
        prefix: option("awslogs-stream-prefix"),
    })
}

/// Those of the task definitions that AWS still knows, by the ARN (or `FAMILY:REVISION`) asked for.
///
/// # Errors
/// A call failed.
pub async fn definitions(aws: &Aws, names: &BTreeSet<String>) -> Result<BTreeMap<String, Definition>> {
    let each = names
        .iter()
        .map(|name| async move { Ok::<_, crate::error::Error>((name.clone(), one(aws, name).await?)) });
    let found = try_join_all(each).await?.into_iter();
    Ok(found.filter_map(|(name, definition)| Some((name, definition?))).collect())
}

async fn one(aws: &Aws, name: &str) -> Result<Option<Definition>> {
    let answer = Answer::default();
    let call = aws.ecs.describe_task_definition().task_definition(name).include(TaskDefinitionField::Tags);
    match call.customize().interceptor(answer.clone()).send().await {
        Ok(_) => Ok(answer.take().as_ref().and_then(Definition::of)),
        // `Unable to describe task definition.`: the words for one that does not exist (observed).
        Err(error) if fault::is(&error, "ClientException") => Ok(None),
        Err(error) => Err(fault("ecs:DescribeTaskDefinition", name, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_definition_tells_commit_images_and_logs() {
        let logs = json!({ "logDriver": "awslogs", "options": {
            "awslogs-group": "/ecs/web", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "web" } });
        let answer = json!({
            "taskDefinition": {
                "taskDefinitionArn": "arn:aws:ecs:eu-west-1:1:task-definition/web:7", "status": "INACTIVE",
                "containerDefinitions": [
                    { "name": "app", "image": "r/app@sha256:1", "logConfiguration": logs },
                    { "name": "side", "image": "side", "logConfiguration": { "logDriver": "splunk" } },
                ],
            },
            "tags": [{ "key": "git-commit", "value": "abc" }, { "key": "git-dirty", "value": "true" }],
        });
        let definition = Definition::of(&answer).expect("a definition");
        assert_eq!((definition.short(), definition.active), ("web:7", false));
        assert_eq!(definition.commit, Some(Commit { hash: "abc".to_owned(), dirty: true }));
        assert_eq!(definition.images[0], ("app".to_owned(), "r/app@sha256:1".to_owned()));
        let app = definition.logs["app"].as_ref().expect("it logs to CloudWatch Logs");
        assert_eq!((app.group.as_str(), app.prefix.as_deref()), ("/ecs/web", Some("web")));
        assert_eq!(definition.logs["side"], None);
    }

    #[test]
    fn one_that_nobody_tagged_has_no_commit() {
        assert_eq!(commit(&[]), None);
    }
}
