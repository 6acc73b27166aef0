//! The server without its data store, and the client's retries.

use std::time::Duration;

use app::{data_store, http_client::HttpClient, store::Limits};
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::client::{AT_ONCE, Deaf, Result, Running, call, json, start_server};

#[tokio::test]
async fn without_a_store_items_are_503_and_the_server_is_alive() -> Result {
    let deaf = Deaf::new()?;
    let server = start_server(&deaf.url()?).await?;
    let (status, body) = json(Method::GET, &format!("{}/items/a", server.url()), "").await?;
    assert_eq!((status, &body["error"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("data_store_unreachable")));
    assert!(body["reason"].as_str().is_some_and(|reason| reason.contains("refused")), "{body}");

    let (status, body) = json(Method::GET, &server.url(), "").await?;
    assert_eq!((status, &body["data_store"]["status"]), (StatusCode::OK, &json!("unreachable")));
    let health = json(Method::GET, &format!("{}/healthz", server.url()), "").await?;
    assert_eq!(health, (StatusCode::OK, json!({ "status": "ok" })));
    Ok(())
}

#[tokio::test]
async fn a_request_waits_for_a_store_that_is_just_starting() -> Result {
    let deaf = Deaf::new()?;
    let server = start_server(&deaf.url()?).await?;
    let item = format!("{}/items/a", server.url());
    let request = tokio::spawn(async move { call(Method::PUT, &item, "1").await });
    let _store = Running::start_on(deaf.listen()?, data_store::router(Limits::DEFAULT), AT_ONCE)?;
    assert_eq!(request.await??.status, StatusCode::CREATED);
    Ok(())
}

#[tokio::test]
async fn a_store_that_never_answers_is_given_up_on() -> Result {
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", silent.local_addr()?);
    let client = HttpClient::new(Duration::from_millis(50), 10);
    let error = client.call(&Method::GET, &url.parse()?, Bytes::new()).await;
    assert_eq!(error.map_err(|error| error.to_string()).err().as_deref(), Some("no answer within 50ms"));
    Ok(())
}

/// Accepts a connection and reads one request's head.
async fn accept(listener: &TcpListener) -> Result<TcpStream> {
    let (mut stream, _) = listener.accept().await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(stream)
}

#[tokio::test]
async fn an_idempotent_request_is_sent_again_when_the_connection_was_stale() -> Result {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/", listener.local_addr()?);
    let peer = tokio::spawn(async move {
        drop(accept(&listener).await?);
        accept(&listener).await?.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await?;
        drop(accept(&listener).await?);
        Result::Ok(())
    });
    let client = HttpClient::new(Duration::from_secs(5), 10);
    let answer = client.call(&Method::GET, &url.parse()?, Bytes::new()).await?;
    assert_eq!(answer.body, "ok");
    let error = client.call(&Method::POST, &url.parse()?, Bytes::new()).await;
    assert!(error.is_err(), "a POST may have been done already");
    peer.await?
}
