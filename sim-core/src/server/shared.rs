//! A replica that holds parts of GPUs: a server whose clock runs slower than the engine's.
//!
//! Inside, time passes as on whole GPUs that the replica has to itself; outside, it takes longer, by the part of the GPU
//! that it gets. The part changes while neighbours come and go; what is under way then goes on at the new pace.

use super::{Job, LlmGauges, Server};
use crate::llm::Event;
use contract::{GpuMilli, Instant, Micros};

/// A server at a part of the speed of its GPUs.
#[derive(Debug)]
pub(crate) struct SharedServer {
    inner: Server,
    clock: Clock,
    /// Its own part of each of its GPUs, in thousandths.
    own: Vec<u16>,
    /// What happened inside before the pace changed, in the engine's time, and is not told yet.
    untold: Vec<Event>,
    /// Whether it had requests when time was last counted.
    busy: bool,
    /// Whether it had some when its neighbours were last told.
    was_busy: bool,
    counted: Instant,
    /// Time with requests inside.
    busy_time: Micros,
    used: GpuUse,
}

/// GPU time that a replica computed for, in thousandths of a microsecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GpuUse {
    /// In its own part.
    pub(crate) own: u128,
    /// In parts that others left idle.
    pub(crate) burst: u128,
}

/// Maps the engine's time to the time inside. In nanoseconds inside, so that a microsecond at any number of thousandths
/// is a whole number.
#[derive(Clone, Copy, Debug)]
struct Clock {
    /// When the pace last changed.
    since: Instant,
    /// The time inside then.
    inside: u64,
    /// Thousandths of full speed.
    speed: u16,
    /// When a request last came in. It may have come in the midst of a microsecond inside that began before: whatever
    /// it does in no time is not told of an earlier moment.
    entered: Instant,
}

const NANOS: u64 = 1000;

impl Clock {
    /// The time inside, in nanoseconds.
    fn nanos(&self, now: Instant) -> u64 {
        self.inside + now.since(self.since).0 * u64::from(self.speed)
    }

    /// The last whole microsecond inside.
    fn inside(&self, now: Instant) -> Instant {
        Instant(self.nanos(now) / NANOS)
    }

    /// The first microsecond at which the time inside has come; never, when nothing moves.
    fn outside(&self, inside: Instant) -> Instant {
        let nanos = inside.0.saturating_mul(NANOS).saturating_sub(self.inside);
        let moment = match (nanos, self.speed) {
            (_, _) if inside == Instant::FAR => Instant::FAR,
            (0, _) => self.since,
            (_, 0) => Instant::FAR,
            (nanos, speed) => self.since + Micros(nanos.div_ceil(u64::from(speed))),
        };
        moment.max(self.entered)
    }

    /// What happened inside, at the time at which it is known outside.
    fn told(&self, event: Event) -> Event {
        match event {
            Event::Started { key, at } => Event::Started { key, at: self.outside(at) },
            Event::FirstToken { key, at } => Event::FirstToken { key, at: self.outside(at) },
            Event::Finished { key, at } => Event::Finished { key, at: self.outside(at) },
        }
    }
}

impl SharedServer {
    /// An idle server with its own part of each of its GPUs.
    pub(crate) fn new(inner: Server, own: Vec<GpuMilli>, now: Instant) -> Self {
        let speed = GpuMilli::WHOLE.get();
        let clock = Clock { since: now, inside: now.0 * NANOS, speed, entered: now };
        let own = own.into_iter().map(GpuMilli::get).collect();
        let (busy_time, used) = (Micros::ZERO, GpuUse::default());
        Self {
            inner,
            clock,
            own,
            untold: Vec::new(),
            busy: false,
            was_busy: false,
            counted: now,
            busy_time,
            used,
        }
    }

    /// Whether it has got work or run out of it since this was last asked.
    pub(crate) fn activity_changed(&mut self) -> bool {
        let is_busy = self.is_busy();
        std::mem::replace(&mut self.was_busy, is_busy) != is_busy
    }

    /// Whether requests are inside.
    pub(crate) fn is_busy(&self) -> bool {
        self.inner.running() + self.inner.waiting() > 0
    }

    /// From now on it gets so many thousandths.
    pub(crate) fn set_speed(&mut self, now: Instant, speed: u16) {
        self.count(now);
        let mut happened = Vec::new();
        self.inner.advance(self.clock.inside(now), &mut happened);
        self.untold.extend(happened.into_iter().map(|event| self.clock.told(event)));
        let inside = self.clock.nanos(now);
        self.clock = Clock { since: now, inside, speed, entered: now };
        self.busy = self.is_busy();
    }

    pub(crate) fn submit(&mut self, now: Instant, job: Job) -> bool {
        self.count(now);
        let taken = self.inner.submit(self.clock.inside(now), job);
        self.clock.entered = now;
        self.busy = self.is_busy();
        taken
    }

    pub(crate) fn abort(&mut self, now: Instant, key: u32) -> bool {
        self.count(now);
        let found = self.inner.abort(self.clock.inside(now), key);
        self.busy = self.is_busy();
        found
    }

    pub(crate) fn next_wake(&mut self) -> Instant {
        if !self.untold.is_empty() {
            return self.clock.since;
        }
        let wake = self.inner.next_wake();
        self.clock.outside(wake)
    }

    pub(crate) fn advance(&mut self, now: Instant, events: &mut Vec<Event>) {
        self.count(now);
        events.append(&mut self.untold);
        let told = events.len();
        self.inner.advance(self.clock.inside(now), events);
        for event in &mut events[told..] {
            *event = self.clock.told(*event);
        }
        self.busy = self.is_busy();
    }

    pub(crate) fn inner(&self) -> &Server {
        &self.inner
    }

    pub(crate) fn into_inner(self) -> Server {
        self.inner
    }

    pub(crate) fn kv_use(&self, now: Instant) -> f64 {
        self.inner.kv_use(self.clock.inside(now))
    }

    /// Steps take as long as they take at the present pace; none is seen while nothing moves.
    pub(crate) fn llm_gauges(&self, now: Instant) -> Option<LlmGauges> {
        let gauges = self.inner.llm_gauges(self.clock.inside(now))?;
        let step = gauges.step.filter(|_| self.clock.speed > 0).map(|mut step| {
            step.seconds *= f64::from(GpuMilli::WHOLE.get()) / f64::from(self.clock.speed);
            step
        });
        Some(LlmGauges { step, ..gauges })
    }

    /// Time with requests inside.
    pub(crate) fn busy(&self, now: Instant) -> Micros {
        let going_on = if self.busy { now.since(self.counted) } else { Micros::ZERO };
        self.busy_time + going_on
    }

    /// GPU time that it computed for.
    pub(crate) fn used(&self, now: Instant) -> GpuUse {
        let going_on = self.used_since_counted(now);
        GpuUse { own: self.used.own + going_on.own, burst: self.used.burst + going_on.burst }
    }

    fn used_since_counted(&self, now: Instant) -> GpuUse {
        if !self.busy {
            return GpuUse::default();
        }
        let time = u128::from(now.since(self.counted).0);
        let speed = self.clock.speed;
        let own: u128 = self.own.iter().map(|&part| u128::from(part.min(speed))).sum();
        let burst: u128 = self.own.iter().map(|part| u128::from(speed.saturating_sub(*part))).sum();
        GpuUse { own: time * own, burst: time * burst }
    }

    fn count(&mut self, now: Instant) {
        self.used = self.used(now);
        self.busy_time = self.busy(now);
        self.counted = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::PlainServer;
    use crate::spec::Pace;
    use proptest::prelude::*;

    fn server(own: u16) -> SharedServer {
        let own = GpuMilli::try_from(own).expect("thousandths");
        SharedServer::new(
            Server::Plain(PlainServer::new(1, Pace::REFERENCE)),
            vec![own],
            Instant(0),
        )
    }

    fn job(key: u32, work: u64) -> Job {
        Job { key, prompt: 0, output: 0, work: Micros(work) }
    }

    /// Lives from wake to wake; when does each request finish?
    fn finishes(server: &mut SharedServer) -> Vec<(u32, u64)> {
        let (mut ends, mut events) = (Vec::new(), Vec::new());
        while server.next_wake() < Instant::FAR {
            let now = server.next_wake();
            server.advance(now, &mut events);
            for event in events.drain(..) {
                if let Event::Finished { key, at } = event {
                    assert_eq!(at, now, "a replica wakes when a request finishes");
                    ends.push((key, at.0));
                }
            }
        }
        ends
    }

    #[test]
    fn half_a_gpu_takes_twice_as_long() {
        let mut server = server(500);
        server.set_speed(Instant(0), 500);
        server.submit(Instant(0), job(1, 100));
        server.submit(Instant(0), job(2, 7));
        assert_eq!(finishes(&mut server), [(1, 200), (2, 214)]);
        assert_eq!(server.busy(Instant(900)), Micros(214));
        assert_eq!(server.used(Instant(900)), GpuUse { own: 107_000, burst: 0 });
    }

    #[test]
    fn work_under_way_goes_on_at_the_new_pace() {
        let mut server = server(250);
        server.submit(Instant(0), job(1, 100));
        server.set_speed(Instant(40), 250);
        server.set_speed(Instant(140), 500);
        // 40 at full speed, 25 at a quarter, the other 35 at half.
        assert_eq!(finishes(&mut server), [(1, 210)]);
        let used = server.used(Instant(210));
        let own = 40 * 250 + 100 * 250 + 70 * 250;
        assert_eq!(used, GpuUse { own, burst: 40 * 750 + 70 * 250 });
    }

    #[test]
    fn at_no_speed_nothing_happens_until_there_is_some() {
        let mut server = server(0);
        server.set_speed(Instant(0), 0);
        server.submit(Instant(0), job(1, 10));
        assert_eq!(server.next_wake(), Instant::FAR);
        server.set_speed(Instant(1000), 1000);
        assert_eq!(finishes(&mut server), [(1, 1010)]);
    }

    #[test]
    fn what_takes_no_time_is_over_when_it_comes_in() {
        let mut server = server(100);
        server.set_speed(Instant(3), 100);
        server.submit(Instant(9), job(1, 0));
        assert_eq!(finishes(&mut server), [(1, 9)]);
    }

    #[test]
    fn what_happened_at_the_moment_of_a_change_is_told_then() {
        let mut server = server(1000);
        server.submit(Instant(0), job(1, 10));
        server.set_speed(Instant(10), 1);
        assert_eq!(finishes(&mut server), [(1, 10)]);
    }

    proptest! {
        #[test]
        fn changes_of_pace_neither_lose_nor_make_work(
            changes in prop::collection::vec((1_u64..5_000, 0_u16..=1000), 0..20),
            work in 1_u64..20_000,
        ) {
            let mut server = server(1000);
            server.submit(Instant(0), job(1, work));
            let (mut now, mut speed, mut done) = (0, 1000, 0);
            for (wait, next) in changes {
                if Instant(now + wait) > server.next_wake() {
                    break;
                }
                now += wait;
                done += wait * u64::from(speed);
                server.set_speed(Instant(now), next);
                speed = next;
            }
            if speed == 0 {
                server.set_speed(Instant(now), 1000);
                speed = 1000;
            }
            let left = (work * NANOS).saturating_sub(done);
            let expected = now + left.div_ceil(u64::from(speed));
            prop_assert_eq!(finishes(&mut server), [(1, expected)]);
        }
    }
}
