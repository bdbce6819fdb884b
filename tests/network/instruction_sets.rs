//! How far training differs between the instruction sets of one processor: sums are added in another order, and scalar code
//! rounds products that fused multiply-adds do not.
//!
//! Each set trains in a process of its own, which `AXONAL_SIMD` configures. `AXONAL_EPOCHS` sets the number of epochs;
//! `cargo test --release --test network instruction_sets -- --nocapture` prints the differences.

use crate::temporary::temporary_path;
use axonal::ndarray::{Array1, Array2};
use axonal::prelude::*;
use axonal::{InstructionSet, instruction_set};
use std::path::Path;
use std::process::Command;

/// Weights relative to the largest of their tensor, and losses: `f32`, `f64`.
const MAX_DIFFERENCES: [f64; 2] = [1e-4, 1e-12];

fn epochs() -> usize {
    std::env::var("AXONAL_EPOCHS").map_or(3, |epochs| epochs.parse().unwrap())
}

/// Ten classes: each has a pattern of 784 values, to which a sample adds noise as large as the pattern.
fn images<F: Float>() -> (Array2<F>, Array1<usize>) {
    let value = |a: usize, b: usize| ((a * 7919 + b * 104_729) % 1009) as f64 / 1008.0;
    let labels = Array1::from_shape_fn(320, |row| row * 7 % 10);
    let x = Array2::from_shape_fn((320, 784), |(row, pixel)| {
        F::of(0.5 * value(labels[row], pixel * 31) + 0.5 * value(row * 13 + 11, pixel))
    });
    (x, labels)
}

fn train<F: Float>(folder: &Path, name: &str, network: Sequential<F>) {
    let (x, y) = images::<F>();
    let mut model = network.seed(1).compile(Adam::default(), SparseCategoricalCrossentropy::new()).unwrap();
    let history = model.fit_with(&x, &y, FitOptions::new().epochs(epochs()).batch_size(32)).unwrap();
    model.save(folder.join(name)).unwrap();
    let losses: Vec<String> = history.loss().iter().map(f64::to_string).collect();
    std::fs::write(folder.join(name).with_extension("loss"), losses.join("\n")).unwrap();
}

fn dense<F: Float>() -> Sequential<F> {
    Sequential::new(784)
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax))
}

fn convolution() -> Sequential<f32> {
    Sequential::new(784)
        .add(Reshape::new((28, 28, 1)))
        .add(Conv2D::new(4, 5).strides(2).activation(Activation::Gelu))
        .add(Flatten::new())
        .add(Dense::new(10).activation(Activation::Softmax))
}

fn recurrence() -> Sequential<f32> {
    Sequential::new(784)
        .add(Reshape::new((28, 28)))
        .add(Lstm::new(32))
        .add(Dense::new(10).activation(Activation::Softmax))
}

#[test]
#[ignore = "the next test runs it as a process with AXONAL_SIMD"]
fn child() {
    let folder = std::env::var("AXONAL_CHILD_PATH").unwrap();
    let folder = Path::new(&folder);
    assert_eq!(instruction_set().name(), std::env::var("AXONAL_SIMD").unwrap());
    train::<f32>(folder, "dense_f32", dense());
    train::<f64>(folder, "dense_f64", dense());
    train(folder, "convolution", convolution());
    train(folder, "recurrence", recurrence());
}

/// The largest difference of two lists relative to the largest value.
fn difference(a: impl IntoIterator<Item = f64>, b: impl IntoIterator<Item = f64>) -> f64 {
    let (mut difference, mut largest) = (0.0_f64, f64::MIN_POSITIVE);
    for (a, b) in a.into_iter().zip(b) {
        assert!(a.is_finite() && b.is_finite());
        (difference, largest) = (difference.max((a - b).abs()), largest.max(a.abs()));
    }
    difference / largest
}

/// The largest differences of the weights and of the losses of a network between two folders.
fn differences<F: Float>(a: &Path, b: &Path, name: &str) -> [f64; 2] {
    let weights = |folder: &Path| Model::<F>::load(folder.join(name)).unwrap().weights();
    let pairs = weights(a).into_iter().zip(weights(b));
    let of_weights = pairs.map(|(a, b)| {
        assert_eq!((&a.name, a.value.shape()), (&b.name, b.value.shape()));
        difference(a.value.iter().map(|v| v.as_f64()), b.value.iter().map(|v| v.as_f64()))
    });
    let losses = |folder: &Path| -> Vec<f64> {
        let text = std::fs::read_to_string(folder.join(name).with_extension("loss")).unwrap();
        text.lines().map(|line| line.parse().unwrap()).collect()
    };
    let (losses_a, losses_b) = (losses(a), losses(b));
    assert!(losses_a.len() == epochs() && losses_a[epochs() - 1] < losses_a[0], "{losses_a:?}");
    let of_losses = losses_a.iter().zip(&losses_b).map(|(a, b)| (a - b).abs() / a);
    [of_weights.fold(0.0, f64::max), of_losses.fold(0.0, f64::max)]
}

#[test]
fn training_differs_by_rounding_alone_between_instruction_sets() {
    let folder = temporary_path("instruction-sets");
    let sets = [InstructionSet::Scalar, InstructionSet::Avx2, InstructionSet::Avx512];
    let folders: Vec<_> = sets
        .into_iter()
        .filter(|set| *set <= instruction_set())
        .map(|set| {
            let folder = folder.join(set.name());
            std::fs::create_dir_all(&folder).unwrap();
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args(["--ignored", "--exact", "instruction_sets::child"]);
            let output =
                child.env("AXONAL_SIMD", set.name()).env("AXONAL_CHILD_PATH", &folder).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
            (set, folder)
        })
        .collect();
    for pair in folders.windows(2) {
        let [(narrow, a), (wide, b)] = pair else { continue };
        for (name, [of_weights, of_losses], max) in [
            ("dense_f32", differences::<f32>(a, b, "dense_f32"), MAX_DIFFERENCES[0]),
            ("dense_f64", differences::<f64>(a, b, "dense_f64"), MAX_DIFFERENCES[1]),
            ("convolution", differences::<f32>(a, b, "convolution"), MAX_DIFFERENCES[0]),
            ("recurrence", differences::<f32>(a, b, "recurrence"), MAX_DIFFERENCES[0]),
        ] {
            let (narrow, wide) = (narrow.name(), wide.name());
            println!(
                "{name}: {narrow} and {wide} differ by {of_weights:.1e} (weights), {of_losses:.1e} (loss)"
            );
            assert!(of_weights <= max && of_losses <= max, "{name}: more than {max:e}");
            assert!(of_weights > 0.0, "{name}: expected another order of sums for {wide} than for {narrow}");
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}
