//! Integration tests of the crate, one binary.

mod bad_scenarios;
mod bad_sharing;
mod ca_vs_karpenter;
mod catalogue;
mod complaints;
mod daemon_sets;
mod defaults;
mod experiment;
mod fingerprints;
mod flights;
mod gangs;
mod golden_ca;
mod golden_hpa;
mod golden_karpenter;
mod gpu_cold_start;
mod gpu_sharing;
mod llm_autoscalers;
mod manifests;
mod mig_boards;
mod mixed_gpus;
mod node_complaints;
mod packing;
mod packing_profiles;
mod throughput;
