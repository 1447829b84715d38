//! `NodeAffinity`: the node has every label of `spec.nodeSelector` with the value asked for, and matches one of the
//! terms of the required node affinity, if there are any.

use super::Misfit;
use contract::{NodeShape, PodSpec, ZONE_KEY};

/// A label of a node: its shape's, or the zone in which it stands.
pub(crate) fn label<'a>(shape: &'a NodeShape, zone: Option<&'a str>, key: &str) -> Option<&'a str> {
    let own = shape.labels.get(key).map(String::as_str);
    own.or_else(|| zone.filter(|_| key == ZONE_KEY))
}

pub(super) fn check(spec: &PodSpec, shape: &NodeShape, zone: Option<&str>) -> Result<(), Misfit> {
    if matches(spec, shape, zone) { Ok(()) } else { Err(Misfit::Selector) }
}

/// Whether selector and required affinity of a pod allow a node.
pub(crate) fn matches(spec: &PodSpec, shape: &NodeShape, zone: Option<&str>) -> bool {
    let label = |key: &str| label(shape, zone, key);
    let mut selector = spec.node_selector.iter();
    let selected = selector.all(|(key, value)| label(key) == Some(value));
    let terms = spec.constraints.as_ref().map_or(&[][..], |rules| &rules.node_affinity);
    selected && (terms.is_empty() || terms.iter().any(|term| term.matches(label)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{cpu_node, pod};
    use contract::{Constraints, Selector};
    use std::sync::Arc;

    type Labels = [(&'static str, &'static str)];

    #[track_caller]
    fn check(selector: &Labels, terms: &[&Labels], labels: &Labels, expected: bool) {
        let map = |pairs: &Labels| {
            pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        let terms = terms.iter().map(|term| Selector::of_labels(term.iter().copied()));
        let rules = Constraints { node_affinity: terms.collect(), ..Constraints::default() };
        let mut spec = pod("1", "1GiB", 0);
        spec.node_selector = map(selector);
        spec.constraints = Some(Arc::new(rules));
        let shape = NodeShape { labels: map(labels), ..cpu_node() };
        assert_eq!(matches(&spec, &shape, Some("a")), expected);
    }

    #[test]
    fn every_label_must_be_there_with_its_value() {
        check(&[], &[], &[], true);
        check(&[("disk", "ssd")], &[], &[("rack", "7"), ("disk", "ssd")], true);
        check(&[("disk", "ssd")], &[], &[("disk", "hdd")], false);
        check(&[("rack", "7"), ("disk", "ssd")], &[], &[("rack", "7")], false);
    }

    #[test]
    fn one_term_of_the_affinity_is_enough_and_comes_on_top_of_the_selector() {
        let terms: &[&Labels] = &[&[("disk", "ssd")], &[("rack", "7"), ("row", "2")]];
        check(&[], terms, &[("disk", "ssd")], true);
        check(&[], terms, &[("rack", "7"), ("row", "2")], true);
        check(&[], terms, &[("rack", "7")], false);
        check(&[("cpu", "fast")], terms, &[("disk", "ssd")], false);
    }

    #[test]
    fn the_zone_of_a_node_is_a_label_unless_its_shape_has_one() {
        check(&[(ZONE_KEY, "a")], &[], &[], true);
        check(&[(ZONE_KEY, "a")], &[], &[(ZONE_KEY, "b")], false);
    }
}
