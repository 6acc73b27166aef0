//! The engine's errors in the scheduler's terms. The engine's own text is kept: it is what
//! ends up in a task's `stoppedReason`.

use std::error::Error as _;

use bollard::errors::Error;

use crate::engine::EngineError;

/// The message without bollard's frame around it, and with the causes it leaves out.
pub(crate) fn text(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        Error::RequestTimeoutError => "no answer in time".to_owned(),
        other => with_causes(other),
    }
}

fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text = format!("{text}: {message}");
        }
        cause = error.source();
    }
    text
}

/// The status of the engine's answer, if it answered.
pub(super) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// An error of an operation on an existing container, image or network.
pub(super) fn general(error: &Error) -> EngineError {
    let text = text(error);
    match error {
        Error::DockerResponseServerError { status_code: 404, .. } => EngineError::Gone(text),
        Error::DockerResponseServerError { .. } | Error::DockerStreamError { .. } => EngineError::Other(text),
        Error::IOError { .. }
        | Error::HyperResponseError { .. }
        | Error::HyperLegacyError { .. }
        | Error::SocketNotFoundError(_)
        | Error::RequestTimeoutError => EngineError::Unreachable(text),
        _ => EngineError::Other(text),
    }
}

/// An error of creating a container: the request is ours, so a 404 is the image.
pub(super) fn create(error: &Error) -> EngineError {
    match status(error) {
        Some(404) => EngineError::ImageNotFound(text(error)),
        Some(_) => EngineError::CannotStart(text(error)),
        None => general(error),
    }
}

/// An error of starting one. The engine answers 404 for an entry point that is not in the
/// image as well as for a container that is gone.
pub(super) fn start(error: &Error) -> EngineError {
    let message = text(error);
    match status(error) {
        Some(404) if message.starts_with("No such container") => EngineError::Gone(message),
        Some(_) => EngineError::CannotStart(message),
        None => general(error),
    }
}

/// An error of a pull: whatever the registry said, the image cannot be had.
pub(super) fn pull(error: &Error) -> EngineError {
    match general(error) {
        EngineError::Gone(text) | EngineError::Other(text) => EngineError::ImageNotFound(text),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status_code: u16, message: &str) -> Error {
        Error::DockerResponseServerError { status_code, message: message.to_owned() }
    }

    #[test]
    fn a_missing_image_is_told_from_a_missing_container() {
        let image = create(&answer(404, "No such image: nope:latest"));
        assert_eq!(image, EngineError::ImageNotFound("No such image: nope:latest".to_owned()));
        let container = start(&answer(404, "No such container: 0123"));
        assert_eq!(container, EngineError::Gone("No such container: 0123".to_owned()));
    }

    #[test]
    fn an_entry_point_that_is_not_there_cannot_start_whatever_the_status() {
        for status in [400, 404, 500] {
            let error = start(&answer(status, "exec: \"nope\": executable file not found in $PATH"));
            assert!(matches!(error, EngineError::CannotStart(_)), "{status}: {error:?}");
        }
    }

    #[test]
    fn a_refused_pull_keeps_the_registrys_words() {
        let error = pull(&answer(500, "unauthorized: authentication required\n"));
        assert_eq!(error, EngineError::ImageNotFound("unauthorized: authentication required".to_owned()));
        let stream = Error::DockerStreamError { error: "no matching manifest for linux/amd64".to_owned() };
        assert!(matches!(pull(&stream), EngineError::ImageNotFound(_)));
    }

    #[test]
    fn an_engine_that_does_not_answer_is_unreachable() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert!(matches!(general(&Error::IOError { err: refused }), EngineError::Unreachable(_)));
        assert!(matches!(pull(&Error::RequestTimeoutError), EngineError::Unreachable(_)));
    }
}
