//! Names, ARNs, and the many ways to say which one.

use serde::{Deserialize, Serialize};

use super::cluster::Cluster;
use super::definition::Definition;
use super::{Ecs, Service, Task};
use crate::cloud::ACCOUNT;
use crate::error::ApiError;

/// Where this ECS is: what its ARNs say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// `ap-northeast-2`.
    pub region: String,
}

impl Place {
    /// `arn:aws:ecs:REGION:ACCOUNT:RESOURCE`.
    pub fn arn(&self, resource: &str) -> String {
        format!("arn:aws:ecs:{}:{ACCOUNT}:{resource}", self.region)
    }

    /// A cluster's ARN.
    pub fn cluster_arn(&self, name: &str) -> String {
        self.arn(&format!("cluster/{name}"))
    }

    /// A service's ARN in the long format.
    pub fn service_arn(&self, cluster: &str, name: &str) -> String {
        self.arn(&format!("service/{cluster}/{name}"))
    }

    /// A task's ARN in the long format.
    pub fn task_arn(&self, cluster: &str, id: &str) -> String {
        self.arn(&format!("task/{cluster}/{id}"))
    }

    /// A task definition's ARN, from `family:revision`.
    pub fn definition_arn(&self, definition: &str) -> String {
        self.arn(&format!("task-definition/{definition}"))
    }
}

/// The parts after the resource type of an ARN, or the whole text if it is none:
/// `arn:…:service/c/s` -> `["c", "s"]`, `s` -> `["s"]`.
pub fn parts(reference: &str) -> Vec<&str> {
    let resource = if reference.starts_with("arn:") {
        let resource = reference.splitn(6, ':').nth(5).unwrap_or_default();
        resource.split_once('/').map_or("", |(_, rest)| rest)
    } else {
        reference
    };
    resource.split('/').collect()
}

/// The last part: a name or an ID.
pub fn name(reference: &str) -> &str {
    parts(reference).last().copied().unwrap_or_default()
}

impl Ecs {
    /// The name of an active cluster; none given means `default` (documented: every operation).
    pub fn cluster_name(&self, reference: Option<&str>) -> Result<String, ApiError> {
        self.active_cluster(reference).map(|c| c.name.clone())
    }

    fn active_cluster(&self, reference: Option<&str>) -> Result<&Cluster, ApiError> {
        let not_found = |why| ApiError::new("ClusterNotFoundException", why);
        let name = name(reference.filter(|r| !r.is_empty()).unwrap_or("default"));
        let cluster = self.clusters.get(name).ok_or_else(|| not_found("Cluster not found."))?;
        if !cluster.active {
            return Err(not_found("The referenced cluster was inactive."));
        }
        Ok(cluster)
    }

    /// A task of a cluster, by ID or ARN.
    pub fn task(&self, cluster: &str, reference: &str) -> Option<&Task> {
        self.tasks.get(name(reference)).filter(|t| t.cluster == cluster)
    }

    /// A service of a cluster, by name or ARN.
    pub fn service_by(&self, cluster: &str, reference: &str) -> Option<&Service> {
        self.service(cluster, name(reference))
    }

    /// A task definition by `family` (its latest active revision), `family:revision` or ARN.
    pub fn definition(&self, reference: &str) -> Option<&Definition> {
        let (family, revision) = family_and_revision(reference);
        let family = self.families.get(family)?;
        match revision {
            Some(revision) => family.revisions.get(&revision.parse().ok()?),
            None => family.revisions.values().rev().find(|d| d.is_active()),
        }
    }

    /// A task definition to run (observed: the messages, in public logs; of the second also under
    /// `ClientException`).
    pub fn runnable_definition(&self, reference: &str) -> Result<&Definition, ApiError> {
        let definition = self
            .definition(reference)
            .ok_or_else(|| ApiError::new("ClientException", "TaskDefinition not found."))?;
        if !definition.is_active() {
            return Err(ApiError::new("InvalidParameterException", "TaskDefinition is inactive"));
        }
        Ok(definition)
    }
}

/// `family:3` -> (`family`, `3`).
pub fn family_and_revision(reference: &str) -> (&str, Option<&str>) {
    let name = name(reference);
    name.split_once(':').map_or((name, None), |(family, revision)| (family, Some(revision)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        assert_eq!(parts("arn:aws:ecs:r:1:service/c/s"), ["c", "s"]);
        assert_eq!(name("arn:aws:ecs:r:1:cluster/c"), "c");
        assert_eq!(family_and_revision("arn:aws:ecs:r:1:task-definition/f:7"), ("f", Some("7")));
        assert_eq!(family_and_revision("f"), ("f", None));
    }
}
