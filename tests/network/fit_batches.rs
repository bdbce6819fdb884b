//! Training on the batches of an iterator.

use axonal::callbacks::LambdaCallback;
use axonal::ndarray::{Array1, Array2, s};
use axonal::prelude::*;

fn data() -> (Array2<f32>, Array1<usize>) {
    let x = Array2::from_shape_fn((53, 4), |(i, j)| (((i * 31 + j * 17) % 97) as f32 / 48.5 - 1.0).sin());
    let y = x.rows().into_iter().map(|row| usize::from(row[0] > row[1])).collect();
    (x, y)
}

fn model() -> Model<f32> {
    Sequential::new(4)
        .add(Dense::new(6).activation(Activation::Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(2).activation(Activation::Softmax))
        .seed(2)
        .compile(Adam::new(0.02), SparseCategoricalCrossentropy::default())
        .unwrap()
        .metric(Accuracy::default())
}

type Pair = (Array2<f32>, Array1<usize>);

/// The rows of the data in batches of ten, again and again.
fn batches() -> impl Iterator<Item = Pair> {
    let (x, y) = data();
    (0..).map(move |batch: usize| {
        let start = batch % 6 * 10;
        let end = (start + 10).min(53);
        (x.slice(s![start..end, ..]).to_owned(), y.slice(s![start..end]).to_owned())
    })
}

#[test]
fn batches_of_an_iterator_train_as_the_same_rows_of_an_array_do() {
    let (x, y) = data();
    let (mut array, mut iterator) = (model(), model());
    let weights = || [(0, 1.0), (1, 2.0)];
    let options = FitOptions::new().epochs(4).batch_size(10).shuffle(false).class_weight(weights());
    let one = array.fit_with(&x, &y, options.validation_data(&x, &y)).unwrap();
    let options = FitOptions::new().epochs(4).steps_per_epoch(6).class_weight(weights());
    let other = iterator.fit_batches(batches(), options.validation_data(&x, &y)).unwrap();
    assert_eq!(array.to_bytes().unwrap(), iterator.to_bytes().unwrap());
    assert_eq!(one, other);
}

#[test]
fn one_pass_is_one_epoch_where_nothing_else_is_said() {
    let (mut whole, mut counted) = (model(), model());
    let history = whole.fit_batches(batches().take(6), FitOptions::new()).unwrap();
    counted.fit_batches(batches(), FitOptions::new().steps_per_epoch(6)).unwrap();
    assert_eq!((history.epochs(), history.stopped()), (1, None));
    assert_eq!(whole.weights(), counted.weights());
}

#[test]
fn batches_may_grow_and_shrink_and_come_as_views_and_vectors() {
    let (x, y) = data();
    let sizes = [3, 1, 20, 7, 53];
    let batches = sizes.iter().map(|&n| (x.slice(s![..n, ..]), y.slice(s![..n]).to_vec()));
    let mut seen = Vec::new();
    let mut model = model();
    let losses = LambdaCallback::new().on_batch_end(|run| {
        seen.extend(run.logs().get("loss"));
        Ok(())
    });
    let history = model.fit_batches(batches, FitOptions::new().callback(losses)).unwrap();
    assert_eq!(seen.len(), 5);
    assert_eq!(history.loss(), [seen[4]], "the sums continue when the buffers grow");
}

#[test]
fn an_iterator_that_ends_early_ends_the_run() {
    let mut trained = model();
    let options = || FitOptions::<f32>::new().epochs(5).steps_per_epoch(6);
    let history = trained.fit_batches(batches().take(15), options()).unwrap();
    assert_eq!((history.epochs(), history.stopped()), (3, Some("the batches ran out")));
    let history = trained.fit_batches(batches().take(12), options()).unwrap();
    assert_eq!((history.epochs(), history.stopped()), (2, Some("the batches ran out")));
    let history = trained.fit_batches(batches().take(30), options()).unwrap();
    assert_eq!((history.epochs(), history.stopped()), (5, None));
}

#[test]
fn what_does_not_fit_is_named_and_the_model_keeps_the_last_whole_batch() {
    let mut model = model();
    let mut says = |batches: Vec<Result<Pair>>, options| {
        let error = model.fit_batches(batches, options).unwrap_err();
        assert!(model.predict(&data().0).unwrap().iter().all(|v| v.is_finite()));
        error.to_string()
    };
    let good = || batches().next().unwrap();
    let options = FitOptions::<f32>::new;
    assert_eq!(says(vec![], options()), "batches is empty: its shape is (), and at least 1 batch is needed");
    let narrow = (Array2::zeros((2, 3)), Array1::zeros(2));
    let message = says(vec![Ok(good()), Ok(narrow)], options());
    assert_eq!(message, "batch 2, x: expected samples of shape (4), got (3)");
    let mut nan = good();
    nan.0[[4, 2]] = f32::NAN;
    assert!(says(vec![Ok(good()), Ok(nan)], options()).starts_with("batch 2, x contains NaN at [4, 2]"));
    let short = (good().0, Array1::zeros(3));
    assert!(says(vec![Ok(short)], options()).starts_with("batch 1, y: expected 10"));
    let lost = Error::Io { path: "part-2.npy".into(), source: std::io::ErrorKind::NotFound.into() };
    assert!(says(vec![Ok(good()), Err(lost)], options()).starts_with("part-2.npy: "));
    assert!(
        says(vec![Ok(good())], options().epochs(2)).contains("epochs is 2, expected 1, or steps_per_epoch")
    );
    assert!(says(vec![Ok(good())], options().steps_per_epoch(0)).contains("steps_per_epoch is 0"));
    let split = options().validation_split(0.1);
    assert!(says(vec![Ok(good())], split).contains("use validation_data"));
    let weights = options().sample_weight(&Array1::ones(10));
    assert!(says(vec![Ok(good())], weights).contains("sample_weight does not belong here"));
    let (x, y) = data();
    let message = model.fit_with(&x, &y, options().steps_per_epoch(2)).unwrap_err().to_string();
    assert!(message.contains("use fit_batches"), "{message}");
}
