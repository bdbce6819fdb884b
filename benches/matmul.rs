//! Speed of matrix products in the three forms of a dense layer, with both engines.
//!
//! `cargo bench --bench matmul [-- --quick] [--json FOLDER]`

#![allow(missing_docs, clippy::expect_used, reason = "a bench")]

mod measure;

use axonal::linalg::{Engine, affine, gemm, gemm_with};
use axonal::ndarray::{ArrayView2, ArrayViewMut2};
use measure::{Bench, Work, thread_counts, with_threads};

/// (batch, inputs, outputs) of the layers of the training bench, and larger shapes.
const SHAPES: [(usize, usize, usize); 11] = [
    (1, 784, 128),
    (1, 128, 10),
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

/// A matrix that is aligned to a cache line, like those of a network.
struct Matrix {
    values: Vec<f32>,
    start: usize,
    dim: (usize, usize),
}

impl Matrix {
    fn new(rows: usize, columns: usize) -> Self {
        const CACHE_LINE: usize = 16;
        let mut values = vec![0.0; rows * columns + CACHE_LINE];
        let start = values.as_ptr().align_offset(CACHE_LINE * size_of::<f32>());
        for (index, value) in values[start..][..rows * columns].iter_mut().enumerate() {
            *value = (((index / columns) * 7 + (index % columns) * 13) % 17) as f32 / 17.0 - 0.5;
        }
        Self { values, start, dim: (rows, columns) }
    }

    fn view(&self) -> ArrayView2<'_, f32> {
        let values = &self.values[self.start..][..self.dim.0 * self.dim.1];
        ArrayView2::from_shape(self.dim, values).expect("rows × columns elements")
    }

    fn t(&self) -> ArrayView2<'_, f32> {
        self.view().reversed_axes()
    }

    fn view_mut(&mut self) -> ArrayViewMut2<'_, f32> {
        let values = &mut self.values[self.start..][..self.dim.0 * self.dim.1];
        ArrayViewMut2::from_shape(self.dim, values).expect("rows × columns elements")
    }
}

/// Measures one shape in all forms with the default engine, which uses several threads where that pays, and with the
/// other engine on one thread.
fn shape(bench: &mut Bench, threads: usize, (m, k, n): (usize, usize, usize)) {
    let (x, w, dy) = (Matrix::new(m, k), Matrix::new(k, n), Matrix::new(m, n));
    let bias = vec![0.1f32; n];
    let (mut y, mut dw, mut dx) = (Matrix::new(m, n), Matrix::new(k, n), Matrix::new(m, k));
    let bytes = 4.0 * (m * k + k * n + m * n) as f64;
    let minimum = Work::operations(2.0 * (m * k * n) as f64).moves(bytes, bytes);
    bench.measure_peak(threads);
    let mut report = |form: &str, engine: &str, work: &mut dyn FnMut()| {
        let timing = bench.time(work);
        bench.line(&format!("{m}x{k}x{n} {form} {engine}"), threads, timing, Some(minimum.clone()), &[]);
    };
    let name = |engine| format!("{engine:?}").to_lowercase();
    let other = match Engine::DEFAULT {
        Engine::Tiles => Engine::Matrixmultiply,
        _ => Engine::Tiles,
    };
    let (default, alternative) = (name(Engine::DEFAULT), name(other));
    report("x.w+b", &default, &mut || affine(x.view(), w.view(), Some(&bias), y.view_mut()));
    report("x.w", &default, &mut || gemm(1.0, x.view(), w.view(), 0.0, y.view_mut()));
    report("xT.dy", &default, &mut || gemm(1.0, x.t(), dy.view(), 1.0, dw.view_mut()));
    report("dy.wT", &default, &mut || gemm(1.0, dy.view(), w.t(), 0.0, dx.view_mut()));
    if threads == 1 {
        report("x.w", &alternative, &mut || gemm_with(other, 1.0, x.view(), w.view(), 0.0, y.view_mut()));
        report("xT.dy", &alternative, &mut || gemm_with(other, 1.0, x.t(), dy.view(), 1.0, dw.view_mut()));
        report("dy.wT", &alternative, &mut || gemm_with(other, 1.0, dy.view(), w.t(), 0.0, dx.view_mut()));
    }
}

fn main() {
    let mut bench = Bench::new("matmul");
    for &threads in thread_counts() {
        // Within the pool, like the steps of a training run.
        with_threads(threads, || {
            rayon::scope(|_| SHAPES.into_iter().for_each(|size| shape(&mut bench, threads, size)))
        });
    }
    bench.finish();
}
