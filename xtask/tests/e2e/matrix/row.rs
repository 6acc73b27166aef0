//! A rollout that fails: what is deployed, and what has to come of it.

use super::VERDICT;
use crate::file::File;
use crate::load::Load;
use crate::moments::Cloud;
use crate::support::{Run, Workspace, get, measured};

/// The first step where a program ended by its own doing.
pub(super) const HAS_LOG: &str = "its log says more: `cargo xtask logs --previous`";

/// Who ends the rollout.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// The tool, which asks ECS to stop what only crashes: after the third task that died alike.
    CrashLimit,
    /// ECS.
    Breaker,
}

/// A rollout that fails.
pub(super) struct Row {
    /// Makes the revision that fails.
    pub(super) change: fn(&Workspace, &mut File),
    /// Who ends it.
    pub(super) by: By,
    /// The cause line; `NAME`, `REGISTRY` and `DIGEST` stand for what differs from run to run.
    pub(super) cause: &'static str,
    /// How the first hint begins.
    pub(super) next: &'static str,
}

impl Row {
    /// Nothing to go back to.
    pub(super) fn on_create(&self, name: &str) {
        let workspace = small(name);
        self.apply(&workspace);
        let run = deploy(&workspace);
        assert_eq!(run.code, 8, "{run:#?}");
        self.explained(&workspace, &run);
        self.in_time(&workspace, &run, 1);
        assert!(run.outcome["message"].as_str().is_some_and(|text| text.contains(":1` failed")), "{run:#?}");
    }

    /// The old version answers throughout.
    pub(super) fn on_update(&self, name: &str) {
        let workspace = small(name);
        workspace.deploy();
        let address = workspace.address();
        let load = Load::on(&address);
        self.apply(&workspace);
        let run = deploy(&workspace);
        load.stop(&workspace);
        assert_eq!(run.code, 7, "{run:#?}");
        assert_eq!(get(&address).expect("an answer"), "v1");
        self.explained(&workspace, &run);
        self.in_time(&workspace, &run, 2);
        // Both are right: the service is stable, and what was to be deployed is not what it runs.
        assert_eq!(Cloud::of(&workspace).wait_until_services_stable(60), Ok(()));
    }

    fn apply(&self, workspace: &Workspace) {
        workspace.change(|file| {
            file.version = "v2".to_owned();
            (self.change)(workspace, file);
        });
    }

    /// Cause and next step, for people and for programs.
    fn explained(&self, workspace: &Workspace, run: &Run) {
        let (outcome, card) = (&run.outcome, &run.outcome["card"]);
        let cause = outcome["cause"].as_str().unwrap_or_default();
        let known = normal(cause, workspace);
        assert_eq!(known, self.cause, "{run:#?}");
        assert_eq!(card["cause"], cause, "{run:#?}");
        let next = outcome["hints"][0].as_str().unwrap_or_default();
        assert!(next.starts_with(self.next), "{run:#?}");
        assert_eq!(card["next"][0], next, "{run:#?}");
    }

    /// From the end of the rollout to the end of the run; and where the tool ends the rollout, from
    /// the third death to its decision.
    fn in_time(&self, workspace: &Workspace, run: &Run, revision: u32) {
        let cloud = Cloud::of(workspace);
        let told = *run.at.last().expect("there is an outcome");
        // A first rollout that crashes has nothing to go back to, and may not come to an end.
        if self.by == By::Breaker || revision > 1 {
            let (ended, status) = cloud.ended();
            within(ended, told, &format!("{status} to the verdict"), run);
        }
        if self.by == By::CrashLimit {
            let third = cloud.death(&format!("/{}:{revision}", workspace.name), 3);
            let decided = stopped_at(run).unwrap_or(told);
            within(third, decided, "the third death to the decision", run);
            if revision == 1 {
                within(decided, told, "the decision to the verdict", run);
            }
        }
    }
}

/// A workspace whose service is one task.
pub(super) fn small(name: &str) -> Workspace {
    let workspace = Workspace::new(name);
    workspace.change(|file| file.desired = 1);
    workspace
}

fn deploy(workspace: &Workspace) -> Run {
    workspace.run(&["deploy", "--local", "--timeout", "100"])
}

/// The text without what differs from run to run.
pub(super) fn normal(text: &str, workspace: &Workspace) -> String {
    let words = text.replace(&workspace.name, "NAME");
    let words = words.split(' ').map(|word| {
        let named = word
            .split_once("127.0.0.1:")
            .and_then(|(before, rest)| Some(format!("{before}REGISTRY/{}", rest.split_once('/')?.1)));
        let word = named.unwrap_or_else(|| word.to_owned());
        match word.split_once("@sha256:") {
            Some((name, _)) => format!("{name}@DIGEST`"),
            None => word,
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// When the tool said that it stops the rollout.
fn stopped_at(run: &Run) -> Option<f64> {
    let says = |event: &serde_json::Value| {
        event["message"].as_str().is_some_and(|text| text.ends_with("the rollout is stopped and rolled back"))
    };
    let index = run.events.iter().position(|event| event["event"] == "warning" && says(event));
    index.map(|index| run.at[index])
}

/// No verdict comes before the fact, nor much later.
pub(super) fn within(fact: f64, verdict: f64, what: &str, run: &Run) {
    let took = verdict - fact;
    measured(&format!("{what}: {took:.3} s"));
    assert!((0.0..=VERDICT).contains(&took), "{what} took {took:.3} s: {run:#?}");
}
