//! Clusters a million points that no rank holds all of: each makes its own rows. The centers are the same, to the bit, for any
//! number of ranks.
//!
//! `cargo build --release -p axonal-mpi --examples`, then
//! `mpirun -n 4 target/release/examples/mpi_kmeans`

use axonal::distributed::{Collective, Shard};
use axonal::ndarray::Array2;
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng};
use axonal_mpi::Mpi;
use std::time::Instant;

const ROWS: usize = 1_000_000;
const FEATURES: usize = 8;
const CLUSTERS: usize = 20;

fn main() {
    Mpi::run(cluster);
}

/// A row of the data set: a point around one of the clusters. It depends on its number alone, whichever rank makes it.
fn row(number: usize) -> [f32; FEATURES] {
    let mut rng = Rng::new(7, Purpose::Dataset, number as u64);
    let cluster = number % CLUSTERS;
    std::array::from_fn(|feature| ((cluster * 31 + feature * 17) % 23) as f32 + 0.5 * rng.normal() as f32)
}

fn cluster(group: &Mpi) -> Result<()> {
    let own = Shard::of(group.rank(), group.size()).rows(ROWS);
    let mut x = Array2::zeros((own.len(), FEATURES));
    for (mut slot, number) in x.rows_mut().into_iter().zip(own) {
        slot.iter_mut().zip(row(number)).for_each(|(slot, value)| *slot = value);
    }
    let begun = Instant::now();
    let mut kmeans = KMeans::new(CLUSTERS).seed(1);
    let report = kmeans.fit_distributed(&x, group)?;
    if group.rank() == 0 {
        println!(
            "{ROWS} × {FEATURES} points on {} ranks: {} iterations, inertia {:.6}, {:.2} s",
            group.size(),
            report.n_iter,
            report.inertia,
            begun.elapsed().as_secs_f64()
        );
        let hash = kmeans.cluster_centers()?.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, center| {
            (hash ^ u64::from(center.to_bits())).wrapping_mul(0x0100_0000_01b3)
        });
        println!("centers {hash:x}: the same for any number of ranks");
    }
    Ok(())
}
