//! Frames as they look in windows of several sizes.

use std::time::Duration;

use super::screen::Size;
use super::span::width;
use super::view::View;
use crate::event::{Breaker, Container, Counts, Done, Event, Other, Phase, Rollout, Step, Task};

fn step(phase: Phase, subject: &str) -> Step {
    Step { phase, subject: subject.to_owned() }
}

fn started(phase: Phase, subject: &str) -> Event {
    Event::Started { step: step(phase, subject) }
}

fn task(id: &str, status: &str, health: Option<&str>) -> Task {
    let desired_status = if status == "STOPPED" { "STOPPED" } else { "RUNNING" }.to_owned();
    let health = health.map(str::to_owned);
    Task { id: id.to_owned(), status: status.to_owned(), desired_status, health, ..Task::default() }
}

fn crashed(id: &str) -> Task {
    Task {
        stopped_reason: Some("Essential container in task exited".to_owned()),
        containers: vec![Container { name: "app".to_owned(), exit_code: Some(3), reason: None }],
        ..task(id, "STOPPED", None)
    }
}

fn rollout(service: &str, tasks: Vec<Task>) -> Event {
    let old = Counts { desired: 3, running: 3, ..Counts::default() };
    Event::Rollout(Box::new(Rollout {
        service: service.to_owned(),
        task_definition: format!("{service}:2"),
        status: Some("IN_PROGRESS".to_owned()),
        counts: Some(Counts { desired: 3, running: 1, pending: 2, failed: 1 }),
        others: vec![Other { task_definition: format!("{service}:1"), counts: old }],
        breaker: Some(Breaker { failures: 2, threshold: 3 }),
        tasks: Some(tasks),
        ..Rollout::default()
    }))
}

/// A push, and a rollout in trouble.
fn view() -> View {
    let mut view = View::default();
    view.event(&started(Phase::Push, "서버"), Duration::ZERO);
    let message = "1 of 2 layers, 3.3 of 5.9 MB".to_owned();
    view.event(&Event::Progress { step: step(Phase::Push, "서버"), message }, Duration::ZERO);
    view.event(&started(Phase::Rollout, "web"), Duration::from_secs(3));
    let tasks = vec![
        crashed("0a0a0a0a0a0a"),
        task("1b1b1b1b1b1b", "RUNNING", Some("HEALTHY")),
        task("2c2c2c2c2c2c", "ACTIVATING", None),
        task("3d3d3d3d3d3d", "PENDING", None),
    ];
    view.event(&rollout("web", tasks), Duration::from_secs(4));
    view
}

fn frame(view: &View, columns: usize, rows: usize) -> String {
    let size = Size { columns, rows };
    let lines = view.frame(Duration::from_secs(75), size, false);
    assert!(lines.len() < rows.max(2) && lines.iter().all(|line| width(line) < columns), "{lines:#?}");
    // The bar keeps the ends of the lines visible.
    lines.iter().map(|line| format!("{line}|\n")).collect()
}

#[test]
fn a_wide_window() {
    insta::assert_snapshot!(frame(&view(), 100, 30), @r"
       Push 서버  1 min 15 s  1 of 2 layers, 3.3 of 5.9 MB|
    Rollout web: web:2  1 min 12 s|
            1 of 3 tasks run, 2 starting, 1 failed, 3 of web:1, 2 of 3 failures (circuit breaker)|
            0a0a0a0a STOPPED Essential container in task exited (app: exit code 3)|
            1b1b1b1b RUNNING HEALTHY|
            2c2c2c2c ACTIVATING|
            3d3d3d3d PENDING|
    ");
}

#[test]
fn a_narrow_window() {
    insta::assert_snapshot!(frame(&view(), 40, 30), @r"
    Push 서버  1 min 15 s  1 of 2 layers, …|
    Rollout web: web:2  1 min 12 s|
      1 of 3 tasks run, 2 starting|
      1 failed, 3 of web:1|
      2 of 3 failures (circuit breaker)|
      0a0a0a0a STOPPED Essential container…|
      1b1b1b1b RUNNING HEALTHY|
      2c2c2c2c ACTIVATING|
      3d3d3d3d PENDING|
    ");
}

#[test]
fn a_very_narrow_window() {
    insta::assert_snapshot!(frame(&view(), 20, 30), @r"
    Push 서버  1 min 1…|
    Rollout web: web:2…|
      1 of 3 tasks run|
      2 starting|
      1 failed|
      3 of web:1|
      2 of 3 failures …|
      0a0a0a0a STOPPED…|
      1b1b1b1b RUNNING…|
      2c2c2c2c ACTIVAT…|
      3d3d3d3d PENDING|
    ");
}

#[test]
fn a_low_window() {
    insta::assert_snapshot!(frame(&view(), 100, 6), @r"
       Push 서버  1 min 15 s  1 of 2 layers, 3.3 of 5.9 MB|
    Rollout web: web:2  1 min 12 s|
            1 of 3 tasks run, 2 starting, 1 failed, 3 of web:1, 2 of 3 failures (circuit breaker)|
            3d3d3d3d PENDING|
            and 1 ACTIVATING, 1 RUNNING, 1 STOPPED|
    ");
    insta::assert_snapshot!(frame(&view(), 100, 3), @r"
            Push 서버  1 min 15 s  1 of 2 layers, 3.3 of 5.9 MB|
    … 2 more lines|
    ");
}

#[test]
fn of_many_tasks_those_that_move_are_shown() {
    let mut view = View::default();
    view.event(&started(Phase::Rollout, "web"), Duration::ZERO);
    let mut tasks: Vec<Task> = (0..3).map(|at| crashed(&format!("dead-{at}"))).collect();
    tasks.extend((0..9).map(|at| task(&format!("good-{at}"), "RUNNING", None)));
    tasks.insert(5, task("new", "PROVISIONING", None));
    view.event(&rollout("web", tasks), Duration::ZERO);
    insta::assert_snapshot!(frame(&view, 100, 30), @r"
    Rollout web: web:2  1 min 15 s|
            1 of 3 tasks run, 2 starting, 1 failed, 3 of web:1, 2 of 3 failures (circuit breaker)|
            new PROVISIONING|
            good-3 RUNNING|
            good-4 RUNNING|
            good-5 RUNNING|
            good-6 RUNNING|
            good-7 RUNNING|
            good-8 RUNNING|
            and 3 RUNNING, 3 STOPPED|
    ");
}

#[test]
fn what_has_ended_is_not_shown() {
    let mut view = view();
    let ended = Event::Abandoned { step: step(Phase::Push, "서버") };
    view.event(&ended, Duration::ZERO);
    let message = String::new();
    let done = Event::Finished {
        step: step(Phase::Rollout, "web"),
        done: Done::Changed,
        message,
        elapsed: Duration::ZERO,
    };
    view.event(&done, Duration::ZERO);
    assert_eq!(frame(&view, 100, 30), "");
}

#[test]
fn colours_add_no_columns() {
    let colored = view().frame(Duration::from_secs(75), Size { columns: 40, rows: 30 }, true);
    let plain: Vec<String> =
        colored.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect();
    assert_eq!(plain, view().frame(Duration::from_secs(75), Size { columns: 40, rows: 30 }, false));
    assert_ne!(plain, colored);
}

#[test]
fn no_window_is_too_small() {
    for (columns, rows) in [(0, 0), (1, 1), (2, 1), (3, 2)] {
        let lines = view().frame(Duration::ZERO, Size { columns, rows }, false);
        assert!(lines.len() <= 1 && lines.iter().all(|line| width(line) <= columns), "{lines:?}");
    }
}
