//! A proxy between the program and the control plane, that breaks what the network and AWS break.
//!
//! It speaks as much HTTP as the SDKs do: requests with a length, one after the other on a connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

/// A call that came in.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// When.
    pub(crate) at: Instant,
    /// `DescribeServices` …
    pub(crate) operation: String,
    /// The access key it was signed with.
    pub(crate) key: String,
    /// How many calls had to be answered before it, one after the other, as far as time can tell.
    pub(crate) depth: usize,
}

/// What becomes of a call.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    /// The control plane answers it.
    Pass,
    /// The control plane answers it, and the answer takes its time.
    Late(Duration),
    /// It does not get there; this answer comes instead.
    Answer(u16, &'static str),
    /// The control plane answers it, and words of the answer are replaced.
    Reword(&'static [(&'static str, &'static str)]),
    /// The control plane carries it out, and the connection breaks before the answer is through.
    LoseAnswer,
    /// The control plane carries it out, and nothing comes back, ever.
    Swallow,
}

/// AWS's words for a call that came too soon after others.
pub(crate) const THROTTLED: Fate =
    Fate::Answer(400, r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#);
/// AWS's words for a failure of its own.
pub(crate) const BROKEN: Fate = Fate::Answer(
    500,
    r#"{"__type":"ServerException","message":"Service Unavailable. Please try again later."}"#,
);
/// AWS's words for a session that is over.
pub(crate) const EXPIRED: Fate = Fate::Answer(
    400,
    r#"{"__type":"ExpiredTokenException","message":"The security token included in the request is expired"}"#,
);

/// The state of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// It works.
    Up,
    /// Connections are refused, and those that there are break.
    Refused,
    /// Connections are accepted and nothing is ever answered on them, even later.
    Silent,
}

type Fates = Box<dyn FnMut(&Call) -> Fate + Send>;

struct Shared {
    upstream: SocketAddr,
    network: watch::Sender<Network>,
    fates: Mutex<Fates>,
    calls: Mutex<Vec<Call>>,
    answered: Mutex<Vec<String>>,
    /// The depth of the deepest call that was answered.
    depth: AtomicUsize,
    news: Condvar,
}

/// The proxy, in threads of its own; it ends with this value.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    runtime: tokio::runtime::Runtime,
}

impl Proxy {
    /// Before this endpoint (`http://127.0.0.1:PORT`).
    pub(crate) fn before(endpoint: &str) -> Self {
        let upstream = endpoint.trim_start_matches("http://").parse().expect("an address");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime.block_on(async { bind(0)?.listen(BACKLOG) }).expect("a free port");
        let address = listener.local_addr().expect("it has an address");
        let shared = Arc::new(Shared {
            upstream,
            network: watch::Sender::new(Network::Up),
            fates: Mutex::new(Box::new(|_| Fate::Pass)),
            calls: Mutex::default(),
            answered: Mutex::default(),
            depth: AtomicUsize::new(0),
            news: Condvar::new(),
        });
        runtime.spawn(accept(listener, address.port(), shared.clone()));
        Self { address, shared, runtime }
    }

    /// What AWS_ENDPOINT_URL has to be.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Runs a call of an SDK.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Decides calls from now on.
    pub(crate) fn decide(&self, fates: impl FnMut(&Call) -> Fate + Send + 'static) {
        *lock(&self.shared.fates) = Box::new(fates);
    }

    /// Lets every call pass from now on; returns when that was.
    pub(crate) fn pass(&self) -> Instant {
        self.decide(|_| Fate::Pass);
        Instant::now()
    }

    /// Breaks the network.
    pub(crate) fn cut(&self, how: Network) {
        self.shared.network.send_replace(how);
    }

    /// Mends it; returns when that was.
    pub(crate) fn mend(&self) -> Instant {
        self.shared.network.send_replace(Network::Up);
        Instant::now()
    }

    /// Waits until the control plane has answered this operation, once more than `before` times.
    pub(crate) fn answered(&self, operation: &str, before: usize) {
        let answered = lock(&self.shared.answered);
        let often = |answered: &Vec<String>| answered.iter().filter(|one| *one == operation).count();
        let (_answered, late) = self
            .shared
            .news
            .wait_timeout_while(answered, Duration::from_secs(60), |answered| often(answered) <= before)
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!late.timed_out(), "{operation} was never called: {:#?}", self.calls());
    }

    /// All calls so far, whatever became of them.
    pub(crate) fn calls(&self) -> Vec<Call> {
        lock(&self.shared.calls).clone()
    }

    /// Counts depths anew.
    pub(crate) fn begin(&self) {
        lock(&self.shared.calls).clear();
        self.shared.depth.store(0, Ordering::SeqCst);
    }

    /// How many calls of this operation came in.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.calls().iter().filter(|call| call.operation == operation).count()
    }
}

/// Connections that wait to be accepted.
const BACKLOG: u32 = 128;

fn bind(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    Ok(socket)
}

async fn accept(listener: TcpListener, port: u16, shared: Arc<Shared>) {
    let mut network = shared.network.subscribe();
    let mut listening = Some(listener);
    loop {
        if *network.borrow_and_update() == Network::Refused {
            drop(listening.take());
            // Kept, and not listened at: connections are refused, and nobody else gets the port.
            let kept = bind(port).expect("nobody else has taken the port");
            drop(network.wait_for(|network| *network != Network::Refused).await);
            listening = Some(kept.listen(BACKLOG).expect("it is ours"));
        }
        let listener = listening.take().expect("it is there between two turns");
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(connection(stream, shared.clone()));
                }
            }
            _ = network.changed() => {}
        }
        listening = Some(listener);
    }
}

/// One connection, until either side ends it or the network does.
async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let mut network = shared.network.subscribe();
    let broken = async move { drop(network.wait_for(|network| *network == Network::Refused).await) };
    tokio::select! {
        served = serve(stream, &shared) => drop(served),
        () = broken => {}
    }
}

async fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = message(&mut stream).await? {
        let depth = shared.depth.load(Ordering::SeqCst) + 1;
        let (operation, key) = (operation(&request), access_key(&request));
        let call = Call { at: Instant::now(), operation, key, depth };
        lock(&shared.calls).push(call.clone());
        // What goes into a silent connection stays there.
        if *shared.network.borrow() == Network::Silent {
            std::future::pending::<()>().await;
        }
        let fate = lock(&shared.fates)(&call);
        if let Fate::Answer(status, body) = fate {
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all((head + body).as_bytes()).await?;
            continue;
        }
        let mut answer = forward(shared.upstream, &request).await?;
        lock(&shared.answered).push(call.operation.clone());
        shared.news.notify_all();
        match fate {
            Fate::LoseAnswer => return Ok(()),
            Fate::Swallow => std::future::pending().await,
            Fate::Reword(words) => answer = reworded(&answer, words),
            Fate::Late(time) => tokio::time::sleep(time).await,
            Fate::Pass | Fate::Answer(..) => {}
        }
        shared.depth.fetch_max(call.depth, Ordering::SeqCst);
        stream.write_all(&answer).await?;
    }
    Ok(())
}

async fn forward(upstream: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = BufReader::new(TcpStream::connect(upstream).await?);
    stream.write_all(request).await?;
    message(&mut stream).await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

fn reworded(answer: &[u8], words: &[(&str, &str)]) -> Vec<u8> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let body = words.iter().fold(body.to_owned(), |body, (old, new)| body.replace(old, new));
    let head = head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("content-length"));
    let head: Vec<_> = head.collect();
    format!("{}\r\ncontent-length: {}\r\n\r\n{body}", head.join("\r\n"), body.len()).into_bytes()
}

/// A whole request or answer, head and body; nothing if the connection ended before one.
async fn message(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    let mut message = Vec::new();
    let mut length = 0;
    loop {
        let start = message.len();
        if stream.read_until(b'\n', &mut message).await? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&message[start..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let head = message.len();
    message.resize(head + length, 0);
    stream.read_exact(&mut message[head..]).await?;
    Ok(Some(message))
}

/// `x-amz-target: AmazonEC2ContainerServiceV20141113.DescribeServices`, or `Action=DescribeVpcs` in the
/// body.
fn operation(request: &[u8]) -> String {
    let text = String::from_utf8_lossy(request);
    let target = text.lines().find_map(|line| line.strip_prefix("x-amz-target: ")?.split('.').nth(1));
    let action = || text.split("Action=").nth(1)?.split('&').next();
    target.or_else(action).unwrap_or_default().trim().to_owned()
}

/// `authorization: AWS4-HMAC-SHA256 Credential=KEY/…`
fn access_key(request: &[u8]) -> String {
    let text = String::from_utf8_lossy(request);
    let key = text.split("Credential=").nth(1).and_then(|rest| rest.split('/').next());
    key.unwrap_or_default().to_owned()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
