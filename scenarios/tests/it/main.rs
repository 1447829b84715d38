//! Integration tests of the crate, one binary.

mod bad_scenarios;
mod catalogue;
mod complaints;
mod defaults;
mod experiment;
mod fingerprints;
mod golden_hpa;
mod llm_autoscalers;
mod manifests;
