//! Step times and limits of one model on one kind of GPU.
//!
//! ```text
//! decode-only step:   t = G(B) + γ·KV + h
//! step with prefill:  t = max(G(B), P(n + B)) + γ·KV + c·Σ(chunk · tokens already in cache) + h
//! ```
//! B decoding sequences, KV tokens in their caches, n prompt tokens in the step. The greater of the two,
//! not their sum: weights are read once for the whole step.

use super::time::Picos;

/// Measured step times, as a catalogue row holds them.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTables {
    /// G: (sequences in the batch, milliseconds), batch rising; linear between points, level before the
    /// first, continued past the last.
    pub decode_ms: Vec<(u32, f64)>,
    /// P: (tokens in the step, milliseconds), tokens rising; linear between points, level before the
    /// first, continued past the last.
    pub prefill_ms: Vec<(u32, f64)>,
    /// γ: milliseconds per token in the KV cache.
    pub kv_ms_per_token: f64,
    /// c: milliseconds per (chunk token × token already in the cache).
    pub chunk_context_ms: f64,
    /// h: milliseconds of host time in every step.
    pub host_ms: f64,
}

/// A step model in whole picoseconds, so that many steps at once take exactly as long as one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepModel {
    /// G by batch size, from 0 (no time) to [`TABLED_BATCH`].
    decode: Vec<Picos>,
    /// G as pieces, for larger batches.
    decode_pieces: Vec<Segment>,
    prefill: Vec<Segment>,
    kv_per_token: Picos,
    chunk_context: Picos,
    host: Picos,
}

/// Batches up to here have their own entry in the table; vLLM's default limit is 256.
const TABLED_BATCH: u32 = 1024;

/// A piece of P: `value` at `from` tokens, `slope` for each one more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    from: u32,
    value: Picos,
    slope: i64,
}

impl StepModel {
    /// Takes measured tables in.
    ///
    /// # Panics
    /// If a table is empty or its first column does not rise, or if a time is negative or not finite.
    pub fn new(tables: &StepTables) -> Self {
        let decode = segments(&tables.decode_ms);
        Self {
            decode: (0..=TABLED_BATCH)
                .map(|batch| if batch == 0 { 0 } else { value_at(&decode, batch) })
                .collect(),
            decode_pieces: decode,
            prefill: segments(&tables.prefill_ms),
            kv_per_token: picos(tables.kv_ms_per_token),
            chunk_context: picos(tables.chunk_context_ms),
            host: picos(tables.host_ms),
        }
    }

    /// The first of a run of decode-only steps, and by how much each one takes longer than the one before:
    /// every sequence adds a token to the cache.
    pub(super) fn decode_steps(&self, batch: u32, kv: u64) -> (Picos, Picos) {
        let first = self.decode(batch) + self.kv_per_token * kv + self.host;
        (first, self.kv_per_token * u64::from(batch))
    }

    /// A step with `prompt` prompt tokens beside `batch` decoding sequences. `context` is the sum of
    /// chunk × tokens already in the cache over the chunks.
    pub(super) fn mixed_step(&self, batch: u32, kv: u64, prompt: u32, context: u64) -> Picos {
        let linear = self.decode(batch).max(value_at(&self.prefill, prompt + batch));
        linear + self.kv_per_token * kv + self.chunk_context * context + self.host
    }

    fn decode(&self, batch: u32) -> Picos {
        let tabled = self.decode.get(batch as usize).copied();
        tabled.unwrap_or_else(|| value_at(&self.decode_pieces, batch))
    }
}

/// Milliseconds to picoseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked range")]
fn picos(millis: f64) -> Picos {
    assert!((0.0..1e9).contains(&millis), "step times are finite and not negative: {millis} ms");
    (millis * 1e9).round() as Picos
}

fn segments(points: &[(u32, f64)]) -> Vec<Segment> {
    assert!(!points.is_empty(), "a step table has points");
    let mut segments: Vec<Segment> = Vec::with_capacity(points.len());
    for pair in points.windows(2) {
        let ((from, at), (to, next)) = (pair[0], pair[1]);
        assert!(from < to, "the first column of a step table rises: {from}, {to}");
        let slope = signed(picos(next)) - signed(picos(at));
        segments.push(Segment { from, value: picos(at), slope: slope / i64::from(to - from) });
    }
    let &(from, at) = points.last().expect("not empty");
    // A falling end would reach zero somewhere: level is the least that can be said.
    let slope = segments.last().map_or(0, |segment| segment.slope.max(0));
    segments.push(Segment { from, value: picos(at), slope });
    segments
}

fn signed(time: Picos) -> i64 {
    i64::try_from(time).expect("picos checks its range")
}

fn value_at(segments: &[Segment], x: u32) -> Picos {
    let after = segments.partition_point(|segment| segment.from <= x);
    let Some(place) = after.checked_sub(1) else { return segments[0].value };
    let segment = &segments[place];
    segment.value.saturating_add_signed(segment.slope * i64::from(x - segment.from))
}

/// Batch and cache limits of a serving engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Most sequences in the batch (vLLM `max_num_seqs`, default 256).
    pub max_num_seqs: u32,
    /// Most tokens in one step (vLLM `max_num_batched_tokens`).
    pub max_num_batched_tokens: u32,
    /// KV cache in tokens.
    pub kv_capacity_tokens: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> StepModel {
        StepModel::new(&StepTables {
            decode_ms: vec![(1, 10.0), (2, 9.0), (4, 11.0)],
            prefill_ms: vec![(16, 10.0), (512, 20.0), (1024, 40.0)],
            kv_ms_per_token: 1e-4,
            chunk_context_ms: 1e-6,
            host_ms: 0.5,
        })
    }

    const MS: Picos = 1_000_000_000;

    #[test]
    fn decode_time_is_linear_between_points_and_past_the_last() {
        let first = |batch| model().decode_steps(batch, 0).0;
        let host = MS / 2;
        assert_eq!(first(1), 10 * MS + host);
        assert_eq!(first(2), 9 * MS + host, "measured dips are kept");
        assert_eq!(first(3), 10 * MS + host);
        assert_eq!(first(6), 13 * MS + host);
        assert_eq!(first(TABLED_BATCH + 1), first(TABLED_BATCH) + MS);
    }

    #[test]
    fn each_decode_step_is_longer_by_what_the_batch_added_to_the_cache() {
        let (first, growth) = model().decode_steps(4, 1000);
        assert_eq!(first, 11 * MS + MS / 10 + MS / 2);
        assert_eq!(growth, 4 * MS / 10_000);
    }

    #[test]
    fn a_mixed_step_takes_the_longer_of_decode_and_prefill() {
        let step = |batch, prompt, context| model().mixed_step(batch, 0, prompt, context);
        assert_eq!(step(0, 8, 0), 10 * MS + MS / 2, "level before the first point");
        assert_eq!(step(4, 12, 0), 11 * MS + MS / 2, "the batch decides");
        assert_eq!(
            step(4, 764, 0),
            30 * MS + MS / 2,
            "the prompt decides, decodes count as tokens"
        );
        assert_eq!(step(0, 512, 512 * 1000), 20 * MS + MS / 2 + 512 * 1000 * 1000);
    }

    #[test]
    #[should_panic(expected = "the first column of a step table rises: 4, 4")]
    fn a_table_that_does_not_rise_is_refused() {
        segments(&[(4, 1.0), (4, 2.0)]);
    }
}
