//! What AWS allows, as numbers, each with the page it comes from.

/// A CPU size of a Fargate task and the memory sizes that go with it.
struct FargateSize {
    /// In units, 1024 = 1 vCPU.
    cpu: u32,
    /// First, last and step, in MiB; a step of 0 doubles.
    memory: (u32, u32, u32),
}

/// Source: Amazon ECS Developer Guide, "Task size" in "Task definition parameters for Fargate".
const FARGATE_SIZES: &[FargateSize] = &[
    FargateSize { cpu: 256, memory: (512, 2048, 0) },
    FargateSize { cpu: 512, memory: (1024, 4096, 1024) },
    FargateSize { cpu: 1024, memory: (2048, 8192, 1024) },
    FargateSize { cpu: 2048, memory: (4096, 16384, 1024) },
    FargateSize { cpu: 4096, memory: (8192, 30720, 1024) },
    FargateSize { cpu: 8192, memory: (16384, 61440, 4096) },
    FargateSize { cpu: 16384, memory: (32768, 122_880, 8192) },
];

/// The memory sizes that go with this many CPU units; `None` if there is no such CPU size.
#[must_use]
pub fn fargate_memory(cpu: u32) -> Option<Vec<u32>> {
    let (first, last, step) = FARGATE_SIZES.iter().find(|size| size.cpu == cpu)?.memory;
    let next = |size: &u32| Some(if step == 0 { size * 2 } else { size + step });
    Some(std::iter::successors(Some(first), next).take_while(|size| *size <= last).collect())
}

/// The CPU sizes, smallest first.
pub fn fargate_cpus() -> impl Iterator<Item = u32> {
    FARGATE_SIZES.iter().map(|size| size.cpu)
}

/// Days that a log group may keep its events.
/// Source: CloudWatch Logs API Reference, PutRetentionPolicy.
pub const RETENTION_DAYS: &[u32] = &[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

/// Longest `stopTimeout` of a container on Fargate, in seconds.
/// Source: Amazon ECS API Reference, ContainerDefinition.
pub const STOP_TIMEOUT_MAX: i64 = 120;

/// Ephemeral storage of a Fargate task in GiB.
/// Source: Amazon ECS API Reference, EphemeralStorage.
pub const EPHEMERAL_STORAGE: std::ops::RangeInclusive<i64> = 21..=200;

/// Tasks that may start and die alike before a rollout is stopped, unless the file says otherwise.
pub const CRASH_LIMIT: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cpu_size_has_memory_sizes() {
        assert!(fargate_cpus().all(|cpu| fargate_memory(cpu).is_some_and(|sizes| !sizes.is_empty())));
        assert_eq!(fargate_memory(300), None);
        assert_eq!(fargate_memory(256), Some(vec![512, 1024, 2048]));
    }

    #[test]
    fn the_largest_pairs_are_those_of_the_guide() {
        assert_eq!(fargate_memory(4096).and_then(|sizes| sizes.last().copied()), Some(30 * 1024));
        assert_eq!(fargate_memory(8192).map(|sizes| sizes.len()), Some(12));
        assert_eq!(fargate_memory(16384).and_then(|sizes| sizes.last().copied()), Some(120 * 1024));
    }
}
