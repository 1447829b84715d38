//! `NodeAffinity`, as far as `spec.nodeSelector` goes: the node has every label with the value asked for.

use super::Misfit;
use std::collections::BTreeMap;

pub(super) fn check(
    selector: &BTreeMap<String, String>,
    labels: &BTreeMap<String, String>,
) -> Result<(), Misfit> {
    let matches = selector.iter().all(|(key, value)| labels.get(key) == Some(value));
    if matches { Ok(()) } else { Err(Misfit::Selector) }
}

#[cfg(test)]
mod tests {

    #[track_caller]
    fn check(selector: &[(&str, &str)], labels: &[(&str, &str)], expected: bool) {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        assert_eq!(super::check(&map(selector), &map(labels)).is_ok(), expected);
    }

    #[test]
    fn every_label_must_be_there_with_its_value() {
        check(&[], &[], true);
        check(&[("zone", "a")], &[("zone", "a"), ("disk", "ssd")], true);
        check(&[("zone", "a")], &[("zone", "b")], false);
        check(&[("zone", "a"), ("disk", "ssd")], &[("zone", "a")], false);
    }
}
