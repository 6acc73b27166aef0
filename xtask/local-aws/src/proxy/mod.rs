//! A TCP proxy, the local stand-in for a load balancer: each port of each service is served at
//! `127.0.0.1:PORT`, spread over the service's tasks.
//!
//! A *backend* is the address of one task's port. It gets connections once it is *ready*: the
//! route names it, and it has kept a connection open (a task runs a moment before its program
//! listens). A backend that leaves its route gets no new connection, while those it has go on
//! until they end. A connection that comes while no backend is ready waits a little for one.
//!
//! What this does for a rolling update: no new connection reaches a task that is about to stop, if
//! its route goes before the stop signal. What it cannot do: it moves bytes, not requests, so
//! a request on a kept-alive connection goes to the task that the connection was made to. A
//! server that stops in order tells its clients (`Connection: close`, or closes idle ones).

mod pool;
mod ports;
mod relay;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::routes::Route;
use pool::Pool;
use ports::{Key, PortBook};

/// Where a port of a service is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listening {
    /// The cluster's name.
    pub cluster: String,
    /// The service's name.
    pub service: String,
    /// The container's name.
    pub container: String,
    /// The port inside the task.
    pub container_port: u16,
    /// The address to use; its port is `container_port` unless that was taken.
    pub local_addr: SocketAddr,
}

/// The running proxy. Dropping it closes the listeners; connections go on until they end.
pub struct Proxy {
    listening: watch::Receiver<Vec<Listening>>,
    routed: watch::Receiver<BTreeSet<SocketAddr>>,
    _task: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Starts serving the routes. Which port a service got is kept in `state_dir`, so that it
    /// gets it again after a restart.
    pub fn start(routes: watch::Receiver<Vec<Route>>, state_dir: &Path) -> Self {
        let (now, listening) = watch::channel(Vec::new());
        let (to, routed) = watch::channel(BTreeSet::new());
        let ports = PortBook::open(state_dir);
        let task = tokio::spawn(follow(routes, ports, Published { listening: now, routed: to }));
        Self { listening, routed, _task: AbortOnDropHandle::new(task) }
    }

    /// What is served now.
    pub fn listening(&self) -> Vec<Listening> {
        self.listening.borrow().clone()
    }

    /// The backends that new connections may go to. Once one has left this set, no connection is
    /// made to it any more: the moment to tell its task to stop.
    pub fn routed(&self) -> watch::Receiver<BTreeSet<SocketAddr>> {
        self.routed.clone()
    }
}

/// What the proxy tells of itself.
struct Published {
    listening: watch::Sender<Vec<Listening>>,
    routed: watch::Sender<BTreeSet<SocketAddr>>,
}

impl Published {
    fn update(&self, served: &BTreeMap<Key, Served>, routed: BTreeSet<SocketAddr>) {
        let listening = served.values().map(|served| served.listening.clone()).collect();
        replace(&self.listening, listening);
        replace(&self.routed, routed);
    }
}

fn replace<T: PartialEq>(sender: &watch::Sender<T>, value: T) {
    sender.send_if_modified(|before| {
        let changed = *before != value;
        *before = value;
        changed
    });
}

/// One port of one service, being served.
struct Served {
    pool: Arc<Pool>,
    listening: Listening,
    _accepting: AbortOnDropHandle<()>,
}

async fn follow(mut routes: watch::Receiver<Vec<Route>>, mut ports: PortBook, published: Published) {
    let mut served = BTreeMap::new();
    loop {
        let wanted = routes.borrow_and_update().clone();
        let routed: BTreeSet<_> = wanted.iter().flat_map(|route| route.backends.iter().copied()).collect();
        // One that comes is told before it can get a connection, one that goes after it can't any more.
        published.routed.send_modify(|before| before.extend(&routed));
        reconcile(&mut served, wanted, &mut ports).await;
        published.update(&served, routed);
        if routes.changed().await.is_err() {
            return;
        }
    }
}

async fn reconcile(served: &mut BTreeMap<Key, Served>, routes: Vec<Route>, ports: &mut PortBook) {
    let mut wanted: BTreeMap<Key, Route> = routes.into_iter().map(|route| (Key::of(&route), route)).collect();
    served.retain(|key, _| wanted.contains_key(key) || ports.forget(key));
    for (key, served) in served.iter_mut() {
        if let Some(route) = wanted.remove(key) {
            served.listening.container.clone_from(&route.container);
            served.pool.set(&route.backends);
        }
    }
    // Those that had a port before come first, so that nobody else takes it.
    let mut new: Vec<_> = wanted.into_iter().collect();
    new.sort_by_key(|(key, _)| ports.remembered(key).is_none());
    for (key, route) in new {
        // No free port at all: the next change of routes tries again.
        if let Ok(listener) = ports.listen(&key).await
            && let Ok(opened) = open(listener, route)
        {
            served.insert(key, opened);
        }
    }
    ports.save();
}

fn open(listener: TcpListener, route: Route) -> io::Result<Served> {
    let pool = Pool::new();
    pool.set(&route.backends);
    let listening = Listening {
        cluster: route.cluster,
        service: route.service,
        container: route.container,
        container_port: route.container_port,
        local_addr: listener.local_addr()?,
    };
    let accepting = tokio::spawn(relay::accept(listener, Arc::clone(&pool)));
    Ok(Served { pool, listening, _accepting: AbortOnDropHandle::new(accepting) })
}

#[cfg(test)]
mod rolling;
#[cfg(test)]
mod tests;
