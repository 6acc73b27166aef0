//! What a task definition refers to. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

/// Stands in for the digest of an image that is not built yet.
pub(super) const UNBUILT: &str = "sha256:unbuilt";

/// What a task definition refers to that has to be there already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct References {
    /// ARN.
    pub(super) execution_role: Option<String>,
    /// ARN.
    pub(super) task_role: Option<String>,
    /// `valueFrom`: of variables and of log options.
    pub(super) secrets: BTreeSet<String>,
    /// What the log driver `awslogs` writes to; those that it makes itself are not among them.
    pub(super) log_groups: BTreeSet<String>,
    /// As they are written, those that are built here too.
    pub(super) images: BTreeSet<String>,
    /// `amd64`, `arm64`
    pub(super) architecture: &'static str,
}

impl References {
    /// Of ECS JSON.
    pub(super) fn of(definition: &Value) -> Self {
        let text = |name: &str| definition[name].as_str().map(str::to_owned);
        let arm = definition["runtimePlatform"]["cpuArchitecture"] == "ARM64";
        let mut all = Self {
            execution_role: text("executionRoleArn"),
            task_role: text("taskRoleArn"),
            architecture: if arm { "arm64" } else { "amd64" },
            ..Self::default()
        };
        definition["containerDefinitions"].as_array().into_iter().flatten().for_each(|one| all.add(one));
        all
    }

    fn add(&mut self, container: &Value) {
        self.images.extend(container["image"].as_str().map(str::to_owned));
        let log = &container["logConfiguration"];
        for secret in list(&container["secrets"]).chain(list(&log["secretOptions"])) {
            self.secrets.extend(secret["valueFrom"].as_str().map(str::to_owned));
        }
        let login = &container["repositoryCredentials"]["credentialsParameter"];
        self.secrets.extend(login.as_str().map(str::to_owned));
        let options = &log["options"];
        if log["logDriver"] == "awslogs" && options["awslogs-create-group"] != "true" {
            self.log_groups.extend(options["awslogs-group"].as_str().map(str::to_owned));
        }
    }

    /// Whether an image is in a private registry of ECR, which the execution role has to log in to.
    pub(super) fn pulls_from_ecr(&self) -> bool {
        self.images.iter().any(|image| is_ecr(host(image)))
    }

    /// Registries other than ECR's that images come from.
    pub(super) fn other_registries(&self) -> BTreeSet<&str> {
        self.images.iter().map(|image| host(image)).filter(|host| !is_ecr(host)).collect()
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn is_ecr(host: &str) -> bool {
    host.contains(".dkr.ecr.")
}

/// The registry of a reference; without one, Docker Hub.
/// Source: distribution/reference, "the first part is a host if it has a dot or a colon, or is localhost".
pub(super) fn host(image: &str) -> &str {
    match image.split_once('/') {
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => first,
        _ => "docker.io",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whatever_a_definition_refers_to_is_found() {
        let definition = json!({
            "executionRoleArn": "e", "taskRoleArn": "t", "runtimePlatform": {"cpuArchitecture": "ARM64"},
            "containerDefinitions": [
                {"image": "1.dkr.ecr.r.amazonaws.com/a@sha256:unbuilt", "secrets": [{"name": "K", "valueFrom": "/k"}],
                 "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/a"}}},
                {"image": "nginx", "repositoryCredentials": {"credentialsParameter": "arn:login"},
                 "logConfiguration": {"logDriver": "splunk", "options": {"awslogs-group": "no"}, "secretOptions": [{"valueFrom": "s"}]}},
                {"image": "nginx:1", "logConfiguration": {"logDriver": "awslogs",
                 "options": {"awslogs-group": "made", "awslogs-create-group": "true"}}}
            ]
        });
        let found = References::of(&definition);
        assert_eq!((found.execution_role.as_deref(), found.task_role.as_deref()), (Some("e"), Some("t")));
        assert_eq!(found.secrets.iter().collect::<Vec<_>>(), ["/k", "arn:login", "s"]);
        assert_eq!(found.log_groups.iter().collect::<Vec<_>>(), ["/ecs/a"]);
        assert_eq!((found.images.len(), found.architecture), (3, "arm64"));
        assert!(found.pulls_from_ecr());
        assert_eq!(found.other_registries().into_iter().collect::<Vec<_>>(), ["docker.io"]);
        assert_eq!(References::of(&json!({})).architecture, "amd64");
    }

    #[test]
    fn a_reference_tells_its_registry() {
        let hosts = ["nginx", "library/nginx:1", "ghcr.io/a/b", "localhost/a", "127.0.0.1:5000/a"].map(host);
        assert_eq!(hosts, ["docker.io", "docker.io", "ghcr.io", "localhost", "127.0.0.1:5000"]);
    }
}
