//! Everything at once that does not wait for something else: three rounds of calls.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{Service, Task};
use futures_util::future::{join_all, try_join_all};

use super::model::{Facts, ServiceStatus, status};
use crate::aws::Aws;
use crate::error::Result;
use crate::event::Events;
use crate::live::{self, TargetGroup};

/// How many past rollouts are worth showing.
const ROLLOUTS: usize = 5;

/// The status of each named service, in their order. `now_ms` is the clock's.
///
/// # Errors
/// A call failed; only the records of past rollouts may be out of reach.
pub async fn read(
    aws: &Aws,
    cluster: &str,
    names: &[String],
    now_ms: i64,
    events: &Events,
) -> Result<Vec<ServiceStatus>> {
    let (services, tasks, rollouts) = tokio::try_join!(
        live::services(aws, cluster, names),
        try_join_all(names.iter().map(|name| live::tasks(aws, cluster, name))),
        async { Ok(join_all(names.iter().map(|name| live::history(aws, cluster, name, ROLLOUTS))).await) },
    )?;
    let all: Vec<Task> = tasks.iter().flatten().cloned().collect();
    let wanted = definitions_of(&services, &all);
    let (definitions, addresses, groups) = tokio::join!(
        live::definitions(aws, &wanted),
        live::public_addresses(aws, &all),
        target_groups(aws, &services, events),
    );
    let definitions = definitions?;
    let services: BTreeMap<&str, &Service> =
        services.iter().filter_map(|service| Some((service.service_name()?, service))).collect();
    let each = names.iter().zip(tasks).zip(rollouts).map(|((name, tasks), rollouts)| {
        let rollouts = rollouts.unwrap_or_else(|error| {
            events.warn(format!("past rollouts of `{name}` cannot be read: {}", error.message));
            Vec::new()
        });
        let service = services.get(name.as_str()).copied();
        status(&Facts {
            name,
            cluster,
            service,
            tasks: &tasks,
            rollouts: &rollouts,
            definitions: &definitions,
            addresses: &addresses,
            target_groups: groups.get(name).map(Vec::as_slice).unwrap_or_default(),
            now_ms,
        })
    });
    Ok(each.collect())
}

/// By the service's name.
async fn target_groups(
    aws: &Aws,
    services: &[Service],
    events: &Events,
) -> BTreeMap<String, Vec<TargetGroup>> {
    let each = services.iter().map(|service| async {
        let (groups, problems) = live::target_groups(aws, &live::target_group_arns(service)).await;
        problems.into_iter().for_each(|problem| events.note(problem));
        (service.service_name().unwrap_or_default().to_owned(), groups)
    });
    join_all(each).await.into_iter().collect()
}

fn definitions_of(services: &[Service], tasks: &[Task]) -> BTreeSet<String> {
    let deployed = services.iter().flat_map(|service| service.deployments());
    let deployed = deployed.filter_map(|deployment| deployment.task_definition());
    let running = tasks.iter().filter(|task| task.last_status() != Some("STOPPED"));
    let running = running.filter_map(|task| task.task_definition_arn());
    deployed.chain(running).map(str::to_owned).collect()
}
