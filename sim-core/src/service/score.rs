//! The score of a service: how its requests ended, how long they took, what the late ones waited for.

use super::blame::Causes;
use super::latency::{Histograms, LatencySum};
use super::requests::Request;
use super::totals::Totals;
use crate::outcome::{Blame, Cause, Latency, Little, RequestCounts, TimelineRow, Tokens};
use crate::spec::Slo;
use contract::{Instant, Micros};

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Completed,
    TimedOut,
    Rejected,
    Impossible,
    Unfinished,
}

/// Running sums of one service.
pub(crate) struct Score {
    slo: Slo,
    pub(crate) counts: RequestCounts,
    ttft: LatencySum,
    tpot: LatencySum,
    e2e: LatencySum,
    tokens: Tokens,
    blame: Causes,
    blamed_requests: [u64; Cause::ALL.len()],
    /// Requests inside, and when that last changed.
    inside: u32,
    inside_since: Instant,
    /// Microseconds times requests: the left side of Little's law.
    inside_integral: u128,
    /// Sum of the times inside: the right side.
    time_inside: u128,
    /// The open bin of the timeline.
    pub(crate) bin: TimelineRow,
    bin_ttft_sum: u64,
    bin_ttft_count: u64,
}

impl Score {
    /// Nothing yet.
    pub(crate) fn new(service: u32, slo: Slo) -> Self {
        Self {
            slo,
            counts: RequestCounts::default(),
            ttft: LatencySum::new(),
            tpot: LatencySum::new(),
            e2e: LatencySum::new(),
            tokens: Tokens::default(),
            blame: Causes::default(),
            blamed_requests: [0; Cause::ALL.len()],
            inside: 0,
            inside_since: Instant::ZERO,
            inside_integral: 0,
            time_inside: 0,
            bin: TimelineRow { service, ..TimelineRow::default() },
            bin_ttft_sum: 0,
            bin_ttft_count: 0,
        }
    }

    /// A request reached the gateway for the first time.
    pub(crate) fn arrived(&mut self, now: Instant) {
        self.counts.arrived += 1;
        self.bin.arrived += 1;
        self.change_inside(now, 1);
    }

    /// A first token left.
    pub(crate) fn first_token(&mut self, ttft: Micros) {
        self.bin_ttft_sum += ttft.0;
        self.bin_ttft_count += 1;
    }

    /// A request ended. Returns whether it missed, so that the caller can say why.
    pub(crate) fn ended(&mut self, now: Instant, request: &Request, ending: Ending) -> bool {
        self.change_inside(now, -1);
        self.time_inside += u128::from(now.since(request.arrived).0);
        match ending {
            Ending::Completed => return !self.completed(now, request),
            Ending::TimedOut => self.counts.timed_out += 1,
            Ending::Rejected => self.counts.rejected += 1,
            Ending::Impossible => self.counts.impossible += 1,
            Ending::Unfinished => self.counts.unfinished += 1,
        }
        self.bin.failed += 1;
        true
    }

    fn completed(&mut self, now: Instant, request: &Request) -> bool {
        let ttft = request.first_token.since(request.arrived);
        let e2e = now.since(request.arrived);
        let tokens_after_first = u64::from(request.output.saturating_sub(1));
        let decode = now.since(request.first_token);
        self.counts.completed += 1;
        self.bin.completed += 1;
        self.tokens.prompt += u64::from(request.prompt);
        self.tokens.output += u64::from(request.output);
        self.ttft.record(ttft);
        self.e2e.record(e2e);
        let rounded = decode.0 + tokens_after_first / 2;
        let tpot = rounded.checked_div(tokens_after_first).map(Micros);
        if let Some(tpot) = tpot {
            self.tpot.record(tpot);
        }
        let keeps = |limit: Option<Micros>, time| limit.is_none_or(|limit| time <= limit);
        let first_in_time = keeps(self.slo.ttft, ttft);
        let rest_in_time = tpot.is_none_or(|tpot| keeps(self.slo.tpot, tpot));
        if first_in_time && rest_in_time && keeps(self.slo.e2e, e2e) {
            self.counts.attained += 1;
            self.bin.attained += 1;
            return true;
        }
        if first_in_time {
            self.counts.late_rest += 1;
        } else {
            self.counts.late_ttft += 1;
        }
        false
    }

    /// Whether a first token after this long is too late.
    pub(crate) fn is_late_ttft(&self, ttft: Micros) -> bool {
        self.slo.ttft.is_some_and(|limit| ttft > limit)
    }

    /// Says what a late or failed request waited for.
    pub(crate) fn blame(&mut self, causes: &Causes) {
        self.blame.add_all(causes);
        self.blamed_requests[causes.largest() as usize] += 1;
    }

    /// Requests anywhere inside.
    pub(crate) fn inside(&self) -> u32 {
        self.inside
    }

    fn change_inside(&mut self, now: Instant, by: i32) {
        self.inside_integral +=
            u128::from(now.since(self.inside_since).0) * u128::from(self.inside);
        self.inside_since = now;
        self.inside = self.inside.checked_add_signed(by).expect("what leaves has come");
    }

    /// Closes the open bin and begins the next.
    #[expect(clippy::cast_precision_loss, reason = "figures for reports")]
    pub(crate) fn close_bin(&mut self, next: Instant) -> TimelineRow {
        let mut row = self.bin;
        if self.bin_ttft_count > 0 {
            row.ttft_mean_ms = self.bin_ttft_sum as f64 / self.bin_ttft_count as f64 / 1e3;
        }
        self.bin = TimelineRow { at: next, service: row.service, ..TimelineRow::default() };
        self.bin_ttft_sum = 0;
        self.bin_ttft_count = 0;
        row
    }

    /// The three latencies.
    pub(crate) fn latencies(&self) -> [Latency; 3] {
        [self.ttft.figures(), self.tpot.figures(), self.e2e.figures()]
    }

    /// The histograms themselves.
    pub(crate) fn histograms(&self) -> Histograms {
        Histograms {
            ttft: self.ttft.histogram().clone(),
            tpot: self.tpot.histogram().clone(),
            e2e: self.e2e.histogram().clone(),
        }
    }

    /// What an exporter counts.
    pub(crate) fn totals(&self) -> Totals {
        Totals::new(self.counts.attempts, self.tokens, &self.ttft, &self.tpot)
    }

    /// Tokens of completed requests.
    pub(crate) fn tokens(&self) -> Tokens {
        self.tokens
    }

    /// Blame on every cause.
    pub(crate) fn blames(&self) -> Vec<Blame> {
        let blame = |cause: Cause| Blame {
            cause,
            seconds: self.blame.of(cause).as_secs_f64(),
            requests: self.blamed_requests[cause as usize],
        };
        Cause::ALL.into_iter().map(blame).collect()
    }

    /// Both sides of Little's law over a run of this length.
    ///
    /// # Panics
    /// If they differ: a request was counted in and not out, or the other way round.
    #[expect(clippy::cast_precision_loss, reason = "figures for reports")]
    pub(crate) fn little(&self, length: Micros) -> Little {
        assert_eq!(
            self.inside_integral, self.time_inside,
            "Little's law: the integral of requests inside equals the sum of their times inside"
        );
        let counted = self.counts;
        assert_eq!(
            counted.arrived,
            counted.completed
                + counted.timed_out
                + counted.rejected
                + counted.impossible
                + counted.unfinished,
            "every request ends exactly once: {counted:?}"
        );
        let length = length.0.max(1) as f64;
        Little {
            inside_mean: self.inside_integral as f64 / length,
            rate_times_time: self.time_inside as f64 / length,
        }
    }
}
