//! A million predictions from eight threads on one shared model: the bits of a single thread, and no more memory at
// ci: skip (runs for minutes; see the docs)
//! the end than after the first tenth. `cargo run --release --example soak [predictions]`
use axonal::ndarray::{Array2, Axis};
use axonal::prelude::*;
use std::time::Instant;

/// Resident memory in KiB, where the system reports it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn main() -> Result<()> {
    let predictions: usize = std::env::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let x = Array2::from_shape_fn((64, 16), |(i, j)| ((i * 31 + j * 17) % 97) as f32 / 48.5 - 1.0);
    let model: Model<f32> = Sequential::new(16)
        .add(Dense::new(32).activation(Activation::Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(4).activation(Activation::Softmax))
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())?;
    let model = Model::<f32>::from_bytes(&model.to_bytes()?)?;
    let rows: Vec<Array2<f32>> =
        x.rows().into_iter().map(|row| row.to_owned().insert_axis(Axis(0))).collect();
    let expected = rows.iter().map(|row| model.predict(row)).collect::<Result<Vec<_>>>()?;

    let begun = Instant::now();
    let mut after_a_tenth = None;
    for part in 0..10 {
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (model, rows, expected) = (&model, &rows, &expected);
                scope.spawn(move || {
                    for n in 0..predictions / 80 {
                        let row = (n + thread * 7) % rows.len();
                        let same = model.predict(&rows[row]).is_ok_and(|answer| answer == expected[row]);
                        assert!(same, "another answer than a single thread's");
                    }
                });
            }
        });
        if part == 0 {
            after_a_tenth = resident();
        }
    }
    println!(
        "{predictions} predictions in {:.1} s, every one as a single thread's",
        begun.elapsed().as_secs_f64()
    );
    if let (Some(first), Some(last)) = (after_a_tenth, resident()) {
        println!("resident memory: {first} KiB after a tenth, {last} KiB at the end");
        assert!(last <= first + 1024, "memory grows");
    }
    Ok(())
}
