//! Embeddings of positions, learned or sinusoidal, added to a sequence.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::initializer::Initializer;
use crate::nn::layer::{Backward, Config, Forward, Layer, Plan, Shape};
use crate::nn::layers::defaults::glorot_uniform;
use crate::nn::layers::positive::require_positive;
use serde::{Deserialize, Serialize};

/// Adds an embedding of its position to each step of a sequence.
///
/// Learned embeddings are trainable; sinusoidal ones are
/// `sin(p / w^(i/d))` for even features `i` and `cos(p / w^((i−1)/d))` for odd ones, for position `p`, `d` features and the longest
/// wavelength `w = 10,000`, as KerasHub's `SinePositionEncoding`.
///
/// # Shapes
/// (steps, features), unchanged.
///
/// # Parameters
/// `embeddings`: (length, features), Glorot uniform; none if sinusoidal. `length`: the largest number of steps.
///
/// # Masks
/// The output has the mask of the input.
///
/// # Errors
/// In `compile`: a length of 0; samples other than (steps, features); more steps than `length`.
///
/// # Examples
/// ```
/// use axonal::prelude::*;
///
/// # fn main() -> Result<()> {
/// let model: Model<f32> = Sequential::new(12)
///     .add(Embedding::new(100, 16))
///     .add(PositionEmbedding::new(12))
///     .compile(Adam::new(0.01), MeanSquaredError::new())?;
/// assert_eq!(model.count_params(), 100 * 16 + 12 * 16);
/// # Ok(())
/// # }
/// ```
///
/// # References
/// Vaswani et al. 2017, arXiv:1706.03762, section 3.5.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PositionEmbedding {
    /// The largest number of steps; none if sinusoidal.
    #[serde(default)]
    length: Option<usize>,
    #[serde(default = "glorot_uniform")]
    initializer: Initializer,
}

/// The longest wavelength.
const MAX_WAVELENGTH: f64 = 10_000.0;

impl PositionEmbedding {
    /// Creates learned embeddings of up to `length` positions.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { length: Some(length), initializer: glorot_uniform() }
    }

    /// Creates sinusoidal embeddings, which have no parameters and any number of positions.
    #[must_use]
    pub fn sinusoidal() -> Self {
        Self { length: None, initializer: glorot_uniform() }
    }

    /// Sets the initializer of learned embeddings.
    #[must_use]
    pub fn initializer(mut self, initializer: Initializer) -> Self {
        self.initializer = initializer;
        self
    }
}

impl<F: Float> Layer<F> for PositionEmbedding {
    crate::float::precompiled::into_arc!(PositionEmbedding: Layer<F>);

    fn kind(&self) -> &'static str {
        "position_embedding"
    }

    fn plan(&self, input: &Shape) -> Result<Plan> {
        let [steps, features] = *input.dims() else {
            return Err(Error::shape("position_embedding", "samples (steps, features)", input));
        };
        let plan = Plan::output(input.clone()).passes_mask();
        let Some(length) = self.length else { return Ok(plan) };
        require_positive("position_embedding", &[("length", length)])?;
        if steps > length {
            let expected = format!("at most {length} steps, the length of the embeddings");
            return Err(Error::shape("position_embedding", expected, format!("{steps} steps")));
        }
        Ok(plan.param("embeddings", [length, features], self.initializer.clone()))
    }

    fn forward(&self, Forward { x, mut y, params, plan, .. }: Forward<'_, F>) {
        let features = plan.map_or(1, |plan| plan.input_shape().last()).max(1);
        y.assign(&x);
        for mut row in y.rows_mut() {
            match self.length {
                Some(_) => row.iter_mut().zip(params).for_each(|(y, &embedding)| *y += embedding),
                None => {
                    for (index, y) in row.iter_mut().enumerate() {
                        *y += F::of(sinusoid(index / features, index % features, features));
                    }
                }
            }
        }
    }

    fn backward(&self, Backward { dy, mut dx, grads, .. }: Backward<'_, F>) {
        // y = x + embeddings  =>  dx = dy, dembeddings += Σ dy over the batch
        dx.assign(&dy);
        for row in dy.rows() {
            grads.iter_mut().zip(row).for_each(|(sum, &d)| *sum += d);
        }
    }

    fn config(&self) -> Option<Config> {
        Config::of(self)
    }
}

/// The sinusoidal embedding of one position and feature.
fn sinusoid(position: usize, feature: usize, features: usize) -> f64 {
    let pair = (feature / 2 * 2) as f64;
    let angle = position as f64 / MAX_WAVELENGTH.powf(pair / features as f64);
    if feature.is_multiple_of(2) { angle.sin() } else { angle.cos() }
}
