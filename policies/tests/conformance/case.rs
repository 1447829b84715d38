//! A case, and the comparison of what came out with what was expected.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

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
            let found = found.get(key).unwrap_or(&Value::Null);
            if !same(value, found, tolerance) {
                return Err(self.describe(&format!("`{key}`: expected {value}, found {found}")));
            }
        }
        Ok(())
    }

    fn describe(&self, difference: &str) -> String {
        format!("  {}\n    {difference}\n    inputs: {}", self.id, self.inputs)
    }
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

/// The inputs, every one of them: a key that is not read is an error.
pub(crate) fn inputs<T: DeserializeOwned>(inputs: Value) -> Result<T, String> {
    serde_json::from_value(inputs).map_err(|error| format!("inputs: {error}"))
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
