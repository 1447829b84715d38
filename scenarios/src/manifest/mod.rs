//! Replica policies from the YAML that people have.
//!
//! Where a scenario says `[stack.replicas.manifest]`, the files that it names are read and each autoscaler in them
//! becomes the policy of the service that it scales. That happens before the scenario itself is read: its tree of
//! keys then holds the policy as if it had been written there, so nothing after this knows manifests, and the
//! resolved scenario repeats a run without the YAML.
//!
//! Nothing is dropped: an unknown field is an error at its line, and so is a known one that is not flown. One file
//! for each kind; a new kind is a file and an arm in [`autoscaler`].

mod autoscaler;
mod config_autoscaler;
mod expand;
mod fault;
mod file;
mod go;
mod hpa;
mod keda;
mod knative;
mod metric_names;
mod node_overlay;
mod node_pool;
mod quantity;
mod tree;

pub(crate) use expand::{convert, insert};
