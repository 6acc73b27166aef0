//! Health checks of target groups, made as a load balancer makes them: a request or a connection, from
//! outside of the task.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::probe;
use crate::state::ecs::balance::Check;
use crate::state::elb::check::Answer;

/// No status line is longer.
const HEAD: usize = 1024;

/// Makes the check. TLS is not spoken here: an HTTPS check that is accepted passes.
pub(super) async fn made(check: &Check) -> Answer {
    let Some(address) = check.address else { return Answer::Failed };
    let timeout = Duration::from_secs(check.how.timeout.into());
    let answer = tokio::time::timeout(timeout, answer(check, address)).await;
    answer.unwrap_or(Answer::Timeout)
}

async fn answer(check: &Check, address: SocketAddr) -> Answer {
    let path = check.how.path.as_deref().unwrap_or("/");
    match check.how.protocol.as_str() {
        "HTTP" => {
            let host = format!("{}:{}", check.id, check.how.port_of(check.port));
            status(address, path, &host).await.ok().flatten().map_or(Answer::Failed, Answer::Status)
        }
        _ if !probe::accepts(address).await => Answer::Failed,
        "HTTPS" => Answer::Status(200),
        _ => Answer::Open,
    }
}

/// The status that the path is answered with; `None` if that is no HTTP.
async fn status(address: SocketAddr, path: &str, host: &str) -> io::Result<Option<u16>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nUser-Agent: ELB-HealthChecker/2.0\r\n\
         Accept-Encoding: gzip, compressed\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = Vec::new();
    while !head.contains(&b'\n') && head.len() < HEAD {
        if stream.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    Ok(parse(&head))
}

fn parse(head: &[u8]) -> Option<u16> {
    let line = String::from_utf8_lossy(head);
    let (version, rest) = line.lines().next()?.split_once(' ')?;
    version.strip_prefix("HTTP/1.")?;
    rest.get(..3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::state::elb::check::HealthCheck;

    #[test]
    fn status_lines() {
        assert_eq!(parse(b"HTTP/1.1 204 No Content\r\n"), Some(204));
        assert_eq!(parse(b"HTTP/1.0 500\r\n"), Some(500));
        assert_eq!(parse(b"SSH-2.0-OpenSSH\r\n"), None);
        assert_eq!(parse(b""), None);
    }

    /// What a check finds where every connection is answered with this.
    async fn found(protocol: &str, answer: &'static [u8]) -> io::Result<Answer> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(async move {
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let mut request = [0; 1024];
                let read = stream.read(&mut request).await;
                if read.is_ok() && stream.write_all(answer).await.is_err() {
                    return;
                }
            }
        });
        let check = Check {
            group: "g".into(),
            id: "10.0.0.4".into(),
            port: 80,
            address: Some(address),
            how: HealthCheck::of(protocol, None),
        };
        let found = made(&check).await;
        server.abort();
        Ok(found)
    }

    #[tokio::test]
    async fn what_a_target_answers() -> io::Result<()> {
        assert_eq!(found("HTTP", b"HTTP/1.1 500 No\r\n\r\n").await?, Answer::Status(500));
        assert_eq!(found("HTTP", b"hello\r\n").await?, Answer::Failed);
        assert_eq!(found("TCP", b"").await?, Answer::Open);
        Ok(())
    }

    #[tokio::test]
    async fn one_that_says_nothing_times_out_and_one_that_is_not_there_fails() -> io::Result<()> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = Some(listener.local_addr()?);
        let how = HealthCheck { timeout: 0, ..HealthCheck::of("HTTP", None) };
        let check = Check { group: "g".into(), id: "10.0.0.4".into(), port: 80, address, how };
        assert_eq!(made(&check).await, Answer::Timeout);
        drop(listener);
        let how = HealthCheck::of("HTTP", None);
        assert_eq!(made(&Check { how, ..check.clone() }).await, Answer::Failed);
        assert_eq!(made(&Check { address: None, ..check }).await, Answer::Failed);
        Ok(())
    }
}
