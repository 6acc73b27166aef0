//! Source to a steady service, and again.

use crate::load::Load;
use crate::support::{Workspace, containers, exists, get};

#[test]
fn from_source_to_a_steady_service_and_on() {
    let workspace = Workspace::new("steady");

    let first = workspace.deploy();
    let deployed = &first.outcome["result"]["services"][0];
    assert_eq!((&deployed["changed"], &deployed["running"]), (&true.into(), &2.into()), "{first:#?}");
    let address = workspace.address();
    assert_eq!(get(&address).expect("an answer"), "v1");

    let second = workspace.deploy();
    assert_eq!(second.outcome["result"]["services"][0]["changed"], false, "{second:#?}");
    for phase in ["build", "push", "register", "service"] {
        assert_eq!(second.done(phase), ["unchanged"], "{phase}: {second:#?}");
    }
    assert_eq!(second.done("ensure").len() + second.done("rollout").len(), 0, "{second:#?}");

    workspace.source(|text| text.replace("(head + &body)", "(head + \"v2\")"));
    let load = Load::on(&address);
    let third = workspace.deploy();
    load.stop(&workspace);
    assert_eq!(third.outcome["result"]["services"][0]["changed"], true, "{third:#?}");
    assert_eq!(get(&address).expect("an answer"), "v2");

    let instance = workspace.status()["instance"].as_str().expect("an instance").to_owned();
    assert!(!containers(&instance).is_empty());
    assert_eq!(workspace.run(&["local", "reset"]).code, 0);
    assert_eq!(containers(&instance), Vec::<String>::new());
    assert!(!exists(&workspace.local_dir()));
}
