//! `least-waste`: the least unrequested CPU and memory on the new nodes; blind to GPUs.

use super::Offer;

/// Share of the new nodes' CPU that nobody requests, plus the same of their memory; `None` without a template.
#[expect(clippy::cast_precision_loss, reason = "amounts stay below 2^53")]
pub fn waste(offer: &Offer<'_>) -> Option<f64> {
    let of_one = offer.capacity?;
    let share = |requested: u64, of_one: u64| {
        let available = of_one as f64 * f64::from(offer.nodes);
        if available > 0.0 { (available - requested as f64) / available } else { 0.0 }
    };
    let cpu = share(offer.requests.cpu.0, of_one.cpu.0);
    Some(cpu + share(offer.requests.memory.0, of_one.memory.0))
}
