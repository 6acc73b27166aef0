//! What a container does in a test, as its arguments say, one after the other:
//!
//! ```text
//! print N           N numbered lines on stdout        err TEXT         a line on stderr
//! long BYTES        one line of that length           env NAME         NAME=value, or NAME unset
//! ids               uid and working directory         write FILE       creates it, or says why not
//! cat FILE          its content                       health FILE      exit 0 if it exists, else 1
//! alloc MIB         takes that much memory            busy MILLIS      takes CPU time
//! get HOST:PORT     an HTTP GET, prints the body      exit CODE        ends
//! sleep             until SIGTERM, then exit 0        stubborn         ignores SIGTERM for ever
//! pause MILLIS      takes no CPU time
//! listen PORT TEXT  HTTP: answers TEXT until SIGTERM, finishes what came in, then exit 0
//! ```

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

static STOP: AtomicBool = AtomicBool::new(false);

const SIGTERM: i32 = 15;
const SIG_IGN: usize = 1;

unsafe extern "C" {
    fn signal(number: i32, handler: usize) -> usize;
    fn getuid() -> u32;
}

extern "C" fn on_term(_: i32) {
    STOP.store(true, Ordering::SeqCst);
}

fn main() {
    let handler = on_term as extern "C" fn(i32) as usize;
    unsafe { signal(SIGTERM, handler) };
    let mut args = std::env::args().skip(1);
    while let Some(word) = args.next() {
        let mut next = || args.next().unwrap_or_else(|| panic!("`{word}` needs an argument"));
        match word.as_str() {
            "print" => (0..number(&next())).for_each(|n| println!("line {n}")),
            "err" => eprintln!("{}", next()),
            "long" => println!("{}", "x".repeat(number(&next()))),
            "env" => {
                let name = next();
                match std::env::var(&name) {
                    Ok(value) => println!("{name}={value}"),
                    Err(_) => println!("{name} unset"),
                }
            }
            "ids" => println!("uid {} in {}", unsafe { getuid() }, std::env::current_dir().unwrap().display()),
            "write" => match std::fs::write(next(), "written") {
                Ok(()) => println!("written"),
                Err(e) => println!("not written: {e}"),
            },
            "cat" => println!("{}", std::fs::read_to_string(next()).unwrap_or_else(|e| e.to_string())),
            "health" => std::process::exit(i32::from(!std::path::Path::new(&next()).exists())),
            "alloc" => allocate(number(&next())),
            "busy" => busy(Duration::from_millis(number(&next()) as u64)),
            "pause" => std::thread::sleep(Duration::from_millis(number(&next()) as u64)),
            "get" => println!("{}", get(&next()).unwrap_or_else(|e| e.to_string())),
            "exit" => std::process::exit(number(&next()) as i32),
            "sleep" => wait_for_stop(),
            "stubborn" => {
                unsafe { signal(SIGTERM, SIG_IGN) };
                println!("stubborn");
                loop {
                    std::thread::park();
                }
            }
            "listen" => listen(&next(), &next()),
            other => panic!("what is `{other}`?"),
        }
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is not a number"))
}

fn stopped() -> bool {
    STOP.load(Ordering::SeqCst)
}

fn wait_for_stop() {
    while !stopped() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn busy(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::black_box(0);
    }
}

fn allocate(mib: usize) {
    let mut all = Vec::new();
    for _ in 0..mib {
        all.push(vec![1_u8; 1024 * 1024]); // not zero: the pages are really taken
    }
    println!("allocated {}", all.len());
}

fn get(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
}

fn listen(port: &str, text: &str) {
    let listener = TcpListener::bind(format!("0.0.0.0:{port}")).expect("binds");
    listener.set_nonblocking(true).expect("non-blocking");
    println!("listening on {port}");
    let mut open = Vec::new();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                let text = text.to_owned();
                open.push(std::thread::spawn(move || drop(answer(stream, &text))));
            }
            // Only when nobody is left in the queue.
            Err(_) if stopped() => break,
            Err(_) => std::thread::sleep(Duration::from_millis(2)),
        }
        open.retain(|thread| !thread.is_finished());
    }
    drop(listener);
    open.into_iter().for_each(|thread| thread.join().expect("answers"));
}

/// One request to a connection.
fn answer(mut stream: TcpStream, text: &str) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            n => request.extend_from_slice(&buffer[..n]),
        }
    }
    let length = text.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}")
}
