//! What a checker found wrong.

use std::fmt;

/// What a checker found wrong: who, which quantity and where, both numbers, and the likely cause.
///
/// Its `Debug` is its message, so that `check_layer(&layer, 4).unwrap()` in a test prints it as it is.
#[derive(Clone, PartialEq)]
pub struct CheckFailure(Box<Details>);

#[derive(Clone, PartialEq)]
struct Details {
    subject: String,
    quantity: String,
    index: Option<Vec<usize>>,
    problem: String,
    numbers: Option<(f64, f64)>,
    cause: String,
}

/// How many positions of a mask a message shows.
const MOST_POSITIONS: usize = 120;

impl CheckFailure {
    pub(super) fn new(
        subject: impl Into<String>,
        quantity: impl Into<String>,
        problem: impl Into<String>,
    ) -> Self {
        Self(Box::new(Details {
            subject: subject.into(),
            quantity: quantity.into(),
            index: None,
            problem: problem.into(),
            numbers: None,
            cause: String::new(),
        }))
    }

    pub(super) fn at(mut self, index: Vec<usize>) -> Self {
        self.0.index = Some(index);
        self
    }

    /// What came and what was expected.
    pub(super) fn numbers(mut self, got: f64, expected: f64) -> Self {
        self.0.numbers = Some((got, expected));
        self
    }

    pub(super) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.0.cause = cause.into();
        self
    }

    /// Adds the mask that it was found under: what it says of each position, a row per sample.
    pub(super) fn under_mask(mut self, valid: &[bool], positions: usize) -> Self {
        let mut rows: Vec<String> = valid
            .chunks(positions.max(1))
            .map(|row| row.iter().map(|&valid| if valid { '1' } else { '0' }).collect())
            .collect();
        let shown = (MOST_POSITIONS / positions.max(1)).max(1);
        if rows.len() > shown {
            rows.truncate(shown);
            rows.push("…".into());
        }
        for row in rows.iter_mut().filter(|row| row.len() > MOST_POSITIONS) {
            row.truncate(MOST_POSITIONS);
            row.push('…');
        }
        self.0.problem += &format!(" under the mask [{}] (a row per sample, 0 is padding)", rows.join(", "));
        self
    }

    /// What was checked: the layer's kind.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.0.subject
    }

    /// What is wrong: `the gradient toward parameter "kernel"`.
    #[must_use]
    pub fn quantity(&self) -> &str {
        &self.0.quantity
    }

    /// Where in the quantity, with the batch axis first where it has one.
    #[must_use]
    pub fn index(&self) -> Option<&[usize]> {
        self.0.index.as_deref()
    }

    /// The number that came.
    #[must_use]
    pub fn got(&self) -> Option<f64> {
        self.0.numbers.map(|numbers| numbers.0)
    }

    /// The number that was expected.
    #[must_use]
    pub fn expected(&self) -> Option<f64> {
        self.0.numbers.map(|numbers| numbers.1)
    }

    /// Their difference over the larger of them.
    #[must_use]
    pub fn relative_error(&self) -> Option<f64> {
        self.0.numbers.map(|(got, want)| relative_error(got, want))
    }

    /// The likely cause.
    #[must_use]
    pub fn likely_cause(&self) -> &str {
        &self.0.cause
    }
}

/// The difference over the larger of two numbers.
fn relative_error(got: f64, want: f64) -> f64 {
    if got == want { 0.0 } else { (got - want).abs() / got.abs().max(want.abs()) }
}

impl fmt::Display for CheckFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Details { subject, quantity, index, problem, numbers, cause } = &*self.0;
        write!(f, "{subject}: {quantity}")?;
        if let Some(index) = index {
            write!(f, " at {index:?}")?;
        }
        write!(f, " {problem}")?;
        if let Some((got, want)) = numbers {
            let error = relative_error(*got, *want);
            write!(f, ": expected {want:.9e}, got {got:.9e} (relative error {error:.2e})")?;
        }
        if !cause.is_empty() {
            write!(f, "; likely cause: {cause}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for CheckFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for CheckFailure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_under_a_mask_shows_the_mask() {
        let failure = || CheckFailure::new("example.mean", "the output y", "is NaN");
        let mask = [true, false, true, false, false, false];
        assert_eq!(
            failure().at(vec![1, 0]).under_mask(&mask, 3).to_string(),
            "example.mean: the output y at [1, 0] is NaN under the mask [101, 000] (a row per sample, 0 is padding)"
        );
        let long = failure().under_mask(&[true; 1000], 500).to_string();
        assert!(long.contains(&format!("[{}…, …]", "1".repeat(120))), "{long}");
        assert!(failure().under_mask(&[], 0).to_string().contains("under the mask []"));
    }
}
