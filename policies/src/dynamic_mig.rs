//! Cuts idle GPUs into the MIG instances that pending pods ask for.
//!
//! ## What it does
//! Counts the instances that unschedulable pods lack, takes off those that are free or being cut on GPUs in use, lets the
//! instances of idle GPUs serve the rest, and cuts idle GPUs that serve nobody anew: the largest missing instance first, as
//! many as the board holds, and what is left into more of the smallest of them. The scheduler then places the pods.
//!
//! ## What it looks at
//! Unschedulable pods that ask for MIG devices, and the partition and the holders of every GPU that may be cut.
//!
//! ## Settings
//! `check-interval` is how often it looks when nothing happens; an unschedulable pod wakes it at once.
//!
//! ## Where it falls short
//! It moves nobody: a GPU with one small instance in use keeps its cut, however badly it suits those who wait. It sees no
//! demand before a pod is pending, so a pod waits for the cut as well as for its start.
//!
//! ## Source
//! What `nvidia-mig-manager` does on a label, with the layout worked out from pending pods as `nos` by nebuly (dynamic GPU
//! partitioning) does.

use crate::Invalid;
use crate::invalid::ensure;
use contract::{
    Action, Cadence, GpuRequest, GpuSeen, Micros, MigBoard, NodeSeen, NodeStage, Observation, Plan,
    PodSpec, Policy, Reason, Sharing, StateError, Subject,
};
use placement::device::mig;
use placement::{Candidate, fits};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Settings, as they stand under `[stack.gpus.dynamic-mig]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Settings {
    /// Time between two looks.
    pub check_interval: Micros,
}

impl Default for Settings {
    fn default() -> Self {
        Self { check_interval: Micros::from_secs(10) }
    }
}

impl Settings {
    /// Checks what types cannot.
    pub fn validate(&self) -> Result<(), Invalid> {
        let interval = self.check_interval;
        ensure(interval > Micros::ZERO, "check-interval", interval, "more than no time")
    }
}

/// The policy.
#[derive(Debug)]
pub(crate) struct DynamicMig {
    settings: Settings,
}

impl DynamicMig {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { settings }
    }
}

/// Instances that one pending pod still lacks.
struct Lack<'a> {
    spec: &'a PodSpec,
    profile: &'a Arc<str>,
    count: u32,
}

/// A GPU that may be cut.
struct Cuttable<'a> {
    node: Candidate<'a>,
    id: &'a NodeSeen,
    place: usize,
    gpu: &'a GpuSeen,
    board: &'a MigBoard,
}

impl Policy for DynamicMig {
    fn name(&self) -> &'static str {
        "dynamic-mig"
    }

    fn cadence(&self) -> Cadence {
        let every = self.settings.check_interval;
        Cadence { on_unschedulable: true, ..Cadence::regular(every, Micros::ZERO) }
    }

    fn decide(&mut self, seen: &Observation<'_>, plan: &mut Plan) {
        let mut lacks = lacks(seen);
        if lacks.is_empty() {
            return;
        }
        let (idle, in_use): (Vec<_>, Vec<_>) =
            cuttable(seen).partition(|it| it.gpu.is_idle() && !it.gpu.repartitioning);
        for gpu in &in_use {
            serve(gpu, &mut lacks);
        }
        let mut unused = Vec::new();
        for gpu in idle {
            if !serve(&gpu, &mut lacks) {
                unused.push(gpu);
            }
        }
        for gpu in unused {
            cut(&gpu, &mut lacks, plan);
        }
        let missing: u32 = lacks.iter().map(|lack| lack.count).sum();
        if missing > 0 {
            let reason = Reason::new("no idle GPU to cut").with("instances", f64::from(missing));
            plan.hold(Subject::Cluster, reason);
        }
    }

    fn save(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    fn restore(&mut self, _: serde_json::Value) -> Result<(), StateError> {
        Ok(())
    }
}

/// What unschedulable pods ask for, oldest first.
fn lacks<'a>(seen: &Observation<'a>) -> Vec<Lack<'a>> {
    let unschedulable = seen.pending.iter().filter(|pod| pod.unschedulable_since.is_some());
    let lack = |spec: &'a PodSpec| match &spec.gpu_parts {
        Some(GpuRequest::Mig { profile, count }) => {
            Some(Lack { spec, profile, count: count.get() })
        }
        _ => None,
    };
    unschedulable.filter_map(|pod| lack(&pod.spec)).collect()
}

/// GPUs of ready nodes that are cut on demand.
fn cuttable<'a>(seen: &Observation<'a>) -> impl Iterator<Item = Cuttable<'a>> {
    let ready = seen.nodes.iter().filter(|node| node.stage == NodeStage::Ready);
    let pools = seen.pools;
    ready.flat_map(move |node| {
        let shape = &pools[node.pool.index()].shape;
        let board = match &shape.sharing {
            Sharing::Mig { board, dynamic: true, .. } => Some(&**board),
            _ => None,
        };
        let pods = u32::try_from(node.pods.len()).unwrap_or(u32::MAX);
        let (used, cordoned) = (node.used, node.cordoned);
        let candidate = Candidate { shape, used, pods, cordoned };
        let gpus = node.gpus.iter().enumerate();
        gpus.filter_map(move |(place, gpu)| {
            Some(Cuttable { node: candidate, id: node, place, gpu, board: board? })
        })
    })
}

/// Free instances of a GPU, those under way included, go to those who lack them; true if any does.
fn serve(gpu: &Cuttable<'_>, lacks: &mut Vec<Lack<'_>>) -> bool {
    let settled = GpuSeen { repartitioning: false, ..gpu.gpu.clone() };
    let mut served = false;
    for instance in mig::free(&settled) {
        let name = &mig::profile_of(gpu.board, instance).name;
        let wants = |lack: &&mut Lack<'_>| {
            lack.profile == name && lack.count > 0 && fits(lack.spec, &gpu.node).is_ok()
        };
        if let Some(lack) = lacks.iter_mut().find(wants) {
            lack.count -= 1;
            served = true;
        }
    }
    lacks.retain(|lack| lack.count > 0);
    served
}

/// Cuts a GPU into what is lacking, as far as it goes: larger instances first, then older pods.
fn cut(gpu: &Cuttable<'_>, lacks: &mut Vec<Lack<'_>>, plan: &mut Plan) {
    let place = |lack: &Lack<'_>| {
        let fits = fits(lack.spec, &gpu.node).is_ok();
        gpu.board.profile(lack.profile).filter(|_| fits)
    };
    let slices = |profile: u8| gpu.board.profiles[usize::from(profile)].memory_slices;
    let mut order: Vec<_> =
        (0..lacks.len()).filter_map(|index| Some((index, place(&lacks[index])?))).collect();
    order.sort_by_key(|&(_, profile)| std::cmp::Reverse(slices(profile)));
    let mut chosen = Vec::new();
    for (index, profile) in order {
        while lacks[index].count > 0 {
            chosen.push(profile);
            if mig::layout(gpu.board, &chosen).is_none() {
                chosen.pop();
                break;
            }
            lacks[index].count -= 1;
        }
    }
    lacks.retain(|lack| lack.count > 0);
    let Some(&smallest) = chosen.last() else { return };
    let wanted = chosen.len();
    fill(gpu.board, &mut chosen, smallest);
    let name = |&profile: &u8| gpu.board.profiles[usize::from(profile)].name.clone();
    let action = Action::Repartition {
        node: gpu.id.id,
        gpu: u32::try_from(gpu.place).unwrap_or(u32::MAX),
        profiles: chosen.iter().map(name).collect(),
    };
    #[expect(clippy::cast_precision_loss, reason = "a handful of instances")]
    let instances = wanted as f64;
    plan.act(action, Reason::new("pending pods lack instances").with("instances", instances));
}

/// What is left of the GPU is cut into more of the same: nothing else can use it before the GPU is idle again.
fn fill(board: &MigBoard, chosen: &mut Vec<u8>, profile: u8) {
    while mig::layout(board, chosen).is_some() {
        chosen.push(profile);
    }
    chosen.pop();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{node, pod_spec, pool};
    use contract::{
        Bytes, GpuMilli, Held, Hold, Instant, MigInstance, MigProfile, Owner, PendingPod, PodId,
        ServiceId,
    };
    use std::num::NonZeroU32;

    /// Four slices: halves and quarters.
    fn board() -> MigBoard {
        let profile = |name: &str, slices: u8, starts: &[u8]| MigProfile {
            name: name.into(),
            compute_slices: slices,
            memory_slices: slices,
            memory: Bytes::from_gib(6),
            media: false,
            starts: starts.to_vec(),
            throughput: GpuMilli::one_of(4 / u32::from(slices)),
        };
        MigBoard {
            name: "board".into(),
            compute_slices: 4,
            memory_slices: 4,
            profiles: vec![profile("1g", 1, &[0, 1, 2, 3]), profile("2g", 2, &[0, 2])],
        }
    }

    /// A GPU with instances (profile, start), the first `held` of them in use.
    fn gpu(instances: &[(u8, u8)], held: usize) -> GpuSeen {
        let partition: Vec<_> =
            instances.iter().map(|&(profile, start)| MigInstance { profile, start }).collect();
        let hold = |&instance| Hold { pod: PodId(7), held: Held::Mig(instance) };
        let holds = partition[..held].iter().map(hold).collect();
        GpuSeen { partition, holds, repartitioning: false }
    }

    /// One node with these GPUs; pods that lack instances by profile and count; what is planned?
    #[track_caller]
    fn check(gpus: Vec<GpuSeen>, pods: &[(&str, u32)], expected: &str) {
        let mut pool = pool(0, "pool", 2, (0, 0, 1));
        let mut shape = contract::NodeShape::clone(&pool.shape);
        shape.sharing = Sharing::Mig { board: board().into(), layout: Vec::new(), dynamic: true };
        pool.shape = shape.into();
        let mut node = node(0, NodeStage::Ready, &[]);
        node.gpus = gpus;
        let pending: Vec<_> = (10..)
            .zip(pods)
            .map(|(id, &(profile, count))| {
                let count = NonZeroU32::new(count).expect("some");
                let parts = GpuRequest::Mig { profile: profile.into(), count };
                let spec = PodSpec { gpu_parts: Some(parts), ..pod_spec(0) };
                PendingPod {
                    id: PodId(id),
                    owner: Owner::Service(ServiceId(0)),
                    spec: spec.into(),
                    created: Instant::ZERO,
                    unschedulable_since: Some(Instant::ZERO),
                    nominated: None,
                }
            })
            .collect();
        let seen = Observation {
            now: Instant::ZERO,
            services: &[],
            pending: &pending,
            nodes: std::slice::from_ref(&node),
            pools: std::slice::from_ref(&pool),
        };
        let mut plan = Plan::default();
        DynamicMig::new(Settings::default()).decide(&seen, &mut plan);
        assert_eq!(plan.to_string().trim_end(), expected);
    }

    #[test]
    fn an_idle_gpu_is_cut_into_what_is_lacking_the_largest_first() {
        check(
            vec![gpu(&[], 0)],
            &[("1g", 1), ("2g", 1)],
            "repartition node=0 gpu=0 into=2g+1g+1g (pending pods lack instances: instances=2)",
        );
    }

    #[test]
    fn what_is_free_needs_no_cut() {
        check(vec![gpu(&[(1, 0), (0, 2)], 1)], &[("1g", 1)], "");
        check(vec![gpu(&[(1, 0), (1, 2)], 0)], &[("2g", 2)], "");
        let under_way = GpuSeen { repartitioning: true, ..gpu(&[(1, 0)], 0) };
        check(vec![under_way], &[("2g", 1)], "");
    }

    #[test]
    fn a_gpu_in_use_keeps_its_cut() {
        check(
            vec![gpu(&[(0, 0)], 1)],
            &[("2g", 1)],
            "hold Cluster (no idle GPU to cut: instances=1)",
        );
    }

    #[test]
    fn an_idle_gpu_that_serves_somebody_is_left_to_do_so() {
        check(
            vec![gpu(&[(1, 0), (1, 2)], 0), gpu(&[(1, 0), (1, 2)], 0)],
            &[("2g", 1), ("1g", 3)],
            "repartition node=0 gpu=1 into=1g+1g+1g+1g (pending pods lack instances: instances=3)",
        );
    }

    #[test]
    fn more_than_a_gpu_holds_goes_to_the_next_and_the_rest_is_said() {
        check(
            vec![gpu(&[], 0)],
            &[("2g", 3)],
            "repartition node=0 gpu=0 into=2g+2g (pending pods lack instances: instances=2)\n\
             hold Cluster (no idle GPU to cut: instances=1)",
        );
        check(vec![], &[], "");
    }
}
