//! What base images are, asked for at a registry and at the engine.

use std::collections::{BTreeSet, HashMap};

use bollard::auth::DockerCredentials;
use bollard::query_parameters::TagImageOptionsBuilder;

use super::on_bench;
use crate::build::base::{Bases, resolve};
use crate::event::{Event, Events};
use crate::push::push;
use crate::push::registry_tests::Ecr;

const FILES: [(&str, &str); 2] = [("Dockerfile", "FROM scratch\nCOPY a /a\n"), ("a", "UNIQUE")];

#[tokio::test]
async fn a_tag_is_what_its_registry_says_whatever_the_engine_has() {
    on_bench(&FILES, async |bench| {
        let (ecr, events) = (Ecr::new().await, Events::channel().0);
        let image = bench.one(bench.dockerfile()).await;
        let (uri, auth) = (ecr.repository("base", "MUTABLE").await, ecr.auth());
        let pushed = push(&bench.engine, &image, "v1", &uri, &auth, &events).await.expect("pushes");
        let tag = async |id: &str, repository: &str, tag: &str| {
            let options = TagImageOptionsBuilder::default().repo(repository).tag(tag).build();
            bench.engine.docker().tag_image(id, Some(options)).await.expect("tags");
        };
        bench.write("a", &format!("{} is newer here", bench.name));
        let newer = bench.one(bench.dockerfile()).await;
        tag(&newer.id, &uri, "v1").await;
        tag(&image.id, &bench.name, "local").await;

        let login = DockerCredentials {
            username: Some(auth.username.clone()),
            password: Some(auth.password.clone()),
            ..DockerCredentials::default()
        };
        let host = uri.split('/').next().expect("a host").to_owned();
        let logins = HashMap::from([(host, login)]);
        let (remote, local) = (format!("{uri}:v1"), format!("{}:local", bench.name));
        let ask = async |names: &[&String]| {
            let names: BTreeSet<String> = names.iter().map(|name| (*name).clone()).collect();
            resolve(&bench.lazy, names, &logins, &events).await
        };
        let bases = ask(&[&remote]).await;
        let digests = [(remote.clone(), Some(pushed.digest))].into();
        assert_eq!(bases, Bases { digests, pull: true });

        // With one that no registry has, the build takes what the engine has, and so does the address.
        let bases = ask(&[&remote, &local]).await;
        let digests = [(remote, Some(newer.id)), (local, Some(image.id))].into();
        assert_eq!(bases, Bases { digests, pull: false });
    })
    .await;
}

#[tokio::test]
async fn what_nobody_knows_is_its_name_and_said() {
    on_bench(&FILES, async |bench| {
        let (events, mut seen) = Events::channel();
        let unknown = "127.0.0.1:1/nobody:1".to_owned();
        let pinned = "127.0.0.1:1/nobody@sha256:0123".to_owned();
        let names = [unknown.clone(), pinned].into();
        let bases = resolve(&bench.lazy, names, &HashMap::new(), &events).await;
        assert_eq!(bases, Bases { digests: [(unknown, None)].into(), pull: false });
        drop(events);
        let told = seen.recv().await.map(|stamped| stamped.event);
        assert!(matches!(&told, Some(Event::Note { message }) if message.contains("nobody:1")), "{told:?}");
    })
    .await;
}
