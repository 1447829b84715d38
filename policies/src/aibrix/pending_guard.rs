//! What pods that still load may not cause: on the way up they count as idle, on the way down as on target.

/// Which formula made the recommendation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Metric over target.
    Kpa,
    /// Metric over target times current replicas.
    Apa,
}

/// What the guard looks at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guarded {
    /// The replicas that were asked for.
    pub current: u32,
    /// Those that serve.
    pub ready: u32,
    /// The recommendation.
    pub recommended: u32,
    /// The value of the metric that it rests on.
    pub value: f64,
    /// What a pod should have of the metric.
    pub target: f64,
}

impl Guarded {
    /// The recommendation with pods that load taken into account; never past the recommendation, never past the
    /// current count in the other direction.
    pub fn adjust(&self, strategy: Strategy) -> u32 {
        let Self { current, recommended, value, target, .. } = *self;
        let ready = self.ready.min(current);
        if ready == current || recommended == current {
            return recommended;
        }
        let (all, serving) = (f64::from(current), f64::from(ready));
        if recommended > current {
            let idle = value * serving / all;
            let pods = match strategy {
                Strategy::Apa => all * idle / target,
                Strategy::Kpa => idle / target,
            };
            return crate::readings::replicas(pods).clamp(current, recommended);
        }
        let on_target = value * serving + target * (all - serving);
        crate::readings::replicas(on_target / target).clamp(recommended, current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(strategy: Strategy, (current, ready): (u32, u32), value: f64, found: u32, to: u32) {
        let guarded = Guarded { current, ready, recommended: found, value, target: 10.0 };
        assert_eq!(guarded.adjust(strategy), to);
    }

    /// vllm-project/aibrix pull request 2671.
    #[test]
    fn pods_that_load_count_as_idle_on_the_way_up() {
        // Two of four serve at four times the target: eight pods are enough, and not eight more.
        check(Strategy::Apa, (4, 2), 40.0, 8, 8);
        check(Strategy::Apa, (8, 2), 40.0, 16, 8);
        check(Strategy::Apa, (16, 2), 40.0, 32, 16);
    }

    #[test]
    fn pods_that_load_count_as_on_target_on_the_way_down() {
        check(Strategy::Apa, (8, 4), 5.0, 4, 6);
        check(Strategy::Kpa, (8, 4), 5.0, 4, 6);
    }

    #[test]
    fn without_pods_that_load_nothing_is_held_back() {
        check(Strategy::Apa, (4, 4), 40.0, 8, 8);
    }

    #[test]
    fn the_kpa_s_mean_of_the_pods_is_thinned_as_well() {
        check(Strategy::Kpa, (4, 2), 80.0, 8, 4);
        check(Strategy::Kpa, (4, 2), 120.0, 8, 6);
    }
}
