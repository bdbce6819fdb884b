//! Pictures: what is in them, and what is refused.

use axonal::metrics::ConfusionMatrix;
use axonal::ndarray::{Array1, Array2, array};
use axonal::plot::{ClusterPlot, ImageGrid};
use axonal::prelude::*;
use std::fs;
use std::path::Path;

/// The text of the picture that `draw` writes.
fn drawn(name: &str, draw: impl FnOnce(&Path) -> Result<()>) -> Result<String> {
    let path = std::env::temp_dir().join(format!("axonal-plot-{name}-{}.svg", std::process::id()));
    draw(&path)?;
    let text = fs::read_to_string(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(text.starts_with("<svg") && text.trim_end().ends_with("</svg>"));
    assert!(!text.contains("NaN") && !text.contains("inf"), "{name}");
    Ok(text)
}

fn history(rate: f64, epochs: usize) -> History {
    let x = Array2::<f64>::from_shape_fn((40, 3), |(i, j)| ((i * 7 + j * 5) % 13) as f64 / 13.0);
    let y: Array1<usize> = x.column(0).iter().map(|&v| usize::from(v > 0.5)).collect();
    let network = Sequential::new(3).add(Dense::new(2).activation(Activation::Softmax));
    let mut model = network
        .compile(Sgd::new(rate), SparseCategoricalCrossentropy::default())
        .unwrap()
        .metric(Accuracy::default());
    let options = FitOptions::new().epochs(epochs).validation_split(0.25);
    model.fit_with(&x, &y, options.callback(LearningRateScheduler::new(|_, rate| rate * 0.9))).unwrap()
}

#[test]
fn a_history_has_a_panel_for_the_loss_each_metric_and_a_rate_that_changes() {
    let text = drawn("history", |path| history(0.5, 20).plot(path)).unwrap();
    for word in ["loss", "accuracy", "learning rate", "epoch", "training", "validation", "best"] {
        assert!(text.contains(word), "{word}");
    }
    assert_eq!(text.matches("<polyline").count(), 5, "two curves each, and the learning rate");
}

#[test]
fn histories_of_one_epoch_and_of_none_are_drawn() {
    let text = drawn("one", |path| history(0.5, 1).plot(path)).unwrap();
    assert!(text.matches("<circle").count() >= 4, "single values are dots");
    drawn("none", |path| history(0.5, 0).plot(path)).unwrap();
    let error = history(0.5, 1).plot("/absent/folder/curve.svg").unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}

#[test]
fn clusters_have_a_dot_a_point_and_marks_for_centers_and_new_points() {
    let points = array![[0.0, 0.0], [0.1, 0.2], [5.0, 5.0], [5.1, 5.2]];
    let labels = array![0, 0, 1, 1];
    let plot = || ClusterPlot::new(&points, &labels);
    let text = drawn("clusters", |path| {
        plot()
            .centers(&array![[0.05, 0.1], [5.05, 5.1]])
            .new_points(&array![[4.0, 4.0]], &array![1])
            .title("a < b & c")
            .axes("height / m", "width / m")
            .save(path)
    })
    .unwrap();
    assert!(
        text.contains("a &lt; b &amp; c") && text.contains("height / m") && text.contains("cluster 1 (2)")
    );
    assert_eq!(text.matches("<circle").count(), 4 + 2, "the points, and the legend's dots");
    let wide = Array2::from_shape_fn((30, 7), |(i, j)| ((i * 3 + j * 5) % 11) as f32);
    let text = drawn("wide", |path| ClusterPlot::new(&wide, &Array1::zeros(30)).save(path)).unwrap();
    assert!(text.contains("principal component 1"));
    let same = Array2::<f64>::from_elem((3, 4), 1e300);
    drawn("same", |path| ClusterPlot::new(&same, &Array1::zeros(3)).save(path)).unwrap();

    let says = |plot: ClusterPlot| drawn("refused", |path| plot.save(path)).unwrap_err().to_string();
    assert!(says(ClusterPlot::new(&points, &array![0])).contains("labels: expected 4"));
    assert!(says(ClusterPlot::new(&array![[1.0], [2.0]], &array![0, 1])).contains("at least 2 features"));
    assert!(says(plot().centers(&array![[1.0, 2.0, 3.0]])).contains("centers: expected 2 features"));
    assert!(
        says(plot().new_points(&array![[f64::NAN, 0.0]], &array![0])).contains("new points contains NaN")
    );
}

#[test]
fn images_show_where_a_prediction_is_wrong() {
    let images = Array2::from_shape_fn((5, 64), |(i, j)| ((i + 1) * j % 17) as f32);
    let grid = || ImageGrid::new(&images).columns(3);
    let text = drawn("images", |path| {
        grid().labels(&array![1, 2, 3, 4, 5]).predictions(&array![1, 2, 3, 4, 0]).save(path)
    })
    .unwrap();
    assert!(text.contains("0, not 5"));
    assert_eq!(text.matches(", not ").count(), 1);
    drawn("white", |path| ImageGrid::new(&Array2::<f32>::zeros((1, 784))).save(path)).unwrap();
    let says = |grid: ImageGrid| drawn("refused", |path| grid.save(path)).unwrap_err().to_string();
    assert!(
        says(ImageGrid::new(&Array2::<f32>::zeros((1, 63)))).contains("a square number of pixels, got 63")
    );
    assert!(says(grid().labels(&array![1])).contains("labels: expected 5"));
    assert!(says(grid().columns(0)).contains("columns is 0"));
}

#[test]
fn a_confusion_matrix_has_its_counts_in_its_cells() {
    let matrix = ConfusionMatrix::new(&array![0, 0, 0, 1, 7], &array![0, 0, 1, 1, 7]).unwrap();
    let text = drawn("confusion", |path| matrix.plot(path)).unwrap();
    for word in ["predicted", "true", "accuracy 80.0 %", "7"] {
        assert!(text.contains(word), "{word}");
    }
}

#[test]
fn an_elbow_shows_every_number_of_clusters_and_where_the_knee_is() {
    use axonal::cluster::{elbow, elbow_by};
    let blobs =
        axonal::datasets::make_blobs::<f64>(90, &array![[0.0, 0.0], [8.0, 8.0], [0.0, 8.0]], 0.7, 1).unwrap();
    let found = elbow(&KMeans::new(1).n_init(4), &blobs.data, 1..=6).unwrap();
    let text = drawn("elbow", |path| found.plot(path)).unwrap();
    assert_eq!(text.matches("<circle").count(), 6);
    for words in ["number of clusters", "inertia", "k = 3"] {
        assert!(text.contains(words), "{words}");
    }
    // A curve without a knee, of values that are all the same.
    let flat = elbow(&KMeans::new(1), &Array2::<f64>::ones((9, 2)), 1..=4).unwrap();
    assert_eq!(flat.knee, None);
    assert!(!drawn("flat", |path| flat.plot(path)).unwrap().contains("k ="));
    let score = elbow_by(&KMeans::new(1).n_init(4), &blobs.data, 2..=5, |_| Ok(1.0)).unwrap();
    assert!(drawn("score", |path| score.plot(path)).unwrap().contains("score"));
    assert!(
        found.plot("/absent/folder/elbow.svg").unwrap_err().to_string().contains("/absent/folder/elbow.svg")
    );
}
