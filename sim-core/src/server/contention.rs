//! How the holders of one GPU share its throughput while they work.

use contract::{GpuMilli, GpuShare};

/// Thousandths of a GPU that each of its busy holders gets.
///
/// Guarantees come first; where they add up to more than there is, everybody gets less in proportion. What is left
/// goes to those below their limits, by guarantee. `interference` is the part of its throughput that a holder loses to
/// each busy neighbour: nothing, where the hardware keeps them apart.
pub(crate) fn speeds(busy: &[GpuShare], interference: f64) -> Vec<u16> {
    let mut speeds = guaranteed(busy);
    share_out_idle(busy, &mut speeds);
    let neighbours = i32::try_from(busy.len().saturating_sub(1)).unwrap_or(i32::MAX);
    let kept = (1.0 - interference).powi(neighbours);
    speeds.into_iter().map(|speed| slowed(speed, kept)).collect()
}

const WHOLE: u32 = GpuMilli::WHOLE.get() as u32;

fn guaranteed(busy: &[GpuShare]) -> Vec<u32> {
    let promised = busy.iter().map(|share| u32::from(share.guaranteed.get()));
    let sum: u32 = promised.clone().sum();
    if sum <= WHOLE {
        promised.collect()
    } else {
        promised.map(|part| part * WHOLE / sum).collect()
    }
}

/// Rounds end when nothing idles, or everybody is at a limit, or the rest is too small to be cut.
fn share_out_idle(busy: &[GpuShare], speeds: &mut [u32]) {
    // Who was promised nothing still gets a little, as a container without a CPU request does.
    let weight = |share: &GpuShare| u32::from(share.guaranteed.get()).max(1);
    loop {
        let idle = WHOLE - speeds.iter().sum::<u32>();
        let below = |(share, speed): &(&GpuShare, &mut u32)| **speed < u32::from(share.limit.get());
        let weights: u32 =
            busy.iter().zip(&mut *speeds).filter(below).map(|(share, _)| weight(share)).sum();
        let mut given = 0;
        for (share, speed) in busy.iter().zip(&mut *speeds).filter(below) {
            let room = u32::from(share.limit.get()) - *speed;
            let part = (idle * weight(share) / weights).min(room);
            *speed += part;
            given += part;
        }
        if given == 0 {
            return;
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most a thousand")]
fn slowed(speed: u32, kept: f64) -> u16 {
    (f64::from(speed) * kept) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn milli(part: u16) -> GpuMilli {
        GpuMilli::try_from(part).expect("thousandths")
    }

    /// Busy holders as (guaranteed, limit).
    #[track_caller]
    fn check(busy: &[(u16, u16)], interference: f64, expected: &[u16]) {
        let share =
            |&(guaranteed, limit)| GpuShare { guaranteed: milli(guaranteed), limit: milli(limit) };
        let busy: Vec<_> = busy.iter().map(share).collect();
        assert_eq!(speeds(&busy, interference), expected);
    }

    #[test]
    fn time_slices_are_as_long_as_few_want_them() {
        check(&[(250, 1000)], 0.0, &[1000]);
        check(&[(250, 1000); 2], 0.0, &[500, 500]);
        check(&[(250, 1000); 4], 0.0, &[250; 4]);
    }

    #[test]
    fn a_fixed_part_stays_what_it_is() {
        check(&[(136, 136)], 0.0, &[136]);
        check(&[(250, 250); 3], 0.0, &[250; 3]);
    }

    #[test]
    fn idle_parts_go_to_those_below_their_limits_by_guarantee() {
        check(&[(200, 1000), (600, 1000)], 0.0, &[250, 750]);
        check(&[(200, 1000), (600, 700)], 0.0, &[300, 700]);
        check(&[(500, 600), (100, 200)], 0.0, &[600, 200]);
    }

    #[test]
    fn promises_beyond_the_gpu_are_cut_alike_and_no_promise_is_not_nothing() {
        check(&[(1000, 1000), (1000, 1000)], 0.0, &[500, 500]);
        check(&[(0, 1000), (0, 1000)], 0.0, &[500, 500]);
        check(&[(400, 400), (0, 1000)], 0.0, &[400, 600]);
    }

    #[test]
    fn every_busy_neighbour_costs_its_part() {
        check(&[(500, 500)], 0.1, &[500]);
        check(&[(250, 250); 3], 0.1, &[202; 3]);
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_its_limit_and_all_together_no_more_than_the_gpu(
            busy in prop::collection::vec((0_u16..=1000, 0_u16..=1000), 0..9),
        ) {
            let share = |&(one, other): &(u16, u16)| GpuShare {
                guaranteed: milli(one.min(other)),
                limit: milli(one.max(other)),
            };
            let busy: Vec<_> = busy.iter().map(share).collect();
            let given = speeds(&busy, 0.0);
            prop_assert!(given.iter().map(|&speed| u32::from(speed)).sum::<u32>() <= WHOLE);
            let promised: u32 = busy.iter().map(|share| u32::from(share.guaranteed.get())).sum();
            for (share, &speed) in busy.iter().zip(&given) {
                prop_assert!(speed <= share.limit.get());
                prop_assert!(promised > WHOLE || speed >= share.guaranteed.get());
            }
        }
    }
}
