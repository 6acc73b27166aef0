//! One rollout from its seed.

use std::collections::BTreeSet;
use std::time::Duration;

use local_aws::state::ecs::deployment::Rollout;
use serde_json::json;

use super::client::{Client, Left, World, known};
use super::cloud::{CLUSTER, Cloud, SERVICE};
use super::frame::millis;
use super::laws::{End, Truth, check};
use super::rng::Rng;
use super::scenario::{Deed, GOOD, Kind, Scenario};
use super::template::{DEFINITIONS, creation, empty, members, steady};
use crate::event::Events;
use crate::register::Registered;
use crate::rollout::follow::{Audience, How, Moment, follow};
use crate::rollout::look::Looker;
use crate::rollout::snapshot::Snapshot;
use crate::rollout::verdict::Verdict;
use crate::rollout::{Start, Until, Watch};

/// A rollout that went as it must.
pub(super) struct Told {
    /// `None`: there was nothing to do.
    pub(super) verdict: Option<Verdict>,
    /// Seconds from the fact to the verdict.
    pub(super) late: Option<f64>,
}

/// Runs the rollout of this seed.
///
/// # Errors
/// What was broken.
pub(super) fn rollout(seed: u64) -> Result<Told, String> {
    let mut rng = Rng::new(seed);
    let scenario = Scenario::draw(&mut rng);
    let mut cloud = begin(&scenario, &mut rng);
    let definition = DEFINITIONS[scenario.definition];
    let registered = Registered { arn: cloud.ecs.place.definition_arn(definition) };
    let Some((start, before, truth)) = call(&scenario, &mut cloud, &mut rng) else {
        return Ok(Told { verdict: None, late: None });
    };
    let watch = Watch {
        before: scenario.records.then_some(before),
        timeout: Duration::from_secs_f64(scenario.timeout),
        crash_limit: scenario.crash_limit,
        until: scenario.until,
        ..Watch::new(CLUSTER, SERVICE, &registered, start)
    };
    let began = cloud.now;
    let mut deeds: Vec<_> = scenario.deeds.iter().map(|(wait, deed)| (began + wait, *deed)).collect();
    deeds.sort_by(|a, b| b.0.total_cmp(&a.0));
    let world = World { scenario: &scenario, cloud, truth, deeds, rng: Rng::new(rng.next()) };
    let client = Client::new(world, registered.arn.clone());
    let events = Events::channel().0;
    let followed = client.run(follow(&client, &watch, &events, &mut Witness(&client)));
    let followed = followed.ok_or("it never ends")?;
    let followed = followed.map_err(|error| format!("no call fails here: {}", error.message))?;
    let serves = matches!(followed.how, How::Serves);
    let verdict = match followed.how {
        How::Serves => Verdict::Continue,
        How::Succeeded => Verdict::Succeeded,
        How::Failed(verdict) => verdict,
        other => return Err(format!("nobody asked for {other:?}")),
    };
    let Left { world, calls, looked, last } = client.left();
    let World { mut cloud, truth, .. } = world;
    let late = truth.decided.map(|at| cloud.now - at);
    let end = End { verdict, serves, looked, calls };
    match check(&scenario, &truth, &mut cloud, &end) {
        Ok(()) => Ok(Told { verdict: Some(end.verdict), late }),
        Err(broken) => Err(format!(
            "{broken}\nverdict: {:?} after {:.1} s\nscenario: {scenario:#?}\ntruth: {truth:#?}\nlast seen: {last:#?}\nservice deployments: {:#?}\ndeployments: {:#?}\nstopped tasks: {:#?}",
            end.verdict,
            looked - began,
            cloud.service().map(|service| &service.history),
            cloud.service().map(|service| &service.deployments),
            cloud.ended,
        )),
    }
}

/// Takes note of what the client is shown; looks no closer.
struct Witness<'c, 's>(&'c Client<'s>);

impl Audience for Witness<'_, '_> {
    fn see(&mut self, _: &Looker, snapshot: &Snapshot) {
        self.0.told(snapshot);
    }

    async fn rest(&mut self, _: &Looker, _: &Snapshot, _: Moment) {}
}

/// What was there before our call.
fn begin(scenario: &Scenario, rng: &mut Rng) -> Cloud {
    let (mut ecs, now) = if scenario.kind == Kind::Create { empty() } else { steady(scenario) };
    ecs.rules = scenario.rules.clone();
    let mut cloud = Cloud::new(ecs, now, Rng::new(rng.next()));
    cloud.memory = scenario.stale + 40.0;
    for (index, name) in DEFINITIONS.iter().enumerate() {
        let mix = match index {
            0 => GOOD,
            4 => scenario.other,
            _ => scenario.ours,
        };
        cloud.mixes.insert((*name).to_owned(), mix);
    }
    cloud.settle();
    let earlier = match scenario.kind {
        Kind::Supersede => DEFINITIONS[4],
        Kind::Follow => DEFINITIONS[scenario.definition],
        _ => return cloud,
    };
    cloud.advance(now + 20.0, |_, _| {});
    update(&mut cloud, earlier, false);
    let start = cloud.now + scenario.head_start;
    cloud.advance(start, |_, _| {});
    cloud
}

fn update(cloud: &mut Cloud, definition: &str, force: bool) -> bool {
    let mut input = json!({"cluster": CLUSTER, "service": SERVICE, "taskDefinition": definition});
    if force {
        input["forceNewDeployment"] = true.into();
    }
    change(cloud, input)
}

fn change(cloud: &mut Cloud, input: serde_json::Value) -> bool {
    let now = cloud.now;
    let done = cloud.ecs.update_service(&members(input), now).is_ok();
    cloud.settle();
    done
}

/// Our call: what it started, which service deployments were there before, and the truth about it.
fn call(scenario: &Scenario, cloud: &mut Cloud, rng: &mut Rng) -> Option<(Start, BTreeSet<String>, Truth)> {
    let definition = DEFINITIONS[scenario.definition];
    let asked = cloud.now - if rng.percent(50) { rng.between(0.0, scenario.stale) } else { 0.0 };
    let following = scenario.kind == Kind::Follow;
    let frame = cloud.seen_at(asked);
    let previous = frame.service.iter().flat_map(|service| service.deployments.clone()).collect::<Vec<_>>();
    let before = if following { BTreeSet::new() } else { known(&frame, asked, scenario.rules.listed_after) };
    let mut desired = scenario.desired;
    match scenario.kind {
        Kind::Create => {
            let now = cloud.now;
            cloud.ecs.create_service(creation(scenario, definition), now).ok()?;
            cloud.settle();
        }
        Kind::Update | Kind::Supersede => drop(update(cloud, definition, false)),
        Kind::Force => drop(update(cloud, definition, true)),
        Kind::Follow => {}
        Kind::InPlace => {
            desired += 1;
            change(cloud, json!({"cluster": CLUSTER, "service": SERVICE, "desiredCount": desired}));
        }
    }
    let service = cloud.service()?;
    let primary = service.deployments.first()?;
    let runs = &service.revision(&primary.revision)?.definition;
    if following && (primary.rollout != Rollout::InProgress || runs != definition) {
        return None;
    }
    let in_place = scenario.kind == Kind::InPlace;
    let record = service.history.iter().find(|one| one.deployment == primary.id)?;
    let truth = Truth {
        ours: (!in_place).then(|| (primary.id.clone(), record.id.clone())),
        desired,
        serving: scenario.until == Until::Serving,
        ..Truth::default()
    };
    let start = if in_place {
        Start::InPlace { desired: i32::try_from(desired).unwrap_or(i32::MAX) }
    } else {
        let earlier = previous.iter().filter(|one| one.id != primary.id);
        let previous = earlier.map(|one| one.task_definition.clone()).collect();
        let created_ms = millis(primary.created_at);
        Start::Deployment { id: primary.id.clone(), created_ms, record: None, previous }
    };
    Some((start, before, truth))
}

/// Somebody else does something.
pub(super) fn act(deed: Deed, scenario: &Scenario, cloud: &mut Cloud, truth: &mut Truth) {
    truth.disturbed = true;
    match deed {
        Deed::Deploy => truth.superseded |= update(cloud, DEFINITIONS[4], true),
        Deed::DeployOld => truth.superseded |= update(cloud, DEFINITIONS[0], true),
        Deed::DeployOurs => truth.superseded |= update(cloud, DEFINITIONS[scenario.definition], true),
        Deed::StopDeployment => {
            let open = cloud.service().and_then(|service| {
                let last = service.history.last().filter(|one| one.status.is_open())?;
                Some(cloud.ecs.service_deployment_arn(service, &last.id))
            });
            let now = cloud.now;
            truth.stopped |=
                open.is_some_and(|arn| cloud.ecs.stop_service_deployment(&arn, None, now).is_ok());
            cloud.settle();
        }
        Deed::Delete => {
            truth.deleted |= cloud.ecs.delete_service(CLUSTER, SERVICE, true).is_ok();
            cloud.settle();
        }
        Deed::Scale(desired) => {
            change(cloud, json!({"cluster": CLUSTER, "service": SERVICE, "desiredCount": desired}));
        }
        Deed::Kill => cloud.kill(),
    }
}
