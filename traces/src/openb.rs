//! Alibaba's cluster-trace-gpu-v2023 ("openb"): lists of nodes and pods with fractions of GPUs, and the pod and
//! node orders of packing studies on them.
//!
//! Origin: github.com/alibaba/clusterdata, `cluster-trace-gpu-v2023`; the same files, under Apache-2.0, are in
//! github.com/hkust-adsl/kubernetes-scheduler-simulator. Node lists have the columns `sn`, `cpu_milli`,
//! `memory_mib`, `gpu` and `model`; pod lists `name`, `cpu_milli`, `memory_mib`, `num_gpu`, `gpu_milli` and, apart
//! from the lists of multi-GPU studies, `gpu_spec` and times. Lists are read whole: studies sort and shuffle them.

use crate::error::{Problem, TraceError};
use crate::table::{self, Row};
use contract::{Bytes, GpuModel, Instant, MilliCpu};
use std::collections::BTreeSet;
use std::path::Path;

/// A row of a node list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenbNode {
    /// Its name, once in the list.
    pub name: String,
    /// CPU.
    pub cpu: MilliCpu,
    /// Memory.
    pub memory: Bytes,
    /// How many GPUs.
    pub gpus: u32,
    /// Their model, if there are any.
    pub model: Option<GpuModel>,
}

/// A row of a pod list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenbPod {
    /// Its name, once in the list.
    pub name: String,
    /// CPU.
    pub cpu: MilliCpu,
    /// Memory.
    pub memory: Bytes,
    /// How many GPUs it asks for.
    pub gpus: u32,
    /// How much of each, in thousandths: 1 to 1,000, or 0 without GPUs.
    pub gpu_milli: u32,
    /// The models that will do, in the order of the list; none means any.
    pub models: Vec<GpuModel>,
    /// When it was created.
    pub created: Option<Instant>,
    /// When it was bound to a node; pods that were still pending have none.
    pub scheduled: Option<Instant>,
    /// When it was deleted.
    pub deleted: Option<Instant>,
}

/// In which order pods arrive in one run of a study, and in which order nodes are taken when equally good.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenbOrder {
    /// The run's seed.
    pub seed: u64,
    /// Names of pods. One may come several times, as a clone: its name, `-tuned-` and a number.
    pub pods: Vec<String>,
    /// Names of nodes.
    pub nodes: Vec<String>,
}

/// Reads a node list: plain, gzip or zstd.
///
/// # Errors
/// The first row that makes no sense, or what is wrong with the file.
pub fn openb_nodes(path: &Path) -> Result<Vec<OpenbNode>, TraceError> {
    let mut names = BTreeSet::new();
    table::read(path, &["sn", "cpu_milli", "memory_mib", "gpu"], &["model"], |row| {
        let gpus = row.count("gpu")?;
        let model = row.text("model")?;
        Ok(OpenbNode {
            name: once(&mut names, "sn", row)?,
            cpu: MilliCpu(row.number("cpu_milli")?),
            memory: memory(row)?,
            gpus,
            model: (gpus > 0 && !model.is_empty()).then(|| GpuModel(model.into())),
        })
    })
}

/// Reads a pod list: plain, gzip or zstd.
///
/// # Errors
/// The first row that makes no sense, or what is wrong with the file.
pub fn openb_pods(path: &Path) -> Result<Vec<OpenbPod>, TraceError> {
    let needed = ["name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli"];
    let welcome = ["gpu_spec", "creation_time", "scheduled_time", "deletion_time"];
    let mut names = BTreeSet::new();
    table::read(path, &needed, &welcome, |row| {
        let gpus = gpus(row)?;
        Ok(OpenbPod {
            name: once(&mut names, "name", row)?,
            cpu: MilliCpu(row.number("cpu_milli")?),
            memory: memory(row)?,
            gpus,
            gpu_milli: if gpus > 0 { gpu_milli(row)? } else { 0 },
            models: if gpus > 0 { models(row)? } else { Vec::new() },
            created: time(row, "creation_time")?,
            scheduled: time(row, "scheduled_time")?,
            deleted: time(row, "deletion_time")?,
        })
    })
}

/// Reads the orders of a study, by seed as they first come: rows of `seed`, `kind` (`pod` or `node`), `pos` (from
/// 0 for each seed and kind) and `name`.
///
/// # Errors
/// The first row that makes no sense, or what is wrong with the file.
pub fn openb_orders(path: &Path) -> Result<Vec<OpenbOrder>, TraceError> {
    let mut orders: Vec<OpenbOrder> = Vec::new();
    table::read(path, &["seed", "kind", "pos", "name"], &[], |row| {
        let seed = row.number("seed")?;
        let place = orders.iter().rposition(|order| order.seed == seed).unwrap_or_else(|| {
            orders.push(OpenbOrder { seed, ..OpenbOrder::default() });
            orders.len() - 1
        });
        let order = &mut orders[place];
        let names = match row.text("kind")? {
            "pod" => &mut order.pods,
            "node" => &mut order.nodes,
            other => {
                let (found, expected) = (other.to_owned(), "`pod` or `node`");
                return Err(Problem::Value { column: "kind", found, expected });
            }
        };
        let (found, expected) = (row.number("pos")?, names.len() as u64);
        if found != expected {
            return Err(Problem::Position { found, expected });
        }
        names.push(row.name("name")?);
        Ok(())
    })?;
    Ok(orders)
}

/// A name that no row above has.
fn once(
    names: &mut BTreeSet<String>,
    column: &'static str,
    row: &Row<'_>,
) -> Result<String, Problem> {
    let name = row.name(column)?;
    let is_new = names.insert(name.clone());
    if is_new { Ok(name) } else { Err(Problem::Repeated { column, name }) }
}

fn memory(row: &Row<'_>) -> Result<Bytes, Problem> {
    Ok(Bytes(u64::from(row.count("memory_mib")?) << 20))
}

/// Far more than any node has: thousandths of them can still be counted in 32 bits.
fn gpus(row: &Row<'_>) -> Result<u32, Problem> {
    const MOST: u32 = 1_000_000;
    let (gpus, expected) = (row.count("num_gpu")?, "at most 1000000 GPUs");
    let bad = || Problem::Value { column: "num_gpu", found: gpus.to_string(), expected };
    (gpus <= MOST).then_some(gpus).ok_or_else(bad)
}

/// The published simulator takes what exceeds a device for a whole one.
fn gpu_milli(row: &Row<'_>) -> Result<u32, Problem> {
    const WHOLE: u32 = 1000;
    match row.count("gpu_milli")? {
        0 => {
            let expected = "thousandths of a GPU, from 1 to 1000, in a row that asks for GPUs";
            Err(Problem::Value { column: "gpu_milli", found: "0".to_owned(), expected })
        }
        milli => Ok(milli.min(WHOLE)),
    }
}

fn models(row: &Row<'_>) -> Result<Vec<GpuModel>, Problem> {
    let names = row.text("gpu_spec")?.split('|').filter(|name| !name.is_empty());
    Ok(names.map(|name| GpuModel(name.into())).collect())
}

/// Whole seconds since the trace began.
fn time(row: &Row<'_>, column: &'static str) -> Result<Option<Instant>, Problem> {
    let seconds = row.number_if_any(column)?;
    Ok(seconds.map(|seconds| Instant(seconds.saturating_mul(1_000_000))))
}
