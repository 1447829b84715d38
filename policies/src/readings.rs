//! One number for a metric of a service: its own sample, or the mean of those of its pods.

use contract::{Metric, ServiceSeen};

/// The service's sample, or the mean over the pods that have one, those that drain included (pods are found by
/// label); `None` where nothing has a sample.
pub(crate) fn read(service: &ServiceSeen, metric: Metric) -> Option<f64> {
    if metric.is_of_pods() {
        mean(service.pods.iter().filter_map(|pod| pod.sample(metric)).map(|sample| sample.value))
    } else {
        service.sample(metric).map(|sample| sample.value)
    }
}

/// The mean; `None` of nothing.
pub(crate) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// A number of replicas, rounded up.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
pub(crate) fn replicas(value: f64) -> u32 {
    value.ceil().clamp(0.0, f64::from(i32::MAX)) as u32
}
