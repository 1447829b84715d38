//! A figure: what it is called, what it shows, and how it is drawn.

use crate::canvas::{self, Area, Drawn};
use crate::{FIGURES, ReportError};
use sim_core::outcome::Experiment;

/// A kind of figure. A new one is a file with one of these, and a line in [`FIGURES`].
pub(crate) struct FigureKind {
    /// Its file's name, in kebab-case.
    pub(crate) name: &'static str,
    /// What it shows, in a few words.
    pub(crate) title: &'static str,
    /// What links to it are called.
    pub(crate) link: &'static str,
    /// How to read it, in a sentence or two.
    pub(crate) caption: &'static str,
    /// Whether there is one for each service.
    pub(crate) is_of_service: bool,
    /// Whether it shows what became of requests: there is none for a service that got none beside others that did.
    pub(crate) is_of_requests: bool,
    /// Its height without a title, in pixels.
    pub(crate) height: fn(&Experiment) -> i32,
    /// Draws it, for the service of an index.
    pub(crate) paint: fn(&Area<'_>, &Experiment, usize) -> Drawn,
}

/// A figure that was drawn.
pub(crate) struct Figure {
    /// The name of its kind.
    pub(crate) kind: &'static str,
    /// The index of the service that it is of; zero for one of all services.
    pub(crate) service: usize,
    /// Its file's name without an extension.
    pub(crate) name: String,
    /// Its heading, with the service where there are several.
    pub(crate) title: String,
    /// What links to it are called.
    pub(crate) link: &'static str,
    /// How to read it.
    pub(crate) caption: &'static str,
    /// The drawing under its title, as a file of its own.
    pub(crate) svg: String,
    /// The drawing alone, for a page that has a heading above it.
    pub(crate) bare: String,
}

impl Figure {
    /// The drawing as a PNG.
    pub(crate) fn png(&self) -> Result<Vec<u8>, ReportError> {
        canvas::rasterise(&self.name, &self.svg)
    }
}

/// Draws every figure of [`FIGURES`], in order.
pub(crate) fn draw_all(experiment: &Experiment) -> Result<Vec<Figure>, ReportError> {
    let services = 0..experiment.services.len();
    let wanted = FIGURES.iter().flat_map(|kind| {
        let services = if kind.is_of_service { services.clone() } else { 0..1 };
        let is_empty = |service| kind.is_of_requests && is_beside_the_traffic(experiment, service);
        services.filter(move |&service| !is_empty(service)).map(move |service| (kind, service))
    });
    wanted.map(|(kind, service)| draw(kind, experiment, service)).collect()
}

/// Whether a service got no requests in any stack, and others did: pause pods, say.
fn is_beside_the_traffic(experiment: &Experiment, service: usize) -> bool {
    let runs = || experiment.stacks.iter().flat_map(|stack| &stack.runs);
    let arrived = |service: usize| {
        runs().filter_map(|run| run.services.get(service)).any(|it| it.requests.arrived > 0)
    };
    !arrived(service) && (0..experiment.services.len()).any(arrived)
}

fn draw(kind: &FigureKind, experiment: &Experiment, service: usize) -> Result<Figure, ReportError> {
    let (name, title) = if kind.is_of_service && experiment.services.len() > 1 {
        let service = &experiment.services[service].name;
        (format!("{}-{}", kind.name, file_name(service)), format!("{}: {service}", kind.title))
    } else {
        (kind.name.to_owned(), kind.title.to_owned())
    };
    let paint = |heading: Option<&str>| {
        canvas::draw(heading, (kind.height)(experiment), |area| {
            (kind.paint)(area, experiment, service)
        })
        .map_err(|error| ReportError::Figure { figure: name.clone(), problem: error.to_string() })
    };
    let (svg, bare) = (paint(Some(&title))?, paint(None)?);
    let FigureKind { link, caption, .. } = *kind;
    Ok(Figure { kind: kind.name, service, name, title, link, caption, svg, bare })
}

/// A name without what a file's name should not hold.
fn file_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_service_without_requests_beside_others_has_no_figures_of_requests() {
        let mut experiment = fixture::experiment(1, 1, 2);
        let names = |experiment: &Experiment| -> Vec<_> {
            draw_all(experiment).expect("drawn").into_iter().map(|figure| figure.name).collect()
        };
        let with_traffic = names(&experiment).len();
        for run in experiment.stacks.iter_mut().flat_map(|stack| &mut stack.runs) {
            run.services[1].requests.arrived = 0;
        }
        let left = names(&experiment);
        assert_eq!(left.len(), with_traffic - 3, "{left:?}");
        assert!(left.iter().any(|name| name.starts_with("timeline-")), "{left:?}");
    }
}
