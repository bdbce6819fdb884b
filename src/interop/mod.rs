//! Files of other libraries.
//!
//! | format | written | read | feature |
//! |---|---|---|---|
//! | Keras | `Model::save_keras`, `save_keras_weights` | `Model::load_keras`, `Sequential::load_keras`, `load_keras_weights` | `keras` |
//! | ONNX | `export_onnx`, `to_onnx` of networks, clusterings, transformers and pipelines | | `onnx` |
//! | safetensors | `Model::save_safetensors` | `Model::load_safetensors` | `safetensors` |

#[cfg(feature = "keras")]
mod keras;
#[cfg(feature = "onnx")]
mod onnx;
#[cfg(feature = "safetensors")]
mod safetensors;

#[cfg(feature = "onnx")]
#[cfg_attr(docsrs, doc(cfg(feature = "onnx")))]
pub use onnx::OnnxStep;
