//! Training over MPI, beside one process. Without arguments it starts itself under mpirun with 1 to 4 ranks, and says so if there
//! is no mpirun.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use axonal::callbacks::LambdaCallback;
use axonal::distributed::{Collective, Reduction, Shard};
use axonal::models::Weight;
use axonal::ndarray::{Array1, Array2, Axis};
use axonal::prelude::*;
use axonal_mpi::Mpi;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const ROWS: usize = 48;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == "--rank") {
        Some(at) => run_rank(&arguments[at + 1..]),
        None => run_jobs(),
    }
}

/// Starts this program under mpirun.
fn job(ranks: usize, arguments: &[&str]) -> Output {
    Command::new("mpirun")
        .args(["--allow-run-as-root", "--oversubscribe", "--mca", "mpi_yield_when_idle", "1", "-n"])
        .arg(ranks.to_string())
        .arg(std::env::current_exe().unwrap())
        .arg("--rank")
        .args(arguments)
        .output()
        .unwrap()
}

fn succeeds(ranks: usize, arguments: &[&str]) -> String {
    let output = job(ranks, arguments);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn run_jobs() {
    if Command::new("mpirun").arg("--version").output().is_err() {
        println!("SKIPPED: there is no mpirun; on Debian: apt-get install openmpi-bin libopenmpi-dev");
        return;
    }
    for ranks in 1..=4 {
        succeeds(ranks, &["collectives"]);
        succeeds(ranks, &["training"]);
        succeeds(ranks, &["clustering"]);
        println!("{ranks} ranks: collectives, training and clustering ok");
    }
    a_failing_rank_ends_the_job();
    a_killed_job_resumes_to_the_same_bits();
}

/// A rank that fails ends the job with its message.
fn a_failing_rank_ends_the_job() {
    for kind in ["error", "panic"] {
        let begun = Instant::now();
        let output = job(3, &[kind]);
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && message.contains("the disk of rank 1 is full"), "{message}");
        assert!(begun.elapsed() < Duration::from_secs(30));
        println!("{kind} of a rank: the job ended after {:.1} s", begun.elapsed().as_secs_f64());
    }
}

/// A rank is killed at 20 different steps; the resumed run ends with the weights of an uninterrupted one.
fn a_killed_job_resumes_to_the_same_bits() {
    let folder = std::env::temp_dir().join(format!("axonal-mpi-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let whole = succeeds(2, &["resumable", &path("whole"), "never"]);
    assert!(whole.contains("weights"), "{whole}");
    for kill in 0..20 {
        let (name, step) = (format!("killed-{kill}"), (kill * 7 % 23 + 1).to_string());
        let killed = job(2, &["resumable", &path(&name), &step]);
        assert!(!killed.status.success(), "killed at step {step}");
        let resumed = succeeds(2, &["resumable", &path(&name), "never"]);
        assert_eq!(resumed, whole, "killed at step {step}");
    }
    println!("20 killed jobs resumed to the same bits");
    std::fs::remove_dir_all(&folder).unwrap();
}

fn run_rank(arguments: &[String]) {
    Mpi::run(|group| {
        match arguments[0].as_str() {
            "collectives" => collectives(group)?,
            "training" => training(group)?,
            "clustering" => clustering(group)?,
            "error" if group.rank() == 1 => {
                return Err(Error::invalid_parameter("here", "x", "the disk of rank 1 is full", "space"));
            }
            "panic" if group.rank() == 1 => panic!("the disk of rank 1 is full"),
            "error" | "panic" => group.barrier()?,
            _ => resumable(group, Path::new(&arguments[1]), arguments[2].parse().unwrap_or(usize::MAX))?,
        }
        Ok(())
    });
}

fn collectives(group: &Mpi) -> Result<()> {
    let (rank, size) = (group.rank(), group.size());
    for len in [0, 1, 5003] {
        let own = |rank: usize, i: usize| (i % 17) as f32 - rank as f32;
        let mut sum: Vec<f32> = (0..len).map(|i| own(rank, i)).collect();
        group.all_reduce((&mut sum).into(), Reduction::Sum)?;
        for (i, sum) in sum.iter().enumerate() {
            assert_eq!(*sum, (0..size).map(|rank| own(rank, i)).sum::<f32>());
        }
    }
    let mut extremes = [rank as f64, if rank == size - 1 { f64::NAN } else { 0.0 }];
    group.all_reduce((&mut extremes).into(), Reduction::Max)?;
    assert!(extremes[0] == (size - 1) as f64 && extremes[1].is_nan());
    let (mut signed, mut unsigned) = ([-(rank as i64)], [rank as u64 + 1]);
    group.all_reduce((&mut signed).into(), Reduction::Min)?;
    group.all_reduce((&mut unsigned).into(), Reduction::Sum)?;
    assert_eq!((signed[0], unsigned[0]), (1 - size as i64, (size * (size + 1) / 2) as u64));
    let all = group.all_gather(&vec![rank as u8; rank])?;
    assert!(all.iter().enumerate().all(|(rank, bytes)| *bytes == vec![rank as u8; rank]));
    let mut bytes = vec![rank as u8; 3];
    group.broadcast(&mut bytes, size - 1)?;
    assert_eq!(bytes, [(size - 1) as u8; 3]);
    Ok(())
}

fn rows() -> (Array2<f64>, Array1<usize>) {
    let x = Array2::from_shape_fn((ROWS, 6), |(i, j)| ((i * 31 + j * 17 + i * j) % 97) as f64 / 48.5 - 1.0);
    let y = x.rows().into_iter().map(|s| usize::from(s[0] + s[1] * s[2] > 0.0)).collect();
    (x, y)
}

fn classifier() -> Result<Model<f64>> {
    Sequential::new(6)
        .add(Dense::new(8).activation(Activation::Tanh))
        .add(Dropout::new(0.2))
        .add(Dense::new(2).activation(Activation::Softmax))
        .seed(7)
        .compile(Adam::new(0.01).global_clipnorm(1.0), SparseCategoricalCrossentropy::new())
        .map(|model| model.metric(Accuracy::new()))
}

/// The bits of all weights.
fn bits(weights: &[Weight<f64>]) -> Vec<u8> {
    weights.iter().flat_map(|weight| weight.value.iter().flat_map(|v| v.to_bits().to_le_bytes())).collect()
}

fn clustering(group: &Mpi) -> Result<()> {
    let x = Array2::from_shape_fn((5_000, 4), |(i, j)| ((i * 29 + j * 13 + i * i) % 211) as f32);
    let weights = Array1::from_shape_fn(5_000, |i| 1.0 + (i % 3) as f32);
    let own: Vec<usize> = Shard::of(group.rank(), group.size()).rows(5_000).collect();
    let (own_x, own_weights) = (x.select(Axis(0), &own), weights.select(Axis(0), &own));
    let (mut plain, mut weighted) = (KMeans::new(7).seed(2), KMeans::new(7).seed(2));
    let reports = [plain.fit(&x)?, weighted.fit_weighted(&x, &weights)?];
    let (mut by_ranks, mut by_ranks_weighted) = (KMeans::new(7).seed(2), KMeans::new(7).seed(2));
    let own_reports = [
        by_ranks.fit_distributed(&own_x, group)?,
        by_ranks_weighted.fit_distributed_weighted(&own_x, &own_weights, group)?,
    ];
    for (own, whole) in own_reports.iter().zip(&reports) {
        assert_eq!((own.inertia.to_bits(), own.n_iter), (whole.inertia.to_bits(), whole.n_iter));
    }
    for (own, whole) in [(&by_ranks, &plain), (&by_ranks_weighted, &weighted)] {
        assert_eq!(own.cluster_centers()?, whole.cluster_centers()?);
        let labels = whole.labels()?.to_vec();
        let first = Shard::of(group.rank(), group.size()).rows(5_000).start;
        assert_eq!(own.labels()?.to_vec(), labels[first..first + own_x.nrows()]);
    }
    let mini_batches = || MiniBatchKMeans::new(7).seed(2).batch_size(256).max_iter(5);
    let (mut plain, mut by_ranks) = (mini_batches(), mini_batches());
    let (whole, own) = (plain.fit(&x)?, by_ranks.fit_distributed(&own_x, group)?);
    assert_eq!((own.inertia.to_bits(), own.n_iter), (whole.inertia.to_bits(), whole.n_iter));
    assert_eq!(by_ranks.cluster_centers()?, plain.cluster_centers()?);
    Ok(())
}

fn training(group: &Mpi) -> Result<()> {
    let (x, y) = rows();
    let (rank, size) = (group.rank(), group.size());
    let own: Vec<usize> = (0..ROWS).filter(|i| i / 4 % size == rank).collect();
    let options = |batch: usize| FitOptions::new().epochs(3).shuffle(false).batch_size(batch);
    let mut model = classifier()?;
    let (own_x, own_y) = (x.select(Axis(0), &own), y.select(Axis(0), &own));
    let history = model.fit_with(&own_x, &own_y, options(4).distributed(group))?;
    let all = group.all_gather(&bits(&model.weights()))?;
    assert!(all.iter().all(|bytes| *bytes == all[0]), "the ranks have other weights");
    let mut alone = classifier()?;
    let expected = alone.fit_with(&x, &y, options(4 * size))?;
    for (got, want) in model.weights().iter().zip(&alone.weights()) {
        let off = (&got.value - &want.value).iter().fold(0.0_f64, |worst, d| worst.max(d.abs()));
        assert!(off <= if size == 1 { 0.0 } else { 1e-12 }, "{} is off by {off:e}", got.name);
    }
    assert!(history.loss().iter().zip(expected.loss()).all(|(a, b)| (a - b).abs() < 1e-12));
    assert_eq!(history.get("accuracy"), expected.get("accuracy"));
    Ok(())
}

/// Trains with checkpoints in `folder`; rank 1 is killed after `kill` batches.
fn resumable(group: &Mpi, folder: &Path, kill: usize) -> Result<()> {
    let (x, y) = rows();
    let own: Vec<usize> = (0..ROWS).filter(|i| i % 2 == group.rank()).collect();
    let mut steps = 0;
    let death = LambdaCallback::new().on_batch_end(|run| {
        steps += 1;
        if run.rank() == 1 && steps == kill {
            std::process::abort();
        }
        Ok(())
    });
    let folder: PathBuf = folder.into();
    let options = FitOptions::new()
        .epochs(4)
        .batch_size(4)
        .callback(BackupAndRestore::new(folder).every_batches(2))
        .callback(death)
        .distributed(group);
    let mut model = classifier()?;
    let history = model.fit_with(&x.select(Axis(0), &own), &y.select(Axis(0), &own), options)?;
    if group.rank() == 0 {
        let hash = bits(&model.weights()).iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        println!("weights {hash:x}, losses {:?}", history.loss());
    }
    Ok(())
}
