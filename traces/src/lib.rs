//! Traffic: readers for public trace formats, and generators. Both stream; no trace is ever held whole.
//!
//! [`Traffic`] is what a scenario writes under `[service.NAME.traffic.KIND]`; [`Traffic::open`] turns it
//! into the arrivals that the engine pulls. A new trace format is one file here, its line in
//! [`FORMATS`], its variant of [`Traffic`], and a small sample under `traces/samples/`.
//!
//! Lists of nodes and pods for packing studies ([`openb_nodes`], [`openb_pods`]) are no traffic: they are read
//! whole.

mod azure;
mod openb;

mod error;
mod format;
mod input;
mod jobs;
mod named;
mod rate;
mod replay;
mod scale;
mod setting;
mod synthetic;
mod table;
mod traffic;

pub use error::{Problem, TraceError};
pub use format::{Format, Reader, Row};
pub use jobs::{JobPattern, Submissions, Widths};
pub use named::{Named, NamedTable, UnknownName};
pub use openb::{OpenbNode, OpenbOrder, OpenbPod, openb_nodes, openb_orders, openb_pods};
pub use rate::{RateError, RequestsPerSecond};
pub use replay::Replay;
pub use setting::{Factor, OutOfRange, Shape, Sigma, SpellMedian, Spread, Tokens, Weight};
pub use synthetic::{
    Arrivals, EmptyMixture, LengthTable, Lengths, Lognormal, Mixture, OnOff, Part, Profile,
    Provenance, Pulse, Quantiles, Spell, Synthetic,
};
pub use traffic::Traffic;

/// Every trace format, in the order of the manual.
pub const FORMATS: &[Format] = &[azure::FORMAT];
