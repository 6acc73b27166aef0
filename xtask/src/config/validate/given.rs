//! `task-definition`: the team's own, in ECS JSON, taken as it is but for the images.

use std::path::Path as FsPath;

use serde_json::{Map, Value};

use super::service::container_image;
use super::{Check, Declared, extra, size};
use crate::config::image::{Image, Platform};
use crate::config::problem::nearest;
use crate::config::service::{Container, ContainerImage, Launch, Log, Port};
use crate::config::source::Path;
use crate::config::{merge, raw};

/// What the JSON says, as far as this tool acts on it.
pub(super) struct Given {
    /// Without what only AWS writes.
    pub(super) body: Map<String, Value>,
    pub(super) containers: Vec<Container>,
    pub(super) platform: Platform,
    pub(super) family: Option<String>,
    pub(super) size: size::Size,
    pub(super) execution_role: Option<String>,
    /// Whether it names one.
    pub(super) task_role: bool,
}

/// Members of an answer that no request has, so that what DescribeTaskDefinition printed can be used as it is.
/// Source: Amazon ECS API Reference, TaskDefinition and RegisterTaskDefinition.
const ANSWERED: &[&str] = &[
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
];

/// Keys that describe a task definition: beside `task-definition`, there would be two sayings.
const EXCLUDED: &[&str] =
    &["cpu", "memory", "ephemeral-storage", "execution-role", "task-role", "platform", "logs", "volumes"];

/// Reads the file; problems are shown at `task-definition`, or at the keys that contradict it.
pub(super) fn given(
    check: &mut Check<'_>,
    at: &Path,
    file: &str,
    table: &mut raw::Service,
    context: (&[Image], &Declared, &FsPath),
    launch: &Launch,
) -> Option<Given> {
    let place = at.at("task-definition");
    let there: Vec<_> = EXCLUDED.iter().copied().filter(|key| check.spans.has(&at.at(key))).collect();
    exclude(check, at, file, &there);
    let (images, declared, root) = context;
    let mut body = read(check, &place, &root.join(file))?;
    body.retain(|member, _| !ANSWERED.contains(&member.as_str()));
    let found = body.get("containerDefinitions").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut containers: Vec<_> =
        found.iter().filter_map(|one| container(check, &place, one, images)).collect();
    let tables = std::mem::take(&mut table.container);
    for (at, name, table) in check.in_order(&at.at("container"), tables) {
        overlay(check, (&at, name.as_str(), file), table, &mut containers, declared);
    }
    let mut whole = body.clone();
    merge(&mut whole, &table.extra.0);
    shape(check, &place, &whole, &containers);
    Some(Given {
        platform: platform(&whole),
        family: text(&whole, "family"),
        size: size::of_json(check, &place, &whole, launch.is_fargate()),
        execution_role: text(&whole, "executionRoleArn"),
        task_role: whole.contains_key("taskRoleArn"),
        containers,
        body,
    })
}

fn exclude(check: &mut Check<'_>, at: &Path, file: &str, keys: &[&str]) {
    for key in keys {
        let help =
            format!("say it there; what differs here goes into `[{at}.extra]`, by its name in ECS JSON");
        check.key(&at.at(key), format!("`{file}` says what `{key}` would"), "", [help]);
    }
}

fn read(check: &mut Check<'_>, at: &Path, path: &FsPath) -> Option<Map<String, Value>> {
    let looked = || format!("looked for `{}`", path.display());
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            check.value(at, "there is no such file", "", [looked()]);
            return None;
        }
        Err(error) => {
            check.value(at, format!("cannot be read: {error}"), "", [looked()]);
            return None;
        }
    };
    let mut value: Value = match serde_json::from_str(&text) {
        Ok(value) => value,
        Err(error) => {
            check.value(at, "the file is not JSON", "", [format!("{error} of `{}`", path.display())]);
            return None;
        }
    };
    // As `aws ecs describe-task-definition` prints it.
    if value["taskDefinition"].is_object() {
        value = value["taskDefinition"].take();
    }
    match value {
        Value::Object(body) if body.get("containerDefinitions").is_some_and(is_list) => Some(body),
        _ => {
            let help = "its `containerDefinitions` are a list of at least one container".to_owned();
            check.value(at, "the file holds no task definition", "", [help]);
            None
        }
    }
}

fn is_list(value: &Value) -> bool {
    value.as_array().is_some_and(|list| !list.is_empty())
}

fn text(body: &Map<String, Value>, member: &str) -> Option<String> {
    body.get(member).and_then(Value::as_str).map(str::to_owned)
}

/// A container of the JSON, as far as this tool acts on it.
fn container(check: &mut Check<'_>, at: &Path, value: &Value, images: &[Image]) -> Option<Container> {
    let Some(name) = value["name"].as_str().filter(|name| !name.is_empty()) else {
        check.value(at, "a container of the file has no `name`", "", []);
        return None;
    };
    let reference = value["image"].as_str().unwrap_or_default();
    let image = match built(reference, images) {
        Some(image) => ContainerImage::Built(image.name.clone()),
        None => ContainerImage::Reference(reference.to_owned()),
    };
    let ports = value["portMappings"].as_array().into_iter().flatten().filter_map(port).collect();
    let driver = value["logConfiguration"]["logDriver"].as_str().unwrap_or_default();
    let secrets = value["secrets"].as_array().into_iter().flatten();
    let secret =
        |one: &Value| Some((one["name"].as_str()?.to_owned(), one["valueFrom"].as_str()?.to_owned()));
    Some(Container {
        ports,
        essential: value["essential"] != false,
        secrets: secrets.filter_map(secret).collect(),
        log: Some(Log { driver: driver.to_owned(), options: [].into(), secret_options: [].into() }),
        ..Container::new(name, image)
    })
}

fn port(value: &Value) -> Option<Port> {
    let number = value["containerPort"].as_u64().and_then(|port| u16::try_from(port).ok())?;
    let protocol = if value["protocol"] == "udp" { "udp" } else { "tcp" };
    Some(Port { number, protocol, name: value["name"].as_str().map(str::to_owned) })
}

/// The image of deploy.toml that a reference means: by its key, or by its repository in ECR, whatever the
/// account, region and tag. One by digest is pinned already.
fn built<'i>(reference: &str, images: &'i [Image]) -> Option<&'i Image> {
    if let Some(image) = images.iter().find(|image| image.name == reference) {
        return Some(image);
    }
    let (host, rest) = reference.split_once('/')?;
    if !host.contains(".dkr.ecr.") || rest.contains('@') {
        return None;
    }
    let repository = rest.split_once(':').map_or(rest, |(repository, _)| repository);
    images.iter().find(|image| image.repository == repository)
}

/// What deploy.toml says of a container of the JSON: its image, and what goes over it.
fn overlay(
    check: &mut Check<'_>,
    (at, name, file): (&Path, &str, &str),
    table: raw::Container,
    containers: &mut [Container],
    declared: &Declared,
) {
    let others: Vec<_> = check.spans.keys_in(at).filter(|key| !["image", "extra"].contains(key)).collect();
    exclude(check, at, file, &others);
    let Some(index) = containers.iter().position(|container| container.name == name) else {
        let names = || containers.iter().map(|container| container.name.as_str());
        let help = match nearest(name, names()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("its containers: {}", names().collect::<Vec<_>>().join(", ")),
        };
        check.key(at, format!("`{file}` has no container `{name}`"), "", [help]);
        return;
    };
    if let Some(image) = table.image {
        containers[index].image = container_image(check, &at.at("image"), image, declared);
    }
    containers[index].extra = extra::extra(check, at, table.extra, extra::OF_CONTAINER);
}

/// What this tool needs of it; the rest is ECS's to judge.
fn shape(check: &mut Check<'_>, at: &Path, body: &Map<String, Value>, containers: &[Container]) {
    if body.get("networkMode") != Some(&Value::from("awsvpc")) {
        let help = "`\"networkMode\": \"awsvpc\"`: Fargate knows no other, and services here have a network of their own";
        check.value(at, "the file's `networkMode` is not `awsvpc`", "", [help.to_owned()]);
    }
    if !containers.iter().any(|container| container.essential) {
        let help = "a task ends when its last essential container does: leave one `essential`".to_owned();
        check.value(at, "no container of the file is essential", "", [help]);
    }
    let nameless = |container: &&Container| container.image == ContainerImage::Reference(String::new());
    for container in containers.iter().filter(nameless) {
        let help = format!("`[container.{}]` of this service takes an `image`, too", container.name);
        check.value(at, format!("container `{}` of the file has no `image`", container.name), "", [help]);
    }
}

/// Source: Amazon ECS API Reference, RuntimePlatform (X86_64 when left out).
fn platform(body: &Map<String, Value>) -> Platform {
    match body.get("runtimePlatform").and_then(|platform| platform["cpuArchitecture"].as_str()) {
        Some("ARM64") => Platform::LinuxArm64,
        _ => Platform::LinuxAmd64,
    }
}
