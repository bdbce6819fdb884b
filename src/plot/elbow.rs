//! How many clusters.

use super::axes::{Axes, range};
use super::{COLORS, INK, picture, round, save, text};
use crate::cluster::Elbow;
use crate::error::Result;
use std::path::Path;
use svg::Document;
use svg::node::element::{Circle, Group, Line, Polyline};

impl Elbow {
    /// Draws what was measured over the numbers of clusters, with the knee marked, into an SVG file.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) for a file that cannot be written.
    ///
    /// # Examples
    /// ```
    /// use axonal::cluster::elbow;
    /// use axonal::datasets::make_blobs;
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// # let path = std::env::temp_dir().join(format!("axonal-doc-elbow-{}.svg", std::process::id()));
    /// let blobs = make_blobs::<f64>(90, &array![[0.0, 0.0], [8.0, 8.0], [0.0, 8.0]], 0.7, 1)?;
    /// elbow(&KMeans::new(1).n_init(4), &blobs.data, 1..=6)?.plot(&path)?;
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn plot(&self, path: impl AsRef<Path>) -> Result<()> {
        save(&self.picture(), path.as_ref())
    }

    fn picture(&self) -> Document {
        let numbers = || self.n_clusters.iter().map(|&k| k as f64);
        let axes = Axes {
            left: 80.0,
            top: 44.0,
            width: 560.0,
            height: 320.0,
            x: range(numbers(), 0.04),
            y: range(self.values.iter().copied(), 0.06),
        };
        let places: Vec<(f64, f64)> =
            numbers().zip(&self.values).map(|(k, &value)| axes.place(k, value)).collect();
        let path: Vec<String> = places.iter().map(|(x, y)| format!("{x},{y}")).collect();
        let line = Polyline::new().set("points", path.join(" ")).set("fill", "none").set("stroke", COLORS[0]);
        let mut group = axes.frame("how many clusters", ["number of clusters", self.measure], true);
        group = group.add(self.knee_mark(&axes));
        group = group.add(line.set("stroke-width", 2).set("stroke-linejoin", "round"));
        for (&(x, y), k) in places.iter().zip(&self.n_clusters) {
            let is_knee = Some(*k) == self.knee;
            let dot = Circle::new().set("cx", x).set("cy", y).set("r", if is_knee { 6.0 } else { 3.5 });
            group = group.add(dot.set("fill", if is_knee { COLORS[1] } else { COLORS[0] }));
        }
        picture(660.0, 425.0).add(group)
    }

    /// A line at the knee, labeled on the side with more space.
    fn knee_mark(&self, axes: &Axes) -> Group {
        let Some(knee) = self.knee else { return Group::new() };
        let (x, _) = axes.place(knee as f64, axes.y.0);
        let line =
            Line::new().set("x1", x).set("x2", x).set("y1", axes.top).set("y2", axes.top + axes.height);
        let line = line.set("stroke", INK).set("stroke-width", 1.2).set("stroke-dasharray", "5 4");
        let (offset, anchor) = if x > axes.left + axes.width / 2.0 { (-8.0, "end") } else { (8.0, "start") };
        let label = text(format!("k = {knee}"), round(x + offset), axes.top + 18.0, 13.0, anchor);
        Group::new().add(line).add(label)
    }
}
