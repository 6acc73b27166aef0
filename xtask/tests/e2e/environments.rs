//! Two environments of one file, side by side in one account and cluster.

use crate::support::{Workspace, get};

#[test]
fn two_environments_of_one_file_do_not_get_in_each_others_way() {
    let workspace = Workspace::new("environments");
    workspace.change(|file| file.desired = 1);
    let name = workspace.name.clone();
    let text = std::fs::read_to_string(workspace.path("deploy.toml")).expect("it is there");
    let text = text.replace(&format!("name = \"{name}\"\ningress"), "ingress");
    let variables = |env: &str, value: &str| {
        format!("[env.{env}.service.{name}.container.app.environment]\nVERSION = {value}\n")
    };
    let environments = variables("test", "\"test\"") + &variables("live", "{ from-env = \"RELEASE\" }");
    workspace.write("deploy.toml", &format!("{text}\n{environments}"));

    let test = workspace.run(&["deploy", "--local", "--env", "test"]);
    assert_eq!(test.code, 0, "{test:#?}");
    let without = workspace.output(&["deploy", "--local", "--env", "live"]);
    let stderr = String::from_utf8_lossy(&without.stderr);
    assert_eq!(without.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("the environment variable `RELEASE` is not set"), "{stderr}");
    let live = workspace.command(&["deploy", "--local", "--env", "live"]).env("RELEASE", "v2").output();
    let live = live.expect("the program starts");
    assert!(live.status.success(), "{}", String::from_utf8_lossy(&live.stderr));

    let status = workspace.status();
    let answer = |env: &str| {
        let mut services = status["services"].as_array().expect("a list").iter();
        let service = services.find(|service| service["service"] == format!("{name}-{env}"));
        let url = service.and_then(|service| service["ports"][0]["url"].as_str()).expect("it has a port");
        get(url.trim_start_matches("http://")).expect("an answer")
    };
    assert_eq!((answer("test").as_str(), answer("live").as_str()), ("test", "v2"));

    let again = workspace.run(&["deploy", "--local", "--env", "test"]);
    assert_eq!(again.outcome["result"]["services"][0]["changed"], false, "{again:#?}");
    // To look, nobody needs the variables of those who deploy.
    let seen = workspace.run(&["status", &name, "--local", "--env", "live"]);
    assert_eq!(seen.outcome["result"]["services"][0]["service"], format!("{name}-live"), "{seen:#?}");
}
