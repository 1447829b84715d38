//! Replays a trace file: clips it, speeds it up, and hands its rows out as arrivals.

use crate::error::{Problem, TraceError};
use crate::format::{Format, Reader, Row};
use crate::scale::Scaled;
use crate::setting::Factor;
use contract::{Instant, Micros, ServiceId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::random::Seed;
use sim_core::{Arrival, ArrivalSource, SourceError};
use std::path::{Path, PathBuf};

/// Settings of a replay, the same for every format.
///
/// The run begins with the first row of the file, or `skip` after it. The run's horizon ends the
/// replay, if the file does not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Replay {
    /// The file: plain, gzip or zstd. A relative path starts at the folder of the scenario.
    pub path: PathBuf,
    /// Leaves out the first part of the trace, in the trace's own time.
    #[serde(default)]
    pub skip: Micros,
    /// Replays no more than this much of the trace, in the trace's own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<Micros>,
    /// Plays the trace this many times as fast: the same requests in less time, bursts sharper.
    #[serde(default = "one")]
    pub speed: Factor,
    /// Multiplies the number of requests. Below 1, each is kept with this probability; above 1, it
    /// comes in copies.
    #[serde(default = "one")]
    pub rate_scale: Factor,
    /// How far a copy may arrive after its original, on the run's clock; uniform.
    #[serde(default = "one_second")]
    pub jitter: Micros,
}

fn one() -> Factor {
    Factor::ONE
}

fn one_second() -> Micros {
    Micros::from_secs(1)
}

impl Replay {
    /// A replay of the whole of `path` as it is.
    pub fn of(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            skip: Micros::ZERO,
            take: None,
            speed: one(),
            rate_scale: one(),
            jitter: one_second(),
        }
    }

    /// Opens the file and reads up to the first request, so that most of what can be wrong shows now.
    pub(crate) fn open(
        &self,
        format: &Format,
        seed: Seed,
        service: ServiceId,
        horizon: Micros,
        base: &Path,
    ) -> Result<Box<dyn ArrivalSource>, TraceError> {
        let reader = format.open(&base.join(&self.path))?;
        let clipped = Clipped::start(reader, self, horizon)?;
        if self.rate_scale == Factor::ONE {
            return Ok(Box::new(clipped));
        }
        let luck =
            ["copy-counts", "copy-delays"].map(|purpose| seed.stream(purpose, service.0.into()));
        Ok(Box::new(Scaled::new(clipped, self, Instant::ZERO + horizon, luck)))
    }
}

/// The part of a trace that is replayed, on the run's clock.
struct Clipped {
    reader: Reader,
    first: Timestamp,
    pending: Option<Row>,
    skip: Micros,
    end: Micros,
    speed: f64,
    horizon: Instant,
}

impl Clipped {
    fn start(mut reader: Reader, replay: &Replay, horizon: Micros) -> Result<Self, TraceError> {
        let mut pending = reader.next().transpose()?;
        let first = pending.map_or(Timestamp::UNIX_EPOCH, |row| row.at);
        while pending.is_some_and(|row| since(first, row.at) < replay.skip) {
            pending = reader.next().transpose()?;
        }
        if pending.is_none() {
            let problem = Problem::AllSkipped { skip: replay.skip };
            return Err(TraceError { path: reader.path().to_owned(), row: None, problem });
        }
        Ok(Self {
            reader,
            first,
            pending,
            skip: replay.skip,
            end: replay.take.map_or(Micros(u64::MAX), |take| replay.skip + take),
            speed: replay.speed.get(),
            horizon: Instant::ZERO + horizon,
        })
    }
}

impl ArrivalSource for Clipped {
    fn next_arrival(&mut self) -> Result<Option<Arrival>, SourceError> {
        let Some(row) = self.pending.take() else { return Ok(None) };
        let offset = since(self.first, row.at);
        let at = Instant::ZERO + sped_up(offset - self.skip, self.speed);
        if self.end <= offset || self.horizon <= at {
            return Ok(None);
        }
        self.pending = self.reader.next().transpose()?;
        let Row { prompt_tokens, output_tokens, .. } = row;
        Ok(Some(Arrival { at, prompt_tokens, output_tokens }))
    }
}

/// Time from `first` to `at`, in whole microseconds; rows come in order, so it is not negative.
fn since(first: Timestamp, at: Timestamp) -> Micros {
    let nanos = at.as_nanosecond() - first.as_nanosecond();
    Micros(u64::try_from(nanos / 1_000).unwrap_or(u64::MAX))
}

/// Exact at speed 1; otherwise rounded down, which keeps the order.
fn sped_up(offset: Micros, speed: f64) -> Micros {
    #[expect(clippy::float_cmp, reason = "1 is exact, and means: leave the times alone")]
    if speed == 1.0 {
        return offset;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "2^53 µs are 285 years, and the cast saturates"
    )]
    Micros((offset.0 as f64 / speed) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speed_divides_times_and_speed_one_leaves_them_alone() {
        let odd = Micros(u64::MAX - 1);
        assert_eq!(sped_up(odd, 1.0), odd);
        assert_eq!(sped_up(Micros(10), 4.0), Micros(2));
        assert_eq!(sped_up(Micros(10), 0.5), Micros(20));
    }
}
