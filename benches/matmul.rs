//! The products of the training core, in the three forms that a dense layer needs, by both engines.

#![allow(missing_docs, clippy::expect_used, reason = "a bench")]

mod measure;

use axonal::linalg::{Engine, affine, gemm_with};
use axonal::ndarray::Array2;
use measure::{Settings, duration, peak_flops};

/// (batch, inputs, outputs) of the layers of the training bench, and larger ones.
const SHAPES: [(usize, usize, usize); 9] = [
    (32, 784, 128),
    (32, 128, 10),
    (128, 784, 512),
    (128, 512, 512),
    (128, 512, 10),
    (32, 20, 64),
    (32, 64, 32),
    (32, 32, 1),
    (512, 784, 512),
];

fn matrix(rows: usize, columns: usize) -> Array2<f32> {
    Array2::from_shape_fn((rows, columns), |(i, j)| ((i * 7 + j * 13) % 17) as f32 / 17.0 - 0.5)
}

fn main() {
    let mut settings = Settings::from_args();
    let peak = peak_flops();
    println!("peak of one core: {:.0} GFLOP/s in registers (f32)\n", peak / 1e9);
    println!(
        "{:<16} {:<9} {:<15} {:>10} {:>10} {:>8} {:>9} {:>7}",
        "m x k x n", "form", "engine", "median", "minimum", "spread", "GFLOP/s", "of peak"
    );
    for (m, k, n) in SHAPES {
        let (x, w, dy) = (matrix(m, k), matrix(k, n), matrix(m, n));
        let bias = vec![0.1f32; n];
        let (mut y, mut dw, mut dx) = (matrix(m, n), matrix(k, n), matrix(m, k));
        let flops = 2.0 * (m * k * n) as f64;
        let report = |settings: &mut Settings, form: &str, engine: &str, work: &mut dyn FnMut()| {
            let timing = settings.time(work);
            let rate = flops / timing.median;
            println!(
                "{:<16} {form:<9} {engine:<15} {:>10} {:>10} {:>7.1}% {:>9.1} {:>6.0}%",
                format!("{m}x{k}x{n}"),
                duration(timing.median),
                duration(timing.minimum),
                100.0 * timing.spread,
                rate / 1e9,
                100.0 * rate / peak
            );
            let name = format!("{m}x{k}x{n} {form} {engine}");
            settings.row(
                &name,
                &[
                    ("median", timing.median),
                    ("minimum", timing.minimum),
                    ("flops", rate),
                    ("of_peak", rate / peak),
                ],
            );
        };
        report(&mut settings, "x.w + b", "axonal", &mut || {
            affine(x.view(), w.view(), Some(&bias), y.view_mut())
        });
        for engine in [Engine::Tiles, Engine::Matrixmultiply] {
            let name = format!("{engine:?}").to_lowercase();
            report(&mut settings, "x.w", &name, &mut || {
                gemm_with(engine, 1.0, x.view(), w.view(), 0.0, y.view_mut())
            });
            report(&mut settings, "xT.dy", &name, &mut || {
                gemm_with(engine, 1.0, x.t(), dy.view(), 1.0, dw.view_mut())
            });
            report(&mut settings, "dy.wT", &name, &mut || {
                gemm_with(engine, 1.0, dy.view(), w.t(), 0.0, dx.view_mut())
            });
        }
    }
    settings.finish();
}
