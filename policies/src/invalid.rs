//! A setting that cannot work.

/// Which setting, what stands there, and what would work. Displayed without the place of the policy, which
/// the caller knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: found `{found}`, expected {expected}")]
pub struct Invalid {
    /// The key, with the keys around it: `behavior.scale-up.tolerance`.
    pub key: String,
    /// What stands there.
    pub found: String,
    /// What would work.
    pub expected: String,
}

impl Invalid {
    #[expect(clippy::needless_pass_by_value, reason = "numbers and short names, written in place")]
    pub(crate) fn new(
        key: impl Into<String>,
        found: impl ToString,
        expected: impl Into<String>,
    ) -> Self {
        Self { key: key.into(), found: found.to_string(), expected: expected.into() }
    }

    /// The same error one table further out.
    #[must_use]
    pub(crate) fn inside(mut self, table: impl std::fmt::Display) -> Self {
        self.key = format!("{table}.{}", self.key);
        self
    }
}

/// Fails unless `holds`.
pub(crate) fn ensure(
    holds: bool,
    key: &str,
    found: impl ToString,
    expected: impl Into<String>,
) -> Result<(), Invalid> {
    if holds { Ok(()) } else { Err(Invalid::new(key, found, expected)) }
}

/// Fails unless the value is a finite number above zero.
pub(crate) fn ensure_positive(key: &str, found: f64) -> Result<(), Invalid> {
    ensure(found.is_finite() && found > 0.0, key, found, "a number above 0")
}

/// Fails unless the value is a finite number that is not negative.
pub(crate) fn ensure_not_negative(key: &str, found: f64) -> Result<(), Invalid> {
    ensure(found.is_finite() && found >= 0.0, key, found, "a number that is not negative")
}
