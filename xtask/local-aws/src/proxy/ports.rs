//! Which local port a service's port gets: its own number if that is free, or else the next
//! free one, and the same again after a restart.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use tokio::net::TcpListener;

use crate::routes::Route;

/// How many ports are tried after a taken one.
const TRIES: u16 = 1000;

/// Added to a port that only the superuser may listen on: 80 becomes 8080, 443 becomes 8443.
const UNPRIVILEGED: u16 = 8000;

/// A port of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    cluster: String,
    service: String,
    container_port: u16,
}

impl Key {
    pub(super) fn of(route: &Route) -> Self {
        Self {
            cluster: route.cluster.clone(),
            service: route.service.clone(),
            container_port: route.container_port,
        }
    }

    fn text(&self) -> String {
        format!("{}/{}/{}", self.cluster, self.service, self.container_port)
    }
}

/// The ports given out, as kept in `ports.json`.
pub(super) struct PortBook {
    path: PathBuf,
    ports: BTreeMap<String, u16>,
    changed: bool,
}

impl PortBook {
    /// A file that is missing or unreadable is an empty one: ports are found again.
    pub(super) fn open(state_dir: &Path) -> Self {
        let path = state_dir.join("ports.json");
        let read = std::fs::read(&path).ok();
        let ports = read.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        Self { path, ports, changed: false }
    }

    pub(super) fn remembered(&self, key: &Key) -> Option<u16> {
        self.ports.get(&key.text()).copied()
    }

    /// Always false: the answer to "is it kept?".
    pub(super) fn forget(&mut self, key: &Key) -> bool {
        self.changed |= self.ports.remove(&key.text()).is_some();
        false
    }

    pub(super) async fn listen(&mut self, key: &Key) -> io::Result<TcpListener> {
        let listener = match self.remembered(key) {
            Some(port) => match bind(port).await {
                Ok(listener) => listener,
                Err(_) => first_free(key.container_port).await?,
            },
            None => first_free(key.container_port).await?,
        };
        let port = listener.local_addr()?.port();
        self.changed |= self.ports.insert(key.text(), port) != Some(port);
        Ok(listener)
    }

    /// Best effort: without the file the ports are found again, in the same order.
    pub(super) fn save(&mut self) {
        if std::mem::take(&mut self.changed) {
            write_whole(&self.path, &self.ports).ok();
        }
    }
}

fn write_whole(path: &Path, ports: &BTreeMap<String, u16>) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let aside = tempfile::NamedTempFile::new_in(directory)?;
    serde_json::to_writer_pretty(&aside, ports)?;
    aside.persist(path).map(drop).map_err(io::Error::from)
}

async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

async fn first_free(wanted: u16) -> io::Result<TcpListener> {
    let mut port = wanted;
    for _ in 0..TRIES {
        match bind(port).await {
            Ok(listener) => return Ok(listener),
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied && port < 1024 => port += UNPRIVILEGED,
            Err(_) => port = port.checked_add(1).unwrap_or(1024),
        }
    }
    bind(0).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(service: &str, container_port: u16) -> Key {
        Key { cluster: "c".to_owned(), service: service.to_owned(), container_port }
    }

    #[tokio::test]
    async fn a_taken_port_is_passed_over_and_the_choice_remembered() {
        let dir = tempfile::tempdir().expect("tempdir");
        let taken = bind(0).await.expect("binds");
        let wanted = taken.local_addr().expect("has one").port();
        let mut book = PortBook::open(dir.path());
        let got = book.listen(&key("s", wanted)).await.expect("another is free");
        let port = got.local_addr().expect("has one").port();
        assert_ne!(port, wanted);
        book.save();
        drop((taken, got));

        let mut again = PortBook::open(dir.path());
        let got = again.listen(&key("s", wanted)).await.expect("free again");
        assert_eq!(got.local_addr().expect("has one").port(), port);
        again.forget(&key("s", wanted));
        again.save();
        assert_eq!(PortBook::open(dir.path()).remembered(&key("s", wanted)), None);
    }

    #[tokio::test]
    async fn a_broken_file_is_an_empty_one() {
        let dir = tempfile::tempdir().expect("tempdir");
        std::fs::write(dir.path().join("ports.json"), "{").expect("writes");
        assert_eq!(PortBook::open(dir.path()).remembered(&key("s", 1)), None);
    }
}
