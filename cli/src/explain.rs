//! `windtunnel policies` and `windtunnel explain`: policies in their own words.

use crate::args::Explain;
use crate::failure::Failure;
use crate::output::print;
use policies::{Kind, PolicyDoc, catalogue};
use std::fmt::Write as _;

/// A line a policy.
pub(crate) fn list() -> String {
    let mut text = String::new();
    for policy in catalogue() {
        let table = match policy.kind {
            Kind::Replicas => "[stack.replicas]",
            Kind::Nodes => "[stack.nodes]",
            Kind::Gpus => "[stack.gpus]",
        };
        writeln!(text, "{:20} {table:18} {}", policy.name, policy.summary)
            .expect("a string takes everything");
    }
    text.push_str("\n`windtunnel explain NAME` says more.\n");
    text
}

/// Everything about one policy.
pub(crate) fn explain(args: &Explain) -> Result<(), Failure> {
    let known = catalogue();
    let Some(policy) = known.iter().find(|policy| policy.name == args.policy) else {
        let names: Vec<_> = known.iter().map(|policy| format!("`{}`", policy.name)).collect();
        let message =
            format!("found policy `{}`, expected one of {}", args.policy, names.join(", "));
        return Err(Failure::input(message, Some("`windtunnel policies` has a line for each")));
    };
    print(&format!("# {}\n\n{}", policy.name, whole(policy)))
}

/// Head doc, then each setting with its doc and default.
fn whole(policy: &PolicyDoc) -> String {
    let mut text = policy.doc();
    let schema = policy.settings.as_value();
    let Some(settings) = schema.get("properties").and_then(|value| value.as_object()) else {
        return text;
    };
    text.push_str("\n## Keys\n\n");
    for (key, setting) in settings {
        let doc = setting.get("description").and_then(|doc| doc.as_str()).unwrap_or_default();
        let doc = doc.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        let default = setting.get("default").map(|value| format!(" [default: {value}]"));
        writeln!(text, "- `{key}`: {doc}{}", default.unwrap_or_default())
            .expect("a string takes everything");
    }
    text
}
