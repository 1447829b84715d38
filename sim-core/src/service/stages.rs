//! How many pods of a service stand at each stage of their start.

use contract::PodStage;

/// Stages from bound to ready, in order.
const STARTING: [PodStage; 5] = [
    PodStage::Pulling,
    PodStage::Starting,
    PodStage::Loading,
    PodStage::Initialising,
    PodStage::Probing,
];

/// A count a stage.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stages([u32; STARTING.len()]);

impl Stages {
    /// A pod enters a stage.
    pub(crate) fn add(&mut self, stage: PodStage) {
        if let Some(count) = self.at(stage) {
            *count += 1;
        }
    }

    /// A pod leaves a stage.
    pub(crate) fn remove(&mut self, stage: PodStage) {
        if let Some(count) = self.at(stage) {
            *count -= 1;
        }
    }

    /// The stage of the pod that is closest to ready.
    pub(crate) fn furthest_start(&self) -> Option<PodStage> {
        STARTING.into_iter().zip(self.0).rev().find(|&(_, count)| count > 0).map(|(stage, _)| stage)
    }

    fn at(&mut self, stage: PodStage) -> Option<&mut u32> {
        let place = STARTING.iter().position(|&starting| starting == stage)?;
        Some(&mut self.0[place])
    }
}
