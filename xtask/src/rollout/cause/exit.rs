//! Causes from how a container ended, and from what it wrote before.

use super::{Cause, Facts, cause};
use crate::rollout::declared::DeclaredContainer;

/// What to do about a program that ends by its own doing.
const LOG: &str = "its log says more: `cargo xtask logs --previous` shows all of it";

/// How much of a program's last line is worth quoting.
const QUOTE: usize = 160;

/// What the log says better than the exit code does.
pub(super) fn by_log(facts: &Facts<'_>) -> Option<Cause> {
    let (name, _) = facts.exit?;
    let says = |words: &str| facts.log.iter().rev().find(|line| line.to_lowercase().contains(words));
    if says("exec format error").is_some() {
        return Some(wrong_cpu(name, facts));
    }
    // Words of the C library, of Node and of Go.
    let taken = ["address already in use", "address in use", "eaddrinuse"];
    taken.iter().find_map(|words| says(words)).map(|line| port_taken(name, line, facts))
}

/// A program of another CPU starts and ends at once, with these words in its log (observed: runc from
/// 1.0 on, kubernetes/kubernetes and docker/for-win threads on `exec format error`); where the image's
/// own manifest tells, the pull fails before that.
pub(super) fn wrong_cpu(name: &str, facts: &Facts<'_>) -> Cause {
    let platform = &facts.declared.platform;
    let image = facts.declared.container(name).map(|one| one.image.as_str()).unwrap_or_default();
    cause(
        format!("`{name}`: its image `{image}` is for another CPU than the task, which is {platform}"),
        &[
            &format!("build it for {platform}"),
            "or set `platform` of the image (or of the service) to what it was built for",
        ],
    )
}

fn port_taken(name: &str, line: &str, facts: &Facts<'_>) -> Cause {
    let declared = &facts.declared;
    let own = declared.container(name).map(|one| one.ports.as_slice()).unwrap_or_default();
    let others: Vec<&DeclaredContainer> =
        declared.containers.iter().filter(|other| other.name != name).collect();
    let port = port_in(line).or_else(|| own.first().copied());
    let owner = others.iter().find(|other| port.is_some_and(|port| other.ports.contains(&port)));
    let who: Vec<String> = owner
        .map_or(others.as_slice(), std::slice::from_ref)
        .iter()
        .map(|o| format!("`{}`", o.name))
        .collect();
    let port = port.map_or_else(|| "its port".to_owned(), |port| format!("port {port}"));
    if who.is_empty() {
        return cause(
            format!("`{name}` cannot listen: {port} is taken already, by the container itself"),
            &["does it listen twice?"],
        );
    }
    let who = who.join(" or ");
    cause(
        format!("`{name}` cannot listen: {port} is taken by {who}, with which it shares the task's network"),
        &[&format!("give `{name}` and {who} a port each")],
    )
}

/// The port that a line names: the last number after a colon, or after `port`.
fn port_in(line: &str) -> Option<i64> {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != ':');
    let mut found = None;
    let mut after_port = false;
    for word in words.filter(|word| !word.is_empty()) {
        let number = word.rsplit(':').find(|part| !part.is_empty()).and_then(|part| part.parse::<u16>().ok());
        if word.contains(':') || after_port {
            found = number.filter(|number| *number > 0).map(i64::from).or(found);
        }
        after_port = word.trim_end_matches(':').eq_ignore_ascii_case("port");
    }
    found
}

/// A container that another one waits for to succeed.
pub(super) fn by_dependency(facts: &Facts<'_>) -> Option<Cause> {
    let (name, code) = facts.exit.filter(|(_, code)| *code != 0)?;
    let waiting = facts.declared.waiting_for(name, "SUCCESS")?;
    let mut found = by_exit(facts)?;
    found.cause = format!(
        "`{waiting}` never started: it waits for `{name}` to succeed, which exited with code {code}{}",
        quoted(facts)
    );
    Some(found)
}

/// The exit code in words, with the program's own last ones.
pub(super) fn by_exit(facts: &Facts<'_>) -> Option<Cause> {
    let (name, code) = facts.exit?;
    let found = match code {
        0 => cause(
            format!("`{name}` ended by itself"),
            &["a service's program has to go on: or set `essential = false`"],
        ),
        137 => cause(
            format!("`{name}` was killed (SIGKILL)"),
            &["out of memory, or slower to stop than its `stop-timeout`"],
        ),
        139 => cause(format!("`{name}` crashed (SIGSEGV)"), &[LOG]),
        134 => cause(
            format!(
                "`{name}` aborted (SIGABRT), as a panic does with `panic = \"abort\"`{}",
                panicked(facts)
            ),
            &[LOG],
        ),
        101 => cause(
            format!("`{name}` panicked{}: 101 is the exit code of a Rust panic", panicked(facts)),
            &[LOG],
        ),
        143 => cause(format!("`{name}` was stopped (SIGTERM)"), &[LOG]),
        code => cause(format!("`{name}` exited with code {code}{}", quoted(facts)), &[LOG]),
    };
    Some(found)
}

/// The last line, as far as it is fit for a sentence.
fn quoted(facts: &Facts<'_>) -> String {
    let last = facts.log.iter().rev().map(|line| line.trim()).find(|line| !line.is_empty());
    last.map(|line| format!(": {}", shortened(line))).unwrap_or_default()
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(QUOTE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

/// Where a Rust panic happened: `thread 'main' (7) panicked at src/main.rs:5:9:`, then the message.
fn panicked(facts: &Facts<'_>) -> String {
    let at = facts.log.iter().rposition(|line| line.contains(" panicked at "));
    let Some(at) = at else { return String::new() };
    let place = facts.log[at].split(" panicked at ").nth(1).unwrap_or_default().trim_end_matches(':');
    let message = facts.log.get(at + 1).map(|line| format!(" ({})", shortened(line.trim())));
    format!(" at {place}{}", message.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_that_a_line_names() {
        let cases = [
            ("bind 0.0.0.0:4000: Address already in use (os error 98)", Some(4000)),
            ("Error: listen EADDRINUSE: address already in use :::3000", Some(3000)),
            ("listen tcp :8080: bind: address already in use", Some(8080)),
            ("Port 5432 is in use", Some(5432)),
            ("[::]:80 in use", Some(80)),
            ("address already in use (os error 98)", None),
        ];
        for (line, port) in cases {
            assert_eq!(port_in(line), port, "{line}");
        }
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        assert_eq!(shortened(&"ä".repeat(QUOTE + 1)), format!("{}…", "ä".repeat(QUOTE)));
        assert_eq!(shortened("short"), "short");
    }
}
