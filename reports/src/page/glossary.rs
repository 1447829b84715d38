//! The words of the report.

use crate::measure;
use maud::{Markup, html};
use sim_core::outcome::Experiment;

/// Words that are not measures.
const WORDS: [(&str, &str); 11] = [
    ("stack", "the policies that fly together: one that sets replicas, one that sets nodes"),
    (
        "replication",
        "one run of a stack; run 1 of every stack meets the same arrivals and the same luck, run 2 another day of the same kind",
    ),
    (
        "SLO",
        "the limits that a service promises: on the time to first token, the time per output token, the whole",
    ),
    ("TTFT", "time to first token, from the request's arrival at the gateway"),
    ("TPOT", "time per output token after the first, mean over a request"),
    ("E2E", "end to end: from arrival at the gateway to the last token"),
    ("p50, p99", "half, or 99 %, of the completed requests took no longer"),
    (
        "wanted, ready, starting",
        "replicas that the policy asked for; that can serve; that are pending or on their way through node, image, weights and engine",
    ),
    (
        "useful, idle, unallocated, loading, booting, stranded",
        "billed GPU time: serving; ready with nothing to do; on a ready node without a pod; held by a starting replica; on a node that starts or stops; the rest of a GPU of which pods hold a part",
    ),
    (
        "blame",
        "for each late or failed request, what stood between it and capacity while it waited; the parts sum to its wait",
    ),
    ("fingerprint", "a hash of every event and action of a run: equal fingerprints, equal runs"),
];

/// A definition list: measures first, then the other words.
pub(super) fn section(experiment: &Experiment) -> Markup {
    html! {
        dl {
            @for measure in measure::of(experiment) { dt { (measure.title) ", " (measure.unit) } dd { (measure.meaning) } }
            @for (word, meaning) in WORDS { dt { (word) } dd { (meaning) } }
        }
    }
}
