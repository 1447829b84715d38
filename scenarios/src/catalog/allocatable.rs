//! What a node leaves to pods, where the provider's figure is not in the catalogue: GKE's published
//! reservation formula ("Plan GKE Standard node sizes", Google Kubernetes Engine documentation). Its CPU part
//! is also the one of EKS, as the AWS rows of `nodes.toml` show.

use contract::{Bytes, MilliCpu};

/// CPU left to pods: the kubelet keeps 6 % of the first core, 1 % of the second, 0.5 % of the next two
/// and 0.25 % of the rest.
pub(super) fn cpu(vcpu: u32) -> MilliCpu {
    let bands = [(1, 60.0), (1, 10.0), (2, 5.0), (u32::MAX, 2.5)];
    let kept = banded(f64::from(vcpu), &bands);
    let left = f64::from(vcpu) * 1000.0 - kept;
    MilliCpu(whole(left))
}

/// Memory left to pods: the kubelet keeps 25 % of the first 4 GiB, 20 % of the next 4, 10 % of the next 8,
/// 6 % of the next 112, 2 % of the rest, and 100 MiB to evict pods in time.
pub(super) fn memory(total: Bytes) -> Bytes {
    let bands = [(4, 0.25), (4, 0.20), (8, 0.10), (112, 0.06), (u32::MAX, 0.02)];
    let kept_gib = banded(total.as_gib_f64(), &bands);
    let left_mib = (total.as_gib_f64() - kept_gib) * 1024.0 - 100.0;
    Bytes(whole(left_mib) << 20)
}

/// Sum over bands of (width, share) of what `amount` fills of them.
fn banded(amount: f64, bands: &[(u32, f64)]) -> f64 {
    let mut left = amount;
    let mut sum = 0.0;
    for &(width, share) in bands {
        let filled = left.clamp(0.0, f64::from(width));
        sum += filled * share;
        left -= filled;
    }
    sum
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "floored, not negative"
)]
fn whole(amount: f64) -> u64 {
    amount.max(0.0).floor() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(vcpu: u32, memory_gib: u64, expected: &str) {
        let found = format!("{} {}", cpu(vcpu), memory(Bytes::from_gib(memory_gib)));
        assert_eq!(found, expected);
    }

    #[test]
    fn the_formula_gives_the_figures_that_the_provider_prints() {
        // EKS prints 1930m for two cores and 7910m for eight (karpenter's instance types).
        check(2, 4, "1930m 2972MiB");
        check(8, 32, "7910m 29022MiB");
        check(192, 2048, "191450m 2048186MiB");
    }
}
