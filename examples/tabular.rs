//! A table on disk becomes an evaluated model: read, scale, cross-validate, search, report.
//!
//! `cargo run --release --features csv --example tabular [file.csv target-column]`; without arguments, the breast
//! tumours that the library embeds.

use axonal::datasets::CsvReader;
use axonal::metrics::{classification_report, confusion_matrix, roc_auc_score};
use axonal::prelude::*;
use std::time::Instant;

/// Two small dense layers behind a scaler, scored by accuracy.
fn classifier(
    n_features: usize,
    n_classes: usize,
    l2: f64,
) -> Result<Classifier<Pipeline<StandardScaler, Model<f32>>>> {
    let network = Sequential::new(n_features)
        .add(Dense::new(16).activation(Activation::Relu).kernel_regularizer(Regularizer::l2(l2)))
        .add(Dense::new(n_classes).activation(Activation::Softmax))
        .seed(1)
        .compile(Adam::new(0.005), SparseCategoricalCrossentropy::default())?
        .with_fit_options(FitOptions::new().epochs(20).batch_size(32));
    Ok(Classifier::new(Pipeline::new(StandardScaler::new(), network)))
}

fn main() -> Result<()> {
    let start = Instant::now();
    let mut arguments = std::env::args().skip(1);
    let (path, target) = match (arguments.next(), arguments.next()) {
        (Some(path), Some(target)) => (path, target),
        _ => (
            concat!(env!("CARGO_MANIFEST_DIR"), "/src/datasets/files/breast_cancer.csv").into(),
            "target".into(),
        ),
    };
    let data = CsvReader::new().read::<f32>(path)?.classes(&target)?;
    println!("{data}\n");
    let n_classes = data.target_names.len();
    let (x, x_test, y, y_test) = train_test_split(&data.data, &data.target, 0.2, 7)?;

    let folds = StratifiedKFold::new(5).shuffle(1);
    let validation =
        cross_validate(&classifier(data.n_features(), n_classes, 0.01)?, &data.data, &data.target, folds)?;
    println!("five folds of everything:\n{validation}\n");

    let build = |&l2: &f64| classifier(x.ncols(), n_classes, l2);
    let folds = StratifiedKFold::new(5).shuffle(2);
    let search = GridSearch::new([0.0, 0.001, 0.01, 0.1], build, folds).fit(&x, &y)?;
    println!("how much weight decay, on the training part:\n{search}\n");

    let best = &search.best_estimator;
    let predicted = best.predict(&x_test)?;
    println!("the test part:\n{}", classification_report(&y_test, &predicted, &data.target_names)?);
    println!("\nrows true, columns predicted:\n{}", confusion_matrix(&y_test, &predicted)?);
    if n_classes == 2 {
        let probabilities = best.estimator().predict(&x_test)?;
        println!("\narea under the ROC curve: {:.4}", roc_auc_score(&y_test, &probabilities.column(1))?);
    }
    println!("mean accuracy {:.4}, {:.2} s in all", validation.mean(), start.elapsed().as_secs_f64());
    Ok(())
}
