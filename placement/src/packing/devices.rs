//! The GPUs of a node, each with what is left of it.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

/// GPU in thousandths of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MilliGpu(pub u32);

impl MilliGpu {
    /// A whole device.
    pub const WHOLE: Self = Self(1000);
    /// None of it.
    pub const ZERO: Self = Self(0);
}

impl Add for MilliGpu {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for MilliGpu {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Sum for MilliGpu {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for MilliGpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}m", self.0))
    }
}

/// The most GPUs that a node may have; no instance type that clouds offer has more.
pub const MOST_DEVICES: usize = 16;

/// What is free on each device of a node, in the order of the devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Devices {
    /// Places beyond `count` are zero.
    free: [MilliGpu; MOST_DEVICES],
    count: u8,
}

impl Devices {
    /// So many devices, all of them free; `None` beyond [`MOST_DEVICES`].
    pub(super) fn whole(count: u32) -> Option<Self> {
        let mut free = [MilliGpu::ZERO; MOST_DEVICES];
        free.get_mut(..count as usize)?.fill(MilliGpu::WHOLE);
        Some(Self { free, count: u8::try_from(count).ok()? })
    }

    /// Devices with so much free; `None` beyond [`MOST_DEVICES`].
    pub(super) fn with_free(amounts: impl ExactSizeIterator<Item = MilliGpu>) -> Option<Self> {
        let mut devices = Self::whole(u32::try_from(amounts.len()).ok()?)?;
        devices.free.iter_mut().zip(amounts).for_each(|(free, amount)| *free = amount);
        Some(devices)
    }

    /// What is free on each.
    pub(super) fn free(&self) -> &[MilliGpu] {
        &self.free[..usize::from(self.count)]
    }

    /// How many there are.
    pub(super) fn count(&self) -> u32 {
        u32::from(self.count)
    }

    /// What is free on all of them together.
    pub(super) fn free_sum(&self) -> MilliGpu {
        self.free().iter().copied().sum()
    }

    /// How many are free as a whole.
    pub(super) fn whole_count(&self) -> u32 {
        self.with_room(MilliGpu::WHOLE)
    }

    /// How many have this much free.
    pub(super) fn with_room(&self, amount: MilliGpu) -> u32 {
        self.free().iter().map(|free| u32::from(*free >= amount)).sum()
    }

    /// Whether they hold `count` shares of `each`; a device may hold several.
    pub(super) fn hold(&self, count: u32, each: MilliGpu) -> bool {
        if count == 1 || each == MilliGpu::WHOLE {
            return self.with_room(each) >= count;
        }
        self.free().iter().map(|free| free.0 / each.0).sum::<u32>() >= count
    }

    /// Takes `count` shares of `each` from devices in the order given, as many from each as it has room for.
    /// `None` if they do not hold them all.
    pub(super) fn pick(
        &self,
        count: u32,
        each: MilliGpu,
        order: impl Iterator<Item = usize>,
    ) -> Option<Slots> {
        if count == 0 {
            return Some(Slots::NONE);
        }
        let mut slots = Slots { each, shares: [0; MOST_DEVICES] };
        let mut missing = count;
        for device in order {
            let shares = missing.min(self.free[device].0 / each.0);
            slots.shares[device] = u16::try_from(shares).ok()?;
            missing -= shares;
            if missing == 0 {
                return Some(slots);
            }
        }
        None
    }

    /// Devices in their own order.
    pub(super) fn in_order(&self) -> impl Iterator<Item = usize> + use<> {
        0..usize::from(self.count)
    }

    /// Devices from the least free to the most free, equals in their own order.
    pub(super) fn fullest_first(&self) -> impl Iterator<Item = usize> + use<> {
        let mut order = [0_u8; MOST_DEVICES];
        for (place, device) in order.iter_mut().zip(0..self.count) {
            *place = device;
        }
        order[..usize::from(self.count)].sort_by_key(|device| self.free[usize::from(*device)]);
        order.into_iter().take(usize::from(self.count)).map(usize::from)
    }

    /// Takes what the slots say.
    pub(super) fn take(&mut self, slots: &Slots) {
        for (device, amount) in slots.iter() {
            self.free[device] = self.free[device] - amount;
        }
    }

    /// Gives back what the slots say.
    pub(super) fn give_back(&mut self, slots: &Slots) {
        for (device, amount) in slots.iter() {
            self.free[device] = self.free[device] + amount;
            assert!(self.free[device] <= MilliGpu::WHOLE, "only what was taken is given back");
        }
    }
}

/// Which devices a pod has shares of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    each: MilliGpu,
    /// By device.
    shares: [u16; MOST_DEVICES],
}

impl Slots {
    /// No device.
    const NONE: Self = Self { each: MilliGpu::ZERO, shares: [0; MOST_DEVICES] };

    /// One share of one device.
    pub(super) fn one(device: usize, each: MilliGpu) -> Self {
        let mut shares = [0; MOST_DEVICES];
        shares[device] = 1;
        Self { each, shares }
    }

    /// The devices, and how much of each.
    pub fn iter(&self) -> impl Iterator<Item = (usize, MilliGpu)> + Clone {
        let used = self.shares.iter().enumerate().filter(|(_, shares)| **shares > 0);
        used.map(|(device, shares)| (device, MilliGpu(self.each.0 * u32::from(*shares))))
    }

    /// The first of the devices.
    pub(super) fn first(&self) -> Option<usize> {
        self.iter().next().map(|(device, _)| device)
    }

    /// What they add up to.
    pub fn sum(&self) -> MilliGpu {
        self.iter().map(|(_, amount)| amount).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(count: u32, shares: (u32, u32), expected: &str) {
        let mut devices = Devices::whole(count).unwrap();
        devices.take(&Slots::one(0, MilliGpu(700)));
        let (shares, each) = (shares.0, MilliGpu(shares.1));
        let slots = devices.pick(shares, each, devices.fullest_first());
        assert_eq!(slots.is_some(), devices.hold(shares, each), "what is held can be picked");
        let text = |slots: Slots| {
            let parts = slots.iter().map(|(device, amount)| format!("{device}: {amount}"));
            parts.collect::<Vec<_>>().join(", ")
        };
        assert_eq!(slots.map_or("none".to_owned(), text), expected);
    }

    #[test]
    fn the_fullest_devices_with_room_are_picked_first() {
        check(3, (1, 300), "0: 300m");
        check(3, (1, 301), "1: 301m");
        check(3, (2, 1000), "1: 1000m, 2: 1000m");
        check(3, (3, 1000), "none");
    }

    #[test]
    fn a_device_holds_several_shares_of_one_pod() {
        check(2, (3, 300), "0: 300m, 1: 600m");
        check(2, (4, 300), "0: 300m, 1: 900m");
        check(2, (5, 300), "none");
    }

    #[test]
    fn a_node_has_no_more_devices_than_are_modelled() {
        assert!(Devices::whole(16).is_some());
        assert!(Devices::whole(17).is_none());
    }
}
