//! Creates or updates the ECS service, in one call.

mod call;
mod decide;
mod once;
mod settings;

pub use call::apply;
pub use decide::{Change, Changes, Conflict, decide};
pub use once::update;
pub use settings::Settings;
