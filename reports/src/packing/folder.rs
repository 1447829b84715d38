//! The folder of a packing study.
//!
//! | file | what it holds |
//! |---|---|
//! | `curves.csv` | every run: allocation and fragments at each percent of arrived load |
//! | `curves-mean.csv` | means and standard deviations over runs |
//! | `packing.svg`, `packing.png` | the means as a figure |

use super::{curves_csv, figure};
use crate::folder::{File, replace};
use crate::{ReportError, canvas};
use placement::packing::StrategyCurves;
use std::path::Path;

/// The file that every such folder has.
const CURVES: &str = "curves.csv";
const MEANS: &str = "curves-mean.csv";

/// Writes curves as CSV, and a figure. A folder of an earlier study is replaced.
///
/// # Errors
/// When something else stands there, or the file system says no; then the place is left as it was.
pub fn write_packing_folder(folder: &Path, curves: &[StrategyCurves]) -> Result<(), ReportError> {
    let fault = |file| {
        move |error: csv::Error| ReportError::NotWritable { file, problem: error.to_string() }
    };
    let svg = figure::draw(curves)?;
    let png = canvas::rasterise(figure::NAME, &svg)?;
    let files: [File; 4] = [
        (CURVES.into(), curves_csv::write(curves).map_err(fault(CURVES))?),
        (MEANS.into(), curves_csv::write_means(curves).map_err(fault(MEANS))?),
        (format!("{}.svg", figure::NAME).into(), svg.into_bytes()),
        (format!("{}.png", figure::NAME).into(), png),
    ];
    replace(folder, &files, CURVES)
}
