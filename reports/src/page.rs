//! stub
use crate::figure::Figure;
use sim_core::outcome::Experiment;
pub(crate) fn write(_: &Experiment, _: &str, figures: &[Figure]) -> String {
    figures.iter().map(|f| f.svg.clone()).collect()
}
