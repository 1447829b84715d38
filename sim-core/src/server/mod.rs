//! What a ready replica does with requests: an LLM engine, or a plain server.

mod plain;

use crate::llm::{Event, Replica, StepSeen};
use contract::{Instant, Micros};
pub(crate) use plain::PlainServer;

/// The inside of a ready replica.
#[derive(Debug)]
pub(crate) enum Server {
    /// Continuous batching.
    Llm(Box<Replica>),
    /// Requests with a service time.
    Plain(PlainServer),
}

/// What a replica is asked to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    /// The request's key.
    pub(crate) key: u32,
    /// Prompt tokens.
    pub(crate) prompt: u32,
    /// Output tokens.
    pub(crate) output: u32,
    /// Service time on a plain server.
    pub(crate) work: Micros,
}

/// What an LLM engine exports beside requests, KV-cache use and business.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LlmGauges {
    /// Tokens in the KV cache, those reserved for prompts included.
    pub(crate) kv_tokens: f64,
    /// Tokens that it can hold.
    pub(crate) kv_capacity: f64,
    /// Prompt tokens that wait.
    pub(crate) waiting_prompt_tokens: f64,
    /// The step under way.
    pub(crate) step: Option<StepSeen>,
}

impl Server {
    /// Takes a request; false if it can never be served here.
    pub(crate) fn submit(&mut self, now: Instant, job: Job) -> bool {
        match self {
            Self::Llm(replica) => replica.submit(now, job.key, job.prompt, job.output),
            Self::Plain(server) => {
                server.submit(now, job.key, job.work);
                true
            }
        }
    }

    /// Drops a request.
    pub(crate) fn abort(&mut self, now: Instant, key: u32) -> bool {
        match self {
            Self::Llm(replica) => replica.abort(now, key),
            Self::Plain(server) => server.abort(now, key),
        }
    }

    /// When it next changes by itself; [`Instant::FAR`] when idle.
    pub(crate) fn next_wake(&mut self) -> Instant {
        match self {
            Self::Llm(replica) => replica.next_wake().unwrap_or(Instant::FAR),
            Self::Plain(server) => server.next_wake().unwrap_or(Instant::FAR),
        }
    }

    /// Lives on to `now` and tells what happened.
    pub(crate) fn advance(&mut self, now: Instant, events: &mut Vec<Event>) {
        match self {
            Self::Llm(replica) => replica.advance(now, events),
            Self::Plain(server) => server.advance(now, events),
        }
    }

    /// Requests worked on.
    pub(crate) fn running(&self) -> u32 {
        match self {
            Self::Llm(replica) => replica.running(),
            Self::Plain(server) => server.running(),
        }
    }

    /// Requests that wait inside.
    pub(crate) fn waiting(&self) -> u32 {
        match self {
            Self::Llm(replica) => replica.waiting(),
            Self::Plain(server) => server.waiting(),
        }
    }

    /// Share of the KV cache in use.
    #[expect(clippy::cast_precision_loss, reason = "token counts stay below 2^53")]
    pub(crate) fn kv_use(&self, now: Instant) -> f64 {
        match self {
            Self::Llm(replica) => replica.kv_used(now) as f64 / replica.kv_capacity().max(1) as f64,
            Self::Plain(_) => 0.0,
        }
    }

    /// What an LLM engine exports beside; `None` of a plain server.
    #[expect(clippy::cast_precision_loss, reason = "token counts stay below 2^53")]
    pub(crate) fn llm_gauges(&self, now: Instant) -> Option<LlmGauges> {
        let Self::Llm(replica) = self else { return None };
        Some(LlmGauges {
            kv_tokens: replica.kv_used(now) as f64,
            kv_capacity: replica.kv_capacity() as f64,
            waiting_prompt_tokens: replica.waiting_prompt_tokens() as f64,
            step: replica.step_seen(now),
        })
    }

    /// Time spent computing so far.
    pub(crate) fn busy(&self, now: Instant) -> Micros {
        match self {
            Self::Llm(replica) => replica.busy(now),
            Self::Plain(server) => server.busy(now),
        }
    }

    /// Evictions for want of KV cache so far.
    pub(crate) fn preemptions(&self) -> u64 {
        match self {
            Self::Llm(replica) => replica.preemptions(),
            Self::Plain(_) => 0,
        }
    }

    /// Takes everything out, oldest first: the replica dies.
    pub(crate) fn into_keys(self) -> Vec<u32> {
        match self {
            Self::Llm(replica) => replica.into_keys(),
            Self::Plain(server) => server.into_keys(),
        }
    }
}
