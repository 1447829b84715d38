//! Which pods the collector scrapes, and what it makes of them.
//!
//! It does not ask every pod: it asks some, takes their mean, and multiplies by how many are ready. Which ones is
//! drawn anew each time; here the draw is a hash of pod and time, so that a policy stays a function of what it sees.

use super::activator::scrape_sample_size;
use contract::{Instant, Metric, Micros, PodSeen, PodStage, Sample, ServiceSeen};

/// Requests in flight as the collector sees them: what the activator holds, and the mean of the pods that it asks
/// times how many are ready. Pods older than the stable window are asked first. `None` while nothing has a sample.
pub(super) fn in_flight(
    service: &ServiceSeen,
    stable_window: Micros,
    now: Instant,
) -> Option<Sample> {
    let held = service.sample(Metric::GatewayQueue);
    let Some((mean, at)) = mean_of_some(service, stable_window, now) else {
        return held.map(|held| Sample { metric: Metric::InFlight, ..*held });
    };
    let inside = mean * f64::from(service.replicas.ready);
    let value = held.map_or(0.0, |held| held.value) + inside;
    Some(Sample { metric: Metric::InFlight, value, at, window: Micros::ZERO })
}

/// The mean over the pods that are asked, and the time of their newest sample.
fn mean_of_some(
    service: &ServiceSeen,
    stable_window: Micros,
    now: Instant,
) -> Option<(f64, Instant)> {
    let is_young = |pod: &PodSeen| now.since(pod.since) <= stable_window;
    let ready = service.pods.iter().filter(|pod| pod.stage == PodStage::Ready);
    let mut pods: Vec<_> = ready
        .filter_map(|pod| Some((is_young(pod), draw(pod, now), pod.sample(Metric::Concurrency)?)))
        .collect();
    pods.sort_unstable_by_key(|&(is_young, draw, _)| (is_young, draw));
    pods.truncate(scrape_sample_size(service.replicas.ready) as usize);
    let newest = pods.iter().map(|(_, _, sample)| sample.at).max()?;
    let mean = crate::readings::mean(pods.iter().map(|(_, _, sample)| sample.value))?;
    Some((mean, newest))
}

/// A number that looks random, by pod and time (the finaliser of `SplitMix64`).
fn draw(pod: &PodSeen, now: Instant) -> u64 {
    let mixed = now.0 ^ u64::from(pod.id.0).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{at, service};
    use contract::PodId;

    /// Ready pods since a second, each with so many requests inside.
    fn pods(loads: &[(u64, f64)]) -> ServiceSeen {
        let count = u32::try_from(loads.len()).expect("few");
        let mut seen = service(count, count);
        let pod = |(id, &(since, value)): (u32, &(u64, f64))| PodSeen {
            id: PodId(id),
            stage: PodStage::Ready,
            since: at(since),
            created: at(since),
            node: None,
            samples: vec![Sample {
                metric: Metric::Concurrency,
                value,
                at: at(100),
                window: Micros::ZERO,
            }],
        };
        seen.pods = (0..).zip(loads).map(pod).collect();
        seen
    }

    fn seen_at(service: &ServiceSeen, second: u64) -> f64 {
        in_flight(service, Micros::from_secs(60), at(second)).expect("samples").value
    }

    #[test]
    fn equal_pods_are_seen_as_they_are() {
        assert!((seen_at(&pods(&[(0, 4.0); 50]), 100) - 200.0).abs() < 1e-9);
    }

    #[test]
    fn unequal_pods_are_seen_with_noise_around_the_truth() {
        let loads: Vec<_> = (0..100).map(|pod| (0, if pod % 2 == 0 { 2.0 } else { 6.0 })).collect();
        let service = pods(&loads);
        let seen: Vec<_> = (100..1100).map(|second| seen_at(&service, second)).collect();
        let mean = seen.iter().sum::<f64>() / 1000.0;
        let deviation =
            (seen.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 1000.0).sqrt();
        // Fourteen of a hundred without putting back: 100 x 2 x sqrt((1 - 0.14) / 14) = 49.8.
        assert!((mean - 400.0).abs() < 6.0, "{mean}");
        assert!((deviation - 49.8).abs() < 4.0, "{deviation}");
    }

    #[test]
    fn young_pods_are_asked_only_where_old_ones_are_too_few() {
        let mut loads = vec![(0, 1.0); 14];
        loads.extend(vec![(99, 50.0); 86]);
        assert!((seen_at(&pods(&loads), 100) - 100.0).abs() < 1e-9);
        loads[0].0 = 99;
        assert!(seen_at(&pods(&loads), 100) > 100.0 - 1e-9);
    }

    #[test]
    fn what_the_activator_holds_is_added() {
        let mut service = pods(&[(0, 4.0); 2]);
        let held =
            Sample { metric: Metric::GatewayQueue, value: 5.0, at: at(100), window: Micros::ZERO };
        service.samples.push(held);
        assert!((seen_at(&service, 100) - 13.0).abs() < 1e-9);
    }
}
