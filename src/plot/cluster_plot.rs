//! Points by their clusters.

use super::axes::{Axes, range};
use super::plane::Plane;
use super::{COLORS, INK, PALE, picture, save, text};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::validate;
use ndarray::{Array2, ArrayBase, Data, Ix1, Ix2};
use std::path::Path;
use svg::Document;
use svg::node::element::{Circle, Group, Path as Outline};

/// A picture of points, colored by the cluster that each belongs to, with the centers, and with new points marked.
///
/// Points of two features are drawn as they are; those of more, in the plane of their largest variance.
///
/// # Examples
/// ```
/// use axonal::ndarray::array;
/// use axonal::plot::ClusterPlot;
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// # let path = std::env::temp_dir().join(format!("axonal-doc-clusters-{}.svg", std::process::id()));
/// let x = array![[0.0, 0.1], [0.2, 0.0], [5.0, 5.1], [5.2, 4.9]];
/// let mut kmeans = KMeans::new(2).seed(1);
/// kmeans.fit(&x)?;
/// let new = array![[4.0, 4.0]];
/// ClusterPlot::new(&x, &kmeans.predict(&x)?)
///     .centers(kmeans.cluster_centers()?)
///     .new_points(&new, &kmeans.predict(&new)?)
///     .axes("height", "width")
///     .save(&path)?;
/// # std::fs::remove_file(&path).unwrap();
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct ClusterPlot {
    points: Array2<f64>,
    labels: Vec<usize>,
    centers: Array2<f64>,
    new_points: Array2<f64>,
    new_labels: Vec<usize>,
    title: String,
    names: Option<[String; 2]>,
}

fn wide<F: Float>(x: &ArrayBase<impl Data<Elem = F>, Ix2>) -> Array2<f64> {
    x.mapv(Float::as_f64)
}

impl ClusterPlot {
    /// Points (samples, features) with the cluster of each.
    #[must_use]
    pub fn new<F: Float>(
        points: &ArrayBase<impl Data<Elem = F>, Ix2>,
        labels: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    ) -> Self {
        let features = points.ncols();
        Self {
            points: wide(points),
            labels: labels.to_vec(),
            centers: Array2::zeros((0, features)),
            new_points: Array2::zeros((0, features)),
            new_labels: Vec::new(),
            title: "clusters".into(),
            names: None,
        }
    }

    /// The centers (clusters, features), in the order of the labels.
    #[must_use]
    pub fn centers<F: Float>(mut self, centers: &ArrayBase<impl Data<Elem = F>, Ix2>) -> Self {
        self.centers = wide(centers);
        self
    }

    /// Points that came later, with the cluster that each was found to belong to.
    #[must_use]
    pub fn new_points<F: Float>(
        mut self,
        points: &ArrayBase<impl Data<Elem = F>, Ix2>,
        labels: &ArrayBase<impl Data<Elem = usize>, Ix1>,
    ) -> Self {
        (self.new_points, self.new_labels) = (wide(points), labels.to_vec());
        self
    }

    /// What stands above the picture.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// The names of the axes, with their units.
    #[must_use]
    pub fn axes(mut self, x: impl Into<String>, y: impl Into<String>) -> Self {
        self.names = Some([x.into(), y.into()]);
        self
    }

    /// Draws the picture into an SVG file.
    ///
    /// # Errors
    /// Arrays that do not belong together, NaN or an infinity in them, fewer than two features; a file that cannot
    /// be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.validate()?;
        save(&self.picture(), path.as_ref())
    }

    fn validate(&self) -> Result<()> {
        validate::not_empty("points", &self.points)?;
        if self.points.ncols() < 2 {
            return Err(Error::shape("points", "at least 2 features", self.points.ncols()));
        }
        validate::length("labels", self.labels.len(), self.points.nrows())?;
        validate::length("labels of new points", self.new_labels.len(), self.new_points.nrows())?;
        for (what, array) in
            [("points", &self.points), ("centers", &self.centers), ("new points", &self.new_points)]
        {
            if array.nrows() > 0 && array.ncols() != self.points.ncols() {
                let expected = format!("{} features, as the points have", self.points.ncols());
                return Err(Error::shape(what, expected, array.ncols()));
            }
            validate::finite(what, array)?;
        }
        Ok(())
    }

    fn picture(&self) -> Document {
        let plane = Plane::of(self.points.view());
        let flat = |array: &Array2<f64>| {
            if array.nrows() == 0 { Array2::zeros((0, 2)) } else { plane.project(array.view()) }
        };
        let (points, centers, new) = (flat(&self.points), flat(&self.centers), flat(&self.new_points));
        let along = |axis: usize| {
            let all = [&points, &centers, &new];
            all.into_iter()
                .flat_map(move |array| array.column(axis).to_vec())
                .collect::<Vec<f64>>()
                .into_iter()
        };
        let axes = Axes {
            left: 80.0,
            top: 44.0,
            width: 560.0,
            height: 440.0,
            x: range(along(0), 0.05),
            y: range(along(1), 0.05),
        };
        let own = if plane.own {
            ["feature 0", "feature 1"]
        } else {
            ["principal component 1", "principal component 2"]
        };
        let names = self.names.as_ref().map_or(own, |[x, y]| [x.as_str(), y.as_str()]);
        let mut group = axes.frame(&self.title, names, false);
        for (point, &label) in points.rows().into_iter().zip(&self.labels) {
            let (x, y) = axes.place(point[0], point[1]);
            let dot = Circle::new().set("cx", x).set("cy", y).set("r", 3).set("fill", color(label));
            group = group.add(dot.set("fill-opacity", 0.65));
        }
        for (point, &label) in new.rows().into_iter().zip(&self.new_labels) {
            group = group.add(star(axes.place(point[0], point[1]), color(label)));
        }
        for center in centers.rows() {
            group = group.add(cross(axes.place(center[0], center[1])));
        }
        picture(840.0, 545.0).add(group).add(self.legend())
    }

    /// The clusters with their sizes, and what the marks mean.
    fn legend(&self) -> Group {
        let mut labels = self.labels.clone();
        labels.sort_unstable();
        labels.dedup();
        let mut group = Group::new();
        let mut y = 58.0;
        for &label in labels.iter().take(18) {
            let size = self.labels.iter().filter(|&&other| other == label).count();
            let dot = Circle::new().set("cx", 662).set("cy", y - 4.0).set("r", 5).set("fill", color(label));
            group = group.add(dot).add(text(format!("cluster {label} ({size})"), 674.0, y, 12.0, "start"));
            y += 20.0;
        }
        if labels.len() > 18 {
            group = group.add(
                text(format!("and {} more", labels.len() - 18), 674.0, y, 12.0, "start").set("fill", PALE),
            );
            y += 20.0;
        }
        y += 8.0;
        if self.centers.nrows() > 0 {
            group = group.add(cross((662.0, y - 4.0))).add(text("center", 678.0, y, 12.0, "start"));
            y += 22.0;
        }
        if self.new_points.nrows() > 0 {
            group =
                group.add(star((662.0, y - 4.0), "white")).add(text("new point", 678.0, y, 12.0, "start"));
        }
        group
    }
}

fn color(label: usize) -> &'static str {
    COLORS[label % COLORS.len()]
}

/// A cross with a white rim, to be seen among many points.
fn cross((x, y): (f64, f64)) -> Group {
    let outline = format!("M{} {}l12 12m0 -12l-12 12", x - 6.0, y - 6.0);
    let stroke = |color: &str, width: f64| {
        let line = Outline::new().set("d", outline.clone()).set("stroke", color.to_string());
        line.set("stroke-width", width).set("fill", "none").set("stroke-linecap", "round")
    };
    Group::new().add(stroke("white", 6.5)).add(stroke(INK, 3.0))
}

/// A star with five points.
fn star((x, y): (f64, f64), fill: &str) -> Outline {
    let corner = |index: i32| {
        let angle = std::f64::consts::PI * (f64::from(index) / 5.0 - 0.5);
        let radius = if index % 2 == 0 { 10.0 } else { 4.2 };
        format!("{:.2} {:.2}", x + radius * angle.cos(), y + radius * angle.sin())
    };
    let corners: Vec<String> = (0..10).map(corner).collect();
    let star = Outline::new().set("d", format!("M{}Z", corners.join("L"))).set("fill", fill);
    star.set("stroke", INK).set("stroke-width", 1.4).set("stroke-linejoin", "round")
}
