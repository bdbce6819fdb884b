//! The layers of a model and their connections.
//!
//! The drawing is layered (Sugiyama, Tagawa and Toda 1981): [`layering`] assigns ranks by longest paths and splits long
//! connections by dummy vertices, [`ordering`] reduces crossings by barycenters, [`coordinates`] aligns vertices across ranks,
//! and [`draw`] routes the connections along the dummy vertices, past all boxes.

mod coordinates;
mod diagram;
mod draw;
mod layering;
mod ordering;

use super::save;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::model::Model;
use diagram::{Diagram, Layer};
use layering::Layering;
use std::path::Path;
use svg::Document;

/// The direction in which the layers of a [`ModelPlot`] follow each other: Keras's `rankdir`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RankDir {
    /// From top to bottom, `"TB"`.
    #[default]
    TopToBottom,
    /// From left to right, `"LR"`.
    LeftToRight,
}

/// A picture of the layers of a model and their connections: Keras's `plot_model`. [`Model::plot`] creates it.
///
/// A box is a layer: with weights blue, a merge layer orange, another one gray. Inputs and named outputs are rounded. A
/// [`Shared`](crate::models::Shared) layer is one box with several incoming connections, unless it reads its own output.
/// The layers of a [`Body`](crate::models::Body) are layers of the model; [`nested`](Self::nested) draws them as one box.
///
/// # Parameters
/// | option | default |
/// |---|---|
/// | `show_shapes` | true: the shapes of inputs and outputs, which Keras leaves out by default |
/// | `show_layer_names` | true: the names of weights, summaries and messages; else the kinds |
/// | `show_layer_activations` | false |
/// | `rankdir` | [`RankDir::TopToBottom`] |
/// | `nested` | none; may be called several times |
///
/// # Examples
/// ```
/// use axonal::plot::RankDir;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// # let path = std::env::temp_dir().join(format!("axonal-doc-model-{}.svg", std::process::id()));
/// let x = Input::new("x", 8);
/// let hidden = x.then(Dense::new(16).activation(Activation::Relu));
/// let y = Add::new().of([&hidden, &hidden.then(Dense::new(16))]).then(Dense::new(1)).named("head");
/// let model: Model<f32> = Graph::new([&x]).output("y", &y, MeanSquaredError::new()).compile(Adam::new(0.01))?;
/// model.plot().show_layer_activations(true).rankdir(RankDir::LeftToRight).save(&path)?;
/// # std::fs::remove_file(&path).unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ModelPlot {
    layers: Vec<Layer>,
    /// The layers that each layer reads.
    sources: Vec<Vec<usize>>,
    shows: Shows,
    rankdir: RankDir,
    nested: Vec<(String, Vec<String>)>,
}

/// What a box shows beside the kind of its layer.
#[derive(Debug, Clone, Copy)]
struct Shows {
    shapes: bool,
    names: bool,
    activations: bool,
}

impl<F: Float> Model<F> {
    /// Returns a picture of the layers and their connections, with options; [`ModelPlot::save`] draws it into an SVG file.
    ///
    /// # Examples
    /// ```
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// # let path = std::env::temp_dir().join(format!("axonal-doc-plot-{}.svg", std::process::id()));
    /// let model: Model<f32> =
    ///     Sequential::new(4).add(Dense::new(3)).compile(Sgd::default(), MeanSquaredError::default())?;
    /// model.plot().save(&path)?;
    /// assert!(std::fs::read_to_string(&path).unwrap().contains("(None, 3)"));
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn plot(&self) -> ModelPlot {
        let (layers, sources) = diagram::layers_of(self);
        let shows = Shows { shapes: true, names: true, activations: false };
        ModelPlot { layers, sources, shows, rankdir: RankDir::default(), nested: Vec::new() }
    }
}

impl ModelPlot {
    /// Sets whether boxes show the shapes of inputs and outputs.
    #[must_use]
    pub fn show_shapes(mut self, show: bool) -> Self {
        self.shows.shapes = show;
        self
    }

    /// Sets whether boxes show the names of the layers.
    #[must_use]
    pub fn show_layer_names(mut self, show: bool) -> Self {
        self.shows.names = show;
        self
    }

    /// Sets whether boxes show the activations of the layers.
    #[must_use]
    pub fn show_layer_activations(mut self, show: bool) -> Self {
        self.shows.activations = show;
        self
    }

    /// Sets the direction in which layers follow each other.
    #[must_use]
    pub fn rankdir(mut self, rankdir: RankDir) -> Self {
        self.rankdir = rankdir;
        self
    }

    /// Draws the layers of these names as one box, as Keras draws a model inside a model.
    ///
    /// # Examples
    /// ```
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// # let path = std::env::temp_dir().join(format!("axonal-doc-nested-{}.svg", std::process::id()));
    /// let model: Model<f32> = Sequential::new(8)
    ///     .add(Dense::new(16)).named("encoder_1")
    ///     .add(Dense::new(4)).named("encoder_2")
    ///     .add(Dense::new(1))
    ///     .compile(Sgd::default(), MeanSquaredError::default())?;
    /// model.plot().nested("encoder", ["encoder_1", "encoder_2"]).save(&path)?;
    /// assert!(!std::fs::read_to_string(&path).unwrap().contains("encoder_2"));
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn nested(
        mut self,
        name: impl Into<String>,
        layers: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        self.nested.push((name.into(), layers.into_iter().map(Into::into).collect()));
        self
    }

    /// Draws the picture into an SVG file.
    ///
    /// # Errors
    /// A name passed to [`nested`](Self::nested) that no layer has, or that was passed twice; nested layers between which lies
    /// another one; a model that is too large for a picture; a file that cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save(&self.picture()?, path.as_ref())
    }

    fn picture(&self) -> Result<Document> {
        if self.layers.len() > MAX_LAYERS {
            return Err(too_large("layers", self.layers.len(), MAX_LAYERS));
        }
        let diagram = Diagram::new(&self.layers, &self.sources, &self.nested, self.shows)?;
        let mut layering = Layering::of(&diagram.edges, diagram.boxes.len())
            .ok_or_else(|| too_large("connections", diagram.edges.len(), MAX_VERTICES))?;
        ordering::reduce_crossings(&mut layering);
        let size = |vertex: usize| diagram.boxes.get(vertex).map(|drawn| drawn.size);
        let across = |vertex: usize| match (size(vertex), self.rankdir) {
            (None, _) => None,
            (Some((width, _)), RankDir::TopToBottom) => Some(width),
            (Some((_, height)), RankDir::LeftToRight) => Some(height),
        };
        let positions = coordinates::positions(&layering, across);
        Ok(draw::draw(&diagram, &layering, &positions, self.rankdir))
    }
}

/// The most layers of a picture.
const MAX_LAYERS: usize = 1_000;
/// The most boxes and bends of a picture.
const MAX_VERTICES: usize = 20_000;

fn too_large(what: &'static str, n: usize, limit: usize) -> Error {
    let expected = format!("a model whose picture has at most {limit} boxes and bends; use summary");
    Error::invalid_parameter("ModelPlot", what, n, expected)
}
