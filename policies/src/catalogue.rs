//! What policies there are, in their own words: the head doc of each source file, taken in at compile time.

use crate::{
    aibrix_apa, aibrix_kpa, cluster_autoscaler, dynamic_mig, dynamo_planner, fixed_nodes, hpa,
    karpenter, keda, kpa, naive_ratio, static_replicas, wva,
};
use schemars::{Schema, schema_for};

/// The headings of every policy's head doc, in order.
pub const HEADINGS: [&str; 5] =
    ["What it does", "What it looks at", "Settings", "Where it falls short", "Source"];

/// What a policy decides on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Replica counts: stands under `[stack.replicas]`.
    Replicas,
    /// Nodes: stands under `[stack.nodes]`.
    Nodes,
    /// How GPUs are divided: stands under `[stack.gpus]`.
    Gpus,
}

/// A policy, described.
#[derive(Clone, Debug)]
pub struct PolicyDoc {
    /// Its name, as in a scenario.
    pub name: &'static str,
    /// What it decides on.
    pub kind: Kind,
    /// One line.
    pub summary: String,
    /// The sections of its head doc, in order.
    pub sections: Vec<Section>,
    /// Its settings, each with its doc and default.
    pub settings: Schema,
}

/// A part of a head doc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its heading.
    pub heading: String,
    /// Its text, in Markdown.
    pub text: String,
}

impl PolicyDoc {
    /// The whole head doc, in Markdown.
    pub fn doc(&self) -> String {
        let section = |section: &Section| format!("\n\n## {}\n{}", section.heading, section.text);
        let sections: String = self.sections.iter().map(section).collect();
        format!("{}{sections}\n", self.summary)
    }

    fn read(name: &'static str, kind: Kind, source: &str, settings: Schema) -> Self {
        let doc = head_doc(source);
        let mut parts = doc.split("\n## ");
        let summary = parts.next().unwrap_or_default().trim().to_owned();
        let section = |part: &str| {
            let (heading, text) = part.split_once('\n').unwrap_or((part, ""));
            Section { heading: heading.trim().to_owned(), text: text.trim().to_owned() }
        };
        Self { name, kind, summary, sections: parts.map(section).collect(), settings }
    }
}

/// The `//!` lines that a source file begins with, without their marks.
fn head_doc(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// Every policy.
pub fn catalogue() -> Vec<PolicyDoc> {
    use Kind::{Gpus, Nodes, Replicas};
    vec![
        PolicyDoc::read(
            "static-replicas",
            Replicas,
            include_str!("static_replicas.rs"),
            schema_for!(static_replicas::Settings),
        ),
        PolicyDoc::read("hpa", Replicas, include_str!("hpa/mod.rs"), schema_for!(hpa::Settings)),
        PolicyDoc::read("keda", Replicas, include_str!("keda/mod.rs"), schema_for!(keda::Settings)),
        PolicyDoc::read("kpa", Replicas, include_str!("kpa/mod.rs"), schema_for!(kpa::Settings)),
        PolicyDoc::read(
            "naive-ratio",
            Replicas,
            include_str!("naive_ratio.rs"),
            schema_for!(naive_ratio::Settings),
        ),
        PolicyDoc::read(
            "aibrix-kpa",
            Replicas,
            include_str!("aibrix_kpa.rs"),
            schema_for!(aibrix_kpa::Settings),
        ),
        PolicyDoc::read(
            "aibrix-apa",
            Replicas,
            include_str!("aibrix_apa.rs"),
            schema_for!(aibrix_apa::Settings),
        ),
        PolicyDoc::read("wva", Replicas, include_str!("wva/mod.rs"), schema_for!(wva::Settings)),
        PolicyDoc::read(
            "dynamo-planner",
            Replicas,
            include_str!("dynamo_planner/mod.rs"),
            schema_for!(dynamo_planner::Settings),
        ),
        PolicyDoc::read(
            "fixed-nodes",
            Nodes,
            include_str!("fixed_nodes.rs"),
            schema_for!(fixed_nodes::Settings),
        ),
        PolicyDoc::read(
            "cluster-autoscaler",
            Nodes,
            include_str!("cluster_autoscaler/mod.rs"),
            schema_for!(cluster_autoscaler::Settings),
        ),
        PolicyDoc::read(
            "karpenter",
            Nodes,
            include_str!("karpenter/mod.rs"),
            schema_for!(karpenter::Settings),
        ),
        PolicyDoc::read(
            "dynamic-mig",
            Gpus,
            include_str!("dynamic_mig.rs"),
            schema_for!(dynamic_mig::Settings),
        ),
    ]
}
