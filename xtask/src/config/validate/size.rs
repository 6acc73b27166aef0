//! `cpu` and `memory` of a task.

use serde_json::{Map, Value};

use super::Check;
use crate::config::limits;
use crate::config::source::Path;

/// CPU units and MiB, as far as they are said.
pub(super) type Size = (Option<u32>, Option<u32>);

/// What a Fargate task has to say.
/// Source: Amazon ECS Developer Guide, "Task size" for Fargate.
pub(super) fn fargate(
    check: &mut Check<'_>,
    at: &Path,
    cpu: Option<i64>,
    memory: Option<i64>,
) -> Option<Size> {
    for (key, value) in [("cpu", cpu), ("memory", memory)] {
        if value.is_none() {
            check.key(at, format!("`{key}` is missing"), "here", []);
        }
    }
    pair(check, (&at.at("cpu"), cpu?), (&at.at("memory"), memory?))
}

/// What an EC2 task may say: any size that an instance can have.
/// Source: Amazon ECS API Reference, RegisterTaskDefinition (`cpu`: 128 to 196608 units on EC2).
pub(super) fn ec2(check: &mut Check<'_>, at: &Path, cpu: Option<i64>, memory: Option<i64>) -> Option<Size> {
    let size = (
        check.optional(&at.at("cpu"), cpu, 128..=196_608),
        check.optional(&at.at("memory"), memory, 6..=i64::from(i32::MAX)),
    );
    (size.0.is_some() == cpu.is_some() && size.1.is_some() == memory.is_some()).then_some(size)
}

fn pair(
    check: &mut Check<'_>,
    (cpu_at, cpu): (&Path, i64),
    (memory_at, memory): (&Path, i64),
) -> Option<Size> {
    let list = |numbers: &[u32]| numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let (Some(sizes), Ok(cpu)) =
        (u32::try_from(cpu).ok().and_then(limits::fargate_memory), u32::try_from(cpu))
    else {
        let known = list(&limits::fargate_cpus().collect::<Vec<_>>());
        let help = format!("one of {known} (1024 = 1 vCPU)");
        check.value(cpu_at, format!("Fargate has no tasks of {cpu} CPU units"), "", [help]);
        return None;
    };
    if let Some(memory) = u32::try_from(memory).ok().filter(|memory| sizes.contains(memory)) {
        return Some((Some(cpu), Some(memory)));
    }
    let mut help = vec![format!("with cpu = {cpu}, memory is one of {} (MiB)", list(&sizes))];
    let has = |cpu: &u32| {
        limits::fargate_memory(*cpu).is_some_and(|sizes| sizes.iter().any(|size| i64::from(*size) == memory))
    };
    let fitting: Vec<u32> = limits::fargate_cpus().filter(has).collect();
    if !fitting.is_empty() {
        help.push(format!("with memory = {memory}, cpu is one of {}", list(&fitting)));
    }
    let span = check.spans.value_at(memory_at);
    check.push(span, format!("Fargate has no tasks of {cpu} CPU units with {memory} MiB"), "", help);
    None
}

/// The size that ECS JSON says; on Fargate it has to be one of its sizes.
pub(super) fn of_json(check: &mut Check<'_>, at: &Path, body: &Map<String, Value>, is_fargate: bool) -> Size {
    let number = |member: &str, unit: &str| {
        body.get(member).and_then(Value::as_str).and_then(|text| units(text, unit))
    };
    let (cpu, memory) = (number("cpu", "vcpu"), number("memory", "gb"));
    if !is_fargate {
        return (cpu, memory);
    }
    match (cpu, memory) {
        (Some(cpu), Some(memory)) => {
            pair(check, (at, cpu.into()), (at, memory.into())).unwrap_or((Some(cpu), Some(memory)))
        }
        size => {
            let help = "strings, such as `\"cpu\": \"256\"` and `\"memory\": \"512\"`".to_owned();
            check.value(at, "Fargate needs the file's `cpu` and `memory`", "", [help]);
            size
        }
    }
}

/// `1 vCPU` is `1024`, `0.5GB` is `512`.
/// Source: Amazon ECS API Reference, RegisterTaskDefinition (`cpu`, `memory`).
pub(crate) fn units(text: &str, unit: &str) -> Option<u32> {
    let lower = text.trim().to_ascii_lowercase();
    let Some(number) = lower.strip_suffix(unit) else { return lower.parse().ok() };
    let number: f64 = number.trim().parse().ok()?;
    format!("{:.0}", number * 1024.0).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::units;

    #[test]
    fn sizes_are_read_in_either_unit() {
        assert_eq!(
            [units("256", "vcpu"), units("1 vCPU", "vcpu"), units(".25 vCPU", "vcpu")],
            [Some(256), Some(1024), Some(256)]
        );
        assert_eq!([units("0.5GB", "gb"), units("many", "gb")], [Some(512), None]);
    }
}
