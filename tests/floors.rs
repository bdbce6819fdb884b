//! The floors of ARCHITECTURE.md, held against the code: a module uses only modules on lower floors.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::fs;
use std::path::Path;

/// From the ground up. A room is a module with all that is inside, unless a part of it is named on another
/// floor. Rooms of one floor do not see each other, except on the floor of the containers, which is one whole.
const FLOORS: &[&[&str]] = &[
    &["error", "rng", "simd"],
    &["float"],
    &["validate", "parallel", "buffer", "data_file"],
    &["linalg", "initializer", "activation"],
    &["estimator", "nn::regularizer", "nn::constraint"],
    &["nn::layer"],
    &["nn::targets"],
    &["nn::loss", "nn::optimizer"],
    &["nn::metric"],
    &["nn::layers", "cluster", "datasets", "preprocessing", "metrics"],
    &["nn::layout"],
    &["nn::row_parts"],
    &["nn::updater", "nn::workspace"],
    CONTAINERS,
    &["model_selection", "pipeline", "plot"],
    &["persistence"],
    &["testing"],
];

const CONTAINERS: &[&str] =
    &["nn::sequential", "nn::model", "nn::callback", "nn::history", "nn::fit_options"];

/// Lists of names for users, not rooms.
const INDEXES: &[&str] = &["lib", "prelude", "nn", "docs"];

fn floor_of(module: &str) -> Option<(usize, &'static str)> {
    let rooms =
        FLOORS.iter().enumerate().flat_map(|(floor, rooms)| rooms.iter().map(move |room| (floor, *room)));
    rooms
        .filter(|(_, room)| {
            module == *room || module.strip_prefix(*room).is_some_and(|rest| rest.starts_with("::"))
        })
        .max_by_key(|(_, room)| room.len())
}

fn sources(folder: &Path, module: &str, found: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_stem().unwrap().to_str().unwrap().to_string();
        let inner = if module.is_empty() { name.clone() } else { format!("{module}::{name}") };
        if path.is_dir() {
            sources(&path, &inner, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = if name == "mod" { module.to_string() } else { inner };
            found.push((module, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// The modules that a source names after `crate::`, outside of comments and tests.
fn uses(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut found = Vec::new();
    for line in lines {
        for rest in line.split("crate::").skip(1) {
            let path: String = rest
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(*c))
                .collect();
            found.push(path.trim_end_matches(':').to_string());
        }
    }
    found
}

#[test]
fn a_module_uses_only_lower_floors() {
    let mut modules = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut modules);
    assert!(modules.len() > 30);
    let mut wrong = Vec::new();
    for (module, source) in &modules {
        if INDEXES.contains(&module.as_str()) {
            continue;
        }
        let Some((floor, room)) = floor_of(module) else {
            wrong.push(format!("{module} stands on no floor"));
            continue;
        };
        for used in uses(source) {
            let Some((below, other)) = floor_of(&used) else { continue };
            let one_whole = CONTAINERS.contains(&room) && CONTAINERS.contains(&other);
            if other != room && below >= floor && !one_whole {
                wrong.push(format!("{module} (floor {floor}) uses {used} (floor {below})"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn clustering_does_not_see_networks() {
    let mut modules = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut modules);
    for (module, source) in modules.iter().filter(|(module, _)| module.starts_with("cluster")) {
        assert!(uses(source).iter().all(|used| !used.starts_with("nn")), "{module} uses networks");
    }
}
