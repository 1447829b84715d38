//! A cluster as the scheduler knows it: nodes, the pods on them, and what a search needs to be fast.
//!
//! A search answers what looking at every node would answer. It is fast because a node is one packed row, because
//! stretches of rows that have too little free are passed over, because what nodes have in common is checked once
//! for all of them, and because rules about other pods read counts by domain that are kept while pods come and go.

mod bounds;
mod ceiling;
mod counts;
mod kind;
mod packing;
mod preempt;
mod requests;
mod row;
mod rules;
mod search;

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;

pub use preempt::{Preemption, Unhelpful};

use crate::filter::{of_shape, resources};
use crate::{Candidate, Misfit, Refusal, Shortage};
use bounds::Bounds;
use contract::{
    Constraints, GpuMilli, Image, Instant, NodeId, NodeShape, PodId, PodSpec, Resources,
};
use counts::{Count, Domains, Subject};
use kind::Kind;
use requests::Requests;
use row::Row;
use rules::Rules;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A pod on a node.
#[derive(Clone, Debug)]
pub struct Resident {
    /// Its number.
    pub id: PodId,
    /// What it asks for.
    pub spec: Arc<PodSpec>,
    /// When it was bound: the newer of two pods is evicted first.
    pub started: Instant,
    /// The disruption budget that protects it, by its place in the list that is given to [`Cluster::preempt`].
    pub budget: Option<u32>,
    /// It is on its way out.
    pub terminating: bool,
}

/// A pod that waits for its victims to leave a node.
#[derive(Clone, Debug)]
struct Nomination {
    pod: PodId,
    node: NodeId,
    spec: Arc<PodSpec>,
}

#[derive(Clone, Debug)]
struct Node {
    id: NodeId,
    kind: usize,
    used: Resources,
    cordoned: bool,
    /// Its GPUs are allocatable.
    accelerator_ready: bool,
    pods: Vec<Resident>,
    images: Vec<String>,
    /// What is used of each of its GPUs where they are divided; empty before anyone has said.
    gpus_used: Vec<GpuMilli>,
}

/// Pods with the same constraints, and the counts that they are part of.
#[derive(Clone, Debug)]
struct Group {
    constraints: Option<Arc<Constraints>>,
    /// Places in the list of counts; one that counts twice is there twice.
    counts: Vec<usize>,
}

/// Nodes and the pods on them. Nodes are in the order of their ids, which is the order of a search.
#[derive(Clone, Debug)]
pub struct Cluster {
    nodes: Vec<Node>,
    rows: Vec<Row>,
    bounds: Bounds,
    kinds: Vec<Kind>,
    /// The first is that of pods without constraints.
    groups: Vec<Group>,
    counts: Vec<Count>,
    /// How many nodes have an image.
    images: BTreeMap<String, u32>,
    nominations: Vec<Nomination>,
    /// How many pods have a priority.
    priorities: BTreeMap<i32, u32>,
    /// Where in the list of nodes the next search begins.
    start: usize,
    found: Vec<search::Found>,
    /// What the pods ask for, once a search has asked.
    requests: Option<Requests>,
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            rows: Vec::new(),
            bounds: Bounds::default(),
            kinds: Vec::new(),
            groups: vec![Group { constraints: None, counts: Vec::new() }],
            counts: Vec::new(),
            images: BTreeMap::new(),
            nominations: Vec::new(),
            priorities: BTreeMap::new(),
            start: 0,
            found: Vec::new(),
            requests: None,
        }
    }
}

impl Cluster {
    /// A node joins.
    ///
    /// # Panics
    /// When there is one of this id already.
    pub fn add_node(&mut self, id: NodeId, shape: &Arc<NodeShape>, zone: Option<&Arc<str>>) {
        let kind = self.kind_of(shape, zone);
        self.kinds[kind].nodes += 1;
        let place = self.place(id).expect_err("a node joins once");
        self.nodes.insert(
            place,
            Node {
                id,
                kind,
                used: Resources::default(),
                cordoned: false,
                accelerator_ready: true,
                pods: Vec::new(),
                images: Vec::new(),
                gpus_used: Vec::new(),
            },
        );
        self.rows.insert(place, self.row(place));
        self.bounds.rebuild(&self.rows);
    }

    /// A node leaves, with all that is on it.
    ///
    /// # Panics
    /// When there is no such node, as in every method that names one.
    pub fn remove_node(&mut self, id: NodeId) {
        let place = self.at(id);
        while let Some(pod) = self.nodes[place].pods.last().map(|pod| pod.id) {
            self.remove_pod(id, pod);
        }
        let node = self.nodes.remove(place);
        self.rows.remove(place);
        self.kinds[node.kind].nodes -= 1;
        for image in &node.images {
            *self.images.get_mut(image).expect("a node's image is counted") -= 1;
        }
        self.nominations.retain(|nomination| nomination.node != id);
        self.bounds.rebuild(&self.rows);
    }

    /// Keeps new pods off a node, or lets them on again.
    pub fn cordon(&mut self, id: NodeId, cordoned: bool) {
        let place = self.at(id);
        self.nodes[place].cordoned = cordoned;
        self.refresh(place);
    }

    /// A node is of another shape from now on, such as one with a taint more; pods on it stay.
    pub fn reshape(&mut self, id: NodeId, shape: &Arc<NodeShape>) {
        let place = self.at(id);
        let pods: Vec<_> = self.nodes[place].pods.iter().map(|pod| pod.id).collect();
        let pods: Vec<_> = pods.into_iter().map(|pod| self.remove_pod(id, pod)).collect();
        let was = self.nodes[place].kind;
        let zone = self.kinds[was].zone.clone();
        let kind = self.kind_of(shape, zone.as_ref());
        self.kinds[was].nodes -= 1;
        self.kinds[kind].nodes += 1;
        self.nodes[place].kind = kind;
        for pod in pods {
            self.add_pod(id, pod);
        }
        self.refresh(place);
    }

    /// Whether a node's GPUs can be given out; they can from the start unless this says otherwise.
    pub fn set_accelerator_ready(&mut self, id: NodeId, ready: bool) {
        let place = self.at(id);
        self.nodes[place].accelerator_ready = ready;
    }

    /// Says what is used of each GPU of a node that divides them; packing strategies ask.
    pub fn set_gpus_used(&mut self, id: NodeId, used: Vec<GpuMilli>) {
        let place = self.at(id);
        self.nodes[place].gpus_used = used;
    }

    /// A node has an image from now on.
    pub fn add_image(&mut self, id: NodeId, image: &str) {
        let place = self.at(id);
        if !self.nodes[place].images.iter().any(|held| held == image) {
            self.nodes[place].images.push(image.to_owned());
            *self.images.entry(image.to_owned()).or_default() += 1;
        }
    }

    /// Whether a node is there.
    pub fn has_node(&self, id: NodeId) -> bool {
        self.place(id).is_ok()
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Puts a pod on a node, whether it fits or not. A nomination of the pod is over.
    pub fn add_pod(&mut self, node: NodeId, pod: Resident) {
        let place = self.at(node);
        self.denominate(pod.id);
        let group = self.group_of(pod.spec.constraints.as_ref());
        self.count(group, place, !pod.terminating);
        *self.priorities.entry(pod.spec.priority).or_default() += 1;
        if let Some(requests) = &mut self.requests {
            requests.add(&pod.spec);
        }
        let node = &mut self.nodes[place];
        node.used += pod.spec.requests;
        node.pods.push(pod);
        self.refresh(place);
    }

    /// Takes a pod off a node.
    ///
    /// # Panics
    /// When it is not there.
    pub fn remove_pod(&mut self, node: NodeId, pod: PodId) -> Resident {
        let place = self.at(node);
        let pods = &mut self.nodes[place].pods;
        let at = pods.iter().position(|held| held.id == pod).expect("the pod is on the node");
        let pod = pods.remove(at);
        self.nodes[place].used -= pod.spec.requests;
        self.forget_priority(pod.spec.priority);
        if let Some(requests) = &mut self.requests {
            requests.remove(&pod.spec);
        }
        let group = self.group_of(pod.spec.constraints.as_ref());
        self.discount(group, place, |staying| !(staying && pod.terminating));
        self.refresh(place);
        pod
    }

    /// A pod begins to terminate: it keeps its place until it is removed, but does not count as spread any more.
    pub fn terminate_pod(&mut self, node: NodeId, pod: PodId) {
        let place = self.at(node);
        let found = self.nodes[place].pods.iter_mut().find(|held| held.id == pod);
        let found = found.expect("the pod is on the node");
        if std::mem::replace(&mut found.terminating, true) {
            return;
        }
        let constraints = found.spec.constraints.clone();
        let group = self.group_of(constraints.as_ref());
        self.discount(group, place, |staying| staying);
    }

    /// The pods on a node.
    pub fn pods(&self, node: NodeId) -> &[Resident] {
        &self.nodes[self.at(node)].pods
    }

    /// A pod waits for a node that is being cleared for it. Others of no higher priority see its requests as taken.
    pub fn nominate(&mut self, pod: PodId, node: NodeId, spec: Arc<PodSpec>) {
        self.denominate(pod);
        self.nominations.push(Nomination { pod, node, spec });
        let place = self.at(node);
        self.refresh(place);
    }

    /// A pod no longer waits for a node.
    pub fn denominate(&mut self, pod: PodId) {
        let Some(at) = self.nominations.iter().position(|held| held.pod == pod) else { return };
        let node = self.nominations.remove(at).node;
        let place = self.at(node);
        self.refresh(place);
    }

    /// The node that a pod waits for.
    pub fn nominated(&self, pod: PodId) -> Option<NodeId> {
        self.nominations.iter().find(|held| held.pod == pod).map(|held| held.node)
    }

    /// The pods of lower priority that wait for a node.
    pub fn nominees_below(&self, node: NodeId, priority: i32) -> Vec<PodId> {
        let nominees = self.nominations.iter().filter(|held| held.node == node);
        nominees.filter(|held| held.spec.priority < priority).map(|held| held.pod).collect()
    }

    /// Whether some pod has a lower priority, so that [`Cluster::preempt`] may help.
    pub fn outranks_anyone(&self, priority: i32) -> bool {
        self.priorities.first_key_value().is_some_and(|(&lowest, _)| lowest < priority)
    }

    /// Whether any pod that was ever seen has rules about others: then what fits may change with every pod, wherever
    /// it is.
    pub fn has_rules(&self) -> bool {
        !self.counts.is_empty()
    }

    fn forget_priority(&mut self, priority: i32) {
        let count = self.priorities.get_mut(&priority).expect("a pod's priority is counted");
        *count -= 1;
        if *count == 0 {
            self.priorities.remove(&priority);
        }
    }

    fn place(&self, id: NodeId) -> Result<usize, usize> {
        self.nodes.binary_search_by_key(&id, |node| node.id)
    }

    fn at(&self, id: NodeId) -> usize {
        self.place(id).expect("the cluster has this node")
    }

    fn kind_of(&mut self, shape: &Arc<NodeShape>, zone: Option<&Arc<str>>) -> usize {
        let known = self.kinds.iter().position(|kind| kind.is(shape, zone));
        known.unwrap_or_else(|| {
            self.kinds.push(Kind { shape: shape.clone(), zone: zone.cloned(), nodes: 0 });
            self.kinds.len() - 1
        })
    }

    /// The group of pods with these constraints; the first of them makes it, and the counts that its rules need.
    fn group_of(&mut self, constraints: Option<&Arc<Constraints>>) -> usize {
        let Some(constraints) = constraints else { return 0 };
        let is_known = |group: &Group| {
            let known = group.constraints.as_ref();
            known.is_some_and(|known| Arc::ptr_eq(known, constraints) || known == constraints)
        };
        if let Some(known) = self.groups.iter().position(is_known) {
            return known;
        }
        for (subject, key) in counts::needed(constraints) {
            self.count_from_now_on(subject, key);
        }
        let counts = (0..self.counts.len()).flat_map(|place| {
            std::iter::repeat_n(place, self.counts[place].times(Some(constraints)))
        });
        let counts = counts.collect();
        self.groups.push(Group { constraints: Some(constraints.clone()), counts });
        self.groups.len() - 1
    }

    /// Makes a count, if there is none of the kind, of the pods that are there.
    fn count_from_now_on(&mut self, subject: Subject, key: &str) {
        if self.counts.iter().any(|count| count.is_of(&subject, key)) {
            return;
        }
        let mut count = Count::new(subject, key);
        let staying = count.counts_staying();
        for node in &self.nodes {
            for pod in node.pods.iter().filter(|pod| !(staying && pod.terminating)) {
                for _ in 0..count.times(pod.spec.constraints.as_deref()) {
                    count.add(node.kind, node.id);
                }
            }
        }
        for group in &mut self.groups {
            let times = count.times(group.constraints.as_deref());
            group.counts.extend(std::iter::repeat_n(self.counts.len(), times));
        }
        self.counts.push(count);
    }

    fn count(&mut self, group: usize, place: usize, stays: bool) {
        let node = &self.nodes[place];
        for &at in &self.groups[group].counts {
            let count = &mut self.counts[at];
            if stays || !count.counts_staying() {
                count.add(node.kind, node.id);
            }
        }
    }

    /// Takes a pod out of those counts that `concerns`, told whether a count is of staying pods alone, picks.
    fn discount(&mut self, group: usize, place: usize, concerns: impl Fn(bool) -> bool) {
        let node = &self.nodes[place];
        for &at in &self.groups[group].counts {
            let count = &mut self.counts[at];
            if concerns(count.counts_staying()) {
                count.remove(node.kind, node.id);
            }
        }
    }

    fn domains(
        &self,
        subject: &Subject,
        key: &str,
        eligible: impl Fn(usize) -> bool,
    ) -> Domains<'_> {
        self.count_of(subject, key).domains(&self.kinds, eligible)
    }

    fn count_of(&self, subject: &Subject, key: &str) -> &Count {
        let found = self.counts.iter().find(|count| count.is_of(subject, key));
        found.expect("a pod's counts are made before its rules are asked for")
    }

    fn candidate(&self, place: usize) -> Candidate<'_> {
        let node = &self.nodes[place];
        Candidate {
            shape: &self.kinds[node.kind].shape,
            used: node.used,
            pods: u32::try_from(node.pods.len()).expect("fewer than 2^32 pods"),
            cordoned: node.cordoned,
        }
    }

    fn row(&self, place: usize) -> Row {
        let node = &self.nodes[place];
        let nominated = self.nominations.iter().any(|held| held.node == node.id);
        let kind = u32::try_from(node.kind).expect("fewer than 2^32 kinds");
        Row::of(&self.candidate(place), kind, nominated)
    }

    /// A node changed: its row follows.
    fn refresh(&mut self, place: usize) {
        self.rows[place] = self.row(place);
        self.bounds.raise(place, &self.rows[place]);
    }

    /// Every filter in order: may this pod run on this node?
    fn check(&self, pod: &Asking<'_>, rules: &Rules<'_>, place: usize) -> Result<(), Refusal> {
        let node = &self.nodes[place];
        let kind = &self.kinds[node.kind];
        if node.cordoned {
            return Err(Misfit::Cordoned.into());
        }
        of_shape(pod.spec, &kind.shape, kind.zone.as_deref())?;
        self.check_among_others(pod, rules, place)
    }

    /// The filters that look at what is on the node and elsewhere.
    fn check_among_others(
        &self,
        pod: &Asking<'_>,
        rules: &Rules<'_>,
        place: usize,
    ) -> Result<(), Refusal> {
        let node = &self.nodes[place];
        self.check_ports(pod, place)?;
        self.check_resources(pod, place)?;
        rules.check(node.kind, node.id)
    }

    fn check_ports(&self, pod: &Asking<'_>, place: usize) -> Result<(), Refusal> {
        let wanted = pod.spec.constraints.as_ref().map_or(&[][..], |own| &own.host_ports);
        if wanted.is_empty() {
            return Ok(());
        }
        let residents = self.nodes[place].pods.iter().map(|held| &held.spec);
        let promised = self.promised(pod, place).map(|held| &held.spec);
        let constraints = residents.chain(promised).filter_map(|held| held.constraints.as_ref());
        let mut taken = constraints.flat_map(|held| &held.host_ports);
        let is_free = taken.all(|held| wanted.iter().all(|port| !port.conflicts(held)));
        if is_free { Ok(()) } else { Err(Refusal::Ports) }
    }

    fn check_resources(&self, pod: &Asking<'_>, place: usize) -> Result<(), Refusal> {
        let mut node = self.candidate(place);
        for promised in self.promised(pod, place) {
            node.add(&promised.spec);
        }
        if pod.spec.needs_gpus() && !self.nodes[place].accelerator_ready {
            let shortage = Shortage { gpus: true, ..Shortage::default() };
            return Err(Misfit::Resources(shortage).into());
        }
        Ok(resources::check(&pod.spec.requests, &node)?)
    }

    /// Pods that wait for the node and go first.
    fn promised(&self, pod: &Asking<'_>, place: usize) -> impl Iterator<Item = &Nomination> {
        let (node, own, priority) = (self.nodes[place].id, pod.id, pod.spec.priority);
        self.nominations.iter().filter(move |held| {
            held.node == node && Some(held.pod) != own && held.spec.priority >= priority
        })
    }

    /// How many bytes of a pod's images a node has, each by how widely it is spread.
    fn image_bytes(&self, images: &[Image], place: usize) -> u64 {
        let held = &self.nodes[place].images;
        let here = images.iter().filter(|image| held.contains(&image.name));
        let bytes = |image: &Image| {
            let nodes = self.images.get(&image.name).copied().unwrap_or(0);
            crate::score::preferences::image_bytes(image.size.0, nodes, self.nodes.len())
        };
        here.map(bytes).sum()
    }
}

/// A pod that looks for a place.
#[derive(Clone, Copy, Debug)]
pub struct Asking<'a> {
    /// Its number, if nodes may be held for it; `None` for a pod that is only thought of.
    pub id: Option<PodId>,
    /// What it asks for.
    pub spec: &'a PodSpec,
}
