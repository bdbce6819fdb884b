//! Handwritten digits, trained by all ranks together; `--resume` continues from the last saved epoch, with the same or another
//! number of ranks.
//!
//! `cargo build --release -p axonal-mpi --examples`, then
//! `mpirun -n 2 target/release/examples/mpi_digits [--resume]`

use axonal::callbacks::LambdaCallback;
use axonal::distributed::{Collective, Shard};
use axonal::ndarray::Axis;
use axonal::prelude::*;
use axonal_mpi::Mpi;
use std::path::Path;

const SAVED: &str = "target/mpi-digits.axonal";
const EPOCHS: usize = 20;

fn main() {
    Mpi::run(train);
}

fn train(group: &Mpi) -> Result<()> {
    let digits = axonal::datasets::load_digits::<f32>()?;
    let (x_train, x_test, y_train, y_test) =
        train_test_split(&(&digits.data / 16.0), &digits.target, 0.2, 7)?;
    // Each rank trains on its own rows; from files it would read no others.
    let shard = Shard::of(group.rank(), group.size());
    let own: Vec<usize> = shard.rows(x_train.nrows()).collect();
    let (x, y) = (x_train.select(Axis(0), &own), y_train.select(Axis(0), &own));

    let is_first = group.rank() == 0;
    let resume = std::env::args().any(|argument| argument == "--resume");
    let mut model = if resume && Path::new(SAVED).exists() { Model::load(SAVED)? } else { network()? };
    let done = model.epochs_trained();
    if is_first {
        println!("{} ranks, {} rows on this one, {done} epochs done", group.size(), x.nrows());
    }
    // Every rank has the same model; rank 0 saves it.
    let save = LambdaCallback::new()
        .on_epoch_end(|run| if run.rank() == 0 { run.model().save(SAVED) } else { Ok(()) });
    let options = FitOptions::new()
        .initial_epoch(done)
        .epochs(EPOCHS.max(done))
        .batch_size(32)
        .verbose(Verbose::Epochs)
        .callback(save)
        .distributed(group);
    model.fit_with(&x, &y, options)?;
    if is_first {
        let scores = model.evaluate(&x_test, &y_test)?;
        println!("test accuracy {:.4}", scores.get("accuracy").unwrap_or(f64::NAN));
    }
    Ok(())
}

fn network() -> Result<Model<f32>> {
    Sequential::new(64)
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(10).activation(Activation::Softmax))
        .seed(42)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())
        .map(|model| model.metric(Accuracy::default()))
}
