//! The learning curves of a run.

use super::axes::{Axes, range};
use super::{COLORS, INK, picture, round, save, text};
use crate::error::Result;
use crate::nn::History;
use std::path::Path;
use svg::Document;
use svg::node::element::{Circle, Group, Line, Polyline};

/// The size of one panel with its margins.
const PANEL: (f64, f64) = (430.0, 330.0);

impl History {
    /// Draws the loss and each metric over the epochs, training and validation side by side in one panel, into an SVG
    /// file. The best epoch of the validation is marked. The learning rate has a separate panel if it changes.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) for a file that cannot be written.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// # let path = std::env::temp_dir().join(format!("axonal-doc-curve-{}.svg", std::process::id()));
    /// let mut model = Sequential::new(1).add(Dense::new(1)).compile(Sgd::new(0.1), MeanSquaredError::default())?;
    /// let history = model.fit_with(&array![[0.0], [1.0]], &array![1.0, 3.0], FitOptions::new().epochs(50))?;
    /// history.plot(&path)?;
    /// assert!(std::fs::read_to_string(&path).unwrap().starts_with("<svg"));
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn plot(&self, path: impl AsRef<Path>) -> Result<()> {
        save(&self.picture(), path.as_ref())
    }

    fn picture(&self) -> Document {
        let changes = |values: &[f64]| values.windows(2).any(|pair| pair[0] != pair[1]);
        let shown = |key: &&str| {
            !key.starts_with("val_") && (*key != "learning_rate" || self.get(key).is_some_and(changes))
        };
        let keys: Vec<&str> = self.keys().filter(shown).collect();
        let columns = keys.len().clamp(1, 3);
        let rows = keys.len().div_ceil(columns).max(1);
        let mut document = picture(PANEL.0 * columns as f64, PANEL.1 * rows as f64);
        for (index, key) in keys.iter().enumerate() {
            let (column, row) = ((index % columns) as f64, (index / columns) as f64);
            document = document.add(self.panel(key, PANEL.0 * column, PANEL.1 * row));
        }
        document
    }

    /// One number over the epochs.
    fn panel(&self, key: &str, left: f64, top: f64) -> Group {
        let training = self.points(key);
        let validation = self.points(&format!("val_{key}"));
        let all = || training.iter().chain(&validation).filter(|(_, value)| value.is_finite());
        let axes = Axes {
            left: left + 70.0,
            top: top + 40.0,
            width: PANEL.0 - 90.0,
            height: PANEL.1 - 95.0,
            x: range(all().map(|(epoch, _)| *epoch), 0.02),
            y: range(all().map(|(_, value)| *value), 0.06),
        };
        let title = key.replace('_', " ");
        let mut group = axes.frame(&title, ["epoch", &title], true).add(curve(&axes, &training, COLORS[0]));
        if !validation.is_empty() {
            group = group.add(curve(&axes, &validation, COLORS[1]));
        }
        if let Some(&(epoch, value)) = self.best(key, &validation) {
            let (x, y) = axes.place(epoch, value);
            let ring = Circle::new().set("cx", x).set("cy", y).set("r", 5).set("fill", "white");
            group = group.add(ring.set("stroke", COLORS[1]).set("stroke-width", 2));
        }
        group.add(self.legend(key, &axes, &training, &validation))
    }

    /// The values of a key with their epochs, counted from 1.
    fn points(&self, key: &str) -> Vec<(f64, f64)> {
        let (epochs, values) = (self.epochs_of(key).unwrap_or_default(), self.get(key).unwrap_or_default());
        epochs.iter().zip(values).map(|(&epoch, &value)| (epoch as f64 + 1.0, value)).collect()
    }

    /// The best validation: the lowest loss, and of a metric the highest where it ends above where it began.
    fn best<'a>(&self, key: &str, points: &'a [(f64, f64)]) -> Option<&'a (f64, f64)> {
        let finite = || points.iter().filter(|(_, value)| value.is_finite());
        let rises = key != "loss" && self.get(key).is_some_and(|values| values.first() < values.last());
        if rises {
            finite().rev().max_by(|a, b| a.1.total_cmp(&b.1))
        } else {
            finite().min_by(|a, b| a.1.total_cmp(&b.1))
        }
    }

    /// Which line is which, with its last and its best value, in the corner that the curves leave free.
    fn legend(&self, key: &str, axes: &Axes, training: &[(f64, f64)], validation: &[(f64, f64)]) -> Group {
        let mut lines = Vec::new();
        if let Some((_, last)) = training.last() {
            let name = if key == "learning_rate" { "" } else { "training " };
            lines.push((COLORS[0], format!("{name}{}", short(*last))));
        }
        if let (Some((_, last)), Some((epoch, best))) = (validation.last(), self.best(key, validation)) {
            lines.push((
                COLORS[1],
                format!("validation {} (best {}, epoch {epoch})", short(*last), short(*best)),
            ));
        }
        let middle = f64::midpoint(axes.y.0, axes.y.1);
        let late = |points: &[(f64, f64)]| points.get(points.len() * 3 / 4).map_or(middle, |point| point.1);
        let at_top = late(training) < middle;
        let first = if at_top {
            axes.top + 18.0
        } else {
            axes.top + axes.height - 8.0 - 16.0 * (lines.len() as f64 - 1.0)
        };
        let right = axes.left + axes.width - 10.0;
        let mut group = Group::new();
        for (index, (color, content)) in lines.iter().enumerate() {
            let y = first + 16.0 * index as f64;
            let width = content.chars().count() as f64 * 5.7;
            let stroke =
                Line::new().set("x1", round(right - width - 24.0)).set("x2", round(right - width - 6.0));
            let stroke = stroke.set("y1", round(y - 4.0)).set("y2", round(y - 4.0));
            group = group
                .add(stroke.set("stroke", *color).set("stroke-width", 2.5))
                .add(text(content, right, y, 11.0, "end").set("fill", INK));
        }
        group
    }
}

/// A line through points; it breaks where a value is not finite, and a single point is a dot.
fn curve(axes: &Axes, points: &[(f64, f64)], color: &str) -> Group {
    let mut group = Group::new();
    for stretch in points.split(|(_, value)| !value.is_finite()) {
        if let [(epoch, value)] = stretch {
            let (x, y) = axes.place(*epoch, *value);
            group = group.add(Circle::new().set("cx", x).set("cy", y).set("r", 3).set("fill", color));
            continue;
        }
        let places = stretch.iter().map(|&(epoch, value)| axes.place(epoch, value));
        let path: Vec<String> = places.map(|(x, y)| format!("{x},{y}")).collect();
        let line = Polyline::new().set("points", path.join(" ")).set("fill", "none").set("stroke", color);
        group = group.add(line.set("stroke-width", 2).set("stroke-linejoin", "round"));
    }
    group
}

/// A value as a legend shows it.
fn short(value: f64) -> String {
    if value == 0.0 || (1e-3..1e4).contains(&value.abs()) {
        format!("{value:.4}")
    } else {
        format!("{value:.2e}")
    }
}
