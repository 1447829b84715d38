//! Entries of the tables that come with the crate, chosen by name in a scenario.

use crate::setting::text;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A table that comes with the crate.
pub trait NamedTable: Sized + 'static {
    /// What an entry is called in messages, such as `profile`.
    const WHAT: &'static str;

    /// Every entry, by name.
    fn all() -> &'static BTreeMap<String, Self>;
}

/// An entry of a table: there is one for every name.
pub struct Named<T: NamedTable> {
    name: &'static str,
    entry: &'static T,
}

impl<T: NamedTable> Named<T> {
    /// Its name.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The entry itself.
    pub fn entry(self) -> &'static T {
        self.entry
    }
}

impl<T: NamedTable> fmt::Debug for Named<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Named({})", self.name)
    }
}

impl<T: NamedTable> Clone for Named<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: NamedTable> Copy for Named<T> {}

impl<T: NamedTable> PartialEq for Named<T> {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// A name that no entry has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{found}`, expected one of {known}{}", did_you_mean(.close.as_deref()))]
pub struct UnknownName {
    what: &'static str,
    found: String,
    known: String,
    close: Option<String>,
}

fn did_you_mean(close: Option<&str>) -> String {
    close.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// The nearest name, if it is no more than a slip away: one letter in eight.
fn closest(found: &str, names: impl Iterator<Item = &'static String>) -> Option<String> {
    let distances = names.map(|name| (strsim::damerau_levenshtein(found, name), name));
    let (distance, name) = distances.min()?;
    (distance <= (name.len() / 8).max(1)).then(|| name.clone())
}

impl<T: NamedTable> FromStr for Named<T> {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let all = T::all();
        if let Some((name, entry)) = all.get_key_value(text) {
            return Ok(Self { name, entry });
        }
        let known: Vec<String> = all.keys().map(|name| format!("`{name}`")).collect();
        Err(UnknownName {
            what: T::WHAT,
            found: text.to_owned(),
            known: known.join(", "),
            close: closest(text, all.keys()),
        })
    }
}

impl<T: NamedTable> fmt::Display for Named<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name)
    }
}

impl<T: NamedTable> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de, T: NamedTable> Deserialize<'de> for Named<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        text(deserializer, T::WHAT)
    }
}

impl<T: NamedTable> JsonSchema for Named<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}-name", T::WHAT.replace(' ', "-")).into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&String> = T::all().keys().collect();
        json_schema!({ "type": "string", "enum": names })
    }
}
