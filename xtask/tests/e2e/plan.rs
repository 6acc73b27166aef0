//! `plan`: what a deploy would do is what it does.

use crate::moments::Cloud;
use crate::support::{Run, Workspace, get};

fn plan(workspace: &Workspace, flags: &[&str]) -> Run {
    workspace.run(&[&["plan", "--local"], flags].concat())
}

/// Action, object and name of every item.
fn items(run: &Run) -> Vec<String> {
    let items = run.outcome["result"]["plan"]["items"].as_array().expect("there are items");
    let word = |item: &serde_json::Value, key: &str| item[key].as_str().unwrap_or_default().to_owned();
    let told = |item| [word(item, "action"), word(item, "object"), word(item, "effect")].join(" ");
    items.iter().map(|item| told(item).trim().to_owned()).collect()
}

#[test]
fn what_is_planned_is_what_is_done() {
    let workspace = Workspace::new("plan");
    let first = plan(&workspace, &["--exit-code", "--out", "plan.json"]);
    assert_eq!(first.code, 11, "{first:#?}");
    let all = [
        "create cluster",
        "create repository",
        "create log-group",
        "create security-group",
        "create image",
        "create task-definition",
        "create service",
    ];
    assert_eq!(items(&first), all);
    assert!(!workspace.status()["services"].to_string().contains(&workspace.name), "nothing was made");

    let deployed = workspace.run(&["deploy", "--local", "--plan", "plan.json"]);
    assert_eq!(deployed.code, 0, "{deployed:#?}");
    assert_eq!(get(&workspace.address()).expect("an answer"), "v1");
    let after = plan(&workspace, &["--exit-code"]);
    assert_eq!((after.code, items(&after)), (0, Vec::new()), "{after:#?}");
    assert_eq!(after.outcome["result"]["plan"]["notes"], serde_json::json!([]));

    let again = workspace.run(&["deploy", "--local", "--plan", "plan.json"]);
    assert_eq!(again.code, 3, "what was planned is done: {again:#?}");
    assert!(again.outcome["message"].to_string().contains("nothing was changed"), "{again:#?}");
}

#[test]
fn what_somebody_set_by_hand_is_told_before_it_is_set_back() {
    let workspace = Workspace::new("drift");
    workspace.change(|file| file.desired = 1);
    workspace.deploy();
    Cloud::of(&workspace).scale(2);
    let planned = plan(&workspace, &[]);
    assert_eq!(items(&planned), ["change service in-place"], "{planned:#?}");
    let difference = &planned.outcome["result"]["plan"]["items"][0]["differences"][0];
    let told = ["key", "from", "to"].map(|key| difference[key].as_str().unwrap_or_default());
    assert_eq!((told, &difference["set-by-hand"]), (["desired-count", "2", "1"], &true.into()));
    let run = workspace.run(&["deploy", "--local"]);
    let warned = |event: &&serde_json::Value| event["event"] == "warning";
    let warning = run.events.iter().find(warned).and_then(|event| event["message"].as_str());
    assert!(warning.is_some_and(|text| text.contains("by hand")), "{run:#?}");
    assert_eq!(items(&plan(&workspace, &[])), Vec::<String>::new());
}
