//! Whose a pod is.

use crate::{JobId, ServiceId};
use serde::{Deserialize, Serialize};

/// The controller that made a pod, and that makes another when it is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// A replica of a service.
    Service(ServiceId),
    /// A member of a job; a pod of its own is a job of one.
    Job(JobId),
}

impl Owner {
    /// The service, if it is one.
    pub fn service(self) -> Option<ServiceId> {
        match self {
            Self::Service(service) => Some(service),
            Self::Job(_) => None,
        }
    }

    /// The job, if it is one.
    pub fn job(self) -> Option<JobId> {
        match self {
            Self::Service(_) => None,
            Self::Job(job) => Some(job),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_written_by_its_kind() {
        let text = serde_json::to_string(&[Owner::Service(ServiceId(2)), Owner::Job(JobId(7))]);
        assert_eq!(text.expect("it has a form"), r#"[{"service":2},{"job":7}]"#);
    }
}
