//! Integration tests of the crate, one binary.

mod bad_scenarios;
mod catalogue;
mod defaults;
mod experiment;
mod fingerprints;
<<<<<<< HEAD
mod manifests;
=======
mod llm_autoscalers;
>>>>>>> 10791d3 (Scenario llm-autoscalers: what LLM-aware autoscalers ask for while models load)
