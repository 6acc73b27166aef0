//! deploy.toml as it is typed. Nothing here is checked beyond its shape; the doc
//! comments are the descriptions in the JSON Schema.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

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
    /// Default: `FARGATE`.
    pub(super) launch_type: Option<LaunchType>,
    /// Fargate platform version. Default: `LATEST`.
    pub(super) platform_version: Option<String>,
    /// What the task runs on, where no image of this file says it: `linux/amd64` (default) or `linux/arm64`.
    pub(super) platform: Option<PlatformName>,
    /// Task definition family. Default: the service's name.
    pub(super) family: Option<String>,
    /// CPU units of a task, 1024 = one vCPU.
    pub(super) cpu: i64,
    /// Memory of a task in MiB.
    pub(super) memory: i64,
    /// Ephemeral storage of a task in GiB, 21 to 200. Default: 20.
    pub(super) ephemeral_storage: Option<i64>,
    /// Number of tasks. Left out: 1 on creation, untouched afterwards.
    pub(super) desired_count: Option<i64>,
    /// Role with which ECS pulls images, writes logs and reads secrets: name or ARN.
    pub(super) execution_role: Option<String>,
    /// Role of the program itself: name or ARN.
    pub(super) task_role: Option<String>,
    /// `"default"` (the default VPC's), IDs, or `{ tag = { KEY = "VALUE" } }`. Default: `"default"`.
    pub(super) subnets: Option<Subnets>,
    /// Whether tasks get a public IP. Left out: on where a subnet reaches the internet by an internet gateway only.
    pub(super) assign_public_ip: Option<bool>,
    /// A security group of this service, created if missing.
    pub(super) security_group: Option<SecurityGroup>,
    /// Existing security groups, by ID.
    pub(super) security_groups: Option<Vec<String>>,
    /// How a rollout goes.
    #[serde(default)]
    pub(super) deployment: Deployment,
    /// Seconds in which load balancer and container health checks do not count after a start.
    pub(super) health_check_grace_period: Option<i64>,
    /// CloudWatch Logs of the containers that say nothing themselves.
    #[serde(default)]
    pub(super) logs: Logs,
    /// Tags of the service and its task definition.
    #[serde(default)]
    pub(super) tags: BTreeMap<String, String>,
    /// The containers of a task.
    #[serde(default)]
    pub(super) container: BTreeMap<String, Container>,
}

/// Where tasks run.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(super) enum LaunchType {
    #[serde(rename = "FARGATE")]
    Fargate,
}

/// Which subnets.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Subnets {
    /// `"default"`.
    Word(String),
    /// IDs.
    Ids(Vec<String>),
    /// By tag.
    Tagged(TagFilter),
}

/// Things that carry all of these tags.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct TagFilter {
    /// Key and value.
    pub(super) tag: BTreeMap<String, String>,
}

/// A security group and who may come in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct SecurityGroup {
    /// The group's name.
    pub(super) name: String,
    /// Default: `NAME, managed by cargo xtask deploy`.
    pub(super) description: Option<String>,
    /// Who may come in.
    #[serde(default)]
    pub(super) ingress: Vec<Ingress>,
}

/// One ingress rule: a port, or `from-port` and `to-port`, from a CIDR block or a security group.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Ingress {
    /// A single port.
    pub(super) port: Option<i64>,
    /// First port of a range.
    pub(super) from_port: Option<i64>,
    /// Last port of a range.
    pub(super) to_port: Option<i64>,
    /// `tcp` (default) or `udp`.
    pub(super) protocol: Option<Protocol>,
    /// IPv4 or IPv6 block.
    pub(super) cidr: Option<String>,
    /// ID of a security group whose members may come in.
    pub(super) security_group: Option<String>,
    /// Shown in the console.
    pub(super) description: Option<String>,
}

/// Transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Protocol {
    Tcp,
    Udp,
}

/// How a rollout goes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Deployment {
    /// Tasks that stay healthy, in percent of the desired count. Default: 100.
    pub(super) minimum_healthy_percent: Option<i64>,
    /// Tasks that may run at once, in percent of the desired count. Default: 200.
    pub(super) maximum_percent: Option<i64>,
    /// Whether ECS stops a rollout whose tasks fail, and rolls back; or when it does. Default: true.
    pub(super) circuit_breaker: Option<CircuitBreaker>,
    /// Tasks that may start and die alike before the rollout is stopped and rolled back; 0 never stops it. Default: 3.
    pub(super) crash_limit: Option<i64>,
    /// Minutes to wait for the rollout. Default: 20.
    pub(super) timeout_minutes: Option<i64>,
}

/// The deployment circuit breaker.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum CircuitBreaker {
    /// On with rollback, or off.
    Switch(bool),
    /// On, and when it stops a rollout.
    Tuned(Breaker),
}

/// When the circuit breaker stops a rollout, and what then.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Breaker {
    /// Whether it goes back to the last revision that worked. Default: true.
    pub(super) rollback: Option<bool>,
    /// At so many failed tasks.
    pub(super) threshold: Option<i64>,
    /// At so many failed tasks in percent of the desired count, at least 3 and at most 200 of them. Default: 50.
    pub(super) threshold_percent: Option<i64>,
    /// The same, with neither lower nor upper bound.
    pub(super) threshold_unbounded_percent: Option<i64>,
    /// Whether a task that becomes healthy sets the count back to 0. Default: true.
    pub(super) reset_on_healthy_task: Option<bool>,
}

/// CloudWatch Logs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Logs {
    /// Log group, created if missing. Default: `/ecs/SERVICE`.
    pub(super) group: Option<String>,
    /// Days that logs are kept. Default: 30.
    pub(super) retention_days: Option<i64>,
}

/// A container of a task.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Container {
    /// A key of `[image]`, or a reference (with a `/`, `:` or `@`).
    pub(super) image: String,
    /// A port the container listens on.
    pub(super) port: Option<i64>,
    /// Several ports.
    pub(super) ports: Option<Vec<Port>>,
    /// Whether the task stops with this container. Default: true.
    pub(super) essential: Option<bool>,
    /// CPU units of this container's share.
    pub(super) cpu: Option<i64>,
    /// Hard memory limit in MiB.
    pub(super) memory: Option<i64>,
    /// Soft memory limit in MiB.
    pub(super) memory_reservation: Option<i64>,
    /// Overrides the image's entry point.
    pub(super) entrypoint: Option<Vec<String>>,
    /// Overrides the image's command.
    pub(super) command: Option<Vec<String>>,
    /// Plain environment variables. Not for secrets.
    #[serde(default)]
    pub(super) environment: BTreeMap<String, Scalar>,
    /// Environment variables from Secrets Manager or SSM Parameter Store: ARN or parameter name.
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, String>,
    /// The container's health check.
    pub(super) health_check: Option<HealthCheck>,
    /// Other containers and the condition to wait for before this one starts.
    #[serde(default)]
    pub(super) depends_on: BTreeMap<String, Condition>,
    /// `user`, `uid`, `uid:gid` …
    pub(super) user: Option<String>,
    /// Working directory.
    pub(super) working_directory: Option<String>,
    /// Mount the root file system read-only.
    pub(super) read_only_root: Option<bool>,
    /// Resource limits, `nofile = 65536` or `nofile = { soft = 1024, hard = 65536 }`.
    #[serde(default)]
    pub(super) ulimits: BTreeMap<String, Ulimit>,
    /// Seconds between the stop signal and the kill. At most 120 on Fargate. Default: 30.
    pub(super) stop_timeout: Option<i64>,
    /// Run an init process that reaps zombies and forwards signals.
    pub(super) init: Option<bool>,
    /// Docker labels.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    /// Log driver instead of the service's CloudWatch Logs group.
    pub(super) log: Option<Log>,
}

/// A port, or more about it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Port {
    /// The number.
    Number(i64),
    /// With protocol and name.
    Full(PortTable),
}

/// A port with protocol and name.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct PortTable {
    /// The number.
    pub(super) port: i64,
    /// Default: `tcp`.
    pub(super) protocol: Option<Protocol>,
    /// Name for Service Connect.
    pub(super) name: Option<String>,
}

/// A value of an environment variable.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Scalar {
    /// As it is.
    Text(String),
    /// In decimal.
    Integer(i64),
    /// `true` or `false`.
    Boolean(bool),
    /// In decimal.
    Float(f64),
}

/// A container's health check.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct HealthCheck {
    /// `["CMD", "program", …]` or `["CMD-SHELL", "…"]`; a string is run by the shell.
    pub(super) command: Command,
    /// Seconds between checks, 5 to 300. Default: 30.
    pub(super) interval: Option<i64>,
    /// Seconds a check may take, 2 to 60. Default: 5.
    pub(super) timeout: Option<i64>,
    /// Failures in a row that count, 1 to 10. Default: 3.
    pub(super) retries: Option<i64>,
    /// Seconds after the start in which failures do not count, 0 to 300.
    pub(super) start_period: Option<i64>,
}

/// A command in either form.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Command {
    /// For the shell.
    Shell(String),
    /// Program and arguments.
    Exec(Vec<String>),
}

/// What a container waits for.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Condition {
    Start,
    Complete,
    Success,
    Healthy,
}

/// A resource limit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Ulimit {
    /// Soft and hard alike.
    Both(i64),
    /// Apart.
    Apart(UlimitTable),
}

/// Soft and hard limit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct UlimitTable {
    /// What the program starts with.
    pub(super) soft: i64,
    /// What it may raise it to.
    pub(super) hard: i64,
}

/// A log driver.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Log {
    /// `awslogs`, `awsfirelens` or `splunk` on Fargate.
    pub(super) driver: String,
    /// The driver's options.
    #[serde(default)]
    pub(super) options: BTreeMap<String, String>,
    /// Options whose values are secrets: ARN or parameter name.
    #[serde(default)]
    pub(super) secret_options: BTreeMap<String, String>,
}
