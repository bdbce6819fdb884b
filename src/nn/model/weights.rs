//! Named access to the weights.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::nn::model::Model;
use crate::validate::{self, shape_text};
use ndarray::{ArrayBase, ArrayD, Data, Dimension};

/// A named array of a model's weights.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Weight<F> {
    /// The layer's index and kind, and the array's name: `"0.dense/kernel"`.
    pub name: String,
    /// A copy of the values.
    pub value: ArrayD<F>,
    /// Whether the optimizer updates it; false for frozen layers and moving statistics.
    pub trainable: bool,
}

impl<F: Float> Model<F> {
    /// Copies all weights, in Keras's order: for each layer its parameters, then its state (moving statistics). A model that
    /// is not [built](Self::is_built) has none.
    ///
    /// # Examples
    /// ```
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let model: Model<f32> =
    ///     Sequential::new(4).add(Dense::new(3)).compile(Adam::default(), MeanSquaredError::default())?;
    /// let weights = model.weights();
    /// assert_eq!((weights[0].name.as_str(), weights[0].value.shape()), ("0.dense/kernel", &[4, 3][..]));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn weights(&self) -> Vec<Weight<F>> {
        let weight = |variable: &crate::nn::layout::Variable| {
            let buffer = if variable.in_state { &self.state } else { &self.params };
            let values = buffer[variable.range.clone()].to_vec();
            let value = ArrayD::from_shape_vec(variable.shape.dims(), values).unwrap_or_default();
            Weight { name: variable.name.clone(), value, trainable: variable.trainable }
        };
        self.layout.variables.iter().map(weight).collect()
    }

    /// Sets the weight of this name.
    ///
    /// # Errors
    /// A name that the model does not have, another shape, NaN or infinity.
    ///
    /// # Examples
    /// ```
    /// use axonal::ndarray::array;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let mut model = Sequential::new(2).add(Dense::new(1)).compile(Adam::default(), MeanSquaredError::default())?;
    /// model.set_weight("0.dense/kernel", &array![[2.0], [3.0]])?;
    /// assert_eq!(model.predict(&array![[1.0, 10.0]])?, array![[32.0]]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_weight<S: Data<Elem = F>, D: Dimension>(
        &mut self,
        name: &str,
        value: &ArrayBase<S, D>,
    ) -> Result<()> {
        self.check_built("set_weight")?;
        let Some(variable) = self.layout.variables.iter().find(|variable| variable.name == name) else {
            let known = self.layout.variables.iter().map(|variable| variable.name.clone());
            return Err(Error::unknown_name("weight", name, known));
        };
        if value.shape() != variable.shape.dims() {
            return Err(Error::WeightMismatch {
                name: name.into(),
                expected: format!("shape {}", variable.shape),
                got: format!("shape {}", shape_text(value.shape())),
            });
        }
        validate::finite(name, value)?;
        let buffer = if variable.in_state { &mut self.state } else { &mut self.params };
        buffer[variable.range.clone()].iter_mut().zip(value).for_each(|(slot, &value)| *slot = value);
        Ok(())
    }

    /// Sets all weights, matched by name, to those returned by [`weights`](Self::weights) of a model with the same layers.
    ///
    /// # Errors
    /// An unknown or missing name, another shape, NaN or infinity; then the model is unchanged.
    pub fn set_weights(&mut self, weights: &[Weight<F>]) -> Result<()> {
        self.check_built("set_weights")?;
        if weights.len() != self.layout.variables.len() {
            let missing =
                self.layout.variables.iter().find(|v| weights.iter().all(|weight| weight.name != v.name));
            return Err(Error::WeightMismatch {
                name: missing.map_or_else(|| "all weights".into(), |variable| variable.name.clone()),
                expected: format!("{} weights", self.layout.variables.len()),
                got: format!("{}", weights.len()),
            });
        }
        let mut changed = self.clone();
        for weight in weights {
            changed.set_weight(&weight.name, &weight.value)?;
        }
        (self.params, self.state) = (changed.params, changed.state);
        Ok(())
    }
}
