//! What a policy asks for, and why.

use crate::{JobId, Micros, NodeId, PoolId, ProvisioningAnswer, ServiceId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// Something a policy asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Action {
    /// Set `spec.replicas` of a service.
    SetReplicas {
        /// Which service.
        service: ServiceId,
        /// How many pods.
        replicas: u32,
    },
    /// Ask the cloud for nodes; zones are taken in turn.
    AddNodes {
        /// Which pool.
        pool: PoolId,
        /// How many more.
        count: u32,
    },
    /// Ask the cloud for nodes in one zone.
    AddNodesIn {
        /// Which pool.
        pool: PoolId,
        /// Which of its zones.
        zone: Arc<str>,
        /// How many more.
        count: u32,
    },
    /// Keep new pods off a node.
    Cordon {
        /// Which node.
        node: NodeId,
    },
    /// Let new pods on again; a drain of a node that was ready is given up.
    Uncordon {
        /// Which node.
        node: NodeId,
    },
    /// Have new pods go elsewhere if they can (a taint with the effect `PreferNoSchedule`).
    TaintSoftly {
        /// Which node.
        node: NodeId,
    },
    /// Take that taint off again.
    UntaintSoftly {
        /// Which node.
        node: NodeId,
    },
    /// Cordon a node, evict its pods (each finishes its work within its grace), then delete it. An eviction that
    /// breaks a disruption budget is refused, and tried again.
    Drain {
        /// Which node.
        node: NodeId,
    },
    /// Cordon a node now; after a while evict its pods and delete it, as `Drain` does, unless somebody has let pods
    /// on again.
    Retire {
        /// Which node.
        node: NodeId,
        /// How long it stays cordoned before that.
        after: Micros,
    },
    /// Delete a node at once; pods on it lose their work.
    Delete {
        /// Which node.
        node: NodeId,
    },
    /// Cut a GPU anew by MIG; its new instances can be had after a while. One in use is emptied first: it takes no more
    /// pods, and its pods are evicted, each with its grace; their owners make new ones elsewhere.
    Repartition {
        /// Which node.
        node: NodeId,
        /// Which of its GPUs.
        gpu: u32,
        /// The profiles of its instances; where they begin is found out.
        profiles: Vec<Arc<str>>,
    },
    /// Answer the provisioning request of a job.
    AnswerProvisioning {
        /// Which job.
        job: JobId,
        /// What is said.
        answer: ProvisioningAnswer,
    },
}

/// What a decision is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// A service.
    Service(ServiceId),
    /// A node pool.
    Pool(PoolId),
    /// A node.
    Node(NodeId),
    /// A job.
    Job(JobId),
    /// The whole cluster.
    Cluster,
}

impl Action {
    /// What the action is about.
    pub fn subject(&self) -> Subject {
        match *self {
            Self::SetReplicas { service, .. } => Subject::Service(service),
            Self::AddNodes { pool, .. } | Self::AddNodesIn { pool, .. } => Subject::Pool(pool),
            Self::Cordon { node }
            | Self::Uncordon { node }
            | Self::TaintSoftly { node }
            | Self::UntaintSoftly { node }
            | Self::Drain { node }
            | Self::Retire { node, .. }
            | Self::Delete { node }
            | Self::Repartition { node, .. } => Subject::Node(node),
            Self::AnswerProvisioning { job, .. } => Subject::Job(job),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetReplicas { service, replicas } => {
                write!(f, "set-replicas service={service} replicas={replicas}")
            }
            Self::AddNodes { pool, count } => write!(f, "add-nodes pool={pool} count={count}"),
            Self::AddNodesIn { pool, zone, count } => {
                write!(f, "add-nodes pool={pool} zone={zone} count={count}")
            }
            Self::Cordon { node } => write!(f, "cordon node={node}"),
            Self::Uncordon { node } => write!(f, "uncordon node={node}"),
            Self::TaintSoftly { node } => write!(f, "taint-softly node={node}"),
            Self::UntaintSoftly { node } => write!(f, "untaint-softly node={node}"),
            Self::Drain { node } => write!(f, "drain node={node}"),
            Self::Retire { node, after } => write!(f, "retire node={node} after={after}"),
            Self::Delete { node } => write!(f, "delete node={node}"),
            Self::Repartition { node, gpu, profiles } => {
                write!(f, "repartition node={node} gpu={gpu} into={}", profiles.join("+"))
            }
            Self::AnswerProvisioning { job, answer } => {
                write!(f, "answer-provisioning job={job} answer={answer}")
            }
        }
    }
}

/// Why: a few words, and the numbers that they rest on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// Short words, the same for the same cause, so that reports can group by them.
    pub words: Cow<'static, str>,
    /// Named numbers, in reading order.
    pub numbers: Vec<(Cow<'static, str>, f64)>,
}

impl Reason {
    /// A reason without numbers.
    pub fn new(words: &'static str) -> Self {
        Self { words: Cow::Borrowed(words), numbers: Vec::new() }
    }

    /// The same with one more number.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: f64) -> Self {
        self.numbers.push((Cow::Borrowed(name), value));
        self
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)?;
        for (place, (name, value)) in self.numbers.iter().enumerate() {
            let rounded = (value * 1000.0).round() / 1000.0;
            write!(f, "{} {name}={rounded}", if place == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

/// An action, or the choice not to act, with its reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// What it is about.
    pub subject: Subject,
    /// What to do; `None` leaves things as they are.
    pub action: Option<Action>,
    /// Why.
    pub reason: Reason,
}

/// An ordered list of decisions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Plan {
    decisions: Vec<Decision>,
}

impl Plan {
    /// Asks for something.
    pub fn act(&mut self, action: Action, reason: Reason) {
        let subject = action.subject();
        self.decisions.push(Decision { subject, action: Some(action), reason });
    }

    /// Says why nothing is done about `subject`.
    pub fn hold(&mut self, subject: Subject, reason: Reason) {
        self.decisions.push(Decision { subject, action: None, reason });
    }

    /// The decisions, in order.
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }

    /// Empties it for the next turn, keeping its memory.
    pub fn clear(&mut self) {
        self.decisions.clear();
    }
}

impl fmt::Display for Plan {
    /// One line a decision: what, `(why)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for decision in &self.decisions {
            match &decision.action {
                Some(action) => writeln!(f, "{action} ({})", decision.reason)?,
                None => writeln!(f, "hold {:?} ({})", decision.subject, decision.reason)?,
            }
        }
        Ok(())
    }
}
