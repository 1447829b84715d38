//! The README's commands, as far as they are windtunnel's own.

use super::pack::put_lists;
use super::{complaint, windtunnel};
use std::fs;
use tempfile::TempDir;

/// Lines of the README's shell blocks that call windtunnel, through cargo or by name.
fn commands() -> Vec<Vec<String>> {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let text = fs::read_to_string(readme).expect("the README");
    let mut inside = false;
    let mut commands = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
            continue;
        }
        let line = line.split(" #").next().unwrap_or_default().trim();
        let own = ["cargo run --release -- ", "windtunnel "];
        let call = own.iter().find_map(|start| line.strip_prefix(start));
        if let Some(call) = call.filter(|_| inside) {
            commands.push(call.split_whitespace().map(str::to_owned).collect());
        }
    }
    commands
}

#[test]
fn every_command_of_the_readme_works() {
    let folder = TempDir::new().expect("a folder for a test");
    // Small lists stand in for the published ones.
    put_lists(folder.path(), "openb_node_list_gpu_node.csv", "openb_pod_list_default.csv");
    let commands = commands();
    assert!(commands.len() >= 4, "the README shows how to use windtunnel: {commands:?}");
    for command in commands {
        let mut args: Vec<_> = command.iter().map(String::as_str).collect();
        if ["compare", "run"].contains(&args[0]) && !args.contains(&"--horizon") {
            // A quarter of an hour of the day proves the command.
            args.extend(["--horizon", "15m"]);
        }
        if args.contains(&">") {
            let cut = args.iter().position(|&arg| arg == ">").unwrap_or(args.len());
            let output = windtunnel(folder.path(), &args[..cut]);
            assert!(output.status.success(), "{command:?}: {}", complaint(&output));
            fs::write(folder.path().join(args[cut + 1]), &output.stdout).expect("written");
            continue;
        }
        let output = windtunnel(folder.path(), &args);
        assert!(output.status.success(), "{command:?}: {}", complaint(&output));
    }
}
