//! Resource metrics: from what pods use of their requests to a number of replicas.

use super::groups::Group;
use super::pods::Class;
use super::replica_calculator::{Proposal, ceil, unless_turned};
use super::tolerance::Tolerances;

/// The pods of a service by class, with sums of what they use and request, in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResourceUsage {
    ready: Sums,
    unready: Sums,
    missing: Sums,
    target_percent: i64,
}

/// Pods of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sums {
    pods: u32,
    usage_milli: i64,
    request_milli: i64,
}

/// Use over requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Utilization {
    /// Of the target.
    pub ratio: f64,
    /// Whole per cent, cut off; the ratio rests on it.
    pub percent: i64,
    /// Mean use of a pod in thousandths, cut off.
    pub average_milli: i64,
}

/// What a resource metric proposes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UtilizationProposal {
    /// How many replicas; the usage is the mean over the ready pods.
    pub proposal: Proposal,
    /// Utilisation of the ready pods in whole per cent.
    pub percent: i64,
}

/// No ready pod has a sample, or none of them requests anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no metrics of ready pods")]
pub struct NoUtilization;

impl ResourceUsage {
    /// Without pods yet.
    pub fn new(target_percent: u32) -> Self {
        Self { target_percent: target_percent.into(), ..Self::default() }
    }

    /// Adds a pod: what it uses if it has a sample, and what it requests.
    pub fn add(&mut self, class: Class, usage_milli: i64, request_milli: i64) {
        self.add_group(Group { class, pods: 1, usage_milli }, request_milli);
    }

    /// Adds pods that count alike and request so much each.
    pub fn add_group(&mut self, group: Group, request_milli: i64) {
        let Group { class, pods, usage_milli } = group;
        let (sums, usage_milli) = match class {
            Class::Ready => (&mut self.ready, usage_milli),
            Class::Unready => (&mut self.unready, 0),
            // Taken to be full (or on target, if that is more) should fewer replicas be argued for.
            Class::Missing => {
                let full = request_milli * self.target_percent.max(100) / 100;
                (&mut self.missing, full * i64::from(pods))
            }
            Class::Ignored => return,
        };
        sums.pods += pods;
        sums.usage_milli += usage_milli;
        sums.request_milli += request_milli * i64::from(pods);
    }

    /// How many replicas keep the utilisation on its target. Missing and unready pods as for other metrics of
    /// pods.
    ///
    /// # Errors
    /// When no ready pod has a sample.
    pub fn propose(
        &self,
        current: u32,
        tolerances: Tolerances,
    ) -> Result<UtilizationProposal, NoUtilization> {
        let ready = self.ready;
        let found = utilization(ready, self.target_percent).ok_or(NoUtilization)?;
        let pads_unready = self.unready.pods > 0 && found.ratio > 1.0;
        let replicas = if self.missing.pods == 0 && !pads_unready {
            let within = tolerances.cover(found.ratio);
            if within { current } else { ceil(found.ratio * f64::from(ready.pods)) }
        } else {
            let padded = self.padded(found.ratio, pads_unready);
            let ratio =
                utilization(padded, self.target_percent).map_or(found.ratio, |padded| padded.ratio);
            unless_turned(current, found.ratio, ratio, padded.pods, tolerances)
        };
        let proposal = Proposal { replicas, usage_milli: found.average_milli };
        Ok(UtilizationProposal { proposal, percent: found.percent })
    }

    /// The ready pods with guesses for the others. At a ratio of exactly 1 upstream guesses nothing, and leaves
    /// the missing pods out.
    fn padded(&self, ratio: f64, pads_unready: bool) -> Sums {
        let mut padded = self.ready;
        if ratio < 1.0 {
            padded.extend(self.missing, self.missing.usage_milli);
        } else if ratio > 1.0 {
            padded.extend(self.missing, 0);
        }
        if pads_unready {
            padded.extend(self.unready, 0);
        }
        padded
    }
}

impl Sums {
    fn extend(&mut self, more: Self, usage_milli: i64) {
        self.pods += more.pods;
        self.usage_milli += usage_milli;
        self.request_milli += more.request_milli;
    }
}

fn utilization(sums: Sums, target_percent: i64) -> Option<Utilization> {
    let Sums { pods, usage_milli, request_milli } = sums;
    utilization_ratio(pods, usage_milli, request_milli, target_percent)
}

/// Utilisation of pods that use and request so much in all; `None` if they request nothing.
#[expect(clippy::cast_precision_loss, reason = "upstream divides in floating point too")]
pub fn utilization_ratio(
    pods: u32,
    usage_milli: i64,
    request_milli: i64,
    target_percent: i64,
) -> Option<Utilization> {
    if pods == 0 {
        return None;
    }
    let percent = (usage_milli * 100).checked_div(request_milli)?;
    let ratio = percent as f64 / target_percent as f64;
    Some(Utilization { ratio, percent, average_milli: usage_milli / i64::from(pods) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pods of 1000 that use so much each, against a target of 50 %, with missing and unready ones.
    #[track_caller]
    fn check(current: u32, usage: &[i64], missing: u32, unready: u32, expected: u32) {
        let mut pods = ResourceUsage::new(50);
        for &usage in usage {
            pods.add(Class::Ready, usage, 1000);
        }
        for _ in 0..missing {
            pods.add(Class::Missing, 0, 1000);
        }
        for _ in 0..unready {
            pods.add(Class::Unready, 9_000, 1000);
        }
        let found = pods.propose(current, Tolerances::both(0.1)).expect("ready pods");
        assert_eq!(found.proposal.replicas, expected);
    }

    #[test]
    fn utilisation_is_cut_off_to_whole_per_cent_before_anything_else() {
        // 55.9 % is 55 %, which is within a tenth of 50 %.
        check(2, &[559, 559], 0, 0, 2);
        check(2, &[560, 560], 0, 0, 3);
    }

    #[test]
    fn missing_pods_count_as_full_on_the_way_down() {
        check(4, &[100, 100, 100], 0, 0, 1);
        check(4, &[100, 100, 100], 1, 0, 3);
    }

    #[test]
    fn missing_and_unready_pods_count_as_idle_on_the_way_up() {
        check(4, &[900, 900, 900], 1, 0, 6);
        check(4, &[900, 900, 900], 0, 1, 6);
        check(4, &[600, 600], 1, 1, 4);
    }

    #[test]
    fn without_requests_there_is_no_utilisation() {
        let mut pods = ResourceUsage::new(50);
        pods.add(Class::Ready, 100, 0);
        assert_eq!(pods.propose(3, Tolerances::both(0.1)), Err(NoUtilization));
    }
}
