//! The backends of one listener: which are ready, and which is next.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::cloud::lock;

/// A backend that keeps a connection open this long listens. The engine's own forwarder accepts
/// for a task that does not, and closes at once.
const PROBE: Duration = Duration::from_millis(30);

/// Between two probes of a backend that is not ready: at first, and at most.
const PROBE_INTERVAL: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(500));

/// A connection to a backend of this machine is made in less, or never.
const CONNECT: Duration = Duration::from_secs(2);

pub(super) struct Pool {
    backends: Mutex<Backends>,
    /// A backend became ready.
    ready: Notify,
}

#[derive(Default)]
struct Backends {
    all: Vec<Backend>,
    /// Rises with each pick, so that equally busy backends take turns.
    picks: usize,
}

struct Backend {
    address: SocketAddr,
    ready: bool,
    connections: usize,
}

/// A place at a backend; it counts as busy until this is dropped.
pub(super) struct Lease {
    pool: Weak<Pool>,
    pub(super) address: SocketAddr,
}

impl Pool {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { backends: Mutex::default(), ready: Notify::new() })
    }

    /// Makes these the backends. New ones are probed before they are used.
    pub(super) fn set(self: &Arc<Self>, addresses: &[SocketAddr]) {
        let mut backends = lock(&self.backends);
        backends.all.retain(|backend| addresses.contains(&backend.address));
        for address in addresses {
            if !backends.all.iter().any(|backend| backend.address == *address) {
                backends.all.push(Backend { address: *address, ready: false, connections: 0 });
                self.probe_until_ready(*address);
            }
        }
    }

    /// The least busy backend that is ready; waits for one until `patience` is over.
    pub(super) async fn lease(self: &Arc<Self>, patience: Duration) -> Option<Lease> {
        let waiting = async {
            loop {
                let ready = self.ready.notified();
                if let Some(lease) = self.pick() {
                    return lease;
                }
                ready.await;
            }
        };
        timeout(patience, waiting).await.ok()
    }

    fn pick(self: &Arc<Self>) -> Option<Lease> {
        let mut backends = lock(&self.backends);
        let turn = backends.picks;
        let count = backends.all.len();
        let (_, backend) =
            backends.all.iter_mut().enumerate().filter(|(_, backend)| backend.ready).min_by_key(
                |(index, backend)| (backend.connections, (index + count - turn % count) % count),
            )?;
        backend.connections += 1;
        let address = backend.address;
        backends.picks = turn.wrapping_add(1);
        Some(Lease { pool: Arc::downgrade(self), address })
    }

    /// It refused, or closed without a word: no more connections until a probe says otherwise.
    pub(super) fn suspect(self: &Arc<Self>, address: SocketAddr) {
        let mut backends = lock(&self.backends);
        let found = backends.all.iter_mut().find(|backend| backend.address == address && backend.ready);
        if let Some(backend) = found {
            backend.ready = false;
            self.probe_until_ready(address);
        }
    }

    fn probe_until_ready(self: &Arc<Self>, address: SocketAddr) {
        let pool = Arc::downgrade(self);
        tokio::spawn(async move {
            let (mut interval, longest) = PROBE_INTERVAL;
            while !listens(address).await {
                sleep(interval).await;
                interval = longest.min(interval * 2);
                if !pool.upgrade().is_some_and(|pool| pool.has(address)) {
                    return;
                }
            }
            if let Some(pool) = pool.upgrade() {
                pool.mark_ready(address);
            }
        });
    }

    fn has(&self, address: SocketAddr) -> bool {
        lock(&self.backends).all.iter().any(|backend| backend.address == address)
    }

    fn mark_ready(&self, address: SocketAddr) {
        let mut backends = lock(&self.backends);
        if let Some(backend) = backends.all.iter_mut().find(|backend| backend.address == address) {
            backend.ready = true;
            self.ready.notify_waiters();
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(pool) = self.pool.upgrade() else { return };
        let mut backends = lock(&pool.backends);
        if let Some(backend) = backends.all.iter_mut().find(|backend| backend.address == self.address) {
            backend.connections = backend.connections.saturating_sub(1);
        }
    }
}

impl Lease {
    /// Connects, or says that this backend is none to connect to.
    pub(super) async fn connect(&self) -> Option<TcpStream> {
        connect(self.address).await
    }

    /// See [`Pool::suspect`].
    pub(super) fn suspect(&self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.suspect(self.address);
        }
    }

    /// A connection ended oddly, which may be the client's doing: looks before it suspects.
    pub(super) fn doubt(&self) {
        let (pool, address) = (self.pool.clone(), self.address);
        tokio::spawn(async move {
            if !listens(address).await
                && let Some(pool) = pool.upgrade()
            {
                pool.suspect(address);
            }
        });
    }
}

async fn connect(address: SocketAddr) -> Option<TcpStream> {
    timeout(CONNECT, TcpStream::connect(address)).await.ok()?.ok()
}

/// Whether a connection is accepted and kept, or answered: as a load balancer's TCP check.
async fn listens(address: SocketAddr) -> bool {
    let Some(stream) = connect(address).await else {
        return false;
    };
    match timeout(PROBE, stream.peek(&mut [0])).await {
        Err(_) => true, // still open, and silent
        Ok(spoke) => matches!(spoke, Ok(1)),
    }
}
