//! Guesses at why a gradient is wrong, from the way in which it is.

/// A gradient and what it should be, in whole or in a sample of its places.
pub(super) struct Symptoms<'a> {
    pub(super) got: &'a [f64],
    pub(super) want: &'a [f64],
    /// The array's shape, where `got` and `want` are the whole array.
    pub(super) dims: Option<&'a [usize]>,
    pub(super) batch: usize,
    /// What each sample alone adds, for parameters.
    pub(super) per_sample: &'a [Vec<f64>],
}

impl Symptoms<'_> {
    /// The likely cause.
    pub(super) fn cause(&self) -> String {
        let scale = self.want.iter().fold(0.0_f64, |scale, v| scale.max(v.abs()));
        let same = |got: &[f64], want: &[f64]| {
            got.iter().zip(want).all(|(g, w)| (g - w).abs() <= 1e-4 * scale.max(1e-9))
        };
        if self.got.iter().all(|&v| v == 0.0) {
            return "this gradient is never written; backward must add it (parameters) or assign it (the input)"
                .into();
        }
        if scale < 1e-9 {
            return "the output does not depend on this number, so its gradient is 0".into();
        }
        if let Some(ratio) = self.ratio()
            && let Some(cause) = self.of_ratio(ratio)
        {
            return cause;
        }
        let one_sample = |sample: &Vec<f64>| same(self.got, sample);
        if self.batch > 1 && self.per_sample.iter().any(one_sample) {
            return "the sum over the batch is missing: this is what a single sample adds".into();
        }
        if self.transposed().is_some_and(|want| same(self.got, &want)) {
            return "the gradient is transposed".into();
        }
        if self.permuted(scale) {
            return "the values are right but in the wrong positions (a wrong index, order or range)".into();
        }
        "backward does not differentiate what forward computes".into()
    }

    /// The common factor of all numbers, if there is one.
    fn ratio(&self) -> Option<f64> {
        let dot: f64 = self.got.iter().zip(self.want).map(|(g, w)| g * w).sum();
        let square: f64 = self.want.iter().map(|w| w * w).sum();
        let ratio = dot / square;
        let error: f64 = self.got.iter().zip(self.want).map(|(g, w)| (g - ratio * w).powi(2)).sum();
        (error.sqrt() <= 1e-4 * square.sqrt() * ratio.abs().max(0.1)).then_some(ratio)
    }

    #[allow(clippy::cast_precision_loss, reason = "a batch of a test is small")]
    fn of_ratio(&self, ratio: f64) -> Option<String> {
        let is = |value: f64| (ratio - value).abs() <= 1e-3 * value.abs();
        let batch = self.batch as f64;
        let cause = if is(-1.0) {
            "the sign is wrong"
        } else if is(0.5) {
            "a factor of two is missing"
        } else if is(2.0) {
            "a factor of two too much"
        } else if batch > 1.0 && is(1.0 / batch) {
            "divided by the batch size: the loss has done that, a layer sums over the batch"
        } else if batch > 1.0 && is(batch) {
            "multiplied by the batch size"
        } else if is(1.0) {
            return None;
        } else {
            return Some(format!("every number is {ratio:.4} times what it should be: a constant factor"));
        };
        Some(cause.into())
    }

    /// What should be there, with rows and columns changed for each other.
    fn transposed(&self) -> Option<Vec<f64>> {
        let &[rows, columns] = self.dims? else { return None };
        if rows < 2 || columns < 2 || rows * columns != self.want.len() {
            return None;
        }
        Some((0..rows * columns).map(|index| self.want[index % rows * columns + index / rows]).collect())
    }

    fn permuted(&self, scale: f64) -> bool {
        let sorted = |values: &[f64]| {
            let mut values = values.to_vec();
            values.sort_by(f64::total_cmp);
            values
        };
        let (got, want) = (sorted(self.got), sorted(self.want));
        self.dims.is_some() && got.iter().zip(&want).all(|(g, w)| (g - w).abs() <= 1e-4 * scale)
    }
}
