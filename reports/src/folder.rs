//! The run folder: everything that an experiment leaves behind, and all that a report needs.
//!
//! | file | what it holds |
//! |---|---|
//! | `report.html` | the page; needs nothing else |
//! | `figures/*.svg`, `figures/*.png` | the page's figures, for papers and slides |
//! | `summary.csv` | a row a stack, run and service |
//! | `jobs.csv` | a row a stack, run and class of jobs, where there are jobs |
//! | `summary.json` | every figure of every run |
//! | `timeline.parquet` | each stack's first replication, bin by bin |
//! | `latency.json` | latency curves over all replications |
//! | `decisions.jsonl.zst` | every decision of each stack's first replication, with its reason |
//! | `scenario.toml` | the resolved scenario |
//! | `fingerprint.txt` | one fingerprint over all runs, and each run's own |
//!
//! The same experiment gives the same bytes. A folder is written beside its place and moved there
//! when it is whole.

use crate::{ReportError, decisions_file, figure, fingerprint, jobs, latency_file, page};
use crate::{summary, summary_csv, timeline_file};
use sim_core::outcome::Experiment;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const SCENARIO: &str = "scenario.toml";
const SUMMARY: &str = "summary.json";
const SUMMARY_CSV: &str = "summary.csv";
const JOBS_CSV: &str = "jobs.csv";
const TIMELINE: &str = "timeline.parquet";
const DECISIONS: &str = "decisions.jsonl.zst";
const LATENCY: &str = "latency.json";
const FINGERPRINT: &str = "fingerprint.txt";
const PAGE: &str = "report.html";
const FIGURES: &str = "figures";

/// A file of the folder: its path inside it and its bytes.
pub(crate) type File = (PathBuf, Vec<u8>);

/// Writes the run folder of an experiment. `scenario_toml` is the scenario, resolved.
///
/// An existing run folder is replaced. On any error the place is left as it was.
///
/// # Errors
/// When something that is not a run folder stands there, or the file system says no.
pub fn write_run_folder(
    folder: &Path,
    experiment: &Experiment,
    scenario_toml: &str,
) -> Result<(), ReportError> {
    let mut files = data(experiment, scenario_toml)?;
    files.extend(views(experiment, scenario_toml)?);
    replace(folder, &files, FINGERPRINT)
}

/// Puts a folder with these files in its place. What stands there is replaced if it holds the file that marks
/// a folder of this kind; on any error it is left as it was.
pub(crate) fn replace(
    folder: &Path,
    files: &[File],
    mark: &'static str,
) -> Result<(), ReportError> {
    refuse_what_is_not_ours(folder, mark)?;
    let (parent, name) = split(folder)?;
    fs::create_dir_all(&parent).map_err(ReportError::io(&parent, "made"))?;
    // The folder is made inside the temporary one, whose rights are the owner's alone.
    let workshop = tempfile::Builder::new()
        .prefix(&format!(".{name}-"))
        .tempdir_in(&parent)
        .map_err(ReportError::io(&parent, "written"))?;
    let whole = workshop.path().join("new");
    fs::create_dir(&whole).map_err(ReportError::io(&whole, "made"))?;
    for (path, bytes) in files {
        write(&whole.join(path), bytes)?;
    }
    swap(&whole, folder, workshop)
}

/// Reads an experiment back from its run folder.
///
/// # Errors
/// When the folder is not a whole run folder, or a file does not hold what it should.
pub fn read_run_folder(folder: &Path) -> Result<Experiment, ReportError> {
    let read = |name: &'static str| read_file(folder, name);
    let fault = |name: &str, problem: String| ReportError::content(&folder.join(name), problem);
    let mut experiment =
        summary::read(&read(SUMMARY)?).map_err(|error| fault(SUMMARY, error.to_string()))?;
    timeline_file::read_into(&mut experiment, read(TIMELINE)?)
        .map_err(|problem| fault(TIMELINE, problem))?;
    latency_file::read_into(&mut experiment, &read(LATENCY)?)
        .map_err(|problem| fault(LATENCY, problem))?;
    decisions_file::read_into(&mut experiment, &read(DECISIONS)?)
        .map_err(|problem| fault(DECISIONS, problem))?;
    let expected = fingerprint::file(&experiment);
    if read(FINGERPRINT)? != expected.as_bytes() {
        let problem = "found other fingerprints than those in `summary.json`".to_owned();
        return Err(fault(FINGERPRINT, problem));
    }
    Ok(experiment)
}

/// Makes the page and the figures of a run folder again, from the folder alone.
///
/// # Errors
/// When the folder cannot be read or written.
pub fn render(folder: &Path) -> Result<(), ReportError> {
    let experiment = read_run_folder(folder)?;
    let path = folder.join(SCENARIO);
    let scenario_toml = String::from_utf8(read_file(folder, SCENARIO)?)
        .map_err(|error| ReportError::content(&path, error))?;
    for (path, bytes) in views(&experiment, &scenario_toml)? {
        write(&folder.join(path), &bytes)?;
    }
    Ok(())
}

/// The files that hold the experiment.
fn data(experiment: &Experiment, scenario_toml: &str) -> Result<Vec<File>, ReportError> {
    let fault = |file, problem: String| ReportError::NotWritable { file, problem };
    let summary = summary::write(experiment).map_err(|error| fault(SUMMARY, error.to_string()))?;
    // Better to stop here than to leave a folder that cannot be read.
    summary::read(&summary)
        .map_err(|error| fault(SUMMARY, format!("it would not read back: {error}")))?;
    let summary_csv =
        summary_csv::write(experiment).map_err(|error| fault(SUMMARY_CSV, error.to_string()))?;
    let timeline =
        timeline_file::write(experiment).map_err(|error| fault(TIMELINE, error.to_string()))?;
    let latency =
        latency_file::write(experiment).map_err(|error| fault(LATENCY, error.to_string()))?;
    let decisions =
        decisions_file::write(experiment).map_err(|error| fault(DECISIONS, error.to_string()))?;
    let mut files: Vec<File> = vec![
        (SCENARIO.into(), scenario_toml.as_bytes().to_vec()),
        (SUMMARY.into(), summary),
        (SUMMARY_CSV.into(), summary_csv),
        (TIMELINE.into(), timeline),
        (LATENCY.into(), latency),
        (DECISIONS.into(), decisions),
        (FINGERPRINT.into(), fingerprint::file(experiment).into_bytes()),
    ];
    if !experiment.jobs.is_empty() {
        let jobs = jobs::csv(experiment).map_err(|error| fault(JOBS_CSV, error.to_string()))?;
        files.push((JOBS_CSV.into(), jobs));
    }
    Ok(files)
}

/// The files that show it: all of them can be made again from the others.
fn views(experiment: &Experiment, scenario_toml: &str) -> Result<Vec<File>, ReportError> {
    let figures = figure::draw_all(experiment)?;
    let page = page::write(experiment, scenario_toml, &figures);
    let mut files: Vec<File> = vec![(PAGE.into(), page.into_bytes())];
    for figure in &figures {
        let place = Path::new(FIGURES).join(&figure.name);
        files.push((place.with_extension("svg"), figure.svg.as_bytes().to_vec()));
        files.push((place.with_extension("png"), figure.png()?));
    }
    Ok(files)
}

fn refuse_what_is_not_ours(folder: &Path, mark: &'static str) -> Result<(), ReportError> {
    let is_free = !folder.try_exists().map_err(ReportError::io(folder, "looked at"))?;
    let is_empty = || fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if is_free || folder.join(mark).is_file() || is_empty() {
        return Ok(());
    }
    Err(ReportError::NotOurs { path: folder.to_owned() })
}

/// The folder's parent and its own name.
fn split(folder: &Path) -> Result<(PathBuf, String), ReportError> {
    let absolute = std::path::absolute(folder).map_err(ReportError::io(folder, "looked up"))?;
    match (absolute.parent(), absolute.file_name()) {
        (Some(parent), Some(name)) => Ok((parent.to_owned(), name.to_string_lossy().into_owned())),
        _ => Err(ReportError::NotOurs { path: folder.to_owned() }),
    }
}

/// Moves `new`, which stands in the workshop, to `place`; what stood there comes back if that fails,
/// and goes with the workshop if not.
fn swap(new: &Path, place: &Path, workshop: TempDir) -> Result<(), ReportError> {
    let old = workshop.path().join("old");
    let stood = place.exists();
    if stood {
        fs::rename(place, &old).map_err(ReportError::io(place, "replaced"))?;
    }
    let Err(error) = fs::rename(new, place) else { return Ok(()) };
    if stood && fs::rename(&old, place).is_err() {
        // It cannot come back: better a stray folder than a lost one.
        return Err(ReportError::io(&workshop.keep(), "moved to its place")(error));
    }
    Err(ReportError::io(place, "written")(error))
}

/// Writes a file through a temporary one, so that it is never seen half written.
fn write(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let parent = path.parent().expect("a file of the folder");
    fs::create_dir_all(parent).map_err(ReportError::io(parent, "made"))?;
    let mut half = path.as_os_str().to_owned();
    half.push(".part");
    let half = PathBuf::from(half);
    fs::write(&half, bytes).map_err(ReportError::io(&half, "written"))?;
    fs::rename(&half, path).map_err(ReportError::io(path, "written"))
}

fn read_file(folder: &Path, name: &'static str) -> Result<Vec<u8>, ReportError> {
    let path = folder.join(name);
    if !path.is_file() {
        return Err(ReportError::NotARunFolder { folder: folder.to_owned(), missing: name });
    }
    fs::read(&path).map_err(ReportError::io(&path, "read"))
}
