//! Problems in deploy.toml, shown as a compiler shows them.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::ops::Range;

/// Something wrong in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, in bytes; `None` for the file as a whole.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub title: String,
    /// Said beside the underlined text.
    pub label: String,
    /// What to do about it.
    pub help: Vec<String>,
}

/// All problems as text, in the order of the file.
#[must_use]
pub fn render(problems: &[Problem], file: &str, text: &str, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut ordered: Vec<_> = problems.iter().collect();
    ordered.sort_by_key(|problem| problem.span.as_ref().map_or(0, |span| span.start));
    ordered.iter().map(|problem| render_one(problem, file, text, &renderer)).collect::<Vec<_>>().join("\n\n")
}

fn render_one(problem: &Problem, file: &str, text: &str, renderer: &Renderer) -> String {
    let title = Level::ERROR.primary_title(problem.title.as_str());
    let help = problem.help.iter().map(|help| Level::HELP.message(help.as_str()));
    match problem.span.clone() {
        Some(span) => {
            let annotation = AnnotationKind::Primary.span(clamp(span, text)).label(problem.label.as_str());
            let snippet = Snippet::source(text).path(file).annotation(annotation);
            renderer.render(&[title.element(snippet).elements(help)])
        }
        None => {
            let origin = annotate_snippets::Origin::path(file);
            renderer.render(&[title.element(origin).elements(help)])
        }
    }
}

/// An empty span at the end of the file still has to point at something.
fn clamp(span: Range<usize>, text: &str) -> Range<usize> {
    let end = span.end.min(text.len());
    let start = span.start.min(end);
    let boundary = |mut at: usize| {
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    boundary(start)..boundary(end)
}

/// The candidate that was probably meant, if one is near enough.
#[must_use]
pub fn nearest<'a>(typed: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(typed, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}
