//! A cluster, a list of pods, and what each strategy makes of them.

use super::{Arrangement, PackingError};
use crate::Progress;
use placement::packing::{
    ClassId, Curve, GpuRequest, MOST_DEVICES, Meter, MilliGpu, NodeSpec, Packer, Pod, Strategy,
    StrategyCurves, TypicalPod, typical_pods,
};
use rayon::prelude::*;
use sim_core::random::Seed;
use std::collections::BTreeMap;
use std::path::Path;
use traces::{OpenbNode, OpenbPod};

/// A cluster and the pods that arrive there.
#[derive(Clone, Debug)]
pub struct Study {
    nodes: Vec<NodeSpec>,
    /// Places of nodes by name.
    node_places: BTreeMap<String, usize>,
    /// What pods ask for, each distinct request once.
    classes: Vec<Pod>,
    /// By pod: its class.
    class_of: Vec<usize>,
    /// Places of pods by name.
    pod_places: BTreeMap<String, usize>,
    typical: Vec<TypicalPod>,
    gpu_total: u64,
}

impl Study {
    /// Reads lists of nodes and pods in the layout of Alibaba's openb trace: plain, gzip or zstd.
    ///
    /// # Errors
    /// If a list cannot be read, or has no GPU.
    pub fn open(nodes: &Path, pods: &Path) -> Result<Self, PackingError> {
        let node_rows = traces::openb_nodes(nodes)?;
        let pod_rows = traces::openb_pods(pods)?;
        if let Some(row) = node_rows.iter().find(|row| row.gpus as usize > MOST_DEVICES) {
            let (path, node) = (nodes.to_owned(), row.name.clone());
            return Err(PackingError::TooManyGpus {
                path,
                node,
                found: row.gpus,
                most: MOST_DEVICES,
            });
        }
        let study = Self::of(&node_rows, &pod_rows);
        if study.gpu_total == 0 {
            return Err(PackingError::NoGpus { path: nodes.to_owned() });
        }
        if pod_rows.iter().all(|row| row.gpus == 0) {
            return Err(PackingError::NoGpuPods { path: pods.to_owned() });
        }
        Ok(study)
    }

    fn of(node_rows: &[OpenbNode], pod_rows: &[OpenbPod]) -> Self {
        let pods: Vec<_> = pod_rows.iter().map(pod).collect();
        let mut class_ids = BTreeMap::new();
        let mut classes = Vec::new();
        let mut class = |pod: &Pod| {
            *class_ids.entry(pod.clone()).or_insert_with(|| {
                classes.push(pod.clone());
                classes.len() - 1
            })
        };
        let class_of = pods.iter().map(&mut class).collect();
        Self {
            nodes: node_rows.iter().map(node).collect(),
            node_places: places(node_rows.iter().map(|row| &row.name)),
            typical: typical_pods(&pods),
            classes,
            class_of,
            pod_places: places(pod_rows.iter().map(|row| &row.name)),
            gpu_total: node_rows.iter().map(|row| u64::from(row.gpus * MilliGpu::WHOLE.0)).sum(),
        }
    }

    /// All GPUs, in thousandths of one.
    pub fn gpu_total(&self) -> u64 {
        self.gpu_total
    }

    /// How many nodes the cluster has.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// What a pod of the list asks for.
    pub(super) fn pod(&self, place: usize) -> &Pod {
        &self.classes[self.class_of[place]]
    }

    pub(super) fn pods_by_name(&self) -> Vec<usize> {
        self.pod_places.values().copied().collect()
    }

    pub(super) fn nodes_by_name(&self) -> Vec<usize> {
        self.node_places.values().copied().collect()
    }

    pub(super) fn node_name(&self, place: usize) -> &str {
        let found = self.node_places.iter().find(|(_, other)| **other == place);
        found.map_or("", |(name, _)| name)
    }

    pub(super) fn find_node(&self, name: &str) -> Option<usize> {
        self.node_places.get(name).copied()
    }

    /// A pod by its name, or by that of a clone: the pod's name, `-tuned-` and a number.
    pub(super) fn find_pod(&self, name: &str) -> Option<usize> {
        let find = |name: &str| self.pod_places.get(name).copied();
        find(name).or_else(|| {
            let (original, number) = name.rsplit_once("-tuned-")?;
            number.parse::<u64>().ok()?;
            find(original)
        })
    }

    /// Packs the pods of every arrangement with every strategy, in parallel: `threads` threads, or one for each
    /// core if that is zero. The result does not depend on it. `progress` is told how far each run is.
    ///
    /// # Errors
    /// If no thread can be started.
    pub fn pack(
        &self,
        strategies: &[Strategy],
        arrangements: &[Arrangement],
        threads: usize,
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Result<Vec<StrategyCurves>, PackingError> {
        let runs_of = |strategy: &Strategy| {
            let strategy = *strategy;
            (0..).zip(arrangements).map(move |run| (strategy, run))
        };
        let jobs: Vec<Job<'_>> = strategies.iter().flat_map(runs_of).collect();
        let fly = |(job, &(strategy, (run, arrangement))): (usize, &Job<'_>)| {
            let told = |fraction| {
                let (stack, jobs) = (strategy.name(), jobs.len());
                progress(Progress { stack, run, job, jobs, fraction });
            };
            self.run(strategy, arrangement, &told)
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|cause| PackingError::Threads { threads, cause })?;
        let curves: Vec<Curve> =
            pool.install(|| jobs.par_iter().with_max_len(1).enumerate().map(fly).collect());
        let mut curves = arrangements.iter().map(|it| it.seed).cycle().zip(curves);
        let mut of_strategy = |strategy: &Strategy| StrategyCurves {
            strategy: *strategy,
            runs: curves.by_ref().take(arrangements.len()).collect(),
        };
        Ok(strategies.iter().map(&mut of_strategy).collect())
    }

    /// One run: every pod is offered once, in order; one that fits nowhere is dropped.
    fn run(&self, strategy: Strategy, order: &Arrangement, told: &dyn Fn(f64)) -> Curve {
        let nodes: Vec<_> = order.nodes.iter().map(|place| self.nodes[*place].clone()).collect();
        let mut packer = Packer::new(strategy, &nodes, &self.typical)
            .expect("the list of nodes was checked for nodes with too many GPUs");
        let classes: Vec<ClassId> = self.classes.iter().map(|pod| packer.class_of(pod)).collect();
        let mut meter = Meter::new(self.gpu_total, packer.fragments());
        let seed = Seed { seed: order.seed, run: 0 };
        let step = order.pods.len().div_ceil(STEPS);
        for (arrival, pod) in (0_u64..).zip(&order.pods) {
            let class = classes[self.class_of[*pod]];
            let luck = seed.stream("packing-luck", arrival).bits();
            let placed = packer.place(class, luck).is_some();
            meter.record(packer.gpu_sum(class), placed, packer.fragments());
            if (arrival + 1).is_multiple_of(step as u64) {
                told(share(arrival + 1, order.pods.len()));
            }
        }
        told(1.0);
        meter.curve()
    }
}

/// A strategy, and an arrangement with its place among them.
type Job<'a> = (Strategy, (u32, &'a Arrangement));

/// How often a run tells how far it is.
const STEPS: usize = 100;

#[expect(clippy::cast_precision_loss, reason = "a share for a progress bar")]
fn share(done: u64, all: usize) -> f64 {
    done as f64 / all as f64
}

fn places<'a>(names: impl Iterator<Item = &'a String>) -> BTreeMap<String, usize> {
    names.cloned().zip(0..).collect()
}

fn node(row: &OpenbNode) -> NodeSpec {
    let OpenbNode { cpu, memory, gpus, .. } = *row;
    NodeSpec { model: row.model.clone(), cpu, memory, gpus }
}

fn pod(row: &OpenbPod) -> Pod {
    let gpu = GpuRequest::new(row.gpus, MilliGpu(row.gpu_milli), row.models.clone());
    Pod { cpu: row.cpu, memory: row.memory, gpu }
}
