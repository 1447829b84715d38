//! The command `windtunnel`.
fn main() {}
