//! Built-in scenarios: every file of `scenarios/files/`, compiled in, sorted by name.

include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// The scenario that flies when none is named.
pub const DEFAULT_SCENARIO: &str = "chat-day";

/// The manual: every setting with its default, as a scenario.
pub const DEFAULTS: &str = include_str!("../defaults.toml");

/// Names of the built-in scenarios, sorted.
pub fn names() -> impl Iterator<Item = &'static str> + Clone {
    FILES.iter().map(|&(name, _)| name)
}

/// The text of a built-in scenario.
pub fn text(name: &str) -> Option<&'static str> {
    FILES.iter().find(|(known, _)| *known == name).map(|&(_, text)| text)
}
