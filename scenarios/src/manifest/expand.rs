//! Puts the policies of manifests where a scenario names the manifests.

use super::autoscaler::{self, Found};
use super::fault::Fault;
use super::file::{self, Object};
use super::metric_names::MetricNames;
use super::node_pool;
use crate::document::{Document, KeyPath, key};
use crate::error::ScenarioError;
use crate::settings::{Manifest, MetricName};
use crate::suggest::{did_you_mean, list};
use indexmap::IndexMap;
use policies::{NodePolicy, ReplicaPolicy};
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A policy as TOML, and the keys of the scenario under which it belongs.
#[derive(Debug)]
pub(crate) struct Converted {
    key: KeyPath,
    toml: String,
}

/// The policies of every manifest that the scenario names.
pub(crate) fn convert(
    tree: &DeTable<'_>,
    document: &Document,
    base: &Path,
) -> Result<Vec<Converted>, ScenarioError> {
    let own: IndexMap<String, MetricName> = match tree.get("metric-map") {
        Some(table) => document.read_value(table.clone())?,
        None => IndexMap::new(),
    };
    let services = tree.get("service").map(names_in).unwrap_or_default();
    let reader = Reader { document, base, names: MetricNames::new(own, document)?, services };
    let mut converted = Vec::new();
    if let Some(DeValue::Array(stacks)) = tree.get("stack").map(Spanned::get_ref) {
        for (place, stack) in stacks.iter().enumerate() {
            let DeValue::Table(stack) = stack.get_ref() else { continue };
            converted.extend(reader.stack(stack, &place.to_string())?);
        }
    }
    reader.names.all_used(document)?;
    Ok(converted)
}

/// Puts the policies in the place of the manifests.
pub(crate) fn insert<'i>(tree: &mut DeTable<'i>, converted: &'i [Converted]) {
    for Converted { key, toml } in converted {
        let mut policy = DeTable::parse(toml).expect("a policy's settings have a TOML form");
        put(tree, key, std::mem::take(policy.get_mut()));
    }
}

/// Makes `key` hold `table`; tables on the way that are missing are made.
fn put<'i>(tree: &mut DeTable<'i>, key: &'i [String], table: DeTable<'i>) {
    let [part, rest @ ..] = key else {
        *tree = table;
        return;
    };
    if !tree.contains_key(part.as_str()) {
        let name = Spanned::new(0..0, part.as_str().into());
        tree.insert(name, Spanned::new(0..0, DeValue::Table(DeTable::default())));
    }
    let value = tree.get_mut(part.as_str()).map(Spanned::get_mut);
    match (value, rest) {
        (Some(DeValue::Table(inner)), _) => put(inner, rest, table),
        (Some(DeValue::Array(items)), [place, rest @ ..]) => {
            let item = place.parse().ok().and_then(|place: usize| items.get_mut(place));
            if let Some(DeValue::Table(inner)) = item.map(Spanned::get_mut) {
                put(inner, rest, table);
            }
        }
        // No table where there should be one: reading the scenario says so.
        _ => {}
    }
}

/// Reads the manifests of one scenario.
struct Reader<'a> {
    document: &'a Document,
    base: &'a Path,
    names: MetricNames,
    /// Services of the scenario.
    services: Vec<String>,
}

impl Reader<'_> {
    fn stack(&self, stack: &DeTable<'_>, place: &str) -> Result<Vec<Converted>, ScenarioError> {
        let mut converted = Vec::new();
        let own = stack.get("service").map(names_in).unwrap_or_default();
        for name in &own {
            let policy = table_in(stack.get("service")).and_then(|table| table.get(name.as_str()));
            let Some(manifest) = policy.and_then(manifest_in) else { continue };
            let key = key(["stack", place, "service", name]);
            let mut policies = self.policies(&key, manifest)?;
            let policy = policies.swap_remove(name).ok_or_else(|| self.none_for(&key, name))?;
            converted.push(Converted::new(key, &policy));
        }
        if let Some(manifest) = stack.get("replicas").and_then(manifest_in) {
            let rest = self.services.iter().filter(|service| !own.contains(service));
            converted.extend(self.shared(place, manifest, rest)?);
        }
        if let Some(manifest) = stack.get("nodes").and_then(manifest_in) {
            converted.push(self.nodes(place, manifest)?);
        }
        Ok(converted)
    }

    /// A manifest for all services that have no policy of their own: the first of them takes the place of the
    /// shared policy, each other one gets its own.
    fn shared<'s>(
        &self,
        place: &str,
        manifest: &Spanned<DeValue<'_>>,
        services: impl Iterator<Item = &'s String>,
    ) -> Result<Vec<Converted>, ScenarioError> {
        let mut at = key(["stack", place, "replicas"]);
        let mut policies = self.policies(&at, manifest)?;
        let mut converted = Vec::new();
        for service in services {
            let policy =
                policies.swap_remove(service).ok_or_else(|| self.none_for(&at, service))?;
            let own = key(["stack", place, "service", service]);
            let key = if converted.is_empty() { at.clone() } else { own };
            converted.push(Converted::new(key, &policy));
        }
        if converted.is_empty() {
            at.push("manifest".to_owned());
            let problem =
                "found a manifest for services without a policy of their own, but there are none";
            return Err(self.document.error(&at, problem.to_owned(), None));
        }
        Ok(converted)
    }

    /// Karpenter, as the objects of a manifest describe it.
    fn nodes(
        &self,
        place: &str,
        manifest: &Spanned<DeValue<'_>>,
    ) -> Result<Converted, ScenarioError> {
        let at = key(["stack", place, "nodes", "manifest"]);
        let manifest: Manifest = self.document.read_value(manifest.clone())?;
        let objects = self.objects(&at, &manifest)?;
        let settings = node_pool::settings(&objects)?;
        if settings.node_pools.is_empty() {
            let problem = "found no `NodePool` in the manifest, expected one or more";
            return Err(self.document.error(&at, problem.to_owned(), None));
        }
        if let Some(service) = settings.buffers.keys().find(|one| !self.services.contains(one)) {
            let known = list(self.services.iter().map(String::as_str));
            let problem = format!(
                "found a `CapacityBuffer` for `{service}`, expected a service of the scenario: {known}"
            );
            return Err(self.document.error(&at, problem, None));
        }
        let policy = NodePolicy::Karpenter(Box::new(settings));
        let toml = toml::to_string(&policy).expect("a policy's settings have a TOML form");
        Ok(Converted { key: key(["stack", place, "nodes"]), toml })
    }

    /// The policies of one manifest, by service.
    fn policies(
        &self,
        key: &KeyPath,
        manifest: &Spanned<DeValue<'_>>,
    ) -> Result<IndexMap<String, ReplicaPolicy>, ScenarioError> {
        let mut at = key.clone();
        at.push("manifest".to_owned());
        let manifest: Manifest = self.document.read_value(manifest.clone())?;
        let objects = self.objects(&at, &manifest)?;
        let found = autoscaler::find(objects, &self.names, &manifest.controller)?;
        self.targets_exist(&at, &manifest, &found)?;
        let mut policies = IndexMap::new();
        for Found { autoscaler, object } in found {
            let service = manifest.targets.get(&autoscaler.target).unwrap_or(&autoscaler.target);
            let fault = |problem: String| Fault {
                path: autoscaler.target_path.iter().map(|&part| part.to_owned()).collect(),
                ..Fault::new([], problem)
            };
            if !self.services.contains(service) {
                let known = list(self.services.iter().map(String::as_str));
                let problem = format!(
                    "found the target `{service}`, expected a service of the scenario: {known}"
                );
                let hint = format!(
                    "name the service so, or write `targets = {{ \"{service}\" = \"SERVICE\" }}` beside `file`"
                );
                return Err(object.error(fault(problem).hint(hint)));
            }
            if policies.insert(service.clone(), autoscaler.policy).is_some() {
                let problem =
                    format!("found a second autoscaler of service `{service}`, expected one");
                return Err(object.error(Fault::new(["kind"], problem)));
            }
        }
        Ok(policies)
    }

    fn objects(&self, at: &KeyPath, manifest: &Manifest) -> Result<Vec<Object>, ScenarioError> {
        let under = |parts: &[&str]| -> KeyPath {
            at.iter().map(String::as_str).chain(parts.iter().copied()).map(str::to_owned).collect()
        };
        match (&manifest.file, manifest.files.as_slice()) {
            (Some(file), []) => self.read(&under(&["file"]), file),
            (None, files @ [_, ..]) => {
                let files = files.iter().enumerate();
                let read = |(place, file): (usize, &PathBuf)| {
                    self.read(&under(&["files", &place.to_string()]), file)
                };
                files.map(read).collect::<Result<Vec<_>, _>>().map(|objects| objects.concat())
            }
            (file, _) => {
                let found = if file.is_some() { "both" } else { "neither" };
                let problem = format!("found {found} of `file` and `files`, expected one of them");
                Err(self.document.error(at, problem, None))
            }
        }
    }

    fn read(&self, key: &KeyPath, file: &Path) -> Result<Vec<Object>, ScenarioError> {
        let path = self.base.join(file);
        let text = std::fs::read_to_string(&path).map_err(|cause| {
            let problem = format!("`{}` cannot be read: {cause}", path.display());
            let hint = "a relative path starts at the folder of the scenario file";
            self.document.error(key, problem, Some(hint.to_owned()))
        })?;
        file::objects(&text, &path.display().to_string())
    }

    /// Fails at an entry of `targets` that leads from nowhere or to nowhere.
    fn targets_exist(
        &self,
        at: &KeyPath,
        manifest: &Manifest,
        found: &[Found],
    ) -> Result<(), ScenarioError> {
        for (target, service) in &manifest.targets {
            let mut key = at.clone();
            key.extend(["targets".to_owned(), target.clone()]);
            if !self.services.contains(service) {
                let known = self.services.iter().map(String::as_str);
                let problem = format!(
                    "found the unknown service `{service}`, expected one of {}",
                    list(known.clone())
                );
                return Err(self.document.error(&key, problem, did_you_mean(service, known)));
            }
            if !found.iter().any(|found| found.autoscaler.target == *target) {
                let aims = found.iter().map(|found| found.autoscaler.target.as_str());
                let problem = format!(
                    "found no autoscaler of `{target}`, expected one of {}",
                    list(aims.clone())
                );
                return Err(self.document.error(&key, problem, did_you_mean(target, aims)));
            }
        }
        Ok(())
    }

    fn none_for(&self, key: &KeyPath, service: &str) -> ScenarioError {
        let problem =
            format!("found no autoscaler of service `{service}` in the manifest, expected one");
        let hint =
            format!("add one whose target is `{service}`, or write `[stack.service.{service}]`");
        let mut at = key.clone();
        at.push("manifest".to_owned());
        self.document.error(&at, problem, Some(hint))
    }
}

impl Converted {
    fn new(key: KeyPath, policy: &ReplicaPolicy) -> Self {
        Self { key, toml: toml::to_string(policy).expect("a policy's settings have a TOML form") }
    }
}

fn table_in<'a, 'i>(value: Option<&'a Spanned<DeValue<'i>>>) -> Option<&'a DeTable<'i>> {
    if let DeValue::Table(table) = value?.get_ref() { Some(table) } else { None }
}

fn names_in(value: &Spanned<DeValue<'_>>) -> Vec<String> {
    let names = |table: &DeTable<'_>| table.keys().map(|name| name.get_ref().to_string()).collect();
    table_in(Some(value)).map(names).unwrap_or_default()
}

/// The manifest that stands where a policy should; `None` for a policy, or for a mixture, which is an error of the
/// scenario.
fn manifest_in<'a, 'i>(value: &'a Spanned<DeValue<'i>>) -> Option<&'a Spanned<DeValue<'i>>> {
    let table = table_in(Some(value))?;
    if table.len() == 1 { table.get("manifest") } else { None }
}
