//! V1: is there enough spare KV cache and spare queue on the replicas that are not saturated?

/// When a replica is saturated, and how much the others must have to spare.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    /// Share of the KV cache.
    pub kv: f64,
    /// Waiting requests.
    pub queue: f64,
    /// Share of the KV cache to spare.
    pub kv_spare: f64,
    /// Waiting requests to spare.
    pub queue_spare: f64,
}

/// What one replica reports.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Replica {
    /// Share of its KV cache in use.
    pub kv: f64,
    /// Requests that wait inside.
    pub queue: f64,
}

/// What the replicas that are not saturated have to spare, on average; nothing if there are none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spare {
    /// Replicas that are not saturated.
    pub count: u32,
    /// Share of the KV cache.
    pub kv: f64,
    /// Waiting requests.
    pub queue: f64,
}

/// Fewer replicas that are not saturated are never reduced (upstream: `MinNonSaturatedReplicasForScaleDown`).
const LEAST_FOR_SCALE_DOWN: u32 = 2;

impl Spare {
    /// Looks at the replicas that report.
    pub fn of(replicas: &[Replica], thresholds: &Thresholds) -> Self {
        let fresh =
            |replica: &&Replica| replica.kv < thresholds.kv && replica.queue < thresholds.queue;
        let mut spare = Self { count: 0, kv: 0.0, queue: 0.0 };
        for replica in replicas.iter().filter(fresh) {
            spare.count += 1;
            spare.kv += thresholds.kv - replica.kv;
            spare.queue += thresholds.queue - replica.queue;
        }
        let count = f64::from(spare.count.max(1));
        Self { kv: spare.kv / count, queue: spare.queue / count, ..spare }
    }

    /// Whether a replica more is needed.
    pub fn is_short(&self, thresholds: &Thresholds) -> bool {
        self.kv < thresholds.kv_spare || self.queue < thresholds.queue_spare
    }

    /// Whether the load spread over one replica less would leave enough to spare.
    pub fn allows_one_less(&self, thresholds: &Thresholds) -> bool {
        if self.count < LEAST_FOR_SCALE_DOWN {
            return false;
        }
        let growth = f64::from(self.count) / f64::from(self.count - 1);
        let left = |threshold: f64, spare: f64| threshold - (threshold - spare) * growth;
        left(thresholds.kv, self.kv) >= thresholds.kv_spare
            && left(thresholds.queue, self.queue) >= thresholds.queue_spare
    }
}

/// What V1 makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Pods of an earlier decision are not there or do not report yet: nothing new is decided.
    InTransition,
    /// One more.
    Short,
    /// One less.
    Enough,
    /// As it is.
    Fine,
}

/// The replicas to be: `reporting` with metrics, `current` there, `desired` by the last look.
pub fn decide(
    spare: Spare,
    reporting: u32,
    current: u32,
    desired: Option<u32>,
    thresholds: &Thresholds,
) -> (u32, Verdict) {
    let under_way = desired.filter(|&desired| desired != 0 && desired != current);
    if under_way.is_some() || reporting != current {
        return (under_way.unwrap_or(current), Verdict::InTransition);
    }
    if spare.is_short(thresholds) {
        (reporting + 1, Verdict::Short)
    } else if spare.allows_one_less(thresholds) && reporting > 1 {
        (reporting - 1, Verdict::Enough)
    } else {
        (reporting, Verdict::Fine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wva::settings::V1;

    /// Replicas of `(share of KV cache, queue)`, as many as there are, none under way.
    #[track_caller]
    fn check(replicas: &[(f64, f64)], expected: (u32, Verdict)) {
        let thresholds = V1::default().thresholds();
        let replicas: Vec<_> = replicas.iter().map(|&(kv, queue)| Replica { kv, queue }).collect();
        let spare = Spare::of(&replicas, &thresholds);
        let count = u32::try_from(replicas.len()).expect("few");
        assert_eq!(decide(spare, count, count, Some(count), &thresholds), expected);
    }

    #[test]
    fn little_to_spare_asks_for_one_more() {
        check(&[(0.69, 0.0), (0.70, 0.0)], (2, Verdict::Fine));
        check(&[(0.71, 0.0), (0.70, 0.0)], (3, Verdict::Short));
        check(&[(0.1, 2.0), (0.1, 2.5)], (3, Verdict::Short));
    }

    #[test]
    fn saturated_replicas_have_no_say_unless_all_are() {
        check(&[(0.9, 40.0), (0.5, 0.0)], (2, Verdict::Fine));
        check(&[(0.9, 40.0), (0.8, 0.0)], (3, Verdict::Short));
    }

    #[test]
    fn one_goes_if_the_others_can_take_its_load() {
        check(&[(0.34, 0.0), (0.34, 0.0)], (1, Verdict::Enough));
        check(&[(0.36, 0.0), (0.36, 0.0)], (2, Verdict::Fine));
        check(&[(0.0, 0.0)], (1, Verdict::Fine));
    }

    #[test]
    fn nothing_is_decided_while_pods_load() {
        let thresholds = V1::default().thresholds();
        let spare = Spare { count: 0, kv: 0.0, queue: 0.0 };
        let decide =
            |reporting, current, desired| decide(spare, reporting, current, desired, &thresholds);
        assert_eq!(decide(2, 3, Some(3)), (3, Verdict::InTransition));
        assert_eq!(decide(2, 2, Some(3)), (3, Verdict::InTransition));
        assert_eq!(decide(2, 2, None), (3, Verdict::Short));
    }
}
