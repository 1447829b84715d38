//! One replica: what waits, what runs, and what the engine hears of it.
//!
//! The replica lives in phases. At a *boundary* the next step is not yet formed, so that whatever arrives
//! until then joins it; the step forms when time moves past the boundary. A step with prompt tokens is
//! taken alone, decode-only steps as a [`Stretch`]. An arrival that can be admitted cuts a stretch at the
//! end of the step under way: steps are never cut.

use super::sequences::{Sequence, Sequences};
use super::stretch::Stretch;
use super::time::{Moment, Picos, as_seconds};
use super::{EngineSettings, StepModel};
use contract::{Instant, Micros};
use std::collections::VecDeque;
use std::sync::Arc;

/// Something that happened to a request inside a replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A first piece of work was done on it; again after an eviction.
    Started {
        /// The request.
        key: u32,
        /// When.
        at: Instant,
    },
    /// Its first token is out.
    FirstToken {
        /// The request.
        key: u32,
        /// When.
        at: Instant,
    },
    /// Its last token is out.
    Finished {
        /// The request.
        key: u32,
        /// When.
        at: Instant,
    },
}

/// An LLM replica; how it schedules stands in the documentation of [`llm`](super).
#[derive(Debug)]
pub struct Replica {
    model: Arc<StepModel>,
    settings: EngineSettings,
    phase: Phase,
    /// Steps that have ended; runs ahead within a stretch that was cut.
    step: u64,
    waiting: VecDeque<Waiting>,
    sequences: Sequences,
    /// Places of sequences whose prompt is not all in the cache yet, oldest first.
    prefilling: Vec<u32>,
    /// Cache reserved for their prompts, in tokens.
    reserved: u64,
    /// Sequences that decode.
    decoding: u32,
    /// Tokens that these hold in the cache.
    decoding_kv: u64,
    /// Places of sequences whose client has gone during the step under way.
    aborted: Vec<u32>,
    preemptions: u64,
    busy: Micros,
    busy_since: Instant,
    happened: Vec<Event>,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// Nothing to do.
    Idle,
    /// The next step begins here and is not formed yet.
    Boundary(Moment),
    /// Decode-only steps are under way.
    Decoding(Stretch),
    /// A step with prompt tokens is under way and ends here.
    Mixed(Moment),
}

/// A step as an engine reports it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepSeen {
    /// How long it takes, in seconds.
    pub seconds: f64,
    /// Prompt tokens in it.
    pub prompt_tokens: u32,
    /// Cached tokens of the sequences that decode in it.
    pub kv_tokens: u64,
}

/// A request that is not in the batch.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    key: u32,
    prompt: u32,
    left: u32,
    first_sent: bool,
}

/// What the step at a boundary would hold.
#[derive(Clone, Copy, Debug)]
struct StepPlan {
    /// Waiting requests that it admits.
    admits: usize,
    /// Prompt tokens in it.
    prompt: u32,
    /// Sum of chunk × tokens already in the cache.
    context: u64,
}

impl StepPlan {
    /// No prompt tokens, nobody admitted.
    const DECODE_ONLY: Self = Self { admits: 0, prompt: 0, context: 0 };
}

impl Replica {
    /// An idle replica.
    ///
    /// # Panics
    /// If a limit in `settings` is zero.
    pub fn new(model: Arc<StepModel>, settings: EngineSettings) -> Self {
        let limits = [settings.max_num_seqs, settings.max_num_batched_tokens];
        assert!(!limits.contains(&0), "a replica without room for a sequence never serves");
        Self {
            model,
            settings,
            phase: Phase::Idle,
            step: 0,
            waiting: VecDeque::new(),
            sequences: Sequences::default(),
            prefilling: Vec::new(),
            reserved: 0,
            decoding: 0,
            decoding_kv: 0,
            aborted: Vec::new(),
            preemptions: 0,
            busy: Micros::ZERO,
            busy_since: Instant::ZERO,
            happened: Vec::new(),
        }
    }

    /// Takes a request: `key` names it, `prompt` and `output` are tokens (at least one each is assumed).
    /// False if prompt and output together can never fit into the KV cache.
    pub fn submit(&mut self, now: Instant, key: u32, prompt: u32, output: u32) -> bool {
        let (prompt, left) = (prompt.max(1), output.max(1));
        if u64::from(prompt) + u64::from(left) > self.settings.kv_capacity_tokens {
            return false;
        }
        self.settle(now.into());
        self.waiting.push_back(Waiting { key, prompt, left, first_sent: false });
        if matches!(self.phase, Phase::Idle) {
            self.phase = Phase::Boundary(now.into());
            self.busy_since = now;
        }
        self.admit_sooner(now.into());
        true
    }

    /// Drops a request; work under way on it ends with its step. False if it is not here.
    pub fn abort(&mut self, now: Instant, key: u32) -> bool {
        self.settle(now.into());
        if let Some(place) = self.waiting.iter().position(|waiting| waiting.key == key) {
            self.waiting.remove(place);
            self.admit_sooner(now.into());
            return true;
        }
        let Some(place) = self.sequences.find(key) else { return false };
        if self.sequences.get(place).aborted {
            return false;
        }
        match &mut self.phase {
            Phase::Idle | Phase::Boundary(_) => self.leave(place),
            Phase::Decoding(stretch) => {
                stretch.steps = stretch.steps_begun(now.into());
                self.abort_at_end(place);
            }
            Phase::Mixed(_) => self.abort_at_end(place),
        }
        true
    }

    /// When something happens next unless something arrives; `None` when idle. May turn out to be the end
    /// of a step of which the engine hears nothing.
    pub fn next_wake(&mut self) -> Option<Instant> {
        match self.phase {
            Phase::Idle => None,
            Phase::Decoding(stretch) => Some(stretch.end().instant()),
            Phase::Mixed(end) => Some(end.instant()),
            Phase::Boundary(at) if self.is_empty() => Some(at.instant()),
            // Which sequences go is settled when the step forms, just past the boundary.
            Phase::Boundary(at) if self.overflows() => Some(at.instant() + Micros(1)),
            Phase::Boundary(at) => match self.plan() {
                StepPlan { prompt: 0, .. } => Some(self.stretch(at).end().instant()),
                plan => Some(self.mixed_end(at, &plan).instant()),
            },
        }
    }

    /// Lives on to `now` and tells what happened since the last call.
    pub fn advance(&mut self, now: Instant, events: &mut Vec<Event>) {
        self.settle(now.into());
        events.append(&mut self.happened);
    }

    /// Sequences in the batch.
    pub fn running(&self) -> u32 {
        u32::try_from(self.sequences.len()).expect("a batch is smaller than 2^32")
    }

    /// Requests that wait for a place in the batch.
    pub fn waiting(&self) -> u32 {
        u32::try_from(self.waiting.len()).expect("fewer than 2^32 requests")
    }

    /// Tokens in the KV cache, those reserved for prompts included.
    pub fn kv_used(&self, now: Instant) -> u64 {
        let growing = match self.phase {
            // The last step begun has not ended.
            Phase::Decoding(stretch) => stretch.steps_begun(now.into()).saturating_sub(1),
            _ => 0,
        };
        self.kv() + growing * u64::from(self.decoding)
    }

    /// Tokens that the KV cache holds.
    pub fn kv_capacity(&self) -> u64 {
        self.settings.kv_capacity_tokens
    }

    /// Prompt tokens of the requests that wait for a place in the batch.
    pub fn waiting_prompt_tokens(&self) -> u64 {
        self.waiting.iter().map(|waiting| u64::from(waiting.prompt)).sum()
    }

    /// The step under way, or the one about to begin; `None` when idle.
    pub fn step_seen(&self, now: Instant) -> Option<StepSeen> {
        let (plan, decoded) = match self.phase {
            Phase::Idle => return None,
            Phase::Boundary(_) if self.is_empty() => return None,
            Phase::Boundary(_) => (self.plan(), 0),
            Phase::Mixed(_) => (self.plan_of(0), 0),
            Phase::Decoding(stretch) => {
                (StepPlan::DECODE_ONLY, stretch.steps_begun(now.into()).saturating_sub(1))
            }
        };
        let kv_tokens = self.decoding_kv + decoded * u64::from(self.decoding);
        let length = if plan.prompt == 0 {
            self.model.decode_steps(self.decoding, kv_tokens).0
        } else {
            self.model.mixed_step(self.decoding, kv_tokens, plan.prompt, plan.context)
        };
        Some(StepSeen { seconds: as_seconds(length), prompt_tokens: plan.prompt, kv_tokens })
    }

    /// Evictions so far.
    pub fn preemptions(&self) -> u64 {
        self.preemptions
    }

    /// Time spent on steps so far.
    pub fn busy(&self, now: Instant) -> Micros {
        match self.phase {
            Phase::Idle => self.busy,
            _ => self.busy + now.since(self.busy_since),
        }
    }

    /// Takes every request out, oldest first: the replica dies.
    pub fn into_keys(self) -> Vec<u32> {
        let here = |(_, sequence): &(u32, &Sequence)| !sequence.aborted;
        let mut running: Vec<_> = self.sequences.alive().filter(here).map(|(_, s)| *s).collect();
        running.sort_unstable_by_key(|sequence| sequence.admission);
        let waiting = self.waiting.iter().map(|waiting| waiting.key);
        running.iter().map(|sequence| sequence.key).chain(waiting).collect()
    }

    /// Lets everything happen that ends at `now` or before, and forms the steps that begin before `now`.
    fn settle(&mut self, now: Moment) {
        loop {
            match self.phase {
                Phase::Boundary(at) if self.is_empty() && at <= now => {
                    self.busy += at.instant().since(self.busy_since);
                    self.phase = Phase::Idle;
                }
                Phase::Boundary(at) if at < now => self.form(at),
                Phase::Decoding(stretch) if stretch.end() <= now => {
                    self.take_steps(stretch.steps);
                    self.end_step(stretch.end());
                }
                Phase::Mixed(end) if end <= now => {
                    let budget = self.prompt_budget();
                    self.take_steps(1);
                    self.prefill(budget, end);
                    self.end_step(end);
                }
                _ => return,
            }
        }
    }

    /// Forms the step that begins at a boundary.
    fn form(&mut self, at: Moment) {
        let evicted = self.make_room();
        // vLLM admits nothing in a step that evicts.
        let plan = if evicted { self.plan_of(0) } else { self.plan() };
        for _ in 0..plan.admits {
            self.admit(at);
        }
        if plan.prompt > 0 {
            self.phase = Phase::Mixed(self.mixed_end(at, &plan));
            return;
        }
        let mut stretch = self.stretch(at);
        if evicted && !self.waiting.is_empty() {
            stretch.steps = 1;
        }
        self.phase = Phase::Decoding(stretch);
    }

    /// An arrival or a departure may let the first in line into the batch before the stretch under way is
    /// over: at the end of the step under way.
    fn admit_sooner(&mut self, now: Moment) {
        let Phase::Decoding(stretch) = self.phase else { return };
        let Some(head) = self.waiting.front() else { return };
        let steps = stretch.steps_begun(now);
        let grown = self.kv() + steps * u64::from(self.decoding);
        if steps < stretch.steps && self.prompt_budget() > 0 && self.admits(head, 0, grown) {
            self.take_steps(steps);
            self.phase = Phase::Boundary(stretch.end_of(steps));
        }
    }

    /// Whether a waiting request may join a batch with `more` other newcomers that holds `kv` tokens.
    fn admits(&self, waiting: &Waiting, more: usize, kv: u64) -> bool {
        let kv_then = kv + u64::from(self.decoding) + u64::from(waiting.prompt);
        self.sequences.len() + more < self.settings.max_num_seqs as usize
            && kv_then <= self.settings.kv_capacity_tokens
    }

    /// What the next step would hold if nobody is evicted.
    fn plan(&self) -> StepPlan {
        self.plan_of(self.waiting.len())
    }

    /// The same, with at most `most` of those that wait.
    fn plan_of(&self, most: usize) -> StepPlan {
        let mut budget = self.prompt_budget();
        let mut plan = StepPlan::DECODE_ONLY;
        for &place in &self.prefilling {
            let sequence = self.sequences.get(place);
            let chunk = budget.min(sequence.prompt - sequence.prefilled);
            budget -= chunk;
            plan.prompt += chunk;
            plan.context += u64::from(chunk) * u64::from(sequence.prefilled);
        }
        let mut kv = self.kv();
        for waiting in self.waiting.iter().take(most) {
            if budget == 0 || !self.admits(waiting, plan.admits, kv) {
                break;
            }
            let chunk = budget.min(waiting.prompt);
            budget -= chunk;
            plan.prompt += chunk;
            plan.admits += 1;
            kv += u64::from(waiting.prompt);
        }
        plan
    }

    /// Prompt tokens that fit into a step beside the decoding sequences.
    fn prompt_budget(&self) -> u32 {
        self.settings.max_num_batched_tokens.saturating_sub(self.decoding)
    }

    fn mixed_end(&self, at: Moment, plan: &StepPlan) -> Moment {
        let length: Picos =
            self.model.mixed_step(self.decoding, self.decoding_kv, plan.prompt, plan.context);
        at.after(length)
    }

    /// Decode-only steps from `at` until a sequence finishes or the cache is full.
    fn stretch(&mut self, at: Moment) -> Stretch {
        let batch = u64::from(self.decoding);
        let finish = self.sequences.next_finish().expect("a batch without prompts decodes");
        let room = (self.settings.kv_capacity_tokens - self.kv()) / batch;
        let (first, growth) = self.model.decode_steps(self.decoding, self.decoding_kv);
        Stretch { start: at, first, growth, steps: room.min(finish - self.step) }
    }

    /// Takes the first in line into the batch.
    fn admit(&mut self, at: Moment) {
        let waiting = self.waiting.pop_front().expect("planned from what waits");
        let place = self.sequences.admit(Sequence {
            key: waiting.key,
            admission: 0,
            prompt: waiting.prompt,
            prefilled: 0,
            left: waiting.left,
            first_sent: waiting.first_sent,
            finish: None,
            aborted: false,
        });
        self.prefilling.push(place);
        self.reserved += u64::from(waiting.prompt);
        self.happened.push(Event::Started { key: waiting.key, at: at.instant() });
    }

    /// Whether the next step's tokens do not fit into the cache.
    fn overflows(&self) -> bool {
        self.kv() + u64::from(self.decoding) > self.settings.kv_capacity_tokens
    }

    /// Evicts the newest until the next step fits; they go back to the head of the line with the tokens
    /// that they have.
    fn make_room(&mut self) -> bool {
        let mut evicted = false;
        while self.overflows() {
            let place = self.sequences.newest().expect("an empty cache does not overflow");
            let sequence = *self.sequences.get(place);
            let (prompt, left) = match sequence.finish {
                None => (sequence.prompt, sequence.left),
                Some(finish) => {
                    let left = u32::try_from(finish - self.step).expect("at most its output");
                    (sequence.prompt + sequence.left - left, left)
                }
            };
            self.leave(place);
            let first_sent = sequence.first_sent || sequence.finish.is_some();
            self.waiting.push_front(Waiting { key: sequence.key, prompt, left, first_sent });
            self.preemptions += 1;
            evicted = true;
        }
        evicted
    }

    /// Every decoding sequence gains a token a step.
    fn take_steps(&mut self, steps: u64) {
        self.step += steps;
        self.decoding_kv += steps * u64::from(self.decoding);
    }

    /// Puts the prompt tokens of the step that ended at `end` into the cache; whoever's prompt is complete
    /// has its next token.
    fn prefill(&mut self, mut budget: u32, end: Moment) {
        let mut done = 0;
        for place in 0..self.prefilling.len() {
            let place = self.prefilling[place];
            let sequence = self.sequences.get_mut(place);
            let chunk = budget.min(sequence.prompt - sequence.prefilled);
            budget -= chunk;
            sequence.prefilled += chunk;
            if sequence.prefilled < sequence.prompt {
                break;
            }
            done += 1;
            let (prompt, left) = (u64::from(sequence.prompt), u64::from(sequence.left));
            if !sequence.first_sent && !sequence.aborted {
                self.happened.push(Event::FirstToken { key: sequence.key, at: end.instant() });
            }
            self.sequences.finish_at(place, self.step + left - 1);
            self.reserved -= prompt;
            self.decoding += 1;
            self.decoding_kv += prompt;
        }
        self.prefilling.drain(..done);
    }

    /// At the end of a step: those whose client has gone leave, then those who are done.
    fn end_step(&mut self, end: Moment) {
        while let Some(place) = self.aborted.pop() {
            self.leave(place);
        }
        while let Some(place) = self.sequences.pop_finished(self.step) {
            let key = self.sequences.get(place).key;
            self.leave(place);
            self.happened.push(Event::Finished { key, at: end.instant() });
        }
        self.phase = Phase::Boundary(end);
        // An empty replica rests at once.
        if self.is_empty() {
            self.busy += end.instant().since(self.busy_since);
            self.phase = Phase::Idle;
        }
    }

    /// Takes a sequence out of the batch and out of the cache.
    fn leave(&mut self, place: u32) {
        let sequence = self.sequences.remove(place);
        if let Some(finish) = sequence.finish {
            self.decoding -= 1;
            self.decoding_kv -= sequence.context(finish, self.step);
        } else {
            self.reserved -= u64::from(sequence.prompt);
            self.prefilling.retain(|&other| other != place);
        }
    }

    fn abort_at_end(&mut self, place: u32) {
        self.sequences.get_mut(place).aborted = true;
        self.aborted.push(place);
    }

    fn kv(&self) -> u64 {
        self.decoding_kv + self.reserved
    }

    fn is_empty(&self) -> bool {
        self.sequences.len() == 0 && self.waiting.is_empty()
    }
}
