//! Defaults that both algorithms share (upstream: `context/context.go`, `metrics/client.go`).

use contract::Micros;

pub(crate) fn one() -> u32 {
    1
}

pub(crate) fn two() -> f64 {
    2.0
}

pub(crate) fn tenth() -> f64 {
    0.1
}

pub(crate) fn yes() -> bool {
    true
}

pub(crate) fn ten_seconds() -> Micros {
    Micros::from_secs(10)
}

pub(crate) fn three_minutes() -> Micros {
    Micros::from_mins(3)
}

pub(crate) fn five_minutes() -> Micros {
    Micros::from_mins(5)
}
