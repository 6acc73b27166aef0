//! Task definitions in ECS JSON: as a file, and as what goes over the typed keys.

use std::path::Path;

use serde_json::{Value, json};

use super::image::Platform;
use super::service::{ContainerImage, Service};
use super::{Choice, Input, parse, problem};

const JSON: &str = r#"{
    "family": "seed",
    "networkMode": "awsvpc",
    "executionRoleArn": "arn:aws:iam::123456789012:role/ecsTaskExecutionRole",
    "containerDefinitions": [
        { "name": "server", "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web/server:latest",
          "portMappings": [{ "containerPort": 3000 }], "entryPoint": ["node", "index.js"] },
        { "name": "side", "image": "side", "essential": false }
    ],
    "requiresCompatibilities": ["FARGATE"],
    "cpu": ".25 vCPU", "memory": "512",
    "revision": 7, "status": "ACTIVE"
}"#;

const FILE: &str = r#"cluster = "c"
[image.app]
bin = "server"
repository = "web/server"
[image.side]
bin = "side"
[service.web]
task-definition = "task.json"
"#;

/// A workspace with this task definition in it.
fn parsed(json: &str, text: &str) -> Result<Service, String> {
    let root = tempfile::tempdir().expect("a directory");
    std::fs::write(root.path().join("task.json"), json).expect("written");
    match parse(text, root.path()) {
        Ok(mut config) => Ok(config.services.remove(0)),
        Err(problems) => {
            let shown =
                problem::render(&problems, &Input::new("deploy.toml", text, &Choice::default()), false);
            Err(shown.replace(&root.path().display().to_string(), "ROOT"))
        }
    }
}

fn images(service: &Service) -> Vec<&ContainerImage> {
    service.containers.iter().map(|container| &container.image).collect()
}

#[test]
fn the_json_is_taken_as_it_is_and_its_images_are_found() {
    let service = parsed(JSON, FILE).expect("it is valid");
    assert_eq!((service.family.as_str(), service.cpu, service.memory), ("seed", Some(256), Some(512)));
    let built = |name: &str| ContainerImage::Built(name.to_owned());
    assert_eq!(images(&service), [&built("app"), &built("side")], "by repository, and by key");
    assert_eq!(service.containers[0].ports[0].number, 3000);
    assert!(!service.uses_log_group());
    let given = service.given.expect("it is kept");
    assert_eq!(given["containerDefinitions"][0]["entryPoint"], json!(["node", "index.js"]));
    assert!(!given.contains_key("revision"), "what an answer has, a request has not");
}

#[test]
fn an_answer_of_the_api_is_taken_too() {
    let service =
        parsed(&format!("{{\"taskDefinition\": {JSON}, \"tags\": []}}"), FILE).expect("it is valid");
    assert_eq!(service.family, "seed");
}

#[test]
fn deploy_toml_says_the_last_word_on_images() {
    let text = format!(
        "{FILE}family = \"mine\"\ncontainer.server = {{ image = \"side\", extra = {{ entryPoint = [] }} }}\n"
    );
    let service = parsed(JSON, &text).expect("it is valid");
    assert_eq!(images(&service)[0], &ContainerImage::Built("side".to_owned()));
    assert_eq!(service.family, "mine");
    assert_eq!(service.containers[0].extra.get("entryPoint"), Some(&json!([])));
}

#[test]
fn a_digest_and_a_registry_elsewhere_stay() {
    for reference in ["1.dkr.ecr.r.amazonaws.com/web/server@sha256:1", "docker.io/web/server:latest"] {
        let json = JSON.replace("123456789012.dkr.ecr.eu-west-1.amazonaws.com/web/server:latest", reference);
        let service = parsed(&json, FILE).expect("it is valid");
        assert_eq!(images(&service)[0], &ContainerImage::Reference(reference.to_owned()));
    }
}

#[test]
fn what_is_wrong_is_shown_at_its_key() {
    let shown = |json: &str, text: &str| parsed(json, text).expect_err("it is rejected");
    let text = format!(
        "{FILE}cpu = 256\nexecution-role = \"r\"\n[service.web.container.serve]\nimage = \"app\"\nport = 3000\n"
    );
    insta::assert_snapshot!("keys_beside_the_json", shown(JSON, &text));
    insta::assert_snapshot!("json_syntax", shown("{ \"family\": }", FILE));
    insta::assert_snapshot!("json_of_something_else", shown("{ \"name\": \"package\" }", FILE));
    insta::assert_snapshot!("json_missing", shown(JSON, &FILE.replace("task.json", "fargate.json")));
    let wrong = JSON.replace("\"awsvpc\"", "\"bridge\"").replace("\"512\"", "\"4096\"");
    insta::assert_snapshot!("json_that_fargate_refuses", shown(&wrong, FILE));
    let other = FILE.replace("bin = \"side\"", "bin = \"side\"\nplatform = \"linux/arm64\"");
    insta::assert_snapshot!("json_of_another_platform", shown(JSON, &other));
}

#[test]
fn what_extra_says_counts() {
    let text = format!(
        "{FILE}extra = {{ memory = \"1 GB\", runtimePlatform = {{ cpuArchitecture = \"ARM64\" }} }}\n"
    );
    let text = text.replace("bin =", "platform = \"linux/arm64\"\nbin =");
    let service = parsed(JSON, &text).expect("it is valid");
    assert_eq!((service.memory, service.platform), (Some(1024), Platform::LinuxArm64));
}

#[test]
fn members_of_any_type_are_kept() {
    let text = r#"cluster = "c"
[service.web]
cpu = 256
memory = 512
execution-role = "r"
extra = { pidMode = "task", proxyConfiguration = { properties = [{ name = "a", value = "b" }], n = 1.5 } }
container.app = { image = "x:1", extra = { privileged = false, startTimeout = 30 } }
"#;
    let config = parse(text, Path::new("/nowhere")).expect("it is valid");
    let service = &config.services[0];
    let wanted = json!({ "pidMode": "task", "proxyConfiguration": { "properties": [{ "name": "a", "value": "b" }], "n": 1.5 } });
    assert_eq!(Value::Object(service.extra.clone()), wanted);
    assert_eq!(
        Value::Object(service.containers[0].extra.clone()),
        json!({ "privileged": false, "startTimeout": 30 })
    );
}
