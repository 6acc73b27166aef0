//! How far a push is. The engine reports layer by layer; bollard drops the layers' names, so layers
//! that are being sent are told apart by their sizes.

use std::collections::BTreeMap;

use bollard::models::PushImageInfo;

/// What the messages so far say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    layers: usize,
    pushed: usize,
    there: usize,
    /// Size -> bytes sent.
    sending: BTreeMap<i64, i64>,
    /// Of the manifest, once it is accepted.
    pub(super) digest: Option<String>,
}

impl Progress {
    /// Takes in one message; the new state in words, if it changed.
    pub(super) fn update(&mut self, message: &PushImageInfo) -> Option<String> {
        let status = message.status.as_deref().unwrap_or_default();
        match status {
            "Preparing" => self.layers += 1,
            "Pushed" => self.pushed += 1,
            "Layer already exists" => self.there += 1,
            _ if status.starts_with("Mounted from") => self.there += 1,
            "Pushing" => self.bytes(message)?,
            _ => {
                self.digest = digest(status).or(self.digest.take());
                return None;
            }
        }
        Some(self.to_string())
    }

    /// Whether the registry had everything.
    pub(super) fn nothing_sent(&self) -> bool {
        self.pushed == 0
    }

    fn bytes(&mut self, message: &PushImageInfo) -> Option<()> {
        let detail = message.progress_detail.as_ref()?;
        let total = detail.total?;
        // The engine counts headers, so the count may pass the size.
        self.sending.insert(total, detail.current?.min(total));
        Some(())
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let layers = self.layers.max(self.pushed + self.there);
        write!(f, "{} of {layers} layers", self.pushed + self.there)?;
        let (sent, total) = self.sending.iter().fold((0, 0), |(s, t), (total, sent)| (s + sent, t + total));
        if total > 0 {
            write!(f, ", {:.1} of {:.1} MB", sent as f64 / 1e6, total as f64 / 1e6)?;
        }
        Ok(())
    }
}

/// `image-0123: digest: sha256:… size: 528`, the engine's last word.
fn digest(status: &str) -> Option<String> {
    let (_, rest) = status.split_once("digest: ")?;
    let digest = rest.split_whitespace().next()?;
    digest.starts_with("sha256:").then(|| digest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::ProgressDetail;

    fn message(status: &str, bytes: Option<(i64, i64)>) -> PushImageInfo {
        PushImageInfo {
            status: Some(status.to_owned()),
            progress_detail: bytes
                .map(|(current, total)| ProgressDetail { current: Some(current), total: Some(total) }),
            ..PushImageInfo::default()
        }
    }

    #[test]
    fn layers_and_bytes_add_up() {
        let mut progress = Progress::default();
        let mut told = Vec::new();
        for (status, bytes) in [
            ("The push refers to repository [127.0.0.1:5000/web]", None),
            ("Preparing", None),
            ("Preparing", None),
            ("Layer already exists", None),
            ("Pushing", Some((500_000, 2_000_000))),
            ("Pushing", Some((2_000_512, 2_000_000))),
            ("Pushed", None),
            ("image-1: digest: sha256:abc size: 528", None),
        ] {
            told.extend(progress.update(&message(status, bytes)));
        }
        insta::assert_snapshot!(told.join("\n"), @r"
        0 of 1 layers
        0 of 2 layers
        1 of 2 layers
        1 of 2 layers, 0.5 of 2.0 MB
        1 of 2 layers, 2.0 of 2.0 MB
        2 of 2 layers, 2.0 of 2.0 MB
        ");
        assert_eq!(progress.digest.as_deref(), Some("sha256:abc"));
        assert!(!progress.nothing_sent());
    }
}
