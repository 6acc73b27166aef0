//! The program ends in the middle: what it began goes on, and the next run picks it up.

use super::{Scene, at_once};
use crate::proxy::Fate;

#[test]
fn an_interrupted_run_is_picked_up_by_the_next() {
    at_once(&[interrupted, killed]);
}

fn interrupted() {
    let scene = Scene::slow("interrupted", 5);
    scene.version("v2", "");
    let mut run = scene.start(&["deploy"]);
    run.until_started("rollout");
    let fact = run.signal("-INT");
    run.end().assert(130, "goes on without this command", fact);

    let again = scene.deploy();
    assert!(again.events.iter().any(|event| event["step"]["phase"] == "rollout"), "followed: {again:#?}");
    assert_eq!((scene.serves().as_str(), scene.rollouts().len()), ("v2", 2));
}

/// At every point of a first deploy, then in the middle of an update.
fn killed() {
    let scene = Scene::empty("killed");
    scene.version("v1", "");
    for phase in ["compile", "push"] {
        let mut run = scene.start(&["deploy"]);
        run.until_started(phase);
        run.signal("-KILL");
        assert_eq!(run.end().code, None);
    }
    for operation in ["RegisterTaskDefinition", "CreateService"] {
        killed_after(&scene, operation);
    }
    scene.deploy();
    assert_eq!(scene.serves(), "v1");
    assert_eq!((scene.made(), scene.revisions().len(), scene.rollouts().len()), ((1, 1, 1), 1, 1));

    scene.version("v2", "");
    killed_after(&scene, "UpdateService");
    scene.deploy();
    assert_eq!(scene.serves(), "v2");
    assert_eq!((scene.made(), scene.revisions().len(), scene.rollouts().len()), ((1, 1, 1), 2, 2));
}

/// Kills it when the control plane has carried out a call, and its answer is not there yet.
fn killed_after(scene: &Scene, operation: &'static str) {
    scene.proxy.decide(move |call| if call.operation == operation { Fate::Swallow } else { Fate::Pass });
    let before = scene.proxy.count(operation);
    let run = scene.start(&["deploy"]);
    scene.proxy.answered(operation, before);
    run.signal("-KILL");
    assert_eq!(run.end().code, None);
    scene.proxy.pass();
}
