//! Measures the exchange between ranks and the weak scaling of training and k-means: the same work per rank, by independent
//! processes and by a group, in alternation. Prints tables in Markdown.
//!
//! `cargo build --release -p axonal-mpi --examples`, then
//! `RAYON_NUM_THREADS=1 mpirun -n 2 target/release/examples/mpi_efficiency`

use axonal::distributed::{Collective, Reduction};
use axonal::ndarray::{Array1, Array2, Array4, ArrayD};
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng};
use axonal_mpi::Mpi;
use std::time::Instant;

/// Alternating runs of each kind, of which the median counts.
const RUNS: usize = 7;

fn main() {
    Mpi::run(|group| {
        exchange(group)?;
        if group.rank() == 0 {
            println!("| work of each rank | alone, s | as {} ranks, s | efficiency |", group.size());
            println!("|---|---|---|---|");
        }
        dense(group, "784-128-10 Adam, batch 32", &[784, 128, 10], 32, 12_000)?;
        dense(group, "784-512-512-10 Adam, batch 128", &[784, 512, 512, 10], 128, 6_000)?;
        convolution(group)?;
        kmeans(group)
    });
}

/// The median of some times.
fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Measures sums over the ranks by length, and fits `T = α + β n` for n bytes.
fn exchange(group: &Mpi) -> Result<()> {
    let mut rows = Vec::new();
    for len in [1_usize, 1_000, 100_000, 1_000_000, 10_000_000] {
        let mut values = vec![0.0_f32; len];
        let repetitions = (2_000_000 / len).clamp(5, 2_000);
        let mut times = Vec::new();
        for _ in 0..RUNS {
            group.barrier()?;
            let begun = Instant::now();
            for _ in 0..repetitions {
                group.all_reduce((&mut values).into(), Reduction::Sum)?;
            }
            times.push(begun.elapsed().as_secs_f64() / repetitions as f64);
        }
        rows.push((4 * len, median(times)));
    }
    let (first, last) = (rows[0], rows[rows.len() - 1]);
    let slope = (last.1 - first.1) / (last.0 - first.0) as f64;
    if group.rank() == 0 {
        println!("| bytes | sum over {} ranks, µs |\n|---|---|", group.size());
        rows.iter().for_each(|(bytes, seconds)| println!("| {bytes} | {:.1} |", seconds * 1e6));
        println!("\nα = {:.1} µs, β = {:.3} ns a byte\n", first.1 * 1e6, slope * 1e9);
    }
    Ok(())
}

/// Times `work` alone and with the group in alternation, all ranks at once, and prints a row.
fn compare(group: &Mpi, name: &str, mut work: impl FnMut(Option<&Mpi>) -> Result<()>) -> Result<()> {
    let mut times = [Vec::new(), Vec::new()];
    work(None)?;
    for _ in 0..RUNS {
        for (kind, times) in times.iter_mut().enumerate() {
            group.barrier()?;
            let begun = Instant::now();
            work(if kind == 0 { None } else { Some(group) })?;
            // The slowest rank counts.
            let mut seconds = [begun.elapsed().as_secs_f64()];
            group.all_reduce((&mut seconds).into(), Reduction::Max)?;
            times.push(seconds[0]);
        }
    }
    let [alone, together] = times.map(median);
    if group.rank() == 0 {
        println!("| {name} | {alone:.3} | {together:.3} | {:.0} % |", 100.0 * alone / together);
    }
    Ok(())
}

fn options(batch: usize, group: Option<&Mpi>) -> FitOptions<'_, f32> {
    let options = FitOptions::new().batch_size(batch);
    match group {
        Some(group) => options.distributed(group),
        None => options,
    }
}

fn labels(n: usize, rng: &mut Rng) -> Array1<usize> {
    Array1::from_shape_simple_fn(n, || rng.below(10))
}

fn dense(group: &Mpi, name: &str, sizes: &[usize], batch: usize, rows: usize) -> Result<()> {
    let mut rng = Rng::new(1, Purpose::Dataset, group.rank() as u64);
    let x = Array2::from_shape_simple_fn((rows, sizes[0]), || rng.uniform() as f32);
    let y = labels(rows, &mut rng);
    let (&outputs, hidden) = sizes[1..].split_last().unwrap_or((&10, &[]));
    let mut layers = Sequential::new(sizes[0]);
    for &units in hidden {
        layers = layers.add(Dense::new(units).activation(Activation::Relu));
    }
    let layers = layers.add(Dense::new(outputs).activation(Activation::Softmax));
    let model = layers.compile(Adam::default(), SparseCategoricalCrossentropy::default())?;
    compare_training(group, name, &model, (&x.into_dyn(), &y), batch)
}

/// Trains one copy of a model alone and one with the group, of which every rank must have the same parameters.
fn compare_training(
    group: &Mpi,
    name: &str,
    model: &Model<f32>,
    (x, y): (&ArrayD<f32>, &Array1<usize>),
    batch: usize,
) -> Result<()> {
    let (mut alone, mut together) = (model.clone(), model.clone());
    compare(group, name, |group| {
        let model = if group.is_some() { &mut together } else { &mut alone };
        model.fit_with(x, y, options(batch, group)).map(|_| ())
    })
}

fn convolution(group: &Mpi) -> Result<()> {
    let mut rng = Rng::new(1, Purpose::Dataset, group.rank() as u64);
    let x = Array4::from_shape_simple_fn((1_500, 28, 28, 1), || rng.uniform() as f32);
    let y = labels(1_500, &mut rng);
    let model = Sequential::new([28, 28, 1])
        .add(Conv2D::new(16, 3).activation(Activation::Relu))
        .add(MaxPooling2D::new(2))
        .add(Conv2D::new(32, 3).activation(Activation::Relu))
        .add(Flatten::new())
        .add(Dense::new(10).activation(Activation::Softmax))
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())?;
    let name = "Conv2D 16 + 32, 28 × 28, batch 64";
    compare_training(group, name, &model, (&x.into_dyn(), &y), 64)
}

/// Half a million rows of each rank, 64 clusters, 10 iterations.
fn kmeans(group: &Mpi) -> Result<()> {
    let mut rng = Rng::new(1, Purpose::Dataset, group.rank() as u64);
    let x = Array2::from_shape_simple_fn((500_000, 16), || rng.uniform() as f32);
    let start = Array2::from_shape_fn((64, 16), |(i, j)| ((i * 37 + j * 11) % 101) as f32 / 101.0);
    compare(group, "KMeans 500,000 × 16, k = 64, 10 iterations", |group| {
        let mut kmeans =
            KMeans::new(64).init(KMeansInit::Centers(start.clone())).n_init(1).max_iter(10).tol(0.0);
        match group {
            Some(group) => kmeans.fit_distributed(&x, group).map(|_| ()),
            None => kmeans.fit(&x).map(|_| ()),
        }
    })
}
