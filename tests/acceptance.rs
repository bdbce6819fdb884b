//! Programs as a dependent crate would write them: each is built against this crate from outside and run.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// The programs whose features exist.
const PROGRAMS: &[&str] = &[
    "quickstart",
    "pass_the_final",
    "bad_input",
    "kmeans",
    "bad_input_kmeans",
    "generic",
    "workflow",
    "persistence",
    "persistence_custom",
    "tuning",
    "callbacks",
    "custom_layer",
    "graph",
    "input_gradient",
    "attention",
    "table_to_service",
    "interop_keras",
    "interop_onnx",
    "interop_safetensors",
];

#[test]
fn every_program_of_a_dependent_crate_builds_and_succeeds() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let outside = target.join("outside");
    fs::create_dir_all(outside.join("src/bin")).unwrap();
    let source =
        |program: &str| fs::read_to_string(project.join(format!("tests/acceptance/{program}.rs"))).unwrap();
    // A first line `// features: a,b` names the features that a program needs.
    let needed =
        |program: &&str| source(program).lines().next()?.strip_prefix("// features:").map(str::to_owned);
    let features: Vec<String> = PROGRAMS.iter().filter_map(needed).collect();
    let features: Vec<&str> = features.iter().flat_map(|line| line.split(',')).map(str::trim).collect();
    let manifest = format!(
        "[package]\nname = \"outside\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n[workspace]\n\
         [dependencies]\naxonal = {{ path = {project:?}, features = {features:?} }}\nserde = {{ version = \"1\", features = [\"derive\"] }}\n\
         [profile.release]\nopt-level = 1\ndebug-assertions = true\n[profile.release.package.\"*\"]\nopt-level = 1\n"
    );
    fs::write(outside.join("Cargo.toml"), manifest).unwrap();
    fs::copy(project.join("Cargo.lock"), outside.join("Cargo.lock")).ok();
    // A program that has left the list must not linger from an earlier run.
    for entry in fs::read_dir(outside.join("src/bin")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for program in PROGRAMS {
        let name = format!("{program}.rs");
        fs::copy(project.join("tests/acceptance").join(&name), outside.join("src/bin").join(&name)).unwrap();
    }
    let target = target.join("outside-target");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--bins"])
        .current_dir(&outside)
        .env("CARGO_TARGET_DIR", &target)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    for program in PROGRAMS {
        let output =
            Command::new(target.join("release").join(program)).current_dir(&outside).output().unwrap();
        assert!(output.status.success(), "{program}:\n{}", String::from_utf8_lossy(&output.stderr));
    }
}
