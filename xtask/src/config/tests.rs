//! What users see when deploy.toml is wrong: one snapshot a case.

use std::path::Path;

use super::{Choice, Input, parse, problem};
use crate::config::service::{ContainerImage, Security, Subnets};

/// The sample, with one line replaced or a few added.
const GOOD: &str = r#"cluster = "c"
[image.server]
bin = "server"
[service.web]
cpu = 256
memory = 512
execution-role = "role"
[service.web.container.app]
image = "server"
port = 3000
"#;

fn shown(text: &str) -> String {
    match parse(text, Path::new("/nowhere")) {
        Ok(config) => format!("accepted: {} services", config.services.len()),
        Err(problems) => {
            problem::render(&problems, &Input::new("deploy.toml", text, &Choice::default()), false)
        }
    }
}

macro_rules! rejected {
    ($($name:ident: $from:expr => $to:expr;)*) => {$(
        #[test]
        fn $name() {
            let text = GOOD.replacen($from, $to, 1);
            assert_ne!(text, GOOD, "the case changes nothing");
            insta::assert_snapshot!(stringify!($name), shown(&text));
        }
    )*};
}

rejected! {
    syntax_error: "cpu = 256" => "cpu = = 256";
    unclosed_string: "\"server\"\n[service" => "\"server\n[service";
    key_given_twice: "cpu = 256" => "cpu = 256\ncpu = 512";
    unknown_key_with_a_near_one: "cpu = 256" => "cpu = 256\ndesired-cout = 2";
    unknown_key_in_snake_case: "execution-role" => "execution_role";
    unknown_key_like_nothing: "cpu = 256" => "cpu = 256\nzzz = 1";
    unknown_table: "[image.server]" => "[images.server]";
    wrong_type: "cpu = 256" => "cpu = \"256\"";
    wrong_type_of_a_choice: "port = 3000" => "port = 3000\nulimits = { nofile = \"many\" }";
    missing_key: "memory = 512\n" => "";
    missing_top_key: "cluster = \"c\"\n" => "";
    no_service: GOOD => "cluster = \"c\"\n";
    unknown_image: "image = \"server\"" => "image = \"servr\"";
    unknown_image_like_nothing: "image = \"server\"" => "image = \"redis\"";
    cpu_without_such_a_task: "cpu = 256" => "cpu = 300";
    memory_that_does_not_go_with_cpu: "memory = 512" => "memory = 4096";
    word_in_another_case: "cpu = 256" => "launch-type = \"fargate\"\ncpu = 256";
    word_unknown: "port = 3000" => "port = 3000\ndepends-on = { other = \"STARTED\" }";
    dependency_unknown: "port = 3000" => "port = 3000\ndepends-on = { ap = \"START\" }";
    dependency_circle: "port = 3000" => "port = 3000\ndepends-on = { app = \"START\" }";
    threshold_given_twice: "cpu = 256" => "cpu = 256\ndeployment.circuit-breaker = { threshold = 3, threshold-percent = 50 }";
    threshold_of_nothing: "cpu = 256" => "cpu = 256\ndeployment.circuit-breaker = { threshold = 0 }";
    breaker_of_another_type: "cpu = 256" => "cpu = 256\ndeployment.circuit-breaker = \"on\"";
    breaker_with_an_unknown_key: "cpu = 256" => "cpu = 256\ndeployment.circuit-breaker = { treshold = 3 }";
    port_out_of_range: "port = 3000" => "port = 70000";
    two_ways_to_say_ports: "port = 3000" => "port = 3000\nports = [3001]";
    same_port_twice: "port = 3000" => "port = 3000\n[service.web.container.two]\nimage = \"server\"\nport = 3000";
    container_memory_over_the_tasks: "port = 3000" => "port = 3000\nmemory = 1024";
    no_container_essential: "port = 3000" => "port = 3000\nessential = false";
    no_execution_role: "execution-role = \"role\"\n" => "";
    both_kinds_of_image: "bin = \"server\"" => "bin = \"server\"\ndockerfile = \"Dockerfile\"";
    neither_kind_of_image: "bin = \"server\"" => "repository = \"x\"";
    key_of_the_other_kind_of_image: "bin = \"server\"" => "bin = \"server\"\ncontext = \".\"";
    dockerfile_missing: "bin = \"server\"" => "dockerfile = \"app/Dockerfile\"";
    repository_name: "bin = \"server\"" => "bin = \"server\"\nrepository = \"Web_Server!\"";
    health_check_without_kind: "port = 3000" => "port = 3000\nhealth-check = { command = [\"/check\"] }";
    health_check_interval: "port = 3000" => "port = 3000\nhealth-check = { command = \"x\", interval = 2 }";
    cidr: "[service.web.container" => "[service.web.security-group]\nname = \"g\"\ningress = [{ port = 1, cidr = \"1.2.3.4\" }]\n[service.web.container";
    ingress_without_source: "[service.web.container" => "[service.web.security-group]\nname = \"g\"\ningress = [{ port = 1 }]\n[service.web.container";
    subnets_word: "cpu = 256" => "cpu = 256\nsubnets = \"all\"";
    subnet_id: "cpu = 256" => "cpu = 256\nsubnets = [\"vpc-1\"]";
    retention: "cpu = 256" => "cpu = 256\nlogs = { retention-days = 31 }";
    rollout_that_cannot_move: "cpu = 256" => "cpu = 256\ndeployment = { maximum-percent = 100 }";
    account: "cluster" => "account = \"1234\"\ncluster";
    stop_timeout: "port = 3000" => "port = 3000\nstop-timeout = 300";
    image_missing: "image = \"server\"" => "essential = true";
    extra_in_another_style: "port = 3000" => "port = 3000\nextra = { start-timeout = 3 }";
    extra_with_a_key_of_its_own: "cpu = 256" => "cpu = 256\nextra = { family = \"x\", containerDefinitions = [] }";
    extra_that_json_cannot_say: "cpu = 256" => "cpu = 256\nextra = { since = 2026-01-01, rate = inf }";
    several_problems_at_once: "cpu = 256\nmemory = 512" => "cpu = 300\nmemory = 512\ndesired-count = -1\nephemeral-storage = 5";
    several_unknown_keys: "cpu = 256" => "cpu = 256\nfoo = 1\nbar = 2";
}

#[test]
fn the_good_file_is_good() {
    assert_eq!(shown(GOOD), "accepted: 1 services");
}

#[test]
fn the_sample_of_the_repository_is_good() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = std::fs::read_to_string(root.join("deploy.toml")).expect("the sample is there");
    let config = parse(&text, &root).expect("the sample is valid");
    let service = &config.services[0];
    assert_eq!((service.cpu, service.memory, service.desired_count), (Some(256), Some(512), Some(2)));
    assert_eq!(service.subnets, Subnets::Default);
    assert!(matches!(&service.security, Security::Own(group) if group.ingress.len() == 1));
    let names: Vec<_> = service.containers.iter().map(|container| container.name.as_str()).collect();
    assert_eq!(names, ["ecs-test-server", "ecs-test-data-store"], "in the order of the file");
}

#[test]
fn a_reference_is_taken_as_it_is() {
    let text = GOOD.replacen("image = \"server\"", "image = \"nginx:1\"", 1);
    let config = parse(&text, Path::new("/nowhere")).expect("a reference is fine");
    assert_eq!(config.services[0].containers[0].image, ContainerImage::Reference("nginx:1".to_owned()));
}

#[test]
fn no_cut_of_the_file_panics() {
    for end in 0..GOOD.len() {
        shown(&GOOD[..end]);
    }
}

#[test]
fn a_block_is_written_as_aws_writes_it() {
    use crate::config::service::Source;
    let rules = "[service.web.security-group]\nname = \"g\"\ningress = [{ port = 1, cidr = \"10.1.2.3/8\" }, \
                 { port = 1, cidr = \"2001:DB8::1/32\" }, { port = 1, cidr = \"1.2.3.4/0\" }]\n[service.web.container";
    let config = parse(&GOOD.replacen("[service.web.container", rules, 1), Path::new("/nowhere"))
        .expect("it is valid");
    let Security::Own(group) = &config.services[0].security else { panic!("a group of its own") };
    let sources: Vec<_> = group.ingress.iter().map(|rule| rule.source.clone()).collect();
    let v4 = |block: &str| Source::Ipv4(block.to_owned());
    assert_eq!(sources, [v4("0.0.0.0/0"), v4("10.0.0.0/8"), Source::Ipv6("2001:db8::/32".to_owned())]);
}
