//! `doctor` and `verify`, and what `deploy` verifies before its first side effect.

use std::collections::BTreeMap;

use crate::proxy::Proxy;
use crate::support::{Run, Workspace, exists};

/// Subject to state, without the workspace's name.
fn states(run: &Run, name: &str) -> BTreeMap<String, String> {
    let of = |event: &serde_json::Value| {
        let text = |member: &str| event["finding"][member].as_str().unwrap_or_default().to_owned();
        (text("subject").replace(name, "NAME"), text("state"))
    };
    run.of_kind("finding").map(of).collect()
}

#[test]
fn a_machine_that_deploys_is_well_and_a_look_at_it_leaves_nothing_behind() {
    let workspace = Workspace::new("doctor");
    let run = workspace.run(&["doctor", "--local"]);
    let states = states(&run, &workspace.name);
    for subject in ["deploy.toml", "engine", "buildkit", "rust", "linking linux/amd64", "local control plane"]
    {
        let native = !subject.starts_with("linking") || cfg!(target_arch = "x86_64");
        assert!(!native || states.get(subject).map(String::as_str) == Some("ok"), "{subject}: {run:#?}");
    }
    assert!(!states.contains_key("credentials"), "AWS is no matter of a local deploy: {run:#?}");
    assert!(!exists(&workspace.local_dir()), "it was only looked at");
    let broken = workspace.path("deploy.toml");
    std::fs::write(&broken, "cluster = 1\n").expect("it can be written");
    let run = workspace.run(&["doctor", "--local"]);
    assert_eq!((run.code, &run.outcome["kind"]), (3, &"preflight".into()), "{run:#?}");
    workspace.change(|_| {});
}

#[test]
fn what_deploy_toml_refers_to_is_verified_before_anything_is_made() {
    let workspace = Workspace::new("verify");
    workspace.config("secrets = { KEY = \"/app/key\" }");
    assert_eq!(workspace.run(&["verify", "--local"]).code, 3, "no control plane runs");

    // Refused while the image is built: nothing is pushed, and nothing made.
    let refused = workspace.run(&["deploy", "--local"]);
    assert_eq!(refused.code, 3, "{refused:#?}");
    let detail = refused.outcome["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("there is no parameter `/app/key` in eu-west-1"), "{refused:#?}");
    assert_eq!((refused.done("ensure"), refused.done("push")), (vec![], vec![]), "{refused:#?}");

    let run = workspace.run(&["verify", "--local"]);
    let found = states(&run, &workspace.name);
    assert_eq!((run.code, found["parameter /app/key"].as_str()), (3, "refuted"), "{run:#?}");
    let others = found.iter().filter(|(subject, _)| *subject != "parameter /app/key");
    let unsure: Vec<_> = others.filter(|(_, state)| *state != "verified").collect();
    assert!(unsure.is_empty(), "{unsure:?}");
    for subject in
        ["account", "cluster NAME", "repository NAME", "log group /ecs/NAME", "role role", "passing role"]
    {
        assert!(found.contains_key(subject), "{subject}: {found:?}");
    }

    workspace.write("local/secrets.json", "{\"/app/key\": \"hidden\"}");
    let run = workspace.run(&["verify", "--local"]);
    assert_eq!(run.code, 0, "{run:#?}");
    assert!(!format!("{run:?}").contains("hidden"), "no value is read");
    workspace.deploy();
}

/// Calls that only verify.
const VERIFIES: [&str; 5] =
    ["GetCallerIdentity", "GetRole", "SimulatePrincipalPolicy", "DescribeParameters", "DescribeVpcEndpoints"];

#[test]
fn what_runs_already_is_not_verified_again() {
    let workspace = Workspace::new("proven");
    assert_eq!(workspace.run(&["local", "start"]).code, 0);
    workspace.write("local/secrets.json", "{\"/app/key\": \"k\", \"/app/other\": \"o\"}");
    workspace.config("secrets = { KEY = \"/app/key\" }");
    let endpoint = workspace.status()["endpoint"].as_str().expect("it runs").to_owned();
    let proxy = Proxy::before(&endpoint);
    let verifying = || {
        let before = proxy.calls().len();
        let mut command = workspace.command(&["deploy", "--format", "json"]);
        command.env("AWS_ENDPOINT_URL", proxy.endpoint()).env("AWS_REGION", "eu-west-1");
        command.env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local");
        command.env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN");
        let output = command.output().expect("the program starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        let calls = proxy.calls();
        let new = calls.iter().skip(before).map(|call| call.operation.as_str());
        new.filter(|operation| VERIFIES.contains(operation)).count()
    };
    assert!(verifying() >= VERIFIES.len(), "a new service is verified");
    assert_eq!(verifying(), 0, "nothing changed");
    workspace.version("v2");
    assert_eq!(verifying(), 0, "what the tasks refer to runs already");
    workspace.config("secrets = { KEY = \"/app/other\" }");
    assert!(verifying() > 0, "a reference is new");
}
