//! A replica's own clock. Steps last whole picoseconds, so that sums of them are exact; the engine hears of
//! events in its microseconds, rounded up.

use contract::Instant;

/// A length of time in picoseconds. 2^64 of them are 213 days: no stretch of steps comes near.
pub(super) type Picos = u64;

const PICOS_PER_MICRO: Picos = 1_000_000;

/// The same in seconds, for reports.
#[expect(
    clippy::cast_precision_loss,
    reason = "steps are shorter than 2^53 picoseconds, 2.5 hours"
)]
pub(super) fn as_seconds(length: Picos) -> f64 {
    length as f64 / 1e12
}

/// A point in time to the picosecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    micros: u64,
    /// Past `micros`, less than a microsecond.
    picos: u32,
}

impl Moment {
    /// The first instant of the engine's clock at or after this moment.
    pub(super) fn instant(self) -> Instant {
        Instant(self.micros + u64::from(self.picos > 0))
    }

    /// This moment and `length` more.
    pub(super) fn after(self, length: Picos) -> Self {
        let picos = length + u64::from(self.picos);
        let micros = self.micros + picos / PICOS_PER_MICRO;
        Self { micros, picos: (picos % PICOS_PER_MICRO) as u32 }
    }

    /// How long after `earlier` this is; zero if it is not.
    pub(super) fn since(self, earlier: Self) -> Picos {
        let whole = self.micros.saturating_sub(earlier.micros) * PICOS_PER_MICRO;
        (whole + u64::from(self.picos)).saturating_sub(u64::from(earlier.picos))
    }
}

impl From<Instant> for Moment {
    fn from(at: Instant) -> Self {
        Self { micros: at.0, picos: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_between_two_microseconds_is_heard_of_at_the_later() {
        let start = Moment::from(Instant(5));
        assert_eq!(start.instant(), Instant(5));
        assert_eq!(start.after(1).instant(), Instant(6));
        assert_eq!(start.after(999_999).after(1).instant(), Instant(6));
        assert_eq!(start.after(1_000_001).instant(), Instant(7));
    }

    #[test]
    fn lengths_between_moments_keep_their_picoseconds() {
        let start = Moment::from(Instant(5)).after(700_000);
        assert_eq!(start.after(2_500_000).since(start), 2_500_000);
        assert_eq!(start.since(start.after(1)), 0);
    }
}
