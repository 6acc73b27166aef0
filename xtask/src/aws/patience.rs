//! How long AWS is waited for: when a failed call is tried again, and when it is given up.
//!
//! The SDK counts attempts; what matters to a rollout that is watched is time. This interceptor
//! leaves the retrying to the SDK's standard strategy (it knows what can be retried, and adds the
//! jitter) and sets, after every attempt, how long the next pause and the next attempt may take, and
//! whether there is one. The last error is the one that is told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextMut, Error as Failure, FinalizerInterceptorContextRef, InterceptorContext,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata, OrchestratorError};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use super::credentials::Renewing;
use super::fault::{self, chain};
use crate::event::Events;

/// How long a call is tried. A rollout goes on without us, so an outage of seconds is waited out.
pub(crate) const LASTING: Duration = Duration::from_secs(60);
/// The same until the first answer of all: nothing there at all is rather a wrong endpoint or
/// region than an outage.
const FIRST: Duration = Duration::from_secs(10);
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(30);
/// The same for a read, the first times: a connection that is dead without saying so is left soon.
const READ: Duration = Duration::from_secs(2);
/// The longest pause; the SDK takes a random part of it. A recovery is to be seen within seconds.
const PAUSE: Duration = Duration::from_millis(1500);
/// How long there has to be trouble before it is worth a word.
const WORTH_TELLING: Duration = Duration::from_secs(3);

/// Timeouts that hold where the interceptor sets no others.
pub(crate) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .operation_attempt_timeout(ATTEMPT)
        .build()
}

/// More attempts than there is time for. ECS allows 20 RegisterTaskDefinition calls at once and
/// one a second after that (observed: kayac/ecspresso#787): throttling is retried as long as an outage.
pub(crate) fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(100)
}

/// Shared by all clients of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Patience(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Whether any call was ever answered.
    answered: AtomicBool,
    listener: OnceLock<Events>,
    credentials: Option<Renewing>,
    trouble: Mutex<Option<Trouble>>,
}

/// Calls fail, since when, and whether the user knows.
#[derive(Debug)]
struct Trouble {
    since: Instant,
    told: bool,
}

/// When the call began; kept with it.
#[derive(Debug)]
struct Began(Instant);

impl Storable for Began {
    type Storer = StoreReplace<Self>;
}

/// This call had its credentials renewed already.
#[derive(Debug)]
struct Renewed;

impl Storable for Renewed {
    type Storer = StoreReplace<Self>;
}

impl Patience {
    pub(super) fn new(credentials: Option<Renewing>) -> Self {
        Self(Arc::new(Shared { credentials, ..Shared::default() }))
    }

    /// Whether credentials that AWS calls expired are worth another attempt, one a call.
    fn renewed(&self, config: &mut ConfigBag) -> bool {
        let first = config.load::<Renewed>().is_none();
        config.interceptor_state().store_put(Renewed);
        first && self.0.credentials.as_ref().is_some_and(Renewing::refused)
    }

    /// Tells of outages from now on.
    pub(super) fn tell(&self, events: &Events) {
        drop(self.0.listener.set(events.clone()));
    }

    fn budget(&self) -> Duration {
        if self.0.answered.load(Ordering::Relaxed) { LASTING } else { FIRST }
    }

    fn well(&self) {
        self.0.answered.store(true, Ordering::Relaxed);
        let trouble = self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(Trouble { since, told: true }), Some(events)) = (trouble, self.0.listener.get()) {
            events.note(format!("AWS answers again, after {} s", since.elapsed().as_secs()));
        }
    }

    fn unwell(&self, began: Instant, operation: &str, why: &str) {
        let mut trouble = self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = trouble.get_or_insert(Trouble { since: began, told: false });
        if !trouble.told
            && trouble.since.elapsed() >= WORTH_TELLING
            && let Some(events) = self.0.listener.get()
        {
            trouble.told = true;
            let seconds = self.budget().as_secs();
            events.note(format!("`{operation}` fails ({why}): tried again for {seconds} s"));
        }
    }
}

#[dyn_dispatch_hint]
impl Intercept for Patience {
    fn name(&self) -> &'static str {
        "Patience"
    }

    fn modify_before_retry_loop(
        &self,
        _context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(Began(Instant::now()));
        limit_attempt(config, 1);
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(began) = config.load::<Began>().map(|began| began.0) else { return Ok(()) };
        let Some(Err(failure)) = context.output_or_error() else {
            self.well();
            return Ok(());
        };
        let answer = context.response();
        if answer.is_some_and(|answer| answer.status().as_u16() < 500) {
            self.0.answered.store(true, Ordering::Relaxed);
        }
        let attempts = config.load::<RequestAttempts>().map_or(1, |tried| tried.attempts());
        limit_attempt(config, attempts + 1);
        if answer.is_some_and(is_expired) {
            let again = self.renewed(config);
            limit_pause(config, Duration::ZERO, !again);
            return Ok(());
        }
        let operation = config.load::<Metadata>().map(|call| call.name().to_owned()).unwrap_or_default();
        self.unwell(began, &operation, &why(answer, failure));
        limit_pause(config, pause(attempts, failure.is_timeout_error()), began.elapsed() >= self.budget());
        Ok(())
    }
}

/// Adds to what the SDK tries again: a call whose credentials had expired.
#[derive(Debug)]
pub(super) struct ExpiredIsRetried;

impl ClassifyRetry for ExpiredIsRetried {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        match context.response() {
            Some(answer) if is_expired(answer) => RetryAction::transient_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "expired credentials"
    }
}

fn is_expired(answer: &HttpResponse) -> bool {
    answer.status().as_u16() >= 400 && code(answer).is_some_and(|code| fault::is_expiry(&code))
}

/// AWS's code of an error: `__type` in JSON, `<Code>` in XML.
fn code(answer: &HttpResponse) -> Option<String> {
    let text = std::str::from_utf8(answer.body().bytes()?).ok()?;
    if let Ok(said) = serde_json::from_str::<serde_json::Value>(text) {
        return said["__type"].as_str()?.rsplit('#').next().map(str::to_owned);
    }
    text.split_once("<Code>")?.1.split_once("</Code>").map(|(code, _)| code.to_owned())
}

/// Why an attempt failed, shortly: AWS's code, an HTTP status, or what happened to the connection.
fn why(answer: Option<&HttpResponse>, failure: &OrchestratorError<Failure>) -> String {
    match answer {
        Some(answer) => code(answer).unwrap_or_else(|| format!("HTTP {}", answer.status().as_u16())),
        None if failure.is_timeout_error() => "no answer".to_owned(),
        None => {
            let chain = chain(failure);
            chain.rsplit(": ").next().unwrap_or(&chain).to_owned()
        }
    }
}

/// The longest pause after so many attempts. A timeout has been a pause itself.
fn pause(attempts: u32, timed_out: bool) -> Duration {
    let doubled = Duration::from_millis(500) * 2_u32.saturating_pow(attempts.saturating_sub(1).min(8));
    if timed_out { Duration::from_millis(100) } else { doubled.min(PAUSE) }
}

/// How long this attempt of a read may take. For ten seconds it is rather the network that is dead, then
/// AWS that is slow, and gets more time each time.
fn read_limit(attempt: u32) -> Duration {
    (READ * 2_u32.saturating_pow(attempt.saturating_sub(5).min(8))).min(ATTEMPT)
}

fn limit_attempt(config: &mut ConfigBag, attempt: u32) {
    let reads = config.load::<Metadata>().is_some_and(|call| {
        ["Describe", "List", "BatchGet"].iter().any(|verb| call.name().starts_with(verb))
    });
    if reads && let Some(limits) = config.load::<TimeoutConfig>() {
        let limits = limits.to_builder().operation_attempt_timeout(read_limit(attempt)).build();
        config.interceptor_state().store_put(limits);
    }
}

fn limit_pause(config: &mut ConfigBag, pause: Duration, enough: bool) {
    if let Some(retries) = config.load::<RetryConfig>().filter(|retries| retries.has_retry()).cloned() {
        let attempts = if enough { 1 } else { retries.max_attempts() };
        let retries = retries.with_initial_backoff(pause).with_max_backoff(pause);
        config.interceptor_state().store_put(retries.with_max_attempts(attempts));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_but_a_recovery_is_seen_within_seconds() {
        let pauses = [1, 2, 3, 90].map(|attempts| pause(attempts, false).as_millis());
        assert_eq!(pauses, [500, 1000, 1500, 1500]);
        assert_eq!(pause(90, true).as_millis(), 100);
    }

    #[test]
    fn the_code_of_an_error_is_read_from_either_protocol() {
        let answer = |body: &str| {
            let status = 400.try_into().expect("a status");
            HttpResponse::new(status, aws_smithy_types::body::SdkBody::from(body))
        };
        let json = answer("{\"__type\":\"com.amazonaws.ecs#ExpiredTokenException\",\"message\":\"m\"}");
        assert_eq!(code(&json).as_deref(), Some("ExpiredTokenException"));
        assert!(is_expired(&json));
        let xml = answer("<Response><Errors><Error><Code>RequestExpired</Code></Error></Errors></Response>");
        assert!(is_expired(&xml));
        assert!(!is_expired(&answer("{\"__type\":\"ThrottlingException\"}")));
        assert_eq!(code(&answer("<html>")), None);
    }

    #[test]
    fn a_read_is_given_up_soon_at_first_and_has_all_the_time_later() {
        let limits = [1, 5, 6, 7, 8, 9, 90].map(|attempt| read_limit(attempt).as_millis());
        assert_eq!(limits, [2000, 2000, 4000, 8000, 16000, 30000, 30000]);
    }
}
