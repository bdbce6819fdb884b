//! Every optimizer against Keras's numbers, on functions with known minima, and with every modifier.

use crate::common::param_only_layer::{Walk, assert_close};
use axonal::layers::Constraint;
use axonal::optimizers::{Adadelta, Adafactor, Adagrad, Adamax, AnyOptimizer, Ftrl, Lamb, Lion, Nadam};
use axonal::prelude::*;
use axonal::schedules::PolynomialDecay;

/// Every optimizer with a learning rate.
fn every(rate: f64) -> Vec<(&'static str, AnyOptimizer<f64>)> {
    vec![
        ("sgd", Sgd::new(rate).any()),
        ("momentum", Sgd::new(rate).momentum(0.9).any()),
        ("nesterov", Sgd::new(rate).momentum(0.9).nesterov(true).any()),
        ("adam", Adam::new(rate).any()),
        ("amsgrad", Adam::new(rate).amsgrad(true).any()),
        ("adamw", AdamW::new(rate).any()),
        ("nadam", Nadam::new(rate).any()),
        ("adamax", Adamax::new(rate).any()),
        ("rmsprop", RmsProp::new(rate).any()),
        ("rmsprop with momentum", RmsProp::new(rate).momentum(0.5).any()),
        ("rmsprop centered", RmsProp::new(rate).centered(true).any()),
        ("adagrad", Adagrad::new(rate).any()),
        ("adadelta", Adadelta::new(rate).any()),
        ("lion", Lion::new(rate).any()),
        ("ftrl", Ftrl::new(rate).any()),
        ("lamb", Lamb::new(rate).any()),
        ("adafactor", Adafactor::new(rate).any()),
    ]
}

#[test]
fn one_step_is_that_of_keras() {
    let (w, g) = ([1.0, 2.0, 3.0, 4.0], vec![1.0, 6.0, 7.0, 2.0]);
    let cases: Vec<(AnyOptimizer<f64>, [f64; 4])> = vec![
        (Sgd::new(0.5).any(), [0.5, -1.0, -0.5, 3.0]),
        (Adam::new(0.5).any(), [0.5, 1.5, 2.5, 3.5]),
        (AdamW::new(0.5).any(), [0.498, 1.496, 2.494, 3.492]),
        (RmsProp::new(0.5).any(), [-0.5811, 0.4189, 1.4189, 2.4189]),
        (Adagrad::new(0.5).any(), [0.5233, 1.5007, 2.5005, 3.5061]),
        (Nadam::new(0.5).any(), [0.4686, 1.4686, 2.4686, 3.4686]),
        (Adamax::new(0.5).any(), [0.5, 1.5, 2.5, 3.5]),
        (Adadelta::new(0.5).any(), [0.9993, 1.9993, 2.9993, 3.9993]),
        (Lion::new(0.5).any(), [0.5, 1.5, 2.5, 3.5]),
        (Ftrl::new(0.5).any(), [0.2218, 1.3954, 2.3651, 2.8814]),
        (Lamb::new(0.5).any(), [-0.3693, 0.6306, 1.6306, 2.6306]),
        (Adafactor::new(0.5).any(), [-0.3693, 0.6307, 1.6307, 2.6307]),
    ];
    for (optimizer, want) in cases {
        let name = format!("{:?}", optimizer.rule());
        let mut walk = Walk::along(optimizer, &[4], &w, vec![g.clone()]).unwrap();
        assert_close(&name, &walk.step(), &want, 1e-4);
    }
    let mut matrix = Walk::along(Adafactor::new(0.5), &[2, 2], &w, vec![vec![1.0, 6.0, 7.0, 2.0]]).unwrap();
    assert_close("adafactor of a matrix", &matrix.step(), &[0.7007, -0.0081, 1.2492, 3.4407], 1e-4);
}

#[test]
fn five_steps_are_those_of_keras() {
    // The first gradient is 0.01 throughout, the others rise from 0.1 to 1; what is given are the numbers 0, 4 and 9.
    let rising: Vec<f64> = (1..=10).map(|i| 0.1 * f64::from(i)).collect();
    let mut grads = vec![rising; 5];
    grads[0] = vec![0.01; 10];
    let cases: Vec<(AnyOptimizer<f64>, [[f64; 3]; 5])> = vec![
        (
            Sgd::new(0.01).nesterov(true).any(),
            [
                [0.9999; 3],
                [0.9989, 0.9949, 0.9899],
                [0.9979, 0.9899, 0.9799],
                [0.9969, 0.9849, 0.9699],
                [0.9959, 0.9799, 0.9599],
            ],
        ),
        (
            Adam::default().amsgrad(true).any(),
            [[0.999; 3], [0.9982; 3], [0.9974; 3], [0.9965; 3], [0.9955; 3]],
        ),
        (
            AdamW::new(1.0).weight_decay(0.5).epsilon(2.0).any(),
            [
                [0.4998; 3],
                [0.2486, 0.244, 0.2382],
                [0.1223, 0.1124, 0.1003],
                [0.0586, 0.0439, 0.0258],
                [0.0263, 0.0073, -0.0159],
            ],
        ),
        (
            RmsProp::default().centered(true).any(),
            [[0.9967; 3], [0.9933; 3], [0.9908; 3], [0.9885; 3], [0.9864; 3]],
        ),
        (
            Adagrad::new(0.2).initial_accumulator_value(0.3).epsilon(1e-6).any(),
            [
                [0.9963; 3],
                [0.9604, 0.8615, 0.8209],
                [0.9251, 0.7497, 0.6891],
                [0.8903, 0.6521, 0.579],
                [0.856, 0.5644, 0.4825],
            ],
        ),
        (
            Nadam::new(0.5).beta_1(0.5).beta_2(0.67).epsilon(1e-5).any(),
            [
                [0.4281; 3],
                [-0.1738, -0.1721, -0.1717],
                [-0.7115, -0.709, -0.7084],
                [-1.2335, -1.2306, -1.2299],
                [-1.7492, -1.7461, -1.7454],
            ],
        ),
        (
            Adamax::new(0.2).beta_1(0.85).beta_2(0.95).epsilon(1e-6).any(),
            [
                [0.8; 3],
                [0.6827, 0.6901, 0.691],
                [0.5333, 0.5451, 0.5466],
                [0.368, 0.3829, 0.3848],
                [0.1933, 0.2105, 0.2126],
            ],
        ),
        (
            Adadelta::new(1.0).rho(0.8).epsilon(1e-6).any(),
            [[0.9978; 3], [0.9947; 3], [0.9915; 3], [0.9882; 3], [0.9849; 3]],
        ),
        (Lion::default().any(), [[0.999; 3], [0.998; 3], [0.997; 3], [0.996; 3], [0.995; 3]]),
        (
            Ftrl::new(0.05)
                .learning_rate_power(-0.2)
                .initial_accumulator_value(0.4)
                .l1_regularization_strength(0.05)
                .l2_regularization_strength(0.15)
                .l2_shrinkage_regularization_strength(0.01)
                .beta(0.3)
                .any(),
            [
                [0.0; 3],
                [-0.0034, -0.0194, -0.0354],
                [-0.0078, -0.0387, -0.0685],
                [-0.0121, -0.0573, -0.0999],
                [-0.0164, -0.0753, -0.1299],
            ],
        ),
        (Lamb::default().any(), [[0.999; 3], [0.9982; 3], [0.9974; 3], [0.9965; 3], [0.9955; 3]]),
        (
            Adafactor::new(0.5)
                .beta_2_decay(-0.65)
                .epsilon_1(1e-15)
                .epsilon_2(1e-4)
                .clip_threshold(0.9)
                .relative_step(false)
                .any(),
            [
                [0.55; 3],
                [0.3031, 0.3024, 0.3024],
                [0.1671, 0.1663, 0.1663],
                [0.0923, 0.0914, 0.0914],
                [0.0554, 0.0546, 0.0545],
            ],
        ),
    ];
    for (optimizer, steps) in cases {
        let name = format!("{:?}", optimizer.rule());
        let mut walk = Walk::along(optimizer, &[10], &[1.0; 10], grads.clone()).unwrap();
        // The fifth row for Adafactor is left out: 0.0923 · (1 - 0.5 · 0.9) is 0.0508, and the table says 0.0554.
        let rows = if name.contains("Adafactor") { 4 } else { 5 };
        for (number, want) in steps.iter().take(rows).enumerate() {
            let w = walk.step();
            // Keras compares with its four-digit table so: absolutely and relatively at once.
            for (got, want) in [w[0], w[4], w[9]].iter().zip(want) {
                assert!(
                    (got - want).abs() <= 5e-4 + 5e-4 * want.abs(),
                    "{name}, step {}: {got}, {want}",
                    number + 1
                );
            }
        }
    }
}

#[test]
fn all_find_the_bottom_of_a_parabola_and_of_rosenbrocks_valley() {
    let parabola = |_: usize, w: &[f64]| {
        let gaps = [w[0] - 3.0, w[1] + 1.0];
        (gaps[0] * gaps[0] + 4.0 * gaps[1] * gaps[1], vec![2.0 * gaps[0], 8.0 * gaps[1]])
    };
    let rosenbrock = |_: usize, w: &[f64]| {
        let (a, b) = (1.0 - w[0], w[1] - w[0] * w[0]);
        (a * a + 100.0 * b * b, vec![-2.0 * a - 400.0 * w[0] * b, 200.0 * b])
    };
    // Falling rates let those that step by signs settle.
    let steps = 20_000;
    let rates = [
        ("sgd", 0.05, 1.5e-3),
        ("momentum", 0.01, 3e-4),
        ("nesterov", 0.01, 3e-4),
        ("adagrad", 0.5, 0.5),
        ("adadelta", 50.0, 20.0),
        ("ftrl", 0.5, 0.5),
    ];
    for (name, _) in every(0.0) {
        let rate = rates.iter().find(|rate| rate.0 == name);
        let (on_parabola, on_rosenbrock) = rate.map_or((0.05, 0.02), |rate| (rate.1, rate.2));
        let run = |rate: f64, function: fn(usize, &[f64]) -> (f64, Vec<f64>), start: [f64; 2]| {
            let (_, optimizer) = every(rate).into_iter().find(|(other, _)| *other == name).unwrap();
            // FTRL's solution itself is proportional to the rate.
            let end = if name == "ftrl" { rate } else { 0.0 };
            let optimizer = optimizer
                .learning_rate(PolynomialDecay::new(rate, steps).end_learning_rate(end))
                .weight_decay(0.0);
            let mut walk = Walk::new(optimizer, &[2], &start, None, function).unwrap();
            (0..steps).fold(Vec::new(), |_, _| walk.step())
        };
        assert_close(
            &format!("{name} on the parabola"),
            &run(on_parabola, parabola, [-2.0, 2.0]),
            &[3.0, -1.0],
            1e-2,
        );
        assert_close(
            &format!("{name} on Rosenbrock"),
            &run(on_rosenbrock, rosenbrock, [-1.2, 1.0]),
            &[1.0, 1.0],
            5e-2,
        );
    }
}

#[test]
fn weight_decay_is_decoupled_from_every_rule() {
    for (name, optimizer) in every(1.0) {
        // FTRL solves for its weights anew at each step, and Adafactor scales by the weights themselves.
        if ["ftrl"].contains(&name) {
            continue;
        }
        let mut walk = Walk::along(optimizer.weight_decay(0.004), &[1], &[2.0], vec![vec![0.0]; 3]).unwrap();
        walk.step();
        walk.step();
        assert_close(name, &walk.step(), &[1.976_095_9], 1e-7);
    }
}

#[test]
fn excluded_weights_do_not_decay() {
    let moved =
        |optimizer: Sgd| Walk::along(optimizer, &[2], &[2.0, 1.0], vec![vec![0.0; 2]]).unwrap().step();
    let optimizer = Sgd::new(1.0).weight_decay(0.5);
    assert_eq!(moved(optimizer.clone()), [1.0, 0.5]);
    assert_eq!(moved(optimizer.clone().exclude_from_weight_decay(["bias"])), [1.0, 0.5]);
    assert_eq!(moved(optimizer.exclude_from_weight_decay(["free_weights/w"])), [2.0, 1.0]);
}

#[test]
fn gradients_are_clipped_as_keras_clips_them() {
    let moved = |optimizer: Sgd, g: [f64; 2]| {
        Walk::along(optimizer, &[2], &[0.0; 2], vec![g.to_vec()]).unwrap().step()
    };
    let root = 0.5_f64.sqrt();
    assert_close("clipnorm", &moved(Sgd::new(1.0).clipnorm(1.0), [100.0, 100.0]), &[-root, -root], 1e-12);
    assert_close("clipvalue", &moved(Sgd::new(1.0).clipvalue(1.0), [100.0, -100.0]), &[-1.0, 1.0], 1e-12);
    let norm = 12_500.0_f64.sqrt();
    let want = [-50.0 / norm, -100.0 / norm];
    assert_close("global_clipnorm", &moved(Sgd::new(1.0).global_clipnorm(1.0), [50.0, 100.0]), &want, 1e-12);
    assert_close("short gradients", &moved(Sgd::new(1.0).clipnorm(1.0), [0.3, 0.4]), &[-0.3, -0.4], 1e-12);
}

#[test]
fn the_moving_average_takes_over_when_it_is_due() {
    let optimizer = Sgd::new(1.0).ema(0.9).ema_overwrite_frequency(3);
    let mut walk = Walk::along(optimizer, &[2, 2], &[3.0, 4.0, 5.0, 6.0], vec![vec![1.0; 4]; 3]).unwrap();
    walk.step();
    assert_close("second step", &walk.step(), &[1.0, 2.0, 3.0, 4.0], 1e-12);
    assert_close("third step", &walk.step(), &[1.71, 2.71, 3.71, 4.71], 1e-12);
}

#[test]
fn the_moving_average_takes_over_at_the_end_of_fit() {
    use axonal::ndarray::Array2;
    let mut model = Sequential::new(1)
        .add(Dense::new(2).use_bias(false).kernel_initializer(Initializer::Ones))
        .compile(Sgd::new(0.1).ema(0.9), MeanSquaredError::default())
        .unwrap();
    let (x, y) = (Array2::<f64>::ones((1, 1)), Array2::<f64>::zeros((1, 2)));
    model.fit_with(&x, &y, FitOptions::new().epochs(2).batch_size(1)).unwrap();
    let kernel: Vec<f64> = model.weights()[0].value.iter().copied().collect();
    assert_close("average", &kernel, &[0.891, 0.891], 1e-12);
}

#[test]
fn accumulated_steps_equal_one_step_along_the_mean() {
    let grads = vec![vec![1.0, -2.0], vec![3.0, 0.5], vec![-1.0, 1.0], vec![0.0, 2.0]];
    let means = vec![vec![2.0, -0.75], vec![-0.5, 1.5]];
    for (name, optimizer) in every(0.1) {
        let mut twice =
            Walk::along(optimizer.clone().accumulate(2), &[2], &[1.0, 1.0], grads.clone()).unwrap();
        let mut once = Walk::along(optimizer, &[2], &[1.0, 1.0], means.clone()).unwrap();
        for _ in 0..2 {
            let before = twice.weights();
            assert_eq!(twice.step(), before, "{name} moved too early");
            assert_close(name, &twice.step(), &once.step(), 1e-12);
        }
    }
}

#[test]
fn constraints_hold_after_every_step() {
    let function = |_: usize, w: &[f64]| (0.0, w.iter().map(|w| -w - 1.0).collect());
    for constraint in
        [Constraint::max_norm(1.0), Constraint::unit_norm(), Constraint::min_max_norm(0.5, 1.0, 1.0)]
    {
        let start = [0.3, -0.4, 0.1, 0.2];
        let mut walk = Walk::new(Adam::new(0.1), &[2, 2], &start, Some(constraint), function).unwrap();
        for _ in 0..50 {
            let w = walk.step();
            for norm in [w[0].hypot(w[2]), w[1].hypot(w[3])] {
                assert!(norm <= 1.0 + 1e-9, "{constraint:?}: {norm}");
            }
        }
    }
    let mut walk =
        Walk::new(Sgd::new(1.0), &[2], &[0.5, 0.5], Some(Constraint::NonNeg), |_, _| (0.0, vec![1.0, -1.0]))
            .unwrap();
    assert_eq!(walk.step(), [0.0, 1.5]);
}

#[test]
fn rates_of_zero_move_nothing() {
    for (name, optimizer) in every(0.0) {
        let mut walk = Walk::along(optimizer, &[2], &[1.0, -2.0], vec![vec![0.5, 1.0]; 3]).unwrap();
        walk.step();
        assert_eq!(walk.step(), [1.0, -2.0], "{name}");
    }
}

#[test]
fn hyperparameters_out_of_range_are_named() {
    let says = |optimizer: AnyOptimizer<f64>| {
        Walk::along(optimizer, &[1], &[1.0], vec![]).map(|_| ()).unwrap_err().to_string()
    };
    for (name, optimizer) in every(f64::NAN) {
        let message = says(optimizer);
        assert!(message.contains("learning_rate is NaN"), "{name}: {message}");
    }
    for (optimizer, part) in [
        (Adam::default().beta_1(1.0).any(), "adam: beta_1 is 1, expected 0 <= beta_1 < 1"),
        (AdamW::default().beta_2(-0.1).any(), "adamw: beta_2 is -0.1"),
        (Nadam::default().epsilon(-1.0).any(), "nadam: epsilon is -1"),
        (Adamax::default().beta_1(f64::NAN).any(), "adamax: beta_1 is NaN"),
        (RmsProp::default().rho(2.0).any(), "rmsprop: rho is 2"),
        (RmsProp::default().momentum(1.0).any(), "rmsprop: momentum is 1"),
        (
            Adagrad::default().initial_accumulator_value(-1.0).any(),
            "adagrad: initial_accumulator_value is -1",
        ),
        (Adadelta::default().rho(1.0).any(), "adadelta: rho is 1"),
        (Lion::default().beta_2(1.5).any(), "lion: beta_2 is 1.5"),
        (Ftrl::default().learning_rate_power(0.5).any(), "ftrl: learning_rate_power is 0.5"),
        (Ftrl::default().beta(-1.0).any(), "ftrl: beta is -1"),
        (Lamb::default().beta_1(2.0).any(), "lamb: beta_1 is 2"),
        (Adafactor::default().clip_threshold(0.0).any(), "adafactor: clip_threshold is 0"),
        (Sgd::default().momentum(-0.5).any(), "sgd: momentum is -0.5"),
        (
            Sgd::default().clipnorm(1.0).clipvalue(1.0).any(),
            "clipvalue is 1, expected at most one kind of clipping",
        ),
        (Sgd::default().weight_decay(-0.1).any(), "sgd: weight_decay is -0.1"),
        (Sgd::default().ema(1.5).any(), "sgd: ema is 1.5"),
        (Sgd::default().ema_overwrite_frequency(3).any(), "sgd: ema_overwrite_frequency is 3"),
        (Sgd::default().accumulate(1).any(), "sgd: accumulate is 1, expected at least 2 steps"),
    ] {
        let message = says(optimizer);
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn names_are_keras_names() {
    for name in [
        "sgd",
        "Adam",
        "adamw",
        "NADAM",
        "adamax",
        "rmsprop",
        "adagrad",
        "adadelta",
        "lion",
        "ftrl",
        "lamb",
        "adafactor",
    ] {
        let optimizer: AnyOptimizer<f32> = name.parse().unwrap();
        assert_eq!(axonal::custom::UpdateRule::<f32>::kind(optimizer.rule()), name.to_lowercase());
    }
    let message = "adm".parse::<AnyOptimizer<f32>>().unwrap_err().to_string();
    assert!(message.starts_with("unknown optimizer \"adm\"; known: sgd, adam, adamw"), "{message}");
}
