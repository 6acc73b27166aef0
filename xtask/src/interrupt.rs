//! Ctrl-C, and what the user then wants. Before a rollout has begun there is nothing to ask: the run
//! ends. During one, the run asks on a terminal, rolls back if it was told to, and otherwise leaves the
//! rollout to ECS and says so. A second Ctrl-C always ends the run.

use tokio::sync::{mpsc, watch};

use crate::event::{Event, Events};

/// What is wanted once the run is interrupted during a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The run ends; the rollout goes on.
    Leave,
    /// The user is asked.
    Ask,
    /// The rollout is stopped and rolled back; the run ends when that is done.
    RollBack,
}

/// What the user wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wish {
    #[default]
    GoOn,
    RollBack,
    Leave,
}

/// Knows whether the user has interrupted. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Interrupts {
    wish: watch::Receiver<Wish>,
}

impl Interrupts {
    /// A run that nobody interrupts.
    #[must_use]
    pub fn never() -> Self {
        Self { wish: watch::channel(Wish::GoOn).1 }
    }

    /// Whether the rollout is to be rolled back; nothing new may be started then.
    #[must_use]
    pub fn rolls_back(&self) -> bool {
        *self.wish.borrow() == Wish::RollBack
    }

    /// Comes when the rollout is to be rolled back.
    pub async fn roll_back(&self) {
        self.wait_for(Wish::RollBack).await;
    }

    /// Comes when the run is to end at once.
    pub async fn leave(&self) {
        self.wait_for(Wish::Leave).await;
    }

    /// With nobody left to interrupt, it never comes.
    async fn wait_for(&self, wish: Wish) {
        if self.wish.clone().wait_for(|now| *now == wish).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Listens to the signals until the returned task is aborted.
#[must_use]
pub fn listen(policy: Policy, events: Events) -> (Interrupts, tokio::task::JoinHandle<()>) {
    let (signal, signals) = mpsc::channel(1);
    let (sender, wish) = watch::channel(Wish::GoOn);
    let task = tokio::spawn(async move {
        tokio::join!(hear(signal), decide(policy, &events, signals, &sender, answer));
    });
    (Interrupts { wish }, task)
}

/// Ctrl-C, and the signal that a CI service or an init sends before it kills.
async fn hear(signal: mpsc::Sender<()>) {
    #[cfg(unix)]
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).ok();
    loop {
        #[cfg(unix)]
        let terminated = async {
            match &mut terminate {
                Some(terminate) => terminate.recv().await,
                None => std::future::pending().await,
            }
        };
        #[cfg(not(unix))]
        let terminated = std::future::pending::<Option<()>>();
        let heard = tokio::select! {
            heard = tokio::signal::ctrl_c() => heard.is_ok(),
            heard = terminated => heard.is_some(),
        };
        if !heard || signal.send(()).await.is_err() {
            return;
        }
    }
}

/// Turns signals into what is wanted; ends once the run is to end.
async fn decide<A: Future<Output = Option<String>>>(
    policy: Policy,
    events: &Events,
    mut signals: mpsc::Receiver<()>,
    wish: &watch::Sender<Wish>,
    answer: impl Fn() -> A,
) {
    while signals.recv().await.is_some() {
        let rolling_back = *wish.borrow() == Wish::RollBack;
        let wanted = match policy {
            _ if rolling_back || events.under_way().is_empty() => Wish::Leave,
            Policy::Leave => Wish::Leave,
            Policy::RollBack => Wish::RollBack,
            Policy::Ask => {
                events.emit(Event::Asked { question: question(&events.under_way()) });
                let wanted = tokio::select! {
                    // Whoever interrupts the question wants to be gone.
                    _ = signals.recv() => Wish::Leave,
                    answer = answer() => wish_of(answer.as_deref()),
                };
                events.emit(Event::Answered);
                wanted
            }
        };
        wish.send_replace(wanted);
        if wanted == Wish::Leave {
            return;
        }
    }
}

fn question(under_way: &[String]) -> String {
    format!(
        "{} would go on without this command. [W]atch on, [l]eave it, or [r]oll back?",
        under_way.join(", ")
    )
}

/// No answer, the terminal is gone: then nobody watches.
fn wish_of(answer: Option<&str>) -> Wish {
    match answer.map(|answer| answer.trim().to_lowercase()).as_deref() {
        Some("r" | "roll back" | "rollback") => Wish::RollBack,
        Some("l" | "leave" | "q") | None => Wish::Leave,
        Some(_) => Wish::GoOn,
    }
}

/// A line of the terminal. A thread waits for it, which the end of the run does not wait for.
async fn answer() -> Option<String> {
    let line = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).ok().filter(|read| *read > 0).map(|_| line)
    });
    line.await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Phase;

    /// What is wanted after so many signals and this answer, if a rollout is under way or not.
    async fn wanted(policy: Policy, rollout: bool, signals: usize, typed: &str) -> Wish {
        let (events, _receiver) = Events::channel();
        let _running = events.start(Phase::Rollout, "web");
        let _under_way = rollout.then(|| events.goes_on("the rollout of `web:2`"));
        let (signal, receiver) = mpsc::channel(8);
        for _ in 0..signals {
            signal.send(()).await.expect("it is received");
        }
        drop(signal);
        let (sender, wish) = watch::channel(Wish::GoOn);
        let typed = Some(typed.to_owned());
        decide(policy, &events, receiver, &sender, || async { typed.clone() }).await;
        *wish.borrow()
    }

    #[tokio::test]
    async fn without_a_rollout_the_run_ends() {
        for policy in [Policy::Leave, Policy::Ask, Policy::RollBack] {
            assert_eq!(wanted(policy, false, 1, "r\n").await, Wish::Leave);
        }
    }

    #[tokio::test]
    async fn during_a_rollout_the_policy_decides() {
        assert_eq!(wanted(Policy::Leave, true, 1, "").await, Wish::Leave);
        assert_eq!(wanted(Policy::RollBack, true, 1, "").await, Wish::RollBack);
        assert_eq!(wanted(Policy::RollBack, true, 2, "").await, Wish::Leave);
    }

    #[test]
    fn answers() {
        for (answer, wish) in [
            (Some("\n"), Wish::GoOn),
            (Some("w\n"), Wish::GoOn),
            (Some("what?\n"), Wish::GoOn),
            (Some("L\n"), Wish::Leave),
            (Some(" r \n"), Wish::RollBack),
            (None, Wish::Leave),
        ] {
            assert_eq!(wish_of(answer), wish, "{answer:?}");
        }
    }
}
