//! Task sizes on Fargate.

use serde_json::{Map, Value};

use crate::error::ApiError;

/// Whether Fargate has this size: CPU units, MiB (documented: `RegisterTaskDefinition.memory`, "Task size").
pub(super) fn has_size(cpu: u32, memory: u32) -> bool {
    let stepped = |from: u32, to: u32, step: u32| {
        (from * 1024..=to * 1024).contains(&memory) && memory.is_multiple_of(step * 1024)
    };
    match cpu {
        256 => [512, 1024, 2048].contains(&memory),
        512 => stepped(1, 4, 1),
        1024 => stepped(2, 8, 1),
        2048 => stepped(4, 16, 1),
        4096 => stepped(8, 30, 1),
        8192 => stepped(16, 60, 4),
        16384 => stepped(32, 120, 8),
        _ => false,
    }
}

/// A Fargate task names both sizes, and a pair that exists (observed: the messages, in public logs).
pub(super) fn validate_size(cpu: Option<&str>, memory: Option<&str>) -> Result<(), ApiError> {
    let missing = |what| {
        ApiError::new(
            "ClientException",
            format!("Fargate requires that '{what}' be defined at the task level."),
        )
    };
    let cpu = cpu.ok_or_else(|| missing("cpu"))?;
    let memory = memory.ok_or_else(|| missing("memory"))?;
    match (cpu.parse(), memory.parse()) {
        (Ok(cpu), Ok(memory)) if has_size(cpu, memory) => Ok(()),
        _ => Err(ApiError::new(
            "ClientException",
            format!(
                "No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the Amazon ECS \
                 documentation for the valid values."
            ),
        )),
    }
}

/// `1 vCPU` becomes `1024`, `0.5GB` becomes `512` (documented: `RegisterTaskDefinition.cpu`, `.memory`).
pub(super) fn normalise_sizes(body: &mut Map<String, Value>) {
    for (member, unit) in [("cpu", "vcpu"), ("memory", "gb")] {
        if let Some(Value::String(text)) = body.get_mut(member) {
            let lower = text.trim().to_ascii_lowercase();
            let number = lower.strip_suffix(unit).and_then(|n| n.trim().parse::<f64>().ok());
            if let Some(number) = number {
                *text = format!("{}", (number * 1024.0).round());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sizes() {
        assert!(has_size(256, 512) && has_size(4096, 30720) && has_size(16384, 122_880));
        assert!(
            !has_size(512, 512) && !has_size(256, 4096) && !has_size(8192, 17 * 1024) && !has_size(300, 512)
        );
    }

    #[test]
    fn messages() {
        let message = |c, m| validate_size(c, m).expect_err("no such size").message;
        insta::assert_snapshot!(message(Some("512"), Some("512")), @"No Fargate configuration exists for given values: 512 CPU, 512 memory. See the Amazon ECS documentation for the valid values.");
        insta::assert_snapshot!(message(None, Some("512")), @"Fargate requires that 'cpu' be defined at the task level.");
    }

    #[test]
    fn units() {
        let Value::Object(mut body) = json!({"cpu": ".25 vCPU", "memory": "0.5GB"}) else {
            panic!("an object")
        };
        normalise_sizes(&mut body);
        assert_eq!(Value::Object(body), json!({"cpu": "256", "memory": "512"}));
    }
}
