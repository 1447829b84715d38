//! How fast work goes on a GPU model, beside the one that its length is given for.

use contract::{GpuModel, Micros};
use std::collections::BTreeMap;
use std::num::NonZeroU32;

/// A pace, in thousandths of the reference GPU's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pace(NonZeroU32);

impl Pace {
    /// That of the reference GPU.
    pub const REFERENCE: Self = Self(NonZeroU32::new(1000).expect("a thousand is not zero"));

    /// So many thousandths of it.
    pub const fn of_thousandths(thousandths: NonZeroU32) -> Self {
        Self(thousandths)
    }

    /// Thousandths of the reference GPU's.
    pub const fn thousandths(self) -> u32 {
        self.0.get()
    }

    /// How long it takes to do what takes the reference GPU this long, up to the next microsecond.
    #[inline]
    pub fn time_for(self, work: Micros) -> Micros {
        if self == Self::REFERENCE {
            return work;
        }
        let thousandths = u128::from(work.0) * u128::from(Self::REFERENCE.thousandths());
        let micros = thousandths.div_ceil(u128::from(self.thousandths()));
        Micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

/// Paces of one kind of work by GPU model. On a model without one, and without a GPU, it is the reference's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paces(BTreeMap<GpuModel, Pace>);

impl Paces {
    /// The pace on nodes with this GPU, if they have any.
    pub fn on(&self, gpu: Option<&GpuModel>) -> Pace {
        gpu.and_then(|gpu| self.0.get(gpu)).copied().unwrap_or(Pace::REFERENCE)
    }
}

impl FromIterator<(GpuModel, Pace)> for Paces {
    fn from_iter<I: IntoIterator<Item = (GpuModel, Pace)>>(paces: I) -> Self {
        Self(paces.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(thousandths: u32, work: u64, expected: u64) {
        let pace = Pace::of_thousandths(NonZeroU32::new(thousandths).expect("a pace"));
        assert_eq!(pace.time_for(Micros(work)), Micros(expected));
    }

    #[test]
    fn half_the_pace_takes_twice_as_long_and_a_begun_microsecond_counts() {
        check(1000, 7, 7);
        check(500, 7, 14);
        check(2000, 7, 4);
        check(1, u64::MAX, u64::MAX);
    }

    #[test]
    fn what_nobody_says_goes_at_the_pace_of_the_reference() {
        let slow = Pace::of_thousandths(NonZeroU32::new(500).expect("a pace"));
        let l4 = GpuModel("L4".into());
        let paces: Paces = [(l4.clone(), slow)].into_iter().collect();
        assert_eq!(paces.on(Some(&l4)), slow);
        assert_eq!(paces.on(Some(&GpuModel("L40S".into()))), Pace::REFERENCE);
        assert_eq!(paces.on(None), Pace::REFERENCE);
    }
}
