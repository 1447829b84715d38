//! `summary.csv`: a row a stack, run and service; units stand in the column names.

use sim_core::outcome::{Experiment, RunSummary, ServiceSummary};

/// One column: its name, and how its cell is made.
type Column = (&'static str, fn(&RunSummary, &ServiceSummary) -> String);

/// The columns, in order. Those of the fleet repeat in each service's row.
const COLUMNS: [Column; 70] = [
    ("stack", |run, _| run.stack.clone()),
    ("seed", |run, _| run.seed.to_string()),
    ("run", |run, _| run.run.to_string()),
    ("service", |_, service| service.name.clone()),
    ("arrived_requests", |_, service| service.requests.arrived.to_string()),
    ("completed_requests", |_, service| service.requests.completed.to_string()),
    ("timed_out_requests", |_, service| service.requests.timed_out.to_string()),
    ("rejected_requests", |_, service| service.requests.rejected.to_string()),
    ("impossible_requests", |_, service| service.requests.impossible.to_string()),
    ("unfinished_requests", |_, service| service.requests.unfinished.to_string()),
    ("attained_requests", |_, service| service.requests.attained.to_string()),
    ("late_ttft_requests", |_, service| service.requests.late_ttft.to_string()),
    ("late_rest_requests", |_, service| service.requests.late_rest.to_string()),
    ("attempts", |_, service| service.requests.attempts.to_string()),
    ("attempts_lost_with_replica", |_, service| service.requests.lost_with_replica.to_string()),
    ("preemptions", |_, service| service.requests.preemptions.to_string()),
    ("attainment_share", |_, service| service.attainment.to_string()),
    ("goodput_requests_per_s", |_, service| service.goodput_rps.to_string()),
    ("ttft_mean_ms", |_, service| service.ttft.mean_ms.to_string()),
    ("ttft_p50_ms", |_, service| service.ttft.p50_ms.to_string()),
    ("ttft_p90_ms", |_, service| service.ttft.p90_ms.to_string()),
    ("ttft_p95_ms", |_, service| service.ttft.p95_ms.to_string()),
    ("ttft_p99_ms", |_, service| service.ttft.p99_ms.to_string()),
    ("ttft_p999_ms", |_, service| service.ttft.p999_ms.to_string()),
    ("ttft_max_ms", |_, service| service.ttft.max_ms.to_string()),
    ("tpot_mean_ms", |_, service| service.tpot.mean_ms.to_string()),
    ("tpot_p50_ms", |_, service| service.tpot.p50_ms.to_string()),
    ("tpot_p90_ms", |_, service| service.tpot.p90_ms.to_string()),
    ("tpot_p95_ms", |_, service| service.tpot.p95_ms.to_string()),
    ("tpot_p99_ms", |_, service| service.tpot.p99_ms.to_string()),
    ("tpot_p999_ms", |_, service| service.tpot.p999_ms.to_string()),
    ("tpot_max_ms", |_, service| service.tpot.max_ms.to_string()),
    ("e2e_mean_ms", |_, service| service.e2e.mean_ms.to_string()),
    ("e2e_p50_ms", |_, service| service.e2e.p50_ms.to_string()),
    ("e2e_p90_ms", |_, service| service.e2e.p90_ms.to_string()),
    ("e2e_p95_ms", |_, service| service.e2e.p95_ms.to_string()),
    ("e2e_p99_ms", |_, service| service.e2e.p99_ms.to_string()),
    ("e2e_p999_ms", |_, service| service.e2e.p999_ms.to_string()),
    ("e2e_max_ms", |_, service| service.e2e.max_ms.to_string()),
    ("prompt_tokens", |_, service| service.tokens.prompt.to_string()),
    ("output_tokens", |_, service| service.tokens.output.to_string()),
    ("ready_replicas_mean", |_, service| service.replicas.ready_mean.to_string()),
    ("ready_replicas_peak", |_, service| service.replicas.ready_peak.to_string()),
    ("wanted_replicas_peak", |_, service| service.replicas.wanted_peak.to_string()),
    ("created_replicas", |_, service| service.replicas.created.to_string()),
    ("replica_start_mean_s", |_, service| service.replicas.start_mean_s.to_string()),
    ("replica_start_max_s", |_, service| service.replicas.start_max_s.to_string()),
    ("inside_requests_mean", |_, service| service.little.inside_mean.to_string()),
    ("rate_times_time_requests", |_, service| service.little.rate_times_time.to_string()),
    ("cost_usd", |run, _| run.cost.usd.to_string()),
    ("cost_usd_per_day", |run, _| run.cost.usd_per_day.to_string()),
    ("cost_usd_per_million_tokens", |run, _| {
        run.cost.usd_per_million_tokens.map_or(String::new(), |usd| usd.to_string())
    }),
    ("gpu_total_h", |run, _| run.gpu.total.to_string()),
    ("gpu_useful_h", |run, _| run.gpu.useful.to_string()),
    ("gpu_idle_ready_h", |run, _| run.gpu.idle_ready.to_string()),
    ("gpu_loading_h", |run, _| run.gpu.loading.to_string()),
    ("gpu_booting_h", |run, _| run.gpu.booting.to_string()),
    ("gpu_unallocated_h", |run, _| run.gpu.unallocated.to_string()),
    ("gpu_stranded_h", |run, _| run.gpu.stranded.to_string()),
    ("gpu_burst_h", |run, _| run.gpu.burst.to_string()),
    ("gpu_partial_gangs_h", |run, _| run.gpu.partial_gangs.to_string()),
    ("gpu_checkpoints_h", |run, _| run.gpu.checkpoints.to_string()),
    ("gpu_lost_h", |run, _| run.gpu.lost.to_string()),
    ("nodes_mean", |run, _| run.fleet.nodes_mean.to_string()),
    ("nodes_peak", |run, _| run.fleet.nodes_peak.to_string()),
    ("nodes_launched", |run, _| run.fleet.launched.to_string()),
    ("node_launch_failures", |run, _| run.fleet.launch_failures.to_string()),
    ("nodes_reclaimed", |run, _| run.fleet.reclaimed.to_string()),
    ("events", |run, _| run.events.to_string()),
    ("fingerprint", |run, _| run.fingerprint.clone()),
];

/// The file's text.
pub(crate) fn write(experiment: &Experiment) -> csv::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS.map(|(name, _)| name))?;
    for run in experiment.stacks.iter().flat_map(|stack| &stack.runs) {
        for service in &run.services {
            writer.write_record(COLUMNS.map(|(_, cell)| cell(run, service)))?;
        }
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn a_row_stands_for_each_stack_run_and_service() {
        let bytes = write(&fixture::experiment(2, 3, 2)).expect("memory takes everything");
        let text = String::from_utf8(bytes).expect("csv of text");
        assert_eq!(text.lines().count(), 1 + 2 * 3 * 2);
        insta::assert_snapshot!(text.lines().take(2).collect::<Vec<_>>().join("\n"));
    }
}
