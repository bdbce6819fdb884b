//! Pictures to look at: learning curves, clusters, images with predictions, confusion matrices, models; as SVG files, which
//! every browser shows.
//!
//! [`History::plot`](crate::models::History::plot) draws the loss and the metrics of a run,
//! [`ConfusionMatrix::plot`](crate::metrics::ConfusionMatrix::plot) what was taken for what, [`ClusterPlot`] points by
//! label with their centers, [`Elbow::plot`](crate::cluster::Elbow::plot) how many there should be, [`ImageGrid`] images
//! with labels and predictions, [`Model::plot`](crate::models::Model::plot) the layers of a model and their connections.

mod axes;
mod cluster_plot;
mod confusion;
mod curves;
mod elbow;
mod image_grid;
mod model_plot;
mod plane;

pub use cluster_plot::ClusterPlot;
pub use image_grid::ImageGrid;
pub use model_plot::{ModelPlot, RankDir};

use crate::error::{Error, Result};
use std::path::Path;
use svg::Document;
use svg::node::element::{Rectangle, Text};

/// Colors that differ in hue and in lightness, also for eyes that do not tell red from green.
const COLORS: [&str; 10] = [
    "#1f77b4", "#e6740c", "#2a9d4a", "#c93535", "#8456b0", "#8c5a4b", "#d664b4", "#6b6b6b", "#a8a616",
    "#17a5bd",
];
/// The color of text and frames.
const INK: &str = "#24292f";
/// The color of what stands back: grids, numbers along axes.
const PALE: &str = "#6e7781";

/// An empty white picture.
fn picture(width: f64, height: f64) -> Document {
    Document::new()
        .set("viewBox", (0.0, 0.0, width, height))
        .set("width", width)
        .set("height", height)
        .set("font-family", "Helvetica, Arial, 'DejaVu Sans', sans-serif")
        .add(Rectangle::new().set("width", width).set("height", height).set("fill", "white"))
}

/// Text with its anchor ("start", "middle", "end") at a place.
fn text(content: impl Into<String>, x: f64, y: f64, size: f64, anchor: &str) -> Text {
    let at = Text::new(content.into()).set("x", round(x)).set("y", round(y));
    at.set("font-size", size).set("text-anchor", anchor).set("fill", INK)
}

/// About how wide a text is, for margins: SVG leaves the font to the viewer. Wide characters, as of Chinese, take two.
fn text_width(content: &str, size: f64) -> f64 {
    let columns: usize = content.chars().map(|c| if c as u32 >= 0x1100 { 2 } else { 1 }).sum();
    columns as f64 * size * 0.58
}

/// A coordinate with as many digits as a picture can show.
fn round(coordinate: f64) -> f64 {
    (coordinate * 100.0).round() / 100.0
}

fn save(picture: &Document, path: &Path) -> Result<()> {
    svg::save(path, picture).map_err(|source| Error::Io { path: path.into(), source })
}
