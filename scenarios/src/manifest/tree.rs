//! A YAML document with the place of everything in it: from a path of keys to a line, and from there back.

use crate::document::KeyPath;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess};
use serde_json::{Number, Value};
use serde_saphyr::{Location, Spanned};
use std::fmt;

/// A node and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    at: Position,
    content: Content,
}

/// Line and column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

#[derive(Clone, Debug)]
enum Content {
    Scalar(Value),
    List(Vec<Node>),
    Table(Vec<(String, Position, Node)>),
}

impl Position {
    pub(super) fn of(location: Location) -> Self {
        let whole = |number| usize::try_from(number).unwrap_or(usize::MAX);
        Self { line: whole(location.line()), column: whole(location.column()) }
    }
}

impl Node {
    /// The same without places.
    pub(super) fn to_json(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Table(entries) => {
                entries.iter().map(|(key, _, node)| (key.clone(), node.to_json())).collect()
            }
        }
    }

    /// The nodes of a list; none of anything else.
    pub(super) fn items(&self) -> &[Node] {
        if let Content::List(items) = &self.content { items } else { &[] }
    }

    /// What stands under `key`.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.child(key).map(|(_, node)| node)
    }

    /// The text that stands under `key`.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.content {
            Content::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// A scalar as messages quote it; `None` for a list or a table.
    pub(super) fn quote(&self) -> Option<String> {
        match &self.content {
            Content::Scalar(Value::String(text)) => Some(text.clone()),
            Content::Scalar(value) => Some(value.to_string()),
            Content::List(_) | Content::Table(_) => None,
        }
    }

    /// The innermost node on `path` that there is: where it stands (at its key, if it is a table or a list), how
    /// much of the path leads there, and itself.
    pub(super) fn locate(&self, path: &[String]) -> (Position, KeyPath, &Node) {
        let (mut at, mut node, mut found) = (self.at, self, KeyPath::new());
        for part in path {
            let Some((key, child)) = node.child(part) else { break };
            at = match child.content {
                Content::Scalar(_) => child.at,
                Content::List(_) | Content::Table(_) => key,
            };
            found.push(part.clone());
            node = child;
        }
        (at, found, node)
    }

    fn child(&self, key: &str) -> Option<(Position, &Node)> {
        match &self.content {
            Content::Scalar(_) => None,
            Content::List(items) => key
                .parse()
                .ok()
                .and_then(|place: usize| items.get(place))
                .map(|item| (item.at, item)),
            Content::Table(entries) => {
                entries.iter().find(|(name, ..)| name == key).map(|(_, at, node)| (*at, node))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::<Content>::deserialize(deserializer)?;
        Ok(Self { at: Position::of(referenced), content: value })
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Scalar(Value::Null))
    }

    fn visit_none<E: de::Error>(self) -> Result<Content, E> {
        self.visit_unit()
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Content, E> {
        Ok(Content::Scalar(truth.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Content, E> {
        Ok(Content::Scalar(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Content, E> {
        Ok(Content::Scalar(number.into()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Content, E> {
        let finite = Number::from_f64(number).ok_or_else(|| E::custom("expected a finite number"));
        finite.map(|number| Content::Scalar(number.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Content, E> {
        Ok(Content::Scalar(text.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Content::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Content, A::Error> {
        let mut table = Vec::new();
        while let Some((key, node)) = entries.next_entry::<Spanned<String>, Node>()? {
            table.push((key.value, Position::of(key.referenced), node));
        }
        Ok(Content::Table(table))
    }
}
