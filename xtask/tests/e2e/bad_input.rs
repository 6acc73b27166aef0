//! What is wrong is said before anything is changed.

use crate::support::{Workspace, exists, free_port, get};

#[test]
fn a_compile_error_is_shown_and_nothing_is_made() {
    let workspace = Workspace::new("compile");
    workspace.source(|_| "fn main() { let x: u8 = \"text\"; }\n".to_owned());
    let output = workspace.output(&["deploy", "--local"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("error[E0308]: mismatched types"), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(workspace.status()["services"], serde_json::json!([]));
    let made = workspace.output(&["deploy", "--local", "--format", "json"]);
    assert!(!String::from_utf8_lossy(&made.stdout).contains("\"phase\":\"ensure\""));
}

#[test]
fn a_wrong_file_reaches_neither_docker_nor_the_network() {
    let workspace = Workspace::new("wrong");
    let text = std::fs::read_to_string(workspace.path("deploy.toml")).expect("it is there");
    workspace.write("deploy.toml", &text.replace("cpu = 256", "cpu = 257\ndesird-count = 1"));
    let output = workspace.output(&["deploy", "--local"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("did you mean `desired-count`?"), "{stderr}");
    assert!(!exists(&workspace.local_dir()), "the control plane was started");
}

#[test]
fn a_port_that_is_taken_gives_way_to_the_next() {
    let workspace = Workspace::new("port");
    let port = free_port();
    workspace.change(|file| file.port = port);
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).expect("it was free");
    let run = workspace.deploy();
    let address = workspace.address();
    assert!(!address.ends_with(&format!(":{port}")), "{address}");
    assert_eq!(get(&address).expect("an answer"), "v1");
    let said = run
        .of_kind("reachable")
        .any(|event| event["remark"].as_str().is_some_and(|text| text.contains("taken")));
    assert!(said, "{run:#?}");
}
