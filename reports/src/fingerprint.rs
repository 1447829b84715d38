//! One fingerprint over all runs, and the list of each run's own.

use sim_core::outcome::Experiment;
use std::fmt::Write;
use xxhash_rust::xxh3::Xxh3;

/// How many runs an experiment has.
pub(crate) fn runs(experiment: &Experiment) -> usize {
    experiment.stacks.iter().map(|stack| stack.runs.len()).sum()
}

/// A hash of every run's fingerprint, with its stack and replication, in order; 32 hex digits.
pub(crate) fn of_all(experiment: &Experiment) -> String {
    let mut hash = Xxh3::new();
    hash.update(lines(experiment).as_bytes());
    format!("{:032x}", hash.digest128())
}

/// The file `fingerprint.txt`: the fingerprint over all runs, then each run's.
pub(crate) fn file(experiment: &Experiment) -> String {
    format!("{}  all runs ({})\n{}", of_all(experiment), runs(experiment), lines(experiment))
}

fn lines(experiment: &Experiment) -> String {
    let mut text = String::new();
    for (stack, run) in
        experiment.stacks.iter().flat_map(|stack| stack.runs.iter().map(move |run| (stack, run)))
    {
        writeln!(text, "{}  {} run {}", run.fingerprint, stack.name, run.run)
            .expect("a string takes everything");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn one_digit_in_one_run_changes_the_fingerprint_of_all() {
        let mut experiment = fixture::experiment(2, 2, 1);
        let before = of_all(&experiment);
        assert_eq!(before, of_all(&fixture::experiment(2, 2, 1)));
        experiment.stacks[1].runs[1].fingerprint.replace_range(31.., "f");
        assert_ne!(before, of_all(&experiment));
    }

    #[test]
    fn swapping_two_runs_changes_the_fingerprint_of_all() {
        let mut experiment = fixture::experiment(2, 2, 1);
        let before = of_all(&experiment);
        experiment.stacks[0].runs.swap(0, 1);
        assert_ne!(before, of_all(&experiment));
    }
}
