//! Activations against Keras's numbers, against their own slopes, and at the ends of the number line.

use axonal::Float;
use axonal::layers::Activation;
use serde_json::Value;

const NAMES: [&str; 29] = [
    "linear",
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "selu",
    "celu",
    "gelu",
    "gelu_tanh",
    "sigmoid",
    "hard_sigmoid",
    "log_sigmoid",
    "sparse_sigmoid",
    "softmax",
    "log_softmax",
    "sparsemax",
    "tanh",
    "hard_tanh",
    "tanh_shrink",
    "soft_shrink",
    "hard_shrink",
    "softplus",
    "softsign",
    "silu",
    "hard_silu",
    "mish",
    "exponential",
    "squareplus",
    "sparse_plus",
];

/// Every named function, and those with parameters.
fn every() -> Vec<Activation> {
    let named = NAMES.iter().map(|name| name.parse().unwrap());
    named
        .chain([
            Activation::relu(0.1, 5.0, 0.5),
            Activation::relu(0.0, None, 1.0),
            Activation::leaky_relu(0.3),
            Activation::elu(0.5),
            Activation::celu(2.0),
            Activation::soft_shrink(0.2),
            Activation::hard_shrink(0.1),
            Activation::squareplus(1.0),
            Activation::squareplus(0.0),
        ])
        .collect()
}

fn applied<F: Float>(activation: Activation, z: &[F]) -> Vec<F> {
    let mut y = z.to_vec();
    activation.apply(z.len(), &mut y);
    y
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn assert_close(name: &str, got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{name}");
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "{name}: got {got}, want {want}");
    }
}

#[test]
fn all_match_keras() {
    let golden: Value = serde_json::from_str(include_str!("../parity/keras/golden.json")).unwrap();
    let x = numbers(&golden["activations"]["x"]);
    for (name, want) in golden["activations"]["y"].as_object().unwrap() {
        let activation: Activation = name.replace("gelu_exact(f64)", "gelu").parse().unwrap();
        let want = numbers(want);
        assert_close(name, &applied(activation, &x), &want, 1e-6);
        let single: Vec<f32> = x.iter().map(|v| *v as f32).collect();
        let got: Vec<f64> = applied(activation, &single).into_iter().map(f64::from).collect();
        assert_close(name, &got, &want, 1e-6);
    }
}

#[test]
fn parameters_match_keras() {
    let x = [-10.0, -5.0, 0.0, 5.0, 10.0];
    for (activation, want) in [
        (Activation::relu(0.5, None, 0.0), [-5.0, -2.5, 0.0, 5.0, 10.0]),
        (Activation::relu(0.0, 5.0, 0.0), [0.0, 0.0, 0.0, 5.0, 5.0]),
        (Activation::relu(0.0, None, 5.0), [0.0, 0.0, 0.0, 0.0, 10.0]),
        (Activation::relu(0.0, 5.0, 5.0), [0.0, 0.0, 0.0, 0.0, 5.0]),
        (Activation::relu(0.5, 5.0, 5.0), [-7.5, -5.0, -2.5, 0.0, 5.0]),
    ] {
        assert_close(activation.name(), &applied(activation, &x), &want, 1e-12);
    }
    assert_close("elu", &applied(Activation::elu(0.5), &[-1.0, 0.0, 3.0]), &[-0.316_060_27, 0.0, 3.0], 1e-7);
    let hard_silu = [0.0, -1.0 / 3.0, -1.0 / 3.0, 0.0, 2.0 / 3.0, 5.0 / 3.0, 3.0];
    let x = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0];
    assert_close("hard_silu", &applied(Activation::HardSilu, &x), &hard_silu, 1e-12);
    assert_close(
        "sparsemax",
        &applied(Activation::Sparsemax, &[-0.5, 0.0, 1.0, 1.5]),
        &[0.0, 0.0, 0.25, 0.75],
        1e-12,
    );
    assert_eq!(Activation::gelu(false), Activation::Gelu);
    assert_eq!(Activation::gelu(true), Activation::GeluTanh);
}

#[test]
fn gradients_are_the_slopes() {
    // Away from the kinks at 0, ±½, ±1, ±3 and 6; sparsemax keeps its support in this neighbourhood.
    let z = [-7.3, -2.6, -1.3, -0.72, -0.31, -0.014, 0.013, 0.42, 0.77, 1.4, 2.71, 5.1, 6.9, 7.3];
    let upstream: Vec<f64> = (0..z.len()).map(|i| (i as f64 * 1.7).sin() + 0.3).collect();
    let width = 7;
    for activation in every() {
        let mut y = z.to_vec();
        activation.apply(width, &mut y);
        let mut dz = upstream.clone();
        activation.gradient(width, if activation.needs_input() { &z } else { &[] }, &y, &mut dz);
        for i in 0..z.len() {
            let shifted = |by: f64| -> f64 {
                let mut y = z.to_vec();
                y[i] += by;
                activation.apply(width, &mut y);
                y.iter().zip(&upstream).map(|(y, dy)| y * dy).sum()
            };
            // Richardson's extrapolation of central differences.
            let (h, slope) = (1e-3, |h: f64| (shifted(h) - shifted(-h)) / (2.0 * h));
            let want = (4.0 * slope(h / 2.0) - slope(h)) / 3.0;
            assert!(
                (dz[i] - want).abs() <= 1e-6 * want.abs().max(1e-3),
                "{activation} at {}: {} {want}",
                z[i],
                dz[i]
            );
        }
    }
}

/// Every exponent of the type with both signs and three mantissas, and the largest numbers.
fn extremes<F: Float>(lowest: i32, highest: i32) -> Vec<F> {
    let magnitudes = (lowest..=highest).flat_map(|e| [1.0, 1.37, 1.998].map(|m| F::of(m * 2.0_f64.powi(e))));
    magnitudes
        .flat_map(|x| [x, -x])
        .chain([F::max_value(), F::min_value(), F::of(1e4), F::of(-1e4)])
        .collect()
}

fn finite_everywhere<F: Float>(points: &[F]) {
    for activation in every().into_iter().filter(|activation| *activation != Activation::Exponential) {
        for pair in points.windows(2) {
            let y = applied(activation, pair);
            let mut dz = vec![F::one(); 2];
            activation.gradient(2, pair, &y, &mut dz);
            // Where the exact value is beyond the type, infinity is right.
            let beyond = match activation {
                Activation::LogSoftmax => (pair[0] - pair[1]).is_infinite(),
                Activation::Selu => (pair[0].max(pair[1]) * F::of(1.06)).is_infinite(),
                _ => false,
            };
            assert!(beyond || y.iter().all(|v| v.is_finite()), "{activation} of {pair:?} is {y:?}");
            assert!(dz.iter().all(|v| v.is_finite()), "{activation}'s slope at {pair:?} is {dz:?}");
        }
    }
}

#[test]
fn all_are_finite_for_every_finite_input() {
    finite_everywhere(&extremes::<f32>(-149, 127));
    finite_everywhere(&extremes::<f64>(-1074, 1023));
}

#[test]
fn nan_stays_nan() {
    for activation in every() {
        for length in [1, 40] {
            let y = applied(activation, &vec![f32::NAN; length]);
            assert!(y.iter().all(|v| v.is_nan()), "{activation} of NaN is {y:?}");
        }
    }
}

#[test]
fn softmax_of_extreme_logits_is_a_distribution() {
    for logits in [
        [1e4_f32, -1e4, 0.0, 1e4],
        [f32::MAX / 2.0, -f32::MAX / 2.0, 0.0, 1.0],
        [7.0; 4],
        [1.0, 2.0, f32::NEG_INFINITY, 0.5],
        [f32::MAX; 4],
    ] {
        let reference: Vec<f64> = {
            let highest = logits.iter().fold(f64::NEG_INFINITY, |m, v| m.max(f64::from(*v)));
            let e: Vec<f64> = logits.iter().map(|v| (f64::from(*v) - highest).exp()).collect();
            let total: f64 = e.iter().sum();
            e.iter().map(|v| v / total).collect()
        };
        for activation in [Activation::Softmax, Activation::Sparsemax] {
            let y = applied(activation, &logits);
            assert!((y.iter().sum::<f32>() - 1.0).abs() <= 1e-6, "{activation} of {logits:?}: {y:?}");
        }
        let y: Vec<f64> = applied(Activation::Softmax, &logits).into_iter().map(f64::from).collect();
        assert_close("softmax", &y, &reference, 1e-6);
    }
}

#[test]
fn rows_do_not_see_each_other() {
    for width in [1, 3, 8, 13, 64] {
        let z: Vec<f64> = (0..5 * width).map(|i| (i as f64 * 0.7).sin() * 4.0).collect();
        for activation in every() {
            let mut block = z.clone();
            activation.apply(width, &mut block);
            let by_row: Vec<f64> = z.chunks(width).flat_map(|row| applied(activation, row)).collect();
            assert_eq!(block, by_row, "{activation} at width {width}");
        }
    }
    let mut nothing: [f32; 0] = [];
    every().into_iter().for_each(|activation| activation.apply(0, &mut nothing));
}

#[test]
fn names_and_files_bring_back_the_same_function() {
    for name in NAMES {
        let activation: Activation = name.to_uppercase().parse().unwrap();
        assert_eq!((activation.name(), activation.to_string().as_str()), (name, name));
        assert_eq!(serde_json::to_string(&activation).unwrap(), format!("{name:?}"));
    }
    for activation in every() {
        let text = serde_json::to_string(&activation).unwrap();
        assert_eq!(serde_json::from_str::<Activation>(&text).unwrap(), activation);
        activation.validate().unwrap();
    }
    assert_eq!("hard_swish".parse::<Activation>().unwrap(), Activation::HardSilu);
    let error = "rely".parse::<Activation>().unwrap_err().to_string();
    assert!(error.starts_with("unknown activation \"rely\"; known: linear, relu, relu6"), "{error}");
    assert_eq!(
        Activation::relu(0.1, 5.0, 0.5).to_string(),
        "relu(negative_slope=0.1, max_value=5, threshold=0.5)"
    );
}

#[test]
fn parameters_out_of_range_are_named() {
    let says = |activation: Activation| activation.validate().unwrap_err().to_string();
    assert_eq!(
        says(Activation::leaky_relu(f64::NAN)),
        "leaky_relu: negative_slope is NaN, expected a finite number of at least 0"
    );
    assert_eq!(says(Activation::celu(0.0)), "celu: alpha is 0, expected a finite number above 0");
    for bad in [
        Activation::relu(0.0, -1.0, 0.0),
        Activation::relu(0.0, None, f64::INFINITY),
        Activation::elu(-1.0),
        Activation::soft_shrink(-0.1),
        Activation::hard_shrink(f64::NAN),
        Activation::squareplus(-4.0),
    ] {
        assert!(bad.validate().is_err(), "{bad}");
    }
}
