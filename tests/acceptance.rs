//! Programs as a dependent crate would write them, with the public interface alone. Cargo builds each as an example of its own,
//! `acceptance_NAME`; here they run.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// The features that programs name in a first line `// features: a,b`, and whether this test is built with them.
const FEATURES: &[(&str, bool)] = &[
    ("testing", cfg!(feature = "testing")),
    ("csv", cfg!(feature = "csv")),
    ("keras", cfg!(feature = "keras")),
    ("onnx", cfg!(feature = "onnx")),
    ("safetensors", cfg!(feature = "safetensors")),
    ("full", cfg!(feature = "full")),
];

/// The programs of which all features are enabled.
fn programs() -> Vec<String> {
    let is_enabled = |name: &str| {
        let feature = FEATURES.iter().find(|(feature, _)| *feature == name);
        feature.unwrap_or_else(|| panic!("{name} is not among the features")).1
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/acceptance");
    let mut programs = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let source = fs::read_to_string(&path).unwrap();
        let line = source.lines().next().and_then(|line| line.strip_prefix("// features:"));
        if line.into_iter().flat_map(|line| line.split(',')).all(|name| is_enabled(name.trim())) {
            programs.push(path.file_stem().unwrap().to_string_lossy().into_owned());
        }
    }
    programs
}

#[test]
fn every_program_of_a_dependent_crate_builds_and_succeeds() {
    let features: Vec<&str> = FEATURES.iter().filter(|(_, on)| *on).map(|(feature, _)| *feature).collect();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let (profile, flags) =
        if cfg!(debug_assertions) { ("debug", &[][..]) } else { ("release", &["--release"][..]) };
    // They are built already, unless this test runs alone.
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--examples", "--features", &features.join(",")])
        .args(flags)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_TARGET_DIR", target)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let programs = programs();
    assert!(programs.len() > 10, "{programs:?}");
    for program in programs {
        let path = target.join(profile).join("examples").join(format!("acceptance_{program}"));
        let ran = Command::new(path).current_dir(env!("CARGO_TARGET_TMPDIR")).output();
        let output = ran.unwrap_or_else(|problem| panic!("{program} (listed in Cargo.toml?): {problem}"));
        assert!(output.status.success(), "{program}:\n{}", String::from_utf8_lossy(&output.stderr));
    }
}
