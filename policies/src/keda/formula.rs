//! Scaling modifiers: one number made of all triggers by a formula in the expr language.

use super::fallback::{Fallback, FallbackBehavior};
use crate::Invalid;
use crate::invalid::{ensure, ensure_not_negative};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Replaces the metrics of all triggers by one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ScalingModifiers {
    /// The formula over the names of the triggers, such as `max(queue, running / 8)`.
    pub formula: String,
    /// How much of the result one replica takes.
    pub target: f64,
    /// Above this, strictly, the service is active.
    #[serde(default)]
    pub activation_target: f64,
}

/// A formula that gives no number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormulaError {
    /// It cannot be read, or not computed.
    #[error("{0}")]
    Failed(String),
    /// All that it names is missing.
    #[error("gives nothing, not a number")]
    Nothing,
    /// It gives something else.
    #[error("gives `{0}`, not a number")]
    NoNumber(String),
}

impl ScalingModifiers {
    pub(super) fn validate(&self, names: &[&str]) -> Result<(), Invalid> {
        let target = self.target;
        ensure(target >= 0.001, "target", target, "a number of at least 0.001")?;
        ensure_not_negative("activation-target", self.activation_target)?;
        let ones: Vec<_> = names.iter().map(|&name| (name, Some(1.0))).collect();
        let expected = format!("a number made of the triggers `{}`", names.join("`, `"));
        evaluate(&self.formula, &ones)
            .map(drop)
            .map_err(|error| Invalid::new("formula", &self.formula, format!("{expected}: {error}")))
    }
}

/// What a trigger is in the formula: nothing once it has failed for long enough under a fallback of kind
/// `scaling-modifiers`.
pub fn formula_input(fallback: Option<&Fallback>, failures: u32, value: f64) -> Option<f64> {
    let missing = fallback.is_some_and(|fallback| {
        fallback.behavior == FallbackBehavior::ScalingModifiers
            && failures > fallback.failure_threshold
    });
    (!missing).then_some(value)
}

/// The formula's result in thousandths, cut off. Where that is nothing, or cannot be computed because all triggers
/// are, it is the fallback's replicas times the target.
///
/// # Errors
/// When the formula gives no number.
pub fn composite_milli(
    formula: &str,
    inputs: &[(&str, Option<f64>)],
    target: f64,
    fallback_replicas: Option<u32>,
) -> Result<i64, FormulaError> {
    let result = evaluate(formula, inputs);
    let nothing = match &result {
        Ok(_) => false,
        Err(FormulaError::Nothing) => true,
        Err(_) => inputs.iter().all(|(_, value)| value.is_none()),
    };
    match fallback_replicas.filter(|_| nothing) {
        Some(replicas) => Ok(thousandths(f64::from(replicas) * target)),
        None => result.map(thousandths),
    }
}

fn evaluate(formula: &str, inputs: &[(&str, Option<f64>)]) -> Result<f64, FormulaError> {
    let mut context = expr::Context::default();
    for &(name, value) in inputs {
        context.insert(name, value.map_or(expr::Value::Nil, expr::Value::Float));
    }
    match expr::eval(formula, &context) {
        Ok(expr::Value::Float(value)) => Ok(value),
        #[expect(clippy::cast_precision_loss, reason = "a metric, not an identifier")]
        Ok(expr::Value::Integer(value)) => Ok(value as f64),
        Ok(expr::Value::Nil) => Err(FormulaError::Nothing),
        Ok(other) => Err(FormulaError::NoNumber(other.to_string())),
        Err(error) => Err(FormulaError::Failed(error.to_string())),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates at the ends of 64 bits")]
fn thousandths(value: f64) -> i64 {
    (value * 1000.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(formula: &str, inputs: &[(&str, Option<f64>)], expected: Result<i64, &str>) {
        let found = composite_milli(formula, inputs, 2.0, Some(7));
        assert_eq!(found.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn a_formula_makes_one_number_of_all_triggers() {
        let inputs = [("queue", Some(3.0)), ("running", Some(16.0))];
        check("queue + running / 8", &inputs, Ok(5_000));
        check("max(queue, running / 8)", &inputs, Ok(3_000));
        check("queue > 2 ? 9 : 1", &inputs, Ok(9_000));
    }

    #[test]
    fn a_trigger_that_failed_is_nothing_and_the_formula_may_name_another() {
        check("queue ?? running", &[("queue", None), ("running", Some(4.0))], Ok(4_000));
    }

    #[test]
    fn when_all_have_failed_the_fallback_stands_in() {
        check("queue + running", &[("queue", None), ("running", None)], Ok(14_000));
        check("queue ?? running", &[("queue", None), ("running", None)], Ok(14_000));
        check("queue", &[("queue", None), ("running", Some(4.0))], Ok(14_000));
        let found = composite_milli("queue", &[("queue", None)], 2.0, None).unwrap_err();
        assert_eq!(found, FormulaError::Nothing);
    }

    #[test]
    fn a_formula_may_say_what_it_is_when_all_have_failed() {
        check("queue ?? running ?? 3", &[("queue", None), ("running", None)], Ok(3_000));
    }

    /// From the page «scaling modifiers» of KEDA's documentation.
    #[test]
    fn formulas_of_the_documentation_are_read() {
        let inputs = [("trig_one", Some(2.0)), ("trig_two", Some(4.0)), ("trig_three", Some(0.0))];
        check("(trig_one + trig_two) / 2", &inputs, Ok(3_000));
        check("trig_one > 2 ? trig_one + trig_two : 1", &inputs, Ok(1_000));
        check("count([trig_one, trig_two, trig_three], {# > 1}) > 1 ? 5 : 0", &inputs, Ok(5_000));
    }

    #[test]
    fn a_formula_without_a_number_says_what_it_gives() {
        check("queue > 2", &[("queue", Some(3.0))], Err("gives `true`, not a number"));
    }
}
