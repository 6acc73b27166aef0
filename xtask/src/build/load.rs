//! A minimal image into the engine, unless it is there.

use bollard::errors::Error as Docker;
use bollard::query_parameters::ImportImageOptionsBuilder;
use futures_util::StreamExt;

use super::minimal::Minimal;
use super::{label, pipe};
use crate::engine::{Engine, text};
use crate::error::{Error, Kind, Result};
use crate::event::{Done, Running};
use crate::git::Head;

/// The engine's ID of the image, and whether it had it: one with the labels of another commit is as good.
pub(super) async fn load(
    engine: &Engine,
    image: Minimal,
    commit: Head,
    step: &Running,
) -> Result<(String, Done)> {
    if let Some(id) = loaded(engine, &image).await? {
        return Ok((id, Done::Unchanged));
    }
    let mut labels = label::of(commit.await.as_ref());
    labels.insert(label::ADDRESS.to_owned(), image.address().to_owned());
    let image = image.labelled(&labels)?;
    step.progress("loading into the engine");
    let source = image.clone();
    let (body, writing) = pipe::pipe(move |out| {
        source.write(out).map_err(|e| Error::new(Kind::Build, "the image could not be sent").caused_by(e))
    });
    let (announced, _) = super::outcome(send(engine, body).await, writing).await?;
    let id = match present(engine, &image).await? {
        Some(id) => Some(id),
        None => announced, // a store with its own idea of an ID
    };
    id.map(|id| (id, Done::Changed))
        .ok_or_else(|| Error::new(Kind::Build, "the engine loaded the image but does not list it"))
}

/// One that was loaded before, at whichever commit. The label alone does not tell: an image that somebody built
/// on top of it has the label, too.
async fn loaded(engine: &Engine, image: &Minimal) -> Result<Option<String>> {
    for (id, labels) in engine.labelled(label::ADDRESS, image.address()).await? {
        if image.clone().labelled(&labels)?.ids().contains(&id.as_str()) {
            return Ok(Some(id));
        }
    }
    Ok(None)
}

async fn present(engine: &Engine, image: &Minimal) -> Result<Option<String>> {
    for id in image.ids() {
        match engine.docker().inspect_image(id).await {
            Ok(found) => return Ok(found.id.or_else(|| Some(id.to_owned()))),
            Err(Docker::DockerResponseServerError { status_code: 404, .. }) => {}
            Err(e) => {
                return Err(Error::new(Kind::Build, "the engine's images cannot be read").caused_by(text(&e)));
            }
        }
    }
    Ok(None)
}

async fn send(
    engine: &Engine,
    body: impl futures_util::Stream<Item = std::io::Result<bytes::Bytes>> + Send + 'static,
) -> Result<Option<String>> {
    let docker = engine.patient();
    let options = ImportImageOptionsBuilder::default().quiet(true).build();
    let mut messages = docker.import_image(options, bollard::body_try_stream(body), None);
    let mut id = None;
    while let Some(message) = messages.next().await {
        let message = message
            .map_err(|e| Error::new(Kind::Build, "the engine refused the image").caused_by(text(&e)))?;
        id = message.stream.as_deref().and_then(loaded_id).or(id);
    }
    Ok(id)
}

/// `Loaded image ID: sha256:…`
fn loaded_id(line: &str) -> Option<String> {
    line.trim().strip_prefix("Loaded image ID: ").map(str::to_owned)
}
