//! The proxy between real sockets.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

/// A server that answers what it read, with its name in front, once the client ended its half.
async fn echo(name: &'static str) -> (SocketAddr, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("has one");
    let task = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut text = String::new();
                stream.read_to_string(&mut text).await.ok();
                stream.write_all(format!("{name}:{text}").as_bytes()).await.ok();
            });
        }
    });
    (address, AbortOnDropHandle::new(task))
}

/// What the engine's forwarder does for a task that does not listen.
async fn slammed_door() -> (SocketAddr, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("has one");
    let task = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    (address, AbortOnDropHandle::new(task))
}

async fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    listener.local_addr().expect("has one").port()
}

async fn ask(address: SocketAddr, text: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// A proxy with the routes' sending end.
struct Bench {
    routes: watch::Sender<Vec<Route>>,
    proxy: Proxy,
    state_dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let state_dir = tempfile::tempdir().expect("tempdir");
        let (routes, receiver) = watch::channel(Vec::new());
        Self { routes, proxy: Proxy::start(receiver, state_dir.path()), state_dir }
    }

    /// Waits until the listeners are as wanted.
    async fn listening(&self, wanted: impl Fn(&Vec<Listening>) -> bool) -> Vec<Listening> {
        let mut changes = self.proxy.listening.clone();
        let seen = timeout(Duration::from_secs(10), changes.wait_for(wanted)).await;
        seen.expect("in time").expect("the proxy runs").clone()
    }
}

fn route(service: &str, container_port: u16, backends: &[SocketAddr]) -> Route {
    Route {
        cluster: "c".to_owned(),
        service: service.to_owned(),
        container: "web".to_owned(),
        container_port,
        backends: backends.to_vec(),
    }
}

#[tokio::test]
async fn connections_take_turns_and_half_closed_ones_are_answered() {
    let bench = Bench::new();
    let ((a, _a), (b, _b)) = (echo("a").await, echo("b").await);
    let port = free_port().await;
    bench.routes.send_replace(vec![route("s", port, &[a, b])]);
    let at = bench.listening(|all| !all.is_empty()).await[0].local_addr;
    let mut names = std::collections::BTreeMap::<String, u32>::new();
    let asked = async {
        while names.len() < 2 || names.values().sum::<u32>() < 10 {
            let answer = ask(at, "x").await.expect("answers");
            *names.entry(answer).or_default() += 1;
        }
    };
    timeout(Duration::from_secs(10), asked).await.expect("both answer");
    assert_eq!(names.keys().collect::<Vec<_>>(), ["a:x", "b:x"]);
}

#[tokio::test]
async fn a_backend_that_does_not_listen_gets_nothing() {
    let bench = Bench::new();
    let ((good, _good), (door, _door)) = (echo("good").await, slammed_door().await);
    let gone = SocketAddr::from(([127, 0, 0, 1], free_port().await));
    bench.routes.send_replace(vec![route("s", free_port().await, &[door, gone, good])]);
    let at = bench.listening(|all| !all.is_empty()).await[0].local_addr;
    for _ in 0..20 {
        assert_eq!(ask(at, "x").await.expect("answers"), "good:x");
    }
}

#[tokio::test]
async fn a_connection_waits_for_the_first_backend() {
    let bench = Bench::new();
    let port = free_port().await;
    bench.routes.send_replace(vec![route("s", port, &[])]);
    let at = bench.listening(|all| !all.is_empty()).await[0].local_addr;
    let (late, _late) = echo("late").await;
    let arrives = async {
        tokio::task::yield_now().await;
        bench.routes.send_replace(vec![route("s", port, &[late])]);
    };
    let (answer, ()) = tokio::join!(ask(at, "x"), arrives);
    assert_eq!(answer.expect("answers"), "late:x");
}

#[tokio::test]
async fn a_removed_backend_finishes_what_it_has() {
    let bench = Bench::new();
    let ((old, _old), (new, _new)) = (echo("old").await, echo("new").await);
    let port = free_port().await;
    bench.routes.send_replace(vec![route("s", port, &[old])]);
    let at = bench.listening(|all| !all.is_empty()).await[0].local_addr;
    let mut open = TcpStream::connect(at).await.expect("connects");
    open.write_all(b"first ").await.expect("writes");
    assert_eq!(ask(at, "probe").await.expect("answers"), "old:probe");

    bench.routes.send_replace(vec![route("s", port, &[new])]);
    let moved = async { while ask(at, "x").await.expect("never fails") != "new:x" {} };
    timeout(Duration::from_secs(10), moved).await.expect("the new one takes over");
    open.write_all(b"second").await.expect("writes");
    open.shutdown().await.expect("ends its half");
    let mut answer = String::new();
    open.read_to_string(&mut answer).await.expect("reads");
    assert_eq!(answer, "old:first second");
}

#[tokio::test]
async fn a_taken_port_moves_the_service_and_its_end_frees_the_port() {
    let bench = Bench::new();
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = taken.local_addr().expect("has one").port();
    let (backend, _backend) = echo("a").await;
    bench.routes.send_replace(vec![route("s", port, &[backend]), route("t", port, &[backend])]);
    let listening = bench.listening(|all| all.len() == 2).await;
    assert!(listening.iter().all(|one| one.container_port == port && one.local_addr.port() != port));
    assert_ne!(listening[0].local_addr, listening[1].local_addr);
    let kept = std::fs::read_to_string(bench.state_dir.path().join("ports.json")).expect("is written");
    assert!(kept.contains(&format!("\"c/s/{port}\": {}", listening[0].local_addr.port())), "{kept}");

    bench.routes.send_replace(vec![route("t", port, &[backend])]);
    bench.listening(|all| all.len() == 1).await;
    let freed = async { while TcpListener::bind(listening[0].local_addr).await.is_err() {} };
    timeout(Duration::from_secs(10), freed).await.expect("the port is free");
    assert_eq!(ask(listening[1].local_addr, "x").await.expect("the other stays"), "a:x");
}

#[tokio::test]
async fn much_data_passes_both_ways() {
    let bench = Bench::new();
    let (a, _a) = echo("a").await;
    bench.routes.send_replace(vec![route("s", free_port().await, &[a])]);
    let at = bench.listening(|all| !all.is_empty()).await[0].local_addr;
    let text = "0123456789".repeat(500_000);
    let answer = timeout(Duration::from_secs(30), ask(at, &text)).await.expect("in time").expect("answers");
    assert!(answer == format!("a:{text}"), "{} bytes", answer.len());
}
