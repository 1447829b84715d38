//! `NodeAffinity`, `InterPodAffinity` and `ImageLocality` as scores: from what a node has to 0 to 100.

use super::MAX;
use crate::filter::node_affinity::label;
use contract::{NodeShape, PodSpec};

/// Weight of `NodeAffinity` in kube-scheduler's default profile.
pub(crate) const NODE_AFFINITY_WEIGHT: u64 = 2;

/// Weight of `InterPodAffinity`.
pub(crate) const POD_AFFINITY_WEIGHT: u64 = 2;

/// Weight of `ImageLocality`.
pub(crate) const IMAGE_WEIGHT: u64 = 1;

/// What a pod's required affinity to another counts, seen from that other pod (kube-scheduler:
/// `hardPodAffinityWeight`).
pub(crate) const REQUIRED_AFFINITY_WEIGHT: i64 = 1;

/// Less of the pod's images than this scores nothing (kube-scheduler: `minThreshold`, 23 MiB).
const FEW_BYTES: u64 = 23 << 20;

/// So much for each image scores 100 (kube-scheduler: `maxContainerThreshold`, 1000 MiB).
const MANY_BYTES_EACH: u64 = 1000 << 20;

/// The weights of a pod's node preferences that a node of this shape in a zone meets.
pub(crate) fn preferred(spec: &PodSpec, shape: &NodeShape, zone: Option<&str>) -> i64 {
    let preferences = spec.constraints.iter().flat_map(|own| &own.preferred_nodes);
    let met =
        preferences.filter(|preference| preference.term.matches(|key| label(shape, zone, key)));
    met.map(|preference| i64::from(preference.weight)).sum()
}

/// The weights of preferred node affinity on a scale up to the `most` of any node; nothing if that is nothing
/// (kube-scheduler: `DefaultNormalizeScore`).
pub(crate) fn of_most(weights: i64, most: i64) -> u64 {
    let scaled = (weights * MAX.cast_signed()).checked_div(most).unwrap_or(0);
    u64::try_from(scaled).unwrap_or(0)
}

/// The attraction of other pods on a scale from the `least` to the `most` of any node; nothing if all are alike.
#[expect(clippy::cast_precision_loss, reason = "kube-scheduler computes in floats, too")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
pub(crate) fn between(attraction: i64, least: i64, most: i64) -> u64 {
    if most == least {
        return 0;
    }
    let share = (attraction - least) as f64 / (most - least) as f64;
    (MAX as f64 * share) as u64
}

/// What one image on the node adds: its size, less the fewer nodes have it, so that pods do not crowd where it came
/// first.
#[expect(clippy::cast_precision_loss, reason = "kube-scheduler computes in floats, too")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most the size")]
pub(crate) fn image_bytes(size: u64, nodes_with_it: u32, nodes: usize) -> u64 {
    (size as f64 * (f64::from(nodes_with_it) / nodes as f64)) as u64
}

/// The score of a node with so many bytes (see [`image_bytes`]) of the images that a pod has.
pub(crate) fn of_images(bytes: u64, images: usize) -> u64 {
    let many = MANY_BYTES_EACH * images as u64;
    let Some(range) = many.checked_sub(FEW_BYTES) else { return 0 };
    MAX * (bytes.clamp(FEW_BYTES, many) - FEW_BYTES) / range
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_scaled_to_the_best_node() {
        assert_eq!([0, 10, 30].map(|weights| of_most(weights, 30)), [0, 33, 100]);
        assert_eq!(of_most(0, 0), 0);
    }

    #[test]
    fn attraction_is_scaled_between_the_worst_and_the_best_node() {
        assert_eq!([-10, 0, 20].map(|sum| between(sum, -10, 20)), [0, 33, 100]);
        assert_eq!(between(7, 7, 7), 0);
    }

    #[test]
    fn an_image_counts_by_size_and_by_how_many_nodes_have_it() {
        assert_eq!(image_bytes(250 << 20, 1, 4), (250 << 20) / 4);
        assert_eq!(
            [0, 23 << 20, 1000 << 20, u64::MAX].map(|bytes| of_images(bytes, 1)),
            [0, 0, 100, 100]
        );
        // Half way between 23 and 2000 MiB for two images.
        assert_eq!(of_images((23 << 20) + ((1977 << 20) / 2), 2), 50);
        assert_eq!(of_images(u64::MAX, 0), 0);
    }
}
