//! Queues, their quotas, and the nodes that these are of.

use super::{Check, WiredJobs};
use crate::document::key;
use crate::error::ScenarioError;
use crate::settings::{Flavor, Gangs, Provisioning, Queue, Settings, Stack};
use contract::{PodSpec, ProvisioningClass};
use placement::fits_fresh;
use sim_core::spec::{FlavorSpec, KueueSpec, PodsReadySpec, PoolSpec, ProvisioningSpec, QueueSpec};

impl Check<'_> {
    pub(super) fn kueue(
        &self,
        settings: &Settings,
        pools: &[PoolSpec],
    ) -> Result<KueueSpec, ScenarioError> {
        self.some_job_has_a_queue(settings)?;
        let flavors = settings.flavor.iter().map(|(name, flavor)| self.flavor(name, flavor, pools));
        let queues = settings.queue.iter().map(|(name, queue)| self.queue(name, queue, settings));
        let pods_ready = settings.wait_for_pods_ready.map(|wait| PodsReadySpec {
            timeout: wait.timeout,
            backoff_base: wait.backoff_base,
            backoff_max: wait.backoff_max,
        });
        let flavors = flavors.collect::<Result<_, _>>()?;
        let queues = queues.collect::<Result<_, _>>()?;
        self.somebody_answers_requests(settings)?;
        Ok(KueueSpec { flavors, queues, pods_ready })
    }

    /// A stack whose jobs Kueue admits has something to admit.
    fn some_job_has_a_queue(&self, settings: &Settings) -> Result<(), ScenarioError> {
        let kueue = settings.stack.iter().position(|stack| stack.gangs == Gangs::Kueue);
        match kueue {
            Some(place) if settings.job.values().all(|job| job.queue.is_none()) => {
                let key = key(["stack", &place.to_string(), "gangs"]);
                Err(self.misfit(&key, "kueue", "that only where some job has a `queue`"))
            }
            _ => Ok(()),
        }
    }

    /// A stack whose queues ask for room has somebody who answers.
    fn somebody_answers_requests(&self, settings: &Settings) -> Result<(), ScenarioError> {
        let asking = settings.queue.iter().find(|(_, queue)| queue.provisioning.is_some());
        let Some((queue, _)) = asking else { return Ok(()) };
        let is_deaf = |stack: &Stack| {
            stack.gangs == Gangs::Kueue && !stack.nodes.answers_provisioning_requests()
        };
        let Some(place) = settings.stack.iter().position(is_deaf) else { return Ok(()) };
        let found = settings.stack[place].nodes.name();
        let expected = format!(
            "`cluster-autoscaler` with `enable-provisioning-requests = true`: queue `{queue}` asks for room"
        );
        Err(self.misfit(&key(["stack", &place.to_string(), "nodes", found]), found, &expected))
    }

    fn flavor(
        &self,
        name: &str,
        flavor: &Flavor,
        pools: &[PoolSpec],
    ) -> Result<FlavorSpec, ScenarioError> {
        let node_selector = flavor.node_labels.clone();
        let has_labels = |pool: &&PoolSpec| {
            node_selector.iter().all(|(key, value)| pool.shape.labels.get(key) == Some(value))
        };
        if !pools.iter().any(|pool| has_labels(&pool)) {
            let labels: Vec<_> =
                node_selector.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let key = key(["flavor", name, "node-labels"]);
            return Err(self.misfit(
                &key,
                &labels.join(","),
                "labels that nodes of some pool have",
            ));
        }
        Ok(FlavorSpec { name: name.into(), node_labels: node_selector })
    }

    fn queue(
        &self,
        name: &str,
        queue: &Queue,
        settings: &Settings,
    ) -> Result<QueueSpec, ScenarioError> {
        for (flavor, quota) in &queue.quota {
            let at = key(["queue", name, "quota", flavor]);
            if !settings.flavor.contains_key(flavor) {
                let known = settings.flavor.keys().map(String::as_str);
                return Err(self.unknown(&at, "flavor", flavor, known));
            }
            if let (None, Some(limit)) = (&queue.cohort, quota.borrowing_limit) {
                let at = key(["queue", name, "quota", flavor, "borrowing-limit"]);
                let expected = "none in a queue without a `cohort`";
                return Err(self.misfit(&at, &limit.to_string(), expected));
            }
        }
        Ok(QueueSpec {
            name: name.into(),
            cohort: queue.cohort.as_deref().map(Into::into),
            quotas: settings.flavor.keys().map(|name| queue.quota.get(name).copied()).collect(),
            strategy: queue.strategy,
            when_can_borrow: queue.when_can_borrow,
            preemption: queue.preemption,
            provisioning: match &queue.provisioning {
                Some(check) => Some(self.provisioning(name, check)?),
                None => None,
            },
        })
    }

    fn provisioning(
        &self,
        queue: &str,
        check: &Provisioning,
    ) -> Result<ProvisioningSpec, ScenarioError> {
        let Provisioning { class, no_retry, retries, backoff_base, backoff_max } = *check;
        let at = |part| key(["queue", queue, "provisioning", part]);
        if no_retry && class != ProvisioningClass::CheckCapacity {
            let expected = "`false`, save for the class `check-capacity`";
            return Err(self.misfit(&at("no-retry"), "true", expected));
        }
        if backoff_max < backoff_base {
            let found = backoff_max.to_string();
            return Err(self.misfit(&at("backoff-max"), &found, "at least `backoff-base`"));
        }
        Ok(ProvisioningSpec { class, no_retry, retries, backoff_base, backoff_max })
    }

    /// Jobs get into the queues that they name.
    pub(super) fn join_queues(
        &self,
        settings: &Settings,
        jobs: &mut [WiredJobs],
        pools: &[PoolSpec],
    ) -> Result<(), ScenarioError> {
        for ((name, job), wired) in settings.job.iter().zip(jobs) {
            let Some(queue) = &job.queue else { continue };
            let at = key(["job", name, "queue"]);
            let Some(place) = settings.queue.get_index_of(queue) else {
                let known = settings.queue.keys().map(String::as_str);
                return Err(self.unknown(&at, "queue", queue, known));
            };
            let mut flavors = settings.queue[place].quota.keys().map(|name| &settings.flavor[name]);
            if !flavors.any(|flavor| some_node_holds(&wired.pattern.pod, flavor, pools)) {
                let expected = "a queue with quota of a flavor whose nodes can hold the job's pods";
                return Err(self.misfit(&at, queue, expected));
            }
            wired.class.queue = Some(place);
        }
        Ok(())
    }
}

fn some_node_holds(pod: &PodSpec, flavor: &Flavor, pools: &[PoolSpec]) -> bool {
    let mut pod = pod.clone();
    pod.node_selector.extend(flavor.node_labels.clone());
    pools.iter().any(|pool| fits_fresh(&pod, &pool.shape).is_ok())
}
