//! Weight initializers, with Keras's names and defaults.
//!
//! All values are drawn in `f64` and rounded once, so that an `f32` and an `f64` model with the same seed start from
//! the same weights up to rounding.

mod orthogonal;

use crate::error::{Error, Result};
use crate::float::Float;
use crate::rng::Rng;
use crate::validate::shape_text;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The standard deviation of a standard normal distribution truncated at ±2.
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

/// A weight initializer.
///
/// # Parameters
/// Variance scaling draws with variance `scale`/n, where n is the fan-in (inputs of a unit), the fan-out (units that
/// read an input) or their mean. The fans of a kernel (…, in, out) are in and out times the product of the other
/// axes; both fans of a vector are its length.
///
/// # Errors
/// [`validate_for`](Self::validate_for) rejects parameters out of range and unsuitable shapes; a network calls it in
/// `compile`.
///
/// # Examples
/// ```
/// use axonal::layers::Initializer;
/// use axonal::rng::{Purpose, Rng};
///
/// let mut kernel = [0.0_f32; 12];
/// Initializer::GlorotUniform.fill(&[3, 4], &mut Rng::new(42, Purpose::Initialization, 0), &mut kernel);
/// let limit = (6.0_f32 / (3.0 + 4.0)).sqrt();
/// assert!(kernel.iter().all(|w| w.abs() <= limit));
///
/// assert_eq!("he_normal".parse::<Initializer>()?, Initializer::HeNormal);
/// # Ok::<(), axonal::Error>(())
/// ```
///
/// # References
/// Glorot and Bengio 2010; He et al. 2015, arXiv:1502.01852; LeCun et al. 1998; Saxe et al. 2014,
/// arXiv:1312.6120 (orthogonal).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Initializer {
    /// All 0.
    Zeros,
    /// All 1.
    Ones,
    /// All the same value.
    Constant(f64),
    /// Uniform on [`minval`, `maxval`); see [`Initializer::random_uniform`].
    RandomUniform {
        /// The lower bound.
        minval: f64,
        /// The upper bound.
        maxval: f64,
    },
    /// Normal; see [`Initializer::random_normal`].
    RandomNormal {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        stddev: f64,
    },
    /// Normal, truncated at two standard deviations; see [`Initializer::truncated_normal`].
    TruncatedNormal {
        /// The mean.
        mean: f64,
        /// The standard deviation before truncation.
        stddev: f64,
    },
    /// Variance scaling, with variance `scale`/n; see [`Initializer::variance_scaling`].
    VarianceScaling {
        /// The numerator of the variance.
        scale: f64,
        /// The fan n.
        mode: FanMode,
        /// The distribution.
        distribution: Distribution,
    },
    /// Uniform within ±√(6/(fan-in + fan-out)): the default of kernels.
    GlorotUniform,
    /// Truncated normal with variance 2/(fan-in + fan-out).
    GlorotNormal,
    /// Uniform within ±√(6/fan-in), for ReLU activations.
    HeUniform,
    /// Truncated normal with variance 2/fan-in, for ReLU activations.
    HeNormal,
    /// Uniform within ±√(3/fan-in), for SELU.
    LecunUniform,
    /// Truncated normal with variance 1/fan-in, for SELU.
    LecunNormal,
    /// `gain` times a random matrix with orthonormal columns, or rows if it is wide; see
    /// [`Initializer::orthogonal`].
    Orthogonal {
        /// The factor of the matrix.
        gain: f64,
    },
    /// `gain` on the diagonal, 0 elsewhere; see [`Initializer::identity`].
    Identity {
        /// The value on the diagonal.
        gain: f64,
    },
    /// The bias of an LSTM: 1 for the forget gates, the second quarter, and another initializer for the rest
    /// (Jozefowicz et al. 2015).
    UnitForget(Box<Initializer>),
}

/// The fan that [`Initializer::VarianceScaling`] divides the variance by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
#[allow(clippy::enum_variant_names, reason = "the names of Keras's modes")]
pub enum FanMode {
    /// Fan-in: the inputs of a unit.
    FanIn,
    /// Fan-out: the units that read an input.
    FanOut,
    /// The mean of fan-in and fan-out.
    FanAvg,
}

/// The distribution of [`Initializer::VarianceScaling`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Uniform around 0.
    Uniform,
    /// Normal, truncated at two standard deviations and scaled to the variance.
    TruncatedNormal,
    /// Normal.
    UntruncatedNormal,
}

impl Initializer {
    /// Creates a uniform initializer on [`minval`, `maxval`); Keras's default is ±0.05.
    #[must_use]
    pub fn random_uniform(minval: f64, maxval: f64) -> Self {
        Self::RandomUniform { minval, maxval }
    }

    /// Creates a normal initializer; Keras's default is mean 0 and standard deviation 0.05.
    #[must_use]
    pub fn random_normal(mean: f64, stddev: f64) -> Self {
        Self::RandomNormal { mean, stddev }
    }

    /// Creates a normal initializer truncated at two standard deviations; Keras's default is mean 0 and standard
    /// deviation 0.05.
    #[must_use]
    pub fn truncated_normal(mean: f64, stddev: f64) -> Self {
        Self::TruncatedNormal { mean, stddev }
    }

    /// Creates an initializer with variance `scale`/fan; Keras's default is 1, fan-in, truncated normal.
    #[must_use]
    pub fn variance_scaling(scale: f64, mode: FanMode, distribution: Distribution) -> Self {
        Self::VarianceScaling { scale, mode, distribution }
    }

    /// Creates an orthogonal initializer; Keras's default gain is 1.
    #[must_use]
    pub fn orthogonal(gain: f64) -> Self {
        Self::Orthogonal { gain }
    }

    /// Creates `gain` times the identity; Keras's default gain is 1.
    #[must_use]
    pub fn identity(gain: f64) -> Self {
        Self::Identity { gain }
    }

    /// Keras's name of the initializer, without parameters.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Zeros => "zeros",
            Self::Ones => "ones",
            Self::Constant(_) => "constant",
            Self::RandomUniform { .. } => "random_uniform",
            Self::RandomNormal { .. } => "random_normal",
            Self::TruncatedNormal { .. } => "truncated_normal",
            Self::VarianceScaling { .. } => "variance_scaling",
            Self::GlorotUniform => "glorot_uniform",
            Self::GlorotNormal => "glorot_normal",
            Self::HeUniform => "he_uniform",
            Self::HeNormal => "he_normal",
            Self::LecunUniform => "lecun_uniform",
            Self::LecunNormal => "lecun_normal",
            Self::Orthogonal { .. } => "orthogonal",
            Self::Identity { .. } => "identity",
            Self::UnitForget(_) => "unit_forget",
        }
    }

    /// The initializers that have a Keras name, with Keras's defaults.
    fn keras_defaults() -> [Self; 15] {
        [
            Self::Zeros,
            Self::Ones,
            Self::Constant(0.0),
            Self::random_uniform(-0.05, 0.05),
            Self::random_normal(0.0, 0.05),
            Self::truncated_normal(0.0, 0.05),
            Self::variance_scaling(1.0, FanMode::FanIn, Distribution::TruncatedNormal),
            Self::GlorotUniform,
            Self::GlorotNormal,
            Self::HeUniform,
            Self::HeNormal,
            Self::LecunUniform,
            Self::LecunNormal,
            Self::orthogonal(1.0),
            Self::identity(1.0),
        ]
    }

    /// Checks the ranges of the parameters.
    ///
    /// # Errors
    /// A parameter that is not finite, a negative standard deviation, a scale of at most 0, an empty interval.
    pub fn validate(&self) -> Result<()> {
        let finite =
            |name: &'static str, value: f64| self.check(name, value, value.is_finite(), "a finite number");
        match *self {
            Self::Constant(value) => finite("value", value),
            Self::RandomUniform { minval, maxval } => {
                finite("minval", minval)?;
                finite("maxval", maxval)?;
                self.check("maxval", maxval, maxval >= minval, "a number of at least minval")
            }
            Self::RandomNormal { mean, stddev } | Self::TruncatedNormal { mean, stddev } => {
                finite("mean", mean)?;
                let in_range = stddev.is_finite() && stddev >= 0.0;
                self.check("stddev", stddev, in_range, "a finite number of at least 0")
            }
            Self::VarianceScaling { scale, .. } => {
                self.check("scale", scale, scale.is_finite() && scale > 0.0, "a finite number above 0")
            }
            Self::Orthogonal { gain } | Self::Identity { gain } => finite("gain", gain),
            Self::UnitForget(ref rest) => rest.validate(),
            _ => Ok(()),
        }
    }

    /// Checks the ranges of the parameters, and that the initializer suits a weight of the given shape.
    ///
    /// # Errors
    /// As [`validate`](Self::validate); an orthogonal vector, an identity that is not a matrix.
    pub fn validate_for(&self, shape: &[usize]) -> Result<()> {
        self.validate()?;
        let (fits, expected) = match self {
            Self::Orthogonal { .. } => (shape.len() >= 2, "a weight of 2 axes or more"),
            Self::Identity { .. } => (shape.len() == 2, "a weight of 2 axes"),
            _ => return Ok(()),
        };
        let got = || format!("shape {}", shape_text(shape));
        if fits { Ok(()) } else { Err(Error::shape(format!("initializer {}", self.name()), expected, got())) }
    }

    fn check(&self, name: &'static str, value: f64, in_range: bool, expected: &'static str) -> Result<()> {
        if in_range { Ok(()) } else { Err(Error::invalid_parameter(self.name(), name, value, expected)) }
    }

    /// Fills a weight of the given shape with initial values.
    ///
    /// # Shapes
    /// `values`: row-major, with the elements of `shape`.
    pub fn fill<F: Float>(&self, shape: &[usize], rng: &mut Rng, values: &mut [F]) {
        let mut draw = |next: &mut dyn FnMut(&mut Rng) -> f64| {
            values.iter_mut().for_each(|value| *value = F::of(next(rng)));
        };
        match *self {
            Self::Zeros => values.fill(F::zero()),
            Self::Ones => values.fill(F::one()),
            Self::Constant(value) => values.fill(F::of(value)),
            Self::RandomUniform { minval, maxval } => {
                draw(&mut |rng| minval + (maxval - minval) * rng.uniform());
            }
            Self::RandomNormal { mean, stddev } => draw(&mut |rng| mean + stddev * rng.normal()),
            Self::TruncatedNormal { mean, stddev } => draw(&mut |rng| mean + stddev * truncated_normal(rng)),
            Self::Orthogonal { gain } => orthogonal::fill(gain, shape, rng, values),
            Self::Identity { gain } => identity(gain, shape, values),
            Self::UnitForget(ref rest) => {
                rest.fill(shape, rng, values);
                let quarter = values.len() / 4;
                values.iter_mut().skip(quarter).take(quarter).for_each(|value| *value = F::one());
            }
            _ => {
                let (scale, mode, distribution) = self.variance_scaling_params();
                let variance = scale / fan(shape, mode);
                match distribution {
                    Distribution::Uniform => {
                        let limit = (3.0 * variance).sqrt();
                        draw(&mut |rng| limit * (2.0 * rng.uniform() - 1.0));
                    }
                    Distribution::TruncatedNormal => {
                        let stddev = variance.sqrt() / TRUNCATED_DEVIATION;
                        draw(&mut |rng| stddev * truncated_normal(rng));
                    }
                    Distribution::UntruncatedNormal => draw(&mut |rng| variance.sqrt() * rng.normal()),
                }
            }
        }
    }

    /// The parameters of the variance scaling behind a name.
    fn variance_scaling_params(&self) -> (f64, FanMode, Distribution) {
        use Distribution::{TruncatedNormal, Uniform};
        match *self {
            Self::VarianceScaling { scale, mode, distribution } => (scale, mode, distribution),
            Self::GlorotNormal => (1.0, FanMode::FanAvg, TruncatedNormal),
            Self::HeUniform => (2.0, FanMode::FanIn, Uniform),
            Self::HeNormal => (2.0, FanMode::FanIn, TruncatedNormal),
            Self::LecunUniform => (1.0, FanMode::FanIn, Uniform),
            Self::LecunNormal => (1.0, FanMode::FanIn, TruncatedNormal),
            _ => (1.0, FanMode::FanAvg, Uniform),
        }
    }
}

/// The fan of a shape, at least 1.
#[allow(clippy::cast_precision_loss, reason = "sizes far beyond 2^53 do not fit in memory")]
fn fan(shape: &[usize], mode: FanMode) -> f64 {
    let (fan_in, fan_out) = match *shape {
        [] => (1.0, 1.0),
        [n] => (n as f64, n as f64),
        [ref receptive @ .., n_in, n_out] => {
            let field = receptive.iter().product::<usize>() as f64;
            (field * n_in as f64, field * n_out as f64)
        }
    };
    let fan = match mode {
        FanMode::FanIn => fan_in,
        FanMode::FanOut => fan_out,
        FanMode::FanAvg => f64::midpoint(fan_in, fan_out),
    };
    fan.max(1.0)
}

/// Draws from a standard normal distribution truncated at ±2.
fn truncated_normal(rng: &mut Rng) -> f64 {
    loop {
        let draw = rng.normal();
        if draw.abs() <= 2.0 {
            return draw;
        }
    }
}

/// Writes `gain` times the identity.
fn identity<F: Float>(gain: f64, shape: &[usize], values: &mut [F]) {
    values.fill(F::zero());
    let columns = shape.last().copied().unwrap_or(1);
    values.iter_mut().step_by(columns + 1).take(columns).for_each(|value| *value = F::of(gain));
}

/// Formats the name, with the parameters in parentheses.
impl fmt::Display for Initializer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::Constant(value) => write!(f, "{name}(value={value})"),
            Self::RandomUniform { minval, maxval } => write!(f, "{name}(minval={minval}, maxval={maxval})"),
            Self::RandomNormal { mean, stddev } | Self::TruncatedNormal { mean, stddev } => {
                write!(f, "{name}(mean={mean}, stddev={stddev})")
            }
            Self::VarianceScaling { scale, mode, distribution } => {
                write!(f, "{name}(scale={scale}, mode={mode:?}, distribution={distribution:?})")
            }
            Self::Orthogonal { gain } | Self::Identity { gain } => write!(f, "{name}(gain={gain})"),
            Self::UnitForget(rest) => write!(f, "{name}({rest})"),
            _ => f.write_str(name),
        }
    }
}

/// Parses Keras's name in any case, with Keras's defaults.
impl FromStr for Initializer {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let named = Self::keras_defaults();
        let known: Vec<&str> = named.iter().map(Self::name).collect();
        named
            .into_iter()
            .find(|initializer| initializer.name().eq_ignore_ascii_case(name))
            .ok_or_else(|| Error::unknown_name("initializer", name, known))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    fn filled(initializer: &Initializer, shape: &[usize]) -> Vec<f64> {
        let mut values = vec![f64::NAN; shape.iter().product()];
        initializer.validate_for(shape).unwrap();
        initializer.fill(shape, &mut Rng::new(3, Purpose::Initialization, 0), &mut values);
        values
    }

    fn standard_deviation(values: &[f64]) -> f64 {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    }

    #[test]
    fn standard_deviations_and_limits_are_those_of_keras() {
        let shape = [784, 128];
        let (fan_in, fan_avg) = (784.0_f64, f64::midpoint(784.0, 128.0));
        // A truncated normal of variance v extends to 2√v/0.8796, a uniform to √(3v).
        let truncation = 2.0 / TRUNCATED_DEVIATION;
        for (initializer, stddev, limit) in [
            (Initializer::GlorotUniform, (1.0 / fan_avg).sqrt(), (3.0 / fan_avg).sqrt()),
            (Initializer::GlorotNormal, (1.0 / fan_avg).sqrt(), truncation * (1.0 / fan_avg).sqrt()),
            (Initializer::HeUniform, (2.0 / fan_in).sqrt(), (6.0 / fan_in).sqrt()),
            (Initializer::HeNormal, (2.0 / fan_in).sqrt(), truncation * (2.0 / fan_in).sqrt()),
            (Initializer::LecunUniform, (1.0 / fan_in).sqrt(), (3.0 / fan_in).sqrt()),
            (Initializer::LecunNormal, (1.0 / fan_in).sqrt(), truncation * (1.0 / fan_in).sqrt()),
            (Initializer::random_uniform(-0.05, 0.05), 0.1 / 12.0_f64.sqrt(), 0.05),
            (Initializer::truncated_normal(0.0, 0.05), 0.05 * TRUNCATED_DEVIATION, 0.1),
        ] {
            let values = filled(&initializer, &shape);
            let largest = values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
            assert!(
                (standard_deviation(&values) / stddev - 1.0).abs() < 0.01,
                "{initializer}: {}",
                standard_deviation(&values)
            );
            assert!(largest <= limit && largest > 0.98 * limit, "{initializer}: {largest} of {limit}");
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            assert!(mean.abs() < 0.02 * stddev, "{initializer}: mean {mean}");
        }
        // Draws of this shape by Keras 3.15.1.
        let glorot = filled(&Initializer::GlorotUniform, &shape);
        assert!((standard_deviation(&glorot) - 0.04685).abs() < 5e-4);
        assert!((standard_deviation(&filled(&Initializer::HeNormal, &shape)) - 0.0503).abs() < 5e-4);
        assert!(
            (standard_deviation(&filled(&Initializer::random_normal(0.0, 0.05), &shape)) - 0.05).abs() < 5e-4
        );
    }

    #[test]
    fn fans_count_the_receptive_field() {
        assert_eq!(fan(&[3, 3, 16, 32], FanMode::FanIn), 144.0);
        assert_eq!(fan(&[3, 3, 16, 32], FanMode::FanOut), 288.0);
        assert_eq!(fan(&[20, 30], FanMode::FanAvg), 25.0);
        assert_eq!(fan(&[7], FanMode::FanIn), 7.0);
        assert_eq!(fan(&[0, 5], FanMode::FanIn), 1.0);
    }

    #[test]
    fn orthogonal_weights_have_orthonormal_columns_or_rows() {
        for shape in [vec![6, 4], vec![4, 6], vec![5, 5], vec![3, 2, 7], vec![1, 1]] {
            let q = filled(&Initializer::orthogonal(2.0), &shape);
            let columns = *shape.last().unwrap();
            let q = ndarray::Array2::from_shape_vec((q.len() / columns, columns), q).unwrap();
            let gram = if q.nrows() >= columns { q.t().dot(&q) } else { q.dot(&q.t()) };
            for ((row, column), &got) in gram.indexed_iter() {
                let want = if row == column { 4.0 } else { 0.0 };
                assert!((got - want).abs() < 1e-14, "{shape:?} at {row}, {column}: {got}");
            }
        }
    }

    #[test]
    fn constants_and_the_identity_are_exact() {
        assert_eq!(filled(&Initializer::Zeros, &[2, 2]), [0.0; 4]);
        assert_eq!(filled(&Initializer::Ones, &[2, 2]), [1.0; 4]);
        assert_eq!(filled(&Initializer::Constant(0.3), &[3]), [0.3; 3]);
        assert_eq!(filled(&Initializer::identity(2.0), &[2, 3]), [2.0, 0.0, 0.0, 0.0, 2.0, 0.0]);
        assert_eq!(filled(&Initializer::identity(1.0), &[3, 2]), [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn both_element_types_start_from_the_same_draws() {
        for initializer in Initializer::keras_defaults() {
            let mut single = vec![f32::NAN; 35];
            initializer.fill(&[5, 7], &mut Rng::new(3, Purpose::Initialization, 0), &mut single);
            let rounded: Vec<f32> = filled(&initializer, &[5, 7]).into_iter().map(|v| v as f32).collect();
            assert_eq!(single, rounded, "{initializer}");
        }
    }

    #[test]
    fn invalid_parameters_and_shapes_are_reported() {
        let message = |initializer: Initializer, shape: &[usize]| {
            initializer.validate_for(shape).unwrap_err().to_string()
        };
        assert_eq!(
            message(Initializer::variance_scaling(0.0, FanMode::FanIn, Distribution::Uniform), &[2, 2]),
            "variance_scaling: scale is 0, expected a finite number above 0"
        );
        assert_eq!(
            message(Initializer::Constant(f64::NAN), &[2]),
            "constant: value is NaN, expected a finite number"
        );
        assert!(message(Initializer::random_normal(0.0, -1.0), &[2]).contains("stddev is -1"));
        assert!(message(Initializer::random_uniform(1.0, 0.0), &[2]).contains("maxval is 0"));
        assert_eq!(
            message(Initializer::orthogonal(1.0), &[4]),
            "initializer orthogonal: expected a weight of 2 axes or more, got shape (4)"
        );
        assert!(message(Initializer::identity(1.0), &[2, 2, 2]).contains("2 axes"));
    }

    #[test]
    fn names_and_serialization_round_trip() {
        for initializer in Initializer::keras_defaults() {
            assert_eq!(initializer.name().to_uppercase().parse::<Initializer>().unwrap(), initializer);
            let text = serde_json::to_string(&initializer).unwrap();
            assert_eq!(serde_json::from_str::<Initializer>(&text).unwrap(), initializer, "{text}");
        }
        let error = "gloro_uniform".parse::<Initializer>().unwrap_err().to_string();
        assert!(error.starts_with("unknown initializer \"gloro_uniform\"; known: zeros, ones"), "{error}");
    }
}
