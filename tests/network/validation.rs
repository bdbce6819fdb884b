//! What a run is judged by: weights of training rows do not reach the rows that are held out, weights that are all zero
//! are refused, and the logs of a batch hold nothing of an earlier validation.

use axonal::custom::Run;
use axonal::metrics::{AnyMetric, LossMetric};
use axonal::ndarray::{Array1, Array2, array, s};
use axonal::prelude::*;

fn still<F: Float>() -> Model<F> {
    Sequential::new(1)
        .add(Dense::new(1).activation(Activation::Sigmoid).kernel_initializer(Initializer::Constant(1.5)))
        .compile(Sgd::new(0.0), BinaryCrossentropy::default())
        .unwrap()
        .metric(AnyMetric::new(LossMetric::new(BinaryCrossentropy::default())).named("weighted").weighted())
}

fn held_out_rows_are_not_weighted_by_class<F: Float>() {
    let x = array![[1.0], [2.0], [3.0], [4.0], [-1.0], [0.5]].mapv(F::of);
    let y = array![0u8, 1, 0, 1, 1, 0];
    for (weights, split) in [([10.0, 10.0], 0.5), ([0.25, 40.0], 0.3), ([3.0, 0.0], 0.7), ([1.0, 0.0], 0.2)] {
        let train = (6.0 * (1.0_f64 - split)).floor() as usize;
        let options =
            FitOptions::new().validation_split(split).class_weight([(0, weights[0]), (1, weights[1])]);
        let history = still::<F>().fit_with(&x, &y, options).unwrap();
        let want = still::<F>().evaluate(&x.slice(s![train.., ..]), &y.slice(s![train..])).unwrap();
        for key in ["loss", "weighted"] {
            let got = history.get(&format!("val_{key}")).unwrap()[0];
            assert!(
                (got - want.get(key).unwrap()).abs() < 1e-6,
                "{weights:?} {split} {key}: {got}, want {want}"
            );
        }
        // The rows that are trained on are weighted: the mean of w·loss over their number.
        let (x, y) = (x.slice(s![..train, ..]), y.slice(s![..train]));
        let rows: Array1<F> = y.iter().map(|&class| F::of(weights[usize::from(class)])).collect();
        let weighted = EvaluateOptions::new().sample_weight(&rows);
        let want = still::<F>().evaluate_with(&x, &y, weighted).unwrap();
        for key in ["loss", "weighted"] {
            let got = history.get(key).unwrap()[0];
            assert!((got - want.get(key).unwrap()).abs() < 1e-5 * want.loss().max(1.0), "{weights:?} {key}");
        }
    }
}

#[test]
fn held_out_rows_are_not_weighted_by_class_in_either_type() {
    held_out_rows_are_not_weighted_by_class::<f32>();
    held_out_rows_are_not_weighted_by_class::<f64>();
}

#[test]
fn labels_and_one_hot_targets_are_weighted_by_class_on_training_rows_only() {
    let x = Array2::from_shape_fn((9, 2), |(i, j)| ((i * 5 + j * 3) % 7) as f64 - 3.0);
    let labels: Array1<usize> = (0..9).map(|i| i % 3).collect();
    let one_hot = Array2::from_shape_fn((9, 3), |(i, class)| f64::from(u8::from(labels[i] == class)));
    let network = || {
        Sequential::new(2)
            .add(Dense::new(3).activation(Activation::Softmax).kernel_initializer(Initializer::Ones))
    };
    let options = || FitOptions::new().validation_split(1.0 / 3.0).class_weight([(0, 9.0), (2, 0.5)]);
    let mut sparse = network().compile(Sgd::new(0.0), SparseCategoricalCrossentropy::default()).unwrap();
    let mut dense = network().compile(Sgd::new(0.0), CategoricalCrossentropy::default()).unwrap();
    // Every class has the same probability, so each row's loss is ln 3 and the weights are all that differs.
    let want = [(9.0 + 1.0 + 0.5) / 3.0 * 3.0_f64.ln(), 3.0_f64.ln()];
    for history in
        [sparse.fit_with(&x, &labels, options()).unwrap(), dense.fit_with(&x, &one_hot, options()).unwrap()]
    {
        assert!((history.loss()[0] - want[0]).abs() < 1e-12, "{history:?}");
        assert!((history.get("val_loss").unwrap()[0] - want[1]).abs() < 1e-12, "{history:?}");
    }
}

#[test]
fn early_stopping_judges_by_the_unweighted_rows() {
    // The split and the data given apart are one run, to the bit.
    let x = Array2::from_shape_fn((40, 3), |(i, j)| ((i * 7 + j * 13) % 11) as f64 / 5.0 - 1.0);
    let y: Array1<u8> = x.rows().into_iter().map(|row| u8::from(row[0] > row[1])).collect();
    let model = || {
        Sequential::new(3)
            .add(Dense::new(1).activation(Activation::Sigmoid))
            .seed(4)
            .compile(Sgd::new(2.0), BinaryCrossentropy::default())
            .unwrap()
    };
    let stop = || EarlyStopping::new("val_loss").patience(2);
    let options = || FitOptions::new().epochs(60).batch_size(5).class_weight([(0, 20.0)]).callback(stop());
    let (mut split, mut apart) = (model(), model());
    let one = split.fit_with(&x, &y, options().validation_split(0.25)).unwrap();
    let (x_val, y_val) = (x.slice(s![30.., ..]), y.slice(s![30..]));
    let data = options().validation_data(&x_val, &y_val);
    let other = apart.fit_with(&x.slice(s![..30, ..]), &y.slice(s![..30]), data).unwrap();
    assert_eq!((one, split.weights()), (other, apart.weights()));
}

#[test]
fn sample_weights_of_held_out_rows_are_theirs() {
    let (x, y) = (array![[1.0], [2.0], [3.0], [4.0]], array![0u8, 1, 0, 1]);
    let weights = array![1.0, 2.0, 0.5, 3.0];
    let options = FitOptions::new().validation_split(0.5).sample_weight(&weights);
    let history = still::<f64>().fit_with(&x, &y, options).unwrap();
    let held_out = EvaluateOptions::new().sample_weight(&weights.slice(s![2..]));
    let want = still::<f64>().evaluate_with(&x.slice(s![2.., ..]), &y.slice(s![2..]), held_out).unwrap();
    assert!((history.get("val_loss").unwrap()[0] - want.loss()).abs() < 1e-12);
}

#[test]
fn weights_by_which_no_row_counts_are_refused() {
    let (x, y) = (array![[1.0], [2.0], [3.0], [4.0]], array![0u8, 0, 1, 1]);
    let fit = |options: FitOptions<'_, f64>| still::<f64>().fit_with(&x, &y, options);
    let says = |result: Result<History>, words: &[&str]| {
        let message = result.unwrap_err().to_string();
        words.iter().for_each(|word| assert!(message.contains(word), "`{word}` is missing from: {message}"));
    };
    let weights = |w: [f64; 4]| FitOptions::new().sample_weight(&Array1::from_vec(w.to_vec()));
    says(fit(weights([0.0; 4])), &["sample_weight", "zero"]);
    says(fit(weights([0.0, 0.0, 1.0, 1.0]).validation_split(0.5)), &["sample_weight", "2 rows to train on"]);
    says(fit(weights([1.0, 1.0, 0.0, 0.0]).validation_split(0.5)), &["sample_weight", "of validation_split"]);
    assert!(fit(weights([1.0, 0.0, 0.0, 1.0]).validation_split(0.5)).is_ok());
    says(fit(FitOptions::new().class_weight([(0, 0.0), (1, 0.0)])), &["class_weight", "2 classes", "zero"]);
    // The only class among the rows to train on.
    says(
        fit(FitOptions::new().class_weight([(0, 0.0)]).validation_split(0.5)),
        &["class_weight", "to train on"],
    );
    let both = fit(weights([1.0; 4]).class_weight([(0, 1.0)]));
    says(both, &["class_weight", "sample_weight"]);
    let zeros = EvaluateOptions::new().sample_weight(&Array1::zeros(4));
    assert!(
        still::<f64>().evaluate_with(&x, &y, zeros).unwrap_err().to_string().contains("all weights are zero")
    );
    let batches = || [(x.clone(), y.clone())];
    let nothing = FitOptions::new().class_weight([(0, 0.0), (1, 0.0)]);
    says(still::<f64>().fit_batches(batches(), nothing), &["class_weight", "zero"]);
    // A batch of a class without weight is one of many.
    let one_class = [(array![[1.0]], array![0u8]), (array![[2.0]], array![1u8])];
    let options = FitOptions::new().class_weight([(0, 0.0)]);
    assert!(still::<f64>().fit_batches(one_class, options).is_ok());
}

/// The names in the logs, of each batch and of each epoch.
#[derive(Default)]
struct Names(Vec<Vec<String>>, Vec<Vec<String>>);

fn names<F: Float>(run: &Run<'_, F>) -> Vec<String> {
    run.logs().iter().map(|(name, _)| name.to_string()).collect()
}

impl<F: Float> Callback<F> for Names {
    fn on_batch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        self.0.push(names(run));
        Ok(())
    }

    fn on_epoch_end(&mut self, run: &mut Run<'_, F>) -> Result<()> {
        self.1.push(names(run));
        Ok(())
    }
}

#[test]
fn logs_at_a_batchs_end_hold_the_batches_scores_only() {
    let x = Array2::from_shape_fn((12, 1), |(i, _)| i as f64 / 6.0 - 1.0);
    let y: Array1<u8> = (0..12).map(|i| u8::from(i > 5)).collect();
    let model = || still::<f64>().metric(Accuracy::default());
    for freq in [1, 2] {
        let mut seen = Names::default();
        let options = FitOptions::new().epochs(4).batch_size(3).validation_split(0.5).validation_freq(freq);
        model().fit_with(&x, &y, options.callback(&mut seen)).unwrap();
        assert_eq!((seen.0.len(), seen.1.len()), (8, 4));
        assert!(seen.0.iter().all(|names| names == &["loss", "weighted", "accuracy"]), "{:?}", seen.0);
        for (epoch, names) in seen.1.iter().enumerate() {
            assert_eq!(names.contains(&"val_loss".to_string()), (epoch + 1) % freq == 0, "epoch {epoch}");
            assert!(names.contains(&"learning_rate".to_string()));
        }
    }
    let mut seen = Names::default();
    let batches = (0..6).map(|_| (x.clone(), y.clone()));
    let options = FitOptions::new().epochs(3).steps_per_epoch(2).validation_data(&x, &y).callback(&mut seen);
    model().fit_batches(batches, options).unwrap();
    assert!(seen.0.iter().all(|names| names.len() == 3) && seen.0.len() == 6, "{:?}", seen.0);
}
