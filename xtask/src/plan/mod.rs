//! What a deploy would do, as a value: `cargo xtask plan` shows it, `cargo xtask deploy` carries it out.
//! Pure: the file and what is there in, everything that has to be done out.

mod document;
mod drift;
mod images;
mod infrastructure;
mod items;
mod service;
mod settings;
mod text;
mod words;

pub use document::{Action, Difference, Document, Effect, Item};
pub use drift::{TAG as SETTINGS_TAG, record};
pub use images::ImagePlan;
pub use infrastructure::{GroupPlan, LogGroup, NetworkPlan, Plan, SecurityPlan, Target, plan};
pub use items::{Place, document};
pub use service::{ServicePlan, service};
pub use text::{Look, render};
