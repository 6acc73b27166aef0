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
    // Neither the one that this machine has, nor one that its Rust has a target of by default.
    let (platform, triple) = match std::env::consts::ARCH {
        "aarch64" => ("linux/amd64", "x86_64-unknown-linux"),
        _ => ("linux/arm64", "aarch64-unknown-linux"),
    };
    workspace.change(|file| file.keys = format!("platform = \"{platform}\""));
    let run = workspace.run(&["deploy", "--local"]);
    assert_eq!(run.code, 4, "{run:#?}");
    let said = run.outcome.to_string();
    assert!(said.contains(triple), "{run:#?}");
    assert_eq!(workspace.status()["services"], serde_json::json!([]));
}
