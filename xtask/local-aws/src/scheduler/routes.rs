//! Where each service's ports can be reached now.

use crate::routes::Route;
use crate::state::ecs::Ecs;
use crate::state::ecs::container::ContainerDefinition;
use crate::state::ecs::service::Service;
use crate::state::ecs::task::{ContainerStatus, Task};

/// Every route of every active service. A port of an old deployment stays until its tasks are gone.
pub(super) fn of(ecs: &Ecs) -> Vec<Route> {
    let services = ecs.services.values().filter(|s| s.is_active());
    services
        .flat_map(|service| ports(ecs, service).into_iter().map(|(c, p)| route(ecs, service, c, p)))
        .collect()
}

fn ports(ecs: &Ecs, service: &Service) -> Vec<(String, u16)> {
    let definitions = service
        .deployments
        .iter()
        .filter_map(|d| service.revision(&d.revision))
        .filter_map(|r| ecs.definition(&r.definition));
    let mut ports = Vec::new();
    for definition in definitions {
        let containers = definition.containers();
        let of_container =
            |c: &ContainerDefinition| c.tcp_ports().map(|p| (c.name.clone(), p)).collect::<Vec<_>>();
        for port in containers.iter().flat_map(of_container) {
            if !ports.contains(&port) {
                ports.push(port);
            }
        }
    }
    ports
}

fn route(ecs: &Ecs, service: &Service, container: String, port: u16) -> Route {
    let serves = |task: &&Task| {
        task.is_healthy() && task.container(&container).is_some_and(|c| c.status == ContainerStatus::Running)
    };
    let tasks = ecs.tasks_of(&service.cluster, &service.name).filter(serves);
    let backends = tasks.filter_map(|t| t.published.get(&port).copied()).collect();
    Route {
        cluster: service.cluster.clone(),
        service: service.name.clone(),
        container,
        container_port: port,
        backends,
    }
}
