//! `cargo xtask status`: what each service runs, and what went wrong lately. Reading ([`read`]), what
//! it means ([`model`]) and how it looks ([`text`]) are apart; the last two are pure.

pub mod model;
mod read;
pub mod text;

pub use model::ServiceStatus;
pub use read::read;

#[cfg(test)]
mod tests;
