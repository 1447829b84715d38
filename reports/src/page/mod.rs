//! `report.html`: one file that needs no other, readable without scripts, by day and by night.

mod decisions;
mod glossary;
mod headline;
mod readout;
mod tables;
mod unplaced;

use crate::canvas::{self, ALERT, GRID, INK, MUTED, PAPER};
use crate::figure::Figure;
use crate::{fingerprint, number, table};
use contract::Micros;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sim_core::outcome::{Experiment, ServiceInfo};
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// The whole page.
pub(crate) fn write(experiment: &Experiment, scenario_toml: &str, figures: &[Figure]) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (experiment.scenario) " · windtunnel" }
                style { (PreEscaped(colours(experiment))) (PreEscaped(STYLE)) }
            }
            body {
                (head(experiment, figures))
                main {
                    section #comparison {
                        h2 { "Comparison" }
                        (tables::comparison(experiment))
                    }
                    @if !experiment.jobs.is_empty() {
                        section #jobs { h2 { "Jobs" } (tables::jobs(experiment)) }
                    }
                    @if experiment.stacks.iter().flat_map(|stack| &stack.runs).any(|run| !run.queues.is_empty()) {
                        section #queues { h2 { "Queues" } (tables::queues(experiment)) }
                    }
                    @for figure in figures { (figure_section(figure)) }
                    @if experiment.stacks.len() > 1 {
                        section #differences {
                            h2 { "Differences to " (experiment.stacks[0].name) }
                            (tables::differences(experiment))
                        }
                    }
                    section #pools { h2 { "Cost by pool" } (tables::pools(experiment)) }
                    @if unplaced::is_any(experiment) {
                        section #unplaced { h2 { "Pods without a node" } (unplaced::section(experiment)) }
                    }
                    section #decisions { h2 { "Decisions and their reasons" } (decisions::section(experiment)) }
                    section #replications { h2 { "Replications" } (tables::replications(experiment)) }
                    section #repeat { h2 { "How to repeat this" } (repeat(experiment, scenario_toml)) }
                    section #glossary { h2 { "Words" } (glossary::section(experiment)) }
                }
                (readout::data(experiment, figures))
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

fn head(experiment: &Experiment, figures: &[Figure]) -> Markup {
    // One link to each kind of figure, to the first service's.
    let figures = figures.iter().filter(|figure| figure.service == 0);
    let figures = figures.map(|figure| (figure.name.as_str(), figure.link));
    let links = std::iter::once(("comparison", "comparison")).chain(figures).chain([
        ("decisions", "decisions"),
        ("repeat", "repeat"),
        ("glossary", "words"),
    ]);
    html! {
        header {
            p.project { "windtunnel" }
            h1 { (experiment.scenario) }
            p.about { (experiment.about) }
            p.headline { (headline::sentence(experiment)) }
            ul.facts {
                @for service in &experiment.services { li { (service_fact(service)) } }
                @for job in &experiment.jobs { li { b { (job.name) } ": " (job.about) } }
                li { (number::millis(experiment.horizon.as_millis_f64())) " simulated" }
                li { (stacks_and_runs(experiment)) }
                li { "seed " (experiment.seed) }
            }
            nav aria-label="Sections" { @for (id, name) in links { a href={ "#" (id) } { (name) } } }
        }
    }
}

fn service_fact(service: &ServiceInfo) -> Markup {
    let limits = [("TTFT", service.slo_ttft), ("TPOT", service.slo_tpot), ("E2E", service.slo_e2e)];
    let limit = |(name, limit): (&str, Option<Micros>)| {
        limit.map(|limit| format!("{name} ≤ {}", number::millis(limit.as_millis_f64())))
    };
    let limits: Vec<_> = limits.into_iter().filter_map(limit).collect();
    let promise = match limits.as_slice() {
        [] => "no limits".to_owned(),
        limits => limits.join(", "),
    };
    html! { b { (service.name) } ": " (service.about) "; SLO: " (promise) }
}

fn stacks_and_runs(experiment: &Experiment) -> String {
    let (stacks, runs) = (experiment.stacks.len(), table::replications(experiment));
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    format!("{stacks} stack{} × {runs} replication{}", plural(stacks), plural(runs))
}

fn figure_section(figure: &Figure) -> Markup {
    html! {
        section #(figure.name) {
            h2 { (figure.title) }
            figure role="img" aria-label=(figure.title) {
                (PreEscaped(&figure.bare))
                figcaption { (figure.caption) }
            }
        }
    }
}

fn repeat(experiment: &Experiment, scenario_toml: &str) -> Markup {
    html! {
        p { "The same version of windtunnel gives the same bytes, whatever the machine's number of threads:" }
        pre { code { (experiment.repeat) } }
        p { "Fingerprint over all " (fingerprint::runs(experiment)) " runs: " code { (fingerprint::of_all(experiment)) } ". "
            "Each run's own stands in the table of replications and in " code { "fingerprint.txt" } "." }
        details {
            summary { "The scenario, with every default filled in (" code { "scenario.toml" } ")" }
            pre { code { (scenario_toml) } }
        }
        p { "This folder also holds " code { "summary.csv" } " (a row a stack, run and service), "
            @if !experiment.jobs.is_empty() { code { "jobs.csv" } " (a row a stack, run and class of jobs), " }
            code { "timeline.parquet" } ", "
            code { "latency.json" } ", " code { "decisions.jsonl.zst" } " and the figures as SVG and PNG in " code { "figures/" } ". "
            "This page can be made again from them." }
    }
}

/// Colours as custom properties, and rules that let the page's theme reach into the drawings, whose
/// colours are written out.
fn colours(experiment: &Experiment) -> String {
    let named =
        [("paper", PAPER), ("ink", INK), ("muted", MUTED), ("grid", GRID), ("alert", ALERT)];
    let named = named.map(|(name, colour)| (name.to_owned(), colour));
    let stacks = (0..experiment.stacks.len().min(canvas::STACKS.len()))
        .map(|index| (format!("stack-{index}"), canvas::stack_colour(index)));
    let all: Vec<_> = named.into_iter().chain(stacks).collect();
    let mut text = String::from(":root {\n");
    for (name, colour) in &all {
        writeln!(text, "  --{name}: {};", canvas::css(*colour)).expect("a string takes everything");
    }
    text.push_str("}\n");
    for (name, colour) in &all {
        let colour = canvas::css(*colour);
        writeln!(text, "svg [fill=\"{colour}\"] {{ fill: var(--{name}); }}\nsvg [stroke=\"{colour}\"] {{ stroke: var(--{name}); }}")
            .expect("a string takes everything");
    }
    text
}
