//! Names that are made of the file's own, where it does not say them.
//!
//! What two environments of one account would share, and overwrite for each other, carries the
//! environment's name: services are unique in a cluster, families and log groups in an account and
//! region, security groups in a VPC. Containers are a task's own, and repositories are shared on
//! purpose: what was tried in one environment is deployed to the next by the same digest.
//! Source: Amazon ECS API Reference, CreateService and RegisterTaskDefinition; CloudWatch Logs API
//! Reference, CreateLogGroup; Amazon EC2 API Reference, CreateSecurityGroup.

use super::source::Path;

/// The name of a service, its family and its security group.
pub(super) fn scoped(service: &str, environment: Option<&str>) -> String {
    environment.map_or_else(|| service.to_owned(), |environment| format!("{service}-{environment}"))
}

/// The name of a log group, by the scoped name of its service.
pub(super) fn log_group(scoped: &str) -> String {
    format!("/ecs/{scoped}")
}

/// What a key is where the file does not say it; `None` if it is no such name.
pub(super) fn derived(path: &Path, environment: Option<&str>) -> Option<String> {
    let parts: Vec<&str> = path.parts().iter().map(String::as_str).collect();
    match parts.as_slice() {
        ["service", service, "name" | "family"] | ["service", service, "security-group", "name"] => {
            Some(scoped(service, environment))
        }
        ["service", service, "logs", "group"] => Some(log_group(&scoped(service, environment))),
        ["image", image, "repository"] => Some((*image).to_owned()),
        _ => None,
    }
}
