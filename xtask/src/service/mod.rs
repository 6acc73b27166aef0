//! Creates or updates the ECS service, in one call.

mod call;
mod decide;

pub use call::apply;
pub use decide::{Change, Changes, Conflict, decide};
