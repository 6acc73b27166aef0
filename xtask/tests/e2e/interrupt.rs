//! Ctrl-C during a rollout, with and without `--rollback-on-interrupt`; and `--until serving`.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{Workspace, eventually, get};

/// Tasks of this configuration run, but are never healthy: the rollout goes on until the breaker trips.
const UNHEALTHY: &str = "health-check = { command = [\"CMD\", \"/no/such/program\"], interval = 5, retries = 10, start-period = 300 }";

/// Runs `deploy`, interrupts it as soon as its rollout shows itself; the exit code and the outcome.
fn interrupted(workspace: &Workspace, flags: &[&str]) -> (Option<i32>, Value) {
    let mut command = workspace.command(&[&["deploy", "--local", "--format", "json"], flags].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
    let mut outcome = Value::Null;
    let mut signalled = false;
    for line in BufReader::new(child.stdout.take().expect("it is piped")).lines() {
        outcome = serde_json::from_str(&line.expect("text")).expect("a JSON object");
        if outcome["event"] == "rollout" && !std::mem::replace(&mut signalled, true) {
            send(&child, "-INT");
        }
    }
    assert!(signalled, "the rollout never showed itself: {outcome:#}");
    (child.wait().expect("it ends").code(), outcome)
}

fn send(child: &std::process::Child, signal: &str) {
    #[expect(clippy::disallowed_methods, reason = "there is no signal in std")]
    let status = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(status.expect("kill is there").success());
}

fn hints(outcome: &Value) -> String {
    outcome["hints"].to_string()
}

#[test]
fn an_interrupted_run_leaves_the_rollout_to_ecs_and_the_next_one_follows_it() {
    let workspace = Workspace::new("interrupted");
    workspace.deploy();
    workspace.version("v2");
    let (code, outcome) = interrupted(&workspace, &[]);
    assert_eq!(code, Some(130), "{outcome:#}");
    assert!(hints(&outcome).contains(&format!("the rollout of `{}:2`", workspace.name)), "{outcome:#}");
    let run = workspace.deploy();
    assert_eq!(run.done("register"), ["unchanged"], "{run:#?}");
    assert_eq!(get(&workspace.address()).expect("an answer"), "v2");
}

#[test]
fn a_run_that_is_to_roll_back_when_interrupted_does_so() {
    let workspace = Workspace::new("taken-back");
    workspace.deploy();
    workspace.version("v2");
    workspace.config(UNHEALTHY);
    let (code, outcome) = interrupted(&workspace, &["--rollback-on-interrupt"]);
    assert_eq!(code, Some(130), "{outcome:#}");
    let message = format!("interrupted: `{0}:2` was rolled back on service `{0}`", workspace.name);
    assert_eq!(outcome["message"], message, "{outcome:#}");
    assert!(hints(&outcome).contains(&format!("`{}:1` serves", workspace.name)), "{outcome:#}");
    assert_eq!(get(&workspace.address()).expect("an answer"), "v1");
    let status = workspace.run(&["status", "--local"]).outcome;
    let tasks = &status["result"]["services"][0]["tasks"];
    assert_eq!(tasks[0]["task-definition"], format!("{}:1", workspace.name), "{status:#}");
}

#[test]
fn a_first_rollout_has_nothing_to_go_back_to() {
    let workspace = Workspace::new("nothing-back");
    workspace.config(UNHEALTHY);
    let (code, outcome) = interrupted(&workspace, &["--rollback-on-interrupt"]);
    assert_eq!(code, Some(130), "{outcome:#}");
    let message = outcome["message"].as_str().unwrap_or_default();
    assert!(message.contains("cannot be rolled back"), "{outcome:#}");
}

#[test]
fn a_run_until_the_new_revision_serves_says_that_the_rollout_is_not_complete() {
    let workspace = Workspace::new("serving");
    workspace.deploy();
    workspace.version("v2");
    let run = workspace.run(&["deploy", "--local", "--until", "serving"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert_eq!(get(&workspace.address()).expect("an answer"), "v2");
    let service = &run.outcome["result"]["services"][0];
    assert_eq!(service["task-definition"], format!("{}:2", workspace.name), "{run:#?}");
    eventually("it completes", || workspace.deploy().outcome["result"]["services"][0]["complete"] == true);
}

#[test]
fn a_rollout_in_progress_is_rolled_back_by_another_run() {
    let workspace = Workspace::new("back-midway");
    workspace.deploy();
    workspace.version("v2");
    workspace.config(UNHEALTHY);
    let (code, outcome) = interrupted(&workspace, &[]);
    assert_eq!(code, Some(130), "{outcome:#}");
    let back = workspace.run(&["rollback", "--local"]);
    assert_eq!(back.code, 0, "{back:#?}");
    assert_eq!(back.outcome["result"]["to"], format!("{}:1", workspace.name), "{back:#?}");
    assert_eq!(get(&workspace.address()).expect("an answer"), "v1");
}
