//! What the metrics of one tick ask for: stable mode, panic mode, excess burst capacity.

use super::sliding_max::SlidingMax;
use contract::{Instant, Micros};
use serde::{Deserialize, Serialize};

/// How wide a slot of the scale-down delay is (upstream: the tick).
pub const DELAY_GRANULARITY: Micros = Micros::from_secs(2);

/// What a decider is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeciderSpec {
    /// What a pod should have of the metric.
    pub target_value: f64,
    /// What a pod can take of it.
    pub total_value: f64,
    /// Burst that should be absorbed without queueing in pods; 0 is none, -1 is any.
    pub target_burst_capacity: f64,
    /// Demand over ready pods from which on it panics.
    pub panic_threshold: f64,
    /// Length of the stable window.
    pub stable_window: Micros,
    /// At most so many times the ready pods.
    pub max_scale_up_rate: f64,
    /// At least one part in so many of the ready pods.
    pub max_scale_down_rate: f64,
    /// Whether traffic can reach the revision.
    pub reachable: bool,
    /// At least so many pods when there is any demand; 0 and 1 are no rule.
    pub activation_scale: u32,
    /// How long lower counts must have been asked for.
    pub scale_down_delay: Micros,
}

/// Averages of the metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observed {
    /// Over the stable window.
    pub stable: f64,
    /// Over the panic window.
    pub panic: f64,
    /// Pods that are ready.
    pub ready: u32,
}

/// What a decider remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decider {
    /// When demand was last over the panic threshold; `None` in stable mode.
    pub panic_since: Option<Instant>,
    /// The most pods that this panic asked for.
    pub max_panic_pods: u32,
    /// Counts asked for within the scale-down delay.
    pub delayed: Option<SlidingMax>,
}

/// What a tick decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decision {
    /// Pods to have.
    pub desired: u32,
    /// Capacity left for bursts; below zero the activator buffers.
    pub excess_burst_capacity: f64,
}

impl Decider {
    /// At the start of the autoscaler: more than one ready pod starts in panic mode, so that nothing is scaled
    /// down before a whole window was seen. `None` if the pods could not be counted.
    pub fn starting(ready: Option<u32>, now: Instant) -> Self {
        let ready = ready.unwrap_or(0);
        let panic_since = (ready > 1).then_some(now);
        Self { panic_since, max_panic_pods: ready, delayed: None }
    }

    /// One tick.
    pub fn decide(&mut self, spec: &DeciderSpec, seen: Observed, now: Instant) -> Decision {
        let ready = f64::from(seen.ready.max(1));
        let stable = (seen.stable / spec.target_value).ceil();
        let panic = (seen.panic / spec.target_value).ceil();
        self.update_panic(spec, panic / ready >= spec.panic_threshold, now);
        let mut desired = bounded(spec, stable, ready);
        if self.panic_since.is_some() {
            let most = desired.max(bounded(spec, panic, ready));
            self.max_panic_pods = self.max_panic_pods.max(most);
            desired = self.max_panic_pods;
        }
        let desired = self.delay(spec, desired, now);
        Decision { desired, excess_burst_capacity: excess_burst_capacity(spec, seen) }
    }

    fn update_panic(&mut self, spec: &DeciderSpec, over: bool, now: Instant) {
        if over {
            self.panic_since = Some(now);
        } else if self.panic_since.is_some_and(|since| since + spec.stable_window < now) {
            self.panic_since = None;
            self.max_panic_pods = 0;
        }
    }

    /// The highest count of the scale-down delay.
    fn delay(&mut self, spec: &DeciderSpec, desired: u32, now: Instant) -> u32 {
        if !spec.reachable || spec.scale_down_delay == Micros::ZERO {
            return desired;
        }
        let window = || SlidingMax::over(spec.scale_down_delay, DELAY_GRANULARITY);
        let delayed = self.delayed.get_or_insert_with(window);
        delayed.record_at(now, DELAY_GRANULARITY, desired);
        delayed.max()
    }
}

/// The pods for a demand, no faster than the rates allow, and at least the activation scale if there is any.
fn bounded(spec: &DeciderSpec, pods: f64, ready: f64) -> u32 {
    let most = (spec.max_scale_up_rate * ready).ceil();
    let least = if spec.reachable { (ready / spec.max_scale_down_rate).floor() } else { 0.0 };
    let bounded = to_pods(pods.max(least).min(most));
    let activated = spec.activation_scale > 1 && pods > 0.0;
    if activated { bounded.max(spec.activation_scale) } else { bounded }
}

fn excess_burst_capacity(spec: &DeciderSpec, seen: Observed) -> f64 {
    let wanted = spec.target_burst_capacity;
    if wanted == 0.0 {
        0.0
    } else if wanted < 0.0 {
        -1.0
    } else {
        (f64::from(seen.ready) * spec.total_value - wanted - seen.panic).floor()
    }
}

/// Excess burst capacity before the first tick, of pods that are yet to come.
pub fn initial_burst_capacity(spec: &DeciderSpec, initial_scale: u32) -> f64 {
    let wanted = spec.target_burst_capacity;
    if wanted <= 0.0 {
        return wanted;
    }
    (f64::from(initial_scale) * spec.total_value - wanted).trunc()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn to_pods(pods: f64) -> u32 {
    pods.clamp(0.0, f64::from(i32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::at;

    fn spec() -> DeciderSpec {
        DeciderSpec {
            target_value: 10.0,
            total_value: 10.0,
            target_burst_capacity: 100.0,
            panic_threshold: 2.0,
            stable_window: Micros::from_secs(60),
            max_scale_up_rate: 10.0,
            max_scale_down_rate: 2.0,
            reachable: true,
            activation_scale: 0,
            scale_down_delay: Micros::ZERO,
        }
    }

    /// Ticks of `(second, stable, panic, ready)`; the counts asked for?
    #[track_caller]
    fn check(spec: &DeciderSpec, ticks: &[(u64, f64, f64, u32)], expected: &[u32]) {
        let mut decider = Decider::default();
        let decide = |&(second, stable, panic, ready): &(u64, f64, f64, u32)| {
            decider.decide(spec, Observed { stable, panic, ready }, at(second)).desired
        };
        assert_eq!(ticks.iter().map(decide).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn rates_bound_a_tick() {
        check(&spec(), &[(0, 5_000.0, 0.0, 2)], &[20]);
        check(&spec(), &[(0, 0.0, 0.0, 9)], &[4]);
    }

    #[test]
    fn a_panic_never_lowers_the_count_and_lasts_a_stable_window_after_the_last_crossing() {
        check(
            &spec(),
            &[(0, 20.0, 60.0, 3), (30, 20.0, 10.0, 6), (60, 20.0, 10.0, 6), (61, 30.0, 10.0, 6)],
            &[6, 6, 6, 3],
        );
    }

    #[test]
    fn activation_scale_raises_any_demand_but_none() {
        let spec = DeciderSpec { activation_scale: 3, ..spec() };
        check(&spec, &[(0, 1.0, 1.0, 1), (2, 0.0, 0.0, 1)], &[3, 0]);
    }

    #[test]
    fn a_scale_down_waits_for_its_delay() {
        let spec = DeciderSpec { scale_down_delay: Micros::from_secs(30), ..spec() };
        check(&spec, &[(0, 40.0, 40.0, 4), (28, 20.0, 20.0, 4), (30, 20.0, 20.0, 4)], &[4, 4, 2]);
    }
}
