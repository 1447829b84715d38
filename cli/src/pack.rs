//! `windtunnel pack`: a packing study with several strategies.

use crate::args::Pack;
use crate::failure::Failure;
use crate::output::{print, remark};
use crate::progress::Bar;
use ::scenarios::packing::{Arrangement, PackingError, Study};
use placement::packing::{MilliGpu, Strategy};

/// Runs without an order file, as many as in the published study.
const RUNS: u32 = 10;

/// Packs, prints the tables, writes the folder.
pub(crate) fn pack(args: &Pack) -> Result<(), Failure> {
    let study = Study::open(&args.nodes, &args.pods)?;
    let arrangements = arrangements(args, &study)?;
    let strategies = strategies(&args.profile);
    let bar = Bar::new(strategies.len() * arrangements.len());
    let curves =
        study.pack(&strategies, &arrangements, args.threads, &|progress| bar.tell(progress));
    bar.finish();
    let curves = curves?;
    print(&format!(
        "{}\n{}",
        heading(args, &study, &arrangements),
        reports::packing_table(&curves)
    ))?;
    if let Some(folder) = &args.out {
        reports::write_packing_folder(folder, &curves)?;
        remark(&format!("curves: {}", folder.join("curves.csv").display()));
    }
    Ok(())
}

fn arrangements(args: &Pack, study: &Study) -> Result<Vec<Arrangement>, PackingError> {
    if let Some(path) = &args.order {
        return Arrangement::of_file(study, path, args.seeds.map(|seeds| seeds as usize));
    }
    let seeds = (0..args.seeds.unwrap_or(RUNS)).map(|run| args.seed.wrapping_add(u64::from(run)));
    Ok(seeds.map(|seed| Arrangement::drawn(study, seed, args.load)).collect())
}

/// Each strategy once, in the order in which they were asked for.
fn strategies(asked: &[Strategy]) -> Vec<Strategy> {
    if asked.is_empty() {
        return Strategy::ALL.to_vec();
    }
    let is_new = |place: &usize| !asked[..*place].contains(&asked[*place]);
    (0..asked.len()).filter(is_new).map(|place| asked[place]).collect()
}

/// What was packed, and by which seeds it can be repeated.
fn heading(args: &Pack, study: &Study, arrangements: &[Arrangement]) -> String {
    let gpus = study.gpu_total() / u64::from(MilliGpu::WHOLE.0);
    let seeds: Vec<_> = arrangements.iter().map(|it| it.seed).collect();
    let range = |values: &[u64]| match (values.iter().min(), values.iter().max()) {
        (Some(least), Some(most)) if least < most => format!("{least} to {most}"),
        (least, _) => least.map_or_else(String::new, u64::to_string),
    };
    let pods: Vec<_> = arrangements.iter().map(|it| it.pods.len() as u64).collect();
    let order = args
        .order
        .as_ref()
        .map_or("drawn orders".to_owned(), |path| format!("orders of {}", path.display()));
    format!(
        "{} nodes with {gpus} GPUs, {} pods a run, {order}, seeds {}",
        study.node_count(),
        range(&pods),
        range(&seeds)
    )
}
