//! The state machine under a simulated engine: time and failures are the test's.

use serde_json::{Map, Value, json};

use super::deployment::Status;
use super::steps::Step;
use super::task::Last;
use super::transition::Outcome;
use super::{Ecs, Place};
use crate::engine::{ContainerId, Health, Holder, ImageFacts, Status as Seen};
use crate::error::ApiError;
use crate::ids::Ids;
use crate::state::elb::check::Answer;

mod bake;
mod balance;
mod breaker;
mod capacity;
mod definitions;
mod dependencies;
mod rolling;
mod supported;
mod tasks;

/// What the simulated engine does with the containers of a task definition.
#[derive(Clone, Copy, PartialEq)]
enum Program {
    /// They run, and take connections.
    Runs,
    /// The image is not there.
    NoImage,
    /// It exits as soon as it runs.
    Crashes,
    /// Its health check fails.
    Sick,
    /// Its health check passes.
    Healthy,
    /// It answers the checks of a target group with this.
    Answers(u16),
}

/// A cluster with task definitions, an engine that follows the programs, and the limits that were seen.
struct World {
    ecs: Ecs,
    now: f64,
    programs: Vec<(String, Program)>,
    fewest_healthy: usize,
    most_wanted: usize,
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        other => panic!("{other} is not an object"),
    }
}

fn network() -> Value {
    json!({"awsvpcConfiguration": {"subnets": ["subnet-1"]}})
}

impl World {
    fn new() -> Self {
        let mut ecs = Ecs::new(Place { region: "ap-northeast-2".into() }, Ids::seeded(7));
        ecs.create_cluster(Some("c"), Map::new(), Vec::new()).expect("a cluster");
        Self { ecs, now: 1000.0, programs: Vec::new(), fewest_healthy: usize::MAX, most_wanted: 0 }
    }

    /// Registers a revision of the family `app` whose containers behave like that.
    fn register(&mut self, program: Program) -> String {
        let mut container =
            json!({"name": "web", "image": "repo/web:1", "portMappings": [{"containerPort": 80}]});
        if matches!(program, Program::Sick | Program::Healthy) {
            container["healthCheck"] = json!({"command": ["CMD-SHELL", "true"]});
        }
        let input = json!({
            "family": "app", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
            "cpu": "256", "memory": "512", "containerDefinitions": [container],
        });
        let name = self.ecs.register(members(input), self.now).expect("a definition").name();
        self.programs.push((name.clone(), program));
        name
    }

    fn create(&mut self, definition: &str, desired: u64, configuration: &Value) {
        let input = json!({
            "cluster": "c", "serviceName": "s", "taskDefinition": definition, "desiredCount": desired,
            "launchType": "FARGATE", "networkConfiguration": network(), "deploymentConfiguration": configuration,
        });
        self.ecs.create_service(members(input), self.now).expect("a service");
    }

    fn update(&mut self, mut input: Value) -> Result<(), ApiError> {
        input["cluster"] = "c".into();
        input["service"] = "s".into();
        self.ecs.update_service(&members(input), self.now).map(drop)
    }

    /// One round: time passes, the service scheduler decides, the engine does what was asked.
    fn round(&mut self) {
        self.now += 1.0;
        self.ecs.tick(self.now);
        self.ecs.reconcile(self.now);
        self.watch();
        for (task, step) in self.ecs.steps() {
            self.perform(&task, step);
        }
        self.check_targets();
        self.watch();
    }

    fn watch(&mut self) {
        let tasks = || self.ecs.tasks_of("c", "s");
        self.fewest_healthy = self.fewest_healthy.min(tasks().filter(|t| t.is_healthy()).count());
        self.most_wanted = self.most_wanted.max(tasks().filter(|t| t.wanted()).count());
    }

    /// The limits from now on.
    fn forget_limits(&mut self) {
        self.fewest_healthy = usize::MAX;
        self.most_wanted = 0;
    }

    fn perform(&mut self, task: &str, step: Step) {
        let definition = self.ecs.tasks[task].definition.clone();
        let program = self.programs.iter().find(|(name, _)| *name == definition).map(|(_, p)| *p);
        let program = program.expect("a known definition");
        let ports = [(80, ([127, 0, 0, 1], 9).into())].into();
        let outcome = match step {
            Step::Hold => Outcome::Held(Holder { id: ContainerId("h".into()), published: ports }),
            Step::Pull(name) if program == Program::NoImage => {
                Outcome::Failed(Some(name), "CannotPullContainerError: not found".into())
            }
            Step::Pull(name) => Outcome::Pulled(name, facts()),
            Step::Start(name) => Outcome::Started(name, "id".into()),
            Step::Probe if program == Program::Crashes => {
                let seen = Seen::Exited { code: 1, oom_killed: false };
                return self.ecs.observe(task, Some("web"), Some(seen), self.now);
            }
            Step::Probe => {
                self.check_health(task, program);
                Outcome::Ready
            }
            Step::Deregister => Outcome::Deregistered,
            Step::Stop(name) => Outcome::Ended(name),
            Step::Remove => Outcome::Removed,
        };
        self.ecs.apply(task, outcome, self.now);
    }

    fn check_targets(&mut self) {
        for check in self.ecs.due_checks(self.now) {
            let group = self.ecs.elb.group(&check.group).expect("the group of the check");
            let target = group.target(&check.id, check.port).expect("the target of the check");
            let task = &self.ecs.tasks[target.task.as_deref().expect("a task")];
            let program = self.programs.iter().find(|(name, _)| *name == task.definition).map(|(_, p)| *p);
            let status = match program {
                Some(Program::Answers(status)) => status,
                _ => 200,
            };
            self.ecs.checked(&check, Answer::Status(status), self.now);
        }
    }

    fn check_health(&mut self, task: &str, program: Program) {
        let health = match program {
            Program::Sick => Health::Unhealthy,
            Program::Healthy => Health::Healthy,
            _ => return,
        };
        self.ecs.observe(task, Some("web"), Some(Seen::Running(Some(health))), self.now);
    }

    fn rounds(&mut self, count: usize) {
        (0..count).for_each(|_| self.round());
    }

    /// Goes on until the condition holds; a hundred rounds are too many.
    fn until(&mut self, what: &str, condition: impl Fn(&Value) -> bool) {
        for _ in 0..100 {
            if condition(&self.service()) {
                return;
            }
            self.round();
        }
        panic!("never {what}: {:#}", self.service());
    }

    /// What `aws ecs wait services-stable` waits for.
    fn until_stable(&mut self) {
        self.until("stable", |s| {
            s["deployments"].as_array().is_some_and(|d| d.len() == 1)
                && s["runningCount"] == s["desiredCount"]
        });
    }

    fn until_steady(&mut self) {
        self.until("steady", |s| {
            s["events"][0]["message"].as_str().is_some_and(|m| m.ends_with("has reached a steady state."))
        });
    }

    fn service(&self) -> Value {
        self.ecs.service("c", "s").map(|s| self.ecs.render_service(s, true)).expect("the service")
    }

    /// Service deployments, oldest first.
    fn statuses(&self) -> Vec<Status> {
        self.ecs.service("c", "s").expect("the service").history.iter().map(|d| d.status).collect()
    }

    /// Events, oldest first, with the random IDs replaced.
    fn events(&self) -> String {
        let service = self.ecs.service("c", "s").expect("the service");
        let lines: Vec<String> = service.events.iter().rev().map(|e| without_ids(&e.message)).collect();
        lines.join("\n")
    }

    fn running(&self) -> usize {
        self.ecs.tasks_of("c", "s").filter(|t| t.last == Last::Running).count()
    }
}

fn facts() -> ImageFacts {
    ImageFacts { digest: Some("sha256:1".into()), os: "linux".into(), architecture: "amd64".into() }
}

fn without_ids(message: &str) -> String {
    let words = message.split(' ').map(|word| {
        let bare = word.trim_end_matches([')', '.', ':']);
        let tail = &word[bare.len()..];
        if bare.len() == 32 && bare.bytes().all(|b| b.is_ascii_hexdigit()) {
            format!("ID{tail}")
        } else if bare.starts_with("ecs-svc/") {
            format!("ecs-svc/N{tail}")
        } else {
            word.to_owned()
        }
    });
    words.collect::<Vec<_>>().join(" ")
}
