use crate::error::{Error, Result};
use crate::float::Float;
use ndarray::{Array, Array1, Array2, Axis, Dimension};

/// What an estimator's `predict` answers with, read as classes or as values.
pub trait Answers {
    /// The class of each sample: numbers as they are; of several columns the one with the highest number (the first
    /// of equals); of one column, whether it is above ½.
    ///
    /// # Errors
    /// Answers of more than two axes.
    fn classes(&self) -> Result<Array1<usize>>;

    /// How many classes [`classes`](Self::classes) chooses from, where the answers say so: one for each of several
    /// columns, 2 for one column.
    fn n_classes(&self) -> Option<usize> {
        None
    }

    /// The value for each sample.
    ///
    /// # Errors
    /// Answers with more than one number for a sample.
    fn values(&self) -> Result<Array1<f64>>;

    /// The probability of each class, (samples, classes): several columns as they are; of one column p, the columns
    /// 1 − p and p.
    ///
    /// # Errors
    /// Answers that are not probabilities: class numbers, values outside 0 to 1, rows whose sum is not 1.
    fn probabilities(&self) -> Result<Array2<f64>> {
        Err(Error::shape("predictions", "a probability for each class", "class numbers"))
    }
}

impl<F: Float, D: Dimension> Answers for Array<F, D> {
    fn classes(&self) -> Result<Array1<usize>> {
        let answers = self.view().into_dyn();
        match self.shape() {
            &[_] | &[_, 1] => Ok(answers.iter().map(|value| usize::from(value.as_f64() > 0.5)).collect()),
            [_, _] => Ok(answers.axis_iter(Axis(0)).map(|row| argmax(row.iter().copied())).collect()),
            shape => {
                Err(Error::shape("predictions", "one row for each sample", format!("{} axes", shape.len())))
            }
        }
    }

    fn n_classes(&self) -> Option<usize> {
        match *self.shape() {
            [_] | [_, 1] => Some(2),
            [_, columns] => Some(columns),
            _ => None,
        }
    }

    fn values(&self) -> Result<Array1<f64>> {
        let n_samples = self.shape().first().copied().unwrap_or(1);
        if self.len() != n_samples {
            let got = format!("{} for {n_samples}", self.len());
            return Err(Error::shape("predictions", "one value for each sample", got));
        }
        Ok(self.iter().map(|value| value.as_f64()).collect())
    }

    fn probabilities(&self) -> Result<Array2<f64>> {
        let refused = |row: usize, got: String| {
            let expected =
                "probabilities from 0 to 1 that sum to 1; end the network with a softmax or sigmoid";
            Error::shape(format!("predictions, row {row}"), expected, got)
        };
        let columns = match *self.shape() {
            [_] => 1,
            [_, columns] => columns,
            _ => return Err(Error::shape("predictions", "one row for each sample", "more axes")),
        };
        let values: Vec<f64> = self.iter().map(|value| value.as_f64()).collect();
        let mut probabilities = Array2::zeros((values.len() / columns.max(1), columns.max(2)));
        for (row, (values, mut out)) in
            values.chunks(columns.max(1)).zip(probabilities.rows_mut()).enumerate()
        {
            if let Some(value) = values.iter().find(|value| !(0.0..=1.0).contains(*value)) {
                return Err(refused(row, value.to_string()));
            }
            if let [p] = *values {
                out.assign(&ndarray::arr1(&[1.0 - p, p]));
                continue;
            }
            let sum: f64 = values.iter().sum();
            if (sum - 1.0).abs() > 1e-3 {
                return Err(refused(row, format!("a sum of {sum}")));
            }
            out.iter_mut().zip(values).for_each(|(slot, value)| *slot = *value);
        }
        Ok(probabilities)
    }
}

impl<D: Dimension> Answers for Array<usize, D> {
    fn classes(&self) -> Result<Array1<usize>> {
        Ok(self.iter().copied().collect())
    }

    #[allow(clippy::cast_precision_loss, reason = "a class number")]
    fn values(&self) -> Result<Array1<f64>> {
        Ok(self.iter().map(|&class| class as f64).collect())
    }
}

/// The index of the highest number, the first of equals.
fn argmax<F: Float>(row: impl Iterator<Item = F>) -> usize {
    let better = |best: (usize, F), (column, value)| if value > best.1 { (column, value) } else { best };
    row.enumerate().fold((0, F::neg_infinity()), better).0
}
