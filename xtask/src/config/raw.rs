//! deploy.toml as it is typed. Nothing here is checked beyond its shape; the doc
//! comments are the descriptions in the JSON Schema.

mod capacity;
mod container;
mod extra;
mod network;
mod rollout;
mod traffic;
mod volume;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub(super) use capacity::{CapacityProvider, LaunchType, PropagateTags};
pub(super) use container::{Command, Condition, Container, HealthCheck, Port, Scalar, Ulimit};
pub(super) use extra::Extra;
pub(super) use network::{Existing, Ingress, Protocol, SecurityGroup, SecurityGroups, Subnets};
pub(super) use rollout::{Alarms, CircuitBreaker, Deployment, Logs};
pub(super) use traffic::{ServiceRegistry, TargetGroup};
pub(super) use volume::{Mount, Volume};

/// What `cargo xtask deploy` deploys.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct File {
    /// Name of the project, for those who read the file.
    pub(super) name: Option<String>,
    /// AWS region. Default: what the AWS configuration says.
    pub(super) region: Option<String>,
    /// The 12-digit ID of the AWS account this file may be deployed to; any other is refused.
    pub(super) account: Option<String>,
    /// ECS cluster, created if missing.
    pub(super) cluster: String,
    /// Images to build and push.
    #[serde(default)]
    pub(super) image: BTreeMap<String, Image>,
    /// Services to run.
    #[serde(default)]
    pub(super) service: BTreeMap<String, Service>,
}

/// An image: either `bin` (a binary of this workspace) or `dockerfile`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Image {
    /// ECR repository, created if missing. Default: the image's name.
    pub(super) repository: Option<String>,
    /// `linux/amd64` (default) or `linux/arm64`.
    pub(super) platform: Option<PlatformName>,

    /// A binary of this workspace, linked statically into a minimal image.
    pub(super) bin: Option<String>,
    /// With `bin`: the package, where the binary's name is ambiguous.
    pub(super) package: Option<String>,
    /// With `bin`: Cargo profile. Default: `release`.
    pub(super) profile: Option<String>,
    /// With `bin`: Cargo features.
    #[serde(default)]
    pub(super) features: Vec<String>,
    /// With `bin`: `false` turns the package's default features off.
    pub(super) default_features: Option<bool>,
    /// With `bin`: base image instead of an empty one.
    pub(super) base: Option<String>,
    /// With `bin`: `uid:gid` that the program runs as. Default: 65532:65532.
    pub(super) user: Option<String>,
    /// With `bin`: put the time zone database in.
    pub(super) time_zones: Option<bool>,
    /// With `bin`: extra files, as `"/path/in/image" = "path/in/workspace"`.
    #[serde(default)]
    pub(super) files: BTreeMap<String, String>,

    /// A Dockerfile, path below the workspace root.
    pub(super) dockerfile: Option<String>,
    /// With `dockerfile`: the build context. Default: the workspace root.
    pub(super) context: Option<String>,
    /// With `dockerfile`: the stage to build.
    pub(super) target: Option<String>,
    /// With `dockerfile`: build arguments. Not for secrets: they stay in the image's history.
    #[serde(default)]
    pub(super) args: BTreeMap<String, String>,
}

/// What an image is built for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) enum PlatformName {
    #[serde(rename = "linux/amd64")]
    Amd64,
    #[serde(rename = "linux/arm64")]
    Arm64,
}

/// An ECS service and its task definition.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Service {
    /// Name of the service on ECS. Default: NAME, with an environment NAME-ENVIRONMENT.
    pub(super) name: Option<String>,
    /// `FARGATE` (default) or `EC2`.
    pub(super) launch_type: Option<LaunchType>,
    /// Instead of a launch type: capacity providers, among which the tasks are spread.
    pub(super) capacity_providers: Option<Vec<CapacityProvider>>,
    /// Fargate platform version. Default: `LATEST`.
    pub(super) platform_version: Option<String>,
    /// What the task runs on, where no image of this file says it: `linux/amd64` (default) or `linux/arm64`.
    pub(super) platform: Option<PlatformName>,
    /// Task definition family. Default: NAME, with an environment NAME-ENVIRONMENT.
    pub(super) family: Option<String>,
    /// A task definition in ECS JSON, path below the workspace root, instead of the keys that describe one.
    pub(super) task_definition: Option<String>,
    /// CPU units of a task, 1024 = one vCPU.
    pub(super) cpu: Option<i64>,
    /// Memory of a task in MiB.
    pub(super) memory: Option<i64>,
    /// Ephemeral storage of a task in GiB, 21 to 200. Default: 20.
    pub(super) ephemeral_storage: Option<i64>,
    /// Number of tasks. Left out: 1 on creation, untouched afterwards.
    pub(super) desired_count: Option<i64>,
    /// Role with which ECS pulls images, writes logs and reads secrets: name or ARN.
    pub(super) execution_role: Option<String>,
    /// Role of the program itself: name or ARN.
    pub(super) task_role: Option<String>,
    /// Where the subnets and security groups are looked for: ID, name, or `{ tag = { KEY = "VALUE" } }`.
    pub(super) vpc: Option<Existing>,
    /// `"default"` (the default VPC's), IDs or names, or `{ tag = { KEY = "VALUE" } }`. Default: all of `vpc`, or
    /// `"default"`.
    pub(super) subnets: Option<Subnets>,
    /// Whether tasks get a public IP. Left out: on where a subnet reaches the internet by an internet gateway only.
    pub(super) assign_public_ip: Option<bool>,
    /// A security group of this service, created if missing.
    pub(super) security_group: Option<SecurityGroup>,
    /// Existing security groups: IDs or names, or `{ tag = { KEY = "VALUE" } }`.
    pub(super) security_groups: Option<SecurityGroups>,
    /// Existing target groups that the tasks are put into.
    pub(super) target_groups: Option<Vec<TargetGroup>>,
    /// Existing service registries (AWS Cloud Map) that the tasks are put into.
    pub(super) service_registries: Option<Vec<ServiceRegistry>>,
    /// Whether ECS Exec is on.
    pub(super) exec: Option<bool>,
    /// Whose tags tasks get. Default: `SERVICE` on creation, untouched afterwards.
    pub(super) propagate_tags: Option<PropagateTags>,
    /// Whether ECS moves tasks so that zones have equally many.
    pub(super) availability_zone_rebalancing: Option<bool>,
    /// How a rollout goes.
    #[serde(default)]
    pub(super) deployment: Deployment,
    /// With target groups: seconds in which health checks do not count after a start.
    pub(super) health_check_grace_period: Option<i64>,
    /// CloudWatch Logs of the containers that say nothing themselves.
    #[serde(default)]
    pub(super) logs: Logs,
    /// Tags of the service and its task definition.
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    /// Volumes that the containers may mount.
    #[serde(default)]
    pub(super) volumes: BTreeMap<String, Volume>,
    /// The containers of a task.
    #[serde(default)]
    pub(super) container: BTreeMap<String, Container>,
    /// Members of the task definition in ECS JSON (camelCase), merged last.
    #[serde(default)]
    pub(super) extra: Extra,
}
