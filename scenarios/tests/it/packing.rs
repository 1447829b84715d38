//! Packing studies on the sample lists: orders of our own, orders of a file, and what is said of broken input.

use placement::packing::Strategy;
use scenarios::packing::{Arrangement, Load, PackingError, Study};
use std::fs;
use std::path::{Path, PathBuf};

fn sample(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../traces/samples/openb")).join(name)
}

fn study() -> Study {
    Study::open(&sample("nodes.csv"), &sample("pods.csv")).expect("sound samples")
}

/// What pods ask for, in thousandths of a GPU.
fn asked(arrangement: &Arrangement) -> u64 {
    let pods = traces::openb_pods(&sample("pods.csv")).expect("a sound sample");
    let asked = |pod: &usize| u64::from(pods[*pod].gpus * pods[*pod].gpu_milli);
    arrangement.pods.iter().map(asked).sum()
}

#[test]
fn a_drawn_order_offers_every_pod_and_then_some_again_up_to_the_load() {
    let study = study();
    let drawn = Arrangement::drawn(&study, 42, Load::default());
    let mut first: Vec<_> = drawn.pods[..16].to_vec();
    first.sort_unstable();
    assert_eq!(first, (0..16).collect::<Vec<_>>());
    // 1.3 times 24 GPUs; the last to come may be the pod with 8, of which one is within the load.
    let (load, asked) = (31_200, asked(&drawn));
    assert!(load - 1000 < asked && asked <= load + 7000, "{asked}");
    let mut nodes = drawn.nodes.clone();
    nodes.sort_unstable();
    assert_eq!(nodes, (0..6).collect::<Vec<_>>());
}

#[test]
fn a_list_that_asks_for_more_than_the_load_is_thinned() {
    let study = study();
    let drawn = Arrangement::drawn(&study, 42, "0.5".parse().expect("a load"));
    assert!(drawn.pods.len() < 16);
    assert!(asked(&drawn) <= 12_000);
}

#[test]
fn a_seed_names_an_order() {
    let study = study();
    let drawn = |seed| Arrangement::drawn(&study, seed, Load::default());
    assert_eq!(drawn(42), drawn(42));
    assert_ne!(drawn(42).pods, drawn(43).pods);
    assert_ne!(drawn(42).nodes, drawn(43).nodes);
}

#[test]
fn an_order_file_is_taken_as_it_stands_clones_and_all() {
    let orders = Arrangement::of_file(&study(), &sample("order.csv"), None).expect("sound");
    let rows = traces::openb_orders(&sample("order.csv")).expect("sound");
    for (order, row) in orders.iter().zip(&rows) {
        let name = |pod: &usize| format!("pod-{:02}", pod + 1);
        let names: Vec<_> = order.pods.iter().map(name).collect();
        let original = |name: &String| name.split("-tuned-").next().unwrap_or_default().to_owned();
        assert_eq!(names, row.pods.iter().map(original).collect::<Vec<_>>());
    }
    let one = Arrangement::of_file(&study(), &sample("order.csv"), Some(1)).expect("sound");
    assert_eq!(one, orders[..1]);
}

#[test]
fn results_do_not_depend_on_threads() {
    let study = study();
    let orders = Arrangement::of_file(&study, &sample("order.csv"), None).expect("sound");
    let packed = |threads| study.pack(&Strategy::ALL, &orders, threads, &|_| {}).expect("threads");
    let one = packed(1);
    assert_eq!(one, packed(3));
    let seeds: Vec<_> = one[0].runs.iter().map(|(seed, _)| *seed).collect();
    assert_eq!(seeds, [7, 8]);
}

/// The message and hint about a study whose lists or order were changed in one place.
fn complaint(file: &str, sound: &str, broken: &str, seeds: Option<usize>) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["nodes.csv", "pods.csv", "order.csv"] {
        let text = fs::read_to_string(sample(name)).expect("a sample");
        assert!(name != file || text.contains(sound), "the sample holds what is to be broken");
        let text = if name == file { text.replace(sound, broken) } else { text };
        fs::write(folder.path().join(name), text).expect("written");
    }
    let at = |name: &str| folder.path().join(name);
    let told = |error: PackingError| {
        let message = error.to_string().replace(&format!("{}/", folder.path().display()), "");
        format!("{message}\nhint: {}", error.hint())
    };
    let orders = Study::open(&at("nodes.csv"), &at("pods.csv"))
        .and_then(|study| Arrangement::of_file(&study, &at("order.csv"), seeds));
    orders.map_or_else(told, |orders| format!("{} orders", orders.len()))
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let found = [
        complaint("order.csv", "8,pod,3,", "8,pod,3,x", None),
        complaint("order.csv", "-tuned-3", "-tuned-x", None),
        complaint("order.csv", "node-b", "node-x", None),
        complaint("order.csv", "node-b", "node-c", None),
        complaint("nodes.csv", "node-f,", "node-g,32000,262144,0,\nnode-f,", None),
        complaint("order.csv", "seed", "seed", Some(3)),
        complaint("nodes.csv", "393216,8,G2", "393216,17,G2", None),
        complaint("order.csv", "seed", "seed", Some(2)),
    ];
    insta::assert_snapshot!(found.join("\n\n"));
}

#[test]
fn a_study_without_gpus_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("nodes.csv"), "sn,cpu_milli,memory_mib,gpu\na,1000,1024,0\n").expect("written");
    let pods = "name,cpu_milli,memory_mib,num_gpu,gpu_milli\np,1000,1024,0,0\n";
    fs::write(at("pods.csv"), pods).expect("written");
    let complaint = |nodes: &Path, pods: &Path| {
        let error = Study::open(nodes, pods).expect_err("nothing to pack");
        format!("{error}").replace(&format!("{}/", folder.path().display()), "")
    };
    assert_eq!(
        complaint(&at("nodes.csv"), &sample("pods.csv")),
        "`nodes.csv`: found no node with a GPU, expected at least one"
    );
    assert_eq!(
        complaint(&sample("nodes.csv"), &at("pods.csv")),
        "`pods.csv`: found no pod that asks for a GPU, expected at least one"
    );
}
