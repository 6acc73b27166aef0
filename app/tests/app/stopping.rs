//! Stopping: what is in flight is finished, nothing new is begun, and it ends.

use std::time::Duration;

use app::{data_store, lifecycle::Drain, store::Limits};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::client::{AT_ONCE, Result, Running, start_store};

const HEAD: &[u8] = b"PUT /keys/a HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n";

/// Sends a request and reads the answer's head, leaving the connection open.
async fn ask(stream: &mut TcpStream, request: &[u8]) -> Result<String> {
    stream.write_all(request).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head)?)
}

async fn rest(stream: &mut TcpStream) -> Result<String> {
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await?;
    Ok(rest)
}

#[tokio::test]
async fn a_request_in_flight_is_answered_and_its_connection_closed() -> Result {
    let store = start_store(Limits::DEFAULT).await?;
    let address = store.address;
    let (mut idle, mut busy) = (TcpStream::connect(address).await?, TcpStream::connect(address).await?);
    let health = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    assert!(ask(&mut idle, health).await?.starts_with("HTTP/1.1 200"));
    // The interim answer proves that the request is being handled.
    let head = b"PUT /keys/a HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n";
    assert!(ask(&mut busy, head).await?.starts_with("HTTP/1.1 100"));

    let done = store.stop();
    // What is left of the health answer, then the end: it is closed.
    assert_eq!(rest(&mut idle).await?, r#"{"status":"ok"}"#);
    let closed = async { while TcpStream::connect(address).await.is_ok() {} };
    timeout(Duration::from_secs(5), closed).await?;
    assert!(!done.is_finished(), "a request is in flight");
    busy.write_all(b"42").await?;
    let answer = rest(&mut busy).await?.to_lowercase();
    assert!(answer.starts_with("http/1.1 201"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    timeout(Duration::from_secs(5), done).await???;
    Ok(())
}

#[tokio::test]
async fn a_request_that_never_ends_does_not_hold_up_the_stop() -> Result {
    let drain = Drain { limit: Duration::from_millis(50), ..AT_ONCE };
    let store = Running::start(data_store::router(Limits::DEFAULT), drain).await?;
    let mut busy = TcpStream::connect(store.address).await?;
    busy.write_all(&HEAD[..HEAD.len() - 1]).await?;
    timeout(Duration::from_secs(2), store.stop()).await???;
    Ok(())
}

#[tokio::test]
async fn while_lingering_requests_are_served_and_clients_sent_away() -> Result {
    let minute = Duration::from_secs(60);
    let drain = Drain { quiet: minute, linger: minute, limit: Duration::from_millis(1500) };
    let store = Running::start(data_store::router(Limits::DEFAULT), drain).await?;
    let mut kept = TcpStream::connect(store.address).await?;
    assert!(!ask(&mut kept, &[HEAD, b"42"].concat()).await?.to_lowercase().contains("connection: close"));

    let address = store.address;
    let stopping = store.stop();
    let get = b"GET /keys/a HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut answers = Vec::new();
    // Until the stop is noticed answers are as before; then one says `close`.
    while !answers.last().is_some_and(|answer: &String| answer.contains("connection: close")) {
        answers.push(ask(&mut kept, get).await?.to_lowercase());
        let mut value = [0; 2];
        kept.read_exact(&mut value).await?;
        assert_eq!(&value, b"42");
    }
    assert_eq!(rest(&mut kept).await?, "");
    let mut fresh = TcpStream::connect(address).await?;
    assert!(ask(&mut fresh, get).await?.starts_with("HTTP/1.1 200"), "still served");
    assert!(!stopping.is_finished());
    Ok(())
}
