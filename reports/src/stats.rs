//! Statistics over replications: means, 95 % intervals, paired differences.
//!
//! Replications are few (five is typical), so intervals take Student's t. A difference between two
//! stacks is taken replication by replication: both met the same arrivals and the same luck, so
//! what they share cancels, and the interval of the difference is far narrower than the two apart.

use statrs::distribution::{ContinuousCDF, StudentsT};
use std::collections::BTreeMap;

/// A figure by replication; replications in which it could not be measured are absent.
pub(crate) type ByRun = BTreeMap<u32, f64>;

/// A mean and how far to trust it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Estimate {
    /// Mean over replications.
    pub(crate) mean: f64,
    /// Half the width of the 95 % interval; absent with fewer than two replications.
    pub(crate) half_width: Option<f64>,
}

impl Estimate {
    /// The mean of a figure over replications; nothing when it was measured in none.
    pub(crate) fn of(values: &ByRun) -> Option<Self> {
        let finite = values.values().copied().filter(|value| value.is_finite());
        Self::of_values(&finite.collect::<Vec<_>>())
    }

    /// The mean of `values - baseline` over the replications that both have.
    pub(crate) fn of_difference(values: &ByRun, baseline: &ByRun) -> Option<Self> {
        let differences =
            values.iter().filter_map(|(run, value)| Some((*run, value - baseline.get(run)?)));
        Self::of(&differences.collect())
    }

    /// Whether the interval leaves zero out: the difference is more than luck.
    pub(crate) fn is_clear_of_zero(&self) -> bool {
        self.half_width.is_some_and(|half_width| self.mean.abs() > half_width)
    }

    /// The ends of the interval; the mean twice when there is none.
    pub(crate) fn interval(&self) -> (f64, f64) {
        let half_width = self.half_width.unwrap_or(0.0);
        (self.mean - half_width, self.mean + half_width)
    }

    #[expect(clippy::cast_precision_loss, reason = "a handful of replications")]
    fn of_values(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        if values.len() == 1 {
            return Some(Self { mean, half_width: None });
        }
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let standard_error = (squares / (count - 1.0) / count).sqrt();
        let half_width = Some(t_quantile_975(count - 1.0) * standard_error);
        Some(Self { mean, half_width })
    }
}

/// The 97.5 % quantile of Student's t: the factor of a two-sided 95 % interval.
fn t_quantile_975(degrees_of_freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, degrees_of_freedom)
        .expect("one degree of freedom or more")
        .inverse_cdf(0.975)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_run(values: &[f64]) -> ByRun {
        (0..).zip(values.iter().copied()).collect()
    }

    #[track_caller]
    fn check(found: Option<Estimate>, expected: &str) {
        let text = found.map_or("nothing".to_owned(), |Estimate { mean, half_width }| {
            half_width.map_or(format!("{mean:.4}"), |half| format!("{mean:.4} ± {half:.4}"))
        });
        assert_eq!(text, expected);
    }

    #[test]
    fn t_quantiles_equal_the_printed_table() {
        // NIST/SEMATECH e-Handbook of Statistical Methods, table 1.3.6.7.2, column 0.975.
        for (degrees, printed) in [(1.0, 12.706), (2.0, 4.303), (4.0, 2.776), (9.0, 2.262)] {
            assert!((t_quantile_975(degrees) - printed).abs() < 5e-4, "{degrees} degrees");
        }
    }

    #[test]
    fn an_interval_equals_the_one_computed_by_hand() {
        // Mean 3, sample variance 2.5, standard error sqrt(0.5) = 0.70711, times t(4) = 2.77645.
        check(Estimate::of(&by_run(&[1.0, 2.0, 3.0, 4.0, 5.0])), "3.0000 ± 1.9632");
        // Two values: standard error |a - b| / 2 = 1, times t(1) = 12.70620.
        check(Estimate::of(&by_run(&[10.0, 12.0])), "11.0000 ± 12.7062");
    }

    #[test]
    fn one_replication_has_no_interval() {
        check(Estimate::of(&by_run(&[7.0])), "7.0000");
    }

    #[test]
    fn what_was_measured_in_no_replication_has_no_mean() {
        check(Estimate::of(&by_run(&[])), "nothing");
        check(Estimate::of(&by_run(&[f64::NAN])), "nothing");
    }

    #[test]
    fn what_two_stacks_share_cancels_in_their_difference() {
        let baseline = by_run(&[100.0, 200.0, 300.0]);
        let values = by_run(&[101.0, 202.0, 303.0]);
        // Differences 1, 2, 3: standard error 1 / sqrt(3) = 0.57735, times t(2) = 4.30265.
        check(Estimate::of_difference(&values, &baseline), "2.0000 ± 2.4841");
    }

    #[test]
    fn a_replication_that_one_stack_lacks_is_left_out_of_the_difference() {
        let baseline = ByRun::from([(0, 1.0), (2, 5.0)]);
        let values = ByRun::from([(0, 2.0), (1, 9.0)]);
        check(Estimate::of_difference(&values, &baseline), "1.0000");
        check(Estimate::of_difference(&ByRun::from([(1, 9.0)]), &baseline), "nothing");
    }

    #[test]
    fn a_difference_is_clear_when_its_interval_leaves_zero_out() {
        let estimate = |half_width| Estimate { mean: -2.0, half_width };
        assert!(estimate(Some(1.99)).is_clear_of_zero());
        assert!(!estimate(Some(2.0)).is_clear_of_zero());
        assert!(!estimate(None).is_clear_of_zero());
    }
}
