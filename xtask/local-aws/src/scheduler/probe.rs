//! Whether a task takes connections yet.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::cloud::Cloud;
use crate::state::ecs::task::Last;
use crate::state::ecs::transition::Outcome;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a connection must stay open to be believed.
const HOLD: Duration = Duration::from_millis(80);
/// By how much that may take longer: on a machine too busy to wake us in time, the engine's forwarder may
/// not have come to hang up either.
const LATE: Duration = Duration::from_millis(20);
/// So many connections in a row have to stay open.
const ROW: u32 = 2;

/// Waits until every published port takes connections; `None` if the task stopped running first.
pub(super) async fn until_ready(cloud: &Cloud, task: &str) -> Option<Outcome> {
    loop {
        let ports: Vec<SocketAddr> = {
            let ecs = cloud.ecs();
            let task = ecs.tasks.get(task).filter(|t| t.last == Last::Running && !t.ready)?;
            task.published.values().copied().collect()
        };
        let mut ready = true;
        for port in ports {
            ready = ready && accepts(port).await;
        }
        if ready {
            return Some(Outcome::Ready);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// An engine's port forwarder accepts before the container listens, and then hangs up: connections
/// count if they stay open for a moment, or if something is said.
pub(super) async fn accepts(address: SocketAddr) -> bool {
    for _ in 0..ROW {
        match connection(address).await {
            Seen::Spoke => return true,
            Seen::Silent => {}
            Seen::Closed => return false,
        }
    }
    true
}

/// What became of a connection.
enum Seen {
    /// Something was said.
    Spoke,
    /// It stayed open.
    Silent,
    /// It was refused or closed, or nobody can tell.
    Closed,
}

async fn connection(address: SocketAddr) -> Seen {
    let Ok(Ok(mut stream)) = tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(address)).await
    else {
        return Seen::Closed;
    };
    let (mut byte, began) = ([0], Instant::now());
    match tokio::time::timeout(HOLD, stream.read(&mut byte)).await {
        Err(_) if began.elapsed() <= HOLD + LATE => Seen::Silent,
        Ok(Ok(1..)) => Seen::Spoke,
        _ => Seen::Closed,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn one_that_hangs_up_does_not_count() -> io::Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        // On a busy machine a look may come too late to say anything.
        let stays_open = async { while !accepts(address).await {} };
        let seen = tokio::time::timeout(Duration::from_secs(20), stays_open).await;
        assert!(seen.is_ok(), "it is in the backlog and stays open");
        let hang_up = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else {
                    return;
                };
                drop(stream);
            }
        });
        assert!(!accepts(address).await);
        hang_up.abort();
        Ok(())
    }
}
