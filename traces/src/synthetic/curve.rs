//! The expected rate at each moment: mean rate × profile × growth.

use super::Synthetic;
use super::profile::Profile;
use contract::Micros;

/// Expected requests per second at each moment of the run.
pub(super) struct Curve {
    mean: f64,
    profile: &'static Profile,
    start: Micros,
    growth: Vec<f64>,
}

impl Curve {
    pub(super) fn new(settings: &Synthetic) -> Self {
        Self {
            mean: settings.rate.get(),
            profile: settings.profile.entry(),
            start: settings.start,
            growth: settings.growth.iter().map(|factor| factor.get()).collect(),
        }
    }

    /// Requests per second at `time` of the run.
    pub(super) fn at(&self, time: Micros) -> f64 {
        let hours = (self.start + time).as_secs_f64() / 3600.0;
        self.mean * self.profile.at(hours) * growth_at(&self.growth, hours / 24.0)
    }
}

/// Factor `days` after the first midnight: given at each noon, geometric in between, flat outside.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "days of a run")]
fn growth_at(growth: &[f64], days: f64) -> f64 {
    let Some(&last) = growth.last() else { return 1.0 };
    let noons = (days - 0.5).max(0.0);
    let day = noons.floor() as usize;
    let (Some(from), Some(to)) = (growth.get(day), growth.get(day + 1)) else { return last };
    from * (to / from).powf(noons.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(growth: &[f64], days: f64, expected: f64) {
        let found = growth_at(growth, days);
        assert!((found - expected).abs() < 1e-12, "{found} on day {days}, expected {expected}");
    }

    #[test]
    fn growth_holds_at_noon_and_is_exponential_between() {
        let growth = [1.0, 4.0, 2.0];
        check(&growth, 0.0, 1.0);
        check(&growth, 0.5, 1.0);
        check(&growth, 1.0, 2.0);
        check(&growth, 1.5, 4.0);
        check(&growth, 2.5, 2.0);
        check(&growth, 9.0, 2.0);
        check(&[], 3.0, 1.0);
        check(&[3.0], 0.0, 3.0);
    }

    #[test]
    fn the_run_may_begin_at_any_hour_of_the_profile() {
        let mut settings = Synthetic::steady("10 req/s".parse().unwrap());
        settings.profile = "deepseek-day".parse().unwrap();
        let hour = |hour: u64| Micros::from_mins(60 * hour);
        let from_midnight = Curve::new(&settings);
        settings.start = hour(9);
        let from_nine = Curve::new(&settings);
        assert!((from_midnight.at(hour(11)) - from_nine.at(hour(2))).abs() < 1e-12);
    }
}
