//! Whether a task takes connections yet.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::cloud::Cloud;
use crate::state::ecs::task::Last;
use crate::state::ecs::transition::Outcome;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a connection must stay open to be believed.
const HOLD: Duration = Duration::from_millis(80);

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

/// An engine's port forwarder accepts before the container listens, and then hangs up: a connection
/// counts if it stays open for a moment, or if something is said.
pub(super) async fn accepts(address: SocketAddr) -> bool {
    let Ok(Ok(mut stream)) = tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(address)).await
    else {
        return false;
    };
    let mut byte = [0];
    match tokio::time::timeout(HOLD, stream.read(&mut byte)).await {
        Err(_) => true, // nothing yet, and still open
        Ok(read) => read.is_ok_and(|n| n > 0),
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
        assert!(accepts(address).await, "it is in the backlog and stays open");
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
