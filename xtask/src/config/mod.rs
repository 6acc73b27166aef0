//! deploy.toml: text to typed values. Knows no AWS, Docker, environment or clock.

pub mod image;
