//! Pipelines and everything that fits repeatedly, with a small estimator whose answers can be worked out by hand.

use axonal::model_selection::RandomSearch;
use axonal::model_selection::{Fold, Samples, ShuffleSplit, Splitter, TimeSeriesSplit, learning_curve};
use axonal::ndarray::{Array1, Array2, ArrayBase, Data, Ix1, Ix2, array};
use axonal::prelude::*;
use axonal::preprocessing::PolynomialFeatures;
use std::collections::BTreeSet;

/// Answers with the class whose mean is nearest; counts how often it was fitted since it was made.
#[derive(Debug, Clone, Default, PartialEq)]
struct NearestMean {
    shrink: f64,
    means: Option<Array2<f64>>,
    n_fits: usize,
}

impl<S: Data<Elem = f64>, T: Data<Elem = usize>> Fit<ArrayBase<S, Ix2>, &ArrayBase<T, Ix1>> for NearestMean {
    type Report = usize;

    fn fit(&mut self, x: &ArrayBase<S, Ix2>, y: &ArrayBase<T, Ix1>) -> Result<usize> {
        let n_classes = y.iter().max().unwrap() + 1;
        let mut means = Array2::zeros((n_classes, x.ncols()));
        for class in 0..n_classes {
            let rows: Vec<usize> = (0..y.len()).filter(|&row| y[row] == class).collect();
            // What an earlier fit left behind shows in the result, so that a leak from fold to fold does.
            let weight = (rows.len() + self.n_fits) as f64 + self.shrink;
            rows.iter().for_each(|&row| means.row_mut(class).scaled_add(1.0 / weight.max(1.0), &x.row(row)));
        }
        self.means = Some(means);
        self.n_fits += 1;
        Ok(y.len())
    }
}

impl<S: Data<Elem = f64>> Predict<ArrayBase<S, Ix2>> for NearestMean {
    type Output = Array2<f64>;

    fn predict(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<f64>> {
        let not_fitted = Error::NotFitted { estimator: "NearestMean", method: "predict" };
        let means = self.means.as_ref().ok_or(not_fitted)?;
        Ok(Array2::from_shape_fn((x.nrows(), means.nrows()), |(row, class)| {
            -(&x.row(row) - &means.row(class)).mapv(|v| v * v).sum()
        }))
    }
}

impl<S: Data<Elem = f64>, T: Data<Elem = usize>> Score<ArrayBase<S, Ix2>, &ArrayBase<T, Ix1>>
    for NearestMean
{
    fn score(&self, x: &ArrayBase<S, Ix2>, y: &ArrayBase<T, Ix1>) -> Result<f64> {
        // Finer than accuracy: any change of the fit changes it.
        let nearness = self.predict(x)?;
        Ok(y.iter().enumerate().map(|(row, &class)| nearness[[row, class]]).sum())
    }
}

impl Estimator for NearestMean {
    fn unfitted(&self) -> Self {
        Self { means: None, n_fits: 0, ..self.clone() }
    }
}

fn data() -> (Array2<f64>, Array1<usize>) {
    let centers = array![[0.0, 0.0], [3.0, 100.0], [6.0, -100.0]];
    let blobs = axonal::datasets::make_blobs::<f64>(61, &centers, 1.0, 4).unwrap();
    (blobs.data, blobs.target)
}

fn says<T>(result: Result<T>) -> String {
    result.err().expect("bad input was accepted").to_string()
}

#[test]
fn a_pipeline_is_its_steps_in_a_row() {
    let (x, y) = data();
    let mut pipeline = Pipeline::new(StandardScaler::new(), NearestMean::default());
    assert_eq!(pipeline.fit(&x, &y).unwrap(), 61, "the report is the estimator's");

    let mut scaler = StandardScaler::new();
    let z = scaler.fit_transform(&x).unwrap();
    let mut estimator = NearestMean::default();
    estimator.fit(&z, &y).unwrap();
    assert_eq!(pipeline.predict(&x).unwrap(), estimator.predict(&z).unwrap());
    assert_eq!(pipeline.score(&x, &y).unwrap(), estimator.score(&z, &y).unwrap());
    assert_eq!(pipeline, Pipeline::new(scaler, estimator));
    assert_eq!(pipeline.unfitted(), Pipeline::new(StandardScaler::new(), NearestMean::default()));
}

#[test]
fn pipelines_nest_to_either_side_and_take_views() {
    let (x, y) = data();
    let inner = Pipeline::new(MinMaxScaler::new(), NearestMean::default());
    let mut right = Pipeline::new(StandardScaler::new(), inner);
    let mut left = Pipeline::new(StandardScaler::new(), MinMaxScaler::new()).then(NearestMean::default());
    right.fit(&x.view(), &y.view()).unwrap();
    left.fit(&x, &y).unwrap();
    assert_eq!(right.predict(&x).unwrap(), left.predict(&x.view()).unwrap());
    assert_eq!(right.transformer(), left.transformer().transformer());

    let imputed = Pipeline::new(SimpleImputer::new(), PolynomialFeatures::new(2)).then(StandardScaler::new());
    let mut with_holes = x.clone();
    with_holes[[3, 1]] = f64::NAN;
    let mut pipeline = imputed.then(NearestMean::default());
    pipeline.fit(&with_holes, &y).unwrap();
    assert_eq!(pipeline.predict(&with_holes).unwrap().dim(), (61, 3));
}

#[test]
fn an_error_of_a_step_is_the_pipelines() {
    let (x, _) = data();
    let pipeline = Pipeline::new(StandardScaler::new(), NearestMean::default());
    assert!(says(pipeline.predict(&x)).contains("StandardScaler is not fitted"));
    let mut pipeline = Pipeline::new(MinMaxScaler::new().feature_range(1.0, 1.0), StandardScaler::new());
    assert!(says(pipeline.fit(&x, ())).contains("feature_range is (1, 1)"));
}

#[test]
fn what_an_estimator_saw_before_changes_no_score() {
    let (x, y) = data();
    let fresh = Pipeline::new(StandardScaler::new(), NearestMean::default());
    let mut used = fresh.clone();
    used.fit(&x, &y).unwrap();
    let splitter = KFold::new(5).shuffle(3);
    let scores = cross_val_score(&fresh, &x, &y, &splitter).unwrap();
    assert_eq!(cross_val_score(&used, &x, &y, &splitter).unwrap(), scores);
    let by_hand: Vec<f64> = splitter
        .folds(61, ())
        .unwrap()
        .iter()
        .map(|fold| {
            let ((x_train, x_test), (y_train, y_test)) = (fold.split(&x).unwrap(), fold.split(&y).unwrap());
            let mut pipeline = Pipeline::new(StandardScaler::new(), NearestMean::default());
            pipeline.fit(&x_train, &y_train).unwrap();
            pipeline.score(&x_test, &y_test).unwrap()
        })
        .collect();
    assert_eq!(scores.to_vec(), by_hand);

    let validation = cross_validate(&used, &x, &y, &splitter).unwrap();
    assert_eq!(validation.test_scores(), scores.to_vec());
    assert!(validation.folds.iter().all(|fold| fold.estimator.estimator().n_fits == 1));
    assert!((validation.mean() - scores.iter().sum::<f64>() / 5.0).abs() < 1e-9);
    assert_eq!(validation.to_string().lines().count(), 7);
}

#[test]
fn a_classifier_is_scored_by_accuracy() {
    let (x, y) = data();
    let classifier = Classifier::new(Pipeline::new(StandardScaler::new(), NearestMean::default()));
    let scores = cross_val_score(&classifier, &x, &y, StratifiedKFold::new(4).shuffle(1)).unwrap();
    assert_eq!(scores.to_vec(), [1.0; 4]);
}

#[test]
fn a_search_finds_what_trying_by_hand_finds_and_fits_it_to_everything() {
    let (x, y) = data();
    let grid = [50.0, 0.0, 5.0];
    let build = |&shrink: &f64| Ok(NearestMean { shrink, ..NearestMean::default() });
    let splitter = KFold::new(3).shuffle(0);
    let report = GridSearch::new(grid, build, &splitter).fit(&x, &y).unwrap();
    for candidate in &report.candidates {
        let estimator = build(&candidate.params).unwrap();
        assert_eq!(candidate.scores, cross_val_score(&estimator, &x, &y, &splitter).unwrap().to_vec());
    }
    assert_eq!(report.candidates.iter().map(|candidate| candidate.rank).collect::<Vec<_>>(), [3, 1, 2]);
    let mut best = build(&0.0).unwrap();
    best.fit(&x, &y).unwrap();
    assert_eq!((report.best_params, report.best_estimator), (0.0, best));

    let draw = |rng: &mut axonal::rng::Rng| 10.0 * rng.uniform();
    let search =
        |seed| RandomSearch::new(4, draw, build, &splitter).seed(seed).fit(&x, &y).unwrap().candidates;
    assert_eq!(search(1), search(1));
    assert_ne!(search(1)[0].params, search(2)[0].params);
}

#[cfg(feature = "rayon")]
#[test]
fn a_search_gives_the_same_bits_at_any_number_of_threads() {
    let (x, y) = data();
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let build = |&shrink: &f64| Ok(NearestMean { shrink, ..NearestMean::default() });
        pool.install(|| {
            GridSearch::new([0.0, 1.0, 2.0], build, KFold::new(4)).fit(&x, &y).unwrap().candidates
        })
    };
    assert_eq!(run(1), run(4));
}

#[test]
fn failing_searches_say_why() {
    let (x, y) = data();
    let build = |_: &f64| Ok(NearestMean::default());
    assert!(says(GridSearch::new([], build, KFold::new(3)).fit(&x, &y)).contains("candidates is empty"));
    assert!(says(GridSearch::new([1.0], build, KFold::new(1)).fit(&x, &y)).contains("n_splits is 1"));
    assert!(
        says(GridSearch::new([1.0], build, Vec::<Fold>::new()).fit(&x, &y))
            .contains("splitter: folds is 0, expected at least 1")
    );
    let refuse = |_: &f64| -> Result<NearestMean> { Err(Error::invalid_parameter("grid", "shrink", 1, "0")) };
    assert!(says(GridSearch::new([1.0], refuse, KFold::new(3)).fit(&x, &y)).contains("grid: shrink"));
    assert!(
        says(cross_val_score(&NearestMean::default(), &x, &array![0], KFold::new(3)))
            .contains("y: expected 61")
    );
}

#[test]
fn a_learning_curve_learns_from_the_first_samples_of_each_fold() {
    let (x, y) = data();
    let splitter = ShuffleSplit::new(2).test_size(0.3).seed(5);
    let curve = learning_curve(&NearestMean::default(), &x, &y, &[1.0, 0.5], &splitter).unwrap();
    assert_eq!(curve.train_counts, [21, 42]);
    for (column, fold) in splitter.folds(61, ()).unwrap().into_iter().enumerate() {
        let mut estimator = NearestMean::default();
        estimator.fit(&x.take(&fold.train[..21]), &y.take(&fold.train[..21])).unwrap();
        let score = estimator.score(&x.take(&fold.test), &y.take(&fold.test)).unwrap();
        assert_eq!(curve.test_scores[[0, column]], score);
    }
    for bad in [0.0, 1.5, f64::NAN, 0.001] {
        assert!(says(learning_curve(&NearestMean::default(), &x, &y, &[bad], &splitter)).contains("shares"));
    }
}

#[test]
fn splitters_test_every_row_once_and_never_learn_from_it() {
    let labels: Vec<usize> = (0..50).map(|row| row % 7).collect();
    let splitters: [Box<dyn Splitter<&Vec<usize>>>; 3] = [
        Box::new(KFold::new(6)),
        Box::new(KFold::new(6).shuffle(2)),
        Box::new(StratifiedKFold::new(6).shuffle(2)),
    ];
    for splitter in splitters {
        let mut tested = Vec::new();
        for fold in splitter.folds(50, &labels).unwrap() {
            assert!([8, 9].contains(&fold.test.len()), "{splitter:?}");
            assert_eq!(fold.train.iter().chain(&fold.test).collect::<BTreeSet<_>>().len(), 50);
            assert_eq!(fold.train.len() + fold.test.len(), 50);
            tested.extend(fold.test);
        }
        tested.sort_unstable();
        assert!(tested.into_iter().eq(0..50), "{splitter:?}");
    }
    let shuffled = |seed| KFold::new(6).shuffle(seed).folds(50, ()).unwrap();
    assert_eq!(shuffled(2), shuffled(2));
    assert_ne!(shuffled(2), shuffled(3));
}

#[test]
fn splitters_refuse_what_they_cannot_cut() {
    assert!(says(KFold::new(1).folds(5, ())).contains("KFold: n_splits is 1, expected at least 2"));
    assert_eq!(says(KFold::new(6).folds(5, ())), "KFold: n_samples=5 should be >= n_splits=6");
    assert!(
        says(StratifiedKFold::new(3).folds(4, &[0, 0, 1, 1]))
            .contains("at most 2, the size of the largest class")
    );
    assert!(says(StratifiedKFold::new(2).folds(4, &[0, 1])).contains("labels: expected 4"));
    assert!(says(TimeSeriesSplit::new(5).folds(5, ())).contains("n_splits + 1=6"));
    assert!(
        says(TimeSeriesSplit::new(2).gap(8).folds(9, ()))
            .contains("gap 8, expected fewer than the 9 samples")
    );
    assert!(
        says(TimeSeriesSplit::new(2).test_count(usize::MAX).folds(9, ()))
            .contains("fewer than the 9 samples")
    );
    assert!(says(TimeSeriesSplit::new(2).max_train_count(0).folds(9, ())).contains("max_train_count is 0"));
    assert!(says(ShuffleSplit::new(0).folds(9, ())).contains("n_splits is 0"));
    assert!(
        says(ShuffleSplit::new(1).test_size(0.6).train_size(0.6).folds(10, ()))
            .contains("is 6 + 6, expected at most")
    );
    assert!(says(vec![Fold::new([0], [9])].folds(9, ())).contains("samples: expected 10"));
    assert!(says(vec![Fold::new([0], [])].folds(9, ())).contains("at least 1 row in both parts"));
    let split = axonal::model_selection::Split::new;
    assert!(
        says(split().test_count(9).split(9))
            .contains("with 0 for training, expected at least 1 sample in both parts")
    );
    assert!(says(split().test_count(usize::MAX).train_count(2).split(9)).contains("at most the 9 samples"));
    assert!(says(split().stratify([0, 0, 1]).split(3)).contains("at least 2 samples of every class"));
    assert!(
        says(split().stratify([0, 0, 1, 1]).test_count(1).split(4))
            .contains("at least 1 for each of the 2 classes")
    );
    assert!(says(split().stratify([0, 0, 1, 1]).shuffle(false).split(4)).contains("shuffle is false"));
}

#[test]
fn without_shuffling_the_last_rows_are_for_testing() {
    let fold =
        axonal::model_selection::Split::new().test_count(2).train_count(3).shuffle(false).split(8).unwrap();
    assert_eq!(fold, Fold::new([0, 1, 2], [3, 4]));
}
