use super::*;
use crate::rollout::declared::DeclaredContainer;

/// A task of two containers that listen at 3000 and 4000.
fn declared() -> Declared {
    let one = |name: &str, port| DeclaredContainer {
        name: name.to_owned(),
        image: format!("registry/{name}:1"),
        ports: vec![port],
        ..DeclaredContainer::default()
    };
    Declared {
        platform: "linux/amd64".to_owned(),
        memory: Some(512),
        containers: vec![one("app", 3000), one("db", 4000)],
    }
}

fn of(container: Option<&str>, reason: &str) -> String {
    let reasons = vec![(container, reason)];
    let facts = Facts { reasons, declared: declared(), ..Facts::default() };
    likely(&facts).map(|cause| cause.cause).unwrap_or_default()
}

#[test]
fn aws_words_in_a_users_words() {
    let cases = [
        (
            "CannotPullContainerError: x: no matching manifest for linux/arm64",
            "`app`: its image `registry/app:1` is for another CPU than the task, which is linux/amd64",
        ),
        (
            "CannotStartContainerError: exec: \"/x\": stat /x: no such file or directory",
            "`/x` is not in the image of `app`",
        ),
        (
            "CannotStartContainerError: exec: \"/x\": permission denied: unknown",
            "`/x` may not be executed by the user of `app`",
        ),
        (
            "CannotPullContainerError: pull image manifest: dial tcp 1.2.3.4:443: i/o timeout",
            "the task has no way to the registry",
        ),
        (
            "CannotPullContainerError: docker.io/x: not found",
            "the image `registry/app:1` of `app` is not in the registry",
        ),
        ("CannotPullContainerError: 403 Forbidden", "the image `registry/app:1` of `app` may not be pulled"),
        (
            "ResourceInitializationError: unable to pull secrets or registry auth: access denied",
            "a secret cannot be read",
        ),
        (
            "ResourceInitializationError: failed to validate logger args: The specified log group does not exist",
            "the container cannot log",
        ),
        ("Task failed container health checks", "the container's health check fails"),
        (
            "ECS was unable to assume the role 'arn:aws:iam::1:role/nope' that was provided",
            "the role is missing, or does not trust ecs-tasks.amazonaws.com",
        ),
        ("Essential container in task exited", ""),
    ];
    for (reason, wanted) in cases {
        assert_eq!(of(Some("app"), reason), wanted, "{reason}");
    }
    assert_eq!(of(None, "CannotPullContainerError: x: not found"), "the image is not in the registry");
}

#[test]
fn out_of_memory_names_the_limit_that_was_reached() {
    let reason = "OutOfMemoryError: Container killed due to memory usage";
    assert_eq!(
        of(Some("app"), reason),
        "`app` ran out of memory: the task has 512 MiB, which its containers share"
    );
    let mut declared = declared();
    declared.containers[0].memory = Some(64);
    let facts = Facts { reasons: vec![(Some("app"), reason)], declared, ..Facts::default() };
    let found = likely(&facts).expect("a cause");
    assert_eq!(found.cause, "`app` ran out of memory: it may use 64 MiB and wanted more");
    assert_eq!(found.next, ["give it more than 64 MiB: `memory` of the container"]);
}

#[test]
fn the_recipe_is_for_the_role_that_is_missing() {
    let reason = "unable to assume the role 'arn:aws:iam::1:role/mine' that";
    let facts = Facts { reasons: vec![(None, reason)], ..Facts::default() };
    assert!(likely(&facts).expect("a cause").next[1].contains("--role-name mine "));
}

#[test]
fn an_unhealthy_container_is_named_and_who_waits_for_it() {
    let mut declared = declared();
    declared.containers[1].check = Some("/db check".to_owned());
    let facts = |declared: Declared, unhealthy: Vec<&'static str>| Facts {
        reasons: vec![(None, "Task failed container health checks")],
        unhealthy,
        declared,
        ..Facts::default()
    };
    let found = |facts: Facts<'_>| likely(&facts).expect("a cause").cause;
    assert_eq!(found(facts(declared.clone(), vec![])), "the health check of `db` fails (`/db check`)");
    declared.containers[0].check = Some("/app check".to_owned());
    assert_eq!(found(facts(declared.clone(), vec![])), "the container's health check fails", "which one?");
    declared.containers[0].waits_for = vec![("db".to_owned(), "HEALTHY".to_owned())];
    assert_eq!(
        found(facts(declared, vec!["db"])),
        "the health check of `db` fails (`/db check`), and `app` waits for it"
    );
}

/// The cause of an exit, with what was written before it.
fn exited(name: &'static str, code: i32, log: &[&str], declared: Declared) -> String {
    let log: Vec<String> = log.iter().map(|&line| line.to_owned()).collect();
    let facts = Facts {
        reasons: vec![(None, "Essential container in task exited")],
        exit: Some((name, code)),
        log: &log,
        declared,
        ..Facts::default()
    };
    likely(&facts).expect("a cause").cause
}

#[test]
fn exit_codes_in_words_and_the_programs_own_last_ones() {
    let of = |code, log: &[&str]| exited("app", code, log, declared());
    assert_eq!(of(101, &[]), "`app` panicked: 101 is the exit code of a Rust panic");
    assert_eq!(
        of(101, &["thread 'main' (7) panicked at src/main.rs:5:9:", "no database", "note: run with …"]),
        "`app` panicked at src/main.rs:5:9 (no database): 101 is the exit code of a Rust panic"
    );
    assert_eq!(of(0, &["done"]), "`app` ended by itself");
    assert_eq!(of(7, &[]), "`app` exited with code 7");
    assert_eq!(of(7, &["starting", "cannot go on", ""]), "`app` exited with code 7: cannot go on");
}

#[test]
fn a_port_that_is_taken_names_both_containers() {
    let of = |line| exited("app", 1, &[line], declared());
    assert_eq!(
        of("bind 0.0.0.0:4000: Address already in use (os error 98)"),
        "`app` cannot listen: port 4000 is taken by `db`, with which it shares the task's network"
    );
    // One that nobody declares is the other's all the same.
    assert_eq!(
        of("listen tcp :9000: bind: address already in use"),
        "`app` cannot listen: port 9000 is taken by `db`, with which it shares the task's network"
    );
    assert_eq!(
        of("address already in use"),
        "`app` cannot listen: port 3000 is taken by `db`, with which it shares the task's network"
    );
}

#[test]
fn a_program_of_another_cpu_says_so_in_its_log() {
    assert_eq!(
        exited("db", 1, &["exec /usr/local/bin/db: exec format error"], declared()),
        "`db`: its image `registry/db:1` is for another CPU than the task, which is linux/amd64"
    );
}

#[test]
fn what_waits_for_the_success_of_one_that_failed_is_named() {
    let mut declared = declared();
    declared.containers[0].waits_for = vec![("db".to_owned(), "SUCCESS".to_owned())];
    assert_eq!(
        exited("db", 4, &["no migration"], declared),
        "`app` never started: it waits for `db` to succeed, which exited with code 4: no migration"
    );
}
