//! What must hold of a divided GPU at every moment.

use super::{counters, fractions, hami, mig, replicas};
use contract::{GpuMilli, GpuSeen, Held, MigBoard, MigInstance, Sharing};

/// Checks a GPU: the partition can be, and nothing is held twice or beyond what there is.
///
/// # Errors
/// What does not hold.
pub fn check(sharing: &Sharing, gpu: &GpuSeen) -> Result<(), &'static str> {
    let holds = &gpu.holds;
    if gpu.repartitioning && !holds.is_empty() {
        return Err("a GPU that is cut anew is idle");
    }
    if holds.iter().any(|hold| hold.held == Held::Whole) {
        let alone = holds.len() == 1 && gpu.partition.is_empty();
        return claim(alone, "who holds a whole GPU holds it alone");
    }
    match sharing {
        Sharing::Whole => claim(holds.is_empty(), "a GPU that is not divided is held whole"),
        Sharing::TimeSliced { replicas } | Sharing::Mps { replicas } => {
            let all = holds.iter().all(|hold| matches!(hold.held, Held::Shares(1..)));
            claim(all && replicas::taken(gpu) <= replicas.get(), "replicas are held once")
        }
        Sharing::Mig { board, .. } => instances(board, gpu),
        Sharing::Hami { split, memory } => {
            let (used_memory, cores) = hami::in_use(gpu, *memory);
            let alone = |held| !matches!(held, Held::Hami { cores: 100, .. }) || holds.len() == 1;
            claim(holds.len() <= split.get() as usize, "no more pods than the split count")?;
            claim(used_memory <= *memory, "virtual GPUs share the memory that there is")?;
            claim(cores <= hami::ALL_CORES, "virtual GPUs share the cores that there are")?;
            claim(holds.iter().all(|hold| alone(hold.held)), "who holds all cores is alone")
        }
        Sharing::Milli => {
            let all = holds.iter().all(|hold| matches!(hold.held, Held::Milli(_)));
            claim(all && within(gpu), "fractions add up to a GPU at most")
        }
        Sharing::Burst => {
            let sound = |held| matches!(held, Held::Burst { request, limit } if request <= limit);
            let all = holds.iter().all(|hold| sound(hold.held));
            claim(all && within(gpu), "requests add up to a GPU at most")
        }
        Sharing::Counters(set) => devices(set, gpu),
    }
}

fn claim(holds: bool, what: &'static str) -> Result<(), &'static str> {
    if holds { Ok(()) } else { Err(what) }
}

fn within(gpu: &GpuSeen) -> bool {
    fractions::promised(gpu) <= u32::from(GpuMilli::WHOLE.get())
}

fn instances(board: &MigBoard, gpu: &GpuSeen) -> Result<(), &'static str> {
    let mut cut: Vec<MigInstance> = Vec::new();
    for &instance in &gpu.partition {
        claim(mig::admits(board, &cut, instance), "instances lie where they may, apart")?;
        cut.push(instance);
    }
    let mut held = Vec::new();
    for hold in &gpu.holds {
        let Held::Mig(instance) = hold.held else { return Err("a cut GPU is held by instances") };
        claim(gpu.partition.contains(&instance), "an instance that is held exists")?;
        claim(!held.contains(&instance), "an instance is held once")?;
        held.push(instance);
    }
    Ok(())
}

fn devices(set: &contract::CounterSet, gpu: &GpuSeen) -> Result<(), &'static str> {
    let mut taken = counters::taken(gpu);
    claim(taken.len() == gpu.holds.len(), "devices are held by claims")?;
    taken.sort_unstable();
    claim(taken.windows(2).all(|pair| pair[0] != pair[1]), "a device is held once")?;
    let drawn = |counter: usize| -> u64 {
        let draws = taken.iter().flat_map(|&place| &set.devices[usize::from(place)].draws);
        draws.filter(|&&(of, _)| usize::from(of) == counter).map(|&(_, amount)| amount).sum()
    };
    let within = |(place, counter): (usize, &contract::Counter)| drawn(place) <= counter.value;
    claim(set.counters.iter().enumerate().all(within), "devices draw no more than there is")
}
