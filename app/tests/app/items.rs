//! The items API with a data store behind it.

use app::store::{Limits, MAX_VALUE};
use axum::{Json, Router, routing::get};
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::client::{AT_ONCE, Result, Running, call, json, server_router, start_server, start_store};

#[tokio::test]
async fn an_item_is_put_read_listed_and_deleted() -> Result {
    let store = start_store(Limits::DEFAULT).await?;
    let server = start_server(&store.url()).await?;
    let (items, item) = (format!("{}/items", server.url()), format!("{}/items/a-1", server.url()));

    let sent = r#"{"n": 1.00000000000000000001, "s": "ä"}"#;
    assert_eq!(call(Method::PUT, &item, sent).await?.status, StatusCode::CREATED);
    assert_eq!(call(Method::GET, &item, "").await?.body, sent, "kept as it was sent");
    assert_eq!(json(Method::PUT, &item, "[]").await?, (StatusCode::OK, json!([])));
    assert_eq!(json(Method::GET, &items, "").await?, (StatusCode::OK, json!({ "items": ["a-1"] })));
    assert_eq!(call(Method::DELETE, &item, "").await?.status, StatusCode::NO_CONTENT);
    let (status, body) = json(Method::GET, &item, "").await?;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert_eq!(body, json!({ "error": "not_found", "reason": "there is no item `a-1`" }));
    Ok(())
}

#[tokio::test]
async fn wrong_requests_get_a_json_reason() -> Result {
    let store = start_store(Limits::DEFAULT).await?;
    let server = start_server(&store.url()).await?;
    let large = format!("\"{}\"", "x".repeat(MAX_VALUE));
    let cases = [
        (Method::PUT, "/items/a", "{", 400, "bad_request"),
        (Method::PUT, "/items/a", "", 400, "bad_request"),
        (Method::PUT, "/items/a%20b", "1", 400, "bad_request"),
        (Method::PUT, "/items/%ff", "1", 400, "bad_request"),
        (Method::PUT, "/items/a", &large, 413, "too_large"),
        (Method::GET, "/nothing", "", 404, "not_found"),
        (Method::DELETE, "/items/none", "", 404, "not_found"),
        (Method::POST, "/items", "{}", 405, "method_not_allowed"),
        (Method::POST, "/", "", 405, "method_not_allowed"),
    ];
    for (method, path, body, status, code) in cases {
        let (got, answer) = json(method.clone(), &format!("{}{path}", server.url()), body).await?;
        assert_eq!((got.as_u16(), &answer["error"]), (status, &json!(code)), "{method} {path}");
        assert!(answer["reason"].is_string(), "{method} {path}: {answer}");
    }
    Ok(())
}

#[tokio::test]
async fn a_full_store_is_told_apart_from_an_unreachable_one() -> Result {
    let store = start_store(Limits { keys: 1, bytes: 100 }).await?;
    let server = start_server(&store.url()).await?;
    let url = |id: &str| format!("{}/items/{id}", server.url());
    assert_eq!(call(Method::PUT, &url("a"), "1").await?.status, StatusCode::CREATED);
    let (status, body) = json(Method::PUT, &url("b"), "1").await?;
    assert_eq!((status, &body["error"]), (StatusCode::INSUFFICIENT_STORAGE, &json!("full")));
    Ok(())
}

#[tokio::test]
async fn the_root_tells_version_message_task_and_store() -> Result {
    let metadata = Router::new().route(
        "/v4/id/task",
        get(|| async { Json(json!({ "TaskARN": "arn:t", "Family": "f", "Revision": "7" })) }),
    );
    let metadata = Running::start(metadata, AT_ONCE).await?;
    let store = start_store(Limits::DEFAULT).await?;
    let router = server_router(&store.url(), Some(&format!("{}/v4/id", metadata.url())))?;
    let server = Running::start(router, AT_ONCE).await?;

    let (status, body) = json(Method::GET, &server.url(), "").await?;
    assert_eq!(status, StatusCode::OK);
    let expected = json!({
        "service": "server", "version": env!("CARGO_PKG_VERSION"), "message": "hi",
        "task": { "arn": "arn:t", "family": "f", "revision": "7" },
        "data_store": { "status": "ok" },
    });
    assert_eq!(body, expected);
    Ok(())
}
