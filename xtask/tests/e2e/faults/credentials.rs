//! Credentials expire in the middle of a rollout.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Ended, Process, Scene, at_once};
use crate::proxy::{EXPIRED, Fate};

#[test]
fn credentials_that_can_be_renewed_are_and_others_are_told() {
    at_once(&[renewed_ahead, renewed_when_refused, not_renewable, not_renewed]);
}

/// Hands out a key with the second of its making in its name. `$1` is how long it says it is good.
const HAND_OUT: &str = r#"
now=$(date +%s)
until=$(date -u -d @$((now + $1)) +%Y-%m-%dT%H:%M:%SZ)
echo "{\"Version\": 1, \"AccessKeyId\": \"KEY$now\", \"SecretAccessKey\": \"s\", \"SessionToken\": \"t\", \"Expiration\": \"$until\"}"
"#;

/// Runs `deploy` of `v2` with the profile, whose credentials this script hands out.
fn deploy(scene: &Scene, script: &str, lasting: u64) -> Process {
    scene.workspace.write("hand-out.sh", script);
    let script = scene.workspace.path("hand-out.sh");
    scene.workspace.write(
        "aws-config",
        &format!("[profile p]\nregion = eu-west-1\ncredential_process = sh {} {lasting}\n", script.display()),
    );
    scene.version("v2", "");
    let mut command = scene.command(&["deploy", "--profile", "p"]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    Process::of(command)
}

fn good(scene: &Scene, run: Ended) {
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!((scene.serves().as_str(), scene.rollouts().len()), ("v2", 2));
    let keys: std::collections::BTreeSet<_> = scene.proxy.calls().into_iter().map(|call| call.key).collect();
    assert!(keys.iter().filter(|key| key.starts_with("KEY")).count() >= 2, "they were not renewed: {keys:?}");
}

/// They say when they expire, and do.
fn renewed_ahead() {
    let scene = Scene::slow("ahead", 14);
    scene.proxy.decide(|call| match call.key.strip_prefix("KEY").and_then(|made| made.parse().ok()) {
        Some(made) if since_epoch() > Duration::from_secs(made) + Duration::from_secs(13) => EXPIRED,
        _ => Fate::Pass,
    });
    let run = deploy(&scene, HAND_OUT, 12).end();
    good(&scene, run);
}

/// They say that they are good for an hour, and are not.
fn renewed_when_refused() {
    let scene = Scene::slow("refused-key", 14);
    let mut first: BTreeMap<String, Instant> = BTreeMap::new();
    scene.proxy.decide(move |call| {
        let used = call.at.duration_since(*first.entry(call.key.clone()).or_insert(call.at));
        if call.key.starts_with("KEY") && used > Duration::from_secs(7) { EXPIRED } else { Fate::Pass }
    });
    let run = deploy(&scene, HAND_OUT, 3600).end();
    good(&scene, run);
}

/// Keys in the environment.
fn not_renewable() {
    let scene = Scene::slow("static-key", 5);
    scene.version("v2", "");
    let run = scene.start(&["deploy"]);
    scene.proxy.answered("UpdateService", 0);
    let fact = Instant::now();
    scene.proxy.decide(|_| EXPIRED);
    let run = run.end();
    run.assert(6, "ExpiredTokenException", fact);
    told(&scene, &run);
}

/// Whoever hands them out does not any more.
fn not_renewed() {
    let scene = Scene::slow("not-renewed", 12);
    let once = format!("mkdir \"$0.once\" || {{ echo 'log in first' >&2; exit 1; }}\n{HAND_OUT}");
    let run = deploy(&scene, &once, 10).end();
    assert_eq!(run.code, Some(6), "{run:#?}");
    assert!(run.said("could not be renewed") && run.said("log in first"), "{run:#?}");
    told(&scene, &run);
}

/// Which call on what, what to do, and what goes on without it: which the next run finds done.
fn told(scene: &Scene, run: &Ended) {
    let message = run.outcome["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("`ecs:Describe"), "{run:#?}");
    assert!(message.contains(scene.name()), "{run:#?}");
    assert!(run.said("log in again") && run.said("the rollout goes on"), "{run:#?}");
    scene.proxy.pass();
    scene.deploy();
    assert_eq!((scene.serves().as_str(), scene.rollouts().len()), ("v2", 2), "one rollout, followed");
}

fn since_epoch() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}
