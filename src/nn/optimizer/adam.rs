//! Adam and AdamW.
#![allow(unsafe_code, reason = "registers are loaded and stored through pointers")]

use super::checks::{check_decay_rate, check_non_negative};
use super::flush::{flush_threshold, flush_to_zero};
use super::rule::{Step, UpdateRule};
use super::rule_optimizer::RuleOptimizer;
use super::schedule::LearningRate;
use crate::error::Result;
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::nn::layer::Config;
use crate::simd::{Simd, WithSimd, vectorize};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Adam: adaptive estimates of the gradient's first and second moments.
///
/// `m += (1 - β₁)(g - m)`, `v += (1 - β₂)(g² - v)`, `α = rate · √(1 - β₂ᵗ) / (1 - β₁ᵗ)`, `w -= α m / (√v + ε)`.
/// ε is the paper's ε̂: it is added to the square root of the *uncorrected* v, as in Keras and unlike PyTorch.
///
/// # Parameters
/// Defaults: learning rate 0.001, β₁ 0.9, β₂ 0.999, ε 1e-7, `amsgrad` false. With `amsgrad`, v in the divisor is the
/// maximum of all uncorrected v so far.
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
pub type Adam = RuleOptimizer<AdamRule<false>>;

/// AdamW: [`Adam`] with decoupled weight decay, by default 0.004 as in Keras.
///
/// # Parameters
/// Those of Adam; [`weight_decay`](RuleOptimizer::weight_decay) sets the decay, and
/// [`exclude_from_weight_decay`](RuleOptimizer::exclude_from_weight_decay) excludes weights by name.
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
pub type AdamW = RuleOptimizer<AdamRule<true>>;

/// The update rule of [`Adam`] and, with `DECOUPLED`, of [`AdamW`]: the same formula under another kind.
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
    /// Creates Adam with a learning rate: a number, a schedule, or a function of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        RuleOptimizer::from_rule(AdamRule::default(), learning_rate)
    }
}

impl AdamW {
    /// Creates AdamW with a learning rate: a number, a schedule, or a function of the step.
    pub fn new(learning_rate: impl Into<LearningRate>) -> Self {
        RuleOptimizer::from_rule(AdamRule::default(), learning_rate).weight_decay(0.004)
    }
}

impl<const DECOUPLED: bool> RuleOptimizer<AdamRule<DECOUPLED>> {
    /// Sets β₁, the decay rate of the first moment: `0 <= β₁ < 1`.
    #[must_use]
    pub fn beta_1(mut self, beta_1: f64) -> Self {
        self.rule.beta_1 = beta_1;
        self
    }

    /// Sets β₂, the decay rate of the second moment: `0 <= β₂ < 1`.
    #[must_use]
    pub fn beta_2(mut self, beta_2: f64) -> Self {
        self.rule.beta_2 = beta_2;
        self
    }

    /// Sets ε, a small constant for numerical stability.
    #[must_use]
    pub fn epsilon(mut self, epsilon: f64) -> Self {
        self.rule.epsilon = epsilon;
        self
    }

    /// Enables or disables AMSGrad: the divisor never shrinks.
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

impl<F: Float, const DECOUPLED: bool> UpdateRule<F> for AdamRule<DECOUPLED> {
    fn into_arc(self) -> Arc<dyn UpdateRule<F>> {
        precompiled! {
            fn adam<'a, 'b, F>(rule: AdamRule<false>) -> Arc<dyn UpdateRule<F>> {
                Arc::new(rule)
            }
            fn adamw<'a, 'b, F>(rule: AdamRule<true>) -> Arc<dyn UpdateRule<F>> {
                Arc::new(rule)
            }
        }
        let Self { beta_1, beta_2, epsilon, amsgrad } = self;
        if DECOUPLED {
            adamw(AdamRule { beta_1, beta_2, epsilon, amsgrad })
        } else {
            adam(AdamRule { beta_1, beta_2, epsilon, amsgrad })
        }
    }

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
        let owner = UpdateRule::<F>::kind(self);
        check_decay_rate(owner, "beta_1", self.beta_1)?;
        check_decay_rate(owner, "beta_2", self.beta_2)?;
        check_non_negative(owner, "epsilon", self.epsilon)
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
                        *m = flush_to_zero(*m + (g - *m) * mean_rate);
                        *v = flush_to_zero(*v + (g * g - *v) * square_rate);
                        *most = most.max(*v);
                        *w -= alpha * *m / (most.sqrt() + epsilon);
                    }
                },
            );
        }
        F::run_simd(AdamStep { params, grads, means, squares, alpha, epsilon, mean_rate, square_rate });
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

/// A step of Adam, written with vector registers. Per register it loads four values and stores three; with AVX-512 and
/// `f32` the square root and the division are estimates with one Newton step, because the exact instructions take three
/// times as long as all the rest.
struct AdamStep<'a, F> {
    params: &'a mut [F],
    grads: &'a [F],
    means: &'a mut [F],
    squares: &'a mut [F],
    alpha: F,
    epsilon: F,
    mean_rate: F,
    square_rate: F,
}

impl<F: Float> WithSimd<F> for AdamStep<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd<F>>(mut self, simd: S) {
        let len = self.params.len();
        let in_registers = len - len % S::LANES;
        for start in (0..in_registers).step_by(S::LANES) {
            let moved = [&mut *self.params, &mut *self.means, &mut *self.squares];
            let moved = moved.map(|all| (&raw mut all[start..start + S::LANES]).cast::<F>());
            // SAFETY: each pointer is followed by a register's elements; `simd` names an enabled instruction set.
            unsafe {
                self.update_register(simd, (&raw const self.grads[start..start + S::LANES]).cast(), moved)
            };
        }
        if in_registers < len {
            self.update_remainder(simd, in_registers);
        }
    }
}

/// Lanes of the widest register of the smallest element: AVX-512 and `f32`.
const MAX_LANES: usize = 16;

impl<F: Float> AdamStep<'_, F> {
    /// Updates the parameters from `start` on, fewer than a register holds, in a padded copy.
    #[inline(always)]
    fn update_remainder<S: Simd<F>>(&mut self, simd: S, start: usize) {
        let len = self.params.len() - start;
        let mut padded = [[F::zero(); MAX_LANES]; 4];
        let all = [&*self.params, self.grads, &*self.means, &*self.squares];
        padded.iter_mut().zip(all).for_each(|(padded, all)| padded[..len].copy_from_slice(&all[start..]));
        let [params, grads, means, squares] = &mut padded;
        let moved = [params, means, squares].map(|values| values.as_mut_ptr());
        // SAFETY: no register has more lanes than the copies; `simd` names an enabled instruction set.
        unsafe { self.update_register(simd, grads.as_ptr(), moved) };
        self.params[start..].copy_from_slice(&padded[0][..len]);
        self.means[start..].copy_from_slice(&padded[2][..len]);
        self.squares[start..].copy_from_slice(&padded[3][..len]);
    }

    /// Updates one register of parameters and moments.
    ///
    /// # Safety
    /// The pointers must be followed by a register's elements each. The instruction set must be the one that `simd`
    /// names.
    #[inline(always)]
    unsafe fn update_register<S: Simd<F>>(
        &self,
        simd: S,
        grads: *const F,
        [params, means, squares]: [*mut F; 3],
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let threshold = simd.splat(flush_threshold());
            let (g, m, v) = (simd.loadu(grads), simd.loadu(means), simd.loadu(squares));
            let m = simd.mul_add(simd.sub(g, m), simd.splat(self.mean_rate), m);
            let m = simd.flush_to_zero(m, threshold);
            // v -= (1 - β₂)(v - g²). v is never negative, so a comparison flushes it.
            let v = simd.neg_mul_add(simd.neg_mul_add(g, g, v), simd.splat(self.square_rate), v);
            let v = simd.select_lt(v, threshold, simd.zero(), v);
            let (alpha, epsilon) = (simd.splat(self.alpha), simd.splat(self.epsilon));
            simd.storeu(means, m);
            simd.storeu(squares, v);
            simd.storeu(params, simd.sub_mul_div_sqrt(simd.loadu(params), alpha, m, v, epsilon));
        }
    }
}
