//! What triggers read, for the poll and for the HPA.

use super::fallback::{FallbackBehavior, Reading, read};
use super::formula::{ScalingModifiers, composite_milli, formula_input};
use super::settings::{Settings, Trigger};
use crate::hpa::metrics::{from_milli, to_milli};
use contract::{ServiceSeen, thousandths};

/// Whether a service is active, and whether any trigger failed. A formula is active by its own target, and
/// never with a failed trigger; a trigger that a fallback stands in for counts as active.
pub(super) fn activity(
    settings: &Settings,
    failures: &[u32],
    service: &ServiceSeen,
) -> (bool, bool) {
    let values: Vec<_> = settings.triggers.iter().map(|trigger| trigger.read(service)).collect();
    let error = values.iter().any(Option::is_none);
    let active = match &settings.scaling_modifiers {
        Some(modifiers) => {
            let value = composite(settings, modifiers, &values, None);
            !error && value.is_some_and(|value| from_milli(value) > modifiers.activation_target)
        }
        None => any_active(settings, failures, &values),
    };
    (active, error)
}

fn any_active(settings: &Settings, failures: &[u32], values: &[Option<f64>]) -> bool {
    let falls_back = |place: usize| {
        let failures = failures.get(place).copied().unwrap_or(0);
        settings.fallback.is_some_and(|fallback| failures > fallback.failure_threshold)
    };
    let mut triggers = settings.triggers.iter().zip(values).enumerate();
    triggers.any(|(place, (trigger, value))| match value {
        Some(value) => trigger.is_active(*value),
        None => falls_back(place),
    })
}

/// What the metrics adapter answers the HPA for one of its metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The value in thousandths, if there is one.
    pub(super) value_milli: Option<i64>,
    /// Its target for one replica.
    pub(super) target_milli: i64,
}

/// The answers for all metrics of the generated HPA: what each trigger reads now, or what stands in for it; or
/// the result of the formula. Counts failures in a row.
pub(super) fn answers(
    settings: &Settings,
    failures: &mut [u32],
    service: &ServiceSeen,
    current: u32,
) -> Vec<Answer> {
    let fallback = settings.fallback.as_ref();
    let modifiers = settings.scaling_modifiers.as_ref();
    let each = settings.triggers.iter().zip(&mut *failures).map(|(trigger, failures)| {
        let target = modifiers.map_or(trigger.threshold, |modifiers| modifiers.target);
        (trigger, read(trigger.read(service), fallback, failures, target, current))
    });
    let Some(modifiers) = modifiers else {
        return each.map(|(trigger, reading)| answer(trigger, reading)).collect();
    };
    let readings: Vec<_> = each.map(|(_, reading)| reading).collect();
    let value_milli = instead_of_formula(settings, &readings)
        .map(to_milli)
        .or_else(|| of_formula(settings, modifiers, &readings, failures));
    vec![Answer { value_milli, target_milli: to_milli(modifiers.target) }]
}

/// While any trigger falls back, its replicas are the answer, and the formula is not asked; but a fallback of kind
/// `scaling-modifiers` only leaves the trigger out of it.
fn instead_of_formula(settings: &Settings, readings: &[Reading]) -> Option<f64> {
    settings.fallback.filter(|fallback| fallback.behavior != FallbackBehavior::ScalingModifiers)?;
    readings.iter().find_map(|reading| match *reading {
        Reading::Fallback(value) => Some(value),
        Reading::Live(_) | Reading::Failed => None,
    })
}

/// The formula over what the triggers read; those that have failed for long enough are nothing in it.
fn of_formula(
    settings: &Settings,
    modifiers: &ScalingModifiers,
    readings: &[Reading],
    failures: &[u32],
) -> Option<i64> {
    let fallback = settings.fallback.as_ref();
    let input = |(reading, &failures): (&Reading, &u32)| match *reading {
        Reading::Failed => None,
        Reading::Live(value) | Reading::Fallback(value) => formula_input(fallback, failures, value),
    };
    let inputs: Vec<_> = readings.iter().zip(failures).map(input).collect();
    let stand_in = fallback.map(|fallback| fallback.replicas);
    composite(settings, modifiers, &inputs, stand_in)
}

fn answer(trigger: &Trigger, reading: Reading) -> Answer {
    let value_milli = match reading {
        Reading::Live(value) => Some(thousandths(value)),
        Reading::Fallback(value) => Some(to_milli(value)),
        Reading::Failed => None,
    };
    Answer { value_milli, target_milli: to_milli(trigger.threshold) }
}

/// The formula's result over what the triggers read, in thousandths.
fn composite(
    settings: &Settings,
    modifiers: &ScalingModifiers,
    values: &[Option<f64>],
    stand_in: Option<u32>,
) -> Option<i64> {
    let names: Vec<_> = settings.triggers.iter().map(Trigger::name).collect();
    let inputs: Vec<_> = names.iter().map(AsRef::as_ref).zip(values.iter().copied()).collect();
    composite_milli(&modifiers.formula, &inputs, modifiers.target, stand_in).ok()
}
