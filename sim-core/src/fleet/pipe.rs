//! A pipe that its transfers share equally: a node's image pulls, or its weight loads.

use contract::{Instant, Micros, PodId};

/// Processor sharing: each of n transfers runs at 1/n of the speed that it would have alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pipe {
    transfers: Vec<Transfer>,
    settled: Instant,
    generation: u32,
}

#[derive(Clone, Copy, Debug)]
struct Transfer {
    pod: PodId,
    /// Time that it still needs alone, in picoseconds: shares of a microsecond must not get lost.
    left: u64,
}

const PICOS: u64 = 1_000_000;

impl Pipe {
    /// Begins a transfer that would take `alone` if nothing else flowed.
    pub(crate) fn begin(&mut self, now: Instant, pod: PodId, alone: Micros) {
        self.settle(now);
        self.transfers.push(Transfer { pod, left: alone.0.saturating_mul(PICOS) });
    }

    /// Whether `pod` transfers something.
    pub(crate) fn carries(&self, pod: PodId) -> bool {
        self.transfers.iter().any(|transfer| transfer.pod == pod)
    }

    /// Ends what `pod` transfers, if anything.
    pub(crate) fn cancel(&mut self, now: Instant, pod: PodId) {
        self.settle(now);
        self.transfers.retain(|transfer| transfer.pod != pod);
    }

    /// Takes the pods whose transfers are complete at `now`, oldest first.
    pub(crate) fn finished(&mut self, now: Instant) -> Vec<PodId> {
        self.settle(now);
        let done = |transfer: &&Transfer| transfer.left == 0;
        let pods = self.transfers.iter().filter(done).map(|transfer| transfer.pod).collect();
        self.transfers.retain(|transfer| transfer.left > 0);
        pods
    }

    /// When the next transfer completes if nothing joins, and the token that this answer is valid for.
    pub(crate) fn next(&mut self) -> Option<(Instant, u32)> {
        self.generation += 1;
        let shares = self.transfers.len() as u64;
        let least = self.transfers.iter().map(|transfer| transfer.left).min()?;
        let wait = least.saturating_mul(shares).div_ceil(PICOS);
        Some((self.settled + Micros(wait), self.generation))
    }

    /// Whether an answer of [`Pipe::next`] still holds.
    pub(crate) fn is_current(&self, generation: u32) -> bool {
        self.generation == generation
    }

    fn settle(&mut self, now: Instant) {
        let elapsed = now.since(self.settled).0;
        self.settled = now;
        let shares = self.transfers.len() as u64;
        if shares == 0 {
            return;
        }
        let progress = (elapsed * PICOS).div_ceil(shares);
        for transfer in &mut self.transfers {
            transfer.left = transfer.left.saturating_sub(progress);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs transfers (start, alone) in seconds and tells when each pod's one is done.
    #[track_caller]
    fn check(starts: &[(u64, u64)], expected: &[(u32, u64)]) {
        let mut pipe = Pipe::default();
        let mut done = Vec::new();
        let mut starts: Vec<_> = starts.iter().copied().enumerate().collect();
        loop {
            let next_start = starts.first().map(|&(_, (at, _))| Instant(at * 1_000_000));
            match (pipe.next(), next_start) {
                (Some((at, _)), start) if start.is_none_or(|start| at <= start) => {
                    done.extend(pipe.finished(at).iter().map(|pod| (pod.0, at.0 / 1_000_000)));
                }
                (_, Some(at)) => {
                    let (pod, (_, alone)) = starts.remove(0);
                    let pod = PodId(u32::try_from(pod).unwrap());
                    pipe.begin(at, pod, Micros::from_secs(alone));
                }
                (None, None) => break,
                _ => unreachable!("a transfer without a start comes first"),
            }
        }
        assert_eq!(done, expected);
    }

    #[test]
    fn one_transfer_takes_its_own_time() {
        check(&[(5, 10)], &[(0, 15)]);
    }

    #[test]
    fn two_at_once_take_twice_as_long() {
        check(&[(0, 10), (0, 10)], &[(0, 20), (1, 20)]);
    }

    #[test]
    fn a_late_comer_slows_the_first_only_while_both_flow() {
        check(&[(0, 10), (5, 10)], &[(0, 15), (1, 20)]);
    }
}
