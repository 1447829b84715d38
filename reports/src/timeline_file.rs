//! `timeline.parquet`: what each stack's first replication looked like, bin by bin.
//!
//! One row a stack, bin and service, stack by stack, in time order; zstd.
//!
//! | column | type | meaning |
//! |---|---|---|
//! | `stack` | utf8 | name of the stack |
//! | `service` | utf8 | name of the service |
//! | `at_us` | uint64 | start of the bin, microseconds since the run began |
//! | `arrived`, `completed`, `attained`, `failed` | uint32 | requests in the bin; `attained` of the completed ones kept the SLO |
//! | `wanted`, `ready`, `starting` | uint32 | replicas at the end of the bin |
//! | `queue`, `inside` | uint32 | requests waiting, and anywhere inside, at the end of the bin |
//! | `ttft_mean_ms` | float64 | mean time to first token of those whose first token came in the bin |
//! | `nodes`, `nodes_starting` | uint32 | nodes of the whole fleet at the end of the bin |
//! | `usd_per_hour` | float64 | price of the whole fleet at the end of the bin |

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float64Type, UInt32Type, UInt64Type};
use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use contract::Instant;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::Result as ParquetResult;
use parquet::file::properties::WriterProperties;
use sim_core::outcome::{Experiment, TimelineRow};
use std::sync::Arc;

/// A column of counts: its name and its place in a row.
type Counts = (&'static str, fn(&mut TimelineRow) -> &mut u32);

/// The counts of a row, in the order of the columns.
const COUNTS: [Counts; 11] = [
    ("arrived", |row| &mut row.arrived),
    ("completed", |row| &mut row.completed),
    ("attained", |row| &mut row.attained),
    ("failed", |row| &mut row.failed),
    ("wanted", |row| &mut row.wanted),
    ("ready", |row| &mut row.ready),
    ("starting", |row| &mut row.starting),
    ("queue", |row| &mut row.queue),
    ("inside", |row| &mut row.inside),
    ("nodes", |row| &mut row.nodes),
    ("nodes_starting", |row| &mut row.nodes_starting),
];

/// A column of figures: its name and its place in a row.
type Figures = (&'static str, fn(&mut TimelineRow) -> &mut f64);

/// The figures of a row, in the order of the columns.
const FIGURES: [Figures; 2] =
    [("ttft_mean_ms", |row| &mut row.ttft_mean_ms), ("usd_per_hour", |row| &mut row.usd_per_hour)];

/// The file's bytes.
pub(crate) fn write(experiment: &Experiment) -> ParquetResult<Vec<u8>> {
    let batch = batch(experiment)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        // Otherwise the library's version would stand in the file, and an update change its bytes.
        .set_created_by("windtunnel".to_owned())
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(bytes)
}

fn batch(experiment: &Experiment) -> ParquetResult<RecordBatch> {
    let stacks = experiment.stacks.iter();
    let mut rows: Vec<(&str, TimelineRow)> = stacks
        .flat_map(|stack| stack.timeline.iter().map(|row| (stack.name.as_str(), *row)))
        .collect();
    let service = |row: &TimelineRow| {
        experiment.services.get(row.service as usize).map(|service| service.name.as_str())
    };
    let stack_names: StringArray = rows.iter().map(|(stack, _)| Some(*stack)).collect();
    let service_names: StringArray = rows.iter().map(|(_, row)| service(row)).collect();
    let starts: UInt64Array = rows.iter().map(|(_, row)| row.at.0).collect();
    let mut columns: Vec<(&str, ArrayRef)> = vec![
        ("stack", Arc::new(stack_names)),
        ("service", Arc::new(service_names)),
        ("at_us", Arc::new(starts)),
    ];
    for (name, place) in COUNTS {
        let counts: UInt32Array = rows.iter_mut().map(|(_, row)| *place(row)).collect();
        columns.push((name, Arc::new(counts)));
    }
    for (name, place) in FIGURES {
        let figures: Float64Array = rows.iter_mut().map(|(_, row)| *place(row)).collect();
        columns.push((name, Arc::new(figures)));
    }
    Ok(RecordBatch::try_from_iter(columns)?)
}

/// Puts the timelines back where they were.
pub(crate) fn read_into(experiment: &mut Experiment, bytes: Vec<u8>) -> Result<(), String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes))
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .map_err(|error| error.to_string())?;
    for batch in reader {
        read_batch(experiment, &batch.map_err(|error| error.to_string())?)?;
    }
    Ok(())
}

fn read_batch(experiment: &mut Experiment, batch: &RecordBatch) -> Result<(), String> {
    let mut rows = vec![TimelineRow::default(); batch.num_rows()];
    let starts = numbers::<UInt64Type>(batch, "at_us")?;
    for (row, at) in rows.iter_mut().zip(starts) {
        row.at = Instant(*at);
    }
    for (name, place) in COUNTS {
        for (row, count) in rows.iter_mut().zip(numbers::<UInt32Type>(batch, name)?) {
            *place(row) = *count;
        }
    }
    for (name, place) in FIGURES {
        for (row, figure) in rows.iter_mut().zip(numbers::<Float64Type>(batch, name)?) {
            *place(row) = *figure;
        }
    }
    let names = texts(batch, "stack")?.iter().zip(texts(batch, "service")?.iter());
    for (mut row, (stack, service)) in rows.into_iter().zip(names) {
        let (stack, service) = (stack.unwrap_or_default(), service.unwrap_or_default());
        let position = experiment.services.iter().position(|it| it.name == service);
        let position = position
            .and_then(|position| u32::try_from(position).ok())
            .ok_or_else(|| format!("found service `{service}`, expected one of the summary"))?;
        let stack = experiment
            .stacks
            .iter_mut()
            .find(|it| it.name == stack)
            .ok_or_else(|| format!("found stack `{stack}`, expected one of the summary"))?;
        row.service = position;
        stack.timeline.push(row);
    }
    Ok(())
}

fn numbers<'a, T: ArrowPrimitiveType>(
    batch: &'a RecordBatch,
    name: &str,
) -> Result<&'a [T::Native], String> {
    let column = batch.column_by_name(name).ok_or_else(|| format!("found no column `{name}`"))?;
    let numbers = column.as_primitive_opt::<T>();
    numbers.map(|numbers| &numbers.values()[..]).ok_or_else(|| {
        format!("column `{name}`: found {}, expected {}", column.data_type(), T::DATA_TYPE)
    })
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, String> {
    let column = batch.column_by_name(name).ok_or_else(|| format!("found no column `{name}`"))?;
    column
        .as_string_opt::<i32>()
        .ok_or_else(|| format!("column `{name}`: found {}, expected text", column.data_type()))
}
