//! A case, and the comparison of what came out with what was expected.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value};

/// Runs a function on a case's inputs: its outputs by name, or why the inputs could not be read.
pub(crate) type Check = fn(Value) -> Result<Value, String>;

/// One line of a file of cases.
#[derive(Deserialize)]
pub(crate) struct Case {
    id: String,
    pub(crate) function: String,
    inputs: Value,
    expected: Value,
    /// How far a number may be off.
    tolerance: Option<f64>,
}

/// How far a number may be off if a case says nothing.
const TOLERANCE: f64 = 1e-6;

impl Case {
    /// Runs the case; what differs, if anything does.
    pub(crate) fn run(&self, check: Option<&Check>) -> Result<(), String> {
        let found = match check {
            None => Err(format!("function `{}` is not known", self.function)),
            Some(check) => check(self.inputs.clone()),
        };
        let found = found.map_err(|error| self.describe(&error))?;
        let tolerance = self.tolerance.unwrap_or(TOLERANCE);
        let expected = self.expected.as_object().expect("`expected` is an object");
        for (key, value) in expected {
            let (found_key, matches): (_, fn(&Value, &Value, f64) -> bool) =
                match key.strip_suffix("_contains") {
                    Some(key) => (key, |part, whole, _| contains(part, whole)),
                    None => (key.as_str(), same),
                };
            let found = found.get(found_key).unwrap_or(&Value::Null);
            if !matches(value, found, tolerance) && !is_some_error(key, value, found) {
                return Err(self.describe(&format!("`{key}`: expected {value}, found {found}")));
            }
        }
        Ok(())
    }

    fn describe(&self, difference: &str) -> String {
        format!("  {}\n    {difference}\n    inputs: {}", self.id, self.inputs)
    }
}

/// Errors by the words that cases have for them.
const ERRORS: [&str; 3] =
    ["named_container_absent", "no_usable_pod_metrics", "pod_container_has_no_request"];

/// Whether an error was expected whose word is not known here, and there is one.
fn is_some_error(key: &str, expected: &Value, found: &Value) -> bool {
    let unknown = expected.as_str().is_some_and(|word| !ERRORS.contains(&word));
    key == "error" && unknown && found.is_string()
}

/// The same value, numbers within the tolerance. Keys that are only found do not matter.
fn same(expected: &Value, found: &Value, tolerance: f64) -> bool {
    match (expected, found) {
        (Value::Number(expected), Value::Number(found)) => {
            let (expected, found) = (expected.as_f64(), found.as_f64());
            expected.zip(found).is_some_and(|(a, b)| (a - b).abs() <= tolerance)
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len()
                && expected.iter().zip(found).all(|(a, b)| same(a, b, tolerance))
        }
        (Value::Object(expected), Value::Object(found)) => expected
            .iter()
            .all(|(key, value)| same(value, found.get(key).unwrap_or(&Value::Null), tolerance)),
        _ => expected == found,
    }
}

/// Whether a text is part of another: what a key that ends in `_contains` asks for.
fn contains(part: &Value, whole: &Value) -> bool {
    part.as_str().zip(whole.as_str()).is_some_and(|(part, whole)| whole.contains(part))
}

/// The inputs, every one of them: a key that is not read is an error.
pub(crate) fn inputs<T: DeserializeOwned>(inputs: Value) -> Result<T, String> {
    serde_json::from_value(with_whole_counts(inputs)).map_err(|error| format!("inputs: {error}"))
}

/// The same with `3.0` as 3: which of the two a case writes says nothing.
fn with_whole_counts(value: Value) -> Value {
    match value {
        Value::Number(number) => Value::Number(whole(&number).unwrap_or(number)),
        Value::Array(list) => list.into_iter().map(with_whole_counts).collect(),
        Value::Object(keys) => {
            keys.into_iter().map(|(key, value)| (key, with_whole_counts(value))).collect()
        }
        other => other,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "whole and in range")]
fn whole(number: &Number) -> Option<Number> {
    let value = number.as_f64().filter(|_| number.is_f64())?;
    let is_count = value.fract() == 0.0 && value.abs() <= f64::from(u32::MAX);
    is_count.then(|| Number::from(value as i64))
}

/// Seconds on a case's clock, in the project's units.
pub(crate) mod seconds {
    use contract::{Instant, Micros};

    pub(crate) fn length(seconds: f64) -> Micros {
        Micros::from_secs_f64(seconds)
    }

    pub(crate) fn instant(seconds: f64) -> Instant {
        Instant(length(seconds).0)
    }
}
