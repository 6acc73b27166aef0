//! Which tasks are started and stopped: decided on numbers alone.

/// A task, as the plan sees it: one that is wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskView {
    /// ID.
    pub id: String,
    /// Whether it belongs to the primary deployment.
    pub primary: bool,
    /// Counts towards the minimum.
    pub healthy: bool,
    /// Its health check failed.
    pub unhealthy: bool,
}

/// A service, as the plan sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// Desired count.
    pub desired: u64,
    /// Fewest healthy tasks.
    pub minimum: u64,
    /// Most tasks.
    pub maximum: u64,
    /// The primary deployment is not completed.
    pub in_progress: bool,
    /// Tasks may be started: not throttled, not failed.
    pub may_start: bool,
    /// Every wanted task, oldest first.
    pub tasks: Vec<TaskView>,
}

/// What to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// How many tasks of the primary deployment to start.
    pub start: u64,
    /// Tasks that are not needed any more.
    pub stop: Vec<String>,
    /// Tasks that failed their health check.
    pub replace: Vec<String>,
}

/// Never fewer healthy tasks than the minimum by its own doing, never more tasks than the maximum
/// (documented: `DeploymentConfiguration`).
pub fn plan(view: &View) -> Plan {
    let of = |primary: bool| view.tasks.iter().filter(move |t| t.primary == primary);
    let total = |n: usize| n as u64;
    let unhealthy = total(of(true).filter(|t| t.unhealthy).count());
    let good = total(of(true).count()) - unhealthy;
    let healthy_primary = total(of(true).filter(|t| t.healthy).count());
    let mut alive = total(view.tasks.len());
    let mut healthy = total(view.tasks.iter().filter(|t| t.healthy).count());
    let mut plan = Plan::default();

    // Too many of the primary: those that serve nobody yet go first, then the newest (assumed).
    let mut excess: Vec<&TaskView> = of(true).filter(|t| !t.unhealthy).collect();
    excess.reverse();
    excess.sort_by_key(|t| t.healthy);
    for task in excess.into_iter().take(usize::try_from(good.saturating_sub(view.desired)).unwrap_or(0)) {
        plan.stop.push(task.id.clone());
        alive -= 1;
        healthy -= u64::from(task.healthy);
    }

    // Unhealthy ones: at once while a deployment is in progress, which is what its circuit breaker
    // counts (assumed); later a replacement comes first, if the maximum has room for it; if not, they go one by one,
    // the next once the replacement is healthy, or as long as the minimum is without it (documented:
    // `maximumPercent` and `minimumHealthyPercent`).
    let at_once = view.in_progress || healthy_primary >= view.desired;
    let one = alive >= view.maximum && (good == healthy_primary || healthy >= view.minimum);
    let most = if at_once { usize::MAX } else { usize::from(one) };
    for task in of(true).filter(|t| t.unhealthy).take(most) {
        plan.replace.push(task.id.clone());
        alive -= 1;
    }

    let need = if view.may_start { view.desired.saturating_sub(good) } else { 0 };

    // The old ones: first what is not healthy, then as far as replacements are healthy, or as far as
    // the minimum allows where there is no room to start (documented: `minimumHealthyPercent`; that
    // room is needed before an old task is given up is assumed).
    let mut old: Vec<&TaskView> = of(false).collect();
    old.sort_by_key(|t| t.healthy);
    for task in old {
        let replaced = healthy > view.desired;
        let in_the_way = alive + need > view.maximum && healthy > view.minimum;
        if !task.healthy || replaced || in_the_way {
            plan.stop.push(task.id.clone());
            alive -= 1;
            healthy -= u64::from(task.healthy);
        }
    }

    plan.start = need.min(view.maximum.saturating_sub(alive));
    plan
}
