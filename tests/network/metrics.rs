//! Metrics on values that lose their digits in plain sums: far from 0, all equal, very large.

use axonal::custom::{MetricBatch, Shape, TargetView};
use axonal::metrics::{AnyMetric, R2Score};
use axonal::ndarray::{Array1, Array2, array};
use axonal::prelude::*;

/// The metric over batches of some size.
fn scored<F: Float>(
    metric: &dyn Metric<F>,
    p: &Array2<F>,
    t: &Array2<F>,
    w: Option<&[F]>,
    batch: usize,
) -> f64 {
    let mut totals = vec![0.0; metric.totals(&Shape::from(p.ncols()))];
    for start in (0..p.nrows()).step_by(batch) {
        let rows = axonal::ndarray::s![start..(start + batch).min(p.nrows()), ..];
        let view = MetricBatch::new(p.slice(rows), TargetView::Values(t.slice(rows)));
        metric.update(view.weights(w.map(|w| &w[start..(start + batch).min(p.nrows())])), &mut totals);
    }
    metric.value(&totals)
}

/// R² of integers that are `offset` away from 0, by exact sums.
fn exact(t: &[i64], residual: i64) -> f64 {
    let n = t.len() as i64;
    let (sum, squares) = (t.iter().sum::<i64>(), t.iter().map(|t| t * t).sum::<i64>());
    1.0 - (n * n * residual * residual) as f64 / (n * squares - sum * sum) as f64
}

#[test]
fn r2_of_targets_far_from_0_keeps_its_digits() {
    let lists: [Vec<i64>; 4] = [
        (0..32).collect(),
        (0..100).map(|i| i % 32).collect(),
        vec![0, 1],
        (0..1000).map(|i| i * i % 7).collect(),
    ];
    for list in lists {
        for offset in [0.0, 100.0, 1e6, 1.7e9, -1.7e9, 1e12, 2.0_f64.powi(51)] {
            let t = Array2::from_shape_fn((list.len(), 1), |(i, _)| offset + list[i] as f64);
            let p = t.mapv(|t| t + 3.0);
            let want = exact(&list, 3);
            for batch in [1, 7, list.len()] {
                let got = scored::<f64>(&R2Score::default(), &p, &t, None, batch);
                assert!(
                    (got - want).abs() < 1e-12 * want.abs(),
                    "{offset} in batches of {batch}: {got}, want {want}"
                );
            }
        }
        // 2^23 + k is a number of f32.
        let t = Array2::from_shape_fn((list.len(), 1), |(i, _)| 8_388_608.0_f32 + list[i] as f32);
        let got = scored::<f32>(&R2Score::default(), &t.mapv(|t| t + 3.0), &t, None, 8);
        assert!((got - exact(&list, 3)).abs() < 1e-12 * got.abs(), "{got}");
    }
}

#[test]
fn r2_of_equal_targets_is_0_whatever_their_value() {
    for value in [0.0, 1.0, 14.62, 0.1, 1.0 / 3.0, -1.7e9 - 0.3, 1e-20, 1e15 / 3.0] {
        for n in [1, 2, 3, 1000] {
            for error in [0.0, 1.0, 1e-9] {
                let t = Array2::from_elem((n, 1), value);
                let p = t.mapv(|t| t + error);
                let score = scored::<f64>(&R2Score::default(), &p, &t, None, 7);
                assert_eq!(score, 0.0, "{n} times {value}, predicted {error} off");
                let (t, p) = (t.mapv(|t| t as f32), p.mapv(|p| p as f32));
                assert_eq!(
                    scored::<f32>(&R2Score::default(), &p, &t, None, 7),
                    0.0,
                    "{n} times {value} in f32"
                );
            }
        }
    }
}

#[test]
fn r2_does_not_depend_on_which_target_comes_first() {
    // An outlier first: the others lie together, far from it.
    let list: Vec<i64> = (0..50).map(|i| i % 5).chain([1 << 24]).collect();
    let rows = |list: &[i64]| Array2::from_shape_fn((list.len(), 1), |(i, _)| list[i] as f64);
    let mut turned = list.clone();
    turned.reverse();
    for list in [list, turned] {
        let t = rows(&list);
        let got = scored::<f64>(&R2Score::default(), &t.mapv(|t| t + 1000.0), &t, None, 4);
        let want = exact(&list, 1000);
        assert!((got - want).abs() < 1e-14, "{got}, want {want}");
    }
}

#[test]
fn r2_weighs_samples_and_averages_outputs() {
    // The second output is explained wholly, the third not at all.
    let t = array![[1.0, 5.0, 2.0], [2.0, 6.0, 4.0], [4.0, 8.0, 0.0]];
    let p = array![[1.5, 5.0, 2.0], [2.0, 6.0, 2.0], [3.0, 8.0, 2.0]];
    let plain = scored::<f64>(&R2Score::default(), &p, &t, None, 2);
    let want = (1.0 - 1.25 / (14.0 / 3.0) + 1.0 + 0.0) / 3.0;
    assert!((plain - want).abs() < 1e-14, "{plain}, want {want}");
    // A weight of 2 is a row twice, one of 0 none.
    let weighted = AnyMetric::<f64>::new(R2Score::default()).weighted();
    let by_weight = scored(&weighted, &p, &t, Some(&[2.0, 0.0, 1.0]), 3);
    let rows = |m: &Array2<f64>| m.select(axonal::ndarray::Axis(0), &[0, 0, 2]);
    let repeated = scored::<f64>(&R2Score::default(), &rows(&p), &rows(&t), None, 1);
    assert!((by_weight - repeated).abs() < 1e-14, "{by_weight}, want {repeated}");
    // A row without weight does not say where the targets lie.
    let shifted = array![[1e9], [14.62], [14.62]];
    assert_eq!(scored(&weighted, &shifted.mapv(|t| t + 1.0), &shifted, Some(&[0.0, 1.0, 1.0]), 3), 0.0);
}

#[test]
fn r2_of_a_network_is_the_same_in_any_batches() {
    let x = Array2::from_shape_fn((60, 1), |(i, _)| (i % 32) as f64);
    let y: Array1<f64> = x.column(0).mapv(|v| 1.7e9 + v);
    let mut model = Sequential::new(1)
        .add(
            Dense::new(1)
                .kernel_initializer(Initializer::Ones)
                .bias_initializer(Initializer::Constant(1.7e9 + 3.0)),
        )
        .compile(Sgd::new(0.0), MeanSquaredError::default())
        .unwrap()
        .metric(R2Score::default());
    let list: Vec<i64> = (0..60).map(|i| i % 32).collect();
    let want = exact(&list, 3);
    for batch in [1, 13, 60] {
        let options = EvaluateOptions::new().batch_size(batch);
        let got = model.evaluate_with(&x, &y, options).unwrap().get("r2_score").unwrap();
        assert!((got - want).abs() < 1e-12, "{got}, want {want}");
        let history = model.fit_with(&x, &y, FitOptions::new().batch_size(batch)).unwrap();
        assert!((history.get("r2_score").unwrap()[0] - want).abs() < 1e-12);
    }
}

#[test]
fn the_cosine_of_large_vectors_is_that_of_their_directions() {
    let cosine: AnyMetric<f32> = "cosine_similarity".parse().unwrap();
    let (p, t) = (array![[3e30f32, 4e30]], array![[4e25f32, 3e25]]);
    let got = scored(&cosine, &p, &t, None, 1);
    assert!((got - 0.96).abs() < 1e-6, "{got}");
    let wide: AnyMetric<f64> = "cosine_similarity".parse().unwrap();
    let (p, t) = (array![[3e200, 4e200]], array![[-4e250, -3e250]]);
    let got = scored(&wide, &p, &t, None, 1);
    assert!((got + 0.96).abs() < 1e-14, "{got}");
}
