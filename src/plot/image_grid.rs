//! Images with what they are and what they were taken for.

mod raster;

use super::{COLORS, PALE, picture, save, text, text_width};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::validate;
use ndarray::{Array4, ArrayBase, ArrayD, Axis, Data, Dimension, Ix1};
use raster::{Colors, pixels};
use std::path::Path;
use svg::Document;
use svg::node::element::{Group, Rectangle};

/// A picture of gray or color images, each with its label and the model's prediction; wrong ones stand out.
///
/// # Shapes
/// Images: `(samples, height, width, channels)` with 1 (gray), 3 (red, green, blue) or 4 channels (with opacity);
/// `(samples, height, width)`; or `(samples, pixels)` row by row, square and gray unless
/// [`image_shape`](Self::image_shape) says otherwise.
///
/// Gray images are drawn as ink on paper: the least number of all is white, the largest black. The channels of color
/// images range from 0 to 1 or from 0 to 255; other numbers are stretched from the least to the largest.
///
/// Each pixel is an element of the SVG file, where its neighbor has another color: images of up to some hundred pixels a
/// side are quick to look at.
///
/// # Examples
/// ```
/// use axonal::ndarray::{Array2, Array4, array};
/// use axonal::plot::ImageGrid;
///
/// # fn main() -> axonal::Result<()> {
/// # let path = std::env::temp_dir().join(format!("axonal-doc-images-{}.svg", std::process::id()));
/// let digits = Array2::from_shape_fn((3, 64), |(i, j)| ((i + 1) * j % 17) as f32);
/// ImageGrid::new(&digits).labels(&array![3, 5, 8]).predictions(&array![3, 5, 0]).save(&path)?;
///
/// let photos = Array4::from_shape_fn((2, 24, 32, 3), |(_, y, x, channel)| ((y + x + channel) % 3) as f32 / 2.0);
/// ImageGrid::new(&photos).labels(&array![0, 1]).class_names(&["cat", "dog"]).save(&path)?;
/// # std::fs::remove_file(&path).unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ImageGrid {
    images: ArrayD<f64>,
    image_shape: Option<[usize; 3]>,
    labels: Option<Vec<usize>>,
    predictions: Option<Vec<usize>>,
    names: Vec<String>,
    columns: usize,
    title: String,
}

/// The longer side of an image in the picture.
const SIDE: f64 = 72.0;
/// The distance from an image, or its caption, to the next one.
const GAP: f64 = 18.0;
/// The height of a caption with the distance to the next row.
const CAPTION: f64 = 30.0;
/// The size of a caption.
const LETTERS: f64 = 12.0;

/// Places in the picture.
struct Grid {
    /// Width and height of an image.
    image: (f64, f64),
    /// From one image to the next.
    step: (f64, f64),
    left: f64,
    top: f64,
}

impl ImageGrid {
    /// Images along the first axis.
    #[must_use]
    pub fn new<F: Float, D: Dimension>(images: &ArrayBase<impl Data<Elem = F>, D>) -> Self {
        Self {
            images: images.mapv(Float::as_f64).into_dyn(),
            image_shape: None,
            labels: None,
            predictions: None,
            names: Vec::new(),
            columns: 8,
            title: String::new(),
        }
    }

    /// Height, width and channels of images whose pixels are one row of numbers each.
    #[must_use]
    pub fn image_shape(mut self, height_width_channels: [usize; 3]) -> Self {
        self.image_shape = Some(height_width_channels);
        self
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

    /// The names of the classes by their labels; a class without a name shows its label.
    #[must_use]
    pub fn class_names(mut self, names: &[impl AsRef<str>]) -> Self {
        self.names = names.iter().map(|name| name.as_ref().to_owned()).collect();
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
    /// Images of another shape than those above, no image, NaN or an infinity in one, labels of another number; a file
    /// that cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let images = self.validate()?;
        save(&self.picture(&images), path.as_ref())
    }

    /// The images as (samples, height, width, channels).
    fn validate(&self) -> Result<Array4<f64>> {
        let shape = self.images.shape();
        let samples = shape.first().copied().unwrap_or(0);
        let refused = |expected: String| Error::shape("images", expected, validate::shape_text(shape));
        let [height, width, channels] = self.dims().ok_or_else(|| {
            let forms = "(samples, height, width, channels), (samples, height, width) or (samples, pixels)";
            refused(match (shape, self.image_shape) {
                (&[_, _], Some([height, width, channels])) => {
                    format!("({samples}, {height} · {width} · {channels}), as image_shape says")
                }
                (&[_, pixels], None) => {
                    format!("(samples, pixels) with a square number of pixels, which {pixels} is not; or image_shape")
                }
                (_, Some(_)) => "(samples, pixels), which image_shape is for".into(),
                _ => forms.into(),
            })
        })?;
        if self.images.is_empty() {
            let needed = if samples == 0 { "sample" } else { "pixel" };
            return Err(Error::Empty { what: "images".into(), shape: validate::shape_text(shape), needed });
        }
        if !matches!(channels, 1 | 3 | 4) {
            return Err(refused("1, 3 or 4 channels along the last axis".into()));
        }
        if self.columns == 0 {
            return Err(Error::invalid_parameter("ImageGrid", "columns", 0, "at least 1"));
        }
        for (what, labels) in [("labels", &self.labels), ("predictions", &self.predictions)] {
            if let Some(labels) = labels {
                validate::length(what, labels.len(), samples)?;
            }
        }
        validate::finite("images", &self.images)?;
        let images = self.images.to_shape([samples, height, width, channels]);
        images.map(|images| images.into_owned()).map_err(|_| refused(format!("{samples} images")))
    }

    /// Height, width and channels of an image.
    fn dims(&self) -> Option<[usize; 3]> {
        match (self.images.shape(), self.image_shape) {
            (&[_, height, width, channels], None) => Some([height, width, channels]),
            (&[_, height, width], None) => Some([height, width, 1]),
            (&[_, pixels], Some(dims)) => {
                let product = dims.iter().try_fold(1_usize, |product, &dim| product.checked_mul(dim));
                Some(dims).filter(|_| product == Some(pixels))
            }
            (&[_, pixels], None) => {
                let side = pixels.isqrt();
                Some([side, side, 1]).filter(|_| side * side == pixels)
            }
            _ => None,
        }
    }

    fn grid(&self, height: usize, width: usize, captions: &[Caption]) -> Grid {
        let scale = SIDE / height.max(width) as f64;
        // A side of many pixels beside one of few is still seen.
        let image = ((width as f64 * scale).max(1.0), (height as f64 * scale).max(1.0));
        let widest =
            captions.iter().map(|caption| text_width(&caption.text, LETTERS)).fold(image.0, f64::max);
        let step = (widest + GAP, image.1 + CAPTION);
        Grid { image, step, left: GAP, top: if self.title.is_empty() { 14.0 } else { 42.0 } }
    }

    fn picture(&self, images: &Array4<f64>) -> Document {
        let (n, height, width, channels) = images.dim();
        let captions: Vec<Caption> = (0..n).map(|index| self.caption(index)).collect();
        let grid = self.grid(height, width, &captions);
        let (columns, rows) = (self.columns.min(n), n.div_ceil(self.columns));
        let wide = (grid.step.0 * columns as f64 + GAP).max(text_width(&self.title, 14.0) + 30.0);
        let title = text(&self.title, wide / 2.0, 26.0, 14.0, "middle").set("font-weight", "bold");
        let mut document = picture(wide, grid.top + grid.step.1 * rows as f64 + 4.0).add(title);
        let colors = Colors::of(images.iter().copied(), channels);
        for ((index, image), caption) in images.axis_iter(Axis(0)).enumerate().zip(&captions) {
            let (column, row) = ((index % self.columns) as f64, (index / self.columns) as f64);
            let middle = grid.left + grid.step.0 * column + (grid.step.0 - GAP) / 2.0;
            let place = (middle - grid.image.0 / 2.0, grid.top + grid.step.1 * row);
            document =
                document.add(pixels(image, &colors, place, grid.image)).add(caption.draw(place, grid.image));
        }
        document
    }

    /// The text under an image: its label, and where the prediction is another, both.
    fn caption(&self, index: usize) -> Caption {
        let of = |labels: &Option<Vec<usize>>| {
            labels.as_ref().and_then(|labels| labels.get(index)).map(|&label| self.name(label))
        };
        match (of(&self.labels), of(&self.predictions)) {
            (Some(label), Some(prediction)) if label != prediction => {
                Caption { text: format!("{prediction}, not {label}"), wrong: true }
            }
            (Some(text), _) | (None, Some(text)) => Caption { text, wrong: false },
            (None, None) => Caption { text: String::new(), wrong: false },
        }
    }

    fn name(&self, label: usize) -> String {
        self.names.get(label).cloned().unwrap_or_else(|| label.to_string())
    }
}

/// The text under an image, red with a red frame where the prediction is wrong.
struct Caption {
    text: String,
    wrong: bool,
}

impl Caption {
    fn draw(&self, (x, y): (f64, f64), (width, height): (f64, f64)) -> Group {
        let (frame_color, color, stroke) =
            if self.wrong { (COLORS[3], COLORS[3], 2.5) } else { ("#d0d7de", PALE, 1.0) };
        let frame = Rectangle::new().set("x", super::round(x)).set("y", super::round(y));
        let frame = frame.set("width", super::round(width)).set("height", super::round(height));
        let frame = frame.set("fill", "none").set("stroke", frame_color).set("stroke-width", stroke);
        let words = text(&self.text, x + width / 2.0, y + height + 16.0, LETTERS, "middle");
        Group::new().add(frame).add(words.set("fill", color))
    }
}
