//! A revision that fails, while the old one serves.

use super::at_once;
use super::row::{By, HAS_LOG, Row, small, within};
use crate::file::File;
use crate::load::Load;
use crate::moments::Cloud;
use crate::support::{get, now};

#[test]
fn that_crashes() {
    let crash = Row {
        change: |_, file| file.command(&["crash"]),
        by: By::CrashLimit,
        cause: "`app` exited with code 3: cannot go on",
        next: HAS_LOG,
    };
    let later = Row { change: |_, file| file.command(&["sleep=2000", "crash"]), ..crash };
    let ends = Row {
        change: |_, file| file.command(&["exit=0"]),
        cause: "`app` ended by itself",
        next: "a service's program has to go on",
        ..crash
    };
    let memory = Row {
        change: |_, file| file.container = "command = [\"sleep=1000\", \"memory\"]\nmemory = 64".to_owned(),
        cause: "`app` ran out of memory: it may use 64 MiB and wanted more",
        next: "give it more than 64 MiB: `memory` of the container",
        ..crash
    };
    at_once(&[
        ("crash-on-start", &|name| crash.on_update(name)),
        ("crash-after-2s", &|name| later.on_update(name)),
        ("exit-0", &|name| ends.on_update(name)),
        ("out-of-memory", &|name| memory.on_update(name)),
    ]);
}

#[test]
fn that_cannot_start() {
    let missing = Row {
        change: |workspace, file| {
            let endpoint = workspace.status()["endpoint"].as_str().expect("it runs").to_owned();
            let registry = endpoint.trim_start_matches("http://");
            file.image = Some(format!("{registry}/{}:nobody-pushed-it", workspace.name));
        },
        by: By::Breaker,
        cause: "the image `REGISTRY/NAME:nobody-pushed-it` of `app` is not in the registry",
        next: "was it removed by hand, or by a lifecycle rule?",
    };
    let entrypoint = Row {
        change: |_, file| file.container = "entrypoint = [\"/no/such/program\"]".to_owned(),
        by: By::Breaker,
        cause: "`/no/such/program` is not in the image of `app`",
        next: "check `entrypoint` and `command`",
    };
    let dependency = Row {
        change: |_, file| {
            file.container = "depends-on = { migrate = \"SUCCESS\" }".to_owned();
            file.beside("migrate", "essential = false\ncommand = [\"crash\"]");
        },
        by: By::Breaker,
        cause: "`app` never started: it waits for `migrate` to succeed, which exited with code 3: cannot go on",
        next: HAS_LOG,
    };
    // An image for this platform, as its manifest says, with a program that is not.
    let platform = Row {
        change: |workspace, file| {
            workspace.write_foreign_program("foreign/tiny");
            workspace.write("foreign/Dockerfile", "FROM scratch\nCOPY tiny /tiny\nENTRYPOINT [\"/tiny\"]\n");
            file.images =
                "[image.foreign]\ndockerfile = \"foreign/Dockerfile\"\ncontext = \"foreign\"".to_owned();
            file.image = Some("foreign".to_owned());
        },
        by: By::CrashLimit,
        cause: "`app`: its image `REGISTRY/foreign@DIGEST` is for another CPU than the task, which is linux/amd64",
        next: "build it for linux/amd64",
    };
    at_once(&[
        ("image-missing", &|name| missing.on_update(name)),
        ("entrypoint-not-found", &|name| entrypoint.on_update(name)),
        ("dependency-fails", &|name| dependency.on_update(name)),
        ("wrong-architecture", &|name| platform.on_update(name)),
    ]);
}

#[test]
fn that_does_not_get_up() {
    let unhealthy = Row {
        change: |_, file| {
            file.command(&["healthy-after=600000"]);
            file.container.push_str(CHECK);
            // So that three fail sooner.
            file.desired = 3;
        },
        by: By::Breaker,
        cause: "the health check of `app` fails (`/usr/local/bin/tiny check`)",
        next: "run its command in the container; give a slow start a `start-period`",
    };
    let dependency = Row {
        change: |_, file| {
            file.container = "depends-on = { db = \"HEALTHY\" }".to_owned();
            file.beside("db", &format!("command = [\"idle\"]{CHECK}"));
            file.deployment = "circuit-breaker = { threshold = 1 }".to_owned();
        },
        cause: "the health check of `db` fails (`/usr/local/bin/tiny check`), and `app` waits for it",
        ..unhealthy
    };
    // Nobody declares the port, so nobody could refuse it before.
    let port = Row {
        change: |_, file| {
            // It never listens at its own port, so that however slow the machine is, it never serves.
            file.command(&["sleep=2000", "bind=9000"]);
            file.container.push_str("\ndepends-on = { side = \"START\" }");
            file.beside("side", "command = [\"bind=9000\", \"idle\"]");
        },
        by: By::CrashLimit,
        cause: "`app` cannot listen: port 9000 is taken by `side`, with which it shares the task's network",
        next: "give `app` and `side` a port each",
    };
    at_once(&[
        ("unhealthy-forever", &|name| unhealthy.on_update(name)),
        ("dependency-unhealthy", &|name| dependency.on_update(name)),
        ("port-conflict", &|name| port.on_update(name)),
        ("timeout", &|name| nobody_ends_it(name)),
    ]);
}

const CHECK: &str = "\nhealth-check = { command = [\"CMD\", \"/usr/local/bin/tiny\", \"check\"], \
                     interval = 5, timeout = 2, retries = 1 }";

/// Neither the circuit breaker nor the crash limit: the rollout does not end, but the run does.
fn nobody_ends_it(name: &str) {
    let workspace = small(name);
    workspace.deploy();
    let address = workspace.address();
    let load = Load::on(&address);
    workspace.change(|file: &mut File| {
        file.version = "v2".to_owned();
        file.command(&["crash"]);
        file.deployment = "circuit-breaker = false, crash-limit = 0".to_owned();
    });
    let began = now();
    let run = workspace.run(&["deploy", "--local", "--timeout", "8"]);
    load.stop(&workspace);
    assert_eq!(run.code, 9, "{run:#?}");
    assert_eq!(get(&address).expect("an answer"), "v1");
    assert_eq!(run.outcome["cause"], "`app` exited with code 3: cannot go on", "{run:#?}");
    let hints = run.outcome["hints"].to_string();
    assert!(hints.contains("the rollout goes on: run again to follow it"), "{run:#?}");
    let rollout = run
        .events
        .iter()
        .position(|event| event["event"] == "started" && event["step"]["phase"] == "rollout");
    let rollout = rollout.map_or(began, |index| run.at[index]);
    within(rollout + 8.0, *run.at.last().expect("an outcome"), "the end of the time to the verdict", &run);
    assert!(Cloud::of(&workspace).wait_until_services_stable(1).is_err(), "it goes on");
}
