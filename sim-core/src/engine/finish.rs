//! Closing the books: bins of the timeline, the horizon, and sums turned into figures.

use super::{Engine, Event, Outcome, id};
use crate::job::JobClass;
use crate::outcome::{FleetSummary, ReplicaSummary, RunSummary, ServiceSummary, TimelineRow};
use crate::queue::Class;
use contract::{Instant, ServiceId};

impl Engine<'_> {
    /// Closes a bin of the timeline and opens the next.
    pub(super) fn close_bin(&mut self) {
        self.write_timeline();
        self.book_bin();
    }

    /// The open bin closes after its width; the horizon closes the last one.
    pub(super) fn book_bin(&mut self) {
        let end = self.now + self.spec.bin;
        if end < Instant::ZERO + self.spec.horizon {
            self.queue.push(end, Class::Bookkeeping, Event::Bin);
        }
    }

    /// A row for each service.
    fn write_timeline(&mut self) {
        let now = self.now;
        for place in 0..self.services.len() {
            let waiting = self.waiting_inside(ServiceId(id(place)));
            let service = &mut self.services[place];
            let counts = self.services_seen[place].replicas;
            let row = TimelineRow {
                wanted: self.services_seen[place].replicas_wanted,
                ready: counts.ready,
                starting: counts.pending + counts.starting,
                queue: service.gateway.held() + waiting,
                inside: service.score.inside(),
                nodes: self.fleet.ledger.nodes_up(),
                nodes_starting: self.fleet.starting(),
                usd_per_hour: self.fleet.usd_per_hour(),
                ..service.score.close_bin(now)
            };
            self.timeline.push(row);
        }
    }

    /// Arrivals are over, the books close.
    pub(super) fn reach_horizon(&mut self) {
        let now = self.now;
        self.write_timeline();
        for (service, tally) in self.services.iter().zip(&mut self.tallies) {
            tally.close(now);
            for slot in &service.slots {
                let pod = self.pods[*slot as usize].as_ref();
                let gpus = pod.map_or(0, |pod| pod.spec.requests.gpus);
                if let Some(server) = &self.servers[*slot as usize] {
                    self.fleet.ledger.useful(server.used(now, gpus));
                }
            }
        }
        self.unplaced = self.explain_unplaced();
        self.close_jobs();
        self.quotas.close(now);
        self.fleet.close_books(now);
        self.check_job_books();
        self.past_horizon = true;
    }

    /// Figures.
    pub(super) fn finish(mut self) -> Outcome {
        self.end_all_unfinished();
        let length = self.spec.horizon;
        let seed = self.spec.seed;
        let tokens: u64 = self
            .services
            .iter()
            .map(|service| service.score.tokens())
            .map(|tokens| tokens.prompt + tokens.output)
            .sum();
        let services = (0..self.services.len()).map(|place| self.service_summary(place)).collect();
        let summary = RunSummary {
            stack: String::new(),
            seed: seed.seed,
            run: seed.run,
            fingerprint: self.fingerprint.digest(),
            horizon: length,
            events: self.fingerprint.events(),
            services,
            cost: self.fleet.ledger.cost(length, tokens),
            gpu: self.fleet.ledger.gpu_hours(),
            fleet: FleetSummary {
                nodes_mean: self.fleet.ledger.nodes_mean(length),
                nodes_peak: self.fleet.ledger.nodes_peak(),
                launched: self.fleet.launched,
                launch_failures: self.fleet.launch_failures,
                reclaimed: self.fleet.reclaimed,
            },
            jobs: self.job_classes.iter().map(JobClass::summary).collect(),
            unplaced: std::mem::take(&mut self.unplaced),
            queues: self.quotas.summaries(),
        };
        let histograms = self.services.iter().map(|service| service.score.histograms()).collect();
        Outcome { summary, timeline: self.timeline, histograms }
    }

    #[expect(clippy::cast_precision_loss, reason = "figures for reports")]
    fn service_summary(&self, place: usize) -> ServiceSummary {
        let service = &self.services[place];
        let score = &service.score;
        let tally = &self.tallies[place];
        let servers = service.slots.iter().filter_map(|slot| self.servers[*slot as usize].as_ref());
        let preempted: u64 = servers.map(super::Server::preemptions).sum();
        let mut requests = score.counts;
        requests.preemptions = tally.preemptions + preempted;
        let [ttft, tpot, e2e] = score.latencies();
        let share = |part: u64, whole: u64| {
            if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
        };
        let length = self.spec.horizon.0.max(1) as f64;
        let starts = tally.starts.max(1) as f64;
        ServiceSummary {
            name: service.spec.name.to_string(),
            goodput_rps: requests.attained as f64 / (length / 1e6),
            attainment: share(requests.attained, requests.arrived),
            requests,
            ttft,
            tpot,
            e2e,
            tokens: score.tokens(),
            replicas: ReplicaSummary {
                ready_mean: tally.ready_integral as f64 / length,
                ready_peak: tally.ready_peak,
                wanted_peak: tally.wanted_peak,
                created: tally.created,
                start_mean_s: tally.start_sum as f64 / starts / 1e6,
                start_max_s: tally.start_max as f64 / 1e6,
            },
            blame: score.blames(),
            little: score.little(self.now.since(Instant::ZERO)),
        }
    }
}
