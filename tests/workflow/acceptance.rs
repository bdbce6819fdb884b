//! Programs that a dependent crate would write, with the public interface alone: each is compiled against the built library, as
//! cargo compiles a dependent, and run.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// The libraries that cargo has built for the examples: `axonal` and what the programs use besides.
struct Libraries {
    folder: PathBuf,
    files: BTreeMap<String, PathBuf>,
}

impl Libraries {
    /// Builds the examples with this test's features and profile; they are built already, unless this test runs alone.
    fn build() -> Self {
        let features: Vec<String> =
            FEATURES.iter().filter(|(_, on)| *on).map(|(feature, _)| format!("axonal/{feature}")).collect();
        // Packages that are built with others have dependencies with the features of all.
        let packages = std::env::var("AXONAL_BUILT_PACKAGES").unwrap_or_else(|_| "axonal".into());
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        let built = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--examples",
                "--message-format=json",
                "--features",
                &features.join(","),
            ])
            .args(packages.split(' ').flat_map(|package| ["--package", package]))
            .args(if cfg!(debug_assertions) { &[][..] } else { &["--release"][..] })
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("CARGO_TARGET_DIR", target)
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let mut files = BTreeMap::new();
        for line in String::from_utf8_lossy(&built.stdout).lines() {
            let message: Value = serde_json::from_str(line).unwrap_or_default();
            let name = message["target"]["name"].as_str().unwrap_or_default();
            let paths = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
            for path in paths.filter(|path| path.ends_with(".rlib")) {
                files.insert(name.to_owned(), PathBuf::from(path));
            }
        }
        let folder = files["axonal"].parent().unwrap().to_owned();
        Self { folder, files }
    }

    /// Compiles a program as a dependent crate is, into a folder.
    fn compile(&self, program: &str, folder: &Path) -> PathBuf {
        let binary = folder.join(program);
        let mut command = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into()));
        command.args(["--edition", "2024", "-C", "opt-level=1", "-C", "debug-assertions=on"]);
        for name in ["axonal", "serde"] {
            command.arg("--extern").arg(format!("{name}={}", self.files[name].display()));
        }
        command.arg("-L").arg(format!("dependency={}", self.folder.display())).arg("-o").arg(&binary);
        let source = format!("{}/tests/acceptance/{program}.rs", env!("CARGO_MANIFEST_DIR"));
        let built = command.arg(source).output().unwrap();
        assert!(built.status.success(), "{program}:\n{}", String::from_utf8_lossy(&built.stderr));
        binary
    }
}

#[test]
fn every_program_of_a_dependent_crate_builds_and_succeeds() {
    let (libraries, programs) = (Libraries::build(), programs());
    assert!(programs.len() > 10, "{programs:?}");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("acceptance");
    fs::create_dir_all(&folder).unwrap();
    let check = |program: &String| {
        let output = Command::new(libraries.compile(program, &folder)).current_dir(&folder).output().unwrap();
        assert!(output.status.success(), "{program}:\n{}", String::from_utf8_lossy(&output.stderr));
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(program) = programs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    check(program);
                }
            });
        }
    });
}
