//! Problems in deploy.toml or the flags that change it, shown as a compiler shows them.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use std::ops::Range;

use super::input::Input;

/// Something wrong in the file, or in a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, in bytes of the [`Input`]; `None` for the file as a whole.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub title: String,
    /// Said beside the underlined text.
    pub label: String,
    /// What to do about it.
    pub help: Vec<String>,
}

impl Problem {
    /// A problem at a place, without advice.
    pub(super) fn at(span: Range<usize>, title: impl Into<String>) -> Self {
        Self { span: Some(span), title: title.into(), label: String::new(), help: Vec::new() }
    }

    /// Adds what to do about it, if there is anything to say.
    pub(super) fn hint(mut self, help: impl IntoIterator<Item = String>) -> Self {
        self.help.extend(help);
        self
    }
}

/// All problems as text, in the order of the file, those of flags behind them.
#[must_use]
pub fn render(problems: &[Problem], input: &Input, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut ordered: Vec<_> = problems.iter().collect();
    ordered.sort_by_key(|problem| problem.span.as_ref().map_or(0, |span| span.start));
    ordered.iter().map(|problem| render_one(problem, input, &renderer)).collect::<Vec<_>>().join("\n\n")
}

fn render_one(problem: &Problem, input: &Input, renderer: &Renderer) -> String {
    let title = Level::ERROR.primary_title(problem.title.as_str());
    let help = problem.help.iter().map(|help| Level::HELP.message(help.as_str()));
    match problem.span.clone() {
        Some(span) => {
            let text = input.text_at(span.start);
            let span = clamp(span.start - text.start..span.end - text.start, &text.text);
            let annotation = AnnotationKind::Primary.span(span).label(problem.label.as_str());
            let snippet = Snippet::source(&text.text).path(&text.name).annotation(annotation);
            renderer.render(&[title.element(snippet).elements(help)])
        }
        None => {
            let origin = annotate_snippets::Origin::path(&input.file().name);
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
