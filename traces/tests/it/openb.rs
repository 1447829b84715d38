//! Lists of nodes and pods, and orders: what is read of the samples, and what is said of broken ones.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use traces::{TraceError, openb_nodes, openb_orders, openb_pods};

fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/openb").join(name)
}

#[test]
fn the_samples_are_read() {
    let mut text = String::new();
    for node in openb_nodes(&sample("nodes.csv")).unwrap() {
        writeln!(text, "{node:?}").unwrap();
    }
    for pod in openb_pods(&sample("pods.csv")).unwrap() {
        writeln!(text, "{pod:?}").unwrap();
    }
    for order in openb_orders(&sample("order.csv")).unwrap() {
        writeln!(text, "{}: {} pods from {}", order.seed, order.pods.len(), order.pods[0]).unwrap();
        writeln!(text, "{}: nodes {}", order.seed, order.nodes.join(", ")).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn packed_lists_read_as_plain_ones() {
    let plain = std::fs::read(sample("pods.csv")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let packed = folder.path().join("pods.csv.zst");
    std::fs::write(&packed, zstd::encode_all(plain.as_slice(), 3).unwrap()).unwrap();
    assert_eq!(openb_pods(&packed).unwrap(), openb_pods(&sample("pods.csv")).unwrap());
}

/// What a reader says of a file with this content.
fn complaint<T>(read: fn(&Path) -> Result<Vec<T>, TraceError>, content: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list.csv");
    std::fs::write(&path, content).unwrap();
    match read(&path) {
        Ok(rows) => format!("{} rows", rows.len()),
        Err(error) => {
            let message = error.to_string().replace(&format!("{}/", folder.path().display()), "");
            format!("{message}\nhint: {}", error.hint())
        }
    }
}

#[test]
fn a_broken_node_list() {
    let nodes =
        |rows: &str| complaint(openb_nodes, &format!("sn,cpu_milli,memory_mib,gpu,model\n{rows}"));
    let found = [
        complaint(openb_nodes, ""),
        complaint(openb_nodes, "sn,cpu_milli,memory_mib,model\na,1,1,T4\n"),
        nodes(""),
        nodes("a,96000,393216,8,G2\nb,96 cores,393216,8,G2\n"),
        nodes("a,96000,393216,-8,G2\n"),
        nodes("a,96000,393216,8,G2\na,96000,393216,8,G2\n"),
        nodes(",96000,393216,8,G2\n"),
        nodes("a,96000,393216,8\n"),
        nodes("a,96000,99999999999,8,G2\n"),
    ];
    insta::assert_snapshot!(found.join("\n\n"));
}

#[test]
fn a_broken_pod_list() {
    let pods = |row: &str| {
        let header = "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,creation_time";
        complaint(openb_pods, &format!("{header}\n{row}\n"))
    };
    let found = [
        complaint(openb_pods, "name,cpu_milli,memory_mib,num_gpu\np,1,1,1\n"),
        pods("p,4000,1024,1,0,,0"),
        pods("p,4000,1024,1,half,,0"),
        pods("p,4000,1024,1,500,,yesterday"),
        pods("p,4000,1024,0,,,"),
    ];
    insta::assert_snapshot!(found.join("\n\n"));
}

#[test]
fn a_broken_order() {
    let order = |rows: &str| complaint(openb_orders, &format!("seed,kind,pos,name\n{rows}"));
    let found = [
        order("42,pod,0,p\n42,pod,2,q\n"),
        order("42,service,0,p\n"),
        order("first,pod,0,p\n"),
        order("42,pod,0,p\n43,pod,0,p\n42,pod,1,p\n"),
    ];
    insta::assert_snapshot!(found.join("\n\n"));
}
