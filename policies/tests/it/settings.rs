//! Settings as scenarios write them.

use contract::ServiceId;
use policies::{GpuPolicy, Kind, NodePolicy, ReplicaPolicy, catalogue};

/// A replica policy from JSON with the shape that TOML gives, or the error.
fn replica_policy(text: &str) -> Result<ReplicaPolicy, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn a_policy_is_known_by_its_name() {
    let policy = replica_policy(
        r#"{ "hpa": { "max-replicas": 20,
             "metrics": [{ "pods": { "metric": "concurrency", "average-value": 8.0 } }],
             "behavior": { "scale-down": { "stabilization-window": "5m",
                 "policies": [{ "type": "percent", "value": 50, "period": "1m" }] } } } }"#,
    )
    .expect("an HPA");
    assert_eq!(policy.validate(), Ok(()));
    assert_eq!((policy.name(), policy.build(vec![ServiceId(0)]).name()), ("hpa", "hpa"));
}

#[test]
fn the_defaults_of_every_policy_that_has_them_are_valid() {
    let policy: NodePolicy =
        serde_json::from_str(r#"{ "cluster-autoscaler": {} }"#).expect("all by default");
    assert_eq!(policy.validate(&["l40s"]), Ok(()));
    let policy: NodePolicy =
        serde_json::from_str(r#"{ "fixed-nodes": {} }"#).expect("all by default");
    assert_eq!(policy.validate(&["l40s"]), Ok(()));
    let policy: GpuPolicy =
        serde_json::from_str(r#"{ "dynamic-mig": {} }"#).expect("all by default");
    assert_eq!(policy.validate(), Ok(()));
    assert_eq!(policy.build().name(), policy.name());
}

/// The names that an error offers instead of an unknown one.
fn offered(error: &str) -> Vec<&str> {
    error.split('`').skip(3).step_by(2).collect()
}

#[test]
fn the_catalogue_names_policies_as_scenarios_do() {
    let listed = |kind| {
        let policies = catalogue().into_iter().filter(move |policy| policy.kind == kind);
        policies.map(|policy| policy.name).collect::<Vec<_>>()
    };
    let unknown = replica_policy(r#"{ "autopilot": {} }"#).unwrap_err();
    assert_eq!(offered(&unknown), listed(Kind::Replicas));
    let unknown = serde_json::from_str::<NodePolicy>(r#"{ "autopilot": {} }"#).unwrap_err();
    assert_eq!(offered(&unknown.to_string()), listed(Kind::Nodes));
}

#[test]
fn a_misspelt_setting_is_named_with_those_that_exist() {
    insta::assert_snapshot!(
        replica_policy(r#"{ "static-replicas": { "replica": 3 } }"#).unwrap_err()
    );
}
