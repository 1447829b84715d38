//! Packing strategies against the published curves of Weng et al. (USENIX ATC 2023): nine workloads, ten seeds,
//! the order of pods and nodes of each published run.
//!
//! Lists of nodes and pods are read from `traces/alibaba-openb-2023` beside the folder of measured runs.

use placement::packing::{Curve, Point, Strategy};
use scenarios::packing::{Arrangement, Study};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Most that a rounded figure may differ, in percentage points.
const EXACT: f64 = 0.0051;
/// Most that the mean of a strategy that draws lots may differ, in percentage points.
const BY_LUCK: f64 = 0.5;

/// Published curves by workload, strategy and seed.
type Published = BTreeMap<(String, String, u64), Curve>;

/// Largest differences, in percentage points.
#[derive(Clone, Copy, Default)]
struct Difference {
    allocated: f64,
    fragments: f64,
    fragments_of_idle: f64,
}

#[test]
fn strategies_pack_as_published() {
    let Some(folder) = super::folder().map(|folder| folder.join("fgd")) else { return };
    let lists = folder.join("../../traces/alibaba-openb-2023");
    if !folder.is_dir() || !lists.is_dir() {
        println!("NOT JUDGED: no packing study at {} and {}", folder.display(), lists.display());
        return;
    }
    let published = published(&folder.join("expected_seeds.csv.gz"));
    let workloads = workloads(&folder);
    assert!(!workloads.is_empty(), "the study has workloads");
    println!(
        "\nlargest difference over seeds and loads (allocation, fragments, fragments of idle), percentage points"
    );
    println!("random: of the means over seeds");
    for workload in workloads {
        judge(&workload, &folder, &lists, &published);
    }
}

fn workloads(folder: &Path) -> Vec<String> {
    let names = folder.read_dir().expect("a folder").map(|entry| entry.expect("an entry").path());
    let workload = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.strip_suffix(".csv.gz")?;
        name.starts_with("openb_pod_list_").then(|| name.to_owned())
    };
    let mut workloads: Vec<_> = names.filter_map(workload).collect();
    workloads.sort();
    workloads
}

fn judge(workload: &str, folder: &Path, lists: &Path, published: &Published) {
    let pods = lists.join(format!("{workload}.csv.zst"));
    let study = Study::open(&lists.join("openb_node_list_gpu_node.csv.zst"), &pods).expect("lists");
    let order = folder.join(format!("{workload}.csv.gz"));
    let orders = Arrangement::of_file(&study, &order, None).expect("orders");
    let curves = study.pack(&Strategy::ALL, &orders, 0, &|_| {}).expect("threads");
    let mut line = format!("{workload:27}");
    for of_strategy in &curves {
        let name = of_strategy.strategy.name();
        let theirs = |seed: u64| &published[&(workload.to_owned(), name.to_owned(), seed)];
        let by_luck = of_strategy.strategy == Strategy::Random;
        let (difference, most) = if by_luck {
            let ours = mean(&of_strategy.runs.iter().map(|(_, curve)| curve));
            let theirs = mean(&of_strategy.runs.iter().map(|(seed, _)| theirs(*seed)));
            (difference(&ours, &theirs), BY_LUCK)
        } else {
            let pairs = of_strategy.runs.iter().map(|(seed, ours)| difference(ours, theirs(*seed)));
            (pairs.fold(Difference::default(), Difference::larger), EXACT)
        };
        let Difference { allocated, fragments, fragments_of_idle } = difference;
        write!(line, "  {name} {allocated:.4} {fragments:.4} {fragments_of_idle:.4}")
            .expect("text");
        let worst = allocated.max(fragments);
        assert!(worst <= most, "{line}: expected at most {most}");
        if !by_luck {
            assert!(fragments_of_idle <= most, "{line}: expected at most {most}");
        }
    }
    println!("{line}");
}

impl Difference {
    fn larger(self, other: Self) -> Self {
        Self {
            allocated: self.allocated.max(other.allocated),
            fragments: self.fragments.max(other.fragments),
            fragments_of_idle: self.fragments_of_idle.max(other.fragments_of_idle),
        }
    }
}

fn difference(ours: &Curve, theirs: &Curve) -> Difference {
    assert_eq!(ours.len(), theirs.len(), "as many points");
    let pairs = ours.iter().zip(theirs).map(|(ours, theirs)| Difference {
        allocated: (ours.allocated - theirs.allocated).abs(),
        fragments: (ours.fragments - theirs.fragments).abs(),
        fragments_of_idle: (ours.fragments_of_idle - theirs.fragments_of_idle).abs(),
    });
    pairs.fold(Difference::default(), Difference::larger)
}

fn mean<'a>(curves: &(impl Iterator<Item = &'a Curve> + Clone)) -> Curve {
    let points = curves.clone().map(Vec::len).min().unwrap_or(0);
    let mean = |load: usize, of: fn(&Point) -> f64| {
        super::mean(curves.clone().map(|curve| of(&curve[load])))
    };
    let point = |load| Point {
        allocated: mean(load, |point| point.allocated),
        fragments: mean(load, |point| point.fragments),
        fragments_of_idle: mean(load, |point| point.fragments_of_idle),
    };
    (0..points).map(point).collect()
}

fn published(path: &Path) -> Published {
    let file = std::fs::File::open(path).expect("the published curves");
    let mut csv = csv::Reader::from_reader(flate2::read::MultiGzDecoder::new(file));
    let mut published = Published::new();
    for row in csv.deserialize::<(String, String, u64, usize, f64, f64, f64)>() {
        let (workload, strategy, seed, load, allocated, fragments, fragments_of_idle) =
            row.expect("a row of the published curves");
        let key = (workload, strategy.to_lowercase(), seed);
        let curve = published.entry(key).or_default();
        assert_eq!(curve.len(), load, "rows come by load");
        curve.push(Point { allocated, fragments, fragments_of_idle });
    }
    published
}
