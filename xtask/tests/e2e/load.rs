//! A steady load on a service, of which no request may fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::get;

/// Between two requests, each on a connection of its own: 250 a second.
const PERIOD: Duration = Duration::from_millis(4);

/// What a loaded machine reaches all the same.
const FLOOR: f64 = 50.0;

/// Requests at an even pace, one after the other.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    began: Instant,
    thread: std::thread::JoinHandle<(u32, Vec<String>)>,
}

impl Load {
    /// Begins; the service has to answer already.
    pub(crate) fn on(address: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (stop, address) = (stop.clone(), address.to_owned());
            move || requests(&address, &stop)
        });
        Self { stop, began: Instant::now(), thread }
    }

    /// Ends: every request has to have been answered, and there have to have been enough of them.
    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        let (count, failures) = self.thread.join().expect("the load does not panic");
        let rate = f64::from(count) / self.began.elapsed().as_secs_f64();
        let of = format!("of {count} requests, {rate:.0} a second");
        assert_eq!(failures, Vec::<String>::new(), "{of}");
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
