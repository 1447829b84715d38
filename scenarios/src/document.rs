//! A scenario's text, and the way from a key to its place and back.

use crate::error::{Place, ScenarioError};
use crate::suggest::did_you_mean;
use serde::de::DeserializeOwned;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, ValueDeserializer};

/// The text of a scenario and where it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// File or name, as messages show it.
    pub(crate) origin: String,
    pub(crate) text: String,
}

/// A key with its tables, outermost first.
pub(crate) type KeyPath = Vec<String>;

/// Makes a [`KeyPath`].
pub(crate) fn key<const N: usize>(parts: [&str; N]) -> KeyPath {
    parts.map(str::to_owned).to_vec()
}

/// Something in the tree of keys, with the texts of key and value.
struct Entry<'a, 'text> {
    name: String,
    key: Option<Range<usize>>,
    value: &'a Spanned<DeValue<'text>>,
}

impl Document {
    /// The tree of keys, each with its place in the text.
    pub(crate) fn tree(&self) -> Result<Spanned<DeTable<'_>>, ScenarioError> {
        DeTable::parse(&self.text).map_err(|error| self.misfit(&error))
    }

    /// Reads a tree of this text into `T`. A misfit is an error at its key.
    pub(crate) fn read<T: DeserializeOwned>(
        &self,
        tree: Spanned<DeTable<'_>>,
    ) -> Result<T, ScenarioError> {
        T::deserialize(Deserializer::from(tree)).map_err(|error| self.misfit(&error))
    }

    /// The same for a part of the tree.
    pub(crate) fn read_value<T: DeserializeOwned>(
        &self,
        value: Spanned<DeValue<'_>>,
    ) -> Result<T, ScenarioError> {
        T::deserialize(ValueDeserializer::from(value)).map_err(|error| self.misfit(&error))
    }

    /// An error at `key`, or at the innermost of its tables that the text holds.
    pub(crate) fn error(
        &self,
        key: &[String],
        problem: String,
        hint: Option<String>,
    ) -> ScenarioError {
        let place = self.place(self.offset_of(key), key.join("."));
        ScenarioError::Located { place, problem, hint }
    }

    fn misfit(&self, error: &toml::de::Error) -> ScenarioError {
        let span = error.span().unwrap_or(0..0);
        let key = self.key_at(&span);
        let place = self.place(span.start, key.join("."));
        let (problem, hint) = in_our_words(error.message(), &self.text[span]);
        ScenarioError::Located { place, problem, hint }
    }

    fn place(&self, offset: usize, key: String) -> Place {
        let before = &self.text[..offset.min(self.text.len())];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place {
            origin: self.origin.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            key,
        }
    }

    fn offset_of(&self, key: &[String]) -> usize {
        let Ok(tree) = DeTable::parse(&self.text) else { return 0 };
        let mut offset = 0;
        let mut level = entries_of_table(tree.get_ref());
        for part in key {
            let Some(entry) = level.into_iter().find(|entry| entry.name == *part) else { break };
            offset = match (entry.value.get_ref(), &entry.key) {
                (DeValue::Table(_) | DeValue::Array(_), Some(key)) => key.start,
                _ => entry.value.span().start,
            };
            level = entries_of_value(entry.value.get_ref());
        }
        offset
    }

    fn key_at(&self, span: &Range<usize>) -> KeyPath {
        let Ok(tree) = DeTable::parse(&self.text) else { return Vec::new() };
        deepest(entries_of_table(tree.get_ref()), span).unwrap_or_default()
    }
}

fn entries_of_table<'a, 'text>(table: &'a DeTable<'text>) -> Vec<Entry<'a, 'text>> {
    let entry = |(key, value): (&Spanned<toml::de::DeString<'text>>, _)| Entry {
        name: key.get_ref().to_string(),
        key: Some(key.span()),
        value,
    };
    table.iter().map(entry).collect()
}

fn entries_of_value<'a, 'text>(value: &'a DeValue<'text>) -> Vec<Entry<'a, 'text>> {
    match value {
        DeValue::Table(table) => entries_of_table(table),
        DeValue::Array(items) => {
            let entry =
                |(place, value): (usize, _)| Entry { name: place.to_string(), key: None, value };
            items.iter().enumerate().map(entry).collect()
        }
        _ => Vec::new(),
    }
}

/// The path to the innermost entry whose key or value covers `span`.
fn deepest(entries: Vec<Entry<'_, '_>>, span: &Range<usize>) -> Option<KeyPath> {
    let covers = |range: &Range<usize>| range.start <= span.start && span.end <= range.end;
    entries.into_iter().find_map(|entry| {
        let mut path = vec![entry.name];
        if let Some(rest) = deepest(entries_of_value(entry.value.get_ref()), span) {
            path.extend(rest);
            return Some(path);
        }
        let here = covers(&entry.value.span()) || entry.key.as_ref().is_some_and(covers);
        (here && !span.is_empty()).then_some(path)
    })
}

/// Says what a reader says as every message here says it: found, expected, hint.
pub(crate) fn in_our_words(message: &str, found: &str) -> (String, Option<String>) {
    for (prefix, kind) in [("unknown field ", "key"), ("unknown variant ", "name")] {
        let Some(rest) = message.strip_prefix(prefix) else { continue };
        let mut names = rest.split('`').skip(1).step_by(2);
        let unknown = names.next().unwrap_or_default();
        let hint = did_you_mean(unknown, names);
        return (format!("found the unknown {kind} {rest}"), hint);
    }
    if let Some(field) = message.strip_prefix("missing field ") {
        return (format!("found no {field}, expected one"), None);
    }
    if let Some(rest) = message.strip_prefix("wanted exactly 1 element, ") {
        let hint = "write one table below it, such as `[stack.nodes.fixed-nodes]`";
        return (format!("expected exactly one kind, {rest}"), Some(hint.to_owned()));
    }
    for prefix in ["invalid type: ", "invalid value: "] {
        let Some(rest) = message.strip_prefix(prefix) else { continue };
        let expected = rest.split_once(", expected ").map_or(rest, |(_, expected)| expected);
        let expected = match expected {
            "u32" | "u64" => "a whole number that is not negative",
            "a nonzero u32" => "a whole number from 1",
            "f64" => "a number",
            other => other,
        };
        return (format!("found `{found}`, expected {expected}"), None);
    }
    match message.split_once("; did you mean") {
        Some((problem, name)) => (problem.to_owned(), Some(format!("did you mean{name}"))),
        None => (message.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name = 'x'\n[pool.a]\nmax = 3\nzones = ['b', 'c']\n[[stack]]\nname = 'é'\n";

    #[track_caller]
    fn check(key: &[&str], expected: &str) {
        let document = Document { origin: "x.toml".to_owned(), text: TEXT.to_owned() };
        let key: Vec<_> = key.iter().map(|&part| part.to_owned()).collect();
        let found = document.error(&key, "wrong".to_owned(), None).to_string();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_key_leads_to_its_value_and_an_absent_one_to_its_table() {
        check(&["pool", "a", "max"], "x.toml:3:7: `pool.a.max`: wrong");
        check(&["pool", "a", "zones", "1"], "x.toml:4:15: `pool.a.zones.1`: wrong");
        check(&["stack", "0", "name"], "x.toml:6:8: `stack.0.name`: wrong");
        check(&["pool", "a", "price"], "x.toml:2:7: `pool.a.price`: wrong");
        check(&[], "x.toml:1:1: wrong");
    }
}
