//! Who listens to the policies' turns: a journal, a log of decisions, or nobody.

use crate::outcome::DecisionRow;
use contract::{Action, Decision, Instant, JobId, Observation, Plan, Subject};
use std::collections::BTreeMap;

/// Is told of every turn of every policy, after the decision and before it takes effect.
pub trait Recorder {
    /// `policy` saw `seen` and decided `plan`.
    fn turn(&mut self, policy: &str, seen: &Observation<'_>, plan: &Plan);

    /// Something was decided on a job. Whoever keeps policies' turns alone need not care.
    fn job(&mut self, _: &JobDecision<'_>) {}
}

/// What the part of the cluster that starts jobs decided on one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobDecision<'a> {
    /// When.
    pub at: Instant,
    /// Who decided, such as `kueue`.
    pub by: &'static str,
    /// On which job.
    pub job: JobId,
    /// The name of its class.
    pub class: &'a str,
    /// What is done with it, such as `admit`; empty when it waits.
    pub action: &'static str,
    /// Why.
    pub reason: String,
}

/// Nobody listens.
impl Recorder for () {
    fn turn(&mut self, _: &str, _: &Observation<'_>, _: &Plan) {}
}

/// Keeps every action, and of equal reasons to hold in a row only the first.
#[derive(Debug, Default)]
pub struct DecisionLog {
    stack: String,
    run: u32,
    rows: Vec<DecisionRow>,
    last_hold: BTreeMap<(String, Subject), String>,
    /// What jobs wait for.
    last_wait: BTreeMap<JobId, String>,
}

impl DecisionLog {
    /// An empty log of replication `run` of `stack`.
    pub fn new(stack: &str, run: u32) -> Self {
        Self { stack: stack.to_owned(), run, ..Self::default() }
    }

    /// The decisions, in order.
    pub fn into_rows(self) -> Vec<DecisionRow> {
        self.rows
    }

    fn is_news(&mut self, policy: &str, decision: &Decision) -> bool {
        let key = (policy.to_owned(), decision.subject);
        if decision.action.is_some() {
            self.last_hold.remove(&key);
            return true;
        }
        let words = decision.reason.words.to_string();
        self.last_hold.insert(key, words.clone()) != Some(words)
    }
}

impl Recorder for DecisionLog {
    fn turn(&mut self, policy: &str, seen: &Observation<'_>, plan: &Plan) {
        for decision in plan.decisions() {
            if !self.is_news(policy, decision) {
                continue;
            }
            self.rows.push(DecisionRow {
                stack: self.stack.clone(),
                run: self.run,
                at: seen.now,
                policy: policy.to_owned(),
                subject: subject(seen, decision.subject),
                action: decision.action.as_ref().map(action).unwrap_or_default(),
                reason: decision.reason.to_string(),
            });
        }
    }

    fn job(&mut self, decision: &JobDecision<'_>) {
        if decision.action.is_empty() {
            let before = self.last_wait.insert(decision.job, decision.reason.clone());
            if before.as_ref() == Some(&decision.reason) {
                return;
            }
        } else {
            self.last_wait.remove(&decision.job);
        }
        self.rows.push(DecisionRow {
            stack: self.stack.clone(),
            run: self.run,
            at: decision.at,
            policy: decision.by.to_owned(),
            subject: format!("job {} of {}", decision.job, decision.class),
            action: decision.action.to_owned(),
            reason: decision.reason.clone(),
        });
    }
}

fn subject(seen: &Observation<'_>, subject: Subject) -> String {
    match subject {
        Subject::Service(id) => {
            let name = seen.services.get(id.index()).map_or("?", |service| &*service.name);
            format!("service {name}")
        }
        Subject::Pool(id) => {
            let name = seen.pools.get(id.index()).map_or("?", |pool| &*pool.name);
            format!("pool {name}")
        }
        Subject::Node(id) => format!("node {id}"),
        Subject::Job(id) => format!("job {id}"),
        Subject::Cluster => "cluster".to_owned(),
    }
}

/// The action without its subject, which has a column of its own.
fn action(action: &Action) -> String {
    match action {
        Action::SetReplicas { replicas, .. } => format!("set-replicas {replicas}"),
        Action::AddNodes { count, .. } => format!("add-nodes {count}"),
        Action::AddNodesIn { zone, count, .. } => format!("add-nodes {count} in {zone}"),
        Action::AnswerProvisioning { answer, .. } => format!("answer-provisioning {answer}"),
        other => other.to_string().split(' ').next().unwrap_or_default().to_owned(),
    }
}
