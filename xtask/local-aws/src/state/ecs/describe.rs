//! How a task is described.

use serde_json::{Value, json};

use super::Ecs;
use super::task::{Container, ContainerStatus, Interface, Last, Task, without_nulls};

impl Ecs {
    /// The answer's `task`.
    pub fn render_task(&self, task: &Task, tags: bool) -> Value {
        let mut out = task.body.clone();
        let mut put = |member: &str, value: Value| {
            if !value.is_null() {
                out.insert(member.into(), value);
            }
        };
        put("taskArn", self.place.task_arn(&task.cluster, &task.id).into());
        put("clusterArn", self.place.cluster_arn(&task.cluster).into());
        put("taskDefinitionArn", self.place.definition_arn(&task.definition).into());
        put("group", task.group.clone().into());
        put("startedBy", json!(task.started_by));
        put("lastStatus", json!(task.last));
        put("desiredStatus", if task.wanted() { "RUNNING" } else { "STOPPED" }.into());
        put("healthStatus", json!(task.described_health()));
        put("cpu", json!(task.cpu.map(|c| c.to_string())));
        put("memory", json!(task.memory.map(|m| m.to_string())));
        put("stopCode", json!(task.stop.as_ref().map(|s| s.code)));
        put("stoppedReason", json!(task.stop.as_ref().map(|s| &s.reason)));
        put("availabilityZone", json!(task.interface.as_ref().map(|i| &i.zone)));
        put("version", task.version.into());
        put("tags", if tags { json!(task.tags) } else { json!([]) });
        put("attachments", task.interface.iter().map(|i| render_interface(i, task.last)).collect());
        put("containers", task.containers.iter().map(|c| self.render_container(task, c)).collect());
        if task.last > Last::Provisioning {
            put("connectivity", "CONNECTED".into());
            put("connectivityAt", json!(task.created_at));
        }
        for (member, at) in times(task) {
            put(member, json!(at));
        }
        Value::Object(out)
    }

    fn render_container(&self, task: &Task, container: &Container) -> Value {
        let id = format!("container/{}/{}/{}", task.cluster, task.id, container.arn_id);
        let all = json!({
            "containerArn": self.place.arn(&id),
            "taskArn": self.place.task_arn(&task.cluster, &task.id),
            "name": container.name,
            "image": container.image,
            "imageDigest": container.digest,
            "runtimeId": container.runtime_id,
            "lastStatus": match container.status {
                ContainerStatus::Pending | ContainerStatus::Pulled => "PENDING",
                ContainerStatus::Running => "RUNNING",
                ContainerStatus::Stopped => "STOPPED",
            },
            "exitCode": container.exit_code,
            "reason": container.reason,
            "networkBindings": [],
            "networkInterfaces": task.interface.iter().map(|i| json!({
                "attachmentId": i.attachment, "privateIpv4Address": i.address,
            })).collect::<Value>(),
            "healthStatus": container.health,
            "cpu": container.cpu.to_string(),
            "memory": container.memory.map(|m| m.to_string()),
            "memoryReservation": container.memory_reservation.map(|m| m.to_string()),
        });
        without_nulls(all)
    }
}

fn times(task: &Task) -> [(&'static str, Option<f64>); 7] {
    [
        ("createdAt", Some(task.created_at)),
        ("pullStartedAt", task.pull_started_at),
        ("pullStoppedAt", task.pull_stopped_at),
        ("startedAt", task.started_at),
        ("stoppingAt", task.stopping_at),
        ("executionStoppedAt", task.execution_stopped_at),
        ("stoppedAt", task.stopped_at),
    ]
}

fn render_interface(interface: &Interface, last: Last) -> Value {
    let status = match last {
        Last::Provisioning => "PRECREATED",
        Last::Stopped => "DELETED",
        _ => "ATTACHED",
    };
    let details = [
        ("subnetId", &interface.subnet),
        ("networkInterfaceId", &interface.id),
        ("macAddress", &interface.mac),
        ("privateIPv4Address", &interface.address),
    ];
    json!({
        "id": interface.attachment,
        "type": "ElasticNetworkInterface",
        "status": status,
        "details": details.map(|(name, value)| json!({"name": name, "value": value})),
    })
}
