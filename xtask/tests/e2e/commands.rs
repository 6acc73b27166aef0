//! `status`, `logs` and `rollback` on what really runs.

use crate::support::{Workspace, get};

#[test]
fn back_to_the_last_other_revision_that_worked() {
    let workspace = Workspace::new("rollback");
    workspace.deploy();
    workspace.version("v2");
    workspace.deploy();
    // A revision that never worked is not one to go back to.
    workspace.config("entrypoint = [\"/no/such/program\"]");
    assert_eq!(workspace.run(&["deploy", "--local", "--timeout", "100"]).code, 7);
    assert_eq!(get(&workspace.address()).expect("an answer"), "v2");

    let planned = workspace.run(&["rollback", "--local", "--dry-run"]);
    assert_eq!(planned.outcome["result"]["to"], format!("{}:1", workspace.name), "{planned:#?}");
    assert_eq!(get(&workspace.address()).expect("an answer"), "v2");

    let back = workspace.run(&["rollback", "--local"]);
    assert_eq!(back.code, 0, "{back:#?}");
    assert_eq!(get(&workspace.address()).expect("an answer"), "v1");
    let forth = workspace.run(&["rollback", "--local", "--to", "2"]);
    assert_eq!(forth.code, 0, "{forth:#?}");
    assert_eq!(get(&workspace.address()).expect("an answer"), "v2");
}

#[test]
fn status_and_logs_tell_of_what_runs_and_of_what_crashed() {
    let workspace = Workspace::new("look");
    workspace.deploy();
    let status = workspace.run(&["status", "--local"]).outcome;
    let service = &status["result"]["services"][0];
    assert_eq!((&service["running"], &service["desired"]), (&2.into(), &2.into()), "{status:#}");
    assert_eq!(service["tasks"].as_array().map(Vec::len), Some(2), "{status:#}");

    let logs = workspace.output(&["logs", "--local"]);
    let text = String::from_utf8_lossy(&logs.stdout);
    assert_eq!(text.matches("/app | listening").count(), 2, "{text}");

    workspace.config("command = [\"crash\"]");
    assert_eq!(workspace.run(&["deploy", "--local", "--timeout", "60"]).code, 7);
    let running = String::from_utf8_lossy(&workspace.output(&["logs", "--local"]).stdout).into_owned();
    assert!(!running.contains("cannot go on"), "{running}");
    let previous = workspace.output(&["logs", "--local", "--previous", "--filter", "cannot"]);
    let text = String::from_utf8_lossy(&previous.stdout);
    assert!(text.contains("/app | cannot go on") && !text.contains("listening"), "{text}");
}

#[test]
fn without_a_control_plane_there_is_nothing_to_look_at() {
    let workspace = Workspace::new("none");
    let run = workspace.run(&["status", "--local"]);
    assert_eq!(run.code, 3, "{run:#?}");
    let typo = workspace.run(&["logs", "--local", &workspace.name.replacen("none", "nnoe", 1)]);
    assert_eq!(typo.code, 2, "{typo:#?}");
}
