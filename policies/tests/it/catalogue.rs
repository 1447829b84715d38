//! Every policy file stands in the list, with the head doc that people read.

use policies::{HEADINGS, catalogue};
use std::collections::BTreeSet;
use std::path::Path;

/// Files of `src` that are no policies.
const SUPPORT: [&str; 7] =
    ["aibrix", "catalogue", "invalid", "lib", "readings", "samples", "state"];

#[test]
fn every_policy_has_the_five_headings_with_text() {
    for policy in catalogue() {
        let headings: Vec<_> = policy.sections.iter().map(|part| part.heading.as_str()).collect();
        assert_eq!(headings, HEADINGS, "head doc of `{}`", policy.name);
        let empty = policy.sections.iter().find(|part| part.text.is_empty());
        assert_eq!(empty, None, "head doc of `{}`", policy.name);
        assert!(
            policy.summary.ends_with('.') && !policy.summary.contains('\n'),
            "{}",
            policy.summary
        );
    }
}

#[test]
fn every_policy_file_stands_in_the_list() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeSet::new();
    for entry in source.read_dir().expect("the crate's source") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        if !SUPPORT.contains(&stem) {
            found.insert(stem.replace('_', "-"));
        }
    }
    let listed: BTreeSet<_> = catalogue().iter().map(|policy| policy.name.to_owned()).collect();
    assert_eq!(found, listed);
}

#[test]
fn every_setting_has_a_doc() {
    for policy in catalogue() {
        let settings = policy.settings.as_value();
        let properties = settings["properties"].as_object().expect("settings are a table");
        for (key, property) in properties {
            assert!(property.get("description").is_some(), "`{}` of `{}`", key, policy.name);
        }
    }
}

#[test]
fn a_head_doc_reads_as_it_stands_in_the_file() {
    let policies = catalogue();
    let fixed = policies.iter().find(|policy| policy.name == "static-replicas").expect("listed");
    insta::assert_snapshot!(fixed.doc());
}
