//! A scenario: read, checked, filled in from the catalogue, ready to be flown.

use crate::builtin;
use crate::document::Document;
use crate::error::ScenarioError;
use crate::manifest;
use crate::settings::{Length, Manifest, Service, Settings, Stack};
use crate::suggest::{did_you_mean, list};
use crate::wire::{Wired, WiredJobs, policies_of, wire};
use contract::{Micros, Policy, ServiceId};
use schemars::SchemaGenerator;
use serde_json::json;
use sim_core::outcome::{JobInfo, ServiceInfo};
use sim_core::random::Seed;
use sim_core::spec::{BatchSpec, RunSpec, ServiceSpec};
use sim_core::{ArrivalSource, Sources};
use std::path::{Path, PathBuf};
use traces::{TraceError, Traffic};

/// A scenario that can be flown.
#[derive(Clone, Debug)]
pub struct Scenario {
    settings: Settings,
    wired: Wired,
    document: Document,
    base: PathBuf,
    /// The horizon is not that of the file.
    cut: bool,
}

impl Scenario {
    /// A file by its path, or a built-in scenario by its name.
    pub fn find(name: &str) -> Result<Self, ScenarioError> {
        if let Some(scenario) = Self::builtin(name) {
            return scenario;
        }
        let path = Path::new(name);
        let looks_like_a_path = path.extension().is_some() || path.components().count() > 1;
        if looks_like_a_path || path.is_file() {
            return Self::load(path);
        }
        let known = builtin::names();
        let hint = did_you_mean(name, known.clone());
        Err(ScenarioError::Unknown { name: name.to_owned(), known: list(known), hint })
    }

    /// A scenario that is compiled in; `None` if there is none of this name. Relative paths in it start at
    /// the current folder.
    pub fn builtin(name: &str) -> Option<Result<Self, ScenarioError>> {
        builtin::text(name).map(|text| Self::parse(text, name, Path::new("")))
    }

    /// Reads a file. Relative paths in it start at its folder.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = std::fs::read_to_string(path)
            .map_err(|cause| ScenarioError::Unreadable { path: path.to_owned(), cause })?;
        let base = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, &path.display().to_string(), base)
    }

    /// Reads a text, and the manifests that it names. `origin` is how messages and the command that repeats a run
    /// call it; `base` is where relative paths start.
    pub fn parse(text: &str, origin: &str, base: &Path) -> Result<Self, ScenarioError> {
        let document = Document { origin: origin.to_owned(), text: text.to_owned() };
        let mut tree = document.tree()?;
        let converted = manifest::convert(tree.get_ref(), &document, base)?;
        manifest::insert(tree.get_mut(), &converted);
        let mut settings: Settings = document.read(tree)?;
        let wired = wire(&mut settings, &document)?;
        Ok(Self { settings, wired, document, base: base.to_owned(), cut: false })
    }

    /// The same scenario with another end.
    #[must_use]
    pub fn with_horizon(mut self, horizon: Length) -> Self {
        self.settings.horizon = horizon;
        self.cut = true;
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// What it shows.
    pub fn about(&self) -> &str {
        &self.settings.about
    }

    /// How messages call it: a path, or the name of a built-in scenario.
    pub fn origin(&self) -> &str {
        &self.document.origin
    }

    /// The arguments that name it on a command line.
    pub(crate) fn arguments(&self) -> String {
        let origin = shell_word(self.origin());
        if !self.cut {
            return origin;
        }
        let horizon = self.horizon().to_string().replace(' ', "");
        format!("{origin} --horizon {horizon}")
    }

    /// Every setting, what the file left out filled in.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Every setting as TOML, what the file left out filled in, policies in the place of manifests: reads back as
    /// the same scenario.
    pub fn to_toml(&self) -> String {
        toml::to_string(&self.settings).expect("settings have a TOML form")
    }

    /// Its stacks, in order.
    pub fn stacks(&self) -> &[Stack] {
        &self.settings.stack
    }

    /// The stack of this name.
    pub fn stack(&self, name: &str) -> Result<&Stack, ScenarioError> {
        let names = self.stacks().iter().map(|stack| stack.name.as_str());
        self.stacks().iter().find(|stack| stack.name == name).ok_or_else(|| {
            ScenarioError::UnknownStack {
                scenario: self.name().to_owned(),
                found: name.to_owned(),
                known: list(names.clone()),
                hint: did_you_mean(name, names),
            }
        })
    }

    /// Its services, as a report introduces them.
    pub fn service_infos(&self) -> Vec<ServiceInfo> {
        let services = self.wired.services.iter().zip(&self.wired.introductions);
        let info = |(service, about): (&ServiceSpec, &String)| ServiceInfo {
            name: service.name.to_string(),
            about: about.clone(),
            slo_ttft: service.slo.ttft,
            slo_tpot: service.slo.tpot,
            slo_e2e: service.slo.e2e,
        };
        services.map(info).collect()
    }

    /// Its classes of jobs, as a report introduces them.
    pub fn job_infos(&self) -> Vec<JobInfo> {
        let info = |jobs: &WiredJobs| JobInfo {
            name: jobs.class.name.to_string(),
            about: jobs.introduction.clone(),
        };
        self.wired.jobs.iter().map(info).collect()
    }

    /// Fails at its key if a trace that the scenario replays is not there.
    pub fn check_traces(&self) -> Result<(), ScenarioError> {
        for (name, service) in &self.settings.service {
            let Traffic::AzureCsv(replay) = &service.traffic else { continue };
            let path = self.base.join(&replay.path);
            if !path.is_file() {
                let key = ["service", name, "traffic", "azure-csv", "path"].map(str::to_owned);
                let problem = format!("found no file `{}`", path.display());
                let hint = "a relative path starts at the folder of the scenario file, that of a \
                            built-in scenario at the current folder";
                return Err(self.document.error(&key, problem, Some(hint.to_owned())));
            }
        }
        Ok(())
    }

    /// The specification of one run of `stack`.
    pub(crate) fn spec(&self, stack: &Stack, seed: Seed) -> RunSpec {
        let wired = &self.wired;
        let (pools, services) = match wired.divided.get(&stack.name) {
            Some(divided) => (&divided.pools, &divided.services),
            None => (&wired.pools, &wired.services),
        };
        let mut spec = RunSpec {
            seed,
            horizon: self.horizon(),
            drain: self.settings.drain,
            bin: self.settings.bin.get(),
            pools: pools.clone(),
            services: services.clone(),
            batch: BatchSpec {
                classes: wired.jobs.iter().map(|jobs| jobs.class.clone()).collect(),
                gangs: stack.gangs.into(),
                kueue: wired.kueue.clone(),
            },
            control: wired.control.clone(),
            metrics: wired.metrics.clone(),
        };
        if let Some(own) = &stack.scheduler {
            spec.control.profile = own.clone();
        }
        for pool in &mut spec.pools {
            pool.initial = stack.initial_nodes.get(&*pool.name).copied().unwrap_or(pool.initial);
        }
        for service in &mut spec.services {
            let own = stack.initial_replicas.get(&*service.name).copied();
            service.initial = own.unwrap_or(service.initial);
        }
        spec
    }

    /// Length of a run.
    pub fn horizon(&self) -> Micros {
        self.settings.horizon.get()
    }

    /// Everything that arrives: requests of each service, jobs of each class, in order.
    pub(crate) fn sources(&self, seed: Seed) -> Result<Sources, TraceError> {
        let jobs = self.wired.jobs.iter().zip(0..);
        let jobs = jobs.map(|(jobs, class)| jobs.pattern.clone().open(seed, class)).collect();
        Ok(Sources { requests: self.requests(seed)?, jobs })
    }

    fn requests(&self, seed: Seed) -> Result<Vec<Box<dyn ArrivalSource>>, TraceError> {
        let services = self.settings.service.values().zip((0..).map(ServiceId));
        let open = |(service, id): (&Service, ServiceId)| {
            service.traffic.open(seed, id, self.horizon(), &self.base)
        };
        services.map(open).collect()
    }

    /// Fresh policies of a stack.
    pub(crate) fn policies(&self, stack: &Stack) -> Vec<Box<dyn Policy>> {
        policies_of(stack, self.settings.service.keys())
    }
}

/// A word as a shell reads it back.
fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "./_-".contains(c);
    if word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The JSON schema of scenario files, for editors. Wherever a replica policy may stand, so may a manifest.
pub fn scenario_schema() -> serde_json::Value {
    let mut generator = SchemaGenerator::default();
    let manifest = json!({
        "description": "The autoscalers of Kubernetes manifests.",
        "type": "object",
        "properties": { "manifest": generator.subschema_for::<Manifest>() },
        "required": ["manifest"],
        "additionalProperties": false,
    });
    let mut schema = generator.into_root_schema_for::<Settings>().to_value();
    let kinds = schema["$defs"]["ReplicaPolicy"]["oneOf"].as_array_mut();
    kinds.expect("a policy is one of several kinds").push(manifest);
    schema
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn a_path_with_spaces_and_quotes_is_one_word() {
        assert_eq!(shell_word("../my/chat-day.toml"), "../my/chat-day.toml");
        assert_eq!(shell_word("my day's.toml"), r"'my day'\''s.toml'");
    }
}
