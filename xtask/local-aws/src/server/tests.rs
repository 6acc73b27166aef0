//! The whole control plane, over HTTP, with real containers.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::serve_on;
use crate::cloud::{Cloud, Options, system_clock};
use crate::engine::Engine as _;
use crate::testing::{ProbeImage, unique};

type Fallible<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// One request on a connection of its own; the body of the answer.
async fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Fallible<(u16, String)> {
    let mut stream = TcpStream::connect(address).await?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("no answer")?;
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).ok_or("no status")?;
    Ok((status, body.to_owned()))
}

/// A call of ECS that must succeed.
async fn ecs(endpoint: SocketAddr, operation: &str, input: Value) -> Fallible<Value> {
    let headers = format!(
        "X-Amz-Target: AmazonEC2ContainerServiceV20141113.{operation}\r\nContent-Type: application/x-amz-json-1.1\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=x/1/r/ecs/aws4_request, SignedHeaders=host, Signature=0\r\n"
    );
    let (status, body) = request(endpoint, "POST", "/", &headers, &input.to_string()).await?;
    if status != 200 {
        return Err(format!("{operation}: {status} {body}").into());
    }
    Ok(serde_json::from_str(&body)?)
}

fn definition(image: &str, text: &str) -> Value {
    json!({
        "family": "web", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512",
        "containerDefinitions": [{
            "name": "web", "image": image, "command": ["listen", "3000", text],
            "portMappings": [{"containerPort": 3000}],
        }],
    })
}

/// Waits until the current service deployment is over; its status.
async fn rolled_out(endpoint: SocketAddr) -> Fallible<String> {
    for _ in 0..1200 {
        let answer = ecs(endpoint, "DescribeServices", json!({"cluster": "c", "services": ["s"]})).await?;
        let current = answer["services"][0]["currentServiceDeployment"].clone();
        let input = json!({"serviceDeploymentArns": [current]});
        let answer = ecs(endpoint, "DescribeServiceDeployments", input).await?;
        let status = answer["serviceDeployments"][0]["status"].as_str().unwrap_or_default().to_owned();
        if !["PENDING", "IN_PROGRESS"].contains(&status.as_str()) {
            return Ok(status);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("never rolled out".into())
}

/// Where the service's port is, as `/_local/status` says.
async fn service_address(endpoint: SocketAddr) -> Fallible<SocketAddr> {
    let (_, status) = request(endpoint, "GET", "/_local/status", "", "").await?;
    let status: super::status::Status = serde_json::from_str(&status)?;
    let port = status.services.first().and_then(|s| s.ports.first()).ok_or("no port")?;
    Ok(port.url.trim_start_matches("http://").parse()?)
}

/// Requests, one after the other, until told to stop: every answer, or the first failure.
async fn load(address: SocketAddr, stop: Arc<AtomicBool>) -> Fallible<Vec<String>> {
    let mut answers = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let (status, body) = request(address, "GET", "/", "", "").await?;
        if status != 200 {
            return Err(format!("answered {status}").into());
        }
        answers.push(body);
    }
    Ok(answers)
}

async fn update_under_load(endpoint: SocketAddr, image: &str) -> Fallible<()> {
    let network = ec2_subnet(endpoint).await?;
    ecs(endpoint, "CreateCluster", json!({"clusterName": "c"})).await?;
    ecs(endpoint, "RegisterTaskDefinition", definition(image, "one")).await?;
    let service = json!({
        "cluster": "c", "serviceName": "s", "taskDefinition": "web", "desiredCount": 2, "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": [network]}},
    });
    ecs(endpoint, "CreateService", service).await?;
    assert_eq!(rolled_out(endpoint).await?, "SUCCESSFUL");
    let address = service_address(endpoint).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn(load(address, Arc::clone(&stop)));
    ecs(endpoint, "RegisterTaskDefinition", definition(image, "two")).await?;
    ecs(endpoint, "UpdateService", json!({"cluster": "c", "service": "s", "taskDefinition": "web"})).await?;
    assert_eq!(rolled_out(endpoint).await?, "SUCCESSFUL");
    stop.store(true, Ordering::Relaxed);
    let answers = load.await??;
    assert_eq!(answers.first().map(String::as_str), Some("one"));
    assert_eq!(answers.last().map(String::as_str), Some("two"));
    Ok(())
}

/// A subnet of the default VPC, by the EC2 API.
async fn ec2_subnet(endpoint: SocketAddr) -> Fallible<String> {
    let headers = "Content-Type: application/x-www-form-urlencoded\r\nAuthorization: AWS4-HMAC-SHA256 \
                   Credential=x/1/r/ec2/aws4_request, SignedHeaders=host, Signature=0\r\n";
    let (_, body) =
        request(endpoint, "POST", "/", headers, "Action=DescribeSubnets&Version=2016-11-15").await?;
    let id = body.split("<subnetId>").nth(1).and_then(|rest| rest.split('<').next());
    Ok(id.ok_or("no subnet")?.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_update_drops_no_request() -> Fallible<()> {
    let dir = tempfile::tempdir()?;
    let instance = unique("server");
    let engine = Arc::new(crate::testing::engine(&instance, None).await);
    let image = ProbeImage::load(&engine).await?;
    let options = Options { state_dir: dir.path().to_owned(), region: "r".into(), instance };
    let cloud = Cloud::open(options, system_clock())?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let endpoint = listener.local_addr()?;
    let sink = Arc::new(cloud.clone());
    let server = tokio::spawn(serve_on(listener, cloud, Arc::clone(&engine), sink, std::future::pending()));
    let name = image.name.clone();
    let outcome = tokio::spawn(async move { update_under_load(endpoint, &name).await }).await;
    request(endpoint, "POST", "/_local/stop", "", "").await?;
    server.await??;
    engine.remove_all().await?;
    image.remove().await?;
    outcome?
}
