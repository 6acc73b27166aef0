//! What the tests with real containers share.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::engine::docker::{DockerEngine, error};
use crate::engine::{ContainerId, ContainerSpec, Engine, Holder, HolderSpec, Status, labels};
use crate::testing::{ProbeImage, unique};

/// An instance of its own, with the probe's image.
pub(crate) struct Bench {
    pub(crate) engine: DockerEngine,
    pub(crate) image: ProbeImage,
    pub(crate) instance: String,
}

/// Runs a test on a bench of its own, which is cleared whatever becomes of the test.
pub(crate) async fn on_bench(test: impl AsyncFnOnce(&Bench)) {
    let bench = Bench::new().await;
    let result = AssertUnwindSafe(test(&bench)).catch_unwind().await;
    bench.finish().await;
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

impl Bench {
    async fn new() -> Self {
        let instance = unique("test");
        let engine = crate::testing::engine(&instance, None).await;
        let image = ProbeImage::load(&engine).await.unwrap_or_else(|e| panic!("{e}"));
        Self { engine, image, instance }
    }

    pub(crate) async fn holder(&self, task_id: &str, ports: &[u16]) -> Holder {
        let spec = HolderSpec {
            task_id: task_id.to_owned(),
            cluster: "cluster".to_owned(),
            group: "service:s".to_owned(),
            task_definition: "f:1".to_owned(),
            hostname: "ip-172-31-0-7.test.compute.internal".to_owned(),
            ports: ports.to_vec(),
            cpu: Some(256),
            memory_mib: Some(512),
        };
        self.engine.start_holder(&spec).await.expect("the holder starts")
    }

    pub(crate) fn spec(&self, task_id: &str, name: &str, command: &[&str]) -> ContainerSpec {
        ContainerSpec {
            task_id: task_id.to_owned(),
            cluster: "cluster".to_owned(),
            name: name.to_owned(),
            image: self.image.name.clone(),
            command: Some(command.iter().map(|word| (*word).to_owned()).collect()),
            stop_timeout: Duration::from_secs(5),
            ..ContainerSpec::default()
        }
    }

    /// Everything a container writes until it ends.
    pub(crate) async fn output(&self, holder: &Holder, spec: &ContainerSpec) -> Vec<String> {
        let id = self.engine.start_container(&holder.id, spec).await.expect("the container starts");
        let lines = self.engine.logs(&id, None).await.expect("has logs");
        let all = lines.map(|line| line.message).collect();
        timeout(Duration::from_secs(30), all).await.expect("the container ends")
    }

    pub(crate) async fn status(&self, id: &ContainerId) -> Status {
        let all = self.engine.list().await.expect("lists");
        all.into_iter().find(|found| found.id == *id).expect("is listed").status
    }

    async fn finish(self) {
        self.engine.remove_all().await.expect("everything is removed");
        assert_eq!(self.engine.list().await.expect("lists"), []);
        let network = labels::network_name(&self.instance);
        let network = self.engine.docker.inspect_network(&network, None).await;
        assert_eq!(network.err().as_ref().and_then(error::status), Some(404));
        self.image.remove().await.expect("the image is removed");
    }
}

pub(crate) async fn get(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
}

pub(crate) async fn first_answer(address: SocketAddr) -> String {
    let answered = async {
        loop {
            match get(address).await {
                Ok(text) if !text.is_empty() => return text,
                _ => tokio::task::yield_now().await,
            }
        }
    };
    timeout(Duration::from_secs(10), answered).await.expect("answers")
}
