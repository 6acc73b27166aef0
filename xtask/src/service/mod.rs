//! Creates or updates the ECS service, in one call.

mod call;
mod decide;
mod once;

pub use call::apply;
pub use decide::{Change, Changes, Conflict, decide};
pub use once::update;
