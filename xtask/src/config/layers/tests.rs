//! Environments, flags and variables: what they make of the file, and what users see when they are wrong.

use std::ffi::OsString;
use std::path::Path;

use crate::config::service::Security;
use crate::config::{Choice, Config, Input, Purpose, load, problem};

const FILE: &str = r#"cluster = "c"
[image.server]
bin = "server"
[service.web]
cpu = 256
memory = 512
desired-count = 1
execution-role = "role"
logs = { retention-days = 7 }
[service.web.security-group]
ingress = [{ port = 80, cidr = "0.0.0.0/0" }]
[service.web.container.app]
image = "server"
port = 3000
environment = { LEVEL = "debug", MODE = "base" }
command = ["--fast"]
[service.web.container.debug]
image = "server"
essential = false
[env.production]
cluster = "production"
[env.production.service.web]
memory = 1024
desired-count = { unset = true }
container.app.environment.LEVEL = "warn"
container.app.command = []
container.debug = { unset = true }
[env.staging]
service.web.name = "web-of-all"
service.web.family = "family-of-all"
service.web.logs.group = "/logs"
service.web.security-group.name = "group-of-all"
"#;

fn choice(flags: &[&str]) -> Choice {
    let mut choice = Choice::default();
    for pair in flags.chunks(2) {
        match pair {
            ["--env", name] => choice.env = Some((*name).to_owned()),
            ["--set", set] => choice.set.push((*set).to_owned()),
            other => panic!("no flag: {other:?}"),
        }
    }
    choice
}

fn lookup(name: &str) -> Option<OsString> {
    let value = match name {
        "SHA" => "0123abcd",
        "COUNT" => "4",
        "WORD" => "many",
        "SECRET" => "s3cret-value!",
        "ON" => "true",
        "EMPTY" => "",
        "BYTES" => {
            use std::os::unix::ffi::OsStringExt as _;
            return Some(OsString::from_vec(vec![0xff]));
        }
        _ => return None,
    };
    Some(value.into())
}

fn loaded(text: &str, flags: &[&str]) -> Result<Config, String> {
    loaded_for(Purpose::Deploy, text, flags)
}

fn loaded_for(purpose: Purpose, text: &str, flags: &[&str]) -> Result<Config, String> {
    let input = Input::new("deploy.toml", text, &choice(flags));
    load(&input, purpose, &lookup, Path::new("/nowhere"))
        .map_err(|problems| problem::render(&problems, &input, false))
}

fn good(text: &str, flags: &[&str]) -> Config {
    loaded(text, flags).unwrap_or_else(|problems| panic!("{problems}"))
}

/// The file with one line replaced.
fn with(from: &str, to: &str) -> String {
    let text = FILE.replacen(from, to, 1);
    assert_ne!(text, FILE, "the case changes nothing");
    text
}

fn names(config: &Config) -> [String; 4] {
    let service = &config.services[0];
    let Security::Own(group) = &service.security else { panic!("a group of its own") };
    [&service.name, &service.family, &service.log_group.name, &group.name].map(Clone::clone)
}

#[test]
fn without_an_environment_the_file_is_what_stands_outside_of_them() {
    let config = good(FILE, &[]);
    assert_eq!((config.environment.as_deref(), config.cluster.as_str()), (None, "c"));
    assert_eq!(config.environments, ["production", "staging"]);
    assert_eq!((config.services[0].memory, config.services[0].desired_count), (Some(512), Some(1)));
    assert_eq!(names(&config), ["web", "web", "/ecs/web", "web"]);
}

#[test]
fn tables_merge_key_by_key_and_everything_else_replaces() {
    let config = good(FILE, &["--env", "production"]);
    let service = &config.services[0];
    assert_eq!((config.environment.as_deref(), config.cluster.as_str()), (Some("production"), "production"));
    assert_eq!(
        (service.cpu, service.memory, service.log_group.retention_days),
        (Some(256), Some(1024), Some(7))
    );
    let app = &service.containers[0];
    let environment: Vec<_> =
        app.environment.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(environment, [("LEVEL", "warn"), ("MODE", "base")]);
    assert_eq!(app.command, Some(Vec::new()), "an array is one value");
}

#[test]
fn an_environment_removes_what_it_unsets() {
    let service = &good(FILE, &["--env", "production"]).services[0];
    assert_eq!(service.desired_count, None);
    let containers: Vec<_> = service.containers.iter().map(|container| container.name.as_str()).collect();
    assert_eq!(containers, ["app"]);
}

#[test]
fn names_that_environments_would_share_carry_the_environment() {
    let config = good(FILE, &["--env", "production"]);
    assert_eq!(names(&config), ["web-production", "web-production", "/ecs/web-production", "web-production"]);
    assert_eq!(config.services[0].key, "web");
    assert_eq!(config.images[0].repository, "server", "a digest is promoted from one to the next");
    assert_eq!(
        config.service("web").map(|service| &service.name),
        config.service("web-production").map(|s| &s.name)
    );
}

#[test]
fn a_name_that_is_said_is_the_name() {
    let said = ["web-of-all", "family-of-all", "/logs", "group-of-all"];
    assert_eq!(names(&good(FILE, &["--env", "staging"])), said);
}

#[test]
fn flags_are_laid_over_the_environment_one_over_the_other() {
    let flags = [
        "--set",
        "service.web.desired-count=3",
        "--env",
        "production",
        "--set",
        "service.web.desired-count = 4",
    ];
    assert_eq!(good(FILE, &flags).services[0].desired_count, Some(4));
}

#[test]
fn a_flag_is_what_its_key_wants() {
    let flags = [
        "--set",
        "account=123456789012",
        "--set",
        "service.web.container.app.environment.NUMBER=1.50",
        "--set",
        "service.web.container.app.environment.\"A.B\"=x=y z",
        "--set",
        "service.web.container.app.essential=true",
        "--set",
        "service.web.container.app.command=[\"a\", \"b\"]",
        "--set",
        "service.web.security-group={ unset = true }",
        "--set",
        "service.web.tags={ team = 'a' }",
        "--set",
        "service.web.deployment.circuit-breaker=false",
        "--set",
        "name=",
    ];
    let config = good(FILE, &flags);
    let (service, app) = (&config.services[0], &config.services[0].containers[0]);
    assert_eq!((config.account.as_deref(), config.name.as_deref()), (Some("123456789012"), Some("")));
    assert_eq!((app.environment["NUMBER"].as_str(), app.environment["A.B"].as_str()), ("1.50", "x=y z"));
    assert_eq!(app.command, Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!((&service.security, service.tags["team"].as_str()), (&Security::Default, "a"));
    assert_eq!(service.deployment.circuit_breaker.map(|breaker| breaker.enable), Some(false));
}

#[test]
fn a_variable_stands_wherever_a_value_may() {
    let text = with("command = [\"--fast\"]", "command = [\"--sha\", { from-env = \"SHA\" }]\nlabels = { sha = { from-env = \"SHA\" } }\ninit = { from-env = \"ON\" }")
        .replacen("desired-count = 1", "desired-count = { from-env = \"COUNT\" }", 1)
        .replacen("MODE = \"base\"", "MODE = { from-env = \"NONE\", default = \"base\" }, NUMBER = { from-env = \"COUNT\" }, EMPTY = { from-env = \"EMPTY\" }", 1)
        .replacen("memory = 512", "memory = { from-env = \"NONE\", default = 512 }", 1);
    let service = &good(&text, &[]).services[0];
    let app = &service.containers[0];
    assert_eq!((service.desired_count, service.memory, app.init), (Some(4), Some(512), Some(true)));
    assert_eq!(app.command.as_deref(), Some(["--sha".to_owned(), "0123abcd".to_owned()].as_slice()));
    assert_eq!(app.labels["sha"], "0123abcd");
    let variables: Vec<_> = ["MODE", "NUMBER", "EMPTY"].map(|name| app.environment[name].as_str()).into();
    assert_eq!(variables, ["base", "4", ""]);
}

#[test]
fn a_variable_that_is_not_needed_need_not_be_set() {
    let text = with("memory = 1024", "memory = 1024\ncontainer.app.environment.X = { from-env = \"NONE\" }");
    good(&text, &[]);
    let text = with("cluster = \"c\"", "cluster = { from-env = \"NONE\" }");
    assert_eq!(good(&text, &["--env", "production"]).cluster, "production");
    assert_eq!(good(&text, &["--set", "cluster={ from-env = \"SHA\" }"]).cluster, "0123abcd");
}

#[test]
fn a_variable_replaces_a_variable_and_its_default() {
    let text = with("cluster = \"c\"", "cluster = { from-env = \"NONE\", default = \"c\" }").replacen(
        "cluster = \"production\"",
        "cluster = { from-env = \"OTHER\" }",
        1,
    );
    let problems = loaded(&text, &["--env", "production"]).expect_err("it is not set");
    assert!(problems.contains("`OTHER` is not set"), "{problems}");
}

#[test]
fn to_look_at_what_runs_only_the_place_and_the_names_are_needed() {
    let missing = "{ from-env = \"NONE\" }";
    let text = with("MODE = \"base\"", &format!("MODE = {missing}")).replacen(
        "image = \"server\"\nport = 3000",
        &format!("image = {missing}\nport = {missing}\ninit = {missing}"),
        1,
    );
    loaded(&text, &[]).expect_err("not to deploy it");
    let config = loaded_for(Purpose::Look, &text, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((config.cluster.as_str(), config.services[0].name.as_str()), ("c", "web"));
    for name in [
        with("cluster = \"c\"", &format!("cluster = {missing}")),
        with("cpu = 256", &format!("cpu = 256\nname = {missing}")),
    ] {
        let problems = loaded_for(Purpose::Look, &name, &[]).expect_err("where?");
        assert_eq!(problems.matches("error:").count(), 1, "{problems}");
        assert!(problems.contains("`NONE` is not set"), "{problems}");
    }
}

#[test]
fn the_family_of_a_task_definition_in_json_carries_the_environment_too() {
    let root = tempfile::tempdir().expect("a directory");
    let json = r#"{ "family": "seed", "executionRoleArn": "arn:aws:iam::123456789012:role/r", "cpu": "256", "memory": "512",
        "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "containerDefinitions": [{ "name": "app", "image": "nginx:1" }] }"#;
    std::fs::write(root.path().join("task.json"), json).expect("written");
    let text = "cluster = \"c\"\n[service.web]\ntask-definition = \"task.json\"\n[env.test]\nservice.web.desired-count = 2\n";
    let input = Input::new("deploy.toml", text, &choice(&["--env", "test"]));
    let config = load(&input, Purpose::Deploy, &lookup, root.path())
        .unwrap_or_else(|problems| panic!("{}", problem::render(&problems, &input, false)));
    assert_eq!(
        (config.services[0].name.as_str(), config.services[0].family.as_str()),
        ("web-test", "seed-test")
    );
}

#[test]
fn what_only_ecs_knows_is_laid_over_and_filled_in_too() {
    let text = with(
        "[env.production.service.web]",
        "[service.web.extra]\npidMode = \"task\"\nproxyConfiguration = { type = \"APPMESH\", containerName = { from-env = \"SHA\" } }\n[env.production.service.web]\nextra.pidMode = { unset = true }",
    );
    let extra = &good(&text, &["--env", "production"]).services[0].extra;
    assert_eq!(
        serde_json::json!(extra),
        serde_json::json!({ "proxyConfiguration": { "type": "APPMESH", "containerName": "0123abcd" } })
    );
}

macro_rules! rejected {
    ($($name:ident: $text:expr, $flags:expr;)*) => {$(
        #[test]
        fn $name() {
            let problems = loaded(&$text, &$flags).expect_err("something is wrong");
            insta::assert_snapshot!(stringify!($name), problems);
        }
    )*};
}

rejected! {
    unknown_environment: FILE, ["--env", "prodution"];
    unknown_environment_like_nothing: FILE, ["--env", "zzz"];
    no_environments: "cluster = \"c\"", ["--env", "production"];
    environment_of_another_type: with("[env.staging]\n", "[env]\nstaging = 1\n[service.web.x]\n"), [];
    environment_with_an_odd_name: with("[env.staging]", "[env.\"sta ging\"]"), [];
    typo_in_an_environment_that_is_not_chosen: with("memory = 1024", "memori = 1024\ncpu = \"x\""), ["--env", "staging"];
    environment_in_an_environment: with("[env.staging]", "[env.staging.env.x]\n[env.staging]"), [];
    rule_that_is_not_whole: with("[env.staging]", "[env.staging]\nservice.web.container.app.ports = [{ name = \"x\" }]"), [];
    value_of_an_environment: with("memory = 1024", "memory = 4096"), ["--env", "production"];
    missing_without_an_environment: with("cluster = \"c\"\n", ""), [];
    missing_for_a_task_without_an_environment: with("cpu = 256\n", "").replacen("memory = 1024", "memory = 1024\ncpu = 512", 1), [];
    missing_in_the_chosen_environment: with("cluster = \"c\"\n", ""), ["--env", "staging"];
    nothing_to_unset: with("container.debug", "container.debg"), ["--env", "production"];
    unset_outside_of_an_environment: with("desired-count = 1", "desired-count = { unset = true }"), [];
    flag_with_an_unknown_key: FILE, ["--set", "service.web.desired-cout=4"];
    flag_with_a_wrong_type: FILE, ["--set", "service.web.desired-count=many"];
    flag_with_a_wrong_value: FILE, ["--set", "service.web.cpu=300", "--set", "service.web.desired-count=-1"];
    flag_without_a_value: FILE, ["--set", "service.web.desired-count"];
    flag_without_a_key: FILE, ["--set", "=4"];
    flag_that_is_no_toml: FILE, ["--set", "service.web.tags={ a = "];
    flag_with_an_open_quote: FILE, ["--set", "service.\"web.cpu=4"];
    flag_for_an_environment: FILE, ["--set", "env.production.cluster=x"];
    flag_with_an_unknown_image: FILE, ["--set", "service.web.container.app.image=servr"];
    variable_missing: with("MODE = \"base\"", "MODE = { from-env = \"NONE\" }, OTHER = { from-env = \"NEITHER\" }"), [];
    variable_missing_in_a_flag: FILE, ["--set", "service.web.family={ from-env = \"NONE\" }"];
    variable_that_is_no_integer: with("desired-count = 1", "desired-count = { from-env = \"WORD\" }"), [];
    variable_that_is_not_unicode: with("MODE = \"base\"", "MODE = { from-env = \"BYTES\" }"), [];
    variable_with_an_unknown_key: with("MODE = \"base\"", "MODE = { from-env = \"SHA\", defualt = \"x\" }"), [];
    variable_without_a_name: with("MODE = \"base\"", "MODE = { from-env = 3 }"), [];
    variable_in_place_of_a_table: with("environment = { LEVEL = \"debug\", MODE = \"base\" }", "health-check = { from-env = \"SHA\" }"), [];
    default_of_another_type: with("desired-count = 1", "desired-count = { from-env = \"NONE\", default = \"many\" }"), [];
    value_of_a_variable_is_not_shown: with("cluster = \"c\"", "cluster = { from-env = \"SECRET\" }"), [];
    number_of_a_variable_is_not_shown: with("cpu = 256", "cpu = { from-env = \"COUNT\" }"), [];
    word_of_a_variable_is_not_shown: with("cpu = 256", "cpu = 256\nlaunch-type = { from-env = \"SECRET\" }"), [];
    image_of_a_variable_is_not_shown: with("image = \"server\"", "image = { from-env = \"SHA\" }"), [];
    two_services_of_a_name: with("[env.staging]\n", "[env.staging.service.aux]\nname = \"web-of-all\"\ncpu = 256\nmemory = 512\nexecution-role = \"r\"\ncontainer.a.image = \"server\"\n[env.staging]\n"), ["--env", "staging"];
    file_environment_and_flag_at_once: with("cpu = 256", "cpu = 300"), ["--env", "production", "--set", "service.web.container.app.port=0"];
}

#[test]
fn no_flag_panics() {
    let odd = [
        "",
        "=",
        "a",
        "a=",
        "\"",
        "a.\"b",
        "\u{fe}=\u{1f980}",
        "a=[",
        "a={",
        "a='",
        "a.b.=1",
        "a\n=1",
        "a=[1]\nb=2",
        "service=1",
        "service.web=[]",
    ];
    for set in odd {
        drop(loaded(FILE, &["--set", set]));
        drop(loaded(FILE, &["--env", set]));
    }
    for end in 0..FILE.len() {
        drop(loaded(&FILE[..end], &["--env", "production", "--set", "cluster=x"]));
    }
}
