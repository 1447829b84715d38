//! The same replica written plainly, a step at a time: the judge of the real one.

use super::time::Moment;
use super::{EngineSettings, Event, Replica, StepModel, StepTables};
use contract::Instant;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;

/// What a client does.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Submit { key: u32, prompt: u32, output: u32 },
    Abort { key: u32 },
}

#[derive(Clone, Copy, Debug)]
struct Runner {
    key: u32,
    /// Tokens to prefill before the next token comes out.
    prompt: u32,
    prefilled: u32,
    /// Tokens to come.
    left: u32,
    first_sent: bool,
    aborted: bool,
}

impl Runner {
    fn decodes(&self) -> bool {
        self.prefilled == self.prompt
    }
}

/// Runs everything to the end; gives the events and the number of evictions.
fn step_by_step(
    model: &StepModel,
    settings: EngineSettings,
    deeds: &[(u64, Deed)],
) -> (Vec<Event>, u64) {
    let mut deeds: VecDeque<_> = deeds.iter().copied().collect();
    let mut events = Vec::new();
    let mut evictions = 0;
    // Oldest first. While a sequence decodes, `prompt` grows with every token.
    let mut running: Vec<Runner> = Vec::new();
    let mut waiting: VecDeque<Runner> = VecDeque::new();
    let mut now = Moment::from(Instant(0));
    let capacity = settings.kv_capacity_tokens;
    loop {
        while deeds.front().is_some_and(|&(at, _)| Moment::from(Instant(at)) <= now) {
            match deeds.pop_front().expect("just seen").1 {
                Deed::Submit { key, prompt, output } => {
                    if u64::from(prompt + output) <= capacity {
                        waiting.push_back(Runner {
                            key,
                            prompt,
                            prefilled: 0,
                            left: output,
                            first_sent: false,
                            aborted: false,
                        });
                    }
                }
                Deed::Abort { key } => {
                    waiting.retain(|runner| runner.key != key);
                    running.retain(|runner| runner.key != key);
                }
            }
        }
        if running.is_empty() && waiting.is_empty() {
            let Some(&(at, _)) = deeds.front() else { return (events, evictions) };
            now = now.max(Moment::from(Instant(at)));
            continue;
        }
        let held = |running: &[Runner]| running.iter().map(|r| u64::from(r.prompt)).sum::<u64>();
        let decoders = |running: &[Runner]| running.iter().filter(|r| r.decodes()).count();
        let mut evicted = false;
        while held(&running) + decoders(&running) as u64 > capacity {
            let mut runner = running.pop().expect("something overflowed");
            if runner.decodes() {
                // The last token that came out is not in the cache yet.
                runner.prompt += 1;
            }
            runner.prefilled = 0;
            waiting.push_front(runner);
            evictions += 1;
            evicted = true;
        }
        let batch = u32::try_from(decoders(&running)).unwrap();
        let kv = running.iter().filter(|r| r.decodes()).map(|r| u64::from(r.prompt)).sum();
        let was_decoding = running.len();
        let decoding: Vec<_> = running.iter().map(Runner::decodes).collect();
        let mut budget = settings.max_num_batched_tokens.saturating_sub(batch);
        let mut chunks = Vec::new();
        let (mut prompt, mut context) = (0, 0);
        for runner in &running {
            let chunk =
                if runner.decodes() { 0 } else { budget.min(runner.prompt - runner.prefilled) };
            budget -= chunk;
            prompt += chunk;
            context += u64::from(chunk) * u64::from(runner.prefilled);
            chunks.push(chunk);
        }
        while let Some(&next) = waiting.front()
            && !evicted
            && budget > 0
            && running.len() < settings.max_num_seqs as usize
            && held(&running) + u64::from(batch) + u64::from(next.prompt) <= capacity
        {
            waiting.pop_front();
            events.push(Event::Started { key: next.key, at: now.instant() });
            let chunk = budget.min(next.prompt);
            budget -= chunk;
            prompt += chunk;
            chunks.push(chunk);
            running.push(next);
        }
        let length = match prompt {
            0 => model.decode_steps(batch, kv).0,
            _ => model.mixed_step(batch, kv, prompt, context),
        };
        now = now.after(length);
        let during = |&&(at, _): &&(u64, Deed)| Moment::from(Instant(at)) < now;
        for &(_, deed) in deeds.iter().take_while(during) {
            if let Deed::Abort { key } = deed {
                for runner in running.iter_mut().filter(|runner| runner.key == key) {
                    runner.aborted = true;
                }
            }
        }
        for (place, runner) in running.iter_mut().enumerate() {
            let decoded = place < was_decoding && decoding[place];
            runner.prefilled += chunks[place];
            if decoded {
                // The token that came out last went into the cache, another came out.
                runner.prompt += 1;
                runner.prefilled += 1;
            } else if !runner.decodes() {
                continue;
            }
            runner.left -= 1;
            if !runner.first_sent && !runner.aborted {
                events.push(Event::FirstToken { key: runner.key, at: now.instant() });
            }
            runner.first_sent = true;
            if runner.left == 0 && !runner.aborted {
                events.push(Event::Finished { key: runner.key, at: now.instant() });
            }
        }
        running.retain(|runner| runner.left > 0);
    }
}

/// The real one, woken only when it asks for it.
fn jumping(
    model: &Arc<StepModel>,
    settings: EngineSettings,
    deeds: &[(u64, Deed)],
) -> (Vec<Event>, u64) {
    let mut replica = Replica::new(model.clone(), settings);
    let mut events = Vec::new();
    let mut deeds = deeds.iter().copied().peekable();
    loop {
        let wake = replica.next_wake();
        let deed = deeds.peek().map(|&(at, _)| Instant(at));
        match (wake, deed) {
            (Some(wake), deed) if deed.is_none_or(|deed| wake <= deed) => {
                let before = events.len();
                replica.advance(wake, &mut events);
                for event in &events[before..] {
                    if let Event::Finished { at, .. } | Event::FirstToken { at, .. } = *event {
                        assert_eq!(at, wake, "what the engine must know, it hears on time");
                    }
                }
                let next = replica.next_wake();
                assert!(next.is_none_or(|next| next > wake), "a wake moves the clock on");
                assert!(replica.kv_used(wake) <= settings.kv_capacity_tokens);
            }
            (_, Some(at)) => match deeds.next().expect("just seen").1 {
                Deed::Submit { key, prompt, output } => {
                    replica.submit(at, key, prompt, output);
                }
                Deed::Abort { key } => {
                    replica.abort(at, key);
                }
            },
            (_, None) => break,
        }
    }
    assert_eq!((replica.running(), replica.waiting()), (0, 0));
    assert_eq!(replica.kv_used(Instant::FAR), 0, "an empty replica holds nothing");
    (events, replica.preemptions())
}

fn model() -> Arc<StepModel> {
    Arc::new(StepModel::new(&StepTables {
        decode_ms: vec![(1, 6.1194), (2, 6.3527), (4, 6.542), (8, 6.431), (16, 6.9242)],
        prefill_ms: vec![(16, 7.172), (64, 7.382), (512, 12.019)],
        kv_ms_per_token: 0.001_273,
        chunk_context_ms: 7.4407e-5,
        host_ms: 0.3,
    }))
}

fn sorted(mut events: Vec<Event>) -> Vec<Event> {
    events.sort_by_key(|event| match *event {
        Event::Started { key, at } => (at, 0, key),
        Event::FirstToken { key, at } => (at, 1, key),
        Event::Finished { key, at } => (at, 2, key),
    });
    events
}

/// Requests with gaps, lengths, and perhaps a client that gives up after a while.
fn deeds() -> impl Strategy<Value = Vec<(u64, Deed)>> {
    let patience = prop_oneof![3 => Just(None), 1 => (0_u64..400_000).prop_map(Some)];
    let gap = prop_oneof![Just(0_u64), 1_u64..40_000, 1_u64..400_000];
    let request = (gap, 1_u32..120, 1_u32..60, patience);
    prop::collection::vec(request, 1..40).prop_map(|requests| {
        let mut deeds = Vec::new();
        let mut at = 0;
        for (key, (gap, prompt, output, patience)) in (0..).zip(requests) {
            at += gap;
            deeds.push((at, Deed::Submit { key, prompt, output }));
            if let Some(patience) = patience {
                deeds.push((at + patience, Deed::Abort { key }));
            }
        }
        deeds.sort_by_key(|&(at, _)| at);
        deeds
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn jumping_equals_stepping_with_tiny_caches_evictions_and_impatient_clients(
        deeds in deeds(),
        kv_capacity_tokens in 100_u64..800,
        max_num_seqs in 1_u32..12,
        max_num_batched_tokens in 12_u32..150,
    ) {
        let settings = EngineSettings { max_num_seqs, max_num_batched_tokens, kv_capacity_tokens };
        let model = model();
        let (stepped, evictions) = step_by_step(&model, settings, &deeds);
        let (jumped, preemptions) = jumping(&model, settings, &deeds);
        prop_assert_eq!(sorted(stepped), sorted(jumped));
        prop_assert_eq!(evictions, preemptions);
    }
}

/// The property above is worth something only if its cases do evict.
#[test]
fn a_full_cache_evicts_the_newest_and_everyone_finishes() {
    let submit = |key| (u64::from(key), Deed::Submit { key, prompt: 40, output: 50 });
    let deeds: Vec<_> = (0..10).map(submit).collect();
    let settings =
        EngineSettings { max_num_seqs: 10, max_num_batched_tokens: 64, kv_capacity_tokens: 420 };
    let (stepped, evictions) = step_by_step(&model(), settings, &deeds);
    let (jumped, preemptions) = jumping(&model(), settings, &deeds);
    assert_eq!(sorted(stepped), sorted(jumped.clone()));
    assert_eq!(evictions, preemptions);
    assert!(evictions >= 5, "{evictions} evictions");
    let finished = jumped.iter().filter(|event| matches!(event, Event::Finished { .. })).count();
    assert_eq!(finished, 10);
}
