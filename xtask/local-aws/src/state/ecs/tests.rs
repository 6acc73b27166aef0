//! The state machine under a simulated engine: time and failures are the test's.
