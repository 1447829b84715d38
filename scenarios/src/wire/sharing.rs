//! GPUs that are divided: a pool's way of doing so, and what services may ask of it.

use super::Check;
use crate::catalog::Instance;
use crate::document::{KeyPath, key};
use crate::error::ScenarioError;
use crate::settings::{Mig, Pool, Replicas, Sharing};
use crate::suggest::list;
use contract::{
    Bytes, GpuMemory, GpuRequest, MigBoard, MigInstance, NodeShape, PodSpec, Sharing as Divided,
};
use placement::device::{self, MPS_CLIENTS, counters, mig};
use placement::fits_fresh;
use sim_core::delay::Delay;
use sim_core::spec::{DivisionSpec, PoolSpec};
use std::sync::Arc;

impl Check<'_> {
    /// How a pool's GPUs are divided, and how they then behave.
    pub(super) fn sharing(
        &self,
        name: &str,
        pool: &Pool,
        instance: &Instance,
    ) -> Result<(Divided, DivisionSpec), ScenarioError> {
        let Some(sharing) = &pool.sharing else {
            return Ok((Divided::Whole, DivisionSpec::default()));
        };
        let table = self.sharing_key(name);
        let at = |parts: &[&str]| -> KeyPath {
            table.iter().cloned().chain(parts.iter().map(|&part| part.to_owned())).collect()
        };
        let Some(gpu) = instance.gpu.as_deref() else {
            let problem =
                format!("found a way to share GPUs on `{}`, which has none", pool.instance);
            return Err(self.document.error(&at(&[]), problem, None));
        };
        let behaves = |interference: f64, order| DivisionSpec {
            interference,
            order,
            ..DivisionSpec::default()
        };
        Ok(match sharing {
            Sharing::TimeSliced(Replicas { replicas, interference, order }) => {
                (Divided::TimeSliced { replicas: *replicas }, behaves(interference.get(), *order))
            }
            Sharing::Mps(Replicas { replicas, interference, order }) => {
                self.mps_clients(&at(&["mps", "replicas"]), replicas.get())?;
                (Divided::Mps { replicas: *replicas }, behaves(interference.get(), *order))
            }
            Sharing::Mig(settings) => {
                let board = self.board(&at(&["mig"]), gpu)?;
                let layout = self.layout(&at(&["mig", "layout"]), &board, settings)?;
                let repartition = self.repartition(&at(&["mig", "repartition"]), settings)?;
                let dynamic = settings.repartition.is_some();
                let divided = Divided::Mig { board: Arc::new(board), layout, dynamic };
                (divided, DivisionSpec { repartition, ..behaves(0.0, settings.order) })
            }
            Sharing::Hami(settings) => {
                let scaling = settings.memory_scaling;
                if !(scaling.is_finite() && scaling > 0.0) {
                    let key = at(&["hami", "memory-scaling"]);
                    return Err(self.misfit(&key, &scaling.to_string(), "a factor above 0"));
                }
                let memory = scaled(self.memory_of(gpu), scaling);
                let divided = Divided::Hami { split: settings.split, memory };
                (divided, behaves(settings.interference.get(), settings.order))
            }
            Sharing::Milli(it) => (Divided::Milli, behaves(it.interference.get(), it.order)),
            Sharing::Burst(it) => (Divided::Burst, behaves(it.interference.get(), it.order)),
            Sharing::Dra(_) => {
                let board = self.board(&at(&["dra"]), gpu)?;
                let set = counters::of_board(&board, self.memory_of(gpu));
                (Divided::Counters(Arc::new(set)), DivisionSpec::default())
            }
        })
    }

    /// Where a pool's way of dividing GPUs stands: with the pool, or with the stack that has its own.
    fn sharing_key(&self, pool: &str) -> KeyPath {
        match self.stack {
            Some((place, stack)) if stack.sharing.contains_key(pool) => {
                key(["stack", &place.to_string(), "sharing", pool])
            }
            _ => key(["pool", pool, "sharing"]),
        }
    }

    /// Where the part that a service asks for stands, likewise.
    pub(super) fn part_key(&self, service: &str) -> KeyPath {
        match self.stack {
            _ if self.shape.is_some() => self.shape_key(service, &[], "gpu-part"),
            Some((place, stack)) if stack.gpu_part.contains_key(service) => {
                key(["stack", &place.to_string(), "gpu-part", service])
            }
            _ => key(["service", service, "gpu-part"]),
        }
    }

    /// Every GPU of the catalogue is of the Volta generation or newer.
    fn mps_clients(&self, key: &KeyPath, replicas: u32) -> Result<(), ScenarioError> {
        if replicas <= MPS_CLIENTS {
            return Ok(());
        }
        let expected = format!("at most {MPS_CLIENTS}, the clients of one MPS server");
        Err(self.misfit(key, &replicas.to_string(), &expected))
    }

    fn memory_of(&self, gpu: &str) -> Bytes {
        self.catalogue.gpu(gpu).expect("instances have GPUs of the catalogue").1.memory
    }

    fn board(&self, key: &KeyPath, gpu: &str) -> Result<MigBoard, ScenarioError> {
        self.catalogue.mig_board(gpu).ok_or_else(|| {
            let boards = self.catalogue.mig_boards().values();
            let known = boards.flat_map(|row| &row.gpus).map(String::as_str);
            let problem =
                format!("found `{gpu}`, which MIG cannot cut, expected one of {}", list(known));
            self.document.error(key, problem, None)
        })
    }

    /// The instances of a layout, which the board has and which fit on one GPU together.
    fn layout(
        &self,
        key: &KeyPath,
        board: &MigBoard,
        settings: &Mig,
    ) -> Result<Vec<MigInstance>, ScenarioError> {
        let mut places = Vec::new();
        for (index, name) in settings.layout.iter().enumerate() {
            let mut key = key.clone();
            key.push(index.to_string());
            places.push(self.profile(&key, board, name)?);
            if mig::layout(board, &places).is_none() {
                let beside = list(settings.layout[..index].iter().map(String::as_str));
                let problem = format!(
                    "found `{name}`, which has no place beside {beside}: `{}` has {} compute and {} memory slices",
                    board.name, board.compute_slices, board.memory_slices
                );
                let hint = "instances are runs of memory slices that begin at certain ones";
                return Err(self.document.error(&key, problem, Some(hint.to_owned())));
            }
        }
        Ok(mig::layout(board, &places).expect("checked name by name"))
    }

    fn profile(&self, key: &KeyPath, board: &MigBoard, name: &str) -> Result<u8, ScenarioError> {
        board.profile(name).ok_or_else(|| {
            let known = board.profiles.iter().map(|profile| &*profile.name);
            self.unknown(key, &format!("`{}` profile", board.name), name, known)
        })
    }

    fn repartition(&self, key: &KeyPath, settings: &Mig) -> Result<Delay, ScenarioError> {
        match &settings.repartition {
            None => Ok(DivisionSpec::default().repartition),
            Some(delay) => self.delay(key, delay, None, None),
        }
    }

    /// What a service asks of GPUs makes sense by itself.
    pub(super) fn gpu_part(&self, key: &KeyPath, part: &GpuRequest) -> Result<(), ScenarioError> {
        let at = |parts: &[&str]| -> KeyPath {
            key.iter().cloned().chain(parts.iter().map(|&part| part.to_owned())).collect()
        };
        match part {
            GpuRequest::Milli(part) if part.get() == 0 => {
                Err(self.misfit(&at(&["milli"]), "0", "thousandths of a GPU from 1"))
            }
            GpuRequest::Burst { request, limit } if limit < request || limit.get() == 0 => {
                let expected = format!("at least 1 and at least `request`, which is {request}");
                Err(self.misfit(&at(&["burst", "limit"]), &limit.to_string(), &expected))
            }
            &GpuRequest::Hami { cores, .. } if cores > 100 => {
                Err(self.misfit(&at(&["hami", "cores"]), &cores.to_string(), "per cent, 0 to 100"))
            }
            GpuRequest::Hami { memory: GpuMemory::Percent(percent @ (0 | 101..)), .. } => {
                let key = at(&["hami", "memory", "percent"]);
                Err(self.misfit(&key, &percent.to_string(), "per cent, 1 to 100"))
            }
            _ => Ok(()),
        }
    }

    /// Some pool divides its GPUs so that a replica gets what it asks for.
    pub(super) fn parts_somewhere(
        &self,
        key: &KeyPath,
        pod: &PodSpec,
        pools: &[PoolSpec],
    ) -> Result<(), ScenarioError> {
        let holding = pools.iter().filter(|pool| fits_fresh(pod, &pool.shape).is_ok());
        let refusals: Vec<_> =
            holding.map(|pool| (&pool.name, device::fit_fresh(pod, &pool.shape))).collect();
        let Some((pool, Err(shortage))) = refusals.iter().max_by_key(|(_, found)| found.is_ok())
        else {
            return Ok(());
        };
        let problem = format!("found no pool that gives a replica its GPUs; `{pool}`: {shortage}");
        let hint =
            "divide a pool's GPUs so under `sharing`, or ask for what a pool has under `gpu-part`";
        Err(self.document.error(key, problem, Some(hint.to_owned())))
    }
}

/// Memory that a replica has on each of its GPUs of a model: the least that a pool gives it.
pub(super) fn part_memory(
    pod: &PodSpec,
    gpu: &str,
    all: Bytes,
    pools: &[PoolSpec],
) -> Option<Bytes> {
    let of_model = |shape: &&NodeShape| shape.gpu.as_ref().is_some_and(|model| &*model.0 == gpu);
    let shapes = pools.iter().map(|pool| &*pool.shape).filter(of_model);
    let fitting = shapes.filter(|shape| fits_fresh(pod, shape).is_ok());
    fitting.filter_map(|shape| device::memory_fresh(pod, shape, all)).min()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "bytes times a small factor"
)]
fn scaled(memory: Bytes, factor: f64) -> Bytes {
    Bytes((memory.0 as f64 * factor) as u64)
}
