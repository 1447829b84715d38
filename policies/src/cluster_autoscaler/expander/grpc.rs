//! `grpc`: a server of the user's own filters the options.

use super::Offer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the server answers, whatever the options are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum GrpcReply {
    /// Nothing within upstream's 5 s, an error, or there is no client to ask with.
    #[default]
    Error,
    /// These pools are good, in this order.
    Pools(Vec<String>),
}

/// The options that the server keeps, in its order. An error filters nothing; an empty reply leaves no option;
/// names that are no option are passed over, and a reply of nothing but such names filters nothing.
pub fn kept_by_server(offers: &[Offer<'_>], left: Vec<usize>, reply: &GrpcReply) -> Vec<usize> {
    let GrpcReply::Pools(names) = reply else { return left };
    if names.is_empty() {
        return Vec::new();
    }
    let option = |name: &String| left.iter().copied().find(|&place| offers[place].pool == *name);
    let kept: Vec<_> = names.iter().filter_map(option).collect();
    if kept.is_empty() { left } else { kept }
}
