//! The body of the traffic: gaps of mean one, stretched by the rate that they meet.

use super::gaps::{Gaps, first_gap};
use super::intensity::{Intensity, Stretch};
use super::lengths::LengthPair;
use super::{Synthetic, instant, micros};
use contract::{Micros, ServiceId};
use sim_core::Arrival;
use sim_core::random::Seed;

/// Arrivals by time-rescaling: each arrival lies where the integrated rate since the last one
/// reaches the gap drawn for it.
pub(super) struct Body {
    intensity: Intensity,
    gaps: Gaps,
    lengths: LengthPair,
    /// Rest of the gap before the next arrival, in mean gaps.
    gap: f64,
    /// Microseconds since the start, with a fraction: rounding each gap would bias the rate.
    now: f64,
    end: f64,
    rate: f64,
    horizon: f64,
}

impl Body {
    pub(super) fn new(
        settings: &Synthetic,
        seed: Seed,
        service: ServiceId,
        horizon: Micros,
    ) -> Self {
        let luck = |purpose| seed.stream(purpose, service.0.into());
        let lengths = LengthPair::new(
            settings.prompt.as_ref(),
            settings.output.as_ref(),
            ["prompt-lengths", "output-lengths"].map(luck),
        );
        Self {
            intensity: Intensity::new(settings, seed, service),
            gaps: Gaps::new(settings.arrivals, luck("gaps")),
            lengths,
            gap: first_gap(settings.arrivals, &mut luck("first-gap")),
            now: 0.0,
            end: 0.0,
            rate: 0.0,
            horizon: micros(horizon),
        }
    }

    /// Moves on to the next arrival; false at the horizon.
    fn advance(&mut self) -> bool {
        loop {
            let room = (self.end - self.now) * self.rate;
            // Not `<=`: in silence there is no room, and a gap of zero must not end there.
            if self.gap < room {
                self.now += self.gap / self.rate;
                return self.now < self.horizon;
            }
            self.gap -= room;
            self.now = self.end;
            if self.horizon <= self.now {
                return false;
            }
            let Stretch { end, rate } = self.intensity.next();
            (self.end, self.rate) = (micros(end), rate);
        }
    }
}

impl Iterator for Body {
    type Item = Arrival;
    fn next(&mut self) -> Option<Arrival> {
        if !self.advance() {
            return None;
        }
        self.gap = self.gaps.draw();
        let (prompt_tokens, output_tokens) = self.lengths.draw();
        Some(Arrival { at: instant(self.now), prompt_tokens, output_tokens })
    }
}
