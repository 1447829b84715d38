//! What a ready replica does with requests: an LLM engine, or a plain server, on whole GPUs or on parts of them.

mod contention;
mod plain;
mod shared;

use crate::llm::{Event, Replica, StepSeen};
pub(crate) use contention::speeds;
use contract::{Instant, Micros};
pub(crate) use plain::PlainServer;
pub(crate) use shared::{GpuUse, SharedServer};

/// The inside of a ready replica.
#[derive(Debug)]
pub(crate) enum Server {
    /// Continuous batching.
    Llm(Box<Replica>),
    /// Requests with a service time.
    Plain(PlainServer),
    /// One of the two at a part of the speed of its GPUs.
    Shared(Box<SharedServer>),
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
            Self::Shared(server) => server.submit(now, job),
        }
    }

    /// Drops a request.
    pub(crate) fn abort(&mut self, now: Instant, key: u32) -> bool {
        match self {
            Self::Llm(replica) => replica.abort(now, key),
            Self::Plain(server) => server.abort(now, key),
            Self::Shared(server) => server.abort(now, key),
        }
    }

    /// When it next changes by itself; [`Instant::FAR`] when idle.
    pub(crate) fn next_wake(&mut self) -> Instant {
        match self {
            Self::Llm(replica) => replica.next_wake().unwrap_or(Instant::FAR),
            Self::Plain(server) => server.next_wake().unwrap_or(Instant::FAR),
            Self::Shared(server) => server.next_wake(),
        }
    }

    /// Lives on to `now` and tells what happened.
    pub(crate) fn advance(&mut self, now: Instant, events: &mut Vec<Event>) {
        match self {
            Self::Llm(replica) => replica.advance(now, events),
            Self::Plain(server) => server.advance(now, events),
            Self::Shared(server) => server.advance(now, events),
        }
    }

    /// Whether it holds parts of GPUs, and has got work or run out of it since this was last asked.
    pub(crate) fn activity_changed(&mut self) -> bool {
        match self {
            Self::Llm(_) | Self::Plain(_) => false,
            Self::Shared(server) => server.activity_changed(),
        }
    }

    /// Requests worked on.
    pub(crate) fn running(&self) -> u32 {
        match self {
            Self::Llm(replica) => replica.running(),
            Self::Plain(server) => server.running(),
            Self::Shared(server) => server.inner().running(),
        }
    }

    /// Requests that wait inside.
    pub(crate) fn waiting(&self) -> u32 {
        match self {
            Self::Llm(replica) => replica.waiting(),
            Self::Plain(server) => server.waiting(),
            Self::Shared(server) => server.inner().waiting(),
        }
    }

    /// Share of the KV cache in use.
    #[expect(clippy::cast_precision_loss, reason = "token counts stay below 2^53")]
    pub(crate) fn kv_use(&self, now: Instant) -> f64 {
        match self {
            Self::Llm(replica) => replica.kv_used(now) as f64 / replica.kv_capacity().max(1) as f64,
            Self::Plain(_) => 0.0,
            Self::Shared(server) => server.kv_use(now),
        }
    }

    /// What an LLM engine exports beside; `None` of a plain server.
    #[expect(clippy::cast_precision_loss, reason = "token counts stay below 2^53")]
    pub(crate) fn llm_gauges(&self, now: Instant) -> Option<LlmGauges> {
        let replica = match self {
            Self::Llm(replica) => replica,
            Self::Plain(_) => return None,
            Self::Shared(server) => return server.llm_gauges(now),
        };
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
            Self::Shared(server) => server.busy(now),
        }
    }

    /// GPU time that it computed for so far, on `gpus` whole GPUs unless it holds parts.
    pub(crate) fn used(&self, now: Instant, gpus: u32) -> GpuUse {
        match self {
            Self::Llm(_) | Self::Plain(_) => {
                let own = u128::from(self.busy(now).0) * u128::from(gpus) * 1000;
                GpuUse { own, burst: 0 }
            }
            Self::Shared(server) => server.used(now),
        }
    }

    /// Evictions for want of KV cache so far.
    pub(crate) fn preemptions(&self) -> u64 {
        match self {
            Self::Llm(replica) => replica.preemptions(),
            Self::Plain(_) => 0,
            Self::Shared(server) => server.inner().preemptions(),
        }
    }

    /// Takes everything out, oldest first: the replica dies.
    pub(crate) fn into_keys(self) -> Vec<u32> {
        match self {
            Self::Llm(replica) => replica.into_keys(),
            Self::Plain(server) => server.into_keys(),
            Self::Shared(server) => server.into_inner().into_keys(),
        }
    }
}
