//! Handwritten digits: 1,797 real images of 8 × 8 pixels, ten classes. Model, fit, evaluate, predict.
//!
//! `cargo run --release --example digits`, or with a progress bar and pictures:
//! `cargo run --release --example digits --features progress,plot`

use axonal::ndarray::{ArrayView1, Axis};
use axonal::prelude::*;

fn main() -> Result<()> {
    let digits = axonal::datasets::load_digits::<f32>()?;
    // Pixels run from 0 to 16; networks learn best from numbers around 1.
    let images = &digits.data / 16.0;
    let (x_train, x_test, y_train, y_test) = train_test_split(&images, &digits.target, 0.2, 7)?;

    let mut model = Sequential::new(64)
        .add(Dense::new(128).activation(Activation::Relu))
        .add(Dropout::new(0.2))
        .add(Dense::new(64).activation(Activation::Relu))
        .add(Dense::new(10).activation(Activation::Softmax))
        .seed(42)
        .compile(Adam::default(), SparseCategoricalCrossentropy::default())?
        .metric(Accuracy::default());
    println!("{}", model.summary());

    let options = FitOptions::new().epochs(40).batch_size(32).validation_split(0.1);
    #[cfg(feature = "progress")]
    let options = options.callback(ProgressBar::new());
    #[cfg(not(feature = "progress"))]
    let options = options.verbose(Verbose::Epochs);
    let history = model.fit_with(&x_train, &y_train, options)?;

    let scores = model.evaluate(&x_test, &y_test)?;
    println!(
        "\ntest accuracy {:.4}, test loss {:.4}\n",
        scores.get("accuracy").unwrap_or(f64::NAN),
        scores.loss()
    );

    let five = x_test.select(Axis(0), &[0, 1, 2, 3, 4]);
    let probabilities = model.predict_with(&five, PredictOptions::new().batch_size(128))?;
    let classes = model.predict_classes(&five)?;
    for (index, image) in five.rows().into_iter().enumerate() {
        draw(&image);
        let class = classes[index];
        let probability = 100.0 * probabilities[[index, class]];
        println!("→ {class} with a probability of {probability:.1} % (it is a {})\n", y_test[index]);
    }
    println!("{} epochs of training", history.epochs());
    #[cfg(feature = "plot")]
    pictures(&history, &model, &x_test, &y_test)?;
    Ok(())
}

/// Pictures of the run, of what the model sees, and of what k-means makes of the images without their labels.
#[cfg(feature = "plot")]
fn pictures(
    history: &History,
    model: &Model<f32>,
    x: &axonal::ndarray::Array2<f32>,
    y: &axonal::ndarray::Array1<usize>,
) -> Result<()> {
    use axonal::metrics::ConfusionMatrix;
    use axonal::ndarray::s;
    use axonal::plot::{ClusterPlot, ImageGrid};

    history.plot("target/digits-history.svg")?;
    let classes = model.predict_classes(x)?;
    ConfusionMatrix::new(y, &classes)?.plot("target/digits-confusion.svg")?;
    let first = ..40;
    ImageGrid::new(&x.slice(s![first, ..]))
        .labels(&y.slice(s![first]))
        .predictions(&classes.slice(s![first]))
        .title("digits and what the network takes them for")
        .save("target/digits-images.svg")?;

    let (seen, new) = (x.slice(s![5.., ..]), x.slice(s![..5, ..]));
    let mut kmeans = KMeans::new(10).seed(42);
    kmeans.fit(&seen)?;
    ClusterPlot::new(&seen, &kmeans.predict(&seen)?)
        .centers(kmeans.cluster_centers()?)
        .new_points(&new, &kmeans.predict(&new)?)
        .title("digits by k-means, without their labels")
        .save("target/digits-clusters.svg")?;
    println!("pictures: target/digits-{{history,confusion,images,clusters}}.svg");
    Ok(())
}

/// Draws an image of 8 × 8 pixels as text, two characters a pixel.
fn draw(image: &ArrayView1<'_, f32>) {
    const SHADES: [&str; 5] = ["  ", "░░", "▒▒", "▓▓", "██"];
    for row in 0..8 {
        let line: String =
            (0..8).map(|column| SHADES[(image[row * 8 + column] * 4.0).round() as usize]).collect();
        println!("{line}");
    }
}
