//! How a loss interprets the outputs of a model.

/// How a loss interprets the outputs of a model. `compile` refuses a last layer of this crate whose outputs contradict it:
/// a [`Dense`](crate::layers::Dense) layer without an activation under a cross-entropy of probabilities.
///
/// # Examples
/// ```
/// use axonal::custom::OutputMeaning;
/// use axonal::prelude::*;
///
/// let loss = BinaryCrossentropy::default();
/// assert_eq!(Loss::<f32>::output_meaning(&loss, &1.into()), OutputMeaning::Probabilities);
/// let network = Sequential::<f32>::new(4).add(Dense::new(1));
/// let error = network.compile(Adam::default(), loss).unwrap_err().to_string();
/// assert!(error.contains("Activation::Sigmoid"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OutputMeaning {
    /// Any numbers.
    #[default]
    Values,
    /// Numbers from 0 to 1, each by itself.
    Probabilities,
    /// Probabilities of classes along the last axis; positive numbers are divided by their sum.
    Distribution,
    /// Numbers of at least 0.
    Densities,
    /// Logits of two classes, one number each.
    BinaryLogits,
    /// Logits of classes along the last axis.
    ClassLogits,
    /// Vectors along the last axis, of which the direction counts.
    Directions,
}
