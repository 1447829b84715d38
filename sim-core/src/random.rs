//! Luck, by name. Every draw comes from a stream named by (seed, run, purpose, entity), so two policies
//! meet the same arrivals and the same boot times, and a new draw in one place moves nothing elsewhere.
//!
//! The only module of the workspace that names `rand` and `rand_distr`; a golden test pins the draws.

use rand::{Rng, RngExt, SeedableRng};
pub use rand_distr::Gamma;
use rand_distr::{Distribution, Exp1, LogNormal, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use xxhash_rust::xxh3::Xxh3;

/// The roots of a run's luck: the seed says which weather, the run number which replication of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The experiment's seed.
    pub seed: u64,
    /// The replication.
    pub run: u32,
}

impl Seed {
    /// The stream for `purpose` of `entity`, such as `("node-boot", 17)`.
    pub fn stream(self, purpose: &str, entity: u64) -> Stream {
        let mut hash = Xxh3::new();
        hash.update(&self.seed.to_le_bytes());
        hash.update(&self.run.to_le_bytes());
        hash.update(&entity.to_le_bytes());
        hash.update(purpose.as_bytes());
        let digest = hash.digest128();
        let mut key = [0_u8; 32];
        key[..16].copy_from_slice(&digest.to_le_bytes());
        key[16..].copy_from_slice(&(!digest.rotate_left(47)).to_le_bytes());
        Stream(Xoshiro256PlusPlus::from_seed(key))
    }
}

/// A named stream of draws: xoshiro256++ (Blackman and Vigna 2019).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream(Xoshiro256PlusPlus);

impl Stream {
    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f64 {
        self.0.random()
    }

    /// Uniform in 0..`below`; `below` must be positive.
    pub fn below(&mut self, below: u32) -> u32 {
        assert!(below > 0, "a range must hold something");
        self.0.random_range(0..below)
    }

    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        Exp1.sample(&mut self.0)
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// Any distribution of `rand_distr`.
    pub fn sample<T>(&mut self, distribution: &impl Distribution<T>) -> T {
        distribution.sample(&mut self.0)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// Gamma with mean 1 and the given shape: gaps between arrivals, burstier below shape 1.
///
/// # Panics
/// If `shape` is not positive and finite.
pub fn gamma_of_mean_one(shape: f64) -> Gamma<f64> {
    Gamma::new(shape, 1.0 / shape).expect("shape is positive and finite")
}

/// Lognormal by its median and sigma.
///
/// # Panics
/// If `median` is not positive or `sigma` is negative.
pub fn lognormal(median: f64, sigma: f64) -> LogNormal<f64> {
    assert!(median > 0.0, "the median of a lognormal is positive");
    LogNormal::new(median.ln(), sigma).expect("sigma is not negative")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this moves, every fingerprint moves: a dependency changed its draws or its ln/exp.
    #[test]
    fn draws_are_pinned() {
        let mut stream = Seed { seed: 1, run: 0 }.stream("golden", 7);
        let gamma = gamma_of_mean_one(0.5);
        let long_tailed = lognormal(10.0, 0.5);
        let draws = [
            stream.unit(),
            stream.exponential(),
            stream.normal(),
            stream.sample(&gamma),
            stream.sample(&long_tailed),
        ];
        let text = format!("{draws:?} {} {:016x}", stream.below(1000), stream.bits());
        assert_eq!(
            text,
            "[0.7381141204348804, 0.08681586736519407, -1.290856013622925, 0.0019468440642861587, \
             14.975791398016952] 782 b1f486d13348684f"
        );
    }

    #[test]
    fn streams_with_other_names_are_other_streams() {
        let seed = Seed { seed: 1, run: 0 };
        let other_run = Seed { seed: 1, run: 1 };
        let first = [
            seed.stream("boot", 1).bits(),
            seed.stream("boot", 2).bits(),
            seed.stream("pull", 1).bits(),
            other_run.stream("boot", 1).bits(),
        ];
        for (place, bits) in first.iter().enumerate() {
            assert!(!first[..place].contains(bits));
        }
    }
}
