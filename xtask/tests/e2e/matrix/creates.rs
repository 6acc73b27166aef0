//! A first deploy that fails: there is nothing to go back to.

use super::at_once;
use super::row::{By, HAS_LOG, Row, small};
use crate::support::get;

#[test]
fn that_fail() {
    let crash = Row {
        change: |_, file| file.command(&["crash"]),
        by: By::CrashLimit,
        cause: "`app` exited with code 3: cannot go on",
        next: HAS_LOG,
    };
    let entrypoint = Row {
        change: |_, file| file.container = "entrypoint = [\"/no/such/program\"]".to_owned(),
        by: By::Breaker,
        cause: "`/no/such/program` is not in the image of `app`",
        next: "check `entrypoint` and `command`",
    };
    let memory = Row {
        change: |_, file| file.command(&["sleep=1000", "memory"]),
        cause: "`app` ran out of memory: the task has 512 MiB, which its containers share",
        next: "give it more than 512 MiB: `memory` of the service",
        ..crash
    };
    at_once(&[
        ("first-crashes", &|name| crash.on_create(name)),
        ("first-cannot-start", &|name| entrypoint.on_create(name)),
        ("first-out-of-memory", &|name| memory.on_create(name)),
        ("first-crashes-then-not", &next_one_takes_over),
    ]);
}

fn next_one_takes_over(name: &str) {
    let workspace = small(name);
    workspace.change(|file| file.command(&["crash"]));
    assert_eq!(workspace.run(&["deploy", "--local", "--timeout", "60"]).code, 8);
    workspace.config("");
    workspace.deploy();
    assert_eq!(get(&workspace.address()).expect("an answer"), "v1");
}
