//! Which pools get how many new nodes for the pods that are left.

mod balancing;
mod execute;
mod pools;
mod similar;

pub use balancing::{Share, balance};
pub use execute::{Executed, execute};
pub use pools::{Pool, Skip, Standing};
pub use similar::{Similarity, similar_pools};

use super::estimator::{
    Estimate, Limiter, Surroundings, Threshold, cluster_limit, estimate, similar_pools_limit,
};
use super::pending::PodGroup;
use super::quota::Tracker;
use placement::fits_fresh;

/// Settings of a scale-up.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// Never more nodes in the cluster; 0 is no limit.
    pub max_nodes_total: u32,
    /// All pods, or none.
    pub all_or_nothing: bool,
    /// Which pools share new nodes, if they do.
    pub balance: Option<&'a Similarity>,
    /// The last group is divided, not packed.
    pub fastpath: bool,
    /// The most nodes that one estimate may open; `None` estimates without any limit.
    pub max_per_estimate: Option<u32>,
}

/// What a scale-up starts from.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// All pools, in order.
    pub pools: &'a [Pool<'a>],
    /// Pods that fit nowhere.
    pub pods: &'a [PodGroup<'a>],
    /// What the quotas leave.
    pub quotas: Tracker<'a>,
    /// Nodes in the cluster, those on their way included.
    pub cluster_nodes: u32,
    /// The cluster, if any pod looks at others.
    pub around: Option<&'a Surroundings>,
}

/// What one pool could do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScaleUpOption {
    /// Which pool, by place.
    pub pool: usize,
    /// Nodes and pods; pods are by place among all groups.
    pub estimate: Estimate,
}

/// More nodes for a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Increase {
    /// Which pool, by place.
    pub pool: usize,
    /// How many.
    pub by: u32,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Pools grow.
    Grow {
        /// The option that was chosen, by place.
        option: usize,
        /// By how much which pools grow.
        increases: Vec<Increase>,
    },
    /// No pool helps, or none was chosen.
    NoOptions,
    /// The best option would not take all pods, and all it must be.
    NotAll,
    /// The cluster has all the nodes that it may have.
    ClusterFull,
}

/// The outcome of a scale-up, with the reasons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScaleUp {
    /// What is to be done.
    pub verdict: Verdict,
    /// What there was to choose from.
    pub options: Vec<ScaleUpOption>,
    /// Pools that may not grow, by place, and why.
    pub skipped: Vec<(usize, Skip)>,
    /// By pool: groups that a new node of it would take, by place; `None` for one that may not grow.
    pub takes: Vec<Option<Vec<usize>>>,
}

impl ScaleUp {
    /// Whether a pool that may grow takes a group of pods.
    pub fn helps(&self, group: usize) -> bool {
        self.takes.iter().flatten().any(|groups| groups.contains(&group))
    }

    /// The option that was chosen.
    pub fn chosen(&self) -> Option<&ScaleUpOption> {
        match self.verdict {
            Verdict::Grow { option, .. } => Some(&self.options[option]),
            _ => None,
        }
    }
}

/// Finds what each pool could do, lets `choose` pick, caps the nodes, and shares them out.
pub fn scale_up(
    situation: &Situation<'_>,
    rules: &Rules<'_>,
    choose: impl FnOnce(&[ScaleUpOption]) -> Option<usize>,
) -> ScaleUp {
    let mut skipped = Vec::new();
    let mut takes = Vec::new();
    for (place, pool) in situation.pools.iter().enumerate() {
        let nodes = situation.cluster_nodes;
        match pool.may_grow(&situation.quotas, nodes, rules.max_nodes_total) {
            Ok(()) => takes.push(Some(groups_that_fit(pool, situation.pods))),
            Err(skip) => {
                skipped.push((place, skip));
                takes.push(None);
            }
        }
    }
    let options = options(situation, rules, &takes);
    let chosen = if options.is_empty() { None } else { choose(&options) };
    let verdict = match chosen {
        Some(option) => grow(situation, rules, &takes, option, &options[option]),
        None => Verdict::NoOptions,
    };
    ScaleUp { verdict, options, skipped, takes }
}

/// Places of the groups that an empty node of the pool would take.
fn groups_that_fit(pool: &Pool<'_>, groups: &[PodGroup<'_>]) -> Vec<usize> {
    let fits = |group: &usize| fits_fresh(groups[*group].spec, pool.shape).is_ok();
    (0..groups.len()).filter(fits).collect()
}

/// What each pool that may grow could do; options without nodes or pods drop out.
fn options(
    situation: &Situation<'_>,
    rules: &Rules<'_>,
    takes: &[Option<Vec<usize>>],
) -> Vec<ScaleUpOption> {
    let wanted: u32 = situation.pods.iter().map(|group| group.count).sum();
    let option = |pool: usize| {
        let estimate = estimate_for(situation, rules, takes, pool)?;
        let whole = !rules.all_or_nothing || estimate.pods() == wanted;
        (estimate.nodes > 0 && estimate.pods() > 0 && whole)
            .then_some(ScaleUpOption { pool, estimate })
    };
    (0..situation.pools.len()).filter_map(option).collect()
}

fn estimate_for(
    situation: &Situation<'_>,
    rules: &Rules<'_>,
    takes: &[Option<Vec<usize>>],
    place: usize,
) -> Option<Estimate> {
    let groups = takes[place].as_ref().filter(|groups| !groups.is_empty())?;
    let pool = &situation.pools[place];
    let pods: Vec<_> = groups.iter().map(|&group| situation.pods[group]).collect();
    let limiter = Limiter::of(&thresholds(situation, rules, takes, place));
    let mut estimate = estimate(pool.shape, &pods, limiter, rules.fastpath, situation.around);
    let mut placed = vec![0; situation.pods.len()];
    for (&group, &count) in groups.iter().zip(&estimate.placed) {
        placed[group] = count;
    }
    estimate.placed = placed;
    if pool.zero_or_max && estimate.nodes > 0 {
        let too_many = rules.all_or_nothing && estimate.nodes > pool.max;
        estimate.nodes = if too_many { 0 } else { pool.max };
    }
    Some(estimate)
}

fn thresholds(
    situation: &Situation<'_>,
    rules: &Rules<'_>,
    takes: &[Option<Vec<usize>>],
    place: usize,
) -> Vec<Threshold> {
    let Some(most) = rules.max_per_estimate else { return Vec::new() };
    let sharing = std::iter::once(place).chain(sharing_with(situation, rules, takes, place));
    let sizes = sharing.map(|pool| (situation.pools[pool].max, situation.pools[pool].target));
    vec![
        Threshold::nodes(most.into()),
        Threshold::nodes(similar_pools_limit(sizes)),
        Threshold::nodes(cluster_limit(
            rules.max_nodes_total.into(),
            situation.cluster_nodes.into(),
        )),
    ]
}

/// Pools that share new nodes with one, if any do.
fn sharing_with(
    situation: &Situation<'_>,
    rules: &Rules<'_>,
    takes: &[Option<Vec<usize>>],
    place: usize,
) -> Vec<usize> {
    let pool = &situation.pools[place];
    let Some(similarity) = rules.balance.filter(|_| !pool.zero_or_max) else { return Vec::new() };
    let is_alike = |&other: &usize| {
        other != place && similarity.holds(pool.shape, situation.pools[other].shape)
    };
    let alike = (0..situation.pools.len()).filter(is_alike);
    similar_pools(place, alike, |pool| takes[pool].as_deref())
}

/// Caps the nodes of the chosen option and shares them out.
fn grow(
    situation: &Situation<'_>,
    rules: &Rules<'_>,
    takes: &[Option<Vec<usize>>],
    option: usize,
    chosen: &ScaleUpOption,
) -> Verdict {
    let pool = &situation.pools[chosen.pool];
    let room = match rules.max_nodes_total {
        0 => u32::MAX,
        max => max.saturating_sub(situation.cluster_nodes),
    };
    if room == 0 {
        return Verdict::ClusterFull;
    }
    let capped = chosen.estimate.nodes.min(room);
    let nodes = situation.quotas.cap(pool.name, pool.shape, capped);
    if rules.all_or_nothing && nodes < chosen.estimate.nodes {
        return Verdict::NotAll;
    }
    let mut sharing = vec![chosen.pool];
    sharing.extend(sharing_with(situation, rules, takes, chosen.pool));
    let shares: Vec<_> = sharing
        .into_iter()
        .map(|pool| (pool, &situation.pools[pool]))
        .map(|(place, pool)| Share { pool: place, size: pool.target, max: pool.max })
        .collect();
    let shares = balance(&shares, nodes);
    let shared: u32 =
        shares.iter().map(|share| share.size - situation.pools[share.pool].target).sum();
    if rules.all_or_nothing && shared < nodes {
        return Verdict::NotAll;
    }
    Verdict::Grow { option, increases: within_quotas(situation, &shares) }
}

/// Each pool's share, as far as quotas allow; what one may not take is not given to another.
fn within_quotas(situation: &Situation<'_>, shares: &[Share]) -> Vec<Increase> {
    let mut quotas = situation.quotas.clone();
    let mut increases = Vec::new();
    for share in shares {
        let pool = &situation.pools[share.pool];
        let by = quotas.cap(pool.name, pool.shape, share.size - pool.target);
        quotas.book(pool.name, pool.shape, by);
        if by > 0 {
            increases.push(Increase { pool: share.pool, by });
        }
    }
    increases
}
