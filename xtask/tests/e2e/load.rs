//! A steady load on a service, of which no request may fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::moments::Cloud;
use crate::support::{Workspace, get, measured};

/// Who asks, each for itself, and how long each waits from one request to the next: 250 a second,
/// each on a connection of its own.
const CLIENTS: u32 = 2;
const PERIOD: Duration = Duration::from_millis(8);

/// What a loaded machine reaches all the same.
const FLOOR: f64 = 50.0;

/// Requests at an even pace.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    began: Instant,
    clients: Vec<std::thread::JoinHandle<(u32, Vec<String>)>>,
}

impl Load {
    /// Begins; the service has to answer already.
    pub(crate) fn on(address: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |_| {
            let (stop, address) = (stop.clone(), address.to_owned());
            std::thread::spawn(move || requests(&address, &stop))
        };
        Self { began: Instant::now(), clients: (0..CLIENTS).map(client).collect(), stop }
    }

    /// Ends: every request has to have been answered, and there have to have been enough of them.
    pub(crate) fn stop(self, workspace: &Workspace) {
        self.stop.store(true, Ordering::Relaxed);
        let (mut count, mut failures) = (0, Vec::new());
        for client in self.clients {
            let (requests, failed) = client.join().expect("the load does not panic");
            count += requests;
            failures.extend(failed);
        }
        let rate = f64::from(count) / self.began.elapsed().as_secs_f64();
        let of = format!("of {count} requests, {rate:.0} a second");
        measured(&of);
        assert_eq!(failures, Vec::<String>::new(), "{of}; {}", Cloud::of(workspace).story());
        assert!(rate > FLOOR, "the load was too low to tell: {of}");
    }
}

fn requests(address: &str, stop: &AtomicBool) -> (u32, Vec<String>) {
    let (mut count, mut failures) = (0, Vec::new());
    let began = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        count += 1;
        failures.extend(get(address).err().map(|error| format!("{:?}: {error}", began.elapsed())));
        let due = began + PERIOD * count;
        std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
    }
    (count, failures)
}
