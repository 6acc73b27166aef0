//! Everything that has to be done, as a document. Pure.

use std::collections::BTreeSet;

use super::document::{Action, Difference, Document, Item, Object, SCHEMA};
use super::images::ImagePlan;
use super::infrastructure::{GroupPlan, LogGroup, Plan, SecurityPlan};
use super::service::ServicePlan;
use crate::config::service::{Ingress, Source};

/// Where it would be done.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// 12 digits.
    pub account: &'a str,
    /// `eu-west-1` …
    pub region: &'a str,
    /// The cluster's name.
    pub cluster: &'a str,
}

/// The plan as a document; services in the order of the file.
#[must_use]
pub fn document(place: Place<'_>, plan: &Plan, images: &[ImagePlan], services: &[ServicePlan]) -> Document {
    let create = |object, name: &String| Item::new(Action::Create, object, name.as_str());
    let mut items = Vec::new();
    if plan.create_cluster {
        items.push(Item::new(Action::Create, Object::Cluster, place.cluster));
    }
    items.extend(providers(place.cluster, plan));
    items.extend(plan.repositories.iter().map(|name| create(Object::Repository, name)));
    items.extend(plan.log_groups.iter().map(log_group));
    items.extend(groups(plan));
    items.extend(images.iter().filter(|image| image.digest.is_none()).map(image));
    items.extend(services.iter().flat_map(|service| service.items.clone()));
    Document {
        schema: SCHEMA,
        account: place.account.to_owned(),
        region: place.region.to_owned(),
        cluster: place.cluster.to_owned(),
        items,
        notes: services.iter().flat_map(|service| service.notes.clone()).collect(),
    }
}

/// What a cluster that exists is told of; one that is made is made with it.
fn providers(cluster: &str, plan: &Plan) -> Option<Item> {
    if plan.create_cluster || plan.capacity_providers.is_empty() {
        return None;
    }
    let mut item = Item::new(Action::Change, Object::Cluster, cluster);
    let all = plan.capacity_providers.iter();
    item.differences =
        all.map(|name| Difference::new("capacity-providers", None, Some(name.clone()))).collect();
    Some(item)
}

fn log_group(group: &LogGroup) -> Item {
    let action = if group.create { Action::Create } else { Action::Change };
    let mut item = Item::new(action, Object::LogGroup, group.name.as_str());
    let days = |days: Option<u32>| days.map(|days| days.to_string());
    item.differences.extend(
        group
            .retention_days
            .map(|to| Difference::new("retention-days", days(group.before), Some(to.to_string()))),
    );
    item
}

/// Each group once, however many services share it.
fn groups(plan: &Plan) -> Vec<Item> {
    let own = plan.networks.values().filter_map(|network| match &network.security {
        SecurityPlan::Own(group) => Some(group),
        SecurityPlan::Existing(_) => None,
    });
    let mut told = BTreeSet::new();
    own.filter(|group| told.insert((&group.vpc, &group.name))).filter_map(group).collect()
}

fn group(group: &GroupPlan) -> Option<Item> {
    if group.id.is_some() && group.authorize.is_empty() && group.revoke.is_empty() {
        return None;
    }
    let action = if group.id.is_some() { Action::Change } else { Action::Create };
    let mut item = Item::new(action, Object::SecurityGroup, group.name.as_str());
    item.why = group.id.is_none().then(|| format!("in {}", group.vpc));
    item.differences = group
        .authorize
        .iter()
        .map(|rule| Difference::new("ingress", None, Some(words(rule))))
        .chain(group.revoke.iter().map(|rule| {
            let from = rule.ingress.as_ref().map_or_else(|| rule.id.clone(), words);
            Difference::new("ingress", Some(from), None)
        }))
        .collect();
    Some(item)
}

/// `tcp 3000 from 0.0.0.0/0`
fn words(rule: &Ingress) -> String {
    let ports = match rule.ports {
        (from, to) if from == to => from.to_string(),
        (from, to) => format!("{from}-{to}"),
    };
    let (Source::Ipv4(source) | Source::Ipv6(source) | Source::Group(source)) = &rule.source;
    format!("{} {ports} from {source}", rule.protocol)
}

fn image(image: &ImagePlan) -> Item {
    let mut item = Item::new(Action::Create, Object::Image, image.name.as_str());
    item.differences.push(Difference::new("tag", None, Some(image.tag.clone())));
    item
}

#[cfg(test)]
mod tests {
    use super::super::infrastructure::{
        plan,
        tests::{FILE, config, empty},
    };
    use super::super::service;
    use super::super::text::{Look, render};
    use super::*;
    use crate::ensure::Network;
    use crate::render::{Context, task_definition};
    use crate::world::{self, World};

    const PLACE: Place<'_> = Place { account: "123456789012", region: "eu-west-1", cluster: "c" };

    fn shown(world: &World, digest: Option<&str>) -> String {
        let config = config(FILE);
        let plan = plan(&config, world).expect("nothing contradicts");
        let image = ImagePlan {
            name: "server".to_owned(),
            repository_uri: "r/server".to_owned(),
            tag: "image-0123".to_owned(),
            digest: digest.map(str::to_owned),
        };
        let images = [("server".to_owned(), image.expected())].into();
        let context = Context { region: PLACE.region, account: PLACE.account, images: &images, commit: None };
        let wanted = &config.services[0];
        let network = Network {
            subnets: vec!["subnet-1".to_owned()],
            security_groups: vec!["web (to be created)".to_owned()],
            assign_public_ip: true,
            target_groups: None,
        };
        let definition = task_definition(wanted, context);
        let services = [service(
            wanted,
            definition,
            world.services.get("web"),
            world.families.get("web"),
            &network,
            false,
        )];
        render(&document(PLACE, &plan, &[image], &services), Look { color: false })
    }

    #[test]
    fn in_an_empty_account_everything_is_made() {
        insta::assert_snapshot!(shown(&empty(), None));
    }

    #[test]
    fn what_changes_is_told_with_what_it_was() {
        let mut world = empty();
        world.cluster_active = true;
        world.repositories.insert("server".to_owned(), "r/server".to_owned());
        world.log_groups.insert("/ecs/web".to_owned(), world::LogGroup { retention_days: None, ours: true });
        insta::assert_snapshot!(shown(&world, Some("sha256:0123")));
    }
}
