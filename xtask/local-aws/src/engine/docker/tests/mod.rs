//! The engine interface against the Docker Engine of this machine, with real containers.

pub(crate) mod bench;
mod pull;

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::timeout;

use super::*;
use crate::engine::{Health, HealthCheck, Mount, Status};
use bench::{first_answer, on_bench};

/// The next event of this container that is `wanted`.
async fn event(
    events: &mut (impl futures_util::Stream<Item = EngineEvent> + Unpin),
    id: &ContainerId,
    wanted: impl Fn(Status) -> bool,
) -> EngineEvent {
    let found = async {
        while let Some(event) = events.next().await {
            if event.id == *id && wanted(event.status) {
                return event;
            }
        }
        panic!("the events ended")
    };
    timeout(Duration::from_secs(30), found).await.expect("the event comes")
}

fn mount(read_only: bool) -> Mount {
    Mount { volume: "data".to_owned(), shared: false, path: "/data".to_owned(), read_only }
}

#[tokio::test]
async fn containers_of_a_task_meet_at_localhost_and_the_host_reaches_its_ports() {
    on_bench(async |bench| {
        let holder = bench.holder("aa01", &[3000, 4000]).await;
        let server = bench.spec("aa01", "server", &["listen", "3000", "hello"]);
        let id = bench.engine.start_container(&holder.id, &server).await.expect("starts");

        assert_eq!(first_answer(holder.published[&3000]).await, "hello");
        assert!(holder.published[&3000].ip().is_loopback());
        assert!(holder.published.contains_key(&4000));
        let client = bench.spec("aa01", "client", &["get", "localhost:3000"]);
        assert_eq!(bench.output(&holder, &client).await, ["hello"]);

        let listed = bench.engine.list().await.expect("lists");
        let found = listed.iter().find(|found| found.container.is_none()).expect("the holder is listed");
        assert_eq!((&found.published, found.cluster.as_str()), (&holder.published, "cluster"));
        bench.engine.stop(&id, Duration::from_secs(5)).await.expect("stops");
        assert_eq!(bench.status(&id).await, Status::Exited { code: 0, oom_killed: false });
    })
    .await;
}

#[tokio::test]
async fn events_tell_how_containers_start_and_end() {
    on_bench(async |bench| {
        let holder = bench.holder("bb01", &[]).await;
        let mut events = bench.engine.events().await.expect("subscribes");
        let failing = bench.spec("bb01", "failing", &["exit", "3"]);
        let id = bench.engine.start_container(&holder.id, &failing).await.expect("starts");
        let ended = event(&mut events, &id, |s| matches!(s, Status::Exited { .. })).await;
        assert_eq!(ended.status, Status::Exited { code: 3, oom_killed: false });
        assert_eq!((ended.task_id.as_str(), ended.container.as_deref()), ("bb01", Some("failing")));

        // Engines on cgroup v1 begin to watch for a lack of memory a moment after the start (observed).
        let words = ["pause", "1000", "alloc", "64"];
        let greedy = ContainerSpec { memory_mib: Some(16), ..bench.spec("bb01", "greedy", &words) };
        let id = bench.engine.start_container(&holder.id, &greedy).await.expect("starts");
        let killed = Status::Exited { code: 137, oom_killed: true };
        event(&mut events, &id, |status| status == killed).await;
    })
    .await;
}

#[tokio::test]
async fn health_follows_the_definitions_check_and_never_the_images() {
    on_bench(async |bench| {
        let holder = bench.holder("cc01", &[]).await;
        let mut events = bench.engine.events().await.expect("subscribes");
        let unchecked = bench.spec("cc01", "unchecked", &["sleep"]);
        let id = bench.engine.start_container(&holder.id, &unchecked).await.expect("starts");
        assert_eq!(bench.status(&id).await, Status::Running(None));

        let check = |file: &str| HealthCheck {
            command: ["CMD", "/probe", "health", file].map(str::to_owned).to_vec(),
            interval: Duration::from_millis(200),
            timeout: Duration::from_secs(5),
            retries: 1,
            start_period: Duration::ZERO,
        };
        let healthy = ContainerSpec {
            health_check: Some(check("/probe")),
            ..bench.spec("cc01", "healthy", &["sleep"])
        };
        let sick =
            ContainerSpec { health_check: Some(check("/none")), ..bench.spec("cc01", "sick", &["sleep"]) };
        for (spec, verdict) in [(healthy, Health::Healthy), (sick, Health::Unhealthy)] {
            let id = bench.engine.start_container(&holder.id, &spec).await.expect("starts");
            event(&mut events, &id, |s| s == Status::Running(Some(verdict))).await;
            assert_eq!(bench.status(&id).await, Status::Running(Some(verdict)));
        }
    })
    .await;
}

#[tokio::test]
async fn an_entry_point_of_its_own_drops_the_images_command() {
    on_bench(async |bench| {
        let holder = bench.holder("dd01", &[]).await;
        let plain = ContainerSpec { command: None, ..bench.spec("dd01", "plain", &[]) };
        assert_eq!(bench.output(&holder, &plain).await, ["line 0"]);
        let own = ContainerSpec {
            entry_point: Some(["/probe", "env", "FROM_IMAGE"].map(str::to_owned).to_vec()),
            ..ContainerSpec { command: None, ..bench.spec("dd01", "own", &[]) }
        };
        assert_eq!(bench.output(&holder, &own).await, ["FROM_IMAGE=yes"]);
    })
    .await;
}

#[tokio::test]
async fn settings_reach_the_process() {
    on_bench(async |bench| {
        let holder = bench.holder("ee01", &[]).await;
        let words = ["env", "KEY", "ids", "write", "/root-file", "write", "/scratch/f", "cat", "/data/f"];
        let spec = ContainerSpec {
            environment: vec![("KEY".to_owned(), "a b=c".to_owned())],
            user: Some("1000:1000".to_owned()),
            working_directory: Some("/data".to_owned()),
            read_only_root: true,
            cpu: 128,
            memory_reservation_mib: Some(32),
            ulimits: vec![("nofile".to_owned(), 1024, 2048)],
            tmpfs: vec![("/scratch".to_owned(), 8)],
            mounts: vec![mount(true)],
            ..bench.spec("ee01", "set", &words)
        };
        let writer = ContainerSpec {
            mounts: vec![mount(false)],
            ..bench.spec("ee01", "writer", &["write", "/data/f"])
        };
        assert_eq!(bench.output(&holder, &writer).await, ["written"]);
        let output = bench.output(&holder, &spec).await;
        assert_eq!(output[..2], ["KEY=a b=c", "uid 1000 in /data"]);
        assert!(output[2].starts_with("not written: Read-only file system"), "{output:?}");
        assert_eq!(output[3..], ["written", "written"]);

        bench.engine.remove_task("ee01").await.expect("removes");
        bench.engine.remove_task("ee01").await.expect("again is fine");
        let volume = labels::volume_name(&bench.instance, "ee01", "data");
        let gone = bench.engine.docker.inspect_volume(&volume).await;
        assert_eq!(gone.err().as_ref().and_then(error::status), Some(404));
    })
    .await;
}

#[tokio::test]
async fn logs_come_as_lines_of_both_streams_however_long() {
    on_bench(async |bench| {
        let holder = bench.holder("ff01", &[]).await;
        let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
        let words = ["print", "3", "err", "oops", "long", "100000", "print", "1"];
        let spec = bench.spec("ff01", "talker", &words);
        let id = bench.engine.start_container(&holder.id, &spec).await.expect("starts");
        let lines: Vec<LogLine> = bench.engine.logs(&id, None).await.expect("has logs").collect().await;
        let mut texts: Vec<_> = lines.iter().map(|line| line.message.as_str()).collect();
        let oops = texts.iter().position(|text| *text == "oops").expect("stderr is there");
        texts.remove(oops);
        assert_eq!(texts, ["line 0", "line 1", "line 2", "x".repeat(100_000).as_str(), "line 0"]);
        let start = i64::try_from(before.as_millis()).expect("fits");
        assert!(lines.iter().all(|line| (start - 1..start + 60_000).contains(&line.timestamp_ms)));

        let last = lines.last().expect("has lines").timestamp_ms;
        let later: Vec<_> = bench.engine.logs(&id, Some(last)).await.expect("has logs").collect().await;
        assert!(!later.is_empty() && later.iter().all(|line| line.timestamp_ms >= last), "{later:?}");
    })
    .await;
}

#[tokio::test]
async fn a_container_that_ignores_the_signal_is_killed_after_the_timeout() {
    on_bench(async |bench| {
        let holder = bench.holder("ab01", &[]).await;
        let spec = bench.spec("ab01", "stubborn", &["stubborn"]);
        let id = bench.engine.start_container(&holder.id, &spec).await.expect("starts");
        let mut lines = bench.engine.logs(&id, None).await.expect("has logs");
        let said = timeout(Duration::from_secs(10), lines.next()).await.expect("says so");
        assert_eq!(said.map(|line| line.message).as_deref(), Some("stubborn"));
        bench.engine.stop(&id, Duration::from_secs(1)).await.expect("stops");
        assert_eq!(bench.status(&id).await, Status::Exited { code: 137, oom_killed: false });
        bench.engine.stop(&id, Duration::from_secs(1)).await.expect("again is fine");
        bench.engine.remove_task("ab01").await.expect("removes");
        bench.engine.stop(&id, Duration::from_secs(1)).await.expect("gone is fine");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_start_says_why_and_leaves_nothing() {
    on_bench(async |bench| {
        let holder = bench.holder("ac01", &[]).await;
        let missing = ContainerSpec {
            entry_point: Some(vec!["/nope".to_owned()]),
            ..bench.spec("ac01", "missing", &["x"])
        };
        let error = bench.engine.start_container(&holder.id, &missing).await.expect_err("cannot start");
        assert!(matches!(&error, EngineError::CannotStart(text) if text.contains("/nope")), "{error:?}");
        let unknown = ContainerSpec { image: "local-aws-test/none:1".to_owned(), ..missing };
        let error = bench.engine.start_container(&holder.id, &unknown).await.expect_err("no image");
        assert!(matches!(error, EngineError::ImageNotFound(_)), "{error:?}");
        assert_eq!(bench.engine.list().await.expect("lists").len(), 1, "the holder alone");

        let error = bench.engine.ensure_image("127.0.0.1:1/none:1").await.expect_err("no registry there");
        assert!(matches!(error, EngineError::ImageNotFound(_)), "{error:?}");
        let facts = bench.engine.ensure_image(&bench.image.name).await.expect("is there");
        assert_eq!((facts.os.as_str(), facts.architecture.as_str()), ("linux", bench.engine.architecture()));
    })
    .await;
}

#[tokio::test]
async fn holders_start_at_the_same_time_and_another_instance_stays() {
    on_bench(async |other| {
        let theirs = other.holder("ad00", &[80]).await;
        on_bench(async |bench| {
            let ids: Vec<String> = (1..=4).map(|n| format!("ad0{n}")).collect();
            let starting = ids.iter().map(|id| bench.holder(id, &[80]));
            let holders = futures_util::future::join_all(starting).await;
            let ports: std::collections::BTreeSet<_> =
                holders.iter().map(|holder| holder.published[&80]).collect();
            assert_eq!(ports.len(), 4);
            let networks =
                bench.engine.docker.list_networks(Some(bollard::query_parameters::ListNetworksOptions {
                    filters: Some(labels::of_instance(&bench.instance)),
                }));
            assert_eq!(networks.await.expect("lists").len(), 1);
        })
        .await;
        assert_eq!(other.status(&theirs.id).await, Status::Running(None));
    })
    .await;
}
