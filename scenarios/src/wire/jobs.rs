//! Jobs: what their pods ask for, how they work, when they come.

use super::Check;
use super::throughput::Rated;
use crate::catalog::Stage;
use crate::document::{KeyPath, key};
use crate::error::ScenarioError;
use crate::settings::{DelaySetting, Job, Length, Submit};
use contract::{GpuModel, Instant, Micros, PodSpec, Resources};
use indexmap::IndexMap;
use placement::{Candidate, Unschedulable, fits_fresh};
use sim_core::delay::Delay;
use sim_core::spec::{Checkpoint, JobClassSpec, PoolSpec};
use std::sync::Arc;
use traces::{JobPattern, Submissions, Widths};

/// A class of jobs in the engine's terms, and where its jobs come from.
#[derive(Clone, Debug)]
pub(crate) struct WiredJobs {
    pub(crate) class: JobClassSpec,
    pub(crate) pattern: JobPattern,
    /// What its jobs are, for reports.
    pub(crate) introduction: String,
}

impl Check<'_> {
    pub(super) fn jobs(
        &self,
        jobs: &mut IndexMap<String, Job>,
        pools: &[PoolSpec],
    ) -> Result<Vec<WiredJobs>, ScenarioError> {
        jobs.iter_mut().map(|(name, job)| self.job(name, job, pools)).collect()
    }

    fn job(
        &self,
        name: &str,
        job: &mut Job,
        pools: &[PoolSpec],
    ) -> Result<WiredJobs, ScenarioError> {
        let at = |part: &str| key(["job", name, part]);
        let mut pod = self.job_pod(name, job)?;
        self.pod_fits_somewhere(name, &pod, pools)?;
        self.racks_hold(name, job, &pod, pools)?;
        let paces = self.paces(Rated::job(name, job), &pod, pools)?;
        pod.constraints = self.preferences(name, job, &pod, &paces, pools)?;
        let startup = self.delay(&at("start"), &job.start, Some(Stage::Container), None)?;
        let pattern = JobPattern {
            submissions: self.submissions(name, &job.submit)?,
            widths: self.widths(&at("width"), job)?,
            min_count: job.min_count,
            pod: Arc::new(pod),
            duration: self.duration(&at("duration"), &job.duration)?,
        };
        let checkpoint = job.checkpoint.map(|checkpoint| Checkpoint {
            interval: checkpoint.interval.get(),
            cost: checkpoint.cost,
            restart: checkpoint.restart,
        });
        let class = JobClassSpec {
            name: name.into(),
            startup,
            checkpoint,
            paces,
            queue: None,
            reach: job.topology.map(Into::into),
        };
        Ok(WiredJobs { class, pattern, introduction: introduction(job) })
    }

    fn job_pod(&self, name: &str, job: &mut Job) -> Result<PodSpec, ScenarioError> {
        for (place, model) in job.gpu_models.iter_mut().enumerate() {
            let key = key(["job", name, "gpu-models", &place.to_string()]);
            let (known, _) = self.catalogue.gpu(model).ok_or_else(|| {
                let known = self.catalogue.gpus().keys().map(String::as_str);
                self.unknown(&key, "GPU", model, known)
            })?;
            known.clone_into(model);
        }
        if job.gpus == 0 && !job.gpu_models.is_empty() {
            let expected = "1 GPU or more where `gpu-models` says which";
            return Err(self.misfit(&key(["job", name, "gpus"]), "0", expected));
        }
        let (cpu, memory) = (job.requests.cpu, job.requests.memory);
        Ok(PodSpec {
            requests: Resources { cpu, memory, gpus: job.gpus },
            gpu_models: job
                .gpu_models
                .iter()
                .map(|model| GpuModel(model.as_str().into()))
                .collect(),
            node_selector: job.node_selector.clone(),
            tolerations: job.tolerations.clone(),
            priority: job.priority,
            eviction: job.eviction,
            ..PodSpec::default()
        })
    }

    /// Some pool's node can hold a pod when it is empty.
    fn pod_fits_somewhere(
        &self,
        name: &str,
        pod: &PodSpec,
        pools: &[PoolSpec],
    ) -> Result<(), ScenarioError> {
        if pools.iter().any(|pool| fits_fresh(pod, &pool.shape).is_ok()) {
            return Ok(());
        }
        let empty = pools.iter().map(|pool| Candidate::fresh(&pool.shape));
        let reasons = Unschedulable::explain(pod, empty).to_string();
        let problem = format!(
            "found pods of {}, expected pods that an empty node of some pool takes: {}",
            pod.requests,
            reasons.trim_end_matches('.')
        );
        let hint = "ask for less, tolerate a pool's taints, or take a larger `instance`";
        Err(self.document.error(&key(["job", name]), problem, Some(hint.to_owned())))
    }

    /// A job whose pods stand close together needs all of them, and nodes that stand somewhere.
    fn racks_hold(
        &self,
        name: &str,
        job: &Job,
        pod: &PodSpec,
        pools: &[PoolSpec],
    ) -> Result<(), ScenarioError> {
        if job.topology.is_none() {
            return Ok(());
        }
        if let Some(count) = job.min_count {
            let expected = "none where `topology` asks for places for all pods together";
            return Err(self.misfit(
                &key(["job", name, "min-count"]),
                &count.to_string(),
                expected,
            ));
        }
        let holds = |pool: &&PoolSpec| pool.racks.is_some() && fits_fresh(pod, &pool.shape).is_ok();
        if pools.iter().any(|pool| holds(&pool)) {
            return Ok(());
        }
        let problem = "found no racks, expected some in a pool whose nodes can hold the job's pods";
        let hint =
            "write `[pool.NAME.racks]` with `nodes-per-rack` and `racks-per-block`".to_owned();
        Err(self.document.error(&key(["job", name, "topology"]), problem.to_owned(), Some(hint)))
    }

    fn widths(&self, key: &KeyPath, job: &Job) -> Result<Widths, ScenarioError> {
        if job.width.is_empty() {
            return Err(self.misfit(key, "[]", "one width or more"));
        }
        for (place, width) in job.width.iter().enumerate() {
            if !(width.weight > 0.0 && width.weight.is_finite()) {
                let parts = [place.to_string(), "weight".to_owned()];
                let key: KeyPath = key.iter().cloned().chain(parts).collect();
                return Err(self.misfit(&key, &width.weight.to_string(), "a weight above 0"));
            }
        }
        Ok(Widths(job.width.iter().map(|width| (width.pods, width.weight)).collect()))
    }

    fn submissions(&self, name: &str, submit: &Submit) -> Result<Submissions, ScenarioError> {
        match submit {
            Submit::At(times) => {
                if let Some(late) = times.windows(2).position(|pair| pair[1] < pair[0]) {
                    let key = key(["job", name, "submit", "at", &(late + 1).to_string()]);
                    let expected = format!("no time before the one ahead of it, {}", times[late]);
                    return Err(self.misfit(&key, &times[late + 1].to_string(), &expected));
                }
                Ok(Submissions::At(times.iter().map(|&at| Instant::ZERO + at).collect()))
            }
            Submit::Every(gap) => {
                let gap = self.duration(&key(["job", name, "submit", "every"]), gap)?;
                Ok(Submissions::Every(gap))
            }
        }
    }

    /// A delay that is written out and takes time.
    fn duration(&self, key: &KeyPath, setting: &DelaySetting) -> Result<Delay, ScenarioError> {
        let delay = self.delay(key, setting, None, None)?;
        if delay.typical() == Micros::ZERO {
            return Err(self.misfit(key, "0s", "a duration that is longer than zero"));
        }
        Ok(delay)
    }
}

fn introduction(job: &Job) -> String {
    let widths: Vec<_> = job.width.iter().map(|width| width.pods.to_string()).collect();
    let each = match (job.gpus, job.gpu_models.as_slice()) {
        (0, _) => "without GPUs".to_owned(),
        (gpus, []) => format!("of {gpus} GPU{}", plural(gpus)),
        (gpus, models) => format!("of {gpus} GPU{} ({})", plural(gpus), models.join(", ")),
    };
    let interval = job.checkpoint.map(|checkpoint| Length::get(checkpoint.interval));
    let saved = interval.map_or(String::new(), |every| format!(", a checkpoint every {every}"));
    format!("gangs of {} pods {each}{saved}", widths.join(" or "))
}

fn plural(count: u32) -> &'static str {
    if count == 1 { "" } else { "s" }
}
