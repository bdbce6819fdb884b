//! Adam and AdamW.
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers")]

use super::{LearningRate, Optimizer, Step, Tuned, at_least_zero, below_one, flushed, negligible};
use crate::error::Result;
use crate::float::Float;
use crate::nn::layer::Config;
use crate::simd::{Simd, WithSimd, vectorize};
use serde::{Deserialize, Serialize};

/// Adam: steps scaled by running estimates of the gradient's mean and square.
///
/// `m += (1 - β₁)(g - m)`, `v += (1 - β₂)(g² - v)`, `α = rate · √(1 - β₂ᵗ) / (1 - β₁ᵗ)`, `w -= α m / (√v + ε)`.
/// The ε is the paper's ε̂: it stands beside the square root of the *uncorrected* v, as in Keras and unlike
/// PyTorch.
///
/// # Parameters
/// By default the learning rate is 0.001, β₁ 0.9, β₂ 0.999, ε 1e-7. `amsgrad` (false): the divisor never shrinks;
/// it takes the largest uncorrected v so far.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let optimizer = Adam::new(0.01).beta_1(0.95);
/// # let _ = optimizer;
/// ```
///
/// # References
/// Kingma and Ba 2015, arXiv:1412.6980, section 2, last paragraph; Reddi, Kale and Kumar 2018, arXiv:1904.09237
/// (AMSGrad).
pub type Adam = Tuned<AdamRule<false>>;

/// [`Adam`] with decoupled weight decay from the start: 0.004, as in Keras.
///
/// # Parameters
/// As Adam's; [`weight_decay`](Tuned::weight_decay) sets another decay,
/// [`exclude_from_weight_decay`](Tuned::exclude_from_weight_decay) leaves weights out by name.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
/// let optimizer = AdamW::new(0.001).weight_decay(0.01).exclude_from_weight_decay(["bias"]);
/// # let _ = optimizer;
/// ```
///
/// # References
/// Loshchilov and Hutter 2019, arXiv:1711.05101.
pub type AdamW = Tuned<AdamRule<true>>;

/// The update rule of [`Adam`] and, `DECOUPLED` from its weight decay, of [`AdamW`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamRule<const DECOUPLED: bool> {
    beta_1: f64,
    beta_2: f64,
    epsilon: f64,
    #[serde(default)]
    amsgrad: bool,
}

impl<const DECOUPLED: bool> Default for AdamRule<DECOUPLED> {
    fn default() -> Self {
        Self { beta_1: 0.9, beta_2: 0.999, epsilon: 1e-7, amsgrad: false }
    }
}

impl Adam {
    /// Adam at a learning rate: a number, a schedule, or a closure of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        Tuned::of(AdamRule::default(), learning_rate)
    }
}

impl AdamW {
    /// AdamW at a learning rate: a number, a schedule, or a closure of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        Tuned::of(AdamRule::default(), learning_rate).weight_decay(0.004)
    }
}

impl<const DECOUPLED: bool> Tuned<AdamRule<DECOUPLED>> {
    /// The decay of the mean: 0 <= β₁ < 1.
    #[must_use]
    pub fn beta_1(mut self, beta_1: f64) -> Self {
        self.rule.beta_1 = beta_1;
        self
    }

    /// The decay of the mean square: 0 <= β₂ < 1.
    #[must_use]
    pub fn beta_2(mut self, beta_2: f64) -> Self {
        self.rule.beta_2 = beta_2;
        self
    }

    /// What keeps the divisor from 0.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.rule.epsilon = epsilon;
        self
    }

    /// Whether the divisor may only grow.
    #[must_use]
    pub fn amsgrad(mut self, amsgrad: bool) -> Self {
        self.rule.amsgrad = amsgrad;
        self
    }
}

impl Default for Adam {
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl Default for AdamW {
    fn default() -> Self {
        Self::new(0.001)
    }
}

impl<F: Float, const DECOUPLED: bool> Optimizer<F> for AdamRule<DECOUPLED> {
    fn kind(&self) -> &'static str {
        if DECOUPLED { "adamw" } else { "adam" }
    }

    fn moments(&self) -> Vec<f64> {
        vec![0.0; if self.amsgrad { 3 } else { 2 }]
    }

    fn elementwise(&self) -> bool {
        true
    }

    fn validate(&self) -> Result<()> {
        let owner = Optimizer::<F>::kind(self);
        below_one(owner, "beta_1", self.beta_1)?;
        below_one(owner, "beta_2", self.beta_2)?;
        at_least_zero(owner, "epsilon", self.epsilon)
    }

    fn update(&self, step: Step<'_, F>) {
        let t = step.time();
        let alpha = step.learning_rate * (1.0 - self.beta_2.powf(t)).sqrt() / (1.0 - self.beta_1.powf(t));
        let Step { params, grads, moments, .. } = step;
        let (alpha, epsilon) = (F::of(alpha), F::of(self.epsilon));
        let (mean_rate, square_rate) = (F::of(1.0 - self.beta_1), F::of(1.0 - self.beta_2));
        let (means, rest) = moments.split_at_mut(params.len());
        let (squares, largest) = rest.split_at_mut(params.len());
        if self.amsgrad {
            return vectorize(
                #[inline(always)]
                || {
                    let moments = means.iter_mut().zip(squares).zip(largest);
                    for ((w, &g), ((m, v), most)) in params.iter_mut().zip(grads).zip(moments) {
                        *m = flushed(*m + (g - *m) * mean_rate);
                        *v = flushed(*v + (g * g - *v) * square_rate);
                        *most = most.max(*v);
                        *w -= alpha * *m / (most.sqrt() + epsilon);
                    }
                },
            );
        }
        F::run_simd(Move { params, grads, means, squares, alpha, epsilon, mean_rate, square_rate });
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

/// What one step does to all parameters, in registers: the moments go on, and the parameters move along them.
struct Move<'a, F> {
    params: &'a mut [F],
    grads: &'a [F],
    means: &'a mut [F],
    squares: &'a mut [F],
    alpha: F,
    epsilon: F,
    mean_rate: F,
    square_rate: F,
}

impl<F: Float> WithSimd<F> for Move<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(self, simd: S) {
        let len = self.params.len();
        let whole = len - len % S::LANES;
        for start in (0..whole).step_by(S::LANES) {
            let places = [&mut *self.params, &mut *self.means, &mut *self.squares];
            let places = places.map(|all| (&raw mut all[start..start + S::LANES]).cast::<F>());
            // SAFETY: each place is the first of a register's numbers; the registers are there.
            unsafe { self.lanes(simd, (&raw const self.grads[start..start + S::LANES]).cast(), places) };
        }
        if whole < len {
            let mut rest = [[F::zero(); MOST_LANES]; 4];
            let all = [&*self.params, self.grads, &*self.means, &*self.squares];
            rest.iter_mut()
                .zip(all)
                .for_each(|(rest, all)| rest[..len - whole].copy_from_slice(&all[whole..]));
            let [params, grads, means, squares] = &mut rest;
            let places = [params, means, squares].map(|numbers| numbers.as_mut_ptr());
            // SAFETY: no register has more lanes.
            unsafe { self.lanes(simd, grads.as_ptr(), places) };
            self.params[whole..].copy_from_slice(&rest[0][..len - whole]);
            self.means[whole..].copy_from_slice(&rest[2][..len - whole]);
            self.squares[whole..].copy_from_slice(&rest[3][..len - whole]);
        }
    }
}

/// The numbers of the widest register.
const MOST_LANES: usize = 16;

impl<F: Float> Move<'_, F> {
    /// # Safety
    /// Places of a register's numbers each: gradients; parameters, means, squares.
    #[inline(always)]
    unsafe fn lanes<S: Simd<F>>(&self, simd: S, grads: *const F, [params, means, squares]: [*mut F; 3]) {
        // SAFETY: the caller's promise.
        unsafe {
            let tiny = simd.splat(negligible());
            let (g, m, v) = (simd.loadu(grads), simd.loadu(means), simd.loadu(squares));
            let m = simd.mul_add(simd.sub(g, m), simd.splat(self.mean_rate), m);
            let m = simd.flush_to_zero(m, tiny);
            // v - g² is what v comes down by, with the rate; it never comes below 0.
            let v = simd.neg_mul_add(simd.neg_mul_add(g, g, v), simd.splat(self.square_rate), v);
            let v = simd.select_lt(v, tiny, simd.zero(), v);
            let (alpha, epsilon) = (simd.splat(self.alpha), simd.splat(self.epsilon));
            simd.storeu(means, m);
            simd.storeu(squares, v);
            simd.storeu(params, simd.sub_mul_div_sqrt(simd.loadu(params), alpha, m, v, epsilon));
        }
    }
}
