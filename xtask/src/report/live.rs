//! Renders events for people as they come: lines that last, and on a terminal the live view below them.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::Style;
use super::human::Lines;
use super::screen::{self, Size};
use super::view::View;
use crate::event::Stamped;

/// Frames come no faster than this; lines that last do.
const FRAME: Duration = Duration::from_millis(50);
/// What is there in a terminal that does not say how large it is.
const USUAL: Size = Size { columns: 80, rows: 24 };

/// Renders events as lines alone.
pub(super) async fn lines(style: Style, mut events: UnboundedReceiver<Stamped>) {
    let mut lines = Lines::new(style);
    while let Some(stamped) = events.recv().await {
        screen::write_err(&lines.event(&stamped.event));
    }
    screen::write_err(&lines.end());
}

/// Renders events as lines, and what goes on below them.
pub(super) async fn live(style: Style, mut events: UnboundedReceiver<Stamped>) {
    let _cleared = Cleared;
    let mut live = Live { style, lines: Lines::new(style), view: View::default(), began: Instant::now() };
    let mut batch = Vec::new();
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut resized = resizes();
    let mut due = None;
    let mut drawn = live.began;
    loop {
        let text = tokio::select! {
            received = events.recv_many(&mut batch, 256) => {
                if received == 0 {
                    break;
                }
                let text = live.take(&mut batch);
                if text.is_empty() {
                    due = Some(due.unwrap_or(drawn + FRAME));
                    continue;
                }
                text
            }
            () = sleep_until(due.unwrap_or(drawn)), if due.is_some() => String::new(),
            _ = second.tick() => String::new(),
            () = resized.next() => String::new(),
        };
        (due, drawn) = (None, Instant::now());
        live.draw(&text);
    }
    let rest = live.lines.end();
    screen::beside(|| screen::write_err(&rest));
}

struct Live {
    style: Style,
    lines: Lines,
    view: View,
    began: Instant,
}

impl Live {
    /// Takes in events; the lines of them that last.
    fn take(&mut self, batch: &mut Vec<Stamped>) -> String {
        let now = self.began.elapsed();
        let events = batch.drain(..).map(|stamped| stamped.event);
        events
            .map(|event| {
                self.view.event(&event, now);
                self.lines.event(&event)
            })
            .collect()
    }

    fn draw(&self, text: &str) {
        let size = screen::size().unwrap_or(USUAL);
        let frame = match self.lines.asking() {
            true => Vec::new(),
            false => self.view.frame(self.began.elapsed(), size, self.style.color),
        };
        screen::draw(text, frame, size);
    }
}

/// Leaves no frame behind, even when the renderer is dropped in the middle of a panic.
struct Cleared;

impl Drop for Cleared {
    fn drop(&mut self) {
        screen::beside(|| ());
    }
}

/// The window's changes of size.
struct Resizes {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

fn resizes() -> Resizes {
    #[cfg(unix)]
    use tokio::signal::unix::{SignalKind, signal};
    Resizes {
        #[cfg(unix)]
        signal: signal(SignalKind::window_change()).ok(),
    }
}

impl Resizes {
    /// The next one. Where they are not told, the next frame sees it.
    async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}
