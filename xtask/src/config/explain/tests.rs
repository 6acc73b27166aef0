//! What users see of where a value comes from.

use crate::config::{Choice, Input, explain, problem};

const FILE: &str = r#"cluster = "c"
[image.server]
bin = "server"
[service.web]
cpu = 256
memory = 512
desired-count = 1
subnets = { tag = { tier = "private" } }
[service.web.security-group]
ingress = [{ port = 80, cidr = "0.0.0.0/0" }]
[service.web.container.app]
image = "server"
environment.SHA = { from-env = "SHA" }
environment.MODE = { from-env = "MODE", default = "fast" }
environment.NONE = { from-env = "NONE" }
[env.production.service.web]
memory = 1024
subnets = "default"
desired-count = { unset = true }
security-group = { unset = true }
security-groups = ["sg-1"]
"#;

fn explained(key: &str, env: Option<&str>, set: &[&str]) -> String {
    let set = set.iter().map(|set| (*set).to_owned()).collect();
    let input = Input::new("deploy.toml", FILE, &Choice { env: env.map(str::to_owned), set }).asking(key);
    let lookup = |name: &str| (name == "SHA").then(|| "0123abcd".into());
    explain(&input, &lookup).unwrap_or_else(|problems| problem::render(&problems, &input, false))
}

macro_rules! explained {
    ($($name:ident: $key:expr, $env:expr, $set:expr;)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(stringify!($name), explained($key, $env, &$set));
        }
    )*};
}

explained! {
    one_layer: "service.web.cpu", None, [];
    three_layers: "service.web.memory", Some("production"), ["service.web.memory=2048"];
    unset: "service.web.desired-count", Some("production"), [];
    unset_and_set_again: "service.web.desired-count", Some("production"), ["service.web.desired-count=5"];
    default_alone: "service.web.deployment.crash-limit", None, [];
    no_default: "service.web.task-role", None, [];
    name_without_an_environment: "service.web.family", None, [];
    name_with_an_environment: "service.web.logs.group", Some("production"), [];
    table_that_a_word_replaces: "service.web.subnets", Some("production"), [];
    word_that_a_table_replaces: "service.web.subnets", Some("production"), ["service.web.subnets={ tag = { a = 'b' } }"];
    table_that_is_removed: "service.web.security-group", Some("production"), [];
    variables: "service.web.container.app.environment", None, [];
    array: "service.web.security-group.ingress", None, [];
    everything: "service", Some("production"), [];
    unknown_key: "service.web.desired-cout", None, [];
    unknown_service: "service.wbe.cpu", None, [];
    unknown_top_key: "zzz", None, [];
    key_of_an_environment: "env.production.service.web.memory", None, [];
    no_key: "service..web", None, [];
    empty_key: "", None, [];
    unknown_environment: "service.web.cpu", Some("prod"), [];
}

#[test]
fn the_value_of_a_variable_is_in_no_explanation() {
    assert!(!explained("service", None, &[]).contains("0123abcd"));
}
