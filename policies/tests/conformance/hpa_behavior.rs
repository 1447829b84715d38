//! `behavior`: rules, limits, windows, and whole sequences of them.

use crate::case::{Check, inputs, seconds};
use contract::{Instant, Micros};
use policies::hpa::behavior::{
    Behavior, PolicyKind, Rules, ScalingPolicy, SelectPolicy, scale_down_limit, scale_up_limit,
};
use policies::hpa::controller::Controller;
use policies::hpa::history::{
    Events, Recommendation, ScaleEvent, Windows, stabilise_both, stabilise_down, sum_within,
};
use policies::hpa::reconcile::{
    Combined, Memory, Scale, Target, limit_with_behavior, limit_without_behavior, reconcile,
};
use policies::hpa::replica_calculator::Proposal;
use serde::Deserialize;
use serde_json::{Value, json};

pub(crate) const CHECKS: &[(&str, Check)] = &[
    ("hpa.behavior_sequence", behavior_sequence),
    ("hpa.default_behavior", default_behavior),
    ("hpa.default_rules", default_rules),
    ("hpa.limit_without_behavior", check_limit_without_behavior),
    ("hpa.rate_limit_with_behavior", rate_limit_with_behavior),
    ("hpa.record_scale_event", record_scale_event),
    ("hpa.scale_down_limit", check_scale_down_limit),
    ("hpa.scale_up_limit", check_scale_up_limit),
    ("hpa.stabilize_with_behavior", stabilize_with_behavior),
    ("hpa.stabilize_without_behavior", stabilize_without_behavior),
];

/// Late enough that every age lies after the start.
const NOW: Instant = Instant(1_000_000_000_000);

/// Rules as cases write them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RulesCase {
    stabilization_window_s: Option<f64>,
    select_policy: Option<String>,
    policies: Option<Vec<PolicyCase>>,
    tolerance: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyCase {
    #[serde(rename = "type")]
    kind: String,
    value: u32,
    period_s: f64,
}

/// A behaviour as cases write it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BehaviorCase {
    up: Option<RulesCase>,
    down: Option<RulesCase>,
}

impl RulesCase {
    fn rules(&self) -> Rules {
        let select = |word: &String| match word.as_str() {
            "Min" => SelectPolicy::Min,
            "Disabled" => SelectPolicy::Disabled,
            _ => SelectPolicy::Max,
        };
        let policy = |policy: &PolicyCase| ScalingPolicy {
            kind: if policy.kind == "Pods" { PolicyKind::Pods } else { PolicyKind::Percent },
            value: policy.value,
            period: seconds::length(policy.period_s),
        };
        Rules {
            stabilization_window: self.stabilization_window_s.map(seconds::length),
            select_policy: self.select_policy.as_ref().map(select),
            policies: self.policies.as_ref().map(|list| list.iter().map(policy).collect()),
            tolerance: self.tolerance,
        }
    }
}

impl BehaviorCase {
    /// With the defaults filled in.
    pub(crate) fn behavior(&self) -> Behavior {
        let rules =
            |side: &Option<RulesCase>| side.as_ref().map(RulesCase::rules).unwrap_or_default();
        Behavior { scale_up: rules(&self.up), scale_down: rules(&self.down) }.with_defaults()
    }
}

fn rules_out(rules: &Rules) -> Value {
    let policy = |policy: &ScalingPolicy| {
        let kind = if policy.kind == PolicyKind::Pods { "Pods" } else { "Percent" };
        json!({ "type": kind, "value": policy.value, "period_s": policy.period.as_secs_f64() })
    };
    json!({
        "stabilization_window_s": rules.stabilization_window.map(Micros::as_secs_f64),
        "select_policy": rules.select_policy.map(|select| format!("{select:?}")),
        "policies": rules.policies.as_ref().map(|list| list.iter().map(policy).collect::<Vec<_>>()),
        "tolerance": rules.tolerance,
    })
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventCase {
    replica_change: u32,
    age_s: f64,
}

fn events(list: &[EventCase]) -> Vec<ScaleEvent> {
    let event = |event: &EventCase| ScaleEvent {
        at: ago(event.age_s),
        change: event.replica_change,
        outdated: false,
    };
    list.iter().map(event).collect()
}

/// A proposal of the past, as cases write it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecommendationCase {
    replicas: u32,
    age_s: f64,
}

impl RecommendationCase {
    /// Seen from a time.
    pub(crate) fn before(&self, now: Instant) -> Recommendation {
        let age = seconds::length(self.age_s);
        Recommendation { at: Instant(now.0.saturating_sub(age.0)), replicas: self.replicas }
    }
}

fn ago(age_s: f64) -> Instant {
    Instant(NOW.0 - seconds::length(age_s).0)
}

fn default_rules(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        direction: String,
        user_rules: Option<RulesCase>,
    }
    let case: Inputs = inputs(case)?;
    let user = case.user_rules.unwrap_or_default().rules();
    let rules = if case.direction == "up" { user.or_up() } else { user.or_down() };
    Ok(json!({ "rules": rules_out(&rules) }))
}

fn default_behavior(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        user_behavior: Option<BehaviorCase>,
    }
    let case: Inputs = inputs(case)?;
    let behavior = case.user_behavior.map(|user| {
        let behavior = user.behavior();
        json!({ "up": rules_out(&behavior.scale_up), "down": rules_out(&behavior.scale_down) })
    });
    Ok(json!({ "behavior": behavior }))
}

fn check_limit_without_behavior(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        current_replicas: u32,
        desired_replicas: u32,
        min_replicas: u32,
        max_replicas: u32,
        scale_up_limit_factor: f64,
        scale_up_limit_minimum: u32,
    }
    let case: Inputs = inputs(case)?;
    let controller = Controller {
        scale_up_limit_factor: case.scale_up_limit_factor,
        scale_up_limit_minimum: case.scale_up_limit_minimum,
        ..Controller::default()
    };
    let target = target(case.min_replicas, case.max_replicas, None, &controller);
    let (replicas, limit) =
        limit_without_behavior(&target, case.current_replicas, case.desired_replicas);
    Ok(json!({ "replicas": replicas, "reason": limit.name() }))
}

fn target<'a>(
    min: u32,
    max: u32,
    behavior: Option<&'a Behavior>,
    controller: &'a Controller,
) -> Target<'a> {
    Target { min, max, behavior, sees_zero: false, controller }
}

fn rate_limit_with_behavior(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        current_replicas: u32,
        desired_replicas: u32,
        min_replicas: u32,
        max_replicas: u32,
        #[serde(rename = "scale_up_rules_user")]
        _scale_up_rules_user: Option<RulesCase>,
        #[serde(rename = "scale_down_rules_user")]
        _scale_down_rules_user: Option<RulesCase>,
        scale_up_rules: RulesCase,
        scale_down_rules: RulesCase,
        scale_up_events: Vec<EventCase>,
        scale_down_events: Vec<EventCase>,
    }
    let case: Inputs = inputs(case)?;
    let behavior = Behavior {
        scale_up: case.scale_up_rules.rules(),
        scale_down: case.scale_down_rules.rules(),
    };
    let controller = Controller::default();
    let target = target(case.min_replicas, case.max_replicas, Some(&behavior), &controller);
    let events =
        Events { up: events(&case.scale_up_events), down: events(&case.scale_down_events) };
    let (current, desired) = (case.current_replicas, case.desired_replicas);
    let (replicas, limit) = limit_with_behavior(&target, &behavior, &events, NOW, current, desired);
    Ok(json!({ "replicas": replicas, "reason": limit.name() }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitInputs {
    current_replicas: u32,
    scale_up_events: Vec<EventCase>,
    scale_down_events: Vec<EventCase>,
    rules: RulesCase,
}

fn check_scale_up_limit(case: Value) -> Result<Value, String> {
    let case: LimitInputs = inputs(case)?;
    let events =
        Events { up: events(&case.scale_up_events), down: events(&case.scale_down_events) };
    let limit = scale_up_limit(case.current_replicas, &events, &case.rules.rules(), NOW);
    Ok(json!({ "limit": limit }))
}

fn check_scale_down_limit(case: Value) -> Result<Value, String> {
    let case: LimitInputs = inputs(case)?;
    let events =
        Events { up: events(&case.scale_up_events), down: events(&case.scale_down_events) };
    let limit = scale_down_limit(case.current_replicas, &events, &case.rules.rules(), NOW);
    Ok(json!({ "limit": limit }))
}

fn record_scale_event(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        direction: String,
        rules: Option<RulesCase>,
        past_events: Vec<EventCase>,
        previous_replicas: u32,
        new_replicas: u32,
        query_period_s: f64,
    }
    let case: Inputs = inputs(case)?;
    let up = case.direction == "up";
    let past = events(&case.past_events);
    let period = seconds::length(case.query_period_s);
    let mut all = Events::default();
    if up {
        all.up = past;
    } else {
        all.down = past;
    }
    let list = |all: &Events| if up { all.up.clone() } else { all.down.clone() };
    // Without `behavior` no events are kept, so no sum is ever asked for.
    let before = case.rules.as_ref().map_or(0, |_| sum_within(&list(&all), period, NOW));
    if let Some(rules) = case.rules.as_ref().map(RulesCase::rules) {
        all.record(case.previous_replicas, case.new_replicas, &rules, NOW);
    }
    let event = |event: &ScaleEvent| json!({ "replica_change": event.change, "marked_outdated": event.outdated });
    Ok(json!({
        "replicas_changed_in_query_period_before": before,
        "events_after": list(&all).iter().map(event).collect::<Vec<_>>(),
    }))
}

fn stabilize_without_behavior(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        desired_replicas: u32,
        downscale_stabilization_window_s: f64,
        past_recommendations: Vec<RecommendationCase>,
    }
    let case: Inputs = inputs(case)?;
    let mut history: Vec<_> =
        case.past_recommendations.iter().map(|past| past.before(NOW)).collect();
    let window = seconds::length(case.downscale_stabilization_window_s);
    let replicas = stabilise_down(&mut history, case.desired_replicas, window, NOW);
    Ok(json!({ "replicas": replicas, "history_length_after": history.len() }))
}

fn stabilize_with_behavior(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        current_replicas: u32,
        desired_replicas: u32,
        scale_up_stabilization_window_s: f64,
        scale_down_stabilization_window_s: f64,
        past_recommendations: Vec<RecommendationCase>,
    }
    let case: Inputs = inputs(case)?;
    let mut history: Vec<_> =
        case.past_recommendations.iter().map(|past| past.before(NOW)).collect();
    let windows = Windows {
        up: seconds::length(case.scale_up_stabilization_window_s),
        down: seconds::length(case.scale_down_stabilization_window_s),
    };
    let (current, desired) = (case.current_replicas, case.desired_replicas);
    let replicas = stabilise_both(&mut history, current, desired, windows, NOW);
    let after: Vec<_> = history.iter().map(|past| past.replicas).collect();
    Ok(json!({ "replicas": replicas, "history_after": after }))
}

fn behavior_sequence(case: Value) -> Result<Value, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inputs {
        sync_period_s: f64,
        start_replicas: u32,
        min_replicas: u32,
        max_replicas: u32,
        behavior: Option<BehaviorCase>,
        downscale_stabilization_window_s: f64,
        scale_up_limit_factor: f64,
        scale_up_limit_minimum: u32,
        raw_desired_per_sync: Vec<u32>,
    }
    let case: Inputs = inputs(case)?;
    let controller = Controller {
        downscale_stabilization: seconds::length(case.downscale_stabilization_window_s),
        scale_up_limit_factor: case.scale_up_limit_factor,
        scale_up_limit_minimum: case.scale_up_limit_minimum,
        ..Controller::default()
    };
    let behavior = case.behavior.as_ref().map(BehaviorCase::behavior);
    let target = target(case.min_replicas, case.max_replicas, behavior.as_ref(), &controller);
    let mut memory = Memory::default();
    let (mut now, mut current) = (NOW, case.start_replicas);
    let mut after = Vec::new();
    for replicas in case.raw_desired_per_sync {
        let proposal = Proposal { replicas, usage_milli: 0 };
        let measured = Combined::<()> { winner: Some((0, proposal)), failed: None };
        let scale = Scale { spec: current, status: current };
        current = reconcile(&target, &mut memory, now, scale, || measured).replicas(current);
        after.push(current);
        now = now + seconds::length(case.sync_period_s);
    }
    Ok(json!({ "replicas_after_each_sync": after }))
}
