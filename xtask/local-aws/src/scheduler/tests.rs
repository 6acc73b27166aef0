//! The loop on an engine in memory, with the real clock and short times.

use std::collections::BTreeSet;
use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use super::fake::{FakeEngine, FakeLogs};
use super::{Scheduler, persist};
use crate::cloud::{Cloud, Options, lock, system_clock};
use crate::engine::{Observed, Status};
use crate::routes::Route;
use crate::state::ecs::Timing;
use crate::state::ecs::task::Last;
use crate::state::elb::TargetGroup;
use crate::state::elb::check::HealthCheck;

type Outcome = Result<(), Box<dyn Error>>;

struct Plane {
    cloud: Cloud,
    routes: watch::Receiver<Vec<Route>>,
    routed: watch::Sender<BTreeSet<SocketAddr>>,
    stop: oneshot::Sender<()>,
    handle: JoinHandle<()>,
}

impl Plane {
    fn start(dir: &Path, engine: &Arc<FakeEngine>, logs: &Arc<FakeLogs>) -> Result<Self, Box<dyn Error>> {
        let options = Options { state_dir: dir.to_owned(), region: "r".into(), instance: "test".into() };
        let cloud = Cloud::open(options, system_clock())?;
        cloud.ecs().timing =
            Timing { settle: 0.01, port_wait: 5.0, throttle: 0.01, throttle_max: 0.1, ..Timing::default() };
        let sink: Arc<FakeLogs> = Arc::clone(logs);
        let (published, routes) = watch::channel(Vec::new());
        let (routed, follows) = watch::channel(BTreeSet::new());
        let scheduler = Scheduler::new(cloud.clone(), Arc::clone(engine), sink, published, follows);
        let (stop, stopped) = oneshot::channel::<()>();
        let handle = tokio::spawn(scheduler.run(async move { stopped.await.unwrap_or_default() }));
        Ok(Self { cloud, routes, routed, stop, handle })
    }

    async fn stop(self) -> Outcome {
        self.stop.send(()).map_err(|()| "it stopped by itself")?;
        Ok(self.handle.await?)
    }

    /// The service, once the condition holds.
    async fn until(&self, what: &str, condition: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let mut seen = Value::Null;
        for _ in 0..400 {
            {
                let ecs = self.cloud.ecs();
                seen = ecs.service("c", "s").map(|s| ecs.render_service(s, false)).unwrap_or_default();
            }
            if condition(&seen) {
                return Ok(seen);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err(format!("never {what}: {seen:#}"))
    }

    async fn until_steady(&self) -> Result<Value, String> {
        let steady = |s: &Value| {
            s["deployments"][0]["rolloutState"] == "COMPLETED" && s["runningCount"] == s["desiredCount"]
        };
        self.until("steady", steady).await
    }

    fn create(&self, container: &Value, desired: u64) -> Outcome {
        let mut ecs = self.cloud.ecs();
        let now = self.cloud.now();
        ecs.create_cluster(Some("c"), Map::new(), Vec::new())?;
        let mut definition = members(json!({
            "family": "f", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
            "memory": "512", "executionRoleArn": "arn:aws:iam::123456789012:role/x",
        }));
        definition.insert("containerDefinitions".into(), json!([container]));
        ecs.register(definition, now)?;
        ecs.create_service(
            members(json!({
                "cluster": "c", "serviceName": "s", "taskDefinition": "f", "desiredCount": desired,
                "launchType": "FARGATE",
                "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1"]}},
                "deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}},
            })),
            now,
        )?;
        drop(ecs);
        self.cloud.ecs_changed();
        Ok(())
    }

    fn stopped_reasons(&self) -> Vec<String> {
        let ecs = self.cloud.ecs();
        ecs.tasks.values().filter_map(|t| t.stop.as_ref().map(|s| s.reason.clone())).collect()
    }
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

fn web() -> Value {
    json!({"name": "web", "image": "web:1", "portMappings": [{"containerPort": 80}]})
}

/// Everything that a test needs; the listener is what tasks publish.
async fn world() -> Result<(tempfile::TempDir, TcpListener, Arc<FakeEngine>, Arc<FakeLogs>), Box<dyn Error>> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let engine = FakeEngine::new(listener.local_addr()?);
    Ok((tempfile::tempdir()?, listener, engine, Arc::default()))
}

#[tokio::test]
async fn a_service_becomes_steady_and_routed() -> Outcome {
    let (dir, listener, engine, logs) = world().await?;
    let plane = Plane::start(dir.path(), &engine, &logs)?;
    plane.create(&web(), 2)?;
    plane.until_steady().await?;
    let routes = plane.routes.borrow().clone();
    assert_eq!(routes.len(), 1);
    assert_eq!(routes[0].backends, [listener.local_addr()?; 2]);
    assert_eq!(engine.observed().len(), 4, "a holder and a container each");
    let environment = engine.environment("web");
    assert!(environment.contains(&("AWS_EXECUTION_ENV".into(), "AWS_ECS_FARGATE".into())));
    plane.stop().await
}

#[tokio::test]
async fn a_task_is_stopped_once_no_new_connection_goes_to_it() -> Outcome {
    let (dir, listener, engine, logs) = world().await?;
    let plane = Plane::start(dir.path(), &engine, &logs)?;
    plane.create(&web(), 1)?;
    plane.until_steady().await?;
    plane.routed.send_replace([listener.local_addr()?].into());
    plane
        .cloud
        .ecs()
        .update_service(&members(json!({"cluster": "c", "service": "s", "desiredCount": 0})), 0.0)?;
    plane.cloud.ecs_changed();
    let mut routes = plane.routes.clone();
    routes.wait_for(|routes| routes[0].backends.is_empty()).await?;
    let runs = |o: &Observed| matches!(o.status, Status::Running(_));
    // Whatever else the scheduler does: it has no leave yet.
    plane.cloud.ecs_is_saved().await;
    assert!(engine.observed().iter().all(runs));
    plane.routed.send_replace(BTreeSet::new());
    plane.until("removed", |_| engine.observed().is_empty()).await?;
    plane.stop().await
}

#[tokio::test]
async fn a_slow_pull_does_not_keep_a_task_from_stopping() -> Outcome {
    let (dir, _listener, engine, logs) = world().await?;
    let free = engine.hold_pulls().await;
    let plane = Plane::start(dir.path(), &engine, &logs)?;
    plane.create(&json!({"name": "a", "image": "missing:1"}), 1)?;
    let pulls = |last| plane.cloud.ecs().tasks.values().any(|t| t.last == last);
    plane.until("pulling", |_| pulls(Last::Pending)).await?;
    plane
        .cloud
        .ecs()
        .update_service(&members(json!({"cluster": "c", "service": "s", "desiredCount": 0})), 0.0)?;
    plane.cloud.ecs_changed();
    plane.until("stopped", |_| pulls(Last::Stopped)).await?;
    assert!(engine.observed().is_empty());
    drop(free);
    plane.until_steady().await?;
    assert!(plane.stopped_reasons().iter().all(|r| r.starts_with("Scaling activity initiated by")));
    plane.stop().await
}

#[tokio::test]
async fn what_is_being_made_in_the_end_is_known_of() -> Outcome {
    let (dir, _listener, engine, logs) = world().await?;
    let free = engine.hold_holders().await;
    let plane = Plane::start(dir.path(), &engine, &logs)?;
    plane.create(&web(), 1)?;
    engine.holder_is_asked_for().await;
    let cloud = plane.cloud.clone();
    let made_late = async {
        for _ in 0..100 {
            tokio::task::yield_now().await; // the loop gets to know that it is to end
        }
        drop(free);
    };
    let (stopped, ()) = tokio::join!(plane.stop(), made_late);
    stopped?;
    assert_eq!(engine.observed().len(), 1);
    assert!(cloud.ecs().tasks.values().all(|t| t.holder.is_some()), "so that it can be removed");
    Ok(())
}

#[tokio::test]
async fn a_slow_list_holds_nothing_up() -> Outcome {
    let (dir, _listener, engine, logs) = world().await?;
    let free = engine.hold_lists().await;
    let plane = Plane::start(dir.path(), &engine, &logs)?;
    plane.create(&web(), 1)?;
    tokio::time::timeout(Duration::from_secs(5), plane.cloud.ecs_is_saved()).await?;
    plane.until_steady().await?;
    engine.stranger("0123");
    drop(free);
    plane.until("clean", |_| !engine.observed().iter().any(|o| o.task_id == "0123")).await?;
    plane.stop().await
}

#[tokio::test]
async fn a_container_that_dies_is_replaced() -> Outcome {
    let (dir, _listener, engine, logs) = world().await?;
    let plane = Plane::start(dir.path(), &engine, &logs)?;
    plane.create(&web(), 1)?;
    plane.until_steady().await?;
    let first = engine.observed().into_iter().find(|o| o.container.is_some()).ok_or("a container")?;
    engine.kill(&first.id);
    plane.until("replaced", |_| !engine.observed().iter().any(|o| o.id == first.id)).await?;
    plane.until_steady().await?;
    plane
        .until("running", |_| {
            engine.observed().iter().filter(|o| matches!(o.status, Status::Running(_))).count() == 2
        })
        .await?;
    plane.stop().await
}

#[tokio::test]
async fn after_a_restart_what_runs_is_adopted_and_strangers_go() -> Outcome {
    let (dir, _listener, engine, logs) = world().await?;
    let plane = Plane::start(dir.path(), &engine, &logs)?;
    plane.create(&web(), 2)?;
    plane.until_steady().await?;
    plane.stop().await?;
    let before = engine.observed();
    engine.stranger("0123");
    let plane = Plane::start(dir.path(), &engine, &logs)?;
    plane.until("clean", |_| !engine.observed().iter().any(|o| o.task_id == "0123")).await?;
    plane.until_steady().await?;
    assert_eq!(engine.observed(), before);
    assert_eq!(plane.routes.borrow().iter().map(|r| r.backends.len()).sum::<usize>(), 2);
    plane.stop().await
}

#[tokio::test]
async fn without_its_state_everything_is_cleaned() -> Outcome {
    let (dir, _listener, engine, logs) = world().await?;
    let plane = Plane::start(dir.path(), &engine, &logs)?;
    plane.create(&web(), 2)?;
    plane.until_steady().await?;
    plane.stop().await?;
    std::fs::write(dir.path().join("ecs-r.json"), "{")?;
    let plane = Plane::start(dir.path(), &engine, &logs)?;
    plane.until("clean", |_| engine.observed().is_empty()).await?;
    assert!(persist::load(dir.path(), "r").is_ok());
    plane.stop().await
}

#[tokio::test]
async fn failures_say_why() -> Outcome {
    let cases = [
        (
            json!({"name": "a", "image": "missing:1"}),
            "CannotPullContainerError: pull image manifest has been retried",
        ),
        (
            json!({"name": "a", "image": "a", "secrets": [{"name": "A", "valueFrom": "arn:aws:secretsmanager:r:1:secret:x"}]}),
            "ResourceInitializationError: unable to pull secrets or registry auth",
        ),
        (
            json!({"name": "a", "image": "a", "logConfiguration": {"logDriver": "awslogs", "options": {
                "awslogs-group": "/nowhere", "awslogs-region": "r", "awslogs-stream-prefix": "p"}}}),
            "ResourceInitializationError: failed to validate logger args",
        ),
    ];
    for (container, expected) in cases {
        let (dir, _listener, engine, logs) = world().await?;
        let plane = Plane::start(dir.path(), &engine, &logs)?;
        plane.create(&container, 1)?;
        plane.until("failed", |s| s["deployments"][0]["rolloutState"] == "FAILED").await?;
        assert!(
            plane.stopped_reasons().iter().all(|r| r.starts_with(expected)),
            "{:?}",
            plane.stopped_reasons()
        );
        plane.until("clean", |_| engine.observed().is_empty()).await?;
        plane.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn secrets_reach_the_container_and_nothing_else() -> Outcome {
    let (dir, _listener, engine, logs) = world().await?;
    std::fs::write(dir.path().join("secrets.json"), r#"{"/db/password": "hunter2"}"#)?;
    let plane = Plane::start(dir.path(), &engine, &logs)?;
    plane.create(
        &json!({"name": "a", "image": "a", "secrets": [{"name": "P", "valueFrom": "/db/password"}]}),
        1,
    )?;
    plane.until_steady().await?;
    assert!(engine.environment("a").contains(&("P".into(), "hunter2".into())));
    plane.stop().await?;
    assert!(!std::fs::read_to_string(dir.path().join("ecs-r.json"))?.contains("hunter2"));
    Ok(())
}

#[tokio::test]
async fn last_lines_arrive_before_a_task_is_removed() -> Outcome {
    let (dir, _listener, engine, logs) = world().await?;
    let plane = Plane::start(dir.path(), &engine, &logs)?;
    let container = json!({"name": "a", "image": "a", "command": ["exit"], "logConfiguration": {
        "logDriver": "awslogs", "options": {"awslogs-group": "/there", "awslogs-region": "r", "awslogs-stream-prefix": "p"}}});
    plane.create(&container, 1)?;
    let stopped = |_: &Value| plane.cloud.ecs().tasks.values().any(|t| t.stopped_at.is_some());
    plane.until("stopped", stopped).await?;
    let streams = lock(&logs.0).clone();
    assert!(streams.iter().any(|(name, lines)| name.starts_with("p/a/") && lines.len() == 1), "{streams:?}");
    plane.stop().await
}

/// Answers every request with the status of the moment.
async fn answer(listener: TcpListener, status: Arc<AtomicU16>) {
    loop {
        let Ok((mut stream, _)) = listener.accept().await else { return };
        let status = status.load(Ordering::Relaxed);
        tokio::spawn(async move {
            let mut request = [0; 1024];
            if stream.read(&mut request).await.is_ok() {
                let head = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap_or_default();
            }
        });
    }
}

#[tokio::test]
async fn a_target_that_fails_its_checks_is_replaced() -> Outcome {
    let (dir, listener, engine, logs) = world().await?;
    let status = Arc::new(AtomicU16::new(200));
    let server = tokio::spawn(answer(listener, Arc::clone(&status)));
    let plane = Plane::start(dir.path(), &engine, &logs)?;
    plane.create(&web(), 1)?;
    plane.until_steady().await?;
    {
        let mut ecs = plane.cloud.ecs();
        ecs.timing.target_check = 0.001;
        let check = HealthCheck::of("HTTP", None);
        let (arn, target_type) = ("tg".to_owned(), "ip".to_owned());
        ecs.elb.add(TargetGroup { arn, target_type, check, ..TargetGroup::default() });
        let update = json!({
            "cluster": "c", "service": "s",
            "loadBalancers": [{"targetGroupArn": "tg", "containerName": "web", "containerPort": 80}],
        });
        ecs.update_service(&members(update), plane.cloud.now())?;
    }
    plane.cloud.ecs_changed();
    let steady = plane.until_steady().await?;
    assert!(steady["events"].to_string().contains("registered 1 targets in (target-group tg)"), "{steady:#}");
    status.store(500, Ordering::Relaxed);
    let unhealthy =
        "is unhealthy in (target-group tg) due to (reason Health checks failed with these codes: [500])";
    plane.until("unhealthy", |s| s["events"].to_string().contains(unhealthy)).await?;
    let reasons = plane.stopped_reasons();
    assert!(
        reasons.contains(&"Task failed ELB health checks in (target-group tg)".to_owned()),
        "{reasons:?}"
    );
    server.abort();
    plane.stop().await
}
