//! How many nodes of a pool are on their way up, and how far they are.

use contract::NodeStage;

/// How far a start is. Greater is closer to a usable node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Start {
    /// Nothing is on its way.
    None,
    /// Only launches that will fail, though nobody knows yet.
    Doomed,
    /// Launch, boot or registration.
    Booting,
    /// Driver and device plugin.
    Accelerator,
}

/// Running counts of one pool.
#[derive(Clone, Debug, Default)]
pub(crate) struct Starts {
    doomed: u32,
    booting: u32,
    accelerator: u32,
}

impl Starts {
    /// A node was asked for.
    pub(crate) fn requested(&mut self, doomed: bool) {
        *(if doomed { &mut self.doomed } else { &mut self.booting }) += 1;
    }

    /// A launch that was to fail failed, or was called back.
    pub(crate) fn doomed_left(&mut self) {
        self.doomed -= 1;
    }

    /// A node that was not doomed passed from one stage to another; `None` is gone.
    pub(crate) fn moved(&mut self, from: NodeStage, to: Option<NodeStage>) {
        if let Some(count) = self.at(from) {
            *count -= 1;
        }
        if let Some(count) = to.and_then(|to| self.at(to)) {
            *count += 1;
        }
    }

    /// All of them.
    pub(crate) fn count(&self) -> u32 {
        self.doomed + self.booting + self.accelerator
    }

    /// The one that is furthest.
    pub(crate) fn furthest(&self) -> Start {
        match self {
            Self { accelerator: 1.., .. } => Start::Accelerator,
            Self { booting: 1.., .. } => Start::Booting,
            Self { doomed: 1.., .. } => Start::Doomed,
            _ => Start::None,
        }
    }

    fn at(&mut self, stage: NodeStage) -> Option<&mut u32> {
        match stage {
            NodeStage::Requested | NodeStage::Booting | NodeStage::Registering => {
                Some(&mut self.booting)
            }
            NodeStage::AcceleratorStarting => Some(&mut self.accelerator),
            NodeStage::Ready | NodeStage::Draining | NodeStage::Terminating => None,
        }
    }
}
