//! The control plane is stopped, or killed; its tasks go on, and the next command converges.

use crate::support::{Workspace, eventually, get, remove_containers};

#[test]
fn a_killed_control_plane_is_started_again_and_adopts_what_runs() {
    let workspace = Workspace::new("killed");
    workspace.deploy();
    let before = workspace.status();
    kill(&before["pid"]);
    eventually("the control plane is gone", || workspace.status().is_null());

    let run = workspace.deploy();
    assert_eq!(run.outcome["result"]["services"][0]["changed"], false, "{run:#?}");
    assert_eq!(get(&workspace.address()).expect("an answer"), "v1");
    let after = workspace.status();
    assert_eq!(after["endpoint"], before["endpoint"], "image references hold the port");
    assert_ne!(after["pid"], before["pid"]);
    assert_eq!(after["services"][0]["running"], 2);
}

#[test]
fn tasks_survive_a_stop() {
    let workspace = Workspace::new("stopped");
    workspace.deploy();
    assert_eq!(workspace.run(&["local", "stop"]).outcome["result"]["stopped"], true);
    assert!(workspace.status().is_null());
    assert_eq!(workspace.run(&["local", "stop"]).outcome["result"]["stopped"], false);
    assert_eq!(workspace.run(&["local", "start"]).code, 0);
    eventually("its tasks are found again", || workspace.status()["services"][0]["running"] == 2);
    assert_eq!(get(&workspace.address()).expect("an answer"), "v1");
}

fn kill(pid: &serde_json::Value) {
    #[expect(clippy::disallowed_methods, reason = "there is no signal in std")]
    let status = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(status.expect("kill is there").success());
}

#[test]
fn after_a_reboot_tasks_are_started_again_before_anything_is_called_unchanged() {
    let workspace = Workspace::new("reboot");
    workspace.deploy();
    let before = workspace.status();
    kill(&before["pid"]);
    eventually("the control plane is gone", || workspace.status().is_null());
    remove_containers(before["instance"].as_str().expect("an instance"));

    let run = workspace.deploy();
    assert_eq!(run.outcome["result"]["services"][0]["running"], 2, "{run:#?}");
    assert_eq!(get(&workspace.address()).expect("an answer"), "v1");
}
