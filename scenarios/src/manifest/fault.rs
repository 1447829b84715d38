//! Something wrong in a manifest, by the path of its keys.

use crate::document::{KeyPath, key};

/// What is wrong where, before it is known in which file and line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) path: KeyPath,
    pub(super) problem: String,
    pub(super) hint: Option<String>,
}

impl Fault {
    pub(super) fn new<const N: usize>(path: [&str; N], problem: impl Into<String>) -> Self {
        Self { path: key(path), problem: problem.into(), hint: None }
    }

    /// What was found where something else was expected.
    pub(super) fn expected<const N: usize>(path: [&str; N], found: &str, expected: &str) -> Self {
        Self::new(path, format!("found `{found}`, expected {expected}"))
    }

    #[must_use]
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same one table further out.
    #[must_use]
    pub(super) fn inside(mut self, part: &str) -> Self {
        self.path.insert(0, part.to_owned());
        self
    }

    /// The same under several tables.
    #[must_use]
    pub(super) fn under<const N: usize>(mut self, path: [&str; N]) -> Self {
        self.path.splice(0..0, key(path));
        self
    }
}
