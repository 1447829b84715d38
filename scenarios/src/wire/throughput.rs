//! How fast the work of jobs and plain services goes on each GPU model, and where it costs least.

use super::Check;
use crate::catalog::Workload;
use crate::document::{KeyPath, key};
use crate::error::ScenarioError;
use crate::settings::{Factor, Job, JobPrefer, Plain};
use crate::suggest::list;
use contract::{Constraints, GpuModel, PodSpec, Preference, Selector};
use placement::fits_fresh;
use sim_core::spec::{Pace, Paces, PoolSpec};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a job or a plain service says of its throughput, and where.
pub(super) struct Rated<'a> {
    table: KeyPath,
    workload: Option<&'a str>,
    reference: &'a mut Option<String>,
    factors: &'a mut BTreeMap<String, Factor>,
}

impl<'a> Rated<'a> {
    pub(super) fn job(name: &str, job: &'a mut Job) -> Self {
        Self {
            table: key(["job", name]),
            workload: job.workload.as_deref(),
            reference: &mut job.reference_gpu,
            factors: &mut job.throughput,
        }
    }

    pub(super) fn plain(name: &str, plain: &'a mut Plain) -> Self {
        Self {
            table: key(["service", name, "plain"]),
            workload: plain.workload.as_deref(),
            reference: &mut plain.reference_gpu,
            factors: &mut plain.throughput,
        }
    }

    fn at(&self, part: &str) -> KeyPath {
        self.table.iter().cloned().chain([part.to_owned()]).collect()
    }
}

impl Check<'_> {
    /// Paces on the GPU models that a pod may run on. Fills in names of GPUs, and what the catalogue says of the workload.
    pub(super) fn paces(
        &self,
        mut rated: Rated<'_>,
        pod: &PodSpec,
        pools: &[PoolSpec],
    ) -> Result<Paces, ScenarioError> {
        if let (None, Some(reference)) = (rated.workload, rated.reference.as_deref()) {
            let at = rated.at("reference-gpu");
            return Err(self.misfit(&at, reference, "it only beside `workload`"));
        }
        let said = match (rated.workload, rated.factors.is_empty()) {
            (None, true) => return Ok(Paces::default()),
            (Some(_), _) => "workload",
            (None, false) => "throughput",
        };
        if !pod.needs_gpus() {
            let problem = format!("found `{said}` of pods without GPUs, expected `gpus` above 0");
            return Err(self.document.error(&rated.at(said), problem, None));
        }
        self.own_names(&mut rated)?;
        let class = rated.workload.map(|name| self.workload(&rated, name)).transpose()?;
        if let Some(class) = class {
            self.fill_in(&mut rated, class, pod, pools)?;
        }
        let mut models = fitting(pod, pools).filter_map(|pool| pool.shape.gpu.as_ref());
        if let Some(gpu) = models.find(|gpu| !rated.factors.contains_key(&*gpu.0)) {
            return Err(self.unrated(&rated, gpu, class));
        }
        let pace =
            |(gpu, factor): (&String, &Factor)| (GpuModel(gpu.as_str().into()), factor.pace());
        Ok(rated.factors.iter().map(pace).collect())
    }

    /// Writes down the factors that a class has for GPUs of the pools, where none is given by hand.
    fn fill_in(
        &self,
        rated: &mut Rated<'_>,
        class: &Workload,
        pod: &PodSpec,
        pools: &[PoolSpec],
    ) -> Result<(), ScenarioError> {
        let of_reference = self.rate_of_reference(rated, class)?;
        let rates = class.rates();
        for gpu in fitting(pod, pools).filter_map(|pool| pool.shape.gpu.as_ref()) {
            let Some(rate) = rates.get(&*gpu.0) else { continue };
            let factor = Factor::try_from(rate / of_reference);
            let factor = factor.expect("tests compare all rates of a class");
            rated.factors.entry(gpu.to_string()).or_insert(factor);
        }
        Ok(())
    }

    /// Factors by hand stand under the catalogue's own names of GPUs.
    fn own_names(&self, rated: &mut Rated<'_>) -> Result<(), ScenarioError> {
        let mut own = BTreeMap::new();
        for (found, &factor) in &*rated.factors {
            let at = rated.at("throughput").into_iter().chain([found.clone()]).collect();
            let gpu = self.gpu_name(&at, found)?;
            if own.insert(gpu.to_owned(), factor).is_some() {
                let problem = format!("found a second factor of `{gpu}`, expected one");
                return Err(self.document.error(&at, problem, None));
            }
        }
        *rated.factors = own;
        Ok(())
    }

    fn gpu_name(&self, at: &KeyPath, found: &str) -> Result<&'static str, ScenarioError> {
        let known = self.catalogue.gpus().keys().map(String::as_str);
        let (name, _) =
            self.catalogue.gpu(found).ok_or_else(|| self.unknown(at, "GPU", found, known))?;
        Ok(name)
    }

    fn workload(&self, rated: &Rated<'_>, name: &str) -> Result<&'static Workload, ScenarioError> {
        let known = self.catalogue.workloads();
        known.get(name).ok_or_else(|| {
            let names = known.keys().map(String::as_str);
            self.unknown(&rated.at("workload"), "workload", name, names)
        })
    }

    /// The rate of the GPU that times are given for.
    fn rate_of_reference(
        &self,
        rated: &mut Rated<'_>,
        class: &Workload,
    ) -> Result<f64, ScenarioError> {
        let at = rated.at("reference-gpu");
        let rates = class.rates();
        let reference = rated.reference.get_or_insert_with(|| class.reference().to_owned());
        self.gpu_name(&at, reference)?.clone_into(reference);
        rates.get(reference.as_str()).copied().ok_or_else(|| {
            let expected = format!("one of {}", list(rates.keys().copied()));
            self.misfit(&at, reference, &expected)
        })
    }

    /// The pods may run on a GPU of which nothing is known.
    fn unrated(
        &self,
        rated: &Rated<'_>,
        gpu: &GpuModel,
        class: Option<&Workload>,
    ) -> ScenarioError {
        let Some(class) = class else {
            let problem = format!(
                "found no factor of `{gpu}`, expected one of each GPU that some pool has for its pods"
            );
            let hint = format!("add `{gpu}`, or keep pods off such nodes");
            return self.document.error(&rated.at("throughput"), problem, Some(hint));
        };
        let name = rated.workload.unwrap_or_default();
        let problem = format!(
            "found `{name}`, expected a class that was measured on `{gpu}`, which some pool has for its pods"
        );
        let hint = format!(
            "it was measured on {}; for others write `throughput = {{ {gpu} = FACTOR }}`, or keep pods off such nodes",
            list(class.rates().into_keys())
        );
        self.document.error(&rated.at("workload"), problem, Some(hint))
    }

    /// What a job's pods say so that the scheduler prefers the pools where its work costs least.
    pub(super) fn preferences(
        &self,
        name: &str,
        job: &Job,
        pod: &PodSpec,
        paces: &Paces,
        pools: &[PoolSpec],
    ) -> Result<Option<Arc<Constraints>>, ScenarioError> {
        if job.prefer == JobPrefer::Any {
            return Ok(None);
        }
        if !pod.needs_gpus() {
            let expected = "none for pods without GPUs";
            return Err(self.misfit(&key(["job", name, "prefer"]), "cheapest", expected));
        }
        let preferred_nodes = cheapest_first(pod, paces, pools);
        Ok(Some(Arc::new(Constraints { preferred_nodes, ..Constraints::default() })))
    }
}

/// The pools whose nodes can hold a pod.
fn fitting<'a>(pod: &PodSpec, pools: &'a [PoolSpec]) -> impl Iterator<Item = &'a PoolSpec> {
    pools.iter().filter(|pool| fits_fresh(pod, &pool.shape).is_ok())
}

/// Terms that prefer cheaper pools, in even steps of weight from the greatest, 100, down to none for the dearest. Even,
/// so that a small difference in price outweighs the other scores as much as a great one.
fn cheapest_first(pod: &PodSpec, paces: &Paces, pools: &[PoolSpec]) -> Vec<Preference<Selector>> {
    let mut costs: Vec<_> = fitting(pod, pools).map(|pool| cost_of_work(pool, paces)).collect();
    costs.sort_by(f64::total_cmp);
    costs.dedup();
    let steps = costs.len().saturating_sub(1);
    let term = |pool: &PoolSpec| {
        let cheaper = costs.partition_point(|&cost| cost < cost_of_work(pool, paces));
        let weight = (100 * (steps - cheaper)).checked_div(steps)?;
        let term = Selector::of_labels([("pool", &*pool.name)]);
        let weight = i32::try_from(weight).ok().filter(|&weight| weight > 0)?;
        Some(Preference { weight, term })
    };
    fitting(pod, pools).filter_map(term).collect()
}

/// What an hour of work on the reference GPU costs in a pool, USD for each GPU.
fn cost_of_work(pool: &PoolSpec, paces: &Paces) -> f64 {
    let pace = paces.on(pool.shape.gpu.as_ref());
    let gpu_hours = f64::from(Pace::REFERENCE.thousandths()) / f64::from(pace.thousandths());
    pool.price.0 / f64::from(pool.shape.allocatable.gpus) * gpu_hours
}
