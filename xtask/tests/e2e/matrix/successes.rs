//! What succeeds, though it may not look like it, or not for long.

use super::row::{small, within};
use super::{at_once, row};
use crate::moments::Cloud;
use crate::support::{Run, Workspace, eventually, get};

#[test]
fn that_take_a_second_look() {
    at_once(&[
        ("create-update-nothing", &create_update_and_nothing_to_do),
        ("healthy-late", &healthy_late),
        ("side-dies", &non_essential_container_dies),
        ("none-desired", &no_tasks_desired),
        ("crash-later", &crash_after_success),
    ]);
}

fn create_update_and_nothing_to_do(name: &str) {
    let workspace = small(name);
    for version in ["v1", "v2"] {
        workspace.version(version);
        let run = workspace.deploy();
        assert_eq!(run.outcome["result"]["services"][0]["changed"], true, "{run:#?}");
        in_time(&workspace, &run);
        assert_eq!(get(&workspace.address()).expect("an answer"), version);
    }
    let run = workspace.deploy();
    assert_eq!(run.outcome["result"]["services"][0]["changed"], false, "{run:#?}");
    assert_eq!(run.done("rollout"), Vec::<&str>::new(), "{run:#?}");
}

/// Health checks that fail inside the start period do not count.
fn healthy_late(name: &str) {
    let workspace = small(name);
    workspace.change(|file| {
        file.command(&["healthy-after=7000"]);
        file.container.push_str(
            "\nhealth-check = { command = [\"CMD\", \"/usr/local/bin/tiny\", \"check\"], interval = 5, \
             timeout = 2, retries = 1, start-period = 30 }",
        );
    });
    let run = workspace.deploy();
    in_time(&workspace, &run);
    let rollout = run.of_kind("finished").find(|event| event["step"]["phase"] == "rollout");
    let took = rollout.and_then(|event| event["elapsed-ms"].as_u64()).unwrap_or_default();
    assert!(took > 7000, "it was never unhealthy: {run:#?}");
    assert_eq!(get(&workspace.address()).expect("an answer"), "v1");
}

fn non_essential_container_dies(name: &str) {
    let workspace = small(name);
    workspace.change(|file| {
        file.beside("side", "essential = false\ncommand = [\"crash\"]");
        file.command(&["sleep=2000"]); // until the other one is known to be dead
    });
    let run = workspace.deploy();
    in_time(&workspace, &run);
    assert_eq!(get(&workspace.address()).expect("an answer"), "v1");
    let said =
        "`side` of NAME:1 does not run any more: exit code 3. It is not essential, so the task goes on";
    let warned = run.of_kind("warning").filter_map(|event| event["message"].as_str());
    assert!(warned.map(|text| row::normal(text, &workspace)).any(|text| text == said), "{run:#?}");
}

fn no_tasks_desired(name: &str) {
    let workspace = small(name);
    workspace.change(|file| file.desired = 0);
    let run = workspace.deploy();
    in_time(&workspace, &run);
    let deployed = &run.outcome["result"]["services"][0];
    assert_eq!((&deployed["changed"], &deployed["running"]), (&true.into(), &0.into()), "{run:#?}");
    assert_eq!(run.of_kind("reachable").count(), 0, "nothing serves: {run:#?}");
    // And up again, which starts no deployment.
    workspace.change(|file| file.desired = 1);
    let run = workspace.deploy();
    assert_eq!(run.outcome["result"]["services"][0]["running"], 1, "{run:#?}");
    assert_eq!(get(&workspace.address()).expect("an answer"), "v1");
}

/// Nothing looks at a program without a health check once it serves: ECS calls the rollout complete,
/// and so do we; but not without a word, and `status` tells what came of it.
fn crash_after_success(name: &str) {
    let workspace = small(name);
    workspace.change(|file| file.command(&["crash-after=6000"]));
    let run = workspace.deploy();
    in_time(&workspace, &run);
    let noted = run.of_kind("note").any(|event| {
        event["message"].as_str().is_some_and(|text| {
            text.contains("has no health check: should it crash from now on, `cargo xtask status")
        })
    });
    assert!(noted, "{run:#?}");
    eventually("`status` tells of the crash", || {
        let status = workspace.run(&["status", "--local"]).outcome;
        let warnings = status["result"]["services"][0]["warnings"].to_string();
        warnings.contains("is deployed but crashes") && warnings.contains("app: exit code 3")
    });
}

fn in_time(workspace: &Workspace, run: &Run) {
    let (ended, status) = Cloud::of(workspace).ended();
    within(ended, *run.at.last().expect("an outcome"), &status, run);
}
