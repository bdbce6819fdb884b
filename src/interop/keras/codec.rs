//! How a setting of a layer is said in Keras's configuration and in this crate's.

use super::hyperparameters::{
    ours, read_activation, read_constraint, read_initializer, read_regularizer, write_activation,
    write_constraint, write_initializer, write_regularizer,
};
use super::json::{is_empty, lengths};
use super::problem::{Read, Written, setting};
use crate::nn::layer::Shape;
use serde_json::{Value, json};

/// The form of a setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Codec {
    /// The same JSON in both.
    Same,
    Activation,
    Initializer,
    Regularizer,
    Constraint,
    /// A length, in Keras also as a list of one.
    Length,
    /// Two lengths, in Keras also one for both.
    Pair,
    /// Two lengths or none.
    OptionalPair,
    /// What is added or removed at both ends of an axis, in Keras also one length for both.
    Edges,
    /// The same for two axes.
    EdgesOfTwo,
    /// One axis, in Keras also as a list of one.
    Axis,
    /// The axes of two inputs, in Keras also one for both.
    TwoAxes,
    /// A list of axes, in Keras also one axis.
    Axes,
    /// A sample shape, in Keras with a batch axis before it.
    NoiseShape,
    /// A sample shape, in Keras with -1 for one length.
    TargetShape,
    /// The batch size of a stateful layer, in Keras whether it is stateful.
    Stateful,
    /// Keras has this value, which is what this crate does.
    Always(&'static str),
    /// Keras may have any value, which does not matter here.
    Ignored,
}

/// What a layer is read for: the shape of its samples, and the batch size where the file fixes it.
#[derive(Debug, Clone)]
pub(super) struct Samples {
    pub(super) shape: Shape,
    pub(super) batch: Option<usize>,
}

impl Codec {
    /// The crate's value of a setting; `None` if the crate has no such setting.
    pub(super) fn read(
        self,
        part: &str,
        name: &str,
        value: &Value,
        samples: &Samples,
    ) -> Read<Option<Value>> {
        let expected = |what: &str| setting(part, name, what, value);
        Ok(Some(match self {
            Self::OptionalPair | Self::Length | Self::Axes if value.is_null() => Value::Null,
            Self::Same => value.clone(),
            Self::Activation => ours(&read_activation(part, value)?)?,
            Self::Initializer => ours(&read_initializer(part, value)?)?,
            Self::Regularizer => ours(&read_regularizer(part, value)?)?,
            Self::Constraint => ours(&read_constraint(part, value)?)?,
            Self::Length => match lengths(value).as_deref() {
                Some(&[length]) => json!(length),
                _ => return Err(expected("one length")),
            },
            Self::Pair | Self::OptionalPair => match lengths(value).as_deref() {
                Some(&[length]) => json!([length, length]),
                Some([_, _]) => value.clone(),
                _ => return Err(expected("two lengths")),
            },
            Self::Edges => json!([edges(value).ok_or_else(|| expected("two lengths"))?]),
            Self::EdgesOfTwo => match value {
                Value::Array(axes) if axes.len() == 2 => {
                    let both: Option<Vec<_>> = axes.iter().map(edges).collect();
                    json!(both.ok_or_else(|| expected("two pairs of lengths"))?)
                }
                value => {
                    let edges = edges(value).ok_or_else(|| expected("two pairs of lengths"))?;
                    json!([edges, edges])
                }
            },
            Self::Axis => match value {
                Value::Array(axes) if axes.len() == 1 => axes.first().cloned().unwrap_or_default(),
                Value::Array(_) => return Err(expected("one axis")),
                axis => axis.clone(),
            },
            Self::TwoAxes => match value {
                Value::Array(axes) if axes.len() == 2 => value.clone(),
                Value::Number(_) => json!([value, value]),
                _ => return Err(expected("one axis or two")),
            },
            Self::Axes => match value {
                Value::Array(_) => value.clone(),
                axis => json!([axis]),
            },
            Self::NoiseShape => noise_shape(value).ok_or_else(|| expected("null, then lengths"))?,
            Self::TargetShape => target_shape(value, &samples.shape)
                .ok_or_else(|| expected("lengths, one of them -1 at most"))?,
            Self::Stateful => match (value.as_bool(), samples.batch) {
                (Some(false), _) => Value::Null,
                (Some(true), Some(batch)) => json!(batch),
                (Some(true), None) => return Err(expected("false, or a fixed batch size of the input")),
                (None, _) => return Err(expected("true or false")),
            },
            Self::Always(text) => {
                let known: Option<Value> = serde_json::from_str(text).ok();
                let is_off = is_empty(value) && matches!(text, "false" | "null");
                let is_known = is_off || known.as_ref() == Some(value);
                return if is_known { Ok(None) } else { Err(expected(text)) };
            }
            Self::Ignored => return Ok(None),
        }))
    }

    /// Keras's value of a setting; `None` if it is left out.
    pub(super) fn write(self, value: &Value) -> Written<Option<Value>> {
        Ok(Some(match self {
            Self::Same
            | Self::Pair
            | Self::OptionalPair
            | Self::EdgesOfTwo
            | Self::Axis
            | Self::TwoAxes
            | Self::Axes
            | Self::TargetShape => value.clone(),
            Self::Activation => write_activation(value)?,
            Self::Initializer => write_initializer(value)?,
            Self::Regularizer => write_regularizer(value)?,
            Self::Constraint => write_constraint(value)?,
            Self::Length if value.is_null() => Value::Null,
            Self::Length => json!([value]),
            Self::Edges => value.get(0).cloned().unwrap_or_default(),
            Self::NoiseShape => match value.as_array() {
                Some(lengths) => {
                    let batch = std::iter::once(Value::Null);
                    batch.chain(lengths.iter().cloned()).collect()
                }
                None => Value::Null,
            },
            Self::Stateful => json!(!value.is_null()),
            Self::Always(text) => serde_json::from_str(text).map_err(|problem| problem.to_string())?,
            Self::Ignored => return Ok(None),
        }))
    }
}

/// Lengths at both ends of an axis.
fn edges(value: &Value) -> Option<[u64; 2]> {
    match lengths(value)?[..] {
        [both] => Some([both, both]),
        [first, last] => Some([first, last]),
        _ => None,
    }
}

/// A noise shape without its batch axis, which must not be shared.
fn noise_shape(value: &Value) -> Option<Value> {
    let Some(lengths) = value.as_array() else { return value.is_null().then_some(Value::Null) };
    let (batch, sample) = lengths.split_first()?;
    batch.is_null().then(|| sample.iter().cloned().collect())
}

/// A target shape with all its lengths.
fn target_shape(value: &Value, input: &Shape) -> Option<Value> {
    let lengths = value.as_array()?;
    let known: Vec<u64> = lengths.iter().filter_map(Value::as_u64).collect();
    match lengths.len() - known.len() {
        0 => Some(value.clone()),
        1 => {
            let size = known.iter().try_fold(1_u64, |size, length| size.checked_mul(*length))?;
            let rest = (input.size() as u64).checked_div(size)?;
            let open = |length: &Value| length.as_u64().map_or_else(|| json!(rest), |length| json!(length));
            lengths.iter().all(|length| length.as_i64().is_some_and(|length| length >= -1)).then_some(())?;
            Some(lengths.iter().map(open).collect())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(codec: Codec, value: Value) -> Value {
        let samples = Samples { shape: [4, 6].into(), batch: Some(8) };
        codec.read("layer", "setting", &value, &samples).unwrap().unwrap()
    }

    #[test]
    fn each_form_of_a_setting_is_read() {
        assert_eq!(read(Codec::Length, json!([3])), json!(3));
        assert_eq!(read(Codec::Pair, json!(2)), json!([2, 2]));
        assert_eq!(read(Codec::Edges, json!(1)), json!([[1, 1]]));
        assert_eq!(read(Codec::EdgesOfTwo, json!([1, 2])), json!([[1, 1], [2, 2]]));
        assert_eq!(read(Codec::EdgesOfTwo, json!([[1, 0], [2, 3]])), json!([[1, 0], [2, 3]]));
        assert_eq!(read(Codec::Axis, json!([-1])), json!(-1));
        assert_eq!(read(Codec::NoiseShape, json!([null, 1, 6])), json!([1, 6]));
        assert_eq!(read(Codec::TargetShape, json!([-1, 8])), json!([3, 8]));
        assert_eq!(read(Codec::Stateful, json!(true)), json!(8));
    }

    #[test]
    fn what_a_setting_cannot_be_is_an_error_with_its_name() {
        let samples = Samples { shape: [4, 6].into(), batch: None };
        for (codec, value) in [
            (Codec::Length, json!([1, 2])),
            (Codec::Pair, json!("two")),
            (Codec::NoiseShape, json!([8, 1, 6])),
            (Codec::TargetShape, json!([-1, -1])),
            (Codec::TargetShape, json!([-2, 3])),
            (Codec::Stateful, json!(true)),
            (Codec::Always("\"channels_last\""), json!("channels_first")),
        ] {
            let problem = codec.read("layer", "setting", &value, &samples).unwrap_err().to_string();
            assert!(problem.contains("layer: expected setting = "), "{problem}");
        }
    }
}
