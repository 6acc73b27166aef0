//! Source to a steady service, and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

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

    workspace.version("v2");
    let load = Load::on(&address);
    let third = workspace.deploy();
    let (requests, failures) = load.stop();
    assert_eq!(third.outcome["result"]["services"][0]["changed"], true, "{third:#?}");
    assert_eq!(get(&address).expect("an answer"), "v2");
    assert!(requests > 10, "the load was only {requests} requests");
    assert_eq!(failures, Vec::<String>::new(), "of {requests} requests");

    let instance = workspace.status()["instance"].as_str().expect("an instance").to_owned();
    assert!(!containers(&instance).is_empty());
    assert_eq!(workspace.run(&["local", "reset"]).code, 0);
    assert_eq!(containers(&instance), Vec::<String>::new());
    assert!(!exists(&workspace.local_dir()));
}

#[test]
fn a_first_deploy_that_cannot_start_fails_with_its_evidence() {
    let workspace = Workspace::new("cannot-start");
    workspace.config("entrypoint = [\"/no/such/program\"]");
    let run = workspace.run(&["deploy", "--local", "--timeout", "100"]);
    assert_eq!(run.code, 8, "{run:#?}");
    let detail = run.outcome["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("/no/such/program"), "{run:#?}");
}

#[test]
fn a_failed_update_is_rolled_back_and_the_old_version_serves() {
    let workspace = Workspace::new("rolled-back");
    workspace.deploy();
    workspace.config("entrypoint = [\"/no/such/program\"]");
    let run = workspace.run(&["deploy", "--local", "--timeout", "100"]);
    assert_eq!(run.code, 7, "{run:#?}");
    assert_eq!(get(&workspace.address()).expect("an answer"), "v1");

    workspace.config("");
    let again = workspace.deploy();
    assert_eq!(again.outcome["result"]["services"][0]["changed"], false, "{again:#?}");
}

#[test]
fn a_crash_loop_is_stopped_and_rolled_back_though_the_breaker_does_not_see_it() {
    let workspace = Workspace::new("crash-loop");
    workspace.deploy();
    workspace.config("command = [\"crash\"]");
    let run = workspace.run(&["deploy", "--local", "--timeout", "60"]);
    assert_eq!(run.code, 7, "{run:#?}");
    let message = run.outcome["message"].as_str().unwrap_or_default();
    assert!(message.contains("`app` exited with code 3"), "{run:#?}");
    assert_eq!(get(&workspace.address()).expect("an answer"), "v1");
}

#[test]
fn a_first_deploy_that_crashes_fails_and_the_next_one_takes_over() {
    let workspace = Workspace::new("first-crash");
    workspace.config("command = [\"crash\"]");
    let run = workspace.run(&["deploy", "--local", "--timeout", "60"]);
    assert_eq!(run.code, 8, "{run:#?}");
    workspace.config("");
    workspace.deploy();
    assert_eq!(get(&workspace.address()).expect("an answer"), "v1");
}

#[test]
fn without_the_crash_limit_a_rollout_that_does_not_end_times_out() {
    let workspace = Workspace::new("timeout");
    workspace.config("command = [\"crash\"]");
    let text = std::fs::read_to_string(workspace.path("deploy.toml")).expect("it is there");
    workspace.write("deploy.toml", &text.replace("timeout-minutes", "crash-limit = 0, timeout-minutes"));
    let run = workspace.run(&["deploy", "--local", "--timeout", "8"]);
    assert_eq!(run.code, 9, "a crash after the start does not trip the breaker: {run:#?}");
    let detail = run.outcome["detail"].as_str().unwrap_or_default();
    assert!(detail.contains("exit code 3"), "{run:#?}");
}

/// A steady load of one request after the other.
struct Load {
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicU32>,
    thread: std::thread::JoinHandle<Vec<String>>,
}

impl Load {
    fn on(address: &str) -> Self {
        let (stop, requests) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let thread = std::thread::spawn({
            let (stop, requests, address) = (stop.clone(), requests.clone(), address.to_owned());
            move || {
                let mut failures = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    requests.fetch_add(1, Ordering::Relaxed);
                    failures.extend(get(&address).err().map(|error| error.to_string()));
                }
                failures
            }
        });
        Self { stop, requests, thread }
    }

    fn stop(self) -> (u32, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let failures = self.thread.join().expect("the load does not panic");
        (self.requests.load(Ordering::Relaxed), failures)
    }
}
