//! What a packing study measures: allocation and fragmentation against the load that has arrived.
//!
//! Weng et al. 2023 record after each pod and publish the mean over the pods of each whole percent of arrived
//! load; single records are rounded as in `scripts/` of hkust-adsl/kubernetes-scheduler-simulator at 8f3d6417. They
//! round the means too, to hundredths; here, means are left as they are.

use super::MilliGpu;
use super::curve::{Curve, Point};

/// Records a run.
#[derive(Clone, Debug)]
pub struct Meter {
    /// Thousandths of a GPU, as are all amounts.
    total: u64,
    arrived: u64,
    used: u64,
    sums: Vec<Sums>,
    /// What holds until the first pod arrives, then what the latest pod left behind.
    latest: Point,
}

/// The records of one percent of load.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    records: u32,
    of: Point,
}

impl Meter {
    /// Of an empty cluster with this much GPU in thousandths of a device, and with these fragments.
    ///
    /// # Panics
    /// If there is no GPU at all.
    pub fn new(total: u64, fragments: f64) -> Self {
        assert!(total > 0, "percentages are of the cluster's GPUs");
        let mut meter =
            Self { total, arrived: 0, used: 0, sums: Vec::new(), latest: Point::default() };
        meter.latest = meter.point(fragments);
        meter
    }

    /// A pod has arrived that asked for this much GPU; `placed` says whether it found a node, `fragments` what the
    /// fragments are now.
    pub fn record(&mut self, asked: MilliGpu, placed: bool, fragments: f64) {
        self.arrived += u64::from(asked.0);
        if placed {
            self.used += u64::from(asked.0);
        }
        let load = whole(self.percent(self.arrived).round_ties_even());
        // No pod arrived at the loads that a large one leapt over: there, things are as they were before it.
        let before = Sums { records: 1, of: self.latest };
        while self.sums.len() < load {
            self.sums.push(before);
        }
        if self.sums.len() == load {
            self.sums.push(Sums::default());
        }
        self.latest = self.point(fragments);
        self.sums[load].add(&self.latest);
    }

    /// The run's curve, as far as the load went.
    pub fn curve(&self) -> Curve {
        self.sums.iter().map(Sums::mean).collect()
    }

    fn point(&self, fragments: f64) -> Point {
        let idle = self.total - self.used;
        let of_idle = if idle == 0 { 0.0 } else { 100.0 * fragments / float(idle) };
        Point {
            allocated: hundredth(self.percent(self.used)),
            fragments: 100.0 * fragments / float(self.total),
            fragments_of_idle: hundredth(of_idle),
        }
    }

    fn percent(&self, amount: u64) -> f64 {
        100.0 * float(amount) / float(self.total)
    }
}

impl Sums {
    fn add(&mut self, point: &Point) {
        self.records += 1;
        self.of.allocated += point.allocated;
        self.of.fragments += point.fragments;
        self.of.fragments_of_idle += point.fragments_of_idle;
    }

    fn mean(&self) -> Point {
        let records = f64::from(self.records);
        Point {
            allocated: self.of.allocated / records,
            fragments: self.of.fragments / records,
            fragments_of_idle: self.of.fragments_of_idle / records,
        }
    }
}

/// To the nearest hundredth, halves to the even one, as numpy rounds.
fn hundredth(value: f64) -> f64 {
    (value * 100.0).round_ties_even() / 100.0
}

#[expect(clippy::cast_precision_loss, reason = "2^53 thousandths of a GPU are more than there are")]
fn float(amount: u64) -> f64 {
    amount as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a load in percent")]
fn whole(load: f64) -> usize {
    load as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pods that ask for GPU in thousandths, whether they are placed, and fragments then; a cluster of 10 GPUs.
    #[track_caller]
    fn check(pods: &[(u32, bool, f64)], load: usize, expected: (f64, f64, f64)) {
        let mut meter = Meter::new(10_000, 500.0);
        for &(asked, placed, fragments) in pods {
            meter.record(MilliGpu(asked), placed, fragments);
        }
        let Point { allocated, fragments, fragments_of_idle } = meter.curve()[load];
        assert_eq!(
            format!("{allocated:.4} {fragments:.4} {fragments_of_idle:.4}"),
            format!("{:.4} {:.4} {:.4}", expected.0, expected.1, expected.2)
        );
    }

    #[test]
    fn a_point_is_the_mean_over_the_pods_of_its_percent() {
        // 1.4 and 1.5 % are about 1 and 2 %; 2.5 % is about 2 %, the even one.
        let pods = [(140, true, 100.0), (10, true, 200.0), (100, true, 300.0)];
        check(&pods, 1, (1.4, 1.0, 1.01));
        check(&pods, 2, (2.0, 2.5, 2.555));
    }

    #[test]
    fn a_pod_that_found_no_node_has_arrived_but_uses_nothing() {
        check(&[(100, true, 100.0), (100, false, 100.0)], 2, (1.0, 1.0, 1.01));
    }

    #[test]
    fn a_load_that_was_leapt_over_is_as_things_were_before() {
        check(&[(8000, true, 100.0)], 0, (0.0, 5.0, 5.0));
        check(&[(8000, true, 100.0)], 79, (0.0, 5.0, 5.0));
        check(&[(8000, true, 100.0)], 80, (80.0, 1.0, 5.0));
    }

    #[test]
    fn a_full_cluster_has_no_fragments_of_its_idle_gpus() {
        check(&[(10_000, true, 0.0)], 100, (100.0, 0.0, 0.0));
    }
}
