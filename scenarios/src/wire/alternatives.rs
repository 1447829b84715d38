//! Services whose replicas may have one of several shapes, and which of the shapes is the cheapest.

use super::Check;
use crate::document::{KeyPath, key};
use crate::error::ScenarioError;
use crate::settings::{Alternatives, PlannedLoad, Prefer, Service, Shape};
use contract::Micros;
use placement::{device, fits_fresh};
use sim_core::llm::Steady;
use sim_core::spec::{self, LlmVariant, PoolSpec, ReplicaShape, ServiceKind, ServiceSpec, Slo};

impl Check<'_> {
    /// A service with alternatives: a specification whose first shape is the preferred one.
    pub(super) fn with_alternatives(
        &self,
        name: &str,
        service: &Service,
        alternatives: &Alternatives,
        pools: &[PoolSpec],
    ) -> Result<(ServiceSpec, String), ScenarioError> {
        self.leaves_shapes_to_the_list(name, service, alternatives)?;
        let mut shapes = Vec::new();
        for (place, shape) in alternatives.any_of.iter().enumerate() {
            let check = Check { shape: Some(place), ..*self };
            shapes.push(check.service(name, &mut in_shape(service, shape), pools)?);
        }
        if let Prefer::CheapestThatMeetsSlo(load) = &alternatives.prefer {
            self.has_limits(name, service)?;
            let cost = |(spec, _): &(ServiceSpec, _)| cost(spec, load, pools);
            // Stable: what meets no SLO, or costs the same, stays in the order of the list.
            shapes.sort_by(|one, other| cost(one).total_cmp(&cost(other)));
        }
        let introductions: Vec<_> = shapes.iter().map(|(_, about)| about.as_str()).collect();
        let introduction = introductions.join(", else ");
        let mut specs = shapes.into_iter().map(|(spec, _)| spec);
        let mut first = specs.next().expect("the list is not empty");
        first.alternatives = spec::Alternatives {
            shapes: specs.map(as_shape).collect(),
            fallback_after: alternatives.fallback_after.get(),
        };
        Ok((first, introduction))
    }

    /// Where the alternatives of a service stand: with it, or with the stack that has its own.
    pub(super) fn alternatives_key(&self, name: &str) -> KeyPath {
        match self.stack {
            Some((place, stack)) if stack.alternatives.contains_key(name) => {
                key(["stack", &place.to_string(), "alternatives", name])
            }
            _ => key(["service", name, "alternatives"]),
        }
    }

    /// Where something about a replica stands: with the shape that is looked at, if it is one of several, otherwise in
    /// this table of the service.
    pub(super) fn shape_key(&self, name: &str, table: &[&str], part: &str) -> KeyPath {
        let Some(place) = self.shape else {
            return [&["service", name], table, &[part]]
                .concat()
                .into_iter()
                .map(str::to_owned)
                .collect();
        };
        let mut key = self.alternatives_key(name);
        key.extend(["any-of", &place.to_string(), part].map(str::to_owned));
        key
    }

    fn leaves_shapes_to_the_list(
        &self,
        name: &str,
        service: &Service,
        alternatives: &Alternatives,
    ) -> Result<(), ScenarioError> {
        let mut at = self.alternatives_key(name);
        let Some(llm) = &service.llm else {
            return Err(self.misfit(&at, "plain", "a service with `llm`"));
        };
        if alternatives.any_of.is_empty() {
            at.push("any-of".to_owned());
            return Err(self.misfit(&at, "[]", "one shape or more"));
        }
        let spare = match (&service.gpu_part, llm.kv_cache_tokens.is_empty()) {
            (Some(_), _) => self.part_key(name),
            (None, false) => key(["service", name, "llm", "kv-cache-tokens"]),
            (None, true) => return Ok(()),
        };
        let problem = "found it beside `alternatives`, expected one of them".to_owned();
        let hint = "every shape has its own `gpu-part`, and the KV cache that fits on it";
        Err(self.document.error(&spare, problem, Some(hint.to_owned())))
    }

    fn has_limits(&self, name: &str, service: &Service) -> Result<(), ScenarioError> {
        let slo = &service.slo;
        if slo.ttft.or(slo.tpot).or(slo.e2e).is_some() {
            return Ok(());
        }
        let mut at = self.alternatives_key(name);
        at.push("prefer".to_owned());
        Err(self.misfit(&at, "cheapest-that-meets-slo", "`in-order` for a service without `slo`"))
    }
}

/// The service as if this were the only shape of its replicas.
fn in_shape(service: &Service, shape: &Shape) -> Service {
    let mut own = service.clone();
    own.alternatives = None;
    own.gpu_part.clone_from(&shape.gpu_part);
    own.requests = shape.requests.unwrap_or(own.requests);
    if let Some(llm) = &mut own.llm {
        if !shape.gpus.is_empty() {
            llm.gpus.clone_from(&shape.gpus);
        }
        llm.tensor_parallel = shape.tensor_parallel.unwrap_or(llm.tensor_parallel);
        if let Some(precision) = shape.precision {
            llm.precision = precision;
            // Another copy has another size.
            llm.weights = None;
        }
    }
    own
}

fn as_shape(spec: ServiceSpec) -> ReplicaShape {
    ReplicaShape { pod: spec.pod, kind: spec.kind, startup: spec.startup }
}

/// What replicas of this shape for a load cost, USD/h, in the pool that does it for least; infinite if none keeps the
/// SLO. A replica costs the part of a node that its GPUs are.
fn cost(spec: &ServiceSpec, load: &PlannedLoad, pools: &[PoolSpec]) -> f64 {
    let in_pool = |pool: &PoolSpec| {
        fits_fresh(&spec.pod, &pool.shape).ok()?;
        let milli = device::milli_fresh(&spec.pod, &pool.shape)?;
        let ServiceKind::Llm { variants } = &spec.kind else { return None };
        let is_here = |variant: &&LlmVariant| Some(&variant.gpu) == pool.shape.gpu.as_ref();
        let variant = variants.iter().find(is_here)?;
        let rate = rate_of(variant, part_of_each(spec, milli), load, &spec.slo);
        let replicas = (load.rate.get() / rate).ceil().max(1.0);
        let of_node = f64::from(milli) / (1000.0 * f64::from(pool.shape.allocatable.gpus));
        Some(replicas * of_node * pool.price.0)
    };
    pools.iter().filter_map(in_pool).min_by(f64::total_cmp).unwrap_or(f64::INFINITY)
}

/// How much of each of its GPUs a replica has, 0 to 1.
fn part_of_each(spec: &ServiceSpec, milli: u32) -> f64 {
    let gpus = match &spec.pod.gpu_parts {
        None => spec.pod.requests.gpus,
        Some(part) => super::services::part_count(part),
    };
    f64::from(milli) / (1000.0 * f64::from(gpus))
}

/// Requests a second that one replica serves within the SLO. On a part of a GPU everything takes longer in proportion.
fn rate_of(variant: &LlmVariant, part: f64, load: &PlannedLoad, slo: &Slo) -> f64 {
    let (prompt, output) = (load.prompt.get(), load.output.get());
    let keeps = |steady: Steady| {
        let (ttft, tpot) = (steady.ttft.as_secs_f64() / part, steady.tpot.as_secs_f64() / part);
        let e2e = ttft + f64::from(output - 1) * tpot;
        let within = |took: f64, limit: Option<Micros>| {
            limit.is_none_or(|limit| took <= limit.as_secs_f64())
        };
        within(ttft, slo.ttft) && within(tpot, slo.tpot) && within(e2e, slo.e2e)
    };
    part * variant.model.greatest_rate(&variant.engine, (prompt, output), keeps)
}
