//! The catalogue: instance types, GPUs, models, delays, step times and rates of work, embedded, each row with its source.
//!
//! The files under `scenarios/catalog/` are the data; to add a row, write it there.

mod allocatable;
pub mod calibration;
mod delays;
mod estimate;
mod gpus;
mod mig;
mod models;
mod nodes;
mod steps;
mod throughput;

use calibration::{HOST_OVERHEAD_MS, KV_READ_FACTOR, kv_capacity_tokens};
use contract::{Bytes, MigBoard};
use serde::de::DeserializeOwned;
use sim_core::llm::StepTables;
use std::collections::BTreeMap;
use std::sync::LazyLock;

pub use delays::{DelayConfidence, DelayRow, Distribution, DistributionError, Platform, Stage};
pub use gpus::Gpu;
pub use mig::{MigProfileRow, MigRow};
pub use models::{Model, Precision, UnknownPrecision};
pub use nodes::{Arch, Instance, InterruptionBand, PriceConfidence};
pub use steps::{Basis, Quality, StepRow};
pub use throughput::{MeasuredRates, Workload};

/// All tables of the catalogue.
#[derive(Debug)]
pub struct Catalogue {
    gpus: BTreeMap<String, Gpu>,
    mig_boards: BTreeMap<String, MigRow>,
    mig_sources: BTreeMap<String, String>,
    models: BTreeMap<String, Model>,
    instances: BTreeMap<String, Instance>,
    instance_sources: BTreeMap<String, String>,
    delays: BTreeMap<String, DelayRow>,
    platforms: BTreeMap<String, Platform>,
    rows: Vec<StepRow>,
    row_sources: BTreeMap<String, String>,
    workloads: BTreeMap<String, Workload>,
    workload_sources: BTreeMap<String, String>,
}

/// What the catalogue cannot answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogueError {
    /// No such model.
    #[error("the catalogue has no model `{0}`")]
    UnknownModel(String),
    /// No such GPU.
    #[error("the catalogue has no GPU `{0}`")]
    UnknownGpu(String),
    /// The model is not known in this format.
    #[error("the catalogue has no {precision} weights of `{model}`, only {known}")]
    UnknownPrecision {
        /// Which model.
        model: String,
        /// What was asked for.
        precision: Precision,
        /// What there is.
        known: String,
    },
    /// The weights leave no room for a KV cache.
    #[error("`{model}` in {precision} does not fit into {tp} × `{gpu}`")]
    DoesNotFit {
        /// Which model.
        model: String,
        /// In which format.
        precision: Precision,
        /// On which GPU.
        gpu: String,
        /// On how many.
        tp: u32,
    },
    /// The weights leave no room for a KV cache in parts of GPUs.
    #[error("`{model}` in {precision} does not fit into {tp} × {:.1} GiB of `{gpu}`", memory.as_gib_f64())]
    DoesNotFitPart {
        /// Which model.
        model: String,
        /// In which format.
        precision: Precision,
        /// On which GPU.
        gpu: String,
        /// On how many parts.
        tp: u32,
        /// Memory of each.
        memory: Bytes,
    },
    /// A mixture of experts without a measured row.
    #[error(
        "no step times of `{model}` in {precision} on {tp} × `{gpu}`, and estimates hold for dense models only"
    )]
    NoEstimate {
        /// Which model.
        model: String,
        /// In which format.
        precision: Precision,
        /// On which GPU.
        gpu: String,
        /// On how many.
        tp: u32,
    },
}

/// A model on a GPU, calibrated and ready for the engine.
#[derive(Clone, Debug, PartialEq)]
pub struct LlmFigures {
    /// Step times.
    pub steps: StepTables,
    /// Tokens that the KV cache of a replica holds.
    pub kv_capacity_tokens: u64,
    /// Weights of a replica.
    pub weights: Bytes,
    /// What the step times rest on.
    pub basis: Basis,
    /// Engine, version and source of the step times.
    pub source: String,
}

static EMBEDDED: LazyLock<Catalogue> = LazyLock::new(|| {
    let gpus: gpus::GpuFile = parse(include_str!("../../catalog/gpus.toml"));
    let mig: mig::MigFile = parse(include_str!("../../catalog/mig.toml"));
    let models: models::ModelFile = parse(include_str!("../../catalog/models.toml"));
    let nodes: nodes::NodeFile = parse(include_str!("../../catalog/nodes.toml"));
    let delays: delays::DelayFile = parse(include_str!("../../catalog/delays.toml"));
    let steps: steps::StepFile = parse(include_str!("../../catalog/llm.toml"));
    let rates: throughput::ThroughputFile = parse(include_str!("../../catalog/throughput.toml"));
    Catalogue {
        gpus: gpus.gpu,
        mig_boards: mig.board,
        mig_sources: mig.source,
        models: models.model,
        instances: nodes.instance,
        instance_sources: nodes.source,
        delays: delays.delay,
        platforms: delays.platform,
        rows: steps.row,
        row_sources: steps.source,
        workloads: rates.workload,
        workload_sources: rates.source,
    }
});

fn parse<T: DeserializeOwned>(text: &str) -> T {
    toml::from_str(text).expect("tests read every row of the embedded catalogue")
}

impl Catalogue {
    /// The catalogue that is compiled in.
    pub fn embedded() -> &'static Self {
        &EMBEDDED
    }

    /// A GPU by its name or an alias, with its name.
    pub fn gpu(&self, name: &str) -> Option<(&str, &Gpu)> {
        find(&self.gpus, name, |gpu| &gpu.aliases)
    }

    /// A model by its name or an alias, with its name.
    pub fn model(&self, name: &str) -> Option<(&str, &Model)> {
        find(&self.models, name, |model| &model.aliases)
    }

    /// An instance type by its provider's name.
    pub fn instance(&self, name: &str) -> Option<&Instance> {
        self.instances.get(name)
    }

    /// A delay by its name.
    pub fn delay(&self, name: &str) -> Option<&DelayRow> {
        self.delays.get(name)
    }

    /// A platform by its name.
    pub fn platform(&self, name: &str) -> Option<&Platform> {
        self.platforms.get(name)
    }

    /// All GPUs, by name.
    pub fn gpus(&self) -> &BTreeMap<String, Gpu> {
        &self.gpus
    }

    /// All MIG boards, by name.
    pub fn mig_boards(&self) -> &BTreeMap<String, MigRow> {
        &self.mig_boards
    }

    /// What MIG can cut a GPU model into, if it can.
    pub fn mig_board(&self, gpu: &str) -> Option<MigBoard> {
        let is_it = |row: &MigRow| row.gpus.iter().any(|model| model == gpu);
        let (name, row) = self.mig_boards.iter().find(|(_, row)| is_it(row))?;
        Some(row.board(name))
    }

    /// The full sources of a MIG board.
    pub fn mig_sources<'a>(&'a self, row: &'a MigRow) -> impl Iterator<Item = Option<&'a str>> {
        row.sources.iter().map(|key| self.mig_sources.get(key).map(String::as_str))
    }

    /// All models, by name.
    pub fn models(&self) -> &BTreeMap<String, Model> {
        &self.models
    }

    /// All instance types, by name.
    pub fn instances(&self) -> &BTreeMap<String, Instance> {
        &self.instances
    }

    /// All delays, by name.
    pub fn delays(&self) -> &BTreeMap<String, DelayRow> {
        &self.delays
    }

    /// All classes of work, by name.
    pub fn workloads(&self) -> &BTreeMap<String, Workload> {
        &self.workloads
    }

    /// The full source of rates of a class of work.
    pub fn rates_source(&self, rates: &MeasuredRates) -> Option<&str> {
        self.workload_sources.get(&rates.source).map(String::as_str)
    }

    /// All platforms, by name.
    pub fn platforms(&self) -> &BTreeMap<String, Platform> {
        &self.platforms
    }

    /// All step-time rows, in the order of the file.
    pub fn step_rows(&self) -> &[StepRow] {
        &self.rows
    }

    /// The full source of an instance type's figures.
    pub fn instance_source(&self, instance: &Instance) -> Option<&str> {
        self.instance_sources.get(&instance.source).map(String::as_str)
    }

    /// The full source of a step-time row.
    pub fn row_source(&self, row: &StepRow) -> Option<&str> {
        self.row_sources.get(&row.source).map(String::as_str)
    }

    /// Calibrated step times of a model on `tp` GPUs: those of [`Self::llm_figures`].
    pub fn step_tables(
        &self,
        model: &str,
        gpu: &str,
        tp: u32,
        precision: Precision,
    ) -> Result<StepTables, CatalogueError> {
        self.llm_figures(model, gpu, tp, precision).map(|figures| figures.steps)
    }

    /// Everything about a model on `tp` GPUs: from the best row that fits (quality A before B, then in the
    /// order of the file), else estimated from the GPU's data sheet.
    pub fn llm_figures(
        &self,
        model: &str,
        gpu: &str,
        tp: u32,
        precision: Precision,
    ) -> Result<LlmFigures, CatalogueError> {
        self.llm_figures_on_part(model, gpu, tp, precision, None)
    }

    /// The same on parts of `tp` GPUs with so much memory each: step times are those of whole GPUs, to be slowed down
    /// by what the part gets of their throughput; the KV cache is what the rule gives for the memory.
    pub fn llm_figures_on_part(
        &self,
        model: &str,
        gpu: &str,
        tp: u32,
        precision: Precision,
        part: Option<Bytes>,
    ) -> Result<LlmFigures, CatalogueError> {
        let (gpu_name, gpu) =
            self.gpu(gpu).ok_or_else(|| CatalogueError::UnknownGpu(gpu.to_owned()))?;
        let (name, model) =
            self.model(model).ok_or_else(|| CatalogueError::UnknownModel(model.to_owned()))?;
        let (Some(weights), Some(dense)) = (model.weights(precision), model.dense(precision))
        else {
            return Err(unknown_precision(name, model, precision));
        };
        let row = self.best_row(name, gpu_name, tp, precision);
        let by_rule = |memory: Bytes| {
            let memory = memory.as_gb_f64();
            kv_capacity_tokens(tp, memory, weights.as_gb_f64(), dense.kv_bytes_per_token)
        };
        let measured = row.and_then(|row| row.kv_capacity_tokens).filter(|_| part.is_none());
        let kv_capacity_tokens = measured.unwrap_or_else(|| by_rule(part.unwrap_or(gpu.memory)));
        if kv_capacity_tokens == 0 {
            let (model, gpu) = (name.to_owned(), gpu_name.to_owned());
            return Err(match part {
                None => CatalogueError::DoesNotFit { model, precision, gpu, tp },
                Some(memory) => {
                    CatalogueError::DoesNotFitPart { model, precision, gpu, tp, memory }
                }
            });
        }
        if row.is_none() && model.active_parameters.is_some() {
            let (model, gpu) = (name.to_owned(), gpu_name.to_owned());
            return Err(CatalogueError::NoEstimate { model, precision, gpu, tp });
        }
        let mut steps = estimate::step_tables(&dense, gpu, tp, precision);
        if let Some(row) = row {
            measured_over(row, &mut steps);
        }
        steps.kv_ms_per_token *= KV_READ_FACTOR;
        steps.host_ms += HOST_OVERHEAD_MS;
        let basis = row.map_or(Basis::Estimate, |row| Basis::Measured(row.quality));
        let source = row.map_or_else(
            || gpu.source.clone(),
            |row| format!("{}; {}", row.engine, self.row_source(row).unwrap_or(&row.source)),
        );
        Ok(LlmFigures { steps, kv_capacity_tokens, weights, basis, source })
    }

    fn best_row(&self, model: &str, gpu: &str, tp: u32, precision: Precision) -> Option<&StepRow> {
        let fits = |row: &&StepRow, precision: Precision| {
            row.model == model && row.gpu == gpu && row.tp == tp && row.precision == precision
        };
        precision.equivalents().iter().find_map(|&precision| {
            // `min_by_key` gives the first of equals.
            self.rows.iter().filter(|row| fits(row, precision)).min_by_key(|row| row.quality)
        })
    }
}

/// Replaces what is estimated by what a row has measured.
fn measured_over(row: &StepRow, steps: &mut StepTables) {
    steps.decode_ms.clone_from(&row.decode_ms);
    if !row.prefill_ms.is_empty() {
        steps.prefill_ms.clone_from(&row.prefill_ms);
    }
    steps.kv_ms_per_token = row.kv_ms_per_token.unwrap_or(steps.kv_ms_per_token);
    steps.chunk_context_ms = row.chunk_context_ms.unwrap_or(steps.chunk_context_ms);
}

fn unknown_precision(name: &str, model: &Model, precision: Precision) -> CatalogueError {
    let known: Vec<_> = model.weights.keys().map(|format| format!("`{format}`")).collect();
    CatalogueError::UnknownPrecision { model: name.to_owned(), precision, known: known.join(", ") }
}

fn find<'a, T>(
    table: &'a BTreeMap<String, T>,
    name: &str,
    aliases: impl Fn(&T) -> &Vec<String>,
) -> Option<(&'a str, &'a T)> {
    let entry = table.get_key_value(name).or_else(|| {
        table.iter().find(|(_, entry)| aliases(entry).iter().any(|alias| alias == name))
    });
    entry.map(|(name, entry)| (name.as_str(), entry))
}
