//! What is set can be written down as data and comes back the same; what could not be set is refused where it is used.

use super::models;
use axonal::callbacks::JsonLogger;
use axonal::cluster::{BisectingKMeans, MiniBatchKMeans};
use axonal::metrics::Direction;
use axonal::model_selection::{
    GroupKFold, KFold, RepeatedKFold, RepeatedStratifiedKFold, ShuffleSplit, Split, StratifiedKFold,
    StratifiedShuffleSplit, TimeSeriesSplit, cross_val_score,
};
use axonal::models::OnDivergence;
use axonal::ndarray::array;
use axonal::persistence::{BackupAndRestore, Limits, ModelCheckpoint};
use axonal::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// The value comes back as it was, to its last field; an unknown field is refused.
fn comes_back<T: Serialize + DeserializeOwned + Debug>(value: &T) -> T {
    let text = serde_json::to_string(value).unwrap();
    let again: T = serde_json::from_str(&text).unwrap();
    assert_eq!(format!("{again:?}"), format!("{value:?}"), "{text}");
    assert_eq!(serde_json::to_string(&again).unwrap(), text);
    if let Some(rest) = text.strip_prefix('{').filter(|rest| rest.starts_with('"')) {
        let more = format!("{{\"no such field\":1,{rest}");
        assert!(serde_json::from_str::<T>(&more).is_err(), "{more}");
    }
    again
}

#[test]
fn every_configuration_comes_back() {
    let stopping =
        EarlyStopping::<f32>::new("val_loss").patience(3).min_delta(0.01).restore_best_weights(true);
    comes_back(&stopping.direction(Direction::Down).baseline(0.5).start_from_epoch(2));
    comes_back(&ReduceLrOnPlateau::new("val_loss").factor(0.5).patience(4).cooldown(2));
    comes_back(&ModelCheckpoint::new("epoch-{epoch:02}.axonal").save_best_only(true).monitor("val_loss"));
    comes_back(&BackupAndRestore::new("backup").every_batches(10));
    comes_back(&CsvLogger::new("log.csv").append(true).separator(';'));
    comes_back(&JsonLogger::new("log.jsonl").append(true));
    let mut limits = Limits::default();
    limits.max_layers = 7;
    comes_back(&limits);
    let options = FitOptions::<f32>::new().epochs(7).batch_size(3).class_weight([(1, 2.5)]).shuffle(false);
    comes_back(&options.on_divergence(OnDivergence::RestoreAndReduce { factor: 0.5, times: 2 }));
    comes_back(&PredictOptions::new().batch_size(3));
    comes_back(&EvaluateOptions::<f64>::new().batch_size(3).sample_weight(&array![0.1, 0.7]));
    comes_back(&KFold::new(5).shuffle(3));
    comes_back(&ShuffleSplit::new(5).test_size(0.3).seed(4));
    comes_back(&StratifiedKFold::new(5).shuffle(3));
    comes_back(&GroupKFold::new(5, ["b", "a", "b"]).shuffle(3));
    comes_back(&RepeatedKFold::new(5, 2).seed(3));
    comes_back(&RepeatedStratifiedKFold::new(5, 2).seed(3));
    comes_back(&StratifiedShuffleSplit::new(5).train_size(0.3).seed(4));
    comes_back(&TimeSeriesSplit::new(5).gap(2));
    comes_back(&Split::new().test_count(3).stratify([1, 0, 1]).seed(9));
    for init in [
        KMeansInit::PlusPlus,
        KMeansInit::Random,
        KMeansInit::Centers(array![[0.1_f32, 1.0, 2.0], [2.0, 3.0, 4.0], [5.0, 6.0, 7.0]]),
    ] {
        comes_back(&init);
        comes_back(&KMeans::new(3).init(init.clone()).max_iter(7).spherical(true).seed(u64::MAX));
        comes_back(&MiniBatchKMeans::new(3).init(init.clone()).batch_size(16));
        comes_back(&BisectingKMeans::new(3).init(init).tol(0.25));
    }
}

#[test]
fn a_clustering_as_data_is_what_was_set_without_what_was_learned() {
    let fitted = models::kmeans();
    let again: KMeans<f32> = serde_json::from_str(&serde_json::to_string(&fitted).unwrap()).unwrap();
    assert!(matches!(again.cluster_centers(), Err(Error::NotFitted { .. })));
    let x = models::samples().0;
    let mut again = again;
    again.fit(&x).unwrap();
    assert_eq!(again.predict(&x).unwrap(), fitted.predict(&x).unwrap());
}

#[test]
fn what_has_no_form_as_data_is_refused() {
    let function = KMeansInit::<f32>::function(|x, _, _| Ok(x.to_owned()));
    assert!(serde_json::to_string(&function).is_err());
    assert!(serde_json::to_string(&KMeans::new(2).init(function)).is_err());
    let options = FitOptions::<f32>::new().callback(EarlyStopping::new("loss"));
    let said = serde_json::to_string(&options).unwrap_err().to_string();
    assert_eq!(said, "callback belongs to one run and cannot be serialized");
    assert!(serde_json::to_string(&FitOptions::<f32>::new().steps_per_epoch(3)).is_err());
}

/// As the builders do, it takes any value; what uses it complains.
#[test]
fn data_that_could_not_be_set_is_refused_where_it_is_used() {
    let (x, y) = models::samples();
    let mut model = models::classifier();
    let read = |text: &str| serde_json::from_str::<FitOptions<'_, f32>>(text).unwrap();
    assert!(
        model.fit_with(&x, &y, read(r#"{"batch_size":0}"#)).unwrap_err().to_string().contains("batch_size")
    );
    let stopping: EarlyStopping<f32> = serde_json::from_str(
        &serde_json::to_string(&EarlyStopping::<f32>::new("loss")).unwrap().replace("loss", "lost"),
    )
    .unwrap();
    assert!(model.fit_with(&x, &y, FitOptions::new().callback(stopping)).is_err());
    let options: PredictOptions = serde_json::from_str(r#"{"batch_size":0}"#).unwrap();
    assert!(model.predict_with(&x, options).is_err());
    let text = serde_json::to_string(&KMeans::<f32>::new(3)).unwrap();
    let mut kmeans: KMeans<f32> =
        serde_json::from_str(&text.replace("\"n_clusters\":3", "\"n_clusters\":0")).unwrap();
    assert!(kmeans.fit(&x).unwrap_err().to_string().contains("n_clusters"));
    let folds: KFold = serde_json::from_str(r#"{"n_splits":1,"seed":null}"#).unwrap();
    assert!(cross_val_score(&KMeans::<f32>::new(2), &x, (), &folds).is_err());
    // Groups are numbered anew, so that no number is far from the others.
    let groups = format!(r#"{{"n_splits":2,"groups":[{},7,7],"seed":null}}"#, usize::MAX);
    let folds: GroupKFold = serde_json::from_str(&groups).unwrap();
    assert_eq!(format!("{folds:?}"), format!("{:?}", GroupKFold::new(2, [1, 0, 0])));
}
