//! Kueue's admission check by `ProvisioningRequest`: a job with quota has no pods until a node autoscaler has said that
//! there is room for all of them; without room it gives its quota back and tries again later, or no more.

use super::Engine;
use super::admission::KUEUE;
use crate::spec::ProvisioningSpec;
use contract::{JobId, ProvisioningAnswer, ProvisioningRequest, ProvisioningState};

impl Engine<'_> {
    /// Asks the node autoscaler for room for all pods of a job that has quota.
    pub(super) fn request_provisioning(&mut self, number: JobId, check: ProvisioningSpec) {
        let now = self.now;
        let job = self.job(number).expect("who has quota lives");
        let request = ProvisioningRequest {
            job: number,
            class: check.class,
            no_retry: check.no_retry,
            pods: job.arrival.width,
            spec: job.pod.clone(),
            created: now,
            state: ProvisioningState::New,
        };
        self.provisioning.push(request);
    }

    /// A node autoscaler answers a request, unless that is closed.
    pub(super) fn answer_provisioning(
        &mut self,
        number: JobId,
        answer: ProvisioningAnswer,
        reason: &str,
    ) {
        let at = self.now;
        let open = |request: &&mut ProvisioningRequest| request.job == number && request.is_open();
        let Some(request) = self.provisioning.iter_mut().find(open) else { return };
        let (class, pods) = (request.class, request.pods);
        match answer {
            ProvisioningAnswer::Found | ProvisioningAnswer::Provisioned => {
                request.state = ProvisioningState::Provisioned { at };
                self.quotas.pass_check(number, at);
                let reason = format!("{class}: {answer} for its {pods} pods");
                self.tell_of_job(KUEUE, number, "admit", reason);
                self.release_pods(number);
            }
            ProvisioningAnswer::NotFound => {
                request.state = ProvisioningState::NotFound { at };
                let reason =
                    format!("{class}: no room for its {pods} pods, to be looked for again");
                self.tell_of_job(KUEUE, number, "", reason);
            }
            ProvisioningAnswer::Failed => self.fail_check(number, &format!("{class}: {reason}")),
        }
    }

    /// A failed request releases the quota: others may have it at once, the job asks again later, or never.
    fn fail_check(&mut self, number: JobId, reason: &str) {
        self.withdraw_request(number);
        let (action, what) = match self.quotas.fail_check(number, self.now) {
            Some(again) => {
                self.book_admission(again);
                ("evict", format!("back in line at {again}"))
            }
            None => ("reject", "not tried again".to_owned()),
        };
        self.tell_of_job(KUEUE, number, action, format!("{reason}; {what}"));
        self.book_admission(self.now);
    }

    /// A job that has lost its quota, or is done, has no request any more.
    pub(super) fn withdraw_request(&mut self, number: JobId) {
        self.provisioning.retain(|request| request.job != number);
    }

    /// Jobs whose request is open have quota, and no pods.
    pub(super) fn check_requests(&self) {
        for request in &self.provisioning {
            let job = self.job(request.job).expect("requests are of jobs that live");
            assert!(self.quotas.admission(request.job).is_some(), "who asks for room has quota");
            assert!(!request.is_open() || job.members.is_empty(), "no pods before there is room");
        }
    }
}
