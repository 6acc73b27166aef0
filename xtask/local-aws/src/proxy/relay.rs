//! One connection: from the client to a backend and back, until both have said all.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};

use super::pool::{Lease, Pool};

/// How long a connection waits for a backend.
const PATIENCE: Duration = Duration::from_secs(5);

/// Per direction and connection.
const BUFFER: usize = 16 * 1024;

/// After a failed accept (no file descriptors left): until the next.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

pub(super) async fn accept(listener: TcpListener, pool: Arc<Pool>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => drop(tokio::spawn(relay(client, Arc::clone(&pool)))),
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn relay(mut client: TcpStream, pool: Arc<Pool>) {
    let Some((lease, mut backend)) = backend_for(&client, &pool).await else {
        return;
    };
    client.set_nodelay(true).ok();
    backend.set_nodelay(true).ok();
    // Passes on the end of each direction by itself, and a failure by closing both.
    let copied = copy_bidirectional_with_sizes(&mut client, &mut backend, BUFFER, BUFFER).await;
    match copied {
        Ok((_, answered)) if answered > 0 => {}
        Ok((0, _)) => {}
        _ => lease.doubt(), // asked, it closed without a word
    }
}

/// A backend that took the connection, and the place at it. One that closes before the client
/// has said anything costs nothing: the next one gets the connection.
async fn backend_for(client: &TcpStream, pool: &Arc<Pool>) -> Option<(Lease, TcpStream)> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let lease = pool.lease(deadline.saturating_duration_since(Instant::now())).await?;
        match lease.connect().await {
            Some(backend) if stays(client, &backend).await => return Some((lease, backend)),
            _ => lease.suspect(),
        }
    }
}

/// Until one of the two speaks: whether the backend is still there.
async fn stays(client: &TcpStream, backend: &TcpStream) -> bool {
    let (mut from_backend, mut from_client) = ([0], [0]);
    tokio::select! {
        biased;
        spoke = backend.peek(&mut from_backend) => matches!(spoke, Ok(1)),
        _ = client.peek(&mut from_client) => true,
    }
}
