//! Services: what a replica serves, how it starts, and the gateway in front.

use super::sharing::part_memory;
use super::throughput::Rated;
use super::{Check, bare};
use crate::catalog::{Basis, CatalogueError, LlmFigures, Model, Stage};
use crate::document::{KeyPath, key};
use crate::error::ScenarioError;
use crate::settings::{
    Client, Gateway, Llm, Plain, Requests, Routing, Service, SloLimits, TimeoutOn,
};
use crate::suggest::list;
use contract::{Bytes, GpuModel, GpuRequest, Micros, PodSpec, Resources};
use indexmap::IndexMap;
use placement::{Misfit, fits_fresh};
use sim_core::delay::Delay;
use sim_core::llm::{EngineSettings, StepModel};
use sim_core::spec::{
    self, GatewaySpec, LlmVariant, Paces, PoolSpec, ServiceKind, ServiceSpec, Slo, StartupSpec,
};
use std::sync::Arc;
use traces::Traffic;

/// What `llm` or `plain` decides about a service.
struct Served {
    kind: ServiceKind,
    startup: StartupSpec,
    gpu_models: Vec<GpuModel>,
    /// GPUs of a replica.
    gpus: u32,
    introduction: String,
}

/// A pod that asks for parts of GPUs, and the pools that may give them.
struct Part<'a> {
    pod: PodSpec,
    pools: &'a [PoolSpec],
}

impl Part<'_> {
    /// How many parts a replica splits its model over.
    fn count(&self) -> u32 {
        self.pod.gpu_parts.as_ref().map_or(1, part_count)
    }
}

/// How many parts of GPUs a request is for.
pub(super) fn part_count(request: &GpuRequest) -> u32 {
    match request {
        GpuRequest::Hami { gpus: count, .. }
        | GpuRequest::Mig { count, .. }
        | GpuRequest::Claim { count, .. } => count.get(),
        _ => 1,
    }
}

impl Check<'_> {
    /// A replica is one container: the image that its constraints name is the one that is pulled.
    fn names_its_image(
        &self,
        name: &str,
        service: &Service,
        pulled: Bytes,
    ) -> Result<(), ScenarioError> {
        let images = service.constraints.as_ref().map_or(&[][..], |own| &own.images);
        let at = key(["service", name, "constraints", "images"]);
        match images {
            [] => Ok(()),
            [image] if image.size == pulled => Ok(()),
            [image] => {
                let expected = format!("{pulled}, the `image` that a replica pulls");
                Err(self.misfit(&at, &image.size.to_string(), &expected))
            }
            more => Err(self.misfit(&at, &more.len().to_string(), "one image, that of a replica")),
        }
    }

    pub(super) fn services(
        &self,
        services: &mut IndexMap<String, Service>,
        pools: &[PoolSpec],
    ) -> Result<(Vec<ServiceSpec>, Vec<String>), ScenarioError> {
        let wired = services.iter_mut().map(|(name, service)| self.service(name, service, pools));
        wired.collect()
    }

    pub(super) fn service(
        &self,
        name: &str,
        service: &mut Service,
        pools: &[PoolSpec],
    ) -> Result<(ServiceSpec, String), ScenarioError> {
        if let Some(alternatives) = &service.alternatives {
            return self.with_alternatives(name, service, alternatives, pools);
        }
        let probe_key = key(["service", name, "probe"]);
        let probe = self.delay(&probe_key, &service.probe, Some(Stage::Probe), None)?;
        let part = self.part(name, service, pools)?;
        let served = match (&mut service.llm, &service.plain) {
            (Some(llm), None) => self.llm(name, llm, probe, part.as_ref())?,
            (None, Some(plain)) => self.plain(name, plain, probe)?,
            (both, _) => {
                let found = if both.is_some() { "both" } else { "neither" };
                let problem = format!("found {found} of `llm` and `plain`, expected one of them");
                return Err(self.document.error(&key(["service", name]), problem, None));
            }
        };
        let pod = PodSpec {
            requests: Resources {
                cpu: service.requests.cpu,
                memory: service.requests.memory,
                gpus: if part.is_some() { 0 } else { served.gpus },
            },
            gpu_parts: service.gpu_part.clone(),
            gpu_models: served.gpu_models,
            node_selector: service.node_selector.clone(),
            tolerations: service.tolerations.clone(),
            priority: service.priority,
            constraints: service.constraints.clone().map(Arc::new),
            eviction: service.eviction,
        };
        self.names_its_image(name, service, served.startup.image)?;
        self.fits_somewhere(name, &pod, pools)?;
        if pod.needs_gpus() {
            self.parts_somewhere(&self.part_key(name), &pod, pools)?;
        }
        self.tokens_are_there(name, service)?;
        let mut kind = served.kind;
        if let (Some(plain), ServiceKind::Plain { paces, .. }) = (&mut service.plain, &mut kind) {
            *paces = self.paces(Rated::plain(name, plain), &pod, pools)?;
        }
        let spec = ServiceSpec {
            name: name.into(),
            pod: Arc::new(pod),
            alternatives: spec::Alternatives::default(),
            initial: service.initial,
            kind,
            startup: served.startup,
            gateway: gateway(&service.gateway, &service.client),
            slo: slo(&service.slo),
            grace: service.grace,
            disruption_budget: service.disruption_budget.as_ref().map(Into::into),
        };
        Ok((spec, served.introduction))
    }

    fn llm(
        &self,
        name: &str,
        llm: &mut Llm,
        probe: Delay,
        part: Option<&Part<'_>>,
    ) -> Result<Served, ScenarioError> {
        let at = |part: &str| self.shape_key(name, &["llm"], part);
        let (model_name, model) = self.catalogue.model(&llm.model).ok_or_else(|| {
            let known = self.catalogue.models().keys().map(String::as_str);
            self.unknown(&at("model"), "model", &llm.model, known)
        })?;
        llm.model = model_name.to_owned();
        if llm.gpus.is_empty() {
            return Err(self.misfit(&at("gpus"), "[]", "one GPU model or more"));
        }
        let mut variants = Vec::new();
        let mut figures_by_gpu = Vec::new();
        for place in 0..llm.gpus.len() {
            let (variant, figures) = self.variant(&at("gpus"), llm, place, part)?;
            figures_by_gpu.push(figures);
            variants.push(variant);
        }
        self.capacities_are_used(&at("kv-cache-tokens"), llm)?;
        if let Some(part) = part {
            self.suits_the_part(name, llm, part)?;
        }
        if llm.max_num_batched_tokens < llm.max_num_seqs {
            let found = llm.max_num_batched_tokens.to_string();
            let expected = format!("at least `max-num-seqs`, which is {}", llm.max_num_seqs);
            return Err(self.misfit(&at("max-num-batched-tokens"), &found, &expected));
        }
        let weights = *llm.weights.get_or_insert(figures_by_gpu[0].weights);
        let gpu_models = variants.iter().map(|variant| variant.gpu.clone()).collect();
        let startup = self.llm_startup(name, llm, model, weights, probe)?;
        let introduction = introduction(llm, &figures_by_gpu);
        let gpus = llm.tensor_parallel.get();
        let kind = ServiceKind::Llm { variants };
        Ok(Served { kind, startup, gpu_models, gpus, introduction })
    }

    /// The model on the `place`th of its GPUs; fills in the GPU's own name and the KV cache.
    fn variant(
        &self,
        key: &KeyPath,
        llm: &mut Llm,
        place: usize,
        part: Option<&Part<'_>>,
    ) -> Result<(LlmVariant, LlmFigures), ScenarioError> {
        let mut key = key.clone();
        key.push(place.to_string());
        let found = llm.gpus[place].clone();
        let (gpu, _) = self.catalogue.gpu(&found).ok_or_else(|| {
            let known = self.catalogue.gpus().keys().map(String::as_str);
            self.unknown(&key, "GPU", &found, known)
        })?;
        let tp = llm.tensor_parallel.get();
        let memory = part.and_then(|part| self.memory_of_part(part, gpu));
        let figures = self
            .catalogue
            .llm_figures_on_part(&llm.model, gpu, tp, llm.precision, memory)
            .map_err(|error| self.document.error(&key, error.to_string(), remedy(&error)))?;
        if found != gpu
            && let Some(tokens) = llm.kv_cache_tokens.swap_remove(&found)
        {
            llm.kv_cache_tokens.insert(gpu.to_owned(), tokens);
        }
        gpu.clone_into(&mut llm.gpus[place]);
        let kv_capacity_tokens = if part.is_some() {
            figures.kv_capacity_tokens
        } else {
            let capacity = llm.kv_cache_tokens.entry(gpu.to_owned());
            *capacity.or_insert(figures.kv_capacity_tokens)
        };
        let variant = LlmVariant {
            gpu: GpuModel(gpu.into()),
            model: Arc::new(StepModel::new(&figures.steps)),
            engine: EngineSettings {
                max_num_seqs: llm.max_num_seqs.get(),
                max_num_batched_tokens: llm.max_num_batched_tokens.get(),
                kv_capacity_tokens,
            },
        };
        Ok((variant, figures))
    }

    /// What a service asks for in place of whole GPUs, checked by itself.
    fn part<'a>(
        &self,
        name: &str,
        service: &Service,
        pools: &'a [PoolSpec],
    ) -> Result<Option<Part<'a>>, ScenarioError> {
        let Some(request) = &service.gpu_part else { return Ok(None) };
        self.gpu_part(&self.part_key(name), request)?;
        let Requests { cpu, memory } = service.requests;
        let pod = PodSpec {
            requests: Resources { cpu, memory, gpus: 0 },
            gpu_parts: Some(request.clone()),
            node_selector: service.node_selector.clone(),
            tolerations: service.tolerations.clone(),
            ..PodSpec::default()
        };
        Ok(Some(Part { pod, pools }))
    }

    /// Memory of the part that a replica gets of a GPU model; `None` if no pool gives it one.
    fn memory_of_part(&self, part: &Part<'_>, gpu: &str) -> Option<Bytes> {
        let (_, row) = self.catalogue.gpu(gpu)?;
        part_memory(&part.pod, gpu, row.memory, part.pools)
    }

    /// A replica has as many parts as it splits its model into, and the KV cache that they hold.
    fn suits_the_part(&self, name: &str, llm: &Llm, part: &Part<'_>) -> Result<(), ScenarioError> {
        let at = |part: &str| self.shape_key(name, &["llm"], part);
        let parts = part.count();
        if llm.tensor_parallel.get() != parts {
            let expected = format!("{parts}, the parts that `gpu-part` asks for");
            let found = llm.tensor_parallel.to_string();
            return Err(self.misfit(&at("tensor-parallel"), &found, &expected));
        }
        if llm.kv_cache_tokens.is_empty() {
            return Ok(());
        }
        let problem = "found the KV cache of whole GPUs beside `gpu-part`".to_owned();
        let hint = "leave it out: it is what the part's memory holds";
        Err(self.document.error(&at("kv-cache-tokens"), problem, Some(hint.to_owned())))
    }

    /// A KV cache is for a GPU that the service uses, and holds something.
    fn capacities_are_used(&self, key: &KeyPath, llm: &Llm) -> Result<(), ScenarioError> {
        for (gpu, &tokens) in &llm.kv_cache_tokens {
            let mut key = key.clone();
            key.push(gpu.clone());
            if !llm.gpus.contains(gpu) {
                return Err(self.unknown(&key, "GPU", gpu, llm.gpus.iter().map(String::as_str)));
            }
            if tokens == 0 {
                return Err(self.misfit(&key, "0", "a number of tokens from 1"));
            }
        }
        Ok(())
    }

    fn llm_startup(
        &self,
        name: &str,
        llm: &Llm,
        model: &Model,
        weights: Bytes,
        probe: Delay,
    ) -> Result<StartupSpec, ScenarioError> {
        let at = |part: &str| self.shape_key(name, &["llm"], part);
        let container_stage = Some(Stage::Container);
        Ok(StartupSpec {
            image: llm.image,
            container: self.delay(
                &at("container-start"),
                &llm.container_start,
                container_stage,
                Some(model),
            )?,
            weights,
            engine: self.delay(
                &at("engine-start"),
                &llm.engine_start,
                Some(Stage::Engine),
                Some(model),
            )?,
            probe,
        })
    }

    fn plain(&self, name: &str, plain: &Plain, probe: Delay) -> Result<Served, ScenarioError> {
        let at = |part: &str| key(["service", name, "plain", part]);
        let service_time = self.delay(&at("service-time"), &plain.service_time, None, None)?;
        let container = self.delay(
            &at("container-start"),
            &plain.container_start,
            Some(Stage::Container),
            None,
        )?;
        let startup = StartupSpec {
            image: plain.image,
            container,
            weights: Bytes(0),
            engine: Delay::Fixed(Micros::ZERO),
            probe,
        };
        let concurrency = plain.concurrency.get();
        let typical = service_time.typical();
        Ok(Served {
            kind: ServiceKind::Plain { service_time, concurrency, paces: Paces::default() },
            startup,
            gpu_models: Vec::new(),
            gpus: plain.gpus,
            introduction: format!("plain server, {concurrency} at a time, typically {typical}"),
        })
    }

    /// Generated requests to a language model have a prompt and an output.
    fn tokens_are_there(&self, name: &str, service: &Service) -> Result<(), ScenarioError> {
        let (Some(_), Traffic::Synthetic(traffic)) = (&service.llm, &service.traffic) else {
            return Ok(());
        };
        for (part, lengths) in [("prompt", &traffic.prompt), ("output", &traffic.output)] {
            if lengths.is_none() {
                let key = key(["service", name, "traffic", "synthetic", part]);
                let problem = format!("found no `{part}`, expected its length in tokens");
                let hint =
                    format!("write `{part} = {{ table = \"azure-2024-chat\" }}`, for example");
                return Err(self.document.error(&key, problem, Some(hint)));
            }
        }
        Ok(())
    }

    /// Some pool's node can hold a replica when it is empty.
    fn fits_somewhere(
        &self,
        name: &str,
        pod: &PodSpec,
        pools: &[PoolSpec],
    ) -> Result<(), ScenarioError> {
        let misfit = |pool: &PoolSpec| {
            fits_fresh(pod, &pool.shape).err().map(|misfit| (misfit, pool.shape.allocatable))
        };
        let misfits: Vec<_> = pools.iter().filter_map(misfit).collect();
        // The pool that came furthest in the order of the filters is the one that was meant.
        match misfits.iter().max() {
            Some(&(misfit, offered)) if misfits.len() == pools.len() => {
                Err(self.fits_nowhere(name, pod, misfit, offered))
            }
            _ => Ok(()),
        }
    }

    fn fits_nowhere(
        &self,
        name: &str,
        pod: &PodSpec,
        misfit: Misfit,
        offered: Resources,
    ) -> ScenarioError {
        let at = |table: &[&str]| -> KeyPath {
            ["service", name].iter().chain(table).map(|&part| part.to_owned()).collect()
        };
        let (key, problem, hint) = match misfit {
            Misfit::Taint | Misfit::Cordoned => (
                at(&["tolerations"]),
                "found no pool whose `taints` a replica tolerates".to_owned(),
                "tolerate a pool's taints, or add a pool without",
            ),
            Misfit::Selector => (
                at(&["node-selector"]),
                "found no pool with all of these labels".to_owned(),
                "pools have the labels `pool`, `node.kubernetes.io/instance-type`, \
                 `kubernetes.io/arch` and their own `labels`",
            ),
            Misfit::GpuModel => (
                self.shape_key(name, &["llm"], "gpus"),
                format!("found no pool with {}", list(pod.gpu_models.iter().map(|gpu| &*gpu.0))),
                "add a pool whose `instance` has such GPUs, or a GPU model that a pool has",
            ),
            Misfit::Resources(_) => (
                self.shape_key(name, &[], "requests"),
                format!("found a replica of {}, expected at most {offered}", pod.requests),
                "lower `requests` or `tensor-parallel`, or take a larger `instance`",
            ),
        };
        self.document.error(&key, problem, Some(hint.to_owned()))
    }
}

fn remedy(error: &CatalogueError) -> Option<String> {
    let hint = match error {
        CatalogueError::DoesNotFitPart { .. } => "ask for a larger part under `gpu-part`",
        CatalogueError::DoesNotFit { .. } => "raise `tensor-parallel` or take a larger GPU",
        CatalogueError::UnknownPrecision { .. } => "set `precision`",
        CatalogueError::NoEstimate { .. } => "take a GPU and `tensor-parallel` that were measured",
        _ => return None,
    };
    Some(hint.to_owned())
}

/// `Llama-3.1-8B in bf16 on L40S, 2 × H100-80GB-SXM (estimate from the data sheet)`.
fn introduction(llm: &Llm, figures: &[LlmFigures]) -> String {
    let tp = llm.tensor_parallel.get();
    let on_gpu = |(gpu, figures): (&String, &LlmFigures)| {
        let count = if tp == 1 { String::new() } else { format!("{tp} × ") };
        let doubt = match figures.basis {
            Basis::Measured(_) => String::new(),
            basis @ Basis::Estimate => format!(" ({basis})"),
        };
        format!("{count}{gpu}{doubt}")
    };
    let gpus: Vec<_> = llm.gpus.iter().zip(figures).map(on_gpu).collect();
    format!("{} in {} on {}", llm.model, llm.precision, gpus.join(", "))
}

fn gateway(gateway: &Gateway, client: &Client) -> GatewaySpec {
    GatewaySpec {
        routing: match gateway.routing {
            Routing::RoundRobin => spec::Routing::RoundRobin,
            Routing::LeastLoaded => spec::Routing::LeastLoaded,
            Routing::PowerOfTwo => spec::Routing::PowerOfTwo,
        },
        routing_scrape: gateway.routing_scrape.get(),
        queue_limit: gateway.queue_limit,
        timeout: bare(client.timeout),
        timeout_on: match client.timeout_on {
            TimeoutOn::FirstToken => spec::TimeoutOn::FirstToken,
            TimeoutOn::Response => spec::TimeoutOn::Response,
        },
        retries: client.retries,
        retry_backoff: client.retry_backoff,
    }
}

fn slo(limits: &SloLimits) -> Slo {
    Slo { ttft: bare(limits.ttft), tpot: bare(limits.tpot), e2e: bare(limits.e2e) }
}
