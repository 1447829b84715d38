//! The autoscaler's luck: orders and choices that upstream leaves to its maps and its random numbers.

use contract::PodId;

/// The luck of one loop: another in every loop, the same whenever a run is repeated or resumed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Luck {
    /// The setting.
    pub(super) seed: u64,
    /// Loops so far.
    pub(super) turn: u64,
}

impl Luck {
    /// A number that orders pods differently in each loop.
    pub(super) fn rank(self, pod: PodId) -> u64 {
        self.number(pod.0.into())
    }

    /// One of several options that are equally good, each as likely as the others; `nth` counts the choices of a
    /// loop.
    pub(super) fn choose(self, nth: usize, options: &[usize]) -> Option<usize> {
        // Pods are numbered below 2^32: choices have numbers of their own.
        let entity = (1 << 32) + u64::try_from(nth).unwrap_or(u64::MAX >> 1);
        let count = u64::try_from(options.len()).unwrap_or(u64::MAX);
        let place = self.number(entity).checked_rem(count)?;
        options.get(usize::try_from(place).ok()?).copied()
    }

    fn number(self, entity: u64) -> u64 {
        const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
        scrambled(self.turn.wrapping_mul(GOLDEN_RATIO) ^ entity ^ scrambled(self.seed))
    }
}

/// The finaliser of `SplitMix64`.
fn scrambled(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equally_good_options_are_equally_likely() {
        let options = [3, 5, 8];
        let mut counts = [0; 3];
        for turn in 0..3_000 {
            let chosen = Luck { seed: 7, turn }.choose(0, &options).expect("there are some");
            counts[options.iter().position(|option| *option == chosen).expect("one of them")] += 1;
        }
        assert!(counts.iter().all(|count| (900..=1_100).contains(count)), "{counts:?}");
        assert_eq!(Luck { seed: 7, turn: 1 }.choose(0, &[]), None);
    }

    #[test]
    fn another_seed_is_another_order() {
        let order = |seed| {
            let mut pods: Vec<_> = (0..20).map(PodId).collect();
            pods.sort_by_key(|pod| Luck { seed, turn: 4 }.rank(*pod));
            pods
        };
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}
