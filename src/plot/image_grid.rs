//! Images with what they are and what they were taken for.

use super::{COLORS, PALE, picture, round, save, text};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::validate;
use ndarray::{Array2, ArrayBase, ArrayView1, Data, Ix1, Ix2};
use std::path::Path;
use svg::Document;
use svg::node::element::{Group, Rectangle};

/// A picture of square gray images (8 × 8, 28 × 28, …), each with its label and the model's prediction; wrong ones
/// stand out.
///
/// # Shapes
/// Images: (samples, side · side), row by row. The least number is drawn white, the largest black.
///
/// # Examples
/// ```
/// use axonal::ndarray::{Array2, array};
/// use axonal::plot::ImageGrid;
///
/// # fn main() -> axonal::Result<()> {
/// # let path = std::env::temp_dir().join(format!("axonal-doc-images-{}.svg", std::process::id()));
/// let images = Array2::from_shape_fn((3, 64), |(i, j)| ((i + 1) * j % 17) as f32);
/// ImageGrid::new(&images).labels(&array![3, 5, 8]).predictions(&array![3, 5, 0]).save(&path)?;
/// # std::fs::remove_file(&path).unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ImageGrid {
    images: Array2<f64>,
    labels: Option<Vec<usize>>,
    predictions: Option<Vec<usize>>,
    columns: usize,
    title: String,
}

/// The side of an image in the picture.
const SIDE: f64 = 72.0;
/// The distance from an image to the next.
const STEP: (f64, f64) = (90.0, 102.0);

impl ImageGrid {
    /// Images, one a row.
    #[must_use]
    pub fn new<F: Float>(images: &ArrayBase<impl Data<Elem = F>, Ix2>) -> Self {
        let images = images.mapv(Float::as_f64);
        Self { images, labels: None, predictions: None, columns: 8, title: String::new() }
    }

    /// What the images are.
    #[must_use]
    pub fn labels(mut self, labels: &ArrayBase<impl Data<Elem = usize>, Ix1>) -> Self {
        self.labels = Some(labels.to_vec());
        self
    }

    /// What a model takes them for.
    #[must_use]
    pub fn predictions(mut self, predictions: &ArrayBase<impl Data<Elem = usize>, Ix1>) -> Self {
        self.predictions = Some(predictions.to_vec());
        self
    }

    /// How many images stand side by side; 8 by default.
    #[must_use]
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = columns;
        self
    }

    /// What stands above the picture.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Draws the picture into an SVG file.
    ///
    /// # Errors
    /// Images that are not square, no image, NaN or an infinity in one, labels of another number; a file that cannot
    /// be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let side = self.validate()?;
        save(&self.picture(side), path.as_ref())
    }

    fn validate(&self) -> Result<usize> {
        validate::not_empty("images", &self.images)?;
        validate::finite("images", &self.images)?;
        let pixels = self.images.ncols();
        let side = pixels.isqrt();
        if side * side != pixels {
            return Err(Error::shape("images", "a square number of pixels", pixels));
        }
        if self.columns == 0 {
            return Err(Error::invalid_parameter("ImageGrid", "columns", 0, "at least 1"));
        }
        for (what, labels) in [("labels", &self.labels), ("predictions", &self.predictions)] {
            if let Some(labels) = labels {
                validate::length(what, labels.len(), self.images.nrows())?;
            }
        }
        Ok(side)
    }

    fn picture(&self, side: usize) -> Document {
        let n = self.images.nrows();
        let (columns, rows) = (self.columns.min(n), n.div_ceil(self.columns));
        let top = if self.title.is_empty() { 14.0 } else { 42.0 };
        let width = (STEP.0 * columns as f64 + 18.0).max(7.5 * self.title.chars().count() as f64 + 30.0);
        let mut document = picture(width, top + STEP.1 * rows as f64 + 4.0);
        document =
            document.add(text(&self.title, width / 2.0, 26.0, 14.0, "middle").set("font-weight", "bold"));
        let range = self
            .images
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
        for (index, image) in self.images.rows().into_iter().enumerate() {
            let (column, row) = ((index % self.columns) as f64, (index / self.columns) as f64);
            let place = (18.0 + STEP.0 * column, top + STEP.1 * row);
            document = document.add(pixels(image, side, range, place)).add(self.caption(index, place));
        }
        document
    }

    /// The label under an image; where the prediction is another, both, with a red frame around.
    fn caption(&self, index: usize, (x, y): (f64, f64)) -> Group {
        let of = |labels: &Option<Vec<usize>>| labels.as_ref().and_then(|labels| labels.get(index).copied());
        let (wrong, caption) = match (of(&self.labels), of(&self.predictions)) {
            (Some(label), Some(prediction)) if label != prediction => {
                (true, format!("{prediction}, not {label}"))
            }
            (Some(label), _) | (None, Some(label)) => (false, label.to_string()),
            (None, None) => (false, String::new()),
        };
        let frame = Rectangle::new().set("x", x).set("y", y).set("width", SIDE).set("height", SIDE);
        let frame = frame.set("fill", "none").set("stroke", if wrong { COLORS[3] } else { "#d0d7de" });
        let words = text(caption, x + SIDE / 2.0, y + SIDE + 16.0, 12.0, "middle");
        Group::new()
            .add(frame.set("stroke-width", if wrong { 2.5 } else { 1.0 }))
            .add(words.set("fill", if wrong { COLORS[3] } else { PALE }))
    }
}

/// The pixels of an image; white ones are left out, as the paper is white.
fn pixels(image: ArrayView1<'_, f64>, side: usize, (low, high): (f64, f64), (x, y): (f64, f64)) -> Group {
    let size = SIDE / side as f64;
    // Neighbours touch without a seam.
    let mut group = Group::new().set("shape-rendering", "crispEdges");
    for (index, &value) in image.iter().enumerate() {
        let share = (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0);
        let gray = (255.0 * (1.0 - share)).round();
        // White, or an image of one gray.
        if gray.is_nan() || gray >= 255.0 {
            continue;
        }
        let (column, row) = ((index % side) as f64, (index / side) as f64);
        let pixel = Rectangle::new().set("x", round(x + size * column)).set("y", round(y + size * row));
        let pixel = pixel.set("width", round(size)).set("height", round(size));
        group = group.add(pixel.set("fill", format!("rgb({gray},{gray},{gray})")));
    }
    group
}
