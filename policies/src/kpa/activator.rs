//! The activator: how many there are, which pods each looks after, and which pods are scraped at all.

/// At least so many activators stand in the path of a revision (upstream: `minActivators`).
const MIN_ACTIVATORS: u32 = 2;

/// How many activators a revision gets: enough for its capacity and the burst it should absorb.
pub fn activator_count(
    ready: u32,
    total_value: f64,
    target_burst_capacity: f64,
    activator_capacity: f64,
) -> u32 {
    if target_burst_capacity == 0.0 {
        return MIN_ACTIVATORS;
    }
    let capacity = f64::from(ready) * total_value + target_burst_capacity.max(0.0);
    to_count((capacity / activator_capacity).ceil()).max(MIN_ACTIVATORS)
}

/// The pods that one of several activators looks after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PodSlice {
    /// The first.
    pub begin: u32,
    /// The one after the last.
    pub end: u32,
    /// Pods left over, which are shared.
    pub remnants: u32,
}

/// Splits pods among activators: equal slices and a shared rest, or one pod each, in turn, if there are fewer
/// pods than activators.
pub fn pod_slice(pods: u32, activators: u32, this: u32) -> PodSlice {
    if activators > pods {
        let begin = this.checked_rem(pods).unwrap_or(0);
        return PodSlice { begin, end: begin + 1, remnants: 0 };
    }
    let size = pods / activators;
    PodSlice { begin: this * size, end: (this + 1) * size, remnants: pods % activators }
}

/// Whether pods are scraped: not if the activator sees every request anyway.
pub fn scrapes_pods(target_burst_capacity: f64) -> bool {
    target_burst_capacity >= 0.0
}

/// How many of the ready pods are scraped: all of three, then as many as give 95 % confidence of the mean within
/// what upstream takes for a variance of 100 and an error of 5.
pub fn scrape_sample_size(ready: u32) -> u32 {
    if ready <= 3 {
        return ready;
    }
    // 1.96² × 100 / 5², with the correction for a finite population.
    let infinite = 1.96 * 1.96 * 100.0 / 25.0;
    let ready = f64::from(ready);
    to_count((ready * infinite / (ready + infinite - 1.0)).ceil())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn to_count(count: f64) -> u32 {
    count.clamp(0.0, f64::from(i32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_revision_is_asked_whole_and_a_large_one_at_sixteen_pods() {
        let sizes = [0, 1, 3, 4, 10, 100, 1_000, 100_000].map(scrape_sample_size);
        assert_eq!(sizes, [0, 1, 3, 4, 7, 14, 16, 16]);
    }
}
