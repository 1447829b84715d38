//! Bare LLM replicas: Llama-3.1-8B on H100, chat-like lengths, Poisson arrivals, round robin.
//!
//! Reference points on the same shape of load, requests per CPU-second: stepping one by one 0.96 million, a
//! prototype of the closed form 4.9 million.

use contract::Instant;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use sim_core::llm::{EngineSettings, Replica, StepModel, StepTables};
use sim_core::random::{Seed, lognormal};
use std::hint::black_box;
use std::sync::Arc;

const REPLICAS: usize = 10;
const REQUESTS_PER_SECOND: f64 = 20.0;

/// Llama-3.1-8B bf16 on one H100 SXM with vLLM 0.24, operator data fitted (the catalogue's row, rounded).
fn model() -> Arc<StepModel> {
    Arc::new(StepModel::new(&StepTables {
        decode_ms: vec![(1, 6.12), (8, 6.43), (32, 6.87), (128, 7.55), (256, 9.11), (512, 13.1)],
        prefill_ms: vec![(16, 7.17), (512, 12.0), (2048, 43.5), (8192, 199.7)],
        kv_ms_per_token: 4.13e-5,
        chunk_context_ms: 7.44e-7,
        host_ms: 1.5,
    }))
}

/// (arrival, prompt, output): lengths near the Azure 2023 chat medians of 1,020 and 129 tokens.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "token counts")]
fn requests(count: usize) -> Vec<(Instant, u32, u32)> {
    let mut luck = Seed { seed: 1, run: 0 }.stream("bench", 0);
    let (prompts, outputs) = (lognormal(1020.0, 0.8), lognormal(129.0, 0.8));
    let mut at = 0.0;
    let request = |_| {
        at += luck.exponential() / REQUESTS_PER_SECOND * 1e6;
        let prompt = luck.sample(&prompts).clamp(1.0, 14_000.0) as u32;
        let output = luck.sample(&outputs).clamp(1.0, 1000.0) as u32;
        (Instant(at as u64), prompt, output)
    };
    (0..count).map(request).collect()
}

fn fly(requests: &[(Instant, u32, u32)], model: &Arc<StepModel>) -> usize {
    let settings = EngineSettings {
        max_num_seqs: 256,
        max_num_batched_tokens: 2048,
        kv_capacity_tokens: 411_529,
    };
    let mut replicas: Vec<_> =
        (0..REPLICAS).map(|_| Replica::new(model.clone(), settings)).collect();
    let mut events = Vec::new();
    let mut heard = 0;
    for (key, &(at, prompt, output)) in (0_u32..).zip(requests) {
        let replica = &mut replicas[key as usize % REPLICAS];
        while let Some(wake) = replica.next_wake()
            && wake <= at
        {
            replica.advance(wake, &mut events);
            heard += events.len();
            events.clear();
        }
        replica.submit(at, key, prompt, output);
    }
    heard
}

fn replica(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("replica");
    for (name, count) in [("small", 2_000), ("large", 50_000)] {
        let (requests, model) = (requests(count), model());
        group.throughput(Throughput::Elements(count as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(fly(black_box(&requests), &model)));
        });
    }
    group.finish();
}

criterion_group!(benches, replica);
criterion_main!(benches);
