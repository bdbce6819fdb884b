//! Keras's files: `.keras` of Keras 3, `.weights.h5`, and the legacy `.h5` of Keras 2 and tf.keras.
//!
//! A model is read in four steps: `archive` finds the configuration and the weights in the file, `outline` the layers and
//! their connections in the configuration, `recipes` translates each of them by the table in `layers`, and `weights` finds the arrays that
//! `slots` says it has. `entries` takes a model apart into Keras's layers, in the `order` of Keras. `losses`, `metrics`,
//! `optimizers` and `optimizer_vars` do the same for the training. Writing uses the same tables the other way.

mod archive;
mod codec;
mod entries;
mod hdf5;
mod hyperparameters;
mod json;
mod layers;
mod losses;
mod metrics;
mod names;
mod optimizer_vars;
mod optimizers;
mod order;
mod outline;
mod problem;
mod read;
mod recipes;
mod slots;
mod weights;
mod write;

use crate::error::Result;
use crate::float::Float;
use crate::float::precompiled::precompiled;
use crate::nn::model::Body;
use crate::nn::model::Model;
use crate::nn::sequential::Sequential;
use crate::persistence::LoadOptions;
use std::path::Path;

impl<F: Float> Model<F> {
    /// Loads a compiled model that Keras has saved: a `.keras` file of Keras 3, or an `.h5` file of Keras 2, 3 or
    /// tf.keras.
    ///
    /// Layers, weights, loss, metrics and the optimizer with its state are read, so that training continues where Keras
    /// left it. It may be a `Sequential` or a functional model with several inputs, outputs, branches and shared layers; models
    /// inside models are dissolved. In a graph, the names of inputs and outputs are kept, and those that layers were given. Floats of any width become `F`. Keras's random numbers are not this crate's: the noise of dropout differs.
    ///
    /// Everything is checked before memory is taken for it; no code in a file is run. Loading takes at most the length of
    /// the file and [`max_extra_bytes`](crate::persistence::Limits::max_extra_bytes) beside the model.
    ///
    /// # Errors
    /// A file that cannot be read ([`Error::Io`](crate::Error::Io)); that is damaged, not compiled, beyond the
    /// [`Limits`](crate::persistence::Limits), or has a layer, a setting or a loss that this crate does not have
    /// ([`Error::Load`](crate::Error::Load), with its name).
    ///
    /// # Examples
    /// ```no_run
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let model = Model::<f32>::load_keras("model.keras")?;
    /// println!("{}", model.summary());
    /// # Ok(())
    /// # }
    /// ```
    pub fn load_keras(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_keras_with(path, LoadOptions::new())
    }

    /// As [`load_keras`](Self::load_keras), with limits.
    ///
    /// # Errors
    /// As [`load_keras`](Self::load_keras).
    pub fn load_keras_with(path: impl AsRef<Path>, options: LoadOptions<'_, F>) -> Result<Self> {
        load_model(path.as_ref(), options)
    }

    /// Saves the model as Keras 3 saves it: `keras.models.load_model` reads the file without custom objects, predicts and
    /// evaluates the same, and continues the training with the optimizer's state.
    ///
    /// The file is replaced whole or not at all. Counters of epochs, the seed and the options of `fit` have no place in
    /// it; use [`save`](Self::save) to continue in this crate to the bit.
    ///
    /// # Errors
    /// What the system refuses ([`Error::Save`](crate::Error::Save)); a layer, loss, metric or optimizer that Keras does
    /// not have, and weights, or a state of the optimizer, that are not finite
    /// ([`Error::Unsaveable`](crate::Error::Unsaveable), with its name).
    ///
    /// # Examples
    /// ```
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// # let path = std::env::temp_dir().join(format!("axonal-doc-{}.keras", std::process::id()));
    /// let model: Model<f32> =
    ///     Sequential::new(4).add(Dense::new(3)).compile(Adam::default(), MeanSquaredError::default())?;
    /// model.save_keras(&path)?;
    /// let restored = Model::<f32>::load_keras(&path)?;
    /// assert_eq!(restored.weights(), model.weights());
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn save_keras(&self, path: impl AsRef<Path>) -> Result<()> {
        save_model(self, path.as_ref())
    }

    /// Replaces all weights by those of a file that Keras has saved: `.weights.h5`, `.keras` or `.h5`. The layers of both
    /// must be the same in kind, order and shape; optimizer and counters stay.
    ///
    /// A layer of another crate is found under the last part of its kind: `"mycrate.swish"` under `layers/swish`.
    ///
    /// # Errors
    /// As [`load_keras`](Self::load_keras); a weight that is missing on one side or of another shape. Then nothing is
    /// changed.
    ///
    /// # Examples
    /// ```
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// # let path = std::env::temp_dir().join(format!("axonal-doc-{}.weights.h5", std::process::id()));
    /// let network = |seed| {
    ///     let layers = Sequential::<f32>::new(4).add(Dense::new(3)).seed(seed);
    ///     layers.compile(Adam::default(), MeanSquaredError::default())
    /// };
    /// let (first, mut second) = (network(1)?, network(2)?);
    /// first.save_keras_weights(&path)?;
    /// second.load_keras_weights(&path)?;
    /// assert_eq!(second.weights(), first.weights());
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(())
    /// # }
    /// ```
    pub fn load_keras_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        load_weights(self, path.as_ref())
    }

    /// Saves the weights and the optimizer's state as Keras's `save_weights` does, in a file that ends in `.weights.h5`.
    ///
    /// # Errors
    /// What the system refuses ([`Error::Save`](crate::Error::Save)); weights, or a state of the optimizer, that are
    /// not finite.
    pub fn save_keras_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        save_weights(self, path.as_ref())
    }
}

impl<F: Float> Sequential<F> {
    /// Loads the layers and the weights of a model that Keras has saved, compiled or not, to be compiled.
    ///
    /// # Errors
    /// As [`Model::load_keras`].
    ///
    /// # Examples
    /// ```no_run
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let layers = Sequential::<f32>::load_keras("model.keras")?;
    /// let model = layers.compile(Sgd::new(0.1), SparseCategoricalCrossentropy::default())?;
    /// # let _ = model;
    /// # Ok(())
    /// # }
    /// ```
    pub fn load_keras(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_keras_with(path, LoadOptions::new())
    }

    /// As [`load_keras`](Self::load_keras), with limits.
    ///
    /// # Errors
    /// As [`Model::load_keras`].
    pub fn load_keras_with(path: impl AsRef<Path>, options: LoadOptions<'_, F>) -> Result<Self> {
        load_sequential(path.as_ref(), options)
    }
}

impl<F: Float> Body<F> {
    /// Loads the layers and the weights of any model that Keras has saved, compiled or not: `Sequential` or functional. A
    /// [`Graph`](crate::models::Graph) of its inputs and outputs, or of a part, is compiled with losses and an optimizer.
    ///
    /// # Errors
    /// As [`Model::load_keras`].
    ///
    /// # Examples
    /// ```no_run
    /// use axonal::models::Body;
    /// use axonal::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// // keras.Model(image, features), never compiled
    /// let body = Body::<f32>::load_keras("features.keras")?.frozen();
    /// let features = body.outputs().next().unwrap();
    /// let classes = features.then(Dense::new(3).activation(Activation::Softmax));
    /// let model = Graph::new(body.inputs())
    ///     .output("class", &classes, SparseCategoricalCrossentropy::new())
    ///     .compile(Adam::new(0.001))?;
    /// # let _ = model;
    /// # Ok(())
    /// # }
    /// ```
    pub fn load_keras(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_keras_with(path, LoadOptions::new())
    }

    /// As [`load_keras`](Self::load_keras), with limits.
    ///
    /// # Errors
    /// As [`Model::load_keras`].
    pub fn load_keras_with(path: impl AsRef<Path>, options: LoadOptions<'_, F>) -> Result<Self> {
        load_body(path.as_ref(), options)
    }
}

precompiled! {
    fn load_body<'a, 'b, F>(path: &'b Path, options: LoadOptions<'a, F>) -> Result<Body<F>> {
        read::load_body(path, &options)
    }

    fn load_model<'a, 'b, F>(path: &'b Path, options: LoadOptions<'a, F>) -> Result<Model<F>> {
        read::load_model(path, &options)
    }

    fn load_sequential<'a, 'b, F>(path: &'b Path, options: LoadOptions<'a, F>) -> Result<Sequential<F>> {
        read::load_sequential(path, &options)
    }

    fn load_weights<'a, 'b, F>(model: &'a mut Model<F>, path: &'b Path) -> Result<()> {
        read::load_weights(model, path, &LoadOptions::new())
    }

    fn save_model<'a, 'b, F>(model: &'a Model<F>, path: &'b Path) -> Result<()> {
        write::save_model(model, path)
    }

    fn save_weights<'a, 'b, F>(model: &'a Model<F>, path: &'b Path) -> Result<()> {
        write::save_weights(model, path)
    }
}
