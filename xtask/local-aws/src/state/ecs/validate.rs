//! What AWS refuses to register, in its words.
//!
//! *Observed* messages name the thread that quotes them, or *benched*: badmintoncryer/cdk-preflight, where each
//! rule (`rules/ecs/*/meta.yaml`) quotes what a real account answered. The others are *assumed*.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::container::{ContainerDefinition, Dependency, PortMapping};
use super::fargate;
use crate::error::ApiError;

type Check = Result<(), ApiError>;

fn refuse(why: impl Into<String>) -> Check {
    Err(ApiError::new("ClientException", why))
}

/// Validates a definition and reads its containers.
pub(super) fn definition(body: &Map<String, Value>) -> Result<Vec<ContainerDefinition>, ApiError> {
    let text = |member: &str| body.get(member).and_then(Value::as_str);
    family(text("family").unwrap_or_default())?;
    let containers = body.get("containerDefinitions").cloned().unwrap_or_else(|| Value::Array(Vec::new()));
    let containers: Vec<ContainerDefinition> =
        serde_json::from_value(containers).map_err(|e| ApiError::new("ClientException", e.to_string()))?;
    names(&containers)?;
    dependencies(&containers)?;
    let task = Task {
        awsvpc: text("networkMode") == Some("awsvpc"),
        fargate: is_fargate(body),
        cpu: text("cpu"),
        memory: text("memory"),
        execution_role: body.contains_key("executionRoleArn"),
    };
    if task.fargate {
        for_fargate(&task, &containers)?;
    }
    containers.iter().try_for_each(|c| container(&task, c))?;
    Ok(containers)
}

struct Task<'a> {
    awsvpc: bool,
    fargate: bool,
    cpu: Option<&'a str>,
    memory: Option<&'a str>,
    execution_role: bool,
}

fn is_fargate(body: &Map<String, Value>) -> bool {
    let required = body.get("requiresCompatibilities").and_then(Value::as_array);
    required.is_some_and(|r| r.iter().any(|c| c == "FARGATE"))
}

/// An image in ECR, or in the local registry that stands in for it.
pub(super) fn is_ecr(image: &str) -> bool {
    let host = image.split('/').next().unwrap_or_default();
    host.contains(".dkr.ecr.") || (image.contains('/') && host.starts_with("127.0.0.1:"))
}

/// Observed (aws-actions/amazon-ecs-deploy-task-definition#630, aws/amazon-ecs-cli#37).
fn family(family: &str) -> Check {
    match family {
        "" => refuse("Family can not be blank."),
        _ if !is_name(family) => refuse("Family contains invalid characters."),
        _ => Ok(()),
    }
}

/// Up to 255 letters, digits, underscores and hyphens.
fn is_name(name: &str) -> bool {
    name.len() <= 255 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

/// Observed (awsdocs/aws-cloudformation-user-guide#454 and #612, hashicorp/terraform-provider-aws#5950,
/// aws-actions/amazon-ecs-render-task-definition#87), but for what is benched: duplicates, none essential.
fn names(containers: &[ContainerDefinition]) -> Check {
    if containers.is_empty() {
        return refuse("Container list cannot be empty.");
    }
    let mut seen = BTreeSet::new();
    for container in containers {
        match container.name.as_str() {
            "" => return refuse("Container.name should not be null or empty."),
            name if !is_name(name) => return refuse("Container.name contains invalid characters."),
            name if !seen.insert(name) => {
                return refuse("Container names must be unique within a task definition.");
            }
            _ if container.image.is_empty() => return refuse("Container.image should not be null or empty."),
            _ => {}
        }
    }
    if containers.iter().any(ContainerDefinition::is_essential) {
        return Ok(());
    }
    refuse("Task definition doesn't have any essential container.")
}

fn dependencies(containers: &[ContainerDefinition]) -> Check {
    for container in containers {
        container.depends_on.iter().try_for_each(|d| dependency(containers, d))?;
    }
    // Take away what waits for nothing that is left; a rest waits for itself.
    let mut left: Vec<&ContainerDefinition> = containers.iter().collect();
    while !left.is_empty() {
        let before = left.len();
        let names: BTreeSet<&str> = left.iter().map(|c| c.name.as_str()).collect();
        left.retain(|c| c.depends_on.iter().any(|d| names.contains(d.container_name.as_str())));
        if left.len() == before {
            return refuse("Container dependency has a cycle."); // assumed
        }
    }
    Ok(())
}

/// Benched, the stray `+` included; the last one is assumed.
fn dependency(containers: &[ContainerDefinition], dependency: &Dependency) -> Check {
    let name = &dependency.container_name;
    let Some(other) = containers.iter().find(|c| &c.name == name) else {
        return refuse(format!("Cannot depend on container + '{name}' because it does not exist"));
    };
    match dependency.condition.as_str() {
        "SUCCESS" | "COMPLETE" if other.is_essential() => refuse(
            "A dependency container with SUCCESS or COMPLETE condition cannot be an essential container",
        ),
        "HEALTHY" if other.health_check.is_none() => {
            refuse("A dependency container with HEALTHY condition must have health check configured")
        }
        "START" | "SUCCESS" | "COMPLETE" | "HEALTHY" => Ok(()),
        other => refuse(format!("Invalid container dependency condition '{other}'.")),
    }
}

/// Benched, but for the role that ECR images need (observed in public Terraform logs).
fn for_fargate(task: &Task<'_>, containers: &[ContainerDefinition]) -> Check {
    if !task.awsvpc {
        return refuse("Fargate only supports network mode 'awsvpc'.");
    }
    fargate::validate_size(task.cpu, task.memory)?;
    let needs_role = "Fargate requires task definition to have execution role ARN to support";
    if !task.execution_role {
        if containers.iter().any(|c| is_ecr(&c.image)) {
            return refuse(format!("{needs_role} ECR images."));
        }
        if containers.iter().any(|c| c.awslogs().is_some()) {
            return refuse(format!("{needs_role} log driver awslogs."));
        }
    }
    if containers.iter().any(|c| c.privileged == Some(true)) {
        return refuse("Fargate requires that the 'privileged' setting be 'false' at the container level.");
    }
    let units: u32 = containers.iter().map(|c| c.cpu).sum();
    match task.cpu.and_then(|c| c.parse::<u32>().ok()) {
        Some(limit) if units > limit => refuse(
            "The sum of all container 'cpu' values cannot be greater than the value of the task 'cpu'.",
        ),
        _ => Ok(()),
    }
}

fn container(task: &Task<'_>, container: &ContainerDefinition) -> Check {
    if !container.secrets.is_empty() && !task.execution_role {
        // benched
        return refuse(
            "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
        );
    }
    memory(task, container)?;
    container.port_mappings.iter().try_for_each(|p| port(task, p))?;
    if task.awsvpc && !container.links.is_empty() {
        return refuse("Links are not supported when networkMode=awsvpc."); // benched
    }
    health_check(container)?;
    stop_timeout(task, container)?;
    logs(task, container)
}

/// Benched: the hard limit and the soft one over it. Observed: none given (sil-org/ecs-deploy#308).
fn memory(task: &Task<'_>, container: &ContainerDefinition) -> Check {
    let name = &container.name;
    let limit = task.memory.and_then(|m| m.parse::<u32>().ok());
    for (what, value) in [("memory", container.memory), ("memoryReservation", container.memory_reservation)] {
        if limit.zip(value).is_some_and(|(limit, value)| value > limit) {
            return refuse(format!(
                "The '{what}' setting for container '{name}' is greater than for the task."
            ));
        }
    }
    if container.memory.zip(container.memory_reservation).is_some_and(|(hard, soft)| soft > hard) {
        return refuse(format!(
            "Invalid setting for container '{name}'. 'memory' must be greater than or equal to 'memoryReservation'."
        ));
    }
    if limit.is_none() && container.memory.is_none() && container.memory_reservation.is_none() {
        return refuse(format!(
            "Invalid setting for container '{name}'. At least one of 'memory' or 'memoryReservation' must be \
             specified."
        ));
    }
    Ok(())
}

/// The awsvpc message is observed (public Terraform code quotes it); the others are assumed.
fn port(task: &Task<'_>, port: &PortMapping) -> Check {
    let Some(container) = port.container_port else {
        return Ok(());
    };
    if !(1..=65535).contains(&container) {
        return refuse(format!("Invalid container port {container}. The port must be between 1 and 65535."));
    }
    if !matches!(port.protocol.as_deref(), None | Some("tcp" | "udp")) {
        return refuse("Invalid 'protocol' setting for container. Valid values are tcp and udp.");
    }
    match port.host_port {
        Some(host) if task.awsvpc && host != container => {
            refuse("When networkMode=awsvpc, the host ports and container ports in port mappings must match.")
        }
        _ => Ok(()),
    }
}

/// Ranges documented: `HealthCheck`; over one is benched, under one and no command are assumed.
fn health_check(container: &ContainerDefinition) -> Check {
    let Some(check) = &container.health_check else {
        return Ok(());
    };
    if check.command.is_empty() {
        return refuse("Health check command should not be null or empty.");
    }
    let ranges = [
        ("interval", check.interval, 5..=300),
        ("timeout", check.timeout, 2..=60),
        ("retries", check.retries, 1..=10),
        ("startPeriod", check.start_period, 0..=300),
    ];
    for (what, value, range) in ranges {
        let limit = match value {
            Some(v) if v > *range.end() => {
                format!("less than or equal to the maximum allowed value {}", range.end())
            }
            Some(v) if v < *range.start() => {
                format!("greater than or equal to the minimum allowed value {}", range.start())
            }
            _ => continue,
        };
        return refuse(format!("Health check {what} must be {limit} for container '{}'", container.name));
    }
    Ok(())
}

/// Limit documented: `ContainerDefinition.stopTimeout`, which takes 120 too, whatever the message says (observed
/// in public logs of `RegisterTaskDefinition`).
fn stop_timeout(task: &Task<'_>, container: &ContainerDefinition) -> Check {
    match container.stop_timeout {
        Some(seconds) if task.fargate && seconds > 120 => refuse(
            "Tasks using the Fargate launch type must have a container stop timeout of less than 120 seconds.",
        ),
        _ => Ok(()),
    }
}

/// Required options documented: "awslogs log driver"; messages benched.
fn logs(task: &Task<'_>, container: &ContainerDefinition) -> Check {
    let Some(logs) = container.awslogs() else {
        return Ok(());
    };
    let missing: Vec<&str> =
        ["awslogs-group", "awslogs-region"].into_iter().filter(|o| logs.option(o).is_none()).collect();
    if !missing.is_empty() {
        return refuse(format!("Log driver awslogs requires options: {}", missing.join(", ")));
    }
    if task.fargate && logs.option("awslogs-stream-prefix").is_none() {
        return refuse(
            "Fargate requires log configuration options to include awslogs-stream-prefix to support log driver \
             awslogs.",
        );
    }
    Ok(())
}
