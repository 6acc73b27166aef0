//! Clusters.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Ecs;
use super::reference::name;
use super::tags::{self, Tag};
use super::task::Last;
use crate::error::ApiError;

/// A cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// `ACTIVE`; a deleted one is `INACTIVE` and still described.
    pub active: bool,
    /// What else was given: settings, configuration, capacity providers.
    pub body: Map<String, Value>,
    /// Tags.
    pub tags: Vec<Tag>,
}

impl Ecs {
    /// Creates a cluster, or finds the one that is there (assumed: that it is the same however it is configured).
    pub fn create_cluster(
        &mut self,
        name: Option<&str>,
        mut body: Map<String, Value>,
        tags: Vec<Tag>,
    ) -> Result<&Cluster, ApiError> {
        let name = name.unwrap_or("default").to_owned();
        validate_name(&name)?;
        tags::validate(&tags)?;
        self.touch();
        body.entry("settings").or_insert_with(|| json!([{"name": "containerInsights", "value": "disabled"}]));
        let cluster = Cluster { name: name.clone(), active: true, body, tags };
        let there = self.clusters.entry(name).or_insert_with(|| cluster.clone());
        if !there.active {
            *there = cluster;
        }
        Ok(there)
    }

    /// Deletes an empty cluster.
    pub fn delete_cluster(&mut self, reference: &str) -> Result<&Cluster, ApiError> {
        let name = self.cluster_name(Some(reference))?;
        if self.services.values().any(|s| s.cluster == name && !s.is_inactive()) {
            // observed, both: public Terraform logs
            let why = "The Cluster cannot be deleted while Services are active.";
            return Err(ApiError::new("ClusterContainsServicesException", why));
        }
        if self.tasks.values().any(|t| t.cluster == name && t.last != Last::Stopped) {
            let why = "The Cluster cannot be deleted while Tasks are active.";
            return Err(ApiError::new("ClusterContainsTasksException", why));
        }
        self.touch();
        let cluster = self.clusters.get_mut(&name);
        let cluster =
            cluster.ok_or_else(|| ApiError::new("ClusterNotFoundException", "Cluster not found."))?;
        cluster.active = false;
        Ok(cluster)
    }

    /// The answer's `cluster`. Tags, settings and the like only when they were asked for.
    pub fn render_cluster(&self, cluster: &Cluster, include: &[String]) -> Value {
        let asked = |what: &str| include.iter().any(|i| i == what);
        let tasks = |last: &[Last]| {
            self.tasks.values().filter(|t| t.cluster == cluster.name && last.contains(&t.last)).count()
        };
        let services = self.services.values().filter(|s| s.cluster == cluster.name && s.is_active()).count();
        let mut out = json!({
            "clusterArn": self.place.cluster_arn(&cluster.name),
            "clusterName": cluster.name,
            "status": if cluster.active { "ACTIVE" } else { "INACTIVE" },
            "registeredContainerInstancesCount": 0,
            "runningTasksCount": tasks(&[Last::Running]),
            "pendingTasksCount": tasks(&[Last::Provisioning, Last::Pending, Last::Activating]),
            "activeServicesCount": services,
            "statistics": if asked("STATISTICS") { statistics(tasks(&[Last::Running]), services) } else { json!([]) },
            "tags": if asked("TAGS") { json!(cluster.tags) } else { json!([]) },
            "settings": if asked("SETTINGS") { cluster.body.get("settings").cloned() } else { None }.unwrap_or(json!([])),
            "capacityProviders": cluster.body.get("capacityProviders").cloned().unwrap_or(json!([])),
            "defaultCapacityProviderStrategy":
                cluster.body.get("defaultCapacityProviderStrategy").cloned().unwrap_or(json!([])),
        });
        if asked("CONFIGURATIONS") {
            copy(&cluster.body, &mut out, "configuration");
        }
        copy(&cluster.body, &mut out, "serviceConnectDefaults");
        out
    }

    /// The cluster as the call that made it answers.
    pub fn render_new_cluster(&self, reference: &str) -> Value {
        let all = ["TAGS", "SETTINGS", "CONFIGURATIONS"].map(str::to_owned);
        self.clusters.get(name(reference)).map_or(Value::Null, |c| self.render_cluster(c, &all))
    }
}

fn statistics(running: usize, services: usize) -> Value {
    json!([
        {"name": "runningFargateTasksCount", "value": running.to_string()},
        {"name": "activeFargateServiceCount", "value": services.to_string()},
    ])
}

fn copy(from: &Map<String, Value>, to: &mut Value, member: &str) {
    if let Some(value) = from.get(member) {
        to[member] = value.clone();
    }
}

/// Documented: `CreateCluster.clusterName`; observed: badmintoncryer/cdk-preflight, `pf-ecs-cluster-name`.
fn validate_name(name: &str) -> Result<(), ApiError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 255 || !name.chars().all(fits) {
        let why = "ClusterName must match ^[a-zA-Z0-9\\-_]{1,255}$";
        return Err(ApiError::new("InvalidParameterException", why));
    }
    Ok(())
}
