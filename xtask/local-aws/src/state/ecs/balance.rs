//! Tasks behind target groups: who registers and deregisters them, and what their health there means
//! for the service.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::create::invalid;
use super::definition::Definition;
use super::service::Service;
use super::stop::Stop;
use super::task::{HealthStatus, Last, Task};
use super::{Ecs, event};
use crate::error::ApiError;
use crate::state::elb::Elb;
use crate::state::elb::check::{Answer, HealthCheck};
use crate::state::elb::target::{State, Target};

/// At most this many target groups a service (documented: `CreateService.loadBalancers`).
const MAX_GROUPS: usize = 5;

/// An entry of `loadBalancers`, and what became of it for a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Balancer {
    /// The target group.
    pub target_group_arn: String,
    /// The container that it sends traffic to.
    pub container_name: String,
    /// And the port.
    pub container_port: u16,
    /// Of the task that has this entry.
    #[serde(default)]
    pub state: Registration,
}

/// What a target group says of a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Registration {
    /// Not registered yet.
    #[default]
    None,
    /// Registered, no verdict yet.
    Initial,
    /// Its checks pass.
    Healthy,
    /// They fail; the reason in AWS's words.
    Unhealthy(String),
    /// Deregistered.
    Gone,
}

/// Why a task that runs is replaced.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failed {
    /// Its container health check.
    Container,
    /// The health check of a target group.
    Balancer { group: String, port: u16, reason: String },
}

impl Failed {
    pub(super) fn stop(&self) -> Stop {
        match self {
            Self::Container => Stop::unhealthy(),
            Self::Balancer { group, .. } => Stop::unhealthy_target(group),
        }
    }

    pub(super) fn event(&self, service: &str, task: &str) -> String {
        match self {
            Self::Container => event::unhealthy(service, task),
            Self::Balancer { group, port, reason } => {
                event::unhealthy_target(service, task, *port, group, reason)
            }
        }
    }
}

impl Task {
    /// Why it is to be replaced, if it is: failed health checks count once the grace period is over
    /// (documented: `Service.healthCheckGracePeriodSeconds`, which names container health checks too).
    pub(super) fn failed_check(&self, grace: f64, now: f64) -> Option<Failed> {
        if !self.wanted() || self.started_at.is_some_and(|at| now - at < grace) {
            return None;
        }
        if self.health() == HealthStatus::Unhealthy {
            return Some(Failed::Container);
        }
        self.balancers.iter().find_map(|balancer| match &balancer.state {
            Registration::Unhealthy(reason) => Some(Failed::Balancer {
                group: balancer.target_group_arn.clone(),
                port: balancer.container_port,
                reason: reason.clone(),
            }),
            _ => None,
        })
    }
}

/// How long after its start an unhealthy task is left alone, whoever finds it unhealthy (documented:
/// `UpdateService.healthCheckGracePeriodSeconds`). Not scaled: what it is for, a slow start, takes as long here.
pub(super) fn grace(service: &Service) -> f64 {
    service.settings.get("healthCheckGracePeriodSeconds").and_then(Value::as_f64).unwrap_or(0.0)
}

/// Entries of `loadBalancers` in a revision's configuration.
pub(super) fn balancers(config: &Map<String, Value>) -> Vec<Balancer> {
    config.get("loadBalancers").cloned().and_then(|v| serde_json::from_value(v).ok()).unwrap_or_default()
}

impl Ecs {
    /// Whether `loadBalancers` fit the task definition, and what they name is there. An empty list is
    /// the same as none. Observed, all messages but for the limit and the blank port: public logs of
    /// Terraform, aws/amazon-ecs-cli#359, aws/amazon-ecs-agent#647. That the target group is used by a
    /// load balancer is not asked here: none can be.
    pub(super) fn check_balancers(
        &self,
        definition: &Definition,
        config: &mut Map<String, Value>,
    ) -> Result<(), ApiError> {
        let entries = config.get("loadBalancers").and_then(Value::as_array).cloned().unwrap_or_default();
        if entries.is_empty() {
            config.remove("loadBalancers");
        }
        if entries.len() > MAX_GROUPS {
            return Err(invalid("loadBalancers can have at most 5 items."));
        }
        entries.iter().try_for_each(|entry| self.check_balancer(definition, entry))
    }

    fn check_balancer(&self, definition: &Definition, entry: &Value) -> Result<(), ApiError> {
        if let Some(name) = entry["loadBalancerName"].as_str() {
            return Err(invalid(format!("The load balancer {name} does not exist.")));
        }
        let container = entry["containerName"].as_str().filter(|name| !name.is_empty());
        let container = container.ok_or_else(|| invalid("Container Name can not be blank."))?;
        let port = entry["containerPort"].as_u64();
        let port = port.ok_or_else(|| invalid("Container Port can not be blank."))?;
        let containers = definition.containers();
        let found = containers.iter().find(|c| c.name == container).ok_or_else(|| {
            invalid(format!("The container {container} does not exist in the task definition."))
        })?;
        if !found.tcp_ports().any(|p| u64::from(p) == port) {
            let why = format!("The container {container} did not have a container port {port} defined.");
            return Err(invalid(why));
        }
        let arn = entry["targetGroupArn"].as_str().unwrap_or_default();
        let group = self.elb.group(arn);
        let group = group.ok_or_else(|| invalid(format!("The target group {arn} does not exist.")))?;
        if group.target_type != "ip" && definition.text("networkMode") == Some("awsvpc") {
            return Err(invalid(format!(
                "The provided target group {arn} has target type {}, which is incompatible with the awsvpc \
                 network mode specified in the task definition.",
                group.target_type
            )));
        }
        Ok(())
    }

    /// Whether a service sends, or still sends, traffic through a target group.
    pub fn uses_target_group(&self, arn: &str) -> bool {
        let services = self.services.values().filter(|s| !s.is_inactive());
        let mut revisions = services
            .flat_map(|s| s.deployments.iter().filter_map(|d| s.revision(&d.revision)))
            .flat_map(|r| balancers(&r.config));
        revisions.any(|b| b.target_group_arn == arn)
    }
}

/// A grace period is for load balancers (observed: public logs of Terraform, and aws/aws-cdk#19842; that 0
/// is accepted is assumed).
pub(super) fn check_grace(given: &Map<String, Value>, config: &Map<String, Value>) -> Result<(), ApiError> {
    let grace = given.get("healthCheckGracePeriodSeconds").and_then(Value::as_u64).unwrap_or(0);
    if grace > 0 && !config.contains_key("loadBalancers") {
        return Err(invalid(
            "Health check grace period is only valid for services configured to use load balancers",
        ));
    }
    Ok(())
}

/// What was done to a service's target groups.
#[derive(Default)]
struct Done {
    registered: BTreeMap<String, usize>,
    deregistered: BTreeMap<String, usize>,
    draining: usize,
}

/// Registers tasks that run, deregisters those that are to stop, and reads the health of the others.
pub(super) fn balance(ecs: &mut Ecs, service: &mut Service, now: f64) {
    let mut done = Done::default();
    let mut changed = false;
    let tasks = ecs.tasks.values_mut().filter(|t| {
        t.cluster == service.cluster && t.service.as_deref() == Some(&service.name) && !t.balancers.is_empty()
    });
    for task in tasks {
        let before = task.balancers.clone();
        balance_task(&mut ecs.elb, task, &mut done);
        if task.balancers != before {
            task.version += 1;
            changed = true;
        }
    }
    if changed {
        ecs.touch();
    }
    for (group, count) in &done.registered {
        service.tell(&mut ecs.ids, event::registered(&service.name, *count, group), now);
    }
    for (group, count) in &done.deregistered {
        service.tell(&mut ecs.ids, event::deregistered(&service.name, *count, group), now);
    }
    if done.draining > 0 {
        service.tell(&mut ecs.ids, event::draining(&service.name, done.draining), now);
    }
}

/// The target stays, draining, as long as the task waits to be stopped; the deregistration delay of
/// minutes is not waited out (scaled down).
fn balance_task(elb: &mut Elb, task: &mut Task, done: &mut Done) {
    let Some(interface) = task.interface.clone() else { return };
    let serves = task.wanted() && task.last == Last::Running;
    let mut drains = false;
    for balancer in &mut task.balancers {
        let (arn, port) = (balancer.target_group_arn.clone(), balancer.container_port);
        match balancer.state {
            Registration::None if serves => {
                let target = Target::new(&interface.address, port).in_zone(Some(interface.zone.clone()));
                elb.register(&arn, target.of_task(&task.id));
                *done.registered.entry(arn).or_default() += 1;
                balancer.state = Registration::Initial;
            }
            Registration::None => {}
            Registration::Gone if task.last > Last::Deactivating => {
                elb.forget(&arn, &interface.address, port);
            }
            Registration::Gone => {}
            _ if serves => balancer.state = read(elb, &arn, &interface.address, port),
            _ => {
                elb.drain(&arn, &interface.address, port);
                if task.last > Last::Deactivating {
                    elb.forget(&arn, &interface.address, port);
                }
                *done.deregistered.entry(arn).or_default() += 1;
                balancer.state = Registration::Gone;
                drains = true;
            }
        }
    }
    done.draining += usize::from(drains);
}

/// A target that somebody deregistered is not healthy any more (assumed: ECS tells it like this).
fn read(elb: &Elb, arn: &str, id: &str, port: u16) -> Registration {
    match elb.group(arn).and_then(|group| group.target(id, port)).map(|target| target.state) {
        Some(State::Initial) => Registration::Initial,
        Some(State::Healthy) => Registration::Healthy,
        Some(State::Unhealthy(answer)) => Registration::Unhealthy(answer.description()),
        Some(State::Draining) | None => Registration::Unhealthy("Target is not registered".into()),
    }
}

/// A health check to make.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Target group.
    pub group: String,
    /// The target's address.
    pub id: String,
    /// And port.
    pub port: u16,
    /// Where that is reached from here, if it is.
    pub address: Option<SocketAddr>,
    /// How.
    pub how: HealthCheck,
}

impl Ecs {
    /// The health checks that are due; each counts as under way until [`Ecs::checked`] tells of it.
    pub fn due_checks(&mut self, now: f64) -> Vec<Check> {
        let due: Vec<Check> = self.checks().filter(|(at, _)| *at <= now).map(|(_, check)| check).collect();
        for check in &due {
            if let Some(target) = self.elb.target_mut(&check.group, &check.id, check.port) {
                target.next_check = f64::INFINITY;
            }
        }
        due
    }

    /// When the next check is due.
    pub(super) fn next_check(&self) -> Option<f64> {
        self.checks().map(|(at, _)| at).filter(|at| at.is_finite()).min_by(f64::total_cmp)
    }

    /// A health check was made.
    pub fn checked(&mut self, check: &Check, answer: Answer, now: f64) {
        if self.elb.checked(&check.group, &check.id, check.port, answer) {
            self.touch();
        }
        let interval = f64::from(check.how.interval) * self.timing.target_check;
        if let Some(target) = self.elb.target_mut(&check.group, &check.id, check.port) {
            target.next_check = now + interval;
        }
    }

    /// Every check there is, and when. A task is checked from when its ports accept connections, or
    /// should: the checks come much faster than on AWS, the program starts as slowly.
    fn checks(&self) -> impl Iterator<Item = (f64, Check)> {
        self.elb.groups().flat_map(|group| {
            let targets = group.targets.iter().filter(|target| target.state != State::Draining);
            targets.filter_map(|target| {
                let check = Check {
                    group: group.arn.clone(),
                    id: target.id.clone(),
                    port: target.port,
                    address: self.address_of(target, group.check.port_of(target.port))?,
                    how: group.check.clone(),
                };
                Some((target.next_check, check))
            })
        })
    }

    /// Where a port of a target is reached; the outer `None` says that it is not to be checked yet.
    fn address_of(&self, target: &Target, port: u16) -> Option<Option<SocketAddr>> {
        match &target.task {
            Some(task) => {
                let task = self.tasks.get(task).filter(|task| task.ready)?;
                Some(task.published.get(&port).copied())
            }
            None => Some(target.id.parse().ok().map(|ip| SocketAddr::new(ip, port))),
        }
    }
}
