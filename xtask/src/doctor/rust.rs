//! The Rust toolchain, and whether it links what goes into images.

use std::path::Path;

use crate::build;
use crate::config::image::Platform;
use crate::finding::Finding;

/// rustc and cargo, then each platform.
pub(super) async fn look(root: &Path, platforms: &[Platform]) -> Vec<Finding> {
    let survey = match build::survey(root, platforms).await {
        Ok(survey) => survey,
        Err(error) => return vec![Finding::of_error("rust", &error)],
    };
    let mut found = vec![Finding::ok("rust", format!("{}, {}", survey.rustc, survey.cargo))];
    found.extend(survey.links.iter().map(|(platform, link)| {
        let subject = format!("linking {platform}");
        match link {
            Ok(how) => Finding::ok(subject, how.clone()),
            Err(error) => Finding::of_error(subject, error),
        }
    }));
    found
}
