//! What the user types.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::Choice;
use crate::local::Instance;
use crate::logs::Since;
use crate::report::{Color, Format, Style, Verbosity};
use crate::rollout;
use crate::service::Conflict;
use crate::workspace::Workspace;

/// Deploys this workspace to AWS Fargate, or to a local stand-in for it
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    version,
    propagate_version = true,
    after_help = "Try it without an AWS account:\n  cargo xtask deploy --local\n\nExit codes: 0 done or nothing to do, 2 bad flags or deploy.toml, 3 preflight, 4 build, 5 push,\n6 AWS call, 7 rolled back, 8 failed with nothing to roll back to, 9 timed out, 10 another\ndeployment, 11 changes (plan --exit-code), 130 interrupted, 1 anything else."
)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    /// What every command takes
    #[command(flatten)]
    pub global: Global,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub struct Global {
    /// The file that says what runs
    #[arg(long, short = 'f', global = true, value_name = "PATH", default_value = "deploy.toml")]
    pub file: PathBuf,
    /// Environment of the file, `[env.NAME]`, which is laid over the rest of it
    #[arg(long, global = true, value_name = "NAME")]
    pub env: Option<String>,
    /// Another value for a key of the file, such as `service.web.desired-count=4`; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Profile of the AWS configuration
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// AWS region, instead of deploy.toml's
    #[arg(long, global = true)]
    pub region: Option<String>,
    /// Where the local control plane keeps its state, instead of target/local-aws
    #[arg(long, global = true, value_name = "PATH")]
    pub local_dir: Option<PathBuf>,
    /// How output looks
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    /// Whether output is coloured; NO_COLOR is honoured
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// Say only what is wrong
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say everything
    #[arg(long, short, global = true)]
    pub verbose: bool,
}

impl Global {
    /// The workspace whose deploy.toml is meant, with what the flags say about it.
    #[must_use]
    pub fn workspace(&self) -> Workspace {
        Workspace::of(&self.file, Choice { env: self.env.clone(), set: self.set.clone() })
    }

    /// The local control plane that is meant.
    #[must_use]
    pub fn instance(&self, workspace: &Workspace) -> Instance {
        Instance::at(&self.local_dir.clone().unwrap_or_else(|| workspace.local_dir()))
    }

    /// How this run reports.
    #[must_use]
    pub fn style(&self) -> Style {
        let verbosity = match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        };
        Style::new(self.format, self.color, verbosity)
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Build, push, register, update the service, and watch the rollout
    #[command(
        after_help = "Examples:\n  cargo xtask deploy --local          on this machine, without an AWS account\n  cargo xtask deploy                  to the account that the AWS configuration names\n  cargo xtask deploy --profile prod   with a profile of it\n  cargo xtask deploy --local --format json | jq -c 'select(.event == \"outcome\")'"
    )]
    Deploy(Deploy),
    /// Say what a deploy would do and why, and do nothing
    #[command(
        after_help = "Examples:\n  cargo xtask plan --local\n  cargo xtask plan --exit-code                exit code 11 if there is something to do\n  cargo xtask plan --out plan.json && cargo xtask deploy --plan plan.json"
    )]
    Plan(Plan),
    /// What each service runs, and what went wrong lately
    #[command(
        after_help = "Examples:\n  cargo xtask status --local\n  cargo xtask status web --format json | jq '.result.services[0].tasks'"
    )]
    Status(Status),
    /// What the containers wrote
    #[command(
        after_help = "Examples:\n  cargo xtask logs --local --follow\n  cargo xtask logs web --since 1h --filter ERROR\n  cargo xtask logs web --previous --container app     tasks that crashed, too"
    )]
    Logs(Logs),
    /// Go back to what worked before: the last other revision whose rollout succeeded
    #[command(
        after_help = "Examples:\n  cargo xtask rollback web\n  cargo xtask rollback web --to 7\n  cargo xtask rollback web --dry-run"
    )]
    Rollback(Rollback),
    /// Whether what deploy.toml refers to is there and may be used: roles, secrets, network, repositories; changes nothing
    #[command(
        after_help = "Examples:\n  cargo xtask verify\n  cargo xtask verify --format json | jq 'select(.finding.state == \"refuted\")'\n\nEach check ends verified, refuted, or unknown where the permission to look is missing.\nExit code 3 when something is refuted."
    )]
    Verify(Verify),
    /// Whether this machine can build and deploy: engine, toolchain, disks, credentials, clock; changes nothing
    #[command(
        after_help = "Examples:\n  cargo xtask doctor --local          what a local deploy needs\n  cargo xtask doctor --format json | jq 'select(.finding.state == \"problem\")'\n\nExit code 3 when there is a problem."
    )]
    Doctor(Doctor),
    /// The local control plane: AWS on this machine, as far as this tool needs it
    #[command(
        subcommand,
        after_help = "Examples:\n  cargo xtask local status\n  eval \"$(cargo xtask local env)\" && aws ecs list-services --cluster test-cluster\n  cargo xtask local reset"
    )]
    Local(Local),
}

/// `deploy`
#[derive(Args, Debug)]
pub struct Deploy {
    /// Deploy to the local control plane; starts it if it does not run
    #[arg(long)]
    pub local: bool,
    /// Start a new deployment even if nothing changed
    #[arg(long)]
    pub force: bool,
    /// Build Dockerfiles anew: without BuildKit's cache, and even if the registry has an image of the same inputs
    #[arg(long)]
    pub no_cache: bool,
    /// Do what this plan says, or nothing if it is no longer what has to be done
    #[arg(long, value_name = "FILE", conflicts_with_all = ["force", "no_cache"])]
    pub plan: Option<PathBuf>,
    /// How long to wait for the rollout, instead of deploy.toml's `timeout-minutes`
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: Option<u64>,
    /// What to do when another rollout of the service is in progress
    #[arg(long, value_enum, default_value_t, value_name = "ACTION")]
    pub on_conflict: OnConflict,
    /// When the run ends well
    #[arg(long, value_enum, default_value_t, value_name = "MOMENT")]
    pub until: Until,
    /// On Ctrl-C or SIGTERM, stop the rollout and roll it back; otherwise it goes on
    #[arg(long)]
    pub rollback_on_interrupt: bool,
}

/// `plan`
#[derive(Args, Debug)]
pub struct Plan {
    /// For the local control plane; starts it if it does not run
    #[arg(long)]
    pub local: bool,
    /// Exit with 11 if a deploy would change something
    #[arg(long)]
    pub exit_code: bool,
    /// Write the plan to a file, for `deploy --plan`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Only say where a key's value comes from: file, environment, flag, default; looks at nothing else
    #[arg(long, value_name = "KEY", conflicts_with_all = ["exit_code", "out"])]
    pub explain: Option<String>,
}

/// `--until`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// ECS calls the rollout successful: the old tasks are gone, alarms and bake time are over
    #[default]
    Successful,
    /// The new revision alone takes traffic; ECS may still roll it back
    Serving,
}

/// Where to look.
#[derive(Args, Clone, Copy, Debug)]
pub struct Where {
    /// At the local control plane
    #[arg(long)]
    pub local: bool,
}

/// `status`
#[derive(Args, Debug)]
pub struct Status {
    /// Services of deploy.toml; all unless named
    pub services: Vec<String>,
    /// Where
    #[command(flatten)]
    pub place: Where,
}

/// `logs`
#[derive(Args, Debug)]
pub struct Logs {
    /// Services of deploy.toml; all unless named
    pub services: Vec<String>,
    /// Where
    #[command(flatten)]
    pub place: Where,
    /// Go on with what comes
    #[arg(long)]
    pub follow: bool,
    /// Begin so long ago (`10m`, `1h30m`) or at a moment (`2026-01-31T12:00:00Z`)
    #[arg(long, value_name = "WHEN")]
    pub since: Option<Since>,
    /// Only lines that hold this text
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Only this task, by its ID or how that begins
    #[arg(long, value_name = "ID")]
    pub task: Option<String>,
    /// Only this container
    #[arg(long, value_name = "NAME")]
    pub container: Option<String>,
    /// Tasks that stopped, too
    #[arg(long)]
    pub previous: bool,
    /// The last N lines
    #[arg(long, value_name = "N")]
    pub lines: Option<usize>,
}

/// `rollback`
#[derive(Args, Debug)]
pub struct Rollback {
    /// A service of deploy.toml; may be left out if there is one only
    pub service: Option<String>,
    /// Where
    #[command(flatten)]
    pub place: Where,
    /// To this revision: a number, or FAMILY:REVISION
    #[arg(long, value_name = "REVISION")]
    pub to: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long to wait for the rollout
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub timeout: Option<u64>,
}

/// `verify`
#[derive(Args, Debug)]
pub struct Verify {
    /// Where
    #[command(flatten)]
    pub place: Where,
}

/// `doctor`
#[derive(Args, Debug)]
pub struct Doctor {
    /// Where
    #[command(flatten)]
    pub place: Where,
}

/// `--on-conflict`
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum OnConflict {
    /// Leave it alone and exit with 10
    #[default]
    Fail,
    /// Wait until it has ended, then decide
    Wait,
    /// Start this one; ECS then stops the other
    Supersede,
}

impl From<Until> for rollout::Until {
    fn from(until: Until) -> Self {
        match until {
            Until::Successful => Self::Successful,
            Until::Serving => Self::Serving,
        }
    }
}

impl From<OnConflict> for Conflict {
    fn from(action: OnConflict) -> Self {
        match action {
            OnConflict::Fail => Self::Fail,
            OnConflict::Wait => Self::Wait,
            OnConflict::Supersede => Self::Supersede,
        }
    }
}

/// `local`
#[derive(Debug, Subcommand)]
pub enum Local {
    /// Start it, if it does not run
    Start,
    /// Stop it; tasks go on running and are found again by the next start
    Stop,
    /// What runs, and where it is reached
    Status,
    /// Print shell commands that point the AWS CLI, boto3 or Terraform at it
    Env,
    /// Stop it and remove every container, network, volume and file that it made
    Reset,
    /// The control plane itself, in the foreground
    #[command(hide = true)]
    Serve {
        /// Where it keeps its state
        #[arg(long)]
        state_dir: PathBuf,
    },
}
