//! The rate that arrivals meet: the curve, made rough by noise and bursts.

use super::Synthetic;
use super::bursts::Bursts;
use super::curve::Curve;
use super::noise::MinuteNoise;
use contract::{Micros, ServiceId};
use sim_core::random::Seed;

/// Within a step the curve counts as constant: the steepest built-in profile moves 0.2 % in 10 s.
const STEP: Micros = Micros::from_secs(10);
const MINUTE: Micros = Micros::from_mins(1);

/// A length of time with one rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stretch {
    /// Its end; it begins where the last one ended.
    pub(super) end: Micros,
    /// Requests per microsecond.
    pub(super) rate: f64,
}

/// Gives the rate, stretch by stretch, from the start of the run on.
pub(super) struct Intensity {
    curve: Curve,
    noise: MinuteNoise,
    bursts: Option<Bursts>,
    now: Micros,
    step_end: Micros,
    /// Requests per microsecond in this step, before bursts.
    step_rate: f64,
}

impl Intensity {
    pub(super) fn new(settings: &Synthetic, seed: Seed, service: ServiceId) -> Self {
        let service = u64::from(service.0);
        let noise = MinuteNoise::new(settings.minute_noise, seed.stream("rate-noise", service));
        let bursts = settings.arrivals.bursts();
        Self {
            curve: Curve::new(settings),
            noise,
            bursts: bursts.map(|bursts| Bursts::new(bursts, seed.stream("bursts", service))),
            now: Micros::ZERO,
            step_end: Micros::ZERO,
            step_rate: 0.0,
        }
    }

    /// The next stretch.
    pub(super) fn next(&mut self) -> Stretch {
        if self.step_end <= self.now {
            self.enter_step();
        }
        let (factor, burst_end) = match &mut self.bursts {
            Some(bursts) => bursts.at(self.now),
            None => (1.0, self.step_end),
        };
        self.now = self.step_end.min(burst_end);
        Stretch { end: self.now, rate: self.step_rate * factor }
    }

    fn enter_step(&mut self) {
        let middle = self.step_end + Micros(STEP.0 / 2);
        let noise = self.noise.of(self.step_end.0 / MINUTE.0);
        self.step_rate = self.curve.at(middle) * noise / 1e6;
        self.step_end += STEP;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Micros = Micros::from_mins(60);

    /// Mean rate over an hour and number of stretches.
    fn hour(traffic: &str) -> (f64, u32) {
        let settings: Synthetic = toml::from_str(traffic).unwrap();
        let mut intensity = Intensity::new(&settings, Seed { seed: 1, run: 0 }, ServiceId(0));
        let (mut sum, mut begin, mut count) = (0.0, Micros::ZERO, 0);
        while begin < HOUR {
            let Stretch { end, rate } = intensity.next();
            assert!(begin < end, "a stretch has a length");
            sum += rate * (end.min(HOUR) - begin).as_secs_f64() * 1e6;
            (begin, count) = (end, count + 1);
        }
        (sum / HOUR.as_secs_f64(), count)
    }

    #[test]
    fn stretches_tile_the_hour_in_steps() {
        let (mean, count) = hour("rate = \"45 req/s\"");
        assert!((mean - 45.0).abs() < 1e-9, "{mean}");
        assert_eq!(count, 360);
    }

    #[test]
    fn bursts_cut_the_steps_without_moving_the_mean_far() {
        let on_off = "rate = \"45 req/s\"\n[arrivals.on-off]\n\
                      on = { median = \"1s\", sigma = 0.1 }\noff = { median = \"1s\", sigma = 0.1 }";
        let (mean, count) = hour(on_off);
        // About 3,600 spells of 1 s: the mean varies by a fraction of a percent.
        assert!((mean / 45.0 - 1.0).abs() < 0.02, "{mean}");
        assert!((3_500..4_100).contains(&count), "{count}");
    }
}
