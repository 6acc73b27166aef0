//! The server of the tests: without dependencies, it compiles in a moment.
//!
//! Its arguments are steps, taken one after the other; then it serves at `PORT` and answers with
//! `VERSION`, until it is told to stop. Told so, it ends the requests that it has.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::exit;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

static TERMINATED: AtomicBool = AtomicBool::new(false);
static STUBBORN: AtomicBool = AtomicBool::new(false);
/// Connections that are open.
static OPEN: AtomicUsize = AtomicUsize::new(0);

fn main() {
    let began = Instant::now();
    on_sigterm();
    let mut healthy_after = Duration::ZERO;
    let mut held = Vec::new();
    for step in std::env::args().skip(1) {
        let (word, value) = step.split_once('=').unwrap_or((&step, ""));
        let number = || value.parse::<u64>().expect("a number");
        match word {
            // Ends at once, as one that does not find what it needs.
            "crash" => crash(),
            "exit" => exit(number() as i32),
            "sleep" => sleep(Duration::from_millis(number())),
            // Goes on, and crashes later.
            "crash-after" => later(number(), crash),
            "memory" => allocate(),
            "bind" => held.push(listen(number() as u16)),
            "healthy-after" => healthy_after = Duration::from_millis(number()),
            // A health check's command.
            "check" => exit(check()),
            "idle" => idle(),
            // Does not stop when it is told to.
            "stubborn" => STUBBORN.store(true, Ordering::SeqCst),
            other => panic!("no such step: {other}"),
        }
    }
    serve(listen(port()), began, healthy_after);
}

fn port() -> u16 {
    std::env::var("PORT").ok().and_then(|port| port.parse().ok()).expect("PORT is a port")
}

fn listen(port: u16) -> TcpListener {
    TcpListener::bind(("0.0.0.0", port)).unwrap_or_else(|error| {
        eprintln!("bind 0.0.0.0:{port}: {error}");
        exit(1)
    })
}

fn crash() {
    eprintln!("cannot go on");
    exit(3);
}

/// Unless it is told to stop meanwhile.
fn sleep(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        if TERMINATED.load(Ordering::SeqCst) {
            exit(0);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn later(millis: u64, action: fn()) {
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(millis));
        action();
    });
}

/// Until the kernel has had enough.
fn allocate() {
    let mut all = Vec::new();
    loop {
        all.push(vec![1_u8; 4 << 20]);
        std::hint::black_box(&all);
    }
}

fn check() -> i32 {
    i32::from(!matches!(ask(), Ok(answer) if answer.starts_with("HTTP/1.1 200")))
}

fn ask() -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port()))?;
    stream.write_all(b"GET /health HTTP/1.1\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn serve(listener: TcpListener, began: Instant, healthy_after: Duration) {
    println!("listening");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            OPEN.fetch_add(1, Ordering::SeqCst);
            std::thread::spawn(move || {
                answer(stream, began.elapsed() >= healthy_after);
                OPEN.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    idle();
}

fn answer(mut stream: TcpStream, healthy: bool) {
    let mut request = [0; 4096];
    let read = stream.read(&mut request).unwrap_or(0);
    let bad = request[..read].starts_with(b"GET /bad") || request[..read].starts_with(b"GET /health") && !healthy;
    let status = if bad { "500 Internal Server Error" } else { "200 OK" };
    let body = std::env::var("VERSION").unwrap_or_default();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all((head + &body).as_bytes());
}

/// Until it is told to stop and has answered all there is: a container's first process is not ended by
/// the signal alone.
fn idle() {
    let mut quiet = 0;
    while quiet < 5 {
        std::thread::sleep(Duration::from_millis(20));
        let done = !STUBBORN.load(Ordering::SeqCst) && TERMINATED.load(Ordering::SeqCst) && OPEN.load(Ordering::SeqCst) == 0;
        quiet = if done { quiet + 1 } else { 0 };
    }
    exit(0);
}

fn on_sigterm() {
    unsafe extern "C" {
        fn signal(signal: i32, handler: extern "C" fn(i32)) -> usize;
    }
    extern "C" fn terminated(_: i32) {
        TERMINATED.store(true, Ordering::SeqCst);
    }
    const SIGTERM: i32 = 15;
    unsafe { signal(SIGTERM, terminated) };
}
