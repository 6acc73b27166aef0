//! One service: what tells it from what the file says, and what that means for its tasks. Pure.

use aws_sdk_ecs::types::{self as ecs, AssignPublicIp, DeploymentConfiguration};
use serde_json::Value;

use super::document::{Action, Difference, Effect, Item, Object};
use super::{drift, words};
use crate::aws::OURS;
use crate::config::service::Service;
use crate::ensure::Network;
use crate::error::Result;
use crate::register::{self, Registered, short};
use crate::render::TaskDefinition;
use crate::service::{self, Change, Changes, Conflict};
use crate::world::CurrentService;

/// What has to happen to a service.
#[derive(Debug)]
pub struct ServicePlan {
    /// The task definition to run. An image that is still to be pushed is named by its tag.
    pub definition: TaskDefinition,
    /// The registered task definition that says the same.
    pub reuse: Option<Registered>,
    /// The change, or why there cannot be one.
    pub change: Result<Change>,
    /// As a plan tells it, in the order in which it happens.
    pub items: Vec<Item>,
    /// What is worth knowing and changes nothing.
    pub notes: Vec<String>,
}

/// Plans a service. `newest` is the family's newest active task definition.
#[must_use]
pub fn service(
    wanted: &Service,
    definition: TaskDefinition,
    current: Option<&CurrentService>,
    newest: Option<&Value>,
    network: &Network,
    force: bool,
) -> ServicePlan {
    let runs = current.and_then(|current| current.task_definition.as_ref());
    let candidates: Vec<_> = runs.into_iter().chain(newest).collect();
    let reuse = register::reusable(&definition, &candidates);
    // Whoever deploys is told of a rollout in progress in time: a plan says what would change after it.
    let change = service::decide(wanted, current, reuse.as_ref(), network, force, Conflict::Supersede);
    let mut plan = ServicePlan {
        items: Vec::new(),
        notes: notes(wanted, current, newest, &change),
        definition,
        reuse,
        change,
    };
    plan.items = items(wanted, &plan, current, newest, network);
    plan
}

fn items(
    wanted: &Service,
    plan: &ServicePlan,
    current: Option<&CurrentService>,
    newest: Option<&Value>,
    network: &Network,
) -> Vec<Item> {
    let runs = current.and_then(|current| current.task_definition.as_ref());
    let base = runs.or(newest);
    let mut items = Vec::new();
    if plan.reuse.is_none() {
        items.push(revision(plan, base));
    }
    let mut item = Item::new(Action::Change, Object::Service, wanted.name.as_str());
    match (&plan.change, current) {
        (Err(error), _) => {
            item.action = Action::Refuse;
            item.effect = Some(Effect::Replace);
            item.why = Some(error.message.clone());
        }
        (Ok(Change::Create), _) => {
            item.action = Action::Create;
            item.differences = created(wanted, network);
        }
        (Ok(Change::Update(changes)), Some(current)) => {
            item.effect =
                Some(if changes.starts_deployment() { Effect::NewDeployment } else { Effect::InPlace });
            item.differences = settings(wanted, changes, &current.service, plan.reuse.as_ref(), network);
            item.why = match changes {
                changes if changes.force => Some("a new deployment is forced".to_owned()),
                _ if item.differences.is_empty() => Some("what the last deploy set is recorded".to_owned()),
                _ => None,
            };
        }
        _ => return items,
    }
    items.push(item);
    items
}

/// A revision that is to be registered.
fn revision(plan: &ServicePlan, base: Option<&Value>) -> Item {
    let family = &plan.definition.family;
    let mut item = Item::new(Action::Create, Object::TaskDefinition, family.as_str());
    item.differences = words::differences(&plan.definition.body, base);
    item.why = base.map(|base| {
        let arn = short(base["taskDefinitionArn"].as_str().unwrap_or_default());
        match base["status"].as_str().unwrap_or("gone") {
            "ACTIVE" => format!("differs from {arn}"),
            status => format!("{arn} cannot be used: it is {}", status.to_lowercase()),
        }
    });
    item
}

fn created(wanted: &Service, network: &Network) -> Vec<Difference> {
    let mut all = vec![
        Difference::new("desired-count", None, Some(wanted.desired_count.unwrap_or(1).to_string())),
        Difference::new("subnets", None, Some(network.subnets.join(" "))),
        Difference::new("assign-public-ip", None, Some(network.assign_public_ip.to_string())),
    ];
    if !network.security_groups.is_empty() {
        all.push(Difference::new("security-groups", None, Some(network.security_groups.join(" "))));
    }
    let declared = drift::declared(wanted).into_iter().filter(|(key, _)| key != "desired-count");
    all.extend(declared.map(|(key, value)| Difference::new(key, None, Some(value))));
    all
}

/// The settings that change, and which of them somebody set by hand.
fn settings(
    wanted: &Service,
    changes: &Changes,
    now: &ecs::Service,
    reuse: Option<&Registered>,
    network: &Network,
) -> Vec<Difference> {
    let mut all = Vec::new();
    if changes.task_definition {
        let to = reuse.map_or_else(|| "a new revision".to_owned(), |reuse| reuse.short().to_owned());
        let from = now.task_definition().map(short).map(str::to_owned);
        all.push(Difference::new("task-definition", from, Some(to)));
    }
    if changes.network {
        all.extend(networks(network, now));
    }
    if let Some(version) = &changes.platform_version {
        let from = now.platform_version().map(str::to_owned);
        all.push(Difference::new("platform-version", from, Some(version.clone())));
    }
    if let Some(count) = changes.desired_count {
        all.push(Difference::new(
            "desired-count",
            Some(now.desired_count().to_string()),
            Some(count.to_string()),
        ));
    }
    if let Some(next) = &changes.deployment {
        all.extend(deployment(wanted, next, now.deployment_configuration()));
    }
    if let Some(seconds) = changes.grace_period {
        let from = now.health_check_grace_period_seconds().map(|s| s.to_string());
        all.push(Difference::new("health-check-grace-period", from, Some(seconds.to_string())));
    }
    all.extend(changes.tags.iter().filter(|(key, _)| key != drift::TAG).map(|(key, value)| {
        let from = tag(now, key).map(str::to_owned);
        Difference::new(format!("tags.{key}"), from, Some(value.clone()))
    }));
    all.extend(super::settings::differences(&changes.settings, now));
    by_hand(&mut all, now);
    all
}

/// Marks what is not as the last deploy set it.
fn by_hand(all: &mut [Difference], now: &ecs::Service) {
    let recorded = drift::recorded(tag(now, drift::TAG).unwrap_or_default());
    for one in all {
        let was = recorded.get(&one.key);
        one.set_by_hand = was.is_some_and(|was| one.from.as_ref().is_some_and(|from| from != was));
    }
}

fn tag<'s>(service: &'s ecs::Service, key: &str) -> Option<&'s str> {
    service.tags().iter().find(|tag| tag.key() == Some(key))?.value()
}

fn networks(wanted: &Network, now: &ecs::Service) -> Vec<Difference> {
    let vpc = now.network_configuration().and_then(|network| network.awsvpc_configuration());
    let list = |ids: &[String]| {
        let mut ids = ids.to_vec();
        ids.sort();
        ids.join(" ")
    };
    let public = vpc.map(|vpc| (vpc.assign_public_ip() == Some(&AssignPublicIp::Enabled)).to_string());
    let pairs = [
        ("subnets", vpc.map(|vpc| list(vpc.subnets())), list(&wanted.subnets)),
        ("security-groups", vpc.map(|vpc| list(vpc.security_groups())), list(&wanted.security_groups)),
        ("assign-public-ip", public, wanted.assign_public_ip.to_string()),
    ];
    let differ = pairs.into_iter().filter(|(_, from, to)| from.as_ref() != Some(to));
    differ.map(|(key, from, to)| Difference::new(key, from, Some(to))).collect()
}

fn deployment(
    wanted: &Service,
    next: &DeploymentConfiguration,
    now: Option<&DeploymentConfiguration>,
) -> Vec<Difference> {
    let mut all = Vec::new();
    let percents = [
        (
            "minimum-healthy-percent",
            next.minimum_healthy_percent(),
            now.and_then(|now| now.minimum_healthy_percent()),
        ),
        ("maximum-percent", next.maximum_percent(), now.and_then(|now| now.maximum_percent())),
    ];
    for (key, to, from) in percents.into_iter().filter(|(_, to, from)| to != from) {
        let text = |number: Option<i32>| number.map(|number| number.to_string());
        all.push(Difference::new(format!("deployment.{key}"), text(from), text(to)));
    }
    let minutes = |one: Option<&DeploymentConfiguration>| {
        one.and_then(|one| one.bake_time_in_minutes()).map(|m| m.to_string())
    };
    if minutes(Some(next)) != minutes(now) {
        all.push(Difference::new("deployment.bake-time-minutes", minutes(now), minutes(Some(next))));
    }
    let alarms = |one: Option<&DeploymentConfiguration>| {
        one.and_then(|one| one.alarms()).map(|alarms| alarms.alarm_names().join(", "))
    };
    if next.alarms() != now.and_then(|now| now.alarms()) {
        all.push(Difference::new("deployment.alarms", alarms(now), alarms(Some(next))));
    }
    let before = now.and_then(|now| now.deployment_circuit_breaker());
    if next.deployment_circuit_breaker() != before {
        let from = before.map(breaker);
        let to = wanted.deployment.circuit_breaker.as_ref().map(drift::words);
        all.push(Difference::new("deployment.circuit-breaker", from, to));
    }
    all
}

/// As `drift::words` says it of a declared one.
fn breaker(now: &ecs::DeploymentCircuitBreaker) -> String {
    use crate::config::service::{CircuitBreaker, Threshold};
    let threshold = now.threshold_configuration().and_then(|configured| {
        let value = u32::try_from(configured.value()).ok()?;
        match configured.r#type() {
            ecs::ThresholdType::Count => Some(Threshold::Count(value)),
            ecs::ThresholdType::BoundedPercent => Some(Threshold::Percent(value)),
            ecs::ThresholdType::UnboundedPercent => Some(Threshold::UnboundedPercent(value)),
            _ => None,
        }
    });
    drift::words(&CircuitBreaker {
        enable: now.enable(),
        rollback: now.rollback(),
        threshold,
        reset_on_healthy_task: now.reset_on_healthy_task(),
    })
}

/// What changes nothing by itself: a rollout in progress, a revision that is not ours or not the newest.
fn notes(
    wanted: &Service,
    current: Option<&CurrentService>,
    newest: Option<&Value>,
    change: &Result<Change>,
) -> Vec<String> {
    let Some(current) = current else { return Vec::new() };
    let name = &wanted.name;
    let mut notes = Vec::new();
    match change {
        Ok(Change::Follow) => notes.push(format!("service {name}: its rollout is still in progress")),
        _ if current.in_progress() => notes.push(format!(
            "service {name}: another rollout is in progress; `--on-conflict` says what a deploy does about it"
        )),
        _ => {}
    }
    let Some(runs) = &current.task_definition else { return notes };
    let arn =
        |definition: &Value| short(definition["taskDefinitionArn"].as_str().unwrap_or_default()).to_owned();
    if !ours(runs) {
        notes.push(format!("service {name} runs {}, which this tool did not register", arn(runs)));
    } else if let Some(newest) =
        newest.filter(|newest| arn(newest) != arn(runs) && newest["family"] == runs["family"])
    {
        notes.push(format!("service {name} runs {}, not the newest, {}", arn(runs), arn(newest)));
    }
    notes
}

fn ours(definition: &Value) -> bool {
    let tags = definition["tags"].as_array().map(Vec::as_slice).unwrap_or_default();
    tags.iter().any(|tag| tag["key"] == OURS.0 && tag["value"] == OURS.1)
}
