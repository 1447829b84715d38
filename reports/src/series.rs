//! A timeline thinned to what a figure can show.

use sim_core::outcome::{Experiment, TimelineRow};

/// Most points on a timeline: about one for two pixels.
const MOST: usize = 600;

/// One point of a timeline: a bin, or several neighbouring ones together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Moment {
    /// Start, in hours since the run began.
    pub(crate) from_h: f64,
    /// End, in hours.
    pub(crate) to_h: f64,
    /// Mean arrival rate, requests per second.
    pub(crate) demand_rps: f64,
    /// Mean rate of requests completed within the SLO, per second.
    pub(crate) in_time_rps: f64,
    /// Most replicas asked for.
    pub(crate) wanted: f64,
    /// Replicas ready at the end.
    pub(crate) ready: f64,
    /// Replicas starting at the end.
    pub(crate) starting: f64,
    /// Most requests waiting.
    pub(crate) queue: f64,
}

/// The timeline of one service of a stack.
pub(crate) fn moments(
    experiment: &Experiment,
    timeline: &[TimelineRow],
    service: usize,
) -> Vec<Moment> {
    let rows: Vec<_> = timeline.iter().filter(|row| row.service as usize == service).collect();
    let together = rows.len().div_ceil(MOST).max(1);
    rows.chunks(together).map(|rows| moment(experiment, rows)).collect()
}

#[expect(clippy::cast_precision_loss, reason = "a handful of bins")]
fn moment(experiment: &Experiment, rows: &[&TimelineRow]) -> Moment {
    let bin_s = experiment.bin.as_secs_f64();
    let length_s = (bin_s * rows.len() as f64).max(1e-6);
    let sum = |of: fn(&TimelineRow) -> u32| rows.iter().map(|row| f64::from(of(row))).sum::<f64>();
    let most = |of: fn(&TimelineRow) -> u32| rows.iter().map(|row| of(row)).max().unwrap_or(0);
    let first = rows.first().map_or(0.0, |row| row.at.as_secs_f64());
    let last = rows.last().copied().copied().unwrap_or_default();
    Moment {
        from_h: first / 3600.0,
        to_h: (last.at.as_secs_f64() + bin_s) / 3600.0,
        demand_rps: sum(|row| row.arrived) / length_s,
        in_time_rps: sum(|row| row.attained) / length_s,
        wanted: f64::from(most(|row| row.wanted)),
        ready: f64::from(last.ready),
        starting: f64::from(last.starting),
        queue: f64::from(most(|row| row.queue)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use contract::{Instant, Micros};

    #[test]
    fn a_long_timeline_keeps_its_sums_and_its_peaks() {
        let mut experiment = crate::fixture::experiment(1, 1, 1);
        experiment.bin = Micros::from_secs(60);
        let row = |minute: u32| TimelineRow {
            at: Instant(u64::from(minute) * 60_000_000),
            arrived: 60,
            queue: if minute == 700 { 9 } else { 0 },
            ..TimelineRow::default()
        };
        let rows: Vec<_> = (0..1440).map(row).collect();
        let moments = moments(&experiment, &rows, 0);
        assert_eq!(moments.len(), 480);
        assert!(moments.iter().all(|moment| (moment.demand_rps - 1.0).abs() < 1e-9));
        let peaks: Vec<_> = moments.iter().filter(|moment| moment.queue > 0.0).collect();
        assert_eq!(peaks.len(), 1);
        assert!(peaks[0].from_h <= 700.0 / 60.0 && 700.0 / 60.0 < peaks[0].to_h);
        let end = moments.last().map(|moment| moment.to_h);
        assert_eq!(end, Some(24.0));
    }

    #[test]
    fn a_service_sees_its_own_rows_only() {
        let experiment = crate::fixture::experiment(1, 1, 2);
        let rows = [
            TimelineRow { service: 0, ready: 1, ..TimelineRow::default() },
            TimelineRow { service: 1, ready: 2, ..TimelineRow::default() },
        ];
        let ready: Vec<_> = moments(&experiment, &rows, 1).iter().map(|it| it.ready).collect();
        assert_eq!(ready, [2.0]);
    }
}
