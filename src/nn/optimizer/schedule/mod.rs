//! The learning rate: a constant, a schedule over the steps, or any function of the step.

mod cosine;
mod decay;

pub use cosine::{CosineDecay, CosineDecayRestarts};
pub use decay::{ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay};

use super::checks::check_non_negative;
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The learning rate of each step.
///
/// It is converted from a number, a schedule, or a function of the step, so that every optimizer accepts any of them:
/// `Adam::new(0.01)`, `Adam::new(CosineDecay::new(0.01, 1000))`, `Adam::new(|step: u64| 0.1 / (step + 1) as f64)`.
/// Steps are counted from 0.
///
/// # Errors
/// [`validate`](Self::validate) rejects rates that are negative or not finite; a network calls it in `compile`.
///
/// # Examples
/// ```
/// use axonal::schedules::{ExponentialDecay, LearningRate};
///
/// let halved_every_ten = LearningRate::from(ExponentialDecay::new(0.1, 10, 0.5).staircase(true));
/// assert_eq!([0, 9, 10, 20].map(|step| halved_every_ten.at(step)), [0.1, 0.1, 0.05, 0.025]);
///
/// let own = LearningRate::from(|step: u64| if step < 5 { 0.1 } else { 0.01 });
/// assert_eq!(own.at(7), 0.01);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum LearningRate {
    /// The same rate at every step.
    Constant(f64),
    /// Exponential decay.
    ExponentialDecay(ExponentialDecay),
    /// Inverse time decay.
    InverseTimeDecay(InverseTimeDecay),
    /// Polynomial decay to an end rate.
    PolynomialDecay(PolynomialDecay),
    /// Piecewise constant.
    PiecewiseConstantDecay(PiecewiseConstantDecay),
    /// Cosine decay.
    CosineDecay(CosineDecay),
    /// Cosine decay with warm restarts.
    CosineDecayRestarts(CosineDecayRestarts),
    /// Another learning rate, multiplied by a factor.
    Scaled(Box<LearningRate>, f64),
    /// Any function of the step. It cannot be saved.
    #[serde(skip)]
    Function(RateFunction),
}

/// A function from the step to the learning rate, as [`LearningRate`] holds it.
#[derive(Clone)]
pub struct RateFunction(Arc<dyn Fn(u64) -> f64 + Send + Sync>);

impl fmt::Debug for RateFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a function of the step")
    }
}

/// Two functions are equal if they are the same allocation.
impl PartialEq for RateFunction {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl LearningRate {
    /// The learning rate of a step, counted from 0.
    #[must_use]
    pub fn at(&self, step: u64) -> f64 {
        match self {
            Self::Constant(rate) => *rate,
            Self::ExponentialDecay(schedule) => schedule.at(step),
            Self::InverseTimeDecay(schedule) => schedule.at(step),
            Self::PolynomialDecay(schedule) => schedule.at(step),
            Self::PiecewiseConstantDecay(schedule) => schedule.at(step),
            Self::CosineDecay(schedule) => schedule.at(step),
            Self::CosineDecayRestarts(schedule) => schedule.at(step),
            Self::Scaled(rate, factor) => rate.at(step) * factor,
            Self::Function(function) => (function.0)(step),
        }
    }

    /// Whether the rate is [`Constant`](Self::Constant). Callbacks can set only a constant learning rate.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }

    /// Checks that rates are finite and not negative, and that no schedule divides by 0.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`](crate::Error::InvalidParameter); `owner` is the optimizer.
    pub fn validate(&self, owner: &str) -> Result<()> {
        match self {
            Self::Constant(rate) => check_non_negative(owner, "learning_rate", *rate),
            Self::ExponentialDecay(schedule) => schedule.validate(owner),
            Self::InverseTimeDecay(schedule) => schedule.validate(owner),
            Self::PolynomialDecay(schedule) => schedule.validate(owner),
            Self::PiecewiseConstantDecay(schedule) => schedule.validate(owner),
            Self::CosineDecay(schedule) => schedule.validate(owner),
            Self::CosineDecayRestarts(schedule) => schedule.validate(owner),
            Self::Scaled(rate, factor) => {
                check_non_negative(owner, "factor of the learning rate", *factor)?;
                rate.validate(owner)
            }
            Self::Function(function) => check_non_negative(owner, "learning_rate", (function.0)(0)),
        }
    }

    /// Multiplies the rate of every step by a factor.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Constant(rate) => Self::Constant(rate * factor),
            Self::Scaled(rate, earlier) => Self::Scaled(rate, earlier * factor),
            schedule => Self::Scaled(Box::new(schedule), factor),
        }
    }

    /// The factor of a scaled schedule, else 1.
    pub(crate) fn factor(&self) -> f64 {
        if let Self::Scaled(_, factor) = self { *factor } else { 1.0 }
    }
}

impl From<f64> for LearningRate {
    fn from(rate: f64) -> Self {
        Self::Constant(rate)
    }
}

impl<S: Fn(u64) -> f64 + Send + Sync + 'static> From<S> for LearningRate {
    fn from(function: S) -> Self {
        Self::Function(RateFunction(Arc::new(function)))
    }
}

macro_rules! from_schedule {
    ($($schedule:ident)*) => {$(
        impl From<$schedule> for LearningRate {
            fn from(schedule: $schedule) -> Self {
                Self::$schedule(schedule)
            }
        }
    )*};
}
from_schedule!(ExponentialDecay InverseTimeDecay PolynomialDecay PiecewiseConstantDecay CosineDecay CosineDecayRestarts);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// Creates a schedule from the names and arguments of Keras's `get_config`.
    fn from_keras(config: &Value) -> LearningRate {
        let number = |key: &str| config[key].as_f64().unwrap();
        let steps = |key: &str| config[key].as_u64().unwrap();
        let initial = || number("initial_learning_rate");
        match config["name"].as_str().unwrap() {
            "ExponentialDecay" => {
                ExponentialDecay::new(initial(), steps("decay_steps"), number("decay_rate"))
                    .staircase(config["staircase"].as_bool().unwrap())
                    .into()
            }
            "InverseTimeDecay" => {
                InverseTimeDecay::new(initial(), steps("decay_steps"), number("decay_rate"))
                    .staircase(config["staircase"].as_bool().unwrap())
                    .into()
            }
            "PolynomialDecay" => PolynomialDecay::new(initial(), steps("decay_steps"))
                .end_learning_rate(number("end_learning_rate"))
                .power(number("power"))
                .cycle(config["cycle"].as_bool().unwrap())
                .into(),
            "CosineDecay" => {
                let schedule = CosineDecay::new(initial(), steps("decay_steps")).alpha(number("alpha"));
                match config["warmup_target"].as_f64() {
                    Some(target) => schedule.warmup(target, steps("warmup_steps")).into(),
                    None => schedule.into(),
                }
            }
            "SGDRDecay" => CosineDecayRestarts::new(initial(), steps("first_decay_steps"))
                .t_mul(number("t_mul"))
                .m_mul(number("m_mul"))
                .alpha(number("alpha"))
                .into(),
            "PiecewiseConstant" => {
                let list = |key: &str| config[key].as_array().unwrap().clone();
                let boundaries = list("boundaries").into_iter().map(|v| v.as_u64().unwrap());
                let values = list("values").into_iter().map(|v| v.as_f64().unwrap());
                PiecewiseConstantDecay::new(boundaries, values).into()
            }
            name => panic!("{name}"),
        }
    }

    #[test]
    fn all_schedules_match_keras_at_every_step() {
        let golden = include_str!("../../../../tests/parity/keras/golden.json");
        let golden: Value = serde_json::from_str(golden).unwrap();
        for (name, case) in golden["schedules"].as_object().unwrap() {
            let schedule = from_keras(&case["config"]);
            schedule.validate("adam").unwrap();
            for (step, want) in case["lr_at"].as_object().unwrap() {
                let (got, want) = (schedule.at(step.parse().unwrap()), want.as_f64().unwrap());
                assert!((got - want).abs() <= 1e-7, "{name} at {step}: {got}, want {want}");
            }
            let text = serde_json::to_string(&schedule).unwrap();
            assert_eq!(serde_json::from_str::<LearningRate>(&text).unwrap(), schedule, "{text}");
        }
    }

    #[test]
    fn a_boundary_belongs_to_the_piece_before_it() {
        let schedule =
            LearningRate::from(PiecewiseConstantDecay::new([100, 110, 120], [1.0, 0.1, 0.01, 0.001]));
        let rates = [0, 100, 105, 110, 120, 999].map(|step| schedule.at(step));
        assert_eq!(rates, [1.0, 1.0, 0.1, 0.1, 0.01, 0.001]);
    }

    #[test]
    fn restarts_of_equal_length_begin_at_each_period() {
        let schedule = CosineDecayRestarts::new(1.0, 10).t_mul(1.0).m_mul(0.5);
        for period in 0..5 {
            let got = schedule.at(10 * period);
            assert!((got - 0.5_f64.powi(period as i32)).abs() < 1e-12, "period {period}: {got}");
        }
        // The lengths 10, 20, 40 add up without rounding away a step.
        let doubling = CosineDecayRestarts::new(1.0, 10);
        for start in [0, 10, 30, 70, 150, 310, 630] {
            assert!((doubling.at(start) - 1.0).abs() < 1e-9, "{start}: {}", doubling.at(start));
        }
    }

    #[test]
    fn functions_are_schedules_that_cannot_be_saved() {
        let rate = LearningRate::from(|step: u64| 1.0 / (step + 1) as f64);
        assert_eq!((rate.at(0), rate.at(3)), (1.0, 0.25));
        assert!(!rate.is_constant() && LearningRate::from(0.1).is_constant());
        assert!(serde_json::to_string(&rate).is_err());
        assert_eq!(rate.clone(), rate);
    }

    #[test]
    fn a_scaled_rate_is_a_multiple_at_every_step() {
        assert_eq!(LearningRate::from(0.5).scaled(0.5), LearningRate::Constant(0.25));
        let schedule = LearningRate::from(PiecewiseConstantDecay::new([10], [1.0, 0.5]));
        let halved_twice = schedule.clone().scaled(0.5).scaled(0.5);
        assert_eq!([0, 11].map(|step| halved_twice.at(step)), [0.25, 0.125]);
        assert_eq!((halved_twice.factor(), schedule.factor()), (0.25, 1.0));
        let text = serde_json::to_string(&halved_twice).unwrap();
        assert_eq!(serde_json::from_str::<LearningRate>(&text).unwrap(), halved_twice);
        assert!(schedule.scaled(-1.0).validate("adam").unwrap_err().to_string().contains("is -1"));
    }

    #[test]
    fn rates_out_of_range_are_errors() {
        let message = |rate: LearningRate| rate.validate("adam").unwrap_err().to_string();
        assert_eq!(
            message(f64::NAN.into()),
            "adam: learning_rate is NaN, expected a finite number of at least 0"
        );
        assert_eq!(
            message(CosineDecay::new(0.1, 0).into()),
            "adam, CosineDecay: decay_steps is 0, expected at least 1"
        );
        assert!(message((|_: u64| -1.0).into()).contains("learning_rate is -1"));
        assert!(
            message(ExponentialDecay::new(f64::INFINITY, 1, 0.5).into())
                .contains("initial_learning_rate is inf")
        );
        assert!(message(InverseTimeDecay::new(0.1, 1, -0.5).into()).contains("decay_rate is -0.5"));
        assert!(message(PolynomialDecay::new(0.1, 1).power(f64::NAN).into()).contains("power is NaN"));
        assert!(message(CosineDecayRestarts::new(0.1, 5).t_mul(0.5).into()).contains("t_mul is 0.5"));
        assert!(message(CosineDecay::new(0.1, 5).warmup(-1.0, 2).into()).contains("warmup_target is -1"));
        assert_eq!(
            message(PiecewiseConstantDecay::new([5, 3], [0.1, 0.2, 0.3]).into()),
            "adam, PiecewiseConstantDecay: boundaries is [5, 3], expected increasing steps"
        );
        assert!(
            message(PiecewiseConstantDecay::new([5], [0.1]).into()).contains("2 (one more than boundaries)")
        );
    }
}
