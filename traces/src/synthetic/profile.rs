//! Day and week profiles, measured elsewhere, from `tables/profiles.toml`.

use crate::named::{Named, NamedTable};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// How the request rate moves over a day or a week.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// What it is, in a sentence.
    pub about: String,
    /// Where it comes from.
    pub source: String,
    /// How it was read.
    pub provenance: Provenance,
    /// Relative rate of each hour from midnight on, mean 1; after the last the first follows again.
    pub hourly: Vec<f64>,
}

/// How the figures of a table were obtained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provenance {
    /// By definition.
    Exact,
    /// Computed from the raw rows.
    Measured,
    /// Read off a published plot.
    Digitised,
}

impl NamedTable for Profile {
    const WHAT: &'static str = "profile";

    fn all() -> &'static BTreeMap<String, Self> {
        static ALL: LazyLock<BTreeMap<String, Profile>> = LazyLock::new(|| {
            let mut all: BTreeMap<String, Profile> =
                toml::from_str(include_str!("../../tables/profiles.toml"))
                    .expect("a test reads the embedded table");
            all.values_mut().for_each(Profile::normalise);
            all
        });
        &ALL
    }
}

impl Default for Named<Profile> {
    /// The same rate at every hour.
    fn default() -> Self {
        "flat".parse().expect("the embedded table has a flat profile")
    }
}

impl Profile {
    #[expect(clippy::cast_precision_loss, reason = "a week has 168 hours")]
    fn normalise(&mut self) {
        let mean = self.hourly.iter().sum::<f64>() / self.hourly.len() as f64;
        self.hourly.iter_mut().for_each(|rate| *rate /= mean);
    }

    /// Relative rate `hours` after the profile's first midnight.
    ///
    /// A Catmull-Rom spline through the middles of the hours: smooth, and its mean is that of the
    /// hours. (Catmull and Rom 1974; each hour's weights sum to one over a period.)
    #[expect(clippy::cast_possible_truncation, reason = "hours of a run")]
    #[expect(clippy::cast_possible_wrap, reason = "a week has 168 hours")]
    pub(super) fn at(&self, hours: f64) -> f64 {
        let from_middle = hours - 0.5;
        let hour = from_middle.floor();
        let t = from_middle - hour;
        let count = self.hourly.len() as i64;
        let near = |steps: i64| self.hourly[(hour as i64 + steps).rem_euclid(count) as usize];
        let (before, left, right, after) = (near(-1), near(0), near(1), near(2));
        let cubic = 3.0 * (left - right) + after - before;
        let square = 2.0 * before - 5.0 * left + 4.0 * right - after;
        left + 0.5 * t * (right - before + t * (square + t * cubic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The curve of every profile, in steps of a minute.
    fn minutes(profile: &Profile) -> Vec<f64> {
        let count = u32::try_from(profile.hourly.len() * 60).unwrap();
        (0..count).map(|minute| profile.at((f64::from(minute) + 0.5) / 60.0)).collect()
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / f64::from(u32::try_from(values.len()).unwrap())
    }

    #[test]
    fn the_mean_of_every_profile_is_one() {
        for (name, profile) in Profile::all() {
            let mean = mean(&minutes(profile));
            assert!((mean - 1.0).abs() < 1e-9, "{name}: {mean}");
        }
    }

    #[test]
    fn a_profile_covers_whole_days_or_is_flat_and_has_a_source() {
        for (name, profile) in Profile::all() {
            let hours = profile.hourly.len();
            assert!(name == "flat" || [24, 168].contains(&hours), "{name}: {hours} hours");
            assert!(!profile.about.is_empty() && !profile.source.is_empty(), "{name}");
        }
    }

    #[test]
    fn the_curve_stays_positive_and_near_its_hours() {
        for (name, profile) in Profile::all() {
            let minutes = minutes(profile);
            assert!(minutes.iter().all(|&rate| rate > 0.0), "{name} dips below zero");
            for (hour, (curve, given)) in minutes.chunks(60).zip(&profile.hourly).enumerate() {
                let error = mean(curve) / given - 1.0;
                // The spline smooths a little where the rate turns sharply, most in the small hours.
                assert!(error.abs() < 0.06, "{name} hour {hour}: {:.1} %", error * 100.0);
            }
        }
    }

    #[test]
    fn peaks_and_troughs_are_those_of_the_source() {
        let extremes = |name: &str| {
            let hourly = &name.parse::<Named<Profile>>().unwrap().entry().hourly;
            let low = hourly.iter().copied().fold(f64::INFINITY, f64::min);
            let high = hourly.iter().copied().fold(0.0, f64::max);
            (low, high)
        };
        // Busiest and quietest hour of the week over its mean: 1.66 and 0.47 for chat, 3.02 and 0.10
        // for code; DeepSeek's busiest hour over its quietest: 4.84.
        let (low, high) = extremes("azure-2024-chat-week");
        assert!((high - 1.656).abs() < 0.002 && (low - 0.472).abs() < 0.002, "{low} {high}");
        let (low, high) = extremes("azure-2024-code-week");
        assert!((high - 3.016).abs() < 0.002 && (low - 0.100).abs() < 0.001, "{low} {high}");
        let (low, high) = extremes("deepseek-day");
        assert!((high / low - 4.839).abs() < 0.001, "{low} {high}");
    }
}
