//! Calls that AWS throttles hard are spread in time here, before it does.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// RegisterTaskDefinition: this many at once.
/// Source: observed; users report 20 at once and one a second after that.
const BURST: u32 = 20;

/// And one each so long after that.
const REFILL: Duration = Duration::from_secs(1);

/// Lets `BURST` calls through at once, and one each `REFILL` after that. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Bucket(Arc<Mutex<Option<Instant>>>);

impl Bucket {
    /// Waits for this call's turn.
    pub(super) async fn turn(&self) {
        let wait = {
            let mut full = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let (wait, next) = take(*full, Instant::now());
            *full = Some(next);
            wait
        };
        tokio::time::sleep(wait).await;
    }
}

/// How long the next call has to wait, and when the bucket is full again. `full`: when it will be, by what was
/// taken so far.
fn take(full: Option<Instant>, now: Instant) -> (Duration, Instant) {
    let full = full.map_or(now, |full| full.max(now));
    let next = full + REFILL;
    let empty = now + REFILL * BURST;
    (next.saturating_duration_since(empty), next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_at_once_and_then_one_a_second() {
        let start = Instant::now();
        let mut full = None;
        let waits: Vec<u64> = (0..23)
            .map(|_| {
                let (wait, next) = take(full, start);
                full = Some(next);
                wait.as_secs()
            })
            .collect();
        assert_eq!(waits[..20], [0; 20]);
        assert_eq!(waits[20..], [1, 2, 3]);
        let later = start + Duration::from_secs(60);
        assert_eq!(take(full, later).0, Duration::ZERO, "it fills up again");
        let (wait, _) = take(full, start + Duration::from_secs(3));
        assert_eq!(wait, Duration::from_secs(1), "by one a second");
    }
}
