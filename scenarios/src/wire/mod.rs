//! From settings to the engine's own terms. What the types of the settings cannot check is checked here, each
//! misfit an error at its key; what a scenario leaves to the catalogue is filled in.

mod alternatives;
mod daemon_sets;
mod instance_labels;
mod jobs;
mod metrics;
mod node_pools;
mod pools;
mod queues;
mod services;
mod sharing;
mod stacks;
mod throughput;

use crate::catalog::{Catalogue, DelayRow, Model, Stage};
use crate::document::{Document, KeyPath};
use crate::error::ScenarioError;
use crate::settings::{Control, DelaySetting, Length, Settings, Stack};
use crate::suggest::{did_you_mean, list};
use contract::Micros;
use placement::{Profile, Queue};
use sim_core::delay::Delay;
use sim_core::spec::{ControlSpec, KueueSpec, MetricsSpec, PoolSpec, ServiceSpec};
use std::collections::BTreeMap;

pub(crate) use jobs::WiredJobs;
pub(crate) use stacks::policies_of;

/// A scenario in the engine's terms, save what changes from stack to stack and run to run.
#[derive(Clone, Debug)]
pub(crate) struct Wired {
    pub(crate) pools: Vec<PoolSpec>,
    pub(crate) services: Vec<ServiceSpec>,
    /// What each service runs on what, for reports.
    pub(crate) introductions: Vec<String>,
    pub(crate) jobs: Vec<WiredJobs>,
    pub(crate) kueue: KueueSpec,
    pub(crate) control: ControlSpec,
    pub(crate) metrics: MetricsSpec,
    /// By the name of the stack, for stacks whose pools or services differ.
    pub(crate) divided: BTreeMap<String, Divided>,
}

/// Pools and services of a stack whose own differ from those of the others.
#[derive(Clone, Debug)]
pub(crate) struct Divided {
    pub(crate) pools: Vec<PoolSpec>,
    pub(crate) services: Vec<ServiceSpec>,
}

/// Checks `settings`, fills them in from the catalogue and turns them into specifications.
pub(crate) fn wire(settings: &mut Settings, document: &Document) -> Result<Wired, ScenarioError> {
    let check = Check { catalogue: Catalogue::embedded(), document, stack: None, shape: None };
    check.not_empty("pool", settings.pool.len())?;
    check.something_runs(settings)?;
    let mut pools = check.pools(&mut settings.pool)?;
    check.daemon_sets(&settings.daemon_set, &mut pools)?;
    let (services, introductions) = check.services(&mut settings.service, &pools)?;
    let mut jobs = check.jobs(&mut settings.job, &pools)?;
    let kueue = check.kueue(settings, &pools)?;
    check.join_queues(settings, &mut jobs, &pools)?;
    check.stacks(settings)?;
    check.node_pools(settings, &pools)?;
    Ok(Wired {
        divided: check.divided(settings)?,
        pools,
        services,
        introductions,
        jobs,
        kueue,
        control: check.control(&settings.control)?,
        metrics: check.metrics(&settings.metrics)?,
    })
}

/// Turns settings into specifications, or into an error at their place.
struct Check<'a> {
    catalogue: &'static Catalogue,
    document: &'a Document,
    /// The stack whose own pools and services are looked at, and its place.
    stack: Option<(usize, &'a Stack)>,
    /// The shape of replicas that is looked at, by its place among the alternatives of their service.
    shape: Option<usize>,
}

impl Check<'_> {
    /// An error that says what was found and what was expected.
    fn misfit(&self, key: &KeyPath, found: &str, expected: &str) -> ScenarioError {
        self.document.error(key, format!("found `{found}`, expected {expected}"), None)
    }

    /// An error for a name that is not among `known`.
    fn unknown<'n>(
        &self,
        key: &KeyPath,
        what: &str,
        found: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) -> ScenarioError {
        let hint = did_you_mean(found, known.clone());
        // A catalogue of hundreds is not for a message.
        let names: Vec<_> = known.collect();
        let expected = match names.len() {
            0..=12 => format!("one of {}", list(names)),
            many => format!("one of the {many} that the catalogue has"),
        };
        self.document.error(
            key,
            format!("found the unknown {what} `{found}`, expected {expected}"),
            hint,
        )
    }

    /// Pools and services of each stack whose own differ from those of the others.
    fn divided(&self, settings: &Settings) -> Result<BTreeMap<String, Divided>, ScenarioError> {
        let own_way = |stack: &Stack| {
            let pools = stack.sharing.is_empty() && stack.standby.is_empty();
            let services = stack.gpu_part.is_empty() && stack.alternatives.is_empty();
            !(pools && services)
        };
        let stacks = settings.stack.iter().enumerate();
        let mut divided = BTreeMap::new();
        for (place, stack) in stacks.filter(|(_, stack)| own_way(stack)) {
            let (mut pools, mut services) = (settings.pool.clone(), settings.service.clone());
            for (name, sharing) in &stack.sharing {
                pools[name].sharing = Some(sharing.clone());
            }
            for (name, standby) in &stack.standby {
                pools[name].standby = Some(standby.clone());
            }
            for (name, part) in &stack.gpu_part {
                let service = &mut services[name];
                service.gpu_part = Some(part.clone());
                if let Some(llm) = &mut service.llm {
                    // That of whole GPUs, filled in before.
                    llm.kv_cache_tokens.clear();
                }
            }
            for (name, alternatives) in &stack.alternatives {
                let service = &mut services[name];
                service.alternatives = Some(alternatives.clone());
                if let Some(llm) = &mut service.llm {
                    llm.kv_cache_tokens.clear();
                }
            }
            let check = Check { stack: Some((place, stack)), ..*self };
            let mut pools = check.pools(&mut pools)?;
            check.daemon_sets(&settings.daemon_set, &mut pools)?;
            let (services, _) = check.services(&mut services, &pools)?;
            divided.insert(stack.name.clone(), Divided { pools, services });
        }
        Ok(divided)
    }

    /// There are services, jobs, or both.
    fn something_runs(&self, settings: &Settings) -> Result<(), ScenarioError> {
        if settings.job.is_empty() {
            self.not_empty("service", settings.service.len())
        } else {
            Ok(())
        }
    }

    fn not_empty(&self, table: &str, count: usize) -> Result<(), ScenarioError> {
        if count > 0 {
            return Ok(());
        }
        let problem = format!("found no {table}, expected one or more");
        Err(self.document.error(&[table.to_owned()], problem, None))
    }

    /// A delay by name or as written; `model` is what the replica serves, if it serves one.
    fn delay(
        &self,
        key: &KeyPath,
        setting: &DelaySetting,
        stage: Option<Stage>,
        model: Option<&Model>,
    ) -> Result<Delay, ScenarioError> {
        let distribution = match setting {
            DelaySetting::Written(distribution) => distribution,
            DelaySetting::Named(name) => &self.named_delay(key, name, stage)?.takes,
        };
        distribution
            .resolve(model)
            .map_err(|error| self.document.error(key, error.to_string(), None))
    }

    fn named_delay(
        &self,
        key: &KeyPath,
        name: &str,
        stage: Option<Stage>,
    ) -> Result<&'static DelayRow, ScenarioError> {
        let fits = |row: &DelayRow| stage.is_some_and(|stage| row.stage == stage);
        let known = self.catalogue.delays().iter().filter(|(_, row)| fits(row));
        match self.catalogue.delay(name) {
            Some(row) if fits(row) => Ok(row),
            _ if stage.is_none() => {
                let expected = "a delay written out, such as `{ fixed = \"10ms\" }`";
                Err(self.misfit(key, name, expected))
            }
            _ => Err(self.unknown(key, "delay", name, known.map(|(name, _)| name.as_str()))),
        }
    }

    fn control(&self, control: &Control) -> Result<ControlSpec, ScenarioError> {
        let at = |part: &str| vec!["control".to_owned(), part.to_owned()];
        if control.backoff_max < control.backoff_initial {
            let found = control.backoff_max.get().to_string();
            return Err(self.misfit(&at("backoff-max"), &found, "at least `backoff-initial`"));
        }
        self.scheduler(&at("scheduler"), &control.scheduler)?;
        Ok(ControlSpec {
            actuation: self.delay(&at("actuation"), &control.actuation, None, None)?,
            scheduling: self.delay(&at("scheduling"), &control.scheduling, None, None)?,
            queue: Queue {
                backoff_initial: control.backoff_initial.get(),
                backoff_max: control.backoff_max.get(),
                unschedulable_flush: control.unschedulable_flush.get(),
                flush_interval: control.flush_interval.get(),
            },
            profile: control.scheduler.clone(),
            ties: control.ties.into(),
        })
    }
}

impl Check<'_> {
    /// A packing strategy leaves nothing to the scores that it takes the place of.
    fn scheduler(&self, key: &KeyPath, profile: &Profile) -> Result<(), ScenarioError> {
        let Some(packing) = profile.packing else { return Ok(()) };
        let usual = Profile { packing: Some(packing), ..Profile::default() };
        let spare = match profile {
            it if it.allocation != usual.allocation => "allocation",
            it if it.balance != usual.balance => "balance",
            _ => return Ok(()),
        };
        let mut key = key.clone();
        key.push(spare.to_owned());
        let problem = format!("found `{spare}` beside `packing`, expected one of them");
        let hint = "a packing strategy takes the place of `allocation` and `balance`";
        Err(self.document.error(&key, problem, Some(hint.to_owned())))
    }
}

/// The bare value of an optional length.
fn bare(length: Option<Length>) -> Option<Micros> {
    length.map(Length::get)
}

/// Labels that every node has, with those of its pool.
fn node_labels(
    instance: &str,
    arch: &str,
    pool: &str,
    own: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let known = [
        ("node.kubernetes.io/instance-type", instance),
        ("kubernetes.io/arch", arch),
        ("pool", pool),
    ];
    let mut labels: BTreeMap<_, _> =
        known.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
    labels.extend(own.clone());
    labels
}
