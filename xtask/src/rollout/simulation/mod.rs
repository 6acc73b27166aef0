//! The verdict and the control plane's state machine, run together in virtual time.
//!
//! Every seed is one rollout: tasks that crash, hang, start late or go unhealthy, answers that are
//! late or old, others who interfere, and every *assumed* rule of the control plane varied
//! ([`local_aws::state::ecs::rules`]). What must hold is in [`laws`].
//!
//! - `SIMULATION_ROLLOUTS=1000000 cargo test -p xtask simulation` runs more of them.
//! - `SIMULATION_SEED=17 cargo test -p xtask simulation` runs one, and says all about it if it fails.

mod client;
mod cloud;
mod frame;
mod laws;
mod rng;
mod run;
mod scenario;
mod template;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use run::{Told, rollout};

/// How many rollouts, unless said: two cores take about a minute.
const ROLLOUTS: u64 = 100_000;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

/// What came of many rollouts.
#[derive(Default)]
struct Tally {
    outcomes: BTreeMap<String, u64>,
    late: Vec<f64>,
    broken: Vec<(u64, String)>,
}

impl Tally {
    fn add(&mut self, seed: u64, result: Result<Told, String>) {
        match result {
            Ok(Told { verdict, late }) => {
                let name = verdict.map_or("nothing to do".to_owned(), |verdict| format!("{verdict:?}"));
                let name = name.split('(').next().unwrap_or_default().to_owned();
                *self.outcomes.entry(name).or_default() += 1;
                self.late.extend(late);
            }
            Err(broken) => self.broken.push((seed, broken)),
        }
    }

    fn join(&mut self, other: Self) {
        for (name, count) in other.outcomes {
            *self.outcomes.entry(name).or_default() += count;
        }
        self.late.extend(other.late);
        self.broken.extend(other.broken);
    }
}

/// Runs the seeds on all cores; stops soon after the first few that break a law.
fn run_all(seeds: std::ops::Range<u64>) -> Tally {
    let next = AtomicU64::new(seeds.start);
    let all = Mutex::new(Tally::default());
    let work = || {
        let mut mine = Tally::default();
        while mine.broken.len() < 200 {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                break;
            }
            mine.add(seed, rollout(seed));
        }
        all.lock().expect("no thread panicked").join(mine);
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    all.into_inner().expect("no thread panicked")
}

#[test]
#[expect(clippy::print_stderr, reason = "numbers, for who asks with --nocapture")]
fn rollouts_never_lie() {
    if let Some(seed) = number("SIMULATION_SEED") {
        if let Err(broken) = rollout(seed) {
            panic!("seed {seed}: {broken}");
        }
        return;
    }
    let began = Instant::now();
    let count = number("SIMULATION_ROLLOUTS").unwrap_or(ROLLOUTS);
    let mut tally = run_all(0..count);
    tally.late.sort_by(f64::total_cmp);
    let late = |share: usize| tally.late.get(tally.late.len() * share / 100).copied().unwrap_or_default();
    eprintln!(
        "{count} rollouts in {:.1} s: {:?}; from the fact to the verdict {:.1} s at the median, {:.1} s for 95 %",
        began.elapsed().as_secs_f64(),
        tally.outcomes,
        late(50),
        late(95)
    );
    tally.broken.sort();
    let mut kinds: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for (seed, broken) in &tally.broken {
        kinds.entry(broken.lines().next().unwrap_or_default()).or_default().push(*seed);
    }
    let kinds: Vec<String> = kinds
        .iter()
        .map(|(kind, seeds)| format!("{kind}: {} rollouts, SIMULATION_SEED={}", seeds.len(), seeds[0]))
        .collect();
    assert!(tally.broken.is_empty(), "laws were broken:\n{}", kinds.join("\n"));
}
