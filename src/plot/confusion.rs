//! What was taken for what.

use super::{PALE, picture, round, save, text, text_width};
use crate::error::Result;
use crate::metrics::{ConfusionMatrix, Normalize, class_name};
use std::path::Path;
use svg::Document;
use svg::node::element::{Group, Rectangle};

/// The size of the names of the classes.
const LABEL: f64 = 11.0;

impl ConfusionMatrix {
    /// Draws the matrix into an SVG file: a row for each true class, a column for each predicted one, the counts as
    /// numbers, their share of the row as shade.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) for a file that cannot be written.
    ///
    /// # Examples
    /// ```
    /// use axonal::metrics::ConfusionMatrix;
    /// use axonal::ndarray::array;
    ///
    /// # fn main() -> axonal::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("axonal-doc-confusion-{}.svg", std::process::id()));
    /// ConfusionMatrix::new(&array![0, 0, 1, 2], &array![0, 1, 1, 2])?.plot(&path)?;
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn plot(&self, path: impl AsRef<Path>) -> Result<()> {
        self.plot_with_names::<&str>(path, &[])
    }

    /// As [`plot`](Self::plot), with the names of the classes by their labels, as in
    /// [`to_svg`](Self::to_svg); a class without a name shows its label.
    ///
    /// # Errors
    /// As [`plot`](Self::plot).
    ///
    /// # Examples
    /// ```
    /// use axonal::metrics::ConfusionMatrix;
    /// use axonal::ndarray::array;
    ///
    /// # fn main() -> axonal::Result<()> {
    /// # let path = std::env::temp_dir().join(format!("axonal-doc-confusion-names-{}.svg", std::process::id()));
    /// let matrix = ConfusionMatrix::new(&array![0, 0, 1, 2], &array![0, 1, 1, 2])?;
    /// matrix.plot_with_names(&path, &["setosa", "versicolor", "virginica"])?;
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn plot_with_names<S: AsRef<str>>(&self, path: impl AsRef<Path>, names: &[S]) -> Result<()> {
        let names: Vec<String> = self.labels().iter().map(|&label| class_name(label, names)).collect();
        save(&self.picture(&names), path.as_ref())
    }

    fn picture(&self, names: &[String]) -> Document {
        let n = names.len();
        let cell = (480.0 / n.max(1) as f64).clamp(22.0, 60.0);
        let longest = names.iter().map(|name| text_width(name, LABEL)).fold(0.0, f64::max);
        // Names wider than a column are rotated by 90 degrees.
        let upright = longest > cell - 6.0;
        let (left, top, size) = (52.0 + longest.max(26.0), 64.0, cell * n as f64);
        let below = if upright { longest + 12.0 } else { 18.0 };
        let accuracy = format!("accuracy {:.1} %", 100.0 * self.accuracy());
        let (width, height) = ((left + size + 28.0).max(260.0), top + size + below + 40.0);
        let (middle, title) = (left + size / 2.0, "confusion matrix");
        let side = format!("translate({} {}) rotate(-90)", 26, round(top + size / 2.0));
        let mut document = picture(width, height)
            .add(text(title, middle, 26.0, 14.0, "middle").set("font-weight", "bold"))
            .add(text(accuracy, middle, 46.0, 11.0, "middle").set("fill", PALE))
            .add(text("predicted", middle, top + size + below + 24.0, 12.0, "middle"))
            .add(text("true", 0.0, 0.0, 12.0, "middle").set("transform", side));
        for (index, name) in names.iter().enumerate() {
            let middle = cell * (index as f64 + 0.5);
            let under = if upright {
                let place =
                    format!("translate({} {}) rotate(-90)", round(left + middle + 4.0), top + size + 8.0);
                text(name, 0.0, 0.0, LABEL, "end").set("transform", place)
            } else {
                text(name, left + middle, top + size + 18.0, LABEL, "middle")
            };
            let beside = text(name, left - 9.0, top + middle + 4.0, LABEL, "end");
            document = document.add(under.set("fill", PALE)).add(beside.set("fill", PALE));
        }
        document.add(self.cells(left, top, cell))
    }

    fn cells(&self, left: f64, top: f64, cell: f64) -> Group {
        let shares = self.normalized(Normalize::True);
        let mut group = Group::new();
        for ((row, column), &count) in self.counts().indexed_iter() {
            let share = shares.get((row, column)).copied().filter(|share| share.is_finite()).unwrap_or(0.0);
            let (x, y) = (left + cell * column as f64, top + cell * row as f64);
            let square = Rectangle::new().set("x", round(x)).set("y", round(y)).set("width", round(cell));
            let square = square.set("height", round(cell)).set("stroke", "#d0d7de").set("stroke-width", 0.5);
            // Mistakes stand out in another color than hits.
            let deep = if row == column { [31.0, 119.0, 180.0] } else { [201.0, 53.0, 53.0] };
            group = group.add(square.set("fill", shade(deep, share.sqrt())));
            if count > 0 {
                let size = (cell * 0.38).clamp(8.0, 14.0);
                let number =
                    text(count.to_string(), x + cell / 2.0, y + cell / 2.0 + size * 0.36, size, "middle");
                group = group.add(if share > 0.3 { number.set("fill", "white") } else { number });
            }
        }
        group
    }
}

/// A color between white (0) and `deep` (1).
fn shade(deep: [f64; 3], share: f64) -> String {
    let [red, green, blue] = deep.map(|channel| (255.0 + (channel - 255.0) * share.clamp(0.0, 1.0)).round());
    format!("rgb({red},{green},{blue})")
}
