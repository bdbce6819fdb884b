//! The table that Keras's `summary` prints.

use crate::float::Float;
use crate::nn::layer::Shape;
use crate::nn::layout::{NetworkInput, PlannedLayer, Source};
use crate::nn::model::Model;
use std::fmt;

/// Keras's table of layers, output shapes and parameter counts; formatted by `Display`.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let model: Model<f32> =
///     Sequential::new(4).add(Dense::new(3)).compile(Sgd::default(), MeanSquaredError::default())?;
/// let text = model.summary().to_string();
/// assert!(text.contains("0.dense") && text.contains("(None, 3)") && text.contains("Total params: 15 (60.00 B)"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Name, output shape, parameters, and for a graph what the layer is applied to.
    rows: Vec<[String; 4]>,
    is_chain: bool,
    built: bool,
    trainable: usize,
    frozen: usize,
    optimizer: usize,
    bytes: usize,
}

impl<F: Float> Model<F> {
    /// Returns the table of layers, output shapes and parameter counts. For a [`Graph`](crate::models::Graph) the table also
    /// has the inputs, and a column "Connected to".
    /// The layers of a model that is not [built](Self::is_built) have the output shape `?` and `0 (unbuilt)` parameters, as in
    /// Keras.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let layout = &self.layout;
        let source = |source: &Source| match *source {
            Source::Input(index) => layout.inputs[index].name.clone(),
            Source::Node(index) => layout.nodes[index].name.clone(),
        };
        let row = |node: &PlannedLayer<F>| {
            let frozen = if node.trainable || node.params.is_empty() { "" } else { " (frozen)" };
            // As in Keras, shared weights are counted where they are used first.
            let (n_params, shared) = match node.shares {
                Some(first) => (0, format!(" (weights of {})", layout.nodes[first].name)),
                None => (node.params.len() + node.state.len(), String::new()),
            };
            let connected: Vec<String> = node.inputs.iter().map(source).collect();
            [
                format!("{}{frozen}{shared}", node.name),
                batch_shape(node.plan.output_shape()),
                thousands(n_params),
                connected.join(", "),
            ]
        };
        let input =
            |input: &NetworkInput| [input.name.clone(), batch_shape(&input.shape), "0".into(), "-".into()];
        let inputs = layout.inputs.iter().filter(|_| !layout.is_chain).map(input);
        let trainable = self.count_trainable_params();
        let rows = match self.unbuilt_layers() {
            Some(layers) => {
                let row = |name: String| [name, "?".into(), "0 (unbuilt)".into(), String::new()];
                layers.layer_names().map(row).collect()
            }
            None => inputs.chain(layout.nodes.iter().map(row)).collect(),
        };
        Summary {
            rows,
            is_chain: layout.is_chain,
            built: self.is_built(),
            trainable,
            frozen: self.count_params() - trainable,
            optimizer: self.optimizer_state.moments_len(),
            bytes: size_of::<F>(),
        }
    }
}

/// The shape of a batch: "(None, 3)".
pub(crate) fn batch_shape(sample: &Shape) -> String {
    let dims = sample.dims().iter().map(|dim| format!(", {dim}"));
    match sample.dims() {
        [] => "(None)".into(),
        _ => format!("(None{})", dims.collect::<String>()),
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEAD: [&str; 4] = ["Layer", "Output Shape", "Param #", "Connected to"];
        let (columns, least) = if self.is_chain { (3, [31, 22, 13, 0]) } else { (4, [24, 20, 11, 20]) };
        let mut widths = least;
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let widths = &widths[..columns];
        let line = |left: &str, bar: &str, middle: &str, right: &str| {
            let bars: Vec<String> = widths.iter().map(|width| bar.repeat(width + 2)).collect();
            format!("{left}{}{right}", bars.join(middle))
        };
        let cells = |row: [&str; 4], bar: &str| {
            let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, &width))| match column {
                2 => format!(" {cell:>width$} "),
                _ => format!(" {cell:<width$} "),
            });
            format!("{bar}{}{bar}", cells.collect::<Vec<_>>().join(bar))
        };
        if !self.built {
            writeln!(f, "unbuilt model: the first fit infers the input shape")?;
        }
        writeln!(f, "{}", line("┏", "━", "┳", "┓"))?;
        writeln!(f, "{}", cells(HEAD, "┃"))?;
        writeln!(f, "{}", line("┡", "━", "╇", "┩"))?;
        for (index, [name, shape, params, connected]) in self.rows.iter().enumerate() {
            if index > 0 {
                writeln!(f, "{}", line("├", "─", "┼", "┤"))?;
            }
            writeln!(f, "{}", cells([name, shape, params, connected], "│"))?;
        }
        writeln!(f, "{}", line("└", "─", "┴", "┘"))?;
        let total = |label: &str, count: usize| {
            format!(" {label} params: {} ({})", thousands(count), size_text(count.saturating_mul(self.bytes)))
        };
        writeln!(f, "{}", total("Total", self.trainable + self.frozen))?;
        writeln!(f, "{}", total("Trainable", self.trainable))?;
        writeln!(f, "{}", total("Non-trainable", self.frozen))?;
        write!(f, "{}", total("Optimizer", self.optimizer))
    }
}

/// Formats 1234567 as "1,234,567".
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a number of bytes in the largest unit in which it is at least 1.
#[allow(clippy::cast_precision_loss, reason = "two decimals are shown")]
fn size_text(bytes: usize) -> String {
    let mut size = bytes as f64;
    let mut unit = "B";
    for larger in ["KB", "MB", "GB", "TB"] {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = larger;
    }
    format!("{size:.2} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_sizes_are_formatted_as_in_keras() {
        assert_eq!(
            [0, 999, 1000, 50_890, 1_234_567].map(thousands),
            ["0", "999", "1,000", "50,890", "1,234,567"]
        );
        assert_eq!(size_text(152_672 * 4), "596.38 KB");
        assert_eq!(size_text(0), "0.00 B");
    }
}
