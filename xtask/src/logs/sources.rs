//! Where the lines are: what the task definitions in use say of each container.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{Deployment, Service, Task};
use futures_util::future::try_join_all;

use super::{Line, Options};
use crate::aws::Aws;
use crate::config::problem::nearest;
use crate::error::{Error, Kind, Result};
use crate::live::{self, Definition};
use crate::register::short;

/// Streams of a service whose names begin alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Source {
    /// The service.
    pub(super) service: String,
    /// Log group.
    pub(super) group: String,
    /// `awslogs-stream-prefix`.
    pub(super) prefix: String,
    /// Containers to show.
    pub(super) containers: BTreeSet<String>,
}

/// The stream of one container of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    /// Log group.
    pub(super) group: String,
    /// `PREFIX/CONTAINER/TASK`.
    pub(super) name: String,
    /// What its lines have in common.
    pub(super) line: Line,
}

/// Everything that is to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Streams of tasks that are known.
    pub(super) streams: Vec<Stream>,
    /// Where lines of any task come up.
    pub(super) sources: Vec<Source>,
    /// Tasks to show; `None`: all.
    pub(super) tasks: Option<BTreeSet<String>>,
    /// Task definitions that were looked at.
    pub(super) definitions: BTreeSet<String>,
    /// What the user should know.
    pub(super) notes: Vec<String>,
}

impl Found {
    /// Whether the line is of a task to show.
    pub(super) fn shows(&self, line: &Line) -> bool {
        self.tasks.as_ref().is_none_or(|tasks| tasks.contains(&line.task))
    }

    /// Adds places where lines come up; those known already grow by containers.
    pub(super) fn add(&mut self, sources: Vec<Source>) {
        for new in sources {
            let same = |known: &&mut Source| {
                (&known.service, &known.group, &known.prefix) == (&new.service, &new.group, &new.prefix)
            };
            match self.sources.iter_mut().find(same) {
                Some(known) => known.containers.extend(new.containers),
                None => self.sources.push(new),
            }
        }
    }
}

/// Reads services, tasks and their definitions, and says where their lines are.
pub(super) async fn find(aws: &Aws, options: &Options) -> Result<Found> {
    let cluster = &options.cluster;
    let names = &options.services;
    let (services, tasks) = tokio::try_join!(
        live::services(aws, cluster, names),
        try_join_all(names.iter().map(|name| live::tasks(aws, cluster, name))),
    )?;
    if services.is_empty() {
        return Err(not_deployed(options));
    }
    let of_tasks = tasks.iter().flatten().filter_map(|task| task.task_definition_arn());
    let wanted: BTreeSet<String> = in_use(&services).into_iter().chain(of_tasks.map(str::to_owned)).collect();
    let definitions = live::definitions(aws, &wanted).await?;
    let tasks: Vec<(&String, &Vec<Task>)> = names.iter().zip(&tasks).collect();
    select(options, &services, &tasks, &definitions)
}

/// Places where lines of deployments come up that began since `found` was made.
pub(super) async fn find_new(aws: &Aws, options: &Options, found: &mut Found) -> Result<()> {
    let services = live::services(aws, &options.cluster, &options.services).await?;
    let new: BTreeSet<String> = in_use(&services).difference(&found.definitions).cloned().collect();
    if new.is_empty() {
        return Ok(());
    }
    let definitions = live::definitions(aws, &new).await?;
    for service in &services {
        for definition in
            service.deployments().iter().filter_map(|one| definitions.get(one.task_definition()?))
        {
            found.add(sources(service.service_name().unwrap_or_default(), definition, options));
        }
    }
    found.definitions.extend(new);
    Ok(())
}

fn in_use(services: &[Service]) -> BTreeSet<String> {
    let deployments = services.iter().flat_map(|service| service.deployments());
    deployments.filter_map(Deployment::task_definition).map(str::to_owned).collect()
}

fn not_deployed(options: &Options) -> Error {
    let names = options.services.join("`, `");
    Error::new(Kind::Preflight, format!("`{names}` is not deployed in cluster `{}`", options.cluster))
        .hint("`cargo xtask deploy` deploys")
}

/// Chooses among what is there. Pure.
fn select(
    options: &Options,
    services: &[Service],
    tasks: &[(&String, &Vec<Task>)],
    definitions: &BTreeMap<String, Definition>,
) -> Result<Found> {
    check_container(options, definitions)?;
    let mut found = Found {
        tasks: chosen_tasks(options, tasks)?,
        definitions: definitions.keys().cloned().collect(),
        ..Found::default()
    };
    for service in services {
        let name = service.service_name().unwrap_or_default();
        for one in service.deployments().iter().filter_map(|one| definitions.get(one.task_definition()?)) {
            found.add(sources(name, one, options));
        }
    }
    for (service, task) in
        tasks.iter().flat_map(|(service, tasks)| tasks.iter().map(move |task| (service, task)))
    {
        let Some(definition) = task.task_definition_arn().and_then(|arn| definitions.get(arn)) else {
            continue;
        };
        let line = Line { service: (*service).clone(), task: id(task).to_owned(), ..Line::default() };
        if found.shows(&line) {
            found.add(sources(service, definition, options));
            found.streams.extend(streams(&line, definition, options));
        }
    }
    found.notes = unreadable(definitions.values(), options);
    Ok(found)
}

fn id(task: &Task) -> &str {
    short(task.task_arn().unwrap_or_default())
}

/// Without `--previous` the backlog is that of tasks that are not over.
fn chosen_tasks(options: &Options, tasks: &[(&String, &Vec<Task>)]) -> Result<Option<BTreeSet<String>>> {
    let all = || tasks.iter().flat_map(|(_, tasks)| tasks.iter());
    let ids = |tasks: Vec<&Task>| tasks.into_iter().map(|task| id(task).to_owned()).collect::<BTreeSet<_>>();
    let Some(wanted) = &options.task else {
        let alive = all().filter(|task| task.last_status() != Some("STOPPED")).collect();
        return Ok((!options.previous).then(|| ids(alive)));
    };
    let wanted = short(wanted);
    let chosen = ids(all().filter(|task| id(task).starts_with(wanted)).collect());
    // ECS forgets a stopped task after an hour or so; its lines stay.
    let whole = wanted.len() == 32 && wanted.bytes().all(|b| b.is_ascii_hexdigit());
    if chosen.is_empty() && !whole {
        let known: Vec<String> = all().map(|task| id(task).get(..8).unwrap_or(id(task)).to_owned()).collect();
        let error = Error::new(Kind::Preflight, format!("there is no task `{wanted}`"));
        let error =
            if known.is_empty() { error } else { error.hint(format!("there are {}", known.join(", "))) };
        return Err(
            error.hint("of a task that stopped more than an hour ago, give the whole ID, and `--since`")
        );
    }
    Ok(Some(if chosen.is_empty() { BTreeSet::from([wanted.to_owned()]) } else { chosen }))
}

fn check_container(options: &Options, definitions: &BTreeMap<String, Definition>) -> Result<()> {
    let Some(wanted) = options.container.as_deref() else { return Ok(()) };
    let names: BTreeSet<&str> =
        definitions.values().flat_map(|definition| definition.logs.keys()).map(String::as_str).collect();
    if names.contains(wanted) {
        return Ok(());
    }
    let error = Error::new(Kind::Config, format!("no service here has a container `{wanted}`"));
    Err(match nearest(wanted, names.iter().copied()) {
        Some(meant) => error.hint(format!("did you mean `{meant}`?")),
        None => error.hint(format!("there are `{}`", names.into_iter().collect::<Vec<_>>().join("`, `"))),
    })
}

fn is_wanted(container: &str, options: &Options) -> bool {
    options.container.as_deref().is_none_or(|wanted| wanted == container)
}

fn sources(service: &str, definition: &Definition, options: &Options) -> Vec<Source> {
    let readable = definition.logs.iter().filter(|(name, _)| is_wanted(name, options));
    let readable = readable.filter_map(|(name, logs)| {
        let logs = logs.as_ref()?;
        Some(Source {
            service: service.to_owned(),
            group: logs.group.clone(),
            prefix: logs.prefix.clone()?,
            containers: BTreeSet::from([name.clone()]),
        })
    });
    readable.collect()
}

fn streams(line: &Line, definition: &Definition, options: &Options) -> Vec<Stream> {
    let sources = sources(&line.service, definition, options).into_iter();
    sources
        .flat_map(|source| {
            source.containers.into_iter().map(move |container| Stream {
                group: source.group.clone(),
                name: format!("{}/{container}/{}", source.prefix, line.task),
                line: Line { container, ..line.clone() },
            })
        })
        .collect()
}

/// Containers whose lines are elsewhere.
fn unreadable<'d>(definitions: impl Iterator<Item = &'d Definition>, options: &Options) -> Vec<String> {
    let mut names = BTreeSet::new();
    for (name, logs) in definitions.flat_map(|definition| &definition.logs) {
        let readable = logs.as_ref().is_some_and(|logs| logs.prefix.is_some());
        if !readable && is_wanted(name, options) {
            names.insert(name);
        }
    }
    names.into_iter().map(|name| format!("container `{name}` does not log to CloudWatch Logs")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Awslogs;

    fn task(id: &str, revision: u32, state: &str) -> Task {
        let arn = format!("arn:aws:ecs:r:1:task/c/{id}");
        Task::builder()
            .task_arn(arn)
            .task_definition_arn(format!("web:{revision}"))
            .last_status(state)
            .build()
    }

    fn definition(revision: u32, group: &str) -> (String, Definition) {
        let logs = Awslogs { group: group.to_owned(), region: None, prefix: Some("web".to_owned()) };
        let definition = Definition {
            arn: format!("web:{revision}"),
            active: true,
            commit: None,
            images: Vec::new(),
            logs: [
                ("app".to_owned(), Some(logs.clone())),
                ("store".to_owned(), Some(logs)),
                ("side".to_owned(), None),
            ]
            .into(),
        };
        (definition.arn.clone(), definition)
    }

    fn selected(options: Options) -> Result<Found> {
        let deployment = Deployment::builder().task_definition("web:2").build();
        let service = Service::builder().service_name("web").deployments(deployment).build();
        let tasks = vec![task("aaaa1111", 2, "RUNNING"), task("bbbb2222", 1, "STOPPED")];
        let definitions = [definition(1, "/old"), definition(2, "/new")].into();
        select(&options, &[service], &[(&"web".to_owned(), &tasks)], &definitions)
    }

    fn streams_of(options: Options) -> Vec<String> {
        let found = selected(options).expect("something is found");
        found.streams.iter().map(|stream| format!("{} {}", stream.group, stream.name)).collect()
    }

    #[test]
    fn each_task_logs_where_its_own_definition_says() {
        assert_eq!(streams_of(Options::default()), ["/new web/app/aaaa1111", "/new web/store/aaaa1111"]);
        let previous = Options { previous: true, container: Some("app".to_owned()), ..Options::default() };
        assert_eq!(streams_of(previous), ["/new web/app/aaaa1111", "/old web/app/bbbb2222"]);
    }

    #[test]
    fn one_search_finds_all_containers_of_a_prefix() {
        let found = selected(Options::default()).expect("something is found");
        let both = BTreeSet::from(["app".to_owned(), "store".to_owned()]);
        assert_eq!(found.sources.len(), 1);
        assert_eq!(found.sources[0].containers, both);
        assert_eq!(found.notes, ["container `side` does not log to CloudWatch Logs"]);
    }

    #[test]
    fn a_task_is_named_by_how_its_id_begins() {
        let task = |id: &str| Options { task: Some(id.to_owned()), ..Options::default() };
        assert_eq!(streams_of(task("bbbb")).len(), 2);
        let error = selected(task("cccc")).expect_err("there is none");
        assert_eq!(error.hints[0], "there are aaaa1111, bbbb2222");
        let forgotten = "0123456789abcdef0123456789abcdef";
        let found = selected(task(forgotten)).expect("it may have been");
        assert!(found.shows(&Line { task: forgotten.to_owned(), ..Line::default() }));
    }

    #[test]
    fn a_container_that_is_nearly_there_is_named() {
        let options = Options { container: Some("sotre".to_owned()), ..Options::default() };
        assert_eq!(selected(options).expect_err("there is none").hints, ["did you mean `store`?"]);
    }
}
