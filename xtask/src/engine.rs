//! The container engine that builds and pushes: found as the `docker` command finds it.
