//! From a CSV file to a saved classifier: which customers will leave?
//!
//! `cargo run --release --example churn --features csv [MODEL]` makes a file of customers with missing values, cross-validates a
//! pipeline with early stopping, prints a report on customers that it has not seen, and saves the pipeline. The example
//! `serve` answers requests with it.

use axonal::datasets::{CsvReader, Labels, Table};
use axonal::metrics::classification_report;
use axonal::prelude::*;
use axonal::rng::{Purpose, Rng};
use std::fmt::Write as _;
use std::path::PathBuf;

/// Columns by name, then a network whose input width follows from the categories.
pub type Churn = Classifier<Pipeline<ColumnTransformer<f32>, Model<f32>>>;

/// The name of the saved classifier.
pub const MODEL: &str = "churn.axonal";

/// A CSV file of `n` customers. Long contracts and high spending keep customers; some fields are empty.
pub fn customers(n: u64) -> String {
    let mut text = String::from("age,tenure,spend,plan,city,churned\n");
    for row in 0..n {
        let mut rng = Rng::new(7, Purpose::Split, row);
        let (age, tenure) = (18 + rng.below(60), rng.below(48));
        let spend = 10.0 + 90.0 * rng.uniform();
        let plan = ["basic", "plus", "pro"][rng.below(3)];
        // A comma and quotes, as in real files.
        let city = ["Bonn", "\"Lyon, FR\"", "Oslo", "\"Al \"\"Ain\"\"\""][rng.below(4)];
        let loyalty = tenure as f64 / 12.0 + spend / 40.0 + if plan == "basic" { -1.5 } else { 0.5 };
        let churned = if loyalty + 0.6 * rng.normal() < 2.0 { "yes" } else { "no" };
        let spend = if rng.uniform() < 0.1 { String::new() } else { format!("{spend:.2}") };
        let age = if rng.uniform() < 0.05 { "NA".into() } else { age.to_string() };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{age},{tenure},{spend},{plan},{city},{churned}");
    }
    text
}

/// The customers and whether they left.
pub(crate) fn read(text: &str) -> Result<(Table<f32>, Labels)> {
    CsvReader::new().read_from::<f32>("customers.csv", text.as_bytes())?.split_target("churned")
}

/// The classifier before `fit`.
pub(crate) fn classifier() -> Result<Churn> {
    let columns = ColumnTransformer::new()
        .columns(["age", "tenure", "spend"], (SimpleImputer::median(), StandardScaler::new()))
        .columns(["plan", "city"], OneHotEncoder::new().handle_unknown(HandleUnknown::Ignore));
    let stopping = EarlyStopping::new("val_loss").patience(8).restore_best_weights(true);
    let options = FitOptions::new().epochs(60).batch_size(32).validation_split(0.2).callback(stopping);
    let network = Sequential::deferred()
        .add(Dense::new(16).activation(Activation::Relu))
        .add(Dropout::new(0.1))
        .add(Dense::new(1).activation(Activation::Sigmoid))
        .seed(3)
        .compile(Adam::new(0.01), BinaryCrossentropy::default())?
        .metric(Accuracy::default())
        .with_fit_options(options);
    Ok(Classifier::new(Pipeline::new(columns, network)).class_weight(ClassWeight::Balanced))
}

#[allow(dead_code, reason = "a test uses the other functions")]
fn main() -> Result<()> {
    let path = std::env::args().nth(1).map_or_else(|| std::env::temp_dir().join(MODEL), PathBuf::from);
    let (x, y) = read(&customers(2000))?;
    println!("{x}\n");

    let validation = cross_validate(&classifier()?, &x, &y, StratifiedKFold::new(5).shuffle(1))?;
    println!("five folds, each with early stopping:\n{validation}\n");

    let (x, x_test, y, y_test) = train_test_split(&x, &y, 0.2, 7)?;
    let mut classifier = classifier()?;
    let history = classifier.fit(&x, &y)?;
    println!("trained for {} epochs on the columns", history.epochs());
    println!("{}\n", classifier.estimator().transformer().output_names()?.join(", "));
    let predicted = classifier.predict(&x_test)?;
    println!("{}", classification_report(y_test.codes(), &predicted, y_test.classes())?);

    classifier.save(&path)?;
    println!("\nsaved to {}; serve it with: cargo run --release --example serve {0}", path.display());
    Ok(())
}
