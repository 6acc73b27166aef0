//! deploy.toml's service to a task definition, as ECS JSON. Pure.
//!
//! Member names and shapes: Amazon ECS API Reference, RegisterTaskDefinition.

mod given;
mod volumes;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::aws::{OURS, role_arn};
use crate::config::image::Platform;
use crate::config::merge;
use crate::config::service::{Container, ContainerImage, HealthCheck, Log, Port, Service};
use crate::git::{COMMIT_TAG, Commit, DIRTY_TAG};
use crate::push::PushedImage;

/// What the rendering needs to know beside the file.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Where it runs; the log driver needs it.
    pub region: &'a str,
    /// Roles by name are the account's.
    pub account: &'a str,
    /// The images of the file, pushed, by their key.
    pub images: &'a BTreeMap<String, PushedImage>,
    /// What the working tree stands at; never itself a reason to register.
    pub commit: Option<&'a Commit>,
}

/// A task definition to register: the body of RegisterTaskDefinition.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskDefinition {
    /// Its family.
    pub family: String,
    /// The whole request.
    pub body: Value,
}

/// Renders the service's task definition: what its keys say, or the team's own JSON, and over it what
/// `extra` says.
#[must_use]
pub fn task_definition(service: &Service, context: Context<'_>) -> TaskDefinition {
    let mut body = match &service.given {
        Some(given) => given::rendered(service, given, context),
        None => rendered(service, context),
    };
    let containers = body.get_mut("containerDefinitions").and_then(Value::as_array_mut);
    for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
        let declared = service.containers.iter().find(|one| container.get("name") == Some(&json!(one.name)));
        merge(container, declared.map_or(&Map::new(), |declared| &declared.extra));
    }
    merge(&mut body, &service.extra);
    TaskDefinition { family: service.family.clone(), body: Value::Object(body) }
}

fn rendered(service: &Service, context: Context<'_>) -> Map<String, Value> {
    let role = |role: &String| json!(role_arn(role, context.region, context.account));
    let containers: Vec<_> = service.containers.iter().map(|one| container(service, one, context)).collect();
    let compatibility = if service.launch.is_fargate() { "FARGATE" } else { "EC2" };
    members([
        ("family", Some(json!(service.family))),
        ("networkMode", Some(json!("awsvpc"))),
        ("requiresCompatibilities", Some(json!([compatibility]))),
        ("cpu", service.cpu.map(|units| json!(units.to_string()))),
        ("memory", service.memory.map(|mib| json!(mib.to_string()))),
        ("executionRoleArn", service.execution_role.as_ref().map(role)),
        ("taskRoleArn", service.task_role.as_ref().map(role)),
        ("runtimePlatform", Some(runtime_platform(service.platform))),
        ("ephemeralStorage", service.ephemeral_storage.map(|size| json!({ "sizeInGiB": size }))),
        ("volumes", list(service.volumes.iter().map(volumes::volume))),
        ("containerDefinitions", Some(Value::Array(containers))),
        ("tags", Some(tags(service, context.commit))),
    ])
}

fn runtime_platform(platform: Platform) -> Value {
    let architecture = match platform {
        Platform::LinuxAmd64 => "X86_64",
        Platform::LinuxArm64 => "ARM64",
    };
    json!({ "cpuArchitecture": architecture, "operatingSystemFamily": "LINUX" })
}

fn tags(service: &Service, commit: Option<&Commit>) -> Value {
    let pair = |key: &str, value: &str| json!({ "key": key, "value": value });
    let ours = std::iter::once(pair(OURS.0, OURS.1));
    let commit = commit.map(|commit| {
        let dirty = if commit.dirty { "true" } else { "false" };
        [pair(COMMIT_TAG, &commit.hash), pair(DIRTY_TAG, dirty)]
    });
    let declared = service.tags.iter().map(|(key, value)| pair(key, value));
    ours.chain(commit.into_iter().flatten()).chain(declared).collect()
}

fn container(service: &Service, container: &Container, context: Context<'_>) -> Value {
    let default_log = || default_log(service, context.region);
    object([
        ("name", Some(json!(container.name))),
        ("image", Some(json!(image(&container.image, context.images)))),
        ("essential", Some(json!(container.essential))),
        ("cpu", container.cpu.map(|cpu| json!(cpu))),
        ("memory", container.memory.map(|memory| json!(memory))),
        ("memoryReservation", container.memory_reservation.map(|memory| json!(memory))),
        ("portMappings", list(container.ports.iter().map(port))),
        ("entryPoint", container.entrypoint.as_ref().map(|words| json!(words))),
        ("command", container.command.as_ref().map(|words| json!(words))),
        ("environment", pairs(&container.environment, "value")),
        ("secrets", pairs(&container.secrets, "valueFrom")),
        ("healthCheck", container.health_check.as_ref().map(health_check)),
        (
            "dependsOn",
            list(
                container
                    .depends_on
                    .iter()
                    .map(|(name, condition)| json!({ "containerName": name, "condition": condition })),
            ),
        ),
        ("user", container.user.as_ref().map(|user| json!(user))),
        ("workingDirectory", container.working_directory.as_ref().map(|path| json!(path))),
        ("readonlyRootFilesystem", container.read_only_root.map(|flag| json!(flag))),
        (
            "ulimits",
            list(
                container
                    .ulimits
                    .iter()
                    .map(|(name, soft, hard)| json!({ "name": name, "softLimit": soft, "hardLimit": hard })),
            ),
        ),
        ("stopTimeout", container.stop_timeout.map(|seconds| json!(seconds))),
        ("mountPoints", list(container.mounts.iter().map(volumes::mount))),
        ("linuxParameters", container.init.map(|flag| json!({ "initProcessEnabled": flag }))),
        ("dockerLabels", (!container.labels.is_empty()).then(|| json!(container.labels))),
        ("logConfiguration", Some(container.log.as_ref().map_or_else(default_log, log))),
    ])
}

/// A built image is always named by its digest; a reference stays as it is typed.
fn image(image: &ContainerImage, pushed: &BTreeMap<String, PushedImage>) -> String {
    match image {
        ContainerImage::Built(name) => pushed.get(name).map(PushedImage::reference).unwrap_or_default(),
        ContainerImage::Reference(reference) => reference.clone(),
    }
}

/// Under awsvpc the host's port is the container's.
fn port(port: &Port) -> Value {
    object([
        ("containerPort", Some(json!(port.number))),
        ("hostPort", Some(json!(port.number))),
        ("protocol", Some(json!(port.protocol))),
        ("name", port.name.as_ref().map(|name| json!(name))),
    ])
}

fn health_check(health: &HealthCheck) -> Value {
    object([
        ("command", Some(json!(health.command))),
        ("interval", health.interval.map(|seconds| json!(seconds))),
        ("timeout", health.timeout.map(|seconds| json!(seconds))),
        ("retries", health.retries.map(|times| json!(times))),
        ("startPeriod", health.start_period.map(|seconds| json!(seconds))),
    ])
}

fn default_log(service: &Service, region: &str) -> Value {
    json!({
        "logDriver": "awslogs",
        "options": {
            "awslogs-group": service.log_group.name,
            "awslogs-region": region,
            "awslogs-stream-prefix": service.name,
        },
    })
}

fn log(log: &Log) -> Value {
    object([
        ("logDriver", Some(json!(log.driver))),
        ("options", (!log.options.is_empty()).then(|| json!(log.options))),
        ("secretOptions", pairs(&log.secret_options, "valueFrom")),
    ])
}

fn pairs(map: &BTreeMap<String, String>, value_name: &str) -> Option<Value> {
    list(map.iter().map(|(name, value)| json!({ "name": name, value_name: value })))
}

fn list(items: impl Iterator<Item = Value>) -> Option<Value> {
    let items: Vec<_> = items.collect();
    (!items.is_empty()).then_some(Value::Array(items))
}

fn object<const N: usize>(present: [(&str, Option<Value>); N]) -> Value {
    Value::Object(members(present))
}

fn members<const N: usize>(members: [(&str, Option<Value>); N]) -> Map<String, Value> {
    members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn rendered(text: &str) -> Value {
        rendered_in(Path::new("/nowhere"), text)
    }

    fn rendered_in(root: &Path, text: &str) -> Value {
        let config = crate::config::parse(text, root).expect("the file is valid");
        let pushed = |name: &str| PushedImage {
            name: name.to_owned(),
            repository_uri: format!("123456789012.dkr.ecr.eu-west-1.amazonaws.com/{name}"),
            digest: "sha256:0123".to_owned(),
            tag: "image-1".to_owned(),
        };
        let images = [("server".to_owned(), pushed("server"))].into();
        let context = Context { region: "eu-west-1", account: "123456789012", images: &images, commit: None };
        task_definition(&config.services[0], context).body
    }

    #[test]
    fn the_least_file_gives_the_least_definition() {
        let text = r#"
            cluster = "c"
            image.server = { bin = "server" }
            [service.web]
            cpu = 256
            memory = 512
            execution-role = "role"
            container.app = { image = "server", port = 3000 }
        "#;
        insta::assert_json_snapshot!("least", rendered(text));
    }

    #[test]
    fn every_key_has_its_member() {
        let text = r#"
            cluster = "c"
            image.server = { bin = "server", platform = "linux/arm64" }
            [service.web]
            family = "web-family"
            cpu = 1024
            memory = 2048
            ephemeral-storage = 30
            execution-role = "arn:aws:iam::123456789012:role/path/exec"
            task-role = "task"
            tags = { team = "a" }
            logs = { group = "/web" }
            [service.web.container.app]
            image = "server"
            ports = [3000, { port = 53, protocol = "udp", name = "dns" }]
            cpu = 512
            memory = 1024
            memory-reservation = 512
            entrypoint = ["/server"]
            command = ["--fast"]
            environment = { B = 2, A = "", C = true }
            secrets = { TOKEN = "arn:aws:ssm:eu-west-1:123456789012:parameter/token" }
            depends-on = { side = "HEALTHY" }
            user = "1000:1000"
            working-directory = "/srv"
            read-only-root = true
            ulimits = { nofile = 65536, core = { soft = 0, hard = 1 } }
            stop-timeout = 90
            init = true
            labels = { a = "b" }
            mounts = [{ volume = "data", path = "/data", read-only = true }, { volume = "scratch", path = "/tmp" }]
            [service.web.volumes.data]
            file-system-id = "fs-1"
            access-point = "fsap-1"
            iam = true
            [service.web.volumes.scratch]
            [service.web.container.side]
            image = "public.ecr.aws/x/side:1"
            essential = false
            health-check = { command = "exit 0", interval = 10, timeout = 4, retries = 2, start-period = 20 }
            log = { driver = "splunk", options = { splunk-url = "u" }, secret-options = { splunk-token = "arn:x" } }
        "#;
        insta::assert_json_snapshot!("every_key", rendered(text));
    }

    #[test]
    fn extra_is_merged_last() {
        let text = r#"
            cluster = "c"
            image.server = { bin = "server" }
            [service.web]
            cpu = 256
            memory = 512
            execution-role = "role"
            extra = { pidMode = "task", runtimePlatform = { operatingSystemFamily = "OTHER" } }
            [service.web.container.app]
            image = "server"
            init = true
            command = ["a", "b"]
            extra = { linuxParameters = { tmpfs = [{ containerPath = "/t", size = 1 }] }, command = ["c"] }
        "#;
        let body = rendered(text);
        assert_eq!(body["pidMode"], "task");
        let platform = json!({ "cpuArchitecture": "X86_64", "operatingSystemFamily": "OTHER" });
        assert_eq!(body["runtimePlatform"], platform);
        let container = &body["containerDefinitions"][0];
        let linux = json!({ "initProcessEnabled": true, "tmpfs": [{ "containerPath": "/t", "size": 1 }] });
        assert_eq!((&container["linuxParameters"], &container["command"]), (&linux, &json!(["c"])));
    }

    #[test]
    fn a_json_of_the_teams_is_pinned_and_tagged() {
        let root = tempfile::tempdir().expect("a directory");
        let json = r#"{ "family": "seed", "networkMode": "awsvpc", "cpu": "256", "memory": "512",
            "executionRoleArn": "arn:x", "containerDefinitions": [
                { "name": "app", "image": "1.dkr.ecr.r.amazonaws.com/server:latest", "entryPoint": ["node"] },
                { "name": "side", "image": "side:1" }],
            "tags": [{ "key": "team", "value": "json" }, { "key": "kept", "value": "yes" }] }"#;
        std::fs::write(root.path().join("task.json"), json).expect("written");
        let text = "cluster = \"c\"\nimage.server = { bin = \"server\" }\n[service.web]\n\
                    task-definition = \"task.json\"\ntags = { team = \"toml\" }\n\
                    container.side.extra = { cpu = 5 }\n";
        insta::assert_json_snapshot!("given", rendered_in(root.path(), text));
    }
}
