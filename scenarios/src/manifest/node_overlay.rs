//! `NodeOverlay` (karpenter.sh/v1alpha1): prices in place of the cloud's.

use super::fault::Fault;
use super::file::Resource;
use super::node_pool::RequirementText;
use policies::karpenter::overlay::{Adjustment, Overlay};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// `spec` of a `NodeOverlay`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct OverlaySpec {
    #[serde(default)]
    requirements: Vec<RequirementText>,
    price: Option<String>,
    price_adjustment: Option<String>,
    weight: Option<u32>,
    capacity: Option<IgnoredAny>,
}

pub(super) fn convert(object: Resource<OverlaySpec>) -> Result<Overlay, Fault> {
    let spec = object.spec;
    if spec.capacity.is_some() {
        let expected = "none: what machines have stands in the scenario's pools";
        let fault = Fault::expected(["spec", "capacity"], "capacity", expected);
        return Err(fault.hint("write `sharing` in `[pool.NAME]` for GPUs that pods share"));
    }
    let (field, text) = match (spec.price, spec.price_adjustment) {
        (Some(price), None) => ("price", price),
        (None, Some(adjustment)) => ("priceAdjustment", adjustment),
        (both, _) => {
            let found = if both.is_some() { "both" } else { "neither" };
            return Err(Fault::expected(["spec"], found, "`price` or `priceAdjustment`"));
        }
    };
    let instead = |adjustment: &Adjustment| matches!(adjustment, Adjustment::Instead(_));
    let read = text.parse().ok().filter(|read| instead(read) == (field == "price"));
    let price = read.ok_or_else(|| {
        let expected = match field {
            "price" => "a price such as `12.5`",
            _ => "a sign with an amount or a percentage, such as `-0.5` or `+10%`",
        };
        Fault::expected(["spec", field], &text, expected)
    })?;
    let requirements = spec.requirements.into_iter().map(Into::into).collect();
    Ok(Overlay { requirements, price, weight: spec.weight.unwrap_or(0) })
}
