//! Pictures: what is in them, and what is refused.

use crate::temporary::temporary_path;
use axonal::callbacks::LearningRateScheduler;
use axonal::metrics::ConfusionMatrix;
use axonal::ndarray::{Array1, Array2, Array3, Array4, array};
use axonal::plot::{ClusterPlot, ImageGrid};
use axonal::prelude::*;
use std::fs;
use std::path::Path;

/// The text of the picture that `draw` writes.
fn drawn(name: &str, draw: impl FnOnce(&Path) -> Result<()>) -> Result<String> {
    let path = temporary_path(&format!("plot-{name}.svg"));
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

/// The points of each line of a picture.
fn polylines(text: &str) -> Vec<Vec<String>> {
    let points = text.split("<polyline").skip(1).map(|line| line.split("points=\"").nth(1).unwrap());
    points.map(|points| points.split('"').next().unwrap().split(' ').map(String::from).collect()).collect()
}

#[test]
fn validation_is_drawn_at_the_epochs_that_had_one() {
    let x = Array2::<f32>::from_shape_fn((12, 2), |(i, j)| ((i * 7 + j * 5) % 13) as f32 / 13.0);
    let y = x.column(0).to_owned();
    for (initial, epochs, freq, validated) in [
        (0, 10, 4, vec![3, 7]),
        (0, 10, 3, vec![2, 5, 8]),
        (2, 9, 5, vec![4]),
        (0, 7, 7, vec![6]),
        (0, 4, 1, vec![0, 1, 2, 3]),
    ] {
        let network = Sequential::new(2).add(Dense::new(1));
        let mut model = network.compile(Sgd::new(0.1), MeanSquaredError::default()).unwrap();
        let options = FitOptions::new().initial_epoch(initial).epochs(epochs).validation_split(0.25);
        let history = model.fit_with(&x, &y, options.validation_freq(freq)).unwrap();
        assert_eq!(history.epochs_of("val_loss").unwrap(), validated);
        let text = drawn("validated", |path| history.plot(path)).unwrap();
        let lines = polylines(&text);
        let x_of = |point: &str| point.split(',').next().unwrap().to_string();
        let trained: Vec<String> = lines[0].iter().map(|point| x_of(point)).collect();
        assert_eq!(trained.len(), epochs - initial);
        let expected: Vec<&String> = validated.iter().map(|epoch| &trained[epoch - initial]).collect();
        let drawn: Vec<String> = match validated.len() {
            // A single value is a dot.
            1 => vec![
                text.split("<circle")
                    .nth(1)
                    .unwrap()
                    .split("cx=\"")
                    .nth(1)
                    .unwrap()
                    .split('"')
                    .next()
                    .unwrap()
                    .into(),
            ],
            _ => lines[1].iter().map(|point| x_of(point)).collect(),
        };
        assert_eq!(drawn.iter().collect::<Vec<_>>(), expected, "every {freq} of {initial}..{epochs}");
    }
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
    assert!(says(ImageGrid::new(&Array2::<f32>::zeros((1, 63)))).contains("a square number of pixels"));
    assert!(says(grid().labels(&array![1])).contains("labels: expected 5"));
    assert!(says(grid().columns(0)).contains("columns is 0"));
}

/// The rectangles of pixels: x, y, width, height and color.
fn rectangles(text: &str) -> Vec<([f64; 4], String)> {
    let attribute = |element: &str, name: &str| {
        let value = element.split(&format!(" {name}=\"")).nth(1)?;
        Some(value.split('"').next()?.to_string())
    };
    let pixel = |element: &str| {
        let number = |name| attribute(element, name)?.parse().ok();
        let fill = attribute(element, "fill").filter(|fill| fill.starts_with("rgb("))?;
        Some(([number("x")?, number("y")?, number("width")?, number("height")?], fill))
    };
    text.split("<rect").skip(1).filter_map(|element| pixel(&element[..element.find('>').unwrap()])).collect()
}

/// Two images of 2 × 3 pixels in red, green, blue and shades; flat, as images, and with opacity.
#[test]
fn color_images_of_any_sides_are_drawn_pixel_by_pixel() {
    let red_green_blue = [
        [1.0, 0.0, 0.0],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0],
        [0.0, 0.0, 0.0],
        [0.5, 0.5, 0.5],
        [0.5, 0.5, 0.5],
    ];
    let opaque: Vec<f32> = red_green_blue.iter().flat_map(|p| [p[0], p[1], p[2], 1.0]).collect();
    let opaque = Array4::from_shape_vec((1, 2, 3, 4), opaque).unwrap();
    let flat = Array2::from_shape_vec((1, 18), red_green_blue.concat()).unwrap();
    let images = flat.clone().into_shape_with_order((1, 2, 3, 3)).unwrap();
    let bytes = images.mapv(|v: f32| f64::from((v * 255.0).round()));
    let drawings = [
        drawn("color", |path| ImageGrid::new(&images).save(path)).unwrap(),
        drawn("flat", |path| ImageGrid::new(&flat).image_shape([2, 3, 3]).save(path)).unwrap(),
        drawn("opaque", |path| ImageGrid::new(&opaque).save(path)).unwrap(),
        drawn("bytes", |path| ImageGrid::new(&bytes).save(path)).unwrap(),
    ];
    for text in drawings {
        let pixels = rectangles(&text);
        let colors: Vec<&str> = pixels.iter().map(|(_, color)| color.as_str()).collect();
        // Two neighbors of one gray are one rectangle.
        assert_eq!(
            colors,
            ["rgb(255,0,0)", "rgb(0,255,0)", "rgb(0,0,255)", "rgb(0,0,0)", "rgb(128,128,128)"]
        );
        let [x, y, width, height] = pixels[0].0;
        assert_eq!((width, height), (24.0, 24.0), "72 for the longer side");
        let places: Vec<[f64; 4]> =
            pixels.iter().map(|(place, _)| [place[0] - x, place[1] - y, place[2], place[3]]).collect();
        assert_eq!(
            places,
            [
                [0.0, 0.0, 24.0, 24.0],
                [24.0, 0.0, 24.0, 24.0],
                [48.0, 0.0, 24.0, 24.0],
                [0.0, 24.0, 24.0, 24.0],
                [24.0, 24.0, 48.0, 24.0]
            ]
        );
    }
}

#[test]
fn gray_images_of_any_sides_are_drawn_and_named() {
    let tall = Array3::from_shape_fn((2, 4, 1), |(i, y, _)| (i + y) as f32);
    let text = drawn("tall", |path| {
        ImageGrid::new(&tall)
            .labels(&array![0, 1])
            .predictions(&array![0, 2])
            .class_names(&["cat", "a < b"])
            .save(path)
    })
    .unwrap();
    assert!(text.contains(">\ncat\n<") || text.contains(">cat<"), "{text}");
    assert!(text.contains("2, not a &lt; b"), "a class without a name shows its label");
    let pixels = rectangles(&text);
    assert_eq!(pixels.len(), 3 + 4, "the least number is white");
    assert!(pixels.iter().all(|([_, _, width, height], _)| (*width, *height) == (18.0, 18.0)));
    drawn("thin", |path| ImageGrid::new(&Array3::<f64>::ones((1, 1, 500))).save(path)).unwrap();
    let says = |grid: ImageGrid| drawn("refused", |path| grid.save(path)).unwrap_err().to_string();
    let zeros = |shape: &[usize]| ImageGrid::new(&ndarray_zeros(shape));
    for (grid, expected) in [
        (zeros(&[2, 3, 4, 2]), "images: expected 1, 3 or 4 channels along the last axis, got (2, 3, 4, 2)"),
        (
            zeros(&[2, 18]).image_shape([2, 3, 4]),
            "images: expected (2, 2 · 3 · 4), as image_shape says, got (2, 18)",
        ),
        (
            zeros(&[2, 2, 9]).image_shape([2, 3, 3]),
            "images: expected (samples, pixels), which image_shape is for, got (2, 2, 9)",
        ),
        (zeros(&[2, 18]).image_shape([usize::MAX, 3, 3]), "as image_shape says, got (2, 18)"),
        (
            zeros(&[4]),
            "images: expected (samples, height, width, channels), (samples, height, width) or (samples, pixels), got (4)",
        ),
        (zeros(&[]), "got ()"),
        (zeros(&[0, 4, 4]), "images is empty: its shape is (0, 4, 4), and at least 1 sample is needed"),
        (zeros(&[2, 0, 4, 3]), "at least 1 pixel is needed"),
    ] {
        let said = says(grid);
        assert!(said.contains(expected), "{said}");
    }
}

fn ndarray_zeros(shape: &[usize]) -> axonal::ndarray::ArrayD<f32> {
    axonal::ndarray::ArrayD::zeros(shape)
}

#[test]
fn a_confusion_matrix_shows_the_names_of_its_classes() {
    let matrix = ConfusionMatrix::new(&array![0, 0, 0, 1, 7], &array![0, 0, 1, 1, 7]).unwrap();
    let names = ["setosa", "a rather long name & more"];
    let text = drawn("names", |path| matrix.plot_with_names(path, &names)).unwrap();
    for name in ["setosa", "a rather long name &amp; more", "7"] {
        assert_eq!(
            text.matches(&format!("\n{name}\n")).count().max(text.matches(&format!(">{name}<")).count()),
            2,
            "{name}"
        );
    }
    let width = |text: &str| {
        text.split("width=\"").nth(1).unwrap().split('"').next().unwrap().parse::<f64>().unwrap()
    };
    let plain = drawn("plain", |path| matrix.plot(path)).unwrap();
    assert!(width(&text) > width(&plain) + 100.0, "the names fit");
    assert_eq!(plain, drawn("none", |path| matrix.plot_with_names::<&str>(path, &[])).unwrap());
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
    use axonal::cluster::{elbow, elbow_with};
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
    let score = elbow_with(&KMeans::new(1).n_init(4), &blobs.data, 2..=5, |_| Ok(1.0)).unwrap();
    assert!(drawn("score", |path| score.plot(path)).unwrap().contains("score"));
    assert!(
        found.plot("/absent/folder/elbow.svg").unwrap_err().to_string().contains("/absent/folder/elbow.svg")
    );
}
