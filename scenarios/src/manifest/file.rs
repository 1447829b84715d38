//! Manifest files: documents and the objects in them, each with the way back to its lines.

use super::fault::Fault;
use super::tree::{Node, Position};
use crate::document::{KeyPath, in_our_words};
use crate::error::{Place, ScenarioError};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_path_to_error::Segment;
use serde_saphyr::UserMessageFormatter;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A Kubernetes object in a file.
#[derive(Clone, Debug)]
pub(super) struct Object {
    origin: Rc<str>,
    node: Node,
}

/// An object as every kind has it, with a `spec` of its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Resource<Spec> {
    #[expect(dead_code, reason = "was read to tell the kind")]
    api_version: String,
    #[expect(dead_code, reason = "was read to tell the kind")]
    kind: String,
    pub(super) metadata: Metadata,
    pub(super) spec: Spec,
    #[expect(dead_code, reason = "what a controller reported is no setting")]
    status: Option<IgnoredAny>,
}

/// `metadata`: what is read of it, and what else may stand there and says nothing about scaling.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub(super) name: String,
    #[serde(deserialize_with = "none_if_null")]
    pub(super) annotations: BTreeMap<String, String>,
    namespace: IgnoredAny,
    labels: IgnoredAny,
    generate_name: IgnoredAny,
    creation_timestamp: IgnoredAny,
    deletion_timestamp: IgnoredAny,
    deletion_grace_period_seconds: IgnoredAny,
    finalizers: IgnoredAny,
    generation: IgnoredAny,
    managed_fields: IgnoredAny,
    owner_references: IgnoredAny,
    resource_version: IgnoredAny,
    self_link: IgnoredAny,
    uid: IgnoredAny,
}

/// A map, or none where templates leave the key without a value.
fn none_if_null<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Objects of a text, in order; those of a `List` one by one. `origin` is how messages call the file.
pub(super) fn objects(text: &str, origin: &str) -> Result<Vec<Object>, ScenarioError> {
    let documents: Vec<Node> =
        serde_saphyr::from_multiple(text).map_err(|error| misfit(&error, origin))?;
    let origin: Rc<str> = origin.into();
    let objects = documents.into_iter().flat_map(|document| match document.text("kind") {
        Some(kind) if kind.ends_with("List") => {
            document.get("items").map(|items| items.items().to_vec()).unwrap_or_default()
        }
        _ => vec![document],
    });
    Ok(objects.map(|node| Object { origin: origin.clone(), node }).collect())
}

/// A text that is no YAML.
fn misfit(error: &serde_saphyr::Error, origin: &str) -> ScenarioError {
    let position = error.location().map_or(Position { line: 1, column: 1 }, Position::of);
    let whole = error.without_snippet().render_with_formatter(&UserMessageFormatter);
    // The place stands in front already.
    let message = whole.split(" at line ").next().unwrap_or_default().trim();
    let place = place(origin, position, &[]);
    ScenarioError::Located { place, problem: format!("is no YAML: {message}"), hint: None }
}

fn place(origin: &str, at: Position, key: &[String]) -> Place {
    Place { origin: origin.to_owned(), line: at.line, column: at.column, key: key.join(".") }
}

impl Object {
    /// Its `apiVersion` and `kind`.
    pub(super) fn kind(&self) -> Result<(&str, &str), ScenarioError> {
        let text = |field| {
            let missing =
                || self.error(Fault::new([], format!("found no `{field}`, expected one")));
            self.node.text(field).ok_or_else(missing)
        };
        Ok((text("apiVersion")?, text("kind")?))
    }

    /// Its `metadata.name`; empty if it has none.
    pub(super) fn name(&self) -> &str {
        self.node.get("metadata").and_then(|metadata| metadata.text("name")).unwrap_or_default()
    }

    /// Reads it as `T`. A misfit is an error at its field.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, ScenarioError> {
        serde_path_to_error::deserialize(self.node.to_json()).map_err(|error| {
            let path: KeyPath = error.path().iter().filter_map(part).collect();
            let found = self.node.locate(&path).2.quote();
            let found = found.as_deref().unwrap_or("a list or a table");
            let (problem, hint) = in_our_words(&error.inner().to_string(), found);
            let unquoted =
                problem.ends_with("expected a string").then(|| "put it in quotes".into());
            self.error(Fault { path, problem, hint: hint.or(unquoted) })
        })
    }

    /// Puts a fault at its line.
    pub(super) fn error(&self, fault: Fault) -> ScenarioError {
        let (at, found, _) = self.node.locate(&fault.path);
        let place = place(&self.origin, at, &found);
        ScenarioError::Located { place, problem: fault.problem, hint: fault.hint }
    }
}

fn part(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}
