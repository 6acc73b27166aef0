//! The API or the way to it fails, in the middle of a rollout that goes on all the while.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{Ended, Scene, at_once, pass_time};
use crate::moments::{Cloud, moment};
use crate::proxy::{BROKEN, Call, Fate, Network, THROTTLED};

/// How long each fault lasts, in seconds.
const FAULT: u64 = 10;

#[test]
fn ten_seconds_of_faults_end_no_rollout_and_lost_answers_repeat_nothing() {
    at_once(&[broken, refused, silent, throttled, answers_lost, watched_at_a_modest_rate]);
}

/// Rolls `v2` out, with a fault from when UpdateService is answered until `end` says when it ended.
fn through(scene: &Scene, begin: impl FnOnce(&Scene), end: impl FnOnce(&Scene) -> Instant) -> Ended {
    scene.version("v2", "");
    let run = scene.start(&["deploy"]);
    scene.proxy.answered("UpdateService", 0);
    begin(scene);
    pass_time(FAULT);
    let ended = end(scene);
    let run = run.end();
    // On a busy machine the rollout itself may outlast the fault.
    let successful = Cloud::of(&scene.workspace).ended().0;
    run.assert(0, "\"changed\":true", ended.max(moment(successful)));
    assert_eq!(scene.serves(), "v2");
    assert_eq!((scene.rollouts().len(), scene.revisions().len()), (2, 2), "nothing was done twice");
    run
}

fn broken() {
    let scene = Scene::new("broken");
    let run = through(&scene, |scene| scene.proxy.decide(|_| BROKEN), |scene| scene.proxy.pass());
    assert!(run.noted("fails (ServerException)") && run.noted("answers again"), "{run:#?}");
}

fn refused() {
    let scene = Scene::new("refused");
    let run = through(&scene, |scene| scene.proxy.cut(Network::Refused), |scene| scene.proxy.mend());
    assert!(run.noted("Connection refused") && run.noted("answers again"), "{run:#?}");
}

fn silent() {
    let scene = Scene::new("silent");
    let run = through(&scene, |scene| scene.proxy.cut(Network::Silent), |scene| scene.proxy.mend());
    assert!(run.noted("no answer") && run.noted("answers again"), "{run:#?}");
}

/// Others use up the rate: registering is throttled for five seconds, then four calls of five.
fn throttled() {
    let scene = Scene::new("throttled");
    let mut first = None;
    scene.proxy.decide(move |call| match call.operation.as_str() {
        "RegisterTaskDefinition" if first.get_or_insert(call.at).elapsed() < Duration::from_secs(5) => {
            THROTTLED
        }
        _ => Fate::Pass,
    });
    let before = scene.proxy.count("RegisterTaskDefinition");
    let mut calls = 0;
    let four_of_five = move |_: &Call| {
        calls += 1;
        if calls % 5 == 0 { Fate::Pass } else { THROTTLED }
    };
    let run = through(&scene, |scene| scene.proxy.decide(four_of_five), |scene| scene.proxy.pass());
    let tries = scene.proxy.count("RegisterTaskDefinition") - before;
    assert!((2..=15).contains(&tries), "{tries} tries in five seconds: {run:#?}");
}

/// Every change is made, and the answer to its first call is lost on the way.
fn answers_lost() {
    let scene = Scene::empty("lost");
    let lose = |scene: &Scene| {
        let mut lost = BTreeSet::new();
        scene.proxy.decide(move |call| {
            let reads =
                ["Describe", "List", "Get", "BatchGet"].iter().any(|verb| call.operation.starts_with(verb));
            if !reads && lost.insert(call.operation.clone()) { Fate::LoseAnswer } else { Fate::Pass }
        });
    };
    scene.version("v1", "");
    lose(&scene);
    scene.deploy();
    assert_eq!((scene.serves().as_str(), scene.rollouts().len()), ("v1", 1));
    assert_eq!(scene.made(), (1, 1, 1));

    scene.version("v2", "");
    lose(&scene);
    scene.deploy();
    assert_eq!((scene.serves().as_str(), scene.rollouts().len()), ("v2", 2));

    // A new deployment that is forced would be started once more by every call.
    lose(&scene);
    let forced = scene.start(&["deploy", "--force"]).end();
    assert_eq!(forced.code, Some(0), "{forced:#?}");
    assert_eq!((scene.serves().as_str(), scene.rollouts().len()), ("v2", 3), "{forced:#?}");
}

/// Four calls a second for ten seconds after a change, then one.
fn watched_at_a_modest_rate() {
    let scene = Scene::new("rate");
    let mut run = scene.undecided("v2");
    run.until_idle(16);
    let (idle, moved) = (Instant::now(), run.moved.expect("it moved"));
    scene.other_deploys(&scene.first_revision());
    let run = run.end();
    assert_eq!(run.code, Some(10), "{run:#?}");

    let calls: Vec<_> = scene.proxy.calls().iter().map(|call| call.at).collect();
    let between = |from: Instant, to: Instant| calls.iter().filter(|at| (from..to).contains(*at)).count();
    let second = |n| moved + Duration::from_secs(n);
    let each: Vec<_> = (0..16).map(|n| between(second(n), second(n + 1))).collect();
    assert!(between(moved, second(10)) <= 40, "more than four a second: {each:?}");
    assert!(between(second(11), idle) <= 5, "more than one a second while nothing moves: {each:?}");
}

#[test]
fn a_record_that_may_not_be_made_does_not_end_a_rollout() {
    const DENIED: Fate = Fate::Answer(
        400,
        r#"{"__type":"AccessDeniedException","message":"not authorized to perform: ecs:TagResource"}"#,
    );
    let scene = Scene::new("unrecorded");
    scene.proxy.decide(|call| if call.operation == "TagResource" { DENIED } else { Fate::Pass });
    scene.workspace.change(|file| file.desired = 1);
    let run = scene.deploy();
    assert!(run.noted("without ecs:TagResource"), "{run:#?}");
    assert_eq!(run.outcome["result"]["services"][0]["changed"], true, "{run:#?}");
    let again = scene.deploy();
    assert_eq!(again.outcome["result"]["services"][0]["changed"], false, "{again:#?}");
}
