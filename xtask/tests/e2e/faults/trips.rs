//! How many times a run waits for AWS.

use std::time::{Duration, Instant};

use super::Scene;
use crate::proxy::{Fate, THROTTLED};

/// Longer than all that an unchanged deploy does beside its calls, so that what does not wait for an answer is
/// sent before the first one is there; shorter than a call is waited for before it is repeated.
const FAR: Duration = Duration::from_millis(600);

#[test]
fn an_unchanged_deploy_waits_for_aws_twice_at_most() {
    let scene = Scene::new("trips");
    scene.proxy.begin();
    scene.proxy.decide(|_| Fate::Late(FAR));
    let run = scene.deploy();
    let services = &run.outcome["result"]["services"];
    assert_eq!(services[0]["changed"], false, "{services:#}");
    // A question without an operation is the control plane's own: where the service is reached.
    let calls = scene.proxy.calls().into_iter().filter(|call| !call.operation.is_empty());
    let calls: Vec<_> = calls.map(|call| (call.depth, call.operation)).collect();
    let deepest = calls.iter().map(|(depth, _)| *depth).max();
    assert!(deepest.is_some_and(|deepest| deepest <= 2), "{calls:?}");
    let writes = ["Create", "Register", "Update", "Put", "Tag", "Authorize", "Initiate", "Upload"];
    let wrote = calls.iter().any(|(_, operation)| writes.iter().any(|verb| operation.starts_with(verb)));
    assert!(!wrote, "{calls:#?}");
}

/// What users report of RegisterTaskDefinition: so many at once, and then one a second.
const BURST: u32 = 20;
/// A little less than a second: calls do not all take the same time to get there.
const REFILL: Duration = Duration::from_millis(900);

#[test]
fn more_services_than_may_be_registered_at_once_are_registered_without_a_refusal() {
    const ALL: usize = BURST as usize + 5;
    let scene = Scene::empty("many");
    let name = scene.name();
    let service = |number: u32| {
        format!(
            "[service.{name}-{number}]\ncpu = 256\nmemory = 512\ndesired-count = 0\nexecution-role = \"role\"\n\
             container.app = {{ image = \"example.org/app:1\" }}\n"
        )
    };
    let services: String = (0..BURST + 5).map(service).collect();
    scene.workspace.write("deploy.toml", &format!("cluster = \"{name}\"\n{services}"));
    let (mut taken, mut refilled) = (0_u32, None::<Instant>);
    scene.proxy.decide(move |call| {
        if call.operation != "RegisterTaskDefinition" {
            return Fate::Pass;
        }
        let due = *refilled.get_or_insert(call.at);
        let back = u32::try_from(due.elapsed().as_millis() / REFILL.as_millis()).unwrap_or(u32::MAX);
        refilled = Some(due + REFILL * back);
        taken = (taken + 1).saturating_sub(back);
        if taken > BURST { THROTTLED } else { Fate::Pass }
    });
    let run = scene.deploy();
    assert_eq!(run.outcome["result"]["services"].as_array().map(Vec::len), Some(ALL));
    assert_eq!(scene.proxy.count("RegisterTaskDefinition"), ALL, "none was refused");
}
