//! In which order pods arrive, and in which order nodes are taken when equally good.

use super::{PackingError, Study};
use sim_core::random::{Seed, Stream};
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// The orders of one run. Pods and nodes go by their place in the study's lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrangement {
    /// The run's seed.
    pub seed: u64,
    /// Pods in the order in which they arrive; some may come several times.
    pub pods: Vec<usize>,
    /// Nodes in the order in which they are taken when equally good.
    pub nodes: Vec<usize>,
}

/// How much GPU pods ask for in all, as a multiple of what there is: above 0, at most 10.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Load(f64);

impl Load {
    /// Of so much GPU, so much is asked for, in the unit of `total`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "thousandths of GPUs of one cluster"
    )]
    fn of(self, total: u64) -> u64 {
        (self.0 * total as f64).round() as u64
    }
}

impl Default for Load {
    /// As in the published study.
    fn default() -> Self {
        Self(1.3)
    }
}

impl FromStr for Load {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let load = text.parse().ok().filter(|load| 0.0 < *load && *load <= 10.0);
        load.map(Self)
            .ok_or_else(|| format!("found `{text}`, expected a number above 0, at most 10"))
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Arrangement {
    /// One of our own: pods shuffled and tuned to a load as the published study does, nodes shuffled.
    ///
    /// If the list asks for less than the load, pods drawn from it arrive again behind it, until one of them would
    /// ask for a share beyond the load; if it asks for more, pods are drawn and removed.
    pub fn drawn(study: &Study, seed: u64, load: Load) -> Self {
        let stream = |purpose| Seed { seed, run: 0 }.stream(purpose, 0);
        let mut pods = study.pods_by_name();
        let by_name = pods.clone();
        shuffle(&mut pods, &mut stream("packing-pods"));
        let target = load.of(study.gpu_total());
        tune(&mut pods, &by_name, study, target, &mut stream("packing-load"));
        let mut nodes = study.nodes_by_name();
        shuffle(&mut nodes, &mut stream("packing-nodes"));
        Self { seed, pods, nodes }
    }

    /// Those of a file, for its first `seeds` seeds or for all.
    ///
    /// # Errors
    /// If the file cannot be read, or does not belong to the study's lists.
    pub fn of_file(
        study: &Study,
        path: &Path,
        seeds: Option<usize>,
    ) -> Result<Vec<Self>, PackingError> {
        let mut orders = traces::openb_orders(path)?;
        if let Some(expected) = seeds {
            if orders.len() < expected {
                let (path, found) = (path.to_owned(), orders.len());
                return Err(PackingError::TooFewSeeds { path, found, expected });
            }
            orders.truncate(expected);
        }
        orders.iter().map(|order| resolved(study, path, order)).collect()
    }
}

/// Fisher and Yates.
fn shuffle(places: &mut [usize], luck: &mut Stream) {
    for last in (1..places.len()).rev() {
        places.swap(last, below(luck, last + 1));
    }
}

/// A place below a length.
fn below(luck: &mut Stream, length: usize) -> usize {
    luck.below(u32::try_from(length).expect("lists of fewer than four billion")) as usize
}

fn tune(pods: &mut Vec<usize>, by_name: &[usize], study: &Study, target: u64, luck: &mut Stream) {
    let sum = |pod: usize| u64::from(study.pod(pod).gpu_sum().0);
    let mut asked: u64 = pods.iter().map(|pod| sum(*pod)).sum();
    if asked > target {
        while asked > target {
            let removed = pods.remove(below(luck, pods.len()));
            asked -= sum(removed);
        }
        return;
    }
    loop {
        let drawn = by_name[below(luck, by_name.len())];
        // As published: a pod with several shares is let in if one of them is within the load.
        let share = study.pod(drawn).gpu.as_ref().map_or(0, |gpu| gpu.each().0);
        if asked + u64::from(share) > target {
            break;
        }
        pods.push(drawn);
        asked += sum(drawn);
    }
}

fn resolved(
    study: &Study,
    path: &Path,
    order: &traces::OpenbOrder,
) -> Result<Arrangement, PackingError> {
    let seed = order.seed;
    let unknown = |kind, name: &str| PackingError::Unknown {
        path: path.to_owned(),
        seed,
        kind,
        name: name.to_owned(),
    };
    let pod = |name: &String| study.find_pod(name).ok_or_else(|| unknown("pod", name));
    let node = |name: &String| study.find_node(name).ok_or_else(|| unknown("node", name));
    let pods = order.pods.iter().map(pod).collect::<Result<_, _>>()?;
    let nodes: Vec<_> = order.nodes.iter().map(node).collect::<Result<_, _>>()?;
    let mut times = vec![0; study.nodes_by_name().len()];
    for node in &nodes {
        times[*node] += 1;
    }
    match times.iter().position(|times| *times != 1) {
        None => Ok(Arrangement { seed, pods, nodes }),
        Some(node) => Err(PackingError::NotOnce {
            path: path.to_owned(),
            seed,
            node: study.node_name(node).to_owned(),
            times: times[node],
        }),
    }
}
