//! How far from its target a metric may be before anything is done.

/// Tolerances by direction, as shares of the target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerances {
    /// How far below 1 the ratio may be.
    pub scale_down: f64,
    /// How far above 1.
    pub scale_up: f64,
}

impl Tolerances {
    /// The same in both directions.
    pub fn both(share: f64) -> Self {
        Self { scale_down: share, scale_up: share }
    }

    /// Whether a ratio of metric to target is close enough, both edges included.
    pub fn cover(self, ratio: f64) -> bool {
        1.0 - self.scale_down <= ratio && ratio <= 1.0 + self.scale_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ratio: f64, expected: bool) {
        assert_eq!(Tolerances::both(0.1).cover(ratio), expected, "{ratio}");
    }

    #[test]
    fn the_edges_are_inside() {
        check(1.1, true);
        check(1.100_000_1, false);
        check(0.9, true);
        check(0.899_999_9, false);
    }

    #[test]
    fn each_direction_has_its_own_tolerance() {
        let tolerances = Tolerances { scale_down: 0.5, scale_up: 0.0 };
        assert!(tolerances.cover(0.5) && tolerances.cover(1.0) && !tolerances.cover(1.001));
    }
}
