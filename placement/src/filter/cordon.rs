//! `NodeUnschedulable`: a cordoned node takes no new pods.

use super::Misfit;
use crate::Candidate;

pub(super) fn check(node: &Candidate<'_>) -> Result<(), Misfit> {
    if node.cordoned { Err(Misfit::Cordoned) } else { Ok(()) }
}
