//! The bare event queue in the hold model: take the earliest event, put it back a random time later, so that the number
//! of pending events stays what it is. One hold is one event of a run.
//!
//! `cargo bench -p benches --bench queue`

use contract::{Instant, Micros};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sim_core::queue::{Class, EventQueue};
use sim_core::random::Seed;
use std::hint::black_box;

/// Holds that are timed as one.
const HOLDS: usize = 10_000;

/// As large as what the engine puts into its queue.
type Event = [u32; 4];

struct Parameters {
    name: &'static str,
    /// Events in the queue at any time.
    pending: usize,
}

const PARAMETERS: [Parameters; 2] = [
    // Replicas, nodes and loops of a run with a hundred replicas.
    Parameters { name: "small", pending: 1_000 },
    // A very large fleet.
    Parameters { name: "large", pending: 100_000 },
];

/// Exponential times between an event and the one that it causes: a second on average.
fn gaps(count: usize) -> Vec<Micros> {
    let mut luck = Seed { seed: 1, run: 0 }.stream("bench-queue", 0);
    (0..count).map(|_| Micros::from_secs_f64(luck.exponential())).collect()
}

fn hold(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("queue/hold");
    for Parameters { name, pending } in PARAMETERS {
        let gaps = gaps(HOLDS.max(pending));
        let mut queue: EventQueue<Event> = EventQueue::default();
        for gap in &gaps[..pending] {
            queue.push(Instant::ZERO + *gap, Class::Stage, Event::default());
        }
        group.throughput(Throughput::Elements(HOLDS as u64));
        group.bench_function(BenchmarkId::new(name, pending), |bench| {
            bench.iter(|| {
                for gap in &gaps[..HOLDS] {
                    let (now, event) = queue.pop().expect("as many go in as come out");
                    queue.push(now + *gap, Class::Stage, black_box(event));
                }
            });
        });
        assert_eq!(queue.len(), pending);
    }
    group.finish();
}

criterion_group!(benches, hold);
criterion_main!(benches);
