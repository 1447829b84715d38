//! Stacks: policies with settings that can work, and a fleet that exists.

use super::Check;
use crate::document::KeyPath;
use crate::error::ScenarioError;
use crate::settings::{Settings, Stack};
use contract::{Policy, ServiceId};
use policies::Invalid;
use std::collections::BTreeSet;

impl Check<'_> {
    pub(super) fn stacks(&self, settings: &Settings) -> Result<(), ScenarioError> {
        self.not_empty("stack", settings.stack.len())?;
        let mut names = BTreeSet::new();
        for (place, stack) in settings.stack.iter().enumerate() {
            let at = |parts: &[&str]| -> KeyPath {
                let place = place.to_string();
                let table = ["stack", place.as_str()];
                table.iter().chain(parts).map(|&part| part.to_owned()).collect()
            };
            if !names.insert(&stack.name) {
                return Err(self.misfit(&at(&["name"]), &stack.name, "a name of its own"));
            }
            self.fleet(settings, stack, &at)?;
            if let Some(profile) = &stack.scheduler {
                self.scheduler(&at(&["scheduler"]), profile)?;
            }
            self.every_service_has_a_policy(settings, stack, &at)?;
            let pools: Vec<_> = settings.pool.keys().map(String::as_str).collect();
            self.settings_work(stack, &pools, &at)?;
        }
        Ok(())
    }

    fn fleet(
        &self,
        settings: &Settings,
        stack: &Stack,
        at: &dyn Fn(&[&str]) -> KeyPath,
    ) -> Result<(), ScenarioError> {
        let replicas = stack.initial_replicas.keys().map(|name| ("initial-replicas", name));
        let own = stack.service.keys().map(|name| ("service", name));
        let parts = stack.gpu_part.keys().map(|name| ("gpu-part", name));
        let shapes = stack.alternatives.keys().map(|name| ("alternatives", name));
        for (table, name) in replicas.chain(own).chain(parts).chain(shapes) {
            if !settings.service.contains_key(name) {
                let known = settings.service.keys().map(String::as_str);
                return Err(self.unknown(&at(&[table, name]), "service", name, known));
            }
        }
        let sharing = stack.sharing.keys().map(|name| ("sharing", name));
        let standby = stack.standby.keys().map(|name| ("standby", name));
        for (table, name) in sharing.chain(standby) {
            if !settings.pool.contains_key(name) {
                let known = settings.pool.keys().map(String::as_str);
                return Err(self.unknown(&at(&[table, name]), "pool", name, known));
            }
        }
        for (name, &initial) in &stack.initial_nodes {
            let key = at(&["initial-nodes", name]);
            let pool = settings.pool.get(name).ok_or_else(|| {
                self.unknown(&key, "pool", name, settings.pool.keys().map(String::as_str))
            })?;
            self.initial_nodes(&key, initial, pool)?;
        }
        Ok(())
    }

    fn every_service_has_a_policy(
        &self,
        settings: &Settings,
        stack: &Stack,
        at: &dyn Fn(&[&str]) -> KeyPath,
    ) -> Result<(), ScenarioError> {
        let has_one =
            |name: &&String| stack.replicas.is_some() || stack.service.contains_key(*name);
        let Some(without) = settings.service.keys().find(|name| !has_one(name)) else {
            return Ok(());
        };
        let problem = format!("found no replica policy of service `{without}`, expected one");
        let hint = format!(
            "write `[stack.replicas.static-replicas]` or `[stack.service.{without}.static-replicas]`"
        );
        Err(self.document.error(&at(&[]), problem, Some(hint)))
    }

    /// Every policy accepts its settings.
    fn settings_work(
        &self,
        stack: &Stack,
        pools: &[&str],
        at: &dyn Fn(&[&str]) -> KeyPath,
    ) -> Result<(), ScenarioError> {
        let misfit = |table: &[&str], error: Invalid| self.invalid_policy(at(table), &error);
        if let Some(replicas) = &stack.replicas {
            replicas.validate().map_err(|error| misfit(&["replicas", replicas.name()], error))?;
        }
        for (name, policy) in &stack.service {
            policy.validate().map_err(|error| misfit(&["service", name, policy.name()], error))?;
        }
        if let Some(gpus) = &stack.gpus {
            gpus.validate().map_err(|error| misfit(&["gpus", gpus.name()], error))?;
        }
        let nodes = &stack.nodes;
        nodes.validate(pools).map_err(|error| misfit(&["nodes", nodes.name()], error))
    }

    /// Puts a policy's own error at the key in the scenario.
    fn invalid_policy(&self, mut key: KeyPath, error: &Invalid) -> ScenarioError {
        let own = error.key.replace('[', ".").replace(']', "");
        key.extend(own.split('.').map(str::to_owned));
        self.misfit(&key, &error.found, &error.expected)
    }
}

/// Fresh policies of a stack over `services`, in the scenario's order: replicas before nodes.
pub(crate) fn policies_of<'a>(
    stack: &Stack,
    services: impl Iterator<Item = &'a String>,
) -> Vec<Box<dyn Policy>> {
    let (mut shared, mut policies) = (Vec::new(), Vec::new());
    for (name, id) in services.zip((0..).map(ServiceId)) {
        match stack.service.get(name) {
            Some(own) => policies.push(own.build(vec![id])),
            None => shared.push(id),
        }
    }
    if let Some(replicas) = stack.replicas.as_ref().filter(|_| !shared.is_empty()) {
        policies.insert(0, replicas.build(shared));
    }
    policies.push(stack.nodes.build());
    policies.extend(stack.gpus.iter().map(policies::GpuPolicy::build));
    policies
}
