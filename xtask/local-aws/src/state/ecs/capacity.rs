//! Capacity providers: which of them a new task runs on.

use serde_json::{Map, Value};

use super::Ecs;
use super::create::invalid;
use crate::error::ApiError;

/// Providers of the strategy have to be the cluster's (observed: dask/dask-cloudprovider#328).
pub(super) fn associated(
    cluster: Option<&Map<String, Value>>,
    config: &Map<String, Value>,
) -> Result<(), ApiError> {
    let known = cluster.and_then(|body| body.get("capacityProviders")).and_then(Value::as_array);
    let strategy = config.get("capacityProviderStrategy").and_then(Value::as_array);
    let is_known = |item: &Value| known.is_some_and(|known| known.contains(&item["capacityProvider"]));
    if strategy.is_some_and(|strategy| !strategy.iter().all(is_known)) {
        return Err(invalid(
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated \
             with the cluster. Associate the capacity provider with the cluster or specify a valid capacity \
             provider and try again.",
        ));
    }
    Ok(())
}

impl Ecs {
    /// The provider of the service's next task: first those that lack their base, then whoever has the fewest of
    /// its share (documented: `CapacityProviderStrategyItem`, "Amazon ECS capacity providers"; which of several that
    /// are equally behind is assumed).
    pub(super) fn next_provider(&self, service: Option<&str>, config: &Map<String, Value>) -> Option<Value> {
        let strategy = config.get("capacityProviderStrategy")?.as_array()?;
        let count = |name: &Value| {
            let of_service =
                self.tasks.values().filter(|task| service.is_some() && task.service.as_deref() == service);
            of_service
                .filter(|task| task.wanted() && task.body.get("capacityProviderName") == Some(name))
                .count()
        };
        let number = |item: &Value, member: &str| item[member].as_f64().unwrap_or(0.0);
        let have =
            |item: &Value| f64::from(u32::try_from(count(&item["capacityProvider"])).unwrap_or(u32::MAX));
        let lacking = strategy.iter().find(|item| have(item) < number(item, "base"));
        // How much of its share a provider would have with one more.
        let filled = |item: &&Value| (have(item) - number(item, "base") + 1.0) / number(item, "weight");
        let weighty = strategy.iter().filter(|item| number(item, "weight") > 0.0);
        let next = lacking.or_else(|| weighty.min_by(|a, b| filled(a).total_cmp(&filled(b))));
        next.map(|item| item["capacityProvider"].clone())
    }
}
