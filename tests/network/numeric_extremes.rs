//! Logits and data at the ends of the number line: finite losses and gradients, against exact values.

use axonal::Float;
use axonal::custom::{Backward, Forward, LossPass, Mask, Mode, Shape, TargetView};
use axonal::layers::{GroupNormalization, Normalization, RmsNormalization, UnitNormalization};
use axonal::ndarray::{Array1, Array2, array};
use axonal::prelude::*;

/// The loss of logits and its gradient.
fn of_logits<F: Float>(
    loss: &impl Loss<F>,
    logits: &Array2<F>,
    targets: TargetView<'_, F>,
) -> (f64, Array2<F>) {
    let mut gradient = Array2::from_elem(logits.dim(), F::nan());
    let value =
        loss.compute(LossPass::new(logits.view(), targets.view()).logits(true).gradient(gradient.view_mut()));
    (value, gradient)
}

fn rows<F: Float>() -> Array2<F> {
    let large = F::max_value().as_f64() / 2.0;
    let rows = array![
        [1e4, -1e4, 0.0],
        [-1e4, 1e4, 1e4],
        [large, -large, 0.0],
        [-large, -large, -large],
        [large, large, large],
        [0.0, 0.0, 0.0],
        [88.0, 89.0, 710.0],
        [-745.0, -104.0, 1e-30],
    ];
    rows.mapv(F::of)
}

fn crossentropies_are_finite<F: Float>() {
    let logits = rows::<F>();
    for label in 0..3 {
        let labels = vec![label; logits.nrows()];
        let mut hot = Array2::<F>::zeros(logits.dim());
        hot.column_mut(label).fill(F::one());
        let sparse = SparseCategoricalCrossentropy::default();
        let (value, gradient) = of_logits(&sparse, &logits, TargetView::Labels(&labels));
        let (dense_value, dense_gradient) =
            of_logits(&CategoricalCrossentropy::default(), &logits, TargetView::Values(hot.view()));
        let (binary_value, binary_gradient) =
            of_logits(&BinaryCrossentropy::default(), &logits, TargetView::Values(hot.view()));
        assert!(gradient.iter().chain(&dense_gradient).chain(&binary_gradient).all(|v| v.is_finite()));
        assert!(
            [value, dense_value, binary_value].iter().all(|v| *v >= 0.0),
            "{value} {dense_value} {binary_value}"
        );
        // Every softmax gradient sums to 0 over a row: p - y of two distributions.
        for row in gradient.rows() {
            assert!(row.iter().map(|v| v.as_f64()).sum::<f64>().abs() < 1e-6);
        }
        // f32::MAX is finite as f64, so the sum over the rows is exact there; in f64 it may round to infinity.
        assert_eq!(value.is_finite(), dense_value.is_finite());
    }
}

#[test]
fn crossentropies_of_extreme_logits_are_finite() {
    crossentropies_are_finite::<f32>();
    crossentropies_are_finite::<f64>();
    let logits = array![[1e4f64, -1e4, 0.0]];
    let (value, gradient) =
        of_logits(&SparseCategoricalCrossentropy::default(), &logits, TargetView::Labels(&[1]));
    assert_eq!((value, gradient), (2e4, array![[1.0, -1.0, 0.0]]));
    let targets = array![[0.0, 0.0, 1.0]];
    let (value, gradient) =
        of_logits(&BinaryCrossentropy::default(), &logits, TargetView::Values(targets.view()));
    assert!((value - (1e4 + 0.0 + 2f64.ln()) / 3.0).abs() < 1e-9);
    assert_eq!(gradient, array![[1.0 / 3.0, 0.0, -0.5 / 3.0]]);
}

#[test]
fn large_numbers_train_or_diverge_with_an_error_never_in_silence() {
    for scale in [1e10f32, 1e20, f32::MAX / 10.0] {
        let x = Array2::from_shape_fn((20, 3), |(i, j)| scale * if (i + j) % 2 == 0 { 1.0 } else { -0.5 });
        let y: Array1<usize> = (0..20).map(|i| i % 2).collect();
        let mut model = Sequential::new(3)
            .add(Dense::new(8).activation(Activation::Relu))
            .add(Dense::new(2).activation(Activation::Softmax))
            .compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default())
            .unwrap();
        match model.fit_with(&x, &y, FitOptions::new().epochs(5)) {
            Ok(history) => assert!(history.loss().iter().all(|loss| loss.is_finite())),
            Err(error) => assert!(matches!(error, Error::Diverged { .. }), "{error}"),
        }
        assert!(
            model.weights().iter().all(|weight| weight.value.iter().all(|w| w.is_finite())),
            "at scale {scale}"
        );
    }
}

/// What a normalization makes of a batch: outputs, the gradients toward inputs and parameters, the moving variance.
struct Normalized {
    y: Vec<f64>,
    dx: Vec<f64>,
    grads: Vec<f64>,
    moving_variance: Vec<f64>,
}

/// Values of about 1 as a batch of 6, with neither mean nor variance of a special form.
fn value(index: usize) -> f64 {
    f64::from(((index * 7919 + 13) % 101) as f32 / 101.0 - 0.4)
}

/// One step of `layer` on `offset + value` in units of `scale`; γ and β are not the initial ones.
fn normalize<F: Float>(
    layer: &dyn Layer<F>,
    shape: &Shape,
    (offset, scale): (f64, f64),
    mask: Option<Mask<'_>>,
) -> Normalized {
    const BATCH: usize = 6;
    let plan = layer.plan(shape).unwrap();
    let columns = shape.size();
    let of = |index: usize| F::of((offset + value(index)) * scale);
    let x = Array2::from_shape_fn((BATCH, columns), |(row, column)| of(row * columns + column));
    let params: Vec<F> = (0..plan.params_len()).map(|index| F::of(0.5 + 0.25 * (index % 5) as f64)).collect();
    let mut state: Vec<F> =
        (0..plan.state_len()).map(|index| F::of((2 * index / plan.state_len()) as f64)).collect();
    let (mut y, mut dx) = (Array2::zeros(x.dim()), Array2::zeros(x.dim()));
    let mut cache = vec![F::nan(); plan.cache_len(BATCH)];
    let mode = Mode::Train { rng: axonal::rng::RowRng::new(0, 0, 0), state: &mut state };
    let forward = Forward::new(x.view(), y.view_mut(), &params, &mut cache, mode).planned(&plan);
    layer.forward(forward.masked(mask));
    let mut dy = Array2::from_shape_fn(x.dim(), |(row, column)| F::of(value(3 * row + 5 * column + 1)));
    let mut grads = vec![F::zero(); params.len()];
    let pass =
        Backward::new(x.view(), y.view(), dy.view_mut(), dx.view_mut(), &params, &mut grads, &mut cache);
    layer.backward(pass.planned(&plan).masked(mask));
    let wide = |values: &[F]| values.iter().map(|v| v.as_f64()).collect::<Vec<_>>();
    let moving_variance = wide(&state[state.len() / 2..]);
    Normalized {
        y: wide(y.as_slice().unwrap()),
        dx: wide(dx.as_slice().unwrap()),
        grads: wide(&grads),
        moving_variance,
    }
}

/// Normalizations whose answers do not depend on the unit of x, where that is large beside ε.
fn normalizations<F: Float>() -> Vec<(Box<dyn Layer<F>>, Shape)> {
    vec![
        (Box::new(LayerNormalization::default()), Shape::from(7)),
        (Box::new(LayerNormalization::default()), Shape::from(40)),
        (Box::new(LayerNormalization::default().axis([-2, -1])), Shape::from([3, 4])),
        (Box::new(LayerNormalization::default().axis([1])), Shape::from([5, 2])),
        (Box::new(RmsNormalization::default()), Shape::from(7)),
        (Box::new(RmsNormalization::default()), Shape::from(40)),
        (Box::new(RmsNormalization::default().axis([1])), Shape::from([5, 2])),
        (Box::new(UnitNormalization::default()), Shape::from(7)),
        (Box::new(UnitNormalization::default()), Shape::from(40)),
        (Box::new(UnitNormalization::default().axis([1])), Shape::from([5, 2])),
        (Box::new(GroupNormalization::new(2)), Shape::from([3, 4])),
        (Box::new(GroupNormalization::new(1).axis(1)), Shape::from([4, 3])),
        (Box::new(GroupNormalization::each_channel()), Shape::from([5, 3])),
        (Box::new(BatchNormalization::default()), Shape::from(5)),
        (Box::new(BatchNormalization::default()), Shape::from([4, 3])),
        (Box::new(BatchNormalization::default().axis(1)), Shape::from([3, 4])),
        (Box::new(BatchNormalization::default().scale(false).center(false)), Shape::from(5)),
    ]
}

fn normalizations_do_not_depend_on_the_unit<F: Float>(exponents: &[i32], tolerance: f64) {
    let unit = 2f64.powi(20);
    for (index, (layer, shape)) in normalizations::<F>().iter().enumerate() {
        let (exact, _) = &normalizations::<f64>()[index];
        for offset in [0.0, 0.3, -1.25] {
            let want = normalize(exact.as_ref(), shape, (offset, unit), None);
            for &exponent in exponents {
                // In steps, for a power beyond the range of the whole.
                let scale = 2f64.powi(exponent);
                let got = normalize::<F>(layer.as_ref(), shape, (offset, scale), None);
                let holds = |what: &str, got: &[f64], want: &[f64], tolerance: f64| {
                    let size = want.iter().fold(0.0, |max: f64, v| max.max(v.abs()));
                    for (got, want) in got.iter().zip(want) {
                        let close = (got - want).abs() <= tolerance * size;
                        assert!(close, "{layer:?}, {offset} in 2^{exponent}: {what} {got}, expected {want}");
                    }
                };
                let wide = |dx: &[f64], unit: f64| dx.iter().map(|v| v * unit).collect::<Vec<_>>();
                holds("y", &got.y, &want.y, tolerance);
                holds("dx", &wide(&got.dx, scale), &wide(&want.dx, unit), 20.0 * tolerance);
                holds("gradient", &got.grads, &want.grads, tolerance);
            }
        }
    }
}

#[test]
fn normalizations_of_values_whose_squares_overflow_are_right() {
    normalizations_do_not_depend_on_the_unit::<f32>(&[20, 40, 60, 63, 64, 67, 90, 120, 126], 1e-5);
    normalizations_do_not_depend_on_the_unit::<f64>(&[20, 100, 300, 505, 520, 700, 1000, 1022], 1e-11);
}

#[test]
fn a_mask_leaves_padding_out_of_the_statistics_of_large_values() {
    let (layer, shape) = (BatchNormalization::default(), Shape::from([4, 3]));
    let real: Vec<bool> = (0..24).map(|position| position % 4 < 3 && position != 9).collect();
    let mask = || Some(Mask::new(&real, 4));
    let want = normalize::<f64>(&layer, &shape, (0.3, 2f64.powi(20)), mask());
    for exponent in [64, 100, 126] {
        let got = normalize::<f32>(&layer, &shape, (0.3, 2f64.powi(exponent)), mask());
        for (got, want) in got.y.iter().chain(&got.grads).zip(want.y.iter().chain(&want.grads)) {
            assert!((got - want).abs() < 1e-4, "2^{exponent}: {got}, expected {want}");
        }
    }
}

#[test]
fn a_moving_variance_follows_as_long_as_its_type_holds_it() {
    let (layer, shape) = (BatchNormalization::default(), Shape::from(3));
    let want = normalize::<f64>(&layer, &shape, (0.0, 2f64.powi(20)), None).moving_variance;
    // The batch's own variance, 2^130 and more, has no f32; a hundredth of it has one.
    let got = normalize::<f32>(&layer, &shape, (0.0, 2f64.powi(66)), None).moving_variance;
    for (got, want) in got.iter().zip(&want) {
        let share = (want - 0.99) * 2f64.powi(2 * 46);
        assert!(got.is_finite() && (got / share - 1.0).abs() < 1e-5, "{got}, expected {share}");
    }
    // Beyond that there is no answer, and none is given.
    let plan = Layer::<f32>::plan(&layer, &shape).unwrap();
    let state = [0.0, 0.0, 0.0, f32::INFINITY, 1.0, 1.0];
    let (x, mut y) = (Array2::<f32>::ones((2, 3)), Array2::zeros((2, 3)));
    let mut cache = vec![0.0; plan.cache_len(2)];
    let mode = Mode::Infer { state: &state };
    let params = [1.0, 1.0, 1.0, 0.5, 0.5, 0.5];
    layer.forward(Forward::new(x.view(), y.view_mut(), &params, &mut cache, mode).planned(&plan));
    assert!(y.column(0).iter().all(|v| v.is_nan()) && y.column(1).iter().all(|v| v.is_finite()), "{y}");
}

#[test]
fn moving_statistics_far_from_a_value_are_subtracted() {
    let (layer, shape) = (BatchNormalization::default().scale(false).center(false), Shape::from(1));
    let plan = Layer::<f32>::plan(&layer, &shape).unwrap();
    let state = [-3e38, 1e38_f32];
    let (x, mut y) = (array![[3e38_f32], [-3e38]], Array2::zeros((2, 1)));
    let mut cache = vec![0.0; plan.cache_len(2)];
    let mode = Mode::Infer { state: &state };
    layer.forward(Forward::new(x.view(), y.view_mut(), &[], &mut cache, mode).planned(&plan));
    assert!((y[[0, 0]] / 6e19 - 1.0).abs() < 1e-6 && y[[1, 0]] == 0.0, "{y}");
}

#[test]
fn normalizations_of_ordinary_values_keep_their_bits() {
    let x: Vec<f32> = (0..7).map(|index| (value(index) * 3.0 + 50.0) as f32).collect();
    let row = Array2::from_shape_vec((1, 7), x.clone()).unwrap();
    let forward = |layer: &dyn Layer<f32>, params: &[f32]| -> Vec<f32> {
        let plan = layer.plan(&Shape::from(7)).unwrap();
        let (mut y, mut cache) = (Array2::zeros((1, 7)), vec![0.0; plan.cache_len(1)]);
        let mode = Mode::Infer { state: &[] };
        layer.forward(Forward::new(row.view(), y.view_mut(), params, &mut cache, mode).planned(&plan));
        y.into_raw_vec_and_offset().0
    };
    let mean = x.iter().sum::<f32>() / 7.0;
    let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / 7.0;
    let inverse = 1.0 / (variance + 1e-3).sqrt();
    let want: Vec<f32> = x.iter().map(|x| (x - mean) * inverse).collect();
    let no_params = LayerNormalization::default().scale(false).center(false);
    assert_eq!(forward(&no_params, &[]), want);
    assert_eq!(forward(&GroupNormalization::new(1).scale(false).center(false), &[]), want);
    let square = x.iter().map(|x| x * x).sum::<f32>();
    let inverse = 1.0 / (square / 7.0 + 1e-6).sqrt();
    assert_eq!(
        forward(&RmsNormalization::default(), &[2.0; 7]),
        x.iter().map(|x| x * inverse * 2.0).collect::<Vec<_>>()
    );
    let inverse = 1.0 / square.sqrt();
    assert_eq!(
        forward(&UnitNormalization::default(), &[]),
        x.iter().map(|x| x * inverse).collect::<Vec<_>>()
    );
}

#[test]
fn an_epsilon_that_the_type_rounds_to_zero_is_refused() {
    let says = |layer: &dyn Layer<f32>| layer.plan(&Shape::from(4)).unwrap_err().to_string();
    assert!(says(&LayerNormalization::default().epsilon(1e-50)).contains("a finite number above 0 in f32"));
    assert!(says(&RmsNormalization::default().epsilon(1e-50)).contains("epsilon"));
    assert!(says(&BatchNormalization::default().epsilon(1e-50)).contains("epsilon"));
    assert!(says(&GroupNormalization::new(2).epsilon(1e-50)).contains("epsilon"));
    assert!(Layer::<f64>::plan(&LayerNormalization::default().epsilon(1e-50), &Shape::from(4)).is_ok());
}

#[test]
fn adapted_normalizations_center_equal_values_exactly() {
    for value in [0.1, 1e8 + 0.1, -1.0 / 3.0] {
        let x = Array2::from_elem((1000, 2), value);
        let model = Sequential::new(2)
            .add(Normalization::default().adapt(&x).unwrap())
            .compile(Sgd::new(0.1), MeanSquaredError::default())
            .unwrap();
        assert_eq!(model.predict(&x).unwrap(), Array2::<f64>::zeros((1000, 2)), "{value}");
    }
    let message =
        Normalization::default().adapt(&array![[1.0, 1e200], [2.0, -1e200]]).unwrap_err().to_string();
    assert!(
        message.contains("too large at place 1") && message.contains("divide x by a constant"),
        "{message}"
    );
}

#[test]
fn adapted_normalizations_subtract_means_far_from_a_value() {
    let layer = Normalization::new([-3e38], [1e76]);
    let model = Sequential::new(1).add(layer).compile(Sgd::new(0.1), MeanSquaredError::default()).unwrap();
    let y = model.predict(&array![[3e38_f32], [-3e38]]).unwrap();
    assert!((y[[0, 0]] - 6.0).abs() < 1e-5 && y[[1, 0]] == 0.0, "{y}");
    let says = |layer: Normalization| Layer::<f32>::plan(&layer, &Shape::from(1)).unwrap_err().to_string();
    assert!(
        says(Normalization::new([1e100], [1.0])).contains("mean is 1e100, expected finite numbers in f32")
    );
    assert!(says(Normalization::new([0.0], [1e100])).contains("with a finite root"));
}
