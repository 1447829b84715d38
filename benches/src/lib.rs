//! Criterion benchmarks of the engine stand in `benches/`; this library is empty.
