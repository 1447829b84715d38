//! Tests of the crate from outside: what a scenario and a journal see.

mod catalogue;
mod journal;
mod settings;
