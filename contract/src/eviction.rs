//! Who may be evicted: disruption budgets of services, and what pods say about themselves.

use crate::{Micros, PodStage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// How many pods of a service may be disrupted at once (a `PodDisruptionBudget`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DisruptionBudget {
    /// So many stay ready.
    MinAvailable(IntOrPercent),
    /// So many may not be ready.
    MaxUnavailable(IntOrPercent),
}

/// A number of pods, absolute or relative to the replicas asked for (Kubernetes' `IntOrString`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntOrPercent {
    /// So many.
    Count(u32),
    /// So many in a hundred, rounded up (Kubernetes).
    Percent(u32),
}

impl IntOrPercent {
    fn of(self, all: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => {
                let part = (u64::from(all) * u64::from(percent)).div_ceil(100);
                u32::try_from(part).unwrap_or(u32::MAX)
            }
        }
    }
}

impl DisruptionBudget {
    /// How many must stay ready, with so many replicas asked for.
    pub fn kept(self, wanted: u32) -> u32 {
        match self {
            Self::MinAvailable(part) => part.of(wanted),
            Self::MaxUnavailable(part) => wanted.saturating_sub(part.of(wanted)),
        }
    }

    /// How many more may be evicted, with so many replicas asked for and so many ready.
    pub fn allowed(self, wanted: u32, ready: u32) -> u32 {
        ready.saturating_sub(self.kept(wanted))
    }

    /// Whether the eviction of a pod at this stage is granted (`pods/eviction`, policy `IfHealthyBudget`): a pod
    /// whose containers have not started always; one that runs but is not ready while the others are enough; a
    /// ready one within the budget.
    pub fn grants(self, stage: PodStage, wanted: u32, ready: u32) -> bool {
        match stage {
            PodStage::Pending | PodStage::Pulling | PodStage::Starting | PodStage::Draining => true,
            PodStage::Loading | PodStage::Initialising | PodStage::Probing => {
                ready >= self.kept(wanted)
            }
            PodStage::Ready => self.allowed(wanted, ready) > 0,
        }
    }
}

/// What a pod says about its own eviction, and what autoscalers look at before they evict it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct EvictionMarks {
    /// The annotation `cluster-autoscaler.kubernetes.io/safe-to-evict`.
    #[serde(skip_serializing_if = "SafeToEvict::is_unsaid")]
    pub safe_to_evict: SafeToEvict,
    /// The annotation `karpenter.sh/do-not-disrupt`: `true`, or for how long from the pod's creation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub do_not_disrupt: Option<DoNotDisrupt>,
    /// Keeps data on its node (`hostPath`, or `emptyDir` on disk).
    #[serde(skip_serializing_if = "is_false")]
    pub local_storage: bool,
    /// Belongs to the system (namespace `kube-system`).
    #[serde(skip_serializing_if = "is_false")]
    pub system: bool,
    /// Made by a controller that Kubernetes does not bring.
    #[serde(skip_serializing_if = "is_false")]
    pub custom_controller: bool,
}

impl EvictionMarks {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What a pod says about its own eviction (`cluster-autoscaler.kubernetes.io/safe-to-evict`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SafeToEvict {
    /// Nothing.
    #[default]
    Unsaid,
    /// Go ahead.
    #[serde(rename = "true")]
    Yes,
    /// Keep off.
    #[serde(rename = "false")]
    No,
    /// Wait until it is done.
    OnCompletion,
}

impl SafeToEvict {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    fn is_unsaid(&self) -> bool {
        *self == Self::Unsaid
    }
}

/// How long nobody may disrupt a pod of its own accord (`karpenter.sh/do-not-disrupt`): `"true"` or a time such as
/// `"30m"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DoNotDisrupt {
    /// As long as it lives.
    Always,
    /// For so long from its creation.
    For(Micros),
}

impl DoNotDisrupt {
    /// Whether it holds for a pod of this age.
    pub fn holds(self, age: Micros) -> bool {
        match self {
            Self::Always => true,
            Self::For(time) => age < time,
        }
    }
}

impl TryFrom<String> for DoNotDisrupt {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "true" {
            return Ok(Self::Always);
        }
        let time = text.parse().map(Self::For);
        time.map_err(|_| format!("found `{text}`, expected `true` or a time such as `30m`"))
    }
}

impl fmt::Display for DoNotDisrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("true"),
            Self::For(time) => time.fmt(f),
        }
    }
}

impl From<DoNotDisrupt> for String {
    fn from(mark: DoNotDisrupt) -> Self {
        mark.to_string()
    }
}

impl JsonSchema for DoNotDisrupt {
    fn schema_name() -> Cow<'static, str> {
        "DoNotDisrupt".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_allows_what_is_ready_beyond_what_must_stay() {
        use IntOrPercent::{Count, Percent};
        let allowed =
            |budget: DisruptionBudget| [10, 7, 6, 2].map(|ready| budget.allowed(10, ready));
        assert_eq!(allowed(DisruptionBudget::MinAvailable(Count(6))), [4, 1, 0, 0]);
        // 65 % of ten are seven.
        assert_eq!(allowed(DisruptionBudget::MinAvailable(Percent(65))), [3, 0, 0, 0]);
        assert_eq!(allowed(DisruptionBudget::MaxUnavailable(Count(4))), [4, 1, 0, 0]);
        assert_eq!(allowed(DisruptionBudget::MaxUnavailable(Percent(31))), [4, 1, 0, 0]);
        assert_eq!(DisruptionBudget::MaxUnavailable(Count(20)).allowed(10, 3), 3);
    }

    #[test]
    fn a_pod_that_is_not_ready_may_go_while_the_others_are_enough() {
        let budget = DisruptionBudget::MinAvailable(IntOrPercent::Count(2));
        let granted = |stage| [1, 2, 3].map(|ready| budget.grants(stage, 3, ready));
        assert_eq!(granted(PodStage::Pulling), [true, true, true]);
        assert_eq!(granted(PodStage::Loading), [false, true, true]);
        assert_eq!(granted(PodStage::Ready), [false, false, true]);
    }

    #[test]
    fn marks_are_written_as_annotations_are() {
        let text = r#"{"safe-to-evict":"false","do-not-disrupt":"30m"}"#;
        let marks: EvictionMarks = serde_json::from_str(text).expect("marks");
        assert_eq!(marks.safe_to_evict, SafeToEvict::No);
        assert_eq!(marks.do_not_disrupt, Some(DoNotDisrupt::For(Micros::from_mins(30))));
        assert_eq!(serde_json::to_string(&marks).expect("a form"), text);
        let error = serde_json::from_str::<EvictionMarks>(r#"{"do-not-disrupt":"never"}"#);
        let error = error.expect_err("no such time").to_string();
        assert!(error.contains("found `never`, expected `true` or a time"), "{error}");
    }

    #[test]
    fn a_mark_holds_until_its_time_is_over() {
        let mark = DoNotDisrupt::For(Micros::from_secs(60));
        assert!(mark.holds(Micros(59_999_999)));
        assert!(!mark.holds(Micros(60_000_000)));
        assert!(DoNotDisrupt::Always.holds(Micros::from_mins(10_000)));
    }
}
