//! What is known to fail is refused before anything is made.

use crate::support::{Workspace, exists};

#[test]
fn a_port_of_two_containers() {
    let workspace = Workspace::new("same-port");
    workspace.change(|file| {
        let port = file.port;
        file.beside("side", &format!("port = {port}"));
    });
    let run = workspace.run(&["deploy", "--local"]);
    assert_eq!(run.code, 2, "{run:#?}");
    let detail = run.outcome["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("is `app`'s already"), "{run:#?}");
    assert!(!exists(&workspace.local_dir()), "the control plane was started");
}

#[test]
fn a_program_of_another_cpu() {
    let workspace = Workspace::new("other-cpu");
    workspace.change(|file| file.keys = "platform = \"linux/arm64\"".to_owned());
    let run = workspace.run(&["deploy", "--local"]);
    assert_eq!(run.code, 4, "{run:#?}");
    let said = run.outcome.to_string();
    assert!(said.contains("aarch64-unknown-linux"), "{run:#?}");
    assert_eq!(workspace.status()["services"], serde_json::json!([]));
}
