//! The table that Keras's `summary` prints.

use crate::float::Float;
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
    rows: Vec<[String; 3]>,
    built: bool,
    trainable: usize,
    frozen: usize,
    optimizer: usize,
    bytes: usize,
}

impl<F: Float> Model<F> {
    /// Returns the table of layers, output shapes and parameter counts. The layers of a model that is not
    /// [built](Self::is_built) have the output shape `?` and `0 (unbuilt)` parameters, as in Keras.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let row = |node: &crate::nn::layout::Node<F>| {
            let dims: Vec<String> = node.plan.output_shape().dims().iter().map(ToString::to_string).collect();
            let frozen = if node.trainable || node.params.is_empty() { "" } else { " (frozen)" };
            let shape =
                if dims.is_empty() { "(None)".into() } else { format!("(None, {})", dims.join(", ")) };
            [format!("{}{frozen}", node.name), shape, thousands(node.params.len() + node.state.len())]
        };
        let trainable = self.count_trainable_params();
        let rows = match self.unbuilt_layers() {
            Some(layers) => {
                let row = |name: String| [name, "?".into(), "0 (unbuilt)".into()];
                layers.layer_names().map(row).collect()
            }
            None => self.layout.nodes.iter().map(row).collect(),
        };
        Summary {
            rows,
            built: self.is_built(),
            trainable,
            frozen: self.count_params() - trainable,
            optimizer: self.optimizer_state.moments_len(),
            bytes: size_of::<F>(),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEAD: [&str; 3] = ["Layer", "Output Shape", "Param #"];
        const LEAST: [usize; 3] = [31, 22, 13];
        let mut widths = LEAST;
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let [a, b, c] = widths;
        let line = |left: &str, bar: &str, middle: &str, right: &str| {
            format!(
                "{left}{}{middle}{}{middle}{}{right}",
                bar.repeat(a + 2),
                bar.repeat(b + 2),
                bar.repeat(c + 2)
            )
        };
        if !self.built {
            writeln!(f, "unbuilt model: the first fit infers the input shape")?;
        }
        writeln!(f, "{}", line("┏", "━", "┳", "┓"))?;
        writeln!(f, "┃ {:<a$} ┃ {:<b$} ┃ {:>c$} ┃", HEAD[0], HEAD[1], HEAD[2])?;
        writeln!(f, "{}", line("┡", "━", "╇", "┩"))?;
        for (index, [name, shape, params]) in self.rows.iter().enumerate() {
            if index > 0 {
                writeln!(f, "{}", line("├", "─", "┼", "┤"))?;
            }
            writeln!(f, "│ {name:<a$} │ {shape:<b$} │ {params:>c$} │")?;
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
