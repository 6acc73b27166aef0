//! The proxy in front of real containers while a service is updated.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use super::Proxy;
use crate::engine::docker::tests::bench::{Bench, get, on_bench};
use crate::engine::{ContainerId, Engine};
use crate::routes::Route;

/// A running task of the service.
struct Task {
    container: ContainerId,
    address: std::net::SocketAddr,
}

async fn start(bench: &Bench, task_id: &str, version: &str) -> Task {
    let holder = bench.holder(task_id, &[3000]).await;
    let spec = bench.spec(task_id, "web", &["listen", "3000", version]);
    let container = bench.engine.start_container(&holder.id, &spec).await.expect("starts");
    Task { container, address: holder.published[&3000] }
}

/// Asks until told to stop; says how often it was answered, and what it heard last.
async fn visitor(address: std::net::SocketAddr, stop: Arc<AtomicBool>) -> (u32, String) {
    let (mut answers, mut last) = (0, String::new());
    while !stop.load(Ordering::Relaxed) {
        last = get(address).await.expect("no request fails");
        assert!(last.starts_with('v'), "an empty answer after {answers}");
        answers += 1;
    }
    (answers, last)
}

#[tokio::test]
async fn a_rolling_update_loses_no_request() {
    on_bench(async |bench| {
        let dir = tempfile::tempdir().expect("tempdir");
        let (routes, receiver) = watch::channel(Vec::new());
        let proxy = Proxy::start(receiver, dir.path());
        let route = |tasks: &[&Task]| {
            let backends = tasks.iter().map(|task| task.address).collect();
            let (cluster, service) = ("c".to_owned(), "s".to_owned());
            vec![Route { cluster, service, container: "web".to_owned(), container_port: 3000, backends }]
        };
        let old = start(bench, "ee11", "v1").await;
        routes.send_replace(route(&[&old]));
        let mut listening = proxy.listening.clone();
        let at = listening.wait_for(|all| !all.is_empty()).await.expect("runs")[0].local_addr;
        let stop = Arc::new(AtomicBool::new(false));
        let visitors: Vec<_> = (0..4).map(|_| tokio::spawn(visitor(at, Arc::clone(&stop)))).collect();

        // As the scheduler does: the new task joins before it listens, then the old one leaves.
        let new = start(bench, "ee12", "v2").await;
        routes.send_replace(route(&[&old, &new]));
        let served = async { while get(at).await.expect("no request fails") != "v2" {} };
        timeout(Duration::from_secs(20), served).await.expect("the new task serves");
        routes.send_replace(route(&[&new]));
        proxy.routed().wait_for(|routed| !routed.contains(&old.address)).await.expect("runs");
        bench.engine.stop(&old.container, Duration::from_secs(5)).await.expect("stops");

        stop.store(true, Ordering::Relaxed);
        for visitor in visitors {
            let (answers, last) = visitor.await.expect("no request failed");
            assert!(answers > 0);
            assert_eq!(last, "v2");
        }
    })
    .await;
}
