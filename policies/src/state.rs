//! A policy's memory, to and from JSON.

use contract::StateError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Memory as JSON.
pub(crate) fn save(memory: &impl Serialize) -> Value {
    serde_json::to_value(memory).expect("memory is made of numbers, lists and maps with plain keys")
}

/// Memory from JSON.
pub(crate) fn restore<T: DeserializeOwned>(policy: &str, state: Value) -> Result<T, StateError> {
    serde_json::from_value(state).map_err(|cause| StateError { policy: policy.to_owned(), cause })
}
