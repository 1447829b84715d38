//! Cuts GPUs into the MIG instances that pending pods ask for: idle ones, and ones that it empties on purpose.
//!
//! ## What it does
//! Counts the instances that unschedulable pods lack, takes off those that are free or being cut on GPUs in use, lets the
//! instances of idle GPUs serve the rest, and cuts idle GPUs that serve nobody anew: the largest missing instance first, as
//! many as the board holds, and what is left into more of the smallest of them. The scheduler then places the pods.
//!
//! When a pod has lacked an instance for `move-after` and no idle GPU helps, it has one GPU emptied and cut anew: of those
//! that could then hold a missing instance beside the pods that find no free instance elsewhere, the one with the fewest
//! pods to move. One GPU at a time, and never the last ready replica of a service.
//!
//! ## What it looks at
//! Unschedulable pods that ask for MIG devices, the partition and the holders of every GPU that may be cut, and how many
//! replicas of the holders' services are ready.
//!
//! ## Settings
//! `check-interval` is how often it looks when nothing happens; an unschedulable pod wakes it at once. `move-after` is how
//! long a pod waits before others are moved for it.
//!
//! ## Where it falls short
//! A pod that is moved finishes its work within its grace and starts anew elsewhere: capacity is lost meanwhile, and where
//! its replacement goes is the scheduler's choice. It sees no demand before a pod is pending, so a pod waits for the cut as
//! well as for its start.
//!
//! ## Source
//! What `nvidia-mig-manager` does on a label, with the layout worked out from pending pods as `nos` by nebuly (dynamic GPU
//! partitioning) does. Emptying a GPU is neither's: both wait for idle ones.

use crate::Invalid;
use crate::invalid::ensure;
use contract::{
    Action, Cadence, GpuRequest, GpuSeen, Held, Hold, Instant, Micros, MigBoard, MigInstance,
    NodeId, NodeSeen, NodeStage, Observation, PendingPod, Plan, PodSpec, Policy, Reason, Sharing,
    StateError, Subject,
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
    /// How long a pod lacks an instance before others are moved for it.
    pub move_after: Micros,
}

impl Default for Settings {
    fn default() -> Self {
        // Long enough for a pod that is on its way out to leave a GPU idle; a choice.
        Self { check_interval: Micros::from_secs(10), move_after: Micros::from_secs(30) }
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
    since: Instant,
}

/// A GPU that may be cut.
struct Cuttable<'a> {
    node: Candidate<'a>,
    id: &'a NodeSeen,
    place: usize,
    gpu: &'a GpuSeen,
    board: &'a MigBoard,
}

/// A free instance that no pending pod needs: where it is, and of which profile.
struct Spare<'a> {
    node: NodeId,
    gpu: usize,
    profile: &'a Arc<str>,
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
            cuttable(seen).partition(|it| it.gpu.is_idle() && it.gpu.takes_pods());
        let mut spares = Vec::new();
        for gpu in &in_use {
            serve(gpu, &mut lacks, &mut spares);
        }
        let mut unused = Vec::new();
        for gpu in idle {
            if !serve(&gpu, &mut lacks, &mut spares) {
                unused.push(gpu);
            }
        }
        for gpu in unused {
            cut(&gpu, &mut lacks, plan);
        }
        let is_patient = |lack: &Lack<'_>| seen.now.since(lack.since) < self.settings.move_after;
        let is_emptied = |it: &Cuttable<'_>| !it.gpu.ordered.is_empty();
        if !lacks.iter().all(is_patient) && !in_use.iter().any(is_emptied) {
            empty_one(&in_use, &spares, seen, &mut lacks, plan);
        }
        let missing: u32 = lacks.iter().map(|lack| lack.count).sum();
        if missing > 0 {
            let reason = Reason::new("no GPU to cut").with("instances", f64::from(missing));
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
    let lack = |pod: &'a PendingPod| match &pod.spec.gpu_parts {
        Some(GpuRequest::Mig { profile, count }) => {
            let since = pod.unschedulable_since?;
            Some(Lack { spec: &pod.spec, profile, count: count.get(), since })
        }
        _ => None,
    };
    seen.pending.iter().filter_map(lack).collect()
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

/// Free instances of a GPU, those under way included, go to those who lack them, the others to the spare ones; true if
/// any went to who lacks it.
fn serve<'a>(gpu: &Cuttable<'a>, lacks: &mut Vec<Lack<'_>>, spares: &mut Vec<Spare<'a>>) -> bool {
    let mut served = false;
    for instance in free_or_under_way(gpu.gpu) {
        let profile = &mig::profile_of(gpu.board, instance).name;
        let wants = |lack: &&mut Lack<'_>| {
            lack.profile == profile && lack.count > 0 && fits(lack.spec, &gpu.node).is_ok()
        };
        if let Some(lack) = lacks.iter_mut().find(wants) {
            lack.count -= 1;
            served = true;
        } else if gpu.gpu.takes_pods() {
            spares.push(Spare { node: gpu.id.id, gpu: gpu.place, profile });
        }
    }
    lacks.retain(|lack| lack.count > 0);
    served
}

fn free_or_under_way(gpu: &GpuSeen) -> Vec<MigInstance> {
    if !gpu.ordered.is_empty() {
        return gpu.ordered.clone();
    }
    mig::free(&GpuSeen { repartitioning: false, ..gpu.clone() }).collect()
}

/// Has the GPU emptied and cut anew whose pods are the fewest to move, of those where that helps.
fn empty_one(
    in_use: &[Cuttable<'_>],
    spares: &[Spare<'_>],
    seen: &Observation<'_>,
    lacks: &mut Vec<Lack<'_>>,
    plan: &mut Plan,
) {
    let helps = |gpu: &&Cuttable<'_>| {
        let mut chosen = staying(gpu, spares);
        may_be_emptied(gpu, seen)
            && mig::layout(gpu.board, &chosen).is_some()
            && !choose(gpu, lacks, &mut chosen).is_empty()
    };
    let pods = |gpu: &&Cuttable<'_>| gpu.gpu.holds.len();
    if let Some(gpu) = in_use.iter().filter(helps).min_by_key(pods) {
        let chosen = staying(gpu, spares);
        let moved = float(gpu.gpu.holds.len());
        let reason = Reason::new("pods move for those who lack instances").with("moved", moved);
        order(gpu, chosen, lacks, plan, reason);
    }
}

/// Whether pods hold nothing but instances of it, and every service keeps a ready replica without them.
fn may_be_emptied(gpu: &Cuttable<'_>, seen: &Observation<'_>) -> bool {
    let holds = &gpu.gpu.holds;
    let owner =
        |hold: &Hold| gpu.id.pods.iter().find(|placed| placed.id == hold.pod)?.owner.service();
    let keeps_one = |hold: &Hold| {
        let Some(service) = owner(hold) else { return false };
        let moving = holds.iter().filter(|other| owner(other) == Some(service)).count();
        seen.services[service.index()].replicas.ready as usize > moving
    };
    let is_instance = |hold: &Hold| matches!(hold.held, Held::Mig(_));
    gpu.gpu.takes_pods() && holds.iter().all(|hold| is_instance(hold) && keeps_one(hold))
}

/// Profiles of the pods that would find no other place if a GPU were emptied.
fn staying(gpu: &Cuttable<'_>, spares: &[Spare<'_>]) -> Vec<u8> {
    let elsewhere = |spare: &&Spare<'_>| (spare.node, spare.gpu) != (gpu.id.id, gpu.place);
    let mut spares: Vec<_> = spares.iter().filter(elsewhere).map(|spare| spare.profile).collect();
    let held = gpu.gpu.holds.iter().filter_map(|hold| match hold.held {
        Held::Mig(instance) => Some(instance),
        _ => None,
    });
    let mut staying = Vec::new();
    for instance in held {
        let name = &mig::profile_of(gpu.board, instance).name;
        match spares.iter().position(|spare| *spare == name) {
            Some(place) => drop(spares.swap_remove(place)),
            None => staying.push(instance.profile),
        }
    }
    staying
}

/// Cuts an idle GPU into what is lacking, as far as it goes.
fn cut(gpu: &Cuttable<'_>, lacks: &mut Vec<Lack<'_>>, plan: &mut Plan) {
    order(gpu, Vec::new(), lacks, plan, Reason::new("pending pods lack instances"));
}

/// Orders a cut into these instances and as many of those that are lacking as fit beside them.
fn order(
    gpu: &Cuttable<'_>,
    mut chosen: Vec<u8>,
    lacks: &mut Vec<Lack<'_>>,
    plan: &mut Plan,
    reason: Reason,
) {
    let served = choose(gpu, lacks, &mut chosen);
    let slices = |&&profile: &&u8| gpu.board.profiles[usize::from(profile)].memory_slices;
    let Some(&smallest) = chosen.iter().min_by_key(slices) else { return };
    for &index in &served {
        lacks[index].count -= 1;
    }
    lacks.retain(|lack| lack.count > 0);
    fill(gpu.board, &mut chosen, smallest);
    let name = |&profile: &u8| gpu.board.profiles[usize::from(profile)].name.clone();
    let action = Action::Repartition {
        node: gpu.id.id,
        gpu: u32::try_from(gpu.place).unwrap_or(u32::MAX),
        profiles: chosen.iter().map(name).collect(),
    };
    plan.act(action, reason.with("instances", float(served.len())));
}

/// Adds instances that are lacking as long as they fit: larger ones first, then those of older pods. Gives the lacks that
/// they are for, by place, each as often as it gets one.
fn choose(gpu: &Cuttable<'_>, lacks: &[Lack<'_>], chosen: &mut Vec<u8>) -> Vec<usize> {
    let place = |lack: &Lack<'_>| {
        let fits = fits(lack.spec, &gpu.node).is_ok();
        gpu.board.profile(lack.profile).filter(|_| fits)
    };
    let slices = |profile: u8| gpu.board.profiles[usize::from(profile)].memory_slices;
    let mut order: Vec<_> =
        (0..lacks.len()).filter_map(|index| Some((index, place(&lacks[index])?))).collect();
    order.sort_by_key(|&(_, profile)| std::cmp::Reverse(slices(profile)));
    let mut served = Vec::new();
    for (index, profile) in order {
        for _ in 0..lacks[index].count {
            chosen.push(profile);
            if mig::layout(gpu.board, chosen).is_none() {
                chosen.pop();
                break;
            }
            served.push(index);
        }
    }
    served
}

#[expect(clippy::cast_precision_loss, reason = "a handful of instances")]
fn float(count: usize) -> f64 {
    count as f64
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
    use crate::samples::{node, pod_spec, pool, service};
    use contract::{Bytes, GpuMilli, MigProfile, Owner, PlacedPod, PodId, ServiceId};
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
        GpuSeen { partition, holds, ..GpuSeen::default() }
    }

    /// One node with these GPUs; pods that lack instances by profile and count; what is planned?
    #[track_caller]
    fn check(gpus: Vec<GpuSeen>, pods: &[(&str, u32)], expected: &str) {
        check_after(Micros::ZERO, 1, gpus, pods, expected);
    }

    /// The same when they have lacked them for so long, and so many replicas of the holders' service are ready.
    #[track_caller]
    fn check_after(
        waited: Micros,
        ready: u32,
        gpus: Vec<GpuSeen>,
        pods: &[(&str, u32)],
        expected: &str,
    ) {
        let mut pool = pool(0, "pool", 2, (0, 0, 1));
        let mut shape = contract::NodeShape::clone(&pool.shape);
        shape.sharing = Sharing::Mig { board: board().into(), layout: Vec::new(), dynamic: true };
        pool.shape = shape.into();
        let mut node = node(0, NodeStage::Ready, &[]);
        node.gpus = gpus;
        let placed = |id| PlacedPod {
            id,
            owner: Owner::Service(ServiceId(0)),
            spec: pod_spec(0).into(),
            created: Instant::ZERO,
        };
        node.pods = node.gpus.iter().flat_map(|gpu| &gpu.holds).map(|it| placed(it.pod)).collect();
        let service = service(ready, ready);
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
            now: Instant::ZERO + waited,
            services: std::slice::from_ref(&service),
            pending: &pending,
            nodes: std::slice::from_ref(&node),
            pools: std::slice::from_ref(&pool),
            provisioning: &[],
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
        check(vec![gpu(&[(0, 0)], 1)], &[("2g", 1)], "hold Cluster (no GPU to cut: instances=1)");
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
             hold Cluster (no GPU to cut: instances=1)",
        );
        check(vec![], &[], "");
    }

    const LONG: Micros = Micros::from_secs(30);

    #[test]
    fn a_gpu_is_emptied_for_a_pod_that_has_waited_long_and_keeps_room_for_its_own() {
        let gpus = || vec![gpu(&[(0, 0), (0, 1), (0, 2), (0, 3)], 1)];
        let waiting = "hold Cluster (no GPU to cut: instances=1)";
        check_after(LONG - Micros(1), 2, gpus(), &[("2g", 1)], waiting);
        check_after(
            LONG,
            2,
            gpus(),
            &[("2g", 1)],
            "repartition node=0 gpu=0 into=1g+2g+1g (pods move for those who lack instances: moved=1, instances=1)",
        );
        check_after(LONG, 1, gpus(), &[("2g", 1)], waiting);
    }

    #[test]
    fn the_gpu_with_the_fewest_pods_to_move_is_emptied_and_one_at_a_time() {
        let quarters = [(0, 0), (0, 1), (0, 2), (0, 3)];
        let gpus = || vec![gpu(&quarters, 2), gpu(&quarters, 1)];
        // Its pod goes to the other: all of it is for halves.
        check_after(
            LONG,
            9,
            gpus(),
            &[("2g", 2)],
            "repartition node=0 gpu=1 into=2g+2g (pods move for those who lack instances: moved=1, instances=2)",
        );
        let mut under_way = gpus();
        under_way[1].ordered = vec![MigInstance { profile: 1, start: 0 }];
        check_after(LONG, 9, under_way, &[("2g", 3)], "hold Cluster (no GPU to cut: instances=2)");
    }

    #[test]
    fn nobody_moves_where_that_would_not_help() {
        check_after(
            LONG,
            9,
            vec![gpu(&[(1, 0), (0, 2), (0, 3)], 3)],
            &[("2g", 1)],
            "hold Cluster (no GPU to cut: instances=1)",
        );
    }
}
