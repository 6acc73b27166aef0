//! The programs on free ports of the loopback, and a client for them.

use std::{error::Error, net::SocketAddr, time::Duration};

use app::{
    data_store,
    http_client::{Answer, HttpClient},
    lifecycle::{self, Drain},
    server::{self, Server},
    store::Limits,
    store_client::DataStore,
    task::Task,
};
use axum::Router;
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::oneshot,
    task::JoinHandle,
};

pub(crate) type Result<T = (), E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// A stop without lingering, so that tests are quick.
pub(crate) const AT_ONCE: Drain =
    Drain { quiet: Duration::ZERO, linger: Duration::ZERO, limit: Duration::from_secs(5) };

/// A program that serves until it is told to stop.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    done: JoinHandle<std::io::Result<()>>,
}

impl Running {
    pub(crate) async fn start(router: Router, drain: Drain) -> Result<Self> {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await?, router, drain)
    }

    pub(crate) fn start_on(listener: TcpListener, router: Router, drain: Drain) -> Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async move { stopped.await.unwrap_or_default() };
        let done = tokio::spawn(lifecycle::serve(listener, router, stopped, drain));
        Ok(Self { address, stop, done })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Gives the signal; what comes back ends when the program has stopped.
    pub(crate) fn stop(self) -> JoinHandle<std::io::Result<()>> {
        self.stop.send(()).expect("the program is running");
        self.done
    }
}

pub(crate) async fn start_store(limits: Limits) -> Result<Running> {
    Running::start(data_store::router(limits), AT_ONCE).await
}

pub(crate) fn server_router(store_url: &str, metadata: Option<&str>) -> Result<Router> {
    let store = DataStore::at(store_url)?;
    Ok(server::router(Server { message: "hi", store, task: Task::with_metadata(metadata) }))
}

pub(crate) async fn start_server(store_url: &str) -> Result<Running> {
    Running::start(server_router(store_url, None)?, AT_ONCE).await
}

/// A port that is taken but not listened on, so that connections are refused.
pub(crate) struct Deaf(TcpSocket);

impl Deaf {
    pub(crate) fn new() -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        Ok(Self(socket))
    }

    pub(crate) fn url(&self) -> Result<String> {
        Ok(format!("http://{}", self.0.local_addr()?))
    }

    pub(crate) fn listen(self) -> Result<TcpListener> {
        Ok(self.0.listen(16)?)
    }
}

pub(crate) async fn call(method: Method, url: &str, body: &str) -> Result<Answer> {
    let client = HttpClient::new(Duration::from_secs(10), 1024 * 1024);
    Ok(client.call(&method, &url.parse()?, Bytes::copy_from_slice(body.as_bytes())).await?)
}

/// A call's status and JSON body (null when there is none).
pub(crate) async fn json(method: Method, url: &str, body: &str) -> Result<(StatusCode, Value)> {
    let answer = call(method, url, body).await?;
    let value = if answer.body.is_empty() { Value::Null } else { serde_json::from_slice(&answer.body)? };
    Ok((answer.status, value))
}
